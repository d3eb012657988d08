# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mix of a channel as players have it by a play key: beside docs/studio.md's line, which pushes the same by a stream key into a
channel of its own, and beside one speaker by a play key."""

import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import heard
import numpy
from gaps import LEAD, silent
from harness import Gateway, Process, wait_until
from lateway import LateWay
from relayrig import Peer
from report import median
from rig import EAR, ENCODE, TICKS, TONE, Media, mic
from studio import UIDS, cpu, launch, make_key, token_option

SPEAKER = 8
# Of the line: as it stands there, and with the encoder that agora-web takes where it is installed.
HANDS = {'bare pipeline': 'avenc_aac', 'the same with voaacenc': 'voaacenc'}
SECONDS = 12  # of CPU
FRAME = 1024  # samples
LOUD = 0.1  # as media.py has it


class Stage:
    """A gateway with keys and agora-web, and what runs around it; everything ends with it."""

    def __init__(self, *options, defaults=True):
        self.running = []
        self.tmp = tempfile.TemporaryDirectory(prefix='agora-bench-')
        self.folder = Path(self.tmp.name)
        try:
            self.gateway = self.keep(Gateway(
                token_option(self.folder), '--relay-workers=1', '--web', '--web-workers=1', '--max-admin-requests-per-second=1000',
                *options, defaults=defaults, ready_timeout=20, quiet_errors=True))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.end(0)
        self.tmp.cleanup()

    def keep(self, one):
        self.running.append(one)
        return one

    def end(self, until):
        """All that was begun after the first `until`."""
        while len(self.running) > until:
            self.running.pop().stop()

    def where(self, room, uid=None):
        text = f'gateway={self.gateway.ws} app-id=demo channel={room}'
        return text if uid is None else f'{text} uid={uid}'

    def speaks(self, sound, room, uid):
        return f'{sound} ! {ENCODE} ! agorasink {self.where(room, uid)}'

    def key(self, kind, room, **of):
        return make_key(self.gateway, kind, room, **of)

    def mix(self, room):
        return self.key('play-key', room, mix=True)

    def by_hand(self, room, encoder):
        """Begins the line, and returns the process and the URL that plays what it pushes."""
        out = f'{room}-{encoder}'
        process = self.keep(launch(
            f'agorasrc {self.where(room)} ! audioconvert ! audioresample ! {encoder} bitrate=128000 ! aacparse ! '
            f'flvmux streamable=true ! rtmp2sink location={self.key("stream-key", out, uid=1)} sync=false'))
        return process, self.key('play-key', out, uid=1)

    def worker(self):
        """The pid of agora-web."""
        found = subprocess.run(['pgrep', '-P', str(self.gateway.pid), 'agora-web'], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])


def start(stage, room, found):
    """Everything at once, begun anew."""
    before = len(stage.running)
    urls = {'mix': stage.mix(room), 'one': stage.key('play-key', room, uid=SPEAKER),
            **{name: stage.by_hand(room, encoder)[1] for name, encoder in HANDS.items()}}
    player = 'rtmp2src location={} ! flvdemux ! aacparse ! avdec_aac ! {} sync={}'
    media = stage.keep(Media(
        'latency', seconds=6, senders={'speaker': f'{mic(TICKS)} ! agorasink {stage.where(room, SPEAKER)} bitrate=48000'},
        receivers={f'{name} {how}': ('speaker', player.format(url, EAR, how == 'played'))
                   for name, url in urls.items() for how in ('decoded', 'played')}))
    for name, values in media.result().items():
        if not values:
            raise AssertionError(f'{name}: nothing was heard')
        found.setdefault(name, []).append(median(values))
    stage.end(before)


def latency(report, stage, quick):
    found = {}
    for number in range(2 if quick else 8):
        start(stage, f'latency{number}', found)

    def more(name):
        return [mine - one for mine, one in zip(found[f'{name} decoded'], found['one decoded'])]

    others = {name: found[f'{name} decoded'] for name in HANDS}
    one = {'one speaker': found['one decoded']}
    report.row('mixed', 'mouth to a player of the mix, as soon as it is decoded', 'ms', found['mix decoded'], {**others, **one},
               asked=1)
    report.row('mixed', 'the same, more than one speaker', 'ms', more('mix'), {name: more(name) for name in HANDS}, asked=1)
    report.row('mixed', 'the same at a synchronising sink, whose start decides', 'ms', found['mix played'],
               {**{name: found[f'{name} played'] for name in HANDS}, 'one speaker': found['one played']}, compared=False)


def cost(report, stage, quick):
    """All at the same time, of two speakers."""
    before = len(stage.running)
    for uid in UIDS:
        stage.keep(launch(stage.speaks(mic(TONE), 'cost', uid)))
    pids = {'': stage.worker()}

    def used():
        begin = {name: cpu(pid) for name, pid in pids.items()}
        threading.Event().wait(SECONDS)
        return {name: (cpu(pid) - begin[name]) * 60 / SECONDS for name, pid in pids.items()}

    idle = used()['']
    hands = {name: stage.by_hand('cost', encoder) for name, encoder in HANDS.items()}
    plays = {'': stage.mix('cost'), **{name: url for name, (_, url) in hands.items()}}
    heard_by = {}
    for name, url in plays.items():
        path = stage.folder / f'played-{name}'.replace(' ', '-')
        stage.keep(launch(f'rtmp2src location={url} ! filesink location={path}'))
        heard_by[name] = path
    for name, path in heard_by.items():
        wait_until(lambda path=path: path.exists() and path.stat().st_size > 50_000, 20, f'what is played of {name or "the mix"}')
    pids.update({name: process.pid for name, (process, _) in hands.items()})
    rounds = [used() for _ in range(1 if quick else 4)]
    stage.end(before)
    # The same encoder first: it is half of the work.
    report.row('mixed', 'CPU: agora-web with the mix of two speakers, more than idle', 's/min', [each[''] - idle for each in rounds],
               {name: [each[name] for each in rounds] for name in reversed(HANDS)}, asked=1.1)


def sounds_at(media):
    """When the first frame came that has sound in it; None: none has."""
    tags = []
    for _, stamp, body in media:
        size = len(body).to_bytes(3, 'big')
        head = b'\x08' + size + (stamp & 0xffffff).to_bytes(3, 'big') + bytes([stamp >> 24]) + bytes(3)
        tags.append(head + body + (len(head) + len(body)).to_bytes(4, 'big'))
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-f', 'flv', '-i', '-', '-f', 's16le', '-ac', '1', '-'],
                         input=b'FLV\1\4\0\0\0\x09' + bytes(4) + b''.join(tags), capture_output=True, check=True).stdout
    loud = numpy.flatnonzero(numpy.abs(numpy.frombuffer(raw[:len(raw) // 2 * 2], '<i2').astype(int)) > LOUD * 32768)
    frames = [at for at, _, body in media if body[:2] == b'\xaf\1']
    return frames[int(loud[0]) // FRAME] if len(loud) else None


def first_sound_of(url, seconds):
    """Milliseconds from a play to its first sound; the connection is there before."""
    parts = urlsplit(url)
    peer = Peer(SimpleNamespace(port=parts.port))
    try:
        _, app, name = parts.path.split('/')
        peer.greet().connect(app)
        began = time.monotonic()
        peer.send(peer.command('play', 3, None, name, stream=1))
        peer.read(seconds)
        at = sounds_at(peer.media())
        if at is None:
            raise AssertionError(f'no sound within {seconds} s of a play')
        return (at - began) * 1000
    finally:
        peer.close()


def first_sound(report, stage, quick):
    """Each round has a channel of its own, so that its mix isn't made yet."""
    count = 3 if quick else 12
    rooms = [f'first{number}' for number in range(count)]
    before = len(stage.running)
    speaking = stage.keep(Media('speak', stdin=subprocess.PIPE,
                                pipelines=[stage.speaks(mic(TONE), room, SPEAKER) for room in rooms]))
    speaking.wait_line('^speaking$', 20)
    cold, warm, one = [], [], []
    for room in rooms:
        single, mix = stage.key('play-key', room, uid=SPEAKER), stage.mix(room)
        one.append(first_sound_of(single, 1))
        cold.append(first_sound_of(mix, 2))
        warm.append(first_sound_of(mix, 1))
    stage.end(before)
    report.row('mixed', 'play to first sound of a mix that nobody has played yet, bound', 'ms', cold, asked=350)
    report.row('mixed', 'the same of one that is made already', 'ms', warm, {'one speaker': one}, compared=False)
    report.row('mixed', 'the same, bound', 'ms', warm, asked=25)


class Recorder(Process):
    """ffmpeg, which writes what it hears."""

    def __init__(self, url, path):
        self.path = path
        super().__init__(['ffmpeg', '-nostdin', '-v', 'error', '-probesize', '4096', '-analyzeduration', '300000', '-i', url,
                          '-vn', '-f', 's16le', '-ac', '1', '-ar', str(heard.RATE), '-flush_packets', '1', path], quiet_errors=True)

    def seconds(self):
        return self.path.stat().st_size / 2 / heard.RATE if self.path.exists() else 0

    def until(self, more):
        end = self.seconds() + more
        wait_until(lambda: self.seconds() > end, more + 20, f'{more} s of sound')

    def sound(self):
        raw = self.path.read_bytes()
        return numpy.frombuffer(raw[:len(raw) // 2 * 2], '<i2').astype(numpy.float64) / 32768


def late_round(seconds, share, seed):
    """A voice of which so much is 60 ms late on its way to the media server, as the players of the mix hear it."""
    way = LateWay(seed, pushed=True)
    try:
        with Stage(*way.options(), defaults=False) as stage:
            urls = {'': stage.mix('room'), **{name: stage.by_hand('room', encoder)[1] for name, encoder in HANDS.items()}}
            ears = {name: stage.keep(Recorder(url, stage.folder / f'heard{number}'))
                    for number, (name, url) in enumerate(urls.items())}
            for ear in ears.values():
                ear.until(0.5)
            voice = heard.voice('allison', seconds)
            path = stage.folder / 'voice.wav'
            heard.write(path, numpy.concatenate([heard.silence(LEAD), voice, heard.silence(0.5)]))
            mouth = stage.keep(launch(f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! identity sync=true ! '
                                      f'agorasink {stage.where("room", SPEAKER)}'))
            threading.Event().wait(LEAD)
            way.delay, way.share = 0.06, share
            if mouth.wait(120) != 0:
                raise AssertionError(mouth.tail())
            for ear in ears.values():
                ear.until(1)
            return {name: heard.match(voice, ear.sound()) for name, ear in ears.items()}
    finally:
        way.close()


def late(report, quick):
    seconds = 6 if quick else 30
    for share in (0.05, 0.2):
        rounds = [late_round(seconds, share, seed) for seed in range(1 if quick else 2)]
        name = f"{share * 100:.0f} % of a speaker's packets 60 ms late"
        gaps = {hand: [silent(each[hand], seconds) for each in rounds] for hand in rounds[0]}
        report.row('mixed', f'{name}: silent', 'ms/min', gaps[''], {hand: gaps[hand] for hand in HANDS}, compared=False)
        report.row('mixed', f'{name}: silent, bound', 'ms/min', gaps[''], asked=0)
        report.row('mixed', f'{name}: correlation', '', [each[''].correlation for each in rounds],
                   {hand: [each[hand].correlation for each in rounds] for hand in HANDS}, more_is_better=True)
        report.row('mixed', f'{name}: later at the end, bound', 'ms', [abs(each[''].drift) for each in rounds], asked=5)


def run(report, quick):
    with Stage() as stage:
        # First, for what ends is no idle worker yet.
        cost(report, stage, quick)
        first_sound(report, stage, quick)
        latency(report, stage, quick)
    late(report, quick)
