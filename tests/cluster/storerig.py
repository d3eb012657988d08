# SPDX-License-Identifier: LGPL-2.1-or-later
"""Redis in all its moods, with its sentinels; what stands between it and a gateway; and whom a fault may harm."""

import re
import shutil
import socket
import struct
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from unittest import SkipTest

from clusterrig import FRAME, ClusterCase, Redis
from harness import SCALE, wait_until
from wsclient import Member

ROOM = 'ag:{demo/room}:'


def command(*words):
    words = [str(word).encode() for word in words]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in words)


def read_reply(lines):
    """Text as bytes, errors with their `-`; a command is a reply, too: a list."""
    line = lines.readline()
    kind, rest = line[:1], line[1:].rstrip()
    if kind in b'$*' and kind:
        count = int(rest)
        if kind == b'*':
            return [read_reply(lines) for _ in range(count)]
        return None if count < 0 else lines.read(count + 2)[:-2]
    if kind == b':':
        return int(rest)
    if not kind:
        raise ConnectionError('it closed the connection')
    return rest if kind == b'+' else line.rstrip()


class Server(Redis):
    """A Redis with more lines in its configuration; it writes nothing by itself."""

    kind = ()

    def __init__(self, case, *lines, password='', database=0):
        self.lines, self.password, self.database = lines, password, database
        self.folder = Path(tempfile.mkdtemp(dir=case.tmp))
        super().__init__(case)

    def start(self):
        file = self.folder / 'redis.conf'
        lines = [f'port {self.port}', 'bind 127.0.0.1', f'dir {self.folder}']
        if not self.kind:
            lines += ['save ""', 'appendonly no']
        if self.password:
            lines.append(f'requirepass {self.password}')
        file.write_text('\n'.join([*lines, *self.lines, '']), encoding='ascii')
        self.process = self.case.foreign(self.program, file, *self.kind)
        wait_until(lambda: self.ask('PING') == b'PONG', 10, 'Redis')

    def ask(self, *words):
        """The reply to one command; None while it doesn't answer."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), 2) as link, link.makefile('rb') as lines:
                for before in (('AUTH', self.password),) * bool(self.password) + (('SELECT', self.database),) * bool(self.database):
                    link.sendall(command(*before))
                    read_reply(lines)
                link.sendall(command(*words))
                return read_reply(lines)
        except OSError:
            return None

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()

    def uids(self, what):
        """Of whom the store has as members (`m`) or as speakers (`s`)."""
        return sorted(int(uid) for uid in self.ask('HKEYS', ROOM + what) or () if uid != b'v')


class Sentinel(Server):
    """Notices within a second that a master is away. `SENTINEL DEBUG` makes it talk to the others more often."""

    kind = ('--sentinel',)

    def __init__(self, case, master, quorum, password):
        self.master = master
        self.watches = [f'sentinel monitor agora 127.0.0.1 {master.port} {quorum}', 'sentinel down-after-milliseconds agora 600',
                        'sentinel failover-timeout agora 3000', f'sentinel auth-pass agora {password}']
        super().__init__(case, *self.watches, password=password)
        self.ask('SENTINEL', 'DEBUG', 'INFO-PERIOD', 300, 'PUBLISH-PERIOD', 200, 'ASK-PERIOD', 100, 'TILT-TRIGGER', 20000)

    def knows(self):
        """How many replicas, and how many other sentinels."""
        told = self.ask('SENTINEL', 'MASTER', 'agora')
        facts = dict(zip(told[::2], told[1::2]))
        return int(facts[b'num-slaves']), int(facts[b'num-other-sentinels'])


class Door:
    """Takes connections on a free port; `serve(link)` has each in a thread of its own."""

    def __init__(self, case):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.links = []
        self.passing = threading.Event()  # not set: nobody is let in, and nothing through
        self.passing.set()
        threading.Thread(target=self.take, daemon=True).start()
        case.addCleanup(self.close)

    @property
    def url(self):
        return f'redis://127.0.0.1:{self.port}'

    def take(self):
        while True:
            self.passing.wait()
            try:
                link = self.listener.accept()[0]
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self.attend, args=(link,), daemon=True).start()

    def attend(self, link):
        try:
            self.serve(link)
        except (OSError, ValueError):
            pass  # the other end is gone, or this one

    def serve(self, link):
        """Mute."""

    def close(self):
        self.passing.set()
        self.listener.close()
        for link in self.links:
            link.close()


class Proxy(Door):
    """Between a gateway and a server. `hold()`: a network that loses everything, and `pass_on()`: has it sent again."""

    def __init__(self, case, port):
        self.target = port
        self.resets_after = None  # bytes of the gateway's, of each connection
        self.resets = 0
        super().__init__(case)

    def hold(self):
        self.passing.clear()

    def pass_on(self):
        self.passing.set()

    def serve(self, link):
        with socket.create_connection(('127.0.0.1', self.target)) as there:
            back = threading.Thread(target=self.carry, args=(there, link), daemon=True)
            back.start()
            self.carry(link, there, True)
            there.shutdown(socket.SHUT_RDWR)
            back.join()

    def carry(self, source, sink, gateways=False):
        try:
            count = 0
            while data := source.recv(65536):
                self.passing.wait()
                sink.sendall(data)
                count += len(data)
                if gateways and self.resets_after is not None and count >= self.resets_after:
                    # At once, and without a farewell.
                    self.resets += 1
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                    source.close()
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Liar(Door):
    """A sentinel that names the same server as master whatever happens."""

    def __init__(self, case, port):
        self.named = port
        super().__init__(case)

    def serve(self, link):
        with link.makefile('rb') as lines:
            while True:
                word = read_reply(lines)[0]
                if word == b'SENTINEL':
                    link.sendall(command('127.0.0.1', self.named))
                elif word == b'SUBSCRIBE':
                    link.sendall(b'*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
                else:
                    link.sendall(b'+PONG\r\n')


class Hearing:
    """What an ear hears, read as it comes."""

    def __init__(self, case, ear, voice):
        self.ear, self.voice = ear, voice
        self.over = threading.Event()
        self.closed = None
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)

    def listen(self):
        while not self.over.is_set():
            try:
                self.ear.peer.read(0.05)
            except OSError as error:
                self.closed = error
                return

    def stop(self):
        self.over.set()
        self.thread.join()

    def check(self):
        """All that was said, up to now; how late it came at worst, in ms."""
        last = max(self.voice.sent)
        wait_until(lambda: self.closed or self.ear.heard()[-1][1] >= last, 2, f'frame {last} of {self.voice.name}')
        frames = self.ear.heard()
        numbers = [number for _, number, _ in frames]
        missing = sorted(set(range(numbers[0], last + 1)) - set(numbers))
        if missing or numbers != sorted(numbers):
            raise AssertionError(f'{len(missing)} frames of {self.voice.name} are missing: {missing[:20]}, {self.closed}')
        return 1000 * max(at - self.voice.sent[number] for _, number, at in frames)


class Joins:
    """Members that come and leave again, one after the other at each gateway; how long each one's answer took."""

    def __init__(self, case, gateways, every=0.1):
        self.every = every
        self.took = []  # (gateway, when it was asked, seconds)
        self.wrong = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(gateway, 1000 * (place + 1)), daemon=True)
                        for place, gateway in enumerate(gateways)]
        for thread in self.threads:
            thread.start()
        case.addCleanup(self.stop)

    def work(self, gateway, uid):
        while not self.over.wait(self.every):
            uid += 1
            try:
                member = Member(gateway.ws, uid=uid)
                asked = time.monotonic()
                member.join('audience')
                self.took.append((gateway, asked, time.monotonic() - asked))
                member.must('leave', uid=uid)
                member.close()
            except Exception as error:  # pylint: disable=broad-exception-caught
                self.wrong.append(f'{uid}: {error!r}')

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def worst(self, since, until, gateway=None):
        """Of those that were asked for in that time. 0 of nobody would say nothing."""
        took = [took for where, asked, took in self.took if since <= asked < until and gateway in (None, where)]
        if not took:
            raise AssertionError('nobody joined in that time')
        return max(took)


class Beat:
    """Asks a gateway for its health without a pause: what its loop stands still is waited for here."""

    def __init__(self, case, gateway):
        self.case, self.gateway = case, gateway
        self.took = []
        self.stores = set()
        self.wrong = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)

    def work(self):
        while not self.over.wait(0.005):
            asked = time.monotonic()
            try:
                self.stores.add(self.case.health(self.gateway)['store'])
            except OSError as error:
                self.wrong.append(repr(error))
            self.took.append(time.monotonic() - asked)

    def mostly(self):
        """Seconds for 99 of 100: this process waits for its turn, too."""
        return sorted(self.took)[-1 - len(self.took) // 100]

    def __str__(self):
        return f'{len(self.took)} times /healthz, {1000 * self.mostly():.1f} ms for 99 %, {1000 * max(self.took):.1f} ms at worst'

    def stop(self):
        self.over.set()
        self.thread.join()


class FaultCase(ClusterCase):
    """Ann speaks at one gateway, Bob at the other, and each gateway has a listener to both."""

    def make_redis(self):
        return Server(self)

    def converse(self, one, other):
        self.gateways = [one, other]
        ann, bob = self.speaker(one, 7, 'ann'), self.speaker(other, 8, 'bob')
        self.listeners = [self.member(gateway, uid, 'audience') for gateway, uid in ((one, 17), (other, 18))]
        self.people = [ann[0], bob[0], *self.listeners]
        self.hearings = {}
        for place, listener in zip(('one', 'other'), self.listeners):
            for member, voice in (ann, bob):
                listener.wait_event('stream-added', 5 * SCALE, uid=member.uid)
                self.hearings[place, voice.name] = Hearing(self, self.ear(listener.subscribe(member.uid)), voice)
        self.until(lambda: all(len(hearing.ear.heard()) > 10 for hearing in self.hearings.values()), 'sound')
        self.joins = Joins(self, self.gateways)
        self.until(lambda: len(self.joins.took) >= 4, 'joins')

    def metric(self, gateway, name):
        with urllib.request.urlopen(gateway.http + '/metrics', timeout=5) as answer:
            return float(re.search(rf'^{name} (\S+)', answer.read().decode(), re.M)[1])

    def when_all(self, state, gateways=None, timeout=10):
        """The moment at which all gateways say so of their store."""
        self.until(lambda: all(self.health(gateway)['store'] == state for gateway in gateways or self.gateways),
                   f'the store is {state}', timeout)
        return time.monotonic()

    def registered(self, store, members, speakers=(7, 8)):
        """The moment at which the store has these, and nobody else."""
        def both():
            return store.uids('m'), store.uids('s')
        try:
            wait_until(lambda: both() == (sorted(members), sorted(speakers)), 10)
        except AssertionError:
            raise AssertionError(f'the store has {both()}, not {members} and {speakers}') from None
        return time.monotonic()

    def quick(self, since, away, until, gateway=None):
        """Who joined at a fault waits for the store's time limit at most, and who came later for nothing."""
        self.joins.stop()
        self.assertEqual(self.joins.wrong, [])
        first = self.joins.worst(since, max(away, since + 0.3), gateway)
        later = self.joins.worst(away, until, gateway)
        print(f'# joins: {1000 * first:.0f} ms at first, then {1000 * later:.1f} ms at worst')
        self.assertLessEqual(first, 3.5 * SCALE)
        self.assertLessEqual(later, 0.05 * SCALE)

    def undisturbed(self, hearings=None, people=None, speakers=(7, 8)):
        """Nobody missed a word of who goes on, and nobody was told that one of them is gone."""
        late = max(hearing.check() for hearing in hearings or self.hearings.values())
        print(f'# sound: nothing missing, {late:.0f} ms late at worst, of frames of {1000 * FRAME:.0f} ms')
        for member in people or self.people:
            member.ping()
            self.assertFalse([event for event in member.events
                              if event.get('action') == 'stream-removed' and event['uid'] in speakers])


def sentinel_program():
    if not shutil.which('redis-sentinel'):
        raise SkipTest('no redis-sentinel')
