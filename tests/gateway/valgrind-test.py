# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway, a speaker and a listener under valgrind: no error, and no byte of ours lost."""

import os
import re
import shutil
import signal
import unittest
import xml.etree.ElementTree

import harness
import tap
from harness import Case

OURS = os.environ['AGORA_BUILD_ROOT']
# What valgrind says of blocks that are still reached at exit is no loss.
HARMLESS = ('Leak_StillReachable', )
# Who allocates for others. A block that is possibly lost is ours when these had it from us: what
# the system's libraries keep in threads and types is reached by pointers into its middle, and each
# call of theirs on our loop's thread has a frame of ours far below.
ALLOCATORS = re.compile(r'vgpreload|libc\.so|ld-linux|libglib-|libgobject-|libstdc\+\+')


@unittest.skipUnless(shutil.which('valgrind'), 'valgrind is not installed')
@unittest.skipUnless(os.environ.get('AGORA_SANITIZE', 'none') == 'none',
                     'a sanitised build does not run under valgrind')
class ValgrindTest(Case):
    def setUp(self):
        super().setUp()
        scale, harness.SCALE = harness.SCALE, 10
        self.addCleanup(setattr, harness, 'SCALE', scale)
        # The registry is made in peace: that loads every plugin.
        self.assertEqual(self.foreign('gst-inspect-1.0', 'agorasrc').wait(), 0)

    def command(self, name):
        return ['valgrind', '--quiet', '--leak-check=full', '--num-callers=40',
                '--child-silent-after-fork=yes', '--xml=yes',
                f'--xml-file={self.tmp}/{name}.xml',
                '--suppressions=' + os.path.join(os.path.dirname(__file__), 'valgrind.supp')]

    def environment(self):
        # Slices and pools would hide what is whose. What gstreamer1.0-libav links has an instruction
        # in it that valgrind lacks, so that another decoder is taken.
        return {'G_SLICE': 'always-malloc', 'G_DEBUG': 'gc-friendly', 'ORC_CODE': 'backup',
                'GST_PLUGIN_FEATURE_RANK': 'avdec_aac:NONE,avdec_aac_fixed:NONE,faad:MAX'}

    def problems(self, name):
        """Errors with a frame of ours in their stack."""
        found = []
        for error in xml.etree.ElementTree.parse(self.tmp / f'{name}.xml').iter('error'):
            kind = error.findtext('kind')
            if kind in HARMLESS:
                continue
            frames = list(error.find('stack').iter('frame'))
            objects = [frame.findtext('obj') or '' for frame in frames]
            if kind == 'Leak_PossiblyLost':
                objects = [name for name in objects if not ALLOCATORS.search(name)][:1]
            if any(name.startswith(OURS) for name in objects):
                text = error.findtext('what') or error.findtext('xwhat/text')
                stack = '\n'.join(
                    f'    {frame.findtext("fn") or "?"} '
                    f'({frame.findtext("file") or os.path.basename(frame.findtext("obj") or "?")}'
                    f':{frame.findtext("line") or "?"})' for frame in frames)
                found.append(f'{kind}: {text}\n{stack}')
        return '\n'.join(found)

    def gateway_under_valgrind(self):
        return self.gateway(binary=[*self.command('gateway'), os.environ['AGORA_GATEWAY_BIN']],
                            ready_timeout=10, env=self.environment())

    def launch_under_valgrind(self, name, line, *options):
        return self.start(*self.command(name), 'gst-launch-1.0', *options, *line.split(),
                          env=self.environment())

    def test_publish_listen_leave(self):
        gate = self.gateway_under_valgrind()
        where = f'gateway={gate.ws} app-id=demo channel=room'
        listener = self.launch_under_valgrind(
            'listener', f'agorasrc {where} uid=1 latency=4000 ! audioconvert ! level ! fakesink',
            '-m', '-e')
        # The meter says something else than silence once the tone is heard.
        listener.wait_line('Setting pipeline to PLAYING|New clock', 20)
        # Until it is heard: a busy machine may take its time.
        speaker = self.launch_under_valgrind(
            'speaker', f'audiotestsrc ! agorasink {where} uid=2', '-e')
        listener.wait_line(r'rms=.*<? *-\d\d?\.\d', 10)
        speaker.signal(signal.SIGINT)
        self.assertEqual(speaker.wait(30), 0, speaker.tail())
        listener.signal(signal.SIGINT)
        self.assertEqual(listener.wait(30), 0, listener.tail())
        self.assertEqual(gate.terminate(10), 0)
        for name in ('gateway', 'listener', 'speaker'):
            with self.subTest(name):
                problems = self.problems(name)
                self.assertFalse(problems, problems)


if __name__ == '__main__':
    tap.main()
