# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway with stream keys and play keys, an operator who makes them, encoders and players: for their tests."""

import http.client
import json
import ssl
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

from harness import SCALE, Case
from relayrig import Peer, pause
from wsclient import Member

sys.path.insert(0, str(Path(__file__).parent.parent / 'interop'))
import programs  # pylint: disable=wrong-import-position

TOKEN = 'Tru5t-me/for+this:one='
PATH = '/dev/v1/stream-key'
PLAY_PATH = '/dev/v1/play-key'


class KeyCase(Case):
    def setUp(self):
        super().setUp()
        self.secret = self.tmp / 'admin-token'
        self.secret.write_text(TOKEN + '\n')
        self.state = self.tmp / 'state'
        self.state.mkdir(0o700)
        self.file = self.state / 'stream-keys'
        self.serve()

    def serve(self, *options):
        self.served = self.gateway(f'--admin-token-file={self.secret}', f'--state-dir={self.state}', '--app=demo',
                                   *(options or ['--relay-workers=2']))

    def call(self, method, path, body=None):
        address = urlsplit(self.served.http)
        if address.scheme == 'https':
            connection = http.client.HTTPSConnection(address.netloc, timeout=5,
                                                     context=ssl.create_default_context(cafile=self.authority.file))
        else:
            connection = http.client.HTTPConnection(address.netloc, timeout=5)
        self.addCleanup(connection.close)
        headers = {'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def must(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        self.assertEqual(status, 200, answer)
        return answer

    def key(self, uid=8, channel='room', path=PATH):
        return self.must('POST', path, {'appid': 'demo', 'cname': channel, 'uid': uid})

    def keys(self, path=PATH):
        return self.must('GET', f'{path}?appid=demo')['keys']

    def member(self, **keywords):
        member = Member(self.served.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member

    def push(self, url, video=False):
        picture = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10', '-c:v', 'flv1', '-g', '10'] if video else []
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                          'sine=frequency=440:sample_rate=48000', *picture, '-c:a', 'aac', '-b:a', '48k', '-f', 'flv', url,
                          quiet_errors=True)

    def heard(self, url, seconds=1):
        """How loud the tone is, of what is left when its first half second is over."""
        played = subprocess.run(['ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '4096', '-analyzeduration', '300000',
                                 '-i', url, '-vn', '-t', str(seconds), '-f', 's16le', '-ac', '1', '-'],
                                capture_output=True, timeout=20 * SCALE, check=True).stdout
        half = memoryview(played[:len(played) // 2 * 2]).cast('h')[len(played) // 4:]
        self.assertGreater(len(half), 4000)
        return max(half)

    def peer(self, url, call, app='live'):
        """An RTMP session by hand, and what answered it."""
        parts = urlsplit(url)
        peer = Peer(SimpleNamespace(port=parts.port))
        self.addCleanup(peer.close)
        name = parts.path.rpartition('/')[2] + (f'?{parts.query}' if parts.query else '')
        return peer, peer.open(call, name, app)

    @staticmethod
    def seconds_heard(path):
        """How long the tone is that was recorded."""
        done = subprocess.run(['ffmpeg', '-nostdin', '-v', 'error', '-i', path, '-f', 's16le', '-ac', '1', '-ar', '48000', '-'],
                              capture_output=True, timeout=60, check=True).stdout
        samples = memoryview(done[:len(done) // 2 * 2]).cast('h')
        return sum(max(samples[i:i + 480]) > 500 for i in range(0, len(samples) - 480, 480)) / 100

    def assert_played(self, names, key, made):
        """Programs of the field, there before the encoder: each hears it twice, and its second word behind the first."""
        heard = {}
        for name in names:
            needed, words, environment = programs.PLAYERS[name]
            if programs.missing(needed):
                print(f'# {name}: not here')
                continue
            folder = self.tmp / str(len(heard))
            folder.mkdir()
            out = folder / ('out.mkv' if 'copy' in name else 'out.wav')
            process = self.foreign(*words(made['url'], out, folder), quiet_errors=True,
                                   env={key: value.format(out=out) for key, value in environment.items()})
            heard[name] = (process, out, name.startswith('ffplay'))
        self.until(lambda: self.keys(PLAY_PATH)[0]['players'] >= len(heard), 'the players', 20)
        for _ in range(2):
            encoder = self.push(key['url'])
            self.until(lambda: self.keys()[0]['in_use'], 'the encoder', 15)
            pause(3 * SCALE)  # what they are to hear
            encoder.interrupt()
            self.until(lambda: not self.keys()[0]['in_use'], 'its leave', 15)
        self.must('DELETE', f'{PLAY_PATH}?appid=demo&id={made["id"]}')
        for name, (process, out, raw) in heard.items():
            with self.subTest(name):
                if process.running():
                    try:
                        process.wait(5)
                    except AssertionError:
                        process.interrupt(10)
                if raw:
                    wav = out.with_suffix('.raw.wav')
                    subprocess.run(['ffmpeg', '-v', 'error', '-f', 's16le', '-ac', '1', '-ar', '48000', '-i', out, wav], check=True)
                    out = wav
                seconds = self.seconds_heard(out)
                print(f'# {name}: heard for {seconds:.1f} s')
                self.assertGreater(seconds, 4)
