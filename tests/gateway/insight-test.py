# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics as Prometheus reads it, and TLS for everything that the gateway serves."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import Case, Deadline, wait_until
from wsclient import Closed, Member


FLOOD = '''
import sys
from wsclient import Closed, Member
three = Member(sys.argv[1], uid=3, cafile=sys.argv[2]).join()
try:
    for _ in range(2000):
        three.send_raw((b"\\x89\\xfd\\0\\0\\0\\0" + bytes(125)) * 400)
    three.receive()
except (Closed, OSError):
    sys.exit(0)
sys.exit("the gateway took them all")
'''


def parse(text):
    """Samples by name and labels; fails on what Prometheus would not take."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            types[name] = kind
        elif not line.startswith('# HELP '):
            match = re.fullmatch(
                r'([a-z_]+)(?:\{((?:[a-z_]+="[^"\\]*"(?:,(?!\}))?)+)\})? (\S+)', line)
            if not match:
                raise AssertionError(f'no sample: {line!r}')
            of = re.sub('_(bucket|sum|count)$', '', match[1])
            if match[1] not in types and types.get(of) != 'histogram':
                raise AssertionError(f'no TYPE before {line!r}')
            key = match[1] + ('{' + match[2] + '}' if match[2] else '')
            if key in samples:
                raise AssertionError(f'twice: {line!r}')
            samples[key] = float(match[3])
    return samples


class Metrics(Case):
    def scrape(self, gateway):
        with urllib.request.urlopen(gateway.http + '/metrics', timeout=5) as answer:
            self.assertTrue(answer.headers['Content-Type'].startswith('text/plain'))
            return parse(answer.read().decode())

    def test_counts(self):
        gateway = self.gateway()
        before = self.scrape(gateway)
        self.assertEqual(before['agora_sockets'], 0)
        self.assertEqual(before['agora_media_up'], 1)
        one = Member(gateway.ws, uid=1).join()
        two = Member(gateway.ws, uid=2, channel='second').join()
        wrong = Member(gateway.ws, uid=3, app='nobody')
        self.assertEqual(wrong.wait_answer(wrong.send_join())['code'], 101)
        two.ping()
        now = self.scrape(gateway)
        self.assertEqual(now['agora_members{state="connected"}'], 2)
        self.assertEqual(now['agora_channels'], 2)
        self.assertEqual(now['agora_joins_total{code="200"}'], 2)
        self.assertEqual(now['agora_joins_total{code="101"}'], 1)
        self.assertGreater(now['agora_received_bytes_total'], 500)
        self.assertEqual(now['agora_received_frames_total'], 4)
        self.assertEqual(now['agora_sent_frames_total'], 4)
        self.assertLess(now['agora_loop_lag_seconds'], 5)
        # A socket that is just gone leaves its member in grace.
        one.close()
        wait_until(lambda: self.scrape(gateway)['agora_members{state="grace"}'] == 1)
        self.assertEqual(self.scrape(gateway)['agora_members{state="connected"}'], 1)
        self.assertEqual(self.scrape(gateway)['agora_streams'], 0)

    def test_hooks_events_and_restarts(self):
        gateway = self.gateway()
        speaker = Member(gateway.ws, uid=1, heartbeat=True).join()
        listener = Member(gateway.ws, uid=2, heartbeat=True).join('audience')
        url = speaker.publish()
        for each in (url[:-1], url):
            self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                       'sine', '-c:a', 'aac', '-f', 'flv', each, quiet_errors=True)
        listener.wait_event('stream-added', uid=1, timeout=15)
        refused = 'agora_hooks_total{call="publish",answer="refuse"}'
        wait_until(lambda: self.scrape(gateway).get(refused) == 1, what='a refusal')
        now = self.scrape(gateway)
        self.assertEqual(now['agora_hooks_total{call="publish",answer="allow"}'], 1)
        self.assertEqual(now['agora_streams'], 1)
        self.assertEqual(now['agora_events_total'], 1)
        speaker.close()
        listener.close()


ROOT = Path(__file__).parents[2]
MONITORING = ROOT / 'docs' / 'monitoring'


class Monitoring(Case):
    """The rules and the dashboard that operators are given."""

    def promtool(self, *arguments, stdin=None):
        if not shutil.which('promtool'):
            self.skipTest('no promtool: package prometheus')
        return subprocess.run(['promtool', *arguments], input=stdin, capture_output=True, text=True, timeout=30,
                              check=False)

    def test_rules(self):
        rules = MONITORING / 'alerts.yml'
        # Only a named kind of lint is fatal to promtool: its own words are looked at.
        checked = self.promtool('check', 'rules', rules)
        self.assertEqual((checked.returncode, checked.stderr), (0, ''), checked.stdout + checked.stderr)
        cases = self.tmp / 'alerts-test.yml'
        text = (Path(__file__).parent / 'alerts-test.yml').read_text(encoding='utf-8')
        cases.write_text(text.replace('@rules@', str(rules)))
        fired = self.promtool('test', 'rules', cases)
        self.assertEqual(fired.returncode, 0, fired.stdout + fired.stderr)

    def test_metrics(self):
        token = self.tmp / 'token'
        token.write_text('an-admin-token-of-the-tests\n')
        gateway = self.gateway(f'--admin-token-file={token}')
        member = Member(gateway.ws, uid=8).join()
        self.addCleanup(member.close)
        request = urllib.request.Request(gateway.http + '/metrics',
                                         headers={'Authorization': 'Bearer an-admin-token-of-the-tests'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
        # With channels.
        self.assertIn('agora_channel_sent_bytes_total{', text)
        checked = self.promtool('check', 'metrics', stdin=text)
        self.assertEqual((checked.returncode, checked.stderr), (0, ''), checked.stdout)

    def test_all_that_they_ask_for_is_there(self):
        source = (ROOT / 'signaling' / 'gateway' / 'operator' / 'metrics.cpp').read_text(encoding='utf-8')
        known = set(re.findall(r'"((?:agora|process)_[a-z_]+)"', source))
        dashboard = json.loads((MONITORING / 'dashboard.json').read_text(encoding='utf-8'))
        asked = ' '.join(target['expr'] for panel in dashboard['panels'] for target in panel['targets'])
        asked += ' '.join(each['query'] for each in dashboard['templating']['list'])
        asked += ' '.join(re.findall(r'expr: (.*)', (MONITORING / 'alerts.yml').read_text(encoding='utf-8')))
        names = set(re.findall(r'\b(?:agora|process)_[a-z_]+', asked))
        self.assertGreater(len(names), 25)
        self.assertEqual({name for name in names if not {name, re.sub('_(bucket|sum|count)$', '', name)} & known}, set())
        # Each panel is a place of its own.
        taken = set()
        for panel in dashboard['panels']:
            at = panel['gridPos']
            cells = {(x, y) for x in range(at['x'], at['x'] + at['w']) for y in range(at['y'], at['y'] + at['h'])}
            self.assertFalse(cells & taken or at['x'] + at['w'] > 24, panel['title'])
            taken |= cells


class Tls(Case):
    def setUp(self):
        super().setUp()
        if not shutil.which('openssl'):
            self.skipTest('no openssl to make a certificate with')
        self.certificate, self.key = self.tmp / 'certificate.pem', self.tmp / 'key.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                        '-keyout', self.key, '-out', self.certificate],
                       check=True, capture_output=True)

    def serve(self, *options):
        return self.gateway(*options, f'--tls-certificate={self.certificate}', f'--tls-key={self.key}')

    def test_bursts_come_whole_and_in_order(self):
        options = ('--max-requests-per-second=100000', '--max-changes-per-second=100000',
                   '--max-queue-bytes=4096')
        gateway = self.serve(*options)
        plain = self.gateway(*options)
        for ws in (gateway.ws, plain.ws):
            with self.subTest(ws[:4]):
                listener = Member(ws, uid=1, cafile=self.certificate).join()
                speaker = Member(ws, uid=2, cafile=self.certificate).join()
                speaker.publish()
                # One write: the gateway finds them all in few turns of its loop.
                hold, whole = speaker.send_raw, []
                speaker.send_raw = whole.append
                wanted = [i % 2 == 0 for i in range(400)]
                for mute in wanted:
                    speaker.send_request('mute_local', uid=2, target='audio', mute=mute)
                speaker.send_raw = hold
                speaker.send_raw(b''.join(whole))
                heard = [listener.wait_event('audio-mute', uid=2)['mute'] for _ in wanted]
                self.assertEqual(heard, wanted)
                listener.ping()
                for each in (listener, speaker):
                    each.close()

    def test_wss_and_https(self):
        gateway = self.serve()
        self.assertTrue(gateway.ws.startswith('wss://'), gateway.ws)
        self.assertTrue(gateway.http.startswith('https://'), gateway.http)
        context = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(gateway.http + '/healthz', timeout=5, context=context) as answer:
            self.assertEqual(answer.status, 200)
        one = Member(gateway.ws, uid=1, cafile=self.certificate).join()
        two = Member(gateway.ws, uid=2, cafile=self.certificate).join()
        two.publish()
        two.must('mute_local', uid=2, target='audio', mute=True)
        one.wait_event('audio-mute', uid=2)
        # Endless pings are bounded here as well. By a process of its own: Python tells a reset of one of its connections by TLS on
        # others, too.
        flood = self.start(sys.executable, '-c', FLOOD, gateway.ws, self.certificate)
        self.assertEqual(flood.wait(30), 0, flood.tail())
        one.ping()
        with self.assertRaises(ssl.SSLCertVerificationError):
            Member(gateway.ws)
        with self.assertRaises((Closed, OSError, ValueError, IndexError)):
            Member(gateway.ws.replace('wss', 'ws'))
        one.ping()
        one.close()

    def test_choose_server_hands_out_wss(self):
        gateway = self.serve()
        body = (b'{"service_name":"miniapp","json_body":"{\\"command\\":\\"convergeAllocateEdge\\",'
                b'\\"appId\\":\\"demo\\",\\"cname\\":\\"room\\",\\"uid\\":\\"1\\",\\"sid\\":\\"A\\",'
                b'\\"ts\\":1}"}')
        context = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(gateway.http + '/api/v1', body)
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            self.assertIn('wss://127.0.0.1:', answer.read().decode())

    def test_expiry(self):
        gateway = self.serve()
        context = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(gateway.http + '/metrics', timeout=5, context=context) as answer:
            ends = parse(answer.read().decode())['agora_certificate_expiry_seconds']
        self.assertLess(abs(ends - time.time() - 2 * 86400), 600)

    def test_bad_files(self):
        bad = self.tmp / 'bad.pem'
        bad.write_text('no certificate')
        bad.chmod(0o600)  # else that is said as well
        for certificate, key in ((bad, self.key), (self.certificate, bad), ('/nowhere', self.key)):
            process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo',
                                 '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0',
                                 f'--tls-certificate={certificate}', f'--tls-key={key}')
            self.assertNotEqual(process.wait(), 0)
            lines = process.output('err').splitlines()
            self.assertEqual(len(lines), 1, lines)
            self.assertIn('--tls-certificate=', lines[0])


if __name__ == '__main__':
    tap.main()
