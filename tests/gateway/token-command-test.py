# SPDX-License-Identifier: LGPL-2.1-or-later
"""`agora-gateway token`: what it prints, and what it says of wrong arguments."""

import os
import time

import harness
import tap
import tokens

GOOD = {'app': 'demo:secret', 'channel': 'hall'}


class TokenCommand(harness.Case):
    def run_it(self, **options):
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], 'token',
                             *(f'--{name}={value}' for name, value in options.items()))
        return process.wait(), process

    def make(self, **options):
        status, process = self.run_it(**GOOD | options)
        self.assertEqual(status, 0, process.tail())
        line, = process.output('out').splitlines()
        self.assertEqual(process.output('err'), '')
        return line

    def test_007(self):
        before = int(time.time())
        said = tokens.parse(self.make(uid=8, role='publisher', expires=600))
        self.assertEqual((said['app'], said['channel'], said['uid']), ('demo', 'hall', '8'))
        self.assertEqual(said['expires'], 600)
        self.assertEqual(said['privileges'], dict.fromkeys((1, 2, 3, 4), 600))
        self.assertTrue(before <= said['issued'] <= time.time(), said)
        again = tokens.build('demo', 'secret', 'hall', 8, said['privileges'], 600, said['issued'],
                             said['salt'])
        self.assertEqual(tokens.parse(again), said)

    def test_defaults(self):
        said = tokens.parse(self.make())
        self.assertEqual((said['uid'], said['expires'], said['privileges']), ('', 3600, {1: 3600}))

    def test_no_end(self):
        said = tokens.parse(self.make(expires=0))
        self.assertEqual((said['expires'], said['privileges']), (0, {1: 0}))

    def test_other_kinds(self):
        self.assertTrue(self.make(kind='007').startswith('007eJ'))
        self.assertTrue(self.make(kind='006').startswith('006demoIA'))
        self.assertTrue(self.make(kind='005').startswith('005'))

    def test_each_is_another(self):
        self.assertNotEqual(self.make(), self.make())

    def test_wrong_arguments(self):
        for options, words in (
                ({'app': None}, '--app'),
                ({'app': 'demo'}, 'ID:CERTIFICATE'),
                ({'app': 'demo:'}, 'ID:CERTIFICATE'),
                ({'app': ':secret'}, 'app id'),
                ({'channel': None}, '--channel'),
                ({'channel': ''}, 'channel'),
                ({'channel': 'x' * 129}, '128'),
                ({'role': 'king'}, 'publisher or subscriber'),
                ({'kind': '008'}, '007, 006 or 005'),
                ({'kind': '005', 'uid': 'alice'}, 'alice'),
                ({'expires': -1}, '-1'),
                ({'expires': 'soon'}, 'soon'),
                ({'colour': 'blue'}, '--colour')):
            with self.subTest(**options):
                asked = {name: value for name, value in (GOOD | options).items()
                         if value is not None}
                status, process = self.run_it(**asked)
                self.assertEqual(status, 2, process.tail())
                self.assertEqual(process.output('out'), '')
                self.assertEqual(len(process.output('err').splitlines()), 1)
                self.assertIn(words, process.output('err'))
                self.assertNotIn('secret', process.output('err'))


if __name__ == '__main__':
    tap.main()
