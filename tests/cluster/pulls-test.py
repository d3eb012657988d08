# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sound between gateways: by RTMPS, and what listeners are told where it can't be had."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import ClusterCase  # noqa: E402
from harness import SCALE, freeze  # noqa: E402
from tlsrig import Authority  # noqa: E402


class Pulls(ClusterCase):
    def relay_of(self, gateway):
        children = Path(f'/proc/{gateway.pid}/task/{gateway.pid}/children').read_text(encoding='ascii').split()
        return next(int(pid) for pid in children
                    if Path(f'/proc/{pid}/comm').read_text(encoding='ascii').startswith('agora-relay'))

    def test_figures(self):
        one, other = self.one_of_many(), self.one_of_many()
        self.speaker(one, 7, 'ann')
        _, ear = self.listener(other, 8, 7)
        ear.listen(5)
        self.until(lambda: self.figure(other, 'agora_relay_pulls') == 1)
        self.assertEqual(self.figure(one, 'agora_relay_pulls'), 0)
        ear.close()
        self.until(lambda: self.figure(other, 'agora_relay_pulls') == 0)
        self.assertEqual(self.figure(other, 'agora_relay_pulls_total{result="ended"}'), 1)
        self.assertEqual(self.figure(other, 'agora_relay_pulls_total{result="failed"}'), 0)

    def test_mute_origin(self):
        """A machine stands still: who listens elsewhere is told where to play anew, and hears it once it goes on."""
        one, other = self.one_of_many(), self.one_of_many()
        self.speaker(one, 7, 'ann')
        listener, ear = self.listener(other, 8, 7)
        ear.listen(5)
        idle = self.member(other, 9, 'audience')
        idle.wait_event('stream-added', 5 * SCALE, uid=7)
        idle.subscribe(7)
        machine = [self.relay_of(one), one.pid]
        self.addCleanup(self.go_on, machine)
        began = time.monotonic()
        for pid in machine:
            freeze(pid)
        url = listener.wait_event('update-url', 5 * SCALE, uid=7)['url']
        took = time.monotonic() - began
        print(f'# told {took:.2f} s after the machine stood still')
        # 2.9 s at most by the limits, and what a machine may be held up.
        self.assertLess(took, 4 * SCALE)
        again = self.ear(url)
        self.assertTrue(ear.peer.closed(2))
        self.until(lambda: self.figure(other, 'agora_relay_pulls_total{result="failed"}') == 1)
        self.go_on(machine)
        again.peer.wait(lambda: len(again.heard()) >= 20, 10, 'its voice')
        # Who doesn't play needs no other URL.
        idle.ping()
        for member in (listener, idle):
            self.assertEqual([event['action'] for event in member.events if 'action' in event], [])

    @staticmethod
    def go_on(machine):
        for pid in machine:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # another relay is in its place

    def test_rtmps(self):
        authority, stranger = Authority(self.tmp), Authority(self.tmp, 'stranger')
        certificate, key = authority.sign()
        self.authority = authority.file
        one, other, third = (
            self.one_of_many(f'--tls-certificate={certificate}', f'--tls-key={key}', '--rtmps-listen=127.0.0.1:0',
                             f'--relay-address=rtmps://{name}127.0.0.1:0', f'--relay-ca-file={trusted.file}')
            for name, trusted in (('localhost@', authority), ('', authority), ('', stranger)))
        self.speaker(one, 7, 'ann')
        _, ear = self.listener(other, 8, 7)
        self.assertEqual({name for name, _, _ in ear.listen(20)}, {'ann'})
        # By one that doesn't trust it, nothing is heard, and the log says why.
        listener, deaf = self.listener(third, 9, 7)
        third.wait_line(r'could not pull \S+: 127\.0\.0\.1:\d+: TLS: certificate verify failed: '
                        'unable to get local issuer certificate', 5 * SCALE)
        listener.wait_event('update-url', 5 * SCALE, uid=7)
        self.assertTrue(deaf.peer.closed(2))
        # Until it is told better.
        stranger.file.write_bytes(authority.file.read_bytes())
        third.signal(signal.SIGHUP)
        third.wait_line('Reloaded', 5 * SCALE)
        self.assertEqual({name for name, _, _ in self.ear(listener.subscribe(7)).listen(20)}, {'ann'})
        self.assertTrue(third.running())


if __name__ == '__main__':
    tap.main()
