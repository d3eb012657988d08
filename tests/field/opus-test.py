# SPDX-License-Identifier: LGPL-2.1-or-later
"""FLV whose sound is Opus in Enhanced RTMP's tags, into agorasink: as ffmpeg, OBS and agorasink itself send it.

kit.py has the packets of opusenc in tags of its own: neither Debian's ffmpeg nor its GStreamer writes them.
"""

import numpy

import heard
import kit
import tap
from rtmp import AUDIO, SCRIPT, VIDEO
from wsclient import Member

HOUR = 3600_000
WRAP = 1 << 32


def with_bodies(schedule, change):
    """The same with other bodies."""
    return [(*entry[:3], change(entry[3])) for entry in schedule]


def as_track(body):
    """The first one of two tracks: behind it is one of AAC."""
    data = body[5:]
    return (b'\x95' + bytes([0x20 | body[0] & 15]) + b'Opus\0' + len(data).to_bytes(3, 'big') + data +
            b'mp4a\1' + (3).to_bytes(3, 'big') + b'abc')


def behind_modifier(body):
    """Nanoseconds that are added to the timestamp."""
    return b'\x97\2' + bytes(3) + bytes([body[0] & 15]) + body[1:]


def unstamped(packet):
    """A packet of one frame without the wall clock that agorasink puts into its padding."""
    return bytes([packet[0] & 0xfc]) + packet[3:-13] if b'Agw1' in packet[-13:] else packet


class OpusTest(kit.FieldCase):
    def lengths(self):
        """Packets of any length, of any number of channels."""
        self.voice, sent = self.speech('carlo', 5)
        file, louder = self.wav('voice', sent), self.wav('louder', 1.4 * sent)
        return {name: kit.opus_spoken(*self.opus(path, ms, channels, *options), ms) for name, path, ms, channels, *options in (
            ('least', file, 2.5, 1), ('ten', file, 10, 1), ('sixty', file, 60, 1), ('stereo', file, 20, 2),
            # Mixed, which isn't as loud as the one channel that has all of it.
            ('surround', louder, 20, 6), ('eight', louder, 20, 8),
            # Streams of a length that the others don't tell.
            ('surround60', louder, 60, 6, 'bitrate-type=cbr bitrate=256000'),
            ('eightcbr', louder, 20, 8, 'bitrate-type=cbr bitrate=512000'))}

    def rows(self):
        self.voice, sent = self.speech('carlo', 5)
        head, packets = self.opus(self.wav('voice', sent))
        right = kit.opus_spoken(head, packets)
        stamps = [20 * number for number in range(len(packets))]

        def stamped(of):
            return kit.opus_spoken(head, packets, stamps=[of(stamp) for stamp in stamps])

        def beside(step, kind, body):
            return [(second * step, kind, round(second * step * 1000), body) for second in range(int(5 / step))]

        def mixed(*others):
            return sorted(right + sum(others, []), key=lambda entry: entry[0])
        return {
            'right': right,
            'headless': kit.opus_spoken(b'', packets),
            'heads': mixed(beside(1, AUDIO, kit.OPUS_HEAD + head)),
            'hours': stamped(lambda stamp: stamp + 4 * HOUR),
            'below': stamped(lambda stamp: stamp - 400),
            'wraps': stamped(lambda stamp: (stamp + WRAP - 3000) % WRAP),
            'anew': stamped(lambda stamp: stamp % 2000),
            'back1500': stamped(lambda stamp: stamp + 5000 - 1500 * (stamp >= 3000)),
            'zero': stamped(lambda stamp: 0),
            'track': with_bodies(right, as_track),
            'modifier': with_bodies(right, behind_modifier),
            'beside': mixed(beside(0.1, VIDEO, b'\xa1hvc1' + bytes(20)), beside(0.1, AUDIO, kit.AAC_FRAME + bytes(20)),
                            beside(0.1, AUDIO, b'\x95\x11Opus\1' + bytes(20)),
                            beside(1, SCRIPT, b'\2\0\x0aonMetaData\x08\0\0\0\0\0\0\x09')),
            # Cut off, empty, no packet, no head, and more than a tag may have.
            'broken': mixed(beside(0.1, AUDIO, b'\x91Op'), beside(0.1, AUDIO, kit.OPUS_PACKET), beside(0.1, AUDIO, b''),
                            beside(0.1, AUDIO, kit.OPUS_PACKET + b'\xff' * 3), beside(0.5, AUDIO, kit.OPUS_HEAD + b'OpusHead'),
                            beside(1, AUDIO, kit.OPUS_PACKET + bytes(300_000))),
        }

    def gains(self):
        """Too soft, by as much as the head makes it louder; 24 dB are the most."""
        self.voice, sent = self.speech('carlo', 5)
        rows = {}
        for name, decibels, said in (('louder', 12, 12 * 256), ('loudest', 24, 0x7fff)):
            head, packets = self.opus(self.wav(name, sent * 10 ** (-decibels / 20)))
            rows[name] = kit.opus_spoken(head[:16] + said.to_bytes(2, 'little') + head[18:], packets)
        return rows

    def files(self, rows, properties):
        lines = {}
        for name, schedule in rows.items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule))
            # No buffer is a tag.
            lines[name] = f'filesrc location={path} blocksize={777 if name == "right" else 4096}'
        sounds = self.sent(lines, properties)
        self.each_heard(self.voice, sounds)
        self.assertEqual(self.said, {name: [] for name in lines})

    def test_files(self):
        """Encoded as AAC, which is sent unless it is set otherwise."""
        self.files(self.rows(), '')

    def test_files_as_opus(self):
        self.files(self.rows(), 'codec=opus')

    def test_lengths(self):
        self.files(self.lengths(), '')

    def test_lengths_as_opus(self):
        self.files(self.lengths(), 'codec=opus')

    def test_gains(self):
        self.files(self.gains(), '')

    def test_gains_as_opus(self):
        self.files(self.gains(), 'codec=opus')

    def test_goes_out_as_it_came(self):
        """Who hears Opus gets what was in the tags, packet by packet; all are there."""
        _, sent = self.speech('june', 3)
        head, packets = self.opus(self.wav('voice', sent), 10)
        path = self.tmp / 'voice.flv'
        path.write_bytes(kit.flv(kit.opus_spoken(head, packets, 10)))
        kept = self.tmp / 'kept.ogg'
        keeper = self.line(f'agorasrc name=s expose-speakers=true {self.where()} ! fakesink sync=true '
                           f's.speaker_8 ! oggmux ! filesink async=false location={kept}', '-e', '-m')
        keeper.wait_line('New clock', 15)
        speaker = self.line(f'filesrc location={path} ! agorasink codec=opus {self.where(8)}')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        # Its last packets may still be on their way.
        keeper.wait_line(r'agora-stream-removed.*uid=\(uint\)8', 10)
        self.assertEqual(keeper.interrupt(10), 0, keeper.tail())
        _, _, *came = [unstamped(packet) for packet in kit.ogg_packets(kept.read_bytes())]
        # The first ones went before anybody could ask for them.
        self.assertGreater(len(came), len(packets) // 2)
        self.assertEqual(came, packets[-len(came):])

    def test_good_head_at_last(self):
        """A listener who has one first that nothing decodes."""
        voice, sent = self.speech('carlo', 5)
        head, packets = self.opus(self.wav('voice', numpy.concatenate([heard.silence(3), sent])))
        sent = kit.opus_spoken(head[:18] + bytes([3, 1, 0, 0]), packets)
        sounds = self.pushed({'late': sorted([*sent, (2.5, AUDIO, 2500, kit.OPUS_HEAD + head)], key=lambda entry: entry[0])})
        self.each_heard(voice, sounds)

    def test_live(self):
        """As an encoder brings it, through a pipe."""
        voice, sent = self.speech('june', 5)
        head, packets = self.opus(self.wav('voice', sent))
        late = [20 * number + 4 * HOUR for number in range(len(packets))]
        rows = {'right': kit.opus_spoken(head, packets), 'hours': kit.opus_spoken(head, packets, stamps=late),
                'anew': kit.opus_spoken(head, packets, stamps=[stamp % 2000 for stamp in late])}
        for properties in ('', 'codec=opus'):
            with self.subTest(properties):
                self.each_heard(voice, self.piped(rows, properties))
                self.assertEqual(self.said, {name: [] for name in rows})

    def test_relayed(self):
        """What rtmp2src has of one agorasink goes into another one: from the middle, and with a wall clock in the packets."""
        voice, sent = self.speech('carlo', 5)
        recorder = self.record(room='there')
        speaker = self.speak(self.wav('voice', numpy.concatenate([heard.silence(3), sent])), 7, 'here', 'codec=opus')
        member = Member(self.gate.ws, channel='here', uid=9, heartbeat=True)
        self.addCleanup(member.close)
        member.wait_answer(member.send_join('audience', features=['codecs'], hears=['opus', 'aac']))
        member.wait_event('stream-added', uid=7, timeout=10)
        played = member.must('subscribe', uid=7, options={'audio': True, 'video': True})
        self.assertEqual(played['codec'], 'opus')
        relay = self.line(f'rtmp2src location="{played["url"]}" ! agorasink {self.where(8, "there")}')
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        # It ends by itself, when the speaker's stream does.
        self.assertEqual(relay.wait(30), 0, relay.tail())
        self.assert_heard(voice, self.stop_recording(recorder))


if __name__ == '__main__':
    tap.main()
