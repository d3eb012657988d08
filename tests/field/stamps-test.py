# SPDX-License-Identifier: LGPL-2.1-or-later
"""Timestamps that don't fit the sound, as encoders of the field write them: each listener hears the voice whole.

The rhythm in which the frames come is right in each row, and so is the sound; only the stamps are not.
"""

import random

import heard
import kit
import tap


def by_wall_clock(stamps, spread, seed=7):
    """Stamped when the encoder was done, which is up to `spread` ms early or late; never backwards."""
    chance, last, out = random.Random(seed), 0, []
    for stamp in stamps:
        last = max(last, spread + stamp + chance.randint(-spread, spread))
        out.append(last)
    return out


class StampsTest(kit.FieldCase):
    def test_pushed(self):
        voice, configuration, frames = self.aac_speech('carlo', 12)
        right = kit.exact(len(frames))
        count = range(len(frames))
        rows = {
            'right': right,
            # Read together from a capture buffer, sent one after another.
            'pairs': [right[at - at % 2] for at in count],
            'triples': [right[at - at % 3] for at in count],
            'fours': [right[at - at % 4] for at in count],
            # A frame is 21.33 ms.
            'steps21': [21 * at for at in count],
            'steps22': [22 * at for at in count],
            'clock20': by_wall_clock(right, 20),
            'clock40': by_wall_clock(right, 40),
            # Each late by its own time, so that some are stamped before the one that came before.
            'backwards': [stamp + 40 - 30 * (at % 3 == 0) for at, stamp in enumerate(right)],
            'zero': [0 for _ in count],
        }
        sounds = self.pushed({name: kit.spoken(configuration, frames, stamps) for name, stamps in rows.items()})
        self.each_heard(voice, sounds)

    def test_a_hole_stays_a_hole(self):
        """Sound that was never sent is silence of its length, whatever the stamps beside it do."""
        voice, configuration, frames = self.aac_speech('june', 8)
        right = kit.exact(len(frames))
        begin, end = 200, 200 + round(0.6 * heard.RATE / kit.FRAME)

        def without(stamps):
            return [entry for number, entry in enumerate(kit.spoken(configuration, frames, stamps), -1)
                    if not begin <= number < end]

        sounds = self.pushed({
            'right': without(right),
            'pairs': without([right[at - at % 2] for at in range(len(frames))]),
            'clock': without(by_wall_clock(right, 20))})
        for room, sound in sounds.items():
            with self.subTest(room):
                split = begin * kit.FRAME - int(kit.LEAD * heard.RATE)
                after = end * kit.FRAME - int(kit.LEAD * heard.RATE)
                margin = heard.RATE // 10
                first = self.assert_heard(voice[:split - margin], sound)
                second = self.assert_heard(voice[after + margin:], sound)
                # What follows is where it would be without the hole.
                moved = (second.shift - (after + margin) - first.shift) * 1000 / heard.RATE
                self.assertLess(abs(moved), 20, 'ms by which the hole is longer or shorter than what is missing')


if __name__ == '__main__':
    tap.main()
