# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worked example of docs/deploy.md, as it stands there: its files, its commands, its addresses. The latter are moved into a
network of this machine's loopback that is the test's own, so that ports stay as they are written."""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from unittest import SkipTest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import Ear, Listener, Voice  # noqa: E402
from harness import SCALE, Case, wait_until  # noqa: E402
from tlsrig import Authority  # noqa: E402
from wsclient import Closed, Member, Refused  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'deploy.md'
HEADING = '## Several gateways'
NAMES = {'voice': 10, 'one': 11, 'two': 12, 'three': 13}
PASSWORD_FILE = '/etc/agora-gateway/redis'


class Page:
    """The files and the commands of the example, in their order."""

    def __init__(self):
        _, found, text = PAGE.read_text(encoding='utf-8').partition(HEADING + '\n')
        if not found:
            raise AssertionError(f'{PAGE.name} has no "{HEADING}"')
        self.files = {}  # (path, address) -> text
        self.commands = {}  # heading -> blocks of sh
        heading, before, kind, block, begins = '', '', None, [], True
        for line in text.split('\n## ')[0].split('\n'):
            if line.startswith('### '):
                heading = line[4:]
            elif line.startswith('```') and kind is None:
                kind, block = line[3:], []
            elif line == '```':
                named = re.match(r'`(/etc/[^`]+)` at (10\.0\.0\.\d+)', before)
                if named:
                    self.files[named[1], named[2]] = '\n'.join(block) + '\n'
                elif kind == 'sh':
                    self.commands.setdefault(heading, []).append('\n'.join(block))
                kind, before = None, ''
            elif kind is not None:
                block.append(line)
            # A file's name stands where its paragraph begins.
            elif line and begins:
                before = line
            begins = not line


class Example(Case):
    def setUp(self):
        super().setUp()
        for program in ('haproxy', 'curl', 'redis-server', 'redis-cli'):
            if not shutil.which(program):
                raise SkipTest(f'no {program}')
        self.page = Page()
        # Of 127.0.0.0/8; no other test is there.
        self.network = f'127.{1 + os.getpid() // 250 % 250}.{1 + os.getpid() % 250}'
        self.run_block(self.page.commands['Secrets and certificates'][0])
        (self.tmp / 'etc/haproxy').mkdir(parents=True)
        self.password = self.here(PASSWORD_FILE).read_text(encoding='ascii').strip()
        authority = Authority(self.tmp)
        self.authority = authority.file
        for folder in ('agora-gateway', 'haproxy'):
            shutil.copy(authority.file, self.tmp / 'etc' / folder / 'ca.pem')
        for name, number in NAMES.items():
            certificate, key = authority.sign(name, f'DNS:{name}.example.org,IP:{self.network}.{number}')
            if name == 'voice':
                self.here('/etc/haproxy/voice.pem').write_bytes(certificate.read_bytes() + key.read_bytes())
        self.gateways = {}
        self.url = f'{self.network}.10:8443'

    def here(self, path):
        return self.tmp / path.lstrip('/')

    def moved(self, text):
        """With the addresses and the folders of this test."""
        text = re.sub(r'\b10\.0\.0\.(\d+)', rf'{self.network}.\1', text)
        text = re.sub(r'(//|public-host=)(voice|one|two|three)\.example\.org',
                      lambda found: f'{found[1]}{self.network}.{NAMES[found[2]]}', text)
        return text.replace('/etc/', f'{self.tmp}/etc/')

    def shell(self, block):
        return subprocess.run(['bash', '-euo', 'pipefail', '-c', self.moved(block)], capture_output=True, text=True,
                              timeout=30 * SCALE, check=False)

    def run_block(self, block):
        ran = self.shell(block)
        self.assertEqual(ran.returncode, 0, f'{block}\n{ran.stdout}{ran.stderr}')
        return ran.stdout

    def run_commands(self, heading, timeout=20):
        """Each line of it, until it says what it is to say."""
        for block in self.page.commands[heading]:
            for line in block.splitlines():
                wait_until(lambda each=line: self.shell(each).returncode == 0, timeout * SCALE, line)

    def file(self, path, example, own=None, name='one'):
        """A file of the example; for the machine `own`, which has another address and name."""
        text = self.page.files[path, example]
        if own:
            # Its own address is where it listens; where all are listed, all stay.
            text = '\n'.join(line if ',' in line or 'monitor' in line else
                             line.replace(example, own).replace('one.example.org', f'{name}.example.org')
                             for line in text.split('\n'))
        to = self.tmp / (own or example) / Path(path).name
        to.parent.mkdir(exist_ok=True)
        to.write_text(self.moved(text).replace('PASSWORD', self.password), encoding='ascii')
        to.chmod(0o600)
        return to

    def start_redis(self):
        for number in (21, 22):
            address = f'10.0.0.{number}'
            file = self.file('/etc/redis/redis.conf', address)
            self.foreign('redis-server', str(file), '--dir', str(file.parent))
        for number in (11, 12, 13):
            file = self.file('/etc/redis/sentinel.conf', '10.0.0.11', f'10.0.0.{number}')
            self.foreign('redis-server', str(file), '--sentinel', '--dir', str(file.parent))
        self.run_commands('Redis and Sentinel')

    def start_gateway(self, name):
        """As systemd does; its certificate is that of its machine."""
        file = self.file('/etc/agora-gateway/agora-gateway.conf', '10.0.0.11', f'10.0.0.{NAMES[name]}', name)
        text = file.read_text(encoding='ascii')
        for option, suffix in (('fullchain.pem', 'pem'), ('key.pem', 'key')):
            text = text.replace(f'{self.tmp}/etc/agora-gateway/{option}', f'{self.tmp}/{name}.{suffix}')
        file.write_text(text, encoding='ascii')
        self.gateways[name] = self.gateway(f'--config={file}', defaults=False)
        # At its second SIGTERM it waits for nobody any more.
        self.addCleanup(self.hurry, self.gateways[name])

    @staticmethod
    def hurry(gateway):
        if gateway.running():
            gateway.signal(signal.SIGTERM)

    def choose(self):
        """What the command of the page prints: the URLs of gateways."""
        command = self.page.commands['Members'][0].rpartition(' | grep ')[0]
        answer = json.loads(json.loads(self.run_block(command))['json_body'])
        return answer['code'], [server['url'] for server in answer.get('servers', [])]

    def get(self, name, path):
        context = ssl.create_default_context(cafile=self.authority)
        with urllib.request.urlopen(f'{self.gateways[name].http}{path}', timeout=5, context=context) as answer:
            return answer.read().decode()

    def member(self, uid, role, url=None, **keywords):
        """By the balancer, which may give it to one that has just begun to drain."""
        member = Member(url or f'wss://{self.url}/api', channel='hall', uid=uid, heartbeat=True, cafile=self.authority)
        self.addCleanup(member.close)
        return member.join(role, **keywords)

    def come_back(self, uid):
        def tried():
            try:
                return self.member(uid, 'audience', known_speakers=[7])
            except (AssertionError, Closed, Refused, OSError):
                return None
        return wait_until(tried, 15 * SCALE, f'{uid} at another gateway')

    def test_as_it_stands(self):
        self.start_redis()
        for name in ('one', 'two', 'three'):
            self.start_gateway(name)
        self.run_commands('Gateways')
        balancer = self.file('/etc/haproxy/haproxy.cfg', '10.0.0.10')
        subprocess.run(['haproxy', '-c', '-q', '-f', str(balancer)], check=True)
        self.foreign('haproxy', '-db', '-f', str(balancer), quiet_errors=True)
        self.run_commands('Members')
        self.assertEqual(len(self.choose()[1]), 3)
        # What isn't members' business isn't there.
        for path in ('/healthz', '/metrics', '/dev/v1/channel/demo'):
            self.assertEqual(self.shell(f'curl -sS -o /dev/null -w %{{http_code}} --cacert /etc/haproxy/ca.pem '
                                        f'https://voice.example.org:8443{path}').stdout, '404')
        self.relays_speak_tls()
        self.upgrade()

    def relays_speak_tls(self):
        """A speaker at one gateway and a listener at another, whichever the balancer gives."""
        speaker = self.member(30, 'broadcaster', f'wss://{self.network}.11:8443/api')
        voice = Voice(speaker.publish(), 'ann')
        self.addCleanup(voice.close)
        listener = self.member(31, 'audience', f'wss://{self.network}.12:8443/api')
        listener.wait_event('stream-added', 5 * SCALE, uid=30)
        ear = Ear(listener.subscribe(30))
        self.addCleanup(ear.close)
        ear.listen(20)
        # Its relay says so once a second.
        self.until(lambda: '\nagora_relay_pulls 1\n' in self.get('two', '/metrics'), 'a pull')
        voice.close()
        for each in (speaker, listener):
            each.must('leave', uid=each.uid)
            each.close()

    def upgrade(self):
        """Each gateway in its turn, with two who choose theirs and one who is given one by the balancer."""
        script = self.page.commands['Upgrade, one after the other'][0].splitlines()
        url, others = f'https://{self.url}/api/v1', f'ca-file={self.authority} channel=hall'
        speaker = self.launch(f'audiotestsrc is-live=true samplesperbuffer=480 ! agorasink ap-url={url} {others} app-id=demo uid=7', '-m')
        ear = Listener(self, url, 8, others)
        listener = ear.process
        wait_until(lambda: ear.hears(7), 20 * SCALE, 'sound')
        guest = self.member(9, 'audience')
        mark = listener.mark()
        begin = time.monotonic()
        for name in ('one', 'two', 'three'):
            for line in script:
                if line == 'systemctl stop agora-gateway':
                    guest = self.drain(name, guest)
                elif line == 'systemctl start agora-gateway':
                    self.start_gateway(name)
                else:
                    self.run_block(line.replace('one.example.org', f'{name}.example.org'))
        for each in (speaker, listener):
            self.assertTrue(each.running())
            self.assertNotIn('ERROR', each.output())
        self.assertNotIn('agora-stream-removed', '\n'.join(text for _, _, text in listener.lines[mark:]))
        wait_until(lambda: ear.hears(7), 5 * SCALE, 'sound')
        silence = ear.silence(7, begin)[0]
        print(f'# both moved; the longest silence was {silence:.2f} s')
        self.assertLess(silence, 0.1 * SCALE)
        guest.ping()
        counts = [json.loads(self.get(name, '/healthz'))['members'] for name in self.gateways]
        self.assertEqual(sum(counts), 3)
        # Gateways that end wait for whoever is left.
        guest.must('leave', uid=9)
        guest.close()
        for each in (speaker, listener):
            self.assertEqual(each.interrupt(), 0)

    def drain(self, name, guest):
        """Until all have moved; who was given this gateway by the balancer asks it for another."""
        gateway = self.gateways[name]
        number = NAMES[name]
        stayer = self.member(20, 'audience', f'wss://{self.network}.{number}:8443/api')
        gateway.signal(signal.SIGTERM)
        self.assertEqual(stayer.wait_error(20 * SCALE)['code'], 503)

        def left_alone():
            chosen = [self.choose() for _ in range(4)]
            return all(code == 200 and f'.{number}:' not in str(urls) for code, urls in chosen)
        wait_until(left_alone, 10 * SCALE, f'the balancer to leave {name} alone')
        self.assertTrue(gateway.running())
        stayer.must('leave', uid=20)
        stayer.close()

        def ended():
            nonlocal guest
            guest.ping()
            if any(event.get('code') == 503 for event in guest.events):
                guest.close()
                guest = self.come_back(9)
            return not gateway.running()
        wait_until(ended, 40 * SCALE, f'the end of {name}')
        self.assertEqual(gateway.wait(), 0)
        return guest


if __name__ == '__main__':
    tap.main()
