# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the operator sees live: reports of members, /dev/v1/live and its events, the console's session."""

import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import tap
from harness import Case, Deadline, Gateway
from wsclient import Member

TOKEN = 'Tru5t-me/for+this:one='
BEARER = {'Authorization': f'Bearer {TOKEN}'}
REPORT = {'reconnects': 1, 'sent': {'peak': -6, 'rms': -20, 'dropped': 40, 'outages': 2},
          'heard': [{'uid': 8, 'peak': -9, 'rms': -21, 'delay': 100, 'latency': 181, 'jitter': 3,
                     'dropped': 0, 'concealed': 120}]}


class Events:
    """Server-sent events, read as they come."""

    def __init__(self, base, headers, path='/dev/v1/live/events', address='127.0.0.1'):
        parts = urlsplit(base)
        self.socket = socket.create_connection((parts.hostname, parts.port), 5, (address, 0))
        lines = [f'GET {path} HTTP/1.1', f'Host: {parts.netloc}', *(f'{k}: {v}' for k, v in headers.items())]
        self.socket.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        self.data = b''
        self.head = self._until(b'\r\n\r\n').decode()
        self.status = int(self.head.split()[1])

    def _until(self, mark, timeout=5):
        deadline = Deadline(timeout)
        while mark not in self.data:
            self.socket.settimeout(max(0.01, deadline.left()))
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.data += more
        text, self.data = self.data.split(mark, 1)
        return text

    def next(self, name=None, timeout=5):
        """The data of the next event, or of the next of that name."""
        deadline = Deadline(timeout)
        while True:
            text = self._until(b'\n\n', deadline.left()).decode()
            fields = dict(line.split(': ', 1) for line in text.split('\n') if ': ' in line)
            if 'event' in fields and name in (None, fields['event']):
                return json.loads(fields['data'])

    def close(self):
        self.socket.close()


class Live(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.shared_folder()
        (folder / 'admin-token').write_text(TOKEN + '\n')
        cls.served = Gateway(f'--admin-token-file={folder / "admin-token"}', '--console', '--app=demo', '--app=other',
                             '--max-admin-requests-per-second=1000')
        cls.addClassCleanup(cls.served.stop)

    def setUp(self):
        super().setUp()
        self.room = self.id().rsplit('.', 1)[1]

    def call(self, method, path, headers=BEARER, body=None, address='127.0.0.1'):
        """Status, headers, body. Wrong tokens of one address are counted: tests have their own."""
        connection = http.client.HTTPConnection(urlsplit(self.served.http).netloc, timeout=5,
                                                source_address=(address, 0))
        self.addCleanup(connection.close)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {**({'Content-Type': 'application/json'} if body is not None else {}), **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def live(self):
        status, _, body = self.call('GET', '/dev/v1/live')
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def member(self, uid, role='broadcaster', **fields):
        member = Member(self.served.ws, channel=self.room, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        return member.join(role, **fields)

    def watch(self, headers=BEARER, **keywords):
        events = Events(self.served.http, headers, **keywords)
        self.addCleanup(events.close)
        return events

    def mine(self, told):
        return {each['uid']: each for each in told if each['channel'] == self.room}

    def login(self, address):
        status, headers, body = self.call('POST', '/console/session', {}, {'token': TOKEN}, address)
        self.assertEqual(status, 200, body)
        cookie = headers['Set-Cookie']
        return cookie, cookie.split(';')[0]

    def test_snapshot(self):
        member = self.member(7, features=['quality'], device='phone')
        self.member(8, 'audience')
        member.must('report', **REPORT)
        # It may be a second old.
        self.until(lambda: 'report' in self.mine(self.live()['members']).get(7, {}), 'the report')
        told = self.live()
        self.assertEqual(told['apps'], ['demo', 'other'])
        self.assertEqual(told['left_off'], 0)
        seven, eight = self.mine(told['members'])[7], self.mine(told['members'])[8]
        at = seven['report'].pop('at')
        self.assertLess(abs(at - told['at']), 2000)
        self.assertEqual(seven['report'], REPORT)
        self.assertEqual((seven['app'], seven['role'], seven['state'], seven['on_air'], seven['silenced'], seven['address']),
                         ('demo', 'broadcaster', 'connected', False, False, '127.0.0.1'))
        self.assertEqual((eight['role'], eight.get('report')), ('audience', None))
        gateway = told['gateway']
        self.assertTrue(gateway['media']['up'])
        self.assertEqual(gateway['media']['relay']['pushes'], 0)
        self.assertGreater(gateway['process']['resident_bytes'], 1_000_000)
        self.assertGreater(gateway['process']['descriptors'], 5)
        self.assertFalse(gateway['draining'] or gateway['shared'])
        self.assertNotIn('certificate_ends', gateway)

    def test_who_may(self):
        for path in ('/dev/v1/live', '/dev/v1/live/events'):
            self.assertEqual(self.call('GET', path, {})[0], 401)
            status, headers, _ = self.call('GET', path, {'Authorization': 'Bearer wrong'}, address='127.0.0.2')
            self.assertEqual((status, headers['WWW-Authenticate'] is not None), (401, True))
            self.assertEqual(self.call('GET', path, {**BEARER, 'Origin': 'https://evil.example'})[0], 403)
            self.assertEqual(self.call('POST', path, BEARER, {})[0], 405)

    def test_events(self):
        events = self.watch()
        self.assertIn('content-type: text/event-stream', events.head.lower())
        everything = events.next('all')
        self.assertEqual(self.mine(everything['members']), {})
        member = self.member(7, features=['quality'])
        told = events.next('changes')
        while 7 not in self.mine(told['changed']):
            told = events.next('changes')
        self.assertEqual(self.mine(told['changed'])[7]['state'], 'connected')
        # Nothing is told twice.
        self.assertEqual(self.mine(events.next('changes')['changed']), {})
        member.must('report', **REPORT)
        told = events.next('changes')
        while 7 not in self.mine(told['changed']):
            told = events.next('changes')
        self.assertEqual(self.mine(told['changed'])[7]['report']['heard'], REPORT['heard'])
        # Whoever comes now sees it at once.
        other = self.watch()
        self.assertIn(7, self.mine(other.next('all')['members']))
        member.must('leave', uid=7)
        for each in (events, other):
            told = each.next('changes')
            while 7 not in self.mine(told['gone']):
                told = each.next('changes')
            self.assertEqual(self.mine(told['changed']), {})

    def test_watchers_are_bounded(self):
        there = [self.watch() for _ in range(32)]
        self.assertEqual([each.status for each in there], [200] * 32)
        there[-1].next('changes')
        status, headers, _ = self.call('GET', '/dev/v1/live/events')
        self.assertEqual((status, headers['Retry-After']), (503, '1'))
        _, _, metrics = self.call('GET', '/metrics', {})
        self.assertIn('\nagora_live_watchers 32\n', metrics)
        for each in there:
            each.close()
        self.until(lambda: '\nagora_live_watchers 0\n' in self.call('GET', '/metrics', {})[2], 'the readers are gone')

    def test_session(self):
        whole, cookie = self.login('127.0.0.1')
        self.assertRegex(whole, r'^agora-console=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200$')
        self.assertIn('; Secure', self.call('POST', '/console/session', {
            'Origin': 'https://console.example', 'Sec-Fetch-Site': 'same-origin'}, {'token': TOKEN})[1]['Set-Cookie'])
        mine = {'Cookie': f'other=1; {cookie}'}
        self.assertEqual(self.call('GET', '/dev/v1/live', mine)[0], 200)
        self.assertEqual(self.watch(mine).status, 200)
        rule = {'appid': 'demo', 'cname': self.room, 'time_in_seconds': 60}
        # What changes something has to come from the page itself.
        for headers, status in (({}, 401), ({'Origin': 'http://evil.example'}, 403), ({'Sec-Fetch-Site': 'cross-site'}, 403),
                                ({'Sec-Fetch-Site': 'same-site'}, 403), ({'Origin': 'null'}, 403), ({'Sec-Fetch-Site': 'none'}, 401),
                                ({'Origin': self.served.http}, 200), ({'Sec-Fetch-Site': 'same-origin'}, 200)):
            self.assertEqual(self.call('POST', '/dev/v1/kicking-rule', {**mine, **headers}, rule)[0], status, headers)
        # No dialog of the browser's: the page has a form.
        status, headers, _ = self.call('GET', '/dev/v1/live', {'Cookie': 'agora-console=' + 64 * '0'})
        self.assertEqual((status, headers['WWW-Authenticate']), (401, None))
        self.assertEqual(self.call('DELETE', '/console/session', {**mine, 'Origin': 'http://evil.example'})[0], 403)
        status, headers, _ = self.call('DELETE', '/console/session', mine)
        self.assertEqual(status, 200)
        self.assertIn('agora-console=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0', headers['Set-Cookie'])
        self.assertEqual(self.call('GET', '/dev/v1/live', mine)[0], 401)

    def test_login_is_no_guessing(self):
        where = '127.0.0.3'
        session = '/console/session'
        self.assertEqual(self.call('GET', session, {})[0], 405)
        self.assertEqual(self.call('POST', session, {'Content-Type': 'text/plain'}, {'token': TOKEN})[0], 415)
        self.assertEqual(self.call('POST', session, {'Origin': 'http://evil.example'}, {'token': TOKEN})[0], 403)
        self.assertEqual(self.call('POST', session, {}, {'token': 7})[0], 400)
        self.assertEqual(self.call('POST', session, {}, {'token': 'x' * 17000})[0], 413)
        answers = [self.call('POST', session, {}, {'token': TOKEN[:-1]}, where) for _ in range(12)]
        self.assertEqual({status for status, _, _ in answers[:8]}, {401})
        self.assertEqual(answers[-1][0], 429)
        self.assertFalse(any('Set-Cookie' in headers for _, headers, _ in answers))
        # The right one isn't looked at either, and others are in nobody's way.
        self.assertEqual(self.call('POST', session, {}, {'token': TOKEN}, where)[0], 429)
        self.login('127.0.0.4')

    def test_page(self):
        self.assertEqual(self.call('GET', '/console', {})[1]['Location'], '/console/')
        status, headers, page = self.call('GET', '/console/', {})
        self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=utf-8'))
        policy = headers['Content-Security-Policy']
        self.assertIn("default-src 'none'; script-src 'self';", policy)
        self.assertNotIn('unsafe', policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertIsNone(re.search(r'<script(?![^>]*\bsrc=)|\son\w+=|style=', page))
        for name in set(re.findall(r'(?:src|href)="([\w.-]+)"', page)):
            self.assertEqual(self.call('GET', f'/console/{name}', {})[0], 200, name)
        for path in ('/console/nothing', '/console//index.html'):
            self.assertEqual(self.call('GET', path, {})[0], 404, path)
        plain = self.gateway()
        status = http.client.HTTPConnection(urlsplit(plain.http).netloc, timeout=5)
        self.addCleanup(status.close)
        status.request('GET', '/console/')
        self.assertEqual(status.getresponse().status, 404)

    def test_metrics_of_channels(self):
        odd = Member(self.served.ws, channel='a "b"\\', uid=1, heartbeat=True)
        self.addCleanup(odd.close)
        odd.join()
        member = self.member(7, features=['quality'])
        member.must('report', **REPORT)
        status, _, text = self.call('GET', '/metrics', BEARER)
        self.assertEqual(status, 200)
        mine = f'{{app="demo",channel="{self.room}"}}'
        for line in (f'agora_channel_members{mine} 1', f'agora_channel_streams{mine} 0', f'agora_channel_peak_db{mine} -9',
                     f'agora_channel_mouth_to_ear_seconds{mine} 0.181', f'agora_channel_jitter_seconds{mine} 0.003',
                     'agora_channel_members{app="demo",channel="a \\"b\\"\\\\"} 1', 'agora_quality_jitter_seconds_bucket{le="0.005"} '):
            self.assertIn('\n' + line, text)
        # Names are nobody's business.
        status, _, text = self.call('GET', '/metrics', {})
        self.assertEqual((status, 'channel=' in text), (200, False))
        self.assertIn('\nprocess_open_fds ', text)
        self.assertEqual(self.call('GET', '/metrics', {'Authorization': 'Bearer no'}, address='127.0.0.5')[0], 401)

    def test_bad_reports(self):
        plain, member = self.member(7), self.member(8, features=['quality'])
        unknown = plain.ask('nonsense')
        refused = plain.ask('report', **REPORT)
        self.assertEqual((refused['code'], refused['reason']), (401, unknown['reason'].replace('nonsense', 'report')))
        for wrong in ({'heard': [{}]}, {'heard': [{'uid': 1}] * 17}, {'sent': {'peak': 'loud', 'rms': 0}}, {'sent': []},
                      {'reconnects': 1e99}, {'heard': [{'uid': 1, 'jitter': -1}]}):
            self.assertEqual(member.ask('report', **wrong)['code'], 401, wrong)
        self.assertNotIn('report', self.mine(self.live()['members'])[8])
        member.must('report')
        self.assertEqual(member.ask('report')['code'], 429)


if __name__ == '__main__':
    tap.main()
