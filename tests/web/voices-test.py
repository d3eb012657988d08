# SPDX-License-Identifier: LGPL-2.1-or-later
"""Voices from and to real browsers: compared by what was heard, and how late."""

import os

import numpy

import heard
import tap
from webcase import WebCase


class Voices(WebCase):
    def assert_shares(self, what, voices, came, least=-9.0):
        """Each of the voices is in what came; by waveforms, so that none passes for another."""
        aligned = [heard.follow(heard.moved(voice, heard.shift(voice, came), len(came)), came)
                   for voice in voices]
        levels = heard.shares(aligned, came)
        print(f'{self.id()}: {what}: {", ".join(f"{level:+.1f} dB" for level in levels)}')
        for level in levels:
            self.assertTrue(least < level < -least, f'{what}: {levels}')

    def test_chromium_speaks(self):
        browser = self.chromium()
        mouth = self.enter(browser, 11)
        ear = self.ear(21, latency=100)
        listener = self.enter(browser, 12, speak=False)
        self.row(listener, 11)
        self.until(lambda: self.hears(listener), 'a voice')
        for page in (mouth, listener):
            page.record()
        self.pause(7)
        said, echo = mouth.recorded('said'), mouth.recorded('heard')
        self.assert_alike('chromium to agorasrc at latency=100', said, ear.take())
        self.assert_alike('chromium to chromium', said, listener.recorded('heard'))
        # Nobody hears itself.
        self.assertLess(numpy.abs(echo.sound).max(initial=0), 0.005)

    def test_firefox_speaks_with_chromium(self):
        near, far = self.chromium(voice='allison'), self.firefox(voice='june')
        one, other = self.enter(near, 11), self.enter(far, 12)
        self.row(one, 12)
        self.row(other, 11)
        for page in (one, other):
            self.until(lambda page=page: self.hears(page), 'a voice')
        # Two browsers fill two cores: in one of three times of seven seconds neither stumbles.
        for last in (False, False, True):
            for page in (one, other):
                page.record()
            self.pause(7)
            recorded = {page: (page.recorded('said'), page.recorded('heard')) for page in (one, other)}
            try:
                self.assert_alike('firefox to chromium', recorded[other][0], recorded[one][1])
                self.assert_alike('chromium to firefox', recorded[one][0], recorded[other][1])
                return
            except AssertionError:
                if last:
                    raise

    def test_elements_and_rtmp_speak(self):
        browser = self.chromium()
        page = self.enter(browser, 11, speak=False)
        # As a mini program: its library asks for URLs, its player and pusher speak RTMP.
        program = self.member(self.room, '--uid=31', '--publish')
        url = program.wait_line(r'^push (\S+)$')[1]
        talk = self.wav('carlo', heard.voice('carlo', 8))
        self.foreign('ffmpeg', '-v', 'error', '-nostdin', '-re', '-i', talk, '-c:a', 'aac', '-b:a',
                     '48k', '-f', 'flv', url, quiet_errors=True)
        speaker = self.speaker(32, heard.voice('june', 9), lead=1.0)
        self.row(page, 31)
        self.row(page, 32)
        page.record()
        self.pause(6)
        came = page.recorded('heard')
        self.assert_shares('agorasink and RTMP in chromium',
                           [heard.voice('carlo', 8), speaker.said.sound], came.sound)
        # Alone it tells how late it is.
        program.terminate()
        speaker.process.wait(15)
        self.silent(page)
        page.record()
        speaker = self.speaker(33, heard.voice('june', 5), lead=1.5)
        self.pause(7.5)
        self.assert_alike('agorasink to chromium', speaker.said, page.recorded('heard'))

    def test_rtmp_listens(self):
        page = self.enter(self.chromium(), 11)
        program = self.member(self.room, '--subscribe')
        url = program.wait_line(r'^play 11 (\S+)$')[1]
        path = self.tmp / 'heard.wav'
        page.record()
        player = self.foreign('ffmpeg', '-v', 'error', '-nostdin', '-i', url, '-t', '5', path,
                              quiet_errors=True)
        self.assertEqual(player.wait(20), 0, player.tail())
        said = page.recorded('said').sound
        came = heard.read(path)
        middle = came[len(came) // 2 - heard.RATE:len(came) // 2 + heard.RATE]
        match = heard.match(middle, said)
        print(f'{self.id()}: {match}')
        self.assertGreater(match.correlation, 0.8)


if __name__ == '__main__':
    assert os.environ.get('AGORA_MEMBER_BIN'), 'run it by meson'
    tap.main()
