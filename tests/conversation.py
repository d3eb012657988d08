# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/demo plays: a conversation of two people, and what a third one heard of it.

Allison and Carlo speak in turns, then both at once, through agorasink; agorasrc listens. Beside
them Allison's voice goes through plain rtmp2sink and rtmp2src and the same relay, for comparison.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import gi
import numpy

gi.require_version('Gst', '1.0')
gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib, Gst  # noqa: E402

import heard  # noqa: E402
from harness import Gateway  # noqa: E402

CHANNEL = 'demo-room'
# Seconds. Silence first: nobody's first word shall depend on how fast a machine starts things.
START, TURN, PAUSE, BOTH, END = 1.0, 5.0, 0.5, 6.0, 1.0
SECOND = START + TURN + PAUSE
TOGETHER = SECOND + TURN + PAUSE
WHOLE = TOGETHER + BOTH + END
MIC = 10  # ms a buffer, and so long a microphone needs before it can hand it on


def script():
    """What each of the two says, second by second, as one sound each."""
    first = heard.voice('allison', TURN + BOTH, 0.06)
    second = heard.voice('carlo', TURN + BOTH, 0.06)
    turn = int(TURN * heard.RATE)
    gap = heard.silence(SECOND - START)
    return {
        'Allison': numpy.concatenate([heard.silence(START), first[:turn], gap, heard.silence(PAUSE),
                                      first[turn:], heard.silence(END)]),
        'Carlo': numpy.concatenate([heard.silence(SECOND), second[:turn], heard.silence(PAUSE),
                                    second[turn:], heard.silence(END)]),
    }


class Pipeline:
    """A pipeline whose errors end the demo, and whose `level` elements feed the meter."""

    def __init__(self, description, show):
        self.pipeline = Gst.parse_launch(description)
        self.pipeline.use_clock(Gst.SystemClock.obtain())
        self.ended = False
        self.error = None
        self.show = show
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message', self.message)

    def message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            error, debug = message.parse_error()
            self.error = f'{message.src.get_name()}: {error.message} ({debug})'
        elif message.type == Gst.MessageType.EOS:
            self.ended = True
        elif message.type == Gst.MessageType.ELEMENT and message.has_name('level'):
            self.show(message.src.get_name(), message.get_structure().get_value('rms')[0])
        elif message.type == Gst.MessageType.LATENCY:
            self.pipeline.recalculate_latency()

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        return self

    def stop(self):
        self.pipeline.get_bus().remove_signal_watch()
        self.pipeline.set_state(Gst.State.NULL)


class Mouth(Pipeline):
    """Speaks a WAV file like a microphone: each buffer comes when its last sample was spoken."""

    def __init__(self, name, file, sink, show, base_time):
        super().__init__(
            f'filesrc location="{file}" ! wavparse ! audioconvert ! '
            f'audiobuffersplit output-buffer-duration={MIC}/1000 ! '
            f'identity sync=true ts-offset={MIC * Gst.MSECOND} ! '
            f'level name={name} interval=100000000 ! {sink}', show)
        # Both speakers follow one script, whose first second begins now.
        self.pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        self.pipeline.set_base_time(base_time)


class Ear(Pipeline):
    """Notes all it hears, and when a loudspeaker would have played it."""

    def __init__(self, name, source, show):
        super().__init__(
            f'{source} ! audioconvert ! audioresample ! '
            f'audio/x-raw,format=F32LE,rate={heard.RATE},channels=1 ! '
            f'level name={name} interval=100000000 ! appsink name=ear sync=true emit-signals=true',
            show)
        self.blocks = []  # (clock time, samples): appended by the streaming thread alone
        self.clock = Gst.SystemClock.obtain()
        self.pipeline.get_by_name('ear').connect('new-sample', self.sample)

    def sample(self, sink):
        now = self.clock.get_time()
        buffer = sink.emit('pull-sample').get_buffer()
        self.blocks.append((now, numpy.frombuffer(
            buffer.extract_dup(0, buffer.get_size()), dtype='<f4')))
        return Gst.FlowReturn.OK

    def sound(self):
        """What was heard, and the clock time of its first sample."""
        if not self.blocks:
            return numpy.zeros(0), 0
        before, starts = 0, []
        for time, block in self.blocks:
            starts.append(time - before * Gst.SECOND / heard.RATE)
            before += len(block)
        # A thread that woke late makes one block late, not the sound.
        return (numpy.concatenate([block for _, block in self.blocks]).astype(numpy.float64),
                float(numpy.median(starts)))


class Meter:
    """One bar for each level, redrawn in place on a terminal, else a line a second."""

    WIDTH = 40

    def __init__(self, names):
        self.levels = dict.fromkeys(names, -90.0)
        self.terminal = sys.stdout.isatty()
        self.drawn = 0
        self.said = None

    def show(self, name, level):
        if name in self.levels:
            # Silence is minus infinity, and the end is no number at all.
            self.levels[name] = level if level > -90 else -90.0
            if self.terminal:
                self.draw()

    def bar(self, level):
        full = int(min(1.0, max(0.0, (level + 60) / 60)) * self.WIDTH)
        return '█' * full + '·' * (self.WIDTH - full)

    def draw(self):
        if self.drawn:
            print(f'\033[{self.drawn}A', end='')
        for name, level in self.levels.items():
            print(f'\033[K  {name:>14} {self.bar(level)} {level:6.1f} dB')
        self.drawn = len(self.levels)
        sys.stdout.flush()

    def line(self, second):
        """For logs."""
        if not self.terminal and int(second) != self.said:
            self.said = int(second)
            print(f'  {self.said:3} s  ' + '   '.join(
                f'{name} {level:6.1f} dB' for name, level in self.levels.items()), flush=True)


class Problem(Exception):
    pass


class Ending:
    """SIGINT, SIGTERM and SIGHUP: whatever was started is ended, then the program."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.status = None
        for number in self.SIGNALS:
            signal.signal(number, self.begin)

    def begin(self, number, _frame):
        # Once: nothing interrupts the tidying up.
        if self.status is None:
            self.status = 128 + number
            self.check()

    def check(self):
        # Again from the main loop: from a callback of GLib's no exception comes up.
        if self.status:
            raise SystemExit(self.status)


ending = Ending()


def wait(condition, seconds, what):
    """Runs the main loop until `condition()`."""
    context = GLib.MainContext.default()
    late = []
    timer = GLib.timeout_add(int(seconds * 1000), lambda: late.append(True) or GLib.SOURCE_REMOVE)
    tick = GLib.timeout_add(20, lambda: GLib.SOURCE_CONTINUE)
    try:
        while not condition():
            if late:
                raise Problem(f'{what} took longer than {seconds} s')
            context.iteration(True)
            ending.check()
    finally:
        GLib.source_remove(tick)
        if not late:
            GLib.source_remove(timer)


def answer(client, name, *arguments):
    """Calls an _async function of the client, and gives what its _finish does."""
    results = []
    getattr(client, f'{name}_async')(*arguments, None, lambda _, result: results.append(result))
    wait(lambda: results, 10, name)
    return getattr(client, f'{name}_finish')(results[0])


class PlainPair:
    """rtmp2sink and rtmp2src, with URLs asked for by the library."""

    def __init__(self, gateway, channel):
        self.host = AgoraSignaling.Client.new(gateway.ws)
        answer(self.host, 'init', 'demo')
        answer(self.host, 'set_role', AgoraSignaling.Role.BROADCASTER)
        self.uid = answer(self.host, 'join', None, channel, 0)
        self.push = answer(self.host, 'publish')
        self.guest = AgoraSignaling.Client.new(gateway.ws)
        self.added = []
        self.guest.connect('stream-added', lambda _, uid: self.added.append(uid))
        answer(self.guest, 'init', 'demo')
        answer(self.guest, 'join', None, channel, 0)

    def play_url(self):
        wait(lambda: self.uid in self.added, 10, 'the plain stream')
        url, _rotation = answer(self.guest, 'subscribe', self.uid)
        return url

    def leave(self):
        for client in (self.host, self.guest):
            answer(client, 'leave')


def play(gateway, said, folder, output):
    """Has the conversation; gives what was heard, and the latencies' raw material."""
    files = {}
    for name, sound in said.items():
        files[name] = folder / f'{name}.wav'
        heard.write(files[name], sound)
    meter = Meter(['Allison', 'Carlo', 'listener'])
    clock = Gst.SystemClock.obtain()
    element = f'gateway={gateway.ws} app-id=demo channel={CHANNEL}'
    plain = PlainPair(gateway, 'plain-room')
    base = clock.get_time() + 2 * Gst.SECOND
    pipelines = []
    try:
        ear = Ear('listener', f'agorasrc {element} uid=7', meter.show)
        pipelines.append(ear.play())
        mouths = [Mouth(name, files[name], f'agorasink {element} uid={uid}', meter.show, base)
                  for name, uid in (('Allison', 8), ('Carlo', 9))]
        plain_mouth = Mouth(
            'plain', files['Allison'],
            f'voaacenc bitrate=64000 ! flvmux streamable=true ! rtmp2sink location="{plain.push}"',
            meter.show, base)
        for mouth in (*mouths, plain_mouth):
            pipelines.append(mouth.play())
        plain_ear = Ear(
            'plain-ear', f'rtmp2src location="{plain.play_url()}" ! flvdemux ! aacparse ! avdec_aac',
            meter.show)
        pipelines.append(plain_ear.play())

        def over():
            for pipeline in pipelines:
                if pipeline.error:
                    raise Problem(pipeline.error)
            second = (clock.get_time() - base) / Gst.SECOND
            meter.line(max(0, second))
            # Longer than any of them: the last word has to arrive.
            return second > WHOLE + 1
        wait(over, WHOLE + 20, 'the conversation')
        for mouth in mouths:
            if not mouth.ended:
                raise Problem('a speaker has not come to the end of the script')
    finally:
        for pipeline in pipelines:
            pipeline.stop()
    plain.leave()
    sound, begin = ear.sound()
    if not len(sound):
        raise Problem('the listener has heard nothing at all, not even silence')
    heard.write(output, sound)
    return sound, begin - base, *plain_ear.sound(), base


def part(sound, begin, seconds):
    return sound[int(begin * heard.RATE):int((begin + seconds) * heard.RATE)]


def judge(said, sound, lead):
    """Says what was heard of each; `lead`: seconds of `sound` before the conversation began."""
    good = True
    delays = []
    for name, begin in (('Allison', START), ('Carlo', SECOND)):
        alone = part(said[name], begin, TURN)
        match = heard.match(alone, sound)
        delay = match.shift / heard.RATE - lead - begin
        delays.append(delay)
        good = good and match.good() and 0 < delay < 5
        print(f'  {name + " alone":>16}: {match}')
    window = slice(int((lead + TOGETHER + min(delays)) * heard.RATE),
                   int((lead + TOGETHER + BOTH + min(delays)) * heard.RATE))
    came = sound[window]
    aligned = [heard.follow(heard.moved(said[name], int((lead + delay) * heard.RATE),
                                        len(sound))[window], came)
               for name, delay in zip(said, delays)]
    score = heard.correlation(heard.envelope(sum(aligned)), heard.envelope(came))
    holes = heard.gaps(sum(aligned), came)
    good = good and score >= 0.95 and not holes
    print(f'  {"both at once":>16}: correlation {score:.3f}' +
          (f', {len(holes)} gaps' if holes else ''))
    levels = heard.shares(aligned, came)
    for name, level in zip(said, levels):
        # Waveforms, not envelopes: this one cannot be the other's voice.
        good = good and abs(level) < 6
        print(f'  {name + " in it":>16}: {level:+.1f} dB against what was sent')
    return good, delays


def build_folder():
    return Path(shutil.which('agora-gateway')).parent.parent.parent


def page(gateway):
    """The link for browsers."""
    return f'{gateway.http}/web/?app=demo&channel=room'


def invite(gateway, web):
    where = f'gateway={gateway.ws} app-id=demo channel=room'
    build = os.path.relpath(build_folder())
    print(f'''
The gateway goes on at {gateway.ws}. In other terminals, each after
  meson devenv -C {shlex.quote(build)} -w .
try:
  gst-launch-1.0 audiotestsrc is-live=true ! agorasink {where}
  gst-launch-1.0 agorasrc {where} ! audioconvert ! audioresample ! autoaudiosink
  gst-launch-1.0 -e agorasrc {where} ! audioconvert ! audio/x-raw,format=S16LE ! wavenc ! filesink location=heard.wav
''', end='')
    if web:
        print(f'''or talk with a browser of this machine:
  {page(gateway)}
''', end='')
    print('Ctrl-C ends it.', flush=True)
    while gateway.running():
        GLib.timeout_add(200, lambda: GLib.SOURCE_REMOVE)
        GLib.MainContext.default().iteration(True)
        ending.check()


def main():
    parser = argparse.ArgumentParser(prog='tests/demo', description=__doc__.split('\n')[0])
    parser.add_argument('--keep', action='store_true',
                        help='leave the gateway running afterwards, and print pipelines to try')
    parser.add_argument('--output', type=Path, default=Path(__file__).parent / 'out' / 'heard.wav',
                        help='where to write what the listener heard (default: %(default)s)')
    options = parser.parse_args()
    Gst.init(None)
    folder = gateway = None
    try:
        folder = Path(tempfile.mkdtemp(prefix='agora-demo-'))
        # agora-web is left out where GStreamer's WebRTC isn't installed.
        web = (build_folder() / 'gst' / 'web' / 'agora-web').exists()
        gateway = Gateway(*(['--web'] if web else []), binary=shutil.which('agora-gateway'))
        print(f'agora-gateway is up: {gateway.ws}, media at {gateway.rtmp}', flush=True)
        said = script()
        print('Allison speaks, then Carlo, then both; this is what goes in and what comes out:')
        sound, lead, plain, plain_begin, base = play(gateway, said, folder, options.output)
        # Negative `lead`: the listener was there before the first word.
        print(f'\nWhat the listener heard is in {options.output}; compared with what was said:')
        good, delays = judge(said, sound, -lead / Gst.SECOND)
        late = sorted(delays)
        print(f'  from mouth to ear: {late[0] * 1000:.0f} to {late[-1] * 1000:.0f} ms')
        if len(plain):
            alone = part(said['Allison'], START, TURN)
            match = heard.match(alone, plain)
            delay = match.shift / heard.RATE + (plain_begin - base) / Gst.SECOND - START
            print(f'  rtmp2sink to rtmp2src through the same relay, at the same time: '
                  f'{delay * 1000:.0f} ms ({match})')
            headroom = Gst.ElementFactory.make('agorasrc').get_property('latency')
            print(f"  What agorasrc takes more is part of its property `latency` ({headroom} ms by default): it\n"
                  '  holds sound back, so that it plays on without a gap when packets come late.')
        print('Both were heard, all of it.' if good else 'That is NOT what was said.')
        if options.keep:
            try:
                invite(gateway, web)
            except SystemExit:
                if ending.status != 128 + signal.SIGINT:
                    raise
        elif web:
            print(f'Browsers are members, too: with --keep the gateway stays, and one can talk at a link such as\n'
                  f'  {page(gateway)}')
        return 0 if good else 1
    except (Problem, AssertionError, GLib.Error) as problem:
        print(f'\ntests/demo: {problem}', file=sys.stderr)
        if gateway:
            print(gateway.tail(), file=sys.stderr)
        return 1
    finally:
        ending.status = ending.status or 0
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if gateway:
            gateway.stop()


if __name__ == '__main__':
    sys.exit(main())
