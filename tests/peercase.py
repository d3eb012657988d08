# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of gst/web/peer.hpp share: a program that has its peers, and a voice."""

import os

import heard
from harness import Case, Process
from webpeer import WebPeer, request


class PeerCase(Case):
    def setUp(self):
        super().setUp()
        self.voice = heard.voice('allison', 6)
        self.wav = f'{self.tmp}/voice.wav'
        heard.write(self.wav, self.voice)

    def host(self, *options):
        """A server of peers, and its URL. Without options it is one for all cases of the class."""
        def make():
            server = Process([os.environ['AGORA_PEER_HOST_BIN'], *options])
            try:
                server.port = server.wait_line(r'^listening on (\d+)', 30)[1]
            except BaseException:  # a signal's, too
                server.stop()
                raise
            return server
        self.server = self.keep(make()) if options else self.shared('plain_host', make)
        return f'http://127.0.0.1:{self.server.port}'

    def peer(self, kind, url, **options):
        return self.keep(WebPeer(kind, url, folder=self.tmp, **options))

    @staticmethod
    def number(peer):
        """Of its session, as the server names it."""
        return int(peer.session.rpartition('/')[2])

    def stats(self, peer):
        return request('GET', peer.session).json()

    def said(self, name='raw'):
        import numpy
        return numpy.fromfile(f'{self.tmp}/{name}', '<i2') / 32768

    def assert_like(self, sound, least=0.95):
        match = heard.match(self.voice, sound)
        self.assertGreater(match.correlation, least, match)
        self.assertEqual(match.gaps, [])

    def speak_and_hear(self, base, *ways):
        """A speaker and a listener for each of `ways`, options of theirs, all at once; after another in a list."""
        peers = []
        for number, options in enumerate(ways or ({},)):
            peers += [self.peer('speak', f'{base}/speak?raw={self.tmp}/raw-{number}', sound=self.wav, **options),
                      self.peer('hear', f'{base}/hear?wav={self.wav}', **options)]
        for peer in peers:
            peer.wait_connected()
        for number, listener in enumerate(peers[1::2]):
            self.until(lambda number=number, listener=listener:
                       len(self.said(f'raw-{number}')) > 7 * heard.RATE and
                       len(listener.heard()[0]) > 5.8 * heard.RATE, 'the voice', 20)
            self.assert_like(self.said(f'raw-{number}'))
            self.assert_like(listener.heard()[0])
        return peers
