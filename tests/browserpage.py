# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all browsers of browserrig.py have in common: tabs, recordings, their beginning and end."""

import base64
import dataclasses
import json
import re
import shutil
import subprocess
import threading
import time
import unittest
from pathlib import Path

import numpy

import heard
from browserlink import Failed, Gone
from harness import SCALE, Process, wait_until

NOISE = re.compile(r'dbus/|ALSA lib|alsa_util|RemoteSettings|nimbus|Remote Settings|Stack:')
HOOKS = (Path(__file__).parent / 'browserhooks.js').read_text(encoding='utf-8')


@dataclasses.dataclass
class Recording:
    sound: numpy.ndarray  # floats at heard.RATE
    begin: float          # time.monotonic() of its first sample, as the page's clock has it
    steps: list           # (monotonic, samples so far), for what drifts

    @property
    def end(self):
        return self.begin + len(self.sound) / heard.RATE

    def since(self, moment, seconds=None):
        """The samples from that time.monotonic() on."""
        first = max(0, round((moment - self.begin) * heard.RATE))
        last = None if seconds is None else first + round(seconds * heard.RATE)
        return self.sound[first:last]

    def loud(self, level=0.005):
        """When each 10 ms with sound began, by time.monotonic()."""
        return self.begin + numpy.nonzero(heard.envelope(self.sound) > level)[0] / 100


def delay(said, heard_recording, **near):
    """Seconds from when one recording has the sound until the other has it."""
    by = heard.shift(said.sound, heard_recording.sound, **near)
    return heard_recording.begin - said.begin + by / heard.RATE


def _recording(taken):
    frames, times, lengths, text = taken
    samples = numpy.frombuffer(base64.b64decode(text), dtype='<i2') / 32767
    if not frames:
        return Recording(numpy.zeros(0), time.monotonic(), [])
    now = time.time() - time.monotonic()
    sound = numpy.zeros(frames[-1] + lengths[-1] - frames[0])
    at = 0
    for frame, length in zip(frames, lengths):
        sound[frame - frames[0]:frame - frames[0] + length] = samples[at:at + length]
        at += length
    frames, ends = numpy.array(frames), numpy.array(times) / 1000 - now
    done = frames - frames[0] + numpy.array(lengths)
    # A thread that woke late stamps a block late, never early; a second's worth has one in time.
    begins = ends - done / heard.RATE
    return Recording(sound, float(numpy.percentile(begins, 5)), list(zip(ends, done)))


class Page:
    """One tab. What the two browsers do differently is behind the methods with `_`."""

    def __init__(self, browser):
        self.browser = browser
        self.console = []  # (kind, text): appended by the link's thread

    def evaluate(self, expression, timeout=20):
        """The value of an expression, or of the promise that it gives, as JSON has it."""
        text = self._evaluate(f'(async () => JSON.stringify(await ({expression})))()', timeout)
        return None if text is None else json.loads(text)

    def until(self, expression, timeout=10, what=None):
        """Waits until the expression is true, and returns its value."""
        return wait_until(lambda: self.evaluate(expression), timeout, what or expression)

    def logged(self, word):
        return [text for _, text in list(self.console) if word in text]

    def tail(self):
        lines = '\n'.join(f'  {kind}: {text}' for kind, text in list(self.console)[-40:])
        return f'--- console of {self.browser.name}\n{lines}'

    def centre(self, selector):
        place = self.evaluate(
            f'(e => {{ e.scrollIntoView({{block: "center"}}); const r = e.getBoundingClientRect();'
            f'return [r.x + r.width / 2, r.y + r.height / 2]; }})'
            f'(document.querySelector({json.dumps(selector)}))')
        return round(place[0]), round(place[1])

    def click(self, selector):
        """As somebody with a mouse: that is a gesture to the browser."""
        self._click(*self.centre(selector))

    def record(self):
        """From now on; the state of the recorder's AudioContext: `suspended` where a page may not
        play yet (it goes on by itself once it may)."""
        return self.evaluate('agoraRig.record()')

    def recorded(self, kind='heard'):
        """What was recorded since record(), or since it was last asked for."""
        return _recording(self.evaluate(f'agoraRig.take("{kind}")', 60))

    def listen(self, seconds):
        """What was said and heard since record() (or since this was last asked), and for so long."""
        threading.Event().wait(seconds)
        return self.recorded('said'), self.recorded('heard')

    def statistics(self):
        return self.evaluate('agoraRig.statistics()')


class Browser(Process):
    """A browser with a profile of its own. `kill()` is kill -9; `stop()` the ordinary end."""

    program = None

    def __init__(self, folder, argv, **keywords):
        self.folder = Path(folder)
        self.pages = []
        self.link = None
        super().__init__(argv, quiet_errors=True, **keywords)

    @classmethod
    def find(cls):
        for name in cls.program:
            if shutil.which(name):
                return name
        raise unittest.SkipTest(f'{cls.program[0]} is not installed')

    @staticmethod
    def home(folder, name):
        path = Path(folder) / f'{name}-{time.monotonic_ns()}'
        path.mkdir()
        return path

    def open(self, url='about:blank', timeout=20, wait=True):
        """A new tab. `wait=False`: not until it is loaded."""
        page = self._page()
        self.pages.append(page)
        if url != 'about:blank':
            page.open(url, timeout, wait)
        return page

    def close_tabs(self):
        """All that were opened, as somebody who closes them."""
        while self.pages:
            try:
                self.pages.pop().close()
            except (Gone, Failed, AssertionError):
                pass  # a test's own doing

    def kill(self):
        """As the kernel does when memory is short: all its processes, none has a last word."""
        self._kill_group(9)
        self.popen.wait()

    def stop(self):
        if self.running():
            try:
                self._quit()
                self.popen.wait(5 * SCALE)
            except (Gone, Failed, AssertionError, subprocess.TimeoutExpired):
                pass  # what isn't gone by now is not ours to mend
        self._kill_group(9)
        self.popen.wait()
        if self.link:
            self.link.close()
        super().stop()

    def tail(self, count=60):
        # A machine without a desktop or a sound card hears much about that.
        lines = [line for line in super().tail(1000).split('\n') if not NOISE.search(line)]
        return '\n'.join([lines[0], *lines[1:][-count:], *(page.tail() for page in self.pages)])


def voice_file(folder, voice, seconds=60):
    """A WAV file of that voice, a minute long, or the one that is given."""
    if Path(str(voice)).suffix:
        return voice
    path = Path(folder) / f'{voice}.wav'
    heard.write(path, heard.voice(voice, seconds))
    return path
