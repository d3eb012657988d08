# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way between a media server and its listeners, or its speakers, on which some packets are late,
and what is behind them waits for them, as TCP has it.

    way = LateWay()
    gate = Gateway(*way.options(), defaults=False)   # whose media goes that way
    way.share, way.delay = 0.05, 0.06
"""

import queue
import random
import socket
import threading
import time

from tcpway import Way


class LateWay(Way):
    def __init__(self, seed=5, pushed=False):
        """`pushed`: it is what the server gets that is late, in place of what it sends."""
        # Asked for so that a free one is known before the server is there.
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.to = free.getsockname()[1]
        super().__init__(f'rtmp://127.0.0.1:{self.to}/live')
        self.pushed = pushed
        self.share = 0.0  # of what goes that way
        self.delay = 0.06  # seconds
        self.chance = random.Random(seed)
        self.late = 0  # so many pieces were
        self.stuck = frozenset()

    def options(self):
        """Of the gateway whose relay is to be behind it."""
        return ('--listen=127.0.0.1:0', f'--rtmp-listen=127.0.0.1:{self.to}', f'--public-rtmp={self.url}', '--app=demo')

    def stick(self):
        """Of what goes that way nothing more comes to who is there now, and nobody is told. Who comes later is as ever."""
        with self.lock:
            self.stuck = frozenset(self.open)

    def pump(self, source, target):
        if (source.getpeername()[1] != self.to) != self.pushed:
            super().pump(source, target)
            return
        waiting = queue.Queue()
        threading.Thread(target=self._carry, args=(waiting, source, target), daemon=True).start()
        try:
            while data := source.recv(65536):
                late = self.chance.random() < self.share
                self.late += late
                waiting.put((time.monotonic() + late * self.delay, data))
        except OSError:
            pass
        waiting.put(None)

    def _carry(self, waiting, source, target):
        never = threading.Event()  # so that a clock is all that is waited for
        try:
            while piece := waiting.get():
                due, data = piece
                never.wait(max(0.0, due - time.monotonic()))
                if target not in self.stuck:
                    target.sendall(data)
        except OSError:
            pass
        self._end(source)
        self._end(target)
