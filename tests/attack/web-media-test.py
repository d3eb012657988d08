# SPDX-License-Identifier: LGPL-2.1-or-later
"""Peers that speak as no voice does: more packets, more sources, more sound than there is time."""

import os
import time
from pathlib import Path

import kit  # noqa: F401  # puts the folder of harness on the path
import tap
from harness import SCALE, Case
from webevil import EvilPeer
from webpeer import request


class Media(Case):
    def setUp(self):
        super().setUp()
        self.server = self.start(os.environ['AGORA_PEER_HOST_BIN'])
        self.base = f'http://127.0.0.1:{self.server.wait_line(r"^listening on (.*)", 30)[1]}'
        self.raw = Path(f'{self.tmp}/raw')

    def status(self, name):
        with open(f'/proc/{self.server.popen.pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name))

    def busy(self):
        with open(f'/proc/{self.server.popen.pid}/stat', encoding='ascii') as stat:
            fields = stat.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def attack(self, mode):
        """Seconds of sound, and what it cost: KiB of memory, threads, seconds of a processor."""
        peer = self.keep(EvilPeer(f'{self.base}/speak?raw={self.raw}', mode))
        peer.wait_connected()
        before = self.status('VmRSS'), self.status('Threads'), self.busy()
        peer.wait_line('^sent', 30)
        cost = [now - then for now, then in zip(
            (self.status('VmRSS'), self.status('Threads'), self.busy()), before)]
        sound = self.raw.stat().st_size / 2 / 48000
        print(f'# {mode}: {sound:.2f} s of sound; {cost[0]} KiB, {cost[1]} threads, {cost[2]:.2f} s')
        peer.stop()
        return sound, cost

    def still_serves(self):
        peer = self.keep(EvilPeer(f'{self.base}/speak?raw={self.raw}', 'plain'))
        peer.wait_connected()
        peer.wait_line('^sent', 30)
        self.assertGreater(self.raw.stat().st_size, 48000 * 2 * 0.8)

    def test_each_packet_has_a_source_of_its_own(self):
        _, (memory, threads, _) = self.attack('sources')
        self.assertLess(memory, 8 * 1024 * SCALE)
        self.assertLess(threads, 16)
        self.still_serves()

    def test_a_flood(self):
        """It is ended, and costs nearly nothing."""
        _, (memory, _, busy) = self.attack('flood')
        self.server.wait_line('session 1 gone .*far more than a voice', 5)
        self.assertLess(memory, 8 * 1024 * SCALE)
        self.assertLess(busy, 1.5 * SCALE)
        self.still_serves()

    def test_more_sound_than_time(self):
        began = time.monotonic()
        sound, (_, _, busy) = self.attack('long')
        took = time.monotonic() - began
        self.assertLess(sound, 1.1 * took + 3.5)
        self.assertLess(busy, 1.5 * SCALE)

    def test_jumping_numbers_and_rubbish(self):
        _, (memory, threads, _) = self.attack('jumps')
        self.assertLess(memory, 8 * 1024 * SCALE)
        self.assertLess(threads, 16)
        self.still_serves()
        self.assertEqual(request('GET', f'{self.base}/session/99').status, 404)


tap.main()
