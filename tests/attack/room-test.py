# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections from everywhere: what they take is bounded, and whoever joins finds room."""

import os

import tap
from harness import Gateway
from kit import QUIET, AttackCase, has_ended, opening_for, read_all, status_of

HALF_A_REQUEST = b'GET /api HTTP/1.1\r\nHost: x\r\n'


class RoomCase(AttackCase):
    # Nothing of the attack ends by itself while the test runs.
    options = ('--max-join-seconds=3600', )
    files = None

    def gateway(self, *options, env=None, **keywords):
        if self.files is None:
            return super().gateway(*options, env=env, **keywords)
        return self.keep(Gateway(
            *options, binary=['/bin/sh', '-c', f'ulimit -n {self.files}; exec "$0" "$@"',
                              os.environ['AGORA_GATEWAY_BIN']],
            env={**QUIET, **(env or {})}, **keywords))

    def crowd(self, count, begin, per_address=40):
        """Connections from many addresses, as if from as many networks."""
        for i in range(count):
            self.connect(begin, source=f'127.0.{1 + i // per_address // 250}.'
                                       f'{1 + i // per_address % 250}')


class Descriptors(RoomCase):
    files = 256

    def test_whoever_joins_finds_room(self):
        joined = [self.member(uid=10 + i).join() for i in range(5)]
        for begin in (b'', HALF_A_REQUEST, opening_for()):
            with self.subTest(begin[:10]), self.witness():
                self.crowd(400, begin)
                # Some are left to the gateway itself.
                self.assertLess(self.descriptors(), self.files - 16)
                self.assertEqual(status_of(read_all(self.connect(
                    b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))), 200)
            self.hang_up()
        self.served.wait_line('Out of file descriptors: of 256', which='err')
        for member in joined:
            self.assertEqual(member.ping()['command'], 'pong')
        # Its media server was neither lost nor ended.
        answer = read_all(self.connect(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))
        self.assertIn(b'"mediaRestarts":0', answer.replace(b' ', b''))
        self.assertIn(b'"status":"ok"', answer.replace(b' ', b''))

    def test_members_are_never_who_makes_room(self):
        # As many as fit: then newcomers are turned away, and not those.
        joined = []
        try:
            for i in range(self.files):
                joined.append(self.member(uid=10 + i).join('audience'))
        except (AssertionError, OSError, Exception):  # pylint: disable=broad-except
            pass
        self.assertGreater(len(joined), 120)
        self.crowd(100, opening_for())
        for member in joined:
            self.assertEqual(member.ping()['command'], 'pong')
        joined.pop().close()
        self.until(self.can_join, 'room for one more')

    def can_join(self):
        try:
            self.member(uid=9000).join('audience').close()
            return True
        except Exception:  # pylint: disable=broad-except
            return False


class Strangers(RoomCase):
    options = (*RoomCase.options, '--max-waiting-sockets=100')

    def test_a_bound_in_all(self):
        joined = [self.member(uid=10 + i).join() for i in range(5)]
        with self.witness():
            self.crowd(300, opening_for(), per_address=10)
            self.until(lambda: sum(not has_ended(each) for each in self.sockets) <= 105,
                       'the end of what is above the bound')
            # The newest stay, the oldest had to go.
            self.assertFalse(has_ended(self.sockets[-1]))
            self.assertTrue(has_ended(self.sockets[0]))
        for member in joined:
            self.assertEqual(member.ping()['command'], 'pong')
        self.served.wait_line('100 connections have not joined', which='err')


if __name__ == '__main__':
    tap.main()
