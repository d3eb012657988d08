# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the unittest cases of the calling file and prints TAP, one line a case.

A test file ends with `tap.main()`. Arguments: parts of the names of the cases to run.
"""

import signal
import sys
import threading
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor


class TapResult(unittest.TestResult):
    """Counts and prints; a teardown that fails after its test makes a line of its own."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.count = 0
        self.failed = 0
        self.settled = set()
        self.lock = threading.Lock()  # of what is printed

    def line(self, ok, test, remark='', details=''):
        with self.lock:
            self.print_line(ok, test, remark, details)

    def print_line(self, ok, test, remark, details):
        self.count += 1
        if not ok:
            self.failed += 1
        name = test.id().removeprefix('__main__.').replace('#', ' ')
        print(f'{"ok" if ok else "not ok"} {self.count} - {name}{remark}', file=self.out)
        for text in details.splitlines():
            print(f'# {text}', file=self.out)
        self.out.flush()

    def bad(self, test, error):
        details = ''.join(traceback.format_exception(*error))
        # Only harness.Case has one; a failed setUpClass comes as a holder without it.
        logs = getattr(test, 'logs', None)
        if logs is not None:
            details += logs()
        self.line(False, test, details=details)

    def addSuccess(self, test):
        self.line(True, test)

    def addFailure(self, test, err):
        self.bad(test, err)

    def addError(self, test, err):
        self.bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.bad(subtest, err)

    def addSkip(self, test, reason):
        self.line(True, test, remark=f' # SKIP {reason}')

    def addExpectedFailure(self, test, err):
        self.line(True, test, remark=' # expected failure')

    def addUnexpectedSuccess(self, test):
        self.line(False, test, details='passed, but was expected to fail')


def chosen(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, words)
        elif not words or any(word in test.id() for word in words):
            yield test


def main(beside=1):
    """`beside`: so many cases at once, each in a thread of its own. For cases that wait more than they work, share nothing, and
    have no class to set up."""
    # Whoever ends a test early (meson's timeout) still gets its teardown.
    def stop(number, frame):
        raise SystemExit(f'ended by signal {number}')

    signal.signal(signal.SIGTERM, stop)
    # What else writes to standard output must not mix with the TAP.
    out = sys.stdout
    sys.stdout = sys.stderr
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    result = TapResult(out)
    tests = list(chosen(suite, sys.argv[1:]))
    if beside == 1:
        unittest.TestSuite(tests).run(result)
    else:
        # Processes end with the thread that starts them: a case's are gone by its own end.
        threads = ThreadPoolExecutor(beside)
        try:
            list(threads.map(lambda test: test.run(result), tests))
        finally:
            threads.shutdown(cancel_futures=True)
    print(f'1..{result.count}', file=out, flush=True)
    sys.exit(1 if result.failed or not result.count else 0)
