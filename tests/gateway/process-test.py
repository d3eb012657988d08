# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program agora-gateway as a process: how it starts, what it refuses, what it leaves behind."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import tap
from harness import SCALE, Case, freeze, wait_until
from wsclient import Closed, Member


def children(pid):
    try:
        return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


# All that the gateway is linked with; sanitisers bring theirs. What only some users need comes without a library more.
LIBRARIES = {'libglib-2.0', 'libgobject-2.0', 'libgio-2.0', 'libsoup-3.0', 'libjson-glib-1.0', 'libssl', 'libcrypto', 'libz',
             'libsystemd', 'libstdc++', 'libgcc_s', 'libm', 'libc', 'libasan', 'libubsan', 'libtsan'}


def alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_of(pid, name):
    """The words of a line of /proc/PID/status."""
    return re.search(rf'^{name}:(.*)', Path(f'/proc/{pid}/status').read_text(), re.M)[1].split()


def get(url):
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def accepts(url):
    host, port = url.split('/')[2].split(':')
    with socket.create_connection((host, int(port)), timeout=5) as client:
        # The handshake's first two parts: only a serving RTMP server answers.
        client.sendall(b'\3' + bytes(1536))
        return client.recv(1) == b'\3'


class ProcessCase(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.tmp / 'tmp'
        self.folder.mkdir()

    def serve(self, *options, **keywords):
        env = {'TMPDIR': str(self.folder), **keywords.pop('env', {})}
        return self.gateway(*options, env=env, **keywords)

    def relay(self, gateway):
        """Its pid."""
        return wait_until(lambda: children(gateway.pid), what='a relay')[0]

    def health(self, gateway):
        status, body = get(gateway.http + '/healthz')
        return {'code': status, **json.loads(body)}

    def check_returns(self, gateway, before):
        restarts = self.health(gateway)['mediaRestarts']
        wait_until(lambda: not alive(before), what='the end of the old relay')
        wait_until(lambda: self.health(gateway)['mediaRestarts'] >= max(restarts, 1),
                   what='a restart')
        wait_until(lambda: self.health(gateway)['code'] == 200, what='health')
        self.assertTrue(accepts(gateway.rtmp))
        after = self.relay(gateway)
        self.assertNotEqual(before, after)
        self.assertTrue(gateway.running())
        return after

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())


class Start(ProcessCase):
    def test_ready_line_is_all_of_standard_output(self):
        gateway = self.serve()
        self.assertRegex(gateway.ws, r'^ws://127\.0\.0\.1:\d+/api$')
        self.assertRegex(gateway.http, r'^http://127\.0\.0\.1:\d+$')
        self.assertRegex(gateway.rtmp, r'^rtmp://127\.0\.0\.1:\d+/live$')
        self.assertTrue(accepts(gateway.rtmp))
        status, body = get(gateway.http + '/healthz')
        self.assertEqual((status, json.loads(body)['status']), (200, 'ok'))
        self.assertEqual(gateway.terminate(), 0)
        self.assertEqual(len(gateway.output('out').splitlines()), 1)

    def test_without_a_store_it_takes_no_more(self):
        """No library and no process, as before several gateways could share one."""
        needed = subprocess.run(['readelf', '-d', os.environ['AGORA_GATEWAY_BIN']], check=True, capture_output=True, text=True)
        linked = set(re.findall(r'NEEDED.*\[(\S+)\.so', needed.stdout))
        self.assertIn('libsoup-3.0', linked)
        self.assertEqual(linked - LIBRARIES, set())
        gateway = self.serve()
        loaded = Path(f'/proc/{gateway.pid}/maps').read_text()
        self.assertIn('libsoup', loaded)
        self.assertNotIn('hiredis', loaded)
        self.assertEqual([Path(f'/proc/{pid}/comm').read_text().strip() for pid in children(gateway.pid)], ['agora-relay'])

    def test_help_and_version(self):
        binary = os.environ['AGORA_GATEWAY_BIN']
        for option, words in (('--help', ('--app=ID', '--rtmp-listen')), ('--version', ('0.',))):
            process = self.start(binary, option)
            self.assertEqual(process.wait(), 0)
            for word in words:
                self.assertIn(word, process.output('out'))

    def test_documents_name_every_option(self):
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--help')
        self.assertEqual(process.wait(), 0)
        options = set(re.findall(r'^  (?:-h, )?--([a-z-]+)', process.output('out'), re.M))
        self.assertIn('max-join-seconds', options)
        docs = Path(__file__).resolve().parents[2] / 'docs'
        manual = (docs / 'agora-gateway.1').read_text().replace('\\-', '-')
        self.assertEqual(set(re.findall(r'--([a-z-]+)[=" ,\n]', manual)) & options, options)
        example = (docs / 'agora-gateway.conf').read_text()
        keys = set(re.findall(r'^#?([a-z-]+)=', example, re.M))
        self.assertEqual(options - keys, {'config', 'help', 'version', 'relay', 'web-program'})
        # As it stands, but for the ports, it works.
        config = self.tmp / 'example.conf'
        config.write_text(example)
        self.serve(f'--config={config}', '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0',
                   defaults=False)

    def test_config_file_and_command_line(self):
        config = self.tmp / 'gateway.conf'
        config.write_text('[gateway]\nlisten=127.0.0.1:0\nrtmp-listen=127.0.0.1:0\n'
                          'app=one;two:0123456789abcdef\npublic-host=voice.example\n')
        gateway = self.serve(f'--config={config}', '--public-host=localhost', '--app=three',
                             defaults=False)
        self.assertRegex(gateway.ws, r'^ws://localhost:')
        for app, code in (('one', 200), ('two', 120), ('three', 200), ('four', 101)):
            member = Member(gateway.ws, app=app)
            self.assertEqual(member.wait_answer(member.send_join())['code'], code, app)
            member.close()

    def test_apps_from_a_file(self):
        apps = self.tmp / 'apps'
        apps.write_text('# Ours.\none\n\n  two:0123456789abcdef  \r\n')
        gateway = self.serve(f'--app-file={apps}', '--app=three')
        for app, code in (('one', 200), ('two', 120), ('three', 200), ('four', 101)):
            member = Member(gateway.ws, app=app)
            self.assertEqual(member.wait_answer(member.send_join())['code'], code, app)
            member.close()
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], 'token', f'--app-file={apps}',
                             '--app=two', '--channel=room', '--uid=7')
        self.assertEqual(process.wait(), 0)
        member = Member(gateway.ws, app='two', uid=7)
        member.join(token=process.output('out').strip())
        member.close()

    def test_certificates_are_covered_up_on_the_command_line(self):
        gateway = self.serve('--app=demo:5ecret0123456789', '--app', 'other:5ecret')
        words = Path(f'/proc/{gateway.pid}/cmdline').read_bytes()
        self.assertIn(b'--app=demo:****', words)
        self.assertIn(b'other:****', words)
        self.assertNotIn(b'5ecret', words)
        for app in ('demo', 'other'):
            member = Member(gateway.ws, app=app)
            self.assertEqual(member.wait_answer(member.send_join())['code'], 120)
            member.close()

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(('::1', 0))
        except OSError:
            self.skipTest('no IPv6 here')
        gateway = self.serve('--listen=[::1]:0', '--rtmp-listen=[::1]:0')
        self.assertRegex(gateway.rtmp, r'^rtmp://\[::1\]:\d+/live$')
        self.assertEqual(get(gateway.http + '/healthz')[0], 200)

    def test_root_or_not(self):
        if os.geteuid() != 0:
            self.skipTest('only root can be someone else')
        self.folder.chmod(0o1777)
        self.tmp.chmod(0o755)
        # A build in root's home may be out of nobody's reach.
        binary = self.tmp / 'agora-gateway'
        shutil.copy2(os.environ['AGORA_GATEWAY_BIN'], binary)
        binary.chmod(0o755)
        relay = self.tmp / 'agora-relay'
        shutil.copy2(Path(os.environ['AGORA_GATEWAY_BIN']).parent / '../relay/agora-relay', relay)
        relay.chmod(0o755)
        setpriv = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', str(binary)]
        gateway = self.serve(f'--relay={relay}', binary=setpriv)
        pid = self.relay(gateway)
        self.assertNotEqual(os.stat(f'/proc/{gateway.pid}').st_uid, 0)
        self.assertTrue(accepts(gateway.rtmp))
        self.assertEqual(status_of(pid, 'Uid'), status_of(gateway.pid, 'Uid'))
        # A relay that is gone comes back without more rights than the first one had.
        os.kill(pid, signal.SIGKILL)
        pid = self.check_returns(gateway, pid)
        self.assertEqual(status_of(pid, 'Uid'), status_of(gateway.pid, 'Uid'))
        self.assertEqual(gateway.terminate(), 0)
        self.assertFalse(alive(pid))
        # As root: the relay has given its rights away. A sanitiser needs them for its reports.
        if os.environ.get('AGORA_SANITIZE', 'none') != 'none':
            return
        pid = self.relay(self.serve())
        self.assertNotIn('0', status_of(pid, 'Uid'))
        self.assertEqual(set(status_of(pid, 'CapEff')), {'0' * 16})


class Refusal(ProcessCase):
    """One clear line, and a status that isn't 0."""

    def refused(self, *options, needle, before=(), **keywords):
        process = self.start(*before, os.environ['AGORA_GATEWAY_BIN'], *options,
                             env={'TMPDIR': str(self.folder)}, **keywords)
        self.assertNotEqual(process.wait(), 0)
        self.assertEqual(process.output('out'), '')
        lines = process.output('err').splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith('agora-gateway: '), lines)
        self.assertIn(needle, lines[0])
        self.assertEqual(self.left(), [])
        return lines[0]

    def test_options(self):
        free = ('--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0')
        for options, needle in (
                ((), '--app'),
                (('--app=',), '--app='),
                (('--app=null',), '--app=null'),
                (('--app=demo:',), 'nothing follows the colon'),
                (('--nonsense',), '--nonsense'),
                (('--app=demo', 'word'), "'word'"),
                (('--app=demo', '--listen=8080'), '--listen=8080'),
                (('--app=demo', '--listen=127.0.0.1:65536'), '65536'),
                (('--app=demo', '--listen=host.name:1'), 'host.name'),
                (('--app=demo', '--public-host=a b'), '--public-host=a b'),
                (('--app=demo', '--public-host=a:1'), 'without a port'),
                (('--app=demo', '--max-frame-bytes=1'), '1024'),
                (('--app=demo', '--max-queue-bytes=many'), 'many'),
                (('--app=demo', '--rtmp=http://x/live'), 'rtmp://HOST'),
                (('--app=demo', '--rtmp=rtmp://x/live'), '--hook-secret-file'),
                (('--app=demo', '--rtmp-kind=srs'), '--rtmp-kind needs --rtmp=URL'),
                (('--app=demo', '--rtmp=rtmp://x/live', '--rtmp-kind=red5'), 'nginx or srs'),
                (('--app=demo', '--rtmp=rtmp://x/live', '--hook-secret-file=/x',
                  '--rtmp-control=http://x:1', '--rtmp-control=http://x:2'), 'given 2 times'),
                (('--app=demo', '--public-rtmp=tls'), 'rtmps, rtmp://HOST[:PORT]/APP or rtmps://'),
                (('--app=demo', '--public-rtmp=rtmps'), '--rtmps-listen'),
                (('--app=demo', '--rtmps-listen=127.0.0.1:0'), '--tls-certificate'),
                (('--app=demo', '--rtmps-listen=here'), '--rtmps-listen=here'),
                (('--app=demo', '--rtmp=rtmp://x/live', '--hook-secret-file=/x',
                  '--rtmps-listen=127.0.0.1:0', '--tls-certificate=/x', '--tls-key=/x'),
                 "doesn't go with --rtmp"),
                (('--app=demo', '--tls-key=/x'), '--tls-certificate'),
                *((('--app=demo', option), f'{option.split("=")[0]} needs --web') for option in (
                    '--web-listen=127.0.0.1:0', '--web-program=/x', '--web-workers=2',
                    '--ice-server=stun:x', '--rtp-ports=2000-3000', '--public-ip=192.0.2.1',
                    '--max-web-sessions=5', '--max-web-sessions-per-address=5')),
                (('--app=demo', '--web=yes'), 'true or false'),
                (('--app=demo', '--web', '--web-workers=0'), '1 to 64'),
                (('--app=demo', '--web', '--rtp-ports=2000'), 'LOW-HIGH'),
                (('--app=demo', '--web', '--rtp-ports=2000-1999'), 'LOW-HIGH'),
                (('--app=demo', '--web', '--rtp-ports=1000-1999'), '1024'),
                (('--app=demo', '--web', '--rtp-ports=2000-65536'), '65535'),
                (('--app=demo', '--web', '--public-ip=here'), '192.0.2.1'),
                *((('--app=demo', '--web', f'--ice-server={url}'), 'turn:USER:PASSWORD@HOST')
                  for url in ('stun', 'stun:', 'http://x', 'stun:a b', 'stun:x/y', 'turn:x',
                              'turn:user@x', 'turn:user:@x', 'turn:a:b@', 'stun:a:b@x',
                              'turn:a:b@x?transport=sctp', 'stun:x?transport=udp', 'stun:x:port')),
                (('--app=demo', '--web', *(17 * ['--ice-server=stun:x'])), 'at most 16'),
                (('--app=demo', '--config=/nowhere'), '/nowhere')):
            with self.subTest(options):
                self.refused(*options, *(free if '--listen' not in str(options) else ()),
                             needle=needle)

    def test_config_files(self):
        for text, needle in (('[other]\na=b\n', '[other]'), ('[gateway]\ncolour=red\n', 'colour'),
                             ('[gateway]\nlisten=here\n', 'listen=here'), ('nonsense', 'gateway.conf'),
                             ('', '[gateway]')):
            config = self.tmp / 'gateway.conf'
            config.write_text(text)
            with self.subTest(text):
                self.refused('--app=demo', f'--config={config}', needle=needle)

    def test_a_certificate_is_not_shown(self):
        config = self.tmp / 'gateway.conf'
        for text in ('[gateway]\ndemo:5ecret\n', '[gateway]\napp=x y:5ecret;null:5ecret\n',
                     '[gateway]\ndemo:5ecret=\n'):
            config.write_text(text)
            line = self.refused(f'--config={config}', needle='gateway.conf')
            self.assertNotIn('5ecret', line)
        config.write_text('# apps\n\ndemo:5ecret\nnull:5ecret\n')
        for options, needle in ((('--app= demo:5ecret', ), '--app='),
                                (('--apps=demo:5ecret', ), '--apps=demo'),
                                (('--app=demo', 'demo:5ecret'), "'demo:"),
                                (('--app=demo', '--web', '--ice-server=turn:5ecret@x'), 'turn:'),
                                ((f'--app-file={config}', ), 'line 4'),
                                ((f'--app-file={self.tmp}/nowhere', ), 'nowhere')):
            with self.subTest(options):
                self.assertNotIn('5ecret', self.refused(*options, needle=needle))
        for option in ('allow-origin=nonsense', 'allow-origin=https://x/path', 'allow-origin=', 'show-members=other', 'show-members='):
            self.refused('--app=demo', f'--{option}', needle=option)

    def test_taken_ports(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            for one, other in (('--listen', '--rtmp-listen'), ('--rtmp-listen', '--listen')):
                self.refused('--app=demo', f'{one}=127.0.0.1:{port}', f'{other}=127.0.0.1:0',
                             needle=f'{one}=127.0.0.1:{port}: ')

    def test_options_of_gateways_that_ran_an_nginx(self):
        config = self.tmp / 'gateway.conf'
        for name in ('nginx', 'rtmp-module'):
            config.write_text(f'[gateway]\n{name}=/some/where\n')
            for option in (f'--{name}=/some/where', f'--config={config}'):
                self.refused('--app=demo', option, needle='--rtmp=URL')

    def test_no_relay(self):
        free = ('--app=demo', '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0')
        self.refused(*free, '--relay=/nowhere/it', needle='--relay=/nowhere/it')
        self.refused(*free, f'--relay={self.tmp}', needle='no such program')
        # Alone in a folder, and not installed.
        binary = self.tmp / 'agora-gateway'
        shutil.copy2(os.environ['AGORA_GATEWAY_BIN'], binary)
        if any(Path(folder, 'libexec/agora-relay').exists() for folder in ('/usr', '/usr/local')):
            self.skipTest('agora-relay is installed on this machine')
        process = self.start(binary, *free)
        self.assertEqual(process.wait(), 1)
        self.assertIn('agora-relay was not found', process.output('err'))
        self.assertIn('--relay=FILE', process.output('err'))

    def test_a_relay_that_does_not_start(self):
        free = ('--app=demo', '--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0')
        relay = self.tmp / 'relay'
        relay.write_text('#!/bin/sh\necho it has no wish to >&2\nexit 7\n')
        relay.chmod(0o755)
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], *free, f'--relay={relay}')
        self.assertEqual(process.wait(), 1)
        self.assertIn('agora-relay did not start: it has no wish to', process.output('err'))
        relay.write_text('this is no program')
        process = self.start(os.environ['AGORA_GATEWAY_BIN'], *free, f'--relay={relay}')
        self.assertEqual(process.wait(), 1)
        self.assertIn('agora-relay did not start: ', process.output('err'))


class End(ProcessCase):
    def test_signals_end_it_and_leave_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            gateway = self.serve()
            pid = self.relay(gateway)
            member = Member(gateway.ws).join()
            self.assertEqual(self.left(), [])
            began = time.monotonic()
            gateway.signal(number)
            self.assertEqual(member.wait_error()['code'], 503)
            self.assertEqual(gateway.wait(), 0)
            self.assertLess(time.monotonic() - began, 2 * SCALE)
            self.assertFalse(alive(pid))
            self.assertEqual(self.left(), [])
            member.close()

    def test_end_with_a_frozen_relay(self):
        gateway = self.serve()
        pid = self.relay(gateway)
        freeze(pid)
        began = time.monotonic()
        self.assertEqual(gateway.terminate(), 0)
        # It waits a second for its relay.
        self.assertLess(time.monotonic() - began, 3 * SCALE)
        self.assertFalse(alive(pid))

    def test_kill_leaves_no_relay_and_the_next_starts_at_once(self):
        gateway = self.serve()
        for frozen in (False, True) * 3:
            pid = self.relay(gateway)
            if frozen:
                freeze(pid)
            gateway.signal(signal.SIGKILL)
            gateway.wait()
            ports = [url.split('/')[2] for url in (gateway.ws, gateway.rtmp)]
            gateway = self.serve(f'--listen={ports[0]}', f'--rtmp-listen={ports[1]}', '--app=demo',
                                 defaults=False)
            self.assertTrue(accepts(gateway.rtmp))
            self.assertFalse(alive(pid))
            self.assertEqual(self.left(), [])


class Restart(ProcessCase):
    def test_killed_relay(self):
        gateway = self.serve()
        member = Member(gateway.ws, heartbeat=True).join()
        self.addCleanup(member.close)
        pid = self.relay(gateway)
        for _ in range(3):
            os.kill(pid, signal.SIGKILL)
            pid = self.check_returns(gateway, pid)
        gateway.wait_line('agora-relay ended: Killed; starting it again in')
        member.ping()

    def test_frozen_relay(self):
        gateway = self.serve()
        pid = self.relay(gateway)
        frozen = time.monotonic()
        freeze(pid)
        gateway.wait_line("agora-relay doesn't answer")
        # 2.5 s, and as much again where the gateway was held up: then it begins anew.
        self.assertLess(time.monotonic() - frozen, 6 * SCALE)
        self.check_returns(gateway, pid)

    def test_a_gateway_that_stood_still_kills_no_relay(self):
        gateway = self.serve()
        pid = self.relay(gateway)
        gateway.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 4, what='four seconds')
        gateway.signal(signal.SIGCONT)
        self.assertEqual(self.health(gateway)['code'], 200)
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1, what='two more pings')
        self.assertEqual(self.relay(gateway), pid)
        self.assertEqual(self.health(gateway)['mediaRestarts'], 0)

    def test_out_of_descriptors(self):
        """Its own lack of them is not the relay's silence, and a relay that dies meanwhile returns."""
        gateway = self.serve()
        pid = self.relay(gateway)
        member = Member(gateway.ws, heartbeat=True).join()
        self.addCleanup(member.close)
        # As if strangers had them all: from now on there is no free one below the limit.
        used = {int(name) for name in os.listdir(f'/proc/{gateway.pid}/fd')}
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (free, free))
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > 3.5, what='more than the watch allows')
        self.assertEqual(self.relay(gateway), pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), what='its end')
        again = wait_until(lambda: next((each for each in children(gateway.pid) if each != pid), None), what='another relay')
        self.assertTrue(accepts(gateway.rtmp))
        self.assertEqual(self.relay(gateway), again)
        member.ping()

    def test_a_relay_that_cannot_stay(self):
        good = self.tmp / 'good'
        good.touch()
        program = self.tmp / 'relay'
        relay = (Path(os.environ['AGORA_GATEWAY_BIN']).parent / '../relay/agora-relay').resolve()
        program.write_text(f'#!/bin/sh\n[ -e {good} ] || exit 7\nexec {relay} "$@"\n')
        program.chmod(0o755)
        gateway = self.serve(f'--relay={program}', '--max-outage-seconds=1')
        member = Member(gateway.ws, heartbeat=True).join()
        self.addCleanup(member.close)
        self.assertEqual(self.health(gateway)['mediaPauseMs'], 0)
        pid = self.relay(gateway)
        good.unlink()
        os.kill(pid, signal.SIGKILL)
        # It is tried less and less often, and whoever looks is told.
        wait_until(lambda: self.health(gateway)['mediaPauseMs'] >= 400, what='a longer pause')
        health = self.health(gateway)
        self.assertEqual((health['code'], health['status']), (503, 'media server lost'))
        # The log may come a moment later.
        gateway.wait_line('again in 400 ms')
        pauses = [int(each) for each in re.findall(r'again in (\d+) ms', gateway.output('err'))]
        self.assertEqual(pauses[:3], [100, 200, 400])
        # After a while members are sent elsewhere, and nobody gets in.
        self.assertEqual(member.wait_error()['code'], 501)
        late = Member(gateway.ws, uid=77)
        self.assertEqual(late.wait_answer(late.send_join())['code'], 501)
        late.close()
        # Back once it has stayed for some time.
        good.touch()
        wait_until(lambda: self.health(gateway)['code'] == 200, 40, 'health')
        self.assertEqual(self.health(gateway)['mediaPauseMs'], 0)
        Member(gateway.ws).join().close()


class Drain(ProcessCase):
    """SIGTERM with --drain: members move, then it ends."""

    def member(self, gateway, **keywords):
        member = Member(gateway.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member

    def drain(self, gateway):
        gateway.signal(signal.SIGTERM)
        gateway.wait_line('Draining')

    def test_it_ends_when_all_have_moved(self):
        gateway = self.serve('--drain=60')
        elsewhere = self.serve()
        speaker = self.member(gateway, uid=8).join()
        listener = self.member(gateway, uid=9).join('audience')
        push = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i',
                          'sine', '-c:a', 'aac', '-f', 'flv', speaker.publish(), quiet_errors=True)
        listener.wait_event('stream-added', uid=8, timeout=15)
        self.drain(gateway)
        status, body = get(gateway.http + '/healthz')
        self.assertEqual((status, json.loads(body)['status']), (503, 'draining'))
        self.assertEqual(self.choose(gateway)['code'], 503)
        late = self.member(gateway, uid=10)
        self.assertEqual(late.wait_answer(late.send_join())['code'], 503)
        for member in (speaker, listener):
            self.assertEqual(member.wait_error()['code'], 503)
        # Who is still there speaks and hears.
        player = self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-probesize', '2048', '-i',
                            listener.subscribe(8), '-t', '1', '-f', 'null', '-', quiet_errors=True)
        self.assertEqual(player.wait(20), 0)
        self.assertTrue(push.running())
        for member in (speaker, listener):
            self.member(elsewhere, uid=member.uid).join()
            member.must('leave', uid=member.uid)
        self.assertEqual(gateway.wait(5), 0)
        self.assertEqual(self.left(), [])

    def choose(self, gateway):
        inner = {'command': 'convergeAllocateEdge', 'sid': 'A' * 32, 'appId': 'demo',
                 'token': 'demo', 'uid': '7', 'cname': 'room', 'ts': 1, 'version': '1.1.0', 'seq': 0,
                 'requestId': 1}
        request = urllib.request.Request(
            gateway.http + '/api/v1',
            json.dumps({'service_name': 'miniapp', 'json_body': json.dumps(inner)}).encode(),
            {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(json.loads(answer.read())['json_body'])

    def test_it_ends_when_the_time_is_over(self):
        gateway = self.serve('--drain=2')
        member = self.member(gateway).join()
        began = time.monotonic()
        self.drain(gateway)
        with self.assertRaises(Closed) as closed:
            while True:
                member.receive()
        self.assertEqual(closed.exception.code, 1001)
        self.assertGreater(time.monotonic() - began, 1.9)
        self.assertEqual(gateway.wait(5), 0)

    def test_a_second_signal_ends_it_at_once(self):
        for again in (signal.SIGTERM, signal.SIGINT):
            gateway = self.serve('--drain=60')
            self.member(gateway).join()
            self.drain(gateway)
            gateway.signal(again)
            self.assertEqual(gateway.wait(5), 0)

    def test_nobody_there(self):
        gateway = self.serve('--drain=60')
        self.assertEqual(gateway.terminate(), 0)


if __name__ == '__main__':
    tap.main()
