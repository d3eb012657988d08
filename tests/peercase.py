# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of gst/web/peer.hpp share: a program that has its peers, and a voice."""

import os

import heard
from harness import Case
from webpeer import WebPeer, request


class PeerCase(Case):
    def setUp(self):
        super().setUp()
        self.voice = heard.voice('allison', 6)
        self.wav = f'{self.tmp}/voice.wav'
        heard.write(self.wav, self.voice)

    def host(self, *options):
        self.server = self.start(os.environ['AGORA_PEER_HOST_BIN'], *options)
        port = self.server.wait_line(r'^listening on (\d+)', 30)[1]
        return f'http://127.0.0.1:{port}'

    def peer(self, kind, url, **options):
        return self.keep(WebPeer(kind, url, folder=self.tmp, **options))

    def stats(self, peer):
        return request('GET', peer.session).json()

    def said(self):
        import numpy
        return numpy.fromfile(f'{self.tmp}/raw', '<i2') / 32768

    def assert_like(self, sound, least=0.95):
        match = heard.match(self.voice, sound)
        self.assertGreater(match.correlation, least, match)
        self.assertEqual(match.gaps, [])

    def speak_and_hear(self, base, **options):
        speaker = self.peer('speak', f'{base}/speak?raw={self.tmp}/raw', sound=self.wav, **options)
        listener = self.peer('hear', f'{base}/hear?wav={self.wav}', **options)
        for peer in (speaker, listener):
            peer.wait_connected()
        self.until(lambda: len(self.said()) > 7 * heard.RATE and
                   len(listener.heard()[0]) > 5.8 * heard.RATE, 'the voice', 20)
        self.assert_like(self.said())
        self.assert_like(listener.heard()[0])
        return speaker, listener
