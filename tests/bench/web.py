# SPDX-License-Identifier: LGPL-2.1-or-later
"""A browser as a member, beside a plain webrtcbin pair in the same run: how late, how soon, at what cost."""

import http.client
import os
import signal
import sys
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import numpy

import heard
from harness import Gateway
from relay import memory
from rig import Rig
from voices import Drifting, Ear

WEB = Path(__file__).resolve().parent.parent / 'web'
sys.path.insert(0, str(WEB))
import webcase  # noqa: E402

# Listens to the channel's mix by so many connections of one page, that play nothing.
LISTENERS = '''(async (count, channel) => {
  window.listeners ??= [];
  for (let at = 0; at < count; at++) {
    const peer = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    peer.addTransceiver('audio', {direction: 'recvonly'});
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    const answer = await fetch(`/whep/demo/${channel}`, {
      method: 'POST', body: offer.sdp, headers: {'Content-Type': 'application/sdp'}});
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
    await peer.setRemoteDescription({type: 'answer', sdp: await answer.text()});
    while (peer.connectionState !== 'connected') {
      await new Promise((done) => peer.addEventListener('connectionstatechange', done, {once: true}));
    }
    listeners.push(peer);
  }
  return listeners.length;
})'''
OFFER = '''(async () => {
  const peer = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  peer.addTransceiver('audio', {direction: 'recvonly'});
  return (await peer.createOffer()).sdp;
})()'''
# When the page asked and was answered, and when its connections stood, by the wall clock in ms.
TIMES = '''(() => {
  const of = (word) => performance.getEntriesByType('resource')
    .filter(({name, initiatorType}) => initiatorType === 'fetch' && name.includes(word) &&
      !name.includes('/session/'))
    .map(({startTime, responseEnd}) => [startTime, responseEnd].map((at) => performance.timeOrigin + at));
  return {whip: of('/whip/'), whep: of('/whep/'), connected: agoraRig.peers.map((one) => one.rigConnected)};
})()'''


class Scene(webcase.WebCase):
    """The tests' own rig, without being a test. Its gateway takes many connections from one address."""

    OPTIONS = ('--web-workers=1', '--max-requests-per-second=1000')

    def runTest(self):
        pass

    def __enter__(self):
        self.setUp()
        return self

    def __exit__(self, *_):
        self.doCleanups()

    def worker_cpu(self, seconds):
        """Seconds of processor time a minute, of all the threads of agora-web."""
        stat = Path(f'/proc/{self.worker()}/stat')

        def used():
            fields = stat.read_text(encoding='ascii').rpartition(')')[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
        before, start = used(), time.monotonic()
        self.pause(seconds)
        return (used() - before) * 60 / (time.monotonic() - start)

    def worker_threads(self):
        return len(os.listdir(f'/proc/{self.worker()}/task'))


def dense(voice, size=heard.RATE // 50):
    """The voice without what is quiet in it."""
    blocks = voice[:len(voice) // size * size].reshape(-1, size)
    loud = numpy.sqrt(numpy.mean(blocks ** 2, axis=1)) > 0.3 * numpy.sqrt(numpy.mean(voice ** 2))
    return blocks[loud].reshape(-1)


def late(said, came):
    """Milliseconds, of each loud second that is recognised."""
    return [delay * 1000 for alike, delay in webcase.windows(said, came) if alike > 0.7]


def latencies(report, rounds, seconds):
    names = ('browser to agorasrc at latency=100', 'agorasink to browser', 'browser to browser')
    found = {name: [] for name in names}
    pair = []
    for _ in range(rounds):
        with Rig() as rig:
            both = rig.measure('latency', senders={}, receivers={}, seconds=seconds,
                               webrtc={'webrtcbin 20': 20})
            pair.append(median(both['webrtcbin 20']))
        with Scene() as scene:
            browser = scene.chromium()
            mouth = scene.enter(browser, 11)
            ear = scene.ear(21, latency=100)
            listener = scene.enter(browser, 12, speak=False)
            scene.row(listener, 11)
            scene.until(lambda: scene.hears(listener), 'a voice')
            for page in (mouth, listener):
                page.record()
            scene.pause(seconds + 2)
            said = mouth.recorded('said')
            found[names[2]].append(median(late(said, listener.recorded('heard'))))
            found[names[0]].append(median(late(said, ear.take())))
            mouth.click('#leave')
            scene.silent(listener)
            listener.record()
            speaker = scene.speaker(31, heard.voice('june', seconds), lead=1.5)
            scene.pause(seconds + 2.5)
            found[names[1]].append(median(late(speaker.said, listener.recorded('heard'))))
    for name, asked in zip(names, (180, 200, 210)):
        report.row('web', f'{name} (asked {asked})', 'ms', found[name], {'webrtcbin pair': pair},
                   compared=False)


def joins(report, rounds):
    found = {name: [] for name in ('answered', 'connected', 'heard by agorasrc',
                                   'heard in the page, of a mix that runs')}
    with Scene() as scene:
        # Without a pause, so that the first word doesn't wait for the voice.
        path = scene.tmp / 'dense.wav'
        heard.write(path, dense(heard.voice('allison', 30)))
        browser = scene.chromium(voice=path)
        scene.speaker(31, dense(heard.voice('june', 240)), lead=0.5)
        for number in range(rounds + 1):
            room = f'own{number}'
            ear = Ear(scene, f'agorasrc {scene.where(21, room)} latency=100')
            listener = scene.enter(browser, 200 + number, speak=False)
            listener.until('agoraRig.peers[0].rigConnected')
            at = listener.evaluate(TIMES)
            now = time.time() - time.monotonic()
            asked, answered = at['whep'][0]
            first = scene.first_heard(listener, asked / 1000 - now) + now
            if number:  # the first one finds everything cold
                found['answered'].append(answered - asked)
                found['connected'].append(at['connected'][0] - asked)
                found['heard in the page, of a mix that runs'].append(first * 1000 - asked)
            mouth = scene.enter(browser, 100 + number, room=room)
            asked = mouth.evaluate(TIMES)['whip'][0][0]
            scene.pause(1.5)
            loud = ear.take().loud()
            if number and len(loud):
                found['heard by agorasrc'].append((loud[0] + now) * 1000 - asked)
            for page in (listener, mouth):
                page.click('#leave')
                page.close()
    for (name, values), asked in zip(found.items(), (50, 100, 350, 350)):
        report.row('web', f'warm worker, from the POST: {name}', 'ms', median(values), asked=asked)
    report.row('web', 'warm worker, from the POST: heard in the page, the first of its channel', 'ms',
               median(cold_mixes(rounds)), asked=350)


def cold_mixes(rounds):
    """From the POST of the first listener of a channel, where somebody speaks, until it hears."""
    found = []
    with Scene() as scene:
        browser = scene.chromium()
        # The browser's own first connection takes it 300 ms.
        warm = scene.enter(browser, 12, speak=False, room='warm')
        warm.click('#leave')
        for number in range(rounds):
            room = f'cold{number}'
            speaker = scene.speaker(31, dense(heard.voice('june', 60)), lead=0.5, room=room)
            witness = scene.witness(99, room=room)
            witness.wait_event('stream-added', uid=31)
            scene.pause(1)
            listener = scene.enter(browser, 12, speak=False, room=room)
            asked = listener.evaluate(TIMES)['whep'][0][0] / 1000 - time.time() + time.monotonic()
            found.append((scene.first_heard(listener, asked) - asked) * 1000)
            speaker.stop()
            listener.click('#leave')
            listener.close()
    return found


def first_post(report, rounds):
    """An offer as soon as the gateway is ready."""
    found = []
    with Scene() as scene:
        offer = scene.chromium().open(f'{scene.gate.http}/web/').evaluate(OFFER)
    for _ in range(rounds):
        gate = Gateway('--web')
        try:
            start = time.monotonic()
            connection = http.client.HTTPConnection(urlsplit(gate.http).netloc, timeout=10)
            connection.request('POST', '/whep/demo/room', offer, {'Content-Type': 'application/sdp'})
            answer = connection.getresponse()
            answer.read()
            found.append((time.monotonic() - start) * 1000)
            connection.close()
            if answer.status != 201:
                raise AssertionError(f'the first POST was answered with {answer.status}')
        finally:
            gate.stop()
    report.row('web', 'first POST after ready', 'ms', median(found), asked=100)


def costs(report, quick):
    seconds = 10 if quick else 30
    with Scene() as scene:
        scene.speaker(31, heard.voice('june', 600), lead=0.5)
        browser = scene.chromium()
        page = browser.open(f'{scene.gate.http}/web/')
        page.evaluate(f'{LISTENERS}(1, "room")')
        scene.pause(2)
        before, threads = memory(scene.worker()), scene.worker_threads()
        alone = scene.worker_cpu(seconds)
        page.evaluate(f'{LISTENERS}(20, "room")', 60)
        scene.pause(2)
        report.row('web', 'CPU of an added listener, of 20', 's/min',
                   (scene.worker_cpu(seconds) - alone) / 20, asked=0.35)
        report.row('web', 'memory of an added listener', 'MiB',
                   (memory(scene.worker()) - before) / 20 / 1024, asked=1.5)
        page.evaluate(f'{LISTENERS}(79, "room")', 200)
        scene.pause(2)
        report.row('web', '100 listeners of one channel: share of a core', '', scene.worker_cpu(seconds) / 60,
                   asked=0.6)
        report.row('web', '100 listeners of one channel: threads of agora-web', '', scene.worker_threads(),
                   asked=300)
        page.close()
    members = 2 if quick else 4
    with Scene() as scene:
        scene.speaker(31, heard.voice('june', 600), lead=0.5)
        browser = scene.chromium()
        warm = scene.enter(browser, 10)
        warm.click('#leave')
        scene.pause(2)
        empty, threads, idle = memory(scene.worker()), scene.worker_threads(), scene.worker_cpu(5)
        cpu = []
        # Each in a room with one other speaker.
        for number in range(members):
            room = f'own{number}'
            scene.speaker(31, heard.voice('june', 600), lead=0.5, room=room)
            scene.enter(browser, 11, room=room)
        scene.pause(3)
        cpu = (scene.worker_cpu(seconds) - idle) / members
        report.row('web', f'CPU of a full member with one other speaker, of {members}', 's/min', cpu, asked=5)
        report.row('web', 'memory of a full member', 'MiB',
                   (memory(scene.worker()) - empty) / members / 1024, asked=15)
        report.row('web', 'threads of a full member', '', (scene.worker_threads() - threads) / members)


def loss(report, seconds):
    with Scene() as scene:
        network = scene.network()
        browser = scene.chromium()
        mouth = scene.enter(browser, 11, base=network.url, room='up')
        listener = scene.enter(browser, 12, speak=False, base=network.url, room='down')
        ear = Ear(scene, f'agorasrc {scene.where(21, "up")} latency=100')
        speaker = scene.speaker(31, heard.voice('carlo', seconds + 10), lead=0.5, room='down')
        scene.until(lambda: scene.hears(listener), 'a voice')
        network.loss = 0.05, 0.05
        for page in (mouth, listener):
            page.record()
        begin = time.monotonic()
        scene.pause(seconds)
        down = webcase.browserrig.Recording(speaker.said.since(begin, seconds - 1), begin, [])
        for what, found in (('down', webcase.windows(down, listener.recorded('heard'))),
                            ('up', webcase.windows(mouth.recorded('said'), ear.take()))):
            good = sum(alike > 0.7 for alike, _ in found)
            report.row('web', f'5 % loss {what}: windows that are not alike, of {len(found)}', '%',
                       100 * (1 - good / len(found)), asked=5)


def worker_killed(report, rounds):
    found = []
    with Scene() as scene:
        scene.speaker(31, heard.voice('june', 600), lead=0.5)
        page = scene.enter(scene.chromium(), 12, speak=False)
        for _ in range(rounds):
            scene.until(lambda: scene.hears(page), 'a voice')
            since = time.monotonic()
            os.kill(scene.worker(), signal.SIGKILL)
            # What was under way when it went isn't it.
            found.append(scene.first_heard(page, since + 1) - since)
    report.row('web', 'worker killed, until the page hears again', 's', median(found), asked=5)


# What the gateway counts of a listening page's mix and the browser of what it plays: milliseconds that
# stand in for sound which came late or not at all.
CONCEALED = '''(async () => {
  const call = performance.getEntriesByType('resource').map(({name}) => name)
    .find((name) => name.includes('/whep/session/')).replace(/(session\\/[^/]+).*/, '$1/call');
  const answer = await fetch(call, {
    method: 'POST', body: '{"call": "stats"}', headers: {'Content-Type': 'application/json'}});
  const mixed = (await answer.json()).hear.speakers.map((one) => one['concealed-ms']);
  const played = [];
  for (const peer of agoraRig.peers) {
    for (const one of (await peer.getStats()).values()) {
      if (one.type === 'inbound-rtp') played.push(one.concealedSamples / 48);
    }
  }
  return [...mixed, ...played].reduce((sum, one) => sum + one, 0);
})()'''


def phase_steps(sound, frequency=1000, size=heard.RATE // 50):
    """By how many cycles a tone's phase jumps from each 20 ms to the next.

    A mix that plays faster or slower for a while moves it too, by nearly the same each time: what
    counts is how far a step is from the usual one around it.
    """
    carrier = numpy.exp(-2j * numpy.pi * frequency / heard.RATE * numpy.arange(len(sound)))
    whole = len(sound) // size * size
    turned = (sound * carrier)[:whole].reshape(-1, size).mean(axis=1)
    steps = numpy.angle(turned[1:] * numpy.conj(turned[:-1])) / (2 * numpy.pi)
    around = numpy.lib.stride_tricks.sliding_window_view(numpy.pad(steps, 4, mode='edge'), 9)
    return numpy.abs(steps - numpy.median(around, axis=1))


def tone(report, seconds):
    """A tone whose speaker's clock is 300 ppm off, through a browser: how its phase jumps, and how
    much of that where something came late."""
    pieces, late = [], []
    with Scene() as scene:
        page = scene.enter(scene.chromium(), 12, speak=False)
        speaker = Drifting(scene, 300, f'agorasink {scene.where(31)}')
        scene.until(lambda: scene.hears(page), 'the tone')
        scene.pause(5)
        page.record()
        begin = time.monotonic()
        before = page.evaluate(CONCEALED)
        while time.monotonic() < begin + seconds:
            scene.pause(2)
            pieces.append(page.recorded('heard').sound)
            now = page.evaluate(CONCEALED)
            late.append(now - before)
            before = now
        speaker.stop()
    # With the end of the one before, so that none is lost between them.
    jumps = [phase_steps(numpy.concatenate([last[-heard.RATE // 5:], piece])).max(initial=0)
             for last, piece in zip([pieces[0][:0], *pieces], pieces)]
    # A concealed place is counted when it is played, and recorded a moment later.
    spoilt = [any(late[max(0, at - 1):at + 2]) for at in range(len(late))]
    name = f'300 ppm for {seconds} s: '
    report.row('web', name + 'largest jump of a tone in 20 ms, where nothing came late', 'cycles',
               float(max((jump for jump, bad in zip(jumps, spoilt) if not bad), default=1)), asked=0.05)
    report.row('web', name + 'the same anywhere', 'cycles', float(max(jumps)))
    report.row('web', name + f'concealed, at {sum(each > 0 for each in late)} of {len(late)} looks', 'ms',
               float(sum(late)))


def run(report, quick):
    rounds = 1 if quick else 5
    latencies(report, rounds, 6 if quick else 12)
    joins(report, 3 if quick else 10)
    first_post(report, 2 if quick else 5)
    costs(report, quick)
    loss(report, 20 if quick else 60)
    worker_killed(report, 1 if quick else 3)
    if not quick:
        tone(report, 600)
