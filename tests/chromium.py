# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headless Chromium, by its DevTools protocol."""

import base64
import os
from pathlib import Path

from browserlink import Failed, Link
from browserpage import HOOKS, Browser, Page, voice_file
from harness import wait_until


class ChromiumPage(Page):
    def __init__(self, browser):
        super().__init__(browser)
        self.target = browser.link.call('Target.createTarget', {'url': 'about:blank'})['targetId']
        self.session = browser.link.call('Target.attachToTarget', {
            'targetId': self.target, 'flatten': True})['sessionId']
        self.loads = 0
        browser.sessions[self.session] = self
        for method, params in (
                ('Page.enable', {}), ('Runtime.enable', {}), ('Log.enable', {}),
                ('Page.setBypassCSP', {'enabled': True}),
                ('Page.addScriptToEvaluateOnNewDocument', {'source': HOOKS})):
            self.call(method, params)

    def call(self, method, params=None, timeout=20):
        return self.browser.link.call(method, params, timeout, sessionId=self.session)

    def event(self, message):
        method, params = message['method'], message['params']
        if method == 'Page.loadEventFired':
            self.loads += 1
        elif method == 'Runtime.consoleAPICalled':
            self.console.append((params['type'], ' '.join(
                str(one.get('value', one.get('description', ''))) for one in params['args'])))
        elif method == 'Runtime.exceptionThrown':
            details = params['exceptionDetails']
            self.console.append(('exception', details.get('exception', {}).get(
                'description', details.get('text'))))
        elif method == 'Log.entryAdded':
            entry = params['entry']
            self.console.append((entry['level'], f'{entry["text"]} {entry.get("url", "")}'))

    def open(self, url, timeout=20, wait=True):
        before = self.loads
        answer = self.call('Page.navigate', {'url': url}, timeout)
        if answer.get('errorText'):
            raise AssertionError(f'{url}: {answer["errorText"]}')
        if wait:
            wait_until(lambda: self.loads > before, timeout, f'{url} loaded')

    def _evaluate(self, expression, timeout):
        answer = self.call('Runtime.evaluate', {
            'expression': expression, 'awaitPromise': True, 'returnByValue': True}, timeout)
        if 'exceptionDetails' in answer:
            details = answer['exceptionDetails']
            raise Failed(details.get('exception', {}).get('description', details['text']))
        return answer['result'].get('value')

    def _click(self, x, y):
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', {
                'type': kind, 'x': x, 'y': y, 'button': 'left', 'clickCount': 1})

    def type(self, text):
        self.call('Input.insertText', {'text': text})

    def press(self, key):
        """Tab, Enter, Escape, Space, an arrow, or a small letter."""
        code, text = {'Tab': (9, ''), 'Enter': (13, '\r'), 'Escape': (27, ''), 'Space': (32, ' '),
                      'ArrowLeft': (37, ''), 'ArrowUp': (38, ''), 'ArrowRight': (39, ''),
                      'ArrowDown': (40, '')}.get(key) or (ord(key.upper()), key)
        name = ' ' if key == 'Space' else key
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', {
                'type': kind, 'key': name, 'code': key if len(key) > 1 else f'Key{key.upper()}',
                'windowsVirtualKeyCode': code,
                **({'text': text} if text and kind == 'keyDown' else {})})

    def resize(self, width, height, mobile=False):
        self.call('Emulation.setDeviceMetricsOverride', {
            'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': mobile})

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(
            self.call('Page.captureScreenshot', {'format': 'png'})['data']))

    def close(self):
        """As somebody who closes the tab: the page gets its pagehide."""
        self.call('Page.close')

    def offline(self, off=True):
        """HTTP fails at once and the page is told; WebRTC goes on (webnet.py cuts both)."""
        self.call('Network.enable')
        self.call('Network.emulateNetworkConditions', {
            'offline': off, 'latency': 0, 'downloadThroughput': -1, 'uploadThroughput': -1})

    def throttle(self, times):
        """So many times slower a processor."""
        self.call('Emulation.setCPUThrottlingRate', {'rate': times})


class Chromium(Browser):
    program = ('chromium', 'chromium-browser', 'google-chrome')

    def __init__(self, folder, voice='allison', autoplay=True, hide_addresses=False, options=(),
                 microphone=True):
        """`voice`: a name of heard.VOICES, or a WAV file, said over and over. `autoplay=False`: as for
        somebody who has touched nothing. `hide_addresses`: `.local` candidates, as by default."""
        home = self.home(folder, 'chromium')
        argv = [
            self.find(), '--headless=new', '--remote-debugging-port=0', f'--user-data-dir={home}',
            '--window-size=1000,800', '--no-first-run', '--no-default-browser-check', '--disable-gpu', '--mute-audio',
            '--disable-dev-shm-usage', '--disable-extensions', '--disable-sync',
            '--disable-component-update', '--disable-background-networking', '--disable-breakpad',
            '--password-store=basic', '--use-mock-keychain',
            # A tab in the background is slowed down, and all of ours are.
            '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
            '--disable-backgrounding-occluded-windows',
            # Nothing leaves this machine.
            '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
            '--use-fake-ui-for-media-stream' if microphone else '--deny-permission-prompts',
            '--use-fake-device-for-media-stream']
        if os.geteuid() == 0:
            argv.append('--no-sandbox')  # it refuses to start as root otherwise
        if autoplay:
            argv.append('--autoplay-policy=no-user-gesture-required')
        if not hide_addresses:
            argv.append('--disable-features=WebRtcHideLocalIpsWithMdns')
        argv.append(f'--use-file-for-fake-audio-capture={voice_file(home, voice)}')
        super().__init__(folder, [*argv, *options, 'about:blank'], env={'HOME': str(home)})
        self.name = 'chromium'
        self.sessions = {}
        try:
            url = self.wait_line(r'DevTools listening on (ws://\S+)', 30, which='err')[1]
            self.link = Link(url, self._event)
        except BaseException:
            self.stop()
            raise

    def _event(self, message):
        page = self.sessions.get(message.get('sessionId'))
        if page:
            page.event(message)

    def _page(self):
        return ChromiumPage(self)

    def _quit(self):
        if self.link:
            self.link.call('Browser.close', timeout=5)
