# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the tests of a run: each TAP line counts.

count.py BUILD PHASE: prints a tab-separated line for each case of meson's log PHASE.
count.py --summary RESULTS SECONDS [BOUND]: prints the shares, what failed and why something was skipped,
and the closing line; exits 1 when anything failed.
"""

import collections
import json
import re
import sys


TAP = re.compile(r"(?P<verdict>ok|not ok)\b *(?P<number>\d*)[ -]*(?P<name>[^#]*)"
                 r"(?:# *(?P<what>\w+)\S* *(?P<why>.*))?")


def cases(build, phase):
    """What meson's log says, with the suites that only its introspection knows."""
    with open(f'{build}/meson-info/intro-tests.json', encoding='utf-8') as file:
        suites = {test['name']: [s.split(':')[-1] for s in test['suite']]
                  for test in json.load(file)}
    with open(f'{build}/meson-logs/{phase}.json', encoding='utf-8') as file:
        runs = [json.loads(line) for line in file]
    for run in runs:
        program = run['name'].split(' / ')[-1].split(':')[-1]
        suite = (suites.get(program) or ['other'])[0]
        lines = [(line, TAP.match(line)) for line in run.get('stdout', '').splitlines()]
        found = [match for _, match in lines if match]
        took = run['duration']
        failed = False
        for match in found:
            skipped = (match['what'] or '').upper().startswith('SKIP')
            verdict = 'skipped' if skipped else 'passed' if match['verdict'] == 'ok' else 'failed'
            failed = failed or verdict == 'failed'
            yield phase, suite, f'{program}: {match["name"].strip()}', verdict, took, match['why'] or ''
            took = 0
        # LeakSanitizer may trip over a thread that ends while it looks: that says nothing of leaks.
        whole = any(line == f'1..{len(found)}' for line, _ in lines)
        if whole and not failed and 'LeakSanitizer has encountered a fatal' in run.get('stderr', ''):
            yield phase, suite, f'{program} (leaks)', 'skipped', 0, 'LeakSanitizer itself failed'
            continue
        if not found or (run['result'] not in ('OK', 'SKIP', 'EXPECTEDFAIL') and not failed):
            # No TAP, or it died or ran out of time without a line that says so.
            verdict = {'OK': 'passed', 'SKIP': 'skipped'}.get(run['result'], 'failed')
            why = next((line for line, _ in lines if line.startswith('1..0')), '')
            failed = failed or verdict == 'failed'
            yield phase, suite, f'{program} ({run["result"]})', verdict, took, why.partition('#')[2]
        if failed:
            print_log(program, run)


def print_log(program, run):
    """The end of what a failed program said, beside the counted lines on standard output."""
    print(f'-- {program}: {run["result"]} after {run["duration"]:.1f} s', file=sys.stderr)
    for stream in ('stdout', 'stderr'):
        lines = [line for line in run.get(stream, '').splitlines() if not line.startswith('ok ')]
        # What went wrong stands behind its line; what led there, at the end.
        starts = [at for at, line in enumerate(lines) if line.startswith('not ok')]
        shown = {at + i for at in starts for i in range(30)}
        shown |= set(range(len(lines) - 80, len(lines)))
        for at, line in enumerate(lines):
            if at in shown:
                print(f'   {line}', file=sys.stderr)


def summary(file, seconds, bound=None):
    counts = collections.Counter()
    times = collections.defaultdict(float)
    numbers = collections.defaultdict(collections.Counter)
    bad, skipped = [], collections.Counter()
    for line in open(file, encoding='utf-8'):
        fields = line.rstrip('\n').split('\t')
        if len(fields) == 3:  # a build
            where, verdict, took = fields
            share, name, reason = where, where, ''
        else:
            phase, suite, name, verdict, took, reason = fields
            share = f'{phase}: {suite}' if phase != suite else phase
        counts[verdict] += 1
        times[share] += float(took)
        numbers[share][verdict] += 1
        if verdict == 'failed':
            bad.append(f'{share}: {name}')
        elif verdict == 'skipped':
            skipped[f'{name}: {reason}'] += 1
    # Programs run side by side, so that their seconds are more than those of the whole.
    whole = sum(times.values()) or 1
    print('  seconds share  passed  failed  skipped')
    for share, took in times.items():
        number = numbers[share]
        print(f'{took:9.0f} {took / whole:4.0%} {number["passed"]:8} {number["failed"]:7} {number["skipped"]:8}  {share}')
    print(f'{seconds:9.0f}      {counts["passed"]:8} {counts["failed"]:7} {counts["skipped"]:8}  in all')
    if bound and seconds > bound:
        print(f'took longer than the {bound:.0f} s that such a run may take')
    for text, times_skipped in skipped.items():
        print(f'skipped: {text}' + (f' ({times_skipped} times)' if times_skipped > 1 else ''))
    for text in bad:
        print(f'FAILED: {text}')
    print(f'{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')
    return 1 if counts['failed'] or not counts['passed'] else 0


def main():
    if sys.argv[1] == '--summary':
        return summary(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None)
    for case in cases(sys.argv[1], sys.argv[2]):
        print('\t'.join(str(field).replace('\t', ' ').replace('\n', ' ') for field in case))
    return 0


if __name__ == '__main__':
    sys.exit(main())
