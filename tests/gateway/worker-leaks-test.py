# SPDX-License-Identifier: LGPL-2.1-or-later
"""What agora-web leaves behind of a speaker and a listener that came and went: for AddressSanitizer alone.

tests/worker-lsan.supp names what others leak. Its lines name libraries, which a stack of ours may have below:
stacks are cut to so few calls that only those match whose library allocated by itself.
"""

import os
import re
import signal
import unittest
from pathlib import Path

import heard
import tap
from harness import Case
from webpeer import WebPeer

TESTS = Path(__file__).resolve().parent.parent
CALLS = 10


class Leaks(Case):
    def setUp(self):
        super().setUp()
        if 'address' not in os.environ.get('AGORA_SANITIZE', 'none'):
            raise unittest.SkipTest('for a build with AddressSanitizer')
        supp = self.tmp / 'supp'
        supp.write_text((TESTS / 'lsan.supp').read_text() + (TESTS / 'worker-lsan.supp').read_text())
        self.log = self.tmp / 'report'
        options = f'{os.environ.get("ASAN_OPTIONS", "")}:detect_leaks=1:log_path={self.log}'
        self.served = self.gateway(
            '--web', '--web-workers=1', f'--web-program={Path(os.environ["AGORA_BUILD_ROOT"], "gst", "web", "agora-web")}',
            ready_timeout=30,
            env={'ASAN_OPTIONS': f'{options}:fast_unwind_on_malloc=0:malloc_context_size={CALLS}',
                 'LSAN_OPTIONS': f'suppressions={supp}:print_suppressions=1'})

    def worker(self):
        children = Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text().split()
        return next(int(each) for each in children if 'agora-web' in Path(f'/proc/{each}/cmdline').read_text())

    def test_a_speaker_and_a_listener(self):
        heard.write(self.tmp / 'voice.wav', heard.voice('june', 4))
        speaker = self.keep(WebPeer('speak', f'{self.served.http}/whip/demo/room', sound=self.tmp / 'voice.wav'))
        listener = self.keep(WebPeer('hear', f'{self.served.http}/whep/demo/room'))
        for peer in (speaker, listener):
            peer.wait_connected(20)
        self.until(lambda: abs(listener.heard()[0]).max(initial=0) > 0.01, 'the voice', 20)
        for peer in (speaker, listener):
            self.assertEqual(peer.delete().status, 200)
        worker = self.worker()
        # The gateway would end it before it has looked at all that it holds.
        self.served.signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGTERM)
        self.until(lambda: Path(f'/proc/{worker}/stat').read_text().rpartition(')')[2].split()[0] == 'Z',
                   'the end of agora-web', 30)
        self.served.signal(signal.SIGCONT)
        report = Path(f'{self.log}.{worker}')
        # That there is one shows that it looked.
        self.assertTrue(report.exists(), 'no report of LeakSanitizer')
        text = report.read_text()
        self.assertIn('Suppressions used', text)
        self.assertIsNone(re.search(r'ERROR: |runtime error', text), text)


if __name__ == '__main__':
    tap.main()
