# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one fuzzer: first over its seeds, then on its own for a while.

fuzz.py --seconds N --seeds DIR --found DIR [PROGRAM]

AGORA_FUZZ_SECONDS overrides --seconds. What it learns stays in --found, for the next run; what
breaks the program is kept there as crash-*, leak-*, timeout-* or oom-*.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

import harness
import tap

# A fuzzer that is slower than this has nothing to say after a minute.
LEAST_RUNS_PER_SECOND = 20
LEAST_SEEDS = 5

options = None


class Fuzz(harness.Case):
    def setUp(self):
        super().setUp()
        if options.program is None:
            self.skipTest('no clang++ with libFuzzer (Debian: clang, libclang-rt-dev)')
        self.corpus = options.found / 'corpus'
        self.corpus.mkdir(parents=True, exist_ok=True)

    def fuzz(self, *arguments, timeout):
        # Its ASan is clang's own; the preloads of other tests are not for it.
        environment = {'ASAN_OPTIONS': 'detect_stack_use_after_return=1', 'UBSAN_OPTIONS':
                       'print_stacktrace=1:halt_on_error=1', 'LSAN_OPTIONS': ''}
        process = self.start(options.program, '-timeout=10', '-rss_limit_mb=2048',
                             f'-artifact_prefix={options.found}/', '-print_final_stats=1',
                             *arguments, env=environment, quiet_errors=True)
        status = process.wait(timeout)
        if status:
            self.fail(f'ended with {status}; what broke it is in {options.found}')
        stats = dict(re.findall(r'stat::(\w+): +(\d+)', process.output('err')))
        return int(stats['number_of_executed_units'])

    def test_1_seeds(self):
        seeds = sum(1 for each in options.seeds.iterdir() if each.is_file())
        self.assertGreaterEqual(seeds, LEAST_SEEDS)
        runs = self.fuzz('-runs=0', options.seeds, timeout=60)
        self.assertGreaterEqual(runs, seeds)

    def test_2_on_its_own(self):
        seconds = options.seconds
        runs = self.fuzz(f'-max_total_time={seconds}', '-max_len=4096', self.corpus, options.seeds,
                         timeout=seconds + 60)
        print(f'# {runs} runs in {seconds} s')
        self.assertGreater(runs, LEAST_RUNS_PER_SECOND * seconds)


def main():
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=int, required=True)
    parser.add_argument('--seeds', type=Path, required=True)
    parser.add_argument('--found', type=Path, required=True)
    parser.add_argument('program', nargs='?')
    options = parser.parse_args()
    options.seconds = int(os.environ.get('AGORA_FUZZ_SECONDS') or options.seconds)
    sys.argv = sys.argv[:1]
    tap.main()


if __name__ == '__main__':
    main()
