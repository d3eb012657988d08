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
IN_FLIGHT = 64
PACKAGES = ('ws@8.23.0',)
BUN = 'bun@1.4.5'


def memory(pid):
    """Resident bytes that are the process's own."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='ascii')
    return 1024 * sum(int(value) for value in re.findall(r'^Private_\w+: +(\d+)', text, re.M))


def cpu(pid):
    """Seconds that the process has worked."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Members:
    """tests/bench/members.cpp at work."""

    def __init__(self, ws, count):
        where = urlsplit(ws)
        self.process = Process([os.environ['AGORA_BENCH_MEMBERS'], where.hostname,
                                str(where.port), str(count)], stdin=-1)

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


def ours(count):
    # The one who looks for the loop's lag asks more often than a member may.
    return Gateway(f'--max-sockets-per-address={count}', f'--max-members-per-channel={count}',
                   '--max-requests-per-second=1000', quiet_errors=True)


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
    report.skip('gateway', 'libwebsockets', 'no minimal gateway on it is in the tree')
    return found


def measure(start, count, figures, quick):
    server = start(count + 200)
    members = None
    try:
        members = Members(server.ws, count)
        empty, busy = memory(server.pid), cpu(server.pid)
        joined = members.do('join', IN_FLIGHT)
        figures.setdefault('join', []).append(joined['per_second'])
        figures.setdefault('join_cpu', []).append((cpu(server.pid) - busy) * 1e6 / count)
        # Two rounds of heartbeats, so that each member's buffers are there.
        busy = cpu(server.pid)
        seconds = 3 if quick else 5
        watched = members.do('watch', seconds)
        figures.setdefault('idle_cpu', []).append((cpu(server.pid) - busy) / seconds * 100)
        figures.setdefault('lag', []).append(watched['p99_ms'])
        figures.setdefault('memory', []).append((memory(server.pid) - empty) / 1024 / count)
        told = members.do('tell', 5 if quick else 9)
        figures.setdefault('fanout', []).append(median(told['last_ms']))
        if count >= 10000:
            figures.setdefault('storm', []).append(members.do('storm')['seconds'])
    finally:
        if members:
            members.stop()
        server.stop()


def row(report, name, unit, figures, key, **options):
    values = {server: median(found[key]) for server, found in figures.items() if key in found}
    ours_value = values.pop('agora-gateway', None)
    if ours_value is not None:
        report.row('gateway', name, unit, ours_value, values, **options)


def run(report, quick):
    there = servers(report)
    for count in ((1000,) if quick else (1000, 5000, 10000)):
        figures = {name: {} for name in there}
        for _ in range(1 if quick or count == 5000 else 2):
            for name, start in there.items():
                measure(start, count, figures[name], quick)
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
        row(report, f'CPU of heartbeats, {at}', '% core', figures, 'idle_cpu')
        if most:
            report.row('gateway', 'memory of an idle member, at 10k members, bound', 'KiB',
                       median(figures['agora-gateway']['memory']), asked=8.0)
            row(report, 'reconnect storm until the last is back, at 10k members', 's', figures,
                'storm')
