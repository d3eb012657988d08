# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of AAC by their facts: samples a frame, sample rate, and which of the ways tells of spectral band replication.

data/ has five seconds of `carlo` (heard.py) as AAC-LD, AAC-ELD and HE-AAC, encoded with libfdk_aac: nothing in Debian's main does.
"""

import subprocess
from pathlib import Path

import kit
import heard
import tap

DATA = Path(__file__).resolve().parent / 'data'
# HE-AAC by its AudioSpecificConfig, 24 kHz of which the decoder makes 48 kHz; the frames are the same.
HIGH_EFFICIENCY = {
    'he': '2b098800',         # object type 5: SBR, said first
    'implicit': '1308',       # AAC-LC at 24 kHz and no word of it
    'compatible': '130856e598',  # AAC-LC, and SBR in the extension behind it
    'hev2': 'eb098800',       # object type 29: SBR, and parametric stereo where the frames have it
}


class CodecsTest(kit.FieldCase):
    def schedules(self):
        rows = {name: list(kit.tags((DATA / f'{name}.flv').read_bytes())) for name in ('ld', 'eld')}
        he = list(kit.tags((DATA / 'he1.flv').read_bytes()))
        for name, configuration in HIGH_EFFICIENCY.items():
            rows[name] = [(at, kind, stamp, kit.AAC_CONFIGURATION + bytes.fromhex(configuration)
                           if body[:2] == kit.AAC_CONFIGURATION else body) for at, kind, stamp, body in he]
        _, configuration, frames = self.aac_speech('carlo', 5)
        return {'lc': kit.spoken(configuration, frames), **rows}

    def check(self, sounds):
        self.each_heard(heard.voice('carlo', 5), sounds)

    def test_pushed(self):
        self.check(self.pushed(self.schedules()))

    def test_flv_files(self):
        lines = {}
        for name, schedule in self.schedules().items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule, flags=4))
            lines[name] = f'filesrc location={path}'
        self.check(self.sent(lines))

    def test_mp4_files(self):
        """AAC with its configuration in the caps, as a demuxer or a capture card gives it."""
        lines = {}
        for name in ('ld', 'eld', 'he1'):
            path = self.tmp / f'{name}.m4a'
            subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-i', DATA / f'{name}.flv', '-c', 'copy', path],
                           check=True, timeout=60)
            lines[name] = f'filesrc location={path} ! qtdemux'
        self.check(self.sent(lines))


if __name__ == '__main__':
    tap.main()
