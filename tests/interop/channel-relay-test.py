# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/examples/relay.py: a host of one channel is heard in others, whose tokens and rules hold; and the one line of sdk-map.md."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import tap
from channel import ChannelCase
from harness import SCALE

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'gateway'))
import tokens

DOCS = Path(__file__).resolve().parents[2] / 'docs'
CERTIFICATE = '00112233445566778899aabbccddeeff'
ADMIN = 'the-operator-of-this-test'
ALL = dict.fromkeys((tokens.JOIN, tokens.AUDIO, tokens.VIDEO, tokens.DATA), 3600)


class RelayTest(ChannelCase):
    APP = 'sealed'

    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(ADMIN)
        secret.chmod(0o600)
        self.gate = self.gateway(f'--app={self.APP}:{CERTIFICATE}', f'--admin-token-file={secret}')

    def token(self, channel, uid=0, privileges=None):
        return tokens.build(self.APP, CERTIFICATE, channel, uid, privileges)

    def admin(self, method, path, **fields):
        request = urllib.request.Request(
            self.gate.http + path, method=method, data=json.dumps(fields).encode() if fields else None,
            headers={'Authorization': f'Bearer {ADMIN}', 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5 * SCALE) as answer:
            return json.load(answer)

    def relay(self, channel='hall', uid=8):
        return self.foreign('/usr/bin/python3', DOCS / 'examples' / 'relay.py', self.gate.ws, self.APP, channel, uid,
                            stdin=subprocess.PIPE, env={'TOKEN': self.token(channel)})

    @staticmethod
    def tell(relay, line):
        relay.popen.stdin.write(f'{line}\n'.encode())
        relay.popen.stdin.flush()

    def start_in(self, relay, channel):
        self.tell(relay, f'start {channel} {self.token(channel, 8, ALL)}')
        relay.wait_line(f'^{channel}: connecting$')
        relay.wait_line(f'^{channel}: running$', 15 * SCALE)

    def test_heard_in_another_channel(self):
        """Whole, while further channels are added, fail and end."""
        relay = self.relay()
        self.start_in(relay, 'lobby')
        recorder = self.record(room='lobby', properties=f'token={self.token("lobby")} latency=200')
        listener = self.line(f'agorasrc token={self.token("lobby")} {self.where(room="lobby")} ! fakesink', '-m')
        listener.wait_line(r'agora-stream-added.*uid=\(uint\)8\b', 10 * SCALE)
        voice, path = self.speech('alsa', 4)
        host = self.speak(self.wav('host', path), 8, 'hall', f'token={self.token("hall", 8, ALL)}')
        listener.wait_line('agora-unmute-audio', 15 * SCALE)
        on_air = listener.mark()
        # A token of another channel, one that may not publish; and one that is good.
        self.tell(relay, f'start studio {self.token("lobby", 8, ALL)}')
        self.tell(relay, f'start attic {self.token("attic", 8)}')
        self.start_in(relay, 'cellar')
        relay.wait_line('^studio: failure: studio: .+', 10 * SCALE)
        relay.wait_line('^attic: failure: attic: .+', 10 * SCALE)
        self.tell(relay, 'stop cellar')
        relay.wait_line('^cellar: idle$', 10 * SCALE)
        self.tell(relay, 'stop cellar')
        relay.wait_line('^relay: cellar was not started$', which='err')
        self.assertEqual(host.wait(20), 0, host.tail())
        # The host is away, and the other channel knows it; the way stays.
        listener.wait_line('agora-mute-audio', 10 * SCALE, since=on_air)
        self.assertEqual(relay.terminate(10), 0, relay.tail())
        relay.wait_line('^lobby: idle$')
        listener.wait_line(r'agora-stream-removed.*uid=\(uint\)8\b', 10 * SCALE)
        self.assert_heard(voice, self.stop_recording(recorder))

    def test_rules_of_the_other_channel(self):
        relay = self.relay()
        host = self.line(f'audiotestsrc is-live=true ! agorasink token={self.token("hall", 8, ALL)} {self.where(8, "hall")}', '-m')
        self.start_in(relay, 'lobby')
        rule = self.admin('POST', '/dev/v1/kicking-rule', appid=self.APP, cname='lobby', uid=8, time_in_seconds=600,
                          privileges=['publish_audio'])['id']
        relay.wait_line('^lobby: kept off the air by the operator$', 10 * SCALE)
        silenced = relay.mark()
        self.admin('DELETE', f'/dev/v1/kicking-rule?appid={self.APP}&id={rule}')
        relay.wait_line('^lobby: running$', 10 * SCALE, since=silenced)
        self.admin('POST', '/dev/v1/kicking-rule', appid=self.APP, cname='lobby', uid=8, time_in_seconds=600, privileges=['join_channel'])
        relay.wait_line('^lobby: failure: lobby: .+', 10 * SCALE)
        self.assertTrue(relay.running())
        self.assertNotIn('agora-silenced', host.output())
        self.assertEqual(host.interrupt(10), 0, host.tail())

    def test_the_line_of_the_page(self):
        """Without a program: one line, one other channel."""
        line = re.search(r'^(gst-launch-1\.0 agorasrc .* ! agorasink .*)$', (DOCS / 'sdk-map.md').read_text(), re.M)[1]
        gate = self.gateway('--app=demo')
        host = self.line(f'audiotestsrc is-live=true ! agorasink gateway={gate.ws} app-id=demo channel=hall uid=8')
        self.line(line.replace('$WS', gate.ws))
        listener = self.line(f'agorasrc gateway={gate.ws} app-id=demo channel=lobby level-interval=200000000 ! fakesink sync=true', '-m')
        listener.wait_line(r'agora-level.*uid\W+uint\W+8\W+peak\W+double\W+-[0-9]\.', 15 * SCALE)
        self.assertTrue(host.running())


if __name__ == '__main__':
    tap.main()
