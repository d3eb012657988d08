# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo, tests/conversation.py: what it says, what it leaves behind, and how it is ended."""

import os
import signal
import sys
from pathlib import Path

import heard
import tap
from harness import Case


def parent(pid):
    """0: there is none such, or it only waits to be reaped."""
    try:
        state, pid = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[:2]
        return 0 if state == 'Z' else int(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def name(pid):
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ''


class DemoTest(Case):
    def demo(self, *options):
        self.folder = self.tmp / 'tmp'
        self.folder.mkdir(exist_ok=True)
        path = f'{Path(os.environ["AGORA_GATEWAY_BIN"]).parent}:{os.environ["PATH"]}'
        script = Path(__file__).resolve().parents[1] / 'conversation.py'
        demo = self.foreign(sys.executable, script, f'--output={self.tmp / "heard.wav"}', *options,
                            env={'PATH': path, 'TMPDIR': str(self.folder)})
        demo.wait_line('agora-gateway is up', 20)
        started = [int(entry.name) for entry in Path('/proc').iterdir() if entry.name.isdigit()]
        self.started = [pid for pid in started if parent(pid) == demo.pid]
        # Beside it perhaps the first of the voices, on its way from a file.
        self.assertIn('agora-gateway', [name(pid) for pid in self.started])
        return demo

    def check_nothing_is_left(self):
        self.until(lambda: not any(parent(pid) for pid in self.started), 'the end of the gateway',
                   3)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_signals_end_it_and_leave_nothing(self):
        for number, *options in ((signal.SIGTERM, ), (signal.SIGHUP, '--keep'), (signal.SIGINT, )):
            with self.subTest(number.name):
                demo = self.demo(*options)
                demo.signal(number)
                self.assertEqual(demo.wait(3), 128 + number)
                self.check_nothing_is_left()

    def test_killed_it_leaves_no_gateway(self):
        demo = self.demo()
        demo.signal(signal.SIGKILL)
        demo.wait(3)
        self.until(lambda: not any(parent(pid) for pid in self.started), 'the end of the gateway', 3)

    def test_conversation(self):
        demo = self.demo()
        self.assertEqual(demo.wait(60), 0, demo.tail())
        said = demo.output('out')
        print(said)
        for what in (r'Allison alone: \S', r'Carlo alone: \S', 'Allison in it: ', 'Carlo in it: ',
                     r'from mouth to ear: \d+ to \d+ ms', r'rtmp2sink to rtmp2src .*: \d+ ms',
                     r'`latency` \(\d+ ms by default\)', 'Both were heard, all of it'):
            self.assertRegex(said, what)
        self.assertGreater(len(heard.read(self.tmp / 'heard.wav')), 15 * heard.RATE)
        if (Path(os.environ['AGORA_BUILD_ROOT']) / 'gst' / 'web' / 'agora-web').exists():
            self.assertRegex(said, r'http://\S+/web/\?app=demo&channel=room\n*$')
        self.check_nothing_is_left()


if __name__ == '__main__':
    tap.main()
