# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connection to the store: by TLS, reset in the middle, to nobody who answers, to a name that leads nowhere."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import free_port  # noqa: E402
from harness import SCALE  # noqa: E402
from relayrig import pause  # noqa: E402
from storerig import Beat, Door, FaultCase, Joins, Proxy, Server  # noqa: E402
from tlsrig import Authority  # noqa: E402


class Tls(FaultCase):
    def make_redis(self):
        self.signer = Authority(self.tmp)
        self.tls_port = free_port()
        return Server(self, *self.tls(self.tls_port, *self.signer.sign()), 'tls-auth-clients no')

    def tls(self, port, certificate, key):
        return (f'tls-port {port}', f'tls-cert-file {certificate}', f'tls-key-file {key}',
                f'tls-ca-cert-file {self.signer.file}')

    def test_of_ones_own(self):
        """Certificates of a private authority; the connection is reset in mid-write again and again."""
        proxy = Proxy(self, self.tls_port)
        gateway = self.one_of_many(f'--store-ca-file={self.signer.file}', store=f'rediss://127.0.0.1:{proxy.port}')
        self.member(gateway, 7)
        self.registered(self.redis, [7], [])
        resets(self, gateway, proxy)

    def test_refused(self):
        """What is wrong stands in the log, once; the gateway serves all the same."""
        other = Authority(self.tmp, 'other')
        named, strict = free_port(), free_port()
        Server(self, *self.tls(named, *self.signer.sign('named', 'DNS:redis.example.org')))
        Server(self, *self.tls(strict, *self.signer.sign('strict')))
        ours = f'--store-ca-file={self.signer.file}'
        here = f'rediss://127.0.0.1:{self.tls_port}'
        for url, option, words in (
                (here, (f'--store-ca-file={other.file}',),
                 "its certificate isn't trusted here: its issuer, CN=The authority of a test, is not among the authorities of "
                 f'--store-ca-file {other.file}'),
                (here, (), 'is no authority that this system knows: set --store-ca-file to the PEM file of yours'),
                (f'rediss://127.0.0.1:{named}', (ours,), 'it is for redis.example.org, not for 127.0.0.1'),
                # As GnuTLS says it, or GLib.
                (f'rediss://127.0.0.1:{strict}', (ours,), 'Certificate is required|Server required TLS certificate'),
                (f'rediss://127.0.0.1:{self.redis.port}', (ours,), r'no TLS \(is this its port for that\?\) within 2 s'),
                (f'redis://127.0.0.1:{self.tls_port}', (), r'before any answer: does it want rediss://\?')):
            with self.subTest(words=words):
                gateway = self.alone(*option, store=url)
                self.assertEqual(self.health(gateway)['store'], 'away')
                self.assertRegex(gateway.wait_line('The store is away.*')[0], words)
                self.member(gateway, 7)
                gateway.stop()


def resets(case, gateway, proxy):
    """Of what joins ask, and then in the middle of the greeting."""
    beat, joins = Beat(case, gateway), Joins(case, [gateway], every=0.01)
    for greeting in (1, 300, 50_000):
        for after in (0, greeting):
            before, proxy.resets_after = proxy.resets, after
            case.until(lambda: proxy.resets > before, 'a reset')  # pylint: disable=cell-var-from-loop
        proxy.resets_after = None
        since = time.monotonic()
        up = case.when_all('up', [gateway])
    beat.stop()
    joins.stop()
    case.assertEqual(joins.wrong + beat.wrong, [])
    case.assertEqual(beat.stores, {'up', 'away'})
    lag = case.metric(gateway, 'agora_loop_lag_seconds')
    print(f'# {proxy.resets} resets: loop late by {1000 * lag:.1f} ms; {beat}; '
          f'{len(joins.took)} joins, {1000 * joins.worst(0, since):.1f} ms at worst; up again after {up - since:.2f} s')
    case.assertLessEqual(max(lag, beat.mostly()), 0.05 * SCALE)


class Links(FaultCase):
    def test_reset(self):
        proxy = Proxy(self, self.redis.port)
        gateway = self.one_of_many(store=proxy.url)
        resets(self, gateway, proxy)
        self.registered(self.redis, [], [])

    def test_nobody_there(self):
        """One that accepts and is mute, and a name that doesn't resolve."""
        mute = Door(self)
        for url, words in ((mute.url, f'127.0.0.1:{mute.port}: no answer within 2 s'),
                           ('redis://nohost.invalid:6379', 'nohost.invalid:6379: ')):
            gateway = self.alone(store=url)
            print('#', gateway.wait_line('The store is away.*')[0])
            self.assertIn(words, gateway.output('err'))
            beat, joins = Beat(self, gateway), Joins(self, [gateway], every=0.05)
            pause(2)
            beat.stop()
            joins.stop()
            self.assertEqual(joins.wrong + beat.wrong, [])
            self.assertEqual(beat.stores, {'away'})
            worst, lag = joins.worst(0, time.monotonic()), self.metric(gateway, 'agora_loop_lag_seconds')
            threads = len(os.listdir(f'/proc/{gateway.pid}/task'))
            print(f'# loop late by {1000 * lag:.1f} ms; {beat}; joins {1000 * worst:.1f} ms; {threads} threads')
            self.assertLessEqual(max(worst, lag, beat.mostly()), 0.05 * SCALE)
            # Whoever looks for a name has a thread, and isn't many.
            self.assertLess(threads, 16)
            gateway.stop()


if __name__ == '__main__':
    tap.main()
