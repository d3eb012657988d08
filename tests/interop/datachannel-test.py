# SPDX-License-Identifier: LGPL-2.1-or-later
"""libdatachannel, the WebRTC stack of OBS, speaks to agora-web by WHIP.

datachannel-test.py NPM-FOLDER: where npm has no way to it, this is skipped.
"""

import sys
from pathlib import Path

import numpy

import heard
import npm
import tap
from channel import ChannelCase
from harness import Case

PACKAGE = 'node-datachannel@0.33.4'
FOLDER = Path(sys.argv.pop(1)).resolve()


class DataChannel(ChannelCase):
    def setUp(self):
        Case.setUp(self)
        self.room = 'room'
        self.gate = self.gateway('--web=true', '--web-workers=1', '--app=demo')

    def test_speaks(self):
        npm.install(FOLDER, PACKAGE)
        voice = heard.voice('allison', 5)
        path = self.tmp / 'voice.wav'
        heard.write(path, numpy.concatenate([heard.silence(2), voice, heard.silence(0.5)]))
        record = self.record()
        studio = self.start(npm.node(), Path(__file__).with_name('datachannel.mjs'), FOLDER,
                            f'{self.gate.http}/whip/demo/room?uid=7')
        port = studio.wait_line(r'port (\d+)', 20).group(1)
        sender = self.launch(f'filesrc location={path} ! wavparse ! audioconvert ! audioresample ! opusenc !'
                             f' rtpopuspay pt=111 ssrc=42 ! udpsink host=127.0.0.1 port={port}', '-q')
        self.assertEqual(sender.wait(30), 0, sender.tail())
        self.assertEqual(studio.terminate(10), 0, studio.tail())
        self.assertIn('goodbye 200', studio.output('out'))
        match = heard.match(voice, self.stop_recording(record))
        print(f'{self.id()}: {match}')
        self.assertGreaterEqual(match.correlation, 0.95, match)
        self.assertFalse([gap for gap in match.gaps if gap[1] >= 100], match)


if __name__ == '__main__':
    tap.main()
