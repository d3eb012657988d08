# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headless Firefox, by WebDriver BiDi, with a PulseAudio of its own for its microphone."""

import base64
import json
import os
import shutil
import subprocess
import threading
import unittest
from pathlib import Path

import numpy

import heard
from browserlink import Failed, Link
from browserpage import HOOKS, Browser, Page, voice_file
from harness import TIED, Process, wait_until


class FirefoxPage(Page):
    def __init__(self, browser):
        super().__init__(browser)
        self.context = self.call('browsingContext.create', {'type': 'tab'})['context']
        browser.contexts[self.context] = self

    def call(self, method, params=None, timeout=20):
        return self.browser.link.call(method, params, timeout)

    def event(self, message):
        entry = message['params']
        self.console.append((entry['level'], entry.get('text') or ''))

    def open(self, url, timeout=20, wait=True):
        self.call('browsingContext.navigate', {
            'context': self.context, 'url': url, 'wait': 'complete' if wait else 'none'}, timeout)

    def _evaluate(self, expression, timeout):
        answer = self.call('script.evaluate', {
            'expression': expression, 'awaitPromise': True, 'target': {'context': self.context}},
            timeout)
        if answer['type'] != 'success':
            raise Failed(answer['exceptionDetails']['text'])
        return answer['result'].get('value')

    def _perform(self, kind, actions, **more):
        self.call('input.performActions', {'context': self.context, 'actions': [
            {'type': kind, 'id': kind, 'actions': actions, **more}]})

    def _click(self, x, y):
        self._perform('pointer', [
            {'type': 'pointerMove', 'x': x, 'y': y}, {'type': 'pointerDown', 'button': 0},
            {'type': 'pointerUp', 'button': 0}])

    def _keys(self, values):
        self._perform('key', [{'type': kind, 'value': value}
                              for value in values for kind in ('keyDown', 'keyUp')])

    def type(self, text):
        self._keys(text)

    def press(self, key):
        self._keys([{'Tab': '\ue004', 'Enter': '\ue007', 'Escape': '\ue00c', 'Space': ' ',
                     'ArrowLeft': '\ue012', 'ArrowUp': '\ue013', 'ArrowRight': '\ue014',
                     'ArrowDown': '\ue015'}.get(key, key)])

    def resize(self, width, height, mobile=False):
        self.call('browsingContext.setViewport', {
            'context': self.context, 'viewport': {'width': width, 'height': height}})

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.call(
            'browsingContext.captureScreenshot', {'context': self.context})['data']))

    def close(self):
        self.call('browsingContext.close', {'context': self.context})

    def offline(self, off=True):
        self.call('emulation.setNetworkConditions', {
            'networkConditions': {'type': 'offline'} if off else None, 'contexts': [self.context]})


class Firefox(Browser):
    program = ('firefox-esr', 'firefox')

    def __init__(self, folder, voice='allison', autoplay=True, hide_addresses=False, preferences=None):
        home = self.home(folder, 'firefox')
        self.sound = PulseServer(home, voice)
        wanted = {
            'media.autoplay.default': 0 if autoplay else 1,
            'media.navigator.permission.disabled': True,
            'media.peerconnection.ice.loopback': True,
            'media.peerconnection.ice.obfuscate_host_addresses': hide_addresses,
            # Times are rounded to 100 ms against fingerprinting otherwise.
            'privacy.reduceTimerPrecision': False,
            'datareporting.policy.dataSubmissionEnabled': False,
            'app.update.disabledForTesting': True,
            'browser.startup.homepage_override.mstone': 'ignore',
            'network.captive-portal-service.enabled': False,
            'network.connectivity-service.enabled': False,
            # Nothing leaves this machine.
            'network.proxy.type': 1, 'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': 9,
            'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': 9,
            'network.proxy.no_proxies_on': '127.0.0.1, localhost',
            # No video, hence none of OpenH264.
            'media.gmp-manager.updateEnabled': False,
            **(preferences or {})}
        (home / 'user.js').write_text(''.join(
            f'user_pref("{name}", {json.dumps(value)});\n' for name, value in wanted.items()))
        try:
            super().__init__(
                folder, [self.find(), '--headless', '--no-remote', '--remote-debugging-port=0',
                         '--profile', home],
                env={'HOME': str(home), 'PULSE_SERVER': self.sound.server, 'MOZ_HEADLESS': '1',
                     'XDG_RUNTIME_DIR': str(home)})
        except BaseException:
            self.sound.stop()
            raise
        self.name = 'firefox'
        self.contexts = {}
        try:
            url = self.wait_line(r'WebDriver BiDi listening on (ws://\S+)', 40)[1]
            self.link = Link(f'{url}/session', self._event)
            self.link.call('session.new', {'capabilities': {}})
            self.link.call('session.subscribe', {'events': ['log.entryAdded']})
            self.link.call('script.addPreloadScript', {
                'functionDeclaration': f'() => {{ {HOOKS} }}'})
        except BaseException:
            self.stop()
            raise

    def _event(self, message):
        if message.get('method') == 'log.entryAdded':
            page = self.contexts.get(message['params'].get('source', {}).get('context'))
            if page:
                page.event(message)

    def _page(self):
        return FirefoxPage(self)

    def _quit(self):
        if self.link:
            self.link.call('browser.close', timeout=5)

    def stop(self):
        try:
            super().stop()
        finally:
            self.sound.stop()


class PulseServer:
    """A PulseAudio of its own, whose microphone says a voice: Firefox's own fake one beeps."""

    def __init__(self, folder, voice):
        if not shutil.which('pulseaudio') or not shutil.which('pacat'):
            raise unittest.SkipTest('pulseaudio is not installed')
        folder = Path(folder) / 'pulse'
        folder.mkdir()
        self.server = f'unix:{folder}/socket'
        script = folder / 'default.pa'
        script.write_text(
            'load-module module-null-sink sink_name=loudspeaker\n'
            'load-module module-null-sink sink_name=voice rate=48000 channels=1\n'
            'load-module module-remap-source source_name=microphone master=voice.monitor\n'
            f'load-module module-native-protocol-unix auth-anonymous=1 socket={folder}/socket\n'
            'set-default-sink loudspeaker\nset-default-source microphone\n')
        environment = {'HOME': str(folder), 'XDG_RUNTIME_DIR': str(folder),
                       'PULSE_SERVER': self.server}
        self.daemon = Process(
            ['pulseaudio', '-n', '-F', script, '--daemonize=no', '--exit-idle-time=-1',
             '--use-pid-file=no', '--disable-shm=yes', '--realtime=no', '--log-target=stderr'],
            env=environment, quiet_errors=True)
        self.talk = heard.read(voice_file(folder, voice))
        try:
            wait_until(lambda: (folder / 'socket').exists() or not self.daemon.running(), 10,
                       "pulseaudio's socket")
            if not self.daemon.running():
                raise AssertionError(self.daemon.tail())
            self.mouth = subprocess.Popen(
                [*TIED, 'pacat', '--device=voice', '--raw', f'--rate={heard.RATE}', '--channels=1',
                 '--format=s16le', '--latency-msec=50'], stdin=subprocess.PIPE,
                env={**os.environ, **environment})
        except BaseException:
            self.daemon.stop()
            raise
        threading.Thread(target=self._speak, daemon=True).start()

    def _speak(self):
        samples = (numpy.clip(self.talk, -1, 1) * 32767).astype('<i2').tobytes()
        try:
            while True:
                self.mouth.stdin.write(samples)
        except (OSError, ValueError):
            pass  # it ended

    def stop(self):
        self.mouth.kill()
        self.mouth.wait()
        self.daemon.stop()
