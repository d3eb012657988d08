# SPDX-License-Identifier: LGPL-2.1-or-later
"""The URLs that the gateway hands out, at its relay and at an nginx-rtmp, with real pushes and
players; and what it didn't hand out, refused."""

import os
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import Case
from wsclient import Member


def children(pid):
    return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


class MediaCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.served = self.gateway(*self.options)
        self.speaker = self.member(uid=8).join()
        self.listener = self.member(uid=9).join('audience')

    def member(self, **keywords):
        member = Member(self.served.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member

    def push(self, url, **keywords):
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                          'sine=frequency=440:sample_rate=48000', '-c:a', 'aac', '-b:a', '48k',
                          '-f', 'flv', url, quiet_errors=True, **keywords)

    def play(self, url, seconds=1):
        """Ends with 0 once it has decoded so much."""
        return self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048',
                          '-analyzeduration', '100000', '-i', url, '-t', str(seconds),
                          '-f', 'null', '-', quiet_errors=True)

    def refused(self, process):
        self.assertNotEqual(process.wait(15), 0)

    def quiet(self, member, action):
        """No such event so far: an answered ping comes after whatever was sent before."""
        member.ping()
        self.assertFalse([event for event in member.events if event.get('action') == action])


class Urls(MediaCase):
    def test_push_and_play(self):
        push_url = self.speaker.publish()
        parts = urlsplit(push_url)
        self.assertRegex(parts.path, r'^/live/[A-Za-z0-9_-]{16,}$')
        self.assertRegex(parts.query, r'^[A-Za-z0-9=&_-]{1,200}$')
        self.quiet(self.listener, 'stream-added')
        push = self.push(push_url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        # Whoever comes later hears of it as well.
        late = self.member(uid=10).join('audience')
        late.wait_event('stream-added', uid=8)
        play_url = self.listener.subscribe(8)
        self.assertEqual(self.play(play_url).wait(20), 0)
        other_url = late.subscribe(8)
        self.assertNotEqual(play_url, other_url)
        self.assertEqual(self.play(other_url).wait(20), 0)
        self.assertTrue(push.running())
        # Said at once, and the session is cut.
        self.speaker.must('unpublish', uid=8)
        self.listener.wait_event('stream-removed', uid=8, timeout=1)
        push.wait(10)

    def test_wrong_direction(self):
        push_url = self.speaker.publish()
        self.refused(self.play(push_url))
        self.push(push_url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        self.refused(self.push(self.listener.subscribe(8)))
        self.assertEqual(self.play(self.listener.subscribe(8)).wait(20), 0)

    def test_forged_and_smuggled(self):
        good = self.speaker.publish()
        path, _, arguments = good.partition('?')
        stream = path.rpartition('/')[2]
        changed = arguments[:-1] + ('A' if arguments[-1] != 'A' else 'B')
        urls = (path,
                f'{path}?',
                f'{path}?{changed}',
                f'{path[:-1]}x?{arguments}',
                f'{path}?{arguments}&name={stream}',
                f'{path}?{arguments}&clientid=1',
                f'{path}?name={stream}&{arguments}',
                f'{path}?{arguments}&{arguments}',
                f'{path}?{arguments}&extra=1',
                f'{path[:-len(stream)]}VICTIM?name={stream}&{arguments}',
                f'{path[:-len(stream)]}VICTIM?{arguments}')
        for url, process in [(url, self.push(url)) for url in urls]:
            with self.subTest(url[len(path) - 4:]):
                self.refused(process)
        self.quiet(self.listener, 'stream-added')
        # The good one still works.
        self.push(good)
        self.listener.wait_event('stream-added', uid=8, timeout=15)

    def test_urls_die_with_the_membership(self):
        push_url = self.speaker.publish()
        push = self.push(push_url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        play_url = self.listener.subscribe(8)
        self.listener.must('leave', uid=9)
        self.refused(self.play(play_url))
        self.speaker.must('leave', uid=8)
        push.wait(10)
        self.refused(self.push(push_url))

    def test_a_later_url_kills_the_earlier(self):
        first = self.speaker.publish()
        push = self.push(first)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        self.listener.subscribe(8)
        second = self.speaker.must('update_url', role='publish', uid=8)['url']
        self.assertNotEqual(first, second)
        again = self.push(second)
        play_url = self.listener.wait_event('update-url', uid=8, timeout=15)['url']
        push.wait(10)
        self.refused(self.push(first))
        self.assertTrue(again.running())
        self.assertEqual(self.play(play_url).wait(20), 0)

    def test_the_newer_session_wins(self):
        url = self.speaker.publish()
        older = self.push(url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        newer = self.push(url)
        older.wait(15)
        self.assertTrue(newer.running())
        self.assertEqual(self.play(self.listener.subscribe(8)).wait(20), 0)
        self.quiet(self.listener, 'stream-removed')

    def test_hold_and_removal(self):
        url = self.speaker.publish()
        push = self.push(url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        push.signal(signal.SIGKILL)
        push.wait()
        # Back within the hold: nobody is told that it was gone.
        push = self.push(url)
        self.assertEqual(self.play(self.listener.subscribe(8)).wait(20), 0)
        self.quiet(self.listener, 'stream-removed')
        push.signal(signal.SIGKILL)
        push.wait()
        self.listener.ping()
        self.listener.wait_event('stream-removed', uid=8, timeout=8)

    def test_relay_dies_and_the_push_returns(self):
        url = self.speaker.publish()
        push = self.push(url)
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        relay, = children(self.served.pid)
        os.kill(relay, signal.SIGKILL)
        push.wait(10)
        push_again = self.push(url)
        # Longer than a stream is held.
        self.assertEqual(self.play(self.listener.subscribe(8), 5).wait(20), 0)
        self.quiet(self.listener, 'stream-removed')
        self.assertTrue(push_again.running())
        # One that doesn't return is told of.
        relay, = children(self.served.pid)
        os.kill(relay, signal.SIGKILL)
        self.listener.wait_event('stream-removed', uid=8, timeout=15)

    def test_a_kick_is_silence(self):
        """Whoever lost the right is cut at once, both ways."""
        push = self.push(self.speaker.publish())
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        player = self.play(self.listener.subscribe(8), 60)
        self.until(lambda: self.metric('agora_relay_listeners') == 1, 'a listener')
        self.listener.must('unsubscribe', uid=[8])
        player.wait(5)
        self.assertTrue(push.running())
        self.speaker.must('unpublish', uid=8)
        push.wait(5)
        self.until(lambda: self.metric('agora_relay_pushes') == 0, 'the end of the push', 2)

    def metric(self, name):
        with urllib.request.urlopen(self.served.http + '/metrics', timeout=5) as answer:
            return float(re.search(rf'^{name} (\S+)$', answer.read().decode(), re.M)[1])

    def test_the_relay_counts(self):
        self.push(self.speaker.publish())
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        self.assertEqual(self.play(self.listener.subscribe(8)).wait(20), 0)
        self.until(lambda: self.metric('agora_relay_pushes') == 1, 'a push')
        for name in ('agora_relay_received_bytes_total', 'agora_relay_sent_bytes_total',
                     'agora_relay_connections', 'agora_relay_descriptors'):
            self.assertGreater(self.metric(name), 0, name)
        before = self.metric('agora_relay_received_bytes_total')
        self.refused(self.play(self.served.rtmp + '/nothing'))
        self.until(lambda: self.metric('agora_relay_refused_total{reason="denied"}') == 1,
                   'a refusal')
        # What only grows does so over a restart, too.
        relay, = children(self.served.pid)
        os.kill(relay, signal.SIGKILL)
        self.until(lambda: self.metric('agora_relay_pushes') == 0, 'another relay')
        self.assertGreaterEqual(self.metric('agora_relay_received_bytes_total'), before)

    def test_no_port_but_those_of_the_ready_line(self):
        found = set()
        for pid in (self.served.pid, *children(self.served.pid)):
            sockets = {os.readlink(each) for each in Path(f'/proc/{pid}/fd').iterdir()}
            for table in ('tcp', 'tcp6'):
                for line in Path(f'/proc/{pid}/net/{table}').read_text().splitlines()[1:]:
                    words = line.split()
                    if f'socket:[{words[9]}]' in sockets and words[3] == '0A':
                        found.add(int(words[1].rpartition(':')[2], 16))
        self.assertEqual(found, {urlsplit(url).port for url in (self.served.http, self.served.rtmp)})

    def test_players_do_not_stay_where_nothing_comes_any_more(self):
        self.push(self.speaker.publish())
        self.listener.wait_event('stream-added', uid=8, timeout=15)
        follows = self.member(uid=10).join('audience')
        players = [self.play(each.subscribe(8), 60) for each in (self.listener, follows)]
        self.push(self.speaker.must('update_url', role='publish', uid=8)['url'])
        url = follows.wait_event('update-url', uid=8, timeout=15)['url']
        self.assertEqual(self.play(url).wait(20), 0)
        for player in players:
            player.wait(15)


class External(Case):
    """--rtmp: an nginx-rtmp that someone else runs."""

    SECRET = '0123456789abcdef0123'

    def serve(self, rtmp, *options):
        secret = self.tmp / 'secret'
        secret.write_text(self.SECRET + '\n')
        gateway = self.gateway(f'--rtmp={rtmp}', '--app=demo', '--listen=127.0.0.1:0',
                               f'--hook-secret-file={secret}', *options, defaults=False)
        self.assertEqual(children(gateway.pid), [])
        where = gateway.wait_line(r'answered at (http://[^/]+)/')[1]
        return gateway, f'{where}/{self.SECRET}'

    def members(self, gateway):
        both = [Member(gateway.ws, uid=8, heartbeat=True).join(),
                Member(gateway.ws, uid=9, heartbeat=True).join('audience')]
        for each in both:
            self.addCleanup(each.close)
        return both

    def nginx(self, rtmp, control, hooks):
        """One that looks like a hand-made one; on sockets of ours, so that no port is guessed."""
        module = next(path for path in ('/usr/lib/nginx/modules/ngx_rtmp_module.so',
                                        '/usr/share/nginx/modules/ngx_rtmp_module.so')
                      if os.path.exists(path))
        user = 'user nobody nogroup;' if os.geteuid() == 0 else ''
        calls = ''.join(f'{call} {hooks}/{call};' for call in
                        ('on_publish', 'on_play', 'on_publish_done', 'on_play_done'))
        temporary = ''.join(f'{name}_temp_path temp;' for name in
                            ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        config = self.tmp / 'nginx.conf'
        config.write_text(
            f'load_module {module}; {user} daemon off; worker_processes 1; pid nginx.pid;'
            'lock_file nginx.lock; error_log stderr; events {}'
            f'rtmp {{ access_log off; server {{ listen 127.0.0.1:{rtmp.getsockname()[1]};'
            f'application voice {{ live on; {calls} }} }} }}'
            f'http {{ access_log off; {temporary} server {{'
            f'listen 127.0.0.1:{control.getsockname()[1]}; location /control {{'
            'rtmp_control all; } } }')
        descriptors = (rtmp.fileno(), control.fileno())
        self.start('nginx', '-p', f'{self.tmp}/', '-c', config, '-e', 'stderr', quiet_errors=True,
                   env={'NGINX': ''.join(f'{each};' for each in descriptors)},
                   pass_fds=descriptors)

    def test_another_nginx(self):
        with socket.create_server(('127.0.0.1', 0)) as rtmp, \
                socket.create_server(('127.0.0.1', 0)) as control:
            gateway, hooks = self.serve(
                f'rtmp://127.0.0.1:{rtmp.getsockname()[1]}/voice',
                f'--rtmp-control=http://127.0.0.1:{control.getsockname()[1]}/control')
            for each in (rtmp, control):
                each.setblocking(False)
            self.nginx(rtmp, control, hooks)
            speaker, listener = self.members(gateway)
            url = speaker.publish()
            self.assertTrue(url.startswith(f'{gateway.rtmp}/'), url)
            push = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi',
                              '-i', 'sine', '-c:a', 'aac', '-f', 'flv', url, quiet_errors=True)
            listener.wait_event('stream-added', uid=8, timeout=15)
            player = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048',
                                '-i', listener.subscribe(8), '-t', '1', '-f', 'null', '-',
                                quiet_errors=True)
            self.assertEqual(player.wait(20), 0)
            # Its control module cuts what has lost its right.
            speaker.must('unpublish', uid=8)
            push.wait(10)

    def test_hooks_and_public_url(self):
        gateway, hooks = self.serve('rtmp://127.0.0.1:19350/voice',
                                    '--public-rtmp=rtmp://media.example:1936/voice')
        self.assertEqual(gateway.rtmp, 'rtmp://media.example:1936/voice')
        speaker, listener = self.members(gateway)
        url = speaker.publish()
        self.assertTrue(url.startswith('rtmp://media.example:1936/voice/'), url)
        parts = urlsplit(url)
        form = ('app=voice&flashver=&swfurl=&tcurl=&pageurl=&addr=10.0.0.1&clientid=5&call=publish'
                f'&name={parts.path.rpartition("/")[2]}&type=live&{parts.query}')
        with urllib.request.urlopen(f'{hooks}/on_publish', form.encode(), timeout=5) as answer:
            self.assertEqual(answer.status, 200)
        listener.wait_event('stream-added', uid=8)
        self.assertEqual(gateway.terminate(), 0)

    def post(self, url, body):
        request = urllib.request.Request(url, body.encode(), method='POST')
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def form(self, url, call='publish', client=99):
        parts = urlsplit(url)
        tail = 'type=live' if call == 'publish' else 'start=0&duration=0&reset=0'
        return ('app=voice&flashver=&swfurl=&tcurl=&pageurl=&addr=127.0.0.1&'
                f'clientid={client}&call={call}&name={parts.path.rpartition("/")[2]}&{tail}&'
                f'{parts.query}')

    def test_only_who_knows_the_secret(self):
        gateway, hooks = self.serve('rtmp://127.0.0.1:19350/voice')
        speaker, listener = self.members(gateway)
        form = self.form(speaker.publish())
        base, _, secret = hooks.rpartition('/')
        for url in (f'{base}/on_publish', f'{base}//on_publish', f'{base}/{secret[:-1]}/on_publish',
                    f'{base}/{"0" * len(secret)}/on_publish', f'{base}/{secret}',
                    f'{base}/{secret}/on_everything', f'{base}/{secret}/x/on_publish'):
            with self.subTest(url):
                self.assertEqual(self.post(url, form), 404)
        # The members' listener knows nothing of hooks.
        self.assertEqual(self.post(f'{gateway.http}/{secret}/on_publish', form), 404)
        listener.ping()
        self.assertFalse([event for event in listener.events
                          if event.get('action') == 'stream-added'])
        self.assertEqual(self.post(f'{hooks}/on_play', form), 403)
        self.assertEqual(self.post(f'{hooks}/on_publish', 'nonsense'), 403)
        self.assertEqual(self.post(f'{hooks}/on_publish', 'x' * 100000), 413)
        self.assertEqual(self.post(f'{hooks}/on_publish', form), 200)
        listener.wait_event('stream-added', uid=8)
        self.assertNotIn(secret, gateway.output())
        self.assertNotIn(secret.encode(), Path(f'/proc/{gateway.pid}/cmdline').read_bytes())

    def test_bad_secret_file(self):
        for text in ('', 'short\n', 'with spaces in it, and more\n'):
            secret = self.tmp / 'secret'
            secret.write_text(text)
            process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo',
                                 '--listen=127.0.0.1:0', '--rtmp=rtmp://127.0.0.1/voice',
                                 f'--hook-secret-file={secret}')
            self.assertNotEqual(process.wait(), 0)
            self.assertIn('16 or more', process.output('err'))


if __name__ == '__main__':
    tap.main()
