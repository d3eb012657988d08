# SPDX-License-Identifier: LGPL-2.1-or-later
"""What outlasts a gateway: the operator's rules, and who did what."""

import http.client
import json
import os
import re
import signal
from urllib.parse import urlsplit

import tap
from harness import Case
from wsclient import Closed, Member

TOKEN = 'a-token-of-the-operator'
HEAD = 'agora-rules 1\n'


class StateCase(Case):
    def setUp(self):
        super().setUp()
        self.state = self.tmp / 'state'
        self.state.mkdir(mode=0o700)
        self.secret = self.tmp / 'admin-token'
        self.secret.write_text(TOKEN + '\n')
        self.secret.chmod(0o600)

    def serve(self, **keywords):
        return self.gateway(f'--admin-token-file={self.secret}', f'--state-dir={self.state}', **keywords)

    def call(self, served, method, body, path='/dev/v1/kicking-rule'):
        connection = http.client.HTTPConnection(urlsplit(served.http).netloc, timeout=5)
        self.addCleanup(connection.close)
        text = json.dumps(body) if body else None
        connection.request(method, path, text, {'Authorization': f'Bearer {TOKEN}', 'Content-Type': 'application/json'})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        self.assertEqual(answer.status, 200, told)
        return told

    def rule(self, served, **fields):
        return self.call(served, 'POST', {'appid': 'demo', **fields})['id']

    def rules(self, served):
        return self.call(served, 'GET', None, '/dev/v1/kicking-rule?appid=demo')['rules']

    def join(self, served, **keywords):
        member = Member(served.ws, **keywords)
        self.addCleanup(member.close)
        return member.wait_answer(member.send_join())['code']

    def kept(self, count):
        """The file, once it has so many rules."""
        def look():
            try:
                text = (self.state / 'rules').read_text()
            except FileNotFoundError:
                return None
            return text if text.endswith(f'\nend {count}\n') else None
        return self.until(look, f'{count} rules in the file')


class Rules(StateCase):
    def test_they_outlast_a_kill(self):
        served = self.serve()
        self.kept(0)
        member = Member(served.ws, uid=7)
        self.addCleanup(member.close)
        member.join()
        first = self.rule(served, cname='room', uid=7, time=60)
        with self.assertRaises(Closed):
            while True:
                member.receive()
        second = self.rule(served, ip='2001:db8::7', privileges=['publish_audio', 'publish_video'], time=60)
        lifted = self.rule(served, uid=9, time=60)
        self.call(served, 'DELETE', {'appid': 'demo', 'id': lifted})
        self.call(served, 'PUT', {'appid': 'demo', 'id': second, 'time': 90})
        before = self.rules(served)
        # Done once, and never kept.
        self.rule(served, uid=5, time=0)
        # A file from between the changes has two rules, too.
        self.until(lambda: f'\nnext {lifted + 2}\n' in self.kept(2), 'the last change in the file')
        served.signal(signal.SIGKILL)
        served.wait()
        served = self.serve()
        self.assertEqual(self.rules(served), before)
        self.assertNotEqual(self.join(served, uid=7), 200)
        self.assertEqual(self.join(served, uid=8), 200)
        # An id is nobody else's, though the rule that had it is gone.
        self.assertGreater(self.rule(served, uid=11, time=60), lifted + 1)
        self.call(served, 'DELETE', {'appid': 'demo', 'id': first})
        self.assertEqual(self.join(served, uid=7), 200)
        self.assertEqual(served.terminate(), 0)
        self.assertNotIn(f'rule {first} ', self.kept(2))
        self.assertEqual(oct((self.state / 'rules').stat().st_mode & 0o777), '0o600')
        # Nothing but these: no half-written file.
        self.assertEqual(sorted(os.listdir(self.state)), ['audit.log', 'rules'])

    def test_a_bad_file_is_told_of_and_kept(self):
        good = 'rule 3 99999999999 demo |7||j\n'
        rules = self.state / 'rules'

        def write(text):
            rules.write_bytes(text)

        def pipe():
            rules.unlink()
            os.mkfifo(rules)

        def link():
            rules.unlink()
            rules.symlink_to('/dev/zero')

        def folder():
            rules.unlink()
            rules.mkdir()
        cases = [('torn', lambda: write((HEAD + 'next 9\n' + good + 'rule 4 9999').encode()), 1, 'line 4: expected a rule'),
                 ('cut', lambda: write((HEAD + 'next 9\n' + good).encode()), 1, 'it breaks off'),
                 ('empty', lambda: write(b''), 0, 'expected "agora-rules 1"'),
                 ('binary', lambda: write(os.urandom(5000)), 0, 'expected "agora-rules 1"'),
                 ('hostile', lambda: write((HEAD + good + good + 'rule 18446744073709551616 1 demo |7||j\n' +
                                            'rule 5 99999999999 demo |0||j\nrule 6 99999999999 demo ' + 'x' * 100000 +
                                            '|7||j\nend 3\n').encode()), 1, r'line 3: a second rule 3 \(4 bad lines\)'),
                 ('pipe', pipe, 0, 'it is no file'), ('link', link, 0, 'No rule holds'),
                 ('folder', folder, 0, 'it is no file')]
        for name, make, count, word in cases:
            with self.subTest(name):
                make()
                served = self.serve()
                served.wait_line(word, which='err')
                self.assertEqual(len(self.rules(served)), count, served.tail())
                self.kept(count)
                self.assertEqual(served.terminate(), 0)
                bad = self.state / 'rules.bad'
                self.assertTrue(os.path.lexists(bad))
                bad.rmdir() if bad.is_dir() else bad.unlink()

    def test_what_can_t_be_written_is_written_later(self):
        served = self.serve()
        self.kept(0)
        (self.state / 'rules').unlink()
        (self.state / 'rules' / 'in the way').mkdir(parents=True)
        mark = served.mark()
        self.rule(served, uid=7, time=60)
        served.wait_line("aren't kept over a restart, trying again", since=mark)
        (self.state / 'rules' / 'in the way').rmdir()
        (self.state / 'rules').rmdir()
        self.rule(served, uid=8, time=60)
        self.kept(2)

    def test_folders_that_won_t_do(self):
        first = self.serve()
        for folder, word in ((self.state, 'another gateway keeps its state there'), (self.tmp / 'none', 'expected a folder'),
                             (self.secret, 'expected a folder')):
            second = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                                '--rtmp-listen=127.0.0.1:0', f'--state-dir={folder}')
            self.assertEqual(second.wait(), 1)
            self.assertIn(word, second.output('err'))
        self.assertEqual(first.terminate(), 0)
        self.state.chmod(0o777)
        open_to_all = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', '--listen=127.0.0.1:0',
                                 '--rtmp-listen=127.0.0.1:0', f'--state-dir={self.state}')
        self.assertEqual(open_to_all.wait(), 1)
        self.assertIn('only its owner and group may write to', open_to_all.output('err'))


class Audit(StateCase):
    LINE = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)$')

    def lines(self):
        return [self.LINE.match(line)[1] for line in (self.state / 'audit.log').read_text().splitlines()]

    def test_who_did_what(self):
        served = self.serve()
        first = self.rule(served, cname='a b=c', uid=7, time=60)
        self.call(served, 'PUT', {'appid': 'demo', 'id': first, 'time': 90})
        self.call(served, 'DELETE', {'appid': 'demo', 'id': first})
        key = self.call(served, 'POST', {'appid': 'demo', 'cname': 'hall', 'uid': 8}, '/dev/v1/stream-key')
        self.call(served, 'DELETE', None, f'/dev/v1/stream-key?appid=demo&id={key["id"]}')
        # Who only asks does nothing, and who may not has done nothing.
        self.rules(served)
        connection = http.client.HTTPConnection(urlsplit(served.http).netloc, timeout=5)
        self.addCleanup(connection.close)
        connection.request('DELETE', '/dev/v1/kicking-rule', '{"appid":"demo","id":1}',
                           {'Authorization': 'Bearer wrong', 'Content-Type': 'application/json'})
        self.assertEqual(connection.getresponse().status, 401)
        mark = served.mark()
        served.signal(signal.SIGHUP)
        served.wait_line('Reloaded: ', since=mark)
        self.assertEqual(served.terminate(), 0)
        until = r'until=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ'
        whom = rf'app=demo channel=a%20b%3Dc uid=7 rule={first} takes=join_channel {until} by=bearer from=127\.0\.0\.1'
        of_key = rf'app=demo channel=hall uid=8 key={key["id"]} by=bearer from=127\.0\.0\.1'
        for line, expected in zip(self.lines(), ('start', f'rule-add {whom}', f'rule-change {whom}', f'rule-lift {whom}',
                                                 f'stream-key-make {of_key}', f'stream-key-end {of_key}',
                                                 'reload by=signal', 'stop by=signal'), strict=True):
            self.assertRegex(line, f'^{expected}$')
        # And in the log, which those without --state-dir have as well.
        self.assertRegex(served.output('err'), rf'Operator: rule-add {whom}')
        self.assertNotIn(key['key'], served.output('err') + (self.state / 'audit.log').read_text())

    def test_it_has_a_bound(self):
        audit = self.state / 'audit.log'
        audit.write_bytes(b'x' * (8 * 1024 * 1024 - 1) + b'\n')
        served = self.serve()
        self.until(lambda: audit.stat().st_size < 1000, 'a new file')
        self.assertEqual((self.state / 'audit.log.1').stat().st_size, 8 * 1024 * 1024)
        self.assertEqual(served.terminate(), 0)
        self.assertEqual(self.lines(), ['start', 'stop by=signal'])


if __name__ == '__main__':
    tap.main()
