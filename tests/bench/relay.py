# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-relay beside nginx-rtmp: what a listener and a pusher cost, in CPU and memory, and how long
a message takes through it. Both are alone, without a gateway, and have the same load in turn."""

import json
import os
import resource
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from gateway import PROGRAMS
from harness import Process, wait_until
from relayrig import Relay
from rig import PlainNginx
from tlsrig import Authority


class Load:
    """tests/bench/relayed.cpp at work."""

    def __init__(self, lines):
        self.process = Process([PROGRAMS / 'relayed'], stdin=subprocess.PIPE)
        self.say('\n'.join(lines) + '\n')
        self.process.wait_line('^ready$', 60)

    def say(self, text):
        self.process.popen.stdin.write((text + '\n').encode())
        self.process.popen.stdin.flush()

    def measure(self, seconds):
        """What relayed.cpp tells of that time."""
        mark = self.process.mark()
        self.say(f'measure {seconds}')
        return json.loads(self.process.wait_line('^{.*}$', seconds + 10, since=mark)[0])

    def stop(self):
        self.process.popen.stdin.close()
        self.process.wait(10)
        self.process.stop()


def at_one(url, pushers, listeners):
    """All of them at one server."""
    return Load([f'push {url}/bench{number}' for number in range(pushers)] +
                [f'play {url}/bench{number % pushers}' for number in range(pushers * listeners)])


class Nginx(PlainNginx):
    @property
    def pid(self):
        return wait_until(self.worker, 5, "nginx's worker")


def relay(**more):
    # All of the load comes at once, from one address.
    return Relay(limits={'strangers_per_address': 4096}, **more)


def secure_relay():
    """The same by RTMPS, all of it."""
    with tempfile.TemporaryDirectory(prefix='agora-bench-') as folder:
        pair = Authority(Path(folder)).sign()
        server = relay(tls=[file.read_text(encoding='ascii') for file in pair])
    server.url = f'rtmps://127.0.0.1:{server.tls_port}/live'
    return server


def used(pid):
    """Milliseconds of CPU of its one thread."""
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e6


def memory(pid):
    """KiB that are its own."""
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
        for line in file:
            if line.startswith('Pss_Anon:'):
                return int(line.split()[1])
    raise AssertionError('no Pss_Anon')


def apart(server, load):
    """The server on a core of its own, so that where the scheduler happens to put the two is not what is measured."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(server, cores[:1])
        os.sched_setaffinity(load, cores[1:])


def under_load(make, pushers, listeners, seconds):
    server = make()
    try:
        pid = server.pid
        empty = memory(pid)
        load = at_one(server.url, pushers, listeners)
        try:
            apart(pid, load.process.pid)
            load.measure(1)  # until what the beginning took is over
            before = used(pid)
            found = load.measure(seconds)
            found['cpu'] = (used(pid) - before) / seconds
            found['memory'] = (memory(pid) - empty) / (pushers * (1 + listeners))
            return found
        finally:
            load.stop()
    finally:
        server.stop()


def side_by_side(rounds, pushers, listeners, seconds):
    found = {'ours': [], 'nginx': []}
    for _ in range(rounds):
        for name, make in (('ours', relay), ('nginx', Nginx)):
            found[name].append(under_load(make, pushers, listeners, seconds))
    return found


def secure(report, rounds, seconds):
    """What TLS costs, beside plain RTMP of ours."""
    for listeners in (1, 100):
        found = {'RTMPS': [], 'RTMP': []}
        for _ in range(rounds):
            for name, make in (('RTMPS', secure_relay), ('RTMP', relay)):
                found[name].append(under_load(make, 1, listeners, seconds))
        of = f'{listeners} listeners of one pusher' if listeners > 1 else 'a listener, a pusher'
        for what, unit, key in (('CPU', 'ms/s', 'cpu'),
                            ('memory of a connection', 'KiB', 'memory')):
            ours, plain = ([each[key] for each in found[name]] for name in ('RTMPS', 'RTMP'))
            report.row('relay', f'RTMPS: {what}, {of}', unit, ours, {'our RTMP': plain},
                       compared=key == 'cpu')


def row(report, found, name, unit, key, **more):
    ours, nginx = ([each[key] for each in found[who]] for who in ('ours', 'nginx'))
    report.row('relay', name, unit, ours, {'nginx-rtmp': nginx}, **more)


def strangers(report, count):
    """Connections that say nothing, of as many addresses as it takes for each to be let in, while one listener plays."""
    server = Relay()
    load = at_one(server.url, 1, 1)
    there = []
    try:
        over = threading.Event()

        def come():
            for number in range(count):
                if over.is_set():
                    return
                source = f'127.0.1.{1 + number // 256}'
                try:
                    there.append(socket.create_connection(('127.0.0.1', server.port), timeout=5, source_address=(source, 0)))
                except OSError:
                    return

        coming = threading.Thread(target=come)
        coming.start()
        try:
            gap = load.measure(10)['gap_ms']
        finally:
            over.set()
            coming.join()
        report.row('relay', f'longest gap of a listener while {len(there)} idle strangers come', 'ms', gap,
                   asked=100)
    finally:
        for one in there:
            one.close()
        load.stop()
        server.stop()


def run(report, quick):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        rounds, seconds = (1, 3) if quick else (5, 5)
        for listeners in (1, 100, 2000):
            found = side_by_side(rounds, 1, listeners, seconds)
            of = f'{listeners} listeners of one pusher' if listeners > 1 else 'a listener, a pusher'
            row(report, found, f'CPU, {of}', 'ms/s', 'cpu', asked=1)
            row(report, found, f'packet in to packet out, median, {of}', 'us', 'median_us', asked=1)
            row(report, found, f'the same, 99th percentile, {of}', 'us', 'p99_us', asked=1)
            if listeners == 2000:
                row(report, found, 'memory of a listener', 'KiB', 'memory', asked=8 / 12)
        found = side_by_side(rounds, 300, 10, seconds)
        row(report, found, 'CPU, 300 pushers with 10 listeners each', 'ms/s', 'cpu', asked=1)
        row(report, found, 'packet in to packet out, median, of these', 'us', 'median_us', asked=1)
        row(report, found, 'the same, 99th percentile', 'us', 'p99_us', asked=1)
        found = side_by_side(rounds, 300, 0, seconds)
        row(report, found, 'memory of a pusher', 'KiB', 'memory', asked=24 / 150)
        secure(report, rounds, seconds)
        strangers(report, 2000 if quick else 16384)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
