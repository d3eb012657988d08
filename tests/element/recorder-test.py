# SPDX-License-Identifier: LGPL-2.1-or-later
"""agora-recorder: a file a speaker, all from one zero, that last through whatever happens. `--long` has an hour of it, or
AGORA_RECORDER_SECONDS."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from unittest import SkipTest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import numpy  # noqa: E402

import heard  # noqa: E402
import tap  # noqa: E402
from channel import ChannelCase  # noqa: E402
from harness import SCALE, Case  # noqa: E402

RECORDER = Path(os.environ['AGORA_BUILD_ROOT']) / 'gst' / 'recorder' / 'agora-recorder'
LONG = '--long' in sys.argv
# GStreamer and what plugins keep are not ours.
ENVIRONMENT = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}
ALIGNED = 2.0  # ms
# A file's sound goes out by its stamps, which opusenc makes earlier by what it looks ahead, and what a microphone said when its frame is
# whole: 5 ms are between. As it was sent it is placed by its first arrivals, too.
CODECS_ALIGNED = {'wav': 6.5, 'mka': 12.0}


def probe(path):
    done = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=codec_name', '-show_entries', 'format=duration',
                           '-of', 'default=nw=1:nk=1', path], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def decoded(path):
    """As heard.read(), but nothing of it may be broken, and by timestamps: what they are off by within a silence is made up for at
    once, as it is where they are off by a tenth of a second without this option."""
    done = subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-xerror', '-i', path, '-f', 'f32le', '-af',
                           'aresample=async=1:min_hard_comp=0.004:first_pts=0,pan=mono|c0=c0', '-ar', str(heard.RATE), '-'],
                          capture_output=True, timeout=120, check=False)
    if done.returncode or done.stderr:
        raise AssertionError(f'{path}: {done.returncode} {done.stderr.decode()}')
    return numpy.frombuffer(done.stdout, dtype='<f4').astype(numpy.float64)


def offsets(one, other, block=5.0):
    """How many ms `other` is behind `one`, block by block; silent ones tell nothing."""
    size, found = int(block * heard.RATE), []
    for begin in range(0, min(len(one), len(other)) - size, size):
        piece, beside = one[begin:begin + size], other[begin:begin + size]
        if numpy.sqrt(numpy.mean(piece ** 2)) > 0.01 and numpy.sqrt(numpy.mean(beside ** 2)) > 0.01:
            found.append(heard.shift(piece, beside, 0, 0.1) * 1000 / heard.RATE)
    return found


class RecorderCase(ChannelCase):
    def recorder(self, *options, folder='recorded', **keywords):
        process = self.start(RECORDER, f'--gateway={self.gate.ws}', '--app-id=demo', f'--channel={self.room}',
                             f'--folder={self.tmp / folder}', *options, env=ENVIRONMENT, **keywords)
        process.folder = Path(process.wait_line('^recording into (.*)$', which='out')[1])
        return process

    def sheet(self, recorder, name='cues.json'):
        return json.loads((recorder.folder / name).read_text())

    def seconds(self, recorder):
        """That the sheet tells of."""
        path = recorder.folder / 'cues.json'
        return json.loads(path.read_text())['seconds'] if path.exists() else 0

    def both(self, sound, first='', second=None):
        """The same sound by two members at once; with the properties of one for both, or its own for each."""
        path = self.wav(f'both-{time.monotonic_ns()}', sound)
        branches = ' '.join(f'both. ! queue ! agorasink {properties} {self.where(uid)}'
                            for uid, properties in ((8, first), (9, first if second is None else second)))
        return self.line(f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! identity sync=true ! tee name=both '
                         f'{branches}')

    def tracks(self, sheet):
        return {track.get('uid', 0): track for track in sheet['tracks']}

    def assert_aligned(self, found, most=ALIGNED):
        print(f'{self.id()}: {", ".join(f"{offset:+.2f}" for offset in found)} ms')
        self.assertTrue(found)
        # A sanitised build is late for blocks.
        if SCALE == 1:
            self.assertLessEqual(max(abs(offset) for offset in found), most)


class Recording(RecorderCase):
    def test_tracks_lie_side_by_side(self):
        """Three files a speaker, of 4 s to the sample; put together they are the whole, and as one another to 2 ms."""
        voice, sent = self.speech('allison', 9)
        recorder = self.recorder('--mix', '--rotate=4', '--depth=24')
        recorder.wait_line('.')
        speakers = self.both(sent)
        for uid in (8, 9):
            recorder.wait_line(f'^{uid} speaks$')
        self.assertEqual(speakers.wait(60), 0, speakers.tail())
        for uid in (8, 9):
            recorder.wait_line(f'^{uid} has stopped$')
        self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
        names = sorted(path.name for path in recorder.folder.glob('*.wav'))
        segments = sorted({int(re.search(r'-(\d{6})\.', name)[1]) for name in names})
        self.assertEqual(segments, list(range(len(segments))))
        self.assertGreaterEqual(len(segments), 3)
        whole = {}
        for who in ('speaker-8', 'speaker-9', 'mix'):
            pieces = []
            for segment in segments:
                path = recorder.folder / f'{who}-{segment:06}.wav'
                piece = heard.read(path) if path.exists() else None
                if segment < segments[-1]:
                    self.assertEqual(len(piece), 4 * heard.RATE, path.name)
                pieces.append(piece)
            whole[who] = numpy.concatenate([piece for piece in pieces if piece is not None])
        self.assert_heard(voice, whole['speaker-8'])
        self.assert_heard(voice, whole['speaker-9'])
        self.assert_aligned(offsets(whole['speaker-8'], whole['speaker-9'], 2.0))
        self.assert_aligned(offsets(whole['speaker-8'], whole['mix'], 2.0))
        with wave.open(str(recorder.folder / 'mix-000000.wav')) as file:
            self.assertEqual((file.getsampwidth(), file.getnchannels()), (3, 2))
        # No sheet has another one's files.
        listed = [file['name'] for segment in segments for track in self.sheet(recorder, f'cues-{segment:06}.json')['tracks']
                  for file in track['files']]
        self.assertEqual(sorted(listed), names)
        first = self.sheet(recorder, 'cues-000000.json')
        self.assertTrue(first['finished'])
        self.assertEqual(first['seconds'], 4)
        track = self.tracks(first)[8]
        self.assertAlmostEqual(track['speaks'][0][1], 4, delta=0.001)
        loudest = 20 * numpy.log10(numpy.abs(whole['speaker-8'][:4 * heard.RATE]).max())
        self.assertAlmostEqual(track['files'][0]['peak-db'], loudest, delta=0.1)

    def test_a_speaker_returns_in_another_format(self):
        """All of it stays in place, in one file each; as it was sent, too, where another codec is another file."""
        voice, sent = self.speech('june', 4)
        begin = {}
        recorders = {name: self.recorder(f'--format={name}', folder=name) for name in ('wav', 'flac', 'mka')}
        for properties in ('', 'codec=opus'):
            # Later than sound is held back: who returns sooner is a session that goes on.
            last = self.seconds(recorders['wav'])
            self.until(lambda last=last: self.seconds(recorders['wav']) > last + 2, 'two seconds')
            speakers = self.both(sent, properties)
            for name, recorder in recorders.items():
                mark = begin.get(name, 0)
                recorder.wait_line('^8 speaks$', since=mark)
                begin[name] = recorder.mark()
            self.assertEqual(speakers.wait(30), 0)
            for name, recorder in recorders.items():
                recorder.wait_line('^9 has stopped$', since=begin[name])
                begin[name] = recorder.mark()
        # All at once: each half of a recording has one of the two.
        for recorder in recorders.values():
            self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
        for name, recorder in recorders.items():
            with self.subTest(name):
                sheet = self.sheet(recorder)
                self.assertEqual(sheet['format'], name)
                tracks = self.tracks(sheet)
                self.assertEqual([len(tracks[uid]['speaks']) for uid in (8, 9)], [2, 2])
                sounds = []
                for uid in (8, 9):
                    files = [file['name'] for file in tracks[uid]['files']]
                    # Another codec can't be in the same file as it was sent.
                    parts = [f'speaker-{uid}.{name}', f'speaker-{uid}-part2.{name}'][:2 if name == 'mka' else 1]
                    self.assertEqual(files, parts)
                    pieces = [decoded(recorder.folder / part) for part in parts]
                    length = max(map(len, pieces))
                    sounds.append(sum(heard.moved(piece, 0, length) for piece in pieces))
                one, other = sounds
                if name == 'mka':
                    self.assertEqual(probe(recorder.folder / 'speaker-8-part2.mka')[0], 'opus')
                else:
                    self.assertEqual(len(one), len(other))
                    self.assertAlmostEqual(len(one) / heard.RATE, sheet['seconds'], delta=0.001)
                at = heard.shift(voice, one[:len(one) // 2])
                for sound in (one, other):
                    self.assert_heard(voice, sound[:at + len(voice) + heard.RATE], near=at)
                again = heard.shift(voice, one[at + len(voice):]) + at + len(voice)
                self.assert_heard(voice, one[again - heard.RATE:], near=heard.RATE)
                # By their stamps: agorasrc corrects those bit by bit.
                self.assert_aligned(offsets(one, other, 2.0), ALIGNED if name != 'mka' else 6.0)

    def test_codecs_lie_side_by_side(self):
        """One sound by AAC and by Opus: that one of them takes longer is taken out, decoded and as it was sent."""
        voice, sent = self.speech('june', 6)
        recorders = {name: self.recorder(f'--format={name}', folder=name) for name in ('wav', 'mka')}
        for recorder in recorders.values():
            recorder.wait_line('.')
        speakers = self.both(sent, '', 'codec=opus')
        self.assertEqual(speakers.wait(30), 0, speakers.tail())
        for name, recorder in recorders.items():
            with self.subTest(name):
                recorder.wait_line('^9 has stopped$')
                self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
                one, other = (decoded(recorder.folder / f'speaker-{uid}.{name}') for uid in (8, 9))
                for sound in (one, other):
                    self.assert_heard(voice, sound)
                self.assert_aligned(offsets(one, other, 2.0), CODECS_ALIGNED[name])

    def test_killed_it_leaves_files_that_play(self):
        """SIGKILL: each format can be read, as long as the recording was but for a second; so can the sheet."""
        voice, sent = self.speech('carlo', 9)
        formats = {'wav': 'wav', 'flac': 'flac', 'mka': 'mka', 'adts': 'aac', 'ogg': 'ogg'}
        recorders = {name: self.recorder(f'--format={name}', folder=name) for name in formats}
        # Five recorders that begin at once take their time to hear the first word.
        path = self.wav('voice', numpy.concatenate([heard.silence(2), sent]))
        self.speak(path, 8)
        self.speak(path, 9, properties='codec=opus')
        for recorder in recorders.values():
            recorder.wait_line('^8 speaks$')
            recorder.wait_line('^9 speaks$')
        self.until(lambda: self.seconds(recorders['wav']) > 8, 'eight seconds', 30)
        for name, recorder in recorders.items():
            recorder.signal(signal.SIGKILL)
            self.assertEqual(recorder.wait(), -signal.SIGKILL)
        for name, extension in formats.items():
            with self.subTest(name):
                sheet = self.sheet(recorders[name])
                self.assertFalse(sheet['finished'])
                # Ogg has no AAC: that is told of, not recorded. Who sends Opus sends AAC, too, to who hears that alone.
                for uid in {'ogg': (9,), 'adts': (8, 9)}.get(name, (8,)):
                    sound = decoded(recorders[name].folder / f'speaker-{uid}.{extension}')
                    # Sound is held back for a second, and the sheet may be a second old.
                    self.assertGreater(len(sound) / heard.RATE, sheet['seconds'] - 1 - 1)
                    # What had come by then is whole.
                    at = heard.shift(voice[:3 * heard.RATE], sound)
                    self.assert_heard(voice[:len(sound) - at - heard.RATE // 2], sound, near=at)

    def test_the_gateway_is_killed(self):
        """What was there is kept, the second of both parts is in its place, and the sheet tells of it."""
        voice, sent = self.speech('allison', 18)
        recorder = self.recorder('--mix')
        speaker = self.speak(self.wav('voice', sent), 8)
        recorder.wait_line('^8 speaks$')
        # Its first three seconds are in the file.
        self.until(lambda: self.seconds(recorder) > 6, 'six seconds', 30)
        address = self.gate.ws.split('/')[2]
        rtmp = self.gate.rtmp.split('/')[2]
        self.gate.signal(signal.SIGKILL)
        self.gate.wait()
        recorder.wait_line('reconnecting', which='err')
        killed = self.seconds(recorder)
        self.until(lambda: self.seconds(recorder) > killed + 2, 'two seconds', 30)
        self.gateway(f'--listen={address}', f'--rtmp-listen={rtmp}', '--app=demo', defaults=False)
        recorder.wait_line('^reconnected$', 30)
        self.assertEqual(speaker.wait(40), 0, speaker.tail())
        self.assertEqual(recorder.interrupt(10), 0, recorder.tail())
        # The library's own words for it aren't told beside.
        self.assertEqual(len(re.findall('reconnecting: the connection', recorder.output('err'))), 1, recorder.output('err'))
        sheet = self.sheet(recorder)
        self.assertIn('reconnecting', [event['what'] for event in sheet['events']])
        sound = heard.read(recorder.folder / 'speaker-8.wav')
        self.assertAlmostEqual(len(sound), sheet['seconds'] * heard.RATE, delta=1)
        # Its first and last words are as far apart as they were said.
        first = heard.shift(voice[:3 * heard.RATE], sound)
        last = heard.shift(voice[-2 * heard.RATE:], sound) - (len(voice) - 2 * heard.RATE)
        self.assertLess(abs(last - first) / heard.RATE, 0.1)
        self.assert_heard(voice[:3 * heard.RATE], sound, near=first)
        # The sheet has the loss: of the whole, and of who was heard, where the file is silent.
        self.assertEqual((sheet['reconnects'], len(sheet['away'])), (1, 1))
        track = self.tracks(sheet)[8]
        self.assertEqual(track['reconnects'], 1)
        (_, silent), (again, _) = track['speaks']
        # Speakers are told of a moment after their sound.
        self.assertEqual(numpy.abs(sound[int((silent + 0.1) * heard.RATE):int((again - 0.2) * heard.RATE)]).max(), 0)
        self.assertGreater(again - silent, 1)
        self.assertLess(sheet['away'][0][0], again)

    def test_what_a_format_doesnt_take(self):
        """Ogg, and one who sends AAC alone: told once, and no file; recorded from when Opus comes."""
        recorder = self.recorder('--format=ogg', '--duration=18')
        first = self.line(f'audiotestsrc is-live=true ! agorasink display-name=Anna {self.where(8)}')
        recorder.wait_line('8 sends AAC, which ogg doesn.t take: --format=mka takes both', which='err')
        self.until(lambda: self.seconds(recorder) > 4, 'four seconds', 30)
        self.assertEqual([path.name for path in recorder.folder.iterdir()], ['cues.json'])
        self.assertEqual(first.interrupt(10), 0, first.tail())
        recorder.wait_line('^8 has stopped$')
        self.line(f'audiotestsrc is-live=true ! agorasink display-name=Berta codec=opus {self.where(8)}')
        self.until((recorder.folder / 'speaker-8.ogg').exists, 'a file', 20)
        self.assertEqual(recorder.wait(30), 1, recorder.tail())
        self.assertEqual(sorted(path.name for path in recorder.folder.iterdir()), ['cues.json', 'speaker-8.ogg'])
        self.assertNotIn('Internal data', recorder.output('err'))
        sheet = self.sheet(recorder)
        track = self.tracks(sheet)[8]
        self.assertEqual((track['lost-seconds'], track['name']), (0, 'Berta'))
        events = [(event['what'], event.get('text')) for event in sheet['events']]
        self.assertEqual(events.count(('not-recorded', 'sends AAC, which ogg doesn\'t take')), 1)
        self.assertLess(events.index(('named', 'Anna')), events.index(('named', 'Berta')))

    def test_it_shows_levels_in_a_terminal(self):
        self.line(f'audiotestsrc is-live=true volume=0.5 ! agorasink {self.where(8)}')
        ours, theirs = pty.openpty()
        recorder = subprocess.Popen([RECORDER, f'--gateway={self.gate.ws}', '--app-id=demo', '--channel=room', '--duration=8',
                                     f'--folder={self.tmp}'], stderr=theirs, stdout=subprocess.DEVNULL, env={**os.environ, **ENVIRONMENT})
        self.addCleanup(recorder.kill)
        os.close(theirs)
        text = b''
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # its other end is closed
                break
            if not piece:
                break
            text += piece
        os.close(ours)
        self.assertEqual(recorder.wait(20), 0, text)
        levels = [float(level) for level in re.findall(rb'00:00:0\d  [\d.]+ GB free  8 [#.]{6} +(-?\d+)', text)]
        self.assertTrue(levels, text)
        self.assertAlmostEqual(max(levels), -6, delta=2)
        # The last word leaves no half line behind.
        self.assertTrue(text.endswith(b'\r\x1b[K'), text)

    def test_no_more_than_it_was_told(self):
        recorder = self.recorder('--max-speakers=1', '--duration=10')
        self.line(f'audiotestsrc is-live=true ! agorasink {self.where(8)}')
        recorder.wait_line('^8 speaks$')
        self.line(f'audiotestsrc is-live=true ! agorasink {self.where(9)}')
        recorder.wait_line('9 isn.t recorded', which='err')
        self.assertEqual(recorder.wait(30), 0, recorder.tail())
        self.assertEqual(sorted(path.name for path in recorder.folder.iterdir()), ['cues.json', 'speaker-8.wav'])
        self.assertEqual(self.sheet(recorder)['seconds'], 10)
        with wave.open(str(recorder.folder / 'speaker-8.wav')) as file:
            self.assertEqual(file.getnframes(), 10 * heard.RATE)
        self.assertIn('not-recorded', [event['what'] for event in self.sheet(recorder)['events']])


class FullDisk(RecorderCase):
    """On a file system of eight megabytes."""

    def setUp(self):
        super().setUp()
        self.disk = self.tmp / 'disk'
        self.disk.mkdir()
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', self.disk], capture_output=True, check=False)
        if done.returncode:
            raise SkipTest('no file system may be mounted')
        self.addCleanup(subprocess.run, ['umount', '-l', self.disk], check=True)
        self.line(f'audiotestsrc is-live=true wave=ticks volume=0.5 ! agorasink {self.where(8)}')

    def ballast(self, free):
        """Leaves so many bytes free; 0: none, whatever was written meanwhile."""
        room = os.statvfs(self.disk)
        path = self.disk / 'ballast'
        with contextlib.suppress(OSError) if free == 0 else contextlib.nullcontext():
            path.write_bytes(b'\1' * (room.f_bavail * room.f_frsize - free))
        return path

    def test_it_stops_in_time_and_goes_on(self):
        recorder = self.recorder('--min-free=1', folder='disk')
        recorder.wait_line('^8 speaks$')
        self.until(lambda: self.seconds(recorder) > 2, 'two seconds', 20)
        ballast = self.ballast(1 << 20)
        recorder.wait_line('less than 1 MiB are free', 20, which='err')
        size = (recorder.folder / 'speaker-8.wav').stat().st_size
        full = self.sheet(recorder)['seconds']
        self.until(lambda: self.seconds(recorder) > full + 1.5, 'a sheet on a full disk', 20)
        self.assertEqual((recorder.folder / 'speaker-8.wav').stat().st_size, size)
        ballast.unlink()
        recorder.wait_line('room on the disk again', 20, which='err')
        again = self.sheet(recorder)['seconds']
        self.until(lambda: self.seconds(recorder) > again + 2, 'two seconds more', 20)
        # Some of it is lost, and it says so.
        self.assertEqual(recorder.interrupt(10), 1, recorder.tail())
        sheet = self.sheet(recorder)
        self.assertTrue(sheet['finished'])
        happened = [event['what'] for event in sheet['events']]
        self.assertLess(happened.index('disk-full'), happened.index('room-again'))
        lost = self.tracks(sheet)[8]['files'][0]['lost-seconds']
        sound = heard.read(recorder.folder / 'speaker-8.wav')
        self.assertAlmostEqual(len(sound), sheet['seconds'] * heard.RATE, delta=1)
        # A tick each second, in its place on both sides of the hole.
        ticks = numpy.flatnonzero(numpy.abs(sound) > 0.2) / heard.RATE
        phases = (ticks - ticks[0]) % 1
        print(f'{self.id()}: ticks at {ticks[numpy.diff(ticks, prepend=-1) > 0.1]}')
        self.assertLess(numpy.minimum(phases, 1 - phases).max(), 0.05)
        longest = max(numpy.diff(ticks))
        self.assertGreater(longest, 1.5)
        self.assertAlmostEqual(longest, lost, delta=2.1)

    def test_a_disk_that_is_full_to_the_last_byte(self):
        """Without a reserve: what is there plays, but for a second, and the program lives on."""
        formats = {'wav': 'wav', 'flac': 'flac', 'mka': 'mka', 'ogg': 'ogg', 'adts': 'aac'}
        self.line(f'audiotestsrc is-live=true wave=ticks volume=0.5 ! agorasink codec=opus {self.where(9)}')
        recorders = {name: self.recorder('--min-free=0', f'--format={name}', folder=f'disk/{name}') for name in formats}
        for recorder in recorders.values():
            recorder.wait_line('^8 speaks$')
            recorder.wait_line('^9 speaks$')
        self.until(lambda: all(self.seconds(recorder) > 3 for recorder in recorders.values()), 'three seconds', 30)
        self.ballast(0)
        for recorder in recorders.values():
            recorder.wait_line('agora-recorder: speaker-', 30, which='err')
        for name, extension in formats.items():
            with self.subTest(name):
                recorder = recorders[name]
                self.assertEqual(recorder.interrupt(20), 1, recorder.tail())
                uid = 9 if name == 'ogg' else 8
                sound = heard.read(recorder.folder / f'speaker-{uid}.{extension}')
                self.assertGreater(len(sound) / heard.RATE, 1)
                self.assertGreater(numpy.abs(sound).max(), 0.2, self.sheet(recorder))

    def test_files_that_fail(self):
        """What falls between one file and the next is counted; none stays that holds nothing."""
        for name, extension in (('adts', 'aac'), ('mka', 'mka')):
            with self.subTest(name):
                recorder = self.recorder('--min-free=0', f'--format={name}', folder=f'disk/{name}')
                recorder.wait_line('^8 speaks$')
                self.until(lambda recorder=recorder: self.seconds(recorder) > 3, 'three seconds', 30)
                ballast = self.ballast(0)
                recorder.wait_line('agora-recorder: speaker-8', 30, which='err')
                mark = recorder.mark()
                recorder.wait_line('agora-recorder: speaker-8', 30, which='err', since=mark)
                ballast.unlink()
                second = recorder.folder / f'speaker-8-part2.{extension}'
                self.until(lambda second=second: second.exists() and second.stat().st_size > 2000, 'another file', 30)
                again = self.seconds(recorder)
                self.until(lambda recorder=recorder, again=again: self.seconds(recorder) > again + 4, 'a sheet', 30)
                self.assertEqual(recorder.interrupt(10), 1, recorder.tail())
                self.assertEqual(sorted(path.name for path in recorder.folder.iterdir()),
                                 ['cues.json', f'speaker-8-part2.{extension}', f'speaker-8.{extension}'])
                sheet = self.sheet(recorder)
                track = self.tracks(sheet)[8]
                first, second = track['files']
                self.assertAlmostEqual(first['lost-seconds'] + second['lost-seconds'], track['lost-seconds'], delta=0.001)
                # Where the second file has its first sound.
                sound = decoded(recorder.folder / second['name'])
                begin = numpy.flatnonzero(numpy.abs(sound) > 0.01)[0] / heard.RATE
                ended = len(heard.read(recorder.folder / first['name'])) / heard.RATE
                self.assertGreater(track['lost-seconds'], 5)
                # A tick a second, and half a second of which a file doesn't know whether it was written.
                self.assertAlmostEqual(track['lost-seconds'], begin - ended, delta=1.7)
                self.assertAlmostEqual(track['lost'][0][0], ended, delta=0.7)


class Refusals(Case):
    def test_options_that_cant_be(self):
        for options, why in (
                ((), '--app-id and --channel'),
                (('--app-id=a',), '--app-id and --channel'),
                (('--app-id=a', '--channel=b', 'agora://h/a/b'), 'in the URI already'),
                (('agora://h/a/b', 'agora://h/a/b'), 'one URI'),
                (('agora://h/a/b', '--format=mp3'), '--format is'),
                (('agora://h/a/b', '--format=ogg', '--mix'), '--mix needs'),
                (('agora://h/a/b', '--format=mka', '--depth=24'), '--depth need'),
                (('agora://h/a/b', '--format=ogg', '--channels=1'), '--depth need'),
                (('agora://h/a/b', '--rotate=1'), '--rotate is'),
                (('agora://h/a/b', '--depth=32'), '--depth is'),
                (('agora://h/a/b', '--channels=6'), '--channels is'),
                (('agora://h/a/b', '--uid=4294967296'), '--uid is'),
                (('agora://h/a/b', '--max-speakers=0'), '--max-speakers is'),
                (('agora://h/a/b', '--latency=5'), '--latency is'),
                (('agora://h/a/b', '--duration=9999999'), '--duration is'),
                (('agora://h/a/b', '--token-file=/nowhere'), '/nowhere'),
                (('agora://h/a/b', '--token-file=/dev/null', '--token=x'), 'exclude each other')):
            with self.subTest(options=options):
                process = self.start(RECORDER, *options, cwd=self.tmp)
                self.assertEqual(process.wait(), 2, process.tail())
                self.assertIn(why, process.output('err'))
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_what_cant_be_recorded(self):
        gateway = self.gateway()
        for options, why in (
                ((f'--gateway={gateway.ws}', '--app-id=other', '--channel=room', f'--folder={self.tmp / "a"}'), 'other'),
                (('http://127.0.0.1/a/b', f'--folder={self.tmp / "b"}'), 'agora'),
                ((f'--gateway={gateway.ws}', '--app-id=demo', '--channel=room', '--folder=/proc/nowhere'), '/proc/nowhere')):
            with self.subTest(options=options):
                process = self.start(RECORDER, *options, cwd=self.tmp, env=ENVIRONMENT)
                self.assertEqual(process.wait(20), 1, process.tail())
                self.assertIn(why, process.output('err'))
        self.assertIn('agora-recorder 0', subprocess.run([RECORDER, '--version'], capture_output=True, text=True, check=True).stdout)


class AnHour(RecorderCase):
    """With --long alone."""

    def setUp(self):
        if not LONG:
            raise SkipTest('an hour: --long')
        super().setUp()

    def looped(self, sound):
        """Two members who say the same over and over: no file has to be as long as the recording."""
        path = self.tmp / 'minute.raw'
        path.write_bytes((numpy.clip(sound, -1, 1) * 32767).astype('<i2').tobytes())
        branches = ' '.join(f'both. ! queue ! agorasink {self.where(uid)}' for uid in (8, 9))
        return self.line(f'multifilesrc location={path} loop=true ! rawaudioparse format=pcm pcm-format=s16le sample-rate={heard.RATE} '
                         f'num-channels=1 ! audioconvert ! audioresample ! identity sync=true ! tee name=both {branches}')

    def test_tracks_stay_together(self):
        seconds = int(os.environ.get('AGORA_RECORDER_SECONDS', '3600'))
        speakers = self.looped(self.speech('allison', 60)[1])
        recorder = self.recorder('--mix', f'--duration={seconds}')
        self.assertEqual(recorder.wait(seconds + 60), 0, recorder.tail())
        speakers.interrupt()
        tracks = []
        for name, channels in (('speaker-8', 1), ('speaker-9', 1), ('mix', 2)):
            path = recorder.folder / f'{name}.wav'
            codec, duration = probe(path)
            self.assertEqual((codec, float(duration)), ('pcm_s16le', seconds))
            # The sound begins there, in RF64, too.
            tracks.append(numpy.memmap(path, dtype='<i2', mode='r', offset=80).reshape(-1, channels)[:, 0])
        beside, mixed = [], []
        for begin in range(0, seconds * heard.RATE, 30 * heard.RATE):
            one, other, mix = (track[begin:begin + 30 * heard.RATE] / 32768 for track in tracks)
            beside += offsets(one, other, 14.9)
            mixed += offsets(one, mix, 14.9)
        self.assert_aligned(beside)
        self.assert_aligned(mixed)


if __name__ == '__main__':
    if LONG:
        sys.argv.remove('--long')
    # They wait far more than they work.
    tap.main(1 if LONG else 4)
