# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gateways over one Redis, as part `cluster` looks at them: they, their load, and what each of them has used."""

import re
import socket
import sys
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402
import harness  # noqa: E402
from gateway import Members, cpu  # noqa: E402
from relay import Load  # noqa: E402
from wsclient import Member  # noqa: E402

# All of the load comes from one address.
ROOM = ('--max-sockets-per-address=100000', '--max-members-per-channel=100000', '--max-rtmp-sessions-per-address=16384',
        '--max-rtmp-strangers-per-address=4096', '--max-admin-requests-per-second=1000',
        '--max-changes-per-second=1000', '--max-events-per-second=100000000')
LOAD = 'load'  # the channel of members.cpp
TOKEN = "the-administrator's-of-the-benchmark"


class Cluster:
    """So many gateways, and their Redis where `store`; everything ends with it."""

    def __init__(self, count, *options, store=True):
        self.case = harness.Case()
        self.case.setUp()
        try:
            self.redis = clusterrig.Redis(self.case) if store else None
            self.gateways = [self.case.gateway(*self.of_many(number), *ROOM, *options, quiet_errors=True)
                             for number in range(count)]
            if store:
                self.case.until(lambda: all(self.figure(each, 'agora_cluster_gateways') == count for each in self.gateways))
        except BaseException:
            self.case.doCleanups()
            raise

    def of_many(self, number):
        """The options of one of several. Nobody goes to its URL: what is looked at is which one is named."""
        if not self.redis:
            return ()
        return (f'--store={self.redis.url}', f'--cluster-secret-file={self.secret("cluster", "0123456789abcdef" * 2)}',
                f'--admin-token-file={self.secret("admin", TOKEN)}', '--relay-address=127.0.0.1:0',
                f'--public-url=https://gateway{number}.example')

    def secret(self, name, text):
        file = self.case.tmp / name
        file.write_text(f'{text}\n', encoding='ascii')
        file.chmod(0o600)
        return file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.case.doCleanups()

    @staticmethod
    def figure(gateway, name):
        with urllib.request.urlopen(gateway.http + '/metrics', timeout=5) as answer:
            return float(re.search(rf'^{name} (\S+)', answer.read().decode(), re.M)[1])

    def sum(self, name):
        return sum(self.figure(each, name) for each in self.gateways)

    def member(self, gateway, uid, role='broadcaster', **keywords):
        member = Member(self.gateways[gateway].ws, uid=uid, heartbeat=True, **keywords)
        self.case.addCleanup(member.close)
        return member.join(role)

    def open_everywhere(self):
        """The load's channel is there at each gateway from now on."""
        return [self.member(number, 1_000_000 + number, 'audience', channel=LOAD) for number in range(len(self.gateways))]

    def crowd(self, count):
        members = Members(count, *(each.ws for each in self.gateways))
        self.case.addCleanup(members.stop)
        return members

    def load(self, lines):
        load = Load(lines)
        self.case.addCleanup(load.stop)
        return load

    def ear(self, url):
        ear = clusterrig.Ear(url)
        self.case.addCleanup(ear.close)
        return ear

    def used(self):
        """CPU seconds of the gateways and of Redis, what was asked of it, and the bytes that it took, sent and holds."""
        found = {'gateways': sum(cpu(each.pid) for each in self.gateways)}
        if self.redis:
            with Redis(self.redis.port) as redis:
                info = dict(line.split(':', 1) for line in redis.say('INFO').splitlines() if ':' in line)
            found.update(redis=cpu(self.redis.process.pid), operations=self.sum('agora_store_operations_total'),
                         taken=int(info['total_net_input_bytes']), sent=int(info['total_net_output_bytes']),
                         held=int(info['used_memory']))
        return found


class Redis:
    """A connection to it."""

    def __init__(self, port):
        self.link = socket.create_connection(('127.0.0.1', port), 5)
        self.lines = self.link.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.link.close()

    def say(self, *words):
        """What a command is answered with: a text, or a list of such."""
        words = [str(word).encode() for word in words]
        self.link.sendall(b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in words))
        return self.reply()

    def reply(self):
        line = self.lines.readline().decode().rstrip()
        kind, rest = line[:1], line[1:]
        if kind == '-' or not kind:
            raise AssertionError(f'Redis: {rest}')
        if kind == '*':
            return [self.reply() for _ in range(int(rest))]
        return self.lines.read(int(rest) + 2)[:-2].decode() if kind == '$' else rest


def spent(before, after, count=1, seconds=0, idle=None):
    """What each of `count` took, beside what is used anyway in such a time: `idle`, of a second."""
    return {name: (after[name] - before[name] - seconds * (idle or {}).get(name, 0)) / count for name in after}
