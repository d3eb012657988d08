# SPDX-License-Identifier: LGPL-2.1-or-later
"""One gateway without a store, beside what it was before several could share one: that costs who doesn't use it nothing."""

import functools
import os
import subprocess
import unittest
from pathlib import Path

import gateway

ROOT = Path(__file__).resolve().parent.parent.parent
# The last one without a word of clusters.
COMMIT = 'c52888c985ec8773ff2d5681abe27ffec3ed6f92'
MEMBERS = 3000


def build():
    """agora-gateway of that commit. It is built once, beside the benchmarks' own build, or stands in AGORA_BENCH_BEFORE."""
    there = os.environ.get('AGORA_BENCH_BEFORE')
    folder = Path(there) if there else ROOT / 'tests' / 'out' / 'before'
    program = folder / 'signaling' / 'gateway' / 'agora-gateway'
    if there or program.exists():
        if not program.exists():
            raise unittest.SkipTest(f'AGORA_BENCH_BEFORE has no {program}')
        return program
    source = folder.with_name('before-source')
    try:
        packed = subprocess.run(['git', '-C', ROOT, 'archive', COMMIT], check=True, capture_output=True).stdout
        source.mkdir(parents=True, exist_ok=True)
        subprocess.run(['tar', '-x', '-C', source], input=packed, check=True)
        subprocess.run(['meson', 'setup', folder, source, '-Doptimization=2', '-Ddebug=false', '-Dc_args=-g1', '-Dcpp_args=-g1'],
                       check=True, capture_output=True)
        subprocess.run(['ninja', '-C', folder, 'signaling/gateway/agora-gateway', 'signaling/relay/agora-relay'], check=True,
                       capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise unittest.SkipTest(f'commit {COMMIT[:7]} could not be built: {error}') from None
    return program


def run(report, quick):
    try:
        old = build()
    except unittest.SkipTest as why:
        report.skip('cluster', 'a gateway of before', why)
        return
    servers = {'now': None, 'before': old}
    found = {name: [] for name in servers}
    for number in range(1 if quick else 6):
        # To and fro, so that nobody always follows the same one.
        for name in list(servers)[::-1 if number % 2 else 1]:
            start = functools.partial(gateway.ours, program=servers[name])
            found[name].append(gateway.measure(start, MEMBERS, True))
    of = f'one gateway without --store, {MEMBERS} members'
    for what, unit, key, more in ((f'joins, {of}', '/s', 'join', True), (f'CPU of a join, {of}', 'us', 'join_cpu', False),
                                  (f'memory of an idle member, {of}', 'KiB', 'memory', False)):
        now, then = ([each[key] for each in found[name]] for name in ('now', 'before'))
        report.row('cluster', what, unit, now, {'before clusters': then}, asked=1 / 0.95, more_is_better=more)
