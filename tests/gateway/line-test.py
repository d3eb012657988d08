# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway's end of the line to its relay, against a relay of the test's own that behaves as it is told:
whoever took the relay over gets no further by the line."""

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request

import tap
from harness import SCALE, Case, mostly, wait_until
from wsclient import Member

# Says that it serves, and answers pings. What it does besides is the test's: `more(line, told)`, where
# `told` is each packet of the gateway, and None at first.
RELAY = '''#!{python}
import json, os, signal, socket
line = socket.socket(fileno=3)
def say(**message):
    line.send(json.dumps(message).encode())
COUNTERS = dict.fromkeys(('connections', 'pushes', 'listeners', 'bytes_in', 'bytes_out', 'lag_ms',
                          'dropped_frames', 'fds', 'pulls', 'pulls_ended', 'pulls_failed'), 0)
REASONS = ('full', 'address', 'deadline', 'protocol', 'denied', 'rate', 'tls')
def pong(told):
    say(op='pong', n=told['n'], **COUNTERS, refused=dict.fromkeys(REASONS, 0))
def more(told):
    pass
first = not os.path.exists('{folder}/again')
open('{folder}/again', 'w').close()
if first:
{more}
configured = json.loads(line.recv(65536))
assert configured['op'] == 'configure', configured
say(op='ready', version='0')
more(None)
while packet := line.recv(65536):
    told = json.loads(packet)
    if told['op'] == 'ping':
        pong(told)
    more(told)
'''


class Line(Case):
    def serve(self, more='pass'):
        """The first relay does `more`; those after it are good."""
        folder = self.tmp / 'relay'
        folder.mkdir()
        program = folder / 'agora-relay'
        lines = ''.join(f'    {line}\n' for line in more.splitlines())
        program.write_text(RELAY.format(python=sys.executable, folder=folder, more=lines))
        program.chmod(0o755)
        gateway = self.gateway(f'--relay={program}')
        self.member = Member(gateway.ws, heartbeat=True).join()
        self.addCleanup(self.member.close)
        return gateway

    def health(self, gateway):
        try:
            with urllib.request.urlopen(gateway.http + '/healthz', timeout=5) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())

    def replaced(self, gateway):
        wait_until(lambda: self.health(gateway)['mediaRestarts'] == 1, what='a new relay')
        wait_until(lambda: self.health(gateway)['status'] == 'ok', what='health')
        self.member.ping()

    def test_packets_that_say_nothing_end_it(self):
        for packet, why in ((b'nonsense', 'no JSON object'), (b'{}', 'op: expected'),
                            (b'{"op":"ping","n":1}', "none of this side's"),
                            (b'{"op":"ask","id":0}', 'expected a whole number from 1'),
                            (b'{"op":"dropped","ticket":1}' + b' ' * 4096, 'bytes'),
                            (b'{"op":"\xff"}', 'UTF-8'), (b'x' * 60000, '60000 bytes')):
            with self.subTest(packet[:40]):
                gateway = self.serve(f'def more(told):\n    if told is None: line.send({packet!r})')
                gateway.wait_line(f'breaks the rules of its line .*{why}')
                self.replaced(gateway)
                self.assertEqual(gateway.terminate(), 0)
                shutil.rmtree(self.tmp / 'relay')

    def test_a_line_that_ends_before_its_relay(self):
        # Once it is known to serve: one that ends at once has not started.
        gateway = self.serve('def more(told):\n'
                             '    if told and told["op"] == "ping":\n'
                             '        line.close()\n'
                             '        while True: signal.pause()')
        self.replaced(gateway)

    def test_silence(self):
        gateway = self.serve('def pong(told): pass')
        gateway.wait_line("agora-relay doesn't answer")
        self.replaced(gateway)

    def test_what_nobody_asked_for_does_nothing(self):
        gateway = self.serve(
            'def more(told):\n'
            '    if told is None:\n'
            '        for n in (0, 1, 10**17):\n'
            '            say(op="dropped", ticket=n)\n'
            '            say(op="done", id=n + 1, side="push", stream="x")\n'
            '            say(op="done", id=n + 1, side="play", stream="")\n'
            '            say(op="sessions", n=n, ids=[1, 2], last=True)\n'
            '            say(op="traffic", streams=[dict(stream=f"{n} {i}", received=n, lag_ms=n) for i in range(20)])\n'
            '            say(op="pong", n=n, **COUNTERS, refused=dict.fromkeys(REASONS, 0))\n'
            '        say(op="ready", version="1")\n'
            '        say(op="log", level="info", text="nothing")')
        self.member.ping()
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1.2, what='two pings')
        self.assertEqual(self.health(gateway)['mediaRestarts'], 0)
        self.assertTrue(gateway.running())

    def test_each_ask_is_answered_and_members_have_their_turn(self):
        count = 20000
        gateway = self.serve(
            'asked = answered = allowed = 0\n'
            'def more(told):\n'
            '    global asked, answered, allowed\n'
            '    if told and told["op"] == "answer":\n'
            '        answered += 1\n'
            '        allowed += told["allow"]\n'
            # As many under way as the line takes without waiting for the gateway.
            f'    while asked < {count} and asked - answered < 64:\n'
            '        asked += 1\n'
            '        say(op="ask", id=asked, side="play", app="live", stream="x", args="m=1", address="::1")\n'
            f'    if answered == {count}:\n'
            '        answered += 1\n'
            '        say(op="log", level="warning", text=f"all answered, {allowed} allowed")')
        took = []
        while 'all answered' not in gateway.output('err'):
            began = time.monotonic()
            self.member.ping()
            took.append(time.monotonic() - began)
            # A member may ask 50 times a second.
            wait_until(lambda: time.monotonic() - began > 0.05, what='the next ping')
        gateway.wait_line('all answered, 0 allowed')
        self.assertLess(mostly(took), 0.5 * SCALE)
        self.assertEqual(self.health(gateway)['mediaRestarts'], 0)

    def test_descriptors_that_it_sends_are_not_taken(self):
        gateway = self.serve(
            'def more(told):\n'
            '    if told and told["op"] == "ping":\n'
            '        socket.send_fds(line, [b\'{"op":"dropped","ticket":1}\'], [2] * 50)')
        pings = self.health(gateway)
        before = len(os.listdir(f'/proc/{gateway.pid}/fd'))
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1.5, what='three pings')
        self.assertLessEqual(len(os.listdir(f'/proc/{gateway.pid}/fd')), before + 2)
        self.assertEqual(self.health(gateway)['mediaRestarts'], pings['mediaRestarts'])

    def test_who_serves_and_ends_at_once(self):
        """What it was told lies unread, which the kernel tells before what it said: to a gateway that finds both at once."""
        gateway = self.serve('import subprocess\n'
                             'os.kill(os.getppid(), signal.SIGSTOP)\n'
                             "subprocess.Popen(['sh', '-c', f'sleep 0.3; kill -CONT {os.getppid()}'])\n"
                             "say(op='ready', version='0')\n"
                             'os._exit(3)')
        self.replaced(gateway)

    def test_who_never_serves(self):
        program = self.tmp / 'agora-relay'
        program.write_text('#!/bin/sh\nexec tail -f /dev/null\n')
        program.chmod(0o755)
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                             '--rtmp-listen=127.0.0.1:0', f'--relay={program}')
        self.assertEqual(process.wait(15), 1)
        self.assertIn('agora-relay did not start: it did not serve within 10 s', process.output('err'))


if __name__ == '__main__':
    tap.main()
