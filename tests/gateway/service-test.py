# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway as a service: what it tells its manager, by a real socket, and what its unit lets it do."""

import os
import shutil
import signal
import socket
import subprocess
import unittest
from pathlib import Path

import tap
from harness import SCALE, Case, Gateway, readable, wait_until

BUILD = Path(os.environ['AGORA_BUILD_ROOT'])
UNIT = BUILD / 'signaling' / 'gateway' / 'agora-gateway.service'
NOTIFIES = 'Type=notify' in UNIT.read_text()


@unittest.skipUnless(NOTIFIES, 'built without libsystemd')
class Notify(Case):
    def setUp(self):
        super().setUp()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.address = str(self.tmp / 'notify')
        self.manager.bind(self.address)
        self.manager.settimeout(10 * SCALE)
        self.env = {'NOTIFY_SOCKET': self.address}

    def told(self):
        """The next datagram, as a dictionary."""
        return dict(line.split('=', 1) for line in self.manager.recv(65536).decode().splitlines())

    def told_of(self, name):
        """The next one that says so."""
        while name not in (words := self.told()):
            pass
        return words

    def quiet(self):
        self.assertFalse(readable(self.manager, 0))

    def test_ready_means_that_ports_listen(self):
        # A relay that begins when it is let.
        gate, relay = self.tmp / 'gate', self.tmp / 'relay'
        os.mkfifo(gate)
        program = Path(os.environ['AGORA_GATEWAY_BIN']).parents[1] / 'relay' / 'agora-relay'
        relay.write_text(f'#!/bin/sh\nread -r line < {gate}\nexec {program} "$@"\n')
        relay.chmod(0o755)
        gateway = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                             '--rtmp-listen=127.0.0.1:0', f'--relay={relay}', env=self.env)
        with open(gate, 'w', encoding='ascii') as opened:  # once the relay reads it
            self.quiet()
            opened.write('go\n')
        words = self.told()
        self.assertEqual(words['READY'], '1')
        ready = gateway.wait_line(Gateway.READY, which='out')
        self.assertEqual(words['STATUS'], 'Serving: ' + ready[0].removeprefix('ready '))
        for url in (ready['http'], ready['rtmp']):
            host, port = url.split('/')[2].split(':')
            socket.create_connection((host, int(port)), timeout=5).close()
        self.quiet()

    def test_reloads_and_the_end(self):
        apps = self.tmp / 'apps'
        apps.write_text('demo\n')
        apps.chmod(0o600)
        gateway = self.gateway(f'--app-file={apps}', '--drain=100', '--app=other', env=self.env)
        status = self.told_of('READY')['STATUS']
        gateway.signal(signal.SIGHUP)
        self.assertGreater(int(self.told_of('RELOADING')['MONOTONIC_USEC']), 0)
        self.assertEqual(self.told(), {'READY': '1', 'STATUS': status})
        # One that changes nothing isn't the end of serving, and can be read in the status.
        apps.write_text('# none any more\n')
        gateway.signal(signal.SIGHUP)
        self.told_of('RELOADING')
        words = self.told()
        self.assertEqual(words['READY'], '1')
        self.assertRegex(words['STATUS'], f'^{status}; the last reload changed nothing: .*apps')
        gateway.signal(signal.SIGTERM)
        words = self.told_of('STOPPING')
        # What members have to move is known here, not in the unit.
        self.assertGreaterEqual(int(words['EXTEND_TIMEOUT_USEC']), 100_000_000)
        self.assertEqual(gateway.wait(10), 0)

    def test_the_main_loop_feeds_the_watchdog(self):
        every = 0.2 * SCALE
        gateway = self.gateway(env={**self.env, 'WATCHDOG_USEC': str(int(every * 2 * 1e6))})
        for _ in range(4):
            self.told_of('WATCHDOG')
        # Nobody but the loop does: a process that stands still says nothing.
        gateway.signal(signal.SIGSTOP)
        wait_until(lambda: Path(f'/proc/{gateway.pid}/stat').read_text().split()[2] == 'T', what='its standstill')
        self.manager.settimeout(0.05)
        with self.assertRaises(TimeoutError):
            while True:
                self.manager.recv(65536)
        self.manager.settimeout(every * 3)
        with self.assertRaises(TimeoutError):
            self.manager.recv(65536)
        gateway.signal(signal.SIGCONT)
        self.manager.settimeout(10 * SCALE)
        self.told_of('WATCHDOG')

    def test_children_don_t_know_the_manager(self):
        gateway = self.gateway(env={**self.env, 'WATCHDOG_USEC': '30000000'})
        child = wait_until(lambda: Path(f'/proc/{gateway.pid}/task/{gateway.pid}/children').read_text().split(),
                           what='a relay')[0]
        names = {entry.split(b'=')[0] for entry in Path(f'/proc/{child}/environ').read_bytes().split(b'\0')}
        self.assertIn(b'PATH', names)
        self.assertEqual(names & {b'NOTIFY_SOCKET', b'WATCHDOG_USEC', b'WATCHDOG_PID'}, set())


@unittest.skipUnless(shutil.which('systemd-analyze'), 'no systemd-analyze')
class Unit(Case):
    def test_what_it_lets_the_gateway_do(self):
        """At most 2.0 of the 10 that systemd-analyze knows; 1.6 when this was written."""
        done = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--threshold=20', '--no-pager', UNIT],
                              capture_output=True, text=True, check=False)
        print('# ' + done.stdout.strip().splitlines()[-1])
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)


if __name__ == '__main__':
    tap.main()
