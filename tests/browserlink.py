# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands and events as JSON over a WebSocket: Chromium's DevTools protocol and WebDriver BiDi alike."""

import json
import os
import threading

from harness import Deadline
from wsclient import Closed, WebSocket

HOURS = 24 * 3600  # the reader waits for what comes, however long that takes


class Gone(Exception):
    """The browser ended."""


class Failed(Exception):
    """The browser refused a command."""


class Link:
    """Answers are matched to commands; each event goes to `event(message)`, on the reader's thread."""

    def __init__(self, url, event):
        self.socket = WebSocket(url, timeout=10)
        self.socket.mask = os.urandom(4)  # Firefox takes one of zeros for none
        self.event = event
        self.sending = threading.Lock()
        self.news = threading.Condition()
        self.count = 0  # guarded by `news`, as the two below
        self.answers = {}
        self.gone = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            while True:
                _, payload = self.socket.receive(HOURS)
                message = json.loads(payload)
                if 'id' in message and message['id'] is not None:
                    with self.news:
                        self.answers[message['id']] = message
                        self.news.notify_all()
                else:
                    self.event(message)
        except (Closed, OSError, ValueError):
            with self.news:
                self.gone = True
                self.news.notify_all()

    def post(self, method, params=None, **more):
        """Sends a command, and returns the number to wait() for."""
        with self.news:
            if self.gone:
                raise Gone(f'the browser is gone: {method}')
            self.count += 1
            number = self.count
        with self.sending:
            try:
                self.socket.send_text(json.dumps(
                    {'id': number, 'method': method, 'params': params or {}, **more}))
            except OSError as error:
                raise Gone(f'the browser is gone: {method}: {error}') from None
        return number

    def wait(self, number, timeout, what):
        deadline = Deadline(timeout)
        with self.news:
            while number not in self.answers:
                if self.gone:
                    raise Gone(f'the browser ended before it answered {what}')
                if deadline.over():
                    raise AssertionError(f'the browser did not answer {what} within {timeout} s')
                self.news.wait(min(1, deadline.left()))
            answer = self.answers.pop(number)
        if 'error' in answer:
            error = answer['error']
            text = error.get('message') if isinstance(error, dict) else \
                f'{error}: {answer.get("message")}'
            raise Failed(f'{what}: {text}')
        return answer.get('result', {})

    def call(self, method, params=None, timeout=20, **more):
        return self.wait(self.post(method, params, **more), timeout, method)

    def close(self):
        with self.news:
            self.gone = True
        self.socket.close()
