# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events for a receiver of the operator's: what they say, that they are signed, and that a receiver
that fails, hangs or isn't there is nobody's trouble but its own."""

import hmac
import json
import os
import socket
import time
import urllib.request

import tap
from harness import Case, wait_until
from webhooks import Receiver
from wsclient import Member

SECRET = 'a secret that signs'.replace(' ', '_')


class WebhookCase(Case):
    def setUp(self):
        super().setUp()
        self.secret = self.tmp / 'webhook-secret'
        self.secret.write_text(SECRET + '\n')
        self.token = self.tmp / 'admin-token'
        self.token.write_text('0123456789abcdef\n')

    def serve(self, *plan):
        self.receiver = Receiver(*plan)
        self.addCleanup(self.receiver.close)
        return self.serve_at(self.receiver.url)

    def serve_at(self, url):
        self.served = self.gateway(f'--webhook-url={url}', f'--webhook-secret-file={self.secret}',
                                   f'--admin-token-file={self.token}')
        return self.served

    def rule(self, method, **what):
        """What the operator's API answers."""
        with urllib.request.urlopen(urllib.request.Request(
                self.served.http + '/dev/v1/kicking-rule', json.dumps(what).encode(),
                {'Authorization': 'Bearer 0123456789abcdef', 'Content-Type': 'application/json'}, method=method), timeout=5) as answer:
            return json.load(answer)

    def member(self, **keywords):
        member = Member(self.served.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member


class Events(WebhookCase):
    def test_what_they_say(self):
        self.serve()
        began = time.time()
        speaker = self.member(uid=8).join(clientType='wechat')
        listener = self.member(uid=9).join('audience')
        listener.must('set_role', role='broadcaster', uid=9)
        listener.must('set_role', role='audience', uid=9)
        listener.must('leave', uid=9)
        self.rule('POST', appid='demo', uid=8, time=0)
        speaker.wait_event('client-is-banned-by-server')
        events = self.receiver.wait(8)
        self.assertEqual([event['eventType'] for event in events],
                         [101, 103, 105, 111, 112, 106, 104, 102])
        for event in events:
            self.assertEqual((event['productId'], event['appId']), (1, 'demo'))
            self.assertEqual(event['payload']['channelName'], 'room')
            self.assertLess(abs(event['notifyMs'] / 1000 - began), 60)
            self.assertLess(abs(event['payload']['ts'] - began), 60)
        by_type = {event['eventType']: event['payload'] for event in events}
        self.assertNotIn('uid', by_type[101])
        self.assertEqual([by_type[103][name] for name in ('uid', 'platform', 'clientType')],
                         [8, 6, 8])
        self.assertEqual((by_type[106]['uid'], by_type[106]['reason']), (9, 1))
        self.assertEqual((by_type[104]['uid'], by_type[104]['reason']), (8, 3))
        self.assertIn(by_type[104]['duration'], range(60))
        for _, path, headers, body in self.receiver.posts:
            self.assertEqual((path, headers['Content-Type']), ('/hook?key=x', 'application/json'))
            for header, kind in (('Agora-Signature', 'sha1'), ('Agora-Signature-V2', 'sha256')):
                self.assertEqual(headers[header],
                                 hmac.new(SECRET.encode(), body, kind).hexdigest())
        self.assertEqual(len(self.receiver.posts), 8)
        # It has the last ones' answers a moment later.
        wait_until(lambda: 'agora_webhooks_total{result="delivered"} 8\n' in self.metrics(),
                   what='eight that were delivered')
        for line in ('agora_webhooks_total{result="dropped"} 0\n', 'agora_webhooks_queued 0\n'):
            self.assertIn(line, self.metrics())

    def metrics(self):
        with urllib.request.urlopen(self.served.http + '/metrics', timeout=5) as answer:
            return answer.read().decode()

    def test_silence_is_told(self):
        self.serve()
        self.member(uid=8).join()
        rule = self.rule('POST', appid='demo', uid=8, time=60, privileges=['publish_audio'])
        self.rule('DELETE', appid='demo', id=rule['id'])
        events = self.receiver.wait(4)
        self.assertEqual([event['eventType'] for event in events], [101, 103, 1001, 1002])
        for event in events[2:]:
            self.assertEqual((event['payload']['channelName'], event['payload']['uid']), ('room', 8))

    def test_the_end_of_the_gateway_is_told(self):
        self.serve()
        self.member(uid=8).join()
        self.receiver.wait(2)
        self.assertEqual(self.served.terminate(), 0)
        events = self.receiver.wait(4)
        self.assertEqual([event['eventType'] for event in events], [101, 103, 104, 102])
        self.assertEqual(events[2]['payload']['reason'], 4)


class Trouble(WebhookCase):
    def test_again_until_it_is_taken(self):
        # Two of each try's posts fail: both events are under way at once.
        self.serve(500, 404, 503, 302)
        member = self.member(uid=8).join()
        wait_until(lambda: len(self.receiver.posts) >= 6, 20, 'both events, three times')
        self.assertEqual([event['eventType'] for event in self.receiver.events()], [101, 103])
        tries = {}
        for moment, _, headers, body in self.receiver.posts:
            tries.setdefault(body, []).append(moment)
        self.assertEqual(len(tries), 2)
        self.assertEqual(sum(len(moments) for moments in tries.values()), 6)
        gaps = sorted(later - earlier for moments in tries.values()
                      for earlier, later in zip(moments, moments[1:]))
        self.assertGreater(gaps[0], 0.35)
        self.assertGreater(gaps[-1], 0.75)
        self.served.wait_line('takes events again')
        # What comes later comes once.
        member.must('leave', uid=8)
        self.receiver.wait(4)
        self.assertEqual(len(self.receiver.posts), 8)

    def test_nobody_waits_for_it(self):
        self.serve(*[None] * 8)
        members = [self.member(uid=uid, channel=f'c{uid}').join() for uid in range(1, 21)]
        for member in members:
            member.ping()
        self.assertLessEqual(len(self.receiver.posts), 8)
        self.receiver.released.set()
        self.assertEqual(len(self.receiver.wait(40)), 40)

    def test_the_end_does_not_wait_for_it(self):
        self.serve(*[None] * 100)
        self.member(uid=8).join()
        wait_until(lambda: len(self.receiver.posts) == 2, what='both events')
        self.assertEqual(self.served.terminate(timeout=3), 0)

    def test_nobody_there(self):
        with socket.socket() as nobody:
            nobody.bind(('127.0.0.1', 0))
            self.serve_at(f'http://127.0.0.1:{nobody.getsockname()[1]}/')
            members = [self.member(uid=uid).join() for uid in range(1, 5)]
            self.served.wait_line("didn't take an event")
            for member in members:
                member.ping()
            self.assertEqual(self.served.output().count('Webhooks'), 1)
            self.assertEqual(self.served.terminate(timeout=3), 0)
        self.assertNotIn(SECRET, self.served.output())

    def test_bad_options(self):
        good = (f'--webhook-secret-file={self.secret}', '--webhook-url=http://127.0.0.1/')
        for options, word in (((good[0],), 'together'), ((good[1],), 'together'),
                              ((good[0], '--webhook-url=ftp://x/'), 'ftp://x/'),
                              ((good[0], '--webhook-url=https:///x'), 'HOST'),
                              ((good[1], f'--webhook-secret-file={self.tmp}/none'), 'none')):
            with self.subTest(options):
                process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo',
                                     '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0', *options)
                self.assertNotEqual(process.wait(), 0)
                self.assertIn(word, process.output('err'))


if __name__ == '__main__':
    tap.main()
