# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of docs/tokens.md, taken out of the page: a gateway takes what they make, for whom it was made and nobody else."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import tap
from harness import SCALE, Case
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'gateway'))
import tokens

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'tokens.md'
APP, CERTIFICATE = 'sealed', '00112233445566778899aabbccddeeff'
CHANNEL = 'zoë’s hall'
COMMANDS = {'python': ('/usr/bin/python3', 'token.py'), 'js': ('node', 'token.js'), 'php': ('php', 'token.php'), 'go': ('go', 'run', 'token.go')}
ALL = {tokens.JOIN, tokens.AUDIO, tokens.VIDEO, tokens.DATA}


class TokensPage(Case):
    def setUp(self):
        super().setUp()
        self.gate = self.gateway(f'--app={APP}:{CERTIFICATE}', '--app=demo')

    def program(self, language):
        """The command that makes a token by the page's program of that language."""
        blocks = re.findall(rf'^```{language}\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
        self.assertEqual(len(blocks), 1, language)
        *command, name = COMMANDS[language]
        if not shutil.which(command[0]):
            self.skipTest(f'{command[0]} is not installed')
        path = self.tmp / name
        path.write_text(blocks[0])
        if language == 'go':  # once, not at each run
            self.run_it('go', 'build', '-o', self.tmp / 'token', path)
            return [self.tmp / 'token']
        return [*command, path]

    def run_it(self, *argv, certificate=CERTIFICATE):
        environment = {**os.environ, 'CERTIFICATE': certificate, 'GOCACHE': str(self.tmp / 'go'), 'GOFLAGS': '-mod=mod', 'HOME': str(self.tmp)}
        # No sanitiser of ours in a program of others.
        environment.pop('LD_PRELOAD', None)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120 * SCALE)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def member(self, channel=CHANNEL, uid=7, app=APP):
        member = Member(self.gate.ws, app=app, channel=channel, uid=uid)
        self.addCleanup(member.close)
        return member

    def refused(self, token, code, **who):
        member = self.member(**who)
        answer = member.wait_answer(member.send_join(token=token))
        self.assertEqual(answer['code'], code, answer)

    def judge(self, language):
        command = self.program(language)

        def make(channel=CHANNEL, uid=7, role='publisher', seconds=600, **keywords):
            line, = self.run_it(*command, APP, channel, str(uid), role, str(seconds), **keywords).splitlines()
            return line

        token = make()
        self.assertTrue(self.member().join(token=token).publish().startswith('rtmp://'))
        for who in ({'uid': 8}, {'uid': 0}, {'channel': 'hall'}):
            self.refused(token, 110, **who)
        self.refused(token, 119, app='demo')
        self.refused(make(certificate=CERTIFICATE[::-1]), 110)
        # One who may only hear, and one who may be anybody.
        hears = self.member(uid=9).join(token=make(uid=9, role='subscriber'))
        self.assertEqual(hears.ask('publish', uid=9)['code'], 433)
        for uid in (10, 4294967295):
            self.member(uid=uid).join(token=make(uid=0))
        alice = self.member(uid='alice')
        self.assertGreater(alice.join(token=make(uid='alice'), uidType=1).uid, 0)
        # What it says, by another reader, and signed as another writer would.
        before = int(time.time())
        said = tokens.parse(make(seconds=300))
        self.assertTrue(before <= said['issued'] <= time.time(), said)
        self.assertEqual((said['app'], said['channel'], said['uid'], said['expires']), (APP, CHANNEL, '7', 300))
        self.assertEqual(said['privileges'], dict.fromkeys(ALL, 300))
        again = tokens.build(APP, CERTIFICATE, CHANNEL, 7, said['privileges'], 300, said['issued'], said['salt'])
        self.assertEqual(tokens.parse(again), said)
        self.assertNotEqual(make(), make())
        # It ends when it was told to.
        # Whole seconds, of which a busy machine takes one to get there.
        short = make(seconds=6)
        ends = self.member().join(token=short)
        ends.wait_event('key-will-expire')
        ends.wait_event('key-expired', 10)
        self.refused(short, 109)

    def test_commands(self):
        """`agora-gateway token`, as the page has it."""
        line = re.search(r'^agora-gateway (token .*)$', PAGE.read_text(), re.M)[1].replace('$CERTIFICATE', CERTIFICATE).replace('demo', APP)
        token = self.run_it(os.environ['AGORA_GATEWAY_BIN'], *line.split()).strip()
        self.member('room').join(token=token).publish()


for each in COMMANDS:
    setattr(TokensPage, f'test_{each}', lambda self, each=each: self.judge(each))

if __name__ == '__main__':
    tap.main()
