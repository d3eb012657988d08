// SPDX-License-Identifier: LGPL-2.1-or-later
// The microphone: which one, with what processing, its level, and what happens when it is unplugged.
import {AgoraError, Codes} from './agora-checks.js';

// The level of silence, in dBFS.
export const SILENCE = -100;

// What a browser says of a microphone that it doesn't give, in the page's words.
export function microphoneError(cause) {
  const [code, reason] = {
    NotAllowedError: [Codes.MICROPHONE_REFUSED,
      'the microphone was refused: allow it for this page in the browser\'s settings'],
    SecurityError: [Codes.MICROPHONE_REFUSED, 'the browser allows no microphone in this page'],
    NotFoundError: [Codes.NO_MICROPHONE, 'there is no microphone'],
    OverconstrainedError: [Codes.NO_MICROPHONE, 'the chosen microphone is not there'],
    NotReadableError: [Codes.MICROPHONE_FAILED,
      'the microphone gives nothing: does another program use it?'],
  }[cause?.name] ?? [Codes.MICROPHONE_FAILED, `the microphone gives nothing: ${cause?.message ?? cause}`];
  return new AgoraError(code, reason, {kind: 'microphone', cause});
}

// Browsers hide the microphone from pages that came by plain HTTP, but for this machine's own.
export function requireSecurePage() {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new AgoraError(Codes.INSECURE_PAGE, globalThis.isSecureContext === false
      ? `this page came by plain HTTP (${location.origin}): browsers give the microphone to https:// pages ` +
        'and to http://localhost alone'
      : 'this browser has no microphone for pages', {kind: 'microphone'});
}

// The devices of a kind: audioinput or audiooutput. Names are empty until the user has allowed one.
export async function devicesOf(kind) {
  if (!navigator.mediaDevices?.enumerateDevices)
    return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((device) => device.kind === kind)
    .map(({deviceId, label, groupId}) => ({deviceId, label, groupId}));
}

export class Microphone {
  #settings = {
    deviceId: '', echoCancellation: true, noiseSuppression: true, autoGainControl: true,
  };
  #track = null;
  #own = false;
  #muted = false;
  #meter = null;
  #changed;
  #opening = 0;
  // Ends what listens to the track.
  #listening = null;

  // `changed(track, error)`: another track takes over, or none is left.
  constructor(changed) {
    this.#changed = changed;
  }

  get track() {
    return this.#track;
  }

  get settings() {
    return {...this.#settings};
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.#track)
      this.#track.enabled = !muted;
  }

  // Takes effect at once when the microphone is open.
  async set(settings) {
    const before = this.#settings;
    this.#settings = {...before, ...settings};
    if (!this.#own || this.#track === null)
      return;
    try {
      await this.open();
    } catch (error) {
      this.#settings = before;
      throw error;
    }
  }

  // A track that the page made itself: it is never stopped here.
  use(track) {
    this.#opening++;
    this.#take(track, false);
    return track;
  }

  // Opens the chosen microphone; the one before is let go when the new one is there.
  async open() {
    requireSecurePage();
    const turn = ++this.#opening;
    const {deviceId, ...processing} = this.#settings;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: {...processing, channelCount: 1, ...(deviceId ? {deviceId: {exact: deviceId}} : {})},
      });
    } catch (cause) {
      throw microphoneError(cause);
    }
    const [track] = stream.getAudioTracks();
    // Another call was later, or it was closed meanwhile.
    if (turn !== this.#opening) {
      track.stop();
      if (this.#track === null)
        throw new AgoraError(Codes.MICROPHONE_FAILED, 'the microphone was closed', {kind: 'microphone'});
      return this.#track;
    }
    this.#take(track, true);
    return track;
  }

  close() {
    this.#opening++;
    this.#take(null, false);
  }

  #take(track, own) {
    const [before, owned] = [this.#track, this.#own];
    if (before === track)
      return;
    this.#track = track;
    this.#own = own;
    this.#meter?.close();
    this.#meter = null;
    this.#listening?.abort();
    this.#listening = null;
    if (track) {
      // Before anybody can get it: a muted one is never heard.
      track.enabled = !this.#muted;
      this.#listening = new AbortController();
      track.addEventListener('ended', () => this.#ended(track), {signal: this.#listening.signal});
    }
    if (before && track)
      this.#changed(track, null);
    if (owned)
      before?.stop();
  }

  // Unplugged: the system's default one takes over.
  async #ended(track) {
    if (track !== this.#track)
      return;
    if (this.#own) {
      this.#settings.deviceId = '';
      try {
        await this.open();
        return;
      } catch (error) {
        if (track === this.#track)
          this.#changed(null, error);
        return;
      }
    }
    this.#changed(null, new AgoraError(Codes.NO_MICROPHONE, 'the track has ended', {kind: 'microphone'}));
  }

  // dBFS of the last 20 ms or so. Browsers begin to measure after a click of the user's.
  level() {
    if (this.#track === null || this.#muted)
      return SILENCE;
    this.#meter ??= new Meter(this.#track);
    return this.#meter.level();
  }
}

class Meter {
  #context;
  #analyser;
  #samples;
  #resuming = false;

  constructor(track) {
    this.#context = new AudioContext({latencyHint: 'playback'});
    try {
      this.#connect(track);
    } catch {
      // A browser that can't measure this track; its sound travels all the same.
      this.close();
      this.#analyser = null;
    }
  }

  #connect(track) {
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
  }

  level() {
    if (this.#analyser === null)
      return SILENCE;
    // Also "interrupted", by a phone call. One at a time: each waits for the user's click.
    if (this.#context.state !== 'running' && !this.#resuming) {
      this.#resuming = true;
      this.#context.resume().catch(() => {}).finally(() => { this.#resuming = false; });
    }
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, each) => sum + each * each, 0) / this.#samples.length;
    return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
  }

  close() {
    this.#context.close().catch(() => {});
  }
}
