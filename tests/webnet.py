# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network between a browser and a gateway, in user space: it loses packets, or is cut.

HTTP goes through a proxy, which strips the candidates off what the browser offers, and puts ports of
its own in place of those in the answer; so all packets of WebRTC come through here, too. No rights are
needed, and the page knows nothing of it.

    network = self.network(self.gate.http)     # with addCleanup(network.close)
    page.open(network.url + '/web/?…')
    network.loss = 0.05, 0.05                  # up (from the browser), down
    network.cut = True                         # nothing comes through, nothing ends
"""

import heapq
import http.client
import http.server
import random
import re
import selectors
import socket
import threading
import time
from urllib.parse import urlsplit

CANDIDATE = re.compile(rb'^(a=candidate:\S+ \d+) (\w+) (\d+) (\S+) (\d+) (typ \w+.*?)(\r?)$', re.M)
PORTLESS = re.compile(rb'a=(candidate:|end-of-candidates)[^\n]*\n')
SDP = ('application/sdp', 'application/trickle-ice-sdpfrag')
# What a proxy must not hand on.
HOP = {'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host'}


class Network:
    def __init__(self, target, seed=1):
        self.target = urlsplit(target)
        self.loss = 0.0, 0.0   # shares, up and down
        self.delay = 0.0, 0.0  # seconds
        self.packets = [0, 0]  # that came through, up and down
        self.lost = [0, 0]
        self.healed = threading.Event()  # unset: cut
        self.healed.set()
        self.closed = False
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.routes = {}  # of the worker's address: the socket that stands for it. Guarded by `lock`
        self.selector = selectors.DefaultSelector()
        self.waker, self.wake = socket.socketpair()
        self.selector.register(self.waker, selectors.EVENT_READ)
        self.late = []  # (when, number, socket, packet, address or None): a heap of the pump's
        self.pump = threading.Thread(target=self._pump, daemon=True)
        self.pump.start()
        network = self

        class Handler(Proxy):
            net = network

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def cut(self):
        return not self.healed.is_set()

    @cut.setter
    def cut(self, yes):
        if yes:
            self.healed.clear()
        else:
            self.healed.set()

    def aim(self, target):
        """At another gateway, or the same one come back at another port."""
        self.target = urlsplit(target)

    def close(self):
        self.closed = True
        self.healed.set()
        self.server.shutdown()
        self.server.server_close()
        self.wake.send(b'x')
        self.pump.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.wake.close()
        self.selector.close()

    def route(self, host, port):
        """A port of ours that stands for that address of a worker."""
        with self.lock:
            near = self.routes.get((host, port))
            if near is None:
                near = self.routes[host, port] = self._socket(('127.0.0.1', 0))
                self._watch(near, (0, near, (host, port)))
            return near.getsockname()[1]

    @staticmethod
    def _socket(address):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(address)
        one.setblocking(False)
        return one

    def _watch(self, one, data):
        self.selector.register(one, selectors.EVENT_READ, data)
        self.wake.send(b'x')

    def _pump(self):
        """Up: from a browser's address through a socket of its own, by which the answers come."""
        ways = {}  # of (near socket, browser's address)
        number = 0
        while not self.closed:
            wait = max(0.0, self.late[0][0] - time.monotonic()) if self.late else 1.0
            for key, _ in self.selector.select(wait):
                if key.fileobj is self.waker:
                    self.waker.recv(4096)
                    continue
                while True:
                    try:
                        packet, address = key.fileobj.recvfrom(2048)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    direction, near, far = key.data
                    if direction == 0:
                        out = ways.get((near, address))
                        if out is None:
                            out = ways[near, address] = self._socket(('0.0.0.0', 0))
                            self.selector.register(out, selectors.EVENT_READ, (1, near, address))
                    else:
                        out = near
                    if self.cut or self.chance.random() < self.loss[direction]:
                        self.lost[direction] += 1
                        continue
                    self.packets[direction] += 1
                    number += 1
                    heapq.heappush(self.late, (time.monotonic() + self.delay[direction], number,
                                               out, packet, far))
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, out, packet, address = heapq.heappop(self.late)
                try:
                    out.sendto(packet, address)
                except OSError:
                    pass  # whoever it was for is gone


class Proxy(http.server.BaseHTTPRequestHandler):
    """One connection of a browser, each request handed on by one of ours."""

    protocol_version = 'HTTP/1.1'
    net = None

    def log_message(self, *_):
        pass

    def _outward(self, match):
        start, transport, priority, host, port, rest, end = match.groups()
        if transport.lower() != b'udp' or b':' in host or host.endswith(b'.local'):
            return b''
        ours = self.net.route(host.decode(), int(port))
        return b'%s %s %s 127.0.0.1 %d %s%s' % (start, transport, priority, ours, rest, end)

    def _rewrite(self, body):
        return re.sub(rb'\n(?=\n)', b'', CANDIDATE.sub(self._outward, body))

    def _handle(self):
        net = self.net
        net.healed.wait()
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        kind = (self.headers.get('Content-Type') or '').split(';')[0].strip()
        if kind in SDP:
            body = PORTLESS.sub(b'', body)
        upstream = http.client.HTTPConnection(net.target.hostname, net.target.port, timeout=3600)
        try:
            upstream.request(self.command, self.path, body or None, {
                **{name: value for name, value in self.headers.items() if name.lower() not in HOP},
                'Host': net.target.netloc, 'Content-Length': str(len(body))})
            answer = upstream.getresponse()
            self._answer(answer)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            upstream.close()

    def _answer(self, answer):
        kind = (answer.headers.get('Content-Type') or '').split(';')[0].strip()
        stream = kind == 'text/event-stream'
        body = b'' if stream else answer.read()
        if kind in SDP:
            body = self._rewrite(body)
        self.net.healed.wait()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value.replace(self.net.target.netloc,
                                                     urlsplit(self.net.url).netloc))
        if stream:
            self.send_header('Connection', 'close')
            self.close_connection = True
        elif answer.status != 204:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
        while stream:
            piece = answer.read1(65536)
            if not piece:
                return
            self.net.healed.wait()
            self.wfile.write(piece)
            self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_PUT = _handle
