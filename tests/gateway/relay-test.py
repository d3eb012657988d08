# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-relay alone: who hears what and when, what strangers get, and what of it the gateway is told."""

import contextlib
import os
import signal
import socket
import ssl
import time

import heard
import numpy
import tap
from harness import SCALE, mostly, wait_until
from relayrig import RelayCase, pause, relay_binary
from tlsrig import Authority

AAC_HEADER = b'\xaf\x00\x11\x88'
OPUS_HEADER = b'\x90Opus' + b'OpusHead' + bytes(11)
FRAME_S = 0.02


def speak(push, begin, count, stamp=0):
    """Frames of 20 ms, in time from `begin` on; their timestamps are their times."""
    for i in range(count):
        pause(begin + i * FRAME_S - time.monotonic())
        push.frame(stamp + int(i * FRAME_S * 1000))


class Programs(RelayCase):
    """ffmpeg and GStreamer from one end to the other."""

    def ffmpeg_push(self, url, *codec, seconds=30, video=False):
        inputs = ['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000']
        if video:
            inputs += ['-re', '-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=25', '-c:v', 'flv', '-g', '25']
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', *inputs,
                          *(codec or ('-c:a', 'aac', '-b:a', '48k')), '-t', str(seconds), '-f', 'flv', url,
                          quiet_errors=True)

    def ffmpeg_play(self, url, *more, seconds=1):
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048',
                          '-analyzeduration', '100000', '-i', url, '-t', str(seconds), *more,
                          '-f', 'null', '-', quiet_errors=True)

    def test_ffmpeg(self):
        relay = self.relay()
        push = self.ffmpeg_push(relay.url + '/voice?a=b&c=d')
        ask = relay.wait_told('ask', side='push')
        self.assertEqual((ask['app'], ask['stream'], ask['args'], ask['address']),
                         ('live', 'voice', 'a=b&c=d', '127.0.0.1'))
        play = self.ffmpeg_play(relay.url + '/voice')
        self.assertEqual(play.wait(20), 0)
        copy = self.ffmpeg_play(relay.url + '/voice', '-c', 'copy')
        self.assertEqual(copy.wait(20), 0)
        relay.wait_told('done', side='play')
        push.terminate()
        relay.wait_told('done', side='push', id=ask['id'])
        self.assertEqual(relay.sessions(), [])

    def test_voice(self):
        """A person's voice, from ffmpeg to ffmpeg, decoded and as it is: whole, without a gap."""
        relay = self.relay()
        voice = heard.voice('june', 6)
        heard.write(self.tmp / 'voice.wav', numpy.concatenate([heard.silence(2), voice, heard.silence(2)]))
        listeners = {self.tmp / 'decoded.wav': (), self.tmp / 'copied.flv': ('-c', 'copy')}
        players = []
        for file, codec in listeners.items():
            # They wait for the push.
            players.append(self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-i', relay.url + '/voice',
                                      *codec, '-t', '9', str(file), quiet_errors=True))
        wait_until(lambda: relay.ping()['listeners'] == 2)
        self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-i', str(self.tmp / 'voice.wav'),
                   '-c:a', 'aac', '-b:a', '96k', '-f', 'flv', relay.url + '/voice', quiet_errors=True)
        for file, player in zip(listeners, players):
            self.assertEqual(player.wait(30), 0)
            sound = heard.read(file)
            match = heard.match(voice, sound)
            self.assertTrue(match.good(), (file.name, match))

    def test_video_beside(self):
        relay = self.relay()
        self.ffmpeg_push(relay.url + '/voice', video=True)
        relay.wait_told('ask', side='push')
        # It comes between two key frames.
        pause(1.5)
        play = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-analyzeduration', '3000000', '-i',
                          relay.url + '/voice', '-t', '2', '-map', '0:a', '-map', '0:v', '-f', 'null', '-',
                          quiet_errors=True)
        self.assertEqual(play.wait(20), 0)
        self.assertEqual(play.output('err'), '')

    def test_elements(self):
        relay = self.relay()
        self.launch('audiotestsrc is-live=true ! avenc_aac ! aacparse ! flvmux streamable=true ! '
                    f'rtmp2sink location={relay.url}/voice', '-q')
        relay.wait_told('ask', side='push')
        play = self.launch(f'rtmp2src location={relay.url}/voice num-buffers=50 ! flvdemux ! aacparse ! '
                           'avdec_aac ! fakesink', '-q')
        self.assertEqual(play.wait(20), 0)

    def test_ipv6(self):
        try:
            relay = self.relay(host='::1')
        except OSError as error:
            self.skipTest(f'no IPv6 here: {error}')
        self.ffmpeg_push(relay.url + '/voice')
        self.assertEqual(relay.wait_told('ask', side='push')['address'], '::1')
        self.assertEqual(self.ffmpeg_play(relay.url + '/voice').wait(20), 0)


class Hearing(RelayCase):
    def test_late_joiner(self):
        for header in (AAC_HEADER, OPUS_HEADER):
            with self.subTest(header[:5]):
                relay = self.relay()
                push = self.push(relay)
                push.frame(0, header)
                for stamp in range(0, 1000, 20):
                    push.frame(stamp)
                late = self.play(relay)
                push.frame(1000)
                late.wait(lambda: len(late.media()) >= 2)
                (_, first_stamp, first), (_, stamp, _) = late.media()[:2]
                self.assertEqual(first, header)
                self.assertEqual((first_stamp, stamp), (980, 1000))

    def test_before_the_push(self):
        relay = self.relay()
        early = self.play(relay)
        self.assertEqual(early.read(0.2).media(), [])
        push = self.push(relay)
        push.frame(0, AAC_HEADER)
        push.frame(20)
        early.wait(lambda: len(early.media()) == 2)
        # Gone and back.
        push.close()
        relay.wait_told('done', side='push')
        push = self.push(relay)
        push.frame(0, AAC_HEADER)
        push.frame(20)
        early.wait(lambda: len(early.media()) == 4)
        self.assertEqual(relay.ping()['listeners'], 1)

    def test_busy_name(self):
        relay = self.relay()
        first = self.push(relay)
        second = self.peer(relay)
        self.assertEqual(second.open('publish', 'voice'), 'NetStream.Publish.BadName')
        self.assertTrue(second.closed())
        # The first one is none the worse.
        listener = self.play(relay)
        first.frame(0)
        listener.wait(lambda: listener.media())
        done = relay.wait_told('done', side='push')
        self.assertEqual(done['id'], relay.all_told('ask', side='push')[1]['id'])

    def test_refused(self):
        relay = self.relay(allow=lambda ask: 'not a URL of this gateway')
        for call, code in (('publish', 'NetStream.Publish.Denied'), ('play', 'NetStream.Play.Failed')):
            peer = self.peer(relay)
            self.assertEqual(peer.open(call, 'voice'), code)
            self.assertTrue(peer.closed())
        self.assertEqual(relay.ping()['refused']['denied'], 2)
        self.assertEqual(relay.all_told('done'), [])

    def test_kick(self):
        """Nothing is heard of a push once the relay has done the gateway's word, nor by a player that is cut."""
        relay = self.relay()
        push, other = self.push(relay), self.push(relay, 'other')
        listener, cut = self.play(relay), self.play(relay, 'other')
        for stamp in range(0, 200, 20):
            push.frame(stamp)
            other.frame(stamp)
        listener.wait(lambda: len(listener.media()) == 10)
        cut.wait(lambda: len(cut.media()) == 10)
        at = time.monotonic()
        relay.drop('push', 'voice')
        took = time.monotonic() - at
        print(f'# {took * 1000:.0f} ms')
        self.assertLess(took, 0.5 * SCALE)
        try:
            for stamp in range(200, 2000, 20):
                push.frame(stamp)
        except ConnectionError:
            pass
        self.assertTrue(push.closed())
        self.assertEqual(len(listener.read(0.3).media()), 10)
        number = relay.all_told('ask', side='play', stream='other')[0]['id']
        relay.drop('play', 'other', number + 1)
        self.assertIn(number, relay.sessions())
        at = time.monotonic()
        relay.drop('play', 'other', number)
        self.assertTrue(cut.closed(1))
        relay.wait_told('done', id=number)

    def test_crowd(self):
        """Each of many listeners gets all frames, in order, soon, whether it reads at once or not."""
        relay = self.relay(limits={'strangers_per_address': 2000})
        push = self.push(relay)
        crowd = [self.play(relay) for _ in range(530)]
        begin = time.monotonic()
        for i in range(100):
            pause(begin + i * FRAME_S - time.monotonic())
            push.frame(i * 20)
            for peer in crowd[:3]:
                peer.read()
        for peer in crowd:
            peer.wait(lambda who=peer: len(who.media()) == 100)
            self.assertEqual([stamp for _, stamp, _ in peer.media()], list(range(0, 2000, 20)))
        # Those that were read all the time: when each came.
        late = [at - begin - stamp / 1000 for peer in crowd[:3] for at, stamp, _ in peer.media()]
        self.assertLess(sorted(late)[len(late) // 2], 0.1 * SCALE)

    def test_silent_push_ends(self):
        relay = self.relay(limits={'idle_push_ms': int(1500 * SCALE)})
        push = self.push(relay)
        listener = self.play(relay)
        speak(push, time.monotonic(), 50)
        self.assertTrue(push.closed(4))
        relay.wait_told('done', side='push')
        # Who listens stays.
        self.assertEqual(relay.ping()['listeners'], 1)
        self.assertEqual(len(listener.read(0.1).media()), 50)

    def test_bit_rate(self):
        relay = self.relay(limits={'push_kbps': 256})
        push = self.push(relay)
        with self.assertRaises(ConnectionError):
            for stamp in range(0, 60000, 20):  # 1.2 Mbit/s if it were in time, and it comes faster
                push.frame(stamp, b'\xaf\x01' + bytes(3000))
        counters = wait_until(lambda: (now := relay.ping())['refused']['rate'] and now)
        self.assertLess(counters['bytes_in'], 256_000 / 8 * 5 * 3)
        # As much as it may is let through.
        good = self.push(relay)
        speak(good, time.monotonic(), 50)
        self.assertEqual(relay.ping()['pushes'], 1)


class Freeze(RelayCase):
    SECONDS = float(os.environ.get('AGORA_FREEZE_SECONDS', '8'))

    def test_frozen_listener(self):
        """One that stood still is on time again within a second, and others never noticed."""
        relay = self.relay()
        push = self.push(relay)
        push.frame(0, AAC_HEADER)
        # So that what its own kernel keeps is little of it.
        frozen = self.play(relay, receive_buffer=4096)
        awake = self.play(relay)
        begin = time.monotonic()
        count = int((self.SECONDS + 3) / FRAME_S)
        sent = 0
        sent_at = {}
        while sent < count:
            pause(begin + sent * FRAME_S - time.monotonic())
            # 24 kbit/s of frames, as a voice has; bigger ones fill the kernel sooner.
            stamp = int(sent * FRAME_S * 1000)
            sent_at[stamp] = time.monotonic()
            push.frame(stamp, b'\xaf\x01' + bytes(240))
            sent += 1
            awake.read()
            if time.monotonic() - begin > self.SECONDS + 1:
                frozen.read()
        awake.read(0.1)
        frozen.read(0.1)

        def lateness(peer):
            # Of each frame: when it came, and how much later than it was sent.
            return [(at - begin, at - sent_at[stamp]) for at, stamp, body in peer.media()[1:]]
        self.assertLess(mostly(late for _, late in lateness(awake)), 0.5 * SCALE)
        self.assertEqual(len(awake.media()), count + 1)
        late = [late for at, late in lateness(frozen) if at > self.SECONDS + 2]
        self.assertGreater(len(late), 20)
        self.assertLess(mostly(late), 0.2 * SCALE)
        dropped = relay.ping()['dropped_frames']
        self.assertGreater(dropped, 0)
        self.assertEqual(len(frozen.media()) + dropped, count + 1)
        # What it got is whole, in order.
        stamps = [stamp for _, stamp, _ in frozen.media()[1:]]
        self.assertEqual(stamps, sorted(stamps))


    def test_frozen_player(self):
        """As a player is that plays what comes at its own pace: what its kernel kept for it, it hears
        first, so that has to be little. Its kernel would take ten seconds."""
        relay = self.relay()
        push = self.push(relay)
        push.frame(0, AAC_HEADER)
        frozen, awake = self.play(relay), self.play(relay)
        begin = time.monotonic()
        sent = 0
        sent_at = {}

        def go_on(until, *readers):
            nonlocal sent
            while time.monotonic() - begin < until:
                pause(begin + sent * FRAME_S - time.monotonic())
                stamp = int(sent * FRAME_S * 1000)
                sent_at[stamp] = time.monotonic()
                push.frame(stamp)
                sent += 1
                for reader in readers:
                    reader.read()
        go_on(3, frozen, awake)
        heard_before = len(frozen.media())
        go_on(3 + self.SECONDS, awake)
        mark = time.monotonic()
        frozen.read()
        # What came before it was noticed. What the relay kept, the last second, may be there as well.
        stale = [stamp for _, stamp, _ in frozen.media()[heard_before:] if mark - begin - stamp / 1000 > 1.1]
        self.assertLess(len(stale) * FRAME_S, 3.5)
        go_on(mark - begin + 3, frozen, awake)
        late = [at - sent_at[stamp] for at, stamp, _ in frozen.media() if at > mark + 0.5 * SCALE]
        self.assertGreater(len(late), 20)
        self.assertLess(mostly(late), 0.2 * SCALE)
        # Who read all the time lost nothing.
        awake.wait(lambda: len(awake.media()) == sent + 1)


class Tls(RelayCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.tmp)
        pair = self.authority.sign()
        self.files = [file.read_text(encoding='ascii') for file in pair]
        self.client = ssl.create_default_context(cafile=self.authority.file)

    def test_push_and_play(self):
        relay = self.relay(tls=self.files)
        push = self.push(relay, tls=self.client)
        push.frame(0, AAC_HEADER)
        plain, secure = self.play(relay), self.play(relay, tls=self.client)
        for stamp in range(20, 1020, 20):
            push.frame(stamp)
        push.frame(1020, b'\xaf\x01' + bytes(50000))
        for listener in (plain, secure):
            listener.wait(lambda who=listener: len(who.media()) == 52)
            self.assertEqual([stamp for _, stamp, _ in listener.media()], list(range(0, 1040, 20)))
        relay.drop('push', 'voice')
        self.assertTrue(push.closed(0.5))

    def test_refused(self):
        relay = self.relay(tls=self.files, allow=lambda ask: 'no')
        peer = self.peer(relay, tls=self.client)
        self.assertEqual(peer.open('play', 'voice'), 'NetStream.Play.Failed')
        self.assertTrue(peer.closed())

    def test_strangers(self):
        relay = self.relay(tls=self.files, limits={'opening_ms': 1000})
        silent = socket.create_connection(('127.0.0.1', relay.tls_port))
        wrong = socket.create_connection(('127.0.0.1', relay.tls_port))
        wrong.sendall(b'\3' + bytes(1536))
        half = socket.create_connection(('127.0.0.1', relay.tls_port))
        half.sendall(bytes.fromhex('1603010200010001fc0303'))
        push, listener = self.push(relay, tls=self.client), self.play(relay, tls=self.client)
        push.frame(20)
        listener.wait(lambda: listener.media())
        for each in (silent, wrong, half):
            each.settimeout(3 * SCALE)
            with contextlib.suppress(ConnectionError):
                while each.recv(4096):
                    pass
            each.close()
        refused = relay.ping()['refused']
        self.assertEqual((refused['tls'], refused['deadline']), (1, 2))

    def test_frozen(self):
        """Plain frames wait, not records: they are left out as without TLS."""
        relay = self.relay(tls=self.files)
        relay.configure(report_ms=100)
        push = self.push(relay)
        frozen = self.play(relay, tls=self.client, receive_buffer=4096)
        for stamp in range(0, 18000, 20):
            push.frame(stamp, b'\xaf\x01' + bytes(1400))
        wait_until(lambda: relay.ping()['dropped_frames'] > 300)
        push.frame(18000)
        frozen.wait(lambda: frozen.media() and frozen.media()[-1][1] == 18000)
        heard = [body for _, _, body in frozen.media()]
        self.assertEqual(len(heard) + relay.ping()['dropped_frames'], 901)
        wait_until(lambda: (relay.traffic('sent'), relay.traffic('dropped')) == (len(b''.join(heard)), 901 - len(heard)))

    def test_another_certificate(self):
        relay = self.relay(tls=self.files)
        before = self.push(relay, tls=self.client)
        other = Authority(self.tmp, 'other')
        relay.tls = [file.read_text(encoding='ascii') for file in other.sign('another')]
        relay.configure()
        relay.ping()
        with self.assertRaises(ssl.SSLError):
            self.peer(relay, tls=self.client)
        listener = self.play(relay, tls=ssl.create_default_context(cafile=other.file))
        before.frame(20)
        listener.wait(lambda: listener.media())
        # A wrong one changes nothing.
        relay.tls = ['no certificate', 'no key']
        relay.configure()
        relay.wait_told('log', level='warning')
        self.play(relay, tls=ssl.create_default_context(cafile=other.file))


class Line(RelayCase):
    def test_storm(self):
        """All come at once, from one address, and the gateway takes its time: each is let in."""
        relay = self.relay(limits={'strangers_per_address': 64}, allow=lambda ask: pause(0.001) or True)
        beat = self.witness(relay)
        peers = []
        for _ in range(10):
            some = [self.peer(relay) for _ in range(60)]
            for peer in some:
                peer.send(b'\3' + bytes(1536))
            for peer in some:
                # What players do that know the first stream's number: no answer is waited for.
                peer.send(bytes(1536), peer.message(1, (60000).to_bytes(4, 'big'), channel=2),
                          peer.command('connect', 1, {'app': 'live'}), peer.command('createStream', 2, None),
                          peer.command('play', 3, None, 'witness', stream=1))
            peers += some
        wait_until(lambda: relay.ping()['listeners'] == len(peers) + 1)
        self.assertEqual(relay.ping()['refused']['address'], 0)
        self.assertLess(beat(5), 0.2 * SCALE)

    def test_slow_gateway(self):
        """Questions that nobody answers hold up nothing else, and end with their time."""
        waiting = []
        relay = self.relay(limits={'opening_ms': int(4000 * SCALE), 'strangers_per_address': 4096},
                           allow=lambda ask: True if 'witness' in ask['stream'] else waiting.append(ask))
        push = self.push(relay, 'witness')
        peers = []
        for i in range(300):
            peer = self.peer(relay)
            peer.greet().connect()
            peer.send(peer.command('play', 3, None, f'other{i}', stream=1))
            peers.append(peer)
            push.frame(20 * i)
        self.assertLessEqual(len(waiting), 256)

        def all_over():
            push.frame(20 * len(peers))
            return relay.ping()['connections'] == 1
        wait_until(all_over, 10)
        for ask in waiting:
            relay.say(op='answer', id=ask['id'], allow=True, reason='')
        self.assertTrue(all(peer.closed() for peer in peers))
        self.assertEqual(len(relay.all_told('done')), len(waiting))
        self.play(relay, 'witness')

    def test_end_with_the_line(self):
        relay = self.relay()
        push = self.push(relay)
        relay.line.shutdown(socket.SHUT_RDWR)
        self.assertEqual(relay.wait(2), 0)
        self.assertTrue(push.closed())

    def test_end_by_signal(self):
        relay = self.relay()
        self.push(relay)
        relay.signal(signal.SIGTERM)
        self.assertEqual(relay.wait(2), 0)

    def test_alone(self):
        told = self.start(relay_binary(), quiet_errors=True)
        self.assertEqual(told.wait(5), 2)
        self.assertIn('started by agora-gateway', told.output('err'))

    def test_nothing_to_open(self):
        relay = self.relay()
        status = open(f'/proc/{relay.pid}/status', encoding='utf-8').read()
        self.assertIn('NoNewPrivs:\t1', status)
        if os.environ.get('AGORA_SANITIZE', 'none') == 'none':
            if os.geteuid() == 0:
                self.assertIn('Uid:\t65534\t65534\t65534\t65534', status)
            self.assertIn('Seccomp:\t2', status)


if __name__ == '__main__':
    tap.main()
