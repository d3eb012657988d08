# SPDX-License-Identifier: LGPL-2.1-or-later
"""Weeks on the air: past 2^31 ms (24.9 days) and 2^32 ms (49.7 days), where RTMP's timestamps begin anew."""

import kit
import tap

HALF, WHOLE = 2 ** 31, 2 ** 32


class ListenerTest(kit.FieldCase):
    def test_stamps_of_weeks(self):
        """A pusher that began weeks ago, or will pass the turn while it is heard."""
        voice, config, frames = self.aac_speech('carlo', 6)
        right = kit.exact(len(frames))
        turn = round(kit.LEAD * 1000) + 3000  # in the middle of the voice
        begins = {'today': 0, 'extended': 0xffffff - turn, 'beforehalf': HALF - turn, 'afterhalf': HALF + 5000,
                  'turns': WHOLE - turn, 'turned': WHOLE + 5000}
        sounds = self.pushed({name: kit.spoken(config, frames, [begin + stamp for stamp in right])
                              for name, begin in begins.items()})
        self.each_heard(voice, sounds)


if __name__ == '__main__':
    tap.main()
