# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the mouth to a synchronising sink, with blocks that come when a microphone's would."""

import gi

import ffplay
from report import median
from rig import EAR, TICKS, Rig, mic


# By what agorasink is told.
LOW = {'low': 'low-delay=true'}
OPUS = {'opus': 'codec=opus', 'opus10': 'codec=opus low-delay=true'}


def webrtc_kinds(report):
    gi.require_version('Gst', '1.0')
    from gi.repository import Gst
    Gst.init(None)
    for element in ('webrtcbin', 'nicesrc', 'dtlsenc', 'srtpenc', 'opusenc'):
        if not Gst.ElementFactory.find(element):
            report.skip('latency', 'webrtcbin', f'{element} is not installed')
            return {}
    try:
        gi.require_version('GstWebRTC', '1.0')
    except ValueError as error:
        report.skip('latency', 'webrtcbin', error)
        return {}
    return {'webrtcbin 20': 20, 'webrtcbin 200': 200}


def start(rig, room, ear, encoded, webrtc, found, senders=None, receivers=None):
    """One start of today's AAC, of what is `encoded` otherwise, each in a room of its own, and of
    others."""
    def heard(kind, where, latencies):
        return {f'{kind} {ms}': (kind, f'agorasrc {rig.where(where)} latency={ms} ! {ear}')
                for ms in latencies}

    ours = heard('ours', room, (20, 60, 100))
    for kind in encoded:
        ours.update(heard(kind, room + kind, (20, 100)))
    once = rig.measure(
        'latency', seconds=4, webrtc=webrtc,
        senders={'ours': rig.encoded(mic(TICKS), room, 8, 'bitrate=48000'),
                 **{kind: rig.encoded(mic(TICKS), room + kind, 8, properties)
                    for kind, properties in encoded.items()}, **(senders or {})},
        receivers={**ours, **(receivers or {})})
    for name, values in once.items():
        if not values:
            raise AssertionError(f'{name}: nothing was heard')
        # One figure a start, however many ticks it had.
        found.setdefault(name, []).append(median(values))


def off(found):
    told = [name for name in found if f'{name} says' in found]
    return [max(abs(found[name][number] - found[f'{name} says'][number]) for name in told)
            for number in range(len(found['ours 20']))]


def rows_of_opus(report, found):
    others = {'AAC': found['ours 20']}
    if 'webrtcbin 20' in found:
        others = {'webrtcbin 20': found['webrtcbin 20'], **others}
    for kind, title, bound, beside in (('opus', 'Opus of 20 ms', 61, 1.0),
                                       ('opus10', 'Opus of 10 ms', 50, 0.72)):
        report.row('latency', f'mouth to ear, {title}, latency=20', 'ms', found[f'{kind} 20'],
                   others, asked=beside if 'webrtcbin 20' in found else None)
        report.row('latency', f'{title}, latency=20, bound', 'ms', found[f'{kind} 20'], asked=bound)
        report.row('latency', f'mouth to ear, {title}, latency=100', 'ms', found[f'{kind} 100'],
                   {'AAC': found['ours 100']})


def run(report, quick):
    webrtc = webrtc_kinds(report)
    why = ffplay.missing()
    if why:
        report.skip('latency', "ffplay's low-delay settings", why)
    found, opus = {}, {}
    with Rig() as rig:
        ear = f'{EAR} sync=true'
        # Plain playback draws its latency at the start, from 85 to 110 ms on a quiet machine: only
        # many starts have a median that comes out again.
        for number in range(2 if quick else 12):
            room = f'room{number}'
            players = {} if why else {'ffplay': ('bare', f'ffplay {rig.nginx.url}/{room}')}
            start(rig, room, ear, LOW, webrtc, found,
                  senders={'bare': rig.bare(mic(TICKS), room)},
                  receivers={**players, 'bare': ('bare', f'{rig.bare_source(room)} ! {ear}'),
                             'playbin3': ('bare', f'playbin3 {rig.nginx.url}/{room}')})
            # All of them at once are too much for one process of Python.
            start(rig, f'{room}opus', ear, OPUS,
                  {name: jitter for name, jitter in webrtc.items() if jitter == 20}, opus)
    others = {title: found[name] for title, name in (
        ('bare playback', 'bare'), ('playbin3', 'playbin3'), ('ffplay, low delay', 'ffplay'),
        ('webrtcbin 20', 'webrtcbin 20'), ('webrtcbin 200', 'webrtcbin 200')) if name in found}
    report.row('latency', 'mouth to ear, latency=20', 'ms', found['ours 20'], others, asked=0.75)
    report.row('latency', 'mouth to ear, latency=60', 'ms', found['ours 60'], others)
    report.row('latency', 'mouth to ear, latency=100 (default)', 'ms', found['ours 100'], others)
    if 'webrtcbin 20' in found:
        report.row('latency', 'latency=20, behind webrtcbin with a jitter buffer of 20', 'ms',
                   [ours - theirs for ours, theirs in zip(found['ours 20'], found['webrtcbin 20'])],
                   asked=16)

    report.row('latency', 'mouth to ear, low-delay=true, latency=20', 'ms', found['low 20'], others)
    report.row('latency', 'low-delay=true, latency=20, bound', 'ms', found['low 20'], asked=62)
    report.row('latency', 'low-delay=true, latency=20, beside without', 'ms', found['low 20'],
               {'low-delay=false': found['ours 20']}, asked=0.72)
    report.row('latency', 'mouth to ear, low-delay=true, latency=100', 'ms', found['low 100'],
               others)
    rows_of_opus(report, opus)
    report.row('latency', 'mouth-to-ear-ms of stats, off by, the worst of a start', 'ms',
               off(found), asked=3)
    report.row('latency', 'the same, where Opus is heard, too', 'ms', off(opus), asked=3)

    def spread(name):
        return max(found[name]) - min(found[name])

    report.row('latency', 'latency=20, spread between starts', 'ms', spread('ours 20'),
               {'bare playback': spread('bare')}, compared=False)
