# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rig of browsers itself: a page that calls itself hears what its microphone says."""

import http.server
import threading

import browserrig
import heard
import tap
from harness import Case

PAGE = b'''<!doctype html><title>loopback</title><button onclick="pressed++">press</button>
<script>
let pressed = 0;
async function call() {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({candidate}) => candidate && far.addIceCandidate(candidate);
  far.onicecandidate = ({candidate}) => candidate && near.addIceCandidate(candidate);
  far.ontrack = ({track}) => {
    window.player = new Audio();
    player.srcObject = new MediaStream([track]);
    player.play().catch((error) => console.warn(error.name));
  };
  stream.getTracks().forEach((track) => near.addTrack(track, stream));
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
}
</script>'''


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/html')
        if self.path == '/strict':
            self.send_header('Content-Security-Policy', "default-src 'self' 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


class Rig(Case):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f'http://127.0.0.1:{server.server_port}/'

    def call(self, page):
        self.assertEqual(page.evaluate('document.title'), 'loopback')
        page.click('button')
        page.press('Space')
        self.assertEqual(page.evaluate('pressed'), 2)
        self.assertEqual(page.record(), 'running')
        page.evaluate('call()')
        page.until('agoraRig.peers[1].connectionState === "connected"')
        said, came = page.listen(6)
        delay = browserrig.delay(said, came)
        self.assertTrue(0.01 < delay < 0.5, f'{delay} s')
        # A browser stretches and cuts to make up for a busy machine.
        match = heard.match(said.since(said.end - 4, 3), came.sound)
        self.assertGreater(match.correlation, 0.7, match)
        # What an element doesn't play isn't heard.
        page.evaluate('player.muted = true')
        _, came = page.listen(2)
        self.assertFalse(len(came.loud()) and came.loud()[-1] > came.end - 1)

    def test_chromium_hears_itself(self):
        browser = self.keep(browserrig.Chromium(self.tmp))
        self.call(browser.open(self.url))
        self.call(browser.open(self.url + 'strict'))

    def test_firefox_hears_itself(self):
        browser = self.keep(browserrig.Firefox(self.tmp))
        self.call(browser.open(self.url))

    def test_kill(self):
        browser = self.keep(browserrig.Chromium(self.tmp))
        page = browser.open(self.url)
        browser.kill()
        with self.assertRaises(browserrig.Gone):
            self.until(lambda: page.evaluate('1') is None, 'the end')


if __name__ == '__main__':
    tap.main()
