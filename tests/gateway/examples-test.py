# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library and the elements as other programs use them: the examples of docs/, in C and in Python."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import tap
from harness import SCALE, Case

SOURCE = Path(__file__).resolve().parents[2] / 'docs' / 'examples'
BUILD = Path(os.environ['AGORA_BUILD_ROOT'])
LISTEN = BUILD / 'docs' / 'examples' / 'listen'
HEAR = BUILD / 'docs' / 'examples' / 'hear'
RECORD = BUILD / 'docs' / 'examples' / 'record'
PLUGIN = BUILD / 'gst' / 'libgstagora.so'
ADMIN = 'the-operator-of-this-test'
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

    def test_vala_joins_by_a_name(self):
        """By the vapi, whose asynchronous calls have their own ends, and two of whose signals another name."""
        if not HEAR.exists():
            self.skipTest('no valac when this was built')
        secret = self.tmp / 'admin-token'
        secret.write_text(ADMIN)
        secret.chmod(0o600)
        gateway = self.gateway(f'--admin-token-file={secret}')
        hearer = self.start(HEAR, gateway.ws, 'demo', 'hall', 'alice')
        uid = int(hearer.wait_line(r'^alice joined as ([1-9]\d*)$')[1])
        rule = self.admin(gateway, 'POST', '', appid='demo', cname='hall', uid=uid, time_in_seconds=600, privileges=['publish_audio'])['id']
        hearer.wait_line('^I may not speak$')
        self.admin(gateway, 'DELETE', f'?appid=demo&id={rule}')
        hearer.wait_line('^I may speak again$')
        speaker = self.line_of_a_tone(gateway, uid + 1)
        hearer.wait_line(f'^{uid + 1} speaks$')
        speaker.interrupt()
        hearer.wait_line(f'^{uid + 1} is silent$')
        self.assertEqual(hearer.terminate(), 0, hearer.tail())
        wrong = self.start(HEAR, gateway.ws, 'other', 'hall', 'alice')
        wrong.wait_line('other.*101', which='err')
        self.assertEqual(wrong.wait(), 1)

    def test_both_say_what_is_wrong(self):
        gateway = self.gateway()
        for program in (self.start(LISTEN, gateway.ws, 'other', 'hall'),
                        self.speak(gateway.ws, 'other', 'hall', 8)):
            program.wait_line(r'other.*101', which='err')
            self.assertEqual(program.wait(), 1)
        nowhere = self.start(LISTEN, gateway.ws.replace('/api', '/elsewhere'), 'demo', 'hall')
        nowhere.wait_line('404', which='err')
        self.assertEqual(nowhere.wait(), 1)

    def test_one_talks_and_another_records(self):
        """With the elements: each hears the other, the louder one is lowered, the recording is whole."""
        if not PLUGIN.exists():
            self.skipTest('the plugin was not built')
        gateway = self.gateway()
        path = self.tmp / 'heard.ogg'
        # A program of ours, but GStreamer and what plugins keep are not.
        recorder = self.start(RECORD, gateway.ws, 'demo', 'hall', path, env={'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'})
        talker = self.foreign('/usr/bin/python3', SOURCE / 'talk.py', gateway.ws, 'demo', 'hall')
        uid = recorder.wait_line(r'^(\d+) speaks$')[1]
        recorder.wait_line(rf'^{uid}: \d+ ms wait, jitter \d+ ms, \d+ ms concealed$')
        loud = self.line_of_a_tone(gateway, 9)
        talker.wait_line('^agora-stream-added 9$')
        # Its first blocks may be of the time before its sound; from -12 dB on it counts as loud.
        self.assertAlmostEqual(float(talker.wait_line(r'^9: (-?(?:\d|1[01])\.\d) dB$')[1]), -3, delta=4)
        talker.wait_line('^9: lowered$')
        loud.interrupt()
        talker.wait_line('^agora-stream-removed 9$')
        self.assertEqual(talker.terminate(), 0, talker.tail())
        recorder.wait_line(rf'^{uid} has stopped$')
        self.assertEqual(recorder.terminate(), 0, recorder.tail())
        length = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', path],
                                capture_output=True, text=True, check=True, timeout=30).stdout
        # The statistics come after a second.
        self.assertGreater(float(length), 0.9)

    def admin(self, gateway, method, query, **fields):
        request = urllib.request.Request(
            f'{gateway.http}/dev/v1/kicking-rule{query}', method=method, data=json.dumps(fields).encode() if fields else None,
            headers={'Authorization': f'Bearer {ADMIN}', 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5 * SCALE) as answer:
            return json.load(answer)

    def line_of_a_tone(self, gateway, uid):
        return self.launch(f'audiotestsrc is-live=true volume=0.7 ! agorasink gateway={gateway.ws} app-id=demo '
                           f'channel=hall uid={uid}')

    def test_the_elements_say_what_is_wrong(self):
        if not PLUGIN.exists():
            self.skipTest('the plugin was not built')
        gateway = self.gateway()
        for program in (self.start(RECORD, gateway.ws, 'other', 'hall', self.tmp / 'none.ogg'),
                        self.foreign('/usr/bin/python3', SOURCE / 'talk.py', gateway.ws, 'other', 'hall')):
            program.wait_line('other.*101', which='err')
            self.assertEqual(program.wait(), 1)


if __name__ == '__main__':
    tap.main()
