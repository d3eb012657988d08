# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a decoder can't play, what no demuxer knows, and what is no sound: heard where it can be, else one WARNING says why."""

import os
from unittest import mock

import heard
import kit
import tap
from rtmp import AUDIO, SCRIPT, VIDEO

LASTING = 8  # seconds; the warning comes after 5


def each(tag, ms, seconds=LASTING, kind=AUDIO):
    """The same tag over and over."""
    return [(at / 1000, kind, at, tag) for at in range(0, seconds * 1000, ms)]


def wrapped(letters, kind):
    """AAC in one of the ways that Enhanced RTMP has; `kind` makes the head of a body of its type and the letters."""
    return lambda schedule: [(at, what, stamp, kind(body[1], letters) + body[2:]) for at, what, stamp, body in schedule]


class HeardTest(kit.FieldCase):
    """Of Enhanced RTMP, behind an odd beginning, in long tags: as players play it."""

    def rows(self):
        self.voice, config, frames = self.aac_speech('carlo', 5)
        right = kit.spoken(config, frames)
        return {
            'plain': wrapped(b'mp4a', lambda kind, letters: bytes([0x90 | kind]) + letters)(right),
            'modifier': wrapped(b'mp4a', lambda kind, letters: bytes([0x97, 2, 0, 0, 5, kind]) + letters)(right),
            'track': wrapped(b'mp4a', lambda kind, letters: bytes([0x95, kind]) + letters + b'\0')(right),
            'odd': [(0, AUDIO, 0, b'\x2f' + bytes(40)), *right],
            'broken': [(0, AUDIO, 0, kit.AAC_CONFIGURATION + b'\1\x88'), *right],
        }

    def long_tags(self, milliseconds):
        """PCM of 44.1 kHz in stereo."""
        _, sent = self.speech('carlo', 5)
        data = kit.ffmpeg(sent, '-c:a', 'pcm_s16le', '-f', 's16le', '-ar', '44100', '-af', 'pan=stereo|c0=c0|c1=c0')
        size = 44100 * 4 * milliseconds // 1000
        return [((number + 1) * milliseconds / 1000, AUDIO, number * milliseconds, b'\x3f' + data[number * size:(number + 1) * size])
                for number in range(len(data) // size)]

    def test_pushed(self):
        rows = self.rows()
        sounds = self.pushed({**rows, 'long': self.long_tags(1000)}, long=2000)
        self.each_heard(self.voice, sounds)
        self.assertFalse(any(self.said.values()), self.said)

    def test_files(self):
        lines = {}
        for name, schedule in {**self.rows(), 'long': self.long_tags(1000)}.items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule, flags=4))
            lines[name] = f'filesrc location={path}'
        self.each_heard(self.voice, self.sent(lines))
        self.assertFalse(any(self.said.values()), self.said)


class ToldTest(kit.FieldCase):
    def test_pushed(self):
        """Each is silent, and one warning has the word."""
        _, config, frames = self.aac_speech('carlo', LASTING)

        def configured(text):
            return kit.spoken(bytes.fromhex(text), frames)
        rows = {
            'usac': (configured('f94610'), 'xHE-AAC'), 'als': (configured('f8868000'), 'ALS'),
            'rate': (configured('1688'), 'no sample rate'), 'channels': (configured('1180'), 'no channels'),
            'type': (configured('0188'), 'no object type'),
            'format': (each(b'\xcf' + bytes(60), 20), 'SoundFormat 12'),
            'flac': (each(b'\x91fLaC' + bytes(60), 20), 'fLaC'),
            'mp3': (each(b'\x2f' + bytes(200), 20), 'MP3'),
            'opus': (each(b'\x91Opus' + b'\xff' * 3, 20), 'Opus'),
            'opushead': (each(kit.OPUS_HEAD + b'OpusHead\1\4' + bytes(8) + bytes([3, 4, 0, 0, 1, 2, 3]), 500) +
                         each(b'\x91Opus\xf8\xff\xfe', 20), 'channel mapping family 3'),
            'tiny': (each(b'\x91', 20), 'sound'), 'empty': (each(kit.AAC_FRAME, 20), 'empty'),
            'huge': (each(b'\x3f' + bytes(300_000), 1000), '300001'),
            'configuration': (each(kit.AAC_CONFIGURATION + config, 100), 'configuration'),
            'script': (each(b'\2\0\x0aonMetaData\x08\0\0\0\0\0\0\x09', 100, kind=SCRIPT), 'script'),
            'video': (each(b'\x17\1\0\0\0' + bytes(200), 40, kind=VIDEO), 'video'),
        }
        # With it the listener says whom it has lost.
        with mock.patch.dict(os.environ, GST_DEBUG='agorasrc:4', GST_DEBUG_NO_COLOR='1'):
            sounds = self.pushed({name: row[0] for name, row in rows.items()})
        for name, (_, word) in rows.items():
            with self.subTest(name):
                lost = [line for line in self.listener.output().splitlines() if f'<{name}>' in line and 'lost the sound' in line]
                self.assertLess(len(lost), 2, 'a session for each try')
                self.assertLess(abs(sounds[name]).max(), 1e-4)
                self.assertEqual(len(self.said[name]), 1, self.said[name])
                self.assertIn(word, self.said[name][0])

    def test_turned(self):
        """Heard for 4 s, then not: told each time; and heard again, where that can be."""
        voice, config, frames = self.aac_speech('carlo', 14)
        right = kit.spoken(config, frames)
        turn, back = round(4 * heard.RATE / kit.FRAME), round(11 * heard.RATE / kit.FRAME)

        def between(schedule, change):
            return [entry if not turn < number < back else (*entry[:3], change(entry[3])) for number, entry in enumerate(schedule)]
        again = list(right)
        for number, text in ((back, config), (turn, bytes.fromhex('f94610'))):
            again.insert(number, (*right[number][:3], kit.AAC_CONFIGURATION + text))
        rows = {'format': (between(right, lambda body: b'\xcf' + body[1:]), 'SoundFormat 12'),
                'mp3': (between(right, lambda body: b'\x2f\xff\xfb\x90\x64' + bytes(413)), 'MP3'),
                'usac': (again, 'xHE-AAC')}
        sounds = self.pushed({name: row[0] for name, row in rows.items()})
        for name, (_, word) in rows.items():
            with self.subTest(name):
                self.assert_heard(voice[:int(2.8 * heard.RATE)], sounds[name])
                self.assert_heard(voice[12 * heard.RATE:], sounds[name])
                self.assertEqual(len(self.said[name]), 1, self.said[name])
                self.assertIn(word, self.said[name][0])

    def test_files(self):
        """agorasink ends with an ERROR that has the word."""
        _, config, frames = self.aac_speech('carlo', 5)

        def opus_head(channels, family):
            return b'OpusHead\1' + bytes([channels, 0, 0]) + heard.RATE.to_bytes(4, 'little') + bytes([0, 0, family])
        # 20 ms of mono in which nothing is said.
        packets = [b'\xf8\xff\xfe'] * 100
        surround = [(3, AUDIO, 3000, kit.OPUS_HEAD + opus_head(6, 1) + bytes([4, 2, 0, 4, 1, 2, 3, 5]))]
        rows = {'usac': (kit.spoken(bytes.fromhex('f94610'), frames), 'xHE-AAC'),
                'rate': (kit.spoken(bytes.fromhex('1688'), frames), 'no sample rate'),
                'channels': (kit.spoken(bytes.fromhex('1180'), frames), 'no channels'),
                'type': (kit.spoken(bytes.fromhex('0188'), frames), 'no object type'),
                'huge': (each(b'\x3f' + bytes(300_000), 1000, 3), '300001'),
                'opus': (each(kit.OPUS_PACKET + b'\xff' * 3, 20, 3), 'Opus'),
                'channels8': (kit.opus_spoken(opus_head(8, 0), packets), '8 channels of mapping family 0'),
                'family3': (kit.opus_spoken(opus_head(4, 3) + bytes([4, 0, 0, 1, 2, 3]), packets), 'mapping family 3'),
                'table': (kit.opus_spoken(opus_head(6, 1), packets), '6 channels of mapping family 1 take 27'),
                'turned': (kit.opus_spoken(opus_head(1, 0), packets) + surround, 'mapping family 1, and the one before it 0'),
                'late': (kit.opus_spoken(b'', packets) + surround, 'taken for family 0'),
                'video': (each(b'\x17\1\0\0\0' + bytes(200), 40, 3, VIDEO), 'video')}
        speakers = {}
        for name, (schedule, _) in rows.items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule))
            speakers[name] = self.line(f'filesrc location={path} ! agorasink {self.where(8, name)}')
        for name, (_, word) in rows.items():
            with self.subTest(name):
                self.assertEqual(speakers[name].wait(20), 1, speakers[name].tail())
                errors = [line for line in speakers[name].output().splitlines() if line.startswith('ERROR: from') and 'GstAgoraSink' in line]
                self.assertEqual(len(errors), 1, speakers[name].tail())
                self.assertIn(word, errors[0])


if __name__ == '__main__':
    tap.main()
