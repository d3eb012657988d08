# SPDX-License-Identifier: LGPL-2.1-or-later
"""A voice for a few, in raw JSON and with a real relay: they hear it, and to all others there is nothing."""

import json
import sys
import urllib.request
from pathlib import Path

import tap
from harness import SCALE, Case
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402

KNOWN = {'features': ['talk']}


class Talk(Case):
    def setUp(self):
        super().setUp()
        token = self.tmp / 'admin-token'
        token.write_text('let-me-look-at-it')
        token.chmod(0o600)
        self.served = self.gateway(f'--admin-token-file={token}')

    def member(self, uid, role='audience', **fields):
        member = Member(self.served.ws, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        self.answer = member.wait_answer(member.send_join(role, **fields))
        self.assertEqual(self.answer['code'], 200)
        return member

    def voice(self, url, name):
        voice = clusterrig.Voice(url, name)
        self.addCleanup(voice.close)
        return voice

    def ear(self, url):
        ear = clusterrig.Ear(url)
        self.addCleanup(ear.close)
        return ear

    @staticmethod
    def subscribe(member, uid=7):
        return member.must('subscribe', uid=uid, options={'audio': True, 'video': True})

    def assert_nothing(self, *members):
        """Whatever was sent to them before this has come by now."""
        for member in members:
            member.ping()
            self.assertEqual(member.events, [])

    def refused(self, member, uid=7):
        answer = member.ask('subscribe', uid=uid, options={'audio': True, 'video': True})
        self.assertEqual((answer['code'], answer['reason']), (432, f'uid {uid} is not publishing'))

    def live(self):
        request = urllib.request.Request(self.served.http + '/dev/v1/live', headers={'Authorization': 'Bearer let-me-look-at-it'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return {member['uid']: member['talk'] for member in json.load(answer)['members']}

    def test_the_addressed_hear_it(self):
        producer = self.member(7, 'broadcaster', **KNOWN)
        self.assertEqual(self.answer['serverResponse'], {'uid': 7, **KNOWN})
        host = self.member(8, **KNOWN)
        plain = self.member(9)
        other = self.member(10, **KNOWN)
        url = producer.must('publish', uid=7, to=[8, 9, '8'])['url']
        voice = self.voice(url, 'cue')
        self.assertEqual(host.wait_event('stream-added'), {'action': 'stream-added', 'uid': 7, 'talk': True})
        # As any other stream, to who doesn't know the difference.
        self.assertEqual(plain.wait_event('stream-added'), {'action': 'stream-added', 'uid': 7})
        heard = self.subscribe(host)
        self.assertIs(heard['talk'], True)
        self.assertEqual({name for name, _, _ in self.ear(heard['url']).listen(10)}, {'cue'})
        heard = self.subscribe(plain)
        self.assertEqual(set(heard), {'url', 'rotation'})
        self.assertEqual({name for name, _, _ in self.ear(heard['url']).listen(10)}, {'cue'})
        self.assertEqual(self.live(), {7: True, 8: False, 9: False, 10: False})

        # To the others there is nothing: by name, by a URL of theirs, and whoever comes later.
        self.refused(other)
        producer.must('mute_local', uid=7, target='audio', mute=True)
        host.wait_event('audio-mute', uid=7)
        late = self.member(11, **KNOWN)
        self.assert_nothing(other, late)
        again = self.member(10, known_speakers=['7'])
        self.assertEqual(again.wait_event('stream-removed')['uid'], 7)
        voice.close()
        producer.must('unpublish', uid=7)
        host.wait_event('stream-removed', uid=7)
        self.assert_nothing(late)

    def test_for_others_while_it_plays(self):
        producer = self.member(7, 'broadcaster', **KNOWN)
        host = self.member(8, **KNOWN)
        other = self.member(9, **KNOWN)
        self.voice(producer.must('publish', uid=7)['url'], 'all')
        ears = []
        for each in (host, other):
            self.assertNotIn('talk', each.wait_event('stream-added', uid=7))
            ears.append(self.ear(self.subscribe(each)['url']))
            ears[-1].listen(5)
        stolen = self.subscribe(other)['url']
        url = producer.must('publish', uid=7, to=[8])['url']
        self.voice(url, 'cue')
        # Who stays is told where it goes on; the other one's session is cut, and no URL of it is of use.
        moved = host.wait_event('update-url', uid=7)
        self.assertIs(moved['talk'], True)
        self.assertEqual({name for name, _, _ in self.ear(moved['url']).listen(10)}, {'cue'})
        other.wait_event('stream-removed', uid=7)
        self.assertTrue(ears[1].peer.closed(5 * SCALE))
        self.assertNotIn('cue', {name for name, _, _ in ears[1].heard()})
        self.refused(other)
        stream = url.rpartition('/')[2].partition('?')[0]
        for wrong in (stolen, f'{stolen.rpartition("/")[0]}/{stream}?{stolen.partition("?")[2]}', url):
            ear = self.ear(wrong)
            self.assertTrue(ear.peer.closed(5 * SCALE), wrong)
            self.assertEqual(ear.heard(), [])
        # A fresh URL is for the same; and all again.
        self.voice(producer.must('update_url', role='publish', uid=7)['url'], 'still')
        self.assertIs(host.wait_event('update-url', uid=7)['talk'], True)
        self.assert_nothing(other)
        self.voice(producer.must('publish', uid=7)['url'], 'all')
        other.wait_event('stream-added', uid=7)
        self.assertNotIn('talk', host.wait_event('update-url', uid=7))
        self.assertEqual({name for name, _, _ in self.ear(self.subscribe(other)['url']).listen(5)}, {'all'})

    def test_who_may(self):
        """As for any publishing; and never to all what is meant for a few."""
        listener = self.member(7, **KNOWN)
        self.assertEqual(listener.ask('publish', uid=7, to=[8])['code'], 433)
        unknowing = self.member(8, 'broadcaster')
        answer = unknowing.ask('publish', uid=8, to=[7])
        self.assertEqual(answer['code'], 401)
        self.assertIn('"talk"', answer['reason'])
        speaker = self.member(9, 'broadcaster', **KNOWN)
        for value in ([], 0, [0], [8, 0], {}, {'8': 1}, 'x', ['x'], [8.5], [-8], [4294967296], [True], [[8]], list(range(1, 18))):
            answer = speaker.ask('publish', uid=9, to=value)
            self.assertEqual(answer['code'], 401, (value, answer))
            self.assertIn('clientRequest.to: expected', answer['reason'])
        speaker.must('publish', uid=9, to=list(range(4294967280, 4294967296)))
        speaker.must('publish', uid=9, to=None)


if __name__ == '__main__':
    tap.main()
