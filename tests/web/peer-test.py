# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst/web/peer.hpp against webrtcbin as a client: connects, is heard both ways, is missed."""

import json
import os
import re
import sys
import time
import unittest
from pathlib import Path

import heard
import tap
from harness import SCALE
from peercase import PeerCase

LONG = '--long' in sys.argv


class Peer(PeerCase):
    def test_both_ways(self):
        """Also without candidates, as libdatachannel and OBS: nothing in the offer, nothing later."""
        peers = self.speak_and_hear(self.host(), {}, {'no_candidates': True})
        self.assertEqual(self.stats(peers[0])['lost'], 0)
        self.reports(peers[1])
        for peer in peers:
            self.assertEqual(peer.delete().status, 200)
            self.server.wait_line(f'session {self.number(peer)} stopped within', 5)

    def reports(self, listener):
        """What the listener is told of its sender: at once, and after 5 s; time and samples agree."""
        def told():
            return [json.loads(line.partition(' ')[2]) for line in listener.output('out').splitlines()
                    if line.startswith('report ')]
        self.until(lambda: len(told()) > 1, 'two reports')
        first, second = told()[:2]
        seconds = second['ntp'] - first['ntp']
        self.assertTrue(4.9 < seconds < 6 * SCALE, (first, second))
        self.assertAlmostEqual(((second['rtp'] - first['rtp']) & 0xffffffff) / heard.RATE, seconds, delta=0.002)
        self.assertAlmostEqual(second['packets'] - first['packets'], 50 * seconds, delta=10 * SCALE)
        self.assertGreater(second['octets'], 20 * second['packets'])
        self.assertLess(abs(second['ntp'] - time.time()), 10)

    def test_answers_soon(self):
        base = self.host()
        peers = [self.peer('hear', f'{base}/hear') for _ in range(3)]
        took = sorted(peer.wait_connected() for peer in peers)
        answers = [int(self.server.wait_line(f'session {self.number(peer)} answered after (\\d+) ms', 5)[1])
                   for peer in peers]
        self.assertLessEqual(min(answers), 50, answers)
        self.assertLessEqual(took[0], 300, took)

    def test_the_peer_is_missed(self):
        base = self.host()
        peers = [self.peer(kind, f'{base}/{kind}', sound=self.wav) for kind in ('speak', 'hear')]
        for peer in peers:
            peer.wait_connected()
            self.until(lambda peer=peer: self.stats(peer)['received'], 'its packets', 15)
        for peer in peers:
            peer.kill()
        began = time.monotonic()
        for peer in peers:
            self.server.wait_line(
                f'session {self.number(peer)} gone .* (nothing came from it|it answered no check)', 18)
            self.assertLess(time.monotonic() - began, 14.5)

    def test_lost_packets_are_counted(self):
        speaker = self.peer('speak', f'{self.host()}/speak', loss_up=0.2)
        speaker.wait_connected()
        stats = self.until(lambda: self.stats(speaker)['lost'] > 20 and self.stats(speaker), 'losses', 15)
        share = stats['lost'] / (stats['lost'] + stats['received'])
        self.assertTrue(0.1 < share < 0.3, stats)

    def test_the_roles_of_dtls(self):
        """ffmpeg offers passive, some clients active."""
        base = self.host()
        ours = {'passive': 'active', 'active': 'passive', 'actpass': 'passive'}
        peers = {setup: self.peer('speak', f'{base}/speak', setup=setup) for setup in ours}
        for setup, peer in peers.items():
            with self.subTest(setup):
                peer.wait_connected()
                self.assertIn(f'a=setup:{ours[setup]}\r\n', peer.answer)

    def test_another_certificate(self):
        """Who answers with DTLS must be who made the offer."""
        base = self.host()
        peer = self.peer('speak', f'{base}/speak', fingerprint='sha-256 ' + ':'.join(['AB'] * 32))
        self.assertEqual(peer.wait_answer(), 201)
        self.server.wait_line(f'session {self.number(peer)} gone .*certificate', 10)

    def held(self):
        """Threads, descriptors and KiB of the server."""
        base = Path(f'/proc/{self.server.pid}')
        pages = int((base / 'statm').read_text().split()[1])
        return (len(list((base / 'task').iterdir())), len(list((base / 'fd').iterdir())),
                pages * os.sysconf('SC_PAGE_SIZE') // 1024)

    def rounds(self, base, count):
        """So many speakers and as many listeners, one after the other of each."""
        peers = [self.peer(kind, f'{base}/{kind}', rounds=count) for kind in ('speak', 'hear')]
        for peer in peers:
            peer.wait_line(f'"number": {count}}}', 60)
            self.assertEqual(peer.wait(), 0)

    def stopped(self, count):
        """Milliseconds of each end, once it has said so many."""
        said = [int(ms) for ms in re.findall(r'stopped within (\d+) ms', self.server.output())]
        self.assertLessEqual(len(said), count)
        return said if len(said) == count else None

    def test_joins_and_leaves(self):
        rounds = 100 if LONG else 20
        # One of its own: what others leave behind isn't counted.
        base = self.host('--ports=0-0')
        self.rounds(base, 20)
        threads, descriptors, before = self.held()
        self.rounds(base, rounds)
        self.until(lambda: self.held()[0] <= threads + 2, 'as many threads as before', 20)
        after = self.held()
        print(f'# {threads}, {descriptors}, {before} KiB before; {after} after')
        self.assertLessEqual(after[1], descriptors + 2)
        # What the allocator keeps: a peer that is lost takes 1.5 MiB.
        self.assertLess(after[2] - before, 3000 * SCALE)
        stopped = self.until(lambda: self.stopped(2 * (20 + rounds)), 'a line for each end')
        self.assertLess(max(stopped), 500)

    def windows(self, sound):
        """The part of one-second windows of speech whose envelope is like what was sent."""
        sent = self.voice
        moved = heard.moved(sound, -heard.shift(sent, sound), len(sent))
        one, other = heard.envelope(sent), heard.envelope(moved)
        rated = [heard.correlation(one[at:at + 100], other[at:at + 100])
                 for at in range(0, len(one) - 100, 100)
                 if one[at:at + 100].max() > 0.25 * one.max()]
        good = sum(1 for value in rated if value > 0.7)
        print(f'# {good} of {len(rated)} windows alike, the least {min(rated):.2f}')
        return good / len(rated)

    @unittest.skipUnless(LONG, 'with --long')
    def test_five_percent_are_lost(self):
        """In-band FEC, and what stands in for the rest, both ways."""
        self.voice = heard.voice('allison', 40)
        heard.write(self.wav, self.voice)
        base = self.host()
        speaker = self.peer('speak', f'{base}/speak?raw={self.tmp}/raw', sound=self.wav, loss_up=0.05)
        listener = self.peer('hear', f'{base}/hear?wav={self.wav}', loss_down=0.05)
        for peer in (speaker, listener):
            peer.wait_connected()
        self.until(lambda: len(self.said()) > 41 * heard.RATE and
                   len(listener.heard()[0]) > 39.5 * heard.RATE, 'the voice', 60)
        self.assertGreaterEqual(self.windows(self.said()), 0.95)
        self.assertGreaterEqual(self.windows(listener.heard()[0]), 0.95)

    def test_ports_and_addresses(self):
        base = self.host('--ports=42000-42040', '--public-ip=203.0.113.7', '--no-loopback')
        peer = self.peer('speak', f'{base}/speak')
        self.assertEqual(peer.wait_answer(), 201)
        told = [line.split() for line in peer.answer.split('\r\n') if line.startswith('a=candidate')]
        self.assertTrue(told)
        for word in told:
            self.assertEqual(word[4], '203.0.113.7')
            self.assertTrue(42000 <= int(word[5]) <= 42040, word)


if LONG:
    sys.argv.remove('--long')
tap.main()
