# SPDX-License-Identifier: LGPL-2.1-or-later
"""The harness itself: that it sees what it should, and that nothing outlives it."""

import os
import signal
import subprocess
import sys
import time

import numpy

import harness
import heard
import tap
from harness import Case, Process, wait_until


class HarnessTest(Case):
    def test_line_with_groups_and_order(self):
        shell = self.start('sh', '-c', 'echo one; echo two >&2; echo port=17; exec cat', stdin=-1)
        self.assertEqual(shell.wait_line(r'port=(\d+)')[1], '17')
        shell.wait_line('two', which='err')
        mark = shell.mark()
        shell.popen.stdin.write(b'more\n')
        shell.popen.stdin.flush()
        shell.wait_line('^more$', since=mark)
        shell.popen.stdin.close()
        self.assertEqual(shell.wait(), 0)

    def test_missing_line_fails_in_time_and_shows_the_output(self):
        shell = self.start('sh', '-c', 'echo something else; exec cat', stdin=-1)
        begin = time.monotonic()
        with self.assertRaisesRegex(AssertionError, 'something else'):
            shell.wait_line('never', timeout=0.3)
        self.assertLess(time.monotonic() - begin, 0.3 * harness.SCALE + 1)
        shell.popen.stdin.close()
        shell.wait()

    def test_end_of_the_process_ends_the_wait(self):
        begin = time.monotonic()
        with self.assertRaisesRegex(AssertionError, 'ended with 3'):
            self.start('sh', '-c', 'exit 3').wait_line('never', timeout=60)
        self.assertLess(time.monotonic() - begin, 10)

    @staticmethod
    def gone(pid):
        # In a container nobody may reap the orphan: a zombie is gone, too.
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii') as stat:
                return stat.read().rsplit(')', 1)[1].split()[0] == 'Z'
        except (FileNotFoundError, ProcessLookupError):
            return True

    def test_stop_takes_the_whole_group(self):
        shell = Process(['sh', '-c', 'tail -f /dev/null & echo child=$!; wait'])
        child = int(shell.wait_line(r'child=(\d+)')[1])
        shell.stop()
        wait_until(lambda: self.gone(child), what=f'the end of {child}')

    def test_nothing_outlives_a_killed_test(self):
        script = ('from harness import Process; '
                  'print(Process(["tail", "-f", "/dev/null"]).pid, flush=True); input()')
        test = self.start(sys.executable, '-c', script, stdin=subprocess.PIPE)
        child = int(test.wait_line(r'^(\d+)$')[1])
        test.signal(signal.SIGKILL)
        test.wait()
        wait_until(lambda: self.gone(child), what=f'the end of {child}')

    def test_stop_fails_for_a_process_that_ignores_it(self):
        scale, harness.SCALE = harness.SCALE, 0.1
        self.addCleanup(setattr, harness, 'SCALE', scale)
        stubborn = Process(['sh', '-c', 'trap "" TERM; echo up; while :; do read x <&0; done'])
        stubborn.wait_line('up', timeout=100)
        with self.assertRaisesRegex(AssertionError, 'outlived'):
            stubborn.stop()
        self.assertEqual(stubborn.poll(), -signal.SIGKILL)

    def test_stop_fails_for_a_sanitizer_report(self):
        process = Process(['sh', '-c', 'echo "==1==ERROR: AddressSanitizer: stack" >&2'])
        process.wait()
        with self.assertRaisesRegex(AssertionError, 'AddressSanitizer'):
            process.stop()


SAMPLE = '''
import tap, unittest
class T(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): self.fail("because")
    def test_c(self): self.skipTest("no such thing")
    def test_d(self):
        self.addCleanup(self.fail, "in teardown")
tap.main()
'''


class TapTest(Case):
    def run_sample(self, *words):
        file = self.tmp / 'sample.py'
        file.write_text(SAMPLE)
        return subprocess.run([sys.executable, file, *words], capture_output=True, text=True,
                              timeout=60, check=False)

    def test_each_case_is_a_line(self):
        result = self.run_sample()
        self.assertEqual(result.returncode, 1)
        lines = [line for line in result.stdout.splitlines() if not line.startswith('#')]
        self.assertEqual(lines, [
            'ok 1 - T.test_a', 'not ok 2 - T.test_b', 'ok 3 - T.test_c # SKIP no such thing',
            'not ok 4 - T.test_d', '1..4'])
        self.assertIn('because', result.stdout)

    def test_words_choose(self):
        result = self.run_sample('test_a')
        self.assertEqual(result.stdout, 'ok 1 - T.test_a\n1..1\n')
        self.assertEqual(result.returncode, 0)

    def test_no_test_is_a_failure(self):
        self.assertEqual(self.run_sample('nothing').returncode, 1)


class HeardTest(Case):
    """What is measured in sound that was changed on purpose."""

    @staticmethod
    def later(voice, by):
        """`voice`, each sample of it `by` ms later, a number or one for each sample; after half a second."""
        places = numpy.arange(len(voice)) - by * heard.RATE / 1000
        came = numpy.interp(places, numpy.arange(len(voice)), voice)
        return numpy.concatenate([heard.silence(0.5), came, heard.silence(0.5)])

    def test_drift_of_a_voice(self):
        """A voice that is stretched, by the time it takes; not by a period of its pitch."""
        for name in ('alsa', 'allison'):
            voice = heard.voice(name, 6)
            seconds = numpy.arange(len(voice)) / heard.RATE
            for what, by, told in (('untouched', 0, 0), ('stretched', 2 * seconds, 8),
                                   ('shortened', 12 - 2 * seconds, -8), ('put off', 26 * (seconds > 3), 26)):
                match = heard.match(voice, self.later(voice, by))
                self.assertAlmostEqual(match.drift, told, delta=1.5, msg=f'{name} {what}: {match}')
                self.assertEqual(match.good(), what != 'put off', f'{name} {what}: {match}')


if __name__ == '__main__':
    tap.main()
