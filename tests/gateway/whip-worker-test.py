# SPDX-License-Identifier: LGPL-2.1-or-later
"""WHIP and WHEP with agora-web itself: its statuses, and members that come, go and are made to go."""

import json
import os
import re
import signal
import unittest
from pathlib import Path

import tap
import tokens
from harness import Case
from webask import FRAGMENT, JSON, OFFER, SDP, Events, ask

CERTIFICATE = '0123456789abcdef0123456789abcdef'
OPERATOR = 'for-operators-alone'


# Questions to the operator's side are counted.
PATIENT = '--max-admin-requests-per-second=1000'


def agora_web():
    path = Path(os.environ.get('AGORA_BUILD_ROOT', ''), 'gst', 'web', 'agora-web')
    if not path.exists():
        raise unittest.SkipTest('agora-web was not built')
    return path


class WorkerCase(Case):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(OPERATOR, encoding='ascii')
        secret.chmod(0o600)
        self.served = self.gateway('--web', f'--web-program={agora_web()}', '--web-workers=1', '--app=demo',
                                   f'--app=locked:{CERTIFICATE}', f'--admin-token-file={secret}', PATIENT, ready_timeout=20)
        self.http = self.served.http
        self.streams = []
        self.addCleanup(lambda: [each.close() for each in self.streams])

    def post(self, path, body=OFFER, token=None):
        return ask(self.http, 'POST', path, {**SDP, **({'Authorization': f'Bearer {token}'} if token else {})}, body)

    def begin(self, path, **keywords):
        answer = self.post(path, **keywords)
        self.assertEqual(answer.status, 201, answer)
        return answer.headers['location']

    def events(self, url):
        stream = Events(self.http, url + '/events')
        self.assertEqual(stream.answer.status, 200, stream.answer)
        self.streams.append(stream)
        return stream

    def operator(self, method, path, **fields):
        answer = ask(self.http, method, path, {**JSON, 'Authorization': f'Bearer {OPERATOR}'},
                     json.dumps(fields) if fields else b'')
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def members(self, channel='room', app='demo'):
        data = self.operator('GET', f'/dev/v1/channel/user/{app}/{channel}')['data']
        return sorted(data.get('broadcasters', [])), sorted(data.get('audience', []))

    def token(self, uid='', **keywords):
        return tokens.build('locked', CERTIFICATE, 'room', uid, **keywords)


class Statuses(WorkerCase):
    def test_offers(self):
        for status, word, body in (
                (201, 'whip', OFFER), (201, 'whep', OFFER),
                (201, 'whip', OFFER.replace('sendrecv', 'sendonly')),
                (201, 'whep', OFFER.replace('sendrecv', 'recvonly')),
                (422, 'whip', OFFER.replace('sendrecv', 'recvonly')),
                (422, 'whep', OFFER.replace('sendrecv', 'sendonly')),
                (422, 'whip', OFFER.replace('sendrecv', 'inactive')),
                (422, 'whip', OFFER.replace('m=audio', 'm=video')),
                (422, 'whip', OFFER.replace('opus/48000/2', 'PCMU/8000')),
                (400, 'whip', 'v=0\r\nm=audio\r\n'),
                (400, 'whip', OFFER + 'rubbish\r\n')):
            with self.subTest((status, word, body[-60:])):
                answer = self.post(f'/{word}/demo/room', body)
                self.assertEqual(answer.status, status, answer)
                if status == 201:
                    text = answer.body.decode()
                    self.assertIn('a=recvonly' if word == 'whip' else 'a=sendonly', text)
                    for line in ('a=rtcp-mux-only', 'a=candidate:', 'a=end-of-candidates', 'a=fingerprint:sha-256'):
                        self.assertIn(line, text)
                    self.assertEqual(ask(self.http, 'DELETE', answer.headers['location']).status, 200)
                else:
                    self.assertNotEqual(answer.json()['detail'], '')

    def test_tokens(self):
        bad = self.token()[:-6] + 'AAAAAA'
        speaker = self.token(8, privileges={tokens.JOIN: 600, tokens.AUDIO: 600})
        old = self.token(issued=1_000_000_000, expires=60)
        for status, code, path, token in (
                (201, None, '/whep/locked/room', self.token()), (201, None, '/whip/locked/room?uid=8', speaker),
                (403, 433, '/whip/locked/room?uid=8', self.token(8)), (401, 110, '/whip/locked/room?uid=9', speaker),
                (409, 431, '/whip/locked/room?account=8', speaker),
                (401, 110, '/whep/locked/room', bad), (401, 109, '/whep/locked/room', old),
                (401, 120, '/whep/locked/room', None), (401, 110, '/whep/locked/elsewhere', self.token()),
                (401, 119, '/whep/demo/room', 'unexpected')):
            with self.subTest((status, code, path)):
                answer = self.post(path, token=token)
                self.assertEqual(answer.status, status, answer)
                if code:
                    self.assertEqual(answer.json()['code'], code)
                if status == 401:
                    self.assertEqual(answer.headers['www-authenticate'],
                                     'Bearer realm="agora"' + (', error="invalid_token"' if token else ''))
                    if token:
                        self.assertNotIn(token, self.served.output())

    def test_banned(self):
        self.operator('POST', '/dev/v1/kicking-rule', appid='demo', cname='room', uid=66, time=10)
        answer = self.post('/whip/demo/room?uid=66')
        self.assertEqual(answer.status, 403, answer)
        self.assertEqual(self.post('/whip/demo/room?uid=67').status, 201)

    def test_fragments(self):
        made = self.post('/whep/demo/room')
        url, etag = made.headers['location'], made.headers['etag']
        candidate = ('a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n'
                     'a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n')
        for status, body in ((204, candidate), (204, candidate.replace('127.0.0.1', 'no-such-name.local')),
                             (204, candidate + 'a=end-of-candidates\r\n'), (400, 'rubbish\r\n'),
                             (422, candidate.replace('abcd', 'new4'))):
            answer = ask(self.http, 'PATCH', url, {**FRAGMENT, 'If-Match': etag}, body)
            self.assertEqual(answer.status, status, (body, answer))


class Members(WorkerCase):
    def test_come_and_go(self):
        hears = self.begin('/whep/demo/room?uid=5')
        speaks = self.begin('/whip/demo/room?uid=6')
        self.until(lambda: self.members() == ([6], [5]), 'both in their roles')
        self.assertEqual(self.events(hears).until('joined'), {'uid': 5})
        for url in (hears, speaks):
            self.assertEqual(ask(self.http, 'DELETE', url).status, 200)
        self.until(lambda: self.members() == ([], []), 'nobody')

    def test_one_member_with_two_sessions(self):
        hears = self.begin('/whep/demo/room?account=' + 'J%C3%B6rg')
        speaks = self.begin(f'/whip/demo/room?member={hears.rsplit("/", 1)[1]}')
        self.until(lambda: list(map(len, self.members())) == [1, 0], 'one broadcaster alone')
        # Also where the voice never began.
        self.assertEqual(ask(self.http, 'DELETE', speaks).status, 200)
        self.until(lambda: list(map(len, self.members())) == [0, 1], 'an audience')
        # Unless it has said to be a broadcaster.
        self.assertEqual(ask(self.http, 'POST', hears + '/call', JSON,
                             '{"call": "set-role", "role": "broadcaster"}').status, 200)
        speaks = self.begin(f'/whip/demo/room?member={hears.rsplit("/", 1)[1]}')
        self.assertEqual(ask(self.http, 'DELETE', speaks).status, 200)
        self.assertEqual(ask(self.http, 'POST', hears + '/call', JSON, '{"call": "stats"}').json()['role'],
                         'broadcaster')
        self.assertEqual(list(map(len, self.members())), [1, 0])
        self.assertEqual(ask(self.http, 'GET', hears).status, 204)
        self.assertEqual(ask(self.http, 'DELETE', hears).status, 200)
        self.until(lambda: self.members() == ([], []), 'nobody')

    def test_the_newer_counts(self):
        first = self.begin('/whep/demo/room?uid=5')
        stream = self.events(first)
        stream.until('joined')
        second = self.begin('/whep/demo/room?uid=5')
        stream.until('ended')
        self.assertIsNone(stream.next())
        self.assertEqual(ask(self.http, 'GET', first).status, 404)
        self.assertEqual(ask(self.http, 'GET', second).status, 204)
        self.assertEqual(self.members(), ([], [5]))

    def test_kicked(self):
        stream = self.events(self.begin('/whep/demo/room?uid=5'))
        stream.until('joined')
        self.operator('POST', '/dev/v1/kicking-rule', appid='demo', cname='room', uid=5, time=0)
        stream.until('client-banned')
        stream.until('ended')
        self.assertIsNone(stream.next())
        self.assertEqual(self.members(), ([], []))

    def test_killed_worker(self):
        stream = self.events(self.begin('/whep/demo/room?uid=5'))
        stream.until('joined')
        told = self.processes_of_worker()
        self.assertEqual(len(told), 1, told)
        os.kill(told[0], signal.SIGKILL)
        self.assertEqual(stream.until('ended')['code'], 501)
        self.assertIsNone(stream.next())

        def again():
            answer = self.post('/whep/demo/room?uid=5')
            # 429: asked more often than the pace allows.
            self.assertIn(answer.status, (201, 429, 503), answer)
            self.assertEqual(answer.status != 201, 'retry-after' in answer.headers)
            return answer.status == 201
        self.until(again, 'another worker', 15)

    @unittest.skipUnless(os.environ.get('AGORA_SANITIZE', 'none') == 'none', 'a sanitizer keeps its calls')
    def test_it_gives_up_calls(self):
        """Every thread of it, also those from before."""
        self.begin('/whep/demo/room')
        tasks = list(Path(f'/proc/{self.processes_of_worker()[0]}/task').iterdir())
        self.assertGreater(len(tasks), 2)
        for task in tasks:
            status = (task / 'status').read_text(encoding='ascii')
            self.assertIn('Seccomp:\t2', status)
            self.assertIn('NoNewPrivs:\t1', status)

    def processes_of_worker(self):
        children = Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text(encoding='ascii').split()
        return [int(pid) for pid in children
                if 'agora-web' in Path(f'/proc/{pid}/cmdline').read_text(encoding='ascii')]

    def test_metrics(self):
        self.begin('/whep/demo/room')
        self.begin('/whip/demo/room')
        text = ask(self.http, 'GET', '/metrics').body.decode()
        for line in ('agora_web_sessions{kind="speak"} 1', 'agora_web_sessions{kind="hear"} 1',
                     'agora_web_offers_total{status="201"} 2', 'agora_web_event_streams 0'):
            self.assertRegex(text, f'(?m)^{re.escape(line)}$')


if __name__ == '__main__':
    tap.main()
