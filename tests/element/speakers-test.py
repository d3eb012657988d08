# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several speakers in one channel: all are heard, whoever comes and goes, in whatever format."""

import re
import time

import heard
import tap
from channel import LEAD, ChannelCase


class SpeakersTest(ChannelCase):
    def test_four_at_once(self):
        names = ('alsa', 'allison', 'carlo', 'june')
        voices, speakers = [], []
        recorder = self.record()
        for uid, name in enumerate(names, 31):
            voice, sent = self.speech(name, 8, 0.05)
            voices.append(voice)
            speakers.append(self.wav(name, sent))
        speakers = [self.speak(path, uid) for uid, path in enumerate(speakers, 31)]
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        sound = self.stop_recording(recorder)
        starts = [heard.shift(voice, sound) for voice in voices]
        # All spoke at once, and each was found where it can have been.
        self.assertLess(max(starts) - min(starts), 4 * heard.RATE)
        self.assert_together(voices, sound, starts)

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
        watcher.wait_line('removed 42', 2)
        self.assertEqual(one.wait(30), 0, one.tail())
        watcher.wait_line('removed 41', 2)
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
