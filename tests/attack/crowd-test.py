# SPDX-License-Identifier: LGPL-2.1-or-later
"""Crowds that come and go: what 2000 members hear of it, and an end that is not put off.

--long: more of it.
"""

import os
import signal
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

import tap
from harness import SCALE, wait_until
from kit import AttackCase, opening_for
from wsclient import Closed, Member

LONG = '--long' in sys.argv
SANITIZED = os.environ.get('AGORA_SANITIZE', 'none') != 'none'
CROWD = 2000 if not SANITIZED else 300


class Storm:
    """Does `action` over and over on `count` threads, whatever comes of it."""

    def __init__(self, action, count=4):
        self.done = 0
        self.stopped = False
        self.threads = [threading.Thread(target=self._run, args=(action, ), daemon=True)
                        for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, action):
        while not self.stopped:
            try:
                action()
                self.done += 1
            except (OSError, Closed, AssertionError):
                pass

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join(20)


class Crowd(AttackCase):
    options = (f'--max-sockets-per-address={2 * CROWD}', '--max-requests-per-second=1000',
               '--max-join-seconds=60')

    def setUp(self):
        super().setUp()
        self.crowd = []
        self.addCleanup(lambda: [each.close() for each in self.crowd])
        for i in range(CROWD):
            self.crowd.append(Member(self.served.ws, uid=1000 + i, channel='hall', timeout=20))
        ids = [each.send_join('audience') for each in self.crowd]
        for each, request in zip(self.crowd, ids):
            self.assertEqual(each.wait_answer(request, 30)['code'], 200)

    def keep_alive(self):
        """A frame of each in time, as clients send; what they hear is read."""
        ids = [each.send_ping() for each in self.crowd]
        for each, request in zip(self.crowd, ids):
            each.wait_answer(request, 20)

    def test_joining_and_leaving_without_end(self):
        def come_and_go():
            member = Member(self.served.ws, channel='hall', timeout=10)
            try:
                member.join('broadcaster')
                member.send_request('leave', uid=member.uid)
            finally:
                member.close()

        self.keep_alive()
        before = self.resident()
        with self.witness():
            storm = Storm(come_and_go)
            end = time.monotonic() + (30 if LONG else 5)
            while time.monotonic() < end:
                self.keep_alive()
            storm.stop()
        self.assertGreater(storm.done, 100)
        print(f'# {storm.done} came and went')
        self.assertLess(self.resident() - before, 8 * 1024 * SCALE)
        # They are all in still, and hear of nobody who published nothing.
        self.assertEqual([each.events for each in self.crowd if each.events], [])

    def test_publishing_and_taking_back_without_end(self):
        """Handed out URLs, without sound behind them: nobody is told of anything."""
        host = self.member(uid=5, channel='hall').join()
        with self.witness():
            end = time.monotonic() + (20 if LONG else 4)
            while time.monotonic() < end:
                for _ in range(20):
                    host.ask('publish', uid=5)
                    host.ask('unpublish', uid=5)
                self.keep_alive()
        self.assertEqual([each.events for each in self.crowd if each.events], [])


class Watched(AttackCase):
    """Members who are told who comes and goes, and a crowd that does."""
    WATCHERS = 300
    # What one channel's members are told of that by all that is allowed, and what one change costs.
    SHARE = 25_000 / 5
    options = (f'--max-sockets-per-address={2 * CROWD}', '--max-requests-per-second=1000',
               '--max-join-seconds=60', '--show-members=demo')

    def test_a_crowd_at_the_door(self):
        knows = {'features': ['names']}
        watchers = [self.member(uid=1000 + i, channel='hall', timeout=20).join('audience', **knows)
                    for i in range(self.WATCHERS)]
        lists = [wait_until(lambda each=each: each.ask('members').get('serverResponse'), 20 * SCALE, 'a list')
                 for each in watchers]
        known = [{each['uid'] for each in answer['members']} for answer in lists]

        def learn():
            """The events of all since."""
            ids = [each.send_ping() for each in watchers]
            count = 0
            for each, request, uids in zip(watchers, ids, known):
                each.wait_answer(request, 20)
                for event in each.events:
                    (uids.add if event['action'] == 'member-joined' else uids.discard)(event['uid'])
                count += len(each.events)
                each.events.clear()
            return count

        def come_and_go():
            member = Member(self.served.ws, channel='hall', timeout=10)
            try:
                member.join('audience', name='One of many', **knows)
                member.send_request('leave', uid=member.uid)
            finally:
                member.close()

        expected = [{other.uid for other in watchers if other is not each} for each in watchers]
        self.until_all(learn, known, expected)
        before = self.resident()
        with self.witness():
            storm, events = Storm(come_and_go), 0
            began = time.monotonic()
            while (passed := time.monotonic() - began) < (30 if LONG else 5):
                events += learn()
            storm.stop()
        print(f'# {storm.done} came and went in {passed:.1f} s, {events} events to {len(watchers)}')
        self.assertGreater(storm.done, 100)
        # The last change may overdraw it.
        self.assertLess(events, self.SHARE * (passed + 0.25) + 2 * self.WATCHERS)
        self.assertLess(self.resident() - before, 8 * 1024 * SCALE)
        self.until_all(learn, known, expected)

    def until_all(self, learn, known, expected):
        """What was told by and by is what there is."""
        def same():
            learn()
            return known == expected
        wait_until(same, 60 * SCALE, 'one list at all of them')


class Draining(AttackCase):
    SECONDS = 4
    options = (f'--drain={SECONDS}', )

    def test_an_attack_puts_off_nothing(self):
        members = [self.member(uid=10 + i).join() for i in range(20)]
        where = urlsplit(self.served.http)

        def knock():
            with socket.create_connection((where.hostname, where.port), 2) as client:
                client.sendall(opening_for())
                client.recv(200)

        def join():
            member = Member(self.served.ws, uid=7, timeout=2)
            try:
                member.wait_answer(member.send_join(), 2)
            finally:
                member.close()

        storms = [Storm(knock, 2), Storm(join, 2)]
        began = time.monotonic()
        self.served.signal(signal.SIGTERM)
        told, slowest = set(), 0.0
        # None of them goes, so that it takes all of its time.
        while len(told) < len(members) and time.monotonic() - began < self.SECONDS:
            for member in members:
                asked = time.monotonic()
                member.ping()
                slowest = max(slowest, time.monotonic() - asked)
                if any(event.get('code') == 503 for event in member.events):
                    told.add(member.uid)
        print(f'# told {len(told)} in {time.monotonic() - began:.1f} s, slowest ping {slowest:.3f} s')
        self.assertEqual(len(told), len(members))
        self.assertLess(slowest, 1.0 * SCALE)
        self.assertEqual(self.served.wait(self.SECONDS + 4), 0)
        self.assertGreater(time.monotonic() - began, self.SECONDS - 1)
        for storm in storms:
            storm.stop()


if __name__ == '__main__':
    sys.argv = [word for word in sys.argv if word != '--long']
    tap.main()
