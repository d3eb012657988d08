# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes away: tabs, browsers, networks, workers, gateways; and packets that are lost."""

import os
import signal
import time

import browserrig
import heard
import tap
from webcase import WebCase


class Gone(WebCase):
    def removed(self, witness, uid, since, within):
        witness.wait_event('stream-removed', uid=uid, timeout=within + 2)
        took = time.monotonic() - since
        print(f'{self.id()}: {uid} was gone after {took:.1f} s')
        self.assertLess(took, within)

    def test_browsers(self):
        network = self.network()
        closing, killed = self.chromium(), self.chromium()
        tab = self.enter(closing, 11)
        self.enter(killed, 12)
        self.enter(closing, 13, base=network.url)
        witness = self.witness()
        for uid in (11, 12, 13):
            witness.wait_event('stream-added', uid=uid)
        since = time.monotonic()
        tab.close()
        self.removed(witness, 11, since, 1)
        since = time.monotonic()
        killed.kill()
        network.cut = True
        self.removed(witness, 12, since, 15)
        self.removed(witness, 13, since, 15)
        # Whoever was cut off comes back by itself.
        network.cut = False
        witness.wait_event('stream-added', uid=13, timeout=20)


class Lost(WebCase):
    def setUp(self):
        super().setUp()
        self.browser = self.chromium()
        self.talk = self.speaker(31, heard.voice('june', 40), lead=1.0)

    def again(self, page, what, since, within):
        """When sound came again, after it had gone."""
        # What was under way when it went isn't it.
        took = self.first_heard(page, since + 1, within + 5) - since
        print(f'{self.id()}: {what}: heard again after {took:.1f} s')
        self.assertLess(took, within)

    def test_worker_killed(self):
        page = self.enter(self.browser, 12, speak=False)
        self.until(lambda: self.hears(page), 'a voice')
        worker = self.worker()
        since = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        self.again(page, 'worker killed', since, 5)
        self.assertNotEqual(self.worker(), worker)
        self.status(page, 'listening')

    def test_gateway_killed(self):
        page = self.enter(self.browser, 12, speak=False)
        self.until(lambda: self.hears(page), 'a voice')
        since = time.monotonic()
        self.gate.signal(signal.SIGKILL)
        self.gate.wait()
        self.return_gateway()
        self.again(page, 'gateway killed', since, 12)
        self.status(page, 'listening')


class Loss(WebCase):
    def test_five_percent(self):
        network = self.network()
        browser = self.chromium()
        # In rooms of their own, so that each hears one voice.
        mouth = self.enter(browser, 11, base=network.url, room='up')
        listener = self.enter(browser, 12, speak=False, base=network.url, room='down')
        self.room = 'up'
        ear = self.ear(21, latency=100)
        speaker = self.speaker(31, heard.voice('carlo', 30), lead=1.0, room='down')
        self.until(lambda: self.hears(listener), 'a voice')
        network.loss = 0.05, 0.05
        for page in (mouth, listener):
            page.record()
        begin = time.monotonic()
        self.pause(15)
        print(f'{self.id()}: lost {network.lost} of {network.packets}')
        self.assertGreater(min(network.lost), 0)
        down = browserrig.Recording(speaker.said.since(begin, 14), begin, [])
        # The figure is the bench's: a busy machine loses more.
        self.assert_alike('5 % lost down', down, listener.recorded('heard'), 0.6)
        self.assert_alike('5 % lost up', mouth.recorded('said'), ear.take(), 0.6)


class Autoplay(WebCase):
    def test_refused(self):
        page = self.chromium(autoplay=False).open(self.link(12))
        self.speaker(31, heard.voice('june', 30), lead=0.5)
        # By a script, hence without a gesture.
        page.evaluate('document.querySelector("#listen").click()')
        page.until('!document.querySelector("#autoplay").hidden')
        page.click('#resume')
        page.until('document.querySelector("#autoplay").hidden')
        page.record()
        self.until(lambda: self.hears(page), 'a voice')


if __name__ == '__main__':
    tap.main()
