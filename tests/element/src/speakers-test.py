# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several speakers in one channel: all are heard, whoever comes and goes, in whatever format."""

import os
import re
import time

import numpy

import heard
import tap
from channel import LEAD, ChannelCase
from harness import SCALE


class SpeakersTest(ChannelCase):
    def test_four_at_once(self):
        """Of both codecs, beside each other."""
        names = ('alsa', 'allison', 'carlo', 'june')
        voices, speakers = [], []
        recorder = self.record()
        for uid, name in enumerate(names, 31):
            voice, sent = self.speech(name, 8, 0.05)
            voices.append(voice)
            speakers.append(self.wav(name, sent))
        speakers = [self.speak(path, uid, properties=f'codec={("aac", "opus")[uid % 2]}')
                    for uid, path in enumerate(speakers, 31)]
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        sound = self.stop_recording(recorder)
        starts = [heard.shift(voice, sound) for voice in voices]
        # All spoke at once, and each was found where it can have been.
        self.assertLess(max(starts) - min(starts), 4 * heard.RATE)
        self.assert_together(voices, sound, starts)

    def test_sixteen_at_once(self):
        """Each is a tone of its own; the listener's process does with less than a core."""
        uids = range(101, 117)
        path = self.tmp / 'mix.wav'
        listener = self.line(
            f'agorasrc {self.where()} level-interval=200000000 ! audioconvert ! audioresample ! '
            f'audio/x-raw,format=S16LE,rate={heard.RATE},channels=1 ! wavenc ! '
            f'filesink location={path}', '-e', '-m')
        listener.wait_line('New clock', 10)
        self.line(' '.join(
            f'audiotestsrc is-live=true freq={10 * uid} volume=0.05 ! agorasink {self.where(uid)}'
            for uid in uids))
        for uid in uids:
            listener.wait_line(rf'agora-level.*\){uid}\b', 20)
        # All of them for so long: what a start costs is another figure.
        begin, busy = time.monotonic(), self.cpu_seconds(listener)
        size = path.stat().st_size
        self.until(lambda: path.stat().st_size - size > 4 * 2 * heard.RATE, 'four seconds of sound')
        cores = (self.cpu_seconds(listener) - busy) / (time.monotonic() - begin)
        mark = listener.mark()
        listener.wait_line('agora-level', since=mark)
        self.assertEqual(listener.interrupt(10), 0, listener.tail())
        told = listener.output().replace('\\', '').splitlines()
        last = [line for line in told if 'agora-level' in line][-1]
        peaks = {int(uid): float(peak) for uid, peak in
                 re.findall(r'uid=\(uint\)(\d+), peak=\(double\)([-\d.]+)', last)}
        self.assertEqual(sorted(peaks), list(uids))
        sound = heard.read(path)[-4 * heard.RATE:-heard.RATE // 2]
        spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
        for uid in uids:
            self.assertLess(abs(peaks[uid] - 20 * numpy.log10(0.05)), 2, f'{uid}: {last}')
            at = round(10 * uid * len(sound) / heard.RATE)
            amplitude = spectrum[at - 3:at + 4].max() / (len(sound) / 4)
            self.assertLess(abs(20 * numpy.log10(amplitude / 0.05)), 3, f'{uid} in the mix')
        print(f'{self.id()}: {cores:.3f} of a core')
        self.assertLess(cores, 1 * SCALE)

    @staticmethod
    def cpu_seconds(process):
        with open(f'/proc/{process.pid}/stat', encoding='ascii') as file:
            user, system = file.read().rsplit(')', 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

    def test_late_listener_hears_the_rest(self):
        voice, sent = self.speech('allison', 9)
        early = self.record('early')
        begin = early.path.stat().st_size
        speaker = self.speak(self.wav('voice', sent), 35)
        # Four seconds have been heard by somebody else.
        self.until(lambda: early.path.stat().st_size - begin > 4 * 2 * heard.RATE,
                   'four seconds of sound', 15)
        late = self.record('late')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(early))
        rest = voice[int((7 - LEAD) * heard.RATE):]
        self.assert_heard(rest, self.stop_recording(late))

    def test_speakers_come_and_go_in_any_format(self):
        recorder = self.record()
        begin = time.monotonic()
        first, sent = self.speech('allison', 6)
        one = self.speak(self.wav('one', sent), 41)
        watcher = self.member('room')
        watcher.wait_line('added 41')
        second, sent = self.speech('carlo', 4)
        two = self.speak(self.wav('two', sent, rate=44100, channels=2), 42)
        self.assertEqual(two.wait(30), 0, two.tail())
        watcher.wait_line('removed 42', 5)
        self.assertEqual(one.wait(30), 0, one.tail())
        watcher.wait_line('removed 41', 5)
        # The first comes back as something else.
        third, sent = self.speech('june', 4)
        three = self.speak(self.wav('three', sent, rate=16000), 41)
        self.assertEqual(three.wait(30), 0, three.tail())
        took = time.monotonic() - begin
        sound = self.stop_recording(recorder)
        self.assert_heard(third, sound)
        starts = [heard.shift(voice, sound) for voice in (first, second)]
        self.assert_together([first, second], sound, starts)
        # One second of sound for each that went by, in silence as well.
        self.assertAlmostEqual(len(sound) / heard.RATE, took, delta=1.5)

    def test_timestamps_never_jump(self):
        listener = self.line(
            f'-v agorasrc {self.where()} ! identity name=watch silent=false ! fakesink sync=true')
        listener.wait_line('last-message = chain')
        _, sent = self.speech('alsa', 2)
        path = self.wav('voice', sent)
        for uid in (51, 52):
            speaker = self.speak(path, uid)
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        listener.interrupt()
        stamps = re.findall(r'pts: (\d+):(\d\d):(\d\d)\.(\d{9}), duration: 0:00:00\.(\d{9})',
                            listener.output())
        self.assertGreater(len(stamps), 200)
        expected = None
        for hours, minutes, seconds, nanos, duration in stamps:
            pts = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 10 ** 9 + int(nanos)
            if expected is not None:
                # Rounding to nanoseconds is all that may differ.
                self.assertLessEqual(abs(pts - expected), 2, f'at {pts / 1e9:.3f} s')
            expected = pts + int(duration)


if __name__ == '__main__':
    tap.main()
