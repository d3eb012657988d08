# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway drains, and the elements go on at another one, with nobody's help."""

import json
import signal
import urllib.request

import tap
from chooser import Chooser
from harness import Case


class Drain(Case):
    def health(self, gateway):
        with urllib.request.urlopen(gateway.http + '/healthz', timeout=5) as answer:
            return json.load(answer)

    def test_the_elements_move(self):
        old, new = self.gateway('--drain=60'), self.gateway()
        chooser = Chooser(old.ws)
        self.addCleanup(chooser.close)
        where = f'ap-url=http://127.0.0.1:{chooser.server_port}/ app-id=demo channel=hall'
        speaker = self.launch(f'audiotestsrc is-live=true ! agorasink {where} uid=8', '-m')
        listener = self.launch(f'agorasrc {where} uid=9 ! fakesink sync=true', '-m')
        listener.wait_line(r'agora-stream-added', 20)
        self.until(lambda: self.health(old)['streams'] == 1, 'a stream')
        marks = {each: each.mark() for each in (speaker, listener)}
        chooser.url = new.ws
        old.signal(signal.SIGTERM)
        # It doesn't take its time, since all have gone long before.
        self.assertEqual(old.wait(40), 0)
        for each, mark in marks.items():
            each.wait_line('agora-reconnected', since=mark)
            self.assertNotIn('ERROR', each.output())
        self.until(lambda: self.health(new)['members'] == 2 and self.health(new)['streams'] == 1,
                   'both at the other gateway')
        for each in (speaker, listener):
            self.assertEqual(each.interrupt(), 0)


if __name__ == '__main__':
    tap.main()
