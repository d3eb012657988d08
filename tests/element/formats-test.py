# SPDX-License-Identifier: LGPL-2.1-or-later
"""What agorasink takes: raw sound of any shape, AAC, Opus, FLV, from a live source or a file."""

import subprocess

import heard
import tap
from channel import LEAD, ChannelCase


class FormatsTest(ChannelCase):
    def setUp(self):
        super().setUp()
        self.voice, self.sent = self.speech('carlo', 4)
        self.file = self.wav('voice', self.sent)

    def encoded(self, name, *options):
        path = self.tmp / name
        subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-i', self.file, *options, path],
                       check=True, timeout=60)
        return path

    def all_heard(self, **lines):
        """Each line speaks in a room of its own, all at once; each must be heard there.

        What follows `agorasink` in a line are properties of it."""
        recorders = {name: self.record(name, room=name) for name in lines}
        speakers = {}
        for name, line in lines.items():
            source, _, properties = line.partition(' ! agorasink ')
            speakers[name] = self.line(
                f'{source} ! agorasink {properties} {self.where(61, room=name)}')
        for name, speaker in speakers.items():
            self.assertEqual(speaker.wait(30), 0, f'{name}\n{speaker.tail()}')
        for name, recorder in recorders.items():
            with self.subTest(name):
                self.assert_heard(self.voice, self.stop_recording(recorder))

    def test_raw(self):
        raw = f'filesrc location={self.file} ! wavparse ! audioconvert ! audioresample'
        self.all_heard(
            surround=f'{raw} ! audio/x-raw,rate=44100,channels=6',
            telephone=f'{raw} ! audio/x-raw,rate=16000,channels=1,format=S16BE',
            studio=f'{raw} ! audio/x-raw,rate=96000,format=F64LE,layout=non-interleaved',
            eight_bits=f'{raw} ! audio/x-raw,format=U8,rate=22050',
            low_delay=f'{raw} ! agorasink low-delay=true',
            low_delay_stereo=f'{raw} ! audio/x-raw,rate=44100,channels=2 ! '
                             'agorasink low-delay=true')

    def test_encoded_by_gstreamer(self):
        raw = (f'filesrc location={self.file} ! wavparse ! audioconvert ! audioresample ! '
               'identity sync=true')
        self.all_heard(
            aac=f'{raw} ! voaacenc bitrate=64000',
            adts=f'{raw} ! voaacenc bitrate=64000 ! aacparse ! '
                 'audio/mpeg,stream-format=adts,framed=true',
            opus=f'{raw} ! opusenc frame-size=10',
            flv=f'{raw} ! voaacenc bitrate=64000 ! flvmux streamable=true')

    def test_files(self):
        picture = ('-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10', '-map', '0:a', '-map', '1:v',
                   '-c:v', 'flv', '-shortest')
        aac = ('-c:a', 'aac', '-b:a', '64k')
        self.all_heard(
            flv_file=f'filesrc location={self.encoded("voice.flv", *aac)}',
            # Of odd chunks, so that no buffer is a tag.
            flv_chunks=f'filesrc blocksize=777 location={self.encoded("chunks.flv", *aac)}',
            flv_video=f'filesrc location={self.encoded("video.flv", *picture, *aac)}',
            aac_file=f'filesrc location={self.encoded("voice.aac", *aac)}')

    def test_another_format_in_mid_stream(self):
        half = int((LEAD + 2) * heard.RATE)
        one = self.wav('one', self.sent[:half])
        two = self.wav('two', self.sent[half:], rate=32000, channels=2)
        recorder = self.record()
        speaker = self.line(
            f'concat name=c ! identity sync=true ! agorasink {self.where(62)} '
            f'filesrc location={one} ! wavparse ! c. filesrc location={two} ! wavparse ! c.')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        sound = self.stop_recording(recorder)
        self.assert_heard(self.sent[int(LEAD * heard.RATE):half - heard.RATE // 10], sound)
        self.assert_heard(self.sent[half + heard.RATE // 10:-heard.RATE // 2], sound)


if __name__ == '__main__':
    tap.main()
