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
from harness import Case, Process
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
    SECONDS = 4

    def setUp(self):
        super().setUp()
        if not shutil.which('turnserver'):
            self.skipTest('coturn is not installed')
        self.voice = heard.voice('june', self.SECONDS)
        self.wav = f'{self.tmp}/voice.wav'
        heard.write(self.wav, self.voice)
        self.connected = {}
        self.relay = self.shared('coturn', self.start_coturn)

    def start_coturn(self):
        cls = type(self)
        cls.port, = free_ports(1)
        folder = self.shared_folder()
        coturn = Process([
            'turnserver', '-n', '--log-file=stdout', '--simple-log', '--verbose', '--no-cli',
            '--listening-ip=127.0.0.1', f'--listening-port={cls.port}', '--relay-ip=127.0.0.1',
            '--allow-loopback-peers', '--cli-password=none', '--no-tls', '--no-dtls',
            '--min-port=49152', '--max-port=65535', '--realm=test', '--lt-cred-mech',
            f'--user={USER}:{PASSWORD}', f'--pidfile={folder}/pid', f'--userdb={folder}/db'], cwd=folder)
        self.until(self.answers, 'coturn', 10)
        return coturn

    def answers(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
        except OSError:
            return False
        return True

    def host(self, *options):
        """A server of peers, and its URL."""
        server = self.start(os.environ['AGORA_PEER_HOST_BIN'], *options)
        return server, 'http://127.0.0.1:' + server.wait_line(r'^listening on (\d+)', 30)[1]

    def go(self, ways):
        """A speaker and a listener for each name of `ways`, whose values are a URL and options; all at once."""
        peers = {}
        for name, (base, options) in ways.items():
            raw = f'{self.tmp}/{name}.raw'
            peers[name] = (
                self.keep(WebPeer('speak', f'{base}/speak?raw={raw}', sound=self.wav, **options)),
                self.keep(WebPeer('hear', f'{base}/hear?wav={self.wav}', **options)))
        for peer in sum(peers.values(), ()):
            peer.wait_connected(15)
            self.connected[peer] = time.monotonic()
        for name, (_, listener) in peers.items():
            self.until(lambda name=name, listener=listener:
                       len(self.said(name)) > (self.SECONDS + 1) * heard.RATE and
                       len(listener.heard()[0]) > (self.SECONDS - 0.2) * heard.RATE, 'the voice', 20)
            for sound in (self.said(name), listener.heard()[0]):
                match = heard.match(self.voice, sound)
                self.assertGreater(match.correlation, 0.95, (name, match))
        return peers

    def said(self, name):
        import numpy
        return numpy.fromfile(f'{self.tmp}/{name}.raw', '<i2') / 32768

    def assert_relayed(self, sdp, alone):
        kinds = [line.split()[7] for line in sdp.split('\r\n') if line.startswith('a=candidate')]
        self.assertIn('relay', kinds)
        if alone:
            self.assertEqual(set(kinds), {'relay'})

    def url(self, transport):
        return f'--ice-server=turn:127.0.0.1:{self.port}?transport={transport},{USER},{PASSWORD}'

    def test_a_client(self):
        """It has no other way; over UDP and over TCP."""
        _, base = self.host()
        for peers in self.go({transport: (base, {
                'turn': f'turn://{USER}:{PASSWORD}@127.0.0.1:{self.port}?transport={transport}',
                'relay_only': True}) for transport in ('udp', 'tcp')}).values():
            for peer in peers:
                self.assert_relayed(peer.reply['offer'], alone=True)

    def test_our_end(self):
        """The same of ours. It stays: what shows that the peer is there comes by the relay, too."""
        hosts = {transport: self.host('--relay-only', self.url(transport)) for transport in ('udp', 'tcp')}
        peers = self.go({transport: (base, {}) for transport, (_, base) in hosts.items()})
        for transport, pair in peers.items():
            server = hosts[transport][0]
            for peer in pair:
                self.assert_relayed(peer.answer, alone=True)
                until = self.connected[peer] + 13
                self.until(lambda until=until, server=server:
                           'gone' in server.output() or time.monotonic() > until, 'time', 20)
                self.assertNotIn('gone', server.output())
        # An allocation of which the server hears no end holds a port for ten minutes.
        for transport, pair in peers.items():
            for peer in pair:
                mark = self.relay.mark()
                self.assertEqual(peer.delete().status, 200)
                if peer.answer.find('a=sendonly') > 0 and transport == 'udp':
                    self.relay.wait_line('refreshed.*lifetime=0', 5, since=mark)

    def test_threads_of_listeners(self):
        """One each, of DTLS, also where our end has servers."""
        server, base = self.host(self.url('udp'), f'--ice-server=stun:127.0.0.1:{self.port}')

        def threads():
            return len(list(Path(f'/proc/{server.pid}/task').iterdir()))

        def join():
            peer = self.keep(WebPeer('hear', f'{base}/hear'))
            peer.wait_connected(15)
            return peer
        self.assert_relayed(join().answer, alone=False)
        before = threads()
        for _ in range(4):
            join()
        self.assertLessEqual(threads(), before + 4 + 1)


tap.main()
