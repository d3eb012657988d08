# SPDX-License-Identifier: LGPL-2.1-or-later
"""A member with a mouth or an ear whose times are known, as a process of its own.

  voices.py mouth WAV AT agorasink… [SECOND PROPERTY VALUE]…
                                      speaks the file, its first sample at AT (CLOCK_MONOTONIC, seconds); so
                                      many seconds later that property of the element `mouth` is set
  voices.py tone PPM agorasink…       a tone of 1000 Hz, by a clock that is so much too fast
  voices.py joins COUNT agorasrc…     so many times, the milliseconds from PLAYING to the first sound
  voices.py ear FILE agorasrc…        writes what a loudspeaker would play: floats at 48000 Hz, and to
                                      FILE.json when; until SIGTERM or SIGINT

Each prints `playing` once it is, and ends with 1 after an error of the pipeline. Speaker, Drifting and Ear
are these for a class of harness.Case.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

import numpy

import heard
from browserpage import Recording

MIC = 10  # ms a buffer, and so long a microphone needs before it can hand it on


def run(description, prepare=None):
    import gi
    gi.require_version('Gst', '1.0')
    from gi.repository import GLib, Gst
    Gst.init(None)
    pipeline = Gst.parse_launch(description)
    pipeline.use_clock(Gst.SystemClock.obtain())
    loop = GLib.MainLoop()
    status = []

    def message(_bus, one):
        if one.type == Gst.MessageType.ERROR:
            print('error', *one.parse_error(), flush=True)
            status.append(1)
            loop.quit()
        elif one.type == Gst.MessageType.EOS:
            loop.quit()
        elif one.type == Gst.MessageType.LATENCY:
            pipeline.recalculate_latency()

    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect('message', message)
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, lambda: loop.quit() or True)
    if prepare:
        prepare(Gst, pipeline)
    pipeline.set_state(Gst.State.PLAYING)
    print('playing', flush=True)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    return 1 if status else 0


def mouth(wav, at, sink, *changes):
    def prepare(Gst, pipeline):
        from gi.repository import GLib
        for second, name, value in zip(changes[::3], changes[1::3], changes[2::3]):
            wait = float(at) + float(second) - time.monotonic()
            GLib.timeout_add(max(0, round(wait * 1000)), lambda name=name, value=value: Gst.util_set_object_arg(
                pipeline.get_by_name('mouth'), name, value))
        pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        pipeline.set_base_time(round(float(at) * Gst.SECOND))
    return run(f'filesrc location="{wav}" ! wavparse ! audioconvert ! '
               f'audiobuffersplit output-buffer-duration={MIC}/1000 ! '
               f'identity sync=true ts-offset={MIC * 1000000} ! {sink}', prepare)


def tone(ppm, sink):
    size = heard.RATE // 100
    pace = 0.01 / (1 + float(ppm) / 1e6)
    period = numpy.sin(2 * numpy.pi * 1000 / heard.RATE * numpy.arange(size))  # ten whole periods
    block = (0.25 * 32767 * period).astype('<i2').tobytes()

    def prepare(Gst, pipeline):
        source = pipeline.get_by_name('tone')
        begin = time.monotonic()
        pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        pipeline.set_base_time(round(begin * Gst.SECOND))
        tick = threading.Event()

        def push():
            count = 0
            while True:
                stamp = count * pace
                tick.wait(max(0.0, begin + stamp + 0.01 - time.monotonic()))
                buffer = Gst.Buffer.new_wrapped(block)
                buffer.pts, buffer.duration = round(stamp * Gst.SECOND), round(pace * Gst.SECOND)
                if source.emit('push-buffer', buffer) != Gst.FlowReturn.OK:
                    return
                count += 1
        threading.Thread(target=push, daemon=True).start()
    return run(f'appsrc name=tone is-live=true format=time '
               f'caps=audio/x-raw,format=S16LE,rate={heard.RATE},channels=1,layout=interleaved ! {sink}',
               prepare)


def joins(count, source):
    import gi
    gi.require_version('Gst', '1.0')
    from gi.repository import Gst
    Gst.init(None)
    for _ in range(int(count)):
        came = threading.Event()
        pipeline = Gst.parse_launch(f'{source} ! audioconvert ! audio/x-raw,format=F32LE ! '
                                    'fakesink name=end signal-handoffs=true sync=false')
        pipeline.use_clock(Gst.SystemClock.obtain())

        def look(_sink, buffer, _pad, came=came):
            if numpy.abs(numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), '<f4')).max() > 0.02:
                came.set()
        pipeline.get_by_name('end').connect('handoff', look)
        begin = time.monotonic()
        pipeline.set_state(Gst.State.PLAYING)
        heard_it = came.wait(10)
        print(f'first {(time.monotonic() - begin) * 1000:.1f}' if heard_it else 'never', flush=True)
        pipeline.set_state(Gst.State.NULL)
        if not heard_it:
            return 1
    return 0


def ear(path, source):
    path = Path(path)
    stamps = []  # (clock time, samples so far): the streaming thread's alone
    with path.open('wb') as file:
        def prepare(_gst, pipeline):
            def sample(sink):
                now = sink.get_clock().get_time() / 1e9
                buffer = sink.emit('pull-sample').get_buffer()
                stamps.append((now, file.tell() // 4))
                file.write(buffer.extract_dup(0, buffer.get_size()))
                file.flush()
                return 0
            pipeline.get_by_name('ear').connect('new-sample', sample)
        status = run(f'{source} ! audioconvert ! audioresample ! '
                     f'audio/x-raw,format=F32LE,rate={heard.RATE},channels=1 ! '
                     'appsink name=ear sync=true emit-signals=true', prepare)
    path.with_suffix('.json').write_text(json.dumps(stamps))
    return status


class Speaker:
    """Speaks `sound` from `begin` on; a Recording as if it had been heard without any delay."""

    def __init__(self, case, sound, sink, lead=2.0, changes=()):
        path = case.tmp / f'mouth-{time.monotonic_ns()}.wav'
        heard.write(path, sound)
        self.begin = time.monotonic() + lead
        self.said = Recording(sound, self.begin, [])
        self.process = case.foreign('/usr/bin/python3', __file__, 'mouth', path, self.begin, sink, *changes)
        self.process.wait_line('^playing')

    def stop(self):
        self.process.terminate()


class Drifting:
    """Speaks a tone by a clock that is `ppm` too fast."""

    def __init__(self, case, ppm, sink):
        self.process = case.foreign('/usr/bin/python3', __file__, 'tone', ppm, sink)
        self.process.wait_line('^playing')

    def stop(self):
        self.process.terminate()


class Ear:
    """Notes what agorasrc plays, until taken."""

    def __init__(self, case, source):
        self.path = case.tmp / f'ear-{time.monotonic_ns()}.f32'
        self.process = case.foreign('/usr/bin/python3', __file__, 'ear', self.path, source)
        self.process.wait_line('^playing')

    def sound(self):
        """All so far, without its time."""
        return numpy.frombuffer(self.path.read_bytes(), dtype='<f4').astype(numpy.float64)

    def take(self):
        """Ends it."""
        if self.process.terminate(10):
            raise AssertionError(self.process.tail())
        stamps = numpy.array(json.loads(self.path.with_suffix('.json').read_text()))
        if not len(stamps):
            return Recording(numpy.zeros(0), time.monotonic(), [])
        # A thread that woke late makes one block late, not the sound.
        begin = numpy.median(stamps[:, 0] - stamps[:, 1] / heard.RATE)
        return Recording(self.sound(), float(begin), list(map(tuple, stamps)))


if __name__ == '__main__':
    sys.exit({'mouth': mouth, 'tone': tone, 'joins': joins, 'ear': ear}[sys.argv[1]](*sys.argv[2:]))
