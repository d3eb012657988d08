# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-relay behind a real gateway, with programs of the field: each pushes a recorded voice, each records it.

--long: each pusher with each player, and a reader that stands still for a minute.
"""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy

import heard
import programs
import tap
from harness import SCALE, Case, freeze
from relayrig import DATA, VIDEO, Peer, Relay, pause, relay_binary
from wsclient import Member

sys.path.append(str(Path(__file__).resolve().parents[1] / 'field'))
import rtmp  # noqa: E402

LONG = '--long' in sys.argv
sys.argv = [word for word in sys.argv if word != '--long']
# Silence before the first word: the slowest of eight players that start at once is there by then.
# ffplay leaves out up to a second at the end.
LEAD, VOICE, TAIL = 5, 5, 1.5


class RelayCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.gate = self.gateway(f'--relay={relay_binary()}', *self.options)
        self.count = 0

    def member(self, room, uid, role='broadcaster'):
        member = Member(self.gate.ws, channel=room, uid=uid, heartbeat=True).join(role)
        self.addCleanup(member.close)
        return member

    def folder(self):
        self.count += 1
        path = self.tmp / str(self.count)
        path.mkdir()
        return path

    def voice(self):
        """The voice, and the file in which it follows silence."""
        voice = heard.voice('alsa', VOICE)
        path = self.tmp / 'voice.wav'
        heard.write(path, numpy.concatenate([heard.silence(LEAD), voice, heard.silence(TAIL)]))
        path.chmod(0o644)
        return voice, path

    def have(self, table):
        """What is installed of a table; the rest is told."""
        found = {}
        for name, row in table.items():
            why = programs.missing(row[0])
            if why:
                print(f'# {name}: {why}', file=sys.__stdout__, flush=True)
            else:
                found[name] = row
        return found

    def push(self, name, wav, url):
        process = self.start(*programs.PUSHERS[name][1](wav, url, self.folder()), quiet_errors=True)
        process.name = f'{name} (push)'
        return process

    def play(self, name, url):
        folder = self.folder()
        _, words, environment = programs.PLAYERS[name]
        out = folder / 'heard'
        process = self.start(*words(url, out, folder), quiet_errors=True,
                             env={key: value.format(out=out) for key, value in environment.items()})
        process.name = f'{name} (play)'
        process.path = out
        return process

    def recorded(self, name, process):
        """What was heard; of ffplay's raw file at each rate that it may have, which only the right one survives."""
        if not name.startswith('ffplay'):
            return [heard.read(process.path)]
        rates = (heard.RATE, 44100)
        raw = [*programs.FFMPEG, '-f', 's16le', '-ac', '1']
        for rate in rates:
            subprocess.run([*raw, '-ar', str(rate), '-i', process.path, f'{process.path}-{rate}.wav'], check=True, timeout=60)
        return [heard.read(f'{process.path}-{rate}.wav') for rate in rates]

    def rooms(self, pairs):
        """{room: (pusher, [players])}: pushes all of them at once, and returns {(pusher, player): Match}."""
        voice, wav = self.voice()
        hosts = {room: self.member(room, 8) for room in pairs}
        guests = {(room, player): self.member(room, 20 + number, 'audience')
                  for room, (_, players) in pairs.items() for number, player in enumerate(players)}
        pushes = {room: self.push(pusher, wav, hosts[room].publish()) for room, (pusher, _) in pairs.items()}
        plays = {}
        for (room, player), guest in guests.items():
            guest.wait_event('stream-added', uid=8, timeout=20)
            plays[room, player] = self.play(player, guest.subscribe(8))
        for room, push in pushes.items():
            with self.subTest(f'{pairs[room][0]} ends well'):
                self.assertEqual(push.wait(40), 0, push.tail())
        # The members leave, and their sessions are cut: each player closes its file.
        for guest in guests.values():
            guest.must('leave', uid=guest.uid)
        results = {}
        for (room, player), play in plays.items():
            pair = (pairs[room][0], player)
            with self.subTest(f'{pair[0]} heard by {player}'):
                play.wait(15)
                match = max((heard.match(voice, sound) for sound in self.recorded(player, play)), key=lambda each: each.correlation)
                results[pair] = match
                print(f'# {pair[0]} -> {player}: {match}', file=sys.__stdout__, flush=True)
                self.assertTrue(match.good(), f'{pair}: {match}\n{play.tail()}')
        return results


class Voices(RelayCase):
    def test_each_pusher(self):
        print(f'# {programs.versions()}', file=sys.__stdout__, flush=True)
        pushers = self.have(programs.PUSHERS)
        self.rooms({f'room-{number}': (pusher, ['ffmpeg']) for number, pusher in enumerate(pushers)})

    def test_each_player(self):
        self.rooms({'room': ('ffmpeg', list(self.have(programs.PLAYERS)))})

    def test_each_with_each(self):
        if not LONG:
            self.skipTest('with --long')
        players = list(self.have(programs.PLAYERS))
        for pusher in self.have(programs.PUSHERS):
            # flvdemux fails where a picture comes first that isn't linked: playbin3 is there for it.
            able = [each for each in players if pusher != 'OBS' or not each.startswith('rtmp')]
            self.rooms({f'room-{self.count}': (pusher, able)})


class Ear:
    """What a player gives, as it gives it, by a FIFO. ffmpeg does so as soon as it can, ffplay in the rhythm of sound."""

    def __init__(self, case, url, player):
        fifo = case.folder() / 'sound'
        os.mkfifo(fifo)
        # For writing, too: so that it neither waits for ffplay nor ends with it.
        self.fifo = os.open(fifo, os.O_RDWR)
        self.blocks = []  # (monotonic second at which it was played, samples)
        self.over = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        words = {'ffmpeg': [*programs.FFMPEG, '-y', '-i', url, '-f', 's16le', fifo], 'ffplay': [*programs.FFPLAY, url]}
        self.process = case.start(*words[player], quiet_errors=True,
                                  env={key: value.format(out=fifo) for key, value in programs.SDL_FILE.items()})
        case.addCleanup(self.stop)

    def _listen(self):
        while not self.over:
            if select.select([self.fifo], [], [], 0.1)[0]:
                data = os.read(self.fifo, 65536)
                self.blocks.append((time.monotonic(), numpy.frombuffer(data, '<i2') / 32768))

    def stop(self):
        self.over = True
        self.thread.join()
        os.close(self.fifo)

    def between(self, begin, end):
        """When the first block came, and what was played from then on."""
        blocks = [(at, block) for at, block in list(self.blocks) if begin <= at < end]
        return blocks[0][0], numpy.concatenate([block for _, block in blocks])


def talk(seconds):
    """Talk in which no second sounds like another."""
    sounds = [heard.read(path) for name in ('allison', 'carlo', 'june', 'alsa') for path in heard.VOICES[name]]
    whole = numpy.concatenate(sounds)
    if len(whole) < seconds * heard.RATE:
        raise AssertionError('not enough talk')
    return whole[:int(seconds * heard.RATE)]


class Freeze(RelayCase):
    """Readers as anybody starts them, with all that the kernel keeps for them, stand still for a while."""

    def freeze(self, frozen, players):
        """player -> by how much later it is afterwards than it was before, in seconds."""
        before, after = 8, 6
        sent = talk(before + frozen + after + 6)
        wav = self.tmp / 'talk.wav'
        heard.write(wav, sent)
        host = self.member('room', 8)
        begin = time.monotonic()
        self.push('ffmpeg', wav, host.publish())
        ears = {}
        for number, player in enumerate(players):
            guest = self.member('room', 9 + number, 'audience')
            guest.wait_event('stream-added', uid=8, timeout=15)
            ears[player] = Ear(self, guest.subscribe(8), player)
        for ear in ears.values():
            self.until(lambda ear=ear: len(ear.blocks) > 20, 'sound', 20)
        pause(3)
        at = time.monotonic()
        for ear in ears.values():
            freeze(ear.process.pid)
        pause(frozen)
        for ear in ears.values():
            os.kill(ear.process.pid, signal.SIGCONT)
        back = time.monotonic()
        pause(after)
        # Before the push ends. ffplay's SDL always warns of its driver.
        if 'ffmpeg' in ears:
            self.assertEqual(ears['ffmpeg'].process.output('err'), '')
        grown = {}
        for player, ear in ears.items():
            def late(first, last, ear=ear):
                when, sound = ear.between(first, last)
                match = heard.match(sound, sent)
                return when - begin - match.shift / heard.RATE, match
            usual, _ = late(at - 2, at)
            again, match = late(back + 1, back + 4)
            print(f'# {player}, frozen for {frozen} s: {usual:.2f} s late before, {again:.2f} s from 1 s after it on; {match}',
                  file=sys.__stdout__, flush=True)
            if player == 'ffmpeg':  # ffplay may be just then where frames were left out
                self.assertGreater(match.correlation, 0.95, match)
            grown[player] = again - usual
        return grown

    def test_for_15_seconds(self):
        grown = self.freeze(15, ['ffmpeg', 'ffplay'])
        self.assertLess(grown['ffmpeg'], 1)
        # Its kernel took most of those 15 seconds while it stood still, and it plays them: the relay can't know.
        self.assertLess(grown['ffplay'], 15 + 1)

    def test_for_a_minute(self):
        if not LONG:
            self.skipTest('with --long')
        self.assertLess(self.freeze(60, ['ffmpeg'])['ffmpeg'], 1)


# What an encoder of each codec sends: its header, a key frame, another frame; of enhanced RTMP but for the first.
VIDEO_CODECS = {
    'AVC': (b'\x17\0\0\0\0\1\x64\0\x1f', b'\x17\1\0\0\0', b'\x27\1\0\0\0'),
    **{name: (b'\x90' + name.encode() + b'header', b'\x91' + name.encode() + bytes(3), b'\xa1' + name.encode() + bytes(3))
       for name in ('avc1', 'hvc1', 'av01', 'vp09')}}
AUDIO_CODECS = {
    'AAC': (b'\xaf\0\x11\x88', b'\xaf\1'),
    **{name: (b'\x90' + name.encode() + b'header', b'\x91' + name.encode()) for name in ('Opus', 'fLaC', 'ac-3', 'mp4a')}}
METADATA = b''.join(rtmp.amf(word) for word in ('@setDataFrame', 'onMetaData', {'audiocodecid': 10}))


class Relayed(RelayCase):
    """Tags as recorded ones would be, from a raw publisher to raw players."""

    def peer(self, call, url):
        parts = urlsplit(url)
        peer = Peer(SimpleNamespace(port=parts.port))
        self.addCleanup(peer.close)
        code = peer.open(call, f'{parts.path.rpartition("/")[2]}?{parts.query}')
        self.assertEqual(code, f'NetStream.{call.title()}.Start')
        return peer

    def publisher(self, url):
        publisher = rtmp.Publisher(url)
        self.addCleanup(publisher.close)
        return publisher

    def test_late_joiner(self):
        """Every codec's header first, a picture from its key frame on, sound at once; each byte as it was sent."""
        rows = {f'{video}-{audio}': (VIDEO_CODECS[video], AUDIO_CODECS[audio])
                for video, audio in zip(VIDEO_CODECS, AUDIO_CODECS)}
        for room, ((header, key, other), (audio_header, audio)) in rows.items():
            with self.subTest(room):
                host, guest = self.member(room, 8), self.member(room, 9, 'audience')
                push = self.publisher(host.publish())
                push.tag(rtmp.SCRIPT, 0, METADATA)
                push.tag(rtmp.VIDEO, 0, header)
                push.tag(rtmp.AUDIO, 0, audio_header)
                for number in range(20):
                    push.tag(rtmp.VIDEO, number * 40, (other if number % 10 else key) + bytes([number]) * 50)
                    push.tag(rtmp.AUDIO, number * 40, audio + bytes([number]) * 20)
                guest.wait_event('stream-added', uid=8, timeout=15)
                play = self.peer('play', guest.subscribe(8))
                for number in range(25, 45):  # 30 and 40 are key frames
                    push.tag(rtmp.VIDEO, number * 40, (other if number % 10 else key) + bytes([number]) * 50)
                    push.tag(rtmp.AUDIO, number * 40, audio + bytes([number]) * 20)
                play.wait(lambda: len(play.media()) == 21 and len(play.media(VIDEO)) == 16, what='all frames')
                self.assertEqual([body for _, _, body in play.media()],
                                 [audio_header, *(audio + bytes([number]) * 20 for number in range(25, 45))])
                self.assertEqual([body for _, _, body in play.media(VIDEO)],
                                 [header, *((other if number % 10 else key) + bytes([number]) * 50 for number in range(30, 45))])
                self.assertEqual([stamp for _, stamp, _ in play.media(VIDEO)][1:], [number * 40 for number in range(30, 45)])
                data = [body for _, kind, _, body in play.messages if kind == DATA and b'onMetaData' in body]
                self.assertEqual(data, [METADATA[len(rtmp.amf('@setDataFrame')):]])

    def test_kick(self):
        """From the answer to `unpublish` on nothing more is heard, but for what was on its way."""
        host, guest = self.member('room', 8), self.member('room', 9, 'audience')
        push = self.publisher(host.publish())
        push.tag(rtmp.AUDIO, 0, AUDIO_CODECS['AAC'][0])
        guest.wait_event('stream-added', uid=8, timeout=15)
        play = self.peer('play', guest.subscribe(8))
        over = threading.Event()

        def speak():
            number = 0
            while not over.wait(0.01):
                try:
                    push.tag(rtmp.AUDIO, number * 10, AUDIO_CODECS['AAC'][1] + bytes(100))
                except OSError:
                    return
                number += 1
        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        self.addCleanup(speaker.join)
        self.addCleanup(over.set)
        play.wait(lambda: len(play.media()) > 50, what='sound')
        host.must('unpublish', uid=8)
        # What came before is stamped when it is read, which is now.
        answered = time.monotonic()
        try:
            play.read(0.5)
        except ConnectionError:
            pass
        last = max(at for at, _, _ in play.media())
        print(f'# the last sound came {(last - answered) * 1000:.1f} ms after the kick was answered', file=sys.__stdout__, flush=True)
        # It would go on for the half second that is listened.
        self.assertLess(last - answered, 0.3)


class Bounds(RelayCase):
    options = ('--max-push-kbps=128',)

    def test_bit_rate(self):
        host, other = self.member('loud', 8), self.member('room', 8)
        voice, wav = self.voice()
        guest = self.member('room', 9, 'audience')
        begin = time.monotonic()
        # 16 bits, 44.1 kHz: 706 kbit/s.
        loud = self.start('ffmpeg', '-v', 'error', '-nostdin', '-re', '-i', wav, '-c:a', 'pcm_s16le', '-ar', '44100', '-f', 'flv',
                          host.publish(), quiet_errors=True)
        good = self.push('ffmpeg', wav, other.publish())
        guest.wait_event('stream-added', uid=8, timeout=15)
        play = self.play('ffmpeg', guest.subscribe(8))
        self.assertNotEqual(loud.wait(10), 0, loud.tail())
        print(f'# 706 kbit/s are cut after {time.monotonic() - begin:.1f} s', file=sys.__stdout__, flush=True)
        self.assertEqual(good.wait(30), 0, good.tail())
        guest.must('leave', uid=9)
        play.wait(10)
        match = heard.match(voice, *self.recorded('ffmpeg', play))
        self.assertTrue(match.good(), match)


# What each says of a name that another one pushes; None: it says nothing, and ends.
BUSY = {
    'ffmpeg': 'Already publishing', 'ffmpeg -c copy': 'Already publishing', 'ffmpeg, H.264 beside': 'Already publishing',
    'ffmpeg, MP3': 'Already publishing', 'rtmp2sink': 'BadName|in use|denied|exists', 'rtmpsink (librtmp)': 'Could not connect|connect',
    'VLC': 'Already publishing|error', 'OBS': 'OBS says stop: (invalid stream|connect failed)',
}


class Alone(Case):
    """The relay without a gateway: what a gateway wouldn't let happen, and what it is asked."""

    folder, have, push, voice = RelayCase.folder, RelayCase.have, RelayCase.push, RelayCase.voice

    def setUp(self):
        super().setUp()
        self.count = 0
        self.relay = self.keep(Relay())

    def test_busy_name(self):
        first = Peer(self.relay)
        self.addCleanup(first.close)
        self.assertEqual(first.open('publish', 'voice'), 'NetStream.Publish.Start')
        over = threading.Event()

        def speak():
            number = 0
            while not over.wait(0.1):
                first.frame(number * 100)
                number += 1
        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        self.addCleanup(speaker.join)
        self.addCleanup(over.set)
        _, wav = self.voice()
        refused = {name: self.push(name, wav, f'{self.relay.url}/voice?a=b') for name in self.have(programs.PUSHERS)}
        for name, push in refused.items():
            with self.subTest(name):
                status = push.wait(20)
                words = [line for line in push.output().splitlines() if re.search(BUSY[name], line)]
                print(f'# {name} of a busy name: status {status}: {words[-1:]}', file=sys.__stdout__, flush=True)
                self.assertTrue(words, push.tail())
        self.assertEqual(self.relay.ping()['pushes'], 1)

    def test_complex_connects(self):
        """How programs may write the same: what the gateway is asked is the same, too."""
        _, wav = self.voice()
        base = self.relay.url
        ffmpeg = [*programs.FFMPEG, '-re', '-i', wav, *programs.AAC]
        lines = {
            'plain': [*ffmpeg, '-f', 'flv', f'{base}/NAME?a=b&c=d'],
            'tcUrl without a port': [*ffmpeg, '-rtmp_tcurl', 'rtmp://127.0.0.1/live', '-f', 'flv', f'{base}/NAME?a=b&c=d'],
            'tcUrl of another host': [*ffmpeg, '-rtmp_tcurl', 'rtmp://voice.example:1936/live', '-f', 'flv', f'{base}/NAME?a=b&c=d'],
            'strokes at the end': [*ffmpeg, '-rtmp_tcurl', f'{base}/', '-rtmp_app', 'live/', '-f', 'flv', f'{base}/NAME?a=b&c=d'],
            'arguments with the app': [*ffmpeg, '-rtmp_app', 'live?a=b&c=d', '-rtmp_playpath', 'NAME', '-f', 'flv', base],
            'arguments with tcUrl': [*ffmpeg, '-rtmp_app', 'live', '-rtmp_tcurl', f'{base}?a=b&c=d', '-rtmp_playpath', 'NAME', '-f',
                                     'flv', base],
            'librtmp, in pieces': [
                *programs.gst(f'{programs.FLV} ! rtmpsink'.format(wav=wav)),
                f'location="{base} app=live/ tcUrl={base}/ playpath=NAME?a=b&c=d live=1"'],
        }
        for number, (name, words) in enumerate(lines.items()):
            with self.subTest(name):
                stream = f'voice{number}'
                push = self.start(*(str(word).replace('NAME', stream) for word in words), quiet_errors=True)
                ask = self.relay.wait_told('ask', stream=stream)
                self.assertEqual((ask['app'], ask['args']), ('live', 'a=b&c=d'))
                self.until(lambda: self.relay.ping()['bytes_in'] > 10000 and push.running(), 'sound')
                push.terminate()
                self.relay.wait_told('done', stream=stream)


if __name__ == '__main__':
    tap.main()
