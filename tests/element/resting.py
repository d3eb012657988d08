# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays a pipeline as gst-launch does. Of what passes its identity `way`, Opus with DTX, each packet that says that nothing is said is
left out but for the first, as browsers do it. Prints how far apart two packets were at the most, in milliseconds."""

import sys

import gi

gi.require_version('Gst', '1.0')
from gi.repository import Gst  # noqa: E402

EMPTY = 2  # bytes


class Way:
    def __init__(self, pad):
        self.resting = False
        self.last = None
        self.most = 0
        pad.add_probe(Gst.PadProbeType.BUFFER, self.passes)

    def passes(self, _pad, info):
        packet = info.get_buffer()
        empty = packet.get_size() <= EMPTY
        if empty and self.resting:
            return Gst.PadProbeReturn.DROP
        self.resting = empty
        if self.last is not None:
            self.most = max(self.most, packet.pts - self.last)
        self.last = packet.pts
        return Gst.PadProbeReturn.OK


def main():
    Gst.init(None)
    pipeline = Gst.parse_launch(sys.argv[1])
    way = Way(pipeline.get_by_name('way').get_static_pad('src'))
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        raise SystemExit(message.parse_error()[0].message)
    print(f'apart {way.most // Gst.MSECOND}', flush=True)


if __name__ == '__main__':
    main()
