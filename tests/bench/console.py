# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs the gateway that operators watch, and that members report how their sound fares."""

import selectors
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from gateway import PROGRAMS, Members, cpu
from harness import Gateway, Process
from report import median

TOKEN = 'of-the-operator-alone'
ON_AIR, ROOM = 1000, 10
WATCHERS = 10
REPORTERS = 10000
REPORT_S = 5
# Far below what ends an idle push.
FRAME_MS = 1000


class Watchers:
    """Those who watch the live events, and read whatever comes at once."""

    def __init__(self, gateway, count):
        parts = urlsplit(gateway.http)
        self.waiting = selectors.DefaultSelector()
        self.bytes = 0
        self.over = threading.Event()
        request = f'GET /dev/v1/live/events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n'
        for _ in range(count):
            stream = socket.create_connection((parts.hostname, parts.port), 5)
            stream.sendall(request.encode())
            if not stream.recv(12, socket.MSG_WAITALL).endswith(b' 200'):
                raise AssertionError('a watcher was turned away')
            self.waiting.register(stream, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        buffer = bytearray(1 << 20)
        while not self.over.is_set():
            for key, _ in self.waiting.select(0.2):
                self.bytes += key.fileobj.recv_into(buffer)

    def stop(self):
        self.over.set()
        self.thread.join()
        for key in list(self.waiting.get_map().values()):
            key.fileobj.close()
        self.waiting.close()


class Encoders:
    """tests/bench/relayed.cpp at work: pushers that say little."""

    def __init__(self, urls):
        self.process = Process([PROGRAMS / 'relayed', FRAME_MS], stdin=subprocess.PIPE)
        self.process.popen.stdin.write(''.join(f'push {url}\n' for url in urls).encode() + b'\n')
        self.process.popen.stdin.flush()
        self.process.wait_line('^ready$', 120)

    def stop(self):
        self.process.popen.stdin.close()
        self.process.wait(10)
        self.process.stop()


def busy(pid, seconds):
    """Per cent of a core, for so long."""
    before = cpu(pid)
    threading.Event().wait(seconds)
    return (cpu(pid) - before) / seconds * 100


def by_turns(rounds, one, other):
    """What each of both gives, in as many rounds: to and fro, so that neither always follows the other."""
    ones, others = [], []
    for number in range(rounds):
        for turn in ((one, ones), (other, others))[::-1 if number % 2 else 1]:
            turn[1].append(turn[0]())
    return ones, others


def row(report, name, more, without, than, asked):
    report.row('console', name, '% core', more, {than: without})
    report.row('console', f'{name}: more by', '% core',
               median([a - b for a, b in zip(more, without)]), asked=asked)


def start(count, *options):
    folder = tempfile.TemporaryDirectory(prefix='agora-bench-')
    token = Path(folder.name) / 'admin-token'
    token.write_text(TOKEN + '\n', encoding='ascii')
    token.chmod(0o600)
    gateway = Gateway(f'--admin-token-file={token}', f'--max-sockets-per-address={count}',
                      f'--max-members-per-channel={count}', *options, quiet_errors=True)
    gateway.folder = folder
    return gateway


def watching(report, quick):
    gateway = start(ON_AIR + 200)
    running = [gateway]
    try:
        members = Members(ON_AIR, gateway.ws)
        running.append(members)
        members.do('rooms', ROOM)
        members.do('join', 32)
        running.append(Encoders(members.do('speak')['urls']))
        members.do('report', REPORT_S)
        # Until all of them have.
        busy(gateway.pid, REPORT_S + 1)

        def watched():
            watchers = Watchers(gateway, WATCHERS)
            try:
                busy(gateway.pid, 1.5)
                before = watchers.bytes
                found = busy(gateway.pid, REPORT_S)
                if watchers.bytes == before:
                    raise AssertionError('the watchers were told nothing')
                return found
            finally:
                watchers.stop()

        def alone():
            # The last watcher's end is noticed a moment later.
            busy(gateway.pid, 1.5)
            return busy(gateway.pid, REPORT_S)

        more, without = by_turns(2 if quick else 8, watched, alone)
        row(report, f'CPU with {ON_AIR} members on the air who report, {WATCHERS} watchers', more, without,
            'nobody watches', 2.0)
    finally:
        for each in reversed(running):
            each.stop()
        gateway.folder.cleanup()


def reporting(report, quick):
    count = 1000 if quick else REPORTERS
    gateway = start(count + 200)
    running = [gateway]
    try:
        members = Members(count, gateway.ws)
        running.append(members)
        # All hear one speaker.
        members.do('rooms', count)
        members.do('join', 64)
        busy(gateway.pid, 3)

        def turn(seconds):
            before = members.do('report', seconds)['reports']
            busy(gateway.pid, 1)
            found = busy(gateway.pid, REPORT_S)
            after = members.do('report', seconds)['reports']
            if (after - before > count / 2) != bool(seconds):
                raise AssertionError(f'{after - before} reports of {count} members')
            return found

        # Heartbeats of so many differ from window to window by more than reports add.
        more, without = by_turns(2 if quick else 20, lambda: turn(REPORT_S), lambda: turn(0))
        row(report, f'CPU with {count} members, a report of each in {REPORT_S} s', more, without, 'none reports', 3.0)
    finally:
        for each in reversed(running):
            each.stop()
        gateway.folder.cleanup()


def run(report, quick):
    watching(report, quick)
    reporting(report, quick)
