# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests that cost more than they look."""

import time

import tap
from kit import AttackCase, Flood, read_all, status_of
from harness import SCALE

RANGE = b'Range: bytes=' + b','.join([b'0-'] * 19000) + b'\r\n'


class Ranges(AttackCase):
    def test_no_answer_is_multiplied(self):
        for head in (b'GET /metrics', b'GET /healthz', b'GET /nothing', b'GET /dev/v1/channel/demo'):
            with self.subTest(head):
                client = self.connect(head + b' HTTP/1.1\r\nHost: x\r\n' + RANGE + b'\r\n')
                answer = read_all(client)
                self.assertIn(status_of(answer), (200, 403, 404))
                self.assertLess(len(answer), 16 * 1024)
                self.assertNotIn(b'byteranges', answer)

    def test_answers_that_nobody_reads(self):
        request = b'GET /metrics HTTP/1.1\r\nHost: x\r\n' + RANGE + b'\r\n'
        read_all(self.connect(request))
        before = self.resident()
        with self.witness():
            for _ in range(20):
                self.connect(request, receive_buffer=4096)
            # Those that came before are served when this one is.
            read_all(self.connect(request))
        self.assertLess(self.resident() - before, 8 * 1024 * SCALE)


class Bodies(AttackCase):
    HEAD = b'POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'

    def test_a_length_over_the_limit_is_answered_at_once(self):
        client = self.connect(self.HEAD + b'Content-Length: 1000000000\r\n\r\n')
        began = time.monotonic()
        answer = client.recv(65536)
        self.assertLess(time.monotonic() - began, 2 * SCALE)
        self.assertEqual(status_of(answer), 413)

    def test_whoever_sends_it_whole_reads_the_answer(self):
        # Not a reset, which would take the answer with it.
        for size in (16 * 1024 + 1, 100_000, 500_000):
            for how in ('length', 'chunks'):
                with self.subTest((size, how)):
                    body = b'x' * size
                    if how == 'length':
                        body = b'Content-Length: %d\r\n\r\n' % size + body
                    else:
                        body = b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % size + body + b'\r\n0\r\n\r\n'
                    self.assertEqual(status_of(read_all(self.connect(self.HEAD + body))), 413)
        # One byte less is read, and found to be no JSON.
        body = b'x' * 16 * 1024
        answer = read_all(self.connect(self.HEAD + b'Content-Length: %d\r\n\r\n' % len(body) + body))
        self.assertEqual(status_of(answer), 400)

    def test_chunks_of_one_byte(self):
        head = self.HEAD + b'Transfer-Encoding: chunked\r\n\r\n'
        # Not over the limit, but each chunk is work.
        self.assertEqual(status_of(read_all(self.connect(head + b'1\r\nx\r\n' * 16000 + b'0\r\n\r\n'))), 413)
        # A reasonable number of them is a body as any other.
        self.assertEqual(status_of(read_all(self.connect(head + b'1\r\nx\r\n' * 100 + b'0\r\n\r\n'))), 400)

    def test_what_was_refused_is_forgotten(self):
        def refuse(count):
            for _ in range(count):
                read_all(self.connect(self.HEAD + b'Content-Length: 90000\r\n\r\n'))
                self.hang_up()

        descriptors = self.descriptors()
        refuse(200)
        before = self.resident()
        refuse(1000)
        self.assertLess(self.resident() - before, 2 * 1024 * SCALE ** 2)
        self.until(lambda: self.descriptors() <= descriptors, 'the end of all descriptors')

    def test_bodies_without_an_end(self):
        with self.witness():
            began, busy = time.monotonic(), self.busy()
            floods = [Flood(self.connect(self.HEAD + how), data)
                      for how, data in ((b'Transfer-Encoding: chunked\r\n\r\n', b'1\r\nx\r\n' * 10000),
                                        (b'Transfer-Encoding: chunked\r\n\r\n', b'1\r\nx\r\n' * 10000),
                                        (b'Transfer-Encoding: chunked\r\n\r\n', b'1\r\nx\r\n' * 10000),
                                        (b'Content-Length: 9000000000\r\n\r\n', b'x' * 60000))]
            self.until(lambda: not any(flood.running() for flood in floods),
                       'the end of bodies over the limit', 8)
            took = time.monotonic() - began
        self.assertLess(self.busy() - busy, 0.5 * took + 0.5)


if __name__ == '__main__':
    tap.main()
