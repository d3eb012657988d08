# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host and a listener in pipelines that play, what is heard of them, and what they tell."""

import ctypes
import os
import re
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from harness import SCALE, Case, send_signal

UID = 7
LOUD = -40  # dB; the tone is at -2
STEADY = 0.8  # seconds without a gap: the sound is back
TONE = 'audiotestsrc is-live=true samplesperbuffer=480'
# Ticks of 23 ms, so far apart that five seconds are no multiple of it.
TICK = 1.5
TICKS = f'{TONE} wave=ticks tick-interval={int(TICK * 1e9)} ! level interval=10000000'


def children(pid):
    """None of a process that is gone."""
    try:
        words = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    except FileNotFoundError:
        return []
    return [int(word) for word in words]


def alive(pid):
    """Whether it still holds its sockets: a zombie doesn't."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


PIDFD_GETFD = 438  # the same number on every architecture


def sockets_to(pid, port):
    """Copies of its TCP sockets that are connected to that port."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    found = []
    try:
        for name in os.listdir(f'/proc/{pid}/fd'):
            try:
                if not os.readlink(f'/proc/{pid}/fd/{name}').startswith('socket:'):
                    continue
            except FileNotFoundError:
                continue
            copy = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
            if copy < 0:
                raise OSError(ctypes.get_errno(), f'pidfd_getfd of {pid}')
            end = socket.socket(fileno=copy)
            try:
                if end.getpeername()[1] == port:
                    found.append(end)
                    continue
            except (OSError, IndexError):
                pass
            end.close()
    finally:
        os.close(pidfd)
    return found


class MediaServer:
    """The gateway's relay."""

    def __init__(self, gateway):
        self.pid, = children(gateway.pid)
        self.port = urlsplit(gateway.rtmp).port

    def sessions_of(self, process):
        """How many RTMP connections it has."""
        ends = sockets_to(process.pid, self.port)
        for end in ends:
            end.close()
        return len(ends)

    def drop(self, process):
        """Ends the one RTMP session of a process, as a server does: both ends see the end."""
        ends = sockets_to(process.pid, self.port)
        if len(ends) != 1:
            raise AssertionError(f'{len(ends)} RTMP sessions of {process.name}, expected 1')
        with ends[0] as end:
            end.shutdown(socket.SHUT_RDWR)

    def signal(self, number):
        send_signal(self.pid, number)


class Levels:
    """The peaks (time, dB) that a process has told, whoever spoke."""

    def __init__(self, process, pattern, silent):
        self.process = process
        self.pattern = re.compile(pattern)
        self.silent = silent  # what a line says when nobody is heard
        self.seen = 0
        self.peaks = []

    def update(self):
        lines = self.process.lines[self.seen:]
        self.seen += len(lines)
        for at, _, text in lines:
            if self.silent in text:
                found = self.pattern.search(text)
                peak = float(found[1]) if found else -200.0
                self.peaks.append((self.process.started + at, peak))
        return self.peaks

    def onsets(self, since=0):
        """When it became loud."""
        peaks = self.update()
        return [now[0] for before, now in zip(peaks, peaks[1:])
                if before[1] < LOUD <= now[1] and now[0] >= since]


def heard_levels(process):
    return Levels(process, r'peak\\=\\\(double\\\)([-\d.e+]+)', 'agora-level,')


def sent_levels(process):
    return Levels(process, r' peak=\(GValueArray\)< ([-\d.e+]+)', ': level,')


class FaultCase(Case):
    table = []
    sound = TONE
    level_interval = 50_000_000

    @classmethod
    def tearDownClass(cls):
        for row in cls.table:
            print(f'# {row}', file=sys.__stdout__, flush=True)
        cls.table.clear()

    def setUp(self):
        super().setUp()
        self.gate = self.gateway()
        self.join()

    def join(self):
        self.where = getattr(self, 'where', f'gateway={self.gate.ws}')
        self.host = self.speak()
        self.listener = self.listen()
        self.levels = heard_levels(self.listener)
        self.steady()
        self.marks = {}
        self.media = MediaServer(self.gate)

    def speak(self):
        return self.launch(f'{self.sound} ! agorasink name=host {self.where} '
                           f'app-id=demo channel=room uid={UID}', '-m')

    def listen(self):
        return self.launch(f'agorasrc name=listener {self.where} app-id=demo '
                           f'channel=room level-interval={self.level_interval} ! '
                           'fakesink name=speaker sync=true', '-m')

    def now(self):
        """From here on, nothing may happen but the fault."""
        self.marks = {process: process.mark() for process in (self.host, self.listener)}
        return time.monotonic()

    def since(self, process):
        return '\n'.join(text for _, _, text in process.lines[self.marks[process]:])

    def event(self, process, pattern, timeout=10):
        return process.wait_line(rf'\(element\): agora-{pattern}', timeout,
                                 since=self.marks.get(process, 0))

    def steady(self, since=0, timeout=15):
        """Waits until there was sound for a while; when it began, or `since`."""
        def back():
            peaks = self.levels.update()
            if not peaks or peaks[-1][0] < since + STEADY:
                return None
            begin = None
            for at, peak in reversed(peaks):
                if peak < LOUD or at < since:
                    break
                begin = at
            if begin is None or peaks[-1][0] - begin < STEADY:
                return None
            return begin

        return self.until(back, 'sound without a gap', timeout)

    def told(self, *processes):
        """Each says once that it begins, and once that it is over."""
        for process in processes:
            self.event(process, 'reconnecting')
            self.event(process, 'reconnected')

    def silence(self, since, timeout=10):
        return self.until(lambda: next((at for at, peak in self.levels.update()
                                        if at > since and peak < LOUD), None), 'silence', timeout)

    def gap(self, since):
        """How long nothing was heard after `since`, all together."""
        peaks = [(since, 0)] + [each for each in self.levels.update() if each[0] > since]
        return sum(then[0] - now[0] for now, then in zip(peaks, peaks[1:]) if then[1] < LOUD)

    def untouched(self, *processes):
        """No error, no end and no change of state on the bus since the fault."""
        for process in processes or (self.host, self.listener):
            text = self.since(process)
            self.assertTrue(process.running(), process.tail())
            self.assertNotRegex(text, r'ERROR|\((error|eos|clock-lost)\)')
            self.assertTrue(self.all_over(text), process.tail())
            self.assertNotRegex(text, r'element "(pipeline0|host|listener|speaker|audiotestsrc0)" '
                                      r'\(state-changed\)')

    @staticmethod
    def all_over(text):
        """Whatever began is over: the membership's own, and the sound of a speaker, unless that has gone."""
        begun, over = (re.findall(rf'agora-{word}, .*', text) for word in ('reconnecting', 'reconnected'))
        lost, found = (sum('uid=' in line for line in lines) for lines in (begun, over))
        return len(begun) - lost == len(over) - found and lost - found <= text.count('agora-stream-removed')

    def row(self, fault, begin, back, bound, silent=None):
        took = max(0.0, back - begin)
        gap = self.gap(begin) if silent is None else silent
        # A block that a busy machine loses after all is over makes it late, but hardly longer silent.
        late = took if silent == 0 else min(took, self.gap(begin))
        self.table.append(f'{fault:<44} back after {took:5.2f} s of {bound:3.1f}, '
                          f'silent for {gap:5.2f} s')
        self.assertLessEqual(late, bound * SCALE, f'{fault}: sound was away for too long (back after {took:.2f} s)')
