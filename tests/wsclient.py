# SPDX-License-Identifier: LGPL-2.1-or-later
"""A raw WebSocket client, and a member of a channel on top of it, of the standard library alone.

It sends whatever it is told, well-formed or not, so that it can be a bad client as well.
"""

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import threading
import time
from urllib.parse import urlsplit

from harness import Deadline

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'


class Closed(Exception):
    """The peer ended the connection; `code` is its close code, None without a close frame."""

    def __init__(self, code=None, reason=''):
        super().__init__(f'closed with {code} {reason}')
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The handshake was answered with another status than 101."""

    def __init__(self, status):
        super().__init__(f'handshake answered with {status}')
        self.status = status


class WebSocket:
    # A mask of zeros is as good as any to most servers.
    mask = bytes(4)

    def __init__(self, url, timeout=5, host=None, cafile=None, receive_buffer=None,
                 origin=None):
        parts = urlsplit(url)
        self.timeout = timeout
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((parts.hostname, parts.port))
        if parts.scheme == 'wss':
            context = ssl.create_default_context(cafile=cafile)
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.data = b''
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            f'GET {parts.path or "/"}{"?" + parts.query if parts.query else ""} HTTP/1.1\r\nHost: {host or parts.netloc}\r\n'
            f'{f"Origin: {origin}" + chr(13) + chr(10) if origin else ""}'
            'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
            f'Sec-WebSocket-Key: {key.decode()}\r\n\r\n'.encode())
        head = self._read_until(b'\r\n\r\n').decode('latin-1')
        status = int(head.split(' ', 2)[1])
        if status != 101:
            self.socket.close()
            raise Refused(status)
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        if f'sec-websocket-accept: {accept}'.lower() not in head.lower():
            raise AssertionError(f'wrong handshake: {head}')

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed() from None
        if not data:
            raise Closed()
        self.data += data

    def _read_until(self, mark):
        while mark not in self.data:
            self._more()
        head, self.data = self.data.split(mark, 1)
        return head

    def _read(self, count):
        while len(self.data) < count:
            self._more()
        head, self.data = self.data[:count], self.data[count:]
        return head

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_frame(self, payload, opcode=TEXT, fin=True, masked=True, length=None):
        """`length`: what the header claims, when it isn't the truth."""
        claimed = len(payload) if length is None else length
        head = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if masked else 0
        if claimed < 126:
            head += bytes([bit | claimed])
        elif claimed < 65536:
            head += struct.pack('!BH', bit | 126, claimed)
        else:
            head += struct.pack('!BQ', bit | 127, claimed)
        if masked:
            head += self.mask
            if any(self.mask):
                words = (self.mask * (len(payload) // 4 + 1))[:len(payload)]
                payload = (int.from_bytes(payload, 'big') ^ int.from_bytes(words, 'big')).to_bytes(
                    len(payload), 'big')
        self.send_raw(head + payload)

    def send_text(self, text):
        self.send_frame(text.encode())

    def receive(self, timeout=None):
        """The next data frame as (opcode, payload); pings are answered; raises Closed."""
        deadline = Deadline(timeout or self.timeout)
        while True:
            self.socket.settimeout(max(0.001, deadline.left()))
            head = self._read(2)
            opcode, length = head[0] & 15, head[1] & 127
            if length == 126:
                length = struct.unpack('!H', self._read(2))[0]
            elif length == 127:
                length = struct.unpack('!Q', self._read(8))[0]
            payload = self._read(length)
            if opcode == CLOSE:
                code = struct.unpack('!H', payload[:2])[0] if len(payload) >= 2 else None
                raise Closed(code, payload[2:].decode('utf-8', 'replace'))
            if opcode == PING:
                self.send_frame(payload, PONG)
            elif opcode != PONG:
                return opcode, payload

    def close(self):
        self.socket.close()


class Member(WebSocket):
    """Speaks the protocol; what it hears stays in `events` until someone waits for it."""

    def __init__(self, url, app='demo', channel='room', uid=0, heartbeat=False, **keywords):
        self.sending = threading.Lock()
        super().__init__(url, **keywords)
        self.app, self.channel, self.uid = app, channel, uid
        self.sid = os.urandom(16).hex().upper()
        self.request_id = 2
        self.seq = 1
        self.events = []
        self.answers = {}
        self.ended = threading.Event()
        if heartbeat:
            threading.Thread(target=self._heartbeat, daemon=True).start()

    def _heartbeat(self):
        """For tests that wait for other things than this member for seconds."""
        while not self.ended.wait(3):
            try:
                self.send_ping()
            except OSError:
                return

    def close(self):
        self.ended.set()
        super().close()

    def send_raw(self, data):
        with self.sending:
            super().send_raw(data)

    def envelope(self):
        self.request_id += 1
        return {'appId': self.app, 'cname': self.channel, 'uid': str(self.uid), 'sid': self.sid,
                'sdkVersion': '1.1.0', 'requestId': self.request_id, 'ts': int(time.time())}

    def send_request(self, action, **fields):
        """Returns the id to wait_answer() for."""
        frame = self.envelope()
        self.seq += 1
        frame.update(seq=self.seq, clientRequest={'action': action, **fields})
        self.send_text(json.dumps(frame))
        return frame['requestId']

    def read_message(self, deadline):
        """Files the next frame under events or answers."""
        _, payload = self.receive(max(0.001, deadline.left()))
        frame = json.loads(payload)
        if frame['command'] == 'serverStatus':
            self.events.append(frame.get('serverStatus') or
                               {'code': frame['code'], 'reason': frame.get('reason')})
        else:
            self.answers[frame['requestId']] = frame

    def wait_answer(self, request_id, timeout=5):
        deadline = Deadline(timeout)
        while request_id not in self.answers:
            self.read_message(deadline)
        return self.answers.pop(request_id)

    def ask(self, action, **fields):
        return self.wait_answer(self.send_request(action, **fields))

    def must(self, action, **fields):
        """The serverResponse of a request that has to succeed."""
        answer = self.ask(action, **fields)
        if answer['code'] != 200:
            raise AssertionError(f'{action} was answered with {answer}')
        return answer.get('serverResponse', {})

    def send_join(self, role='broadcaster', token=None, **fields):
        join = {'role': role, 'appId': self.app, 'customAudioCodec': None,
                'key_vos': token or self.app, 'key_vocs': token or self.app,
                'channel_name': self.channel, 'uid': str(self.uid), 'vid': '1', 'device': 'test',
                'os': 'linux', 'version': '2.6.4', 'clientType': 'test', 'audio_only': True,
                'uidType': 0}
        join.update(fields)
        return self.send_request('join', **join)

    def join(self, role='broadcaster', token=None, **fields):
        answer = self.wait_answer(self.send_join(role, token, **fields))
        if answer['code'] != 200:
            raise AssertionError(f'join was answered with {answer}')
        self.uid = answer['serverResponse']['uid']
        return self

    def send_ping(self):
        frame = self.envelope()
        frame['command'] = 'ping'
        self.send_text(json.dumps(frame))
        return frame['requestId']

    def ping(self):
        return self.wait_answer(self.send_ping())

    def wait_event(self, action, timeout=5, **fields):
        """The first event of that kind with these fields; it is taken out of `events`."""
        deadline = Deadline(timeout)
        while True:
            for event in self.events:
                if event.get('action') == action and fields.items() <= event.items():
                    self.events.remove(event)
                    return event
            self.read_message(deadline)

    def wait_error(self, timeout=5):
        deadline = Deadline(timeout)
        while True:
            for event in self.events:
                if 'code' in event:
                    self.events.remove(event)
                    return event
            self.read_message(deadline)

    def publish(self):
        return self.must('publish', uid=self.uid)['url']

    def subscribe(self, uid):
        return self.must('subscribe', uid=uid, options={'audio': True, 'video': True})['url']
