# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sound that is late, lost or not sent: what of it is heard of Opus, and of AAC beside it."""

import os
import re
import time
from pathlib import Path

import numpy

import heard
import tap
from channel import LEAD, ChannelCase
from lateway import LateWay

RECORD = Path(os.environ['AGORA_BUILD_ROOT']) / 'docs' / 'examples' / 'record'


def fillable(voice, match):
    """Gaps that what was said just before would have filled. What begins in one nobody can know."""
    levels = heard.envelope(voice)
    found = []
    for at, length in match.gaps:
        begin, size = round(at * 100), round(length / 10)
        if begin > 1 and levels[begin - 2:begin].min() > 0.7 * levels[begin:begin + size].mean():
            found.append((at, length))
    return found


class GapsTest(ChannelCase):
    def listen(self, room, latency):
        path = self.tmp / f'{room}.wav'
        process = self.line(f'agorasrc latency={latency} {self.where(room=room)} ! audioconvert ! audioresample ! '
                            f'audio/x-raw,format=S16LE,rate={heard.RATE},channels=1 ! wavenc ! '
                            f'filesink location={path}', '-e')
        process.wait_line('New clock', 15)
        process.path = path
        return process

    def say(self, path, chain, room, uid=91):
        """What comes in is Opus by RTP, of which `chain` leaves something out."""
        return self.line(f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! identity sync=true ! '
                         f'{chain} ! rtpopusdepay ! agorasink codec=opus sync=false {self.where(uid, room)}')

    def test_late(self):
        """Packets that come some 30 ms after their moment, one in ten and those behind it."""
        way = LateWay()
        self.addCleanup(way.close)
        self.gate = self.gateway(*way.options(), defaults=False)
        voice, sent = self.speech('allison', 10.5)
        path = self.wav('voice', sent)
        kinds = {'opus': 'codec=opus', 'aac': 'codec=aac'}
        recorders = {room: self.listen(room, 60) for room in kinds}
        begin = time.monotonic()
        speakers = [self.speak(path, 91, room, properties) for room, properties in kinds.items()]
        self.until(lambda: time.monotonic() - begin > LEAD + 3.5, 'a third', 20)
        way.share, way.delay = 0.1, 0.08
        self.until(lambda: time.monotonic() - begin > LEAD + 7, 'two thirds', 20)
        way.share = 0
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assertGreater(way.late, 15)
        came = {room: heard.match(voice, self.stop_recording(each)) for room, each in recorders.items()}
        for room, match in came.items():
            print(f'{self.id()}: {room}: {match}')
            self.assertLess(abs(match.drift), 5, str(match))  # no later than before
        lost = {room: sum(length for _, length in fillable(voice, match)) for room, match in came.items()}
        self.assertLessEqual(lost['opus'], 20)
        self.assertGreater(came['opus'].correlation, 0.95)
        # Of which nothing is made up: so the way did what it is for.
        self.assertGreater(lost['aac'], 60)

    def test_stuck(self):
        """A session to which nothing comes any more, and which nobody ends: another one is played in its place."""
        way = LateWay()
        self.addCleanup(way.close)
        self.gate = self.gateway(*way.options(), defaults=False)
        voice, sent = self.speech('carlo', 12)
        recorders = {codec: self.listen(codec, 100) for codec in ('opus', 'aac')}
        path = self.wav('voice', sent)
        begin = time.monotonic()
        speakers = [self.speak(path, 91, codec, f'codec={codec}') for codec in recorders]
        self.until(lambda: time.monotonic() - begin > LEAD + 3, 'a quarter', 20)
        way.stick()
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        for codec, recorder in recorders.items():
            match = heard.match(voice, self.stop_recording(recorder))
            print(f'{self.id()}: {codec}: {match}')
            # What is missing of a voice are the words: from the first of them to the last.
            missing = max(at + length / 1000 for at, length in match.gaps) - min(at for at, _ in match.gaps)
            self.assertGreater(missing, 2, str(match))  # the way did what it is for
            self.assertLess(missing, 5.5, str(match))

    def test_lost(self):
        """One packet in ten never comes: the next one has it once more, or the decoder makes it up."""
        voice, sent = self.speech('carlo', 8)
        path = self.wav('voice', sent)
        loses = 'rtpopuspay ! identity drop-probability=0.1'
        kinds = {'fec': f'opusenc audio-type=voice bitrate=32000 inband-fec=true packet-loss-percentage=20 ! {loses}',
                 'plain': f'opusenc bitrate=48000 ! {loses}'}
        recorders = {room: self.listen(room, 100) for room in kinds}
        speakers = [self.say(path, chain, room) for room, chain in kinds.items()]
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        for room, recorder in recorders.items():
            match = heard.match(voice, self.stop_recording(recorder))
            print(f'{self.id()}: {room}: {match}')
            self.assertEqual(fillable(voice, match), [], room)
            self.assertGreater(match.correlation, 0.96 if room == 'fec' else 0.85)
            self.assertLess(abs(match.drift), 5, str(match))

    def test_rests(self):
        """Where nothing is said, nothing is sent (DTX): that is no gap, and nothing is filled in."""
        voice = heard.voice('june', 3)
        noise = numpy.random.default_rng(3).normal(0, 0.0003, 3 * heard.RATE)
        said = numpy.concatenate([voice, noise, voice])
        path = self.wav('voice', numpy.concatenate([heard.silence(LEAD), said, heard.silence(0.5)]))
        recorder = self.listen('rests', 100)
        witness = self.start(RECORD, self.gate.ws, self.APP, 'rests', self.tmp / 'witness.ogg',
                             env={'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'})
        jingle = self.wav('jingle', heard.voice('alsa', 2))
        speaker = self.foreign(
            '/usr/bin/python3', Path(__file__).with_name('resting.py'),
            # As a microphone gives it.
            f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! '
            'audiobuffersplit output-buffer-duration=1/100 ! identity sync=true ! opusenc audio-type=voice bitrate=24000 dtx=true ! identity name=way ! agorasink codec=opus sync=false '
            f'on-gap=file gap-timeout=100 gap-location={jingle} {self.where(91, "rests")}')
        self.assertEqual(speaker.wait(40), 0, speaker.tail())
        # One each 0.4 s while nothing was said.
        self.assertGreater(int(speaker.wait_line(r'^apart (\d+)$')[1]), 350)
        sound = self.stop_recording(recorder)
        match = heard.match(said, sound)
        print(f'{self.id()}: {match}')
        self.assertEqual(match.gaps, [])
        self.assertGreater(match.correlation, 0.97)
        self.assertLess(abs(match.drift), 5, str(match))
        pause = sound[match.shift + int(3.5 * heard.RATE):match.shift + int(5.8 * heard.RATE)]
        self.assertLess(numpy.abs(pause).max(), 0.01)
        witness.interrupt(10)
        concealed = [int(ms) for ms in re.findall(r'(\d+) ms concealed', witness.output())]
        self.assertTrue(concealed)
        self.assertLessEqual(max(concealed), 20)


if __name__ == '__main__':
    tap.main()
