# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several gateways with their relays over one Redis, all on free ports of this machine."""

import json
import re
import shutil
import socket
import ssl
import sys
import threading
import time
import types
import urllib.request
from pathlib import Path
from unittest import SkipTest
from urllib.parse import urlsplit

from harness import SCALE, Case, wait_until
from relayrig import Peer
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'field'))
import rtmp  # noqa: E402

FRAME = 0.02  # seconds between two frames of a voice
BLOCK = 0.01  # of the mix, by which a Listener looks for silence
LOUD = -40  # dB; the tone is at -2


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as free:
        return free.getsockname()[1]


class Voice:
    """Pushes frames, each with its number and the voice's name, until it is closed."""

    def __init__(self, url, name):
        self.name = name
        self.push = rtmp.Publisher(url)
        self.push.tag(8, 0, b'\xaf\0\x12\x10')
        self.sent = {}  # number -> when
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.talk, daemon=True)
        self.thread.start()

    def talk(self):
        began = time.monotonic()
        number = 0
        while not self.over.wait(max(began + number * FRAME - time.monotonic(), 0)):
            self.sent[number] = time.monotonic()
            try:
                self.push.tag(8, int(number * FRAME * 1000), b'\xaf\1' + f'{self.name} {number:08}'.encode() + bytes(80))
            except OSError:
                return
            number += 1

    def close(self):
        self.over.set()
        self.thread.join()
        self.push.close()


class Ear:
    """Plays a URL by hand; `heard()`: (name, number, when it came) of each frame."""

    def __init__(self, url):
        parts = urlsplit(url)
        app, _, stream = parts.path.lstrip('/').partition('/')
        self.peer = Peer(types.SimpleNamespace(port=parts.port), parts.hostname)
        self.peer.greet().connect(app)
        self.peer.send(self.peer.command('play', 3, None, f'{stream}?{parts.query}', stream=1))

    def heard(self):
        frames = []
        for at, _, body in self.peer.media():
            if body[:2] == b'\xaf\1':
                name, number = body[2:].rstrip(b'\0').decode().split()
                frames.append((name, int(number), at))
        return frames

    def listen(self, count, timeout=5):
        """So many more frames of what is pushed, without a gap and in order."""
        before = len(self.heard())
        self.peer.wait(lambda: len(self.heard()) >= before + count, timeout, f'{count} frames')
        frames = self.heard()[before:]
        numbers = [number for _, number, _ in frames]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise AssertionError(f'frames are missing: {numbers}')
        return frames

    def close(self):
        self.peer.close()


class Listener:
    """agorasrc in a process of its own. What is silent is counted by the blocks of its mix, which no busy machine makes longer."""

    LEVEL = re.compile(r'uid\\=\\\(uint\\\)(\d+)\\,\\ peak\\=\\\(double\\\)([-\d.e+]+)')

    def __init__(self, case, url, uid, others='channel=room'):
        self.process = case.launch(f'agorasrc name=listener ap-url={url} app-id=demo uid={uid} {others} '
                                   f'level-interval={int(BLOCK * 1e9)} ! fakesink sync=true', '-m')
        self.seen = 0
        self.blocks = []  # (when, the uids that are loud)

    def update(self):
        lines = self.process.lines[self.seen:]
        self.seen += len(lines)
        for at, _, text in lines:
            if 'agora-level,' in text:
                loud = {int(uid) for uid, peak in self.LEVEL.findall(text) if float(peak) > LOUD}
                self.blocks.append((self.process.started + at, loud))
        return self.blocks

    def silence(self, uid, since=0.0):
        """The longest one in seconds since then, and when it was over; None while it lasts."""
        longest, over, begun = 0, since, 0
        for at, loud in self.update():
            if at < since:
                continue
            if uid not in loud:
                begun += 1
                continue
            if begun > longest:
                longest, over = begun, at
            begun = 0
        return (longest * BLOCK, over) if begun <= longest else (begun * BLOCK, None)

    def steady_since(self, uid, since):
        """When the last block that lacked it was over."""
        blocks = [(at, uid in loud) for at, loud in self.update() if at >= since]
        return next((at for at, heard in reversed(blocks) if not heard), since)

    def hears(self, *uids):
        """For the last half second, without a gap."""
        last = self.update()[-int(0.5 / BLOCK):]
        return len(last) == int(0.5 / BLOCK) and all(set(uids) <= loud for _, loud in last)


class Redis:
    def __init__(self, case):
        program = shutil.which('redis-server')
        if not program:
            raise SkipTest('no redis-server')
        self.port = free_port()
        self.case = case
        self.program = program
        self.start()

    @property
    def url(self):
        return f'redis://127.0.0.1:{self.port}'

    def start(self):
        self.process = self.case.foreign(self.program, '--bind', '127.0.0.1', '--port', str(self.port), '--save', '',
                                         '--appendonly', 'no', '--dir', str(self.case.tmp))
        wait_until(lambda: self.say('PING') == b'+PONG', 10, 'Redis')

    def say(self, *words):
        """One command; the first line of its reply."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), 2) as link:
                link.sendall(b''.join([b'*%d\r\n' % len(words), *(b'$%d\r\n%s\r\n' % (len(w), w.encode())
                                                                  for w in words)]))
                return link.makefile('rb').readline().rstrip()
        except OSError:
            return b''


class ClusterCase(Case):
    authority = None  # a file: whom gateways that speak TLS are checked by

    def setUp(self):
        super().setUp()
        self.redis = self.make_redis()
        self.secret = self.tmp / 'secret'
        self.secret.write_text('0123456789abcdef0123456789abcdef\n', encoding='ascii')
        self.secret.chmod(0o600)

    def make_redis(self):
        return Redis(self)

    def alone(self, *options, store=None, relay='127.0.0.1:0', **keywords):
        """A gateway whose store may be away."""
        return self.gateway(f'--store={store or self.redis.url}', f'--cluster-secret-file={self.secret}',
                            f'--relay-address={relay}', *options, **keywords)

    def one_of_many(self, *options, **keywords):
        gateway = self.alone(*options, **keywords)
        self.until(lambda: self.health(gateway)['store'] == 'up')
        return gateway

    def get(self, gateway, path):
        context = ssl.create_default_context(cafile=self.authority) if self.authority else None
        with urllib.request.urlopen(gateway.http + path, timeout=5, context=context) as answer:
            return answer.read().decode()

    def health(self, gateway):
        return json.loads(self.get(gateway, '/healthz'))

    def figure(self, gateway, name):
        """Of /metrics."""
        return float(re.search(rf'^{re.escape(name)} (\S+)$', self.get(gateway, '/metrics'), re.M)[1])

    def member(self, gateway, uid, role='broadcaster', **keywords):
        member = Member(gateway.ws, uid=uid, heartbeat=True, cafile=self.authority)
        self.addCleanup(member.close)
        return member.join(role, **keywords)

    def speaker(self, gateway, uid, name):
        member = self.member(gateway, uid)
        return member, self.voice(member, name)

    def voice(self, member, name):
        voice = Voice(member.publish(), name)
        self.addCleanup(voice.close)
        return voice

    def ear(self, url):
        ear = Ear(url)
        self.addCleanup(ear.close)
        return ear

    def listener(self, gateway, uid, speaker):
        """A member that has been told of the speaker, and its ear."""
        member = self.member(gateway, uid, 'audience')
        member.wait_event('stream-added', 5 * SCALE, uid=speaker)
        return member, self.ear(member.subscribe(speaker))
