# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lines of docs/studio.md, as they stand there: each is taken out of the page and run."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy

import heard
import tap
from channel import ChannelCase
from harness import SCALE

sys.path.insert(0, str(Path(__file__).parent))
from programs import NOBODY  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'studio.md'
BUILD = Path(os.environ['AGORA_BUILD_ROOT'])
TOKEN = 'Tru5t-me/for+this:one='
# Each member speaks by a tone of its own, in Hz.
TONES = {8: 440, 9: 660, 20: 880, 2: 1100}
OWN = 1500
LONG = '--long' in sys.argv


def blocks():
    """(heading, number of the block below it) -> its lines."""
    found, heading, lines = {}, '', None
    for line in PAGE.read_text().splitlines():
        if lines is not None:
            if line == '```':
                count = sum(each == heading for each, _ in found)
                found[heading, count] = '\n'.join(lines)
                lines = None
            else:
                lines.append(line)
        elif line == '```sh':
            lines = []
        elif line.startswith('#'):
            heading = line.lstrip('# ')
    return found


BLOCKS = blocks()


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as held:
        return held.getsockname()[1]


def levels(path, frequencies):
    """How strong each tone is in the loudest second of a file, of full scale."""
    done = subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-i', path, '-f', 'f32le', '-ac', '1', '-ar', str(heard.RATE), '-'],
                          capture_output=True, timeout=60, check=False)
    sound = numpy.frombuffer(done.stdout, dtype='<f4').astype(numpy.float64)
    if len(sound) < heard.RATE:
        return [0.0] * len(frequencies)
    pieces = [sound[at:at + heard.RATE] for at in range(0, len(sound) - heard.RATE + 1, heard.RATE // 4)]
    window = numpy.hanning(heard.RATE)
    spectra = numpy.max([numpy.abs(numpy.fft.rfft(piece * window)) for piece in pieces], axis=0) / (heard.RATE / 4)
    return [float(spectra[frequency - 3:frequency + 4].max()) for frequency in frequencies]


class Studio(ChannelCase):
    def setUp(self):
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN + '\n')
        self.gate = self.gateway(f'--admin-token-file={secret}')
        self.environment = {
            **os.environ, 'AGORA_GATEWAY': self.gate.ws, 'CHANNEL': 'app-id=demo channel=room', 'WEB': self.gate.http,
            'ADMIN': f'Authorization: Bearer {TOKEN}', 'MIC': f'audiotestsrc is-live=true freq={OWN} volume=0.2',
            'EAR': f'audioconvert ! wavenc ! filesink location={self.tmp}/ear.wav',
            'PATH': f'{BUILD / "gst" / "recorder"}:{BUILD / "signaling" / "gateway"}:{os.environ["PATH"]}'}

    def sh(self, heading, number=0, old='', new='', **environment):
        """Starts a block of the page. What is set in it is what `environment` says; `old` is what else has to be another here."""
        text = BLOCKS[heading, number]
        self.assertIn(old, text)
        text = text.replace(old, new)
        for name, value in environment.items():
            text = re.sub(rf"^{name}=.*$", f"{name}='{value}'", text, flags=re.M)
        text = text.replace('ws://127.0.0.1:8080', self.gate.ws.removesuffix('/api')).replace(
            'agora://127.0.0.1:8080', f'agora://{urlsplit(self.gate.ws).netloc}')
        process = self.foreign('bash', '-c', text, cwd=self.tmp, env={**self.environment, **environment}, quiet_errors=True)
        process.name = f'{heading}, {number}'
        return process

    def end(self, process, status=0):
        """Ctrl-C, which goes to all of a line."""
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(20), status, process.tail())

    def tone(self, uid, room='room', app='demo'):
        return self.line(f'audiotestsrc is-live=true freq={TONES[uid]} volume=0.2 ! agorasink app-id={app} channel={room} uid={uid}',
                         env={'AGORA_GATEWAY': self.gate.ws})

    def assert_tones(self, path, there, absent=()):
        for uid, level in zip(there, levels(path, [TONES.get(uid, uid) for uid in there])):
            self.assertGreater(level, 0.05, f'{uid} in {path}')
        for uid, level in zip(absent, levels(path, [TONES.get(uid, uid) for uid in absent])):
            self.assertLess(level, 0.003, f'{uid} in {path}')

    def until_grown(self, name, size, timeout=20):
        """`name`: of a file below the test's folder."""
        path = self.tmp / name
        self.until(lambda: path.exists() and path.stat().st_size > size, f'{size} bytes in {name}', timeout)
        return path

    def ask(self, heading, number=0, **environment):
        """The answers of the operator's API."""
        process = self.sh(heading, number, **environment)
        self.assertEqual(process.wait(), 0, process.tail())
        decoder, text, answers = json.JSONDecoder(), process.output('out'), []
        while text:
            answer, end = decoder.raw_decode(text)
            text = text[end:].lstrip()
            self.assertEqual(answer['status'], 'success')
            answers.append(answer)
        return answers

    def test_each_block_is_tried(self):
        source = Path(__file__).read_text()
        tried = {(heading, int(number or 0)) for heading, number in re.findall(r"(?:sh|ask|BLOCKS)[(\[]'([^']+)'(?:, (\d))?", source)}
        self.assertEqual(set(BLOCKS), tried)

    def test_variables(self):
        """The shell takes them, and the elements that they name are there."""
        text = BLOCKS['In a studio', 0].replace('/etc/agora-gateway/admin-token', str(self.tmp / 'admin-token'))
        done = subprocess.run(['bash', '-euc', f'{text}\necho "$ADMIN|$AGORA_GATEWAY|$CHANNEL|$WEB"; gst-inspect-1.0 --exists $MIC; '
                               'gst-inspect-1.0 --exists $EAR'], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, f'Authorization: Bearer {TOKEN}|ws://127.0.0.1:8080/api|app-id=demo channel=room|'
                         'http://127.0.0.1:8080\n')

    def test_aligned_tracks(self):
        recorder = self.sh('Tracks that lie side by side')
        tracks = self.sh('Tracks that lie side by side', 1)
        for uid in (8, 9):
            self.tone(uid)
        folder = self.tmp / recorder.wait_line('^recording into (.*)$')[1]
        self.until(lambda: (folder / 'cues.json').exists() and json.loads((folder / 'cues.json').read_text())['seconds'] > 5,
                   'five seconds', 20)
        for process in (recorder, tracks):
            self.end(process)
        for path, there, absent in ((folder / 'speaker-8.flac', [8], [9]), (folder / 'speaker-9.flac', [9], [8]),
                                    (folder / 'mix.flac', [8, 9], []), (self.tmp / 'guest-8.wav', [8], [9]),
                                    (self.tmp / 'guest-9.wav', [9], [8])):
            self.assert_tones(path, there, absent)
        # Of one zero.
        sizes = [(self.tmp / f'guest-{uid}.wav').stat().st_size / (2 * heard.RATE * 2) for uid in (8, 9)]
        self.assertAlmostEqual(*sizes, delta=0.2)

    def test_rotation(self):
        watcher = self.member('room')
        watcher.wait_line('joined')
        self.tone(8)
        watcher.wait_line('added 8', 20)
        line = self.sh('A new file each hour', HOUR='2000000000')
        self.until_grown('log-00002.mka', 1000)
        self.end(line)
        for number in range(2):
            self.assert_tones(self.tmp / f'log-{number:05}.mka', [8])

    def test_no_trap(self):
        """Who says nothing yet holds nothing up; and is recorded then."""
        self.tone(9)
        line = self.sh('Recording beside the mix, without a trap')
        self.until_grown('mix.wav', 3 * heard.RATE * 4)
        begun = (self.tmp / 'mix.wav').stat().st_size
        self.tone(8)
        self.until_grown('mix.wav', begun + 5 * heard.RATE * 4)
        self.end(line)
        self.assert_tones(self.tmp / 'mix.wav', [8, 9])
        self.assert_tones(self.tmp / 'guest-8.mka', [8], [9])

    def test_mix_minus(self):
        self.tone(8)
        self.tone(9)
        line = self.sh('Mix-minus')
        other = self.record(caps='audio/x-raw,format=S16LE,rate=48000,channels=1')
        # Files grow before the others have come.
        self.until(lambda: min(levels(self.tmp / 'ear.wav', [TONES[8], TONES[9]])) > 0.05, 'the tones', 40)
        self.until(lambda: min(levels(other.path, [TONES[8], TONES[9], OWN])) > 0.05, 'all tones', 40)
        os.killpg(line.pid, signal.SIGINT)
        line.wait(10)
        self.stop_recording(other)
        self.assert_tones(self.tmp / 'ear.wav', [8, 9], [OWN])
        self.assert_tones(other.path, [8, 9, OWN])

    def test_cue(self):
        self.tone(8)
        producer = self.sh('A private cue', 1)
        ear = self.sh('A private cue')
        other = self.record()
        for path in ('ear.wav', other.path.name):
            self.until_grown(path, 3 * heard.RATE * 2)
        self.stop_recording(other)
        for line in (ear, producer):
            os.killpg(line.pid, signal.SIGINT)
            line.wait(10)
        self.assert_tones(self.tmp / 'ear.wav', [8, OWN])
        self.assert_tones(other.path, [8], [OWN])

    def icecast(self):
        port = free_port()
        logs = self.tmp / 'icecast'
        logs.mkdir()
        config = self.tmp / 'icecast.xml'
        config.write_text(
            '<icecast><hostname>localhost</hostname><limits><sources>4</sources><clients>20</clients></limits>'
            '<authentication><source-password>hackme</source-password><admin-user>a</admin-user><admin-password>b</admin-password>'
            f'</authentication><listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>'
            f'<paths><logdir>{logs}</logdir><webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot>'
            '</paths><logging><accesslog>-</accesslog><errorlog>-</errorlog></logging></icecast>')
        self.open_to_nobody(logs)
        self.foreign(*self.as_nobody(), 'icecast2', '-c', config, quiet_errors=True)
        self.until(lambda: socket.socket().connect_ex(('127.0.0.1', port)) == 0, 'Icecast')
        return port

    def open_to_nobody(self, folder):
        """For what refuses to run as root."""
        if not os.geteuid():
            os.chmod(self.tmp, 0o755)
            os.chown(folder, NOBODY, NOBODY)

    @staticmethod
    def as_nobody():
        return [] if os.geteuid() else ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups']

    def needs_long(self):
        if not LONG:
            self.skipTest('with --long')

    def needs(self, program):
        if not shutil.which(program):
            self.skipTest(f'no {program}')

    def played(self, url, seconds=3, *options):
        """What a player hears of an address, in a file."""
        out = self.tmp / f'played-{len(self.processes)}.wav'

        def came():
            done = subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', *options, '-i', url, '-t', str(seconds), '-y', out],
                                  capture_output=True, timeout=30 * SCALE, check=False)
            return done.returncode == 0
        self.until(came, f'sound of {url}', 20)
        return out

    def test_icecast(self):
        self.needs('icecast2')
        port = self.icecast()
        self.tone(8)
        self.sh('Icecast', ICECAST=f'ip=127.0.0.1 port={port} password=hackme')
        for mount in ('air.ogg', 'air.mp3'):
            self.assert_tones(self.played(f'http://127.0.0.1:{port}/{mount}'), [8])

    def test_hls(self):
        self.tone(8)
        line = self.sh('HLS')
        self.until(lambda: '#EXTINF' in (self.tmp / 'www' / 'air.m3u8').read_text()
                   if (self.tmp / 'www' / 'air.m3u8').exists() else False, 'a playlist', 20)
        self.until_grown('www/air-00001.ts', 1000)
        self.end(line)
        self.assert_tones(self.played(self.tmp / 'www' / 'air.m3u8'), [8])

    def test_srt(self):
        """Out of the channel, and into it again under another name."""
        self.needs_long()
        self.tone(8)
        port = free_port()
        self.sh('SRT', SRT=f'srt://127.0.0.1:{port}')
        self.sh('SRT', 1, 'agorasink $CHANNEL', 'agorasink app-id=demo channel=far', SRT=f'srt://127.0.0.1:{port}')
        far = self.record(room='far')
        # What comes late on a busy machine is silence before.
        self.until(lambda: levels(far.path, [TONES[8]])[0] > 0.05, 'the tone', 40)
        self.stop_recording(far)
        self.assert_tones(far.path, [8])

    def test_jack(self):
        self.needs_long()
        self.needs('jackd')
        name = f'agora-test-{os.getpid()}'
        self.foreign('jackd', '-n', name, '--no-realtime', '-d', 'dummy', '-r', '48000', quiet_errors=True)
        self.until(lambda: any(Path('/dev/shm').glob(f'jack_{name}_*')), 'JACK')
        self.tone(8)
        jack = {'JACK_DEFAULT_SERVER': name, 'JACK_NO_START_SERVER': '1'}
        self.sh('JACK', **jack)
        self.sh('JACK', 1, 'agorasink $CHANNEL', 'agorasink app-id=demo channel=far', **jack)

        def ports(client):
            done = subprocess.run(['jack_lsp'], env={**os.environ, **jack}, capture_output=True, text=True, timeout=20, check=False)
            return sorted(port for port in done.stdout.splitlines() if port.startswith(f'{client}:'))
        self.until(lambda: len(ports('channel')) == 2 and len(ports('contribution')) == 2, 'their ports', 20)
        for one, other in zip(ports('channel'), ports('contribution')):
            subprocess.run(['jack_connect', one, other], env={**os.environ, **jack}, check=True, timeout=20, capture_output=True)
        far = self.record(room='far')
        # What comes late on a busy machine is silence before.
        self.until(lambda: levels(far.path, [TONES[8]])[0] > 0.05, 'the tone', 40)
        self.stop_recording(far)
        self.assert_tones(far.path, [8])

    def test_pipewire(self):
        """The session manager links what the lines open to the page's own desk: the channel's sound goes through it and back."""
        self.needs('pipewire')
        self.needs('wireplumber')
        here = {'XDG_RUNTIME_DIR': str(self.tmp), 'HOME': str(self.tmp)}

        def told(*argv):
            return subprocess.run(argv, env={**os.environ, **here}, capture_output=True, text=True, timeout=20, check=False).stdout

        def nodes():
            return set(re.findall(r'node\.name = "([^"]+)"', told('pw-cli', 'ls', 'Node')))
        self.foreign('pipewire', env=here, quiet_errors=True)
        self.until(nodes, 'PipeWire')
        self.foreign('dbus-run-session', '--', 'wireplumber', env=here, quiet_errors=True)
        self.sh('PipeWire', 2, **here)
        self.until(lambda: {'desk', 'desk-out'} <= nodes(), 'the desk', 20)

        # Before it has chosen, a sink is told that there is no node, and a source isn't linked and gives up after 30 s.
        def chosen():
            said = told('pw-metadata', '--name=default')
            return all(f'"name":"{name}"' in said for name in ('desk', 'desk-out'))
        self.until(chosen, "the session manager's defaults", 20)
        self.tone(8)
        lines = [self.sh('PipeWire', **here), self.sh('PipeWire', 1, 'agorasink $CHANNEL', 'agorasink app-id=demo channel=far', **here)]
        far = self.record(room='far')
        # What comes late on a busy machine is silence before.
        self.until(lambda: levels(far.path, [TONES[8]])[0] > 0.05, 'the tone', 40)
        self.stop_recording(far)
        self.assert_tones(far.path, [8])
        for line in lines:
            self.assertTrue(line.running(), line.tail())
            os.killpg(line.pid, signal.SIGINT)
            line.wait(10)

    def test_liquidsoap(self):
        self.needs_long()
        self.needs('liquidsoap')
        self.tone(8)
        self.open_to_nobody(self.tmp)
        process = self.sh('Liquidsoap', 0, 'liquidsoap "', f'{" ".join(self.as_nobody())} liquidsoap "', HOME=str(self.tmp))
        self.until_grown('air.wav', 5 * 44100 * 4, 40)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(15)
        self.assert_tones(self.tmp / 'air.wav', [8])

    def push(self, url):
        return self.foreign('ffmpeg', '-nostdin', '-v', 'error', '-re', '-f', 'lavfi', '-i', f'sine=frequency={TONES[20]}:sample_rate=48000',
                            '-af', 'volume=4', '-c:a', 'aac', '-f', 'flv', url, quiet_errors=True)

    def test_keys(self):
        """An encoder pushes by what the one block answers, a decoder plays by the other."""
        made, = self.ask('OBS, Larix and hardware encoders')
        plays, = self.ask('Players and hardware decoders')
        self.push(f'{made["server"]}/{made["key"]}')
        self.assert_tones(self.played(plays['url']), [20])
        other = self.record()
        self.until_grown(other.path.name, 3 * heard.RATE * 2)
        self.stop_recording(other)
        self.assert_tones(other.path, [20])

    def test_mix_for_players(self):
        """By agora-web, and by a line."""
        self.gate = self.gateway(f'--admin-token-file={self.tmp}/admin-token', '--web', ready_timeout=20)
        self.environment |= {'AGORA_GATEWAY': self.gate.ws, 'WEB': self.gate.http}
        own, = self.ask('The mix for players')
        pushes, plays = self.ask('The mix for players', 1)
        for uid in (8, 9):
            self.tone(uid)
        self.sh('The mix for players', 2, MIX=pushes['url'])
        for url in (own['url'], plays['url']):
            self.assert_tones(self.played(url, 6), [8, 9])

    def test_players(self):
        self.tone(8)
        self.sh('agora:// in players')
        self.until_grown('ear.wav', 3 * heard.RATE * 4)
        self.assert_tones(self.tmp / 'ear.wav', [8])

    def test_talk_show(self):
        """The host, a guest by the page's line, four more by tones; what goes out has all of them, and each has a file."""
        port, rtmp = free_port(), free_port()
        text = BLOCKS['A talk show with five guests', 0]
        self.assertIn('--app=show', text)
        gate = self.sh('A talk show with five guests', 0, '--listen=127.0.0.1:8080 --rtmp-listen=127.0.0.1:1935',
                       f'--listen=127.0.0.1:{port} --rtmp-listen=127.0.0.1:{rtmp}')
        ready = gate.wait_line(r'^ready ws=(\S+) .*web=(\S+)', 20)
        self.environment['AGORA_GATEWAY'] = ready[1]
        page = subprocess.run(['curl', '-sS', f'{ready[2]}?app=show&channel=air'], capture_output=True, text=True, check=True).stdout
        self.assertIn('<html', page.lower())
        self.sh('A talk show with five guests', 1, MIC='audiotestsrc is-live=true freq=1300 volume=0.2',
                EAR=f'audioconvert ! wavenc ! filesink location={self.tmp}/guest.wav')
        self.sh('A talk show with five guests', 2)
        for uid, frequency in TONES.items():
            self.line(f'audiotestsrc is-live=true freq={frequency} volume=0.2 ! agorasink app-id=show channel=air uid={uid + 100}',
                      env={'AGORA_GATEWAY': ready[1]})
        air = self.sh('A talk show with five guests', 3)
        recorder = self.sh('A talk show with five guests', 4)
        folder = self.tmp / recorder.wait_line('^recording into (.*)$')[1]
        # Of when all are there.
        self.until_grown('ear.wav', (self.tmp / 'ear.wav').stat().st_size + 6 * heard.RATE * 4)
        for process in (recorder, air):
            self.end(process)
        everyone = [*TONES, 1300, OWN]
        self.assert_tones(self.tmp / 'air.ogg', everyone)
        self.assert_tones(folder / 'mix.wav', everyone)
        for who in (1, 11, *(uid + 100 for uid in TONES)):
            self.assertTrue((folder / f'speaker-{who}.wav').exists(), who)
        self.assert_tones(self.tmp / 'ear.wav', [*TONES, 1300], [OWN])
        self.assert_tones(self.tmp / 'guest.wav', [*TONES, OWN], [1300])


if __name__ == '__main__':
    sys.argv[:] = [word for word in sys.argv if word != '--long']
    # They wait more than they work.
    tap.main(4)
