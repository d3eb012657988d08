# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what the last report has, docs/performance.json; tests/bench/run keeps the picture as
docs/performance.png."""

import re

OURS = 'ours'
COLOURS = {OURS: 'tab:blue'}
REST = ('tab:red', 'tab:orange', 'tab:green', 'tab:purple', 'tab:brown')


def series(rows, pattern):
    """Of rows whose name has a number in the pattern: by kind, its points (number, value)."""
    found = {}
    for row in rows:
        match = re.fullmatch(pattern, row['name'])
        if match:
            number = int(match[1]) * (1000 if match[0].endswith('k members') else 1)
            for kind, value in {OURS: row['ours'], **row['others']}.items():
                found.setdefault(kind, []).append((number, value))
    return found


def lines(axes, found, title, label, of='', each=False, log=False):
    """`each`: the values are of all, and are shown as one's."""
    rest = iter(REST)
    for kind, points in found.items():
        axes.plot([number for number, _ in points],
                  [value / number if each else value for number, value in points],
                  marker='o', markersize=4, label=kind, color=COLOURS.get(kind) or next(rest))
    numbers = sorted({number for points in found.values() for number, _ in points})
    axes.set_xscale('log')
    axes.set_xticks(numbers, [f'{number // 1000}k' if number >= 1000 else str(number)
                              for number in numbers])
    axes.minorticks_off()
    if log:
        axes.set_yscale('log')
    else:
        axes.set_ylim(bottom=0)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(of, fontsize=9)
    axes.set_ylabel(label, fontsize=9)
    axes.grid(True, alpha=0.3)
    if found:
        axes.legend(fontsize=8)


def latencies(axes, rows):
    """One bar a kind; ours at each latency."""
    bars, others = [], {}
    for row in rows:
        match = re.fullmatch(r'mouth to ear, latency=(\d+)( \(default\))?', row['name'])
        if match:
            bars.append((f'agorasrc {match[1]}', row['ours'], COLOURS[OURS]))
            others = row['others']
    bars += [(name, value, REST[0]) for name, value in others.items()]
    bars.sort(key=lambda bar: -bar[1])
    axes.barh([name for name, _, _ in bars], [value for _, value, _ in bars],
              color=[colour for _, _, colour in bars])
    for place, (_, value, _) in enumerate(bars):
        axes.text(value, place, f' {value:.0f}', va='center', fontsize=8)
    axes.set_xlim(0, max((value for _, value, _ in bars), default=1) * 1.12)
    axes.set_title('Mouth to ear (ms)', fontsize=10)
    axes.grid(True, axis='x', alpha=0.3)


def plot(last, path):
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    rows = last['rows']
    figure, places = pyplot.subplots(4, 2, figsize=(10, 14))
    places = iter(places.flat)
    latencies(next(places), rows)
    lines(next(places), series(rows, r'PLAYING until (\d+) speakers are decoded'),
          'PLAYING until all speakers are decoded', 'ms', 'speakers')
    for kind, title in (('sender', 'CPU of a sender'),
                        ('receiver of one speaker', 'CPU of a receiver of one speaker')):
        lines(next(places), series(rows, rf'CPU: {kind}, (\d+) in one process'), title, 's/min each',
              'in one process')
    lines(next(places), series(rows, r'joins, at (\d+)k members'), 'Gateway: joins', '/s',
          'members', log=True)
    lines(next(places), series(rows, r'fan-out to the last, at (\d+)k members'),
          'Gateway: fan-out to the last', 'ms', 'members')
    lines(next(places), series(rows, r'memory of an idle member, at (\d+)k members'),
          'Gateway: memory of an idle member', 'KiB', 'members')
    lines(next(places), series(rows, r'CPU of the media server, (\d+) listeners of one speaker'),
          'Media server: CPU for a listener', 's/min each', 'listeners', each=True)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={'Software': None})
