# SPDX-License-Identifier: LGPL-2.1-or-later
"""Members of one channel at several gateways, which share a Redis: what is pushed at one is heard at the others."""

import json
import os
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import ClusterCase, Voice  # noqa: E402
from harness import SCALE  # noqa: E402
from wsclient import Closed  # noqa: E402


class Members(ClusterCase):
    def setUp(self):
        super().setUp()
        self.gateways = [self.one_of_many() for _ in range(self.count)]

    count = 2

    def closed_with(self, member, code):
        with self.assertRaises(Closed) as closed:
            while True:
                member.receive(5 * SCALE)
        self.assertEqual(closed.exception.code, code)

    def members_in_all(self):
        return [self.health(gateway)['members'] for gateway in self.gateways]

    def test_heard_at_the_other(self):
        one, other = self.gateways
        speaker, voice = self.speaker(one, 7, 'ann')
        listener, ear = self.listener(other, 8, 7)
        frames = ear.listen(50)
        self.assertEqual({name for name, _, _ in frames}, {'ann'})
        late = sorted(at - voice.sent[number] for _, number, at in frames)
        print(f'# {late[len(late) // 2] * 1000:.1f} ms from push to play over two relays, {late[-1] * 1000:.1f} at worst')
        # Who listens with it shares what comes from the other gateway.
        _, second = self.listener(other, 9, 7)
        second.listen(20)
        with urllib.request.urlopen(one.http + '/metrics', timeout=5) as answer:
            figures = answer.read().decode()
        self.assertEqual(re.search(r'^agora_relay_listeners (\d+)', figures, re.M)[1], '1')
        self.assertEqual(re.search(r'^agora_cluster_gateways (\d+)', figures, re.M)[1], '2')

        speaker.must('mute_local', uid=7, target='audio', mute=True)
        listener.wait_event('audio-mute', 5 * SCALE, uid=7, mute=True)
        voice.close()
        listener.wait_event('stream-removed', 6 * SCALE, uid=7)

    def test_codecs(self):
        """What a listener at the other gateway hears is what its speaker is asked for, once it is pulled."""
        one, other = self.gateways
        knows = {'features': ['codecs'], 'hears': ['opus', 'aac']}
        speaker = self.member(one, 7, **knows)
        urls = speaker.must('publish', uid=7, codecs=['opus', 'aac'])['urls']
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], ['opus'])
        opus = Voice(urls['opus'], 'opus')
        self.addCleanup(opus.close)
        modern = self.member(other, 8, 'audience', **knows)
        modern.wait_event('stream-added', 5 * SCALE, uid=7)
        heard = modern.must('subscribe', uid=7, options={'audio': True, 'video': True})
        self.assertEqual(heard['codec'], 'opus')
        self.assertEqual({name for name, _, _ in self.ear(heard['url']).listen(10)}, {'opus'})
        began = time.monotonic()
        _, ear = self.listener(other, 9, 7)
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], ['opus', 'aac'])
        aac = Voice(urls['aac'], 'aac')
        self.addCleanup(aac.close)
        self.assertEqual({name for name, _, _ in ear.listen(10)}, {'aac'})
        print(f'# {(ear.heard()[0][2] - began) * 1000:.0f} ms until AAC is heard there, which was not pushed before')
        ear.close()
        self.assertEqual(speaker.wait_event('codecs-wanted', 8 * SCALE)['codecs'], ['opus'])

    def test_talk(self):
        """What is said to a few at one gateway: those of them at the other hear it, and nobody else there."""
        one, other = self.gateways
        knows = {'features': ['talk']}
        producer = self.member(one, 7, **knows)
        host = self.member(other, 8, 'audience', **knows)
        stranger = self.member(other, 9, 'audience', **knows)

        def nothing_for(member):
            member.ping()
            self.assertEqual(member.events, [])
            answer = member.ask('subscribe', uid=7, options={'audio': True, 'video': True})
            self.assertEqual((answer['code'], answer['reason']), (432, 'uid 7 is not publishing'))

        cue = Voice(producer.must('publish', uid=7, to=[8])['url'], 'cue')
        self.addCleanup(cue.close)
        self.assertIs(host.wait_event('stream-added', 5 * SCALE, uid=7)['talk'], True)
        heard = host.must('subscribe', uid=7, options={'audio': True, 'video': True})
        self.assertIs(heard['talk'], True)
        self.assertEqual({name for name, _, _ in self.ear(heard['url']).listen(10)}, {'cue'})
        nothing_for(stranger)
        late = self.member(other, 10, 'audience', **knows)
        nothing_for(late)
        # For all, and for a few again.
        everyone = Voice(producer.must('publish', uid=7)['url'], 'all')
        self.addCleanup(everyone.close)
        stranger.wait_event('stream-added', 5 * SCALE, uid=7)
        ear = self.ear(stranger.subscribe(7))
        ear.listen(5)
        again = Voice(producer.must('publish', uid=7, to=[8])['url'], 'again')
        self.addCleanup(again.close)
        stranger.wait_event('stream-removed', 5 * SCALE, uid=7)
        self.assertTrue(ear.peer.closed(5 * SCALE))
        self.assertNotIn('again', {name for name, _, _ in ear.heard()})
        late.wait_event('stream-removed', 5 * SCALE, uid=7)
        late.wait_event('stream-added', uid=7)
        nothing_for(late)
        # It comes back at the other gateway, and says it again.
        producer.close()
        returned = self.member(other, 7, known_speakers=[], **knows)
        moved = Voice(returned.must('publish', uid=7, to=[8])['url'], 'moved')
        self.addCleanup(moved.close)
        self.assertEqual({name for name, _, _ in self.ear(host.subscribe(7)).listen(10)}, {'moved'})
        nothing_for(late)

    def test_listed(self):
        """Who else is there, at whichever gateway."""
        one, other = (self.one_of_many('--show-members=*') for _ in range(2))
        knows = {'features': ['names']}
        watcher = self.member(one, 7, 'audience', name='Ann', **knows)
        self.member(other, 8, 'audience', name='Bob | €', **knows)
        self.assertEqual(watcher.must('members'), {'members': [{'uid': 8, 'name': 'Bob | €'}]})
        late = []

        def told(event, uid, what):
            began = time.monotonic()
            given = what()
            watcher.wait_event(event, 5 * SCALE, uid=uid)
            late.append(time.monotonic() - began)
            return given

        for _ in range(4):
            cyd = told('member-joined', 9, lambda: self.member(other, 9))
            self.assertEqual(told('member-left', 9, lambda c=cyd: c.ask('leave', uid=9))['code'], 200)
        late.sort()
        print(f'# told {late[len(late) // 2] * 1000:.1f} ms after it was asked for, {late[-1] * 1000:.1f} ms at worst')
        # A channel tells twice a second, and the store is asked every 2 s besides.
        self.assertLess(sum(late), 8 * SCALE)
        # To the other gateway and back: it is there all the time.
        moved = self.member(one, 8, 'audience', name='Bob | €', known_speakers=[], **knows)
        self.assertEqual(moved.must('members'), {'members': [{'uid': 7, 'name': 'Ann'}]})
        self.member(other, 10, 'audience')
        watcher.wait_event('member-joined', 5 * SCALE, uid=10)
        self.assertEqual(watcher.events, [])

    def test_data(self):
        """Words to some and to all, whichever gateway they are at."""
        one, other = self.gateways
        knows = {'features': ['data']}
        ann, bob = self.member(one, 7, 'audience', **knows), self.member(one, 8, 'audience', **knows)
        cyd, dan = self.member(other, 9, 'audience', **knows), self.member(other, 10, 'audience', **knows)
        ann.must('data', to=[8, 9], text='go | € go')
        for each in (bob, cyd):
            self.assertEqual(each.wait_event('data', 5 * SCALE), {'action': 'data', 'uid': 7, 'text': 'go | € go'})
        dan.must('data', text='all')
        for each in (ann, bob, cyd):
            self.assertEqual(each.wait_event('data', 5 * SCALE), {'action': 'data', 'uid': 10, 'text': 'all'})
        for each in (ann, bob, cyd, dan):
            each.ping()
            self.assertEqual(each.events, [])

    def test_both_ways(self):
        """A conversation, with a third who hears both: each word comes once."""
        one, other = self.gateways
        ann, _ = self.speaker(one, 7, 'ann')
        bob, _ = self.speaker(other, 8, 'bob')
        ann.wait_event('stream-added', 5 * SCALE, uid=8)
        bob.wait_event('stream-added', 5 * SCALE, uid=7)
        heard_by_ann, heard_by_bob = self.ear(ann.subscribe(8)), self.ear(bob.subscribe(7))
        self.assertEqual({name for name, _, _ in heard_by_ann.listen(25)}, {'bob'})
        self.assertEqual({name for name, _, _ in heard_by_bob.listen(25)}, {'ann'})

    def test_leave(self):
        one, other = self.gateways
        speaker, _ = self.speaker(one, 7, 'ann')
        listener, ear = self.listener(other, 8, 7)
        ear.listen(5)
        speaker.must('leave', uid=7)
        began = time.monotonic()
        listener.wait_event('stream-removed', 5 * SCALE, uid=7)
        print(f'# told {(time.monotonic() - began) * 1000:.1f} ms after it left')
        self.assertTrue(ear.peer.closed(3))
        self.until(lambda: self.members_in_all() == [0, 1])

    def test_replaced(self):
        """The same uid at another gateway: the older one goes."""
        one, other = self.gateways
        first, _ = self.speaker(one, 7, 'old')
        listener, _ = self.listener(other, 8, 7)
        second = self.member(other, 7)
        self.closed_with(first, 4001)
        listener.wait_event('stream-removed', 5 * SCALE, uid=7)
        self.voice(second, 'new')
        listener.wait_event('stream-added', 5 * SCALE, uid=7)
        ear = self.ear(listener.subscribe(7))
        self.assertEqual({name for name, _, _ in ear.listen(10)}, {'new'})
        self.until(lambda: self.members_in_all() == [0, 2])

    def test_adopted(self):
        """A speaker comes back at the other gateway: its listeners are told a new URL, and nothing else."""
        one, other = self.gateways
        first, _ = self.speaker(one, 7, 'ann')
        near, near_ear = self.listener(one, 9, 7)
        far, far_ear = self.listener(other, 8, 7)
        near_ear.listen(5)
        far_ear.listen(5)
        first.close()
        second = self.member(other, 7, known_speakers=[])
        # Its old push is heard until the new one is there.
        near_ear.listen(10)
        far_ear.listen(10)
        self.voice(second, 'ann-again')
        urls = [member.wait_event('update-url', 5 * SCALE, uid=7)['url'] for member in (near, far)]
        ears = [self.ear(url) for url in urls]
        for ear in ears:
            self.assertEqual({name for name, _, _ in ear.listen(20)}, {'ann-again'})
        for member in (near, far):
            self.assertFalse([event for event in member.events if event.get('action') in ('stream-added', 'stream-removed')])
        self.until(lambda: self.members_in_all() == [1, 2])

    def test_a_listener_moves(self):
        """It comes back at the other gateway: it hears on, and is told by which URL it does so there."""
        one, other = self.gateways
        self.speaker(one, 7, 'ann')
        first, ear = self.listener(other, 8, 7)
        first.must('mute', uid=7, target='video')
        ear.listen(5)
        first.close()
        second = self.member(one, 8, 'audience', known_speakers=['7'])
        url = second.wait_event('update-url', 5 * SCALE, uid=7)['url']
        # By the old one until then.
        ear.listen(25)
        self.assertEqual(second.subscribe(7), url)
        self.ear(url).listen(25)
        second.must('mute', uid=7, target='audio')
        ear.close()
        self.until(lambda: self.members_in_all() == [2, 0])

    def test_store_away(self):
        """Redis dies and comes back empty: nobody is removed, who comes meanwhile is let in, and all is known again."""
        one, other = self.gateways
        self.speaker(one, 7, 'ann')
        listener, ear = self.listener(other, 8, 7)
        ear.listen(5)
        self.redis.process.popen.kill()
        self.until(lambda: [self.health(gateway)['store'] for gateway in self.gateways] == ['away', 'away'])
        self.member(one, 10, 'audience')
        ear.listen(20)
        self.redis.start()
        self.until(lambda: [self.health(gateway)['store'] for gateway in self.gateways] == ['up', 'up'])
        late, _ = self.listener(other, 11, 7)
        ear.listen(100)
        self.assertFalse([event for event in listener.events if event.get('action') == 'stream-removed'])
        # The uid of who came meanwhile is held at all gateways.
        self.member(other, 10, 'audience')
        self.until(lambda: self.members_in_all() == [1, 3])

    def test_stopped(self):
        """A gateway that ends tells of its members."""
        one, other = self.gateways
        self.speaker(one, 7, 'ann')
        listener, _ = self.listener(other, 8, 7)
        one.stop()
        listener.wait_event('stream-removed', 3 * SCALE, uid=7)

    def test_join_fast(self):
        """Many at once at both gateways, of the same uids: one of each stays."""
        members = [self.member(self.gateways[i % 2], 100 + i // 2, 'audience') for i in range(40)]
        self.until(lambda: sum(self.members_in_all()) == 20)
        for first in members[::2]:
            self.closed_with(first, 4001)


class Options(ClusterCase):
    def test_wrong_ones(self):
        good = [f'--store={self.redis.url}', f'--cluster-secret-file={self.secret}', '--relay-address=127.0.0.1:0']
        short = self.tmp / 'short'
        short.write_text('secret\n', encoding='ascii')
        for options, words in (
                (good[1:], '--cluster-secret-file needs --store=URL'),
                (['--relay-address=127.0.0.1:0'], '--relay-address needs --store=URL'),
                (['--public-url=http://one.example.org'], '--public-url needs --store=URL'),
                (good[:1] + good[2:], '--store needs --cluster-secret-file=FILE'),
                (good[:2], '--store needs --relay-address=IP:PORT'),
                ([*good[:2], '--relay-address=0.0.0.0:1'], '--relay-address=0.0.0.0:1: expected an address'),
                ([*good[:2], '--relay-address=relay:1'], '--relay-address=relay:1: expected'),
                ([*good[:2], '--relay-address=rtmps://127.0.0.1:0'], '--relay-address=rtmps:// needs --relay-ca-file=FILE'),
                ([*good[:2], '--relay-address=rtmps://a_b@127.0.0.1:0'], 'expected rtmps://NAME@IP:PORT'),
                ([*good[:2], '--relay-address=one@127.0.0.1:0'], 'expected ADDRESS:PORT'),
                ([*good, f'--relay-ca-file={self.secret}'], '--relay-ca-file needs --rtmps-listen=ADDR:PORT'),
                ([f'--relay-ca-file={self.secret}'], '--relay-ca-file needs --store=URL'),
                (['--store=etcd://h', *good[1:]], 'expected redis://'),
                (['--store=redis://127.0.0.1:x', *good[1:]], '--store: '),
                ([good[0], f'--cluster-secret-file={short}', good[2]], 'must be 16 or more printable'),
                ([*good, '--rtmp=rtmp://127.0.0.1/live', f'--hook-secret-file={self.secret}'], "doesn't go with --rtmp")):
            with self.subTest(options=options):
                process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--listen=127.0.0.1:0',
                                     '--rtmp-listen=127.0.0.1:0', '--app=demo', *options)
                self.assertNotEqual(process.popen.wait(10 * SCALE), 0)
                self.until(lambda p=process, w=words: w in p.output('err'), words)

    def test_begins_without_the_store(self):
        """A gateway starts and serves while Redis isn't there, and joins the others once it is."""
        self.redis.process.popen.kill()
        self.redis.process.popen.wait()
        gateway = self.alone()
        self.assertEqual(self.health(gateway)['store'], 'away')
        self.speaker(gateway, 7, 'ann')
        self.redis.start()
        self.until(lambda: self.health(gateway)['store'] == 'up')
        other = self.one_of_many()
        _, ear = self.listener(other, 8, 7)
        ear.listen(10)


class Choice(ClusterCase):
    """POST /api/v1 of any gateway names the same ones for a channel, in one order."""

    def choose(self, gateway, channel):
        inner = {'command': 'convergeAllocateEdge', 'sid': 'A' * 32, 'appId': 'demo', 'token': 'demo', 'uid': '0',
                 'cname': channel, 'ts': 1, 'version': '1.1.0', 'seq': 0, 'requestId': 1}
        request = urllib.request.Request(gateway.http + '/api/v1', json.dumps(
            {'service_name': 'webrtc', 'json_body': json.dumps(inner)}).encode(), {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            chosen = json.loads(json.load(answer)['json_body'])
        return [server['url'] for server in chosen['servers']]

    def named(self, number, *options):
        return self.one_of_many(f'--public-url=https://gw{number}.example.org', *options)

    def test_same_everywhere(self):
        gateways = [self.named(number) for number in range(3)]
        self.until(lambda: all(len(self.choose(gateway, 'room')) == 3 for gateway in gateways))
        firsts = []
        for number in range(60):
            answers = [self.choose(gateway, f'room {number}') for gateway in gateways]
            self.assertEqual(answers[0], answers[1])
            self.assertEqual(answers[0], answers[2])
            self.assertEqual({url.split('/')[2] for url in answers[0]}, {f'gw{n}.example.org' for n in range(3)})
            self.assertTrue(answers[0][0].startswith('wss://'))
            firsts.append(answers[0][0])
        # Each of them gets a share.
        for url in set(firsts):
            self.assertGreater(firsts.count(url), 6)
        self.assertEqual(len(set(firsts)), 3)

    def test_draining_and_dead(self):
        one, other, third = self.named(1, '--drain=20'), self.named(2), self.named(3)
        self.until(lambda: len(self.choose(other, 'room')) == 3)
        self.member(one, 5)  # it stays, so that the gateway does
        os.kill(one.pid, signal.SIGTERM)
        self.until(lambda: 'gw1' not in str(self.choose(other, 'room')))
        os.kill(third.pid, signal.SIGKILL)
        self.until(lambda: [url.split('/')[2] for url in self.choose(other, 'room')] == ['gw2.example.org'], timeout=15)


if __name__ == '__main__':
    tap.main()
