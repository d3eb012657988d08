# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speakers at one gateway and listeners at another: how soon they hear, and when they are told that the speakers' gateway
and relay stand still."""

import os
import select
import signal
import threading
import time

from clustered import Cluster
from harness import freeze
from report import median
from stall import relay_of

FRAME = 64 / 3000  # seconds, of relayed.cpp
HERE, THERE = range(2)  # the speakers' gateway, and another
LISTENER = 1000  # uid


def await_phase(start):
    """Until as much of a frame's time is over as was at `start`: then the next frame is as far away for all who begin so."""
    while (rest := -(time.monotonic() - start) % FRAME) > 0.0001:
        threading.Event().wait(rest / 2)


def first_sound(many, url):
    """From dialling to the first frame, in ms."""
    began = time.monotonic()
    ear = many.ear(url)

    def sound():
        return next((at for at, _, body in ear.peer.media() if body[:2] == b'\xaf\1'), None)

    ear.peer.wait(sound, 5, 'sound')
    return (sound() - began) * 1000


def soon(report, quick):
    """Each sample is of a stream of its own, so that each has a first listener."""
    count = 6 if quick else 24
    with Cluster(2) as many:
        speakers = [many.member(HERE, uid) for uid in range(1, count + 1)]
        many.load([f'push {each.publish()}' for each in speakers])
        urls = []
        for number, gateway in enumerate((HERE, THERE, THERE)):
            listener = many.member(gateway, LISTENER + number, 'audience')
            for each in speakers:
                listener.wait_event('stream-added', 10, uid=each.uid)
            urls.append([listener.subscribe(each.uid) for each in speakers])
        direct, first, later = [], [], []
        start = time.monotonic()
        for of_one in zip(*urls):
            for url, found in zip(of_one, (direct, first, later)):
                await_phase(start)
                found.append(first_sound(many, url))
            start += FRAME / count
    there = {'where it is pushed': direct}
    report.row('cluster', "first sound of a stream's first listener at another gateway", 'ms', first, there, compared=False)
    report.row('cluster', 'the same, more than where it is pushed', 'ms', median(first) - median(direct), asked=50)
    report.row('cluster', 'first sound of a later listener there', 'ms', later, there, compared=False)
    report.row('cluster', 'the same, more than where it is pushed, of a later listener', 'ms', median(later) - median(direct),
               asked=10)


def told(member, ear, timeout):
    """Whether the listener is told, or its play is closed, by then."""
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([member.socket, ear.peer.socket], [], [], left)
        if member.socket in ready:
            try:
                member.read_message(Soon())
            except TimeoutError:
                pass
            if any(event.get('action') in ('stream-removed', 'update-url') for event in member.events):
                return True
        if ear.peer.socket in ready and not ear.peer.socket.recv(65536):
            return True
    return False


class Soon:
    """The time limit of a frame that has begun to come."""

    @staticmethod
    def left():
        return 0.1


def mute(listening):
    """How long a listener elsewhere waits in vain, of one that listens already, or comes after; the kernel of the origin still
    takes connections and packets."""
    with Cluster(2) as many:
        speaker = many.member(HERE, 1)
        many.load([f'push {speaker.publish()}'])
        listener = many.member(THERE, LISTENER, 'audience')
        listener.wait_event('stream-added', 10, uid=1)
        url = listener.subscribe(1)
        if listening:
            first_sound(many, url)
            ear = many.ear(url)  # the newer one counts
            ear.peer.wait(ear.peer.media, 5, 'sound')
        stopped = [many.gateways[HERE].pid, relay_of(many.gateways[HERE])]
        for pid in stopped:
            freeze(pid)
        try:
            began = time.monotonic()
            if not listening:
                ear = many.ear(url)
            if not told(listener, ear, 10):
                raise AssertionError('a listener of a mute origin was told nothing in 10 s')
            return time.monotonic() - began
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def run(report, quick):
    soon(report, quick)
    for listening, who in ((True, 'who hears it'), (False, 'who comes then')):
        found = [mute(listening) for _ in range(1 if quick else 3)]
        report.row('cluster', f'a mute origin, until a listener elsewhere is told, {who}', 's', found, asked=3)
