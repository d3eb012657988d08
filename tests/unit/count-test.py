# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/run counts: each case once, a second run in the first one's place, and no second run for what is broken."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import count
import tap

ONE_MISSED = 'ok 1 - a\nnot ok 2 - b\n1..2\n'


class Counting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name
        for each in ('meson-info', 'meson-logs'):
            os.mkdir(f'{self.build}/{each}')
        with open(f'{self.build}/meson-info/intro-tests.json', 'w', encoding='utf-8') as file:
            json.dump([{'name': f'timed{i}', 'suite': ['agora-gst:fault', 'agora-gst:realtime']} for i in range(9)] +
                      [{'name': 'pure', 'suite': ['agora-gst:unit']}], file)

    def log(self, phase, returncode=1, **runs):
        with open(f'{self.build}/meson-logs/{phase}.json', 'w', encoding='utf-8') as file:
            for name, (stdout, stderr) in runs.items():
                result = 'ERROR' if 'not ok' in stdout else 'OK'
                run = {'name': f'agora-gst:fault / {name}', 'stdout': stdout, 'stderr': stderr, 'result': result, 'duration': 1.5,
                       'returncode': returncode}
                file.write(json.dumps(run) + '\n')

    def cases(self, *phases):
        with contextlib.redirect_stderr(io.StringIO()):
            return [(name, verdict) for _, _, name, verdict, _, _ in count.cases(self.build, *phases)]

    def test_each_case_counts_once(self):
        self.log('plain', timed0=(ONE_MISSED, ''))
        self.assertEqual(self.cases('plain'), [('timed0: a', 'passed'), ('timed0: b', 'failed')])

    def test_why(self):
        said = ('not ok 1 - a\n# Traceback (most recent call last):\n#   File "x.py", line 1\n# harness.Closed: 4002\n'
                '# OSError: beside it\nok 2 - b\n# ValueError: of nothing\nBail out! GLib-FATAL-ERROR: waited in vain for: x\n')
        self.log('plain', timed0=(said, ''))
        with contextlib.redirect_stderr(io.StringIO()):
            why = {name: reason for _, _, name, verdict, _, reason in count.cases(self.build, 'plain') if verdict == 'failed'}
        self.assertEqual(why, {'timed0: a': 'harness.Closed: 4002'})
        self.assertEqual(count.Verdicts({'stdout': said}).end, 'ERROR: waited in vain for: x')

    def test_a_missed_bound_has_a_second_run(self):
        self.log('plain', timed0=(ONE_MISSED, ''), timed1=('ok 1 - a\n1..1\n', ''))
        self.assertEqual(list(count.again(self.build, 'plain')), ['timed0'])
        self.log('second', timed0=('ok 1 - a\nok 2 - b\n1..2\n', ''))
        self.assertEqual(self.cases('plain', 'second'),
                         [('timed0', 'again'), ('timed0: a', 'passed'), ('timed0: b', 'passed'), ('timed1: a', 'passed')])

    def test_the_second_run_may_fail(self):
        self.log('plain', timed0=(ONE_MISSED, ''))
        self.log('second', timed0=(ONE_MISSED, ''))
        self.assertIn(('timed0: b', 'failed'), self.cases('plain', 'second'))

    def test_another_case_misses_then(self):
        said = 'not ok 1 - a\nok 2 - b\nok 3 - c\nnot ok 4 - d [1]\n1..4\n'
        then = 'ok 1 - a\nnot ok 2 - b\nnot ok 3 - c [x]\nnot ok 4 - d [2]\n1..4\n'
        self.log('plain', timed0=(said, ''))
        self.log('second', timed0=(then, ''))
        cases = self.cases('plain', 'second')
        self.assertEqual([case for case in cases if case[1] != 'again'],
                         [('timed0: a', 'passed'), ('timed0: b', 'passed'), ('timed0: c [x]', 'passed'), ('timed0: d [2]', 'passed')])
        self.assertEqual(cases.count(('timed0', 'again')), 4)

    def test_what_misses_both_times_has_failed(self):
        for first, then in (('not ok 1 - d [1]\n1..1\n', 'not ok 1 - d [1]\n1..1\n'),
                            ('not ok 1 - d\n1..1\n', 'not ok 1 - d [1]\n1..1\n'),
                            ('not ok 1 - a\n1..1\n', 'ok 1 - a\nnot ok 2 - b\n1..2\n'),
                            ('not ok 1 - a\nok 2 - b\n1..2\n', 'ok 1 - a\nnot ok 2 - b\n')):
            self.log('plain', timed0=(first, ''))
            self.log('second', timed0=(then, ''))
            self.assertEqual([verdict for _, verdict in self.cases('plain', 'second')].count('failed'), 1, (first, then))

    def test_a_fault_of_the_second_run_stays_one(self):
        self.log('plain', timed0=('not ok 1 - a\nok 2 - b\n1..2\n', ''))
        self.log('second', timed0=('ok 1 - a\nnot ok 2 - b\n1..2\n', '==1==ERROR: AddressSanitizer: heap-use-after-free'))
        self.assertIn(('timed0: b', 'failed'), self.cases('plain', 'second'))

    def test_what_is_broken_has_none(self):
        for stderr in ('==1==ERROR: AddressSanitizer: heap-use-after-free', 'x.cpp:3:1: runtime error: overflow',
                       'GLib-GObject-CRITICAL **: no'):
            self.log('plain', timed0=(ONE_MISSED, stderr))
            self.assertEqual(list(count.again(self.build, 'plain')), [], stderr)
        for said, code in ((f'{ONE_MISSED}# --- agora-gateway (pid 7, status -11)\n', 1), (ONE_MISSED, -11)):
            self.log('plain', code, timed0=(said, ''))
            self.assertEqual(list(count.again(self.build, 'plain')), [], said)
        self.log('plain', -6, timed0=(ONE_MISSED, ''))
        self.assertEqual(list(count.again(self.build, 'plain')), ['timed0'])
        self.log('plain', pure=(ONE_MISSED, ''))
        self.assertEqual(list(count.again(self.build, 'plain')), [])
        self.log('plain', **{f'timed{i}': (ONE_MISSED, '') for i in range(count.MOST_AGAIN + 1)})
        self.assertEqual(list(count.again(self.build, 'plain')), [])

    def test_the_summary_names_second_runs(self):
        results = f'{self.build}/results'
        with open(results, 'w', encoding='utf-8') as file:
            file.write('plain\tfault\ttimed0\tagain\t1.5\tb\nplain\tfault\ttimed0: b\tpassed\t1.5\t\n')
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(count.summary(results, 3.0), 0)
        self.assertIn('ran a second time, since the first missed: plain: fault: timed0: b', said.getvalue())
        self.assertTrue(said.getvalue().endswith('\n1 passed, 0 failed, 0 skipped\n'))


if __name__ == '__main__':
    tap.main()
