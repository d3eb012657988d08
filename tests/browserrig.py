# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real browsers, headless, driven without more than the standard library: Chromium by its DevTools
protocol, Firefox by WebDriver BiDi. Their microphones play a recorded voice.

    browser = self.keep(Chromium(self.tmp, voice='allison'))   # a class of harness.Case
    page = browser.open(url)
    page.evaluate('document.title')           # promises are awaited; the value comes back as JSON
    page.record()
    ...
    heard = page.recorded('heard')            # what the page plays: samples and their times
    said = page.recorded('said')              # what its microphone gives the page

Chromium takes music and tones for noise and removes them: use voices. Traps of either browser stand
where they are dealt with.
"""

import shutil

from browserlink import Failed, Gone  # noqa: F401
from browserpage import Page, Recording, delay  # noqa: F401
from chromium import Chromium
from firefox import Firefox


def browsers():
    """Those that are here, for tests that go through each."""
    return [kind for kind in (Chromium, Firefox)
            if any(shutil.which(name) for name in kind.program)]
