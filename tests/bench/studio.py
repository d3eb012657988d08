# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-recorder beside a bare pipeline that writes the same; a push by a stream key beside one by a signed URL."""

import http.client
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

from harness import Gateway, Process, wait_until
from relayrig import Peer
from rig import TONE, mic
from wsclient import Member

RECORDER = Path(os.environ['AGORA_BUILD_ROOT']) / 'gst' / 'recorder' / 'agora-recorder'
TOKEN = 'a-benchmark-of-keys'
UIDS = (8, 9)
SECONDS = 12
AT_A_TIME = 2
RAW = 'audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels={}'


def cpu(pid):
    """Seconds of all threads, also of those that have ended, to the nanosecond: of so little work a clock tick is a per cent."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


def launch(text, *options):
    return Process(['gst-launch-1.0', *options, *text.split()], quiet_errors=True)


def bare(where, folder, kind):
    """What agora-recorder does, by elements alone: a file for each speaker, and the mix where it is decoded."""
    out = 'filesink location={}/{}'
    if kind == 'mka':
        tracks = [f'r.speaker_{uid} ! t{uid}.audio_0 matroskamux name=t{uid} ! {out.format(folder, f"{uid}.mka")} async=false'
                  for uid in UIDS]
        return f'agorasrc {where} latency=1000 expose-speakers=true name=r {" ".join(tracks)}'
    tracks = [f'agorasrc {where} latency=1000 speakers={uid} ! {RAW.format(1)} ! wavenc ! {out.format(folder, f"{uid}.wav")}'
              for uid in UIDS]
    mix = f'agorasrc {where} latency=1000 ! {RAW.format(2)} ! wavenc ! {out.format(folder, "mix.wav")}'
    return ' '.join([*tracks, mix])


def written(folder, kind):
    """Whether each track is, beyond its beginning."""
    files = [path for path in folder.rglob(f'*.{kind}') if path.stat().st_size > 20_000]
    return len(files) == len(UIDS) + (kind == 'wav')


def one_round(gateway, folder, kind, order):
    """Seconds of CPU a minute, of both at the same time, and of several: how their wakings fall together is chance."""
    where = f'gateway={gateway.ws} app-id=demo channel=room'
    running = []
    try:
        for name in order * AT_A_TIME:
            into = folder / f'{kind}-{name}-{time.monotonic_ns()}'
            into.mkdir()
            if name == 'ours':
                process = Process([RECORDER, f'--gateway={gateway.ws}', '--app-id=demo', '--channel=room', f'--format={kind}',
                                   f'--folder={into}', *(['--mix'] if kind == 'wav' else [])], quiet_errors=True)
            else:
                process = launch(bare(where, into, kind), '-e')
            running.append((name, process, into))
        for name, _, into in running:
            wait_until(lambda into=into: written(into, kind), 40, f'{name}: files')
        before = [cpu(process.pid) for _, process, _ in running]
        threading.Event().wait(SECONDS)
        used = [cpu(process.pid) - was for (_, process, _), was in zip(running, before)]
        return {each: sum(took for (name, _, _), took in zip(running, used) if name == each) * 60 / SECONDS / AT_A_TIME
                for each in order}
    finally:
        for _, process, _ in running:
            process.interrupt(20)
            process.stop()


def recorder(report, gateway, folder, quick):
    speakers = [launch(f'{mic(TONE)} ! agorasink gateway={gateway.ws} app-id=demo channel=room uid={uid}') for uid in UIDS]
    try:
        for kind, what in (('wav', 'two speakers and the mix, as WAV'), ('mka', 'two speakers as they were sent')):
            rounds = [one_round(gateway, folder, kind, ('ours', 'bare')[::1 if number % 2 else -1])
                      for number in range(1 if quick else 8)]
            report.row('studio', f'CPU: agora-recorder, {what}', 's/min', [each['ours'] for each in rounds],
                       {'bare pipeline': [each['bare'] for each in rounds]}, asked=1.05)
    finally:
        for one in speakers:
            one.stop()


def token_option(folder):
    """By which a gateway has operators with TOKEN."""
    secret = folder / 'token'
    secret.write_text(TOKEN, encoding='ascii')
    secret.chmod(0o600)
    return f'--admin-token-file={secret}'


def make_key(gateway, kind, channel, **of):
    """The URL of a new stream-key or play-key."""
    connection = http.client.HTTPConnection(urlsplit(gateway.http).netloc, timeout=5)
    connection.request('POST', f'/dev/v1/{kind}', json.dumps({'appid': 'demo', 'cname': channel, **of}),
                       {'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer['url']


def session(url, call=None):
    """An RTMP session to its server; `call`: and its answer."""
    parts = urlsplit(url)
    peer = Peer(SimpleNamespace(port=parts.port))
    name = parts.path.rpartition('/')[2] + (f'?{parts.query}' if parts.query else '')
    if call:
        peer.open(call, name)
    return peer, name


def first_sound_of(url, uid, listener):
    """Milliseconds from the publish to the sound at a listener who was told of it then."""
    peer, name = session(url)
    peer.greet().connect()
    at = time.perf_counter()
    peer.send(peer.command('publish', 3, None, name, 'live', stream=1))
    listener.wait_event('stream-added', uid=uid)
    play, _ = session(listener.subscribe(uid), 'play')
    peer.frame(0)
    play.wait(play.media)
    took = (time.perf_counter() - at) * 1000
    play.close()
    return peer, took


def first_sound(report, gateway, quick):
    took = {'ours': [], 'signed URL': []}
    key = make_key(gateway, 'stream-key', 'keys', uid=8)
    listener = Member(gateway.ws, channel='keys', uid=9, heartbeat=True).join('audience')
    # A key may begin 20 pushes at once.
    for _ in range(5 if quick else 15):
        # Each a new one: who changes often is told of later.
        speaker = Member(gateway.ws, channel='keys', uid=7, heartbeat=True).join()
        peer, ms = first_sound_of(speaker.publish(), 7, listener)
        took['signed URL'].append(ms)
        speaker.must('leave', uid=7)
        listener.wait_event('stream-removed', uid=7)
        peer.close()
        speaker.close()
        peer, ms = first_sound_of(key, 8, listener)
        took['ours'].append(ms)
        # Who comes by that uid takes its place, so that the next one is new, too.
        taker = Member(gateway.ws, channel='keys', uid=8, heartbeat=True).join()
        taker.must('leave', uid=8)
        taker.close()
        listener.wait_event('stream-removed', uid=8)
        peer.close()
    listener.close()
    report.row('studio', 'first sound of a push by a stream key', 'ms', took.pop('ours'), took, asked=1.1)


def run(report, quick):
    with tempfile.TemporaryDirectory(prefix='agora-bench-') as name:
        folder = Path(name)
        gateway = Gateway(token_option(folder), '--relay-workers=1', quiet_errors=True)
        try:
            first_sound(report, gateway, quick)
            recorder(report, gateway, folder, quick)
        finally:
            gateway.stop()
