# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opus from agorasink to agorasrc, whoever listens beside it: the gateway tells the speaker which
codecs are wanted."""

import subprocess

import numpy

import heard
import tap
from channel import ChannelCase


class OpusTest(ChannelCase):
    def watch(self, uid, room=None):
        """Tells in which codec a speaker comes."""
        return self.line(f'-v agorasrc name=s expose-speakers=true {self.where(room=room)} ! fakesink sync=true '
                         f's.speaker_{uid} ! fakesink sync=false async=false')

    def assert_comes_as(self, watcher, codec):
        watcher.wait_line(rf': caps = {codec}', 15)

    def play(self, uid):
        """Plays the sound of a speaker as any player of RTMP does: who says nothing gets AAC."""
        member = self.member('room', '--subscribe')
        url = member.wait_line(rf'play {uid} (rtmp\S+)', 15).group(1)
        path = self.tmp / 'played.wav'
        player = self.start('ffmpeg', '-v', 'error', '-nostdin', '-y', '-i', url, '-ac', '1', '-ar',
                            str(heard.RATE), path, quiet_errors=True)
        player.path = path
        return player

    def test_heard_and_recorded(self):
        voice, sent = self.speech('allison', 6)
        recorder = self.record()
        files = {each: self.tmp / f'voice.{each}' for each in ('ogg', 'mkv')}
        muxers = {'ogg': 'oggmux', 'mkv': 'matroskamux'}
        keepers = [self.line(f'agorasrc name=s expose-speakers=true {self.where()} ! fakesink sync=true '
                             f's.speaker_71 ! {muxers[each]} ! filesink async=false location={path}', '-e')
                   for each, path in files.items()]
        watcher = self.watch(71)
        for each in (watcher, *keepers):
            each.wait_line('New clock', 15)
        speaker = self.speak(self.wav('voice', sent), 71, properties='codec=auto')
        self.assert_comes_as(watcher, 'audio/x-opus')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))
        for keeper, path in zip(keepers, files.values()):
            self.assertEqual(keeper.interrupt(10), 0, keeper.tail())
            kinds = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=codec_name', '-of',
                                    'csv=p=0', path], capture_output=True, text=True, check=True).stdout
            self.assertEqual(kinds.strip(), 'opus')
            self.assert_heard(voice, heard.read(path))

    def test_aac_beside_it(self):
        """An AAC player comes to an Opus channel, and goes: nobody has a gap."""
        voice, sent = self.speech('carlo', 9)
        recorder = self.record()
        watcher = self.watch(72)
        watcher.wait_line('New clock', 15)
        speaker = self.speak(self.wav('voice', sent), 72, properties='codec=auto')
        self.assert_comes_as(watcher, 'audio/x-opus')
        player = self.play(72)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))
        self.assertEqual(player.wait(20), 0, player.tail())
        # What was said before it came is not in it.
        self.assert_heard(voice[int(3 * heard.RATE):], heard.read(player.path))

    def test_opus_goes_out_as_it_came(self):
        voice, sent = self.speech('june', 4)
        recorder = self.record()
        late = self.watch(73)
        late.wait_line('New clock', 15)
        speaker = self.line(f'filesrc location={self.wav("voice", sent)} ! wavparse ! audioconvert ! '
                            f'audioresample ! identity sync=true ! opusenc frame-size=10 ! '
                            f'agorasink codec=opus {self.where(73)}')
        self.assert_comes_as(late, 'audio/x-opus')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))

    def test_a_file_where_nothing_comes(self):
        """on-gap=file in each codec that is sent."""
        voice = heard.voice('june', 3)
        jingle = self.wav('jingle', numpy.concatenate([voice, heard.silence(0.3)]))
        kinds = {'twenty': ('codec=opus', 'audio/x-opus'),
                 'ten': ('codec=opus low-delay=true', 'audio/x-opus'),
                 'fast': ('low-delay=true', r'audio/mpeg.*rate=\(int\)96000')}
        recorders = {room: self.record(room, room=room) for room in kinds}
        watchers = {room: self.watch(75, room) for room in kinds}
        for room, (properties, _) in kinds.items():
            watchers[room].wait_line('New clock', 15)
            self.line(f'audiotestsrc is-live=true ! valve drop=true ! agorasink {properties} on-gap=file '
                      f'gap-timeout=200 gap-location={jingle} {self.where(75, room)}')
        for room, (_, codec) in kinds.items():
            self.assert_comes_as(watchers[room], codec)
        # Twice, so that it is whole in there wherever it began.
        wanted = int((2 * 3.3 + 0.5) * heard.RATE) * 2
        begun = {room: each.path.stat().st_size for room, each in recorders.items()}
        for room, each in recorders.items():
            self.until(lambda: each.path.stat().st_size >= begun[room] + wanted, 'the recording', 20)
            self.assert_heard(voice, self.stop_recording(each))

    def test_aac_alone(self):
        """As it is unless it is set otherwise, with a listener who hears more."""
        voice, sent = self.speech('alsa', 3)
        recorder = self.record()
        watcher = self.watch(74)
        watcher.wait_line('New clock', 15)
        speaker = self.speak(self.wav('voice', sent), 74)
        self.assert_comes_as(watcher, 'audio/mpeg')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))


if __name__ == '__main__':
    tap.main()
