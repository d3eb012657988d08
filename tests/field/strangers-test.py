# SPDX-License-Identifier: LGPL-2.1-or-later
"""What nobody asked for beside the voice, which must not touch it: pictures of any codec, other tracks, script data."""

import kit
import tap
from rtmp import AUDIO, SCRIPT, VIDEO


def amf_string(text):
    return b'\2' + len(text).to_bytes(2, 'big') + text


def picture(first, key, other):
    """Ten pictures a second beside the voice: a header, key pictures, others."""
    def add(schedule):
        seconds = schedule[-1][0]
        return [(0, VIDEO, 0, first)] + [
            (number * 0.1, VIDEO, number * 100, key if number % 10 == 0 else other) for number in range(int(seconds * 10))]
    return add


def every(kind, body, step=0.1):
    """The same tag again and again."""
    def add(schedule):
        return [(number * step, kind, round(number * step * 1000), body) for number in range(int(schedule[-1][0] / step))]
    return add


# A plain picture codec is the control: what a demuxer of 2008 knows.
STRANGERS = {
    'h263': picture(b'\x12' + bytes(20), b'\x12' + bytes(20), b'\x22' + bytes(20)),
    # H.265 under a codec id of its own, as cameras of one part of the world push it.
    'hevc12': picture(b'\x1c\0\0\0\0' + bytes(23), b'\x1c\1\0\0\0' + bytes(20), b'\x2c\1\0\0\0' + bytes(20)),
    # Enhanced RTMP: a four-character code.
    'hvc1': picture(b'\x90hvc1' + bytes(23), b'\x91hvc1\0\0\0' + bytes(20), b'\xa1hvc1\0\0\0' + bytes(20)),
    'av01': picture(b'\x90av01\x81\0\x0c\0', b'\x91av01' + bytes(20), b'\xa1av01' + bytes(20)),
    'vp09': picture(b'\x90vp09' + bytes(12), b'\x91vp09' + bytes(20), b'\xa1vp09' + bytes(20)),
    # A picture that is cut off after its first byte, or has none.
    'cut': every(VIDEO, b'\x17'),
    # Enhanced RTMP's audio: another track, in a format that older readers take for "reserved".
    'track9': every(AUDIO, b'\x95\x11mp4a\1' + bytes(24)),
    'opus9': every(AUDIO, b'\x91Opus' + bytes(24)),
    # A second track of another old codec, and formats that nobody defined.
    'speex': every(AUDIO, b'\xb2' + bytes(42)),
    'format12': every(AUDIO, b'\xcf' + bytes(24)),
    'empty': every(AUDIO, b''),
    # Script data: an array that says it is longer than it is, an unknown marker, nothing.
    'script_cut': every(SCRIPT, amf_string(b'onMetaData') + b'\x08\0\0\xff\xff' + b'\0\x05width'),
    'script_marker': every(SCRIPT, amf_string(b'onTextData') + b'\x7f\xff\xff'),
    'script_bare': every(SCRIPT, b'\x02'),
}


class StrangersTest(kit.FieldCase):
    def rows(self, names=STRANGERS):
        self.voice, configuration, frames = self.aac_speech('carlo', 5)
        alone = kit.spoken(configuration, frames)
        return {name: sorted(alone + STRANGERS[name](alone), key=lambda entry: entry[0]) for name in names}

    def test_pushed(self):
        # nginx-rtmp itself closes a session whose metadata it can't read.
        sounds = self.pushed(self.rows([name for name in STRANGERS if name not in ('script_cut', 'script_bare')]))
        self.each_heard(self.voice, sounds)

    def test_files(self):
        """The same as FLV files into agorasink."""
        lines = {}
        for name, schedule in self.rows().items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule))
            lines[name] = f'filesrc location={path}'
        self.each_heard(self.voice, self.sent(lines))

    def test_a_tag_of_no_kind(self):
        """FLV has three kinds of tags; a file with a fourth goes on at the next."""
        voice, configuration, frames = self.aac_speech('june', 5)
        alone = kit.spoken(configuration, frames)
        path = self.tmp / 'kind.flv'
        path.write_bytes(kit.flv(sorted(alone + every(15, bytes(30))(alone), key=lambda entry: entry[0])))
        self.each_heard(voice, self.sent({'kind': f'filesrc location={path}'}))


if __name__ == '__main__':
    tap.main()
