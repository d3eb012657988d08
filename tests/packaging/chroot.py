# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian of one's own: a folder that mmdebstrap fills, with a network that nobody else is on."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

from harness import Process

CACHE = Path(__file__).resolve().parents[1] / 'out'


def run(*argv, timeout=600, **keywords):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, timeout=timeout,
                          stdin=subprocess.DEVNULL, **keywords)
    if done.returncode:
        raise AssertionError(f'{" ".join(map(str, argv))}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}')
    return done.stdout


def mirror():
    """Where this machine has its Debian from; nothing: mmdebstrap knows one itself."""
    for path in [Path('/etc/apt/sources.list'), *sorted(Path('/etc/apt/sources.list.d').glob('*'))]:
        if not path.is_file():
            continue
        for line in path.read_text().splitlines():
            words = [word for word in line.split() if word.startswith('http') and 'debian' in word]
            if line.startswith(('deb ', 'URIs:')) and words:
                return words[:1]
    return []


class Chroot:
    """`suite`: bookworm or trixie; `include`: packages that are there from the beginning."""

    def __init__(self, test, root, suite='bookworm', include=()):
        if os.geteuid() or not shutil.which('mmdebstrap'):
            raise unittest.SkipTest('needs root and mmdebstrap')
        self.root = Path(root)
        self.test = test
        # The same for who comes next: what is installed later comes from the cache as well.
        archives = CACHE / f'archives-{suite}'
        archives.mkdir(parents=True, exist_ok=True)
        self.archives = archives
        base = os.environ.get(f'AGORA_{suite.upper()}')
        if not (self.root / 'bin').exists() and base:
            run('cp', '-a', f'{base}/.', self.root, timeout=1800)
        elif not (self.root / 'bin').exists():
            run('mmdebstrap', '--variant=apt', '--mode=root', '--skip=cleanup/apt', '--aptopt=APT::Install-Recommends "false"',
                '--include=ca-certificates',
                f'--setup-hook=mkdir -p "$1/var/cache/apt/archives"; cp {archives}/*.deb "$1/var/cache/apt/archives/" 2>/dev/null || true',
                suite, self.root, *mirror(), timeout=1800)
        shutil.copy('/etc/resolv.conf', self.root / 'etc/resolv.conf')
        for what in ('proc', 'sys', 'dev'):
            self.mount(f'/{what}', what)
        # Ports as they are in the configuration, whoever has them outside.
        self.network = test.keep(Process(['unshare', '--net', 'sh', '-c',
                                          'ip link set lo up && echo up && exec tail -f /dev/null']))
        self.network.wait_line('^up$')
        if include:
            self.apt('install', *include)

    def mount(self, source, target):
        place = self.root / target
        place.mkdir(parents=True, exist_ok=True)
        run('mount', '--rbind', '--make-rslave', source, place)
        self.test.addCleanup(subprocess.run, ['umount', '-l', str(place)], check=False)

    def argv(self, *words, user=None, network=True):
        inside = ['nsenter', f'--net=/proc/{self.network.pid}/ns/net'] if network else []
        who = [f'--userspec={user}'] if user else []
        return [*inside, 'chroot', *who, str(self.root), *map(str, words)]

    def run(self, *words, **keywords):
        """To its end, with the outer network."""
        timeout = keywords.pop('timeout', 600)
        return run(*self.argv(*words, network=False), timeout=timeout,
                   env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C.UTF-8',
                        'HOME': '/root', **keywords})

    def apt(self, *words):
        return self.run('apt-get', '-qq', '-y', '-o', 'APT::Install-Recommends=false', '-o', 'Dpkg::Use-Pty=0', *words, timeout=1800)

    def save_archives(self):
        for path in (self.root / 'var/cache/apt/archives').glob('*.deb'):
            if not (self.archives / path.name).exists():
                shutil.copy(path, self.archives)

    def start(self, *words, user=None, env=None, **keywords):
        """In the network of its own."""
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root', **(env or {})}
        return self.test.keep(Process(self.argv(*words, user=user), env=environment, **keywords))

    def paths(self, word):
        """All that has it in its name, but for logs, apt's own, and what is bound into it."""
        found = run('find', self.root, '-xdev', '-mindepth', '1', '-iname', f'*{word}*', '-not', '-path', '*/var/log/*', '-not', '-path',
                    '*/var/cache/apt/*', '-not', '-path', f'{self.root}/tmp/*')
        return sorted(line.removeprefix(str(self.root)) for line in found.splitlines())
