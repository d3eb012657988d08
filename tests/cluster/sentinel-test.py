# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store of several servers: sentinels tell which of them is the master, and some of them are wrong.

The gateways have a user of their own there, with no more rights than docs/cluster.md names.
"""

import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from harness import SCALE, wait_until  # noqa: E402
from storerig import Door, FaultCase, Liar, Sentinel, Server, sentinel_program  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = 'a-password-of-the-test'
# What a connection asks, beside its scripts.
ASKED = {'eval', 'evalsha', 'ping', 'role', 'script|load', 'select', 'subscribe', 'unsubscribe'}


def documented_user():
    """The line of redis.conf in docs/cluster.md."""
    return re.search(r'^user agora .*$', (ROOT / 'docs/cluster.md').read_text(encoding='utf-8'), re.M)[0]


class Rights(FaultCase):
    def make_redis(self):
        return None

    def test_no_more_than_needed(self):
        scripts = (ROOT / 'signaling/gateway/cluster/scripts').glob('*.lua')
        called = {name.lower() for script in scripts
                  for name in re.findall(r"redis\.call\('(\w+)'", script.read_text(encoding='utf-8'))}
        rights = set(re.findall(r' \+(\S+)', documented_user()))
        self.assertEqual(rights, called | ASKED)


class Sentinels(FaultCase):
    def make_redis(self):
        sentinel_program()
        user = documented_user().replace('PASSWORD', PASSWORD)
        return Server(self, user, f'masterauth {PASSWORD}', password=PASSWORD, database=1)

    def setUp(self):
        super().setUp()
        self.password = self.tmp / 'password'
        self.password.write_text(PASSWORD + '\n', encoding='ascii')
        self.password.chmod(0o600)
        self.replica = Server(self, *self.redis.lines, f'replicaof 127.0.0.1 {self.redis.port}', password=PASSWORD, database=1)

    def url(self, *sentinels):
        return 'redis+sentinel://agora@' + ','.join(f'127.0.0.1:{each.port}' for each in sentinels) + '/agora/1'

    def gateway_of(self, *sentinels):
        return self.alone(f'--store-password-file={self.password}', store=self.url(*sentinels))

    def test_failover(self):
        """The master is killed: the replica is the next one."""
        sentinels = [Sentinel(self, self.redis, 2, PASSWORD) for _ in range(3)]
        wait_until(lambda: all(each.knows() == (1, 2) for each in sentinels), 10, 'sentinels that know each other')
        # As one that has been cut off together with a master whose replicas have another by now.
        stale = Server(self, 'min-replicas-to-write 1', *self.redis.lines, password=PASSWORD)
        mute = Door(self)
        one = self.gateway_of(mute, sentinels[0], sentinels[1])
        other = self.gateway_of(Liar(self, self.replica.port), Liar(self, stale.port), sentinels[2])
        self.when_all('up', [one, other])
        self.assertTrue(mute.links)
        other.wait_line(rf'The store is away.*{self.replica.port}: it is a replica of 127.0.0.1:{self.redis.port}, not the master')
        self.assertEqual(self.metric(other, 'agora_store_losses_total'), 0)
        self.converse(one, other)
        began = time.monotonic()
        self.redis.kill()
        away = self.when_all('away')
        wait_until(lambda: (self.replica.ask('ROLE') or [None])[0] == b'master', 20, 'another master')
        since = time.monotonic()
        self.quick(began, away, since)
        up = self.when_all('up')
        whole = self.registered(self.replica, (7, 8, 17, 18))
        print(f'# another master after {since - began:.1f} s; up again {up - since:.2f} s after that, '
              f'all registered {whole - since:.2f} s after it')
        self.assertLessEqual(whole - since, 2 * SCALE)
        self.undisturbed()


if __name__ == '__main__':
    tap.main()
