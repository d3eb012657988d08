# SPDX-License-Identifier: LGPL-2.1-or-later
"""A browser is a member as all others: mutes, rules of the operator's, a newer member of its uid."""

import tap
from webcase import WebCase


class Members(WebCase):
    def setUp(self):
        super().setUp()
        self.browser = self.chromium()

    def test_mutes_itself(self):
        one, other = self.enter(self.browser, 11), self.enter(self.browser, 12)
        witness = self.witness()
        witness.wait_event('stream-added', uid=11)
        for page, uid in ((one, 12), (other, 11)):
            self.row(page, uid)
            self.until(lambda page=page: self.hears(page), 'a voice')
        one.click('#mute')
        witness.wait_event('audio-mute', uid=11, mute=True)
        self.status(one, 'muted')
        self.until(lambda: 'muted' in self.row(other, 11), 'the page shows it')
        self.silent(other)
        self.assertTrue(self.hears(one), 'who is muted does not hear')
        # By the keyboard.
        other.press('m')
        witness.wait_event('audio-mute', uid=12, mute=True)
        self.until(lambda: 'muted' in self.row(one, 12), 'the page shows it')
        self.silent(one)
        one.click('#mute')
        witness.wait_event('audio-mute', uid=11, mute=False)
        self.until(lambda: self.hears(other), 'the voice again')
        self.until(lambda: 'muted' not in self.row(other, 11), 'the page shows it')

    def test_mutes_one_speaker(self):
        self.enter(self.browser, 11)
        listener = self.enter(self.browser, 13, speak=False)
        self.row(listener, 11)
        self.until(lambda: self.hears(listener), 'a voice')
        another = self.enter(self.browser, 14, speak=False)
        self.row(another, 11)
        button = '#speakers li[aria-label="Speaker 11"] button'
        listener.click(button)
        self.silent(listener)
        # It is this listener's own affair.
        self.until(lambda: self.hears(another), 'a voice elsewhere')
        listener.click(button)
        self.until(lambda: self.hears(listener), 'the voice again')

    def test_silenced(self):
        one, listener = self.enter(self.browser, 11), self.enter(self.browser, 12, speak=False)
        self.row(listener, 11)
        rule = self.rule(cname=self.room, uid=11, privileges=['publish_audio'])
        self.notice(one, 'silenced')
        listener.until('!document.querySelector("#speakers li")')
        self.silent(listener)
        self.rule('DELETE', id=rule)
        self.notice(one, 'speak again')
        self.row(listener, 11, 10)
        self.until(lambda: self.hears(listener), 'the voice again')

    def test_kicked_and_banned(self):
        page = self.enter(self.browser, 11)
        witness = self.witness()
        witness.wait_event('stream-added', uid=11)
        rule = self.rule(cname=self.room, uid=11, time=1)
        witness.wait_event('stream-removed', uid=11)
        self.notice(page, 'operator')
        page.until('document.querySelector("#room").hidden')
        page.click('#join')
        page.until('document.querySelector("#notices").textContent')
        self.assertTrue(page.evaluate('document.querySelector("#room").hidden'))
        self.rule('DELETE', id=rule)
        page.click('#join')
        self.status(page, 'on air')
        witness.wait_event('stream-added', uid=11)

    def test_replaced(self):
        first = self.enter(self.browser, 11)
        witness = self.witness()
        witness.wait_event('stream-added', uid=11)
        second = self.enter(self.browser, 11)
        first.until('document.querySelector("#room").hidden')
        first.until('document.querySelector("#notices").textContent')
        self.status(second, 'on air')

    def test_leaves(self):
        page = self.enter(self.browser, 11)
        witness = self.witness()
        witness.wait_event('stream-added', uid=11)
        page.click('#leave')
        witness.wait_event('stream-removed', uid=11, timeout=1)
        page.until('document.querySelector("#room").hidden')
        page.click('#join')
        witness.wait_event('stream-added', uid=11)


if __name__ == '__main__':
    tap.main()
