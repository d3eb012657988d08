# SPDX-License-Identifier: LGPL-2.1-or-later
"""What attacks are made of: raw sockets to a real gateway, and a witness that measures meanwhile.

The witness is a process of its own (this file as a program), so that an attack written in Python
doesn't slow down what measures it. It holds a member that pings all the time and lets others join,
and tells on its last line how long the slowest of each took.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import SCALE, Case, wait_until  # noqa: E402
from wsclient import Closed, Member  # noqa: E402

# Whoever is no part of an attack waits no longer, in seconds.
MOST = 1.0 * SCALE


# Freed memory that a sanitiser keeps to itself would count as the gateway's.
QUIET = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'}


class AttackCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.served = self.gateway(*self.options)
        self.sockets = []
        self.addCleanup(self.hang_up)

    def gateway(self, *options, env=None, **keywords):
        return super().gateway(*options, env={**QUIET, **(env or {})}, **keywords)

    def hang_up(self):
        for each in self.sockets:
            each.close()
        self.sockets.clear()

    def connect(self, begin=b'', source=None, receive_buffer=None, timeout=5, served=None):
        """A plain connection; `source`: the address it comes from (all of 127/8 is this machine)."""
        parts = urlsplit((served or self.served).http)
        # In brackets for IPv6, and urlsplit() takes those away.
        client = socket.socket(socket.AF_INET6 if ':' in parts.hostname else socket.AF_INET)
        self.sockets.append(client)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            client.bind((source, 0))
        client.settimeout(timeout * SCALE)
        client.connect((parts.hostname, parts.port))
        if begin:
            client.sendall(begin)
        return client

    def member(self, served=None, **keywords):
        member = Member((served or self.served).ws, **keywords)
        self.addCleanup(member.close)
        return member

    @contextmanager
    def witness(self, most=MOST, served=None, cafile=None):
        """Whoever joins or pings while the block runs has to be answered within `most` seconds."""
        served = served or self.served
        watch = self.start(sys.executable, __file__, served.ws, *([cafile] if cafile else []))
        watch.wait_line('^witness ready$', 20)
        yield
        watch.signal(signal.SIGTERM)
        told = json.loads(watch.wait_line(r'^\{.*\}$', 60, which='out').group(0))
        print(f'# {self.id()}: {told}')
        self.assertEqual(told['failed'], '', told)
        self.assertLess(told['join'], most, told)
        self.assertLess(told['ping'], most, told)
        self.assertTrue(served.running())

    def resident(self, served=None):
        """Kilobytes of memory."""
        with open(f'/proc/{(served or self.served).pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))

    def busy(self, served=None):
        """Seconds of processor time so far."""
        with open(f'/proc/{(served or self.served).pid}/stat', encoding='ascii') as stat:
            fields = stat.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def descriptors(self, served=None):
        return len(os.listdir(f'/proc/{(served or self.served).pid}/fd'))

    def until(self, condition, what='the condition', timeout=10):
        return wait_until(condition, timeout, what)

    def certificate(self, name='certificate', days=2):
        """A new self-signed certificate for localhost and 127.0.0.1, and its key."""
        certificate, key = self.tmp / f'{name}.pem', self.tmp / f'{name}-key.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-days', str(days), '-subj',
                        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                        '-keyout', key, '-out', certificate], check=True, capture_output=True)
        os.chmod(key, 0o600)
        return certificate, key


def read_all(client):
    """All that comes until the end; b'' as well when it ended with a reset."""
    said = b''
    try:
        while more := client.recv(65536):
            said += more
    except ConnectionError:
        pass
    return said


def status_of(answer):
    """The status of an HTTP answer; 0: there is none."""
    return int(answer.split(b' ', 2)[1]) if answer.startswith(b'HTTP/1.1 ') else 0


def has_ended(client):
    """Whether the peer has ended the connection; doesn't wait."""
    client.setblocking(False)
    try:
        while True:
            if client.recv(65536) == b'':
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def opening_for(host='gateway'):
    """The request that opens a WebSocket."""
    return (f'GET /api HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
            '\r\n').encode()


class Flood:
    """Sends `data` over and over to `client`, on a thread, until the connection has an end."""

    def __init__(self, client, data):
        self.sent = 0
        self.client, self.data = client, data
        self.stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.client.settimeout(0.2)
        while not self.stopped:
            try:
                self.sent += self.client.send(self.data)
            except TimeoutError:
                pass
            except OSError:
                return

    def running(self):
        return self.thread.is_alive()

    def stop(self):
        self.stopped = True
        self.thread.join()


class Terminated:
    """Whether SIGTERM has come: for a program's only thread, before it starts others. Not an Event that a handler sets: where
    that interrupts the Event's own wait(), it waits for a lock that this holds."""

    def __init__(self):
        self.came = False
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait(self, seconds=0):
        self.came = self.came or signal.sigtimedwait({signal.SIGTERM}, seconds) is not None
        return self.came


def _witness(url, cafile=None):
    ended = Terminated()
    told = {'join': 0.0, 'joins': 0, 'retries': 0, 'ping': 0.0, 'pings': 0, 'failed': ''}

    def timed(what, count, action):
        began = time.monotonic()
        result = action()
        told[what] = round(max(told[what], time.monotonic() - began), 4)
        told[count] += 1
        return result

    def join():
        # As any client does: whoever is turned away tries again, and all of it counts.
        end = time.monotonic() + 30
        while True:
            try:
                return Member(url, channel='witness', cafile=cafile, timeout=30).join('audience')
            except (Closed, ConnectionError):
                told['retries'] += 1
                if time.monotonic() > end:
                    raise

    try:
        member = join()
        print('witness ready', flush=True)
        turn = 0
        while not ended.wait(0.05):
            timed('ping', 'pings', member.ping)
            if turn % 5 == 0:
                timed('join', 'joins', join).close()
            turn += 1
        # One of each after all, so that an attack that was short was measured as well.
        timed('ping', 'pings', member.ping)
        timed('join', 'joins', join).close()
    except Exception as error:  # pylint: disable=broad-except
        told['failed'] = f'{type(error).__name__}: {error}'
    print(json.dumps(told), flush=True)


if __name__ == '__main__':
    _witness(*sys.argv[1:])
