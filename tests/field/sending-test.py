# SPDX-License-Identifier: LGPL-2.1-or-later
"""Timestamps that don't fit the sound, on the way into agorasink: from files, and live.

stamps-test.py has those of other senders, which only agorasrc sees.
"""

import subprocess

import heard
import kit
import tap

HOUR = 3600_000
JUMP = 3.0  # seconds until the timestamps of a live row change


class SendingTest(kit.FieldCase):
    def file(self, name, data):
        path = self.tmp / name
        path.write_bytes(data)
        return f'filesrc location={path}'

    def test_files(self):
        voice, sent = self.speech('carlo', 5)
        configuration, frames = kit.aac(sent)
        right = kit.exact(len(frames))
        half = len(frames) // 2
        rows = {
            'right': right,
            'startzero': [max(0, stamp - 400) for stamp in right],
            'back1500': [stamp + 5000 - 1500 * (at >= half) for at, stamp in enumerate(right)],
            'back500': [stamp + 500 * (at < 60) for at, stamp in enumerate(right)],
            'anew': [stamp % 2000 for stamp in right],
            'hole': [stamp + 3000 * (at >= half) for at, stamp in enumerate(right)],
        }
        lines = {name: self.file(f'{name}.flv', kit.flv(kit.spoken(configuration, frames, stamps), 4))
                 for name, stamps in rows.items()}
        # PCM, whose frames an encoder has to bring together.
        pcm = kit.ffmpeg(sent, '-f', 's16le', '-ar', '44100')
        size = 44100 // 50 * 2
        pieces = [pcm[at:at + size] for at in range(0, len(pcm) - size, size)]
        for name, stamp in {'pcmback': lambda at: 20 * at + 5000 - 1500 * (at >= len(pieces) // 2),
                            'pcmanew': lambda at: 20 * at % 2000}.items():
            lines[name] = self.file(f'{name}.flv', kit.flv(
                [(at * 0.02, kit.AUDIO, stamp(at), b'\x3e' + piece) for at, piece in enumerate(pieces)], 4))
        # Below zero, where a demuxer puts no frame.
        mka = self.tmp / 'below.mka'
        subprocess.run(['ffmpeg', '-v', 'error', '-itsoffset', '-0.4', '-i', self.wav('voice', sent), '-c:a', 'aac',
                        '-avoid_negative_ts', 'disabled', mka], check=True, timeout=60)
        lines['below'] = f'filesrc location={mka} ! matroskademux'
        # A header of ADTS in each tag.
        lines['adts'] = self.file('adts.flv', kit.flv(kit.spoken(
            configuration, [header + frame for header, frame in kit.adts_frames(kit.adts(sent))]), 4))
        sounds = self.sent(lines)
        hole = sounds.pop('hole')
        self.each_heard(voice, sounds)
        # A real one takes its time, and nothing is said of it.
        self.assertLess(abs(self.parts(voice, hole, half * kit.FRAME / heard.RATE) - 3), 0.04)
        self.assertEqual(self.said, {name: [] for name in lines})

    def parts(self, voice, sound, second):
        """Both parts of a voice are there; by how much later the second one is, which begins at `second` of what is sent."""
        at, margin = round((second - kit.LEAD) * heard.RATE), heard.RATE // 10
        first = self.assert_heard(voice[:at - margin], sound)
        rest = self.assert_heard(voice[at + margin:], sound)
        return (rest.shift - at - margin - first.shift) / heard.RATE

    def test_live(self):
        """Going back is heard whole; so is what jumps far ahead, but for the moment until that shows."""
        voice, configuration, frames = self.aac_speech('carlo', 6)
        right = kit.exact(len(frames))
        jump = round(JUMP * heard.RATE / kit.FRAME)

        def moved(by):
            return [stamp + 4 * HOUR + by * (at >= jump) for at, stamp in enumerate(right)]

        rows = {'right': right, 'startzero': [max(0, stamp - 400) for stamp in right], 'back1500': moved(-1500),
                'anew': [stamp % 2000 for stamp in right], 'ahead8s': moved(8000), 'ahead3h': moved(3 * HOUR)}
        sounds = self.piped({room: kit.spoken(configuration, frames, stamps) for room, stamps in rows.items()})
        jumped = {room: sounds.pop(room) for room in ('ahead8s', 'ahead3h')}
        self.each_heard(voice, sounds)
        for room, sound in jumped.items():
            with self.subTest(room):
                later = self.parts(voice, sound, JUMP)
                print(f'{room}: later by {later * 1000:.0f} ms from there on')
                self.assertGreater(later, -0.05)
                self.assertLess(later, 0.6)
        for room, lines in self.said.items():
            with self.subTest(f'{room} says'):
                self.assertEqual(len(lines), room in jumped, lines)
                self.assertTrue(all('timestamps jumped ahead by' in line for line in lines), lines)


if __name__ == '__main__':
    tap.main()
