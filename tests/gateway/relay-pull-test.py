#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A relay that pulls from another one, or from what only says it is one. The tests are their gateway."""

import os
import signal
import socket
import statistics
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap
from harness import SCALE, freeze, wait_until
from relayrig import AUDIO, DATA, Peer, RelayCase, amf, pause

HEADER = b'\xaf\x00\x11\x90'
EOF, BEGIN = b'\0\1', b'\0\0'
# Seconds until a listener is told of an origin that is mute: 2.95 by the limits (1.5 of silence, 0.05 until it is tried again,
# 1.1 for that, and turns of 0.1), and one that a machine may be held up.
MOST = 4


def frame(number, size=120):
    return b'\xaf\x01' + number.to_bytes(4, 'big') + bytes(size - 4)


class Frozen:
    """A server that takes connections and says what `words` says: nothing, if there are none."""

    def __init__(self, case, words=b'', then=None):
        self.listening = socket.create_server(('127.0.0.1', 0))
        case.addCleanup(self.listening.close)
        self.url = f'rtmp://127.0.0.1:{self.listening.getsockname()[1]}/live/voice'
        self.words, self.then = words, then
        self.accepted = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listening.accept()
            except OSError:
                return
            self.accepted.append(peer)
            threading.Thread(target=self._answer, args=[peer], daemon=True).start()

    def _answer(self, peer):
        try:
            peer.sendall(self.words)
            while self.then and self.then(peer):
                pass
        except OSError:
            pass


def command(*values, stream=0):
    return Peer.message(None, 20, b''.join(map(amf, values)), stream=stream)


def accepted():
    """All that an origin says until the play has begun."""
    return (b'\3' + bytes(3072) + Peer.message(None, 1, struct.pack('>I', 60000), channel=2)
            + command('_result', 1, None) + command('_result', 2, None, 1)
            + command('onStatus', 0, None, {'level': 'status', 'code': 'NetStream.Play.Start'}, stream=1))


class Pulls(RelayCase):
    def pair(self, **keywords):
        """An origin, and an edge that pulls everything from it."""
        origin = self.relay()
        return origin, self.edge(lambda: f'{origin.url}/', **keywords)

    def edge(self, place, **keywords):
        def allow(ask):
            if ask['side'] == 'push':
                return True
            return {'relay_from': f'{place()}{ask["stream"]}?s=1'}
        return self.relay(allow=allow, **keywords)

    def speak(self, push, count=5, first=0):
        for number in range(first, first + count):
            push.frame(20 * number, frame(number))

    def heard(self, listener, count):
        listener.wait(lambda: len(listener.media()) >= count, what=f'frame {count}')
        return [body for _, _, body in listener.media()]

    def statuses(self, listener):
        return [body[:2] for _, kind, _, body in listener.messages if kind == 4 and body[:2] in (EOF, BEGIN)]

    def gone(self, listener, within):
        """Whether the listener is cut by then."""
        begin = time.monotonic()
        self.assertTrue(listener.closed(within), 'the listener still waits')
        return time.monotonic() - begin

    def test_all_of_it_comes_through_one_pull(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.send(push.message(DATA, amf('onMetaData') + amf({'a': 1.0}), 0, 1, channel=5))
        push.frame(0, HEADER)
        first = self.play(edge)
        first.wait(lambda: len(first.media()) >= 1)
        self.speak(push)
        bodies = self.heard(first, 6)
        self.assertEqual(bodies, [HEADER] + [frame(n) for n in range(5)])
        self.assertEqual(self.statuses(first), [BEGIN])
        meta = [body for _, kind, _, body in first.messages if kind == DATA and b'onMetaData' in body]
        self.assertEqual(len(meta), 1)
        # Only once are players told what they may do: by their own relay.
        self.assertEqual(sum(b'SampleAccess' in body for _, kind, _, body in first.messages if kind == DATA), 1)
        # A later one gets the headers at once, of the same pull.
        later = self.play(edge)
        self.assertEqual(self.heard(later, 1), [HEADER])
        self.speak(push, 5, 5)
        self.assertEqual(self.heard(later, 6)[1:], [frame(n) for n in range(5, 10)])
        self.heard(first, 11)
        asks = origin.all_told('ask', side='play')
        self.assertEqual([(ask['stream'], ask['args'], ask['app']) for ask in asks], [('voice', 's=1', 'live')])
        self.assertEqual(len(edge.all_told('dial')), 1)
        self.assertEqual(edge.all_told('pulled')[0]['stream'], 'voice')
        counters = edge.ping()
        self.assertEqual((counters['pulls'], counters['pushes'], counters['listeners']), (1, 0, 2))
        self.assertEqual((counters['pulls_ended'], counters['pulls_failed']), (0, 0))

    def test_the_pull_ends_with_its_last_listener(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        first, second = self.play(edge), self.play(edge)
        self.heard(first, 1)
        self.heard(second, 1)
        first.close()
        self.speak(push)
        self.heard(second, 6)
        self.assertEqual(edge.ping()['pulls'], 1)
        begin = time.monotonic()
        second.close()
        origin.wait_told('done', 3, side='play')
        self.assertLess(time.monotonic() - begin, 1 * SCALE)
        wait_until(lambda: edge.ping()['pulls'] == 0, 3)
        counters = edge.ping()
        self.assertEqual((counters['pulls_ended'], counters['pulls_failed']), (1, 0))
        # And begins anew with the next one.
        third = self.play(edge)
        self.assertEqual(self.heard(third, 1), [HEADER])
        self.assertEqual(len(edge.all_told('dial')), 2)

    def test_a_listener_that_comes_back_at_once_finds_the_pull(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        first = self.play(edge)
        self.heard(first, 1)
        first.close()
        edge.wait_told('done', 3)
        second = self.play(edge)
        self.heard(second, 1)
        pause(0.8)
        self.speak(push)
        self.heard(second, 6)
        self.assertEqual(len(edge.all_told('dial')), 1)

    def test_the_publisher_goes_and_comes_back(self):
        origin, edge = self.pair()
        listener, plain = self.play(edge), self.play(origin)
        wait_until(lambda: edge.all_told('pulled'), 3)
        for turn in range(3):
            push = self.push(origin)
            header = HEADER + bytes([turn])
            push.frame(0, header)
            self.speak(push, 3, 10 * turn)
            for each in (listener, plain):
                self.assertEqual(self.heard(each, 4 * turn + 4)[-4:],
                                 [header] + [frame(10 * turn + n) for n in range(3)])
            push.close()
            for each in (listener, plain):
                each.wait(lambda: self.statuses(each) == [BEGIN, EOF] * (turn + 1), what='StreamEOF')
        # In the same order as at the origin.
        order = [[(kind, body[:2] if kind == 4 else body) for _, kind, _, body in each.messages
                  if kind == AUDIO or kind == 4 and body[:2] in (EOF, BEGIN)] for each in (listener, plain)]
        self.assertEqual(*order)
        self.assertEqual(edge.ping()['pulls'], 1)

    def test_an_origin_that_is_killed(self):
        # With its gateway, so that nobody listens there; and alone: connections wait for the next one.
        for whole, within in ((True, 1.5), (False, 2.4)):
            with self.subTest(whole=whole):
                self.kill_origin(whole, within)

    def kill_origin(self, whole, within):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        listeners = [self.play(edge) for _ in range(3)]
        for each in listeners:
            self.heard(each, 1)
        if whole:
            origin.listening.close()
        os.kill(origin.pid, signal.SIGKILL)
        begin = time.monotonic()
        for each in listeners:
            self.gone(each, within)
        self.assertLess(time.monotonic() - begin, within * SCALE)
        self.assertIn('stream', edge.wait_told('pull-failed'))
        wait_until(lambda: len(edge.all_told('done')) == 3, 2)
        wait_until(lambda: edge.ping()['pulls'] == 0, 3)
        self.witness(edge)(5)

    def test_an_origin_that_stands_still_is_noticed_within_three_seconds(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        listener = self.play(edge)
        self.heard(listener, 1)
        freeze(origin.pid)
        try:
            self.assertLess(self.gone(listener, 5), MOST * SCALE)
        finally:
            os.kill(origin.pid, signal.SIGCONT)
        self.assertIn('says nothing', edge.wait_told('pull-failed')['reason'])

    def test_a_quiet_publisher_is_no_mute_origin(self):
        origin, edge = self.pair(limits={'idle_push_ms': 60000})
        origin.configure(limits={'idle_push_ms': 60000})
        push = self.push(origin)
        push.frame(0, HEADER)
        listener = self.play(edge)
        self.heard(listener, 1)
        self.assertFalse(listener.closed(3.5))
        self.assertEqual(edge.all_told('pull-failed'), [])

    def test_a_lost_connection_is_made_again_unheard(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        listener = self.play(edge)
        self.heard(listener, 1)
        number = origin.all_told('ask', side='play')[0]['id']
        origin.drop('play', 'voice', number)
        wait_until(lambda: len(origin.all_told('ask', side='play')) == 2, 3)
        listener.wait(lambda: len(listener.media()) >= 2)
        self.speak(push)
        bodies = self.heard(listener, 7)
        self.assertEqual(bodies, [HEADER, HEADER] + [frame(n) for n in range(5)])
        self.assertEqual(self.statuses(listener), [BEGIN])
        self.assertEqual(edge.all_told('pull-failed'), [])

    def test_an_origin_that_refuses(self):
        origin, edge = self.pair()
        origin.allow = lambda ask: 'not from here' if ask['side'] == 'play' else True
        listener = self.play(edge)
        self.assertLess(self.gone(listener, 2), 2 * SCALE)
        self.assertIn('refuses the play', edge.wait_told('pull-failed')['reason'])
        # Once more than it was asked.
        self.assertEqual(len(origin.all_told('ask', side='play')), 2)

    def test_where_nobody_listens(self):
        with socket.create_server(('127.0.0.1', 0)) as nobody:
            port = nobody.getsockname()[1]
        edge = self.edge(lambda: f'rtmp://127.0.0.1:{port}/live/')
        listener = self.play(edge)
        self.assertLess(self.gone(listener, 2), 2 * SCALE)
        self.assertIn('refused', edge.wait_told('pull-failed')['reason'])

    def test_an_origin_that_is_mute_from_the_beginning(self):
        mute = Frozen(self)
        edge = self.edge(lambda: mute.url.removesuffix('voice'))
        listener = self.play(edge)
        self.assertLess(self.gone(listener, 5), MOST * SCALE)
        self.assertEqual(len(mute.accepted), 2)
        wait_until(lambda: edge.ping()['pulls'] == 0, 3)
        counters = edge.ping()
        self.assertEqual((counters['pulls_ended'], counters['pulls_failed']), (0, 1))

    def greeted(self, edge, count):
        """Connections that need but say what they play."""
        edge.configure(limits={'strangers_per_address': 2 * count})
        return [self.peer(edge).greet().connect() for _ in range(count)]

    def play_all(self, peers):
        for number, peer in enumerate(peers):
            peer.send(peer.command('play', 3, None, f'voice{number}', stream=1))

    def test_a_crowd_of_pulls_is_no_crowd_of_strangers(self):
        """To its origin an edge is one address, of which 256 strangers may be there: the others wait their turn."""
        origin, edge = self.pair()
        count = 300
        listeners = self.greeted(edge, count)
        # All that come meanwhile are there at once.
        freeze(origin.pid)
        self.play_all(listeners)
        wait_until(lambda: len(edge.all_told('dial')) == 128, 3)
        # No more of them, however long the origin says nothing.
        pause(0.2)
        self.assertEqual(len(edge.all_told('dial')), 128)
        os.kill(origin.pid, signal.SIGCONT)
        begin = time.monotonic()
        wait_until(lambda: len(edge.all_told('pulled')) == count, 5)
        print(f'# {count} pulls were opened in {(time.monotonic() - begin) * 1000:.0f} ms')
        self.assertEqual(len(edge.all_told('dial')), count)
        self.assertEqual(origin.ping()['refused']['address'], 0)
        counters = edge.ping()
        self.assertEqual((counters['pulls'], counters['pulls_failed']), (count, 0))

    def test_a_crowd_of_pulls_from_a_mute_origin(self):
        """Who waits for a turn is told in time, too, and waits for nobody who wants another origin."""
        mute, good = Frozen(self), self.relay()
        edge = self.edge(lambda: mute.url.removesuffix('voice'))
        edge.allow = lambda ask: ask['side'] == 'push' or {
            'relay_from': (f'{good.url}/voice' if ask['stream'] == 'good' else mute.url)}
        push = self.push(good)
        push.frame(0, HEADER)
        listeners = self.greeted(edge, 200)
        begin = time.monotonic()
        self.play_all(listeners)
        self.assertEqual(self.heard(self.play(edge, 'good'), 1), [HEADER])
        wait_until(lambda: len(edge.all_told('done')) == len(listeners), 5)
        self.assertLess(time.monotonic() - begin, MOST * SCALE)
        reasons = [each['reason'] for each in edge.all_told('pull-failed')]
        self.assertEqual(len(reasons), len(listeners))
        self.assertGreater(sum('says nothing' in reason for reason in reasons), 127)
        self.assertEqual(edge.ping()['pulls'], 1)

    def test_a_gateway_that_gives_no_socket(self):
        origin, edge = self.pair()
        edge.dial = lambda message: edge.say(op='link', n=message['n'], stream=message['stream'], reason='no way')
        listener = self.play(edge)
        self.assertLess(self.gone(listener, 2), 2 * SCALE)
        self.assertEqual(edge.wait_told('pull-failed')['reason'], f'127.0.0.1:{origin.port}: no way')
        edge.dial = lambda message: None
        listener = self.play(edge)
        self.assertLess(self.gone(listener, 5), MOST * SCALE)
        # A late answer, or one to nothing, does no harm.
        with socket.socket() as idle:
            edge.say(op='link', n=1, stream='voice', reason='', gift=idle)
            edge.say(op='link', n=99, stream='nobody', reason='', gift=idle)
            edge.say(op='ping', n=7, gift=idle)
        edge.wait_told('pong', n=7)
        self.assertTrue(origin.ping())
        wait_until(lambda: edge.descriptors() <= edge.ping()['fds'] + 4, 3)

    def test_an_address_that_is_none(self):
        for url, reason in (('rtmp://origin/live/voice', 'numeric'),
                            ('rtmps://127.0.0.1:1935/live/voice', '127.0.0.1:1935: the origin wants TLS')):
            edge = self.relay(allow=lambda ask: {'relay_from': url})
            self.assertLess(self.gone(self.play(edge), 2), 2 * SCALE)
            self.assertIn(reason, edge.wait_told('pull-failed')['reason'])

    def test_hostile_origins(self):
        def more(bytes_):
            return lambda peer: peer.sendall(bytes_) or True

        audio = Peer.message(None, AUDIO, b'\xaf\x01' + bytes(50000), 0, 1, channel=4)
        tiny = Peer.message(None, AUDIO, b'\xaf', 0, 1, channel=4)
        flicker = Peer.message(None, 4, BEGIN + bytes([0, 0, 0, 1]), channel=2) + \
            Peer.message(None, 4, EOF + bytes([0, 0, 0, 1]), channel=2)
        ping = Peer.message(None, 4, b'\0\6' + bytes(4), channel=2)
        for name, words, then, reason in (
                ('faster than a push may', accepted(), more(audio), 'more than a push'),
                ('messages of one byte', accepted(), more(tiny * 100), 'more than a push'),
                ('begins and ends', accepted(), more(flicker * 20), 'more than a push'),
                ('pings without end', accepted(), more(ping * 4000), 'answers'),
                ('a message of 16 MB', accepted() + b'\4' + bytes(3) + b'\xff' * 3 + b'\x08' + bytes(4), None,
                 'longer than allowed'),
                ('a chunk size of 0', accepted() + Peer.message(None, 1, bytes(4), channel=2), None, 'chunk size'),
                ('another version', b'\6' + bytes(3072), None, 'version'),
                ('media before the play', b'\3' + bytes(3072) + tiny, None, 'before the play'),
                ('a drop of a word at a time', b'', lambda peer: peer.send(b'\3') and not pause(0.2), 'too long')):
            with self.subTest(name):
                origin = Frozen(self, words, then)
                edge = self.edge(lambda: origin.url.removesuffix('voice'))
                before = edge.memory()
                listener = self.play(edge)
                self.gone(listener, 8)
                self.assertIn(reason, edge.wait_told('pull-failed')['reason'])
                # A sanitiser keeps what was freed.
                if SCALE == 1:
                    self.assertLess(edge.memory() - before, 8 << 20)
                self.witness(edge)(5)

    def test_a_push_of_the_name_takes_the_place_of_its_pull(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        listener = self.play(edge)
        self.heard(listener, 1)
        here = self.push(edge)
        here.frame(0, HEADER + b'here')
        self.assertEqual(self.heard(listener, 2)[1], HEADER + b'here')
        self.assertEqual(self.statuses(listener), [BEGIN, EOF, BEGIN])
        counters = edge.ping()
        self.assertEqual((counters['pulls'], counters['pushes']), (0, 1))
        # Who comes now hears it, too, whatever the answer names.
        self.assertEqual(self.heard(self.play(edge), 1), [HEADER + b'here'])
        self.assertEqual(len(edge.all_told('dial')), 1)

    def test_a_drop_of_its_push_cuts_a_pull(self):
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        listener = self.play(edge)
        self.heard(listener, 1)
        edge.drop('push', 'voice', 77)
        self.assertEqual(edge.ping()['pulls'], 1)
        edge.drop('push', 'voice')
        self.assertEqual(edge.ping()['pulls'], 0)
        listener.wait(lambda: self.statuses(listener) == [BEGIN, EOF])
        edge.drop('play', 'voice')
        self.gone(listener, 1)

    def test_over_ipv6(self):
        origin = self.relay(host='::1')
        edge = self.edge(lambda: f'{origin.url}/')
        push = self.push(origin, host='::1')
        push.frame(0, HEADER)
        self.assertEqual(self.heard(self.play(edge), 1), [HEADER])

    def test_it_costs_no_time(self):
        """Each frame by the edge, and directly."""
        origin, edge = self.pair()
        push = self.push(origin)
        push.frame(0, HEADER)
        direct = self.play(origin)
        self.heard(direct, 1)

        def opened(at):
            begin = time.monotonic()
            peer = self.play(at)
            self.heard(peer, 1)
            return time.monotonic() - begin, peer
        first, pulled = opened(edge)
        # The best of some: each is a single moment of four processes.
        later, plain = (min(opened(at)[0] for _ in range(4)) for at in (edge, origin))
        added = []
        for number in range(100):
            push.frame(20 * number, frame(number))
            for each in (direct, pulled):
                each.wait(lambda: len(each.media()) == number + 2)
            added.append(pulled.media()[-1][0] - direct.media()[-1][0])
        median = statistics.median(added)
        print(f'# first listener {first * 1000:.1f} ms, later {later * 1000:.1f}, directly {plain * 1000:.1f}; '
              f'each frame later by {median * 1000:.2f} ms, at most {max(added) * 1000:.2f}')
        self.assertLess(first, 0.3 * SCALE)
        self.assertLess(later - plain, 0.01 * SCALE)
        self.assertLess(median, 0.002 * SCALE)


if __name__ == '__main__':
    tap.main()
