# SPDX-License-Identifier: LGPL-2.1-or-later
"""A member by the library alone that loses its gateway and comes back: what it missed, it is told."""

import os
import sys
import threading
import time
from pathlib import Path

import tap
from harness import SCALE, Case
from tcpway import Way
from wsclient import Member

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'field'))
import rtmp  # noqa: E402


def go_on(seconds):
    """As long as what goes on meanwhile is to last."""
    threading.Event().wait(seconds)


class Return(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()
        self.way = Way(self.served.ws)
        self.addCleanup(self.way.close)
        self.speaker = Member(self.served.ws, uid=8, heartbeat=True)
        self.addCleanup(self.speaker.close)
        self.speaker.join()
        self.push = rtmp.Publisher(self.speaker.publish())
        self.addCleanup(self.push.close)
        self.listener = self.start(os.environ['AGORA_MEMBER_BIN'], '--uid=7', self.way.url, 'demo', 'room')
        self.listener.wait_line('^added 8$', 10 * SCALE)

    def test_who_left_meanwhile(self):
        self.way.shut()
        self.speaker.must('leave', uid=8)
        # Longer than a first try, and shorter than the grace of its membership.
        go_on(3)
        self.assertNotIn('removed', self.listener.output('out'))
        since = self.listener.mark()
        self.way.mend()
        began = time.monotonic()
        self.listener.wait_line('^removed 8$', 5 * SCALE, since=since)
        print(f'# told {time.monotonic() - began:.2f} s after the gateway was in reach again')

    def test_after_its_membership_has_ended(self):
        self.way.shut()
        self.speaker.must('leave', uid=8)
        go_on(12)
        since = self.listener.mark()
        self.way.mend()
        self.listener.wait_line('^removed 8$', 5 * SCALE, since=since)


if __name__ == '__main__':
    tap.main()
