# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rig of browsers itself: a page that calls itself hears what its microphone says."""

import http.server
import json
import queue
import threading

import browserrig
import heard
import tap
from harness import Case
from webnet import Network

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
async function gathered(peer, description) {
  await peer.setLocalDescription(description);
  while (peer.iceGatheringState !== 'complete') {
    await new Promise((done) => peer.addEventListener('icegatheringstatechange', done));
  }
  return peer.localDescription.sdp;
}
async function speak() {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  const peer = new RTCPeerConnection();
  stream.getTracks().forEach((track) => peer.addTrack(track, stream));
  const answer = await fetch('/offer', {
    method: 'POST', body: await gathered(peer), headers: {'Content-Type': 'application/sdp'}});
  await peer.setRemoteDescription({type: 'answer', sdp: await answer.text()});
}
async function hear(sdp) {
  const peer = new RTCPeerConnection();
  peer.ontrack = ({track}) => {
    window.player = new Audio();
    player.srcObject = new MediaStream([track]);
    player.play();
  };
  await peer.setRemoteDescription({type: 'offer', sdp});
  return gathered(peer);
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

    def do_POST(self):
        offer = self.rfile.read(int(self.headers['Content-Length'])).decode()
        self.server.offers.put(offer)
        answer = self.server.answers.get(timeout=20).encode()
        self.send_response(201)
        self.send_header('Content-Type', 'application/sdp')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Rig(Case):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.offers, server.answers = queue.Queue(), queue.Queue()
        self.server = server
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
        said, came = page.listen(4)
        delay = browserrig.delay(said, came)
        self.assertTrue(0.01 < delay < 0.5, f'{delay} s')
        # A browser stretches and cuts to make up for a busy machine.
        match = heard.match(said.since(said.end - 3, 2), came.sound)
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

    def test_network(self):
        network = Network(self.url)
        self.addCleanup(network.close)
        browser = self.keep(browserrig.Chromium(self.tmp))
        mouth, ear = browser.open(network.url), browser.open(self.url)
        ear.record()
        mouth.record()
        threading.Thread(target=lambda: mouth.evaluate('speak()'), daemon=True).start()
        offer = self.server.offers.get(timeout=10)
        self.assertNotIn('a=candidate', offer)
        self.server.answers.put(ear.evaluate(f'hear({json.dumps(offer)})'))
        mouth.until('agoraRig.peers[0].connectionState === "connected"')

        def comes():
            return len(ear.recorded('heard').loud()) > 0
        self.until(comes, 'a voice')
        self.assertGreater(min(network.packets), 3)
        network.cut = True
        self.until(lambda: not comes(), 'silence')
        network.cut = False
        self.until(comes, 'the voice again')
        network.loss = 0.5, 0.0
        before = network.lost[0], network.packets[0]
        self.until(lambda: network.packets[0] - before[1] > 50, 'half of the packets')
        self.assertTrue(20 < network.lost[0] - before[0] < 200, network.lost)


if __name__ == '__main__':
    tap.main()
