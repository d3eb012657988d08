# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the field's inputs are made of: AAC frames, FLV tags in any rhythm with any timestamps, and many rooms at once.

A test is a table. Each row has a room of its own in one gateway, and one process records all rooms, so that a table takes
as long as its longest row.
"""

import os
import subprocess
import threading
import time

import numpy

import heard
import rtmp
from channel import LEAD, ChannelCase
from rtmp import AUDIO

FRAME = 1024  # samples of AAC-LC
AAC_CONFIGURATION, AAC_FRAME = b'\xaf\0', b'\xaf\1'
# Enhanced RTMP: SequenceStart and CodedFrames of a four-character code.
OPUS_HEAD, OPUS_PACKET = b'\x90Opus', b'\x91Opus'
# Whoever sends later than this tests the machine, not the elements.
LATE = 0.04


def adts_frames(data):
    """The header and the payload of each ADTS frame."""
    at = 0
    while at + 7 <= len(data):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        yield data[at:at + 7], data[at + 7:at + size]  # ffmpeg writes no checksum
        at += size


def ffmpeg(sound, *options):
    """Sound at heard.RATE goes in, the bytes of what `options` make of it come out."""
    done = subprocess.run(['ffmpeg', '-v', 'error', '-f', 'f32le', '-ar', str(heard.RATE), '-ac', '1', '-i', '-', *options, '-'],
                          input=sound.astype('<f4').tobytes(), capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def adts(sound):
    """AAC-LC, mono, 48 kHz."""
    return ffmpeg(sound, '-c:a', 'aac', '-b:a', '64k', '-f', 'adts')


def configuration(header):
    """The AudioSpecificConfig that an ADTS header stands for."""
    kind, rate, channels = (header[2] >> 6) + 1, header[2] >> 2 & 15, (header[2] & 1) << 2 | header[3] >> 6
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, 'big')


def aac(sound):
    """The AudioSpecificConfig and the frames of sound."""
    frames = list(adts_frames(adts(sound)))
    return configuration(frames[0][0]), [frame for _, frame in frames]


def exact(count):
    """Each frame's stamp as it should be, to the millisecond."""
    return [round(number * FRAME * 1000 / heard.RATE) for number in range(count)]


def spoken(config, frames, stamps=None):
    """The schedule of a voice: (second, kind, stamp, body). Sent in the rhythm of its samples, whatever the stamps say."""
    stamps = exact(len(frames)) if stamps is None else stamps
    return [(0, AUDIO, stamps[0], AAC_CONFIGURATION + config)] + [
        (number * FRAME / heard.RATE, AUDIO, stamp, AAC_FRAME + frame)
        for number, (stamp, frame) in enumerate(zip(stamps, frames))]


def ogg_packets(data):
    """The packets of an Ogg file that has one stream."""
    at, packet = 0, b''
    while at < len(data):
        sizes = data[at + 27:at + 27 + data[at + 26]]
        at += 27 + len(sizes)
        for size in sizes:
            packet += data[at:at + size]
            at += size
            if size < 255:
                yield packet
                packet = b''


def opus_spoken(head, packets, ms=20, stamps=None):
    """spoken() of Opus: packets of `ms` each, behind their OpusHead, if any."""
    stamps = [round(number * ms) for number in range(len(packets))] if stamps is None else stamps
    return [(0, AUDIO, stamps[0], OPUS_HEAD + head)] * bool(head) + [
        (number * ms / 1000, AUDIO, stamp, OPUS_PACKET + packet) for number, (stamp, packet) in enumerate(zip(stamps, packets))]


def flv(schedule, flags=5):
    """The same as a file."""
    out = [b'FLV\1', bytes([flags]), b'\0\0\0\x09', bytes(4)]
    for _, kind, stamp, body in sorted(schedule, key=lambda entry: entry[0]):
        stamp &= 0xffffffff
        out += [bytes([kind]), len(body).to_bytes(3, 'big'), (stamp & 0xffffff).to_bytes(3, 'big'),
                bytes([stamp >> 24]), bytes(3), body, (11 + len(body)).to_bytes(4, 'big')]
    return b''.join(out)


def tags(data):
    """An FLV file as a schedule, sent in the rhythm of its stamps."""
    at = 13
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1:at + 4], 'big')
        stamp = int.from_bytes(data[at + 4:at + 7], 'big') | data[at + 7] << 24
        yield stamp / 1000, data[at], stamp, data[at + 11:at + 11 + size]
        at += 11 + size + 4


class FieldCase(ChannelCase):
    """Rooms side by side. A room's name is its row's."""

    LATENCY = 100

    def aac_speech(self, name, seconds):
        voice, sent = self.speech(name, seconds)
        return voice, *aac(sent)

    def opus(self, path, ms=20, channels=1, options=''):
        """The OpusHead and the packets of a WAV file, as opusenc makes them."""
        done = subprocess.run(['gst-launch-1.0', '-q', 'filesrc', f'location={path}', '!', 'wavparse', '!', 'audioconvert', '!',
                               'audioresample', '!', f'audio/x-raw,rate={heard.RATE},channels={channels}', '!', 'opusenc',
                               f'frame-size={ms}', *options.split(), '!', 'oggmux', '!', 'fdsink'], capture_output=True, timeout=60, check=True)
        head, _, *packets = ogg_packets(done.stdout)
        return head, packets

    def listen(self, rooms, **latencies):
        """Records the mix of each room, all of them by one process."""
        def mix(room):
            return (f'agorasrc name={room} {self.where(room=room)} latency={latencies.get(room, self.LATENCY)} ! '
                    f'audio/x-raw,format=S16LE,rate={heard.RATE},channels=1 ! queue ! wavenc ! '
                    f'filesink buffer-mode=unbuffered location={self.recording(room)}')
        self.latencies = latencies
        self.listener = self.line(' '.join(mix(room) for room in rooms), '-e')
        self.listener.wait_line('Setting pipeline to PLAYING|New clock', 20)

    def recording(self, room):
        return self.tmp / f'{room}.wav'

    def stop_listening(self, rooms):
        """What was heard, to the end of what still waits to be played."""
        for room in rooms:
            rest = self.latencies.get(room, self.LATENCY) / 1000 + 0.4
            size = self.recording(room).stat().st_size + rest * 2 * heard.RATE
            self.until(lambda: self.recording(room).stat().st_size >= size, f'{rest} s more of {room}')
        self.assertEqual(self.listener.interrupt(10), 0, self.listener.tail())
        return {room: heard.read(self.recording(room)) for room in rooms}

    @staticmethod
    def warnings(process, name):
        """What the element `name` warned of, as gst-launch-1.0 prints it."""
        return [line for line in process.output().splitlines()
                if line.startswith('WARNING:') and f':{name}:' in line.split(' ', 4)[3] + ':']

    def hosts(self, rooms):
        """Members that publish without the elements, and the push URL of each room."""
        members = {room: self.member(room, '--publish', '--uid=21') for room in rooms}
        return members, {room: member.wait_line(r'push (\S+)')[1] for room, member in members.items()}

    def pushed(self, schedules, **latencies):
        """What a listener hears of each row, pushed over RTMP; the listener's warnings are in `said`.

        Rows that this machine sent too late are sent again.
        """
        sounds, self.said, rows = {}, {}, dict(schedules)
        for _ in range(3):
            self.listen(rows, **latencies)
            members, urls = self.hosts(rows)
            late = rtmp.push({urls[room]: schedule for room, schedule in rows.items()})
            for member in members.values():
                member.terminate()
            sounds.update(self.stop_listening(rows))
            self.said.update({room: self.warnings(self.listener, room) for room in rows})
            rows = {room: schedule for room, schedule in rows.items() if late[urls[room]] > LATE}
            if not rows:
                return sounds
        raise AssertionError(f'this machine is too busy to send in rhythm: {", ".join(rows)}')

    def sent(self, lines, properties='', **latencies):
        """What a listener hears of each row, a pipeline that ends in agorasink; its warnings are in `said`."""
        self.listen(lines, **latencies)
        speakers = {room: self.line(f'{line} ! agorasink name=sink {properties} {self.where(8, room)}')
                    for room, line in lines.items()}
        self.ended = {room: speaker.wait(40) for room, speaker in speakers.items()}
        self.said = {room: self.warnings(speaker, 'sink') for room, speaker in speakers.items()}
        for room, speaker in speakers.items():
            with self.subTest(f'{room} ends well'):
                self.assertEqual(self.ended[room], 0, speaker.tail())
        return self.stop_listening(lines)

    def piped(self, schedules, properties=''):
        """What a listener hears of each row, whose tags go into an agorasink as the sound is made; its warnings are in `said`."""
        self.listen(schedules)
        speakers = {room: self.line(f'fdsrc ! agorasink name=sink {properties} {self.where(8, room)}', stdin=subprocess.PIPE)
                    for room in schedules}
        pipes = {room: speaker.popen.stdin.fileno() for room, speaker in speakers.items()}
        for pipe in pipes.values():
            os.set_blocking(pipe, False)  # what nobody takes for seconds is a failure
            os.write(pipe, flv([], 4))
        entries = sorted(((entry, room) for room, schedule in schedules.items() for entry in schedule),
                         key=lambda each: each[0][0])
        begin, tick = time.monotonic(), threading.Event()
        for entry, room in entries:
            tick.wait(max(0.0, begin + entry[0] - time.monotonic()))
            os.write(pipes[room], flv([entry])[13:])
        for speaker in speakers.values():
            speaker.popen.stdin.close()
        for room, speaker in speakers.items():
            self.assertEqual(speaker.wait(10), 0, f'{room}: {speaker.tail()}')
        self.said = {room: self.warnings(speaker, 'sink') for room, speaker in speakers.items()}
        return self.stop_listening(schedules)

    def each_heard(self, voice, sounds, least=0.95):
        """All of a voice in each row, at its pitch, without a gap or a jump in time."""
        for room, sound in sounds.items():
            with self.subTest(room):
                match = self.assert_heard(voice, sound, least)
                jumps = heard.jumps(voice, sound, match.shift)
                self.assertEqual(jumps, [], f'{room}: jumps in time (second, ms)')
