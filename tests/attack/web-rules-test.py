# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a channel's rules hold for browsers' members as for all others: real gateway, relay and
agora-web, and peers that would like to go on hearing and speaking."""

import http.client
import json
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import heard
import kit
import tap
from harness import SCALE
from webask import OFFER, SDP, Events, ask, connect
from webask import request as post
from webpeer import WebPeer, bearer, request

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'gateway'))
import tokens  # noqa: E402

TOKEN = 'Tru5t-me/for+this:one='
CERTIFICATE = 'c0ffee' * 5 + '42'
PROGRAM = Path(os.environ['AGORA_BUILD_ROOT']) / 'gst' / 'web' / 'agora-web'
# From a rule's beginning until nothing more of the channel is heard, in seconds.
SOON = 1.0 * SCALE


class Rules(kit.AttackCase):
    app = 'demo'

    def gateway(self, *options, **keywords):
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN + '\n')
        return super().gateway(f'--admin-token-file={secret}', '--web', '--web-workers=1',
                               f'--web-program={PROGRAM}', '--app=demo',
                               f'--app=bank:{CERTIFICATE}', *options, **keywords)

    def setUp(self):
        super().setUp()
        self.http = self.served.http
        self.wav = f'{self.tmp}/voice.wav'
        heard.write(self.wav, heard.voice('allison', 20 * int(SCALE)))

    def admin(self, method, path, **fields):
        connection = http.client.HTTPConnection(urlsplit(self.http).netloc, timeout=5)
        connection.request(method, path, json.dumps(fields), {
            'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200, text)
        return json.loads(text)

    def rule(self, **fields):
        return self.admin('POST', '/dev/v1/kicking-rule', appid=self.app, cname='room', **fields)['id']

    def token(self, uid, expires=3600):
        """To join and to publish."""
        return tokens.build('bank', CERTIFICATE, 'room', str(uid), expires=expires,
                            privileges={1: expires, 2: expires})

    def peer(self, kind, uid, token='', member=None):
        where = f'{self.http}/{"whip" if kind == "speak" else "whep"}/{self.app}/room'
        where += f'?member={member}' if member else f'?uid={uid}'
        return self.keep(WebPeer(kind, where, folder=self.tmp, token=token,
                                 sound=self.wav if kind == 'speak' else None))

    def speaker(self, uid=7, **keywords):
        peer = self.peer('speak', uid, **keywords)
        peer.wait_connected()
        peer.spoken_since()
        return peer

    def listener(self, uid, **keywords):
        peer = self.peer('hear', uid, **keywords)
        peer.wait_connected()
        self.until(lambda: self.is_loud(peer), f'{uid} hears', 10)
        return peer

    def is_loud(self, peer, seconds=1.0):
        """Whether something was heard in the last second."""
        return self.last_sound(peer) > time.monotonic() - seconds

    def last_sound(self, peer):
        """When the last loud sample came, on time.monotonic()."""
        import numpy
        samples = numpy.fromfile(f'{peer.record}.f32', dtype='<f4')
        last = 0
        for line in Path(f'{peer.record}.times').read_text(encoding='utf-8').splitlines():
            try:
                block = json.loads(line)
            except ValueError:
                break
            part = samples[block['at']:block['at'] + block['count']]
            if len(part) and numpy.abs(part).max() > 0.01:
                last = block['when']
        return last

    def events(self, peer):
        return Events(self.http, urlsplit(peer.session).path + '/events')

    def members(self):
        listed = self.admin('GET', f'/dev/v1/channel/user/{self.app}/room')['data']
        return sorted(listed.get('broadcasters', []) + listed.get('audience', []) +
                      listed.get('users', []))

    def call(self, peer, **what):
        return request('POST', peer.session + '/call', json.dumps(what),
                       {'Content-Type': 'application/json', **bearer(peer.token)})

    def assert_deaf(self, peer, began):
        """It hears nothing any more, and its session is gone."""
        self.until(lambda: request('GET', peer.session).status == 404, 'the end of its session', 5)
        took = time.monotonic() - began
        end = time.monotonic() + 1.5
        self.until(lambda: time.monotonic() > end, 'time for more', 5)
        heard_for = self.last_sound(peer) - began
        print(f'# {self.id()}: its session ended after {took:.2f} s, it heard for {heard_for:.2f} s')
        self.assertLess(took, SOON)
        self.assertLess(heard_for, SOON)


class Bans(Rules):
    def test_a_listener_of_the_shared_mix(self):
        self.speaker()
        out, stays = self.listener(21), self.listener(22)
        stream = self.events(out)
        began = time.monotonic()
        self.rule(uid=21, time=1, privileges=['join_channel'])
        self.assert_deaf(out, began)
        self.until(lambda: self.is_loud(stays), 'the other one hears on', 5)
        self.assertEqual(stream.until('client-banned'), {})
        stream.until('ended')
        self.assertEqual(self.peer('hear', 21).wait_answer(), 403)
        # An operator's own doing is no warning.
        self.assertNotIn('removed this member', self.served.tail())

    def test_a_listener_by_address(self):
        self.speaker()
        out = self.listener(21)
        began = time.monotonic()
        self.rule(ip='127.0.0.1', time=1, privileges=['join_channel'])
        self.assert_deaf(out, began)
        self.assertEqual(self.peer('hear', 23).wait_answer(), 403)

    def test_who_speaks(self):
        speaker = self.speaker()
        hears = self.listener(22)
        began = time.monotonic()
        self.rule(uid=7, time=1, privileges=['join_channel'])
        self.until(lambda: request('GET', speaker.session).status == 404, 'the end', 5)
        self.until(lambda: not self.is_loud(hears, 0.5), 'silence', 5)
        self.assertLess(self.last_sound(hears) - began, 2 * SCALE)

    def test_silenced(self):
        speaker = self.speaker()
        hears = self.listener(22)
        stream = self.events(speaker)
        began = time.monotonic()
        rule = self.rule(uid=7, time=1, privileges=['publish_audio'])
        stream.until('silenced')
        self.until(lambda: not self.is_loud(hears, 0.5), 'silence', 5)
        self.assertLess(self.last_sound(hears) - began, 2 * SCALE)
        self.assertEqual(request('GET', speaker.session).status, 204)
        self.admin('DELETE', '/dev/v1/kicking-rule', appid=self.app, id=rule)
        stream.until('unsilenced')
        self.until(lambda: self.is_loud(hears, 0.5), 'the voice again', 10)

    def test_the_newer_uid_wins(self):
        self.speaker()
        old = self.listener(21)
        began = time.monotonic()
        new = self.listener(21)
        self.until(lambda: request('GET', old.session).status == 404, 'the end of the old one', 5)
        print(f'# replaced after {time.monotonic() - began:.2f} s')
        self.until(lambda: self.is_loud(new), 'the new one hears', 5)
        self.assertEqual(self.members(), [7, 21])


class Tokens(Rules):
    app = 'bank'

    def test_a_listener_whose_token_expires(self):
        self.speaker(token=self.token(7))
        out = self.listener(21, token=self.token(21, expires=int(8 * SCALE)))
        began = time.monotonic()
        self.until(lambda: request('GET', out.session).status == 404, 'the end of its session', 40)
        took = time.monotonic() - began
        self.until(lambda: not self.is_loud(out, 1), 'silence', 5)
        print(f'# expired, ended after {took:.2f} s, heard for {self.last_sound(out) - began:.2f}')
        self.assertLess(took, 10 * SCALE)
        self.assertLess(self.last_sound(out) - began, 10 * SCALE)

    def offer_for(self, victim):
        return (OFFER + f'a=candidate:1 1 udp 2130706431 127.0.0.1 {victim.getsockname()[1]} '
                'typ host\r\n')

    def test_who_is_refused_makes_nothing(self):
        """No socket, no thread, and no packet to whom an offer names."""
        victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(victim.close)
        victim.bind(('127.0.0.1', 0))
        victim.settimeout(1)
        worker = self.worker()
        before = self.load(worker)
        for i in range(60):
            for path in ('/whep/bank/room?uid=21', '/whip/bank/room?uid=21'):
                token = self.token(22) if i % 2 else ''
                answer = ask(self.http, 'POST', path, {**SDP, **bearer(token)},
                             self.offer_for(victim), source=f'127.0.0.{2 + i % 20}')
                self.assertEqual(answer.status, 401, answer)
        after = self.load(worker)
        print(f'# {self.id()}: descriptors, threads, seconds: {before} {after}')
        self.assertLess(after[0] - before[0], 8)
        self.assertLess(after[1] - before[1], 4)
        self.assertLess(after[2] - before[2], 0.5 * SCALE)
        with self.assertRaises(TimeoutError):
            print('#', victim.recv(2000))

    def worker(self):
        """The pid of agora-web."""
        for task in Path(f'/proc/{self.served.pid}/task').iterdir():
            for child in (task / 'children').read_text(encoding='ascii').split():
                if 'agora-web' in Path(f'/proc/{child}/cmdline').read_text(encoding='utf-8'):
                    return int(child)
        raise AssertionError('there is no worker')

    def load(self, pid):
        """Descriptors, threads, seconds of a processor."""
        fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rsplit(')', 1)[1].split()
        return (len(os.listdir(f'/proc/{pid}/fd')), int(fields[17]),
                (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK'))


class Hasty(Tokens):
    app = 'demo'
    test_a_listener_whose_token_expires = None
    test_who_is_refused_makes_nothing = None

    def test_who_hangs_up_leaves_nothing(self):
        """While agora-web makes the connection: in the middle of any step."""
        worker = self.worker()
        before = self.load(worker)
        chance = random.Random(1)
        for i in range(200):
            client = connect(self.http, source=f'127.0.0.{2 + i % 20}')
            client.sendall(post('POST', '/whip/demo/room?uid=21', SDP, OFFER))
            threading.Event().wait(chance.uniform(0, 0.02))
            client.close()
        # The last of them may have been answered; it is replaced, and ended.
        last = ask(self.http, 'POST', '/whip/demo/room?uid=21', SDP, OFFER, source='127.0.0.99')
        self.assertEqual(last.status, 201, last)
        self.assertEqual(ask(self.http, 'DELETE', last.headers['location']).status, 200)
        self.until(lambda: self.load(worker)[0] <= before[0] + 2, 'the end of all sockets', 5)
        print(f'# {self.id()}: descriptors, threads, seconds: {before} {self.load(worker)}')
        # Some are of pools, which keep theirs for a while.
        self.assertLess(self.load(worker)[1], before[1] + 16)


tap.main()
