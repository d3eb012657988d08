# SPDX-License-Identifier: LGPL-2.1-or-later
"""TURN over UDP and over TCP, by coturn: a client that has no other way, and a server of ours that
has none.

Skipped where coturn isn't installed.
"""

import os
import shutil
import socket
import time
from pathlib import Path

import heard
import tap
from harness import Case
from webpeer import WebPeer

USER, PASSWORD = 'voice', 'chat'


def free_ports(count):
    """UDP and TCP, for a moment free: coturn takes no 0."""
    ports = []
    while len(ports) < count:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(('127.0.0.1', 0))
            try:
                udp.bind(('127.0.0.1', tcp.getsockname()[1]))
            except OSError:
                continue
            if tcp.getsockname()[1] not in ports:
                ports.append(tcp.getsockname()[1])
    return ports


class Turn(Case):
    def setUp(self):
        super().setUp()
        if not shutil.which('turnserver'):
            self.skipTest('coturn is not installed')
        self.voice = heard.voice('june', 5)
        self.wav = f'{self.tmp}/voice.wav'
        heard.write(self.wav, self.voice)
        self.port = free_ports(1)[0]
        self.connected = {}
        self.relay = self.start(
            'turnserver', '-n', '--log-file=stdout', '--simple-log', '--verbose', '--no-cli',
            '--listening-ip=127.0.0.1', f'--listening-port={self.port}', '--relay-ip=127.0.0.1',
            '--allow-loopback-peers', '--cli-password=none', '--no-tls', '--no-dtls',
            '--min-port=49152', '--max-port=65535', '--realm=test', '--lt-cred-mech',
            f'--user={USER}:{PASSWORD}', f'--pidfile={self.tmp}/pid', f'--userdb={self.tmp}/db',
            cwd=self.tmp)
        self.until(self.answers, 'coturn', 10)

    def answers(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
        except OSError:
            return False
        return True

    def host(self, *options):
        self.server_process = self.start(os.environ['AGORA_PEER_HOST_BIN'], *options)
        return 'http://127.0.0.1:' + self.server_process.wait_line(r'^listening on (\d+)', 30)[1]

    def go(self, base, **options):
        speaker = self.keep(WebPeer('speak', f'{base}/speak?raw={self.tmp}/raw', sound=self.wav,
                                    **options))
        listener = self.keep(WebPeer('hear', f'{base}/hear?wav={self.wav}', **options))
        for peer in (speaker, listener):
            peer.wait_connected(15)
            self.connected[peer] = time.monotonic()
        self.until(lambda: len(self.said()) > 6 * heard.RATE and
                   len(listener.heard()[0]) > 4.8 * heard.RATE, 'the voice', 20)
        for sound in (self.said(), listener.heard()[0]):
            match = heard.match(self.voice, sound)
            self.assertGreater(match.correlation, 0.95, match)
        return speaker, listener

    def said(self):
        import numpy
        return numpy.fromfile(f'{self.tmp}/raw', '<i2') / 32768

    def assert_relayed(self, sdp, alone):
        kinds = [line.split()[7] for line in sdp.split('\r\n') if line.startswith('a=candidate')]
        self.assertIn('relay', kinds)
        if alone:
            self.assertEqual(set(kinds), {'relay'})

    def client(self, transport):
        turn = f'turn://{USER}:{PASSWORD}@127.0.0.1:{self.port}?transport={transport}'
        for peer in self.go(self.host(), turn=turn, relay_only=True):
            self.assert_relayed(peer.reply['offer'], alone=True)

    def url(self, transport):
        return f'--ice-server=turn:127.0.0.1:{self.port}?transport={transport},{USER},{PASSWORD}'

    def server(self, transport):
        base = self.host('--relay-only', self.url(transport))
        peers = self.go(base)
        for peer in peers:
            self.assert_relayed(peer.answer, alone=True)
        return peers

    def test_a_client_over_udp(self):
        self.client('udp')

    def test_a_client_over_tcp(self):
        self.client('tcp')

    def test_our_end_over_udp(self):
        """It stays: what shows that the peer is there comes by the relay, too."""
        for peer in self.server('udp'):
            until = time.monotonic() + 13 - (time.monotonic() - self.connected[peer])
            self.until(lambda until=until: 'gone' in self.server_process.output() or
                       time.monotonic() > until, 'time', 20)
            self.assertNotIn('gone', self.server_process.output())
            # An allocation of which the server hears no end holds a port for ten minutes.
            mark = self.relay.mark()
            self.assertEqual(peer.delete().status, 200)
            if peer.answer.find('a=sendonly') > 0:
                self.relay.wait_line('refreshed.*lifetime=0', 5, since=mark)

    def test_threads_of_listeners(self):
        """One each, of DTLS, also where our end has servers."""
        base = self.host(self.url('udp'), f'--ice-server=stun:127.0.0.1:{self.port}')

        def threads():
            return len(list(Path(f'/proc/{self.server_process.pid}/task').iterdir()))

        def join():
            peer = self.keep(WebPeer('hear', f'{base}/hear'))
            peer.wait_connected(15)
            return peer
        self.assert_relayed(join().answer, alone=False)
        before = threads()
        for _ in range(4):
            join()
        self.assertLessEqual(threads(), before + 4 + 1)

    def test_our_end_over_tcp(self):
        self.server('tcp')


tap.main()
