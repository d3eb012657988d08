# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway with stream keys and play keys, an operator who makes them, encoders and players: for their tests."""

import http.client
import json
import ssl
import subprocess
from types import SimpleNamespace
from urllib.parse import urlsplit

from harness import SCALE, Case
from relayrig import Peer
from wsclient import Member

TOKEN = 'Tru5t-me/for+this:one='
PATH = '/dev/v1/stream-key'


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

    def peer(self, url, call):
        """An RTMP session by hand, and what answered it."""
        parts = urlsplit(url)
        peer = Peer(SimpleNamespace(port=parts.port))
        self.addCleanup(peer.close)
        name = parts.path.rpartition('/')[2] + (f'?{parts.query}' if parts.query else '')
        return peer, peer.open(call, name)
