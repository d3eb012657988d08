# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever ends in the middle of sound is heard to the last sample, whatever the listener's latency."""

import numpy

import heard
import kit
import tap

LATENCIES = {'l20': 20, 'l100': 100, 'l500': 500, 'l2000': 2000}


def tone(seconds):
    return 0.15 * numpy.sin(2 * numpy.pi * 440 * numpy.arange(int(seconds * heard.RATE)) / heard.RATE)


class EndsTest(kit.FieldCase):
    def setUp(self):
        super().setUp()
        # The tone shows to the sample where the end is.
        self.voice = numpy.concatenate([heard.voice('carlo', 2.5), tone(1.5)])
        self.file = self.wav('voice', numpy.concatenate([heard.silence(kit.LEAD), self.voice]))

    def missing(self, sound):
        """How many milliseconds of the end weren't heard."""
        begin = heard.shift(self.voice[:2 * heard.RATE], sound)
        last = numpy.nonzero(numpy.abs(sound) > 0.02)[0][-1]
        return (begin + len(self.voice) - last) * 1000 / heard.RATE

    def check(self, sounds):
        for room, sound in sounds.items():
            with self.subTest(room):
                missing = self.missing(sound)
                print(f'{self.id()}: {room}: {missing:.0f} ms of the end missing')
                # The envelope of a decoder's last frame: half of it.
                self.assertLess(missing, 15)
                # A tone is like itself a period later: the words tell where it is.
                self.assert_heard(self.voice[:int(2.5 * heard.RATE)], sound)

    def test_a_file_ends(self):
        line = f'filesrc location={self.file} ! wavparse ! audioconvert ! audioresample'
        self.check(self.sent({room: line for room in LATENCIES}, **LATENCIES))

    def test_a_pusher_goes(self):
        """The socket is closed, or the member leaves, and no more is said."""
        configuration, frames = kit.aac(numpy.concatenate([heard.silence(kit.LEAD), self.voice]))
        schedule = kit.spoken(configuration, frames)
        self.check(self.pushed({room: schedule for room in LATENCIES}, **LATENCIES))

    def test_the_last_frames_come_at_once(self):
        """What the network held up comes in one go with the end behind it."""
        configuration, frames = kit.aac(numpy.concatenate([heard.silence(kit.LEAD), self.voice]))
        schedule = kit.spoken(configuration, frames)
        last = schedule[-1][0]
        held = [(last if at > last - 0.3 else at, *tag) for at, *tag in schedule]
        rows = {'l500': held, 'l2000': held}
        self.check(self.pushed(rows, **LATENCIES))


class HostEndsTest(kit.FieldCase):
    """Ctrl-C at a host with `-e`: what its encoder and queue hold is sent before it leaves."""

    def test_interrupted(self):
        rooms = ('i100', 'i2000')
        self.listen(rooms, i2000=2000)
        # One process, so that both begin and end at the same time.
        host = self.line('audiotestsrc is-live=true freq=440 volume=0.2 ! tee name=t ' + ' '.join(
            f't. ! queue ! agorasink {self.where(8, room)}' for room in rooms), '-e')
        for room in rooms:
            self.until(lambda: self.recording(room).exists() and heard_something(self.recording(room)), f'sound in {room}')
        self.assertEqual(host.interrupt(10), 0, host.tail())
        sounds = self.stop_listening(rooms)
        # Both have as much.
        lengths = {room: numpy.ptp(numpy.nonzero(numpy.abs(sound) > 0.02)[0]) / heard.RATE for room, sound in sounds.items()}
        print(f'{self.id()}: {lengths}')
        self.assertLess(abs(lengths['i100'] - lengths['i2000']), 0.5)


def heard_something(path):
    samples = path.read_bytes()[44:]
    return numpy.abs(numpy.frombuffer(samples[:len(samples) // 2 * 2], '<i2').astype(int)).max(initial=0) > 1000


if __name__ == '__main__':
    tap.main()
