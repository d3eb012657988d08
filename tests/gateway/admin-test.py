# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moderation and insight over HTTP, with members that are really there."""

import base64
import http.client
import json
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import tap
from harness import SCALE, Case
from relayrig import Peer
from wsclient import Closed, Member

TOKEN = 'Tru5t-me/for+this:one='


class AdminCase(Case):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN + '\n')
        self.served = self.gateway(f'--admin-token-file={secret}', '--app=demo', '--app=other')

    def member(self, **keywords):
        member = Member(self.served.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member

    def call(self, method, path, body=None, authorization=f'Bearer {TOKEN}', served=None,
             more=None):
        """Status, JSON body, headers."""
        connection = http.client.HTTPConnection(urlsplit((served or self.served).http).netloc,
                                                timeout=5)
        self.addCleanup(connection.close)
        headers = {'Authorization': authorization} if authorization else {}
        if body is not None:
            headers['Content-Type'] = 'application/json'
        headers.update(more or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.assertEqual(answer.headers['Content-Type'], 'application/json')
        return answer.status, json.loads(answer.read()), answer.headers

    def must(self, method, path, body=None):
        status, answer, _ = self.call(method, path, body)
        self.assertEqual(status, 200, answer)
        return answer

    def kick(self, **fields):
        return self.must('POST', '/dev/v1/kicking-rule', {'appid': 'demo', **fields})['id']

    def rules(self, app='demo'):
        return self.must('GET', f'/dev/v1/kicking-rule?appid={app}')['rules']

    def banned(self, member):
        member.wait_event('client-is-banned-by-server')
        with self.assertRaises(Closed) as closed:
            member.receive()
        self.assertEqual(closed.exception.code, 4002)

    def refused(self, **keywords):
        """A join that is turned away."""
        member = self.member(**keywords)
        self.assertNotEqual(member.wait_answer(member.send_join())['code'], 200)
        self.banned(member)

    def push(self, url):
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                          'sine=frequency=440:sample_rate=48000', '-c:a', 'aac', '-b:a', '48k',
                          '-f', 'flv', url, quiet_errors=True)

    def play(self, url, seconds=3600):
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048',
                          '-analyzeduration', '100000', '-i', url, '-t', str(seconds),
                          '-f', 'null', '-', quiet_errors=True)


class Kicking(AdminCase):
    def test_the_kicked_are_out_of_everything(self):
        speaker = self.member(uid=8).join()
        listener = self.member(uid=9).join('audience')
        push_url = speaker.publish()
        push = self.push(push_url)
        listener.wait_event('stream-added', uid=8, timeout=15)
        play_url = listener.subscribe(8)
        self.assertEqual(self.play(play_url, seconds=0.5).wait(20), 0)
        rule = self.kick(cname='room', uid=8, time=60)
        self.banned(speaker)
        # Well before nginx would have missed it.
        push.wait(5)
        listener.wait_event('stream-removed', uid=8, timeout=5)
        self.assertNotEqual(self.push(push_url).wait(15), 0)
        self.assertNotEqual(self.play(play_url).wait(15), 0)
        self.refused(uid=8)
        self.member(uid=8, channel='elsewhere').join()
        self.must('DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})
        again = self.member(uid=8).join()
        again.publish()
        listener.ping()

    def test_a_kick_is_silence(self):
        """From the operator's call to the last packet that a listener gets: 50 ms, in the best of some."""
        took = []
        for _ in range(5):
            took.append(self.silence_after_a_kick())
        print(f'# silent {", ".join(f"{each * 1000:.1f}" for each in took)} ms after the call')
        self.assertLessEqual(min(took), 0.05 * SCALE)
        self.assertLessEqual(max(took), 1 * SCALE)

    def silence_after_a_kick(self):
        speaker, listener = self.member(uid=8).join(), self.member(uid=9).join('audience')
        push = self.session('publish', speaker.publish())
        listener.wait_event('stream-added', uid=8)
        play = self.session('play', listener.subscribe(8))
        over = threading.Event()

        def send():
            for number in range(10**6):
                if over.wait(0.005):
                    return
                try:
                    push.frame(5 * number)
                except OSError:
                    return

        def hear():
            try:
                while not over.is_set():
                    play.read(0.05)
            except OSError:
                pass

        threads = [threading.Thread(target=each) for each in (send, hear)]
        for thread in threads:
            thread.start()
        try:
            self.until(lambda: len(play.media()) > 20, 'sound')
            called = time.monotonic()
            self.kick(uid=8, time=0)
            self.banned(speaker)
            self.until(lambda: time.monotonic() > called + 0.3 * SCALE, 'the silence')
        finally:
            over.set()
            for thread in threads:
                thread.join()
        last = play.media()[-1][0]
        listener.must('leave', uid=9)
        return max(0.0, last - called)

    def session(self, call, url):
        """An RTMP session by that URL, looked after by hand."""
        parts = urlsplit(url)
        peer = Peer(SimpleNamespace(port=parts.port))
        self.addCleanup(peer.close)
        code = peer.open(call, f'{parts.path.rpartition("/")[2]}?{parts.query}')
        self.assertIn(code, ('NetStream.Publish.Start', 'NetStream.Play.Start'))
        return peer

    def test_whom_a_rule_hits(self):
        for whom, out in (({'uid': 8}, {(8, 'room'), (8, 'hall')}),
                          ({'uid': '8', 'cname': 'hall', 'ip': ''}, {(8, 'hall')}),
                          ({'cname': 'room', 'uid': None}, {(8, 'room'), (9, 'room')}),
                          ({'ip': '127.0.0.1'}, {(8, 'room'), (9, 'room'), (8, 'hall')}),
                          ({'ip': '192.0.2.1'}, set())):
            with self.subTest(**whom):
                members = {key: self.member(uid=key[0], channel=key[1]).join()
                           for key in ((8, 'room'), (9, 'room'), (8, 'hall'))}
                other = self.member(uid=8, app='other').join()
                self.kick(**whom, time=0)
                for key, member in members.items():
                    if key in out:
                        self.banned(member)
                    else:
                        member.must('leave', uid=key[0])
                # 0: may return at once, and nothing is kept.
                self.assertEqual(self.rules(), [])
                for uid, channel in out:
                    self.member(uid=uid, channel=channel).join().must('leave', uid=uid)
                other.must('leave', uid=8)

    def test_an_address_has_one_spelling(self):
        # A socket for both kinds of addresses tells IPv4 wrapped into IPv6.
        try:
            served = self.gateway(f'--admin-token-file={self.tmp / "admin-token"}',
                                  '--listen=[::]:0', '--app=demo')
        except AssertionError:
            self.skipTest('no IPv6 here')
        port = urlsplit(served.ws).port
        for spelling in ('127.0.0.1', '::ffff:127.0.0.1'):
            member = Member(f'ws://127.0.0.1:{port}/api', uid=9, heartbeat=True).join()
            self.addCleanup(member.close)
            _, user, _ = self.call('GET', '/dev/v1/channel/user/property/demo/9/room', served=served)
            self.assertEqual(user['data']['ip'], '127.0.0.1')
            status, answer, _ = self.call('POST', '/dev/v1/kicking-rule',
                                          {'appid': 'demo', 'ip': spelling, 'time': 0},
                                          served=served)
            self.assertEqual(status, 200, answer)
            self.banned(member)

    def test_a_silenced_member_stays(self):
        speaker = self.member(uid=8).join()
        listener = self.member(uid=9).join('audience')
        url = speaker.publish()
        push = self.push(url)
        listener.wait_event('stream-added', uid=8, timeout=15)
        rule = self.kick(uid=8, privileges=['publish_audio'])
        listener.wait_event('stream-removed', uid=8)
        push.wait(5)
        self.assertEqual(speaker.ask('publish', uid=8)['code'], 433)
        self.assertNotEqual(self.push(url).wait(15), 0)
        # A new socket changes nothing.
        speaker.close()
        speaker = self.member(uid=8).join()
        self.assertEqual(speaker.ask('publish', uid=8)['code'], 433)
        self.must('DELETE', f'/dev/v1/kicking-rule?appid=demo&id={rule}')
        self.push(speaker.publish())
        listener.wait_event('stream-added', uid=8, timeout=15)

    def test_silence_is_a_state_for_who_knows_it(self):
        plain = self.member(uid=7).join()
        speaker = self.member(uid=8)
        answer = speaker.wait_answer(speaker.send_join('broadcaster', features=['silence', 'other']))
        self.assertEqual(answer['serverResponse'], {'uid': 8, 'features': ['silence']})
        listener = self.member(uid=9).join('audience')
        push = self.push(speaker.publish())
        listener.wait_event('stream-added', uid=8, timeout=15)
        rule = self.kick(cname='room', privileges=['publish_audio'])
        speaker.wait_event('silenced')
        listener.wait_event('stream-removed', uid=8)
        push.wait(5)
        self.assertEqual(speaker.ask('publish', uid=8)['code'], 433)
        _, user, _ = self.call('GET', '/dev/v1/channel/user/property/demo/8/room')
        self.assertIs(user['data']['muted'], True)
        self.must('DELETE', f'/dev/v1/kicking-rule?appid=demo&id={rule}')
        speaker.wait_event('unsilenced')
        self.push(speaker.publish())
        listener.wait_event('stream-added', uid=8, timeout=15)
        # The other one was told nothing of it.
        added = plain.wait_event('stream-added', uid=8)
        self.assertEqual(added['action'], 'stream-added')

    def test_listing_changing_lifting(self):
        begin = datetime.now(timezone.utc)
        ids = [self.kick(uid=8, time=30), self.kick(cname='room', ip='::1', time_in_seconds=5),
               self.kick(cname='a b+c', privileges=['join_channel', 'publish_video']),
               self.kick(uid=7, time=999999, time_in_seconds=99999)]
        rules = self.rules()
        self.assertEqual([rule['id'] for rule in rules], ids)
        self.assertEqual(self.rules('other'), [])
        self.assertEqual({**rules[0], 'ts': None}, {
            'id': ids[0], 'appid': 'demo', 'cname': None, 'uid': 8, 'ip': None, 'ts': None,
            'privileges': ['join_channel']})
        self.assertEqual((rules[1]['cname'], rules[1]['ip']), ('room', '::1'))
        self.assertEqual((rules[2]['cname'], rules[2]['privileges']),
                         ('a b+c', ['join_channel', 'publish_video']))

        def lasts(rule, seconds):
            end = datetime.strptime(rule['ts'], '%Y-%m-%dT%H:%M:%S.000Z')
            left = end.replace(tzinfo=timezone.utc) - begin
            self.assertLess(abs(left - timedelta(seconds=seconds)), timedelta(seconds=30))
        for rule, seconds in zip(rules, (1800, 10, 3600, 86430)):
            lasts(rule, seconds)
        changed = self.must('PUT', '/dev/v1/kicking-rule',
                            {'appid': 'demo', 'id': ids[0], 'time': 120})['result']
        self.assertEqual(changed['id'], ids[0])
        lasts(changed, 7200)
        self.assertEqual(self.rules()[0]['ts'], changed['ts'])
        for app, rule in (('other', ids[0]), ('demo', ids[-1] + 1)):
            for method in ('PUT', 'DELETE'):
                status, answer, _ = self.call(method, '/dev/v1/kicking-rule',
                                              {'appid': app, 'id': rule, 'time': 1})
                self.assertEqual((status, answer['field']), (404, 'id'))
        self.refused(uid=8)
        # Ending it now is lifting it.
        self.must('PUT', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': ids[0], 'time': 0})
        self.assertEqual([rule['id'] for rule in self.rules()], ids[1:])
        self.member(uid=8).join()

    def test_bad_requests(self):
        bystander = self.member(uid=8).join()
        good = {'appid': 'demo', 'uid': 9}
        for body, field, word in (
                ('{"appid":"demo","uid":9', None, 'the body'), ('[1]', None, 'JSON object'),
                ('', None, 'JSON object'), (b'{"appid":"\xff"}', None, 'UTF-8'),
                ('{"appid":"demo","appid":"demo","uid":9}', None, 'twice'),
                ('{"a":' * 9 + '1' + '}' * 9, None, 'nested'),
                # What a lenient parser would take, or cut short.
                ("{'appid':'demo','uid':9}", None, 'JSON'), ('/**/{"appid":"demo","uid":9}', None, 'JSON'),
                ('{"appid":"demo","uid":0x9}', None, 'JSON'), ('{"appid":"demo","uid":9} 1', None, 'JSON'),
                ('{"appid":"demo\\u0000","uid":9}', None, 'NUL'),
                ({'uid': 9}, 'appid', 'absent'), ({**good, 'appid': 7}, 'appid', '7'),
                ({**good, 'appid': 'nobody'}, 'appid', 'nobody'),
                ({'appid': 'demo'}, 'cname', 'all are absent'),
                ({'appid': 'demo', 'cname': '', 'uid': None}, 'cname', 'all are absent'),
                ({**good, 'uid': 0}, 'uid', '4294967295'), ({**good, 'uid': -1}, 'uid', '-1'),
                ({**good, 'uid': 'alice'}, 'uid', 'alice'),
                ({**good, 'uid': 1 << 32}, 'uid', '967296'),
                ({**good, 'cname': 'x' * 129}, 'cname', 'name'),
                ({**good, 'cname': ['r']}, 'cname', 'r'),
                ({**good, 'ip': '300.1.1.1'}, 'ip', '300.1.1.1'), ({**good, 'ip': 5}, 'ip', '5'),
                ({**good, 'time': -1}, 'time', '-1'), ({**good, 'time': 'soon'}, 'time', 'soon'),
                ({**good, 'time_in_seconds': [1]}, 'time_in_seconds', '1'),
                ({**good, 'privileges': []}, 'privileges', 'one at least'),
                ({**good, 'privileges': 'join_channel'}, 'privileges', 'a list'),
                ({**good, 'privileges': ['sing']}, 'privileges', 'sing')):
            with self.subTest(body=body):
                status, answer, _ = self.call('POST', '/dev/v1/kicking-rule', body)
                self.assertEqual((status, answer['status']), (400, 'error'))
                self.assertEqual(answer.get('field'), field, answer)
                self.assertIn(word, answer['message'])
        for method, body in (('PUT', {'appid': 'demo', 'id': 1}), ('DELETE', {'appid': 'demo'}),
                             ('PUT', {'appid': 'demo', 'id': 'x', 'time': 1}), ('GET', None)):
            self.assertEqual(self.call(method, '/dev/v1/kicking-rule', body)[0], 400)
        status, answer, _ = self.call('POST', '/dev/v1/kicking-rule', 'x' * 20000)
        self.assertEqual(status, 413)
        self.assertIn('16384', answer['message'])
        self.assertEqual(self.rules(), [])
        bystander.ping()


class Asking(AdminCase):
    def test_channels_and_users(self):
        self.assertEqual(self.must('GET', '/dev/v1/channel/demo'),
                         {'success': True, 'data': {'channels': [], 'total_size': 0}})
        odd = 'a/b %41+?#é{|}'
        speaker = self.member(uid=8, channel=odd).join(clientType='wechat')
        self.member(uid=9, channel=odd).join('audience')
        self.member(uid=10, channel=odd).join('audience')
        for channel in ('one', 'two'):
            self.member(uid=1, channel=channel).join()
        data = self.must('GET', '/dev/v1/channel/demo')['data']
        self.assertEqual(data, {'channels': [
            {'channel_name': odd, 'user_count': 3}, {'channel_name': 'one', 'user_count': 1},
            {'channel_name': 'two', 'user_count': 1}], 'total_size': 3})
        data = self.must('GET', '/dev/v1/channel/demo?page_no=1&page_size=2')['data']
        self.assertEqual(data, {'channels': [{'channel_name': 'two', 'user_count': 1}],
                                'total_size': 3})
        self.assertEqual(self.must('GET', '/dev/v1/channel/demo?page_no=9')['data']['channels'], [])
        path = '/dev/v1/channel/user/demo/' + quote(odd, safe='')
        self.assertEqual(self.must('GET', path)['data'], {
            'channel_exist': True, 'mode': 2, 'broadcasters': [8], 'audience': [9, 10],
            'audience_total': 2})
        self.assertEqual(self.must('GET', path + '/hosts_only')['data'], {
            'channel_exist': True, 'mode': 2, 'broadcasters': [8]})
        for tail in ('', '/hosts_only'):
            self.assertEqual(self.must('GET', f'/dev/v1/channel/user/demo/none{tail}')['data'],
                             {'channel_exist': False})
        path = '/dev/v1/channel/user/property/demo/{}/' + quote(odd, safe='')
        data = self.must('GET', path.format(8))['data']
        self.assertLess(abs(data.pop('join') - datetime.now().timestamp()), 60)
        self.assertEqual(data, {'uid': 8, 'in_channel': True, 'role': 2, 'platform': 6,
                                'client': 'wechat', 'ip': '127.0.0.1', 'publishing': False,
                                'muted': False})
        self.assertEqual(self.must('GET', path.format(9))['data']['role'], 3)
        self.assertEqual(self.must('GET', path.format(77))['data'],
                         {'uid': 77, 'in_channel': False})
        speaker.must('leave', uid=8)
        self.assertEqual(self.must('GET', path.format(8))['data']['in_channel'], False)

    def test_any_text_is_told_as_it_is(self):
        for number, odd in enumerate(('\x1f\x01\x7f', '"\\/\b\f\n\r\t', '\u2028é😀<&>'), 1):
            self.member(uid=number).join(clientType=odd)
            data = self.must('GET', f'/dev/v1/channel/user/property/demo/{number}/room')['data']
            self.assertEqual(data['client'], odd)

    def test_bad_queries(self):
        for path, status, field in (
                ('channel/nobody', 404, 'appid'), ('channel/user/nobody/room', 404, 'appid'),
                ('channel/demo?page_size=0', 400, 'page_size'),
                ('channel/demo?page_size=501', 400, 'page_size'),
                ('channel/demo?page_no=-1', 400, 'page_no'),
                ('channel/user/demo/' + 'x' * 129, 400, 'cname'),
                ('channel/user/property/demo/0/room', 400, 'uid'),
                ('channel/user/property/demo/me/room', 400, 'uid'),
                ('channel/user/demo/a%00b', 400, None), ('channel', 404, None),
                ('channel/', 404, 'appid'), ('kicking-rules', 404, None),
                ('channel/user/demo/room/hosts', 404, None), ('kicking-rule/5', 404, None)):
            with self.subTest(path):
                got, answer, _ = self.call('GET', f'/dev/v1/{path}')
                self.assertEqual((got, answer.get('field')), (status, field), answer)
        for path, method, allow in (('channel/demo', 'POST', 'GET'),
                                    ('kicking-rule', 'PATCH', 'GET, POST, PUT, DELETE')):
            status, _, headers = self.call(method, f'/dev/v1/{path}')
            self.assertEqual((status, headers['Allow']), (405, allow))


class Token(AdminCase):
    def basic(self, text):
        return 'Basic ' + base64.b64encode(text.encode()).decode()

    def test_only_who_knows_the_token(self):
        member = self.member(uid=8).join()
        for good in (f'bearer {TOKEN}', self.basic(f'operator:{TOKEN}'), self.basic(f':{TOKEN}')):
            self.assertEqual(self.call('GET', '/dev/v1/channel/demo', authorization=good)[0], 200)
        wrong = (None, TOKEN, 'Bearer', 'Bearer ', f'Bearer {TOKEN}x', f'Bearer {TOKEN[:-1]}',
                 f'Digest {TOKEN}', 'Basic ', 'Basic !!!', self.basic(TOKEN[:8]),
                 self.basic('operator:'), self.basic(f'{TOKEN}:x'), self.basic(f'a:{TOKEN}x'))
        # Half of them each: ten are met with 429.
        gateways = (self.served, self.gateway(f'--admin-token-file={self.tmp / "admin-token"}'))
        for i, bad in enumerate(wrong):
            with self.subTest(authorization=bad):
                status, answer, headers = self.call('POST', '/dev/v1/kicking-rule',
                                                    {'appid': 'demo', 'uid': 8}, bad,
                                                    served=gateways[i % 2])
                self.assertEqual((status, answer['status']), (401, 'error'))
                self.assertIn('Basic', headers['WWW-Authenticate'])
        member.ping()
        self.assertNotIn(TOKEN, self.served.output())

    def test_too_many_requests(self):
        secret = self.tmp / 'admin-token'
        served = self.gateway(f'--admin-token-file={secret}', '--max-admin-requests-per-second=2')
        # Strangers don't use it up.
        for _ in range(9):
            self.assertEqual(self.call('GET', '/dev/v1/channel/demo', authorization='Bearer x' * 3,
                                       served=served)[0], 401)
        answers = [self.call('GET', '/dev/v1/channel/demo', served=served) for _ in range(30)]
        codes = [status for status, _, _ in answers]
        self.assertEqual(codes[:4], [200] * 4)
        self.assertIn(429, codes)
        status, answer, headers = answers[codes.index(429)]
        self.assertEqual((answer['status'], headers['Retry-After']), ('error', '1'))
        self.until(lambda: self.call('GET', '/dev/v1/channel/demo', served=served)[0] == 200)

    def test_off_without_a_token(self):
        plain = self.gateway()
        for authorization in (None, 'Bearer ', 'Bearer x', self.basic(':')):
            status, answer, _ = self.call('GET', '/dev/v1/channel/demo', served=plain,
                                          authorization=authorization)
            self.assertEqual(status, 403)
            self.assertIn('--admin-token-file', answer['message'])

    def test_bad_token_files(self):
        for text in (None, '', 'short\n', 'with spaces it is no token\n'):
            file = self.tmp / 'bad'
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text)
            process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo',
                                 '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0',
                                 f'--admin-token-file={file}')
            self.assertNotEqual(process.wait(), 0)
            self.assertIn(f'--admin-token-file={file}', process.output('err'))
            self.assertEqual(len(process.output('err').splitlines()), 1)


class Pages(AdminCase):
    """What a page that the operator happens to look at can make of the password in the browser."""

    BODY = {'appid': 'demo', 'cname': 'room', 'time': 60}
    BASIC = 'Basic ' + base64.b64encode(f'x:{TOKEN}'.encode()).decode()

    def ask(self, method='POST', path='/dev/v1/kicking-rule', body=BODY, **more):
        headers = {name.replace('_', '-'): value for name, value in more.items()}
        return self.call(method, path, body, self.BASIC, more=headers)[0]

    def test_forms(self):
        for kind in ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
                     'application/jsonp', 'text/plain; application/json', 'application/json, text/plain',
                     ''):
            for method in ('POST', 'PUT', 'DELETE'):
                with self.subTest((kind, method)):
                    self.assertEqual(self.ask(method, Content_Type=kind), 415)
        self.assertEqual(self.rules(), [])
        for kind in ('application/json', 'Application/JSON', 'application/json; charset=utf-8',
                     'application/json ;charset=utf-8'):
            with self.subTest(kind):
                self.assertEqual(self.ask(Content_Type=kind), 200)

    def test_other_sites(self):
        own = self.served.http
        rows = (({'Origin': 'https://evil.example'}, 403),
                ({'Origin': 'null'}, 403),
                ({'Origin': own.replace('http', 'https')}, 403),
                ({'Origin': own.rsplit(':', 1)[0]}, 403),
                ({'Origin': own + '.evil.example'}, 403),
                ({'Sec-Fetch-Site': 'cross-site'}, 403),
                ({'Sec-Fetch-Site': 'same-site'}, 403),
                ({'Sec-Fetch-Site': 'cross-site', 'Origin': own}, 403),
                ({'Origin': own}, 200),
                ({'Sec-Fetch-Site': 'none'}, 200),
                # Behind a proxy, which the gateway doesn't know the name of.
                ({'Sec-Fetch-Site': 'same-origin', 'Origin': 'https://voice.example'}, 200))
        for headers, status in rows:
            with self.subTest(headers):
                before = len(self.rules())
                self.assertEqual(self.call('POST', '/dev/v1/kicking-rule', self.BODY, self.BASIC,
                                           more=headers)[0], status)
                self.assertEqual(len(self.rules()) - before, 1 if status == 200 else 0)
                self.assertEqual(self.call('GET', '/dev/v1/channel/demo', None, self.BASIC,
                                           more=headers)[0], status)
        # Asked for before a page may say JSON to another site: nobody is told that it may.
        status, _, headers = self.call('OPTIONS', '/dev/v1/kicking-rule', authorization=None,
                                       more={'Origin': 'https://evil.example',
                                             'Access-Control-Request-Method': 'POST'})
        self.assertNotEqual(status, 200)
        self.assertNotIn('Access-Control-Allow-Origin', headers)


if __name__ == '__main__':
    tap.main()
