# SPDX-License-Identifier: LGPL-2.1-or-later
"""What agorasrc offers beside the mix: faders, levels, a pad for each speaker, a URI, one membership
with an agorasink of the same pipeline."""

import re
import subprocess
import time

import numpy

import heard
import tap
from channel import ChannelCase
from harness import SCALE


def levels(output):
    """The loudest peak of each uid in the agora-level messages of gst-launch-1.0 -m."""
    loudest = {}
    for line in output.splitlines():
        if 'agora-level' not in line:
            continue
        plain = line.replace('\\', '')
        for uid, peak in re.findall(r'uid=\(uint\)(\d+), peak=\(double\)([-\d.]+)', plain):
            loudest[int(uid)] = max(float(peak), loudest.get(int(uid), -1000))
    return loudest


class ListenerTest(ChannelCase):
    def listen(self, properties, rest, *options):
        process = self.line(f'agorasrc name=listener {self.where()} {properties} {rest}', *options)
        process.wait_line('New clock', 10)
        return process

    def test_faders_and_levels(self):
        path = self.tmp / 'mix.wav'
        listener = self.listen(
            'level-interval=100000000 speaker-51::mute=true speaker-52::volume=0.5',
            f'! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000 ! wavenc ! '
            f'filesink location={path}', '-e', '-m')
        voice, sent = self.speech('allison', 4)
        one = self.speak(self.wav('one', sent), 51)
        self.assertEqual(one.wait(30), 0, one.tail())
        muted_until = path.stat().st_size
        two = self.speak(self.wav('two', sent), 52)
        self.assertEqual(two.wait(30), 0, two.tail())
        self.assertEqual(listener.interrupt(10), 0, listener.tail())
        sound = heard.read(path)
        bytes_a_frame = path.stat().st_size / len(sound)
        before = sound[:int(muted_until / bytes_a_frame)]
        # The muted one is measured all the same, and not heard.
        self.assertLess(numpy.abs(before).max(), 1e-4)
        loudest = levels(listener.output())
        self.assertGreater(loudest[51], -40)
        self.assertGreater(loudest[52], -40)
        match = heard.match(voice, sound)
        self.assertGreaterEqual(match.correlation, 0.95, str(match))
        self.assertLess(abs(match.level + 6), 1, str(match))

    def test_each_speaker_by_itself(self):
        one, two = self.tmp / 'one.mp4', self.tmp / 'two.mp4'
        # Nobody takes the mix, and that disturbs nothing.
        listener = self.listen(
            'expose-speakers=true',
            f'listener.speaker_61 ! aacparse ! mp4mux ! filesink location={one} '
            f'listener.speaker_62 ! aacparse ! mp4mux ! filesink location={two}', '-e')
        voices = {}
        speakers = []
        for uid, name in ((61, 'allison'), (62, 'carlo')):
            voices[uid], sent = self.speech(name, 5)
            speakers.append(self.speak(self.wav(name, sent), uid))
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        # Both have left, both pads have ended, and with them the pipeline.
        self.assertEqual(listener.wait(10), 0, listener.tail())
        self.assertNotIn('ERROR', listener.output())
        for uid, path in ((61, one), (62, two)):
            decoded = self.tmp / f'{uid}.wav'
            subprocess.run(['ffmpeg', '-v', 'error', '-i', path, decoded], check=True, timeout=30)
            match = heard.match(voices[uid], heard.read(decoded))
            self.assertGreaterEqual(match.correlation, 0.95, f'{uid}: {match}')

    def test_an_eos_ends_each_pad(self):
        one = self.tmp / 'one.mp4'
        listener = self.listen('expose-speakers=true', f'listener.speaker_63 ! aacparse ! mp4mux ! '
                               f'filesink location={one}', '-e')
        self.line(f'audiotestsrc is-live=true ! agorasink {self.where(63)}')
        self.until(lambda: one.exists() and one.stat().st_size > 4000, 'some sound in the file')
        self.assertEqual(listener.interrupt(10), 0, listener.tail())
        # Whole only if the muxer was told of its end.
        subprocess.run(['ffprobe', '-v', 'error', one], check=True, timeout=30)

    def test_uri(self):
        host = re.sub(r'^ws://(.*)/api$', r'\1', self.gate.ws)
        path = self.tmp / 'played.wav'
        player = self.line(
            f'playbin3 uri=agora://{host}/{self.APP}/{self.room}?uid=71 '
            f'audio-sink="audioconvert ! audio/x-raw,format=S16LE ! wavenc ! filesink location={path}"', '-e')
        player.wait_line('New clock', 10)
        voice, sent = self.speech('june', 5)
        speaker = self.speak(self.wav('voice', sent), 72)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assertEqual(player.interrupt(10), 0, player.tail())
        match = heard.match(voice, heard.read(path))
        self.assertGreaterEqual(match.correlation, 0.95, str(match))

    def test_uri_at_once(self):
        """The first sound is rendered as soon as a player can be there, not after seconds."""
        host = re.sub(r'^ws://(.*)/api$', r'\1', self.gate.ws)
        uri = f'agora://{host}/{self.APP}/{self.room}'
        watcher = self.member('room')
        self.line(f'audiotestsrc is-live=true ! agorasink {self.where(75)}')
        watcher.wait_line('added 75')
        # Synchronised as a sound card would be.
        render = 'audioconvert ! audio/x-raw,format=S16LE ! filesink sync=true buffer-mode=unbuffered location='
        lines = {
            'playbin3': f'playbin3 uri={uri} audio-sink="{render}PATH"',
            'playbin': f'playbin uri={uri} audio-sink="{render}PATH"',
            'uridecodebin3': f'uridecodebin3 uri={uri} ! {render}PATH'}
        for name in (*lines, 'gst-play-1.0'):
            with self.subTest(name):
                path = self.tmp / f'{name}.raw'
                begin = time.monotonic()
                if name in lines:
                    player = self.line(lines[name].replace('PATH', str(path)))
                else:
                    player = self.foreign(name, '--no-interactive', f'--audiosink={render}{path}',
                                          uri)
                self.until(lambda: path.exists() and any(path.read_bytes()), f'sound from {name}')
                took = time.monotonic() - begin
                print(f'{self.id()}: {name} after {took:.2f} s')
                self.assertLess(took, 4 * SCALE)
                player.interrupt(10)

    def test_one_membership_in_one_pipeline(self):
        path = self.tmp / 'minus.wav'
        voice, sent = self.speech('allison', 5)
        other, other_sent = self.speech('carlo', 5)
        watcher = self.member('room')
        both = self.line(
            f'filesrc location={self.wav("mine", sent)} ! wavparse ! audioconvert ! '
            f'audioresample ! identity sync=true ! agorasink {self.where(81)} '
            f'agorasrc {self.where()} ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000 ! '
            f'wavenc ! filesink location={path}', '-e')
        watcher.wait_line('added 81')
        guest = self.speak(self.wav('other', other_sent), 82)
        self.assertEqual(guest.wait(30), 0, guest.tail())
        self.assertEqual(both.interrupt(10), 0, both.tail())
        self.assertNotIn('ERROR', both.output())
        sound = heard.read(path)
        match = heard.match(other, sound)
        self.assertGreaterEqual(match.correlation, 0.95, str(match))
        # One's own voice is not in what one hears.
        self.assertLess(heard.match(voice, sound).correlation, 0.7)

    def test_second_sink_is_refused(self):
        two = self.line(
            f'audiotestsrc is-live=true ! agorasink {self.where()} '
            f'audiotestsrc is-live=true ! agorasink {self.where()}')
        self.assertNotEqual(two.wait(10), 0)
        self.assertIn('another agorasink', two.output())


if __name__ == '__main__':
    tap.main()
