// SPDX-License-Identifier: LGPL-2.1-or-later
// datachannel.mjs FOLDER WHIP-URL: speaks by libdatachannel, the WebRTC stack of OBS, what comes as RTP to the UDP port that
// it prints. As OBS it sends its offer at once, without a candidate, and never a PATCH. SIGTERM: it says goodbye.
import dgram from 'node:dgram';
import {createRequire} from 'node:module';
import {resolve} from 'node:path';

const [folder, endpoint] = process.argv.slice(2);
const {default: rtc} = await import(createRequire(resolve(folder, 'package.json')).resolve('node-datachannel'));
const PAYLOAD_TYPE = 111;
const SSRC = 42;

function failed(what) {
  console.log(`failed: ${what}`);
  process.exit(1);
}

const peer = new rtc.PeerConnection('studio', {iceServers: [], disableAutoNegotiation: true});
const audio = new rtc.Audio('0', 'SendOnly');
audio.addOpusCodec(PAYLOAD_TYPE, 'minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1');
audio.addSSRC(SSRC, 'studio', 'studio', 'studio-audio');
const track = peer.addTrack(audio);
track.onError((text) => failed(text));

const offer = new Promise((told) => peer.onLocalDescription((sdp) => told(sdp)));
peer.setLocalDescription('offer');
const sdp = await offer;
if (sdp.includes('a=candidate'))
  failed('the offer has candidates');
const answer = await fetch(endpoint, {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: sdp});
const text = await answer.text();
if (answer.status !== 201)
  failed(`${answer.status} ${text}`);
const session = new URL(answer.headers.get('location'), endpoint);
const opened = new Promise((told) => track.onOpen(told));
peer.setRemoteDescription(text, 'answer');
await opened;

const socket = dgram.createSocket('udp4');
socket.on('message', (packet) => track.isOpen() && track.sendMessageBinary(packet));
socket.bind(0, '127.0.0.1', () => console.log(`port ${socket.address().port}`));

process.on('SIGTERM', async () => {
  const gone = await fetch(session, {method: 'DELETE'});
  console.log(`goodbye ${gone.status}`);
  peer.close();
  rtc.cleanup();
  process.exit(gone.ok ? 0 : 1);
});
