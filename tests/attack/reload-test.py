# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates, apps and secrets that change while members are in."""

import os
import re
import shutil
import signal
import socket
import ssl
import unittest
from pathlib import Path

import tap
from harness import SCALE
from kit import AttackCase, read_all, status_of

OLD, NEW = 'an-old-and-long-token', 'a-new-and-long-token'


@unittest.skipUnless(shutil.which('openssl'), 'nothing to make a certificate with')
class Reload(AttackCase):
    def setUp(self):
        super().setUp()
        self.pem, self.key = self.certificate('first')
        self.config, self.admin = self.tmp / 'gateway.conf', self.tmp / 'admin'
        self.write(self.admin, OLD)
        self.configure()
        self.served = self.gateway(f'--config={self.config}', '--app=extra', env={'G_MESSAGES_DEBUG': 'all'})

    def write(self, file, text):
        file.write_text(text)
        file.chmod(0o600)

    def configure(self, apps='demo', more=''):
        self.write(self.config, f'[gateway]\napp={apps}\ntls-certificate={self.pem}\n'
                                f'tls-key={self.key}\nadmin-token-file={self.admin}\n{more}\n')

    def reload(self, pattern='Reloaded: '):
        mark = self.served.mark()
        self.served.signal(signal.SIGHUP)
        return self.served.wait_line(pattern, since=mark)

    def client(self, pem):
        context = ssl.create_default_context(cafile=pem)
        client = context.wrap_socket(self.connect(), server_hostname='127.0.0.1')
        self.sockets.append(client)
        return client

    def ask(self, token, pem):
        client = self.client(pem)
        client.sendall(b'GET /dev/v1/channel/demo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer '
                       + token.encode() + b'\r\n\r\n')
        return status_of(read_all(client))

    def test_a_new_certificate(self):
        first = self.pem
        joined = self.member(uid=3, cafile=str(first)).join()
        # As tools that renew do: the same names, other contents.
        second, key = self.certificate('second')
        kept = self.tmp / 'kept.pem'
        shutil.copy(first, kept)
        os.replace(second, self.pem)
        # Half of it: the key isn't there yet.
        self.reload('Nothing was reloaded.*tls-certificate')
        self.client(kept)
        os.replace(key, self.key)
        self.reload()
        self.client(self.pem)
        with self.assertRaises(ssl.SSLError):
            self.client(kept)
        self.assertEqual(joined.ping()['command'], 'pong')
        joined.publish()
        self.member(uid=4, cafile=str(self.pem)).join()

    def test_a_certificate_that_is_too_long_for_the_relay(self):
        self.write(self.pem, self.pem.read_text(encoding='ascii') + 25 * 1024 * '#')
        self.reload('Nothing was reloaded.*bytes: expected 24576 at most')

    def test_the_relay_takes_it_as_well(self):
        relay = Path(os.environ['AGORA_GATEWAY_BIN']).parent.parent / 'relay' / 'agora-relay'
        self.served = self.gateway(f'--config={self.config}', f'--relay={relay}',
                                   '--rtmps-listen=127.0.0.1:0')
        port = int(re.search(r'rtmps=rtmps://127.0.0.1:(\d+)', self.served.output('out')).group(1))
        kept = self.tmp / 'kept.pem'
        shutil.copy(self.pem, kept)

        def is_trusted(pem):
            context = ssl.create_default_context(cafile=pem)
            try:
                with socket.create_connection(('127.0.0.1', port), 5) as plain, \
                        context.wrap_socket(plain, server_hostname='127.0.0.1'):
                    return True
            except ssl.SSLCertVerificationError:
                return False

        self.assertTrue(is_trusted(kept))
        second, key = self.certificate('second')
        os.replace(second, self.pem)
        os.replace(key, self.key)
        self.reload()
        self.until(lambda: is_trusted(self.pem), 'the new certificate')
        self.assertFalse(is_trusted(kept))

    def test_new_apps(self):
        joined = self.member(uid=3, cafile=str(self.pem)).join()
        member = self.member(uid=3, app='other', cafile=str(self.pem))
        self.assertEqual(member.wait_answer(member.send_join())['code'], 101)
        self.configure('other')
        self.reload()
        self.member(uid=3, app='other', cafile=str(self.pem)).join()
        # That of the command line is there still.
        self.member(uid=3, app='extra', cafile=str(self.pem)).join()
        late = self.member(uid=4, cafile=str(self.pem))
        self.assertEqual(late.wait_answer(late.send_join())['code'], 101)
        self.assertEqual(joined.ping()['command'], 'pong')
        joined.publish()

    def test_new_secrets(self):
        self.assertEqual(self.ask(OLD, self.pem), 200)
        self.write(self.admin, NEW)
        self.assertEqual(self.ask(OLD, self.pem), 200)
        self.reload()
        self.assertEqual(self.ask(NEW, self.pem), 200)
        self.assertEqual(self.ask(OLD, self.pem), 401)

    def test_what_is_wrong_changes_nothing(self):
        joined = self.member(uid=3, cafile=str(self.pem)).join()
        for text, told in (('nonsense', 'expected a key file'), ('[gateway]\nmax-frame-bytes=many\n', 'many'),
                           ('[gateway]\napp=demo\n', "can't come or go")):
            with self.subTest(text):
                self.write(self.config, text)
                self.reload(f'Nothing was reloaded.*{told}')
                self.member(uid=4, cafile=str(self.pem)).join().close()
        self.write(self.admin, 'short')
        self.configure()
        self.reload('Nothing was reloaded.*admin-token-file')
        self.assertEqual(self.ask(OLD, self.pem), 200)
        self.assertEqual(joined.ping()['command'], 'pong')

    def test_what_counts_from_the_next_start(self):
        self.configure(more='max-join-seconds=3')
        self.reload('--max-join-seconds has changed: that counts from the next start')

    def test_reloading_without_end(self):
        with self.witness(cafile=str(self.pem)):
            descriptors, before = self.descriptors(), self.resident()
            for _ in range(300):
                self.served.signal(signal.SIGHUP)
                self.ask(OLD, self.pem)
                self.hang_up()
            self.until(lambda: self.descriptors() <= descriptors + 4, 'the end of descriptors')
        self.assertLess(self.resident() - before, 6 * 1024 * SCALE)

    def test_who_can_read_them(self):
        self.assertNotIn('can be read by everyone', self.served.output('err'))
        for file, option in ((self.key, 'tls-key'), (self.admin, 'admin-token-file')):
            file.chmod(0o644)
            self.reload(f'--{option}=.* can be read by everyone')
            file.chmod(0o640)
        mark = self.served.mark()
        self.reload()
        self.assertNotIn('can be read', '\n'.join(text for _, _, text in self.served.lines[mark:]))


if __name__ == '__main__':
    tap.main()
