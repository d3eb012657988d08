# SPDX-License-Identifier: LGPL-2.1-or-later
"""Foreign JavaScript packages for tests, installed into the build folder when they are wanted.

A machine without node and npm, or without a way to a registry, skips what needs them.
"""

import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

INSTALL_TIMEOUT = 90
# Names that could not be had in this run, and why: asking for another version takes time for nothing.
_out_of_reach = {}


def node():
    program = shutil.which('node')
    if not program:
        raise unittest.SkipTest('node is not installed')
    return program


def _there(folder, packages):
    for package in packages:
        name, version = package.rsplit('@', 1)
        about = folder / 'node_modules' / name / 'package.json'
        if not about.exists() or json.loads(about.read_text())['version'] != version:
            return False
    return True


def install(folder, *packages):
    """Makes sure that each NAME@VERSION is in `folder`; gives the folder back."""
    folder = Path(folder)
    node()
    if _there(folder, packages):
        return folder
    npm = shutil.which('npm')
    if not npm:
        raise unittest.SkipTest('npm is not installed')
    names = tuple(package.rsplit('@', 1)[0] for package in packages)
    if names in _out_of_reach:
        raise unittest.SkipTest(_out_of_reach[names])
    folder.mkdir(parents=True, exist_ok=True)
    # Without one, npm looks for a package.json in the folders above.
    (folder / 'package.json').write_text('{"private": true}\n')
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('LD_PRELOAD', 'ASAN_OPTIONS', 'LSAN_OPTIONS')}
    command = [npm, 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=0',
               '--fetch-timeout=20000', '--loglevel=error', *packages]
    try:
        ran = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise unittest.SkipTest(f'npm did not answer within {INSTALL_TIMEOUT} s') from None
    if ran.returncode or not _there(folder, packages):
        lines = ran.stderr.strip().splitlines() or ['no reason given']
        _out_of_reach[names] = f'npm has no way to {", ".join(names)}: {lines[0]}'
        raise unittest.SkipTest(_out_of_reach[names])
    return folder
