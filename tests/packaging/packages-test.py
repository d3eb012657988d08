# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's packages, as an operator has them: made, installed in a clean system, used, upgraded under load, purged."""

import json
import os
import re
import shutil
import signal
import socket
import tempfile
import unittest
from pathlib import Path

import numpy

import chroot
import heard
import tap
from chroot import run
from harness import Case, Gateway

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs/deploy.md'
# Where the packages of AGORA_PACKAGES were made on another one: trixie.
RELEASE = os.environ.get('AGORA_RELEASE', 'bookworm')
OWN = ('agora-gateway', 'agora-recorder', 'agora-web', 'gir1.2-agorasignaling-1.0', 'gstreamer1.0-agora', 'libagorasignaling-dev', 'libagorasignaling1')
# Of nobody: what is asked of it is an answer.
OFFER = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n' \
        'a=ice-ufrag:none\r\na=ice-pwd:nonenonenonenonenonenone\r\na=setup:actpass\r\na=recvonly\r\na=rtcp-mux\r\n' \
        f'a=fingerprint:sha-256 {":".join(["00"] * 32)}\r\na=rtpmap:111 opus/48000/2\r\n'
TOOLS = ('curl', 'gstreamer1.0-tools', 'openssl', 'python3-gi')


class Packages(Case):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() or not shutil.which('mmdebstrap') or not shutil.which('dpkg-buildpackage'):
            raise unittest.SkipTest('needs root, and what docs/packaging/packages lists')
        cls.folder = Path(os.environ.get('AGORA_PACKAGES') or ROOT / 'tests/out/packages')
        if not os.environ.get('AGORA_PACKAGES'):
            run(ROOT / 'tests/package', '--out', cls.folder, timeout=1800)
        cls.debs = {path.name.split('_')[0]: path for path in cls.folder.glob('*.deb') if '-dbgsym_' not in path.name}

    def test_lintian_has_no_errors(self):
        self.assertEqual(set(self.debs), set(OWN))
        said = (self.folder / 'lintian').read_text().splitlines()
        self.assertEqual([line for line in said if line.startswith('E:')], [])

    def newer(self, deb):
        """The same package as a later version."""
        with tempfile.TemporaryDirectory() as tree:
            run('dpkg-deb', '-R', deb, tree)
            control = Path(tree) / 'DEBIAN' / 'control'
            text = control.read_text()
            version = re.search(r'^Version: (\S+)$', text, re.M)[1]
            control.write_text(re.sub(rf'(?<=[ (]){re.escape(version)}(?=[)\n])', version + '+1', text))
            out = self.root / 'root' / deb.name.replace(f'_{version}_', f'_{version}+1_')
            run('dpkg-deb', '--root-owner-group', '-b', tree, out)

    def serve(self):
        """As its unit says, with what systemd would have made for it."""
        unit = (self.root / 'lib/systemd/system/agora-gateway.service').read_text()
        # What systemd expands.
        command = re.search(r'^ExecStart=(.*)$', unit, re.M)[1].split()
        user = re.search(r'^User=(.*)$', unit, re.M)[1]
        uid = int(self.system.run('id', '-u', user))
        for folder in ('var/lib/agora-gateway', 'var/cache/agora-gateway'):
            (self.root / folder).mkdir(mode=0o700, exist_ok=True)
            os.chown(self.root / folder, uid, int(self.system.run('id', '-g', user)))
        state = {'STATE_DIRECTORY': '/var/lib/agora-gateway', 'XDG_CACHE_HOME': '/var/cache/agora-gateway',
                 'NOTIFY_SOCKET': '/run/notify'}
        words = [word.replace('${STATE_DIRECTORY}', state['STATE_DIRECTORY']) for word in command]
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        (self.root / 'run/notify').unlink(missing_ok=True)
        manager.bind(str(self.root / 'run/notify'))
        (self.root / 'run/notify').chmod(0o666)
        manager.settimeout(20)
        rights = re.search(r'^AmbientCapabilities=CAP_(\w+)$', unit, re.M)[1].lower()
        # After chroot, which needs root's: setpriv of the system itself.
        gateway = self.system.start('setpriv', f'--reuid={user}', f'--regid={user}', '--init-groups', f'--inh-caps=-all,+{rights}',
                                    f'--ambient-caps=-all,+{rights}', f'--bounding-set=-all,+{rights}', '--no-new-privs', *words, env=state)
        gateway.wait_line(Gateway.READY, which='out')
        self.assertIn(b'READY=1', manager.recv(4096))
        return gateway

    def say(self, sound, uid):
        heard.write(self.root / 'root' / 'said.wav', sound)
        return self.system.start('gst-launch-1.0', 'filesrc', 'location=/root/said.wav', '!', 'wavparse', '!', 'audioconvert', '!',
                                 'agorasink', 'app-id=demo', 'channel=room', f'uid={uid}')

    def record(self, name):
        recorder = self.system.start('gst-launch-1.0', '-e', 'agorasrc', 'app-id=demo', 'channel=room', 'uid=9', '!', 'audioconvert',
                                     '!', 'audioresample', '!', f'audio/x-raw,format=S16LE,rate={heard.RATE},channels=1', '!',
                                     'wavenc', '!', 'filesink', f'location=/root/{name}.wav')
        recorder.wait_line('Setting pipeline to PLAYING|New clock', 20)
        return recorder

    def page(self, heading):
        """Its blocks of sh, of the page's first part."""
        text = PAGE.read_text().partition('## One machine\n')[2].partition('\n## ')[0]
        section = text.partition(f'### {heading}\n')[2].partition('\n### ')[0]
        blocks = re.findall(r'^```(\w+)\n(.*?)^```$', section, re.M | re.S)
        self.assertTrue(blocks, heading)
        return [text for kind, text in blocks if kind == 'sh'], [text for kind, text in blocks if kind == 'ini']

    def follow(self, block):
        """Line by line, as one would; nobody but this test is the service manager here."""
        before = []
        for line in block.splitlines():
            if found := re.match(r'systemctl (\w+) agora-gateway$', line):
                self.shell('\n'.join(before))
                self.control(found[1])
                before = []
            else:
                before.append(line)
        self.shell('\n'.join(before))

    def shell(self, text):
        if text.strip():
            words = ['bash', '-euo', 'pipefail', '-c', 'cd /root\n' + text]
            # Packages come from outside, all else from within.
            outside = 'apt-get' in text
            run(*self.system.argv(*words, network=not outside), env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8',
                                                                     'DEBIAN_FRONTEND': 'noninteractive'}, timeout=900)

    def control(self, what):
        if what in ('stop', 'restart'):
            self.gateway.signal(signal.SIGTERM)
            self.assertEqual(self.gateway.wait(10), 0, self.gateway.tail())
        if what in ('start', 'restart'):
            self.gateway = self.serve()
        if what == 'reload':
            mark = self.gateway.mark()
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_line('Reloaded: ', since=mark)

    def test_the_life_of_an_installation(self):
        self.root = Path(tempfile.mkdtemp(prefix='agora-chroot-'))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.root.chmod(0o755)
        self.system = chroot.Chroot(self, self.root, RELEASE, TOOLS)
        before = set(self.system.run('dpkg-query', '-W', '-f', '${Package}\n').split())
        for deb in self.debs.values():
            shutil.copy(deb, self.root / 'root')
        self.follow(self.page('Install')[0][0])
        self.browsers()
        self.system.apt('install', *(f'/root/{self.debs[name].name}' for name in OWN))
        self.system.save_archives()
        self.installed()
        self.use()
        self.upgrade()
        self.serve_others()
        self.renew()
        self.follow(self.page('Backup')[0][0])
        (self.root / 'root/agora-gateway.tar.gz').unlink()
        self.follow(self.page('Uninstall')[0][0])
        # What the operator has put there, and the packages that are left.
        kept = {'/etc/agora-gateway', *(f'/etc/agora-gateway/{name}' for name in ('apps', 'admin-token', 'key.pem', 'fullchain.pem'))}
        self.assertEqual({path for path in self.system.paths('agora-gateway') if path.startswith(('/etc', '/var/lib/a', '/var/cache'))},
                         {'/etc/agora-gateway'})
        self.assertEqual({str(path).removeprefix(str(self.root)) for path in (self.root / 'etc/agora-gateway').iterdir()},
                         kept - {'/etc/agora-gateway'})
        shutil.rmtree(self.root / 'etc/agora-gateway')
        self.system.apt('purge', *(name for name in OWN if name not in ('agora-gateway', 'agora-web')))
        for deb in (self.root / 'root').glob('*.deb'):
            deb.unlink()
        self.assertEqual(self.system.paths('agora'), [])
        self.assertNotIn('agora', (self.root / 'etc/passwd').read_text() + (self.root / 'etc/group').read_text())
        # What came with them goes by autoremove, and nothing else has gone.
        self.system.apt('autoremove', '--purge')
        self.assertEqual(before - set(self.system.run('dpkg-query', '-W', '-f', '${Package}\n').split()), set())

    def browsers(self):
        """With no other packages than those that agora-web depends on. It stays: without it, a gateway that is told so doesn't start."""
        self.follow(self.page('Install')[0][1])
        offer = self.root / 'root/offer'
        offer.write_text(OFFER)
        self.assertIn('201', self.outside('curl', '-sS', '-i', '-H', 'Content-Type: application/sdp', '--data-binary', f'@{offer}',
                                          'http://127.0.0.1:8080/whep/demo/room').splitlines()[0])

    def installed(self):
        passwd = self.system.run('getent', 'passwd', 'agora-gateway')
        self.assertRegex(passwd, r'^agora-gateway:x:\d+:\d+:[^:]*:/var/lib/agora-gateway:/usr/sbin/nologin$')
        self.assertTrue((self.root / 'etc/systemd/system/multi-user.target.wants/agora-gateway.service').is_symlink())
        self.assertIn('agorasink', self.system.run('gst-inspect-1.0', 'agora'))
        self.system.run('python3', '-c', 'import gi; gi.require_version("AgoraSignaling", "1.0"); '
                        'from gi.repository import AgoraSignaling; AgoraSignaling.Client.new("ws://127.0.0.1/api")')
        self.assertRegex(self.system.run('agora-gateway', '--version'), r'^agora-gateway \d')
        for page in ('man1/agora-gateway.1', 'man1/agora-recorder.1', 'man8/agora-relay.8', 'man8/agora-web.8'):
            self.assertTrue((self.root / f'usr/share/man/{page}.gz').exists(), page)

    def use(self):
        voice = heard.voice('carlo', 4)
        recorder = self.record('first')
        files = self.system.start('agora-recorder', '--app-id=demo', '--channel=room', '--folder=/root/recorded')
        folder = files.wait_line('^recording into (.*)$', which='out')[1]
        speaker = self.say(numpy.concatenate([heard.silence(1), voice, heard.silence(0.5)]), 8)
        self.assertEqual(speaker.wait(20), 0, speaker.tail())
        self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
        self.assertEqual(files.interrupt(10), 0, files.tail())
        for what, path in (('agorasrc', 'root/first.wav'), ('agora-recorder', folder.lstrip('/') + '/speaker-8.wav')):
            match = heard.match(voice, heard.read(self.root / path))
            print(f'# by the installed {what}: {match}')
            self.assertGreaterEqual(match.correlation, 0.95)

    def upgrade(self):
        """The new version is laid beside the one that runs, and takes over when the operator says so."""
        install, restart = self.page('Upgrade')[0][0].splitlines()
        for name in OWN:
            self.newer(self.debs[name])
        for deb in self.debs.values():
            (self.root / 'root' / deb.name).unlink()
        config = self.root / 'etc/agora-gateway/agora-gateway.conf'
        config.write_text(config.read_text() + '# a word of the operator\n')
        running = self.gateway
        voice = heard.voice('june', 20)
        recorder = self.record('second')
        speaker = self.say(numpy.concatenate([heard.silence(1), voice, heard.silence(0.5)]), 8)
        self.until(lambda: self.health()['streams'] == 1, 'a voice')
        self.follow(install)
        self.assertTrue(speaker.running(), 'it took too long to say anything about load')
        self.assertTrue(running.running(), running.tail())
        self.assertIn('a word of the operator', config.read_text())
        # None was left behind, and none removed because it wants the version that was.
        shown = self.system.run('dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Package} ${Version}\n').splitlines()
        self.assertEqual([line.split()[1] for line in shown if re.fullmatch(r'ii +\S+ \S+\+1', line)], list(OWN), shown)
        self.assertEqual(speaker.wait(40), 0, speaker.tail())
        self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
        match = heard.match(voice, heard.read(self.root / 'root/second.wav'))
        print(f'# while it was upgraded: {match}')
        self.assertGreaterEqual(match.correlation, 0.95)
        self.assertEqual(match.gaps, [])
        # The restart: who is in comes back by itself.
        listener = self.system.start('gst-launch-1.0', '-m', 'agorasrc', 'app-id=demo', 'channel=room', '!', 'fakesink', 'sync=true')
        self.until(lambda: self.health()['members'] == 1, 'a member')
        self.follow(restart)
        listener.wait_line('agora-reconnected', 30)
        self.assertEqual(self.health()['members'], 1)
        self.assertEqual(listener.interrupt(10), 0)
        self.assertGreater(self.health()['webWorkers'], 0)

    def serve_others(self):
        blocks, files = self.page('Serve others: port 443 and TLS')
        self.follow(blocks[0])
        self.certificate('first')
        (self.root / 'etc/agora-gateway/agora-gateway.conf').write_text(files[0])
        self.follow(self.renewal())
        self.follow(blocks[1])

    def certificate(self, name):
        """In the folder of the renewed ones; its name, so that it is known again."""
        folder = self.root / 'root/renewed'
        folder.mkdir(exist_ok=True)
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
            f'/CN={name}', '-addext', 'subjectAltName=DNS:voice.example.org', '-keyout', folder / 'privkey.pem', '-out',
            folder / 'fullchain.pem')

    def renewal(self):
        """The hook, but for the reload, which a gateway that isn't there yet doesn't need."""
        return 'export RENEWED_LINEAGE=/root/renewed\n' + self.page('Renew the certificate')[0][0].replace(
            'systemctl reload agora-gateway\n', '')

    def renew(self):
        self.certificate('second')
        self.follow('export RENEWED_LINEAGE=/root/renewed\n' + self.page('Renew the certificate')[0][0])
        shown = self.outside('sh', '-c', 'openssl s_client -connect 127.0.0.1:443 </dev/null 2>&1 | openssl x509 -noout -subject')
        self.assertIn('CN = second', shown)

    def health(self):
        return json.loads(self.outside('curl', '-sS', 'http://127.0.0.1:8080/healthz'))

    def outside(self, *words):
        """A program of this system in the other's network."""
        return run('nsenter', f'--net=/proc/{self.system.network.pid}/ns/net', *words, timeout=20)


if __name__ == '__main__':
    tap.main()
