# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operator's silence: an agorasink stays, sends nothing, and is on the air again by itself."""

import json
import urllib.request

import numpy

import heard
import tap
from channel import ChannelCase
from harness import SCALE

TOKEN = 'silence-please-now'
TONE = 'audiotestsrc is-live=true freq=440 volume=0.3'


class SilenceTest(ChannelCase):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        self.gate = self.gateway(f'--admin-token-file={secret}',
                                 '--max-admin-requests-per-second=1000')

    def admin(self, method, path, **fields):
        request = urllib.request.Request(
            self.gate.http + path, method=method, data=json.dumps(fields).encode() if fields else None,
            headers={'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def silence(self, uid, seconds):
        return self.admin('POST', '/dev/v1/kicking-rule', appid='demo', cname='room', uid=uid,
                          time_in_seconds=seconds, privileges=['publish_audio'])['id']

    def lift(self, rule):
        self.admin('DELETE', f'/dev/v1/kicking-rule?appid=demo&id={rule}')

    def muted(self, uid):
        data = self.admin('GET', f'/dev/v1/channel/user/property/demo/{uid}/room')['data']
        return data['in_channel'], data.get('muted'), data.get('publishing')

    def on_air(self, seconds):
        self.until(lambda: self.muted(8) == (True, False, True), 'its voice', seconds * SCALE)

    def go_on(self, recorder, seconds=1.0):
        """Until so much more has been recorded."""
        wanted = recorder.path.stat().st_size + int(seconds * heard.RATE) * 2
        self.until(lambda: recorder.path.stat().st_size >= wanted, 'the recorder', 10 * SCALE)

    def blocks(self, sound):
        """Whether the tone is there, for each tenth of a second."""
        size = heard.RATE // 10
        whole = sound[:len(sound) // size * size].reshape(-1, size)
        return numpy.sqrt(numpy.mean(whole ** 2, axis=1)) > 0.05

    def test_silenced_and_back(self):
        recorder = self.record()
        speaker = self.line(f'{TONE} ! agorasink {self.where(8)}', '-m')
        self.on_air(10)
        # The file grows in steps of 0.7 s.
        self.go_on(recorder, 2.5)
        rule = self.silence(8, 600)
        speaker.wait_line('agora-silenced', 5 * SCALE)
        self.assertEqual(self.muted(8), (True, True, False))
        # Nobody is told of a fault, and nothing is sent.
        listener = self.line(f'agorasrc {self.where(9)} ! fakesink', '-m')
        listener.wait_line('New clock', 10)
        self.go_on(recorder)
        self.lift(rule)
        speaker.wait_line('agora-unsilenced', 5 * SCALE)
        listener.wait_line('agora-stream-added', 5 * SCALE)
        self.on_air(5)
        self.go_on(recorder, 2.5)
        for process in (speaker, listener):
            self.assertEqual(process.interrupt(10), 0, process.tail())
            self.assertNotIn('ERROR', process.output())
        self.assertNotIn('agora-reconnecting', speaker.output())
        there = self.blocks(self.stop_recording(recorder))
        # On the air, off it, and on it again: two runs of sound.
        edges = numpy.flatnonzero(numpy.diff(there.astype(int)) == 1)
        self.assertEqual(len(edges) + int(there[0]), 2, there.astype(int))

    def test_a_rule_that_ends_and_one_that_was_there(self):
        self.silence(8, 8)
        speaker = self.line(f'{TONE} ! agorasink {self.where(8)}', '-m')
        speaker.wait_line('agora-silenced', 10 * SCALE)
        self.assertEqual(self.muted(8)[1:], (True, False))
        speaker.wait_line('agora-unsilenced', 15 * SCALE)
        self.on_air(5)
        self.assertEqual(speaker.interrupt(10), 0, speaker.tail())
        self.assertNotIn('ERROR', speaker.output())

    def test_a_rule_of_no_duration(self):
        speaker = self.line(f'{TONE} ! agorasink {self.where(8)}', '-m')
        self.on_air(10)
        self.silence(8, 0)
        speaker.wait_line('agora-unsilenced', 5 * SCALE)
        self.on_air(5)
        self.assertEqual(speaker.interrupt(10), 0, speaker.tail())
        self.assertNotIn('ERROR', speaker.output())

    def test_ends_while_silenced(self):
        speaker = self.line(f'{TONE} ! agorasink {self.where(8)}', '-m', '-e')
        self.on_air(10)
        self.silence(8, 600)
        speaker.wait_line('agora-silenced', 5 * SCALE)
        self.assertEqual(speaker.interrupt(10), 0, speaker.tail())
        self.assertNotIn('ERROR', speaker.output())


if __name__ == '__main__':
    tap.main()
