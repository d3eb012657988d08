# SPDX-License-Identifier: LGPL-2.1-or-later
"""What elements report of their sound, as the operator sees it."""

import json
import urllib.request

import tap
from channel import ChannelCase
from harness import SCALE

TOKEN = 'what-is-to-be-seen'


class QualityTest(ChannelCase):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        self.gate = self.gateway(f'--admin-token-file={secret}', '--max-admin-requests-per-second=1000')

    def report(self, uid):
        request = urllib.request.Request(f'{self.gate.http}/dev/v1/live', headers={'Authorization': f'Bearer {TOKEN}'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            told = json.load(answer)
        return next((each.get('report') for each in told['members'] if each['uid'] == uid), None) or {}

    def test_a_speaker_and_listeners(self):
        # A sine of a tenth of full scale: -20 dB at its peaks, -23 dB in the mean. Of AAC that is there
        # already, only those tell who hear it.
        speaker = self.line(f'audiotestsrc is-live=true freq=440 volume=0.1 ! agorasink {self.where(8)}')
        coded = self.line(f'audiotestsrc is-live=true freq=440 volume=0.05 ! avenc_aac ! agorasink {self.where(9)}')
        listener = self.line(f'agorasrc {self.where(10)} ! fakesink sync=true')
        # Who speaks and listens is one member, and tells of both.
        both = self.line(f'audiotestsrc is-live=true wave=silence ! agorasink {self.where(11)} '
                         f'agorasrc {self.where(11)} ! fakesink sync=true')
        heard = {}

        def complete():
            for uid in (10, 11):
                heard[uid] = {each['uid']: each for each in self.report(uid).get('heard', [])}
            return 'peak' in self.report(8).get('sent', {}) and 'sent' in self.report(9) and 'sent' in self.report(11) and \
                all({8, 9} <= set(each) and 'peak' in each[8] and 'peak' in each[9] for each in heard.values())
        self.until(complete, 'all reports', 20 * SCALE)
        sent = self.report(8)['sent']
        self.assertLessEqual(abs(sent['peak'] + 20), 1, sent)
        self.assertLessEqual(abs(sent['rms'] + 23), 1, sent)
        self.assertEqual((sent['dropped'], sent['outages']), (0, 0))
        self.assertNotIn('peak', self.report(9)['sent'])
        for each in heard.values():
            self.assertLessEqual(abs(each[8]['peak'] + 20), 3, each)
            self.assertLessEqual(abs(each[9]['peak'] + 26), 3, each)
            self.assertNotIn(11, set(heard[11]))
            self.assertGreater(each[8]['delay'], 0)
            # One clock for both: what it says is so.
            self.assertTrue(50 <= each[8]['latency'] <= 1500 * SCALE, each)
        for process in (speaker, coded, listener, both):
            self.assertEqual(process.interrupt(10), 0, process.tail())
            self.assertNotIn('ERROR', process.output())


if __name__ == '__main__':
    tap.main()
