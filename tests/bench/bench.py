# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmarks' driver; tests/bench/run builds what it needs and calls it in its environment."""

import argparse
import importlib
import signal
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / 'interop')]

import plots  # noqa: E402  (the paths above come first)
import report  # noqa: E402

PARTS = ('first-sound', 'latency', 'gaps', 'cost', 'gateway', 'growth', 'relay', 'cluster', 'web', 'console', 'studio', 'mixed', 'talk')
LAST = HERE.parent.parent / 'docs' / 'performance.json'
PAGE = LAST.with_suffix('.md')
PICTURE = LAST.with_suffix('.png')


def arguments():
    parser = argparse.ArgumentParser(
        prog='tests/bench/run',
        description='Measures the elements and the gateway beside others that do the same work. '
                    'Each figure is a ratio of what ran side by side. Exit 1: a ratio is worse by '
                    'more than a tenth than in the last report; 2: a part failed.')
    parser.add_argument('part', nargs='*', metavar='PART',
                        help=f'only these: {", ".join(PARTS)} (all)')
    parser.add_argument('--json', metavar='FILE', help='write the report there, too')
    parser.add_argument('--compare', action='store_true',
                        help='only compare: leave docs/performance.json as it is')
    parser.add_argument('--keep', action='store_true',
                        help='with PARTs: take them into the last report, in place of what it has '
                             'of them')
    parser.add_argument('--quick', action='store_true',
                        help='fewer rounds and members, for a look; never becomes the last report')
    parser.add_argument('--plot', action='store_true',
                        help='only draw docs/performance.png, of the last report, and '
                             'docs/stall.png: how late sound is through a freeze')
    parser.add_argument('--markdown', action='store_true', help='the table as Markdown')
    chosen = parser.parse_args()
    for part in chosen.part:
        if part not in PARTS:
            parser.error(f'PART: {part!r} is none of {", ".join(PARTS)}')
    return chosen


def measure(parts, quick):
    """What was found, and the parts that failed."""
    found = report.Report()
    failed = []
    for part in parts:
        print(f'== {part}', flush=True)
        try:
            importlib.import_module(part.replace('-', '_')).run(found, quick)
        except unittest.SkipTest as why:
            found.skip(part, 'all of it', why)
        except (AssertionError, OSError, ValueError) as error:
            failed.append(part)
            print(f'{part} FAILED: {error}', file=sys.stderr, flush=True)
    return found, failed


def main():
    # `timeout` gets the same tidying as Ctrl-C.
    def stop(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    chosen = arguments()
    if chosen.plot:
        if LAST.exists():
            plots.plot(report.load(LAST), PICTURE)
        importlib.import_module('stall').plot(LAST.with_name('stall.png'))
        return
    parts = chosen.part or list(PARTS)
    start = time.monotonic()
    found, failed = measure(parts, chosen.quick)
    last = report.load(LAST) if LAST.exists() else None
    worse = found.compare(last) if last else []
    doubtful = list(dict.fromkeys(row['part'] for row, _ in worse))
    if doubtful and not chosen.quick:
        # A machine that was busy for a minute looks like this, too: twice the rounds tell.
        print(f'\nworse than in the last report, so measured again: {", ".join(doubtful)}')
        more, failed_again = measure(doubtful, chosen.quick)
        failed += failed_again
        found.again(more)
        worse = found.compare(last)
    data = found.data(parts, time.monotonic() - start, chosen.quick)

    print('\n' + (found.markdown() if chosen.markdown else found.table()))
    print(f'\n{len(found.rows)} figures, {len(found.skipped)} skipped, {len(failed)} parts failed, '
          f'in {data["seconds"]} s')
    if chosen.json:
        report.save(chosen.json, data)
    for _, sentence in worse:
        print(f'WORSE {sentence}')
    # A run of some parts, or one that went wrong, is no measure for the next.
    if not (chosen.compare or chosen.quick or failed) and (chosen.keep or not chosen.part):
        if chosen.part and last:
            data = report.merged(last, data, PARTS)
        report.save(LAST, data)
        report.into_page(PAGE, data)
        try:
            plots.plot(data, PICTURE)
        except ImportError as why:
            print(f'{PICTURE.name} is still of the report before: {why}')
    sys.exit(2 if failed else 1 if worse else 0)


if __name__ == '__main__':
    main()
