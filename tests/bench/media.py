# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipelines under measurement, in a process of their own: `media.py JSON` prints one line of JSON.

The JSON names a task below and its arguments. Everything runs on the system's clock. Only `latency`
and `first_sound` look at sound, in Python, at a hundred blocks a second; `cost` runs pipelines
alone.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

import gi
import numpy

gi.require_version('Gst', '1.0')
gi.require_version('GstAudio', '1.0')
from gi.repository import GLib, Gst, GstAudio  # noqa: E402

# Whoever imports `media` in this process means this.
sys.modules['media'] = sys.modules[__name__]
sys.path.append(str(Path(__file__).resolve().parent.parent))

# Far above what a codec lets ring before an onset, far below a tick.
LOUD = 0.1


class Failed(Exception):
    pass


class Pipeline:
    def __init__(self, description):
        self.description = description
        self.pipeline = (Gst.parse_launch(description) if isinstance(description, str)
                         else description)
        if not isinstance(self.pipeline, Gst.Pipeline):
            pipeline = Gst.Pipeline()
            pipeline.add(self.pipeline)
            self.pipeline = pipeline
        self.pipeline.use_clock(Gst.SystemClock.obtain())
        self.bus = self.pipeline.get_bus()

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        return self

    def check(self):
        """Fails with what the pipeline said; keeps its latency up to date."""
        while True:
            message = self.bus.pop_filtered(Gst.MessageType.ERROR | Gst.MessageType.EOS
                                            | Gst.MessageType.LATENCY)
            if not message:
                return
            if message.type == Gst.MessageType.LATENCY:
                self.pipeline.recalculate_latency()
            elif message.type == Gst.MessageType.ERROR:
                error, debug = message.parse_error()
                raise Failed(f'{self.description}: {error.message} ({debug})')
            else:
                raise Failed(f'{self.description}: ended')

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)


def settle(pipelines, seconds, done=None):
    """Looks after the pipelines for so long, or until `done` is set."""
    done = done or threading.Event()
    end = time.monotonic() + seconds
    while not done.wait(min(0.05, max(0, end - time.monotonic()))):
        for pipeline in pipelines:
            pipeline.check()
        if time.monotonic() >= end:
            return False
    return True


def samples_of(buffer, pad):
    """The first channel of a block of sound, and the rate."""
    caps = pad.get_current_caps()
    info = GstAudio.AudioInfo.new_from_caps(caps)
    good, data = buffer.map(Gst.MapFlags.READ)
    if not good:
        return numpy.zeros(0), info.rate
    kind = numpy.float32 if 'F32' in info.finfo.name else numpy.int16
    samples = numpy.frombuffer(data.data, kind).astype(numpy.float32)
    buffer.unmap(data)
    if kind is numpy.int16:
        samples /= 32768
    # avdec_aac gives planes, all others interleave.
    if caps.get_structure(0).get_string('layout') == 'non-interleaved':
        return samples.reshape(info.channels, -1)[0], info.rate
    return samples[:len(samples) // info.channels * info.channels:info.channels], info.rate


def loud_at(buffer, pad):
    """The first loud frame of a block of sound, and the rate; None without one."""
    samples, rate = samples_of(buffer, pad)
    loud = numpy.flatnonzero(numpy.abs(samples) > LOUD)
    return (int(loud[0]) if len(loud) else None), rate


def first_sound(kinds, rounds, limit=10):
    """Milliseconds from PLAYING to the first loud block at the sink `out`, kind by kind in turn."""
    found = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, description in kinds.items():
            pipeline = Pipeline(description)
            heard = threading.Event()
            at = []

            def handoff(_sink, buffer, pad, at=at, heard=heard):
                if not at and loud_at(buffer, pad)[0] is not None:
                    at.append(time.monotonic())
                    heard.set()

            pipeline.pipeline.get_by_name('out').connect('handoff', handoff)
            start = time.monotonic()
            pipeline.play()
            try:
                if not settle([pipeline], limit, heard):
                    raise Failed(f'{description}: no sound within {limit} s')
            finally:
                pipeline.stop()
            # The first round loads plugins.
            if number:
                found[name].append((at[0] - start) * 1000)
    return found


def watch_speakers(source, heard, count, everybody, at):
    """Notes when an agorasrc, whose decoders nobody can look at, has sound of all speakers."""
    while not everybody.wait(0.0005):
        stats = source.get_property('stats')
        speakers = stats.get_value('speakers') if stats.has_field('speakers') else ()
        heard.update(one.get_value('uid') for one in speakers if one.get_value('queued-ms') > 0)
        if len(heard) == count:
            at.append(time.monotonic())
            everybody.set()


def hear_all(kinds, rounds, limit=15):
    """Milliseconds from PLAYING until so many decoders have given sound, kind by kind in turn.

    `kinds`: by name a description and a number of speakers.
    """
    found = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, (description, count) in kinds.items():
            pipeline = Pipeline(description)
            heard, at, everybody = set(), [], threading.Event()

            def decoded(pad, info, heard=heard, at=at, everybody=everybody, count=count):
                if loud_at(info.get_buffer(), pad)[0] is None:
                    return Gst.PadProbeReturn.OK
                heard.add(pad)
                if len(heard) == count and not at:
                    at.append(time.monotonic())
                    everybody.set()
                return Gst.PadProbeReturn.REMOVE

            def added(_bin, _sub, element, decoded=decoded):
                factory = element.get_factory()
                if factory and factory.get_name() == 'avdec_aac':
                    element.get_static_pad('src').add_probe(Gst.PadProbeType.BUFFER, decoded)

            pipeline.pipeline.connect('deep-element-added', added)
            pipeline.pipeline.iterate_recurse().foreach(lambda one: added(None, None, one))
            sources = []
            pipeline.pipeline.iterate_sources().foreach(sources.append)
            watchers = [threading.Thread(target=watch_speakers,
                                         args=(one, heard, count, everybody, at))
                        for one in sources if one.get_factory().get_name() == 'agorasrc']
            start = time.monotonic()
            pipeline.play()
            for watcher in watchers:
                watcher.start()
            try:
                if not settle([pipeline], limit, everybody):
                    raise Failed(f'{len(heard)} of {count} speakers were heard in {limit} s')
            finally:
                everybody.set()
                for watcher in watchers:
                    watcher.join()
                pipeline.stop()
            if number:
                found[name].append((at[0] - start) * 1000)
    return found


def mouth_to_ear(pipeline):
    """What an agorasrc in it says of its speaker's sound; None where it says nothing."""
    sources = []
    pipeline.pipeline.iterate_sources().foreach(sources.append)
    for source in sources:
        if source.get_factory().get_name() == 'agorasrc':
            stats = source.get_property('stats')
            for speaker in stats.get_value('speakers'):
                if speaker.has_field('mouth-to-ear-ms'):
                    return speaker.get_value('mouth-to-ear-ms')
    return None


def latency(senders, receivers, seconds, webrtc=None):
    """Milliseconds from a tick's first sample at the mouth to its onset at a synchronising sink.

    A sender's mouth is its element `mic`, a receiver's ear its sink `out`. Where an agorasrc says
    the same itself, that comes under the receiver's name and `says`.
    """
    mouths = {name: [] for name in senders}
    ears = {name: [] for name in receivers}
    clock = Gst.SystemClock.obtain()
    pipelines = []
    behind = []
    said = {}

    def mouth(name, pipeline):
        pad = pipeline.pipeline.get_by_name('mic').get_static_pad('src')
        state = {'quiet': Gst.SECOND}

        def spoken(pad, info):
            buffer = info.get_buffer()
            at, rate = loud_at(buffer, pad)
            behind.append(clock.get_time() - pipeline.pipeline.get_base_time() - buffer.pts)
            if at is None:
                state['quiet'] += buffer.duration
            else:
                if state['quiet'] > 200 * Gst.MSECOND:
                    mouths[name].append(pipeline.pipeline.get_base_time() + buffer.pts
                                        + at * Gst.SECOND // rate)
                state['quiet'] = 0
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.BUFFER, spoken)

    def ear(name, sink):
        state = {'quiet': 0}

        def heard(_sink, buffer, pad):
            now = clock.get_time()
            at, rate = loud_at(buffer, pad)
            if at is None:
                state['quiet'] += buffer.duration
            else:
                if state['quiet'] > 200 * Gst.MSECOND:
                    ears[name].append(now + at * Gst.SECOND // rate)
                state['quiet'] = 0

        sink.connect('handoff', heard)

    pairs = []
    try:
        for name, description in senders.items():
            pipeline = Pipeline(description)
            mouth(name, pipeline)
            pipelines.append(pipeline.play())
        settle(pipelines, 1.5)
        for name, (sender, description) in receivers.items():
            if description.startswith('ffplay '):
                import ffplay
                pipelines.append(ffplay.Player(description.split()[1], clock, LOUD,
                                               ears[name].append))
                continue
            if description.startswith('playbin3 '):
                element = Gst.ElementFactory.make('playbin3')
                sink = Gst.ElementFactory.make('fakesink')
                for key, value in (('sync', True), ('signal-handoffs', True)):
                    sink.set_property(key, value)
                element.set_property('uri', description.split()[1])
                element.set_property('audio-sink', sink)
                pipeline = Pipeline(element)
                pipeline.description = description
            else:
                pipeline = Pipeline(description)
                sink = pipeline.pipeline.get_by_name('out')
            ear(name, sink)
            said[name] = (pipeline, [])
            pipelines.append(pipeline.play())
        for name, jitter in (webrtc or {}).items():
            import webrtc_pair
            mouths[name], ears[name] = [], []
            receivers[name] = (name, '')
            pair = webrtc_pair.Pair(jitter, Pipeline, lambda sink, name=name: ear(name, sink))
            pairs.append(pair)
            mouth(name, pair.sender)
            pair.play()
        # The first seconds correct the first guess of where sound belongs.
        everything = pipelines + [end for pair in pairs for end in pair.ends()]
        settle(everything, seconds / 2)
        for _ in range(10):
            settle(everything, seconds / 20)
            for pipeline, values in said.values():
                value = mouth_to_ear(pipeline)
                if value is not None:
                    values.append(value)
    finally:
        for pipeline in pipelines:
            pipeline.stop()
        for pair in pairs:
            pair.stop()
    late = float(numpy.median(behind)) / Gst.MSECOND
    if not 9 < late < 14:
        raise Failed(f'blocks of 10 ms came {late:.1f} ms after their first sample')
    found = {}
    for name, heard in ears.items():
        spoken = numpy.array(mouths[receivers[name][0]], dtype=float)
        # What was heard first may have been cut at its beginning.
        found[name] = [float(at - spoken[spoken < at].max()) / Gst.MSECOND
                       for at in heard[1:] if (spoken < at).any()]
    found.update({f'{name} says': values for name, (_, values) in said.items() if values})
    return found


def threads():
    return len(os.listdir('/proc/self/task'))


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cost(description, count, warm, seconds):
    """What `count` pipelines in this process cost; `{n}` in the description counts them.

    CPU is measured from when a line comes on standard input, so that several of these can be
    measured at the same time.
    """
    empty = {'threads': threads(), 'fds': len(os.listdir('/proc/self/fd')), 'memory': memory()}
    running = [Pipeline(description.replace('{n}', str(number))) for number in range(count)]
    try:
        for pipeline in running:
            pipeline.play()
        settle(running, warm)
        print('warm', flush=True)
        sys.stdin.readline()
        before, start = processor(), time.monotonic()
        # Nothing of Python runs meanwhile.
        threading.Event().wait(seconds)
        used = (processor() - before) * 60 / (time.monotonic() - start)
        for pipeline in running:
            pipeline.check()
        return {'cpu': used, 'threads': threads() - empty['threads'],
                'fds': len(os.listdir('/proc/self/fd')) - empty['fds'],
                'memory': memory() - empty['memory']}
    finally:
        for pipeline in running:
            pipeline.stop()


def memory():
    """KiB."""
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def speak(pipelines):
    """Plays until standard input ends."""
    running = [Pipeline(text).play() for text in pipelines]
    print('speaking', flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    try:
        while not settle(running, 1, ended):
            continue
    finally:
        for pipeline in running:
            pipeline.stop()
    return {}


def main():
    Gst.init(None)
    # webrtcbin and playbin3 want a main loop.
    loop = GLib.MainLoop()
    thread = threading.Thread(target=loop.run)
    thread.start()
    asked = json.loads(sys.argv[1])
    tasks = {'first_sound': first_sound, 'latency': latency, 'cost': cost,
             'hear_all': hear_all, 'speak': speak}
    if asked['task'] == 'late':
        import late
        tasks['late'] = late.late
    try:
        result = tasks[asked.pop('task')](**asked)
        print('result ' + json.dumps(result), flush=True)
    except Failed as error:
        print(f'failed {error}', flush=True)
        sys.exit(1)
    finally:
        loop.quit()
        thread.join()


if __name__ == '__main__':
    main()
