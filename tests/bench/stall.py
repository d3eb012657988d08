# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws how late sound is, over time, while the media server is frozen for some seconds: agorasrc
beside plain playback of the same kind of stream.

tests/bench/run --plot calls it, and keeps the picture as docs/stall.png.
"""

import os
import signal
import threading
from pathlib import Path

from harness import freeze
from rig import EAR, TICKS, Media, Rig, mic

BEFORE, FROZEN, AFTER = 6, 3, 21
LATENCY = 100


def relay_of(gateway):
    """The gateway's media server."""
    path = Path(f'/proc/{gateway.pid}/task/{gateway.pid}/children')
    relays = path.read_text(encoding='ascii').split()
    if not relays:
        raise AssertionError('the gateway has no relay')
    return int(relays[0])


def measure():
    """Per kind: (seconds, milliseconds late) of each tick, and when the freeze began and ended."""
    with Rig() as rig:
        ear = f'{EAR} sync=true'
        # Often, so that the curve has a point every quarter of a second.
        ticks = TICKS.replace('700000000', '250000000')
        media = rig.keep(Media(
            'late', seconds=BEFORE + FROZEN + AFTER,
            senders={'agorasrc': rig.ours(mic(ticks), 'room', 8), 'plain': rig.bare(mic(ticks), 'room')},
            receivers={
                'agorasrc': ('agorasrc',
                             f'agorasrc {rig.where("room")} latency={LATENCY} ! {ear}'),
                'plain': ('plain', f'{rig.bare_source("room")} ! {ear}')}))
        media.wait_line('^playing$', 20)
        workers = [rig.nginx.worker(), relay_of(rig.gateway)]
        pause = threading.Event()
        pause.wait(BEFORE)
        for pid in workers:
            freeze(pid)
        try:
            pause.wait(FROZEN)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        return media.result(BEFORE + FROZEN + AFTER + 30)


def draw(found, path):
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    axes.axvspan(BEFORE, BEFORE + FROZEN, color='0.85',
                 label=f'media servers frozen, {FROZEN} s')
    for name, label, style in (
            ('plain', 'rtmp2src ! flvdemux ! avdec_aac', {'color': 'tab:red', 'marker': '.'}),
            ('agorasrc', f'agorasrc latency={LATENCY}', {'color': 'tab:blue', 'marker': '.'})):
        points = found[name]
        axes.plot([at for at, _ in points], [late for _, late in points], label=label,
                  linestyle='none', **style)
    axes.set_xlabel('time (s)')
    axes.set_ylabel('mouth to ear (ms)')
    axes.set_yscale('log')
    axes.set_ylim(50, 10000)
    axes.grid(True, which='both', alpha=0.3)
    axes.set_title('How late the sound is, before and after a freeze')
    axes.legend(loc='upper right')
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={'Software': None})


def plot(path):
    draw(measure(), path)
