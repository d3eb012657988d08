# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU, threads, memory and files of many senders or receivers in one process, beside bare pipelines
that do the same work. CPU is in seconds a stream and minute."""

import os
import subprocess
import threading
import time
from pathlib import Path

from report import median
from rig import TONE, Media, Rig, mic
from wsclient import Closed, Member

SINK = 'fakesink sync=true'
MIX = 'audioconvert ! audioresample ! audiomixer'


OPUS = {'features': ['codecs'], 'hears': ['opus', 'aac']}
# More of them don't fit into a small machine beside the others.
TOGETHER = 10


def idle():
    """Seconds that the machine's cores had nothing to do, all together."""
    fields = Path('/proc/stat').read_text(encoding='ascii').split('\n', 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf('SC_CLK_TCK')


def side_by_side(kinds, count):
    """What each kind costs, in a process of its own, and how busy the machine was. All work at the
    same time, and are measured at the same: what disturbs one disturbs the others."""
    started = []
    seconds = 3
    try:
        for description in kinds.values():
            started.append(Media('cost', stdin=subprocess.PIPE, description=description,
                                 count=count, warm=2 + count / 25, seconds=seconds))
        for one in started:
            one.wait_line('^warm$', 60)
        before, start = idle(), time.monotonic()
        for one in started:
            one.popen.stdin.write(b'go\n')
            one.popen.stdin.flush()
        threading.Event().wait(seconds)
        rest = (idle() - before) / (time.monotonic() - start) / os.cpu_count()
        found = {name: one.result(60) for name, one in zip(kinds, started)}
    finally:
        for one in started:
            one.popen.stdin.close()
            one.stop()
    for one in found.values():
        one['busy'] = 100 * (1 - rest)
    return found


def rounds(kinds, count, quick):
    """By kind and figure, the values of each round."""
    names = list(kinds)
    # Rather several starts than several windows of one: how streams' wakings fall together, which
    # is drawn at the start, is worth a third of the CPU of ten that only decode.
    times = 1 if quick else 4 if count <= TOGETHER else 3 if count == 50 else 2
    turns = []
    for number in range(times):
        order = names[::-1] if number % 2 else names
        turns += [order] if count <= TOGETHER else [[name] for name in order]
    found = {name: {} for name in names}
    for turn in turns:
        once = side_by_side({name: kinds[name] for name in turn}, count)
        for name, figures in once.items():
            for key, value in figures.items():
                found[name].setdefault(key, []).append(value)
    return found


def each(values, count):
    return [value / count for value in values]


def rows(report, what, count, found, asked=None):
    """`asked`: the CPU's bound."""
    ours, *others = found
    at = f'{what}, {count} in one process'

    def column(key, of=1):
        return (each(found[ours][key], of),
                {name: each(found[name][key], of) for name in others})

    report.row('cost', f'CPU: {at}', 's/min', *column('cpu', count), asked=asked)
    report.row('cost', f'memory: {at}', 'KiB', *column('memory', count), compared=False)
    report.row('cost', f'files: {at}', '', *column('fds', count), compared=False)
    if count > TOGETHER:
        report.row('cost', f'machine at work: {at}', '%', *column('busy'), compared=False)


def threads_of(report, what, few, many, asked):
    """Of each stream more, and of the process: from `few` and `many`, (count, found) each."""
    def count(found, name):
        return median(found[name]['threads'])

    slope = {name: (count(many[1], name) - count(few[1], name)) / (many[0] - few[0])
             for name in few[1]}
    once = {name: count(few[1], name) - few[0] * slope[name] for name in slope}
    ours, *others = slope
    report.row('cost', f'threads of a {what}', '', slope[ours],
               {name: slope[name] for name in others}, compared=False)
    report.row('cost', f'threads of a {what}, bound', '', slope[ours], asked=asked)
    report.row('cost', f'threads of a process with {what}s, beside theirs', '', once[ours],
               {name: once[name] for name in others}, compared=False)


def subscribe(listener):
    """To whoever speaks, until it is closed. It plays nothing: encoding is what is measured."""
    while not listener.ended.is_set():
        try:
            listener.subscribe(listener.wait_event('stream-added', 1)['uid'])
        # Nobody began, or who did has gone again.
        except (TimeoutError, AssertionError):
            continue
        except (Closed, OSError):
            return


def codecs(report, rig, quick):
    """What each way to encode costs, ten in one process."""
    kinds = {'plain': '', 'low': 'low-delay=true', 'opus': 'codec=opus', 'both': 'codec=auto'}
    listeners = [Member(rig.gateway.ws, channel=f'both{number}', uid=uid, heartbeat=True)
                 for number in range(TOGETHER) for uid in (1, 2)]
    asking = [threading.Thread(target=subscribe, args=(one,)) for one in listeners]
    try:
        for one in listeners:
            # One of each room hears Opus, the other is as every client of before.
            one.join('audience', **(OPUS if one.uid == 1 else {}))
        for thread in asking:
            thread.start()
        found = rounds({kind: rig.encoded(mic(TONE), f'{kind}{{n}}', 9, properties)
                        for kind, properties in kinds.items()}, TOGETHER, quick)
    finally:
        for one in listeners:
            one.close()
        for thread in asking:
            if thread.ident:
                thread.join()
    plain = {'AAC alone': each(found['plain']['cpu'], TOGETHER)}
    for kind, title, asked in (('low', 'sender with low-delay=true', 1.8), ('opus', 'sender of Opus', 1.0),
                               ('both', 'sender of Opus and AAC', 2.0)):
        report.row('cost', f'CPU: {title}, {TOGETHER} in one process', 's/min',
                   each(found[kind]['cpu'], TOGETHER), plain, asked=asked)


def senders(report, rig, quick):
    by_count = []
    for count in ((1, 10) if quick else (1, 10, 50, 100)):
        found = rounds({'ours': rig.ours(mic(TONE), f'send{count}x{{n}}', 9),
                        'bare': rig.bare(mic(TONE), f'send{count}x{{n}}')}, count, quick)
        rows(report, 'sender', count, found, asked=1.05 if count > 1 else None)
        by_count.append((count, found))
    codecs(report, rig, quick)
    # Bare has three.
    threads_of(report, 'sender', by_count[0], by_count[-1], asked=4)


def receivers(report, rig, quick):
    rig.speak(rig.ours(mic(TONE), 'heard', 8), rig.bare(mic(TONE), 'heard'))
    rig.wait_streams(1)
    bare = rig.bare_source('heard')
    by_count = []
    for count in ((1, 10) if quick else (1, 10, 50, 100)):
        found = rounds({'ours': f'agorasrc {rig.where("heard")} ! {SINK}',
                        'bare, mixed': f'{bare} ! {MIX} ! {SINK}',
                        'bare, decoded': f'{bare} ! {SINK}'}, count, quick)
        rows(report, 'receiver of one speaker', count, found, asked=1.0 if count > 1 else None)
        if count > 1:
            report.row('cost', f'CPU beside decoding alone: receiver, {count} in one process',
                       's/min', each(found['ours']['cpu'], count),
                       {'bare, decoded': each(found['bare, decoded']['cpu'], count)}, asked=1.15)
        by_count.append((count, found))
    kinds = {kind: f'agorasrc {rig.where(f"heard{kind}")} ! {SINK}' for kind in ('opus', 'aac')}
    rig.speak(*(rig.encoded(mic(TONE), f'heard{kind}', 8, f'codec={kind}') for kind in kinds))
    rig.wait_streams(1 + len(kinds))
    found = rounds(kinds, TOGETHER, quick)
    report.row('cost', f'CPU: receiver of Opus, {TOGETHER} in one process', 's/min',
               each(found['opus']['cpu'], TOGETHER), {'of AAC': each(found['aac']['cpu'], TOGETHER)},
               asked=1.4)
    # Its own and two a speaker.
    threads_of(report, 'receiver of one speaker', by_count[0], by_count[-1], asked=3)


def mixes(report, rig, quick):
    for count in ((1, 4) if quick else (1, 4, 16)):
        room = f'mix{count}'
        rig.speak(*(rig.ours(mic(TONE), room, 100 + i) for i in range(count)),
                  *(rig.bare(mic(TONE), f'{room}x{i}') for i in range(count)))
        rig.wait_streams(count)
        branches = ' '.join(f'{rig.bare_source(f"{room}x{i}")} ! audioconvert ! audioresample ! mix.'
                            for i in range(count))
        found = rounds({'ours': f'agorasrc {rig.where(room)} ! {SINK}',
                        'audiomixer': f'audiomixer name=mix ! {SINK} {branches}'}, 1, quick)
        report.row('cost', f'CPU: one listener of {count} speakers', 's/min', found['ours']['cpu'],
                   {'bare with audiomixer': found['audiomixer']['cpu']})
        rig.quiet()


def run(report, quick):
    with Rig() as rig:
        senders(report, rig, quick)
        receivers(report, rig, quick)
        rig.quiet()
        mixes(report, rig, quick)
