# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host and a listener whose network goes away, in a network namespace of the test's own: all
packets are dropped for a while, and names lead nowhere, or somewhere else.

What plain rtmp2sink and rtmp2src do meanwhile is told beside it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import tap
from faultrig import FaultCase
from harness import Gateway, Process
from plainrig import PlainPair

NEAR, ELSEWHERE, FAR = '10.171.0.1', '10.171.0.3', '10.171.0.2'
LONG = '--long' in sys.argv


def own_namespace():
    """Starts again in a network namespace, where that is possible."""
    if os.environ.get('AGORA_TEST_NAMESPACE'):
        return True
    words = ['unshare', '--net', '--mount']
    if os.geteuid() != 0:
        words.append('--map-root-user')
    if not shutil.which('unshare') or not shutil.which('ip') or subprocess.run(
            [*words, 'ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far'],
            stderr=subprocess.DEVNULL, check=False).returncode:
        return False
    os.environ['AGORA_TEST_NAMESPACE'] = 'yes'
    os.execvp('unshare', [*words, sys.executable, *sys.argv])


def ip(*words):
    subprocess.run(['ip', *words], check=True, timeout=10)


@unittest.skipUnless(os.environ.get('AGORA_TEST_NAMESPACE'), 'no network namespaces here')
class NetworkCase(FaultCase):
    """The members live on the far side of a cable; the gateway on the near one."""

    def setUp(self):
        # Holds the far side for as long as the test lasts.
        holder = Process(['unshare', '--net', 'cat'], stdin=subprocess.PIPE)
        self.holder = holder.pid
        self.addCleanup(holder.stop)
        self.addCleanup(holder.popen.stdin.close)
        far = ['nsenter', '-t', str(self.holder), '--net', 'ip']
        self.until(lambda: os.readlink(f'/proc/{self.holder}/ns/net') !=
                   os.readlink('/proc/self/ns/net'), 'a namespace')
        ip('link', 'set', 'lo', 'up')
        ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', str(self.holder))
        self.addCleanup(subprocess.run, ['ip', 'link', 'del', 'near'], check=False)
        ip('addr', 'add', f'{NEAR}/24', 'dev', 'near')
        ip('link', 'set', 'near', 'up')
        for words in (['link', 'set', 'lo', 'up'], ['addr', 'add', f'{FAR}/24', 'dev', 'far'],
                      ['link', 'set', 'far', 'up']):
            subprocess.run([*far, *words], check=True, timeout=10)
        super().setUp()

    def gateway(self, *options, **keywords):
        return super().gateway(f'--listen={NEAR}:0', f'--rtmp-listen={NEAR}:0', '--app=demo',
                               *options, defaults=False, **keywords)

    def launch(self, pipeline, *options, **keywords):
        process = self.foreign('nsenter', '-t', self.holder, '--net', 'gst-launch-1.0', *options,
                               *pipeline.split(), **keywords)
        process.name = 'gst-launch-1.0'
        return process

    def plug(self, there):
        ip('link', 'set', 'near', 'up' if there else 'down')


class Dropped(NetworkCase):
    def dropped(self, seconds):
        begin = self.now()
        self.plug(False)
        self.until(lambda: time.monotonic() - begin >= seconds, f'{seconds} seconds', seconds + 5)
        passing = time.monotonic()
        self.plug(True)
        back = self.steady(passing, 40)
        self.until(lambda: self.balanced(), 'the end of what was told', 15)
        self.untouched()
        self.row(f'all packets dropped for {seconds} s', passing, back, 3, self.gap(begin))

    def balanced(self):
        return all(self.all_over(self.since(process)) for process in (self.host, self.listener))

    @unittest.skipIf(LONG, 'short')
    def test_for_3_seconds(self):
        self.dropped(3)

    @unittest.skipUnless(LONG, 'takes its time')
    def test_for_15_seconds(self):
        self.dropped(15)

    @unittest.skipUnless(LONG, 'takes its time')
    def test_for_60_seconds(self):
        self.dropped(60)


class Names(NetworkCase):
    """The gateway is known by a name alone, which hosts of the test's own tell."""

    def setUp(self):
        self.names = Path(tempfile.mkstemp(prefix='agora-hosts-')[1])
        self.addCleanup(self.names.unlink)
        switch = Path(tempfile.mkstemp(prefix='agora-nsswitch-')[1])
        self.addCleanup(switch.unlink)
        switch.write_text('hosts: files\n')
        self.say(NEAR)
        # In the test's own mount namespace: nobody else sees them.
        for mine, place in ((self.names, '/etc/hosts'), (switch, '/etc/nsswitch.conf')):
            subprocess.run(['mount', '--bind', mine, place], check=True, timeout=10)
            self.addCleanup(subprocess.run, ['umount', place], check=False, timeout=10)
        super().setUp()

    def say(self, address):
        self.names.write_text(f'127.0.0.1 localhost\n{address or "# "} agora.test\n')

    def join(self):
        self.port, self.rtmp = urlsplit(self.gate.ws).port, urlsplit(self.gate.rtmp).port
        self.gate.ws = f'ws://agora.test:{self.port}/api'
        super().join()

    def test_unknown_then_elsewhere(self):
        begin = self.now()
        self.say(None)
        self.gate.signal(signal.SIGKILL)
        self.gate.wait()
        self.until(lambda: time.monotonic() - begin >= 2, 'two seconds')
        # The same gateway, at another address.
        ip('addr', 'add', f'{ELSEWHERE}/24', 'dev', 'near')
        self.gate = self.keep(Gateway(
            f'--listen={ELSEWHERE}:{self.port}', f'--rtmp-listen={ELSEWHERE}:{self.rtmp}',
            '--app=demo', defaults=False))
        self.say(ELSEWHERE)
        known = time.monotonic()
        self.told(self.host, self.listener)
        back = self.steady(known)
        self.untouched()
        # A try that comes after two or three failed ones.
        self.row('name unknown for 2 s, then another address', known, back, 5, self.gap(begin))


@unittest.skipUnless(LONG, 'takes its time')
class Plain(PlainPair, NetworkCase):
    """rtmp2sink and rtmp2src as they are, through the same fault."""
    address = NEAR

    def dropped(self, seconds, host, listener):
        begin = self.now()
        self.plug(False)
        self.until(lambda: time.monotonic() - begin >= seconds, f'{seconds} seconds', seconds + 5)
        self.plug(True)
        self.tell(f'all packets dropped for {seconds} s', begin, seconds + 8, host, listener)

    def test_for_3_seconds(self):
        self.dropped(3, 'nothing', 'nothing')

    def test_for_15_seconds(self):
        self.dropped(15, 'ERROR', 'EOS')


if __name__ == '__main__':
    own_namespace()
    if LONG:
        sys.argv.remove('--long')
    tap.main()
