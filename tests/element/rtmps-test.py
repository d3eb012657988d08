# SPDX-License-Identifier: LGPL-2.1-or-later
"""Media over TLS: the elements take rtmps:// URLs, trust whom ca-file names, and say what is wrong
with a certificate. The authority is the test's own, and so is the media server: an nginx-rtmp
behind a TLS endpoint, with the gateway as its --rtmp."""

import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import tap
from channel import ChannelCase
from relayrig import pause, relay_binary
from tlsrig import Authority, TlsFront

SOURCE = 'audiotestsrc is-live=true ! '
SINK = ' ! fakesink'
# Louder than the silence of a channel without speakers.
LOUD = r'peak=\(GValueArray\)< -\d\.'
SECRET = '0123456789abcdef0123'
MODULES = ('/usr/lib/nginx/modules/ngx_rtmp_module.so',
           '/usr/share/nginx/modules/ngx_rtmp_module.so')


def children(pid):
    return [int(each) for each in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


class RtmpsTest(ChannelCase):
    def setUp(self):
        super(ChannelCase, self).setUp()
        self.room = 'room'
        self.authority = Authority(self.tmp)
        self.rtmp = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(self.rtmp.close)

    def serve(self, front, host='127.0.0.1'):
        """A gateway with wss, whose media is at `front`."""
        certificate, key = self.authority.sign('gateway')
        secret = self.tmp / 'secret'
        secret.write_text(SECRET + '\n')
        port = self.rtmp.getsockname()[1]
        self.gate = self.gateway(
            f'--rtmp=rtmp://127.0.0.1:{port}/voice', '--app=demo', '--listen=127.0.0.1:0',
            f'--public-rtmp=rtmps://{host}:{front.port}/voice', f'--hook-secret-file={secret}',
            f'--tls-certificate={certificate}', f'--tls-key={key}', defaults=False)
        self.assertEqual(self.gate.rtmp, f'rtmps://{host}:{front.port}/voice')
        hooks = self.gate.wait_line(r'answered at (http://[^/]+)/')[1] + '/' + SECRET
        self.nginx(hooks)

    def nginx(self, hooks):
        module = next(path for path in MODULES if os.path.exists(path))
        user = 'user nobody nogroup;' if os.geteuid() == 0 else ''
        calls = ''.join(f'{call} {hooks}/{call};' for call in
                        ('on_publish', 'on_play', 'on_publish_done', 'on_play_done'))
        config = self.tmp / 'nginx.conf'
        config.write_text(
            f'load_module {module}; {user} daemon off; worker_processes 1; pid nginx.pid;'
            'lock_file nginx.lock; error_log stderr; events {}'
            f'rtmp {{ access_log off; server {{ listen 127.0.0.1:{self.rtmp.getsockname()[1]};'
            f'application voice {{ live on; {calls} }} }} }}')
        # On a socket of ours, so that no port is guessed.
        self.rtmp.setblocking(False)
        self.start('nginx', '-p', f'{self.tmp}/', '-c', config, '-e', 'stderr', quiet_errors=True,
                   env={'NGINX': f'{self.rtmp.fileno()};'}, pass_fds=(self.rtmp.fileno(),))

    def front(self, certificate, key):
        return TlsFront(self, certificate, key, self.rtmp.getsockname)

    def where(self, uid=None, room=None):
        return f'{super().where(uid, room)} ca-file={self.authority.file}'

    def test_a_voice_goes_over(self):
        front = self.front(*self.authority.sign())
        self.serve(front)
        recorder = self.record()
        voice, sent = self.speech('alsa', 5)
        speaker = self.speak(self.wav('voice', sent), 72)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))
        self.assertGreaterEqual(front.connections, 2)

    def test_the_environment_names_the_authority(self):
        self.serve(self.front(*self.authority.sign()), 'localhost')
        environment = {'AGORA_CA_FILE': str(self.authority.file)}
        where = super().where()
        recorder = self.line(f'agorasrc {where} ! level ! fakesink', '-m', env=environment)
        speaker = self.line(f'{SOURCE}agorasink {where} uid=7', env=environment)
        recorder.wait_line(LOUD, 15)
        self.assertEqual(speaker.interrupt(), 0, speaker.tail())
        self.assertEqual(recorder.interrupt(), 0, recorder.tail())

    def refusal(self, process, expected, within=5):
        """One ERROR, and the process ends with it, soon."""
        begin = time.monotonic()
        status = process.wait(within + 5)
        self.assertLess(time.monotonic() - begin, within, process.tail())
        self.assertGreater(status, 0, process.tail())
        errors = re.findall(r'^ERROR: from element \S+: (.*)$', process.output(), re.M)
        self.assertEqual(len(errors), 1, process.tail())
        self.assertRegex(errors[0], expected)

    def refuse_both(self, pair, host, expected):
        front = self.front(*pair)
        self.serve(front, host)
        what = (rf'rtmps://{re.escape(host)}:{front.port}: the certificate of the media server is '
                rf'not trusted here: {expected}')
        # Refused by the player, too: so it has to have somebody to listen to, who needs no TLS.
        speaker = self.start(os.environ['AGORA_MEMBER_BIN'], '--uid=9', '--publish', self.gate.ws,
                             self.APP, self.room, env={'AGORA_CA_FILE': str(self.authority.file)})
        url = speaker.wait_line(r'^push (\S+)')[1]
        plain = re.sub('^rtmps://[^/]+', f'rtmp://127.0.0.1:{self.rtmp.getsockname()[1]}', url)
        push = self.launch(f'{SOURCE}voaacenc ! flvmux streamable=true ! rtmp2sink location={plain}')
        watcher = self.start(os.environ['AGORA_MEMBER_BIN'], self.gate.ws, self.APP, self.room,
                             env={'AGORA_CA_FILE': str(self.authority.file)})
        watcher.wait_line('^added 9', 15)
        self.refusal(self.line(f'agorasrc {self.where()}{SINK}'), what)
        self.refusal(self.line(f'{SOURCE}agorasink {self.where(7)}'), what)
        self.assertTrue(push.running(), push.tail())

    def test_an_unknown_authority(self):
        other = Authority(self.tmp, 'stranger')
        self.refuse_both(other.sign('server'), '127.0.0.1',
                         r'its issuer, CN=The stranger of a test, is not among the authorities of '
                         rf'ca-file {re.escape(str(self.authority.file))}')

    def test_another_host(self):
        self.refuse_both(self.authority.sign(hosts='DNS:media.example.org,IP:10.0.0.5'),
                         'localhost', r'it is for media\.example\.org, 10\.0\.0\.5, not for localhost')

    def test_an_old_certificate(self):
        self.refuse_both(self.authority.sign(days=-1), 'localhost',
                         r'it expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC')

    def test_a_ca_file_that_is_none(self):
        self.serve(self.front(*self.authority.sign()))
        for bad in (self.tmp / 'nowhere.pem', self.tmp / 'nginx.conf'):
            for line in (f'{SOURCE}agorasink {{}}', f'agorasrc {{}}{SINK}'):
                with self.subTest(f'{line} {bad}'):
                    where = f'{super().where()} ca-file={bad}'
                    self.refusal(self.line(line.format(where)),
                                 rf'ca-file "{re.escape(str(bad))}": expected a file of PEM certificates')

    def test_a_server_without_tls_is_tried_again(self):
        """Whoever runs it may mend it: that is no refusal."""
        front = self.front(*self.authority.sign())
        self.serve(front)
        plain = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(plain.close)
        front.stop()
        taken = socket.create_server(('127.0.0.1', front.port))

        def answer():
            while True:
                try:
                    peer, _ = taken.accept()
                except OSError:
                    return
                peer.sendall(b'220 mail here\r\n')
                peer.close()
        threading.Thread(target=answer, daemon=True).start()
        speaker = self.line(f'{SOURCE}agorasink {self.where(7)}', '-m')
        speaker.wait_line('agora-reconnecting', 15)
        taken.shutdown(socket.SHUT_RDWR)
        taken.close()
        again = TlsFront(self, *self.authority.sign(), self.rtmp.getsockname, port=front.port)
        speaker.wait_line('agora-reconnected', 15)
        self.assertGreater(again.connections, 0)
        self.assertEqual(speaker.interrupt(), 0, speaker.tail())

    def test_a_mute_server_holds_nobody_up(self):
        """A stop within half a second while TLS shakes hands, and afterwards too."""
        front = self.front(*self.authority.sign())
        self.serve(front)
        front.stop()
        with socket.create_server(('127.0.0.1', front.port)) as mute:
            speaker = self.line(f'{SOURCE}agorasink {self.where(7)}')
            mute.settimeout(15)
            peer, _ = mute.accept()
            self.assertTrue(peer.recv(16))
            begin = time.monotonic()
            self.assertEqual(speaker.interrupt(), 0, speaker.tail())
            self.assertLess(time.monotonic() - begin, 2.0)
            peer.close()

    def test_a_frozen_server_is_noticed(self):
        """As with plain RTMP; and it holds up no stop."""
        front = self.front(*self.authority.sign())
        self.serve(front)
        speaker = self.line(f'{SOURCE}agorasink {self.where(7)}', '-m')
        recorder = self.line(f'agorasrc {self.where()} ! level ! fakesink', '-m')
        recorder.wait_line(LOUD, 15)
        thaw = front.freeze()
        self.addCleanup(thaw)
        begin = time.monotonic()
        speaker.wait_line('agora-reconnecting', 8)
        recorder.wait_line('agora-reconnecting', 8)
        print(f'{self.id()}: noticed after {time.monotonic() - begin:.1f} s')
        for process in (speaker, recorder):
            begin = time.monotonic()
            self.assertEqual(process.interrupt(), 0, process.tail())
            self.assertLess(time.monotonic() - begin, 2.0)
        thaw()


class RelayTest(ChannelCase):
    """The same by the gateway's own relay."""

    def setUp(self):
        super(ChannelCase, self).setUp()
        self.room = 'room'
        self.authority = Authority(self.tmp)
        certificate, key = self.authority.sign('gateway')
        self.gate = self.gateway(f'--relay={relay_binary()}', '--rtmps-listen=127.0.0.1:0',
                                 '--public-rtmp=rtmps', f'--tls-certificate={certificate}',
                                 f'--tls-key={key}')
        self.assertEqual(self.gate.rtmp, self.gate.rtmps)
        self.assertTrue(self.gate.rtmps.startswith('rtmps://127.0.0.1:'), self.gate.rtmps)

    def where(self, uid=None, room=None):
        return f'{super().where(uid, room)} ca-file={self.authority.file}'

    def test_a_voice_goes_over(self):
        recorder = self.record()
        voice, sent = self.speech('alsa', 5)
        speaker = self.speak(self.wav('voice', sent), 72)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))

    def test_a_relay_that_is_killed(self):
        """The next one has the same port and certificate."""
        speaker = self.line(f'{SOURCE}agorasink {self.where(7)}', '-m')
        recorder = self.line(f'agorasrc {self.where()} ! level ! fakesink', '-m')
        recorder.wait_line(LOUD, 15)
        mark = speaker.mark()
        relay, = children(self.gate.pid)
        os.kill(relay, signal.SIGKILL)
        # The listener tells of no break as short as this mostly is. What is heard a second later has
        # come by the new one.
        speaker.wait_line('agora-reconnected', 10, since=mark)
        pause(1)
        recorder.wait_line(LOUD, 10, since=recorder.mark())
        for process in (speaker, recorder):
            self.assertEqual(process.interrupt(), 0, process.tail())


if __name__ == '__main__':
    tap.main()
