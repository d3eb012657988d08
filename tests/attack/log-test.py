# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log under attack: it neither floods nor waits."""

import fcntl
import json
import os
import re

import tap
from harness import SCALE, Gateway
from kit import QUIET, AttackCase, read_all, status_of

BAD = (b'POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2'
       b'\r\n\r\n[]')


class Flood(AttackCase):
    def test_refused_requests_are_summed_up(self):
        count = 1500
        for i in range(count):
            self.assertEqual(status_of(read_all(self.connect(BAD))), 400)
            self.hang_up()

        def told():
            lines = [text for _, which, text in self.served.lines if 'Choosing a server' in text]
            more = [int(re.search(r'\(and (\d+) more like it\)', text).group(1))
                    for text in lines if 'more like it' in text]
            return len(lines), len(lines) + sum(more)

        # None is lost, and there is a line a second.
        self.until(lambda: told()[1] == count, f'{count} refusals in the log, not {told()}', 5)
        first, *_, last = [at for at, _, text in self.served.lines if 'Choosing a server' in text]
        self.assertLessEqual(told()[0], last - first + 2)

    def test_json(self):
        served = self.gateway('--log-format=json', env={'G_MESSAGES_DEBUG': 'all'})
        self.member(served, uid=7, channel='a "room"').join()
        served.wait_line('member in', which='err')
        lines = [json.loads(line) for line in served.output('err').splitlines()]
        joined = next(line for line in lines if line['message'].startswith('member in'))
        self.assertEqual((joined['app'], joined['channel'], joined['uid'], joined['level']),
                         ('demo', 'a "room"', '7', 'info'))

    def test_json_of_a_long_path(self):
        served = self.gateway('--log-format=json')
        path = b'/dev/v1/' + b'"' * 6000
        read_all(self.connect(b'GET ' + path + b' HTTP/1.1\r\nHost: x\r\n\r\n', served=served))
        served.wait_line('Administration', which='err')
        said = [json.loads(line)['message'] for line in served.output('err').splitlines()]
        self.assertTrue(any(each.startswith('Administration, GET /dev/v1/"') for each in said), said)


class Stalled(AttackCase):
    """Standard error is a pipe that is full, and that nobody reads for the time being."""

    def start_stalled(self, *options, env=None):
        self.read_end, self.write_end = os.pipe()
        self.addCleanup(os.close, self.write_end)
        self.addCleanup(self.close_read_end)
        fcntl.fcntl(self.read_end, fcntl.F_SETFL, os.O_NONBLOCK)
        served = self.keep(Gateway(
            *options, binary=['/bin/sh', '-c', f'exec "$0" "$@" 2>&{self.write_end}',
                              os.environ['AGORA_GATEWAY_BIN']],
            pass_fds=(self.write_end, ), env={**QUIET, **(env or {})}))
        # Filled after the start, so that nothing but the log is told.
        filler = os.open(f'/proc/self/fd/{self.write_end}', os.O_WRONLY | os.O_NONBLOCK)
        for size in (4096, 1):
            try:
                while True:
                    os.write(filler, b'.' * size)
            except BlockingIOError:
                pass
        os.close(filler)
        return served

    def close_read_end(self):
        if self.read_end is not None:
            os.close(self.read_end)
            self.read_end = None

    def read_log(self):
        said = b''
        try:
            while more := os.read(self.read_end, 65536):
                said += more
        except BlockingIOError:
            pass
        return said.decode()

    def refuse_some(self, served):
        for _ in range(20):
            self.assertEqual(status_of(read_all(self.connect(BAD, served=served))), 400)

    def test_nobody_waits_for_the_reader(self):
        served = self.start_stalled()
        with self.witness(served=served):
            self.refuse_some(served)
        log = ''

        def read():
            nonlocal log
            log += self.read_log()
            return 'Choosing a server' in log

        self.until(read, 'what was to be told, told when it is read')
        self.assertEqual(served.terminate(), 0)

    def test_it_ends_all_the_same(self):
        served = self.start_stalled()
        self.refuse_some(served)
        self.assertEqual(served.terminate(4), 0)

    def test_the_reader_goes(self):
        served = self.start_stalled()
        self.close_read_end()
        with self.witness(served=served):
            self.refuse_some(served)

    def test_what_waits_is_bounded(self):
        served = self.start_stalled('--max-requests-per-second=1000000',
                                    env={'G_MESSAGES_DEBUG': 'all'})
        member = self.member(served, uid=7).join()
        before = self.resident(served)
        with self.witness(served=served):
            for turn in range(100):
                for role in ('audience', 'broadcaster') * 40:
                    last = member.send_request('set_role', role=role)
                member.wait_answer(last, 20)
                member.answers.clear()
        self.assertLess(self.resident(served) - before, 4 * 1024 * SCALE ** 2)
        log = ''

        def read():
            nonlocal log
            log += self.read_log()
            return re.search(r'Left out (\d+) lines of the log', log)

        self.assertGreater(int(self.until(read, 'a word on what was left out').group(1)), 1000)
        self.assertEqual(served.terminate(), 0)


if __name__ == '__main__':
    tap.main()
