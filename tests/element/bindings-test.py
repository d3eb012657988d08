# SPDX-License-Identifier: LGPL-2.1-or-later
"""Statistics and levels, read from other languages: the examples of docs/elements.md, as they
stand."""

import re
import shutil
import signal
import sys
from pathlib import Path

import tap
from channel import ChannelCase

DOCS = Path(__file__).resolve().parents[2] / 'docs' / 'elements.md'


class BindingsTest(ChannelCase):
    def example(self, language, suffix):
        blocks = re.findall(rf'^```{language}\n(.*?)^```$', DOCS.read_text(), re.M | re.S)
        self.assertEqual(len(blocks), 1)
        path = self.tmp / f'example{suffix}'
        path.write_text(blocks[0])
        return path

    def read(self, *argv):
        speaker = self.line('audiotestsrc is-live=true volume=0.1 ! audio/x-raw,rate=48000,channels=1 ! '
                            f'agorasink {self.where(8)}')
        reader = self.foreign(*argv, env={'AGORA_GATEWAY': self.gate.ws})
        # A sine of volume 0.1 has its peak at -20 dB.
        level = float(reader.wait_line(r'^level 8 (-(?:19|20|21)\.\d+)$', 20, which='out')[1])
        self.assertAlmostEqual(level, -20, delta=1.5)
        queued = float(reader.wait_line(r'^stats 8 ([0-9.]+)$', 20, which='out')[1])
        self.assertLess(queued, 500)
        self.assertTrue(speaker.running())
        reader.signal(signal.SIGKILL)

    def test_python_without_overrides(self):
        script = self.example('python', '.py')
        # What python3-gst-1.0 installs is not seen, even where it is there.
        guard = self.tmp / 'guard.py'
        guard.write_text('import runpy, sys\n'
                         'sys.modules["gi.overrides.Gst"] = None\n'
                         f'runpy.run_path({str(script)!r}, run_name="__main__")\n')
        self.read(sys.executable, guard)

    def test_gjs(self):
        if not shutil.which('gjs'):
            self.skipTest('gjs is not installed')
        self.read('gjs', self.example('js', '.js'))


if __name__ == '__main__':
    tap.main()
