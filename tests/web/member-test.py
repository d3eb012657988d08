# SPDX-License-Identifier: LGPL-2.1-or-later
"""Members by WebRTC among others: a real gateway with agora-web, webrtcbin as the browser, agorasink
and agorasrc beside. Judged by what was heard."""

import itertools
import json
import os
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy

import heard
import tap
import tokens
from channel import ChannelCase
from harness import SCALE, Case, Gateway
from webask import JSON, OFFER, SDP, Events, ask
from webpeer import WebPeer
from wsclient import Member

# --long: as often as is asked for. Twenty leaks are told apart from none as surely.
LONG = '--long' in sys.argv
ADMIN = 'Tru5t-me/for+this:one='
CERTIFICATE = '0123456789abcdef0123456789abcdef'


class WebCase(Case):
    """One gateway for the cases of a class; each has a room of its own."""
    rooms = itertools.count(1)

    def setUp(self):
        Case.setUp(self)
        self.room = f'room-{next(self.rooms)}'
        self.gate = self.shared('shared_gate', self.make_gateway)

    def make_gateway(self):
        secret = self.shared_folder() / 'admin-token'
        secret.write_text(ADMIN + '\n')
        secret.chmod(0o600)
        gate = Gateway('--web=true', '--web-workers=1', f'--admin-token-file={secret}',
                       '--max-web-sessions-per-address=1000', '--app=demo', f'--app=sealed:{CERTIFICATE}',
                       '--show-members=demo')
        # From "ready" on a POST is answered by a worker that has warmed up.
        self.until(lambda: ask(gate.http, 'POST', '/whep/demo/first', SDP, OFFER).status == 201,
                   'agora-web', 20)
        return gate

    def worker(self):
        """Its /proc."""
        for each in Path('/proc').glob('[0-9]*'):
            try:
                if (each / 'comm').read_text().strip() == 'agora-web' and \
                        f'PPid:\t{self.gate.pid}\n' in (each / 'status').read_text():
                    return each
            except OSError:
                pass
        raise AssertionError('there is no agora-web')

    def peer(self, kind, query='', app='demo', sound=None, **options):
        way = 'whip' if kind == 'speak' else 'whep'
        return self.keep(WebPeer(kind, f'{self.gate.http}/{way}/{app}/{self.room}{query}',
                                 sound=sound, folder=self.tmp, **options))

    def connected(self, *arguments, **options):
        peer = self.peer(*arguments, **options)
        peer.wait_connected()
        return peer

    def id_of(self, peer):
        return urlsplit(peer.session).path.rsplit('/', 1)[1]

    def call(self, peer, **what):
        answer = ask(self.gate.http, 'POST', urlsplit(peer.session).path + '/call', JSON,
                     json.dumps(what))
        return answer.status, answer.json()

    def must(self, peer, **what):
        status, answer = self.call(peer, **what)
        self.assertEqual(status, 200, answer)
        return answer

    def events(self, peer):
        made = ask(self.gate.http, 'POST', urlsplit(peer.session).path + '/events', JSON, '[]')
        self.assertEqual(made.status, 201, made)
        events = Events(self.gate.http, urlsplit(made.headers['location']).path)
        self.addCleanup(events.close)
        return events

    def admin(self, method, path, **body):
        request = urllib.request.Request(
            self.gate.http + path, json.dumps(body).encode() if body else None,
            {'Authorization': f'Bearer {ADMIN}', 'Content-Type': 'application/json'}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def rule(self, **fields):
        return self.admin('POST', '/dev/v1/kicking-rule', appid='demo', **fields)['id']

    def observer(self, **options):
        member = Member(self.gate.ws, heartbeat=True, channel=self.room, **options)
        self.addCleanup(member.close)
        member.join('audience')
        return member

    def wav(self, name, sound):
        path = self.tmp / f'{name}.wav'
        heard.write(path, sound)
        return path


class Heard(WebCase, ChannelCase):
    def test_speaks_and_hears(self):
        one, other = (heard.voice(name, 4) for name in ('allison', 'carlo'))
        around = [heard.silence(1.5), heard.silence(0.5)]
        listener = self.connected('hear')
        record = self.record()
        speaker = self.connected('speak', '?uid=7', sound=self.wav(
            'one', numpy.concatenate([around[0], one, around[1]])))
        ends = speaker.spoken_since() + 6
        self.until(lambda: time.monotonic() > ends, 'the last word', 20)
        self.assertEqual(speaker.delete().status, 200)
        native = self.speak(self.wav('other', numpy.concatenate([around[0], other, around[1]])), 8)
        self.assertEqual(native.wait(30), 0, native.tail())
        for sound in (listener.heard()[0], self.stop_recording(record)):
            for voice in (one, other):
                match = heard.match(voice, sound)
                print(f'{self.id()}: {match}')
                self.assertGreaterEqual(match.correlation, 0.95, match)
                # A busy machine may be late for a block.
                self.assertFalse([gap for gap in match.gaps if gap[1] >= 100], match)

    def test_never_itself(self):
        """A listener begins to speak and ends: two moves, no gap, and never its own voice."""
        other, own = heard.voice('carlo', 16), heard.voice('june', 4)
        around = [heard.silence(1), heard.silence(0.5)]
        member = self.connected('hear', '?uid=50')
        third = self.connected('hear')
        native = self.speak(self.wav('other', numpy.concatenate([around[0], other, around[1]])), 8)
        self.until(lambda: self.mix(member)['speakers'], 'the other speaker')
        voice = self.peer('speak', f'?member={self.id_of(member)}', sound=self.wav(
            'own', numpy.concatenate([around[0], own, around[1]])))
        voice.wait_connected()
        self.until(lambda: self.must(voice, call='stats')['speak']['on-air'], 'its voice')
        self.assertEqual(self.mix(member)['mix'], 'own')
        ends = voice.spoken_since() + 5.5
        self.until(lambda: time.monotonic() > ends, 'the last word', 20)
        voice.delete()
        self.until(lambda: self.mix(member)['mix'] == 'shared', 'the move back', 8)
        self.assertEqual(self.must(member, call='stats')['role'], 'audience')
        self.assertEqual(native.wait(30), 0, native.tail())
        # Alone in what it heard: of its own voice nothing is left over.
        came, _ = member.heard()
        # Piece by piece: each mix has a delay of its own. Two pieces may have a move in them.
        piece = 2 * heard.RATE
        matches = [heard.match(other[at:at + piece], came) for at in range(0, len(other), piece)]
        for match in matches:
            print(f'{self.id()}: {match}')
        self.assertGreaterEqual(sorted(match.correlation for match in matches)[2], 0.9)
        if SCALE == 1:
            self.assertFalse([gap for match in matches for gap in match.gaps if gap[1] >= 200])
        self.assertLess(self.share(own, came), 0.3)
        self.assertGreater(self.share(own, third.heard()[0]), 0.6)

    def share(self, voice, sound):
        """How much of `sound` is like `voice` where it is most."""
        return heard.match(voice, sound).correlation

    def mix(self, peer):
        return self.must(peer, call='stats')['hear']

    def test_taste(self):
        """Volume, mute and choice of one listener move it to a mix of its own, and back."""
        native = self.line(f'audiotestsrc is-live=true wave=sine volume=0.2 ! agorasink {self.where(8)}')
        member, other = self.connected('hear'), self.connected('hear')
        usual = 0.2 / numpy.sqrt(2)  # of the tone
        self.until(lambda: min(self.loudness(each) for each in (member, other)) > 0.95 * usual,
                   'the tone')
        for call, expected in (({'call': 'speaker', 'uid': 8, 'volume': 0.25}, 0.25),
                               ({'call': 'speaker', 'uid': 8, 'mute': True}, 0),
                               ({'call': 'speaker', 'uid': 8, 'volume': 1, 'mute': False}, 1),
                               ({'call': 'unsubscribe', 'uid': 8}, 0),
                               ({'call': 'subscribe', 'uid': 8}, 1)):
            with self.subTest(call):
                self.must(member, **call)
                self.until(lambda now=expected: abs(self.loudness(member) / usual - now) < 0.06,
                           f'{expected} of the tone', 8)
                self.until(lambda: abs(self.loudness(other) / usual - 1) < 0.06, 'the other one hears as before', 4)
        self.until(lambda: self.mix(member)['mix'] == 'shared', 'the shared mix')
        self.must(member, call='latency', ms=300)
        self.until(lambda: self.mix(member)['mix'] == 'own', 'its own mix')
        self.must(member, call='latency', ms=0)
        self.until(lambda: self.mix(member)['mix'] == 'shared', 'the shared mix')
        self.assertEqual(native.interrupt(10), 0, native.tail())

    def loudness(self, peer):
        """Of the last 300 ms that it heard."""
        sound, _ = peer.heard()
        last = sound[-int(0.3 * heard.RATE):]
        return float(numpy.sqrt(numpy.mean(last ** 2))) if len(last) else 0.0


class Membership(WebCase):
    def test_mute(self):
        observer = self.observer()
        speaker = self.connected('speak', '?uid=7', sound=self.wav('one', heard.voice('alsa', 20)))
        observer.wait_event('stream-added', 10, uid=7)
        self.must(speaker, call='mute', audio=True)
        observer.wait_event('audio-mute', uid=7, mute=True)
        self.must(speaker, call='mute', audio=False)
        observer.wait_event('audio-mute', uid=7, mute=False)

    def test_replaced(self):
        first = self.connected('hear', '?uid=7')
        events = self.events(first)
        self.assertEqual(events.until('joined'), {'uid': 7})
        second = self.connected('hear', '?uid=7')
        self.assertEqual(events.until('ended')['code'], 431)
        self.assertEqual(self.must(second, call='stats')['uid'], 7)

    def test_banned(self):
        peer = self.connected('speak', '?uid=7', sound=self.wav('one', heard.voice('alsa', 20)))
        events = self.events(peer)
        events.until('joined')
        self.rule(cname=self.room, uid=7, time=60)
        events.until('client-banned')
        self.assertEqual(events.until('ended')['code'], 433)
        again = self.peer('hear', '?uid=7')
        self.assertEqual(again.wait_answer(), 403)

    def test_silenced(self):
        """It stays, is off the air, and comes back."""
        observer = self.observer()
        peer = self.connected('speak', '?uid=7', sound=self.wav('one', heard.voice('alsa', 30)))
        events = self.events(peer)
        observer.wait_event('stream-added', 10, uid=7)
        rule = self.rule(cname=self.room, uid=7, time=60, privileges=['publish_audio'])
        events.until('silenced')
        observer.wait_event('stream-removed', 10, uid=7)
        self.admin('DELETE', '/dev/v1/kicking-rule', appid='demo', id=rule)
        events.until('unsilenced')
        observer.wait_event('stream-added', 10, uid=7)

    def test_token(self):
        """What the token doesn't allow is refused; one that ends, ends the member."""
        privileges = {tokens.JOIN: 40}
        only_hear = tokens.build('sealed', CERTIFICATE, self.room, 0,
                                 {tokens.JOIN: 3600})
        self.assertEqual(self.peer('hear', app='sealed').wait_answer(), 401)
        self.assertEqual(self.peer('hear', app='sealed', token=only_hear).wait_answer(), 201)
        self.assertEqual(self.peer('speak', app='sealed', token=only_hear).wait_answer(), 403)
        short = tokens.build('sealed', CERTIFICATE, self.room, 0, privileges, expires=int(8 * SCALE))
        peer = self.connected('hear', app='sealed', token=short)
        events = self.events(peer)
        events.until('token-privilege-did-expire')
        self.assertEqual(events.until('ended')['code'], 109)

    def test_roles(self):
        member = self.connected('hear', '?uid=7')
        voice = self.connected('speak', f'?member={self.id_of(member)}',
                               sound=self.wav('one', heard.voice('alsa', 20)))
        events = self.events(voice)
        self.assertEqual(self.must(voice, call='stats')['role'], 'broadcaster')
        self.must(member, call='set-role', role='audience')
        self.assertEqual(events.until('ended')['code'], 433)
        self.assertEqual(self.must(member, call='stats')['role'], 'audience')

    def test_killed(self):
        """Whoever is gone without a word leaves the channel, with all that was its."""
        observer = self.observer()
        member = self.connected('hear', '?uid=7')
        voice = self.connected('speak', f'?member={self.id_of(member)}',
                               sound=self.wav('one', heard.voice('alsa', 30)))
        observer.wait_event('stream-added', 10, uid=7)
        for peer in (voice, member):
            peer.kill()
        began = time.monotonic()
        observer.wait_event('stream-removed', 20, uid=7)
        self.until(lambda: not self.is_there(7), 'the member to leave', 20)
        self.assertLess(time.monotonic() - began, 15 * SCALE)

    def is_there(self, uid):
        return self.admin('GET', f'/dev/v1/channel/user/property/demo/{uid}/{self.room}')['data'][
            'in_channel']

    def test_others_stay(self):
        """One session's end is nobody else's."""
        stays = self.connected('hear')
        for _ in range(3):
            goes = self.connected('speak', sound=self.wav('one', heard.voice('alsa', 5)))
            goes.kill()
        before = self.must(stays, call='stats')['hear']['packets-sent']
        self.until(lambda: self.must(stays, call='stats')['hear']['packets-sent'] > before + 50,
                   'more packets')


class Words(WebCase):
    """Names, and words from member to member: among browsers and others."""

    def member(self, uid):
        """One that is no browser."""
        member = Member(self.gate.ws, heartbeat=True, channel=self.room, uid=uid)
        self.addCleanup(member.close)
        return member.join('audience', features=['names', 'data'])

    def page(self, query, app='demo', **headers):
        """One that hears, but has no way for sound yet: for words it needs none."""
        answer = ask(self.gate.http, 'POST', f'/whep/{app}/{self.room}{query}', {**SDP, **headers}, OFFER)
        self.assertEqual(answer.status, 201, answer)
        return SimpleNamespace(session=answer.headers['location'])

    def test_names(self):
        """A name is told before its stream: to members, to pages, and to those that come later."""
        witness = self.member(9)
        listener = self.connected('hear', '?uid=8&name=B%C3%A9a')
        events = self.events(listener)
        events.until('joined')
        self.connected('speak', '?uid=7&name=Ann+%26+co', sound=self.wav('one', heard.voice('alsa', 20)))
        told = [('member-named', {'uid': 7, 'name': 'Ann & co'}), ('stream-added', {'uid': 7})]
        self.assertEqual(events.until('member-named'), told[0][1])
        self.assertEqual(events.next(), told[1])
        witness.wait_event('stream-added', uid=7)
        self.assertEqual(witness.events, [{'action': 'member-named', 'uid': 7, 'name': 'Ann & co'}])
        for late in (listener, self.page('?uid=6')):
            events = self.events(late)
            self.assertEqual([events.next()[0], events.next(), events.next()], ['joined', *told])
        self.connected('speak', f'?member={self.id_of(listener)}', sound=self.wav('two', heard.voice('alsa', 20)))
        self.assertEqual(events.until('member-named'), {'uid': 8, 'name': 'Béa'})
        for bad, why in (('a%0Ab', 'control'), ('x' * 65, '64 characters'), ('%ff', '64 characters')):
            answer = ask(self.gate.http, 'POST', f'/whep/demo/{self.room}?name={bad}', SDP, OFFER)
            self.assertEqual(answer.status, 400, bad)
            self.assertIn(why, answer.json()['detail'])

    def test_words(self):
        witness, one, other = self.member(9), self.page('?uid=7'), self.page('?uid=8')
        events = self.events(other)
        self.must(one, call='data', text='on air in 10')
        self.must(one, call='data', text='not for 8', to=[9, 77])
        self.must(one, call='data', text='"€"\n', to=[8, 8])
        self.assertEqual([events.until('data') for _ in range(2)],
                         [{'uid': 7, 'text': 'on air in 10'}, {'uid': 7, 'text': '"€"\n'}])
        for text in ('on air in 10', 'not for 8'):
            self.assertEqual(witness.wait_event('data'), {'action': 'data', 'uid': 7, 'text': text})
        witness.must('data', to=[8], text='\x01' * 256)
        self.assertEqual(events.until('data'), {'uid': 9, 'text': '\x01' * 256})
        for why, wrong in (('text', {'text': ''}), ('text', {'text': '€' * 86}), ('text', {'to': [8]}),
                           ('to', {'text': 'x', 'to': []}), ('to', {'text': 'x', 'to': [0]}),
                           ('to', {'text': 'x', 'to': list(range(1, 18))})):
            status, answer = self.call(one, call='data', **wrong)
            self.assertEqual((status, answer['code']), (400, 401), (wrong, answer))
            self.assertTrue(answer['reason'].startswith(f'{why}: expected '), answer)
        # By the token's privileges, as anybody.
        for privileges, status in (({tokens.JOIN: 3600}, 403), ({tokens.JOIN: 3600, tokens.DATA: 3600}, 200)):
            token = tokens.build('sealed', CERTIFICATE, self.room, 0, privileges)
            page = self.page('', 'sealed', Authorization=f'Bearer {token}')
            self.assertEqual(self.call(page, call='data', text='x')[0], status)

    def test_members(self):
        """Who has asked is told of browsers and others as they come, go and are renamed; nobody else is."""
        self.member(9)
        one, other = self.page('?uid=7&name=Ann'), self.page('?uid=8')
        events, silent = self.events(one), self.events(other)
        self.must(one, call='members')
        told = events.until('members')
        self.assertEqual((told['at'], told['more']), (0, False))
        self.assertEqual(sorted(told['members'], key=lambda each: each['uid']), [{'uid': 8}, {'uid': 9}])
        late = self.member(10)
        self.assertEqual(events.until('member-joined'), {'uid': 10, 'name': ''})
        self.page('?uid=11&name=B%C3%A9a')
        self.assertEqual(events.until('member-joined'), {'uid': 11, 'name': 'Béa'})
        late.must('leave', uid=10)
        self.assertEqual(events.until('member-left'), {'uid': 10})
        self.must(one, call='data', text='the last word', to=[8])
        while (event := silent.next())[0] != 'data':
            self.assertNotIn(event[0], ('members', 'member-joined', 'member-left'))
        page = self.page('', 'sealed', Authorization='Bearer ' + tokens.build('sealed', CERTIFICATE, self.room, 0, {tokens.JOIN: 3600}))
        status, answer = self.call(page, call='members')
        self.assertEqual((status, answer['code']), (403, 433), answer)

    def test_a_flood_of_words(self):
        """A page is held to what any member is. Others notice nothing but the words."""
        one, other = self.page('?uid=7'), self.page('?uid=8')
        events, own = self.events(other), self.events(one)
        began = time.monotonic()
        with ThreadPoolExecutor(40) as threads:
            answers = list(threads.map(lambda n: self.call(one, call='data', text=str(n), to=[8]), range(120)))
        took = time.monotonic() - began
        taken = sum(status == 200 for status, _ in answers)
        print(f'{self.id()}: {taken} of {len(answers)} words in {took:.2f} s')
        self.assertGreaterEqual(taken, 20)
        self.assertLessEqual(taken, 20 + 5 * took + 1)
        for status, answer in answers:
            self.assertIn(status, (200, 429, 503), answer)
            if status == 503:
                self.assertEqual(answer['code'], 429, answer)
        self.must(other, call='data', text='still here')
        self.assertEqual(own.until('data'), {'uid': 8, 'text': 'still here'})
        self.assertEqual(self.must(one, call='stats')['uid'], 7)
        for _ in range(taken):
            self.assertEqual(events.until('data')['uid'], 7)


class Coming(WebCase):
    def counts(self):
        proc = self.worker()
        resident = int((proc / 'statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
        return (len(list((proc / 'task').iterdir())), len(list((proc / 'fd').iterdir())),
                resident >> 20)

    def come_and_go(self, times):
        for _ in range(times):
            hears = self.post('/whep/demo/leaving')
            speaks = self.post(f'/whip/demo/leaving?member={hears.rsplit("/", 1)[1]}')
            for each in (speaks, hears):
                self.assertEqual(ask(self.gate.http, 'DELETE', urlsplit(each).path).status, 200)

    def post(self, path):
        """As often as the gateway takes offers of one address."""
        answers = []

        def taken():
            answers.append(ask(self.gate.http, 'POST', path, SDP, OFFER))
            return answers[-1].status != 429

        self.until(taken, f'an answer to {path}')
        self.assertEqual(answers[-1].status, 201, answers[-1])
        return answers[-1].headers['location']

    def test_comes_and_goes(self):
        """Threads, descriptors and memory are then as before."""
        self.come_and_go(20)
        for kind in ('hear', 'speak'):
            self.connected(kind, sound=self.wav('one', heard.voice('alsa', 3))).delete()
        self.until(lambda: self.quiet(), 'the first ones to be gone', 15)
        threads, fds, mib = self.counts()
        self.come_and_go(90 if LONG else 20)
        sound = self.wav('one', heard.voice('alsa', 3))
        for _ in range(5):
            peers = [self.peer(kind, sound=sound) for kind in ('hear', 'speak') * 2]
            for peer in peers:
                peer.wait_connected()
            for peer in peers:
                peer.delete()
        self.until(lambda: self.counts()[0] <= threads + 4, 'threads to end', 15)
        self.until(lambda: self.counts()[1] <= fds + 4, 'descriptors to be closed', 15)
        print(f'{self.id()}: {(threads, fds, mib)} before, {self.counts()} after the last session')
        if SCALE == 1:
            self.assertLess(self.counts()[2], mib + 16)

    def quiet(self):
        now = self.counts()[0]
        self.highest = max(getattr(self, 'highest', 0), now)
        return now <= 14


if LONG:
    sys.argv.remove('--long')
tap.main()
