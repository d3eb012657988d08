# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes FLV tags over RTMP as they are: rtmp2sink and ffmpeg mend timestamps, encoders in the field don't.

Only what nginx-rtmp needs of the protocol, and only the sending side.
"""

import os
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

CHUNK = 60000
AUDIO, VIDEO, SCRIPT, COMMAND = 8, 9, 18, 20


def amf(value):
    """AMF0 of what a command holds."""
    if value is None:
        return b'\5'
    if isinstance(value, str):
        text = value.encode()
        return b'\2' + struct.pack('>H', len(text)) + text
    if isinstance(value, dict):
        fields = b''.join(amf(name)[1:] + amf(field) for name, field in value.items())
        return b'\3' + fields + b'\0\0\x09'
    return b'\0' + struct.pack('>d', value)


class Publisher:
    """One session that publishes one stream."""

    def __init__(self, url, timeout=10):
        parts = urlsplit(url)
        app, _, stream = parts.path.lstrip('/').partition('/')
        name = f'{stream}?{parts.query}' if parts.query else stream
        self.socket = socket.create_connection((parts.hostname, parts.port or 1935), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b''
        try:
            self._shake_hands()
            self.send(2, 1, 0, struct.pack('>I', CHUNK))  # set chunk size
            self._command('connect', 1, {'app': app, 'type': 'nonprivate', 'tcUrl': f'rtmp://{parts.netloc}/{app}'})
            self._expect(b'_result')
            self._command('createStream', 2, None)
            self._expect(b'_result')
            self._command('publish', 3, None, name, 'live', stream=1)
            self._expect(b'NetStream.Publish.Start')
            self.socket.setblocking(False)
        except BaseException:
            self.socket.close()
            raise

    def _shake_hands(self):
        mine = bytes(8) + os.urandom(1528)
        self.socket.sendall(b'\3' + mine)
        theirs = self._read(1 + 1536 + 1536)
        self.socket.sendall(theirs[1:1537])

    def _read(self, count):
        while len(self.received) < count:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError('the media server closed the session')
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def _expect(self, word):
        """Waits for a reply by its name; what else comes isn't looked at."""
        while word not in self.received:
            if b'NetStream.Publish.BadName' in self.received:
                raise ConnectionError('the media server refused the stream')
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError(f'closed before {word.decode()}')
            self.received += more
        self.received = self.received.partition(word)[2]

    def _command(self, *values, stream=0):
        self.send(3, COMMAND, 0, b''.join(amf(value) for value in values), stream)

    def send(self, channel, kind, stamp, body, stream=0):
        """One message, each with a whole header of its own; `stamp` is taken modulo 2^32."""
        stamp &= 0xffffffff
        extended = struct.pack('>I', stamp) if stamp >= 0xffffff else b''
        head = bytes([channel]) + min(stamp, 0xffffff).to_bytes(3, 'big') + len(body).to_bytes(3, 'big')
        message = head + bytes([kind]) + struct.pack('<I', stream) + extended + body[:CHUNK]
        for at in range(CHUNK, len(body), CHUNK):
            message += bytes([0xc0 | channel]) + extended + body[at:at + CHUNK]
        self.socket.settimeout(10)
        self.socket.sendall(message)

    def tag(self, kind, stamp, body):
        self.send({AUDIO: 4, VIDEO: 6}.get(kind, 5), kind, stamp, body, 1)
        self.socket.setblocking(False)
        try:  # acknowledgements
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            pass

    def close(self):
        self.socket.close()


def push(streams):
    """Publishes several streams side by side, each in its rhythm.

    `streams`: URL -> [(second at which it is sent, kind, timestamp in ms, body), ...]
    Returns by how many seconds each was late at worst.
    """
    publishers, late = {}, {}
    try:
        for url in streams:
            publishers[url] = Publisher(url)
            late[url] = 0.0
        begin = time.monotonic()
        todo = sorted(((at, url, tag) for url, schedule in streams.items() for at, *tag in schedule),
                      key=lambda entry: entry[0])  # stable: a stream's own order stays
        tick = threading.Event()
        for at, url, tag in todo:
            ahead = begin + at - time.monotonic()
            if ahead > 0:
                tick.wait(ahead)
            else:
                late[url] = max(late[url], -ahead)
            try:
                publishers[url].tag(*tag)
            except ConnectionError as error:
                raise ConnectionError(f'{url}: the media server closed the session before {tag[0]}, '
                                      f'{tag[1]} ms, {tag[2][:20].hex()}') from error
    finally:
        for publisher in publishers.values():
            publisher.close()
    return late

