# SPDX-License-Identifier: LGPL-2.1-or-later
"""ffplay with its low-delay settings, and what it plays, without a sound card.

SDL's driver for files takes a block, writes it, and waits as long as the block would sound, but in
whole milliseconds: 42 in place of 42.7. So what comes out of a FIFO in the file's place tells when
the first block began to sound, and each sample after it has its time from there, as of a card with
an exact clock; the driver is ahead of it by 13 ms each second, which ffplay, with some 200 ms in
hand, only would notice after a quarter of a minute.
"""

import os
import select
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy

RATE = 48000
# What SDL takes at once, of one channel and 16 bits. The C library hands on two of them together.
BLOCK = 2048
LOW_DELAY = ('-fflags', 'nobuffer', '-flags', 'low_delay', '-probesize', '32', '-analyzeduration',
             '0')


def missing():
    """Why it can't be had; None: it can."""
    return None if shutil.which('ffplay') else 'ffplay is not installed'


class Player:
    def __init__(self, url, clock, loud, onset):
        """`onset` is called with the time of each, in ns of `clock`; `loud`: what is no silence."""
        self.url, self.clock, self.loud, self.onset = url, clock, loud, onset
        self.folder = tempfile.TemporaryDirectory(prefix='agora-bench-')
        fifo = Path(self.folder.name) / 'sound'
        os.mkfifo(fifo)
        # For writing, too: so that it neither waits for ffplay nor ends with it.
        self.sound = os.open(fifo, os.O_RDWR)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.listen)
        self.process = subprocess.Popen(
            ['ffplay', '-loglevel', 'error', '-nostats', '-nodisp', *LOW_DELAY, url],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, 'SDL_AUDIODRIVER': 'disk', 'SDL_DISKAUDIOFILE': str(fifo),
                 'SDL_VIDEODRIVER': 'dummy'})
        self.thread.start()

    def listen(self):
        start = None
        count, last = 0, -RATE
        while not self.over.is_set():
            if not select.select([self.sound], [], [], 0.2)[0]:
                continue
            data = os.read(self.sound, 65536)
            samples = numpy.abs(numpy.frombuffer(data, numpy.int16)) > self.loud * 32768
            if start is None:
                # The last of the blocks that come together is the one that sounds from now on.
                start = self.clock.get_time() - (len(samples) - BLOCK) * 10**9 // RATE
            for at in numpy.flatnonzero(samples) + count:
                if at - last > RATE // 5:
                    self.onset(start + int(at) * 10**9 // RATE)
                last = int(at)
            count += len(samples)

    def check(self):
        pass

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.over.set()
        self.thread.join()
        os.close(self.sound)
        self.folder.cleanup()
