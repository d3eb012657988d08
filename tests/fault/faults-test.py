# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host and a listener in pipelines that play, through each fault: the sound comes back by itself.

Whatever breaks, the application sees neither an error nor the end of the stream nor a change of
state. What was measured is printed as a table when all is over.
"""

import os
import signal
import statistics
import sys
import time
import unittest
from urllib.parse import urlsplit

import tap
from chooser import Chooser
from faultrig import TICK, TICKS, UID, FaultCase, alive, sent_levels, sockets_to
from harness import SCALE, Gateway
from tcpway import Way

LONG = '--long' in sys.argv


class Cut(FaultCase):
    def test_push_dropped(self):
        begin = self.now()
        self.media.drop(self.host)
        self.told(self.host)
        back = self.steady(begin)
        self.untouched()
        self.row('RTMP of the host dropped by the server', begin, back, 1)

    def test_play_dropped(self):
        begin = self.now()
        self.media.drop(self.listener)
        back = self.steady(begin)
        self.untouched()
        self.row('RTMP of the listener dropped by the server', begin, back, 1)

    def test_play_dropped_twice(self):
        """The second time as soon as it is heard again: its next session begins half a second after the one before."""
        self.now()
        self.media.drop(self.listener)
        self.until(lambda: self.media.sessions_of(self.listener) == 1, 'another session')
        opened = time.monotonic()
        self.until(lambda: time.monotonic() - opened >= 0.2, 'a fifth of a second')
        begin = time.monotonic()
        self.media.drop(self.listener)
        back = self.steady(begin)
        self.untouched()
        self.row('the same twice within a quarter of a second', begin, back, 1)


class Server(FaultCase):
    def test_relay_killed(self):
        begin = self.now()
        self.media.signal(signal.SIGKILL)
        self.told(self.host)
        back = self.steady(begin)
        self.untouched()
        self.row('agora-relay killed', begin, back, 0.5)

    def test_relay_frozen(self):
        begin = self.now()
        self.media.signal(signal.SIGSTOP)
        # Ended as what doesn't answer: whoever froze it needs not thaw it.
        self.gate.wait_line("agora-relay doesn't answer", 6)
        noticed = time.monotonic()
        self.assertLessEqual(noticed - begin, 3 * SCALE)
        self.gate.wait_line('agora-relay serves again', 6)
        reachable = time.monotonic()
        self.told(self.host, self.listener)
        back = self.steady(reachable)
        self.untouched()
        self.row(f'agora-relay frozen (noticed after {noticed - begin:.1f} s), replaced', reachable,
                 back, 2, self.gap(begin))

    def test_relay_frozen_and_thawed(self):
        frozen = self.now()
        self.media.signal(signal.SIGSTOP)
        self.silence(frozen)
        self.until(lambda: time.monotonic() - frozen >= 1.5, 'a second and a half')
        begin = time.monotonic()
        self.media.signal(signal.SIGCONT)
        back = self.steady(begin)
        self.untouched()
        self.row('agora-relay frozen for 1.5 s, thawed', begin, back, 2, self.gap(frozen))


class Publisher(FaultCase):
    def test_killed_and_replaced(self):
        self.now()
        self.host.signal(signal.SIGKILL)
        self.host.wait()
        self.silence(time.monotonic())
        begin = self.again()
        back = self.steady(begin)
        self.untouched(self.listener)
        self.row('host killed, another takes its uid', begin, back, 1)

    def test_killed_for_good(self):
        """It never comes back, and nobody is told that it has."""
        self.now()
        self.host.signal(signal.SIGKILL)
        self.host.wait()
        self.event(self.listener, f'reconnecting, .*uid=.*{UID};')
        self.event(self.listener, f'stream-removed, uid=.*{UID};')
        self.assertNotIn('agora-reconnected', self.since(self.listener))

    def test_leaves_and_returns(self):
        self.now()
        self.assertEqual(self.host.interrupt(), 0, self.host.tail())
        self.event(self.listener, f'stream-removed, uid=.*{UID};')
        begin = self.again()
        self.event(self.listener, f'stream-added, uid=.*{UID};')
        back = self.steady(begin)
        self.untouched(self.listener)
        self.row('host leaves and returns', begin, back, 1)

    def again(self):
        """A new process; the time at which it plays."""
        self.host = self.speak()
        self.host.wait_line('^New clock')
        return next(self.host.started + at for at, _, text in self.host.lines
                    if text.startswith('New clock'))


class Signalling(FaultCase):
    def join(self):
        self.way = Way(self.gate.ws)
        self.addCleanup(self.way.close)
        self.gate.ws = self.way.url
        super().join()

    def test_cut_while_sound_flows(self):
        begin = self.now()
        self.assertEqual(self.way.cut(), 4)
        self.told(self.host, self.listener)
        self.steady(begin)
        self.untouched()
        # A busy machine may be late for some blocks. Sound that stopped with them would be away for a second.
        self.row('WebSockets of both cut', begin, begin + self.gap(begin), 0.2)


class GatewayGone(FaultCase):
    def test_killed_and_started_again(self):
        ws, rtmp = urlsplit(self.gate.ws), urlsplit(self.gate.rtmp)
        begin = self.now()
        self.gate.signal(signal.SIGKILL)
        self.gate.wait()
        self.until(lambda: not alive(self.media.pid), 'the end of its relay')
        self.gate = self.keep(Gateway(
            f'--listen={ws.netloc}', f'--rtmp-listen={rtmp.netloc}', '--app=demo', defaults=False))
        up = time.monotonic()
        self.told(self.host, self.listener)
        back = self.steady(up)
        self.untouched()
        self.row('gateway killed, started again', up, back, 5, self.gap(begin))


class Moved(FaultCase):
    """Everybody goes over to another gateway, and hears on meanwhile."""
    level_interval = 10_000_000

    def gateway(self, *options, **keywords):
        return super().gateway('--drain=60', *options, **keywords)

    def join(self):
        self.other = super().gateway()
        self.chooser = Chooser(self.gate.ws)
        self.addCleanup(self.chooser.close)
        self.where = f'ap-url=http://127.0.0.1:{self.chooser.server_port}/'
        super().join()

    def test_gateway_drains(self):
        begin = self.now()
        self.chooser.url = self.other.ws
        self.gate.signal(signal.SIGTERM)
        self.told(self.host, self.listener)
        # It ends with the last one, and takes its relay with it: all sound is the other's.
        self.assertEqual(self.gate.wait(40), 0)
        self.steady(time.monotonic())
        self.untouched()
        # Nor is it told of the speaker's going and coming.
        self.assertNotIn('agora-stream-', self.since(self.listener))
        gap = self.gap(begin)
        # A move that is no make-before-break takes longer; a busy machine may lose a block.
        self.row('gateway drains, both move to another', begin, begin + gap, 0.2)


class Stopped(FaultCase):
    sound = TICKS
    level_interval = 10_000_000

    def steady(self, since=0, timeout=15):
        """Three ticks in a row that came over in the same time: that delay, and when they began."""
        sent = sent_levels(self.host)

        def settled():
            sources, delays = sent.onsets(since - TICK), []
            for at in self.levels.onsets(since):
                before = [source for source in sources if source < at]
                if before:
                    delays.append((at, at - before[-1]))
            for three in zip(delays, delays[1:], delays[2:]):
                times = [delay for _, delay in three]
                if max(times) - min(times) < 0.05 * SCALE and max(times) < self.longest:
                    return statistics.median(times), three[0][0]
            return None

        return self.until(settled, 'ticks in time', timeout)

    def join(self):
        self.longest = TICK
        super().join()

    @unittest.skipIf(LONG, 'short')
    def test_whole_listener_for_five_seconds(self):
        self.stopped(5)

    @unittest.skipUnless(LONG, 'takes its time')
    def test_whole_listener_for_a_minute(self):
        self.stopped(60)

    def stopped(self, seconds):
        before, _ = self.steady()
        self.now()
        self.listener.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        self.until(lambda: time.monotonic() - stopped >= seconds, 'the time', seconds + 5)
        begin = time.monotonic()
        self.listener.signal(signal.SIGCONT)
        self.longest = before + 0.1 * SCALE
        after, back = self.steady(begin)
        self.untouched()
        self.row(f'listener stopped for {seconds} s ({before * 1000:.0f} ms late before, '
                 f'{after * 1000:.0f} after)', begin, back, 3, 0)


if __name__ == '__main__':
    if LONG:
        sys.argv.remove('--long')
    tap.main()
