# SPDX-License-Identifier: LGPL-2.1-or-later
"""A member by the library alone that loses its gateway and comes back: what it missed, it is told."""

import os
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'field'))
import rtmp  # noqa: E402


def go_on(seconds):
    """As long as what goes on meanwhile is to last."""
    threading.Event().wait(seconds)


class Way:
    """TCP through the test, which can be closed and opened."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.target = (parts.hostname, parts.port)
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.url = f'ws://127.0.0.1:{self.listening.getsockname()[1]}{parts.path}'
        self.closed = threading.Event()
        self.lock = threading.Lock()  # guards the list
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            if self.closed.is_set():
                near.close()
                continue
            far = socket.create_connection(self.target)
            with self.lock:
                self.open += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.closed.set()
        with self.lock:
            gone, self.open = self.open, []
        for end in gone:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self.closed.clear()

    def close(self):
        self.listening.close()
        self.cut()


class Return(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()
        self.way = Way(self.served.ws)
        self.addCleanup(self.way.close)
        self.speaker = Member(self.served.ws, uid=8, heartbeat=True)
        self.addCleanup(self.speaker.close)
        self.speaker.join()
        self.push = rtmp.Publisher(self.speaker.publish())
        self.addCleanup(self.push.close)
        self.listener = self.start(os.environ['AGORA_MEMBER_BIN'], '--uid=7', self.way.url, 'demo', 'room')
        self.listener.wait_line('^added 8$', 10 * SCALE)

    def test_who_left_meanwhile(self):
        self.way.cut()
        self.speaker.must('leave', uid=8)
        # Longer than a first try, and shorter than the grace of its membership.
        go_on(3)
        self.assertNotIn('removed', self.listener.output('out'))
        since = self.listener.mark()
        self.way.mend()
        began = time.monotonic()
        self.listener.wait_line('^removed 8$', 5 * SCALE, since=since)
        print(f'# told {time.monotonic() - began:.2f} s after the gateway was in reach again')

    def test_after_its_membership_has_ended(self):
        self.way.cut()
        self.speaker.must('leave', uid=8)
        go_on(12)
        since = self.listener.mark()
        self.way.mend()
        self.listener.wait_line('^removed 8$', 5 * SCALE, since=since)


if __name__ == '__main__':
    tap.main()
