# SPDX-License-Identifier: LGPL-2.1-or-later
"""A few words from member to member, in raw JSON: who gets them, what is refused, and how many pass."""

import time

import tap
from harness import SCALE, Case
from wsclient import Member

KNOWN = {'features': ['data']}


class Data(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()

    def member(self, uid, **fields):
        member = Member(self.served.ws, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        member.join('audience', **fields)
        return member

    def test_passed_on(self):
        one, two, three = (self.member(uid, **KNOWN) for uid in (7, 8, 9))
        plain = self.member(10)
        self.assertEqual(one.must('data', to=[8], text='camera 2'), {})
        self.assertEqual(two.wait_event('data', 5 * SCALE), {'action': 'data', 'uid': 7, 'text': 'camera 2'})
        text = '€' * 85 + '\n'
        two.must('data', text=text)
        for each in (one, three):
            self.assertEqual(each.wait_event('data', 5 * SCALE), {'action': 'data', 'uid': 8, 'text': text})
        # In their order.
        for number in range(10):
            three.must('data', to=['7', 8, 99], text=str(number))
        self.assertEqual([one.wait_event('data')['text'] for _ in range(10)], [str(number) for number in range(10)])
        for each in (one, three, plain):
            each.ping()
            self.assertEqual(each.events, [])
        answer = plain.ask('data', text='x')
        self.assertEqual((answer['code'], answer['reason']), (401, 'unknown action "data"'))

    def test_refused(self):
        one, two = self.member(7, **KNOWN), self.member(8, **KNOWN)
        for value in ('', 'x' * 257, '€' * 86, 5, None, ['x'], {'a': 1}, True):
            answer = one.ask('data', text=value)
            self.assertEqual(answer['code'], 401, value)
            self.assertIn('clientRequest.text: expected', answer['reason'])
        for value in ([], [0], 'eight', {}, [8.5], list(range(1, 18))):
            answer = one.ask('data', text='x', to=value)
            self.assertEqual(answer['code'], 401, value)
            self.assertIn('clientRequest.to: expected', answer['reason'])
        began = time.monotonic()
        asked = [one.send_request('data', text=str(number), to=[8]) for number in range(30)]
        codes = [one.wait_answer(each)['code'] for each in asked]
        took = time.monotonic() - began
        passed = codes.count(200)
        print(f'# {passed} of 30 at once passed')
        self.assertEqual(set(codes), {200, 429})
        # 20 at once, and 5 a second.
        self.assertTrue(20 <= passed <= 21 + 5 * took, codes)
        self.assertEqual(codes[:20], [200] * 20)
        self.assertEqual(len([two.wait_event('data') for _ in range(passed)]), passed)
        two.ping()
        self.assertEqual(two.events, [])


if __name__ == '__main__':
    tap.main()
