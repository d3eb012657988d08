# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operator's receiver of webhooks, a real HTTP server."""

import http.server
import json
import threading
import time

from harness import wait_until


class Receiver:
    """Answers with the statuses of `plan`, then with 200; None hangs until it is released."""

    def __init__(self, *plan):
        self.plan = list(plan)
        self.posts = []  # (moment, path, headers, body)
        self.lock = threading.Lock()
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                with receiver.lock:
                    receiver.posts.append((time.monotonic(), self.path, self.headers, body))
                    status = receiver.plan.pop(0) if receiver.plan else 200
                if status is None:
                    receiver.released.wait(60)
                    status = 200
                try:
                    self.send_response(status)
                    self.send_header('Content-Length', '2')
                    self.end_headers()
                    self.wfile.write(b'ok')
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}/hook?key=x'
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05},
                         daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def events(self):
        """In the order in which they happened; each once."""
        with self.lock:
            bodies = {json.loads(post[3])['noticeId']: json.loads(post[3]) for post in self.posts}
        return [bodies[key] for key in sorted(bodies, key=lambda key: int(key.split(':')[1]))]

    def wait(self, count, timeout=10):
        wait_until(lambda: len(self.events()) >= count, timeout, f'event {count}')
        return self.events()
