# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad frames, bad peers and limits: each costs the one who sends it, and nobody else."""

import base64
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case, Deadline, wait_until
from wsclient import BINARY, CLOSE, PING, TEXT, Closed, Member, Refused, WebSocket

# What a peer still sends makes its kernel forget the close frame.
TOO_BIG = (1009, None)

PING_TEXT = b'{"command":"ping","requestId":41}'
PING_FRAME = bytes([0x81, 0x80 | len(PING_TEXT), 0, 0, 0, 0]) + PING_TEXT
PONG = b'"requestId":41'


def opening_for(host):
    """The request that opens a WebSocket, but for the empty line."""
    key = base64.b64encode(bytes(16)).decode()
    return (f'GET /api HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n').encode()


def read_until(client, mark, said=b''):
    while mark not in said:
        more = client.recv(65536)
        if not more:
            raise AssertionError(f'it ended after {said}')
        said += more
    return said


class SocketCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        # Freed memory that a sanitiser keeps to itself would count as ours.
        quiet = os.environ.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'
        # The two mute and unmute after each blow.
        self.served = self.gateway('--max-changes-per-second=1000', *self.options,
                                   env={'ASAN_OPTIONS': quiet})
        self.host = urlsplit(self.served.http).netloc
        # Whatever a test does to its own socket, these two must not notice.
        self.witness = self.member(uid=1).join()
        self.other = self.member(uid=2).join()
        # How one is muted who won't be heard is told to nobody.
        self.other.publish()

    def member(self, **keywords):
        member = Member(self.served.ws, **keywords)
        self.addCleanup(member.close)
        return member

    def check_others(self):
        self.assertEqual(self.witness.ping()['command'], 'pong')
        self.other.must('mute_local', uid=2, target='audio', mute=True)
        self.witness.wait_event('audio-mute', uid=2, mute=True)
        self.other.must('mute_local', uid=2, target='audio', mute=False)
        self.assertTrue(self.served.running())

    def resident(self):
        with open(f'/proc/{self.served.pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))

    def closes(self, member):
        """The close code; the socket has to end."""
        deadline = Deadline(5)
        with self.assertRaises(Closed) as caught:
            while not deadline.over():
                member.receive(deadline.left() + 0.01)
        return caught.exception.code

    def post(self, body, path='/api/v1', headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=5)
        connection.request('POST', path, body, {'Content-Type': 'application/json',
                                                **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


class Frames(SocketCase):
    def test_what_is_no_request_is_answered_with_401(self):
        member = self.member(uid=3)
        member.join()
        for text in ('{"requestId":77,"clientRequest":{"action":"dance"}}',
                     '{"requestId":77,"clientRequest":{"action":7}}',
                     '{"requestId":77,"clientRequest":[]}',
                     '{"requestId":77,"clientRequest":{"action":"subscribe","uid":[1]}}',
                     '{"requestId":77}'):
            with self.subTest(text):
                frame = member.envelope()
                frame.update(json.loads(text))
                member.send_text(json.dumps(frame))
                self.assertIn(member.wait_answer(77)['code'], (401, 430))
        self.assertEqual(member.ping()['command'], 'pong')
        self.check_others()

    def test_what_is_no_json_object(self):
        for text in ('', '{', '{"appId":"demo"', '[]', 'null', '"text"', '{"a":1}{"b":2}', '\0',
                     '{"requestId":1e999}', '[' * 30000, '{"a":' * 5000, '{"a":"' + 'x' * 60000):
            member = self.member(uid=3)
            member.join()
            with self.subTest(text[:20]):
                member.send_text(text)
                # Answered or closed; if it goes on, it works.
                try:
                    self.assertIn(member.wait_error()['code'], (401, 430))
                    self.assertEqual(member.ping()['command'], 'pong')
                except Closed:
                    pass
                self.check_others()
            member.close()

    def test_binary(self):
        member = self.member(uid=3)
        member.send_frame(b'{}', BINARY)
        self.assertEqual(self.closes(member), 1003)
        self.check_others()

    def test_not_utf8(self):
        for raw in (b'\xff\xfe', b'{"appId":"\xc3\x28"}', b'\xed\xa0\x80'):
            member = self.member(uid=3)
            member.send_frame(raw)
            self.assertEqual(self.closes(member), 1007)
        self.check_others()

    def test_too_long(self):
        member = self.member(uid=3)
        member.send_frame(b'x' * 1000, length=1 << 40)
        self.assertIn(self.closes(member), TOO_BIG)
        member = self.member(uid=3)
        member.send_frame(b'x' * 65537)
        self.assertIn(self.closes(member), TOO_BIG)
        self.check_others()

    def test_pieces_without_end(self):
        before = self.resident()
        member = self.member(uid=3)
        member.send_frame(b'{', TEXT, fin=False)
        with self.assertRaises((Closed, ConnectionError)):
            for _ in range(2000):
                member.send_frame(b' ' * 60000, 0, fin=False)
            self.closes(member)
            raise Closed()
        self.assertLess(self.resident() - before, 20 * 1024)
        self.check_others()

    def test_pings_without_end(self):
        before = self.resident()
        member = self.member(uid=3)
        with self.assertRaises((Closed, ConnectionError)):
            for _ in range(2000):
                member.send_raw((b'\x89\xfd\0\0\0\0' + bytes(125)) * 400)
            self.closes(member)
            raise Closed()
        self.assertLess(self.resident() - before, 20 * 1024)
        self.check_others()

    def test_framing_errors(self):
        for raw in (b'\xf1\x80\0\0\0\0', b'\x83\x80\0\0\0\0', b'\x80\x80\0\0\0\0',
                    b'\x09\x80\0\0\0\0', b'\x89\xfe\xff\xff\0\0\0\0' + b'x' * 65535):
            member = self.member(uid=3)
            member.send_raw(raw)
            with self.subTest(raw[:4]):
                self.closes(member)
        self.check_others()

    def test_in_pieces_and_byte_by_byte(self):
        member = self.member(uid=3)
        text = json.dumps({**member.envelope(), 'command': 'ping'}).encode()
        member.send_frame(text[:10], TEXT, fin=False)
        member.send_frame(b'', PING)
        member.send_frame(text[10:], 0)
        member.wait_answer(member.request_id)
        raw = bytes([0x81, 0x80 | 126, len(text) >> 8, len(text) & 255]) + bytes(4) + text
        for byte in raw:
            member.send_raw(bytes([byte]))
        member.wait_answer(member.request_id)

    def test_gone_in_the_middle(self):
        for cut in (1, 3, 8):
            member = self.member(uid=3)
            member.send_raw((b'\x81\xfe\x01\x00\0\0\0\0' + b'{' * 100)[:cut * 10])
            member.close()
        member = self.member(uid=4).join()
        member.send_frame(b'\x03\xe8', CLOSE)
        self.closes(member)
        self.check_others()


class Lifetimes(SocketCase):
    options = ('--max-requests-per-second=1000000', )

    def cycle(self, count):
        for i in range(count):
            member = Member(self.served.ws, uid=3 + i % 5, channel=f'room{i % 7}').join()
            member.publish()
            if i % 3:
                member.must('leave', uid=member.uid)
            member.close()
            if i % 100 == 0:
                self.check_others()

    def test_memory_after_many_members(self):
        self.cycle(200)
        before = self.resident()
        self.cycle(1000)
        sanitized = os.environ.get('AGORA_SANITIZE', 'none') != 'none'
        self.assertLess(self.resident() - before, (24 if sanitized else 6) * 1024)
        self.check_others()


class Http(SocketCase):
    def choose(self, app, **headers):
        inner = {'command': 'convergeAllocateEdge', 'sid': 'A' * 32, 'appId': app, 'token': app,
                 'uid': '7', 'cname': 'room', 'ts': 1, 'version': '1.1.0', 'seq': 0, 'requestId': 1}
        status, text = self.post(json.dumps({'service_name': 'miniapp',
                                             'json_body': json.dumps(inner)}), headers=headers)
        outer = json.loads(text)
        self.assertEqual((status, outer['code']), (200, 0))
        return json.loads(outer['json_body'])

    def test_choose_server(self):
        answer = self.choose('demo')
        self.assertEqual(answer['code'], 200)
        self.assertIsInstance(answer['vid'], int)
        server, = answer['servers']
        self.assertEqual(server['url'], self.served.ws)
        self.assertIn('address', server)
        port = self.host.split(':')[1]
        named = self.choose('demo', Host=f'localhost:{port}')
        self.assertEqual(named['servers'][0]['url'], f'ws://localhost:{port}/api')
        # What is no host never comes back.
        hostile = self.choose('demo', Host='evil$path')
        self.assertEqual(hostile['servers'][0]['url'], self.served.ws)

    def test_choose_server_for_an_unknown_app(self):
        answer = self.choose('nobody')
        self.assertEqual(answer['code'], 101)
        self.assertFalse(answer.get('servers'))

    def test_bad_requests(self):
        for body in ('', '{', '[]', '{"json_body":7}', '{"json_body":"{"}', '\xff' * 10):
            with self.subTest(body):
                self.assertEqual(self.post(body)[0], 400)
        self.assertEqual(self.post('x' * 100000)[0], 413)
        self.check_others()

    def test_paths_and_methods(self):
        for method, path, expected in (
                ('GET', '/', 404), ('GET', '/nothing', 404), ('GET', '/api', 426),
                ('GET', '/api/v1', 405), ('POST', '/healthz', 405), ('GET', '/healthz/x', 404),
                ('GET', '/api/v1/x', 404)):
            connection = http.client.HTTPConnection(self.host, timeout=5)
            connection.request(method, path)
            self.assertEqual(connection.getresponse().status, expected, (method, path))
            connection.close()
        for path in ('/', '/apix', '/api/v1', '/api/x', '/healthz'):
            with self.assertRaises(Refused, msg=path):
                WebSocket(self.served.ws.replace('/api', path))

    def test_what_is_no_http(self):
        # The last: what comes later and in pieces.
        for pieces in ((b'\x16\x03\x01\x02\x00', ), (b'nonsense\r\n\r\n', ),
                       (b'SSH-2.0-OpenSSH_9.2\r\n', ), (b'get /healthz HTTP/1.1\r\n\r\n', ),
                       (b'PRI * HTTP/2.0\r\n\r\n', ), (b'', b'\x16\x03')):
            with self.subTest(pieces), \
                    socket.create_connection(self.host.split(':'), timeout=3 * SCALE) as client:
                for piece in pieces:
                    client.sendall(piece)
                    self.witness.ping()
                # Its end, of its own accord: a time limit would be an exception.
                self.assertEqual(client.recv(65536), b'')
        with socket.create_connection(self.host.split(':'), timeout=5) as client:
            try:
                client.sendall(b'GET ' + b'x' * 200000)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            except OSError as error:  # reset, or not connected any more
                self.assertNotIsInstance(error, TimeoutError)
        self.check_others()

    def test_a_request_in_pieces(self):
        with socket.create_connection(self.host.split(':'), timeout=5) as client:
            for piece in (b'', b'G', b'ET /healthz HTTP/1.1\r\n', b'Host: x\r\n\r\n'):
                client.sendall(piece)
                self.witness.ping()
            self.assertTrue(client.recv(65536).startswith(b'HTTP/1.1 200 '))

    def test_a_member_however_it_opens(self):
        opening = opening_for(self.host)
        long = f'X-Long: {"x" * 6000}\r\n'.encode()
        # At once, with a frame right behind it; and what is left to libsoup: in pieces, and a long one.
        for pieces in ([opening + b'\r\n' + PING_FRAME], [opening, b'\r\n'],
                       [opening + long + b'\r\n']):
            with self.subTest(len(pieces)):
                with socket.create_connection(self.host.split(':'), timeout=5) as client:
                    for piece in pieces:
                        client.sendall(piece)
                        self.witness.ping()
                    said = read_until(client, b'\r\n\r\n')
                    self.assertTrue(said.startswith(b'HTTP/1.1 101 '), said)
                    if not pieces[0].endswith(PING_FRAME):
                        client.sendall(PING_FRAME)
                    read_until(client, PONG, said)
        self.check_others()


class Slow(SocketCase):
    # So that a member which never joins is not what ends.
    options = ('--max-join-seconds=3600', )

    def connect(self, begin, served=None):
        client = socket.create_connection(urlsplit((served or self.served).http).netloc.split(':'),
                                          timeout=5)
        self.addCleanup(client.close)
        client.sendall(begin)
        return client

    def secure(self):
        """A gateway with TLS, where there is something to make a certificate with."""
        if not shutil.which('openssl'):
            return None
        certificate, key = self.tmp / 'certificate.pem', self.tmp / 'key.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-keyout', key, '-out', certificate],
                       check=True, capture_output=True)
        return self.gateway(f'--tls-certificate={certificate}', f'--tls-key={key}')

    def test_a_request_has_30_seconds(self):
        half = b'GET /api HTTP/1.1\r\nHost: x\r\n'
        body = b'POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n'
        begin = time.monotonic()
        slow = {'silent': self.connect(b''), 'half': self.connect(half)}
        dripping = {'head': self.connect(half + b'X: '), 'body': self.connect(body)}
        if secure := self.secure():
            # A record of 512 bytes, with the greeting that opens a handshake.
            dripping['tls'] = self.connect(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', secure)
        slow.update(dripping)
        # What came whole goes on, also as a member that libsoup let in.
        opening = opening_for(self.host) + b'\r\n'
        members = [self.connect(opening), self.connect(opening[:9])]
        self.witness.ping()
        members[1].sendall(opening[9:])
        for member in members:
            self.assertTrue(read_until(member, b'\r\n\r\n').startswith(b'HTTP/1.1 101 '))
        ended = {}
        deadline = Deadline(45)
        while len(ended) < len(slow) and not deadline.over():
            readable = select.select([slow[each] for each in slow if each not in ended], [], [], 1)[0]
            for name in slow:
                if name in ended:
                    continue
                try:
                    # What is said about it, if anything is, comes before the end.
                    if slow[name] in readable and not slow[name].recv(4096):
                        ended[name] = time.monotonic() - begin
                    elif name in dripping:
                        slow[name].sendall(b'a')
                except ConnectionError:
                    ended[name] = time.monotonic() - begin
            for member in members:
                member.sendall(PING_FRAME)
                read_until(member, PONG)
            self.witness.ping()
            self.other.ping()
        self.assertEqual(set(ended), set(slow), 'what has no end')
        for name, after in ended.items():
            # A handshake has 10.
            self.assertGreater(after, 8 if name == 'tls' else 25, name)
        for member in members:
            member.sendall(PING_FRAME)
            read_until(member, PONG)
        self.check_others()

    def test_a_connection_ends_with_its_answer(self):
        # Which is why a deadline for its first request is enough.
        with self.connect(b'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n') as client:
            said = b''
            while more := client.recv(65536):
                said += more
            self.assertTrue(said.startswith(b'HTTP/1.1 200 '), said)


class Storm(SocketCase):
    options = ('--max-sockets-per-address=400',)

    def test_many_at_once(self):
        # More than are looked at in one turn of the loop, and all in the kernel's queue already.
        self.served.signal(signal.SIGSTOP)
        clients = []
        try:
            for i in range(300):
                client = socket.create_connection(self.host.split(':'), timeout=5 * SCALE)
                self.addCleanup(client.close)
                clients.append(client)
                # Some go on only when they were let in.
                if i % 3:
                    client.sendall(opening_for(self.host) + b'\r\n' + PING_FRAME)
        finally:
            self.served.signal(signal.SIGCONT)
        for client in clients[::3]:
            client.sendall(opening_for(self.host) + b'\r\n' + PING_FRAME)
        for client in clients:
            self.assertTrue(read_until(client, PONG).startswith(b'HTTP/1.1 101 '))
        self.check_others()


class Pages(SocketCase):
    options = ('--allow-origin=https://voice.example', '--allow-origin=http://127.0.0.1:81')

    def test_only_pages_that_were_allowed(self):
        for origin in ('https://servicewechat.com', 'https://voice.example', 'HTTPS://Voice.Example',
                       'http://127.0.0.1:81'):
            with self.subTest(origin):
                member = self.member(uid=3, origin=origin)
                member.join()
                member.close()
        for origin in ('https://evil.example', 'http://voice.example', 'https://voice.example:8443',
                       'https://voice.example.evil.example', 'https://x.servicewechat.com', 'null',
                       '*', 'x' * 5000):
            with self.subTest(origin[:60]):
                with self.assertRaises(Refused) as refused:
                    WebSocket(self.served.ws, origin=origin)
                self.assertEqual(refused.exception.status, 403)
        self.check_others()

    def test_any_page(self):
        gateway = self.gateway('--allow-origin=*')
        WebSocket(gateway.ws, origin='https://anything.example').close()


class Limits(SocketCase):
    options = ('--max-frame-bytes=2048', '--max-frame-depth=6', '--max-requests-per-second=20',
               '--max-members-per-channel=4', '--max-channels-per-app=2',
               '--max-sockets-per-address=8', '--max-join-seconds=1', '--max-queue-bytes=4096')

    def test_frame_bytes_and_depth(self):
        member = self.member(uid=3)
        member.send_frame(b' ' * 2049)
        self.assertIn(self.closes(member), TOO_BIG)
        member = self.member(uid=3).join()
        frame = member.envelope()
        frame['clientRequest'] = {'action': 'x', 'deep': [[[[[[[]]]]]]]}
        member.send_text(json.dumps(frame))
        # No JSON that is read, but the id in it is.
        self.assertEqual(member.wait_answer(frame['requestId'])['code'], 401)
        self.check_others()

    def test_requests_per_second(self):
        member = self.member(uid=3).join()
        ids = [member.send_request('set_role', role='audience') for _ in range(60)]
        codes = [member.wait_answer(each)['code'] for each in ids]
        self.assertGreaterEqual(codes.count(200), 30)
        self.assertGreaterEqual(codes.count(429), 10)
        self.check_others()

    def test_members_and_channels(self):
        self.member(uid=3).join()
        self.member(uid=4).join()
        fifth = self.member(uid=5)
        self.assertEqual(fifth.wait_answer(fifth.send_join())['code'], 429)
        self.member(uid=5, channel='second').join()
        third = self.member(uid=5, channel='third')
        self.assertEqual(third.wait_answer(third.send_join())['code'], 429)
        self.check_others()

    def test_sockets_per_address(self):
        members = [self.member(uid=100) for _ in range(6)]
        extra = self.member(uid=100)
        self.assertEqual(self.closes(extra), 4005)
        for member in members:
            member.close()
        self.check_others()
        wait_until(self.can_join, what='a free place')

    def can_join(self):
        try:
            Member(self.served.ws, uid=3).join().close()
            return True
        except (Closed, OSError):
            return False

    def test_connections_per_address(self):
        # WebSockets or not: 8 and the 16 that are spare.
        idle = [socket.create_connection(self.host.split(':'), timeout=5) for _ in range(40)]
        for each in idle:
            self.addCleanup(each.close)

        def ended():
            count = 0
            for each in idle:
                each.setblocking(False)
                try:
                    count += each.recv(1) == b''
                except BlockingIOError:
                    pass
                except ConnectionError:
                    count += 1
            return count

        # Two are the witnesses'.
        wait_until(lambda: ended() >= 18, what='the end of those above the bound')
        self.assertEqual(ended(), 18)
        self.check_others()
        for each in idle:
            each.close()
        wait_until(self.can_join, what='a free place')

    def test_time_to_join(self):
        member = self.member(uid=3)
        began = time.monotonic()
        self.assertEqual(self.closes(member), 4004)
        self.assertLess(time.monotonic() - began, 4)
        self.check_others()


class Queue(SocketCase):
    options = ('--max-requests-per-second=1000000', '--max-queue-bytes=4096',
               '--max-changes-per-second=1000000')

    def test_reader_that_does_not_read(self):
        # Small enough that the kernel can't take it all.
        deaf = self.member(uid=3, receive_buffer=4096).join('audience')
        muted = True

        def ended():
            nonlocal muted
            for _ in range(500):
                self.other.send_request('mute_local', uid=2, target='audio', mute=muted)
                muted = not muted
            began = time.monotonic()
            self.other.ping()
            self.witness.ping()
            self.assertLess(time.monotonic() - began, 5)
            return "doesn't read" in self.served.output('err')

        wait_until(ended, timeout=20, what='the end of the member that does not read')
        self.closes(deaf)
        self.check_others()


if __name__ == '__main__':
    tap.main()
