# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watchers of the live events who never read, while hundreds of members have much to tell: what they cost, when they are ended, and
what the others notice of it."""

import json
import re
import socket
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case
from wsclient import Member

TOKEN = 'Tru5t-me/for+this:one='
MEMBERS = 400
STALLED = 24
# As much as a report may hold, so that some seconds of it are more than the bound of one watcher.
REPORT = {'heard': [{'uid': uid, 'peak': -9, 'rms': -21, 'delay': 100, 'latency': 181, 'jitter': 3, 'dropped': 0, 'concealed': 120}
                    for uid in range(1, 17)]}
MIB = 1024 * 1024
# They wait for the same texts, which are there once.
MOST_BYTES = 16 * MIB


class Crowd(threading.Thread):
    """Members that report as often as they may, and read nothing of what they are answered."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.members = [Member(url, channel='crowd', uid=uid) for uid in range(1, MEMBERS + 1)]
        for member in self.members:
            member.join('audience', features=['quality'])
        self.start()

    def run(self):
        while not self.over.is_set():
            begun = time.monotonic()
            for member in self.members:
                member.send_request('report', **REPORT)
            self.over.wait(max(0.1, 2.1 - (time.monotonic() - begun)))

    def close(self):
        self.over.set()
        self.join()
        for member in self.members:
            member.close()


class Reader(threading.Thread):
    """A watcher that reads: when each event came."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream = stream
        self.came = []
        self.ended = False
        self.start()

    def run(self):
        data = b''
        try:
            while more := self.stream.recv(1 << 20):
                data += more
                *events, data = data.split(b'\n\n')
                self.came += [time.monotonic()] * sum(each.startswith(b'event: changes') for each in events)
        except OSError:
            pass
        self.ended = True


class Stall(Case):
    def watch(self, gateway, receive_buffer=None):
        parts = urlsplit(gateway.http)
        stream = socket.socket()
        self.addCleanup(stream.close)
        if receive_buffer:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        stream.connect((parts.hostname, parts.port))
        stream.sendall(f'GET /dev/v1/live/events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n'.encode())
        return stream

    def watchers(self, gateway):
        with urllib.request.urlopen(f'{gateway.http}/metrics', timeout=5) as answer:
            return int(re.search(r'^agora_live_watchers (\d+)$', answer.read().decode(), re.M)[1])

    @staticmethod
    def memory(gateway):
        return int(re.search(r'^VmRSS:\s+(\d+) kB$', Path(f'/proc/{gateway.pid}/status').read_text(encoding='ascii'), re.M)[1]) * 1024

    def test_who_never_reads(self):
        token = self.tmp / 'admin-token'
        token.write_text(TOKEN + '\n')
        gateway = self.gateway(f'--admin-token-file={token}', '--max-admin-requests-per-second=1000')
        speaker, listener = (Member(gateway.ws, channel='room', uid=uid, heartbeat=True).join(features=['quality']) for uid in (7, 8))
        for member in (speaker, listener):
            self.addCleanup(member.close)
        crowd = Crowd(gateway.ws)
        self.addCleanup(crowd.close)
        reader = Reader(self.watch(gateway))
        # What one who reads costs is there already.
        self.until(lambda: len(reader.came) >= 4, 'some seconds')
        before = self.memory(gateway)

        stalled = [self.watch(gateway, 4096) for _ in range(STALLED)]
        self.until(lambda: self.watchers(gateway) == STALLED + 1, 'all of them watch')
        begun, seen = time.monotonic(), len(reader.came)
        most, slowest = before, 0
        while self.watchers(gateway) > 1:
            self.assertLess(time.monotonic() - begun, 20 * SCALE, 'they are not ended')
            asked = time.monotonic()
            speaker.ping()
            slowest = max(slowest, time.monotonic() - asked)
            most = max(most, self.memory(gateway))
            crowd.over.wait(0.05)
        took = time.monotonic() - begun
        print(f'{STALLED} that never read: ended after {took:.1f} s, {(most - before) / MIB:.1f} MiB; slowest pong {slowest * 1000:.0f} ms',
              flush=True)
        # Not as soon as one is behind.
        self.assertGreater(took, 2)
        self.assertLess(most - before, MOST_BYTES)
        self.assertLess(slowest, 0.5 * SCALE)

        # Who reads hears of each second, as before; a tenth for the moments at which two clocks look.
        came = reader.came[seen:]
        self.assertGreaterEqual(len(came), int(took * 0.9) - 1)
        self.assertLess(max(b - a for a, b in zip(came, came[1:])), 1 + 0.8 * SCALE)
        self.assertFalse(reader.ended)
        # What they got is a beginning, and an end.
        for stream in stalled:
            stream.settimeout(5)
            got = b''
            try:
                while more := stream.recv(65536):
                    got += more
            except ConnectionResetError:
                pass
            self.assertTrue(got.startswith(b'HTTP/1.1 200'))
            self.assertLess(len(got), MIB)
        # Whoever comes back is let in, and told how things stand.
        again = self.watch(gateway)
        again.settimeout(5)
        got = b''
        while not re.search(rb'^data: .*\n\n', got, re.M):
            got += again.recv(1 << 20)
        told = json.loads(re.search(rb'^data: (.*)$', got, re.M)[1])
        self.assertEqual(len(told['members']), MEMBERS + 2)
        listener.must('leave', uid=8)


if __name__ == '__main__':
    tap.main()
