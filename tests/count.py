# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the tests of a run: each TAP line counts.

count.py BUILD PHASE [AGAIN]: prints a tab-separated line for each case of meson's log PHASE. What ran a
second time, in the log AGAIN, counts as it did then; a case that had passed the first time has passed.
count.py --again BUILD PHASE: prints the programs that may run a second time.
count.py --summary RESULTS SECONDS [BOUND]: prints the shares, what failed and why something was skipped,
and the closing line; exits 1 when anything failed.
"""

import collections
import json
import re
import signal
import sys


TAP = re.compile(r"(?P<verdict>ok|not ok)\b *(?P<number>\d*)[ -]*(?P<name>[^#]*)"
                 r"(?:# *(?P<what>\w+)\S* *(?P<why>.*))?")


# What depends on how busy the machine is may miss a bound: real sockets, real time.
TIMED = {'element', 'gateway', 'cluster', 'interop', 'fault', 'attack', 'field', 'web'}
# Never a matter of time.
FAULTS = re.compile(r'AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Segmentation fault'
                    r'|(assertion|Assertion) .*failed:|core dumped|CRITICAL|killed by signal|signal SIG'
                    r'|status -(4|7|8|11)\)')
# Of the program itself. SIGABRT and SIGTRAP are GLib's end of a test that failed.
CRASHES = {-number for number in (signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)}
# Why a case missed: what Python prints last, or an assertion of GLib's. Cut to so many characters.
REASON = re.compile(r'# *([\w.]*(Error|Exception|Closed|Expired|Exit): |.*ERROR:.*: )')
DEADLY = re.compile(r'^Bail out! (?:\S*FATAL-)?(.*)', re.M)
LONGEST = 200
# More than these haven't missed a bound: something is broken. What is broken fails alone, too: the
# limit only saves the time.
MOST_AGAIN = 16


def suites_of(build):
    """Only meson's introspection knows them."""
    with open(f'{build}/meson-info/intro-tests.json', encoding='utf-8') as file:
        return {test['name']: [s.split(':')[-1] for s in test['suite']] for test in json.load(file)}


def program_of(run):
    return run['name'].split(' / ')[-1].split(':')[-1]


def runs_of(build, phase):
    with open(f'{build}/meson-logs/{phase}.json', encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def is_broken(run):
    return run.get('returncode') in CRASHES or bool(FAULTS.search(run.get('stdout', '') + run.get('stderr', '')))


def again(build, phase):
    """The programs that missed a bound and may show that it was the machine."""
    suites = suites_of(build)
    failed = [run for run in runs_of(build, phase) if run['result'] in ('FAIL', 'ERROR', 'TIMEOUT')]
    if len(failed) > MOST_AGAIN:
        return
    for run in failed:
        if (suites.get(program_of(run)) or [''])[0] in TIMED and not is_broken(run):
            yield program_of(run)


class Verdicts:
    """Of a program's run, by the names of its cases. `missed` has the reasons."""

    def __init__(self, run):
        self.passed, self.missed, name = set(), {}, ''
        for line in run.get('stdout', '').splitlines():
            if match := TAP.match(line):
                name = match['name'].strip() if match['verdict'] == 'not ok' else ''
                if name:
                    self.missed[name] = ''
                else:
                    self.passed.add(match['name'].strip())
            elif name and not self.missed[name] and REASON.match(line):
                self.missed[name] = line.lstrip('# ')[:LONGEST]
        # A program of GLib's ends with its reason, and without a line for its case.
        end = DEADLY.search(run.get('stdout', ''))
        self.end = end[1][:LONGEST] if end else ''

    def __str__(self):
        return '; '.join(f'{name}: {why}' if why else name for name, why in sorted(self.missed.items()))

    def has_passed(self, name):
        if name in self.missed:
            return False
        # A subtest has a line of its own only where it fails, and its test none then.
        test, subtest, _ = name.partition(' [')
        return test in self.passed or bool(subtest and test not in self.missed and
                                           any(each.startswith(f'{test} [') for each in self.missed))


def cases(build, phase, second=None):
    """What meson's log says. `second`: the log of those that ran again."""
    suites = suites_of(build)
    runs = runs_of(build, phase)
    replaced = {program_of(run): run for run in runs_of(build, second)} if second else {}
    for first in runs:
        program = program_of(first)
        run = replaced.get(program, first)
        suite = (suites.get(program) or ['other'])[0]
        lines = [(line, TAP.match(line)) for line in run.get('stdout', '').splitlines()]
        found = [match for _, match in lines if match]
        verdicts = Verdicts(run)
        took = run['duration']
        failed = forgiven = False
        before = None
        if run is not first:
            print_log(program, first)
            before = None if is_broken(run) else Verdicts(first)
            missed = Verdicts(first)
            yield phase, suite, program, 'again', first['duration'], str(missed) or missed.end or first['result']
        for match in found:
            skipped = (match['what'] or '').upper().startswith('SKIP')
            verdict = 'skipped' if skipped else 'passed' if match['verdict'] == 'ok' else 'failed'
            # Each miss has been the machine's where the other run of the same case passed.
            if verdict == 'failed' and before and before.has_passed(match['name'].strip()):
                name = match['name'].strip()
                yield phase, suite, program, 'again', 0, f'then {name}, which had passed: {verdicts.missed[name]}'
                verdict, forgiven = 'passed', True
            failed = failed or verdict == 'failed'
            why = verdicts.missed.get(match['name'].strip(), '') if verdict == 'failed' else match['why'] or ''
            yield phase, suite, f'{program}: {match["name"].strip()}', verdict, took, why
            took = 0
        # LeakSanitizer may trip over a thread that ends while it looks: that says nothing of leaks.
        whole = any(line == f'1..{len(found)}' for line, _ in lines)
        if whole and not failed and 'LeakSanitizer has encountered a fatal' in run.get('stderr', ''):
            yield phase, suite, f'{program} (leaks)', 'skipped', 0, 'LeakSanitizer itself failed'
            continue
        told = failed or (forgiven and whole)
        if not found or (run['result'] not in ('OK', 'SKIP', 'EXPECTEDFAIL') and not told):
            # No TAP, or it died or ran out of time without a line that says so.
            verdict = {'OK': 'passed', 'SKIP': 'skipped'}.get(run['result'], 'failed')
            why = next((line for line, _ in lines if line.startswith('1..0')), '')
            failed = failed or verdict == 'failed'
            why = verdicts.end if verdict == 'failed' else why.partition('#')[2]
            yield phase, suite, f'{program} ({run["result"]})', verdict, took, why
        if failed or forgiven:
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
    bad, skipped, second = [], collections.Counter(), []
    for line in open(file, encoding='utf-8'):
        fields = line.rstrip('\n').split('\t')
        if len(fields) == 3:  # a build
            where, verdict, took = fields
            share, name, reason = where, where, ''
        else:
            phase, suite, name, verdict, took, reason = fields
            share = f'{phase}: {suite}' if phase != suite else phase
        times[share] += float(took)
        if verdict == 'again':
            second.append(f'{share}: {name}: {reason}')
            continue
        counts[verdict] += 1
        numbers[share][verdict] += 1
        if verdict == 'failed':
            bad.append(f'{share}: {name}: {reason}' if reason else f'{share}: {name}')
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
    for text in second:
        print(f'ran a second time, since the first missed: {text}')
    for text in bad:
        print(f'FAILED: {text}')
    print(f'{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')
    return 1 if counts['failed'] or not counts['passed'] else 0


def main():
    if sys.argv[1] == '--summary':
        return summary(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None)
    if sys.argv[1] == '--again':
        print(*again(sys.argv[2], sys.argv[3]))
        return 0
    for case in cases(*sys.argv[1:4]):
        print('\t'.join(str(field).replace('\t', ' ').replace('\n', ' ') for field in case))
    return 0


if __name__ == '__main__':
    sys.exit(main())
