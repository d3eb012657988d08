# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks in a cluster while pipelines speak and listen at several gateways: who is told, and when sound is back.

Speakers and listeners are agorasink and agorasrc, which find their way by themselves; beside them are members by hand, which don't.
What was measured is printed as a table when all is over.
"""

import email.utils
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / 'fault'), str(HERE.parent / 'gateway')]
import tap  # noqa: E402
from chooser import Chooser  # noqa: E402
from clusterrig import ClusterCase, Listener  # noqa: E402
from faultrig import children  # noqa: E402
from harness import SCALE, freeze  # noqa: E402
from tcpway import Way  # noqa: E402
from webhooks import Receiver  # noqa: E402
from wsclient import Closed  # noqa: E402

TONE = 'audiotestsrc is-live=true samplesperbuffer=480'


class MuteWay(Way):
    """To a relay, until it says no word more."""

    def __init__(self):
        self.mute = False
        super().__init__('rtmp://127.0.0.1:0')

    def reach(self):
        return None if self.mute else super().reach()

    def pump(self, source, target):
        way = self

        class End:
            @staticmethod
            def sendall(data):
                if not way.mute:
                    target.sendall(data)

            @staticmethod
            def shutdown(how):
                if not way.mute:
                    target.shutdown(how)
        super().pump(source, End)


class FaultCase(ClusterCase):
    table = []

    @classmethod
    def tearDownClass(cls):
        for row in cls.table:
            print(f'# {row}', file=sys.__stdout__, flush=True)
        cls.table.clear()

    def row(self, fault, what, took, bound):
        self.table.append(f'{fault:<32} {what:<52} {took:6.2f} s of {bound:g}')
        self.assertLessEqual(took, bound * SCALE, f'{fault}: {what}')

    def sent_to(self, gateway):
        """Where an element asks for its gateway; `url` may be changed."""
        chooser = Chooser(gateway.ws)
        self.addCleanup(chooser.close)
        chooser.ask_at = f'http://127.0.0.1:{chooser.server_port}/'
        return chooser

    def host(self, chooser, uid):
        return self.launch(f'{TONE} ! agorasink name=host ap-url={chooser.ask_at} app-id=demo channel=room uid={uid}', '-m')

    def listen(self, chooser, uid, *speakers):
        ear = Listener(self, chooser.ask_at, uid)
        self.until(lambda: ear.hears(*speakers), 'sound', 20)
        return ear

    def told(self, member, action, since, timeout, **fields):
        member.wait_event(action, timeout * SCALE, **fields)
        return time.monotonic() - since

    def silent(self, ear, uid):
        self.until(lambda: uid not in ear.update()[-1][1], f'the silence of {uid}')

    def back(self, ear, uid, since, timeout=15):
        """How long it took until a speaker was heard again without a gap."""
        self.silent(ear, uid)
        self.until(lambda: ear.hears(uid), f'the sound of {uid}', timeout)
        return ear.steady_since(uid, since) - since


class Gateways(FaultCase):
    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        secret = self.tmp / 'webhook-secret'
        secret.write_text('a-secret-that-signs\n')
        self.one = self.one_of_many()
        self.other = self.one_of_many(f'--webhook-url={self.receiver.url}', f'--webhook-secret-file={secret}')

    def webhooks(self, *uids):
        return sorted((event['payload']['uid'], event['eventType']) for event in self.receiver.events()
                      if event['payload'].get('uid') in uids)

    def test_killed(self):
        at_one, at_other = self.sent_to(self.one), self.sent_to(self.other)
        returns = self.host(at_one, 7)
        self.speaker(self.one, 6, 'ann')
        self.member(self.one, 5, 'audience')
        self.host(at_other, 8)
        ear = self.listen(at_other, 9, 7, 8)
        watcher = self.member(self.other, 10, 'audience')
        for uid in (6, 7, 8):
            watcher.wait_event('stream-added', 5 * SCALE, uid=uid)
        at_one.url = self.other.ws
        begin = time.monotonic()
        self.one.signal(signal.SIGKILL)
        self.row('gateway killed', 'sound of a speaker that returns', self.back(ear, 7, begin), 5)
        self.row('gateway killed', 'stream-removed of one that does not',
                 self.told(watcher, 'stream-removed', begin, 9, uid=6), 9)
        self.until(lambda: self.redis.say('HLEN', 'ag:{demo/room}:m') == b':4', 'the end of its members', 16)
        self.row('gateway killed', 'out of queries', time.monotonic() - begin, 16)
        # The other one's receiver is told of those that went, and of nobody who came back.
        self.until(lambda: len(self.webhooks(5, 6)) == 2, 'the webhooks of its members')
        self.assertEqual(self.webhooks(5, 6, 7), [(5, 106), (6, 104)])
        watcher.ping()
        self.row('gateway killed', 'silence of a speaker elsewhere', ear.silence(8, begin)[0], 0.02)
        self.assertFalse([each for each in watcher.events if each.get('action') == 'stream-removed'])
        self.assertNotIn('ERROR', returns.output() + ear.process.output())

    def test_frozen(self):
        """Long enough to be taken for dead. Meanwhile one of its members is another's."""
        at_one, at_other = self.sent_to(self.one), self.sent_to(self.other)
        self.host(at_one, 7)
        first = self.member(self.one, 5, 'audience')
        self.host(at_other, 8)
        ear = self.listen(at_other, 9, 7, 8)
        watcher = self.member(self.other, 10, 'audience')
        watcher.wait_event('stream-added', 5 * SCALE, uid=7)
        frozen = begin = time.monotonic()
        self.one.signal(signal.SIGSTOP)
        second = self.member(self.other, 5, 'audience')
        self.row('gateway frozen', 'stream-removed', self.told(watcher, 'stream-removed', begin, 9, uid=7), 9)
        self.silent(ear, 7)
        self.one.signal(signal.SIGCONT)
        begin = time.monotonic()
        self.row('gateway frozen, thawed', 'stream-added', self.told(watcher, 'stream-added', begin, 5, uid=7), 2)
        with self.assertRaises(Closed) as closed:
            while True:
                first.receive(5 * SCALE)
        self.assertEqual(closed.exception.code, 4001)
        second.ping()
        self.until(lambda: ear.hears(7, 8), 'both', 10)
        self.row('gateway frozen, thawed', 'sound is back', ear.steady_since(7, begin) - begin, 3)
        self.row('gateway frozen', 'silence of a speaker elsewhere', ear.silence(8, frozen)[0], 0.02)
        self.until(lambda: [self.health(each)['members'] for each in (self.one, self.other)] == [1, 4], 'one owner of each uid')


class Relays(FaultCase):
    """Of the gateway at which a speaker is, while it is heard at another."""

    def setUp(self):
        super().setUp()
        self.way = MuteWay()
        self.addCleanup(self.way.close)
        self.one = self.one_of_many(relay=f'127.0.0.1:{self.way.port}')
        self.way.target = ('127.0.0.1', urlsplit(self.one.rtmp).port)
        self.other = self.one_of_many()
        self.host(self.sent_to(self.one), 7)
        self.heard = self.listen(self.sent_to(self.other), 9, 7)
        self.watcher, self.by_hand = self.listener(self.other, 10, 7)
        self.until(lambda: self.by_hand.peer.read().media())

    def ended(self, begin):
        self.assertTrue(self.by_hand.peer.closed(5))
        return time.monotonic() - begin

    def test_killed(self):
        begin = time.monotonic()
        os.kill(children(self.one.pid)[0], signal.SIGKILL)
        self.row("origin's relay killed", 'heard again at another gateway', self.back(self.heard, 7, begin), 3)
        self.nobody_was_told()

    def test_frozen(self):
        begin = time.monotonic()
        freeze(children(self.one.pid)[0])
        self.row("origin's relay frozen", 'listeners elsewhere are told', self.ended(begin), 3)
        self.row("origin's relay frozen", 'heard again at another gateway', self.back(self.heard, 7, begin), 6)

    def test_mute(self):
        begin = time.monotonic()
        self.way.mute = True
        self.row("origin's relay mute", 'listeners elsewhere are told', self.ended(begin), 3)
        # Who comes then is told as soon.
        begin = time.monotonic()
        self.by_hand = self.ear(self.watcher.subscribe(7))
        self.row("origin's relay mute", 'a new listener is told', self.ended(begin), 3)
        self.way.mute = False
        self.way.cut()
        begin = time.monotonic()
        self.row("origin's relay mute, speaks again", 'heard again', self.back(self.heard, 7, begin), 5)
        self.nobody_was_told()

    def nobody_was_told(self):
        self.watcher.ping()
        self.assertFalse([each for each in self.watcher.events if each.get('action') == 'stream-removed'])


class Clocks(FaultCase):
    """The wall clock of one gateway is wrong."""

    def test_an_hour_ahead(self):
        self.with_clock('+1h')

    def test_an_hour_behind(self):
        self.with_clock('-1h')

    def with_clock(self, off):
        library = next(Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1'))
        wrong = self.one_of_many(env={'LD_PRELOAD': f'{os.environ.get("AGORA_TEST_PRELOAD", "")} {library}', 'FAKETIME': off,
                                      'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'DONT_FAKE_MONOTONIC': '1'})
        right = self.one_of_many()
        with urllib.request.urlopen(wrong.http + '/healthz', timeout=5) as answer:
            date = email.utils.parsedate_to_datetime(answer.headers['Date']).timestamp()
        self.assertAlmostEqual(abs(date - time.time()), 3600, delta=60)
        self.speaker(wrong, 7, 'ann')
        self.speaker(right, 8, 'bob')
        for gateway, uid in ((wrong, 17), (right, 18)):
            _, ear = self.listener(gateway, uid, 7)
            ear.listen(10)
            _, ear = self.listener(gateway, uid + 10, 8)
            ear.listen(10)


if __name__ == '__main__':
    tap.main()
