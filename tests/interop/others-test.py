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
        # Beside a picture of 10 fps ffmpeg sends the sound in pieces, up to 150 ms late.
        recorder = self.record(properties='latency=250')
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
        # With low-delay too it is AAC that they know.
        rooms = {'room': '', 'quick': 'low-delay=true'}
        guests = {room: [self.member(room, '--subscribe') for _ in range(2)] for room in rooms}
        for guest in (*guests['room'], *guests['quick']):
            guest.wait_line('joined')
        playing, files = [], []
        for room, properties in rooms.items():
            playing.append(self.speak(path, 22, room, properties))
            urls = [guest.wait_line(r'play 22 (\S+)')[1] for guest in guests[room]]
            # Two members, two URLs: one cannot be used in the other's name.
            self.assertNotEqual(*urls)
            by_ffmpeg, by_playbin = (self.tmp / f'{room}-{name}.wav'
                                     for name in ('ffmpeg', 'playbin'))
            playing.append(self.foreign('ffmpeg', '-v', 'error', '-nostdin', '-analyzeduration',
                                        '500000', '-i', urls[0], by_ffmpeg))
            playing.append(self.line(
                f'playbin3 uri={urls[1]} '
                f'audio-sink="audioconvert ! wavenc ! filesink location={by_playbin}"'))
            files += [by_ffmpeg, by_playbin]
        for process in playing:
            self.assertEqual(process.wait(30), 0, process.tail())
        for path in files:
            with self.subTest(path.name):
                # They joined in mid-stream, in the silence or at the first word.
                self.assert_heard(voice[heard.RATE:], heard.read(path))


if __name__ == '__main__':
    tap.main()
