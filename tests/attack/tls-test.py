# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS at the front: handshakes that take their time, old versions, and what comes after one."""

import shutil
import ssl
import time
import unittest

import tap
from harness import SCALE
from kit import AttackCase, has_ended, read_all, status_of

# A record of 512 bytes, with the greeting that opens a handshake: most of it never comes.
HALF_A_GREETING = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'


@unittest.skipUnless(shutil.which('openssl'), 'nothing to make a certificate with')
class TlsCase(AttackCase):
    def setUp(self):
        super().setUp()
        self.pem, self.key = self.certificate()
        self.served = self.gateway(f'--tls-certificate={self.pem}', f'--tls-key={self.key}',
                                   *self.tls_options)

    tls_options = ()

    def context(self):
        return ssl.create_default_context(cafile=self.pem)

    def connect_tls(self, begin=b'', context=None):
        client = (context or self.context()).wrap_socket(self.connect(),
                                                         server_hostname='127.0.0.1')
        self.sockets.append(client)
        if begin:
            client.sendall(begin)
        return client


class Handshakes(TlsCase):
    def test_nobody_waits_for_those_that_take_their_time(self):
        greeting = self.greeting()
        for begin in (b'', HALF_A_GREETING, greeting):
            with self.subTest(begin[:6]), self.witness(cafile=str(self.pem)):
                for _ in range(300):
                    self.connect(begin)
            self.hang_up()

    def greeting(self):
        """A whole one: what is missing afterwards is the client's end of the handshake."""
        out = ssl.MemoryBIO()
        client = self.context().wrap_bio(ssl.MemoryBIO(), out, server_hostname='127.0.0.1')
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        return out.read()

    def test_whole_handshakes_without_end(self):
        # As fast as one process can; each is arithmetic of the gateway's.
        with self.witness(cafile=str(self.pem)):
            end = time.monotonic() + 3
            count = 0
            while time.monotonic() < end:
                self.connect_tls()
                self.hang_up()
                count += 1
        self.assertGreater(count, 50)

    def test_a_handshake_has_10_seconds(self):
        began = time.monotonic()
        clients = [self.connect(begin) for begin in (b'', HALF_A_GREETING, self.greeting())]
        # One that sends a byte a second gains nothing.
        dripping = self.connect(HALF_A_GREETING)
        joined = self.member(uid=3, cafile=str(self.pem)).join()

        def ended():
            try:
                dripping.sendall(b'\0')
            except OSError:
                pass
            joined.ping()
            return all(has_ended(each) for each in (*clients, dripping))

        self.until(ended, 'the end of all four', 25)
        self.assertGreater(time.monotonic() - began, 8)

    def test_what_is_no_tls(self):
        for begin in (b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', b'\x00' * 100, b'\x16\x03\x01\xff\xff' * 1000,
                      b'\x16\x03\x01\x00\x05hello'):
            with self.subTest(begin[:8]):
                client = self.connect(begin)
                self.assertNotEqual(status_of(read_all(client)), 200)
        self.member(uid=3, cafile=str(self.pem)).join().ping()


class Versions(TlsCase):
    def test_1_2_at_least(self):
        for version, good in ((ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False),
                              (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            with self.subTest(version), self.deprecations():
                context = self.context()
                context.set_ciphers('ALL:@SECLEVEL=0')
                context.minimum_version = context.maximum_version = version
                if good:
                    self.assertEqual(self.connect_tls(context=context).version(),
                                     version.name.replace('_', '.'))
                else:
                    with self.assertRaises((ssl.SSLError, ConnectionError)):
                        self.connect_tls(context=context)

    def deprecations(self):
        import warnings  # pylint: disable=import-outside-toplevel
        caught = warnings.catch_warnings()
        warnings.simplefilter('ignore', DeprecationWarning)
        return caught


class Established(TlsCase):
    """The same as without TLS, which libsoup has to be given by our own stream."""

    tls_options = ('--max-requests-per-second=1000000', )

    def test_requests(self):
        answer = read_all(self.connect_tls(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))
        self.assertEqual(status_of(answer), 200)
        body = b'x' * 100_000
        answer = read_all(self.connect_tls(
            b'POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(body) + body))
        self.assertEqual(status_of(answer), 413)

    def test_in_pieces(self):
        client = self.connect_tls()
        for byte in b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n':
            client.sendall(bytes([byte]))
        self.assertEqual(status_of(read_all(client)), 200)

    def test_a_member_that_reads_late(self):
        # More than fits into the kernel: it waits in the gateway, and nothing of it is lost.
        late = self.member(uid=3, cafile=str(self.pem), receive_buffer=4096).join('audience')
        other = self.member(uid=4, cafile=str(self.pem)).join()
        ids = [late.send_ping() for _ in range(3000)]
        other.ping()
        for request in ids:
            self.assertEqual(late.wait_answer(request)['command'], 'pong')

    def test_memory_after_many(self):
        def cycle(count):
            for i in range(count):
                self.member(uid=10 + i % 3, cafile=str(self.pem)).join().close()
                self.connect_tls(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                self.connect(b'\x16')
                self.hang_up()

        cycle(150)
        before, descriptors = self.resident(), self.descriptors()
        cycle(300)
        self.assertLess(self.resident() - before, 4 * 1024 * SCALE ** 2)
        self.until(lambda: self.descriptors() <= descriptors + 3, 'the end of all descriptors', 15)


if __name__ == '__main__':
    tap.main()
