# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operator's console in real Chromium: logging in, what it shows, what its buttons do, on a desk and on a phone."""

import json
import os
import signal
from pathlib import Path

import browserrig
import tap
from harness import SCALE, Case
from wsclient import Member

TOKEN = 'Tru5t-me/for+this:one='

# The contrast of an element's text against what is behind it, as WCAG counts it; and what has no name.
CHECKS = '''
(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/rgba\\(.*, 0\\)|transparent/.test(colour))
        return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const wrong = [];
  for (const element of document.querySelectorAll('body *')) {
    if (!element.checkVisibility())
      continue;
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (own && !element.closest('.away, :disabled, option')) {
      const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
      if ((a + 0.05) / (b + 0.05) < 4.5)
        wrong.push(`contrast ${((a + 0.05) / (b + 0.05)).toFixed(1)}: ${element.tagName} ${element.textContent.slice(0, 30)}`);
    }
    if (element.matches('button') && !(element.getAttribute('aria-label') || element.textContent.trim()))
      wrong.push('a button without a name');
    if (element.matches('input, select') && !element.labels.length)
      wrong.push(`no label: ${element.id}`);
    if (element.matches('[role=img], [role=meter]') && !element.getAttribute('aria-label'))
      wrong.push('a picture without words');
  }
  if (document.documentElement.scrollWidth > innerWidth)
    wrong.push(`wider than the screen: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  return wrong;
})()'''


class Console(Case):
    def setUp(self):
        browserrig.Chromium.find()
        super().setUp()
        secret = self.tmp / 'admin-token'
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        self.gate = self.gateway(f'--admin-token-file={secret}', '--console', '--max-admin-requests-per-second=1000')
        self.browser = self.keep(browserrig.Chromium(self.tmp))

    def member(self, uid, role='broadcaster', **fields):
        member = Member(self.gate.ws, uid=uid, channel=fields.pop('channel', 'studio'), heartbeat=True)
        self.addCleanup(member.close)
        return member.join(role, features=['quality', 'silence'], **fields)

    def speak(self, member):
        self.start('ffmpeg', '-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', 'sine', '-c:a', 'aac',
                   '-f', 'flv', member.publish(), quiet_errors=True)

    def picture(self, page, name):
        """For people to look at, where they ask for it."""
        folder = os.environ.get('AGORA_PICTURES')
        if folder:
            page.screenshot(Path(folder) / f'console-{name}.png')

    def says(self, page, text, where='body', timeout=10):
        page.until(f'document.querySelector({json.dumps(where)})?.innerText.includes({json.dumps(text)})', timeout * SCALE,
                   f'{where} says {text!r}')

    def show(self, page, token):
        """The form is there once the page has been told that it may not look."""
        page.until('!document.querySelector("#login").hidden')
        page.evaluate('document.querySelector("#token").focus()')
        page.type(token)
        page.press('Enter')

    def login(self, page):
        self.show(page, TOKEN)
        page.until('!document.querySelector("#live").hidden', 10 * SCALE)

    def open(self):
        page = self.browser.open('about:blank')
        # The rig lets tests into any page: here the page's own policy is tried.
        page.call('Page.setBypassCSP', {'enabled': False})
        page.open(f'{self.gate.http}/console/')
        return page

    def test_console(self):
        anna = self.member(7)
        self.member(8, 'audience')
        self.member(21, channel='news')
        self.speak(anna)
        page = self.open()
        self.picture(page, 'login')
        self.assertEqual(page.evaluate(CHECKS), [])
        # A wrong token is said, and nothing more.
        self.show(page, 'no')
        self.says(page, 'not the admin token', '#notice')
        page.evaluate('document.querySelector("#token").value = ""')
        self.login(page)
        # Not in the address, and out of reach of scripts.
        self.assertEqual(page.evaluate('[location.href.endsWith("/console/"), document.cookie]'), [True, ''])
        self.says(page, 'up', '#gateway')
        self.says(page, '2 here', '#channels')
        page.click('.channel:nth-of-type(2) > summary')
        self.says(page, 'on the air, 0 listen', '.channel[open]')
        anna.must('report', reconnects=2, sent={'peak': -12, 'rms': -25, 'dropped': 40, 'outages': 1},
                  heard=[{'uid': 8, 'peak': -9, 'rms': -21, 'delay': 100, 'latency': 181, 'jitter': 3, 'dropped': 5, 'concealed': 120}])
        self.says(page, '181 ms', '.channel[open] tbody')
        row = '.channel[open] tbody tr:first-child'
        cells = page.evaluate(f'Object.fromEntries([...document.querySelectorAll("{row} > *")].map((cell) => [cell.dataset.name, cell.innerText]))')
        self.assertEqual({name: cells[name] for name in ('Member', 'Mouth to ear', 'Jitter', 'Late', 'Concealed', 'Unsent', 'Reconnects')},
                         {'Member': '7', 'Mouth to ear': '181 ms', 'Jitter': '3 ms', 'Late': '5 ms', 'Concealed': '120 ms', 'Unsent': '40 ms',
                          'Reconnects': '3'})
        self.assertEqual(page.evaluate(f'document.querySelector("{row} [role=meter]").getAttribute("aria-valuenow")'), '-12')
        page.until('document.querySelector(".plot [aria-label*=\\"181 ms\\"] polyline") !== null')
        self.assertEqual(page.evaluate(CHECKS), [])
        self.picture(page, 'desk')
        page.resize(390, 844, mobile=True)
        self.assertEqual(page.evaluate(CHECKS), [])
        self.picture(page, 'phone')
        page.call('Emulation.setEmulatedMedia', {'features': [{'name': 'prefers-color-scheme', 'value': 'dark'}]})
        self.assertEqual(page.evaluate(CHECKS), [])
        page.evaluate('document.querySelector(".channel[open]").scrollIntoView()')
        self.picture(page, 'phone-dark')
        page.resize(1000, 800)

        # Silenced, by keyboard alone: the focus stays where it is while figures change.
        page.evaluate('document.querySelector("[aria-label=\\"Silence 7\\"]").focus()')
        self.says(page, 'Here for', '.channel[open]')
        page.press('Enter')
        page.until('document.querySelector("#sure").open')
        self.picture(page, 'sure')
        page.evaluate('document.querySelector("#sure-yes").focus()')
        page.press('Enter')
        anna.wait_event('silenced')
        self.says(page, 'silenced', row)
        self.says(page, 'silenced: member 7', '#rules')
        self.says(page, 'left', '#rules')
        page.click('#rules button')
        anna.wait_event('unsilenced')
        self.says(page, 'No rule holds')
        # Kicked once, after a look at what would be and a change of mind.
        page.click('[aria-label="Kick 8"]')
        page.until('document.querySelector("#sure").open')
        page.press('Escape')
        page.until('!document.querySelector("#sure").open')
        self.says(page, '2 here', '.channel[open]')
        page.click('[aria-label="Kick 8"]')
        page.until('document.querySelector("#sure").open')
        # And again before the page has heard that it was closed.
        page.evaluate('document.querySelector("#sure").close("no"), document.querySelector("[aria-label=\\"Kick 8\\"]").click()')
        page.until('document.querySelector("#sure").open')
        page.click('#sure-yes')
        self.says(page, '1 here', '.channel[open]')
        # What others call themselves is text.
        self.member('<img src=x onerror=alert(1)>', uidType=1, channel='<b>bold</b>')
        self.says(page, '<b>bold</b>', '#channels')
        page.evaluate('document.querySelector("#filter").focus()')
        page.type('news')
        self.assertEqual(page.evaluate('document.querySelectorAll(".channel").length'), 1)
        # A second tab is in already; who logs out is out in both.
        second = self.open()
        second.until('!document.querySelector("#live").hidden')
        second.click('#leave')
        second.until('!document.querySelector("#login").hidden')
        page.call('Page.reload')
        page.until('document.querySelector("#login")?.hidden === false')
        for kind, text in page.console + second.console:
            self.assertFalse(kind in ('exception', 'error') and '401' not in text, text)

    def test_comes_back(self):
        page = self.open()
        self.login(page)
        # New secrets, but the same token: streams end, sessions don't.
        self.gate.signal(signal.SIGHUP)
        self.says(page, 'Lost the gateway', '#status')
        page.until('document.querySelector("#status").textContent === "Live"', 15 * SCALE)


if __name__ == '__main__':
    tap.main()
