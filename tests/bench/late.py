# SPDX-License-Identifier: LGPL-2.1-or-later
"""How late sound is over time, however late: each tick has a pitch of its own, so that one that
comes seconds later is still known. A task of media.py."""

import time

import media
import numpy
from gi.repository import Gst

# With a tick every quarter of a second, what is up to six seconds late is told apart.
PITCHES = [600 + 100 * number for number in range(24)]
QUIET = 100 * Gst.MSECOND
# Of a tick, from its onset: enough for its pitch.
PIECE = 0.012


class Mouth:
    """Gives the next tick its pitch as soon as one has begun."""

    def __init__(self, pipeline):
        self.pipeline = pipeline.pipeline
        # What is within agorasink alone has no factory.
        self.source = next(element for element in self.elements()
                           if (made := element.get_factory()) and made.get_name() == 'audiotestsrc')
        self.spoken = []  # (clock time, index into PITCHES)
        self.quiet = Gst.SECOND
        self.next = 0
        self.source.set_property('freq', PITCHES[0])
        self.pipeline.get_by_name('mic').get_static_pad('src').add_probe(
            Gst.PadProbeType.BUFFER, self.block)

    def elements(self):
        found = []
        self.pipeline.iterate_recurse().foreach(found.append)
        return found

    def block(self, pad, info):
        buffer = info.get_buffer()
        at, rate = media.loud_at(buffer, pad)
        if at is None:
            self.quiet += buffer.duration
        else:
            if self.quiet > QUIET:
                self.spoken.append((self.pipeline.get_base_time() + buffer.pts
                                    + at * Gst.SECOND // rate, self.next))
            self.quiet = 0
        # Between two ticks, so that none has two pitches.
        if self.quiet and self.spoken and self.spoken[-1][1] == self.next:
            self.next = (self.next + 1) % len(PITCHES)
            self.source.set_property('freq', PITCHES[self.next])
        return Gst.PadProbeReturn.OK


class Ear:
    def __init__(self, pipeline):
        self.clock = Gst.SystemClock.obtain()
        self.heard = []  # (clock time, pitch in Hz)
        self.quiet = 0
        self.onset = None
        self.piece = numpy.zeros(0)
        pipeline.pipeline.get_by_name('out').connect('handoff', self.block)

    def block(self, _sink, buffer, pad):
        now = self.clock.get_time()
        samples, rate = media.samples_of(buffer, pad)
        if self.onset is None:
            loud = numpy.flatnonzero(numpy.abs(samples) > media.LOUD)
            if not len(loud):
                self.quiet += buffer.duration
                return
            long_quiet, self.quiet = self.quiet > QUIET, 0
            if not long_quiet:
                return
            self.onset = now + int(loud[0]) * Gst.SECOND // rate
            samples = samples[int(loud[0]):]
        self.piece = numpy.concatenate([self.piece, samples])
        size = int(PIECE * rate)
        if len(self.piece) < size:
            return
        piece = self.piece[:size] * numpy.hanning(size)
        spectrum = numpy.abs(numpy.fft.rfft(piece, 8192))
        self.heard.append((self.onset, float(numpy.argmax(spectrum)) * rate / 8192))
        self.onset = None
        self.piece = numpy.zeros(0)


def late(senders, receivers, seconds):
    """By receiver: (seconds since the start, milliseconds late) of each tick."""
    pipelines, mouths, ears = [], {}, {}
    try:
        for name, text in senders.items():
            pipeline = media.Pipeline(text)
            mouths[name] = Mouth(pipeline)
            pipelines.append(pipeline.play())
        media.settle(pipelines, 1.5)
        start = Gst.SystemClock.obtain().get_time()
        for name, (sender, text) in receivers.items():
            pipeline = media.Pipeline(text)
            ears[name] = (Ear(pipeline), mouths[sender])
            pipelines.append(pipeline.play())
        print('playing', flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            media.settle(pipelines, min(1, max(0.05, end - time.monotonic())))
    finally:
        for pipeline in pipelines:
            pipeline.stop()
    found = {}
    for name, (ear, mouth) in ears.items():
        points = []
        for at, pitch in ear.heard:
            index = int(numpy.argmin(numpy.abs(numpy.array(PITCHES) - pitch)))
            same = [spoken for spoken, number in mouth.spoken if number == index and spoken < at]
            if same:
                points.append(((at - start) / Gst.SECOND, (at - same[-1]) / Gst.MSECOND))
        found[name] = points
    return found
