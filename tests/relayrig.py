# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-relay without a gateway: the test holds the other end of its line, and says yes or no.

A player of RTMP that reads whole messages is here, too: it tells when each came.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path
from unittest import SkipTest

from harness import SCALE, Case, Process, mostly, wait_until

AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20

# Puts the sockets where the relay looks for them, whatever numbers they have here.
STARTER = ('import fcntl, os, sys; line, *doors = map(int, sys.argv[2].split(","));'
           'spare = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in [line, *doors]];'
           '[os.dup2(fd, 3 + i) for i, fd in enumerate(spare)]; os.closerange(3 + len(spare), max(spare) + 60);'
           '[os.dup2(4, 10 + i) for i in range(int(os.environ.get("RELAY_SPOIL", 0)))];'
           'os.execv(sys.argv[1], sys.argv[1:2] + sys.argv[3:])')


def relay_binary():
    root = os.environ.get('AGORA_BUILD_ROOT')
    path = Path(root or '', 'signaling', 'relay', 'agora-relay')
    if not root or not path.exists():
        raise SkipTest('agora-relay was not built')
    return str(path)


class Relay(Process):
    """One relay, with what it asked and said. `allow(ask)`: a truth, a text that says why not, or more of the answer
    in a dict (relay_from)."""

    def __init__(self, host='127.0.0.1', limits=None, app='live', allow=lambda ask: True, wrap=(), tls=None,
                 **keywords):
        """`tls`: the texts of a certificate and its key; then `tls_port` is one for RTMPS."""
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.listening = socket.create_server((host, 0), family=family, backlog=511)
        self.port = self.listening.getsockname()[1]
        self.url = f'rtmp://{f"[{host}]" if ":" in host else host}:{self.port}/{app}'
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.allow = allow
        self.told = []  # what the relay said
        self.news = threading.Condition()
        self.count = 0
        fds, names = [theirs.fileno(), self.listening.fileno()], '--fds=rtmp=4'
        self.tls = tls or ('', '')
        if tls:
            self.listening_tls = socket.create_server((host, 0), family=family, backlog=511)
            self.tls_port = self.listening_tls.getsockname()[1]
            fds.append(self.listening_tls.fileno())
            names += ',rtmps=5'
        super().__init__([*wrap, sys.executable, '-S', '-c', STARTER, relay_binary(),
                          ','.join(map(str, fds)), names], pass_fds=fds, **keywords)
        self.name = 'agora-relay'
        theirs.close()
        self.configure(app, limits or {})
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()
        self.wait_told('ready')

    def configure(self, app='live', limits=None, **more):
        self.say(op='configure', app=app, limits={
            'listener_lag_ms': 1000, 'push_kbps': 4096, 'sessions': 16384,
            'sessions_per_address': 4096, 'strangers_per_address': 256, 'opening_ms': 10000, 'idle_push_ms': 4000,
            'opening_pulls': 128,
            **(limits or {})}, certificate=self.tls[0], key=self.tls[1], **more)

    def trust(self, authorities):
        self.say(op='trust', authorities=authorities)

    def say(self, gift=None, **message):
        """`gift`: a socket that goes with it."""
        packet = json.dumps(message).encode()
        if gift:
            socket.send_fds(self.line, [packet], [gift.fileno()])
        else:
            self.line.send(packet)

    def dial(self, message):
        """As the gateway does: the connection may still be under way."""
        host, _, port = message['address'].rpartition(':')
        host = host.strip('[]')
        with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET) as made:
            made.setblocking(False)
            made.connect_ex((host, int(port)))
            self.say(op='link', n=message['n'], stream=message['stream'], reason='', gift=made)

    def _listen(self):
        while True:
            try:
                packet = self.line.recv(65536)
            except OSError:
                return
            if not packet:
                return
            message = json.loads(packet)
            message['at'] = time.monotonic()
            if message['op'] == 'ask':
                verdict = self.allow(message)
                if isinstance(verdict, dict):
                    self.say(op='answer', id=message['id'], allow=True, reason='', **verdict)
                elif verdict is not None:
                    allow = verdict is True
                    self.say(op='answer', id=message['id'], allow=allow,
                             reason='' if allow else str(verdict or 'no'))
            if message['op'] == 'dial':
                self.dial(message)
            with self.news:
                self.told.append(message)
                self.news.notify_all()

    def all_told(self, op, **fields):
        with self.news:
            return [each for each in self.told
                    if each['op'] == op and all(each.get(k) == v for k, v in fields.items())]

    def wait_told(self, op, timeout=10, **fields):
        return wait_until(lambda: self.all_told(op, **fields), timeout, f'{op} {fields}')[-1]

    def ping(self, timeout=3):
        """The counters."""
        self.count += 1
        self.say(op='ping', n=self.count)
        return self.wait_told('pong', timeout, n=self.count)

    def traffic(self, what, stream='voice'):
        """What it told of a stream so far, in all."""
        return sum(each.get(what, 0) for told in self.all_told('traffic') for each in told['streams']
                   if each['stream'] == stream)

    def drop(self, side, stream, number=0):
        self.count += 1
        self.say(op='drop', ticket=self.count, side=side, stream=stream, id=number)
        return self.wait_told('dropped', 3, ticket=self.count)

    def sessions(self):
        self.count += 1
        self.say(op='sessions', n=self.count)
        wait_until(lambda: self.all_told('sessions', n=self.count, last=True), 3)
        return sorted(number for each in self.all_told('sessions', n=self.count) for number in each['ids'])

    def memory(self):
        """Resident, in bytes."""
        return int(Path(f'/proc/{self.pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')

    def cpu(self):
        """Seconds of processor time so far."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def stop(self):
        super().stop()
        self.line.close()
        self.listening.close()
        if self.tls[0]:
            self.listening_tls.close()


_tick = threading.Event()


def pause(seconds):
    """For what is measured over time, or happens at one."""
    if seconds > 0:
        _tick.wait(seconds)


def amf(value):
    if value is None:
        return b'\5'
    if isinstance(value, bool):
        return b'\1' + bytes([value])
    if isinstance(value, str):
        return b'\2' + struct.pack('>H', len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return b'\3' + b''.join(amf(k)[1:] + amf(v) for k, v in value.items()) + b'\0\0\x09'
    return b'\0' + struct.pack('>d', value)


class Peer:
    """One RTMP connection that is looked after by hand."""

    def __init__(self, relay, host='127.0.0.1', receive_buffer=None, source=None, tls=None, session=None):
        """`tls`: an ssl.SSLContext, for RTMPS; `session`: to be gone on with."""
        self.relay = relay
        self.socket = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(5 * SCALE)
        self.socket.connect((host, relay.tls_port if tls else relay.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname='localhost', session=session)
        self.received = b''
        self.chunk_in = 128
        self.partial = {}  # chunk stream -> its message under way
        self.headers = {}
        self.messages = []  # (monotonic, type, timestamp, payload)

    def close(self):
        self.socket.close()

    # What it sends.

    def message(self, kind, body, stamp=0, stream=0, channel=3):
        stamp &= 0xffffffff
        extended = struct.pack('>I', stamp) if stamp >= 0xffffff else b''
        head = bytes([channel]) + min(stamp, 0xffffff).to_bytes(3, 'big')
        head += len(body).to_bytes(3, 'big') + bytes([kind]) + struct.pack('<I', stream) + extended
        assert len(body) <= 60000
        return head + body

    def send(self, *messages):
        self.socket.sendall(b''.join(messages))

    def command(self, *values, stream=0):
        return self.message(COMMAND, b''.join(map(amf, values)), stream=stream)

    def greet(self):
        self.send(b'\3' + bytes(8) + os.urandom(1528))
        while len(self.received) < 3073:
            self._receive()
        theirs, self.received = self.received[:3073], self.received[3073:]
        self.send(theirs[1:1537], self.message(1, struct.pack('>I', 60000), channel=2))
        return self

    def connect(self, app='live'):
        self.send(self.command('connect', 1, {'app': app, 'tcUrl': f'rtmp://127.0.0.1:{self.relay.port}/{app}'}),
                  self.command('createStream', 2, None))
        self.wait_word(b'_result', 2)
        return self

    def open(self, call, name, app='live'):
        """`call`: publish or play. Returns the status code that answers it."""
        self.greet().connect(app)
        words = ['publish', 3, None, name, 'live'] if call == 'publish' else ['play', 3, None, name]
        self.send(self.command(*words, stream=1))
        return self.status()

    def frame(self, stamp, body=b'\xaf\x01' + bytes(120), kind=AUDIO):
        self.send(self.message(kind, body, stamp, 1, channel=4 if kind == AUDIO else 6))

    # What it gets.

    def _receive(self):
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionError('closed by the relay')
        self.received += more

    def _parse(self):
        while True:
            data = self.received
            if not data:
                return
            form, channel, at = data[0] >> 6, data[0] & 63, 1
            assert channel > 1, 'a long chunk stream id, which the relay has no need of'
            size = {0: 11, 1: 7, 2: 3, 3: 0}[form]
            if len(data) < at + size + 4:
                if len(data) < at + size or form < 3 and data[at:at + 3] == b'\xff\xff\xff':
                    return
            header = dict(self.headers.get(channel, {}))
            if form < 3:
                header['stamp'] = int.from_bytes(data[at:at + 3], 'big')
            if form < 2:
                header['length'] = int.from_bytes(data[at + 3:at + 6], 'big')
                header['kind'] = data[at + 6]
            if form == 0:
                header['stream'] = int.from_bytes(data[at + 7:at + 11], 'little')
            at += size
            if header['stamp'] == 0xffffff or header.get('extended') and form == 3:
                header['extended'] = True
                if len(data) < at + 4:
                    return
                header['stamp'] = int.from_bytes(data[at:at + 4], 'big')
                at += 4
            else:
                header['extended'] = False
            had = self.partial.get(channel, b'')
            part = min(self.chunk_in, header['length'] - len(had))
            if len(data) < at + part:
                return
            body = had + data[at:at + part]
            self.received = data[at + part:]
            self.headers[channel] = header
            if len(body) < header['length']:
                self.partial[channel] = body
                continue
            self.partial.pop(channel, None)
            if header['kind'] == 4 and body[:2] == b'\0\6':
                # Whoever reads answers.
                try:
                    self.send(self.message(4, b'\0\7' + body[2:6], channel=2))
                except ConnectionError:
                    pass
            if header['kind'] == 1:
                self.chunk_in = int.from_bytes(body[:4], 'big')
            self.messages.append((time.monotonic(), header['kind'], header['stamp'], body))

    def read(self, seconds=0.0):
        """Whatever comes within that time; at least what is there already."""
        until = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(until - time.monotonic(), 0))
            try:
                self._receive()
            except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
                if time.monotonic() >= until:
                    break
            finally:
                self.socket.settimeout(5 * SCALE)
            self._parse()
        return self

    def wait(self, condition, timeout=5, what='the message'):
        end = time.monotonic() + timeout * SCALE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f'{what} did not come: {self.messages[-5:]}')
            self.socket.settimeout(0.05)
            try:
                self._receive()
                self._parse()
            except (TimeoutError, BlockingIOError):
                pass
            finally:
                self.socket.settimeout(5 * SCALE)

    def wait_word(self, word, count=1):
        self.wait(lambda: sum(word in body for _, kind, _, body in self.messages
                              if kind == COMMAND) >= count, what=repr(word))

    def status(self):
        """The code of the newest onStatus (what comes before Play.Start isn't it)."""
        def code():
            for _, kind, _, body in self.messages:
                if kind == COMMAND and b'onStatus' in body and b'Play.Reset' not in body:
                    at = body.index(b'NetStream.')
                    size = body[at - 1]
                    return body[at:at + size].decode()
            return None
        self.wait(code, what='a status')
        return code()

    def media(self, kind=AUDIO):
        return [(at, stamp, body) for at, what, stamp, body in self.messages if what == kind]

    def closed(self, timeout=2):
        """Whether the relay closes within that time."""
        self.socket.settimeout(timeout * SCALE)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(5 * SCALE)


class RelayCase(Case):
    def relay(self, **keywords):
        return self.keep(Relay(**keywords))

    def peer(self, relay, **keywords):
        peer = Peer(relay, **keywords)
        self.addCleanup(peer.close)
        return peer

    def push(self, relay, name='voice', **keywords):
        peer = self.peer(relay, **keywords)
        self.assertEqual(peer.open('publish', name), 'NetStream.Publish.Start')
        return peer

    def play(self, relay, name='voice', **keywords):
        peer = self.peer(relay, **keywords)
        self.assertEqual(peer.open('play', name), 'NetStream.Play.Start')
        return peer

    def witness(self, relay, **keywords):
        """A push and a listener; what it returns checks that all of it was heard, and says how late it was."""
        push = self.push(relay, 'witness', **keywords)
        listener = self.play(relay, 'witness', **keywords)
        sent = []

        def beat(count=25):
            late = []
            for _ in range(count):
                push.frame(20 * len(sent))
                sent.append(time.monotonic())
                listener.wait(lambda: len(listener.media()) == len(sent))
                late.append(time.monotonic() - sent[-1])
            return mostly(late)
        return beat
