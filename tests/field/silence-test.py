# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where nothing could be sent or played although data comes, one WARNING says why; where it could, it is heard."""

import subprocess
import threading
import time

import kit
import tap


class BelowZeroTest(kit.FieldCase):
    """An encoder with priming writes its first tags below 0."""

    def rows(self):
        self.voice, configuration, frames = self.aac_speech('carlo', 5)
        right = kit.exact(len(frames))
        stamps = {'zero': right, 'below': [stamp - 64 for stamp in right], 'far': [stamp - 1500 for stamp in right],
                  'late': [stamp + 3600_000 for stamp in right]}
        return {name: kit.spoken(configuration, frames, row) for name, row in stamps.items()}

    def test_files(self):
        lines = {}
        for name, schedule in self.rows().items():
            path = self.tmp / f'{name}.flv'
            path.write_bytes(kit.flv(schedule, flags=4))
            lines[name] = f'filesrc location={path}'
        self.each_heard(self.voice, self.sent(lines))

    def test_pushed(self):
        sounds = self.pushed(self.rows())
        self.each_heard(self.voice, sounds)


class NeverTest(kit.FieldCase):
    def without_configuration(self):
        _, configuration, frames = self.aac_speech('june', 8)
        return [entry for entry in kit.spoken(configuration, frames) if entry[3][:2] != kit.AAC_CONFIGURATION]

    def one_warning(self, said, *words):
        self.assertEqual(len(said), 1, said)
        for word in words:
            self.assertIn(word, said[0])

    def test_pushed_without_a_configuration(self):
        sounds = self.pushed({'bare': self.without_configuration()})
        self.assertLess(abs(sounds['bare']).max(), 1e-4)
        self.one_warning(self.said['bare'], '21')

    def test_file_without_a_configuration(self):
        path = self.tmp / 'bare.flv'
        path.write_bytes(kit.flv(self.without_configuration(), flags=4))
        speaker = self.line(f'filesrc location={path} ! agorasink name=sink {self.where(8)}')
        status = speaker.wait(30)
        # The file is over before anyone could wait for 5 s: an end at which nothing was sent says so, too.
        said = self.warnings(speaker, 'sink') + [line for line in speaker.output().splitlines() if line.startswith('ERROR')]
        self.assertTrue(said, f'ended with {status} and without a word\n{speaker.tail()}')

    def test_file_without_time(self):
        """All stamps are 0: it is heard whole, or the sink says why not."""
        voice, config, frames = self.aac_speech('carlo', 5)
        path = self.tmp / 'same.flv'
        path.write_bytes(kit.flv(kit.spoken(config, frames, [0 for _ in frames]), flags=4))
        sounds = self.sent({'same': f'filesrc location={path}'})
        if self.said['same']:
            print(f'{self.id()}: {self.said["same"][0]}')
            self.assertEqual(len(self.said['same']), 1)
        else:
            self.each_heard(voice, sounds)

    def test_live_without_a_configuration(self):
        """An endless one gets its warning after 5 s, and one is all."""
        speaker = self.line(f'fdsrc ! agorasink name=sink {self.where(8)}', stdin=subprocess.PIPE)
        with speaker.popen.stdin as pipe:
            pipe.write(kit.flv([], flags=4))
            begin, tick = time.monotonic(), threading.Event()
            for entry in self.without_configuration():
                tick.wait(max(0, begin + entry[0] - time.monotonic()))
                pipe.write(kit.flv([entry])[13:])
                pipe.flush()
            speaker.wait_line('WARNING: from element .*sink', 3)
        speaker.wait(10)
        self.one_warning(self.warnings(speaker, 'sink'))


if __name__ == '__main__':
    tap.main()
