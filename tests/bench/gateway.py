# SPDX-License-Identifier: LGPL-2.1-or-later
"""Joins, memory, fan-out and loop lag of the gateway with thousands of members, beside minimal
gateways on other WebSocket servers that do the same work."""

import json
import os
import re
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import npm
from harness import Gateway, Process
from report import median

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(os.environ['AGORA_BENCH_PROGRAMS'])
IN_FLIGHT = 64
PACKAGES = ('ws@8.23.0',)
BUN = 'bun@1.4.5'


def memory(pid):
    """Resident bytes that the process has written. What it reads of its program comes in with the
    first members, and is nothing of theirs: 0.4 MB of ours."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='ascii')
    return 1024 * sum(int(value) for value in re.findall(r'^Private_Dirty: +(\d+)', text, re.M))


def cpu(pid):
    """Seconds that the process's threads have worked; a clock tick is too coarse for short ones."""
    return sum(int((task / 'schedstat').read_text(encoding='ascii').split()[0])
               for task in Path(f'/proc/{pid}/task').iterdir()) / 1e9


class Members:
    """tests/bench/members.cpp at work, at one gateway or at several by turns."""

    def __init__(self, count, *urls):
        where = [urlsplit(ws) for ws in urls]
        ports = ','.join(str(each.port) for each in where)
        self.process = Process([PROGRAMS / 'members', where[0].hostname, ports, str(count)],
                               stdin=-1)

    def do(self, *words, timeout=130):
        mark = self.process.mark()
        self.process.popen.stdin.write((' '.join(map(str, words)) + '\n').encode())
        self.process.popen.stdin.flush()
        answer = json.loads(self.process.wait_line(r'^{.*}$', timeout, since=mark)[0])
        if answer.get('all') is False:
            raise AssertionError(f'members: {words[0]} was not over in time: {answer}')
        return answer

    def stop(self):
        self.process.popen.stdin.close()
        self.process.wait(10)
        self.process.stop()


def ours(count, program=None):
    # The one who looks for the loop's lag asks more often than a member may, and the one who mutes
    # does it sooner than a channel of so many is told of at once: the others have no such limits.
    return Gateway(f'--max-sockets-per-address={count}', f'--max-members-per-channel={count}',
                   '--max-requests-per-second=1000', '--max-events-per-second=1000000',
                   binary=program, quiet_errors=True)


def peer(*argv):
    process = Process(argv)
    try:
        process.ws = process.wait_line(r'^ready ws=(\S+)', 20, which='out')[1]
    except AssertionError:
        process.stop()
        raise
    return process


def servers(report):
    """Name to what starts it with room for so many members; ours first."""
    found = {'agora-gateway': ours}
    folder = Path(os.environ['AGORA_BUILD_ROOT']) / 'tests' / 'bench' / 'npm'
    try:
        npm.install(folder / 'ws', *PACKAGES)
        found['node ws'] = lambda _: peer(npm.node(), HERE / 'peer-ws.mjs', folder / 'ws')
    except unittest.SkipTest as why:
        report.skip('gateway', 'node ws', why)
    try:
        npm.install(folder / 'bun', BUN)
        # Its postinstall script, which is not run, would only copy this.
        programs = sorted((folder / 'bun').glob('node_modules/@oven/bun-linux-*/bin/bun'))
        if not programs:
            raise unittest.SkipTest('no program for this machine in the package')
        found['bun'] = lambda _: peer(programs[0], HERE / 'peer-bun.mjs')
    except unittest.SkipTest as why:
        report.skip('gateway', 'uWebSockets (bun)', why)
    program = PROGRAMS / 'peer-lws'
    if program.exists():
        found['libwebsockets'] = lambda _: peer(program)
    else:
        report.skip('gateway', 'libwebsockets', 'libwebsockets-dev is not installed')
    return found


def measure(start, count, quick, whole=True):
    """One round of one server: what it took, by figure. Only joins and fan-out, unless `whole`."""
    server = start(count + 200)
    members = None
    try:
        members = Members(count, server.ws)
        empty, busy = memory(server.pid), cpu(server.pid)
        found = {'join': members.do('join', IN_FLIGHT)['per_second']}
        found['join_cpu'] = (cpu(server.pid) - busy) * 1e6 / count
        if whole:
            # A round of heartbeats and more, so that each member's buffers are there.
            busy = cpu(server.pid)
            seconds = 3 if quick else 4
            found['lag'] = members.do('watch', seconds)['p99_ms']
            found['idle_cpu'] = (cpu(server.pid) - busy) / seconds * 100
            found['memory'] = (memory(server.pid) - empty) / 1024 / count
        found['fanout'] = median(members.do('tell', 3 if quick else 5)['last_ms'])
        if whole and count >= 10000:
            found['storm'] = members.do('storm')['seconds']
        return found
    finally:
        if members:
            members.stop()
        server.stop()


def row(report, name, unit, figures, key, **options):
    values = {server: [found[key] for found in rounds if key in found]
              for server, rounds in figures.items()}
    report.row('gateway', name, unit, values.pop('agora-gateway'), values, **options)


def run(report, quick):
    there = servers(report)
    for count in ((1000,) if quick else (1000, 5000, 10000)):
        figures = {name: [] for name in there}
        # A thousand are in after a fifth of a second, which comes out otherwise each time: short
        # rounds, and many.
        times, whole = (1, 1) if quick else (12, 4) if count == 1000 else (6, 3)
        for number in range(times):
            # To and fro, so that nobody always follows the same one.
            for name in list(there)[::-1 if number % 2 else 1]:
                figures[name].append(measure(there[name], count, quick, number < whole))
        at = f'at {count // 1000}k members'
        most = count >= 10000
        row(report, f'joins, {at}', '/s', figures, 'join', asked=1.0 if most else None,
            more_is_better=True)
        row(report, f'CPU of a join, {at}', 'us', figures, 'join_cpu')
        row(report, f'memory of an idle member, {at}', 'KiB', figures, 'memory')
        row(report, f'fan-out to the last, {at}', 'ms', figures, 'fanout',
            asked=1.2 if most else None)
        row(report, f'loop lag with heartbeats, 99th percentile, {at}', 'ms', figures, 'lag',
            compared=False)
        # With a thousand, node's compiler works more than its gateway does.
        row(report, f'CPU of heartbeats, {at}', '% core', figures, 'idle_cpu',
            compared=count > 1000)
        if most:
            report.row('gateway', 'memory of an idle member, at 10k members, bound', 'KiB',
                       [found['memory'] for found in figures['agora-gateway']
                        if 'memory' in found], asked=8.0)
            row(report, 'reconnect storm until the last is back, at 10k members', 's', figures,
                'storm')
