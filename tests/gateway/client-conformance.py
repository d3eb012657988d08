# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays the gateway of conformance-client/*.json for a real AgoraClient, through its bindings.

The library's own codec has no part in it: frames are what the files say, and what the client sends
has to be what they say, nothing more, in that order. README.md there explains the files.
Arguments: parts of the names of the cases to run.
"""

import base64
import collections
import hashlib
import json
import socket
import struct
import sys
import threading
import unittest
from pathlib import Path

import harness
import tap
from conformance import Conversation, Mismatch

try:
    import gi
except ImportError:
    print('1..0 # SKIP this Python has no gi')
    sys.exit(0)
gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib

FILES = Path(__file__).parent / 'conformance-client'
SOON = 10
GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, CLOSE = 1, 8
FEATURES = ['silence', 'codecs', 'quality', 'talk', 'data', 'names']
PING = {'command': 'ping', 'requestId': '$any', 'appId': '$any', 'cname': '$any', 'uid': '$any',
        'sid': '$sid', 'ts': '$any'}
SIGNALS = ('stream-added', 'stream-removed', 'update-url', 'video-rotation', 'mute-audio',
           'unmute-audio', 'mute-video', 'unmute-video', 'token-privilege-will-expire',
           'token-privilege-did-expire', 'client-banned', 'reconnected')
CONTEXT = GLib.MainContext.default()


class Inbox:
    """What threads leave for the main loop, which waits for it."""

    def __init__(self):
        self.items = collections.deque()

    def put(self, item):
        self.items.append(item)
        CONTEXT.wakeup()

    def take(self, what, timeout=SOON):
        over = []
        timer = GLib.timeout_add(int(timeout * harness.SCALE * 1000), over.append, True)
        try:
            while not self.items:
                if over:
                    raise Mismatch(f'{what} did not come')
                CONTEXT.iteration(True)
        finally:
            if not over:
                GLib.source_remove(timer)
        return self.items.popleft()


class Connection:
    """One of the client's, read by a thread: a WebSocket, or an HTTP request."""

    def __init__(self, stream):
        self.stream = stream
        self.file = stream.makefile('rb')
        self.inbox = Inbox()
        self.request, self.headers, self.body = self.read_head()

    def read_head(self):
        lines = []
        while (line := self.file.readline().strip()):
            lines.append(line.decode())
        headers = dict(line.split(': ', 1) for line in lines[1:])
        headers = {name.lower(): value for name, value in headers.items()}
        return lines[0], headers, self.file.read(int(headers.get('content-length', 0)))

    def upgrade(self):
        key = self.headers['sec-websocket-key'].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        self.stream.sendall(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'Sec-WebSocket-Accept: {accept}\r\n\r\n'.encode())
        threading.Thread(target=self.read_frames, daemon=True).start()

    def answer(self, body):
        self.stream.sendall(
            f'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
            f'Connection: close\r\n\r\n{body}'.encode())
        self.cut()

    def read_frames(self):
        try:
            while (head := self.file.read(2)) and len(head) == 2:
                length = head[1] & 127
                if length > 125:
                    size, form = (2, '>H') if length == 126 else (8, '>Q')
                    length = struct.unpack(form, self.file.read(size))[0]
                mask = self.file.read(4)
                data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.file.read(length)))
                if head[0] & 15 == TEXT:
                    self.inbox.put(json.loads(data))
                elif head[0] & 15 == CLOSE:
                    break
        except (OSError, struct.error):
            pass
        self.inbox.put(None)

    def send(self, data, opcode=TEXT):
        size = bytes([len(data)]) if len(data) < 126 else b'\x7e' + struct.pack('>H', len(data))
        self.stream.sendall(bytes([0x80 | opcode]) + size + data)

    def cut(self):
        try:
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.stream.close()


class Server:
    def __init__(self):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.inbox = Inbox()
        self.all = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def where(self):
        return f'127.0.0.1:{self.socket.getsockname()[1]}'

    def accept(self):
        while True:
            try:
                connection = Connection(self.socket.accept()[0])
            except OSError:
                return
            self.all.append(connection)
            self.inbox.put(connection)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for each in self.all:
            each.cut()


class Play(Conversation):
    """The steps of one scenario: "VERB": VALUE; of a call "NAME returns" or "NAME fails"."""

    def __init__(self, server, chosen):
        super().__init__(None, 'room', None)
        self.server, self.connection = server, None
        self.names['gateway'] = f'ws://{server.where}/api'
        self.signals, self.calls = Inbox(), collections.defaultdict(Inbox)
        self.client = AgoraSignaling.Client.new(self.names['gateway'])
        if chosen:
            self.client.props.ap_url = f'http://{server.where}/api/v1'
        for name in SIGNALS:
            self.client.connect(name, lambda _, *what, name=name: self.signals.put([name, *what]))
        for name in ('error', 'reconnecting'):
            self.client.connect(name, lambda _, error, name=name: self.signals.put(
                [name, self.nick(error)]))

    @staticmethod
    def nick(error):
        return AgoraSignaling.Error(error.code).value_nick.replace('_', '-')

    def run(self, steps):
        for number, step in enumerate(steps):
            (key, value), = step.items()
            name, _, verb = key.rpartition(' ')
            try:
                if verb in ('returns', 'fails'):
                    self.match([verb, value], self.calls[name].take(f'the end of {name}'), name)
                else:
                    getattr(self, key.replace(' ', '_'))(self.filled(value))
            except Exception as error:
                raise Mismatch(f'step {number}, {json.dumps(step)}: '
                               f'{type(error).__name__}: {error}') from error

    def call(self, name, *arguments):
        enums = {'broadcaster': AgoraSignaling.Role.BROADCASTER,
                 'audience': AgoraSignaling.Role.AUDIENCE}
        if name.startswith('mute'):
            enums = {each.value_nick: each for each in
                     map(AgoraSignaling.Target, range(3))}
        arguments = [enums.get(each, each) if isinstance(each, str) else each
                     for each in arguments]

        def done(client, result):
            try:
                value = getattr(client, f'{name.replace("_account", "")}_finish')(result)
                value = list(value) if isinstance(value, tuple) else value
                self.calls[name].put(['returns', value])
            except GLib.Error as error:
                self.calls[name].put(['fails', self.nick(error)])

        getattr(self.client, f'{name}_async')(*arguments, None, done)

    def app_calls(self, words):
        if words == ['destroy']:
            self.client.destroy()
        else:
            self.call(*words)

    def client_opens(self, path):
        self.connection = self.server.inbox.take('a connection')
        self.match(f'GET {path} HTTP/1.1', self.connection.request, 'request')
        if 'origin' in self.connection.headers:
            raise Mismatch('a program says no origin')
        self.connection.upgrade()

    def client_posts(self, inner):
        self.connection = self.server.inbox.take('a connection')
        about = self.connection
        self.match('POST /api/v1 HTTP/1.1', about.request, 'request')
        for name, value in (('content-type', 'application/json'), ('x-packet-uri', '61'),
                            ('x-packet-service-type', '0')):
            self.match(value, about.headers.get(name), name)
        outer = json.loads(about.body)
        self.match(inner, json.loads(outer.pop('json_body')), 'inner')
        self.match({'service_name': 'miniapp'}, outer, 'outer')

    def gateway_answers(self, inner):
        self.connection.answer(json.dumps({'code': 0, 'json_body': json.dumps(inner)}))

    def client_sends(self, frame):
        while True:
            is_ = self.connection.inbox.take('a frame')
            if is_ is None:
                raise Mismatch('the client closed')
            if is_.get('command') != 'ping' or frame.get('command') == 'ping':
                break
            self.match(PING, is_)
            self.gateway_sends({'command': 'pong', 'requestId': is_['requestId']})
        asked = is_.get('clientRequest', {})
        if asked.get('action') == 'join':
            # Beyond the recorded exchanges: what this client understands of ours.
            self.match(FEATURES, asked.pop('features', None))
        self.match(frame, is_)

    def gateway_sends(self, frame):
        self.connection.send(json.dumps(frame).encode())

    def gateway_sends_text(self, text):
        self.connection.send(text.encode())

    def gateway_sends_binary(self, text):
        self.connection.send(text.encode(), 2)

    def gateway_cuts(self, _):
        self.connection.cut()

    def gateway_closes(self, code):
        self.connection.send(struct.pack('>H', code), CLOSE)

    def client_closes(self, _):
        while (frame := self.connection.inbox.take('the end')) is not None:
            if frame.get('command') != 'ping':
                raise Mismatch(f'{frame!r} instead of the end')

    def app_hears(self, expected):
        self.match(expected, self.signals.take('a signal'), 'signal')

    def state_is(self, nick):
        self.match(nick, self.client.props.state.value_nick, 'state')

    def speakers_are(self, uids):
        self.match(uids, list(self.client.dup_speakers()), 'speakers')

    def uid_is(self, uid):
        self.match(uid, self.client.props.uid, 'uid')

    def finish(self):
        """Nothing was left over on either side."""
        self.client.destroy()
        while CONTEXT.pending():
            CONTEXT.iteration(False)
        left = [list(self.signals.items), *(list(each.items) for each in self.calls.values()),
                list(self.server.inbox.items)]
        if any(left):
            raise Mismatch(f'not expected: {left}')


class Conformance(unittest.TestCase):
    def play(self, scenario):
        server = Server()
        self.addCleanup(server.close)
        play = Play(server, scenario.get('chosen', False))
        play.run(scenario['steps'])
        play.finish()


def add_cases():
    for file in sorted(FILES.glob('*.json')):
        for scenario in json.loads(file.read_text())['scenarios']:
            words = ''.join(c if c.isalnum() else '_' for c in scenario['name'])
            setattr(Conformance, f'test_{file.stem}_{words}',
                    lambda self, scenario=scenario: self.play(scenario))


add_cases()
if __name__ == '__main__':
    tap.main()
