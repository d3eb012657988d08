# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who else is in the channel, in raw JSON: where it is allowed, who is told, and what a crowd costs."""

import json
import signal

import tap
from harness import SCALE, Case
from wsclient import Member

KNOWN = {'features': ['names']}


class Members(Case):
    def join(self, served, uid, role='audience', **fields):
        member = Member(served.ws, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        member.join(role, **fields)
        return member

    def test_told(self):
        served = self.gateway('--show-members=demo')
        watcher = self.join(served, 7, name='Ann', **KNOWN)
        self.assertEqual(watcher.must('members'), {'members': []})
        plain = self.join(served, 8)
        self.assertEqual(watcher.wait_event('member-joined', 5 * SCALE), {'action': 'member-joined', 'uid': 8})
        other = self.join(served, 9, name='Cid', **KNOWN)
        self.assertEqual(watcher.wait_event('member-joined', 5 * SCALE),
                         {'action': 'member-joined', 'uid': 9, 'name': 'Cid'})
        self.assertEqual(other.must('members'), {'members': [{'uid': 7, 'name': 'Ann'}, {'uid': 8}]})
        plain.ask('leave', uid=8)
        for each in (watcher, other):
            self.assertEqual(each.wait_event('member-left', 5 * SCALE), {'action': 'member-left', 'uid': 8})
        # The vendor's client, and who hasn't asked, meet none of it.
        plain = self.join(served, 10)
        quiet = self.join(served, 11, **KNOWN)
        self.join(served, 12)
        watcher.wait_event('member-joined', 5 * SCALE, uid=12)
        answer = plain.ask('members')
        self.assertEqual((answer['code'], answer['reason']), (401, 'unknown action "members"'))
        for each in (plain, quiet):
            each.ping()
            self.assertEqual(each.events, [])

    def test_not_allowed(self):
        config = self.tmp / 'gateway.conf'
        config.write_text('[gateway]\napp=demo;other\nshow-members=other\n')
        served = self.gateway(f'--config={config}')
        member = self.join(served, 7, **KNOWN)
        answer = member.ask('members')
        self.assertEqual((answer['code'], answer['reason']),
                         (433, 'members: the operator doesn\'t show the members of this app'))
        # By SIGHUP it is, and is no more.
        config.write_text('[gateway]\napp=demo;other\nshow-members=other;demo\n')
        served.signal(signal.SIGHUP)
        served.wait_line('Reloaded')
        self.assertEqual(member.wait_event('members-shown', 5 * SCALE), {'action': 'members-shown'})
        self.assertEqual(member.must('members'), {'members': []})
        self.join(served, 8)
        member.wait_event('member-joined', 5 * SCALE, uid=8)
        config.write_text('[gateway]\napp=demo;other\n')
        served.signal(signal.SIGHUP)
        served.wait_line('Reloaded')
        self.assertEqual(member.wait_event('members-hidden', 5 * SCALE), {'action': 'members-hidden'})
        self.join(served, 9)
        self.assertEqual(member.ask('members')['code'], 433)
        self.assertEqual(member.events, [])
        # Shown again, whoever has asked is told so.
        quiet = self.join(served, 10, **KNOWN)
        config.write_text('[gateway]\napp=demo;other\nshow-members=*\n')
        served.signal(signal.SIGHUP)
        self.assertEqual(member.wait_event('members-shown', 5 * SCALE), {'action': 'members-shown'})
        self.assertEqual(member.must('members'), {'members': [{'uid': 8}, {'uid': 9}, {'uid': 10}]})
        quiet.ping()
        self.assertEqual(quiet.events, [])

    def test_a_crowd(self):
        served = self.gateway('--show-members=*')
        watcher = self.join(served, 7, **KNOWN)
        watcher.must('members')
        name = '🎙' * 64
        for uid in range(100, 400):
            self.join(served, uid, name=name, **KNOWN)
        answer = self.join(served, 8, **KNOWN).ask('members')
        self.assertLess(len(json.dumps(answer, ensure_ascii=False).encode()), 64 * 1024)
        listed = answer['serverResponse']
        # All of them, if not by name.
        self.assertEqual(len(listed['members']), 301)
        self.assertNotIn('more', listed)
        named = sum('name' in each for each in listed['members'])
        self.assertGreater(named, 50)
        self.assertLess(named, 300)
        print(f'# {named} of 301 by name')


if __name__ == '__main__':
    tap.main()
