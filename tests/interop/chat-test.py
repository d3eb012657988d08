# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audio chat of docs/examples, in C++, Vala and Rust: two of each kind talk with each other at a real gateway."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy

import heard
import tap
from channel import ChannelCase
from harness import SCALE

EXAMPLES = Path(__file__).resolve().parents[2] / 'docs' / 'examples'
VALA = Path(os.environ['AGORA_BUILD_ROOT']) / 'docs' / 'examples' / 'chat-vala'
LOUD, QUIET = 0.6, 0.1  # one's own voice must not be heard: it would be the louder one


def rms(volume):
    return 20 * numpy.log10(volume / numpy.sqrt(2))


class ChatTest(ChannelCase):
    def chat(self, program, name, volume, words=()):
        ear = (f'audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={heard.RATE},channels=1 ! '
               f'filesink sync=true buffer-mode=unbuffered location={self.tmp / name}')
        return self.foreign(program, self.gate.ws, 'demo', 'room', *words, f'audiotestsrc is-live=true volume={volume}', ear,
                            stdin=subprocess.PIPE)

    def hears(self, name, least, most):
        """In the last quarter of a second, in dB."""
        def level():
            samples = numpy.frombuffer((self.tmp / name).read_bytes(), dtype='<i2')[-heard.RATE // 4:] / 32768
            return 10 * numpy.log10(max(float(numpy.mean(samples ** 2)), 1e-12))
        self.until(lambda: least < level() < most, f'{least:.0f} to {most:.0f} dB', 15 * SCALE)

    def press(self, chat):
        chat.popen.stdin.write(b'\n')
        chat.popen.stdin.flush()

    def talk(self, program, source, names=(None, None)):
        words = [(name,) if name else () for name in names]
        one = self.chat(program, 'one', LOUD, words[0])
        witness = self.line(f'agorasrc {self.where()} ! fakesink', '-m')
        first = witness.wait_line(r'agora-stream-added.*uid=\(uint\)(\d+)', 15 * SCALE)[1]
        two = self.chat(program, 'two', QUIET, words[1])
        second = one.wait_line(r'^(\d+) speaks$', 15 * SCALE)[1]
        two.wait_line(f'^{first} speaks$', 15 * SCALE)
        for chat, name, uid in ((one, names[0], first), (two, names[1], second)):
            if name:
                chat.wait_line(f'^{name} joined as {uid}$')
        self.hears('one', rms(QUIET) - 1.5, rms(QUIET) + 1.5)
        self.hears('two', rms(LOUD) - 1.5, rms(LOUD) + 1.5)
        self.press(two)
        two.wait_line('^muted$')
        one.wait_line(f'^{second} is muted$')
        self.hears('one', -130, -80)  # what is converted to 16 bits is dithered
        self.press(two)
        two.wait_line('^open$')
        one.wait_line(f'^{second} is open$')
        self.hears('one', rms(QUIET) - 1.5, rms(QUIET) + 1.5)
        self.assertEqual(two.terminate(10), 0, two.tail())
        one.wait_line(f'^{second} has stopped$')
        # As it is without VOICE and EAR, but for the sound card.
        voice, ear = re.findall(r'"(autoaudiosrc [^"]*|audioconvert [^"]* autoaudiosink)"', source.read_text())
        before = one.mark()
        plain = self.foreign(program, self.gate.ws, 'demo', 'room', *words[1], voice.replace('autoaudiosrc', 'audiotestsrc is-live=true'),
                             ear.replace('autoaudiosink', 'fakesink sync=true'))
        one.wait_line(r'^\d+ speaks$', 15 * SCALE, since=before)
        self.assertEqual(plain.terminate(10), 0, plain.tail())
        wrong = self.foreign(program, self.gate.ws, 'other', 'room', *words[1], 'audiotestsrc is-live=true', 'fakesink')
        wrong.wait_line('^chat: .*other', which='err')
        self.assertEqual(wrong.wait(10), 1, wrong.tail())
        self.assertEqual(one.terminate(10), 0, one.tail())
        witness.signal(signal.SIGINT)

    def build(self, source, *more):
        """As the program's head says."""
        command = re.search(rf'^//   (\S+ .*{source.name}.*)$', source.read_text(), re.M)[1]
        if not shutil.which(command.split()[0]):
            self.skipTest(f'{command.split()[0]} is not installed')
        shutil.copy(source, self.tmp)
        built = subprocess.run(['sh', '-c', ' '.join((command, *more))], cwd=self.tmp, capture_output=True, text=True, check=False)
        self.assertEqual((built.returncode, built.stderr), (0, ''))
        return self.tmp / 'chat'

    def test_cpp(self):
        source = EXAMPLES / 'chat.cpp'
        self.talk(self.build(source, '-Wall', '-Wextra'), source)

    def test_rust(self):
        source = EXAMPLES / 'chat.rs'
        self.talk(self.build(source), source)

    def test_vala(self):
        if not VALA.exists():
            self.skipTest('no valac when this was built')
        self.talk(VALA, EXAMPLES / 'chat.vala', ('alice', 'bob'))


if __name__ == '__main__':
    tap.main()
