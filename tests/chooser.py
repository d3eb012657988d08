# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `ap-url` leads to, in place of the operator's own."""

import http.server
import json
import threading


class Chooser(http.server.ThreadingHTTPServer):
    """Sends whoever asks to one gateway, and then to another."""

    def __init__(self, url):
        chooser = self
        self.url = url

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                inner = {'code': 200, 'vid': 1, 'servers': [{'address': 'x', 'url': chooser.choose()}]}
                body = json.dumps({'code': 0, 'json_body': json.dumps(inner)}).encode()
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(('127.0.0.1', 0), Handler)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05},
                         daemon=True).start()

    def choose(self):
        return self.url

    def close(self):
        self.shutdown()
        self.server_close()
