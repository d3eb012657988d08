# SPDX-License-Identifier: LGPL-2.1-or-later
"""A WHIP or WHEP client over GStreamer's webrtcbin, in a process of its own.

    peer = WebPeer('speak', f'{base}/whip/demo/room', sound='voice.wav', token=token)
    peer.wait_connected()
    peer.kill()            # without a word; peer.delete() takes leave

A test keeps it like any process: `self.keep(WebPeer(…))`. What it hears is in `peer.heard()`.
"""

import argparse
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

import harness

RATE = 48000
BLOCK = RATE // 50


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Reply:
    """What an HTTP server said: `status`, `headers` (their names in any case), `text`."""

    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    def json(self):
        return json.loads(self.text)


def request(method, url, body=None, headers=None, timeout=10):
    """One HTTP request; any status is a Reply, redirects are not followed."""
    data = body.encode() if isinstance(body, str) else body
    asked = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    opener = urllib.request.build_opener(_Stay(), urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=timeout) as reply:
            return Reply(reply.status, reply.headers, reply.read().decode('utf-8', 'replace'))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers, error.read().decode('utf-8', 'replace'))


def bearer(token):
    return {'Authorization': f'Bearer {token}'} if token else {}


class WebPeer(harness.Process):
    """`kind` is 'speak' or 'hear'. Options are those of the program below, as keywords."""

    def __init__(self, kind, url, sound=None, token='', folder=None, **options):
        self.url, self.token = url, token
        self.folder = tempfile.TemporaryDirectory(dir=folder)
        self.record = Path(self.folder.name) / 'heard'
        words = ['--record', self.record] if kind == 'hear' else []
        words += ['--sound', sound] if sound else []
        words += ['--token', token] if token else []
        for name, value in options.items():
            name = '--' + name.replace('_', '-')
            words += [name] if value is True else [name, value] if value not in (None, False) else []
        super().__init__([sys.executable, __file__, kind, url, *words], quiet_errors=True)
        self.connected_at = None

    def wait_answer(self, timeout=10):
        """The status of the POST; fails where none came."""
        self.reply = json.loads(self.wait_line(r'^answer (.*)', timeout)[1])
        return self.reply['status']

    @property
    def session(self):
        return urljoin(self.url, self.reply['location'])

    @property
    def answer(self):
        return self.reply['text']

    def wait_connected(self, timeout=10):
        """Milliseconds from the beginning of the POST."""
        assert self.wait_answer(timeout) == 201, self.reply
        self.connected_at = json.loads(self.wait_line(r'^connected (.*)', timeout)[1])
        return self.connected_at['ms']

    def spoken_since(self):
        """When the first sample of the sound was sent, on time.monotonic()."""
        return json.loads(self.wait_line(r'^speaking (.*)', 10)[1])['at']

    def delete(self):
        return request('DELETE', self.session, headers=bearer(self.token))

    def patch(self, fragment, headers=None):
        return request('PATCH', self.session, fragment,
                       {'Content-Type': 'application/trickle-ice-sdpfrag', **bearer(self.token),
                        **(headers or {})})

    def stop(self):
        super().stop()
        self.folder.cleanup()

    def kill(self):
        """Without a word to anybody."""
        self.popen.send_signal(signal.SIGKILL)

    def heard(self):
        """(sound, when): floats at 48 kHz without holes, and time.monotonic() of the first."""
        import numpy
        samples = numpy.fromfile(f'{self.record}.f32', dtype='<f4')
        blocks = [json.loads(line) for line in Path(f'{self.record}.times').read_text().splitlines()]
        if not blocks:
            return numpy.zeros(0), None
        first = blocks[0]['pts']
        end = max(round((block['pts'] - first) * RATE) + block['count'] for block in blocks)
        sound = numpy.zeros(end)
        for block in blocks:
            at = round((block['pts'] - first) * RATE)
            part = samples[block['at']:block['at'] + block['count']]
            sound[at:at + len(part)] = part
        return sound, blocks[0]['when']


# The program.


def say(what, **fields):
    print(what, json.dumps(fields), flush=True)


class Client:
    def __init__(self, options, libraries):
        self.options, self.g = options, libraries
        self.loop = self.g.GLib.MainLoop()
        self.pipeline = self.g.Gst.Pipeline.new()
        self.began = self.heard_samples = 0
        self.gathered = self.posted = False
        self.random = random.Random(options.seed)
        self.web = self.g.Gst.ElementFactory.make('webrtcbin')
        self.web.set_property('bundle-policy', 3)  # max-bundle
        self.web.set_property('latency', options.latency)
        self.pipeline.add(self.web)
        self.set_up_agent()
        self.web.connect('notify::ice-gathering-state', self.on_gathering)
        self.web.connect('notify::connection-state', self.on_state)
        self.web.connect('pad-added', self.on_pad)
        self.web.connect('deep-element-added', self.on_element)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message::error', lambda _, m: self.fail(m.parse_error()[0].message + ': ' + m.parse_error()[1]))

    def fail(self, why):
        say('failed', why=why)
        self.loop.quit()

    def set_up_agent(self):
        # It comes as a floating reference, which Python takes for its own: it is kept to the end.
        ice = self.ice = self.web.get_property('ice-agent')
        ice.get_property('agent').set_property('upnp', False)
        for address in self.options.address.split(','):
            ice.emit('add-local-ip-address', address)
        if self.options.turn:
            self.web.emit('add-turn-server', self.options.turn)
            self.web.set_property('ice-transport-policy', 1 if self.options.relay_only else 0)

    def make(self, *names):
        made = [self.g.Gst.ElementFactory.make(name) for name in names]
        for element in made:
            self.pipeline.add(element)
        return made

    def speak(self):
        caps = self.g.Gst.Caps.from_string(
            f'audio/x-raw,format=S16LE,layout=interleaved,rate={RATE},channels=1')
        source, encoder, payloader = self.make('appsrc', 'opusenc', 'rtpopuspay')
        source.set_property('caps', caps)
        source.set_property('format', self.g.Gst.Format.TIME)
        source.set_property('is-live', True)
        encoder.set_property('inband-fec', True)
        encoder.set_property('packet-loss-percentage', 10)
        encoder.set_property('bitrate', 40000)
        payloader.set_property('pt', 111)
        source.link(encoder)
        encoder.link(payloader)
        payloader.link(self.web)
        self.source = source
        transceiver = self.web.emit('get-transceiver', 0)
        transceiver.set_property('direction',
                                 self.g.GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property('codec-preferences', self.codec())

    def codec(self):
        return self.g.Gst.Caps.from_string(
            'application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,'
            'encoding-params=(string)2')

    def hear(self):
        self.web.emit('add-transceiver',
                      self.g.GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, self.codec())
        self.web.get_by_name('rtpbin').connect('on-ssrc-active', self.on_report)
        self.file = open(f'{self.options.record}.f32', 'wb', buffering=0)
        self.times = open(f'{self.options.record}.times', 'w', buffering=1, encoding='utf-8')

    def run(self):
        getattr(self, self.options.kind)()
        self.pipeline.set_state(self.g.Gst.State.PLAYING)
        self.began = time.monotonic()
        promise = self.g.Gst.Promise.new_with_change_func(self.on_offer)
        self.web.emit('create-offer', None, promise)
        threading.Thread(target=self.read_orders, daemon=True).start()
        self.loop.run()
        self.pipeline.set_state(self.g.Gst.State.NULL)

    def read_orders(self):
        for line in sys.stdin:
            if line.strip() == 'quit':
                self.loop.quit()

    def on_offer(self, promise):
        # The reply owns the offer, which owns the SDP: each is to live while it is read.
        reply = promise.get_reply()
        offer = reply.get_value('offer')
        text = offer.sdp.as_text()
        self.web.emit('set-local-description', self.description('OFFER', text), None)

    def description(self, kind, text):
        _, message = self.g.GstSdp.SDPMessage.new_from_text(text)
        return self.g.GstWebRTC.WebRTCSessionDescription.new(
            getattr(self.g.GstWebRTC.WebRTCSDPType, kind), message)

    def on_gathering(self, *_):
        if self.web.get_property('ice-gathering-state') == 2 and not self.gathered:
            self.gathered = True
            self.g.GLib.idle_add(self.post)

    def post(self):
        local = self.web.get_property('local-description')
        sdp = local.sdp.as_text()
        if self.options.no_candidates:
            sdp = re.sub(r'a=candidate:.*\r\n', '', sdp)
        if self.options.setup:
            sdp = re.sub(r'a=setup:\w+', f'a=setup:{self.options.setup}', sdp)
        if self.options.fingerprint:
            sdp = re.sub(r'a=fingerprint:.*', f'a=fingerprint:{self.options.fingerprint}', sdp)
        if self.options.add:
            sdp += ''.join(f'{line}\r\n' for line in self.options.add.split('|'))
        began = time.monotonic()
        try:
            reply = request('POST', self.options.url, sdp,
                            {'Content-Type': 'application/sdp', **bearer(self.options.token)})
        except OSError as error:
            return self.fail(str(error))
        self.began = began
        self.location = reply.headers.get('Location')
        say('answer', status=reply.status, ms=round((time.monotonic() - began) * 1000),
            location=reply.headers.get('Location'), etag=reply.headers.get('ETag'),
            links=reply.headers.get_all('Link') or [], text=reply.text, offer=sdp)
        if reply.status != 201:
            self.loop.quit()
            return False
        self.web.emit('set-remote-description', self.description('ANSWER', reply.text), None)
        return False

    def on_state(self, *_):
        state = self.web.get_property('connection-state').value_nick
        if state == 'connected' and not self.posted:
            self.posted = True
            say('connected', ms=round((time.monotonic() - self.began) * 1000))
            if self.options.rounds:
                self.g.GLib.timeout_add(50, self.leave)
            elif self.options.kind == 'speak':
                threading.Thread(target=self.feed, daemon=True).start()
        else:
            say('state', state=state)

    def leave(self):
        request('DELETE', urljoin(self.options.url, self.location),
                headers=bearer(self.options.token))
        self.loop.quit()
        return False

    def running_time(self):
        return self.pipeline.get_clock().get_time() - self.pipeline.get_base_time()

    def sound(self):
        import wave
        if not self.options.sound:
            return b''
        with wave.open(self.options.sound) as file:
            assert (file.getframerate(), file.getnchannels()) == (RATE, 1), 'a WAV of 48 kHz, mono'
            return file.readframes(file.getnframes())

    def feed(self):
        """The sound, then silence, 20 ms at a time, each at its time."""
        Gst = self.g.Gst
        data, first = self.sound(), self.running_time()
        say('speaking', at=time.monotonic())
        pause = threading.Event()
        for number in range(1 << 40):
            pts = first + number * Gst.SECOND // 50
            early = (pts - self.running_time()) / Gst.SECOND - 0.005
            if early > 0:
                pause.wait(early)
            block = data[number * BLOCK * 2:(number + 1) * BLOCK * 2].ljust(BLOCK * 2, b'\0')
            buffer = Gst.Buffer.new_wrapped(block)
            buffer.pts, buffer.duration = pts, Gst.SECOND // 50
            if self.source.emit('push-buffer', buffer) != Gst.FlowReturn.OK:
                return

    def on_pad(self, _, pad):
        if self.options.kind != 'hear' or pad.get_direction() != self.g.Gst.PadDirection.SRC:
            return
        chain = self.make('rtpopusdepay', 'opusdec', 'audioconvert', 'appsink')
        chain[1].set_property('use-inband-fec', True)
        chain[1].set_property('plc', True)
        chain[3].set_property('caps', self.g.Gst.Caps.from_string(
            f'audio/x-raw,format=F32LE,rate={RATE},channels=1'))
        chain[3].set_property('sync', False)
        chain[3].set_property('emit-signals', True)
        chain[3].connect('new-sample', self.on_sample)
        for one, other in zip(chain, chain[1:]):
            one.link(other)
        for element in chain:
            element.sync_state_with_parent()
        pad.link(chain[0].get_static_pad('sink'))

    def on_report(self, rtpbin, session, ssrc):
        """Of the sender."""
        source = rtpbin.emit('get-internal-session', session).emit('get-source-by-ssrc', ssrc)
        stats = source.get_property('stats')
        if stats.get_value('have-sr'):
            say('report', ntp=stats.get_value('sr-ntptime') / (1 << 32) - 2208988800,
                rtp=stats.get_value('sr-rtptime'), packets=stats.get_value('sr-packet-count'),
                octets=stats.get_value('sr-octet-count'))

    def on_sample(self, sink):
        buffer = sink.emit('pull-sample').get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        if not self.heard_samples:
            say('heard', ms=round((time.monotonic() - self.began) * 1000))
        self.file.write(data)
        self.times.write(json.dumps({'at': self.heard_samples, 'count': len(data) // 4,
                                     'pts': buffer.pts / self.g.Gst.SECOND,
                                     'when': time.monotonic()}) + '\n')
        self.heard_samples += len(data) // 4
        return self.g.Gst.FlowReturn.OK

    def on_element(self, _, __, element):
        factory = element.get_factory()
        name = factory.get_name() if factory else ''
        loss = {'nicesrc': self.options.loss_down, 'nicesink': self.options.loss_up}.get(name, 0)
        if loss:
            pad = element.get_static_pad('src' if name == 'nicesrc' else 'sink')
            kind = self.g.Gst.PadProbeType
            pad.add_probe(kind.BUFFER, self.on_packet, loss)
            if name == 'nicesink':
                pad.add_probe(kind.BUFFER_LIST, lambda *_: self.fail('a list of packets'))

    def on_packet(self, _, info, loss):
        """RTP and RTCP are lost, DTLS is not: what is tried is sound, not how soon it begins."""
        first = info.get_buffer().extract_dup(0, 1)
        lost = first and 128 <= first[0] < 192 and self.random.random() < loss
        return self.g.Gst.PadProbeReturn.DROP if lost else self.g.Gst.PadProbeReturn.OK


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('kind', choices=('speak', 'hear'))
    parser.add_argument('url')
    parser.add_argument('--sound', help='WAV of 48 kHz, mono; silence follows')
    parser.add_argument('--record', help='FILE.f32 and FILE.times')
    parser.add_argument('--token', default='')
    parser.add_argument('--rounds', type=int, default=0, help='connects and leaves so often')
    parser.add_argument('--latency', type=int, default=20, help='of its jitter buffer, in ms')
    parser.add_argument('--address', default='127.0.0.1', help='its own, or several with commas')
    parser.add_argument('--loss-up', type=float, default=0, help='part of the packets, 0 to 1')
    parser.add_argument('--loss-down', type=float, default=0)
    parser.add_argument('--seed', type=int, default=1, help='which of them')
    parser.add_argument('--turn', help='turn://USER:PASSWORD@HOST:PORT?transport=udp')
    parser.add_argument('--relay-only', action='store_true')
    parser.add_argument('--no-candidates', action='store_true', help='as libdatachannel does')
    parser.add_argument('--setup', help='says active, passive or actpass in the offer')
    parser.add_argument('--fingerprint', help='of a certificate that is not its own')
    parser.add_argument('--add', help='lines for the end of the offer, with | between')
    options = parser.parse_args()
    import types

    import gi
    for name in ('Gst', 'GstSdp', 'GstWebRTC'):
        gi.require_version(name, '1.0')
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
    Gst.init(None)
    if not Gst.ElementFactory.find('webrtcbin') or not Gst.ElementFactory.find('nicesrc'):
        print('webpeer: no webrtcbin', file=sys.stderr)
        return 77
    libraries = types.SimpleNamespace(GLib=GLib, Gst=Gst, GstSdp=GstSdp, GstWebRTC=GstWebRTC)
    for number in range(options.rounds or 1):
        Client(options, libraries).run()
        if options.rounds:
            say('round', number=number + 1)
    # Without letting go of what has one owner too many.
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
