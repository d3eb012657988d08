# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page and agora.js in real browsers: what a user sees, hears and presses, and how it comes back."""

import http.server
import json
import os
import shutil
import signal
import socket
import threading
import time

import browserrig
import tap
from webcase import OneGateway

# A page as those that were written for the vendor's Web SDK: its script is another one, that is all.
SDK_PAGE = '''<!doctype html><title>sdk</title><div id="here"></div>
<script src="%(gateway)s/web/agora-rtc.js"></script>
<script>
const told = [];
const client = AgoraRTC.createClient({mode: 'live', codec: 'vp8'});
client.on('stream-added', (event) => client.subscribe(event.stream, (error) => told.push(error)));
client.on('stream-subscribed', (event) => { event.stream.play('here'); told.push(event.stream.getId()); });
client.on('stream-removed', (event) => told.push('removed ' + event.stream.getId()));
client.on('stream-published', () => told.push('published'));
client.on('volume-indicator', (event) => { window.volumes = event.attr; });
client.enableAudioVolumeIndicator();
const failed = (error) => told.push('failed ' + error);
client.init('demo', () => client.join(null, '%(room)s', 201, (uid) => {
  window.stream = AgoraRTC.createStream({streamID: uid, audio: true, video: false, screen: false});
  stream.init(() => client.publish(stream, failed), (error) => failed(error.msg));
}, failed), failed);
</script>'''

# A page of somebody's own, with the module.
MODULE_PAGE = '''<!doctype html><title>module</title><button>sound</button>
<script type="module">
import {Client} from '%(gateway)s/web/agora.js';
const client = window.client = new Client(%(options)s);
window.refused = 0;
client.on('autoplay-refused', () => { refused++; });
document.querySelector('button').onclick = () => client.resume();
await client.init('demo');
window.uid = await client.join(null, '%(room)s', %(user)s);
</script>'''


class Page(OneGateway):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Another origin, whose pages may come in, too.
        cls.pages = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        cls.pages.texts = {}
        cls.addClassCleanup(cls.pages.server_close)
        cls.addClassCleanup(cls.pages.shutdown)
        threading.Thread(target=cls.pages.serve_forever, daemon=True).start()
        cls.elsewhere = f'http://127.0.0.1:{cls.pages.server_port}'
        cls.OPTIONS = '--web-workers=1', f'--allow-origin={cls.elsewhere}'

    def own_page(self, browser, text, **values):
        name = f'/{len(self.pages.texts)}'
        self.pages.texts[name] = text % {'gateway': self.gate.http, 'room': self.room, **values}
        return browser.open(self.elsewhere + name)

    def enter(self, browser, uid, button='#join'):
        page = browser.open(f'{self.gate.http}/web/?app=demo&channel={self.room}&uid={uid}')
        page.record()
        page.click(button)
        self.says(page, 'on air' if button == '#join' else 'listening')
        return page

    def says(self, page, word, timeout=10):
        page.until(f'document.querySelector("#status").textContent.includes({json.dumps(word)})', timeout)

    def shows(self, page, uid):
        page.until(f'document.querySelector("#speakers li[aria-label=\\"Speaker {uid}\\"]") !== null')

    def kill_worker(self):
        os.kill(self.worker(), signal.SIGKILL)
        return time.monotonic()

    def assert_hears(self, page, since, within=8):
        """Until the page plays a voice after `since`; seconds from then."""
        def first():
            return next((at for at in page.recorded('heard').loud() if at > since), None)
        try:
            return self.until(first, 'a voice', within) - since
        except AssertionError as error:
            counts = page.evaluate('(typeof client === "undefined" ? Promise.resolve({}) : client.stats())')
            raise AssertionError(f'{error}: {counts.get("gateway")}, {page.statistics()}') from error

    def assert_silent(self, page, seconds=1.0):
        def quiet():
            self.pause(seconds)
            return not len(page.recorded('heard').loud())
        page.recorded('heard')
        self.until(quiet, 'silence', 6)

    def assert_clean(self, page):
        """Nothing was refused by the page's own policy, and no script failed."""
        bad = [text for kind, text in page.console if kind in ('error', 'exception')
               and 'status of 503' not in text]
        self.assertEqual(bad, [])

    def test_by_keyboard_and_with_a_screen_reader(self):
        page = self.chromium().open(f'{self.gate.http}/web/?app=demo&channel={self.room}&uid=101')
        self.assert_named(page)
        for _ in range(10):
            if page.evaluate('document.activeElement.id') == 'join':
                break
            page.press('Tab')
        self.assertEqual(page.evaluate('document.activeElement.id'), 'join')
        page.press('Enter')
        self.says(page, 'on air')
        self.until(lambda: page.evaluate('document.activeElement.id') == 'mute', 'the focus is at the mute')
        page.press('Space')
        self.says(page, 'muted')
        other = self.enter(page.browser, 102)
        self.shows(page, 102)
        page.until('document.querySelector("#speakers li").getAttribute("aria-label") === "Speaker 102"')
        self.assert_named(page)
        other.until('document.querySelector("#speakers small")?.textContent === "muted"')
        # The fader goes by arrows.
        page.evaluate('document.querySelector("#speakers input").focus()')
        page.press('ArrowLeft')
        self.assertEqual(page.evaluate('document.querySelector("#speakers input").value'), '95')
        self.assert_clean(page)

    def assert_named(self, page):
        """Whatever can be operated has a name."""
        nodes = page.call('Accessibility.getFullAXTree')['nodes']
        seen = 0
        for node in nodes:
            role = node.get('role', {}).get('value')
            if role in ('button', 'textbox', 'combobox', 'slider', 'checkbox', 'DisclosureTriangle') \
                    and not node.get('ignored'):
                seen += 1
                self.assertTrue(node.get('name', {}).get('value'), node)
        self.assertGreater(seen, 3)

    def test_on_a_phone(self):
        browser = self.chromium()
        page = browser.open(f'{self.gate.http}/web/?app=demo&channel={"A-long-name-" * 8}')
        self.fits(page)
        page.open(f'{self.gate.http}/web/')
        self.fits(page)
        self.enter(browser, 4294967295)
        page = self.enter(browser, 101)
        self.shows(page, 4294967295)
        page.evaluate('document.querySelector("details").open = true')
        self.fits(page)
        self.assert_clean(page)

    def test_a_token_that_no_server_sees(self):
        page = self.chromium().open(f'{self.gate.http}/web/?app=demo&channel={self.room}#token=007abc')
        page.click('#listen')
        page.until('document.querySelector("#notices").textContent.includes("takes no token, but the link has one")')

    def fits(self, page):
        for width in (320, 390, 1000):
            page.resize(width, 640, mobile=width < 1000)
            page.until(f'innerWidth === {width}')
            self.assertLessEqual(page.evaluate('document.documentElement.scrollWidth'), width)
            small = page.evaluate(
                '[...document.querySelectorAll("button, select, input[type=text]")].filter(e => e.offsetParent'
                ' && e.offsetHeight < 36).map(e => e.outerHTML)')
            self.assertEqual(small, [], 'too small for a finger')

    def test_what_is_heard_of_a_speaker(self):
        browser = self.chromium()
        self.enter(browser, 101)
        page = self.enter(browser, 102, '#listen')
        self.shows(page, 101)
        self.assert_hears(page, time.monotonic())
        page.click('#speakers button')
        self.assert_silent(page)
        # A wish outlives the worker.
        self.kill_worker()
        self.says(page, 'coming back', 3)
        self.says(page, 'listening')
        self.shows(page, 101)
        self.assert_silent(page, 2)
        page.click('#speakers button')
        self.assert_hears(page, time.monotonic())
        page.until('Number(getComputedStyle(document.querySelector("#speakers .meter div"))'
                   '.getPropertyValue("--at")) > 0.2')

    def test_a_muted_one_never_comes_back_unmuted(self):
        browser = self.chromium()
        page = self.enter(browser, 101)
        ear = self.enter(browser, 102, '#listen')
        self.assert_hears(ear, time.monotonic())
        page.click('#mute')
        self.says(page, 'muted')
        self.assert_silent(ear)
        self.kill_worker()
        self.says(page, 'coming back', 3)
        self.says(page, 'muted')
        self.says(ear, 'listening')
        ear.until('document.querySelector("#speakers small")?.textContent === "muted"')
        self.assertFalse(len(ear.recorded('heard').loud()))
        self.assert_silent(ear, 2)
        page.click('#mute')
        self.assert_hears(ear, time.monotonic())

    def test_heard_again_after_a_killed_worker(self):
        browser = self.chromium()
        self.enter(browser, 101)
        page = self.enter(browser, 102)
        self.assert_hears(page, time.monotonic())
        killed = self.kill_worker()
        self.says(page, 'coming back', 3)
        took = self.assert_hears(page, killed + 0.5) + 0.5
        print(f'{self.id()}: heard again after {took:.2f} s')
        self.assertLess(took, 5)
        self.says(page, 'on air')

    def test_autoplay_refused(self):
        browser = self.chromium(autoplay=False)
        self.enter(browser, 101)
        page = self.own_page(browser, MODULE_PAGE, user='"alice"',
                             options='{audioElement: window.player = new Audio()}')
        page.until('window.uid > 0')
        page.until('refused === 1')
        self.pause(0.5)
        self.assertEqual(page.evaluate('[player.paused, player.currentTime]'), [True, 0])
        page.click('button')
        page.until('!player.paused && player.currentTime > 0.5')
        page.record()
        self.assert_hears(page, time.monotonic())

    def test_only_whom_the_page_chooses(self):
        browser = self.chromium()
        self.enter(browser, 101)
        page = self.own_page(browser, MODULE_PAGE, user='null', options='{autoSubscribe: false, latency: 80}')
        page.record()
        page.until('client.speakers.length === 1')
        self.assert_silent(page)
        page.evaluate('client.subscribe(101)')
        self.assert_hears(page, time.monotonic())
        stats = page.evaluate('client.stats()')
        self.assertGreater(stats['gateway']['hear']['packets-sent'], 0)
        self.assertTrue(any(each['type'] == 'inbound-rtp' for each in stats['hear']))
        page.evaluate('client.unsubscribe(101)')
        self.assert_silent(page)
        self.assertEqual(page.evaluate('client.subscribe(77).catch((error) => error.code)'), 432)
        page.evaluate('client.leave()')
        self.assertEqual(page.evaluate('client.state'), 'ready')

    def test_names_and_words(self):
        browser = self.chromium()
        page = browser.open(f'{self.gate.http}/web/?app=demo&channel={self.room}&uid=101&name=Ann')
        page.click('#join')
        self.says(page, 'on air')
        module = self.own_page(browser, MODULE_PAGE, user='102, {name: "Bob <b>"}', options='{}')
        module.until('window.uid === 102 && client.speakers[0]?.name === "Ann"')
        module.evaluate('void client.on("data", (data) => { window.words = data; })')
        module.evaluate('client.sendData("hello <i>", [101])')
        page.until('document.querySelector("#words").textContent === "Member 102 hello <i>"')
        # By the keyboard; the own words are shown, too.
        page.evaluate('document.querySelector("#text").focus()')
        page.evaluate('document.querySelector("#text").value = "to all"')
        page.press('Enter')
        module.until('window.words?.text === "to all" && words.uid === 101')
        page.until('document.querySelector("#words").lastChild.textContent === "You to all"')
        page.until('document.querySelector("#text").value === ""')
        # Whoever talks is called by its name, wherever it stands.
        module.evaluate('client.setRole("broadcaster").then(() => client.publish())')
        page.until('document.querySelector("#speakers .name")?.textContent === "Bob <b>102"')
        page.until('document.querySelector("#speakers li").getAttribute("aria-label") === "Bob <b>, number 102"')
        self.assert_named(page)
        # Too long, and too many: a clear word, and all else goes on.
        self.assertEqual(module.evaluate('client.sendData("x".repeat(257)).catch(({code, kind}) => [code, kind])'),
                         [401, 'argument'])
        codes = module.evaluate('Promise.all(Array.from({length: 40}, (_, at) => client.sendData(`word ${at}`, [101])'
                                '.then(() => 0, (error) => error.code)))')
        self.assertEqual(set(codes), {0, 429})
        self.assertGreater(codes.count(429), 5)
        page.until(f'document.querySelectorAll("#words p").length === {2 + codes.count(0)}')
        self.assertEqual([module.evaluate('client.state'), page.evaluate('document.body.dataset.state')], ['joined'] * 2)
        self.assert_clean(page)

    def test_another_microphone(self):
        browser = self.chromium()
        page = self.enter(browser, 101)
        ear = self.enter(browser, 102, '#listen')
        self.assert_hears(ear, time.monotonic())
        page.evaluate('document.querySelector("details").open = true')
        page.until('document.querySelector("#microphone").options.length > 1')
        self.assertTrue(page.evaluate('[...document.querySelector("#microphone").options].every(o => o.text)'))
        page.evaluate('(select => { select.value = select.options[1].value;'
                      'select.dispatchEvent(new Event("change")); })(document.querySelector("#microphone"))')
        page.click('[data-setting="noiseSuppression"]')
        page.until('!document.querySelector("[data-setting=noiseSuppression]").hasAttribute("aria-disabled")')
        self.assert_hears(ear, time.monotonic())
        self.assertEqual(page.evaluate('document.querySelector("#notices").textContent'), '')
        self.says(page, 'on air')

    def test_a_page_of_the_web_sdk(self):
        browser = self.chromium()
        other = self.enter(browser, 101)
        page = self.own_page(browser, SDK_PAGE)
        page.record()
        page.until('told.includes("published") && told.includes(101)')
        other.recorded('heard')
        self.shows(other, 201)
        now = time.monotonic()
        self.assert_hears(other, now)
        self.assert_hears(page, now)
        page.until('window.volumes?.some(({uid, level}) => uid === 101 && level > 0)', 8)
        level = page.evaluate('new Promise((resolve) => client.getRemoteAudioStats(resolve))')['101']['RecvLevel']
        self.assertGreater(int(level), 0)
        page.evaluate('stream.muteAudio()')
        other.until('document.querySelector("#speakers small")?.textContent === "muted"')
        self.kill_worker()
        page.until('client.getConnectionState() === "CONNECTING"', 3)
        page.until('client.getConnectionState() === "CONNECTED"')
        self.says(other, 'on air')
        self.assert_hears(page, time.monotonic())
        other.click('#leave')
        page.until('told.includes("removed 101")')
        self.assertEqual(page.evaluate('told.filter((each) => String(each).startsWith("failed"))'), [])
        page.evaluate('new Promise((resolve, reject) => client.leave(resolve, reject))')
        self.assertEqual(page.evaluate('client.getConnectionState()'), 'DISCONNECTED')

    def test_through_a_turn_server_that_the_answer_names(self):
        if not shutil.which('turnserver'):
            self.skipTest('coturn is not installed')
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = taken.getsockname()[1]
        turn = self.foreign(
            'turnserver', '-n', '-p', str(port), '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', '-a',
            '-u', 'user:password', '-r', 'realm', '--allow-loopback-peers', '--no-tls', '--no-dtls', '--no-cli',
            '--pidfile', str(self.tmp / 'turn.pid'), '--db', str(self.tmp / 'turn.db'), '-l', 'stdout')
        turn.wait_line('Relay ports initialization done')
        server = f'turn:user:password@127.0.0.1:{port}'
        self.gate = self.gateway(f'--ice-server={server}', f'--ice-server={server}?transport=tcp')
        browser = self.chromium()
        self.enter(browser, 101)
        page = browser.open(f'{self.gate.http}/web/?app=demo&channel={self.room}&uid=102')
        # As for a page whose network lets nothing else out.
        page.evaluate("""(() => {
          const set = RTCPeerConnection.prototype.setConfiguration;
          RTCPeerConnection.prototype.setConfiguration = function (configuration) {
            return set.call(this, {...configuration, iceTransportPolicy: 'relay'});
          };
        })()""")
        page.record()
        page.click('#listen')
        self.says(page, 'listening')
        self.assert_hears(page, time.monotonic())
        kinds = page.evaluate("""agoraRig.peers[0].getStats().then((report) => {
          const all = [...report.values()];
          return all.filter((each) => each.type === 'candidate-pair' && each.nominated)
            .map((pair) => all.find((each) => each.id === pair.localCandidateId).candidateType);
        })""")
        self.assertEqual(kinds, ['relay'])

    def test_firefox(self):
        firefox = self.keep(browserrig.Firefox(self.tmp))
        page = self.enter(firefox, 301)
        other = self.enter(self.chromium(), 101)
        now = time.monotonic()
        self.assert_hears(page, now)
        self.assert_hears(other, now)
        killed = self.kill_worker()
        self.says(page, 'coming back', 3)
        took = self.assert_hears(page, killed + 0.5, 12) + 0.5
        print(f'{self.id()}: heard again after {took:.2f} s')
        self.says(page, 'on air')


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.server.texts.get(self.path)
        self.send_response(200 if text else 404)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.end_headers()
        self.wfile.write((text or '').encode())

    def log_message(self, *_):
        pass


if __name__ == '__main__':
    tap.main()
