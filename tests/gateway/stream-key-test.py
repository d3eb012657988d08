# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stream keys: encoders that push by one are members, for as long as they push."""

import http.client
import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case, Gateway
from keyrig import PATH, TOKEN, KeyCase
from relayrig import Peer

sys.path.insert(0, str(Path(__file__).parent.parent / 'interop'))
import programs  # pylint: disable=wrong-import-position

LONG = '--long' in sys.argv


class Keys(KeyCase):
    def test_an_encoder(self):
        """Pushed by ffmpeg, with a picture beside its sound, and heard by members at either worker."""
        made = self.key()
        self.assertRegex(made['key'], r'^[0-9a-f]{40}$')
        self.assertEqual(made['url'], f'{made["server"]}/{made["key"]}')
        self.assertEqual(made['server'], self.served.rtmp)
        listener = self.member(uid=9).join('audience')
        encoder = self.push(made['url'], video=True)
        listener.wait_event('stream-added', uid=8, timeout=15)
        for number in range(4):
            url = self.member(uid=20 + number).join('audience').subscribe(8)
            self.assertNotIn(made['key'], url)
            self.assertGreater(self.heard(url), 1000)
        users = self.must('GET', '/dev/v1/channel/user/demo/room')['data']
        self.assertEqual((users['broadcasters'], users['audience_total']), ([8], 5))
        user = self.must('GET', '/dev/v1/channel/user/property/demo/8/room')['data']
        self.assertEqual([user[name] for name in ('role', 'client', 'ip', 'publishing', 'muted')],
                         [2, 'rtmp', '127.0.0.1', True, False])
        self.assertTrue(self.keys()[0]['in_use'])
        # The key pushes, and plays nothing.
        self.assertEqual(self.peer(made['url'], 'play')[1], 'NetStream.Play.Failed')
        encoder.interrupt()
        listener.wait_event('stream-removed', uid=8, timeout=6)
        self.until(lambda: not self.keys()[0]['in_use'], 'its leave')
        users = self.must('GET', '/dev/v1/channel/user/demo/room')['data']
        self.assertEqual(users['broadcasters'], [])

    def test_it_comes_back_unnoticed(self):
        """Within 3 s, and by a second push while the first one is there: who listens hears it on the same URL."""
        made = self.key()
        listener = self.member(uid=9).join('audience')
        first, code = self.peer(made['url'], 'publish')
        self.assertEqual(code, 'NetStream.Publish.Start')
        listener.wait_event('stream-added', uid=8)
        play, _ = self.peer(listener.subscribe(8), 'play')
        at = itertools.count(0, 20)

        def hears(push):
            # The listener may be at the other worker, which pulls what is said from then on.
            before = len(play.media())
            play.wait(lambda: push.frame(next(at)) or len(play.media()) > before, what='a frame')
        hears(first)
        second, code = self.peer(made['url'], 'publish')
        self.assertEqual(code, 'NetStream.Publish.Start')
        self.assertTrue(first.closed())
        hears(second)
        second.close()
        third, _ = self.peer(made['url'], 'publish')
        hears(third)
        listener.ping()
        self.assertEqual([each['action'] for each in listener.events], [])

    def test_what_ends_it(self):
        made = self.key()
        listener = self.member(uid=9).join('audience')

        def on_air():
            peer, code = self.peer(made['url'], 'publish')
            self.assertEqual(code, 'NetStream.Publish.Start')
            listener.wait_event('stream-added', uid=8)
            return peer

        def off_air(peer):
            self.assertTrue(peer.closed())
            listener.wait_event('stream-removed', uid=8, timeout=1)
        for privileges in (['join_channel'], ['publish_audio']):
            peer = on_air()
            rule = self.must('POST', '/dev/v1/kicking-rule', {'appid': 'demo', 'uid': 8, 'privileges': privileges})['id']
            off_air(peer)
            self.assertEqual(self.peer(made['url'], 'publish')[1], 'NetStream.Publish.Denied')
            why = 'banned' if 'join_channel' in privileges else 'silenced'
            self.served.wait_line(rf'Refused a push from 127\.0\.0\.1 app=demo channel=room uid=8 key={made["id"]}: {why}')
            self.must('DELETE', f'/dev/v1/kicking-rule?appid=demo&id={rule}')
        peer = on_air()
        device = self.member(uid=8).join()
        off_air(peer)
        peer = on_air()
        self.assertEqual(device.wait_error()['code'], 431)
        self.must('DELETE', f'{PATH}?appid=demo&id={made["id"]}')
        off_air(peer)
        self.assertEqual(self.peer(made['url'], 'publish')[1], 'NetStream.Publish.Denied')
        self.served.wait_line('Refused a push from 127.0.0.1: neither a push URL nor a stream key of this gateway: mistyped, or ended')
        self.assertNotIn(made['key'], self.served.output())

    def test_the_interface(self):
        for body, field in (({'cname': 'room', 'uid': 8}, 'appid'), ({'appid': 'demo', 'uid': 8}, 'cname'),
                            ({'appid': 'demo', 'cname': 'room'}, 'uid'),
                            ({'appid': 'demo', 'cname': 'room', 'uid': 0}, 'uid'),
                            ({'appid': 'demo', 'cname': 'null', 'uid': 8}, 'cname'),
                            ({'appid': 'nobody', 'cname': 'room', 'uid': 8}, 'appid')):
            with self.subTest(**body):
                status, answer = self.call('POST', PATH, body)
                self.assertEqual((status, answer['field']), (400, field))
        first, second = self.key()['id'], self.key(uid=10, channel='ü')['id']
        self.assertEqual([(each['id'], each['cname'], each['uid'], each['in_use']) for each in self.keys()],
                         [(first, 'room', 8, False), (second, 'ü', 10, False)])
        for path in (f'{PATH}?appid=demo&id=77', f'{PATH}?appid=demo&id={first}'):
            status, _ = self.call('DELETE', path)
            self.assertEqual(status, 404 if path.endswith('77') else 200)
        self.assertEqual([each['id'] for each in self.keys()], [second])
        self.assertEqual(self.call('PUT', PATH, {})[0], 405)
        # A disk that takes nothing: no key is told that a restart would not know.
        self.file.unlink()
        self.file.mkdir()
        status, answer = self.call('POST', PATH, {'appid': 'demo', 'cname': 'room', 'uid': 8})
        self.assertEqual(status, 500, answer)
        self.assertEqual([each['id'] for each in self.keys()], [second])

    def test_keys_outlive_the_gateway(self):
        kept, ended = self.key(), self.key()
        self.must('DELETE', PATH, {'appid': 'demo', 'id': ended['id']})
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(kept['key'], self.file.read_text())
        port = urlsplit(self.served.rtmp).port
        self.served.signal(signal.SIGKILL)
        self.served.wait()
        self.serve(f'--rtmp-listen=127.0.0.1:{port}')
        self.assertEqual(self.peer(kept['url'], 'publish')[1], 'NetStream.Publish.Start')
        self.assertEqual(self.peer(ended['url'], 'publish')[1], 'NetStream.Publish.Denied')
        self.assertGreater(self.key()['id'], ended['id'])
        self.served.terminate()
        self.file.write_text('something else\n')
        with self.assertRaisesRegex(AssertionError, 'line 1: expected'):
            self.serve()

    def test_obs(self):
        """OBS: its server and its stream key, as in its settings."""
        if not LONG:
            self.skipTest('with --long')
        if reason := programs.missing('obs'):
            self.skipTest(reason)
        wav = self.tmp / 'tone.wav'
        subprocess.run(['ffmpeg', '-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000',
                        '-t', '8', wav], check=True)
        listener = self.member(uid=9).join('audience')
        obs = self.foreign(*programs.PUSHERS['OBS'][1](wav, self.key()['url'], self.tmp), quiet_errors=True)
        listener.wait_event('stream-added', uid=8, timeout=30)
        self.assertGreater(self.heard(listener.subscribe(8), 1.5), 1000)
        obs.wait(30)
        listener.wait_event('stream-removed', uid=8, timeout=6)

    def test_first_sound(self):
        """From the publish to a listener's first sound: as soon as by a URL."""
        # By another worker's link the one frame would be over before the link is there.
        self.served.terminate()
        self.serve('--relay-workers=1')
        listener = self.member(uid=9).join('audience')
        made = self.key()

        def first_sound(url, uid):
            peer = Peer(SimpleNamespace(port=urlsplit(url).port))
            self.addCleanup(peer.close)
            peer.greet().connect()
            parts = urlsplit(url)
            name = parts.path.rpartition('/')[2] + (f'?{parts.query}' if parts.query else '')
            at = time.perf_counter()
            peer.send(peer.command('publish', 3, None, name, 'live', stream=1))
            listener.wait_event('stream-added', uid=uid)
            play, _ = self.peer(listener.subscribe(uid), 'play')
            peer.frame(0)
            play.wait(lambda: play.media())
            took = time.perf_counter() - at
            play.close()
            return peer, took
        took = {'key': [], 'url': []}
        for _ in range(15):
            # Each a new one: who changes often is told of later.
            speaker = self.member(uid=7).join()
            peer, seconds = first_sound(speaker.publish(), 7)
            took['url'].append(seconds)
            speaker.must('leave', uid=7)
            listener.wait_event('stream-removed', uid=7)
            peer, seconds = first_sound(made['url'], 8)
            took['key'].append(seconds)
            self.member(uid=8).join().must('leave', uid=8)
            listener.wait_event('stream-removed', uid=8)
            peer.close()
        # The best of each: what a busy machine adds is of neither.
        key, url = (min(took[name]) * 1000 for name in ('key', 'url'))
        print(f'# first sound after {key:.2f} ms by a key, {url:.2f} ms by a URL')
        self.assertLess(key, 1.1 * url + 0.5 * SCALE)


class NoKeys(Case):
    def test_where_there_are_none(self):
        """With --rtmp nobody may make one, and the file that an earlier gateway left isn't looked at."""
        secret = self.tmp / 'secret'
        secret.write_text('of-the-hooks-and-of-the-admin\n')
        state = self.tmp / 'state'
        state.mkdir(0o700)
        (state / 'stream-keys').write_text('something else\n')
        served = self.keep(Gateway('--app=demo', '--listen=127.0.0.1:0', '--rtmp=rtmp://127.0.0.1/live', f'--hook-secret-file={secret}',
                                   f'--admin-token-file={secret}', f'--state-dir={state}', defaults=False))
        connection = http.client.HTTPConnection(urlsplit(served.http).netloc, timeout=5)
        self.addCleanup(connection.close)
        connection.request('GET', f'{PATH}?appid=demo', headers={'Authorization': 'Bearer of-the-hooks-and-of-the-admin'})
        self.assertEqual(connection.getresponse().status, 501)
        served.terminate()
        self.assertEqual((state / 'stream-keys').read_text(), 'something else\n')


if __name__ == '__main__':
    sys.argv[:] = [word for word in sys.argv if word != '--long']
    tap.main()
