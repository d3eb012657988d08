# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel that grows: until one listener hears all of 1 to 16 speakers, and what the media server
works for 1 to 2000 listeners of one speaker."""

import json
import subprocess
import threading
import time

from gateway import PROGRAMS, cpu
from harness import Process
from rig import TONE, Rig, mic
from stall import relay_of
from wsclient import Member


def hear_all(report, rig, quick):
    for count in ((1, 4) if quick else (1, 4, 16)):
        room = f'grow{count}'
        rig.speak(*(rig.ours(mic(TONE), room, 100 + i) for i in range(count)),
                  *(rig.bare(mic(TONE), f'{room}x{i}') for i in range(count)))
        rig.wait_streams(count)
        branches = ' '.join(f'{rig.bare_source(f"{room}x{i}")} ! identity name=speaker{i} ! '
                            f'fakesink sync=false' for i in range(count))
        found = rig.measure('hear_all', rounds=3 if quick else 8, kinds={
            'ours': [f'agorasrc {rig.where(room)} latency=20 ! fakesink sync=false', count],
            'bare': [branches, count]})
        report.row('growth', f'PLAYING until {count} speakers are decoded', 'ms',
                   found['ours'], {'rtmp2src': found['bare']})
        rig.quiet()


class Crowd:
    """tests/bench/players.cpp at work: who only listens, and costs little."""

    def __init__(self, urls):
        self.process = Process([PROGRAMS / 'players'], stdin=subprocess.PIPE)
        self.say('\n'.join(urls) + '\n')

    def say(self, text):
        self.process.popen.stdin.write((text + '\n').encode())
        self.process.popen.stdin.flush()

    def heard(self, seconds):
        """Until each has heard something from now on."""
        mark = self.process.mark()
        self.say(f'heard {seconds}')
        answer = json.loads(self.process.wait_line('^{.*}$', seconds + 10, since=mark)[0])
        if not answer['all']:
            raise AssertionError(f'only {answer["heard"]} of {answer["players"]} hear')

    def stop(self):
        self.process.popen.stdin.close()
        self.process.wait(10)
        self.process.stop()


class Audience:
    """Members who are there for a URL each, with their heartbeats."""

    def __init__(self, ws, count):
        self.members = []
        self.over = threading.Event()
        self.beating = threading.Thread(target=self.beat)
        self.beating.start()
        try:
            self.urls = [self.enter(ws, number) for number in range(count)]
        except BaseException:
            self.close()
            raise

    def enter(self, ws, number):
        member = Member(ws, channel='crowd', uid=1000 + number).join('audience')
        self.members.append(member)
        return member.subscribe(8)

    def beat(self):
        # In small groups, so that the gateway's answers don't come all at once.
        turn = 0
        while not self.over.wait(0.1):
            turn = (turn + 1) % 30
            for member in list(self.members)[turn::30]:
                member.send_ping()

    def close(self):
        self.over.set()
        self.beating.join()
        for member in self.members:
            member.close()


def work_of(workers, urls, windows):
    """CPU of each worker, in seconds a minute, while each of the URLs of its kind is listened to;
    a list of as many windows. The kinds that are named work at the same time."""
    crowds = []
    try:
        for name in workers:
            crowds.append(Crowd(urls[name]))
        # Everybody's session is set up, and what was on its way has come.
        for _ in range(2):
            for crowd in crowds:
                crowd.heard(30)
        used = {name: [] for name in workers}
        for _ in range(windows):
            before = {name: cpu(pid) for name, pid in workers.items()}
            start = time.monotonic()
            threading.Event().wait(2)
            took = time.monotonic() - start
            for name, pid in workers.items():
                used[name].append((cpu(pid) - before[name]) * 60 / took)
        for crowd in crowds:
            crowd.heard(10)
        return used
    finally:
        for crowd in crowds:
            crowd.stop()


def listeners(report, rig, quick):
    rig.speak(rig.ours(mic(TONE), 'crowd', 8), rig.bare(mic(TONE), 'crowd'))
    rig.wait_streams(1)
    workers = {'ours': relay_of(rig.gateway), 'plain nginx': rig.nginx.worker()}
    ours, plain = workers
    for count in ((1, 100) if quick else (1, 20, 100, 500, 2000)):
        audience = Audience(rig.gateway.ws, count)
        used = {name: [] for name in workers}
        # As long as there is room, both at the same time: what disturbs one disturbs the other.
        turns = [(ours, plain)] if count <= 100 else [(ours,), (plain,), (plain,), (ours,)]
        try:
            urls = {ours: audience.urls, plain: [f'{rig.nginx.url}/crowd'] * count}
            for names in turns:
                found = work_of({name: workers[name] for name in names}, urls,
                                2 if quick else 5 if len(names) > 1 else 3)
                for name in names:
                    used[name] += found[name]
        finally:
            audience.close()
        report.row('growth', f'CPU of the media server, {count} listeners of one speaker', 's/min',
                   used[ours], {plain: used[plain]}, compared=count > 1)


def run(report, quick):
    with Rig('--max-sockets-per-address=3000') as rig:
        hear_all(report, rig, quick)
        listeners(report, rig, quick)
