# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lines of the README, as they stand there."""

import os
import subprocess
import wave
from pathlib import Path

import numpy

import heard
import tap
from channel import ChannelCase

README = Path(__file__).resolve().parents[2] / 'README.md'
LINES = README.read_text().splitlines()
SPEAK, TONE, LISTEN = [line for line in LINES if line.startswith('gst-launch-1.0 ')]
VOICES = [line for line in LINES if line.startswith(('sox ', 'espeak-ng '))]
SHELL = next(line for line in LINES if line.startswith('meson devenv '))


class LinesTest(ChannelCase):
    def run_line(self, text, *options):
        return self.line(text.replace('$WS', self.gate.ws), *options, cwd=self.tmp)

    def listen(self):
        process = self.run_line(LISTEN)
        process.path = self.tmp / 'heard.wav'
        process.wait_line('Setting pipeline to PLAYING|New clock')
        return process

    def test_the_voices_are_made(self):
        self.assertEqual(len(VOICES), 2)
        for line in VOICES:
            with self.subTest(line.split()[0]):
                made = self.foreign('bash', '-c', line, cwd=self.tmp)
                self.assertEqual(made.wait(20), 0, made.tail())
                with wave.open(str(self.tmp / 'voice.wav')) as file:
                    self.assertGreater(file.getnframes() / file.getframerate(), 1)
                (self.tmp / 'voice.wav').unlink()

    def test_the_shell_stays_in_the_folder(self):
        """So that what was made there is found there, the elements and the gateway too."""
        words = SHELL.split('#')[0].split()
        at = words.index('-C') + 1
        self.assertEqual(words[at], 'build')
        words[at] = os.environ['AGORA_BUILD_ROOT']
        environment = {name: value for name, value in os.environ.items() if name != 'GST_PLUGIN_PATH'}
        environment['GST_REGISTRY'] = str(self.tmp / 'registry.bin')
        done = subprocess.run([*words, 'sh', '-c', 'pwd; command -v agora-gateway && gst-inspect-1.0 agorasink >inspected && '
                               'echo found'], cwd=self.tmp, env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(str(self.tmp), done.stdout.splitlines())
        self.assertIn('found', done.stdout.splitlines())

    def test_the_recording_is_whole(self):
        """Ctrl-C ends a file that other programs read to its end: 16 bits, of its length, never clipped."""
        speaker = self.run_line(TONE.replace('audiotestsrc', 'audiotestsrc volume=1'))
        louder = self.run_line(TONE.replace('audiotestsrc', 'audiotestsrc volume=1 freq=450'))
        listener = self.listen()
        self.until(lambda: listener.path.stat().st_size > 6 * 48000 * 4, 'six seconds of a file')
        sound = self.stop_recording(listener)
        for host in (speaker, louder):
            host.interrupt(5)
        with wave.open(str(listener.path)) as file:
            self.assertEqual(file.getsampwidth(), 2)
            # The header's length is the file's.
            self.assertLess(listener.path.stat().st_size - file.getnframes() * file.getnchannels() * 2, 200)
            self.assertAlmostEqual(file.getnframes() / file.getframerate(), len(sound) / heard.RATE, delta=0.01)
        # Two tones of full scale are twice that: clipped, a third of the samples would be at the limit.
        full = numpy.mean(numpy.abs(sound) >= 32767 / 32768)
        self.assertLess(full, 0.02)
        self.assertGreater(numpy.abs(sound).max(), 0.5)

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
        watcher.wait_line(f'removed {uid}', 3)
        sound = self.stop_recording(listener)
        spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
        peak = numpy.argmax(spectrum) * heard.RATE / len(sound)
        self.assertAlmostEqual(peak, 440, delta=2)


if __name__ == '__main__':
    tap.main()
