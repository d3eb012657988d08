# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever asks wrongly is told so, and not more often than is good for others."""

import shutil
import time

import tap
from kit import AttackCase, opening_for, read_all, status_of
from wsclient import Closed

TOKEN = 'the-right-and-long-token'


class Frames(AttackCase):
    def secure(self):
        pem, key = self.certificate()
        return self.gateway(f'--tls-certificate={pem}', f'--tls-key={key}'), str(pem)

    def close_code(self, member):
        with self.assertRaises(Closed) as caught:
            while True:
                member.receive(5)
        return caught.exception.code

    def test_a_frame_over_the_limit_is_closed_with_1009(self):
        served = [(self.served, None)]
        if shutil.which('openssl'):
            served.append(self.secure())
        for gateway, pem in served:
            for size in (65537, 70_000, 500_000):
                for what in ('frame', 'pieces'):
                    with self.subTest((pem is not None, size, what)):
                        member = self.member(gateway, uid=3, cafile=pem).join()
                        if what == 'frame':
                            # All of it is sent: what is unread must not become a reset.
                            member.send_frame(b'x' * size)
                        else:
                            member.send_frame(b'x' * 60_000, fin=False)
                            for _ in range(size // 60_000 + 1):
                                member.send_frame(b'x' * 60_000, 0, fin=False)
                        self.assertEqual(self.close_code(member), 1009)

    def test_a_text_with_u0000_is_answered(self):
        member = self.member(uid=3).join()
        began = time.monotonic()
        for text in ('{"requestId":77,"appId":"a\\u0000b","command":"ping"}',
                     '{"clientRequest":{"action":"leave\\u0000"},"requestId":77}'):
            member.send_text(text)
            self.assertEqual(member.wait_answer(77)['code'], 401)
        self.assertLess(time.monotonic() - began, 2)


class Tokens(AttackCase):
    def gateway(self, *options, **keywords):
        file = self.tmp / 'token'
        file.write_text(TOKEN)
        file.chmod(0o600)
        return super().gateway(f'--admin-token-file={file}', *options, **keywords)

    def ask(self, token, source='127.0.0.1'):
        status = status_of(read_all(self.connect(
            b'GET /dev/v1/channel/demo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer '
            + token.encode() + b'\r\n\r\n', source=source)))
        self.hang_up()
        return status

    def test_wrong_ones_are_slowed(self):
        self.assertEqual(self.ask(TOKEN), 200)
        told = [self.ask(f'wrong-token-number-{i}', '127.0.0.9') for i in range(200)]
        self.assertEqual(told[0], 401)
        self.assertLessEqual(told.count(401), 14)
        self.assertEqual(set(told), {401, 429})
        # The right one isn't looked at either, or guessing would go on as before; but only there.
        self.assertEqual(self.ask(TOKEN, '127.0.0.9'), 429)
        self.assertEqual(self.ask(TOKEN), 200)
        # One is forgotten every two seconds.
        self.until(lambda: self.ask(TOKEN, '127.0.0.9') == 200, 'a try once more', 5)

    def test_no_token_is_no_guess(self):
        # As browsers ask first.
        for _ in range(30):
            self.assertEqual(status_of(read_all(self.connect(
                b'GET /dev/v1/channel/demo HTTP/1.1\r\nHost: x\r\n\r\n'))), 401)
        self.assertEqual(self.ask(TOKEN), 200)


class Heads(AttackCase):
    def test_a_blank_before_the_colon(self):
        opening = opening_for()
        for line in (b'Origin : https://evil.example', b'Origin\t: https://evil.example',
                     b' Origin: https://evil.example'):
            with self.subTest(line):
                answer = read_all(self.connect(opening[:-2] + line + b'\r\n\r\n'))
                self.assertEqual(status_of(answer), 400)
        self.assertEqual(status_of(self.connect(opening).recv(4096)), 101)


if __name__ == '__main__':
    tap.main()
