# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mixing desk of docs/examples, in C, Python and JavaScript: each is built as its head says, stands at a real gateway beside
a real speaker, and is asked for all that it promises."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import numpy

import heard
import tap
from channel import ChannelCase
from harness import SCALE
from tcpway import Way

EXAMPLES = Path(__file__).resolve().parents[2] / 'docs' / 'examples'
TOKEN = 'the-operator-of-this-test'
VOICE = 'audiotestsrc is-live=true volume=0.2'
PEAK = -20  # dB, of a sine of volume 0.1
FADER = 0.25


class DeskTest(ChannelCase):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        self.gate = self.gateway(f'--admin-token-file={secret}')
        self.way = Way(self.gate.ws)
        self.addCleanup(self.way.close)
        self.sound = self.tmp / 'heard.raw'

    def admin(self, method, path, **fields):
        request = urllib.request.Request(
            self.gate.http + path, method=method, data=json.dumps(fields).encode() if fields else None,
            headers={'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5 * SCALE) as answer:
            return json.load(answer)

    def desk(self, argv, app='demo'):
        ear = f'audio/x-raw,format=S16LE,rate={heard.RATE},channels=1 ! filesink sync=true buffer-mode=unbuffered location={self.sound}'
        return self.foreign(*argv, self.way.url, app, 'room', VOICE, ear, stdin=subprocess.PIPE)

    def level(self):
        """Of the last quarter of a second that was heard, its RMS in dB."""
        samples = numpy.frombuffer(self.sound.read_bytes(), dtype='<i2')[-heard.RATE // 4:] / 32768
        return 10 * numpy.log10(max(float(numpy.mean(samples ** 2)), 1e-12)) if len(samples) == heard.RATE // 4 else -120

    def hears(self, wanted):
        self.until(lambda: abs(self.level() - wanted) < 1.5, f'{wanted:.0f} dB', 10 * SCALE)

    def speaker(self):
        speaker = self.line(f'audiotestsrc is-live=true volume=0.1 ! agorasink {self.where(8)}', '-m')
        return speaker

    def run_desk(self, *argv):
        # Its pipeline is refused on the way to PLAYING, or there: whichever is first.
        wrong = [self.desk(argv, 'other') for _ in range(3)]
        desk = self.desk(argv)
        speaker = self.speaker()
        # Who comes, its own pad, how loud it is.
        desk.wait_line('^8 speaks$', 15 * SCALE)
        desk.wait_line('^pad speaker_8$', 15 * SCALE)
        level = float(desk.wait_line(r'^level 8 (-(?:19|20|21)\.\d) dB$', 15 * SCALE)[1])
        self.assertAlmostEqual(level, PEAK, delta=1)
        uid = int(speaker.wait_line(r'agora-stream-added.*uid=\(uint\)(\d+)', 10 * SCALE)[1])
        # Mix-minus: the desk's own voice, which is louder, isn't in what it hears; so it is the speaker's alone.
        self.hears(PEAK - 3)
        desk.popen.stdin.write(f'8 {FADER}\nnonsense\n'.encode())
        desk.popen.stdin.flush()
        desk.wait_line(rf'^fader 8 {FADER:.2f}$')
        desk.wait_line('UID VOLUME', which='err')
        self.hears(PEAK - 3 + 20 * numpy.log10(FADER))
        # The operator.
        rule = self.admin('POST', '/dev/v1/kicking-rule', appid='demo', cname='room', uid=uid, time_in_seconds=600,
                          privileges=['publish_audio'])['id']
        desk.wait_line('^mouth: kept off the air by the operator$', 10 * SCALE)
        speaker.wait_line(rf'agora-stream-removed.*uid=\(uint\){uid}\b', 10 * SCALE)
        self.admin('DELETE', f'/dev/v1/kicking-rule?appid=demo&id={rule}')
        desk.wait_line('^mouth: may speak again$', 10 * SCALE)
        # The way to the gateway; the sound has another.
        self.way.shut()
        for element in ('mouth', 'ears'):
            desk.wait_line(f'^{element}: reconnecting: .+$', 10 * SCALE)
        self.way.mend()
        for element in ('mouth', 'ears'):
            self.assertLess(float(desk.wait_line(rf'^{element}: back after (\d+\.\d) s$', 15 * SCALE)[1]), 15 * SCALE)
        # Who goes, and its pad with it.
        self.assertEqual(speaker.interrupt(10), 0, speaker.tail())
        desk.wait_line('^8 has stopped$', 10 * SCALE)
        self.assertGreater(int(desk.wait_line(r'^pad speaker_8 is gone, (\d+) frames$', 15 * SCALE)[1]), 20)
        # The desk goes before a speaker does: it knows what it had of them nevertheless.
        since = desk.mark()
        speaker = self.speaker()
        desk.wait_line(r'^level 8 -(?:19|20|21)\.\d dB$', 15 * SCALE, since=since)
        desk.wait_line('^pad speaker_8$', 15 * SCALE, since=since)
        for _ in range(4):
            desk.wait_line('^level 8 ', 15 * SCALE, since=desk.mark())
        since = desk.mark()
        self.assertEqual(desk.interrupt(10), 0, desk.tail())
        self.assertGreater(int(desk.wait_line(r'^pad speaker_8 is gone, (\d+) frames$', since=since)[1]), 20)
        # And doesn't come back for a moment on the way.
        self.assertEqual(len([text for _, _, text in desk.lines[since:] if text.startswith('pad ')]), 1, desk.tail())
        self.assertEqual(speaker.interrupt(10), 0, speaker.tail())
        for one in wrong:
            one.wait_line('other.*101', which='err')
            self.assertEqual(one.wait(10), 1, one.tail())

    def test_c(self):
        source = EXAMPLES / 'desk.c'
        command = re.search(r'^ \*   (cc desk\.c .*)$', source.read_text(), re.M)[1]
        shutil.copy(source, self.tmp)
        built = subprocess.run(['sh', '-c', f'{command} -Wall -Werror'], cwd=self.tmp, capture_output=True, text=True, check=False)
        self.assertEqual(built.returncode, 0, built.stderr)
        self.run_desk(self.tmp / 'desk')

    def test_python(self):
        self.run_desk('/usr/bin/python3', EXAMPLES / 'desk.py')

    def test_javascript(self):
        if not shutil.which('gjs'):
            self.skipTest('gjs is not installed')
        self.run_desk('gjs', '-m', EXAMPLES / 'desk.js')


if __name__ == '__main__':
    tap.main()
