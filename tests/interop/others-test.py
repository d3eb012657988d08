# SPDX-License-Identifier: LGPL-2.1-or-later
"""ffmpeg and playbin3 in one channel with the elements, by URLs that the library asked for."""

import heard
import tap
from channel import ChannelCase


class OthersTest(ChannelCase):
    def test_ffmpeg_pushes(self):
        voice, sent = self.speech('carlo', 6)
        path = self.wav('voice', sent)
        recorder = self.record()
        host = self.member('room', '--publish', '--uid=21')
        url = host.wait_line(r'push (\S+)')[1]
        pusher = self.foreign('ffmpeg', '-v', 'error', '-re', '-i', path, '-c:a', 'aac', '-b:a',
                              '64k', '-f', 'flv', url)
        self.assertEqual(pusher.wait(30), 0, pusher.tail())
        self.assert_heard(voice, self.stop_recording(recorder))

    def test_what_has_a_picture_is_heard(self):
        voice, sent = self.speech('allison', 6)
        path = self.wav('voice', sent)
        recorder = self.record()
        host = self.member('room', '--publish', '--uid=23')
        url = host.wait_line(r'push (\S+)')[1]
        pusher = self.foreign('ffmpeg', '-v', 'error', '-re', '-i', path, '-re', '-f', 'lavfi', '-i',
                              'testsrc=size=160x120:rate=10', '-shortest', '-c:v', 'flv', '-c:a',
                              'aac', '-b:a', '64k', '-f', 'flv', url)
        self.assertEqual(pusher.wait(30), 0, pusher.tail())
        self.assert_heard(voice, self.stop_recording(recorder))

    def test_ffmpeg_and_playbin3_play(self):
        voice, sent = self.speech('june', 6)
        path = self.wav('voice', sent)
        guests = [self.member('room', '--subscribe') for _ in range(2)]
        for guest in guests:
            guest.wait_line('joined')
        speaker = self.speak(path, 22)
        urls = [guest.wait_line(r'play 22 (\S+)')[1] for guest in guests]
        # Two members, two URLs: one cannot be used in the other's name.
        self.assertNotEqual(*urls)
        by_ffmpeg, by_playbin = self.tmp / 'ffmpeg.wav', self.tmp / 'playbin.wav'
        ffmpeg = self.foreign('ffmpeg', '-v', 'error', '-nostdin', '-analyzeduration',
                              '500000', '-i', urls[0], by_ffmpeg)
        playbin = self.line(f'playbin3 uri={urls[1]} '
                            f'audio-sink="audioconvert ! wavenc ! filesink location={by_playbin}"')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assertEqual(ffmpeg.wait(10), 0, ffmpeg.tail())
        self.assertEqual(playbin.wait(10), 0, playbin.tail())
        for path in (by_ffmpeg, by_playbin):
            with self.subTest(path.name):
                # They joined in mid-stream, in the silence or at the first word.
                self.assert_heard(voice[heard.RATE:], heard.read(path))


if __name__ == '__main__':
    tap.main()
