# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listeners of a stream that is pushed at another relay, beside as many that listen where it is pushed."""

import resource
import subprocess

from gateway import PROGRAMS
from harness import Process
from relay import Load, relay, used

EDGES = 2


class Spread(Load):
    """One push at the origin, and its listeners spread over other relays."""

    def __init__(self, origin, places, listeners):  # pylint: disable=super-init-not-called
        lines = [f'push {origin}/bench0'] + [f'play {places[i % len(places)]}/bench0' for i in range(listeners)]
        self.process = Process([PROGRAMS / 'relayed'], stdin=subprocess.PIPE)
        self.say('\n'.join(lines) + '\n')
        self.process.wait_line('^ready$', 60)


def under_load(edges, listeners, seconds):
    """CPU of the origin and of the edges, in ms/s each, and how long a packet takes."""
    origin = relay()
    servers = [origin]
    try:
        for _ in range(edges):
            servers.append(relay(allow=lambda ask: ask['side'] == 'push' or
                                 {'relay_from': f'{origin.url}/{ask["stream"]}'}))
        load = Spread(origin.url, [server.url for server in servers[1:] or servers], listeners)
        try:
            load.measure(1)
            before = [used(server.pid) for server in servers]
            found = load.measure(seconds)
            spent = [(used(server.pid) - was) / seconds for server, was in zip(servers, before)]
            found['origin'], found['edges'] = spent[0], sum(spent[1:])
            return found
        finally:
            load.stop()
    finally:
        for server in servers:
            server.stop()


def run(report, quick):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        rounds, seconds = (1, 3) if quick else (5, 5)
        for listeners in (2, 1500):
            found = {'pulled': [], 'direct': []}
            for _ in range(rounds):
                found['pulled'].append(under_load(EDGES, listeners, seconds))
                found['direct'].append(under_load(0, listeners, seconds))
            of = f'{listeners} listeners at {EDGES} edges'
            for what, unit, key in ((f'CPU of the origin, {of}', 'ms/s', 'origin'),
                                    (f'packet in to packet out, median, {of}', 'us', 'median_us'),
                                    ('the same, 99th percentile', 'us', 'p99_us')):
                pulled, direct = ([each[key] for each in found[way]] for way in ('pulled', 'direct'))
                report.row('cluster', what, unit, pulled, {'listening at the origin': direct}, compared=key == 'origin')
            report.row('cluster', f'CPU of an edge, {of}', 'ms/s', [each['edges'] / EDGES for each in found['pulled']],
                       compared=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
