# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dead air and loudness of real speakers, as agorasrc tells of them; ffmpeg's ebur128 measures beside."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import numpy  # noqa: E402

import heard  # noqa: E402
import tap  # noqa: E402
from channel import ChannelCase  # noqa: E402

LOUDNESS = re.compile(r'agora-loudness.*?momentary=\(double\)(\S+?), short-term=\(double\)(\S+?), integrated=\(double\)(\S+?),')
SPEAKER = re.compile(r'uid\\=\\\(uint\\\)(\d+).*?integrated\\=\\\(double\\\)([-\d.e+]+)')
SILENCE = re.compile(r'agora-silence.*silent=\(boolean\)(\w+), duration=\(guint64\)(\d+)(?:, uid=\(uint\)(\d+))?')


def ebur128(path):
    """The integrated loudness by ffmpeg, in LUFS; mono as from both sides."""
    done = subprocess.run(['ffmpeg', '-nostdin', '-i', path, '-af', 'ebur128=dualmono=true', '-f', 'null', '-'],
                          capture_output=True, text=True, check=True, timeout=60)
    return float(re.findall(r'I:\s+(-?[\d.]+) LUFS', done.stderr)[-1])


class Monitor(ChannelCase):
    def listen(self, properties, name='heard'):
        path = self.tmp / f'{name}.wav'
        process = self.line(f'agorasrc {properties} {self.where()} ! audioconvert ! audio/x-raw,format=S16LE,rate={heard.RATE},channels=2 ! '
                            f'wavenc ! filesink location={path}', '-e', '-m')
        process.wait_line('Setting pipeline to PLAYING|New clock')
        process.path = path
        return process

    def messages(self, process, expression):
        return [match.groups() for match in map(expression.search, process.output('out').splitlines()) if match]

    def test_loudness_is_that_of_a_peer(self):
        """A voice, and the mix of two of them."""
        voices = {}
        listener = self.listen('loudness-interval=500000000')
        speakers = []
        for uid, name, level in ((8, 'allison', 0.08), (9, 'carlo', 0.03)):
            voices[uid], sent = self.speech(name, 8, level)
            speakers.append(self.speak(self.wav(f'{name}', sent), uid))
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.stop_recording(listener)
        text = listener.output('out')
        for uid, sound in voices.items():
            last = [float(value) for who, value in SPEAKER.findall(text) if int(who) == uid][-1]
            peer = ebur128(self.wav(f'peer-{uid}', sound))
            print(f'{self.id()}: {uid}: {last:.2f} LUFS, ffmpeg has {peer:.2f}')
            # Its file has 16 bits, and what was sent is AAC by now.
            self.assertAlmostEqual(last, peer, delta=0.5)
        whole = float(self.messages(listener, LOUDNESS)[-1][2])
        peer = ebur128(listener.path)
        print(f'{self.id()}: mix: {whole:.2f} LUFS, ffmpeg has {peer:.2f}')
        self.assertAlmostEqual(whole, peer, delta=0.2)

    def test_dead_air_is_told(self):
        listener = self.listen('silence-time=700000000')
        # Nobody is there.
        listener.wait_line(r'agora-silence.*silent=\(boolean\)true(?!.*uid)', which='out')
        self.assertEqual(len(self.messages(listener, SILENCE)), 1)
        tone = numpy.sin(2 * numpy.pi * 440 * numpy.arange(heard.RATE) / heard.RATE) * 0.2
        sound = numpy.concatenate([tone, heard.silence(1.5), tone, heard.silence(0.4), tone, heard.silence(1.2)])
        self.assertEqual(self.speak(self.wav('broken', sound), 8).wait(30), 0)

        def news():
            return [(silent == 'true', int(duration) / 1e6, uid) for silent, duration, uid in self.messages(listener, SILENCE)]

        def of_speaker():
            return [(silent, duration) for silent, duration, uid in news() if uid == '8']
        # It leaves in silence, and then isn't silent any more.
        listener.wait_line(r'agora-stream-removed.*uid=\(uint\)8', which='out')
        self.until(lambda: not of_speaker()[-1][0], 'the end of its silence', 10)
        self.stop_recording(listener)
        told = news()
        # On a busy machine its first sound is late. The pause of 0.4 s is none.
        self.assertEqual([silent for silent, _ in of_speaker()], [True, False] * (len(of_speaker()) // 2), told)
        began, paused, _, left = (duration for _, duration in of_speaker()[-4:])
        self.assertAlmostEqual(began, 700, delta=25)
        self.assertAlmostEqual(paused, 1500, delta=80)
        self.assertGreater(left, 1150)
        of_mix = [silent for silent, _, uid in told if uid is None]
        self.assertEqual(of_mix[:4], [True, False, True, False], told)

    def test_a_time_in_another_unit_is_told_of(self):
        for name in ('silence-time', 'level-interval', 'loudness-interval'):
            with self.subTest(name):
                listener = self.line(f'agorasrc {name}=5000 {self.where()} ! fakesink sync=true')
                listener.wait_line(f'WARNING: .*{name}: 5000 is less than a millisecond; nanoseconds are expected')
                listener.interrupt()

    def test_speakers_are_brought_to_a_target(self):
        """One 15 dB too soft, after some seconds as loud as asked for, and whole."""
        voice, sent = self.speech('june', 12, 0.012)
        listener = self.listen('loudness-target=-23 loudness-interval=500000000')
        self.assertEqual(self.speak(self.wav('soft', sent), 8).wait(40), 0)
        sound = self.stop_recording(listener)
        at = heard.shift(voice, sound)
        late = sound[at + 8 * heard.RATE:at + 12 * heard.RATE]
        loudness = ebur128(self.wav('late', late))
        before = ebur128(self.wav('before', voice[8 * heard.RATE:]))
        print(f'{self.id()}: {before:.1f} LUFS became {loudness:.1f}')
        self.assertLess(before, -33)
        self.assertAlmostEqual(loudness, max(-23, before + 15), delta=2)
        gaps = heard.gaps(voice[8 * heard.RATE:], late)
        self.assertEqual(gaps, [])


if __name__ == '__main__':
    tap.main()
