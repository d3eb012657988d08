# SPDX-License-Identifier: LGPL-2.1-or-later
"""A WHIP client that sends RTP as it pleases: whole packets, past any encoder and payloader.

    peer = EvilPeer(url, 'flood')     # see send_…() below; prints "sent" at the end
"""

import os
import struct
import sys
import threading
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import webpeer  # noqa: E402

# 20 ms of silence, mono.
QUIET = b'\xf8\xff\xfe'
# The same, of 120 ms: six frames of one size in one packet.
LONG = b'\xfb\x06' + b'\xff\xfe' * 6


class EvilPeer(webpeer.harness.Process):
    def __init__(self, url, mode, token=''):
        self.url, self.token = url, token
        super().__init__([sys.executable, __file__, url, mode, token], quiet_errors=True)

    wait_answer = webpeer.WebPeer.wait_answer
    wait_connected = webpeer.WebPeer.wait_connected
    session = webpeer.WebPeer.session


class Client(webpeer.Client):
    sequence = stamp = 0

    def speak(self):
        source, = self.make('appsrc')
        source.set_property('caps', self.g.Gst.Caps.from_string(
            'application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,'
            'encoding-params=(string)2,ssrc=(uint)1000'))
        source.set_property('format', self.g.Gst.Format.TIME)
        source.set_property('is-live', True)
        source.set_property('do-timestamp', True)
        source.set_property('max-bytes', 20_000_000)
        source.link(self.web)
        self.source = source
        transceiver = self.web.emit('get-transceiver', 0)
        transceiver.set_property('direction',
                                 self.g.GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property('codec-preferences', self.codec())

    def send(self, payload=QUIET, ssrc=1000, kind=111, others=0, lost=0, ticks=960):
        self.sequence = (self.sequence + 1 + lost) & 0xffff
        self.stamp = (self.stamp + ticks) & 0xffffffff
        packet = struct.pack('>BBHII', 0x80 | others, kind, self.sequence, self.stamp, ssrc)
        packet += b''.join(struct.pack('>I', 7_000_000 + self.sequence * 16 + i) for i in range(others))
        return self.source.emit('push-buffer', self.g.Gst.Buffer.new_wrapped(packet + payload))

    def feed(self):
        sent = getattr(self, 'send_' + self.options.mode)()
        webpeer.say('sent', count=sent)

    def speak_for(self, seconds):
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self.send()
            count += 1
            threading.Event().wait(0.02)
        return count

    def send_plain(self):
        return self.speak_for(1.5)

    def send_sources(self):
        """Each packet is another's."""
        for ssrc in range(3000):
            self.send(ssrc=10_000 + ssrc)
            if ssrc % 20 == 0:
                threading.Event().wait(0.005)
        return self.speak_for(1)

    def send_flood(self):
        """As much as goes, of large packets."""
        end, count = time.monotonic() + 6, 0
        while time.monotonic() < end:
            self.send(payload=QUIET + bytes(1100), others=15)
            count += 1
            if count % 40 == 0:
                threading.Event().wait(0.002)
        return count

    def send_long(self):
        """120 ms each, 50 a second: six times as much sound as there is time."""
        end, count = time.monotonic() + 5, 0
        while time.monotonic() < end:
            self.send(payload=LONG, ticks=5760)
            count += 1
            threading.Event().wait(0.02)
        return count

    def send_jumps(self):
        """Timestamps and numbers at random."""
        end, count = time.monotonic() + 5, 0
        while time.monotonic() < end:
            self.send(lost=self.random.randrange(3000), ticks=self.random.getrandbits(32),
                      kind=self.random.choice((111, 111, 111, 0, 96, 127)),
                      payload=self.random.randbytes(self.random.randrange(200)))
            count += 1
            threading.Event().wait(0.005)
        return count


def main():
    url, mode, token = sys.argv[1:]
    import gi
    for name in ('Gst', 'GstSdp', 'GstWebRTC'):
        gi.require_version(name, '1.0')
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
    Gst.init(None)
    options = types.SimpleNamespace(
        kind='speak', url=url, mode=mode, token=token, seed=1, latency=20, address='127.0.0.1',
        turn=None, relay_only=False, no_candidates=False, setup=None, fingerprint=None, add=None,
        loss_up=0, loss_down=0, sound=None, record=None, rounds=0)
    Client(options, types.SimpleNamespace(GLib=GLib, Gst=Gst, GstSdp=GstSdp,
                                          GstWebRTC=GstWebRTC)).run()
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
