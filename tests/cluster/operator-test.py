# SPDX-License-Identifier: LGPL-2.1-or-later
"""Administration of a channel that is at several gateways: any of them answers for all, and rules hold at all."""

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import ClusterCase  # noqa: E402
from harness import SCALE  # noqa: E402
from wsclient import Closed, Member  # noqa: E402

TOKEN = 'Tru5t-me/for+this:one='


class Operator(ClusterCase):
    def setUp(self):
        super().setUp()
        file = self.tmp / 'admin-token'
        file.write_text(TOKEN + '\n', encoding='ascii')
        file.chmod(0o600)
        self.one, self.other = [self.one_of_many(f'--admin-token-file={file}') for _ in range(2)]

    def call(self, gateway, method, path, body=None):
        connection = http.client.HTTPConnection(urlsplit(gateway.http).netloc, timeout=5)
        self.addCleanup(connection.close)
        headers = {'Authorization': f'Bearer {TOKEN}', **({'Content-Type': 'application/json'} if body else {})}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def must(self, *request):
        status, answer = self.call(*request)
        self.assertEqual(status, 200, answer)
        return answer

    def kick(self, gateway, **fields):
        return self.must(gateway, 'POST', '/dev/v1/kicking-rule', {'appid': 'demo', **fields})['id']

    def rules(self, gateway):
        return {rule['id'] for rule in self.must(gateway, 'GET', '/dev/v1/kicking-rule?appid=demo')['rules']}

    def closed_with(self, member, code):
        with self.assertRaises(Closed) as closed:
            while True:
                member.receive(5 * SCALE)
        self.assertEqual(closed.exception.code, code)

    def test_ban(self):
        """By one gateway, of a member at the other: it is out at once, and in nowhere."""
        member = self.member(self.one, 7)
        rule = self.kick(self.other, cname='room', uid=7, time=5)
        self.closed_with(member, 4002)
        for gateway in (self.one, self.other):
            self.until(lambda g=gateway: self.rules(g) == {rule})
            again = Member(gateway.ws, uid=7)
            self.addCleanup(again.close)
            self.assertNotEqual(again.wait_answer(again.send_join())['code'], 200)
        # Not a moment after the answer can anyone join who is banned by it.
        for uid in range(100, 120):
            self.kick(self.other, cname='room', uid=uid, time=5)
            banned = Member(self.one.ws, uid=uid)
            self.addCleanup(banned.close)
            self.assertNotEqual(banned.wait_answer(banned.send_join())['code'], 200, uid)
        # Prolonged by one and lifted by the other.
        self.must(self.one, 'PUT', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule, 'time': 10})
        self.must(self.other, 'DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})
        self.until(lambda: rule not in self.rules(self.one) | self.rules(self.other))
        self.assertEqual(self.call(self.one, 'DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})[0], 404)
        self.member(self.one, 7)

    def test_kick_once(self):
        member = self.member(self.one, 7)
        self.kick(self.other, cname='room', uid=7, time=0)
        self.closed_with(member, 4002)
        self.member(self.one, 7)
        self.assertEqual(self.rules(self.one) | self.rules(self.other), set())

    def test_silence(self):
        speaker, _ = self.speaker(self.one, 7, 'ann')
        listener, ear = self.listener(self.other, 8, 7)
        ear.listen(5)
        rule = self.kick(self.other, cname='room', uid=7, time=5, privileges=['publish_audio'])
        listener.wait_event('stream-removed', 5 * SCALE, uid=7)
        self.assertEqual(speaker.ask('publish', uid=7)['code'], 433)
        self.must(self.one, 'DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})
        self.voice(speaker, 'ann')
        listener.wait_event('stream-added', 5 * SCALE, uid=7)

    def test_a_newcomer_knows_the_rules(self):
        rule = self.kick(self.one, cname='room', uid=7, time=5)
        third = self.one_of_many()
        banned = Member(third.ws, uid=7)
        self.addCleanup(banned.close)
        self.assertNotEqual(banned.wait_answer(banned.send_join())['code'], 200)
        self.assertIn(rule, self.rules(self.other))

    def test_who_is_where(self):
        self.speaker(self.one, 7, 'ann')
        self.member(self.other, 8, 'audience').wait_event('stream-added', 5 * SCALE, uid=7)
        for gateway in (self.one, self.other):
            listed = self.must(gateway, 'GET', '/dev/v1/channel/demo')
            self.assertEqual(listed['data'], {'channels': [{'channel_name': 'room', 'user_count': 2}], 'total_size': 1})
            self.assertNotIn('partial', listed)
            users = self.must(gateway, 'GET', '/dev/v1/channel/user/demo/room')['data']
            self.assertEqual((users['broadcasters'], users['audience']), ([7], [8]))
            speaker = self.must(gateway, 'GET', '/dev/v1/channel/user/property/demo/7/room')['data']
            self.assertEqual((speaker['in_channel'], speaker['role'], speaker['publishing'], speaker['muted']),
                             (True, 2, True, False))
            nobody = self.must(gateway, 'GET', '/dev/v1/channel/user/property/demo/9/room')['data']
            self.assertFalse(nobody['in_channel'])
            self.assertFalse(self.must(gateway, 'GET', '/dev/v1/channel/user/demo/nowhere')['data']['channel_exist'])

    def test_many_channels(self):
        """More than one page of the store's."""
        for number in range(120):
            member = Member([self.one, self.other][number % 2].ws, channel=f'room {number:03}', uid=7)
            self.addCleanup(member.close)
            member.join('audience')
        listed = self.must(self.one, 'GET', '/dev/v1/channel/demo?page_size=500')['data']
        self.assertEqual([each['channel_name'] for each in listed['channels']], [f'room {n:03}' for n in range(120)])

    def test_store_away(self):
        """Rules are refused; queries say that they are of one gateway alone."""
        self.member(self.one, 7)
        self.member(self.other, 8)
        self.redis.process.popen.kill()
        self.until(lambda: self.health(self.one)['store'] == 'away')
        status, answer = self.call(self.one, 'POST', '/dev/v1/kicking-rule', {'appid': 'demo', 'cname': 'room', 'uid': 7})
        self.assertEqual(status, 503, answer)
        users = self.must(self.one, 'GET', '/dev/v1/channel/user/demo/room')
        self.assertEqual((users['partial'], users['data']['broadcasters']), (True, [7]))
        self.assertTrue(self.must(self.one, 'GET', '/dev/v1/channel/demo')['partial'])


if __name__ == '__main__':
    tap.main()
