# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU, threads, memory and files of many senders or receivers in one process, beside bare pipelines
that do the same work. CPU is in seconds a stream and minute."""

from report import median
from rig import TONE, Rig, mic

SINK = 'fakesink sync=true'
MIX = 'audioconvert ! audioresample ! audiomixer'


def rounds(rig, times, kinds, **arguments):
    """Kinds in turn, each in a process of its own; the median of each figure."""
    found = {name: [] for name in kinds}
    for _ in range(times):
        for name, description in kinds.items():
            found[name].append(rig.measure('cost', **{**arguments, **description}))
    return {name: {key: median([one[key] for one in values]) for key in values[0]}
            for name, values in found.items()}


def times(count, quick):
    # Claims are made of ten.
    return 1 if quick else 3 if count == 10 else 2


def rows(report, what, count, found, asked=None):
    """`asked`: the CPU's bound."""
    ours, *others = found
    at = f'{what}, {count} in one process'

    def column(key):
        return found[ours][key] / count, {name: found[name][key] / count for name in others}

    report.row('cost', f'CPU: {at}', 's/min', *column('cpu'), asked=asked)
    report.row('cost', f'memory: {at}', 'KiB', *column('memory'), compared=False)
    report.row('cost', f'files: {at}', '', *column('fds'), compared=False)


def threads(report, what, few, many, asked):
    """Of each stream more, and of the process: from `few` and `many`, (count, found) each."""
    each = {name: (many[1][name]['threads'] - few[1][name]['threads']) / (many[0] - few[0])
            for name in few[1]}
    once = {name: few[1][name]['threads'] - few[0] * each[name] for name in each}
    ours, *others = each
    report.row('cost', f'threads of a {what}', '', each[ours],
               {name: each[name] for name in others}, compared=False)
    report.row('cost', f'threads of a {what}, bound', '', each[ours], asked=asked)
    report.row('cost', f'threads of a process with {what}s, beside theirs', '', once[ours],
               {name: once[name] for name in others}, compared=False)


def senders(report, rig, quick):
    by_count = []
    for count in ((1, 10) if quick else (1, 10, 50)):
        found = rounds(rig, times(count, quick), {
            'ours': {'description': rig.ours(mic(TONE), f'send{count}x{{n}}', 9)},
            'bare': {'description': rig.bare(mic(TONE), f'send{count}x{{n}}')},
        }, count=count, warm=2 + count / 25, seconds=3 if quick else 5)
        rows(report, 'sender', count, found, asked=1.05 if count > 1 else None)
        by_count.append((count, found))
    # Bare has three.
    threads(report, 'sender', by_count[0], by_count[-1], asked=4)


def receivers(report, rig, quick):
    rig.speak(rig.ours(mic(TONE), 'heard', 8), rig.bare(mic(TONE), 'heard'))
    rig.wait_streams(1)
    bare = rig.bare_source('heard')
    by_count = []
    for count in ((1, 10) if quick else (1, 10, 50)):
        found = rounds(rig, times(count, quick), {
            'ours': {'description': f'agorasrc {rig.where("heard")} ! {SINK}'},
            'bare, mixed': {'description': f'{bare} ! {MIX} ! {SINK}'},
            'bare, decoded': {'description': f'{bare} ! {SINK}'},
        }, count=count, warm=2 + count / 25, seconds=3 if quick else 5)
        rows(report, 'receiver of one speaker', count, found, asked=1.0 if count > 1 else None)
        if count > 1:
            report.row('cost', f'CPU beside decoding alone: receiver, {count} in one process',
                       's/min', found['ours']['cpu'] / count,
                       {'bare, decoded': found['bare, decoded']['cpu'] / count}, asked=1.15)
        by_count.append((count, found))
    # Its own and two a speaker.
    threads(report, 'receiver of one speaker', by_count[0], by_count[-1], asked=3)


def mixes(report, rig, quick):
    for count in ((1, 4) if quick else (1, 4, 16)):
        room = f'mix{count}'
        rig.speak(*(rig.ours(mic(TONE), room, 100 + i) for i in range(count)),
                  *(rig.bare(mic(TONE), f'{room}x{i}') for i in range(count)))
        rig.wait_streams(count)
        branches = ' '.join(f'{rig.bare_source(f"{room}x{i}")} ! audioconvert ! audioresample ! mix.'
                            for i in range(count))
        found = rounds(rig, 1 if quick else 2, {
            'ours': {'description': f'agorasrc {rig.where(room)} ! {SINK}'},
            'audiomixer': {'description': f'audiomixer name=mix ! {SINK} {branches}'},
        }, count=1, warm=2 + count / 8, seconds=3 if quick else 5)
        report.row('cost', f'CPU: one listener of {count} speakers', 's/min', found['ours']['cpu'],
                   {'bare with audiomixer': found['audiomixer']['cpu']})
        rig.quiet()


def run(report, quick):
    with Rig() as rig:
        senders(report, rig, quick)
        receivers(report, rig, quick)
        rig.quiet()
        mixes(report, rig, quick)
