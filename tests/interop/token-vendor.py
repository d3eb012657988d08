# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tokens of the vendor's own generators are accepted, and ours are read by its parsers.

token-vendor.py TOKEN-TOOL NPM-FOLDER
"""

import base64
import json
import subprocess
import sys
import time
import zlib
from pathlib import Path

import harness
import npm
import tap

PACKAGES = ('agora-token@2.0.6', 'agora-access-token@2.0.4')
TOOL = Path(sys.argv.pop(1)).resolve()
FOLDER = Path(sys.argv.pop(1)).resolve()

APP = '0123456789abcdefABCDEF9876543210'
CERTIFICATE = 'fedcba98765432100123456789ABCDEF'
CHANNELS = ('hall', 'a', '0', 'with spaces and !#$%&()+-:;<=.>?@[]^_{|}~,', 'x' * 64, 'zoë’s ☕')
PUBLISHER, SUBSCRIBER = 1, 2
ALL = {1, 2, 3, 4}


class Vendor(harness.Case):
    @classmethod
    def setUpClass(cls):
        npm.install(FOLDER, *PACKAGES)
        cls.program = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, encoding='utf-8')

    @classmethod
    def tearDownClass(cls):
        cls.program.communicate(timeout=10)
        assert cls.program.returncode == 0, f'token-tool ended with {cls.program.returncode}'

    def setUp(self):
        super().setUp()
        self.began = time.time()

    def vendor(self, *calls):
        ran = subprocess.run([npm.node(), Path(__file__).with_suffix('.js'), FOLDER],
                             input=json.dumps(calls), capture_output=True, text=True, timeout=30,
                             check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def tool(self, *arguments):
        self.program.stdin.write('\t'.join(map(str, arguments)) + '\n')
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def verify(self, token, channel, uid, now, app=APP, certificate=CERTIFICATE):
        return self.tool('verify', token, app, certificate, channel, uid, now)

    def check(self, token, channel, uid, privileges, end, bound=True):
        """Good now, over at its end, and for no one and nothing else."""
        now = int(time.time())
        grant = self.verify(token, channel, uid, now)
        self.assertEqual(grant['code'], 200, grant)
        self.assertEqual({int(which) for which in grant['privileges']}, privileges)
        ends = [at for at in (grant['ends_at'], grant['privileges']['1']) if at]
        # Theirs counts from when it was called, which was some time after the case began.
        self.assertAlmostEqual(min(ends), end, delta=2 + time.time() - self.began)
        self.assertEqual(self.verify(token, channel, uid, min(ends) - 1)['code'], 200)
        self.assertEqual(self.verify(token, channel, uid, min(ends))['code'], 109)
        for wrong in ({'channel': channel + 'x'}, {'certificate': '0' * 32},
                      {'app': APP[::-1]}) + (({'uid': '77'}, {'uid': '0'}) if bound else ()):
            asked = {'channel': channel, 'uid': uid, 'now': now} | wrong
            self.assertEqual(self.verify(token, **asked)['code'], 110, wrong)
        if not bound:
            for other in ('', '0', '77', 'somebody'):
                self.assertEqual(self.verify(token, channel, other, now)['code'], 200)

    def test_007_by_uid(self):
        calls, expected = [], []
        for channel in CHANNELS:
            for uid in (0, 1, 4294967295):
                for role in (PUBLISHER, SUBSCRIBER):
                    for end in ((600, 0), (600, 300), (300, 600)):
                        calls.append(['rtc007', 'buildTokenWithUid', APP, CERTIFICATE, channel, uid,
                                      role, *end])
                        expected.append((channel, str(uid), role, min(filter(None, end)), uid != 0))
        # Each channel with one uid, each uid with one channel: a cross, not the whole field.
        picked = [i for i, (channel, uid, *_) in enumerate(expected)
                  if channel == CHANNELS[0] or uid == '1']
        tokens = self.vendor(*(calls[i] for i in picked))
        now = time.time()
        for token, i in zip(tokens, picked):
            channel, uid, role, lifetime, bound = expected[i]
            self.check(token, channel, uid, ALL if role == PUBLISHER else {1}, now + lifetime, bound)

    def test_007_by_account_and_with_other_services(self):
        tokens = self.vendor(
            ['rtc007', 'buildTokenWithUserAccount', APP, CERTIFICATE, 'hall', 'alice', PUBLISHER,
             600, 600],
            ['rtc007', 'buildTokenWithRtm', APP, CERTIFICATE, 'hall', 'alice', PUBLISHER, 600, 600],
            ['rtc007', 'buildTokenWithRtm', APP, CERTIFICATE, 'hall', 'alice', SUBSCRIBER, 600, 0])
        now = time.time()
        self.check(tokens[0], 'hall', 'alice', ALL, now + 600)
        self.check(tokens[1], 'hall', 'alice', ALL, now + 600)
        self.check(tokens[2], 'hall', 'alice', {1}, now + 600)

    def test_007_with_an_end_for_each_privilege(self):
        token, = self.vendor(['rtc007', 'buildTokenWithUidAndPrivilege', APP, CERTIFICATE, 'hall', 5,
                              900, 800, 700, 600, 500])
        now = int(time.time())
        self.check(token, 'hall', '5', ALL, now + 800)
        ends = self.verify(token, 'hall', '5', now)['privileges']
        for which, lifetime in zip('1234', (800, 700, 600, 500)):
            self.assertAlmostEqual(ends[which], now + lifetime, delta=2 + time.time() - self.began)

    def test_007_for_another_service(self):
        for token in self.vendor(['rtm007', APP, CERTIFICATE, 'alice', 600],
                                 ['chat007', APP, CERTIFICATE, 'alice', 600]):
            self.assertEqual(self.tool('read', token)['privileges'], {})
            self.assertEqual(self.verify(token, 'hall', 'alice', int(time.time()))['code'], 110)

    def test_006(self):
        now = int(time.time())
        for channel in CHANNELS:
            tokens = self.vendor(
                ['rtc006', 'buildTokenWithUid', APP, CERTIFICATE, channel, 8, PUBLISHER, now + 600],
                ['rtc006', 'buildTokenWithUid', APP, CERTIFICATE, channel, 8, SUBSCRIBER, now + 600],
                ['rtc006', 'buildTokenWithUid', APP, CERTIFICATE, channel, 0, PUBLISHER, now + 600],
                ['rtc006', 'buildTokenWithAccount', APP, CERTIFICATE, channel, 'al', PUBLISHER, 0])
            self.check(tokens[0], channel, '8', ALL, now + 600)
            self.check(tokens[1], channel, '8', {1}, now + 600)
            self.check(tokens[2], channel, '0', ALL, now + 600, bound=False)
            # Its generator gives the token a day, whatever the privileges say.
            self.check(tokens[3], channel, 'al', ALL, now + 86400)
        token, = self.vendor(['rtm006', APP, CERTIFICATE, 'alice', 1, now + 600])
        self.assertEqual(self.verify(token, '', 'alice', now)['code'], 110)
        self.assertEqual(self.verify(token, 'alice', '', now)['code'], 110)

    def test_005(self):
        now = int(time.time())
        for source in ('agora-token', 'agora-access-token'):
            for channel in CHANNELS:
                common = [APP, CERTIFICATE, channel, now, 99, 8, now + 600]
                anyone = [APP, CERTIFICATE, channel, now, 99, 0, now + 600]
                tokens = self.vendor(
                    ['key005', source, 'generateMediaChannelKey', *common],
                    ['key005', source, 'generateMediaChannelKey', *anyone],
                    ['key005', source, 'generateInChannelPermissionKey', *common, '0'],
                    ['key005', source, 'generateInChannelPermissionKey', *common, '3'],
                    ['key005', source, 'generateRecordingKey', *common],
                    ['key005', source, 'generatePublicSharingKey', *common])
                self.check(tokens[0], channel, '8', ALL, now + 600)
                self.check(tokens[1], channel, '0', ALL, now + 600, bound=False)
                self.check(tokens[2], channel, '8', {1}, now + 600)
                self.check(tokens[3], channel, '8', ALL, now + 600)
                for token in tokens[4:]:
                    self.assertEqual(self.verify(token, channel, '8', now)['code'], 110)

    def build(self, kind, channel, uid, role, issued, expires):
        made = self.tool('build', kind, APP, CERTIFICATE, channel, uid, role, issued, expires, 4242)
        return made['token']

    @staticmethod
    def unpacked(token):
        return zlib.decompress(base64.b64decode(token[3:]))

    def test_ours_007_is_read(self):
        now = int(time.time())
        made = [(channel, uid, role, self.build('007', channel, uid, role, now, 600))
                for channel in CHANNELS for uid in ('0', '4294967295', 'alice')
                for role in ('publisher', 'subscriber')]
        readings = self.vendor(*(['read007', token, CERTIFICATE] for *_, token in made))
        for (channel, uid, role, token), read in zip(made, readings):
            self.assertEqual(read['app'], APP)
            self.assertEqual((read['issued_at'], read['lifetime'], read['salt']), (now, 600, 4242))
            self.assertEqual((read['channel'], read['uid']), (channel, '' if uid == '0' else uid))
            self.assertEqual(read['privileges'],
                             {str(each): 600 for each in (ALL if role == 'publisher' else {1})})
            self.assertEqual(read['count'], 1)
            # Packed by another zlib, but signed and laid out the same.
            self.assertEqual(self.unpacked(read['rebuilt']), self.unpacked(token))

    def test_ours_006_is_read(self):
        now = int(time.time())
        made = [(channel, uid, self.build('006', channel, uid, 'publisher', now, 600))
                for channel in CHANNELS for uid in (0, 8, 'alice')]
        readings = self.vendor(*(['read006', token, APP, CERTIFICATE, channel, uid]
                                 for channel, uid, token in made))
        for (_, _, token), read in zip(made, readings):
            self.assertEqual((read['salt'], read['ends_at']), (4242, now + 600))
            self.assertEqual(read['privileges'], {str(each): now + 600 for each in ALL})
            self.assertEqual(read['rebuilt'], token)

    def test_ours_005_is_theirs(self):
        now = int(time.time())
        for channel in CHANNELS:
            arguments = [APP, CERTIFICATE, channel, now, 4242, 8, now + 600]
            publisher, subscriber = self.vendor(
                ['key005', 'agora-token', 'generateMediaChannelKey', *arguments],
                ['key005', 'agora-token', 'generateInChannelPermissionKey', *arguments, '0'])
            self.assertEqual(self.build('005', channel, '8', 'publisher', now, 600), publisher)
            self.assertEqual(self.build('005', channel, '8', 'subscriber', now, 600), subscriber)


if __name__ == '__main__':
    tap.main()
