# SPDX-License-Identifier: LGPL-2.1-or-later
"""Members and strangers that make others pay: frames that cost more than they look, changes that many
hear of, persons who come as another, events that keep the operator's receiver busy."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import select
import struct
import sys
import threading
import time
import urllib.parse
import urllib.request
import zlib
from contextlib import contextmanager
from pathlib import Path

import tap
from harness import SCALE
from kit import AttackCase, read_all, status_of
from wsclient import Closed, Member

for folder in ('gateway', 'field'):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))
import rtmp  # noqa: E402
import tokens  # noqa: E402

CERTIFICATE = 'c0ffee' * 5 + '42'


def go_on(seconds):
    """As long as what goes on meanwhile is to last."""
    threading.Event().wait(seconds)


def greedy_token(services):
    """Of so many services, signed by nobody."""
    text = tokens._text  # pylint: disable=protected-access
    body = text('bank') + struct.pack('<III', int(time.time()), 3600, 1)
    body += struct.pack('<H', services) + struct.pack('<HHHH', 1, 0, 0, 0) * services
    return '007' + base64.b64encode(
        zlib.compress(struct.pack('<H', 32) + bytes(32) + body, 9)).decode()


class Crowd:
    """Sockets that are joined and read nothing but what one thread throws away."""

    def __init__(self, case, count, channel='crowd'):
        self.members = []
        self.bytes = 0
        self.ended = threading.Event()
        for index in range(count):
            member = case.member(channel=channel, uid=10_000 + index, timeout=60)
            member.send_join('audience')
            self.members.append(member)
        for member in self.members:
            member.wait_answer(3, 60)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)

    def _read(self):
        poll = select.epoll()
        by_fd = {member.socket.fileno(): member.socket for member in self.members}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        pinged = time.monotonic()
        while not self.ended.is_set():
            for fd, _ in poll.poll(0.1):
                try:
                    self.bytes += len(by_fd[fd].recv(1 << 18))
                except OSError:
                    poll.unregister(fd)
            if time.monotonic() - pinged > 4:
                pinged = time.monotonic()
                for member in self.members:
                    try:
                        member.send_ping()
                    except OSError:
                        pass

    def stop(self):
        self.ended.set()
        self.thread.join()


def events_of(case):
    with urllib.request.urlopen(case.served.http + '/metrics', timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith('agora_events_total'):
                return int(float(line.split()[-1]))
    raise AssertionError('no agora_events_total')


@contextmanager
def flooding(*actions):
    """Each of `actions` over and over on a thread of its own, until it says that it was cut off."""
    ended = threading.Event()

    def run(action):
        while not ended.is_set():
            try:
                action()
            except (Closed, OSError, TimeoutError, AssertionError):
                return

    threads = [threading.Thread(target=run, args=(action,), daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


class Frames(AttackCase):
    options = (f'--app=bank:{CERTIFICATE}', '--app=demo')

    def storm(self, text, count=50, seconds=4):
        """`count` strangers send it as fast as they may without being cut off for a flood. Microseconds of
        the gateway's processor for each."""
        before, sent = self.busy(), 0
        strangers = [self.member(app='bank') for _ in range(count)]
        with self.witness():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for index, stranger in enumerate(strangers):
                    try:
                        stranger.send_text(text)
                        sent += 1
                        stranger.socket.settimeout(0.001)
                        try:
                            stranger.socket.recv(1 << 16)
                        except TimeoutError:
                            pass
                    except OSError:
                        stranger.close()
                        strangers[index] = self.member(app='bank')
        each = (self.busy() - before) * 1e6 / sent
        print(f'# {sent} frames of {len(text)} bytes: {each:.0f} us each')
        return each

    def join_with(self, **fields):
        frame = {'appId': 'bank', 'cname': 'room', 'uid': '8', 'sid': '0' * 32, 'requestId': 3,
                 'sdkVersion': '1.1.0', 'seq': 2, 'ts': 1}
        join = {'action': 'join', 'role': 'audience', 'appId': 'bank', 'channel_name': 'room', 'uid': '8'}
        frame['clientRequest'] = {**join, **fields}
        return json.dumps(frame)

    def test_tokens_that_unpack(self):
        token = greedy_token(8100)
        self.assertLess(len(token), 1000)
        self.assertEqual(self.member(app='bank').ask('join', role='audience', appId='bank', key_vos=token,
                                                     channel_name='room', uid='8')['code'], 110)
        # One of that length in which nothing is packed, so that how fast the machine is doesn't count.
        plain = self.storm(self.join_with(key_vos='007' + base64.b64encode(os.urandom(len(token))).decode()[:len(token) - 3]))
        self.assertLess(self.storm(self.join_with(key_vos=token)), 4 * plain)

    def test_long_lists(self):
        numbers = [str(number) for number in range(1000, 8000)]
        member = self.member(channel='long').join()
        answer = member.ask('unsubscribe', uid=numbers)
        self.assertIn(answer['code'], (401, 429))
        # What comes in has to be read off the socket and parsed, whatever is made of it.
        # Of few: what fifty have in their sockets takes a slow machine a second, and a witness stands behind it.
        plain = self.storm(self.join_with(nobody_looks=numbers), 15)
        self.assertLess(self.storm(self.join_with(known_speakers=numbers), 15), 1.5 * plain)

    def test_known_speakers(self):
        before = events_of(self)
        numbers = [str(number) for number in range(1000, 2024)]
        with self.witness():
            member = self.member(channel='known').join(known_speakers=numbers)
            for _ in range(60):
                member.send_join(known_speakers=numbers)
            try:
                while True:
                    member.wait_answer(member.request_id, 2)
                    break
            except (Closed, TimeoutError):
                pass
        # Once, and twice more at most: a repetition costs as much as 76 requests.
        self.assertLessEqual(events_of(self) - before, 4 * 1024)


class Changes(AttackCase):
    # What this machine can send beside a build and a reader in Python.
    RATE = 8_000
    options = ('--max-sockets-per-address=3000', '--app=demo', f'--max-events-per-second={RATE}')

    def setUp(self):
        super().setUp()
        self.crowd = Crowd(self, 2000 if os.environ.get('AGORA_SANITIZE', 'none') == 'none' else 300)
        self.receivers = len(self.crowd.members)

    def measure(self, *actions, seconds=4):
        before, began = events_of(self), time.monotonic()
        with self.witness(), flooding(*actions):
            go_on(seconds)
        took = time.monotonic() - began
        # What the channel's limit allows, and a burst.
        allowed = self.RATE * (took + 1) + 3 * self.receivers
        self.assertLess(events_of(self) - before, allowed)
        return events_of(self) - before

    @staticmethod
    def looped(member, *requests):
        """As fast as is answered, and no flood: what is refused with 429 is waited for."""
        turn = [0]

        def ask():
            action, fields = requests[turn[0] % len(requests)]
            turn[0] += 1
            if member.ask(action, uid=member.uid, **fields)['code'] == 429:
                go_on(0.05)
        return ask

    MUTES = (('mute_local', {'target': 'all', 'mute': True}),
             ('mute_local', {'target': 'all', 'mute': False}))

    def test_a_listener_that_mutes_itself(self):
        member = self.member(channel='crowd', uid=7).join('audience')
        self.assertEqual(self.measure(self.looped(member, *self.MUTES)), 0)

    def test_frames_in_one_write(self):
        member = self.member(channel='crowd', uid=7).join('audience')
        whole, member.send_raw = [], lambda data: whole.append(data)
        for index in range(248):
            member.send_request('mute_local', uid=7, target='all', mute=index % 2 == 0)
        before = events_of(self)
        with self.witness():
            member.socket.sendall(b''.join(whole))
            go_on(1)
        self.assertEqual(events_of(self) - before, 0)

    def test_speakers_that_mute_themselves(self):
        speakers = [self.member(channel='crowd', uid=10 + index).join() for index in range(12)]
        for speaker in speakers:
            speaker.publish()
        self.measure(*[self.looped(speaker, *self.MUTES) for speaker in speakers])
        # What counts is heard in the end: that of one who is no part of it, too.
        watcher, quiet = self.member(channel='crowd', uid=5), self.member(channel='crowd', uid=6)
        watcher.join('audience')
        quiet.join().publish()
        began = time.monotonic()
        quiet.must('mute_local', uid=6, target='audio', mute=True)
        watcher.wait_event('audio-mute', uid=6, mute=True, timeout=20)
        took = time.monotonic() - began
        # All speakers may stand before it with both kinds, and its stream and its mute are told to all, too.
        most = 2 * (len(speakers) + 1) * (self.receivers + len(speakers) + 2) / self.RATE
        print(f'# heard after {took:.1f} s, of {most:.1f} s')
        self.assertLess(took, most + SCALE)

    def test_streams_that_come_and_go(self):
        speakers = [self.member(channel='crowd', uid=10 + index).join() for index in range(6)]

        def cycle(member):
            def ask():
                answer = member.ask('publish', uid=member.uid)
                if answer['code'] == 429:
                    go_on(0.05)
                    return
                push = rtmp.Publisher(answer['serverResponse']['url'])
                member.ask('unpublish', uid=member.uid)
                push.close()
            return ask
        self.measure(*[cycle(speaker) for speaker in speakers])

    def test_members_that_come_and_go(self):
        def churn(uid):
            def ask():
                member = Member(self.served.ws, channel='crowd', uid=uid, timeout=10)
                answer = member.wait_answer(member.send_join('broadcaster'))
                if answer['code'] == 200:
                    push = rtmp.Publisher(member.publish())
                    member.ask('mute_local', uid=uid, target='all', mute=True)
                    member.ask('leave', uid=uid)
                    push.close()
                member.close()
            return ask
        self.measure(*[churn(20 + index) for index in range(8)])


def old_token(channel, uid, salt=1):
    """AccessToken 006, as the vendor's own generators write it."""
    end = int(time.time()) + 3600
    message = struct.pack('<IIH', salt, end, 4)
    for privilege in (1, 2, 3, 4):
        message += struct.pack('<HI', privilege, end)

    def sealed(text_channel, text_uid):
        signature = hmac.new(CERTIFICATE.encode(), f'bank{channel}{uid}'.encode() + message,
                             hashlib.sha256).digest()
        body = struct.pack('<H', len(signature)) + signature
        body += struct.pack('<II', zlib.crc32(text_channel.encode()), zlib.crc32(text_uid.encode()))
        body += struct.pack('<H', len(message)) + message
        return '006bank' + base64.b64encode(body).decode()
    return sealed


class Persons(AttackCase):
    options = (f'--app=bank:{CERTIFICATE}', '--app=demo')

    def enter(self, uid, token, channel='room', served=None, **fields):
        member = self.member(app='bank', channel=channel, uid=uid, served=served)
        return member, member.wait_answer(member.send_join(token=token, **fields))

    def admin(self, served, **rule):
        request = urllib.request.Request(
            served.http + '/dev/v1/kicking-rule', json.dumps({'appid': 'bank', **rule}).encode(),
            {'Authorization': f'Bearer {self.TOKEN}', 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)['id']

    TOKEN = 'sixteen-characters'

    def moderated(self):
        secret = self.tmp / 'admin'
        secret.write_text(self.TOKEN + '\n')
        return self.gateway(f'--admin-token-file={secret}', *self.options)

    def test_one_token_is_one_person(self):
        served = self.moderated()
        # A token for 8, as each of the three kinds.
        for kind, token in (('007', tokens.build('bank', CERTIFICATE, 'room', 8)),
                            ('006', old_token('room', 8)('room', '8'))):
            with self.subTest(kind):
                self.admin(served, uid=8, cname='room', time=60)
                for uid, uid_type in ((8, 0), ('08', 0), (8, 1), ('08', 1)):
                    member, answer = self.enter(uid, token, served=served, uidType=uid_type)
                    self.assertNotEqual(answer['code'], 200, (uid, uid_type))
                    member.close()

    def test_a_silence_is_not_shaken_off(self):
        served = self.moderated()
        self.admin(served, uid=8, time=60, privileges=['publish_audio'])
        token = tokens.build('bank', CERTIFICATE, 'room', '', {1: 3600, 2: 3600})
        for uid, uid_type in ((8, 0), ('008', 0), (8, 1), ('08', 1)):
            member, answer = self.enter(uid, token, served=served, uidType=uid_type)
            self.assertEqual(answer['code'], 200)
            own = answer['serverResponse']['uid']
            self.assertEqual(member.ask('publish', uid=own)['code'], 433, (uid, uid_type))
            member.close()

    def test_tokens_for_another_channel(self):
        # 'game' + '4217' and 'game42' + '17' are the same bytes, and they are all that is signed.
        token = old_token('game', 4217)
        rows = (('game', '4217'), ('game42', '17'), ('game4217', ''))
        for channel, uid in rows:
            _, answer = self.enter(uid, token(channel, uid), channel)
            self.assertEqual(answer['code'], 200)  # the format's own fault: clients need it
        # The log may come a moment later.
        self.served.wait_line('006', which='err')
        said = [line for line in self.served.output('err').splitlines() if '006' in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn('--token-versions', said[0])
        narrow = self.gateway('--token-versions=007', *self.options)
        for channel, uid in rows:
            _, answer = self.enter(uid, token(channel, uid), channel, narrow)
            self.assertEqual(answer['code'], 110)
        _, answer = self.enter(17, tokens.build('bank', CERTIFICATE, 'game42', 17), 'game42', narrow)
        self.assertEqual(answer['code'], 200)


class Pages(AttackCase):
    """A page that the operator looks at; the browser adds the login that it keeps."""

    TOKEN = 'sixteen-characters'

    def gateway(self, *options, **keywords):
        secret = self.tmp / 'admin'
        secret.write_text(self.TOKEN + '\n')
        return super().gateway(f'--admin-token-file={secret}', *options, **keywords)

    def test_a_form_throws_nobody_out(self):
        login = base64.b64encode(f'operator:{self.TOKEN}'.encode()).decode()
        rule = json.dumps({'appid': 'demo', 'cname': 'room', 'time': 60, 'x': '='}).encode()
        member = self.member(uid=8).join()
        host = urllib.parse.urlsplit(self.served.http).netloc
        for headers, status in (('Content-Type: text/plain', 415),
                                ('Content-Type: text/plain\r\nOrigin: https://evil.example', 403),
                                ('Content-Type: application/json\r\nOrigin: null', 403),
                                ('Content-Type: application/json\r\nSec-Fetch-Site: cross-site', 403)):
            with self.subTest(headers):
                answer = read_all(self.connect(
                    f'POST /dev/v1/kicking-rule HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n'
                    f'Authorization: Basic {login}\r\nConnection: close\r\n'
                    f'Content-Length: {len(rule)}\r\n\r\n'.encode() + rule))
                self.assertEqual(status_of(answer), status, answer)
                member.ping()


class Receivers(AttackCase):
    """The operator's receiver is slow, and twelve sockets have much to tell it."""

    def setUp(self):
        posts = self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
                posts.append((time.monotonic(), body))
                go_on(0.2)
                self.send_response(200)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
        self.receiver = server
        super().setUp()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def gateway(self, *options, **keywords):
        secret = self.tmp / 'secret'
        secret.write_text('a-secret-that-signs\n')
        return super().gateway(f'--webhook-url=http://127.0.0.1:{self.receiver.server_port}/',
                               f'--webhook-secret-file={secret}', *options, **keywords)

    def test_roles_that_are_toggled(self):
        toggling = [self.member(channel='lively', uid=10 + index).join() for index in range(12)]
        roles = (('set_role', {'role': 'audience'}), ('set_role', {'role': 'broadcaster'}))
        with self.witness(), flooding(*[Changes.looped(member, *roles) for member in toggling]):
            go_on(4)
            began = time.monotonic()
            self.member(channel='quiet', uid=5).join('audience')
            self.until(lambda: [post for post in self.posts
                                if post[1]['payload'].get('uid') == 5], 'the other channel\'s event', 60)
            took = time.monotonic() - began
        print(f'# the event of another channel after {took:.2f} s')
        self.assertLess(took, 2 * SCALE)
        # And the last of each is told.
        for member in toggling:
            member.must('set_role', role='audience')
        self.until(lambda: all(self.last_role(member.uid) == 112 for member in toggling),
                   'the last role of each', 20)

    def last_role(self, uid):
        told = [(int(body['noticeId'].split(':')[1]), body['eventType']) for _, body in list(self.posts)
                if body['payload'].get('uid') == uid and body['eventType'] in (111, 112)]
        return max(told)[1] if told else None


if __name__ == '__main__':
    tap.main()
