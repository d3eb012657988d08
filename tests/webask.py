# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests to WHIP and WHEP, raw, and the event streams."""

import json
import socket
import ssl
from urllib.parse import urlsplit

from harness import SCALE

# Enough of an offer for who looks no closer than the gateway.
OFFER = ('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n'
         'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n'
         'a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 ' + ':'.join(['AB'] * 32) +
         '\r\na=setup:actpass\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n')
SDP = {'Content-Type': 'application/sdp'}
JSON = {'Content-Type': 'application/json'}
FRAGMENT = {'Content-Type': 'application/trickle-ice-sdpfrag'}


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b'\r\n\r\n')
        first, *lines = head.decode('latin-1').split('\r\n')
        self.raw = raw
        self.status = int(first.split(' ', 2)[1]) if first.startswith('HTTP/1.1 ') else 0
        self.headers = {}
        self.lists = {}
        for each in lines:
            name, _, value = each.partition(':')
            self.headers[name.lower()] = value.strip()
            self.lists.setdefault(name.lower(), []).append(value.strip())

    def __repr__(self):
        return f'{self.raw[:2000]!r}'

    def json(self):
        return json.loads(self.body)


def connect(base, timeout=15, cafile=None, source=None, buffer=None):
    parts = urlsplit(base)
    if buffer:
        client = socket.socket(socket.AF_INET6 if ':' in parts.hostname else socket.AF_INET)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(timeout * SCALE)
        client.connect((parts.hostname, parts.port))
    else:
        client = socket.create_connection((parts.hostname, parts.port), timeout * SCALE,
                                          source_address=(source, 0) if source else None)
    client.settimeout(timeout * SCALE)
    if parts.scheme == 'https':
        client = ssl.create_default_context(cafile=cafile).wrap_socket(
            client, server_hostname=parts.hostname)
    return client


def request(method, path, headers=None, body=b'', host='gateway'):
    body = body.encode() if isinstance(body, str) else body
    lines = [f'{method} {path} HTTP/1.1', f'Host: {host}',
             *(f'{name}: {value}' for name, value in (headers or {}).items())]
    if body or method in ('POST', 'PATCH', 'PUT'):
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines).encode('utf-8', 'surrogateescape') + b'\r\n\r\n' + body


def read_all(client):
    said = b''
    try:
        while more := client.recv(65536):
            said += more
    except (ConnectionError, ssl.SSLError):
        pass
    return said


def ask(base, method, path, headers=None, body=b'', **keywords):
    """One request on a connection of its own, and its answer."""
    with connect(base, **keywords) as client:
        client.sendall(request(method, path, headers, body))
        return Answer(read_all(client))


class Events:
    """An event stream that is open."""

    def __init__(self, base, path, headers=None, **keywords):
        self.client = connect(base, **keywords)
        self.client.sendall(request('GET', path, {'Accept': 'text/event-stream', **(headers or {})}))
        self.text = b''
        while b'\r\n\r\n' not in self.text:
            more = self.client.recv(65536)
            if not more:
                break
            self.text += more
        head, _, self.text = self.text.partition(b'\r\n\r\n')
        self.answer = Answer(head + b'\r\n\r\n')
        self.ended = False

    def next(self):
        """(name, data) of the next event; None at the end."""
        while True:
            block, end, rest = self.text.partition(b'\n\n')
            if end:
                self.text = rest
                fields = dict(each.split(': ', 1) for each in block.decode().split('\n')
                              if ': ' in each and not each.startswith(':'))
                if 'event' in fields:
                    return fields['event'], json.loads(fields['data'])
                continue
            try:
                more = self.client.recv(65536)
            except ConnectionError:
                more = b''
            if not more:
                self.ended = True
                return None
            self.text += more

    def until(self, name):
        """The data of the next event of this name."""
        while (event := self.next()) is not None:
            if event[0] == name:
                return event[1]
        raise AssertionError(f'the stream ended before {name}')

    def close(self):
        self.client.close()
