# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of a conversation over two gateways when their store fails.

--long: the same for as long as an outage is.
"""

import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from harness import SCALE  # noqa: E402
from relayrig import pause  # noqa: E402
from storerig import FaultCase, Proxy  # noqa: E402

LONG = '--long' in sys.argv
PEOPLE = (7, 8, 17, 18)


class Faults(FaultCase):
    def back(self, since, members, speakers=(7, 8), gateways=None):
        """After the return of the store all is known to it again."""
        up = self.when_all('up', gateways)
        whole = self.registered(self.redis, members, speakers)
        print(f'# up again after {up - since:.2f} s, all registered after {whole - since:.2f} s')
        self.assertLessEqual(whole - since, 2 * SCALE)

    def test_frozen(self):
        self.converse(self.one_of_many(), self.one_of_many())
        began = time.monotonic()
        self.redis.process.signal(signal.SIGSTOP)
        away = self.when_all('away')
        pause(began + 3.5 - time.monotonic())
        since = time.monotonic()
        self.redis.process.signal(signal.SIGCONT)
        self.quick(began, away, since)
        self.back(since, PEOPLE)
        self.undisturbed()

    def test_killed_and_empty(self):
        """Whoever left while it was away is missed by the others once it is back."""
        self.converse(self.one_of_many(), self.one_of_many())
        eve, _ = self.speaker(self.gateways[1], 11, 'eve')
        self.listeners[0].wait_event('stream-added', 5 * SCALE, uid=11)
        began = time.monotonic()
        self.redis.kill()
        away = self.when_all('away')
        eve.must('leave', uid=11)
        pause(began + (60 if LONG else 5) - time.monotonic())
        since = time.monotonic()
        self.redis.start()
        since = time.monotonic()
        self.quick(began, away, since)
        self.back(since, PEOPLE)
        self.listeners[0].wait_event('stream-removed', 6 * SCALE, uid=11)
        print(f'# a departure is told {time.monotonic() - since:.1f} s after the return')
        self.undisturbed()

    def test_rolled_back(self):
        """It lost its last two seconds: a member came in them, another one left."""
        one, other = self.one_of_many(), self.one_of_many()
        self.converse(one, other)
        leaver = self.member(one, 20, 'audience')
        self.joins.stop()
        self.assertEqual(self.redis.ask('SAVE'), b'OK')
        leaver.must('leave', uid=20)
        self.member(other, 21, 'audience')
        self.speaker(other, 12, 'eve')
        self.listeners[0].wait_event('stream-added', 5 * SCALE, uid=12)
        self.registered(self.redis, (*PEOPLE, 12, 21), (7, 8, 12))
        pause(2)
        self.redis.kill()
        self.when_all('away')
        since = time.monotonic()
        self.redis.start()
        self.redis.process.wait_line('DB loaded from disk')
        self.back(since, (*PEOPLE, 12, 21), (7, 8, 12))
        self.undisturbed(speakers=(7, 8, 12))

    def test_cut_off(self):
        """A gateway that alone doesn't reach it: its own members go on, and the others are told that they are gone."""
        proxy = Proxy(self, self.redis.port)
        one, other = self.one_of_many(), self.one_of_many(store=proxy.url)
        self.converse(one, other)
        began = time.monotonic()
        proxy.hold()
        away = self.when_all('away', [other])
        self.listeners[0].wait_event('stream-removed', 9 * SCALE, uid=8)
        told = time.monotonic()
        print(f'# told that its speaker is gone after {told - began:.1f} s')
        self.assertLessEqual(told - began, 9 * SCALE)
        if LONG:
            pause(began + 15 - time.monotonic())
        since = time.monotonic()
        proxy.pass_on()
        self.quick(began, away, since, other)
        self.assertLessEqual(self.joins.worst(began, since, one), 0.05 * SCALE)
        self.listeners[0].wait_event('stream-added', 5 * SCALE, uid=8)
        print(f'# heard of again after {time.monotonic() - since:.2f} s')
        self.back(since, PEOPLE)
        # Where the store was, Bob was gone for a while, and nobody else.
        bob, there = self.people[1], self.listeners[1]
        kept = [hearing for place, hearing in self.hearings.items() if place != ('one', 'bob')]
        self.undisturbed(kept, [bob, there])
        self.undisturbed(kept, speakers=(7,))


if __name__ == '__main__':
    if LONG:
        sys.argv.remove('--long')
    tap.main()
