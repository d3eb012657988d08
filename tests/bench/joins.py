# SPDX-License-Identifier: LGPL-2.1-or-later
"""Joins, events and choices over several gateways, and what they cost the store."""

import collections
import json
import threading
import time
import urllib.request
from pathlib import Path

import clustered
from clustered import Cluster, spent

GATEWAYS = 3
MEMBERS = 1000  # at each
CHANNELS = 1500
SCRIPTS = Path(__file__).resolve().parent.parent.parent / 'signaling' / 'gateway' / 'cluster' / 'scripts'


def lasting(many, seconds):
    """What is used in a second of that time, by itself."""
    before, began = many.used(), time.monotonic()
    threading.Event().wait(seconds)
    return spent(before, many.used(), time.monotonic() - began)


def at_a_pace(count):
    """Joins at one per ms, whatever the answers take."""
    with Cluster(GATEWAYS) as many:
        many.open_everywhere()
        members = many.crowd(count)
        idle = lasting(many, 2)
        before, began = many.used(), time.monotonic()
        found = members.do('pace', 1000)
        after, took = many.used(), time.monotonic() - began
        return found | spent(before, after, count, took, idle), idle


def at_once(count, gateways, store=True):
    """All of them come at the same moment."""
    with Cluster(gateways, store=store) as many:
        many.open_everywhere()
        members = many.crowd(count)
        before = many.used()
        found = members.do('join', count)
        return found | spent(before, many.used(), count)


def joins(report, quick):
    rounds, count = (1, MEMBERS) if quick else (3, GATEWAYS * MEMBERS)
    paced = [at_a_pace(count) for _ in range(rounds)]

    def row(name, unit, values, **more):
        report.row('cluster', name, unit, values, compared=False, **more)

    def of(key, factor=1):
        return [found[key] * factor for found, _ in paced]

    row('operations of the store for a join', '', [round(each, 2) for each in of('operations')], asked=1)
    row(f'join at {GATEWAYS} gateways, 1000 a second, median', 'ms', of('median_ms'))
    row('the same, 99th percentile', 'ms', of('p99_ms'), asked=20)
    row('CPU of Redis for a join', 'us', of('redis', 1e6))
    row('CPU of the gateway for a join, 1000 a second', 'us', of('gateways', 1e6))
    row('memory of Redis for a member', 'B', of('held'))
    row('to Redis for a join', 'B', of('taken'))
    row('from Redis for a join', 'B', of('sent'))
    row(f'operations of an idle gateway, of {GATEWAYS}', '/s', [idle['operations'] / GATEWAYS for _, idle in paced])
    row('CPU of Redis for an idle gateway', 'us/s', [idle['redis'] * 1e6 / GATEWAYS for _, idle in paced])

    many, one = [], []
    for _ in range(rounds):
        many.append(at_once(count, GATEWAYS))
        one.append(at_once(count, 1, store=False))
    name = f'joins, all at once over {GATEWAYS} gateways'
    others = {'one gateway, no store': [found['per_second'] for found in one]}
    row(name, '/s', [found['per_second'] for found in many], others=others, more_is_better=True)
    row(f'{name}: time of each', 'us', [1e6 / found['per_second'] for found in many], asked=200)
    others = {'one gateway, no store': [found['gateways'] * 1e6 for found in one]}
    row(f'{name}: CPU of the gateway', 'us', [found['gateways'] * 1e6 for found in many], others=others)
    row(f'{name}: CPU of Redis', 'us', [found['redis'] * 1e6 for found in many])


def events(report, quick):
    """A speaker's mutes, as its listeners elsewhere are told of them."""
    found, costs = [], []
    rounds = 20 if quick else 60
    for _ in range(1 if quick else 2):
        with Cluster(GATEWAYS) as many:
            there = many.open_everywhere()
            members = many.crowd(GATEWAYS * MEMBERS)
            members.do('join', 64)
            many.load([f'push {members.do("publish")["url"]}'])
            for each in there:
                each.wait_event('stream-added', 10, uid=1)
            idle = lasting(many, 2)
            before, began = many.used(), time.monotonic()
            found.append(members.do('events', rounds))
            costs.append(spent(before, many.used(), rounds, time.monotonic() - began, idle))
    of = f'{GATEWAYS} gateways with {MEMBERS} members each'

    def row(name, unit, values, **more):
        report.row('cluster', name, unit, values, compared=False, **more)

    row(f'event to the members of other gateways, {of}, median', 'ms', [each['median_ms'] for each in found])
    row('the same, 99th percentile', 'ms', [each['p99_ms'] for each in found], asked=20)
    row('the same, to the last of them, median', 'ms', [each['last_median_ms'] for each in found])
    row('operations of the store for an event', '', [each['operations'] for each in costs])
    row('CPU of Redis for an event', 'us', [each['redis'] * 1e6 for each in costs])
    row(f'CPU of the gateways for an event, {of}', 'us', [each['gateways'] * 1e6 for each in costs])


def leases(report, quick):
    """Each gateway renews its own each second, and is told of all others."""
    count, others = (200 if quick else 1000), 100
    with Cluster(1) as many, clustered.Redis(many.redis.port) as redis:
        script = ''.join((SCRIPTS / f'{name}.lua').read_text(encoding='utf-8') for name in ('common', 'lease'))
        name = redis.say('SCRIPT', 'LOAD', script)

        def renew(number):
            redis.say('EVALSHA', name, 0, f'gateway{number:04}', 'wss%3A%2F%2Fgateway.example.org|', 60000, 200)

        for number in range(others):
            renew(number)
        before = many.used()
        for number in range(count):
            renew(number % others)
        report.row('cluster', f'CPU of Redis for a lease, of {others} gateways', 'us', spent(before, many.used(), count)['redis'] * 1e6)


def choose(gateway, channel):
    """The gateway that `POST /api/v1` names first."""
    asked = {'command': 'convergeAllocateEdge', 'sid': '0' * 32, 'appId': 'demo', 'token': 'demo', 'uid': '0', 'cname': channel,
             'ts': 0, 'version': '1.1.0', 'seq': 0, 'requestId': 1}
    request = urllib.request.Request(
        gateway.http + '/api/v1', json.dumps({'service_name': 'miniapp', 'json_body': json.dumps(asked)}).encode(),
        {'Content-Type': 'application/json', 'X-Packet-URI': '61', 'X-Packet-Service-Type': '0'})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(json.load(answer)['json_body'])['servers'][0]['url']


def choices(report, quick):
    count = 300 if quick else CHANNELS
    with Cluster(GATEWAYS) as many:
        before = many.used()
        named = [[choose(gateway, f'channel {number}') for number in range(count)] for gateway in many.gateways]
        took = spent(before, many.used())['gateways']
    if any(each != named[0] for each in named):
        raise AssertionError('gateways name different ones for a channel')
    each = collections.Counter(named[0])
    most = max(each.values()) * GATEWAYS / count if len(each) == GATEWAYS else float(GATEWAYS)
    report.row('cluster', f'channels at the busiest of {GATEWAYS} gateways by POST /api/v1, {count} in all', 'of 1/3', most,
               asked=1.5 if quick else 1.1, compared=False)
    report.row('cluster', 'CPU of the gateway for a POST /api/v1', 'us', took * 1e6 / count / GATEWAYS, compared=False)
