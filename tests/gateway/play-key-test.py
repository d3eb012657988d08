# SPDX-License-Identifier: LGPL-2.1-or-later
"""Play keys: whoever plays by one hears one speaker whenever that is on the air, and waits for it else."""

import itertools
import subprocess
import sys
from urllib.parse import urlsplit

import tap
from keyrig import PLAY_PATH as PATH
from keyrig import KeyCase
from relayrig import RelayCase, pause
from tlsrig import Authority

EOF = b'\0\1'
LONG = '--long' in sys.argv


class Steady(RelayCase):
    """agora-relay alone: a play that is moved from push to push."""

    def test_it_goes_from_push_to_push(self):
        relay = self.relay(allow=lambda ask: {'stream': 'nobody'} if ask['side'] == 'play' else True)
        play = self.play(relay, 'key')
        number = relay.wait_told('ask', side='play')['id']
        one, other = self.push(relay, 'one'), self.push(relay, 'other')
        header = b'\xaf\0\x11\x90'

        def hears(push, stamp, body):
            push.frame(stamp, body)
            play.wait(lambda: play.media() and play.media()[-1][2] == body, what='that sound')
        one.frame(5_000_000, header)
        other.frame(77, header)
        play.read(0.1)
        self.assertEqual(play.media(), [])
        # Its own time begins with the first sound, whatever the push's is; the codec's header comes first.
        relay.say(op='move', id=number, stream='one')
        hears(one, 5_000_020, b'\xaf\1one')
        self.assertEqual([body for _, _, body in play.media()], [header, b'\xaf\1one'])
        self.assertEqual(play.media()[0][1], 0)
        # Nobody is there for a while: that time has passed.
        relay.say(op='move', id=number, stream='nobody')
        pause(0.3)
        one.frame(5_000_320, b'\xaf\1unheard')
        relay.say(op='move', id=number, stream='other')
        hears(other, 97, b'\xaf\1other')
        stamps = [stamp for _, stamp, _ in play.media()]
        self.assertGreaterEqual(stamps[-1], 300)
        # A push that ends is no end; a clock that begins anew doesn't go back.
        other.close()
        relay.wait_told('done', side='push')
        other = self.push(relay, 'other')
        for stamp in (0, 20, 40):
            hears(other, stamp, b'\xaf\1again%d' % stamp)
        stamps = [stamp for _, stamp, _ in play.media()]
        self.assertEqual(stamps, sorted(stamps))
        self.assertEqual(stamps[-1] - stamps[-2], 20)
        self.assertNotIn(EOF, [body[:2] for _, kind, _, body in play.messages if kind == 4])
        # What can't be moved is left as it is.
        relay.say(op='move', id=number + 1000, stream='one')
        relay.say(op='move', id=relay.wait_told('ask', stream='one')['id'], stream='two')
        hears(other, 60, b'\xaf\1still')

    def test_others_have_the_pushs_own_time(self):
        relay = self.relay(allow=lambda ask: {'stream': 'one'} if ask['stream'] == 'key' else True)
        one = self.push(relay, 'one')
        plain, steady = self.play(relay, 'one'), self.play(relay, 'key')
        for stamp in (9000, 9020):
            one.frame(stamp)
        for play, stamps in ((plain, [9000, 9020]), (steady, [0, 20])):
            play.wait(lambda play=play: len(play.media()) == 2)
            self.assertEqual([stamp for _, stamp, _ in play.media()], stamps)
        one.close()
        plain.wait(lambda: any(body[:2] == EOF for _, kind, _, body in plain.messages if kind == 4))


class Players(KeyCase):
    def play_key(self, **keywords):
        return self.key(path=PATH, **keywords)

    def listens(self, key):
        play, code = self.peer(key['url'], 'play')
        self.assertEqual(code, 'NetStream.Play.Start')
        return play

    def hears(self, play, push, at):
        """At another worker, it takes a moment until a link is there. `at`: the frames' times."""
        before = len(play.media())
        play.wait(lambda: push.frame(next(at)) or len(play.media()) > before, what='a frame')

    def test_it_waits_and_goes_on(self):
        """For the speaker, over its return, another URL, and whatever worker has what."""
        made = self.play_key()
        self.assertRegex(made['key'], r'^[0-9a-f]{40}$')
        self.assertEqual(made['url'], f'{self.served.rtmp}/{made["key"]}')
        plays = [self.listens(made) for _ in range(4)]
        self.assertEqual([(each['in_use'], each['players']) for each in self.keys(PATH)], [(True, 4)])
        for _ in range(2):
            speaker = self.member(uid=8).join()
            for _ in range(2):
                push, code = self.peer(speaker.publish(), 'publish')
                self.assertEqual(code, 'NetStream.Publish.Start')
                at = itertools.count(0, 20)
                for play in plays:
                    self.hears(play, push, at)
            speaker.must('leave', uid=8)
            self.assertTrue(push.closed())
        for play in plays:
            stamps = [at for _, at, _ in play.media()]
            self.assertEqual(stamps, sorted(stamps))
        # They are in no list.
        self.assertEqual(self.must('GET', '/dev/v1/channel/user/demo/room')['data'], {'channel_exist': False})
        self.must('DELETE', f'{PATH}?appid=demo&id={made["id"]}')
        for play in plays:
            self.assertTrue(play.closed())
        self.assertEqual(self.peer(made['url'], 'play')[1], 'NetStream.Play.Failed')

    def test_one_that_has_paused(self):
        """It is a player as any other: the key's end is its end."""
        made = self.play_key()
        play = self.listens(made)
        play.send(play.command('pause', 0, None, True, 0, stream=1))
        play.wait_word(b'NetStream.Pause.Notify')
        self.must('DELETE', f'{PATH}?appid=demo&id={made["id"]}')
        self.assertTrue(play.closed())

    def test_a_worker_dies(self):
        """Who was at another one goes on."""
        made = self.play_key()
        plays = [self.listens(made) for _ in range(4)]
        speaker = self.member(uid=8).join()
        push, _ = self.peer(speaker.publish(), 'publish')
        at = itertools.count(0, 20)
        for play in plays:
            self.hears(play, push, at)
        workers = subprocess.run(['pgrep', '-P', str(self.served.pid), 'agora-relay'], capture_output=True, text=True,
                                 check=True).stdout.split()
        self.assertEqual(len(workers), 2)
        subprocess.run(['kill', '-9', workers[0]], check=True)
        alive = [play for play in plays if not play.closed(0.5)]
        self.until(lambda: self.keys(PATH)[0]['players'] == len(alive), 'that they are counted')
        if push.closed(0.5):
            push, _ = self.peer(speaker.publish(), 'publish')
        alive.append(self.listens(made))
        for play in alive:
            self.hears(play, push, at)

    def test_the_interface(self):
        plays, pushes = self.play_key(uid=8), self.key(uid=8)
        # One is not the other.
        self.assertEqual(self.peer(plays['url'], 'publish')[1], 'NetStream.Publish.Denied')
        self.assertEqual(self.peer(pushes['url'], 'play')[1], 'NetStream.Play.Failed')
        self.assertEqual([each['id'] for each in self.keys(PATH)], [plays['id']])
        self.assertEqual([each['id'] for each in self.keys()], [pushes['id']])
        self.assertEqual(self.call('DELETE', f'{PATH}?appid=demo&id={pushes["id"]}')[0], 404)
        status, answer = self.call('POST', PATH, {'appid': 'demo', 'cname': 'room'})
        self.assertEqual((status, answer['field']), (400, 'uid'))
        # Neither is forgotten, nor known by the file alone.
        self.assertNotIn(plays['key'], self.file.read_text())
        port = urlsplit(self.served.rtmp).port
        log = self.served
        self.served.terminate()
        self.serve(f'--rtmp-listen=127.0.0.1:{port}')
        self.listens(plays)
        self.must('DELETE', f'{PATH}?appid=demo&id={plays["id"]}')
        for process, deed in ((log, 'make'), (self.served, 'end')):
            process.wait_line(rf'Operator: play-key-{deed} app=demo channel=room uid=8 key={plays["id"]} ')
            self.assertNotIn(plays['key'], process.output('err'))

    def players(self, names):
        # The state folder is one gateway's at a time.
        self.served.terminate()
        self.serve('--relay-workers=2', '--max-admin-requests-per-second=1000')
        self.assert_played(names, self.key(), self.play_key())

    def test_ffmpeg(self):
        self.players(['ffmpeg'])

    def test_other_players(self):
        if not LONG:
            self.skipTest('with --long')
        self.players(['ffmpeg -c copy', 'ffplay, low delay', 'rtmp2src', 'mpv', 'VLC'])


class OverTls(KeyCase):
    """Where the public media is RTMPS, the addresses of keys say so, and ffmpeg speaks and hears by them."""

    def serve(self, *options):
        self.authority = Authority(self.tmp)
        certificate, key = self.authority.sign()
        super().serve('--rtmps-listen=127.0.0.1:0', '--public-rtmp=rtmps', f'--tls-certificate={certificate}', f'--tls-key={key}', *options)

    def test_an_encoder_and_a_player(self):
        key, made = self.key(), self.key(path=PATH)
        for url in (key['url'], made['url']):
            self.assertTrue(url.startswith(self.served.rtmps), url)
        self.push(key['url'])
        self.until(lambda: self.keys()[0]['in_use'], 'the encoder', 15)
        self.assertGreater(self.heard(made['url']), 1000)


if __name__ == '__main__':
    sys.argv[:] = [word for word in sys.argv if word != '--long']
    tap.main()
