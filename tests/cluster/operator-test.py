# SPDX-License-Identifier: LGPL-2.1-or-later
"""Administration of a channel that is at several gateways: any of them answers for all, and rules hold at all."""

import http.client
import json
import random
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402
from clusterrig import ClusterCase  # noqa: E402
from harness import SCALE, Deadline  # noqa: E402
from wsclient import Closed, Member  # noqa: E402

TOKEN = 'Tru5t-me/for+this:one='


class OperatorCase(ClusterCase):
    options = ()

    def setUp(self):
        super().setUp()
        file = self.tmp / 'admin-token'
        file.write_text(TOKEN + '\n', encoding='ascii')
        file.chmod(0o600)
        self.one, self.other = [self.one_of_many(f'--admin-token-file={file}', *self.options) for _ in range(2)]

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
                member.read_message(Deadline(5))
        self.assertEqual(closed.exception.code, code)


class Operator(OperatorCase):
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

    def test_at_once(self):
        """What the operator asks of one gateway, all members know soon after."""
        took = {}

        def within(what, began):
            took.setdefault(what, []).append(time.monotonic() - began)

        for by, at in ((self.one, self.other), (self.other, self.one)):
            ann, _ = self.speaker(at, 7, 'ann')
            listeners = [self.listener(gateway, uid, 7)[0] for gateway, uid in ((by, 8), (at, 9))]
            began = time.monotonic()
            rule = self.kick(by, cname='room', uid=7, time=5, privileges=['publish_audio'])
            for listener in listeners:
                listener.wait_event('stream-removed', 5 * SCALE, uid=7)
            within('silenced', began)
            began = time.monotonic()
            self.must(by, 'DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})
            self.until(lambda speaker=ann: speaker.ask('publish', uid=7)['code'] == 200)
            within('silence lifted', began)
            for gateway in (by, at):
                began = time.monotonic()
                users = self.must(gateway, 'GET', '/dev/v1/channel/user/demo/room')['data']
                within('query', began)
                self.assertEqual((users['broadcasters'], sorted(users['audience'])), ([7], [8, 9]))
            began = time.monotonic()
            self.kick(by, cname='room', uid=7, time=0)
            self.closed_with(ann, 4002)
            within('kicked', began)
            for gateway in (by, at):
                self.until(lambda g=gateway: not self.must(g, 'GET', '/dev/v1/channel/user/demo/room')['data']['broadcasters'])
            within('out of queries', began)
            began = time.monotonic()
            rule = self.kick(by, cname='room', uid=9, time=5)
            self.closed_with(listeners[1], 4002)
            within('banned', began)
            # Whoever is out may know it before this gateway's list does.
            self.until(lambda gateway=at, number=rule: number in self.rules(gateway))
            self.must(at, 'DELETE', '/dev/v1/kicking-rule', {'appid': 'demo', 'id': rule})
            listeners[0].close()
            ann.close()
            self.kick(by, cname='room', uid=8, time=0)
        print('#', ', '.join(f'{what} {min(each) * 1000:.0f} ms' for what, each in took.items()))
        # The machine may be held up once.
        for what, each in took.items():
            self.assertLess(min(each), 0.1 * SCALE, what)
            self.assertLess(max(each), 2 * SCALE, what)

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


class Race(OperatorCase):
    options = ('--max-admin-requests-per-second=100000',)
    tries = 1000

    def test_ban_and_join_at_once(self):
        """By one gateway while its member joins at the other: whoever is first, it is out when all is over."""
        headers = {'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'}
        rng = random.Random(1)
        let_in, late = 0, []
        for uid in range(1, self.tries + 1):
            member = Member(self.other.ws, uid=uid)
            connection = http.client.HTTPConnection(urlsplit(self.one.http).netloc, timeout=5)
            connection.connect()
            body = json.dumps({'appid': 'demo', 'cname': 'room', 'uid': uid, 'time': 5})
            # The other one comes within the time that each takes.
            both = [lambda m=member: m.send_join('audience'),
                    lambda c=connection, b=body: c.request('POST', '/dev/v1/kicking-rule', b, headers)]
            rng.shuffle(both)
            both[0]()
            then = time.monotonic() + rng.uniform(0, 0.002)
            while time.monotonic() < then:
                pass
            both[1]()
            answer = connection.getresponse()
            self.assertEqual((answer.status, json.loads(answer.read())['status']), (200, 'success'))
            answered = time.monotonic()
            self.closed_with(member, 4002)
            late.append(time.monotonic() - answered)
            let_in += member.answers.popitem()[1]['code'] == 200
            member.close()
            connection.close()
        late.sort()
        print(f'# {let_in} of {self.tries} were let in first; out {late[len(late) // 2] * 1000:.1f} ms after the answer, '
              f'{late[-1] * 1000:.1f} at worst')
        # Both ways to lose were taken.
        self.assertGreater(let_in, self.tries / 20)
        self.assertLess(let_in, self.tries * 19 / 20)
        self.assertLess(late[self.tries * 99 // 100], 0.1 * SCALE)
        for gateway in (self.one, self.other):
            users = self.call(gateway, 'GET', '/dev/v1/channel/user/demo/room')[1]['data']
            self.assertFalse(users['channel_exist'])
            for uid in range(1, self.tries, 100):
                again = Member(gateway.ws, uid=uid)
                self.addCleanup(again.close)
                self.assertNotEqual(again.wait_answer(again.send_join())['code'], 200)


if __name__ == '__main__':
    tap.main()
