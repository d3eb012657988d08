# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listeners of a stream that is pushed at another relay, beside as many that listen where it is pushed. Without gateways."""

import time

from harness import wait_until
from relay import Load, relay, used

EDGES = 2
LISTENERS = 1500


class Relays:
    """An origin, and so many edges that pull all from it."""

    def __init__(self, edges):
        self.origin = relay()
        self.servers = [self.origin]
        self.loads = []
        try:
            for _ in range(edges):
                self.servers.append(relay(allow=lambda ask: ask['side'] == 'push' or
                                          {'relay_from': f'{self.origin.url}/{ask["stream"]}'}))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def edges(self):
        return self.servers[1:]

    def load(self, *lines):
        self.loads.append(Load(lines))
        return self.loads[-1]

    def close(self):
        for each in self.loads + self.servers[::-1]:
            each.stop()


def under_load(edges, seconds):
    """CPU of the origin and of the edges, in ms/s each, how long a packet takes, and how soon the pulls are over."""
    with Relays(edges) as relays:
        relays.load(f'push {relays.origin.url}/voice')
        places = [server.url for server in relays.edges or relays.servers]
        listeners = relays.load(*(f'play {places[i % len(places)]}/voice' for i in range(LISTENERS)))
        listeners.measure(1)  # until what the beginning took is over
        before = [used(server.pid) for server in relays.servers]
        sent = sum(server.ping()['bytes_out'] for server in relays.servers)
        began = time.monotonic()
        found = listeners.measure(seconds)
        found['kbps'] = (sum(server.ping()['bytes_out'] for server in relays.servers) - sent) * 8 / 1000 / (
            time.monotonic() - began) / LISTENERS
        spent = [(used(server.pid) - was) / seconds for server, was in zip(relays.servers, before)]
        found['origin'], found['edges'] = spent[0], sum(spent[1:])
        began = time.monotonic()
        relays.loads.remove(listeners)
        listeners.stop()
        over = wait_until(lambda: len(relays.origin.all_told('done', side='play')) == (edges or LISTENERS) and
                          relays.origin.all_told('done', side='play')[-1]['at'], 10, 'the end of the pulls')
        found['over'] = over - began
        return found


def later(seconds):
    """How much later the same packet is at a listener at an edge than at one at the origin."""
    with Relays(1) as relays:
        places = [server.url for server in relays.servers]
        load = relays.load(f'push {places[0]}/voice', *(f'play {url}/voice' for url in places))
        load.measure(1)
        return load.measure(seconds)


def run(report, quick):
    rounds, seconds = (1, 2) if quick else (3, 4)
    added = [later(seconds) for _ in range(rounds)]
    report.row('cluster', 'the same packet, at an edge after at the origin, median', 'us', [each['later_us'] for each in added],
               asked=2000)
    report.row('cluster', 'the same, 99th percentile', 'us', [each['later_p99_us'] for each in added])
    pulled, direct = [], []
    for _ in range(rounds):
        pulled.append(under_load(EDGES, seconds))
        direct.append(under_load(0, seconds))
    of = f'{LISTENERS} listeners at {EDGES} edges'
    for what, unit, key in ((f'CPU of the origin, {of}', 'ms/s', 'origin'),
                            (f'packet in to packet out, median, {of}', 'us', 'median_us'),
                            (f'the same, 99th percentile, {of}', 'us', 'p99_us')):
        report.row('cluster', what, unit, [each[key] for each in pulled],
                   {'listening at the origin': [each[key] for each in direct]}, compared=False)
    report.row('cluster', f'CPU of the origin, {of}, bound', 'ms/s', [each['origin'] for each in pulled], asked=20)
    report.row('cluster', 'RTMP to a listener of a voice of 48 kbit/s', 'kbit/s', [each['kbps'] for each in direct])
    report.row('cluster', f'CPU of an edge, {of}', 'ms/s', [each['edges'] / EDGES for each in pulled])
    report.row('cluster', f'pulls are over after their last listener, {of}', 's', [each['over'] for each in pulled], asked=1)
