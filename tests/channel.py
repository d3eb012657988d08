# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel with real members, for tests: gst-launch-1.0 speaks and records, numpy compares."""

import os
import shlex

import numpy

import heard
from harness import SCALE, Case

# Seconds of silence before the first word, so that whoever is there hears all of it: a sanitised
# build takes its time to join.
LEAD = 1.0 if SCALE == 1 else 3.0
TAIL = 0.5


class ChannelCase(Case):
    APP = 'demo'

    def setUp(self):
        super().setUp()
        self.gate = self.gateway()
        self.room = 'room'

    def where(self, uid=None, room=None):
        text = f'gateway={self.gate.ws} app-id={self.APP} channel={room or self.room}'
        return text if uid is None else f'{text} uid={uid}'

    def line(self, text, *options, **keywords):
        """A gst-launch line as one would type it, quotes and all."""
        words = shlex.split(text)
        if words[0] == 'gst-launch-1.0':
            words = words[1:]
        return self.foreign('gst-launch-1.0', *options, *words, **keywords)

    def wav(self, name, sound, rate=heard.RATE, channels=1):
        path = self.tmp / f'{name}.wav'
        if rate != heard.RATE:
            sound = numpy.interp(numpy.arange(0, len(sound), heard.RATE / rate),
                                 numpy.arange(len(sound)), sound)
        heard.write(path, sound, rate, channels)
        return path

    def speech(self, name, seconds, level=0.08):
        """A voice, and the same with silence around it, as it is sent."""
        voice = heard.voice(name, seconds, level)
        return voice, numpy.concatenate([heard.silence(LEAD), voice, heard.silence(TAIL)])

    def speak(self, path, uid, room=None, properties='', **keywords):
        """Speaks a WAV file in real time; ends by itself."""
        return self.line(
            f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! '
            f'identity sync=true ! agorasink {properties} {self.where(uid, room)}', **keywords)

    def record(self, name='heard', uid=None, room=None, caps=None, properties=''):
        """Records the mix; stop_recording() ends it."""
        path = self.tmp / f'{name}.wav'
        caps = f'{caps or f"audio/x-raw,format=S16LE,rate={heard.RATE},channels=1"} ! '
        process = self.line(
            f'agorasrc {properties} {self.where(uid, room)} ! audioconvert ! audioresample ! {caps}'
            f'wavenc ! filesink location={path}', '-e')
        process.wait_line('Setting pipeline to PLAYING|New clock', 10)
        process.path = path
        return process

    def stop_recording(self, process):
        self.assertEqual(process.interrupt(10), 0, process.tail())
        self.assertNotIn('ERROR', process.output())
        return heard.read(process.path)

    def member(self, *arguments):
        """A member by the library alone (tests/member.cpp)."""
        room, *options = arguments
        return self.start(os.environ['AGORA_MEMBER_BIN'], *options, self.gate.ws, self.APP, room)

    def assert_heard(self, voice, sound, least=0.95, near=None):
        match = heard.match(voice, sound, near)
        print(f'{self.id()}: {match}')  # beside the TAP, in meson's log
        self.assertGreaterEqual(match.correlation, least, str(match))
        # A sanitised build on a busy machine may be late for a block; a plain one may not.
        if SCALE == 1:
            self.assertEqual(match.gaps, [], str(match))
            self.assertLess(abs(match.drift), 20, str(match))
        self.assertLess(abs(match.level), 3, str(match))
        return match

    def assert_together(self, voices, sound, starts):
        """Several voices at once: their sum came over, and each is in it."""
        begin = max(starts)
        end = min(start + len(voice) for voice, start in zip(voices, starts))
        came = sound[begin:end]
        aligned = [heard.follow(heard.moved(voice, start, len(sound))[begin:end], came)
                   for voice, start in zip(voices, starts)]
        whole = sum(aligned)
        score = heard.correlation(heard.envelope(whole), heard.envelope(came))
        print(f'{self.id()}: {len(voices)} at once, correlation {score:.3f}')
        self.assertGreaterEqual(score, 0.95)
        self.assertEqual(heard.gaps(whole, came) if SCALE == 1 else [], [])
        for level in heard.shares(aligned, came):
            self.assertLess(abs(level), 6)
