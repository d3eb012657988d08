# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two workers of agora-relay beside one: what a listener costs, and how many they carry on two cores that they share with
the load."""

from pathlib import Path

from clustered import Cluster
from gateway import cpu

# A listener in this many tells how late packets are; the others only load.
TELLS = 25
LATE_US = 50000  # at most one packet in a hundred is later than that, where a crowd is carried
FEWEST, MOST = 1500, 6500


def relays(gateway):
    children = Path(f'/proc/{gateway.pid}/task/{gateway.pid}/children').read_text(encoding='ascii').split()
    return [int(pid) for pid in children if Path(f'/proc/{pid}/comm').read_text(encoding='ascii').strip() == 'agora-relay']


class Crowd:
    """Members of one gateway, of whom as many as wanted listen to a speaker."""

    def __init__(self, many, most):
        self.many = many
        self.relays = relays(many.gateways[0])
        members = many.crowd(most + 1)
        members.do('join', 64)
        many.load([f'push {members.do("publish")["url"]}'])
        many.case.until(lambda: many.sum('agora_streams') == 1, 'the stream')
        self.urls = members.do('subscribe')['urls']

    def listen(self, count, seconds):
        """How late packets are, and the CPU of all workers, in ms/s."""
        load = self.many.load([f'{"load" if number % TELLS else "play"} {url}' for number, url in enumerate(self.urls[:count])])
        try:
            load.measure(1)
            before = sum(map(cpu, self.relays))
            found = load.measure(seconds)
            found['cpu'] = (sum(map(cpu, self.relays)) - before) * 1000 / seconds
            return found
        finally:
            load.stop()
            self.many.case.until(lambda: self.many.sum('agora_relay_listeners') == 0, 'the end of the listeners')


def of_workers(count):
    return Cluster(1, f'--relay-workers={count}', store=False)


def carried(workers, steps):
    """The most listeners of whom packets are in time, to a step of the search."""
    with of_workers(workers) as many:
        crowd = Crowd(many, MOST)
        fits, too_many = FEWEST, MOST
        for _ in range(steps):
            count = (fits + too_many) // 2
            if crowd.listen(count, 2)['p99_us'] <= LATE_US:
                fits = count
            else:
                too_many = count
        return fits


def run(report, quick):
    rounds, seconds, listeners = (1, 2, 500) if quick else (3, 3, 1500)
    costs = {1: [], 2: []}
    for _ in range(rounds):
        for workers, found in costs.items():
            with of_workers(workers) as many:
                found.append(Crowd(many, listeners).listen(listeners, seconds)['cpu'])
    report.row('cluster', f'CPU of two workers of agora-relay, {listeners} listeners', 'ms/s', costs[2],
               {'one worker': costs[1]})
    rounds, steps = (1, 2) if quick else (2, 4)
    most = {1: [], 2: []}
    for _ in range(rounds):
        for workers, found in most.items():
            found.append(carried(workers, steps))
    report.row('cluster', 'listeners carried by two workers, on two cores with the load', '', most[2],
               {'one worker': most[1]}, more_is_better=True, compared=False)
