# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator asks of one gateway, as members of another see it."""

import json
import time
import urllib.request

from clustered import TOKEN, Cluster
from wsclient import Closed

HERE, THERE = range(2)  # the members' gateway, and the one that is asked
LISTENER = 1000  # uid


def ask(gateway, path, **fields):
    request = urllib.request.Request(gateway.http + path, json.dumps(fields).encode() if fields else None,
                                     {'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def rule(gateway, uid, **fields):
    ask(gateway, '/dev/v1/kicking-rule', appid='demo', cname='room', uid=uid, time=5, **fields)


def until_closed(member):
    try:
        while True:
            member.receive(5)
    except Closed:
        return


def run(report, quick):
    count = 10 if quick else 40
    with Cluster(2) as many:
        asked = many.gateways[THERE]
        listener = many.member(HERE, LISTENER, 'audience')
        speakers = [many.member(HERE, uid) for uid in range(1, count + 1)]
        many.load([f'push {each.publish()}' for each in speakers])
        for each in speakers:
            listener.wait_event('stream-added', 10, uid=each.uid)
        took = {'silence': [], 'kick': [], 'query': []}

        def timed(what, then):
            began = time.monotonic()
            then()
            took[what].append((time.monotonic() - began) * 1000)

        for each in speakers:
            timed('query', lambda: ask(asked, '/dev/v1/channel/user/demo/room'))
            timed('silence', lambda each=each: (rule(asked, each.uid, privileges=['publish_audio']),
                                                listener.wait_event('stream-removed', 5, uid=each.uid)))
        for each in speakers:
            timed('kick', lambda each=each: (rule(asked, each.uid), until_closed(each)))
    for what, name in (('kick', 'a kick, until the member of another gateway is closed'),
                       ('silence', 'a silence, until a member of another gateway is told'),
                       ('query', 'a query that another gateway has members for')):
        report.row('cluster', f'{name}, slowest of {count}', 'ms', max(took[what]), asked=100, compared=False)
