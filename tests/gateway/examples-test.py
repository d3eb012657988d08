# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library as other programs use it: the examples of docs/, in C and in Python."""

import os
import signal
from pathlib import Path

import tap
from harness import Case

SOURCE = Path(__file__).resolve().parents[2] / 'docs' / 'examples'
BUILD = Path(os.environ['AGORA_BUILD_ROOT'])
LISTEN = BUILD / 'docs' / 'examples' / 'listen'
TYPELIB = BUILD / 'signaling' / 'AgoraSignaling-1.0.typelib'


class Examples(Case):
    def speak(self, gateway, *words):
        if not TYPELIB.exists():
            self.skipTest('the typelib was not built')
        return self.foreign('/usr/bin/python3', SOURCE / 'speak.py', gateway, *words)

    def test_one_speaks_and_one_listens(self):
        gateway = self.gateway()
        listener = self.start(LISTEN, gateway.ws, 'demo', 'hall')
        listener.wait_line(r'^joined as [1-9]\d*$')
        speaker = self.speak(gateway.ws, 'demo', 'hall', 8)
        speaker.wait_line(r'^joined as 8$')
        url = speaker.wait_line(r'^push to (rtmp://\S+)$')[1]
        pushing = self.launch('audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse ! '
                              f'flvmux streamable=true ! rtmp2sink location={url}')
        heard = listener.wait_line(r'^8: (rtmp://\S+)$')[1]
        self.assertNotEqual(heard, url)
        self.assertEqual(speaker.terminate(), 0, speaker.tail())
        listener.wait_line(r'^8: silent$')
        pushing.signal(signal.SIGINT)
        self.assertEqual(listener.terminate(), 0, listener.tail())

    def test_both_say_what_is_wrong(self):
        gateway = self.gateway()
        for program in (self.start(LISTEN, gateway.ws, 'other', 'hall'),
                        self.speak(gateway.ws, 'other', 'hall', 8)):
            program.wait_line(r'other.*101', which='err')
            self.assertEqual(program.wait(), 1)
        nowhere = self.start(LISTEN, gateway.ws.replace('/api', '/elsewhere'), 'demo', 'hall')
        nowhere.wait_line('404', which='err')
        self.assertEqual(nowhere.wait(), 1)


if __name__ == '__main__':
    tap.main()
