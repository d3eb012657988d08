# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway drains, and the elements go on at another one, with nobody's help."""

import http.server
import json
import signal
import threading
import urllib.request

import tap
from harness import Case


class Chooser(http.server.ThreadingHTTPServer):
    """Sends whoever asks to one gateway, and then to another."""

    def __init__(self, url):
        chooser = self
        self.url = url

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                inner = {'code': 200, 'vid': 1, 'servers': [{'address': 'x', 'url': chooser.url}]}
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


class Drain(Case):
    def health(self, gateway):
        with urllib.request.urlopen(gateway.http + '/healthz', timeout=5) as answer:
            return json.load(answer)

    def test_the_elements_move(self):
        old, new = self.gateway('--drain=60'), self.gateway()
        chooser = Chooser(old.ws)
        self.addCleanup(chooser.server_close)
        self.addCleanup(chooser.shutdown)
        where = f'ap-url=http://127.0.0.1:{chooser.server_port}/ app-id=demo channel=hall'
        speaker = self.launch(f'audiotestsrc is-live=true ! agorasink {where} uid=8', '-m')
        listener = self.launch(f'agorasrc {where} uid=9 ! fakesink sync=true', '-m')
        listener.wait_line(r'agora-stream-added', 20)
        self.until(lambda: self.health(old)['streams'] == 1, 'a stream')
        marks = {each: each.mark() for each in (speaker, listener)}
        chooser.url = new.ws
        old.signal(signal.SIGTERM)
        # It doesn't take its time, since all have gone long before.
        self.assertEqual(old.wait(40), 0)
        for each, mark in marks.items():
            each.wait_line('agora-reconnected', since=mark)
            self.assertNotIn('ERROR', each.output())
        self.until(lambda: self.health(new)['members'] == 2 and self.health(new)['streams'] == 1,
                   'both at the other gateway')
        for each in (speaker, listener):
            self.assertEqual(each.interrupt(), 0)


if __name__ == '__main__':
    tap.main()
