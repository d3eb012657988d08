# SPDX-License-Identifier: LGPL-2.1-or-later
"""A voice in several codecs, in raw JSON and with a real relay: what a speaker is asked for, and what each listener gets.

The relay carries what is pushed, so that any bytes do for either codec.
"""

import sys
import time
from pathlib import Path

import tap
from harness import SCALE, Case
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402

KNOWN = {'features': ['silence', 'codecs']}
BOTH = ['opus', 'aac']


class Codecs(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()

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

    def speaker(self, uid=7):
        """Of both codecs, on the air with the first."""
        speaker = self.member(uid, 'broadcaster', **KNOWN)
        answer = speaker.must('publish', uid=uid, codecs=BOTH)
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], ['opus'])
        return speaker, answer, self.voice(answer['urls']['opus'], 'opus')

    @staticmethod
    def subscribe(member, uid=7):
        return member.must('subscribe', uid=uid, options={'audio': True, 'video': True})

    def test_each_hears_what_it_can(self):
        speaker, published, _ = self.speaker()
        self.assertEqual(self.answer['serverResponse'], {'uid': 7, **KNOWN})
        self.assertEqual(list(published), ['url', 'urls'])
        self.assertEqual(set(published['urls']), set(BOTH))
        self.assertEqual(published['url'], published['urls']['aac'])
        modern = self.member(8, hears=BOTH, **KNOWN)
        modern.wait_event('stream-added', uid=7)
        heard = self.subscribe(modern)
        self.assertEqual(heard['codec'], 'opus')
        ear = self.ear(heard['url'])
        self.assertEqual({name for name, _, _ in ear.listen(10)}, {'opus'})

        # The first who hears AAC alone: its speaker is told, and pushes that as well.
        plain = self.member(9)
        plain.wait_event('stream-added', uid=7)
        began = time.monotonic()
        heard = self.subscribe(plain)
        self.assertEqual(set(heard), {'url', 'rotation'})
        other = self.ear(heard['url'])
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], BOTH)
        second = self.voice(published['urls']['aac'], 'aac')
        self.assertEqual({name for name, _, _ in other.listen(10)}, {'aac'})
        print(f'# {(other.heard()[0][2] - began) * 1000:.0f} ms from subscribing to the first frame of what was not pushed before')
        ear.listen(10)

        # It goes; nobody is told of the push that ends then.
        plain.must('leave', uid=9)
        self.assertEqual(speaker.wait_event('codecs-wanted', 8 * SCALE)['codecs'], ['opus'])
        second.close()
        ear.listen(50)
        self.assertEqual([event for event in modern.events if event['action'] != 'stream-added'], [])

    def test_the_last_push_ends_it(self):
        speaker, published, first = self.speaker()
        second = self.voice(published['urls']['aac'], 'aac')
        listener = self.member(8)
        listener.wait_event('stream-added', uid=7)
        first.close()
        ear = self.ear(self.subscribe(listener)['url'])
        # For longer than a push is held.
        ear.listen(170)
        self.assertEqual(listener.events, [])
        second.close()
        listener.wait_event('stream-removed', 5 * SCALE, uid=7)
        # A URL that lost its push is good for another one.
        self.voice(published['urls']['opus'], 'opus')
        listener.wait_event('stream-added', uid=7)

    def test_new_urls(self):
        speaker, _, _ = self.speaker()
        listener = self.member(8, hears=BOTH, **KNOWN)
        listener.wait_event('stream-added', uid=7)
        ear = self.ear(self.subscribe(listener)['url'])
        ear.listen(5)
        fresh = speaker.must('update_url', role='publish', uid=7)
        self.assertEqual(set(fresh['urls']), set(BOTH))
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], ['opus'])
        self.voice(fresh['urls']['opus'], 'again')
        moved = listener.wait_event('update-url', uid=7)
        self.assertEqual(moved['codec'], 'opus')
        self.assertEqual({name for name, _, _ in self.ear(moved['url']).listen(10)}, {'again'})
        # It offers no Opus any more.
        plain = speaker.must('publish', uid=7)
        self.assertEqual(set(plain), {'url'})
        self.voice(plain['url'], 'aac')
        moved = listener.wait_event('update-url', uid=7)
        self.assertEqual(moved['codec'], 'aac')
        self.assertEqual({name for name, _, _ in self.ear(moved['url']).listen(10)}, {'aac'})

    def test_without_the_feature(self):
        """Whatever it sends, it meets nothing that the recorded exchanges don't have."""
        speaker = self.member(7, 'broadcaster', features=['silence'], hears=BOTH)
        self.assertEqual(self.answer['serverResponse'], {'uid': 7, 'features': ['silence']})
        answer = speaker.must('publish', uid=7, codecs=BOTH)
        self.assertEqual(set(answer), {'url'})
        self.voice(answer['url'], 'aac')
        listener = self.member(8, hears=BOTH)
        self.assertEqual(self.answer['serverResponse'], {'uid': 8})
        listener.wait_event('stream-added', uid=7)
        self.assertEqual(set(self.subscribe(listener)), {'url', 'rotation'})
        fresh = speaker.must('update_url', role='publish', uid=7)
        self.assertEqual(set(fresh), {'url'})
        self.voice(fresh['url'], 'again')
        moved = listener.wait_event('update-url', uid=7)
        self.assertEqual(set(moved), {'action', 'uid', 'url'})
        speaker.ping()
        # Whoever joined later is announced to it, if to anyone; nothing else has come.
        self.assertEqual(speaker.events, [])

    def test_hostile_values(self):
        long = 'o' * 33
        for field, value in (('hears', 'opus'), ('hears', {'opus': 1}), ('hears', [1]), ('hears', [long]),
                             ('hears', ['aac'] * 9), ('hears', ['opus', None])):
            member = Member(self.served.ws, uid=30)
            self.addCleanup(member.close)
            answer = member.wait_answer(member.send_join('audience', **KNOWN, **{field: value}))
            self.assertEqual(answer['code'], 401, (value, answer))
            self.assertIn(f'clientRequest.{field}: expected', answer['reason'])
        speaker = self.member(7, 'broadcaster', **KNOWN)
        for value in ('aac', {}, [], ['opus'], ['lc3'], [1, 'aac'], ['aac', long], ['aac'] * 9, ['aac', ['opus']]):
            answer = speaker.ask('publish', uid=7, codecs=value)
            self.assertEqual(answer['code'], 401, (value, answer))
            self.assertIn('clientRequest.codecs: expected', answer['reason'])
        # What a later version may say is passed over.
        answer = speaker.must('publish', uid=7, codecs=['lc3', 'aac', 'aac', ''])
        self.assertEqual(list(answer['urls']), ['aac'])
        self.assertEqual(speaker.wait_event('codecs-wanted')['codecs'], ['aac'])
        answer = speaker.must('publish', uid=7, codecs=None)
        self.assertEqual(set(answer), {'url'})

    def test_unpublished(self):
        speaker, published, _ = self.speaker()
        self.voice(published['urls']['aac'], 'aac')
        listener = self.member(8)
        listener.wait_event('stream-added', uid=7)
        ear = self.ear(self.subscribe(listener)['url'])
        ear.listen(5)
        speaker.must('unpublish', uid=7)
        listener.wait_event('stream-removed', uid=7)
        self.assertTrue(ear.peer.closed(5 * SCALE))
        for url in published['urls'].values():
            with self.assertRaises(ConnectionError):
                clusterrig.rtmp.Publisher(url)


if __name__ == '__main__':
    tap.main()
