# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian 13, in a system of its own: what the tree's tests say there, with its compiler, GLib and GStreamer."""

import re
import shutil
import tempfile
from pathlib import Path

import chroot
import tap
from chroot import run
from harness import Case

ROOT = Path(__file__).resolve().parents[2]


def listed():
    lines = (line.partition('#')[0].strip() for line in (ROOT / 'tests/packages').read_text().splitlines())
    return [line for line in lines if line]


class Trixie(Case):
    def test_the_quick_run_and_the_demo(self):
        root = Path(tempfile.mkdtemp(prefix='agora-chroot-'))
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        root.chmod(0o755)
        system = chroot.Chroot(self, root, 'trixie')
        (root / 'usr/sbin/policy-rc.d').write_text('#!/bin/sh\nexit 101\n')
        (root / 'usr/sbin/policy-rc.d').chmod(0o755)
        system.apt('install', *listed())
        system.save_archives()
        tree = root / 'root/agora'
        tree.mkdir(exist_ok=True)
        files = run('git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard').splitlines()
        for name in files:
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        tests = system.start('/root/agora/tests/run', '--quick', env={'TMPDIR': '/tmp'}, quiet_errors=True)
        status = tests.wait(3600)
        print('\n'.join('# ' + line for line in tests.output('out').splitlines()[-40:]))
        closing = re.search(r'^(\d+) passed, (\d+) failed', tests.output('out'), re.M)
        self.assertTrue(closing, tests.tail())
        self.assertEqual((status, closing[2]), (0, '0'), tests.tail())
        self.assertGreater(int(closing[1]), 500)
        demo = system.start('/root/agora/tests/demo', env={'TMPDIR': '/tmp'}, quiet_errors=True)
        status = demo.wait(900)
        print('\n'.join('# ' + line for line in demo.output('out').splitlines()[-12:]))
        self.assertEqual(status, 0, demo.tail())


if __name__ == '__main__':
    tap.main()
