# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway and a media server that mean harm to the elements: they speak the protocols as far as it takes.

Each connection is served by a thread of its own; what it does once it has the element's ear is the caller's.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import threading

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
CHUNK = 65536
AUDIO, SCRIPT, COMMAND = 8, 18, 20


def amf(value):
    """AMF0 of what a command holds."""
    if value is None:
        return b'\5'
    if isinstance(value, str):
        return b'\2' + struct.pack('>H', len(value)) + value.encode()
    if isinstance(value, dict):
        return b'\3' + b''.join(amf(name)[1:] + amf(field) for name, field in value.items()) + b'\0\0\x09'
    return b'\0' + struct.pack('>d', value)


class Server:
    """Accepts until it is closed; `serve` gets each connection, and its end is no news."""

    def __init__(self, serve):
        self.serve = serve
        self.listening = socket.create_server(('127.0.0.1', 0), backlog=512)
        self.open = set()
        self.served = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.listening.getsockname()[1]

    def _accept(self):
        while True:
            try:
                connection = self.listening.accept()[0]
            except OSError:
                return
            self.served += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        self.open.add(connection)
        try:
            connection.settimeout(20)
            self.serve(connection)
        except (OSError, EOFError, struct.error, ValueError):
            pass
        finally:
            self.open.discard(connection)
            connection.close()

    def close(self):
        for each in (self.listening, *tuple(self.open)):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()


def read(connection, count):
    data = b''
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Player:
    """An RTMP session with one who plays, up to where the media begins."""

    def __init__(self, connection):
        self.connection = connection
        self.heard = b''

    def shake_hands(self):
        theirs = read(self.connection, 1537)
        self.connection.sendall(b'\3' + bytes(8) + os.urandom(1528) + theirs[1:])
        read(self.connection, 1536)

    def expect(self, word):
        while word not in self.heard:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.heard += more
        self.heard = self.heard.partition(word)[2]

    def send(self, kind, stamp, body, stream=0, channel=3):
        """One message, with a whole header of its own."""
        stamp &= 0xffffffff
        extended = struct.pack('>I', stamp) if stamp >= 0xffffff else b''
        head = bytes([channel]) + min(stamp, 0xffffff).to_bytes(3, 'big') + len(body).to_bytes(3, 'big')
        message = [head + bytes([kind]) + struct.pack('<I', stream) + extended + body[:CHUNK]]
        for at in range(CHUNK, len(body), CHUNK):
            message.append(bytes([0xc0 | channel]) + extended + body[at:at + CHUNK])
        self.connection.sendall(b''.join(message))

    def command(self, *values, stream=0):
        self.send(COMMAND, 0, b''.join(amf(value) for value in values), stream)

    def admit(self):
        """Says yes to all that is asked for."""
        self.shake_hands()
        self.send(1, 0, struct.pack('>I', CHUNK), channel=2)
        self.expect(b'connect')
        self.command('_result', 1, {'fmsVer': 'FMS/3,0,1,123'},
                     {'level': 'status', 'code': 'NetConnection.Connect.Success', 'objectEncoding': 0})
        self.expect(b'createStream')
        self.command('_result', 2, None, 1)
        self.expect(b'play')
        self.command('onStatus', 0, None, {'level': 'status', 'code': 'NetStream.Play.Start', 'description': 'here'},
                     stream=1)

    def tag(self, kind, stamp, body):
        self.send(kind, stamp, body, stream=1, channel=4)


class Gateway:
    """Speaks to a member as agora-gateway does. `answers` may be replaced, action by action: each gets the request's frame
    and gives the answer's body, or None where it has sent what it wanted to send."""

    def __init__(self):
        self.server = Server(self._serve)
        self.joins = 0
        self.requests = []  # actions, as they came
        self.answers = {}
        self.after_join = None

    @property
    def url(self):
        return f'ws://127.0.0.1:{self.server.port}/api'

    def close(self):
        self.server.close()

    def _serve(self, connection):
        member = Socket(connection)
        while True:
            frame = member.receive()
            if frame.get('command') == 'ping':
                member.send({'command': 'pong', 'requestId': frame['requestId']})
                continue
            request = frame['clientRequest']
            action = request['action']
            self.requests.append(action)
            answer = self.answers.get(action, lambda *_: {'uid': 5} if action == 'join' else {})(member, frame)
            if answer is not None:
                member.answer(frame, answer)
            if action == 'join':
                self.joins += 1
                if self.after_join:
                    self.after_join(member)


class Socket:
    """The server's end of a WebSocket."""

    def __init__(self, connection):
        self.connection = connection
        head = b''
        while b'\r\n\r\n' not in head:
            more = connection.recv(4096)
            if not more:
                raise EOFError
            head += more
        key = next(line.split(b': ', 1)[1] for line in head.split(b'\r\n') if line.lower().startswith(b'sec-websocket-key'))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        connection.sendall(('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                            f'Sec-WebSocket-Accept: {accept}\r\n\r\n').encode())

    def receive(self):
        while True:
            first, length = read(self.connection, 2)
            length &= 127
            if length > 125:
                length = int.from_bytes(read(self.connection, 2 if length == 126 else 8), 'big')
            mask, data = read(self.connection, 4), bytearray(read(self.connection, length))
            for at in range(length):
                data[at] ^= mask[at % 4]
            if first & 15 == 8:
                raise EOFError
            if first & 15 == 1:
                return json.loads(data)

    def send_bytes(self, data, opcode=1, claimed=None):
        length = len(data) if claimed is None else claimed
        size = (bytes([length]) if length < 126 else b'\x7e' + struct.pack('>H', length) if length < 65536
                else b'\x7f' + struct.pack('>Q', length))
        self.connection.sendall(bytes([0x80 | opcode]) + size + data)

    def send(self, frame):
        self.send_bytes(json.dumps(frame).encode())

    def answer(self, frame, body, code=200):
        self.send({'command': 'serverResponse', 'requestId': frame['requestId'], 'code': code, 'serverResponse': body})

    def event(self, action, **fields):
        self.send({'command': 'serverStatus', 'serverStatus': {'action': action, **fields}})
