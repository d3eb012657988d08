# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: one clear ERROR that names the value, soon, and an end that nothing holds up."""

import http.server
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import tap
from channel import ChannelCase

SOURCE = 'audiotestsrc is-live=true ! '
SINK = ' ! fakesink'


class RefusalsTest(ChannelCase):
    def both(self, properties, expected, within=2, **keywords):
        """Both elements must refuse these with an ERROR that matches."""
        for name, line in (('agorasink', f'{SOURCE}agorasink {properties}'),
                           ('agorasrc', f'agorasrc {properties}{SINK}')):
            with self.subTest(name):
                self.refused(line, expected, within, **keywords)

    def refused(self, line, expected, within=2, **keywords):
        begin = time.monotonic()
        process = self.line(line, **keywords)
        status = process.wait(within + 5)
        took = time.monotonic() - begin
        output = process.output()
        self.assertNotEqual(status, 0, output)
        self.assertGreater(status, -1, output)
        error = re.search(r'^(ERROR: from element \S+|WARNING: erroneous pipeline): (.*)$', output,
                          re.M)
        self.assertTrue(error, output)
        self.assertRegex(output, re.compile(expected, re.M))
        # Starting the program is not the element's time.
        lines = [at for at, _, text in process.lines if text.startswith('ERROR: from')]
        if lines:
            started = [at for at, _, text in process.lines if text.startswith('Setting pipeline')]
            self.assertLess(lines[0] - started[0], within, output)
            self.assertLess(took - lines[0], 1.5, f'going to NULL took too long\n{output}')
        return process

    def properties(self, **changes):
        values = {'gateway': self.gate.ws, 'app-id': 'demo', 'channel': 'room', **{
            name.replace('_', '-'): value for name, value in changes.items()}}
        # Quotes for gst-launch-1.0 itself: without them it takes the next word for an empty value.
        return ' '.join(f"'{name}=\"{value}\"'" for name, value in values.items()
                        if value is not None)

    def listening(self, answer=None):
        """A listening socket that is no gateway; `answer` is given each connection."""
        server = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(server.close)
        kept = []

        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                kept.append(peer)
                if answer:
                    answer(peer)
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(lambda: [peer.close() for peer in kept])
        return server.getsockname()[1]

    def test_no_gateway_there(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
        self.both(self.properties(gateway=f'ws://127.0.0.1:{port}/api'), rf'127\.0\.0\.1:{port}')

    def test_no_such_name(self):
        self.both(self.properties(gateway='ws://no-such-host.invalid:8080/api'),
                  r'no-such-host\.invalid', within=6)

    def test_a_web_server_is_no_gateway(self):
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0),
                                                 http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.both(self.properties(gateway=f'ws://127.0.0.1:{server.server_port}/api'),
                  rf'127\.0\.0\.1:{server.server_port}')

    def test_something_else_that_talks(self):
        port = self.listening(lambda peer: peer.sendall(b'220 mail here\r\n'))
        self.both(self.properties(gateway=f'ws://127.0.0.1:{port}/api', connect_timeout=2000),
                  rf'127\.0\.0\.1:{port}', within=4)

    def test_a_peer_that_never_answers(self):
        port = self.listening()
        self.both(self.properties(gateway=f'ws://127.0.0.1:{port}/api', connect_timeout=1000),
                  rf'127\.0\.0\.1:{port}', within=3)

    def test_a_peer_that_hangs_up(self):
        port = self.listening(lambda peer: peer.close())
        self.both(self.properties(gateway=f'ws://127.0.0.1:{port}/api'), rf'127\.0\.0\.1:{port}')

    def test_tls_where_none_is_spoken(self):
        self.both(self.properties(gateway=self.gate.ws.replace('ws:', 'wss:')),
                  r'127\.0\.0\.1:.*does it speak TLS\?')

    def test_a_certificate_that_is_not_trusted(self):
        key, certificate = self.tmp / 'key.pem', self.tmp / 'certificate.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1',
                        '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', certificate],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def shake_hands(peer):
            try:
                context.wrap_socket(peer, server_side=True).close()
            except OSError:
                pass  # whoever doesn't trust it hangs up

        port = self.listening(lambda peer: threading.Thread(target=shake_hands, args=(peer,), daemon=True).start())
        for line in (f'{SOURCE}agorasink', 'agorasrc'):
            with self.subTest(line):
                end = '' if 'agorasink' in line else SINK
                process = self.refused(
                    f"{line} {self.properties(gateway=f'wss://127.0.0.1:{port}/api')}{end}",
                    rf'wss://127\.0\.0\.1:{port}/api: the certificate of the gateway is not trusted here')
                # It runs, after all.
                self.assertNotIn('running there', process.output())

    def test_wrong_path(self):
        self.both(self.properties(gateway=self.gate.ws.replace('/api', '/elsewhere')), 'elsewhere')

    def test_a_gateway_that_is_no_url(self):
        for bad in ('127.0.0.1', 'http://127.0.0.1/api', 'ws://', 'ws://127.0.0.1:99999/api'):
            with self.subTest(bad):
                self.both(self.properties(gateway=bad), re.escape(bad))

    def test_unknown_app(self):
        self.both(self.properties(app_id='nobody-knows'), 'nobody-knows')

    def test_bad_channels(self):
        self.both(self.properties(channel=None), ': channel is not set$')
        self.both(self.properties(channel=''), ': channel is not set$')
        self.both(self.properties(channel='null'), '[Cc]hannel.*null|null.*[Cc]hannel')
        self.both(self.properties(channel='x' * 129), '(?s)[Cc]hannel.*128|128.*[Cc]hannel')

    def test_bad_app_ids(self):
        self.both(self.properties(app_id=None), ': app-id is not set$')
        self.both(self.properties(app_id='null'), '[Aa]pp.?id')

    def test_a_list_of_speakers_that_is_none(self):
        for bad in ('abc', '8,-9', '8 9', '0', '4294967296'):
            with self.subTest(bad):
                self.refused(f"agorasrc {self.properties(speakers=bad)}{SINK}",
                             f'speakers: “{bad}” is not a list of uids: numbers from 1 .* separated by commas')

    def test_a_token_where_none_is_expected(self):
        self.both(self.properties(token='007nonsense'), '[Tt]oken')

    def test_the_token_is_never_shown(self):
        process = self.refused(f'{SOURCE}agorasink {self.properties(token="007secretwords")}',
                               '[Tt]oken', env={'GST_DEBUG': 'agora*:7', 'G_MESSAGES_DEBUG': 'all'})
        self.assertNotIn('secretwords', process.output())

    def test_sound_that_is_none(self):
        noise = self.tmp / 'noise.bin'
        noise.write_bytes(os.urandom(1 << 16))
        self.refused(f'filesrc location={noise} ! agorasink {self.properties()}',
                     'Expected raw audio, AAC, Opus or FLV')
        self.refused(f'videotestsrc is-live=true ! agorasink {self.properties()}',
                     'could not link videotestsrc0 to agorasink0')

    def test_no_encoder_installed(self):
        # Every plugin of the system but those that bring an AAC encoder.
        from_system = Path('/usr/lib/x86_64-linux-gnu/gstreamer-1.0')
        if not from_system.is_dir():
            self.skipTest(f'no plugins in {from_system}')
        plugins = self.tmp / 'plugins'
        plugins.mkdir()
        for plugin in from_system.glob('*.so'):
            if not re.search(r'libav|voaacenc|fdkaac|faac', plugin.name):
                (plugins / plugin.name).symlink_to(plugin)
        self.refused(f'{SOURCE}agorasink {self.properties()}', r'gstreamer1\.0-(libav|plugins-bad)',
                     within=5, env={'GST_PLUGIN_SYSTEM_PATH': str(plugins),
                                    'GST_REGISTRY': str(self.tmp / 'registry.bin')})

    def test_a_uid_that_is_on_the_air_elsewhere(self):
        watcher = self.member('room')
        watcher.wait_line('joined')
        line = f'{SOURCE}agorasink {self.properties(uid=71)}'
        first = self.line(line)
        watcher.wait_line('added 71')
        mark = watcher.mark()
        second = self.line(line)
        # The newer one wins; the older one is told why it is out.
        self.assertNotEqual(first.wait(10), 0)
        self.assertRegex(first.output(), r'(?s)ERROR: from.*replaced by another device')
        watcher.wait_line('added 71|updated 71', since=mark)
        self.assertTrue(second.running(), second.tail())
        self.assertEqual(second.interrupt(), 0, second.tail())

    def test_others_go_on(self):
        """Refusals at one gateway leave those who are in it alone."""
        recorder = self.record()
        voice, sent = self.speech('alsa', 5)
        speaker = self.speak(self.wav('voice', sent), 72)
        for bad, words in ((self.properties(app_id='nobody'), 'nobody'),
                           (self.properties(channel='x' * 129), '[Cc]hannel'),
                           (self.properties(token='007nonsense'), '[Tt]oken')):
            self.both(bad, words)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        self.assert_heard(voice, self.stop_recording(recorder))


if __name__ == '__main__':
    tap.main()
