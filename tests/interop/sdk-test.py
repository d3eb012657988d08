# SPDX-License-Identifier: LGPL-2.1-or-later
"""The vendor's own mini program SDK, unmodified, in a channel of our gateway.

sdk-test.py NPM-FOLDER

It comes from npm; where npm has none, AGORA_MINIAPP_SDK names a file that was got elsewhere.
"""

import os
import re
import sys
from pathlib import Path

import harness
import npm
import tap
from wsclient import Member

PACKAGE = 'agora-miniapp-sdk'
VERSIONS = ('2.6.0', '2.6.1', '2.6.2', '2.6.3', '2.6.4')
WEBSOCKET = 'ws@8.18.0'
CASES = ('call', 'rejoin', 'a drawn uid', 'account', 'tokens')
# What its typings of 2.6 declare, all of it.
METHODS = '''init setRole join publish unpublish subscribe unsubscribe muteLocal unmuteLocal mute unmute startChannelMediaRelay
    updateChannelMediaRelay stopChannelMediaRelay on off rejoin setAudioCodec leave destroy updatePusherNetStatus
    updatePusherStateChange updatePlayerNetStatus updatePlayerStateChange setRemoteVideoStreamType renewToken setSrcChannelInfo
    setDestChannelInfo removeDestChannelInfo setLogLevel uploadLogs onlog'''.split()
EVENTS = '''client-banned error stream-added stream-removed update-url video-rotation token-privilege-did-expire
    token-privilege-will-expire mute-audio mute-video unmute-audio unmute-video channel-media-relay-event
    channel-media-relay-state'''.split()
PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'sdk-map.md'
CERTIFICATE = '00112233445566778899aabbccddeeff'
FOLDER = Path(sys.argv.pop(1)).resolve()


class Sdk(harness.Case):
    def play(self, version):
        folder = FOLDER / version
        given = os.environ.get('AGORA_MINIAPP_SDK')
        npm.install(folder, WEBSOCKET, *(() if given else (f'{PACKAGE}@{version}',)))
        file = Path(given) if given else folder / 'node_modules' / PACKAGE / 'build' / f'{PACKAGE}.js'

        gateway = self.gateway('--app=demo', f'--app=sealed:{CERTIFICATE}')
        speaker = Member(gateway.ws, channel='room', uid=2002).join()
        self.addCleanup(speaker.close)
        witness = Member(gateway.ws, channel='room').join('audience')
        self.addCleanup(witness.close)
        self.foreign('gst-launch-1.0', '-q', 'audiotestsrc', 'is-live=true', '!', 'voaacenc', '!',
                     'flvmux', 'streamable=true', '!', 'rtmp2sink', f'location={speaker.publish()}')
        witness.wait_event('stream-added', 15, uid=2002)
        token = self.start(os.environ['AGORA_GATEWAY_BIN'], 'token', f'--app=sealed:{CERTIFICATE}',
                           '--channel=room', '--uid=1003', '--role=publisher')
        self.assertEqual(token.wait(), 0)
        # The speaker's heartbeat is ours to keep going while theirs runs.
        sdk = self.start(npm.node(), Path(__file__).with_name('sdk.mjs'), folder, file, gateway.ws,
                         gateway.http, 'room', token.output('out').strip())
        harness.wait_until(lambda: speaker.ping() and not sdk.running(), 60, 'the end of the SDK')
        self.assertEqual(sdk.wait(), 0, sdk.tail())
        for case in CASES:
            self.assertIn(f'done {case}', sdk.output('out').splitlines())


class SdkMap(harness.Case):
    def rows(self, heading):
        section = PAGE.read_text().split(f'\n## {heading}\n')[1].split('\n#')[0]
        return [[cell.strip() for cell in line.strip('|').split(' | ')] for line in section.splitlines()
                if line.startswith('| ') and not line.startswith('| SDK')]

    def test_everything_has_an_answer(self):
        for heading, names in (('Methods', METHODS), ('Events', EVENTS)):
            rows = self.rows(heading)
            for name in names:
                with self.subTest(name):
                    found = [row for row in rows if re.search(rf'(?<![\w-]){name}(?![\w-])', row[0])]
                    self.assertTrue(found, f'{name} is in no row of {PAGE.name}')
                    for row in found:
                        self.assertTrue(row[1], row)


def add(version):
    def test(self):
        self.play(version)
    setattr(Sdk, 'test_' + version.replace('.', '_'), test)


for each in ('given',) if os.environ.get('AGORA_MINIAPP_SDK') else VERSIONS:
    add(each)

if __name__ == '__main__':
    tap.main()
