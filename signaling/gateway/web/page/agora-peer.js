// SPDX-License-Identifier: LGPL-2.1-or-later
// One RTCPeerConnection over one WHIP or WHEP session, and how its loss is noticed.
import {AgoraError, Codes} from './agora-checks.js';
import {Resource, fragmentOf} from './agora-wire.js';

// From the answer to the first packet; longer than any ICE check over TURN and TCP takes.
const CONNECT_TIMEOUT = 15000;
// A short gap heals by itself; after this the path is taken for gone.
const DISCONNECT_PATIENCE = 2000;
// Candidates that come together travel together.
const TRICKLE_DELAY = 20;

// By gateway, those that an earlier session was told of: gathering then needn't wait for the answer.
const knownIceServers = new Map();

export function requireWebRtc() {
  if (typeof RTCPeerConnection === 'undefined')
    throw new AgoraError(Codes.NO_WEBRTC, 'this browser has no WebRTC, or it is switched off',
        {kind: 'network'});
}

export class Peer {
  #candidates = [];
  #gathered = false;
  #timer = null;
  #patience = null;
  #closed = false;
  #lost;
  #settle;

  // `lost(error)`: once, unless close() came first.
  constructor(lost) {
    this.#lost = lost;
    this.resource = null;
    this.pc = null;
    this.sender = null;
    this.stream = null;
    this.connected = new Promise((resolve, reject) => { this.#settle = {resolve, reject}; });
    this.connected.catch(() => {});
  }

  // track: what is spoken; null: this one hears.
  async open(how) {
    try {
      await this.#open(how);
    } catch (cause) {
      if (cause instanceof AgoraError)
        throw cause;
      throw new AgoraError(Codes.CONNECTION_LOST, this.#closed ? 'it was given up meanwhile'
        : `the browser can't connect: ${cause?.message ?? cause}`, {kind: 'network', cause});
    }
  }

  async #open({url, token, track, iceServers, signal}) {
    const gateway = new URL(url).origin;
    const known = iceServers ?? knownIceServers.get(gateway) ?? null;
    const pc = this.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', iceServers: known ?? []});
    const transceiver = track === null
      ? pc.addTransceiver('audio', {direction: 'recvonly'})
      : pc.addTransceiver(track, {direction: 'sendonly', streams: [new MediaStream([track])]});
    if (track === null)
      this.stream = new MediaStream([transceiver.receiver.track]);
    else
      this.sender = transceiver.sender;
    pc.onicecandidate = ({candidate}) => this.#gather(candidate);
    pc.onconnectionstatechange = () => this.#look();
    pc.oniceconnectionstatechange = () => this.#look();
    this.#patience = setTimeout(() => this.#fail('no way for sound was found between this browser and the ' +
        `gateway in ${CONNECT_TIMEOUT / 1000} s: is UDP blocked, and does the gateway name a TURN server?`),
      CONNECT_TIMEOUT);

    const offer = await pc.createOffer();
    // The servers to gather with may be named in the answer alone.
    const early = known !== null ? pc.setLocalDescription(offer) : null;
    early?.catch(() => {});
    const {resource, answer} = await Resource.create(url, token, offer.sdp, signal);
    if (this.#closed || signal?.aborted) {
      resource.abandon();
      throw new AgoraError(Codes.CONNECTION_LOST, 'it was given up meanwhile', {kind: 'network'});
    }
    this.resource = resource;
    if (iceServers === null) {
      if (resource.iceServers.length > 0)
        knownIceServers.set(gateway, resource.iceServers);
      else
        knownIceServers.delete(gateway);
      // Browsers of before 2024 may lack it; they have the servers from the second time on.
      if (early === null && resource.iceServers.length > 0)
        pc.setConfiguration?.({bundlePolicy: 'max-bundle', iceServers: resource.iceServers});
    }
    await (early ?? pc.setLocalDescription(offer));
    await pc.setRemoteDescription({type: 'answer', sdp: answer});
    this.#trickle();
  }

  get healthy() {
    return this.pc?.connectionState === 'connected';
  }

  #look() {
    const {connectionState: whole, iceConnectionState: ice} = this.pc;
    if (whole === 'connected' && (ice === 'connected' || ice === 'completed')) {
      clearTimeout(this.#patience);
      this.#patience = null;
      this.#settle.resolve();
    } else if (whole === 'failed' || whole === 'closed' || ice === 'failed') {
      this.#fail('the way for sound between this browser and the gateway is gone');
    } else if ((whole === 'disconnected' || ice === 'disconnected') && this.#patience === null) {
      this.#patience = setTimeout(
        () => this.#fail('no packet of the gateway arrives any more'), DISCONNECT_PATIENCE);
    }
  }

  #fail(reason) {
    if (this.#closed)
      return;
    this.close();
    const error = new AgoraError(Codes.CONNECTION_LOST, reason, {kind: 'network'});
    this.#settle.reject(error);
    this.#lost(error);
  }

  #gather(candidate) {
    if (candidate === null || candidate.candidate === '')
      this.#gathered = true;
    else
      this.#candidates.push(candidate.candidate);
    this.#timer ??= setTimeout(() => { this.#timer = null; this.#trickle(); }, TRICKLE_DELAY);
  }

  // What is said here speeds things up: checks reach the gateway's own candidates without it.
  #trickle() {
    if (this.resource === null || this.#closed || (this.#candidates.length === 0 && !this.#gathered))
      return;
    const candidates = this.#candidates.splice(0);
    const last = this.#gathered;
    this.#gathered = false;
    this.resource.trickle(fragmentOf(this.pc.localDescription.sdp, candidates, last)).catch((error) => {
      if (error.status === 404)
        this.#fail('the gateway knows this session no more');
    });
  }

  close() {
    if (this.#closed)
      return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    this.#settle.reject(new AgoraError(Codes.CONNECTION_LOST, 'it was closed', {kind: 'network'}));
    this.pc?.close();
  }
}
