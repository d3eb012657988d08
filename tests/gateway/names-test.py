# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of those who speak, in raw JSON: who is told them, and what is no name."""

import sys
from pathlib import Path

import tap
from harness import SCALE, Case
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402

KNOWN = {'features': ['names']}


class Names(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()

    def join(self, uid, role='audience', **fields):
        member = Member(self.served.ws, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        return member, member.wait_answer(member.send_join(role, **fields))

    def test_told_with_the_stream(self):
        knowing, answer = self.join(8, **KNOWN)
        self.assertEqual(answer['serverResponse'], {'uid': 8, **KNOWN})
        plain, _ = self.join(9)
        name = '🎙' * 63 + 'é'
        speaker, _ = self.join(7, 'broadcaster', name=name, **KNOWN)
        voice = clusterrig.Voice(speaker.publish(), 'ann')
        self.addCleanup(voice.close)
        knowing.wait_event('stream-added', 5 * SCALE, uid=7)
        self.assertEqual(knowing.events, [{'action': 'member-named', 'uid': 7, 'name': name}])
        knowing.events.clear()
        late, _ = self.join(10, **KNOWN)
        self.assertEqual(late.wait_event('member-named')['name'], name)
        again, _ = self.join(7, 'broadcaster', name='Ann', known_speakers=[], **KNOWN)
        self.assertEqual(knowing.wait_event('member-named'), {'action': 'member-named', 'uid': 7, 'name': 'Ann'})
        plain.ping()
        self.assertEqual([event['action'] for event in plain.events], ['stream-added'])

    def test_no_names(self):
        for name in ('x' * 65, '🎙' * 65, 'a\nb', 'a\x7f', '\x85', 'a\0', 5, ['x'], {}):
            _, answer = self.join(7, name=name, **KNOWN)
            self.assertEqual(answer['code'], 401, (name, answer))
        _, answer = self.join(7, name='a\tb', **KNOWN)
        self.assertIn('clientRequest.name: expected at most 64 characters', answer['reason'])
        # Whoever doesn't know of it may have a field by that name.
        for fields in ({'name': 5}, {'name': 'x' * 999, 'features': ['talk']}):
            _, answer = self.join(7, **fields)
            self.assertEqual(answer['code'], 200, answer)


if __name__ == '__main__':
    tap.main()
