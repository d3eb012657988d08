# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sound whose channels or coding need more than an AAC decoder's defaults: surround with its layout in a PCE, PCM, MP3, G.711."""

import subprocess

import heard
import kit
import tap


class LayoutsTest(kit.FieldCase):
    # Every channel but the low one has the voice, so that each mixdown has it, at a level of its own.
    LAYOUTS = {
        'stereo': 'stereo|FL=c0|FR=c0',
        'quad': 'quad|FL=c0|FR=c0|BL=c0|BR=c0',
        'back51': '5.1|FL=c0|FR=c0|FC=c0|LFE=0*c0|BL=c0|BR=c0',
        # Its positions are in a program config element: the header's channel configuration is 0.
        'side51': '5.1(side)|FL=c0|FR=c0|FC=c0|LFE=0*c0|SL=c0|SR=c0',
        'wide71': '7.1|FL=c0|FR=c0|FC=c0|LFE=0*c0|BL=c0|BR=c0|SL=c0|SR=c0',
    }

    def encoded(self, path, *options):
        subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-y', '-i', self.file, *options, '-f', 'flv', path],
                       check=True, timeout=60)
        return path

    def setUp(self):
        super().setUp()
        self.voice, sent = self.speech('carlo', 5)
        self.file = self.wav('voice', sent)

    def files(self):
        rows = {name: self.encoded(self.tmp / f'{name}.flv', '-af', f'pan={pan}', '-c:a', 'aac', '-b:a', '256k')
                for name, pan in self.LAYOUTS.items()}
        rows['pcm16'] = self.encoded(self.tmp / 'pcm16.flv', '-c:a', 'pcm_s16le', '-ar', '44100', '-ac', '1')
        rows['pcm16stereo'] = self.encoded(self.tmp / 'pcm16stereo.flv', '-c:a', 'pcm_s16le', '-ar', '22050', '-ac', '2')
        rows['pcm8'] = self.encoded(self.tmp / 'pcm8.flv', '-c:a', 'pcm_u8', '-ar', '44100', '-ac', '1')
        rows['mp3'] = self.encoded(self.tmp / 'mp3.flv', '-c:a', 'mp3', '-ar', '44100', '-b:a', '96k')
        rows['alaw'] = self.encoded(self.tmp / 'alaw.flv', '-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1')
        rows['mulaw'] = self.encoded(self.tmp / 'mulaw.flv', '-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1')
        return rows

    def check(self, sounds):
        for room, sound in sounds.items():
            with self.subTest(room):
                match = heard.match(self.voice, sound)
                print(f'{self.id()}: {room}: {match}')
                # A telephone's codec and eight bits have noise of their own.
                self.assertGreaterEqual(match.correlation, 0.9, str(match))
                self.assertEqual(match.gaps, [], str(match))
                self.assertLess(abs(match.drift), 20, str(match))
                # Six channels with one voice may be louder than one, or softer; not another voice.
                self.assertLess(abs(match.level), 9, str(match))
                self.assertEqual(heard.jumps(self.voice, sound, match.shift), [])

    def test_pushed(self):
        self.check(self.pushed({name: list(kit.tags(path.read_bytes())) for name, path in self.files().items()}))
        self.assertEqual({room: said for room, said in self.said.items() if said}, {})

    def test_files(self):
        self.check(self.sent({name: f'filesrc location={path}' for name, path in self.files().items()}))


if __name__ == '__main__':
    tap.main()
