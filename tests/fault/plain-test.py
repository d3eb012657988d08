# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plain rtmp2sink and rtmp2src through the faults of docs/faults.md: its second table."""

import os
import signal
import socket
import sys
import time

import tap
from faultrig import children
from harness import Case
from plainrig import PlainPair


class Plain(PlainPair, Case):
    table = []

    @classmethod
    def tearDownClass(cls):
        for row in cls.table:
            print(f'# {row}', file=sys.__stdout__, flush=True)

    def setUp(self):
        super().setUp()
        self.join()

    def seconds(self, since, count):
        self.until(lambda: time.monotonic() - since >= count, f'{count} seconds', count + 5)

    def test_push_dropped(self):
        begin = self.now()
        self.drop('publisher')
        self.tell('session of the host dropped by the server', begin, 5, 'ERROR', 'EOS')

    def test_play_dropped(self):
        begin = self.now()
        self.drop('subscriber')
        self.tell('session of the listener dropped by the server', begin, 5, 'nothing', 'EOS')

    def test_worker_killed(self):
        begin = self.now()
        os.kill(children(self.server.pid)[0], signal.SIGKILL)
        self.tell("server's worker killed", begin, 5, 'ERROR', 'EOS')

    def test_killed_and_started_again(self):
        begin = self.now()
        self.kill_server()
        self.server = self.start_server()
        self.tell('server killed, started again', begin, 8, 'ERROR', 'EOS')

    def frozen(self, length):
        begin = self.now()
        self.workers(signal.SIGSTOP)
        self.seconds(begin, length)
        self.workers(signal.SIGCONT)
        self.tell(f'server frozen for {length} s', begin, length + 3, 'nothing', 'nothing')

    def test_frozen_for_a_moment(self):
        self.frozen(1.5)

    def test_frozen(self):
        self.frozen(5)

    def test_publisher_killed_and_replaced(self):
        begin = self.now()
        gone = self.host
        gone.signal(signal.SIGKILL)
        gone.wait()
        self.host = self.speak()
        self.marks[self.host] = 0
        self.tell('publisher killed, another takes its name', begin, 5, 'nothing', 'EOS')

    def test_publisher_leaves_and_returns(self):
        begin = self.now()
        self.host.interrupt()
        self.host = self.speak()
        self.marks[self.host] = 0
        self.tell('publisher leaves and returns', begin, 5, 'nothing', 'EOS')

    def test_listener_stopped(self):
        begin = self.now()
        self.listener.signal(signal.SIGSTOP)
        self.seconds(begin, 5)
        self.listener.signal(signal.SIGCONT)
        self.tell('whole listener stopped for 5 s', begin, 8, 'nothing', 'nothing')

    def test_name_is_taken(self):
        second = self.speak()
        begin = self.now()
        self.marks[second] = 0
        self.until(lambda: self.outcome(second, begin), 'an end')
        what, _ = self.outcome(second, begin)
        self.assertEqual(what, 'ERROR')
        self.table.append('plain: name already publishing: rtmp2sink ERROR')

    def refused(self, fault, port):
        self.url = f'rtmp://127.0.0.1:{port}/live/plain'
        begin = time.monotonic()
        both = {'rtmp2sink': self.speak(), 'rtmp2src': self.listen()}
        self.marks = dict.fromkeys(both.values(), 0)
        self.until(lambda: all(self.outcome(each, begin) for each in both.values()), 'an end', 15)
        for name, process in both.items():
            what, after = self.outcome(process, begin)
            self.assertEqual(what, 'ERROR')
            self.table.append(f'plain: {fault}: {name} ERROR after {after:.1f} s')

    def test_accepts_but_mute(self):
        with socket.create_server(('127.0.0.1', 0)) as mute:
            self.refused('accepts, but mute', mute.getsockname()[1])

    def test_nobody_listens(self):
        with socket.create_server(('127.0.0.1', 0)) as gone:
            port = gone.getsockname()[1]
        self.refused('nobody listens', port)


if __name__ == '__main__':
    tap.main()
