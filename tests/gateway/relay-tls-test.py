# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-relay's RTMPS alone: who gets in, what it does with slow and mute strangers, and that a
listener hears and loses the same as by plain RTMP."""

import re
import socket
import ssl
import subprocess
import time

import tap
from harness import SCALE, mostly
from relayrig import RelayCase, pause
from tlsrig import Authority

AAC_HEADER = b'\xaf\x00\x11\x88'
FRAME_S = 0.02


class TlsCase(RelayCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.tmp)
        self.pair = self.sign('one')

    def sign(self, name):
        return [file.read_text(encoding='ascii') for file in self.authority.sign(name)]

    def secure(self, **keywords):
        return self.relay(tls=self.pair, **keywords)

    def context(self, version=None):
        context = ssl.create_default_context(cafile=self.authority.file)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def witness(self, relay, **keywords):
        """Over TLS."""
        return super().witness(relay, tls=self.context(), **keywords)

    def raw(self, relay):
        peer = socket.create_connection(('127.0.0.1', relay.tls_port))
        self.addCleanup(peer.close)
        return peer

    def s_client(self, relay, *options):
        return subprocess.run(
            ['openssl', 's_client', '-connect', f'localhost:{relay.tls_port}', '-CAfile',
             str(self.authority.file), '-verify_return_error', *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)


class Peers(TlsCase):
    def test_ffmpeg(self):
        relay = self.secure()
        url = f'rtmps://localhost:{relay.tls_port}/live/voice'
        trust = ('-tls_verify', '1', '-ca_file', str(self.authority.file))
        self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                   'sine=sample_rate=48000', '-c:a', 'aac', '-b:a', '48k', '-t', '30', '-f', 'flv',
                   *trust, url, quiet_errors=True)
        ask = relay.wait_told('ask', side='push')
        self.assertEqual((ask['app'], ask['stream']), ('live', 'voice'))
        play = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048',
                          '-analyzeduration', '100000', *trust, '-i', url,
                          '-t', '1', '-f', 'null', '-', quiet_errors=True)
        self.assertEqual(play.wait(20), 0)
        self.assertEqual(play.output('err'), '')

    def test_versions_and_ciphers(self):
        relay = self.secure()
        weak = ('-cipher', 'ALL:@SECLEVEL=0')
        for options, good in ((('-tls1_2', ), True), (('-tls1_3', ), True),
                              (('-tls1', *weak), False), (('-tls1_1', *weak), False),
                              # No forward secrecy; no authenticated encryption.
                              (('-tls1_2', '-cipher', 'AES128-GCM-SHA256'), False),
                              (('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'), False),
                              # Nobody asks a relay to begin anew.
                              (('-tls1_2', '-legacy_renegotiation'), True)):
            with self.subTest(options):
                ran = self.s_client(relay, *options)
                self.assertEqual(ran.returncode == 0, good, ran.stdout + ran.stderr)
                if good:
                    self.assertIn('Verify return code: 0', ran.stdout)
        refused = relay.ping()['refused']
        self.assertEqual(refused['tls'], 4, refused)

    def test_who_speaks_no_tls(self):
        relay = self.secure()
        for words in (b'\3' + bytes(1536), b'GET / HTTP/1.1\r\n\r\n', bytes(1000)):
            peer = self.raw(relay)
            peer.sendall(words)
            peer.settimeout(2 * SCALE)
            answer = b''
            try:
                while more := peer.recv(4096):
                    answer += more
            except ConnectionResetError:
                pass
            self.assertLess(len(answer), 64)
        self.assertEqual(relay.ping()['refused']['tls'], 3)
        self.assertEqual(relay.all_told('ask'), [])

    def test_the_same_is_heard(self):
        """By a plain listener and one over TLS, from pushes of either kind."""
        # They are sent faster than they are to be heard: none may be left out for that.
        relay = self.secure(limits={'listener_lag_ms': 60000, 'push_kbps': 100000})
        for name, of_push in (('plain', None), ('secure', self.context())):
            push = self.push(relay, name, tls=of_push)
            listeners = [self.play(relay, name), self.play(relay, name, tls=self.context())]
            push.frame(0, AAC_HEADER)
            frames = [b'\xaf\x01' + bytes([i % 256]) * (1 + 37 * i % 5000) for i in range(300)]
            for i, body in enumerate(frames):
                push.frame(20 * i, body)
                if i % 10 == 0:
                    for each in listeners:
                        each.read()
            for each in listeners:
                each.wait(lambda: len(each.media()) == len(frames) + 1)
                self.assertEqual([body for _, _, body in each.media()], [AAC_HEADER, *frames])

    def test_a_session_is_resumed(self):
        relay = self.secure()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version)
            first = self.play(relay, tls=context)
            self.assertFalse(first.socket.session_reused)
            session = first.socket.session
            first.close()
            self.assertTrue(self.play(relay, tls=context, session=session).socket.session_reused)

    def test_frozen_listener(self):
        """One that stood still is on time again within a second."""
        relay = self.secure()
        push = self.push(relay)
        push.frame(0, AAC_HEADER)
        frozen = self.play(relay, tls=self.context(), receive_buffer=4096)
        begin = time.monotonic()
        seconds = 8
        count = int((seconds + 3) / FRAME_S)
        sent_at = {}
        for sent in range(count):
            pause(begin + sent * FRAME_S - time.monotonic())
            stamp = int(sent * FRAME_S * 1000)
            sent_at[stamp] = time.monotonic()
            push.frame(stamp, b'\xaf\x01' + bytes(240))
            if time.monotonic() - begin > seconds + 1:
                frozen.read()
        frozen.read(0.2)
        late = [at - sent_at[stamp] for at, stamp, body in frozen.media()[1:]
                if at - begin > seconds + 2]
        self.assertGreater(len(late), 20)
        self.assertLess(mostly(late), 0.2 * SCALE)
        dropped = relay.ping()['dropped_frames']
        self.assertGreater(dropped, 0)
        self.assertEqual(len(frozen.media()) + dropped, count + 1)


class Certificates(TlsCase):
    def subject(self, relay):
        return re.search('subject=CN = (.*)', self.s_client(relay).stdout)[1]

    def test_another_one(self):
        """Whoever is there goes on; who comes gets the new one. One of no use changes nothing."""
        relay = self.secure()
        beat = self.witness(relay)
        beat()
        self.assertEqual(self.subject(relay), 'one')
        relay.tls = self.sign('two')
        relay.configure()
        self.assertEqual(self.subject(relay), 'two')
        beat()
        relay.tls = (relay.tls[0], self.pair[1])
        relay.configure()
        warning = relay.wait_told('log', level='warning')['text']
        self.assertIn("the key is not the certificate's", warning)
        self.assertIn('the last certificate stays', warning)
        self.assertEqual(self.subject(relay), 'two')
        beat()

    def test_none_yet(self):
        relay = self.relay(tls=('', ''))
        peer = self.raw(relay)
        peer.settimeout(2 * SCALE)
        self.assertEqual(peer.recv(1), b'')
        self.assertEqual(relay.ping()['refused']['tls'], 1)
        relay.tls = self.pair
        relay.configure()
        self.witness(relay)()


class Strangers(TlsCase):
    def test_mute_and_slow(self):
        """Without a handshake in time they are ended, and nobody waits for them."""
        relay = self.secure(limits={'opening_ms': 1500})
        beat = self.witness(relay)
        begin = time.monotonic()
        mute = [self.raw(relay) for _ in range(50)]
        slow = [self.raw(relay) for _ in range(50)]
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = self.context().wrap_bio(incoming, outgoing, server_hostname='localhost')
        try:
            hello.do_handshake()
        except ssl.SSLWantReadError:
            pass
        first = outgoing.read()
        self.assertGreater(len(first), 200)
        late = []
        for byte in first[:100]:
            for peer in slow:
                try:
                    peer.send(bytes([byte]))
                except OSError:
                    pass  # it is over
            late.append(beat(1))
            pause(0.02)
        self.assertLess(mostly(late), 0.1 * SCALE)
        for peer in mute + slow:
            peer.settimeout(max(begin + 3 * SCALE - time.monotonic(), 0.01))
            try:
                self.assertEqual(peer.recv(1), b'')
            except ConnectionResetError:
                pass
        self.assertEqual(relay.ping()['refused']['deadline'], 100)
        beat()

    def test_after_the_handshake(self):
        """What is bounded for RTMP is bounded for RTMPS."""
        relay = self.secure(limits={'opening_ms': 1500, 'strangers_per_address': 20})
        beat = self.witness(relay)
        peers = [self.peer(relay, tls=self.context()) for _ in range(30)]
        self.assertTrue(all(peer.closed() for peer in peers[:10]))
        refused = relay.ping()['refused']
        self.assertEqual(refused['address'], 10, refused)
        self.assertTrue(all(peer.closed() for peer in peers[10:]))
        self.assertEqual(relay.ping()['refused']['deadline'], 20)
        wild = self.peer(relay, tls=self.context()).greet()
        wild.frame(0)  # before connect
        self.assertTrue(wild.closed())
        self.assertEqual(relay.ping()['refused']['protocol'], 1)
        beat()

    def test_a_crowd_of_handshakes(self):
        """With an RSA key, which costs most."""
        key, certificate = self.tmp / 'rsa.key', self.tmp / 'rsa.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj',
                        '/CN=localhost', '-keyout', key, '-out', certificate], check=True, capture_output=True)
        relay = self.secure(limits={'strangers_per_address': 1000})
        beat = self.witness(relay)
        relay.tls = [file.read_text(encoding='ascii') for file in (certificate, key)]
        relay.configure(limits={'strangers_per_address': 1000})
        quiet = beat()
        hello = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        cpu = relay.cpu()
        worst = []
        for _ in range(3):
            # Each has sent its part: the relay has all of them to do at once.
            crowd = []
            for _ in range(400):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                client = hello.wrap_bio(incoming, outgoing, server_hostname='localhost')
                try:
                    client.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                crowd.append((self.raw(relay), outgoing.read()))
            for peer, words in crowd:
                peer.sendall(words)
            worst.append(beat(20))
            for peer, _ in crowd:
                peer.settimeout(5 * SCALE)
                self.assertTrue(peer.recv(1))
                peer.close()
        cost = (relay.cpu() - cpu) / 1200
        print(f'{self.id()}: a frame took {1000 * quiet:.1f} ms at most, {1000 * min(worst):.1f} to '
              f'{1000 * max(worst):.1f} meanwhile; a handshake {1000 * cost:.2f} ms of processor time')
        # All of them at once would be 400 times that, each time; a busy machine holds up one or two.
        self.assertLess(min(worst), 0.1 * SCALE)


class Pulls(TlsCase):
    """A relay that pulls from another one by RTMPS."""

    def edge(self, place, authority=None):
        edge = self.secure(allow=lambda ask: ask['side'] == 'push' or {'relay_from': place + ask['stream'] + '?s=1'})
        if authority:
            edge.trust(authority.file.read_text(encoding='ascii'))
        return edge

    def both(self, authority=None):
        origin = self.secure()
        return origin, self.edge(f'rtmps://127.0.0.1:{origin.tls_port}/live/', authority or self.authority)

    def failed(self, edge, reason):
        listener = self.play(edge)
        begin = time.monotonic()
        self.assertTrue(listener.closed(4))
        self.assertLess(time.monotonic() - begin, 3.2 * SCALE)
        self.assertIn(reason, edge.wait_told('pull-failed')['reason'])

    def test_heard(self):
        origin, edge = self.both()
        push = self.push(origin)
        push.frame(0, AAC_HEADER)
        listener = self.play(edge)
        listener.wait(lambda: listener.media(), what='the header')
        # More than a record of TLS, and as many small ones.
        bodies = [AAC_HEADER, *(b'\xaf\x01' + bytes([n]) * (40000 if n % 10 == 0 else 120) for n in range(50))]
        for number, body in enumerate(bodies[1:], 1):
            push.frame(20 * number, body)
        listener.wait(lambda: len(listener.media()) == len(bodies), what='all frames')
        self.assertEqual([body for _, _, body in listener.media()], bodies)
        self.assertEqual([(ask['stream'], ask['args']) for ask in origin.all_told('ask', side='play')],
                         [('voice', 's=1')])
        # It answers pings and goes on, whatever the origin's next certificate is.
        origin.tls = self.sign('two')
        origin.configure()
        pause(2)
        push.frame(2000)
        listener.wait(lambda: len(listener.media()) == len(bodies) + 1)
        # The last listener ends it.
        listener.close()
        origin.wait_told('done', 3, side='play')

    def test_an_origin_that_is_another(self):
        stranger = Authority(self.tmp, 'stranger')
        _, edge = self.both(stranger)
        self.failed(edge, 'TLS: certificate verify failed: unable to get local issuer certificate')
        # Once it trusts the right one.
        edge.trust('nonsense')
        self.assertIn('expected certificates', edge.wait_told('log', level='warning')['text'])
        edge.trust(self.authority.file.read_text(encoding='ascii'))
        origin, _ = self.both()
        edge.allow = lambda ask: {'relay_from': f'rtmps://127.0.0.1:{origin.tls_port}/live/voice'}
        self.push(origin).frame(0, AAC_HEADER)
        listener = self.play(edge)
        listener.wait(lambda: listener.media())
        # One of another address: it has to name the number.
        self.pair = [file.read_text(encoding='ascii') for file in self.authority.sign('named', 'DNS:localhost,IP:127.0.0.2')]
        named = self.secure()
        self.failed(self.edge(f'rtmps://127.0.0.1:{named.tls_port}/live/', self.authority), 'IP address mismatch')

    def test_without_authorities(self):
        origin = self.secure()
        self.failed(self.edge(f'rtmps://127.0.0.1:{origin.tls_port}/live/'), '--relay-ca-file')

    def test_no_tls_there(self):
        origin = self.relay()
        self.failed(self.edge(f'rtmps://127.0.0.1:{origin.port}/live/', self.authority), f'127.0.0.1:{origin.port}: ')
        # Nothing that is said.
        with socket.create_server(('127.0.0.1', 0)) as mute:
            self.failed(self.edge(f'rtmps://127.0.0.1:{mute.getsockname()[1]}/live/', self.authority), 'says nothing')


if __name__ == '__main__':
    tap.main()
