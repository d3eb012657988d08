# SPDX-License-Identifier: LGPL-2.1-or-later
"""TCP through the test, to be cut in the middle.

    way = Way(self.gate.ws)
    self.addCleanup(way.close)
    …                       # by way.url
    way.cut()               # whoever is on it loses the connection, and may come again
    way.shut()              # the same, and nobody comes again before way.mend()
"""

import socket
import threading
from urllib.parse import urlsplit


class Way:
    def __init__(self, url):
        parts = urlsplit(url)
        self.target = (parts.hostname, parts.port)
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.port = self.listening.getsockname()[1]
        self.url = f'{parts.scheme}://127.0.0.1:{self.port}{parts.path}'
        self.is_shut = threading.Event()
        self.lock = threading.Lock()  # guards the list
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            if self.is_shut.is_set():
                near.close()
                continue
            try:
                far = self.reach()
            except OSError:
                near.close()
                continue
            with self.lock:
                self.open += [near, far] if far else [near]
            for ends in ((near, far), (far, near)) if far else ():
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    @staticmethod
    def _end(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reach(self):
        """The other end; None: there is none, and nobody is told."""
        return socket.create_connection(self.target)

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        self._end(source)
        self._end(target)

    def cut(self):
        """How many sockets that were: two for each connection."""
        with self.lock:
            gone, self.open = self.open, []
        for end in gone:
            self._end(end)
        return len(gone)

    def shut(self):
        self.is_shut.set()
        self.cut()

    def mend(self):
        self.is_shut.clear()

    def close(self):
        self._end(self.listening)
        self.listening.close()
        self.cut()
