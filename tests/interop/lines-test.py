# SPDX-License-Identifier: LGPL-2.1-or-later
"""The three lines of the README, as they stand there."""

from pathlib import Path

import numpy

import heard
import tap
from channel import ChannelCase

README = Path(__file__).resolve().parents[2] / 'README.md'
SPEAK, TONE, LISTEN = [line for line in README.read_text().splitlines()
                       if line.startswith('gst-launch-1.0 ')]


class LinesTest(ChannelCase):
    def run_line(self, text, *options):
        return self.line(text.replace('$WS', self.gate.ws), *options, cwd=self.tmp)

    def listen(self):
        process = self.run_line(LISTEN, '-e')
        process.path = self.tmp / 'heard.wav'
        process.wait_line('Setting pipeline to PLAYING|New clock')
        return process

    def test_a_voice(self):
        voice, sent = self.speech('allison', 6)
        self.wav('voice', sent)
        listener = self.listen()
        self.assertEqual(self.run_line(SPEAK).wait(30), 0)
        self.assert_heard(voice, self.stop_recording(listener))

    def test_a_tone(self):
        watcher = self.member('room')
        watcher.wait_line('joined')
        listener = self.listen()
        speaker = self.run_line(TONE)
        uid = watcher.wait_line(r'added (\d+)')[1]
        self.assertGreater(int(uid), 0)
        # The file grows in real time; no format has more than this of a second's bytes.
        begin = listener.path.stat().st_size
        self.until(lambda: listener.path.stat().st_size > begin + 2 * 48000 * 2 * 4,
                   'two seconds of sound')
        # Ctrl-C without -e: the others are told, and not after a time-out.
        speaker.interrupt(5)
        watcher.wait_line(f'removed {uid}', 1)
        sound = self.stop_recording(listener)
        spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
        peak = numpy.argmax(spectrum) * heard.RATE / len(sound)
        self.assertAlmostEqual(peak, 440, delta=2)


if __name__ == '__main__':
    tap.main()
