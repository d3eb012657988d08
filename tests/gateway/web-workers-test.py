# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workers of agora-web as children of the gateway, and the door by which they bring members in: with a
worker of the test's own that behaves as it is told, and once with the real one."""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case, send_signal, wait_until
from webask import JSON, OFFER, SDP, Events, ask
from wsclient import Closed, Member, Refused, WebSocket

STAND_IN = Path(__file__).parent / 'web-stand-in'
TOKEN = '0123456789abcdef'
# Speaks the line far enough, and does what the test adds.
WORKER = '''#!{python}
import json, os, signal, socket, sys
line = socket.socket(fileno=3)
def say(**message):
    line.send(json.dumps(message).encode())
first = not os.path.exists('{folder}/again')
open('{folder}/again', 'w').close()
def more(told):
    pass
if first:
    pass
{more}
configured = json.loads(line.recv(200000))
more(configured)
say(op='ready', version='0')
while packet := line.recv(200000):
    told = json.loads(packet)
    if told['op'] == 'ping':
        say(op='pong', n=told['n'], members=1, sessions=2, threads=3, fds=4)
    more(told)
'''


def alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident(pid):
    return int(re.search(r'VmRSS:\s*(\d+)', Path(f'/proc/{pid}/status').read_text())[1]) * 1024


class WorkersCase(Case):
    def serve(self, *options, program=STAND_IN, workers=1, **keywords):
        self.folder = self.tmp / 'workers'
        self.folder.mkdir(exist_ok=True)
        env = {'WEB_STAND_IN_FOLDER': str(self.folder), **keywords.pop('env', {})}
        self.served = self.gateway('--web', f'--web-program={program}', f'--web-workers={workers}', *options,
                                   env=env, **keywords)
        return self.served

    def program(self, more='pass', text=None):
        """A worker whose first run does `more`; those after it are good."""
        folder = self.tmp / 'program'
        folder.mkdir(exist_ok=True)
        (folder / 'again').unlink(missing_ok=True)
        path = folder / 'agora-web'
        lines = ''.join(f'    {line}\n' for line in more.splitlines())
        path.write_text(text or WORKER.format(python='/usr/bin/python3', folder=folder, more=lines))
        path.chmod(0o755)
        return path

    def pids(self):
        """Of the workers that run, by what each was told first."""
        found = {}
        for each in self.folder.iterdir():
            if each.suffix == '.json' and alive(int(each.stem)):
                found[int(each.stem)] = json.loads(each.read_text())
        return found

    def health(self):
        return ask(self.served.http, 'GET', '/healthz').json()

    def post(self, path='/whep/demo/room', **keywords):
        return ask(self.served.http, 'POST', path, SDP, OFFER, **keywords)

    def begin(self, path='/whep/demo/room'):
        answer = self.post(path)
        self.assertEqual(answer.status, 201, answer)
        return answer.headers['location']

    def events(self, url):
        made = ask(self.served.http, 'POST', url + '/events', JSON, '[]')
        self.assertEqual(made.status, 201, made)
        stream = Events(self.served.http, made.headers['location'])
        self.addCleanup(stream.close)
        return stream

    def call(self, url, **fields):
        return ask(self.served.http, 'POST', url + '/call', JSON, json.dumps(fields))

    def replaced(self, count=1):
        wait_until(lambda: self.health()['webRestarts'] >= count, what='a new worker')
        wait_until(lambda: self.health()['webWorkers'] >= 1, what='a worker that serves')


class Watch(WorkersCase):
    def channels_of_two_workers(self):
        """A session of each worker, and that worker's pid."""
        found = {}
        for number in range(64):
            url = self.begin(f'/whep/demo/room-{number}')
            pid = self.call(url, call='pid').json()['pid']
            found.setdefault(pid, url)
            if len(found) == 2:
                return found
        self.fail('all channels went to one worker')

    def test_channels_are_shared_out(self):
        self.serve(workers=2)
        self.channels_of_two_workers()
        # A channel's sessions stay together.
        pids = {self.call(self.begin('/whep/demo/one'), call='pid').json()['pid'] for _ in range(5)}
        self.assertEqual(len(pids), 1)

    def lost(self, how, noticed):
        self.serve(workers=2)
        (pid, url), (other, kept) = self.channels_of_two_workers().items()
        stream, good = self.events(url), self.events(kept)
        self.assertEqual(good.until('joined')['uid'] > 0, True)
        began = time.monotonic()
        send_signal(pid, how)
        self.assertEqual(stream.until('ended')['code'], 501)
        took = time.monotonic() - began
        self.assertLess(took, noticed * SCALE)
        self.assertEqual(ask(self.served.http, 'DELETE', url).status, 404)
        # There is somebody for who comes again at once, and the other one's sessions go on.
        self.begin('/whep/demo/again')
        self.assertEqual(self.call(kept, call='pid').json()['pid'], other)
        wait_until(lambda: not alive(pid), what='the end of the lost worker')
        wait_until(lambda: self.health()['webWorkers'] == 2, what='two workers')
        self.assertEqual(self.health()['webRestarts'], 1)
        self.assertIn(other, self.pids())
        metrics = ask(self.served.http, 'GET', '/metrics').body.decode()
        self.assertIn('\nagora_web_workers 2\n', metrics)
        self.assertIn('\nagora_web_restarts_total 1\n', metrics)

    def test_killed(self):
        self.lost(signal.SIGKILL, 1)

    def test_frozen(self):
        self.lost(signal.SIGSTOP, 6)

    def test_an_heir_that_holds_its_errors_open(self):
        """A worker is gone when its process is, whatever it has left behind."""
        path = self.tmp / 'heir'
        served = self.serve(program=self.program(
            'def more(told):\n'
            '    if told["op"] == "offer":\n'
            '        heir = os.fork()\n'
            '        if heir == 0:\n'
            '            signal.pause()\n'
            f'        open({str(path)!r}, "w").write(str(heir))\n'
            '        os.write(2, b"it says so")\n'
            '        os.kill(os.getpid(), signal.SIGKILL)'))
        began = time.monotonic()
        answer = self.post()
        took = time.monotonic() - began
        heir = int(path.read_text())
        self.addCleanup(os.kill, heir, signal.SIGKILL)
        self.assertEqual(answer.status, 503, answer)
        self.assertLess(took, 1 * SCALE)
        self.assertTrue(alive(heir))
        # What came before its end is in the log.
        served.wait_line('agora-web ended: it says so')
        self.replaced()

    def test_pauses_grow(self):
        path = self.program('pass')
        self.serve(program=path)
        path.write_text('#!/bin/sh\necho "<6>it ends" >&2\necho it falls >&2\nexit 1\n')
        workers = Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text().split()
        for pid in workers:
            if b'agora-web' in Path(f'/proc/{pid}/cmdline').read_bytes():
                os.kill(int(pid), signal.SIGKILL)
        for pause in (100, 200, 400, 800):
            self.served.wait_line(f'agora-web ended: .*starting it again in {pause} ms', 20)
        self.assertIn('agora-web: it falls', self.served.output('err'))
        # What is for the curious isn't shown.
        self.assertNotIn('it ends', self.served.output('err'))
        answer = self.post()
        # Of 800 ms, or the next pause.
        self.assertEqual(answer.status, 503, answer)
        self.assertIn(answer.headers.get('retry-after'), ('1', '2'), answer)
        self.assertEqual(self.health()['webWorkers'], 0)
        self.served.wait_line('starting it again in 3200 ms', 20)
        answer = self.post()
        self.assertIn(answer.headers.get('retry-after'), ('4', '3', '2', '1'), answer)
        # Members of other kinds notice nothing.
        Member(self.served.ws).join().close()

    def test_no_orphans(self):
        self.serve(workers=3)
        pids = list(self.pids())
        self.assertEqual(len(pids), 3)
        os.kill(self.served.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pids)), timeout=3, what='the end of the workers')

    def test_an_end_that_does_not_wait(self):
        self.serve(program=self.program('signal.signal(signal.SIGTERM, signal.SIG_IGN)'))
        began = time.monotonic()
        self.assertEqual(self.served.terminate(), 0)
        self.assertLess(time.monotonic() - began, 2 * SCALE)


class Start(WorkersCase):
    def refused(self, program, needle):
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                             '--rtmp-listen=127.0.0.1:0', '--web', f'--web-program={program}')
        self.assertEqual(process.wait(), 1)
        self.assertEqual(process.output('out'), '')
        ours = [line for line in process.output('err').splitlines() if line.startswith('agora-gateway: --web')]
        self.assertEqual(len(ours), 1, process.output())
        self.assertIn(needle, ours[0])
        return ours[0]

    def test_no_program(self):
        self.refused('/nowhere/it', '--web-program=/nowhere/it: no such program')

    def test_programs_that_can_not_serve(self):
        for text, needle in (
                ("#!/bin/sh\necho 'libgstwebrtc-1.0.so.0: cannot open shared object file' >&2\nexit 127\n",
                 'libgstwebrtc'),
                ('#!/bin/sh\nexit 1\n', 'no reason'), ('#!/nowhere/sh\n', 'No such file'),
                ('#!/bin/sh\nkill -SEGV $$\n', 'Segmentation')):
            with self.subTest(text):
                last = self.refused(self.program(text=text), needle)
                self.assertIn('gstreamer1.0-nice', last)
        program = self.program('say(op="unable", reason="There is no element webrtcbin")\nsys.exit(1)')
        # That one knows better what is missing.
        self.assertTrue(self.refused(program, 'There is no element webrtcbin').endswith('webrtcbin'))

    def test_secrets_stay_hidden(self):
        servers = self.tmp / 'servers'
        servers.write_text('# ours\nturn:me:5ecret-of-file@turn.example:3478?transport=tcp\n')
        self.serve(f'--ice-server-file={servers}', '--ice-server=turn:me:5ecret-of%40line@turn.example',
                   '--ice-server', 'stun:stun.example', '--rtp-ports=40000-40100', '--public-ip=192.0.2.1',
                   '--max-web-sessions=7')
        configured = next(iter(self.pids().values()))
        self.assertEqual(configured['ice_servers'], [
            {'url': 'turn:turn.example:3478?transport=tcp', 'username': 'me', 'credential': '5ecret-of-file'},
            {'url': 'turn:turn.example', 'username': 'me', 'credential': '5ecret-of@line'},
            {'url': 'stun:stun.example', 'username': '', 'credential': ''}])
        self.assertEqual((configured['rtp_low'], configured['rtp_high'], configured['public_ip'],
                          configured['limits']['sessions']), (40000, 40100, '192.0.2.1', 7))
        for pid in (self.served.pid, *self.pids()):
            self.assertNotIn(b'5ecret', Path(f'/proc/{pid}/cmdline').read_bytes())
        self.begin()
        self.assertNotIn('5ecret', self.served.output())


class Line(WorkersCase):
    def test_whoever_breaks_its_rules_is_ended(self):
        offered = 'def more(told):\n    if told["op"] == "offer":\n        '
        for more, why in (
                (offered + 'line.send(b"nonsense")', 'no JSON object'),
                (offered + 'line.send(b"{}")', 'op: expected'),
                (offered + 'say(op="offer", session=1)', "none of this side's"),
                (offered + 'line.send(b" " * 131073)', '131073 bytes'),
                (offered + 'say(op="answer", session=told["session"], uid=1, sdp="v=0\\x01")', 'control'),
                (offered + 'say(op="ready", version="0")', 'ready twice'),
                (offered + '[say(op="answer", session=told["session"], uid=1, sdp="v=0") for _ in "ab"]',
                 'answered twice'),
                (offered + 'say(op="called", session=told["session"], number=1, status=200, text="{}")',
                 'nobody asked')):
            with self.subTest(more):
                served = self.serve(program=self.program(more))
                answer = self.post()
                self.assertIn(answer.status, (201, 503), answer)
                served.wait_line(f'breaks the rules of its line .*{why}')
                self.replaced()
                self.assertEqual(served.terminate(), 0)

    def test_sessions_that_are_not_its_own(self):
        others = ('def more(told):\n'
                  '    if told["op"] == "ping":\n'
                  '        for n in (1, 2, 3, 10**17):\n'
                  '            say(op="answer", session=n, uid=1, sdp="v=0")\n'
                  '            say(op="event", session=n, name="joined", text="{}")\n'
                  '            say(op="called", session=n, number=1, status=200, text="{}")\n'
                  '            say(op="ended", session=n, code=500, reason="so")\n')
        self.serve(program=self.program(others))
        wait_until(lambda: self.health()['webWorkers'] == 1, what='a worker')
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1.2, what='two pings')
        self.assertEqual(self.health()['webRestarts'], 0)

    def test_a_line_without_an_end_fills_no_memory(self):
        # 64 MB, then what is a line again.
        endless = ('def more(told):\n'
                   '    if told["op"] == "configure":\n'
                   '        for _ in range(1024): os.write(2, b"x" * 65536)\n'
                   '        os.write(2, b"\\nand now a line\\n<5>of interest\\n")\n')
        served = self.serve(program=self.program(endless))
        served.wait_line('agora-web: and now a line')
        served.wait_line('agora-web: of interest')
        if os.environ.get('AGORA_SANITIZE', 'none') == 'none':
            self.assertLess(resident(served.pid), 48 << 20)
        longest = max(map(len, served.output('err').splitlines()))
        self.assertLess(longest, 1200)

    def test_one_that_does_not_read(self):
        deaf = ('import threading\n'
                'def more(told):\n'
                '    if told["op"] == "configure":\n'
                '        say(op="ready", version="0")\n'
                '        while True: say(op="pong", n=1, members=0, sessions=0, threads=1, fds=1)\n')
        served = self.serve('--max-web-sessions=100000', '--max-web-sessions-per-address=100000',
                            program=self.program(deaf))
        before = resident(served.pid)
        offers = 0
        where = (urlsplit(served.http).hostname, urlsplit(served.http).port)
        while "it doesn't read" not in served.output('err') and offers < 1000:
            offers += 1
            try:
                # From many, so that no limit of one counts.
                with socket.create_connection(where, source_address=(f'127.0.1.{offers % 250}', 0)) as client:
                    body = OFFER + 'a=x:' + 'y' * 60000 + '\r\n'
                    client.sendall((f'POST /whep/demo/room HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n'
                                    f'Content-Length: {len(body)}\r\n\r\n{body}').encode())
                    client.settimeout(0.01)
                    client.recv(100)
            except (TimeoutError, ConnectionError):
                pass
        served.wait_line("breaks the rules of its line .it doesn't read")
        # A sanitiser keeps what was freed.
        if os.environ.get('AGORA_SANITIZE', 'none') == 'none':
            self.assertLess(resident(served.pid) - before, 100 << 20)
        self.replaced()


class Real(WorkersCase):
    """agora-web itself."""

    def setUp(self):
        super().setUp()
        self.web = Path(os.environ.get('AGORA_BUILD_ROOT', ''), 'gst', 'web', 'agora-web')
        if not self.web.exists():
            self.skipTest('agora-web was not built')

    def workers(self):
        listed = Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text().split()
        return [int(pid) for pid in listed if Path(f'/proc/{pid}/comm').read_text().startswith('agora-web')]

    def test_killed_and_frozen_are_replaced_and_none_is_left(self):
        self.serve(program=self.web, workers=2, ready_timeout=40)
        for count, how in enumerate((signal.SIGKILL, signal.SIGSTOP), 1):
            before = self.workers()
            self.assertEqual(len(before), 2)
            send_signal(before[0], how)
            wait_until(lambda pid=before[0]: not alive(pid), timeout=6, what='the end of the lost worker')
            wait_until(lambda count=count: self.health()['webRestarts'] == count, what='a restart')
            wait_until(lambda: self.health()['webWorkers'] == 2, timeout=40, what='two workers')
            self.assertIn(before[1], self.workers())
        pids = self.workers()
        os.kill(self.served.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pids)), timeout=3, what='the end of the workers')

    def test_without_webrtc_it_says_what_to_install(self):
        nowhere = self.tmp / 'nowhere'
        nowhere.mkdir()
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                             '--rtmp-listen=127.0.0.1:0', '--web', f'--web-program={self.web}',
                             env={'GST_PLUGIN_SYSTEM_PATH_1_0': str(nowhere), 'GST_PLUGIN_SYSTEM_PATH': str(nowhere),
                                  'GST_PLUGIN_PATH': str(nowhere), 'GST_REGISTRY': str(nowhere / 'registry')})
        self.assertEqual(process.wait(30), 1)
        self.assertRegex(process.output('err'),
                         r"(?m)^agora-gateway: --web: agora-web can't serve: .*Debian package gstreamer1\.0-")


class Limits(WorkersCase):
    def test_sessions_in_all_and_of_one_address(self):
        self.serve('--max-web-sessions=3', '--max-web-sessions-per-address=2')
        urls = [self.begin() for _ in range(2)]
        answer = self.post()
        self.assertEqual((answer.status, 'retry-after' in answer.headers), (503, True), answer)
        self.assertEqual(self.post(source='127.0.0.2').status, 201)
        self.assertEqual(self.post(source='127.0.0.3').status, 503)
        self.assertEqual(self.health()['webSessions'], 3)
        self.assertEqual(ask(self.served.http, 'DELETE', urls[0]).status, 200)
        self.begin()


class Door(WorkersCase):
    def setUp(self):
        super().setUp()
        self.token = self.tmp / 'token'
        self.token.write_text(TOKEN + '\n')

    def door(self):
        return next(iter(self.pids().values()))['gateway']

    def member(self, path, url=None, **keywords):
        member = Member((url or self.door()) + path, **keywords)
        self.addCleanup(member.close)
        return member

    def browser(self, address='198.51.100.7', **keywords):
        return self.member(f'/member?address={address}', heartbeat=True, **keywords)

    def admin(self, path):
        return ask(self.served.http, 'GET', path, {'Authorization': f'Bearer {TOKEN}'}).json()

    def test_strangers_get_nothing(self):
        self.serve()
        parts = urlsplit(self.door())
        base = f'http://{parts.netloc}'
        secret = parts.path.rsplit('/', 1)[1]
        self.assertRegex(secret, '^[0-9a-f]{64}$')
        self.assertEqual(parts.hostname, '127.0.0.1')
        upgrade = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13',
                   'Sec-WebSocket-Key': 'MDEyMzQ1Njc4OWFiY2RlZg=='}
        wrong = ('0' if secret[0] != '0' else '1') + secret[1:]
        for path in ('/', '/api', '/healthz', '/metrics', '/dev/v1/channel/user/demo/room', '/worker', '/worker/',
                     f'/worker/{wrong}/member?address=127.0.0.1', f'/worker/{wrong}/mix', f'/worker/{secret}',
                     f'/worker/{secret}/', f'/worker/{secret}/mix/', f'/worker/{secret}0/mix', '/worker//mix',
                     f'/worker/{secret[:-1]}/mix', f'/worker/{secret}/member', f'/worker/{secret}/member?address=',
                     f'/worker/{secret}/member?address=here', f'/worker/{secret}/member?address=1.2.3.4%25lo',
                     f'/worker/{secret}/mixer', f'/WORKER/{secret}/mix', '/worker/%2e%2e/api',
                     '/worker/' + 'a' * 5000):
            for headers in ({}, upgrade):
                answer = ask(base, 'GET', path, headers)
                self.assertEqual((answer.status, answer.body), (404, b'Not found\n'), (path, answer))
        self.assertEqual(ask(base, 'POST', f'/worker/{secret}/mix').status, 404)
        # The other listeners know nothing of it.
        self.assertEqual(ask(self.served.http, 'GET', f'/worker/{secret}/mix', upgrade).status, 404)
        self.assertNotIn(secret, self.served.output())

    def test_a_secret_ends_with_its_worker(self):
        self.serve()
        (pid, configured), = self.pids().items()
        os.kill(pid, signal.SIGKILL)
        self.replaced()
        self.assertNotEqual(self.door(), configured['gateway'])
        with self.assertRaises(Refused) as refused:
            WebSocket(configured['gateway'] + '/mix')
        self.assertEqual(refused.exception.status, 404)
        self.member('/mix')

    def test_browsers_count_by_their_own_address(self):
        self.serve('--max-sockets-per-address=2', f'--admin-token-file={self.token}')
        first = self.browser(uid=1).join()
        self.browser(uid=2).join()
        with self.assertRaises(Closed) as closed:
            self.browser(uid=3).join()
        self.assertEqual(closed.exception.code, 4005)
        self.browser('2001:db8::1', uid=4).join()
        self.browser('::ffff:203.0.113.9', uid=5).join()
        told = self.admin('/dev/v1/channel/user/property/demo/1/room')['data']
        self.assertEqual((told['platform'], told['client']), (7, 'web'), told)
        made = ask(self.served.http, 'POST', '/dev/v1/kicking-rule',
                   {'Authorization': f'Bearer {TOKEN}', **JSON},
                   json.dumps({'appid': 'demo', 'cname': 'room', 'ip': '198.51.100.7', 'time': 60,
                               'privileges': ['join_channel']}))
        self.assertEqual(made.status, 200, made)
        first.wait_event('client-is-banned-by-server')

    def test_media_of_this_machine(self):
        self.serve('--public-host=voice.example', '--public-rtmp=rtmps://media.example/live')
        speaker = self.browser(uid=1).join()
        self.assertRegex(speaker.publish(), r'^rtmp://127\.0\.0\.1:\d+/live/')
        other = Member(f'ws://127.0.0.1:{urlsplit(self.served.ws).port}/api', uid=2).join()
        self.addCleanup(other.close)
        self.assertRegex(other.publish(), r'^rtmps://media\.example:443/live/')

    def test_a_mix_is_seen_by_nobody(self):
        self.serve(f'--admin-token-file={self.token}')
        mix = self.member('/mix', heartbeat=True)
        refused = mix.wait_answer(mix.send_join('audience'))
        self.assertEqual(refused['code'], 433, refused)
        browser = self.browser(uid=1).join('audience')
        mix.join('audience')
        users = self.admin('/dev/v1/channel/user/demo/room')['data']
        self.assertEqual(users['audience_total'] if 'audience_total' in users else users['total'], 1, users)
        metrics = ask(self.served.http, 'GET', '/metrics').body.decode()
        self.assertIn('agora_members{state="connected"} 1\n', metrics)
        self.assertIn('agora_joins_total{code="200"} 1\n', metrics)
        speaker = Member(self.served.ws, uid=9, heartbeat=True).join()
        self.addCleanup(speaker.close)
        self.assertEqual(mix.ask('set_role', role='broadcaster')['code'], 433)
        browser.must('leave', uid=1)
        self.assertEqual(self.admin('/dev/v1/channel/user/demo/room')['data']['broadcasters'], [9])
        # With nobody to hear it, it goes.
        with self.assertRaises(Closed):
            while True:
                mix.receive(20)

    def test_one_worker_fills_no_memory(self):
        self.serve('--max-web-sessions=1')
        door = self.door()
        sockets = []
        self.addCleanup(lambda: [each.close() for each in sockets])
        with self.assertRaises(Refused) as refused:
            for number in range(1000):
                sockets.append(WebSocket(f'{door}/member?address=10.0.{number // 256}.{number % 256}'))
        self.assertEqual(refused.exception.status, 503)
        self.assertEqual(len(sockets), 258)
        for _ in range(2):
            sockets.pop().close()

        def room():
            try:
                sockets.append(WebSocket(f'{door}/mix'))
                return True
            except Refused:
                return False
        wait_until(room, what='room for one more')


if __name__ == '__main__':
    tap.main()
