# SPDX-License-Identifier: LGPL-2.1-or-later
"""Play keys of a channel's mix: agora-web makes it, and players hear all who speak, and silence while nobody does."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy

import heard
import tap
from channel import ChannelCase
from harness import send_signal
from keyrig import PLAY_PATH as PATH
from keyrig import KeyCase

LONG = '--long' in sys.argv


class MixCase(KeyCase):
    """With speakers as those of ChannelCase."""

    APP, room = ChannelCase.APP, 'room'
    line, where, speak, speech = ChannelCase.line, ChannelCase.where, ChannelCase.speak, ChannelCase.speech
    wav, assert_heard, assert_together = ChannelCase.wav, ChannelCase.assert_heard, ChannelCase.assert_together

    def serve(self, *options):
        self.served = self.gate = self.gateway(
            f'--admin-token-file={self.secret}', f'--state-dir={self.state}', '--app=demo', '--max-admin-requests-per-second=1000',
            *(options or ['--relay-workers=2', '--web', '--web-workers=1']), ready_timeout=20)

    def mix_key(self, channel='room'):
        return self.must('POST', PATH, {'appid': 'demo', 'cname': channel, 'mix': True})

    def children(self, name):
        """Their pids."""
        found = subprocess.run(['pgrep', '-P', str(self.served.pid), name], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def worker(self):
        """The pid of agora-web; nothing: there is none just now."""
        return next(iter(self.children('agora-web')), None)


class Player:
    """ffmpeg, which writes what it hears while it hears it."""

    def __init__(self, case, url):
        self.case, self.path = case, case.tmp / 'played.raw'
        self.process = case.foreign(
            'ffmpeg', '-nostdin', '-v', 'error', '-probesize', '4096', '-analyzeduration', '300000', '-i', url, '-vn',
            '-f', 's16le', '-ac', '1', '-ar', str(heard.RATE), '-flush_packets', '1', self.path, quiet_errors=True)

    def seconds(self):
        return self.path.stat().st_size / 2 / heard.RATE if self.path.exists() else 0

    def until(self, seconds):
        """So many seconds more are there."""
        end = self.seconds() + seconds
        self.case.until(lambda: self.seconds() > end, f'{seconds} s more of sound', 20 + seconds)

    def sound(self, begin, end=None):
        raw = self.path.read_bytes()
        samples = numpy.frombuffer(raw[:len(raw) // 2 * 2], dtype='<i2')[int(begin * heard.RATE):]
        return (samples[:int((end - begin) * heard.RATE)] if end else samples).astype(numpy.float64) / 32768


class Mix(MixCase):
    def connections(self):
        """Those of TCP that the worker has."""
        mine = set()
        for each in Path('/proc', str(self.worker()), 'fd').iterdir():
            try:
                mine.add(os.readlink(each))
            except FileNotFoundError:  # closed meanwhile
                pass
        lines = [line.split() for name in ('tcp', 'tcp6') for line in Path('/proc/net', name).read_text().splitlines()[1:]]
        return sum(f'socket:[{words[9]}]' in mine for words in lines)

    def test_all_who_speak(self):
        """Two at once, silence after them, another one by another worker; and the key's end."""
        made = self.mix_key()
        self.assertEqual(made['url'], f'{self.served.rtmp.removesuffix("/live")}/mix/{made["key"]}')
        self.assertEqual(self.connections(), 0)
        player = Player(self, made['url'])
        # Nobody is there, and time goes on.
        player.until(2)
        self.assertEqual([(each['mix'], each['in_use'], each['players']) for each in self.keys(PATH)], [(True, True, 1)])
        begin = player.seconds()
        voices, speakers = [], []
        for uid, name in ((8, 'allison'), (9, 'carlo')):
            voice, said = self.speech(name, 8)
            voices.append(voice)
            speakers.append(self.speak(self.wav(name, said), uid))
        for speaker in speakers:
            self.assertEqual(speaker.wait(30), 0, speaker.tail())
        player.until(2)
        sound = player.sound(begin)
        self.assert_together(voices, sound, [heard.shift(voice, sound) for voice in voices])
        # Neither of them is there any more.
        quiet = player.seconds()
        player.until(2)
        self.assertLess(numpy.abs(player.sound(quiet)).max(), 0.002)

        old = self.worker()
        os.kill(old, signal.SIGKILL)
        self.until(lambda: self.worker() not in (None, old), 'another worker', 20)
        player.until(1)
        begin = player.seconds()
        voice, said = self.speech('june', 6)
        self.assertEqual(self.speak(self.wav('june', said), 10).wait(30), 0)
        player.until(2)
        self.assert_heard(voice, player.sound(begin))

        self.must('DELETE', f'{PATH}?appid=demo&id={made["id"]}')
        player.process.wait(10)
        self.until(lambda: self.connections() == 0, 'the end of its feed', 30)
        self.assertNotIn(made['key'], self.served.output())

    def test_players_share_it(self):
        """However many keys and players, the worker has one more member and one push."""
        keys = [self.mix_key(), self.mix_key()]
        plays = [self.peer(key['url'], 'play', app='mix') for key in keys for _ in range(3)]
        for play, code in plays:
            self.assertEqual(code, 'NetStream.Play.Start')
            play.wait(lambda play=play: len(play.media()) > 20, what='sound')
        self.assertEqual(self.connections(), 2)
        self.must('DELETE', f'{PATH}?appid=demo&id={keys[0]["id"]}')
        for play, _ in plays[:3]:
            self.assertTrue(play.closed())
        for play, _ in plays[3:]:
            count = len(play.media())
            play.wait(lambda play=play, count=count: len(play.media()) > count + 20, what='more sound')

    def test_the_relay_dies(self):
        """Players are cut, as all are; who comes again finds the mix pushed to the next one."""
        made = self.mix_key()
        for number in (signal.SIGKILL, signal.SIGSTOP):
            play, code = self.peer(made['url'], 'play', app='mix')
            self.assertEqual(code, 'NetStream.Play.Start')
            play.wait(lambda play=play: len(play.media()) > 20, what='sound')
            relays = self.children('agora-relay')
            for pid in relays:
                send_signal(pid, number)
            # What is frozen is ended by the gateway.
            self.assertTrue(play.closed(20))
            self.until(lambda gone=relays: len(now := self.children('agora-relay')) == 2 and not set(now) & set(gone),
                       'other workers', 20)
        play, code = self.peer(made['url'], 'play', app='mix')
        play.wait(lambda: len(play.media()) > 20, what='sound')
        self.assertEqual(self.connections(), 2)

    def test_a_gateway_that_drains(self):
        """Players can't be told to move, and hear nobody when all have: it doesn't wait for them."""
        self.served.terminate()
        self.serve('--web', '--web-workers=1', '--drain=60')
        play, _ = self.peer(self.mix_key()['url'], 'play', app='mix')
        play.wait(lambda: len(play.media()) > 20, what='sound')
        self.assertEqual(self.served.terminate(20), 0)

    def test_ffmpeg(self):
        self.assert_played(['ffmpeg'], self.key(), self.mix_key())

    def test_other_players(self):
        if not LONG:
            self.skipTest('with --long')
        self.assert_played(['ffmpeg -c copy', 'ffplay, low delay', 'rtmp2src', 'playbin3', 'mpv', 'VLC'], self.key(), self.mix_key())


class Interface(MixCase):
    def assert_refused(self, status, field, **asked):
        got, answer = self.call('POST', PATH, {'appid': 'demo', 'cname': 'room', **asked})
        self.assertEqual((got, answer.get('field')), (status, field), answer)
        return answer['message']

    def test_keys(self):
        self.assertEqual(self.assert_refused(400, 'uid', uid=8, mix=True),
                         'uid: expected a speaker\'s uid, or "mix": true in its place, not 8')
        self.assertEqual(self.assert_refused(400, 'uid'), 'uid: expected a speaker\'s uid, or "mix": true in its place')
        self.assert_refused(400, 'uid', mix=False)
        self.assert_refused(400, 'uid', uid=0)
        self.assert_refused(400, 'mix', mix='yes')
        made, one = self.mix_key(), self.key(path=PATH)
        self.assertEqual([(each['id'], each.get('uid'), each['mix']) for each in self.keys(PATH)],
                         [(made['id'], None, True), (one['id'], 8, False)])
        # A stream key has a uid, whatever else is said.
        status, answer = self.call('POST', '/dev/v1/stream-key', {'appid': 'demo', 'cname': 'room', 'mix': True})
        self.assertEqual((status, answer['field']), (400, 'uid'))
        # Each by its own path, and nothing is pushed.
        self.assertEqual(self.peer(made['url'], 'play', app='live')[1], 'NetStream.Play.Failed')
        self.assertEqual(self.peer(one['url'], 'play', app='mix')[1], 'NetStream.Play.Failed')
        for app in ('live', 'mix'):
            self.assertEqual(self.peer(made['url'], 'publish', app=app)[1], 'NetStream.Publish.Denied')
        self.served.wait_line(rf'Operator: play-key-make app=demo channel=room key={made["id"]} plays=mix ')

    def test_without_agora_web(self):
        made = self.mix_key()
        self.served.terminate()
        port = urlsplit(made['url']).port
        self.serve(f'--rtmp-listen=127.0.0.1:{port}')
        self.assertEqual(self.peer(made['url'], 'play', app='mix')[1], 'NetStream.Play.Failed')
        self.served.wait_line('Refused a play .*: mixes are made by agora-web: start the gateway with --web')
        self.assertEqual(self.assert_refused(501, 'mix', mix=True), 'mix: it is made by agora-web: start the gateway with --web')
        # It is still there, for when that is.
        self.must('DELETE', f'{PATH}?appid=demo&id={made["id"]}')


if __name__ == '__main__':
    sys.argv[:] = [word for word in sys.argv if word != '--long']
    tap.main()
