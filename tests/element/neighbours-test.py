# SPDX-License-Identifier: LGPL-2.1-or-later
"""What other programs of the machine notice of the plugin: nothing, unless they ask for it."""

import os
import re

import tap
from channel import ChannelCase


class NeighboursTest(ChannelCase):
    def tried(self, line, plugins, name):
        """Which elements autodetect looks at, in its order."""
        env = {'GST_PLUGIN_PATH': plugins, 'GST_REGISTRY': str(self.tmp / f'{name}.bin'),
               'GST_DEBUG': 'autodetect:5', 'GST_DEBUG_NO_COLOR': '1'}
        process = self.line(line, env=env)
        process.wait(30)
        output = process.output()
        return re.findall(r'> Testing (\S+)', output), output

    def test_automatic_microphone_and_loudspeaker(self):
        ours = os.environ['GST_PLUGIN_PATH']
        for line in ('autoaudiosrc ! fakesink num-buffers=1',
                     'audiotestsrc num-buffers=1 ! autoaudiosink sync=false'):
            with self.subTest(line):
                without, _ = self.tried(line, '', 'without')
                tried, output = self.tried(line, ours, 'with')
                # As if it weren't installed: the same ones, as far as the same end.
                self.assertEqual(tried, without)
                self.assertTrue(tried, output)
                self.assertNotRegex(output, 'agorasrc|agorasink')
                # It could have been found.
                found = self.foreign('gst-inspect-1.0', 'agorasrc',
                                     env={'GST_REGISTRY': str(self.tmp / 'with.bin')})
                self.assertEqual(found.wait(10), 0, found.tail())


if __name__ == '__main__':
    tap.main()
