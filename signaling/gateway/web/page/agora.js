// SPDX-License-Identifier: LGPL-2.1-or-later
// agora.js: a page as a member of a voice channel. docs/web.md and agora.d.ts say how to use it.
import {AgoraError, Codes, checkAddressees, checkAppId, checkChannel, checkName, checkNumber, checkRole, checkServer,
  checkTarget, checkToken, checkUid, checkUser, checkWords, order} from './agora-checks.js';
import {SILENCE, devicesOf} from './agora-microphone.js';
import {Pauses} from './agora-pauses.js';
import {Peer, requireWebRtc} from './agora-peer.js';
import {Playback} from './agora-playback.js';
import {Roster} from './agora-roster.js';
import {Speakers} from './agora-speakers.js';
import {Voice} from './agora-voice.js';

export {AgoraError, Codes, SILENCE};

// From the answer to the first event.
const JOIN_TIMEOUT = 10000;
// A membership that lasted this long begins the waits afresh.
const STABLE = 10000;
const PROBE_TIMEOUT = 3000;
// A worker of the gateway that was lost is there again after so many seconds, mostly: a try before
// that costs a longer wait.
const WORKER_STARTS = 0.5;
const LONGEST_LATENCY = 10000;
// Events that reach the page as they come.
const PASSED_ON = new Set(['active', 'inactive', 'data', 'silenced', 'unsilenced',
  'token-privilege-will-expire', 'token-privilege-did-expire']);

// Those of the list of members.
const LISTED = new Set(['members', 'member-joined', 'member-left']);

export const getMicrophones = () => devicesOf('audioinput');
export const getOutputs = () => devicesOf('audiooutput');

// The gateway that this module came from.
const home = () => new URL('../', import.meta.url).href;

// One stay in the channel: what belongs to it ends with it.
class Stay {
  end = new AbortController();
  hear = null;
  speak = null;
  since = 0;
  banned = false;
  // Lost before it was entered.
  failure = null;
}

export class Client {
  #server;
  #iceServers;
  #listeners = new Map();
  #state = 'new';
  // What the page asked for: kept over everything that is lost and comes back.
  #app = '';
  #channel = '';
  #token = '';
  #user = {uid: 0, account: ''};
  #name = '';
  #role = 'audience';
  #muted = false;
  #latency;
  #stay = null;
  #uid = 0;
  #tries = 0;
  #pauses = new Pauses();
  #voice;
  #playback;
  #speakers;
  #roster;
  #watching = null;
  // The last wish that is being told.
  #telling = Promise.resolve();

  constructor({server = home(), latency = 0, iceServers = null, audioElement = null,
    autoSubscribe = true} = {}) {
    this.#server = checkServer(server);
    this.#latency = checkNumber('latency', latency, 0, LONGEST_LATENCY);
    this.#iceServers = iceServers;
    this.#voice = new Voice({
      emit: (name, data) => this.#emit(name, data),
      stay: () => this.#state === 'joined' ? this.#stay : null,
      offer: (stay) => ({
        url: this.#url('whip', {member: stay.hear.resource.id}), token: this.#token, iceServers: this.#iceServers,
      }),
      lost: (stay, error) => this.#lost(stay, error),
      pauses: this.#pauses,
    });
    this.#playback = new Playback(audioElement, () => this.#emit('autoplay-refused', {}));
    this.#roster = new Roster((name, data) => this.#emit(name, data), (call) => this.#call(call));
    this.#speakers = new Speakers(autoSubscribe, (name, data) => this.#emit(name, data),
        (call) => this.#call(call));
  }

  get state() { return this.#state; }
  get uid() { return this.#uid; }
  get role() { return this.#role; }
  get muted() { return this.#muted; }
  // On air, or coming back to it.
  get published() { return this.#voice.wanted; }
  // Who is on air: uid, its name, and whether it has muted itself; volume, mute and choice are this page's own.
  get speakers() { return this.#speakers.list(); }
  // Who else is in the channel, once getMembers() has asked: uid and name.
  get members() { return this.#roster.list(); }
  get microphone() { return this.#voice.microphone.settings; }

  on(event, listener) {
    if (typeof event !== 'string' || typeof listener !== 'function')
      throw new AgoraError(Codes.BAD_REQUEST, 'on: expected an event\'s name and a function',
          {kind: 'argument'});
    if (!this.#listeners.has(event))
      this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return this;
  }

  // Without a listener: all of that event.
  off(event, listener) {
    if (listener === undefined)
      this.#listeners.delete(event);
    else
      this.#listeners.get(event)?.delete(listener);
    return this;
  }

  async init(appId) {
    this.#usable('init');
    if (this.#state !== 'new' && this.#state !== 'ready')
      throw order('init: leave the channel first');
    this.#app = checkAppId(appId);
    this.#become('ready', '');
  }

  async setRole(role) {
    this.#usable('setRole');
    const before = this.#role;
    this.#role = checkRole(role);
    if (role === before)
      return;
    try {
      if (role === 'audience')
        await this.#voice.stop(this.#stay);
      await this.#tell({call: 'set-role', role});
    } catch (error) {
      // Unless the page has changed its mind meanwhile.
      if (this.#role === role)
        this.#role = before;
      throw error;
    }
  }

  // Resolves with this member's uid. `name`: for people; those who hear this
  // member are told, and where the gateway shows an app's members all who ask.
  async join(token, channel, user = null, {name = ''} = {}) {
    this.#usable('join');
    if (this.#state === 'new')
      throw order('join: init first');
    if (this.#state !== 'ready')
      throw order('join: this client is in a channel: leave it first');
    const checked = [checkToken(token), checkChannel(channel), checkUser(user), checkName(name)];
    requireWebRtc();
    [this.#token, this.#channel, this.#user, this.#name] = checked;
    this.#uid = this.#user.uid;
    this.#tries = 0;
    this.#speakers.clear();
    this.#become('joining', '');
    this.#watch();
    try {
      await this.#enter();
    } catch (error) {
      if (this.#state === 'joining') {
        this.#stay?.hear?.resource?.abandon();
        this.#close();
        this.#become('ready', error.reason);
      }
      throw error;
    }
    return this.#uid;
  }

  // As the mini program's: `uids` are those the page shows, so that it is told who is gone.
  async rejoin(token, channel, user = null, uids = [], {name = this.#name} = {}) {
    if (!Array.isArray(uids))
      throw new AgoraError(Codes.BAD_REQUEST, 'rejoin: expected a list of uids', {kind: 'argument'});
    const known = uids.map((uid) => checkUid(typeof uid === 'string' ? Number(uid) : uid));
    if (this.#state === 'joined' || this.#state === 'reconnecting') {
      // Whoever asks for what can't be stays where it is.
      checkToken(token);
      checkChannel(channel);
      checkUser(user);
      checkName(name);
      requireWebRtc();
      this.#stay?.hear?.resource?.abandon();
      this.#close();
      this.#become('ready', 'rejoin');
    }
    const uid = await this.join(token, channel, user, {name});
    this.#speakers.expect(known.filter((each) => each !== uid));
    return uid;
  }

  // On air: with the microphone, or with `track`. Resolves when sound can travel.
  async publish({track = null} = {}) {
    this.#inChannel('publish');
    if (this.#role !== 'broadcaster')
      throw new AgoraError(Codes.NOT_PERMITTED, 'publish: an audience can\'t: setRole("broadcaster") first',
          {kind: 'order'});
    if (track !== null && track.kind !== 'audio')
      throw new AgoraError(Codes.BAD_REQUEST, 'publish: expected an audio track', {kind: 'argument'});
    if (this.#voice.wanted)
      throw new AgoraError(Codes.BAD_ORDER, 'publish: it is published already', {kind: 'order'});
    await this.#voice.publish(track);
  }

  // Another track takes over, without a gap in the session.
  replaceTrack(track) {
    this.#usable('replaceTrack');
    if (track?.kind !== 'audio')
      throw new AgoraError(Codes.BAD_REQUEST, 'replaceTrack: expected an audio track', {kind: 'argument'});
    if (!this.#voice.wanted)
      throw order('replaceTrack: publish first');
    this.#voice.microphone.use(track);
  }

  async unpublish() {
    this.#inChannel('unpublish');
    if (this.#role !== 'broadcaster')
      throw new AgoraError(Codes.NOT_PERMITTED, 'unpublish: an audience publishes nothing', {kind: 'order'});
    await this.#voice.stop(this.#stay);
  }

  async subscribe(uid) {
    this.#inChannel('subscribe');
    await this.#speakers.choose(checkUid(uid), true);
  }

  async unsubscribe(uid) {
    this.#inChannel('unsubscribe');
    await this.#speakers.choose(checkUid(uid), false);
  }

  // What this page hears of one speaker. Kept while that speaker comes and goes.
  async mute(uid, target = 'audio') {
    await this.#mute(uid, target, true);
  }

  async unmute(uid, target = 'audio') {
    await this.#mute(uid, target, false);
  }

  async #mute(uid, target, muted) {
    this.#inChannel(muted ? 'mute' : 'unmute');
    checkUid(uid);
    if (checkTarget(target) !== 'video')
      await this.#speakers.set(uid, {mute: muted});
  }

  // 1 is as spoken, 0 is silence.
  async setSpeakerVolume(uid, volume) {
    this.#inChannel('setSpeakerVolume');
    await this.#speakers.set(checkUid(uid), {volume: checkNumber('volume', volume, 0, 10)});
  }

  // The own microphone: silent at once, and the others are told. Before join: it begins muted.
  async muteLocal(target = 'audio') {
    await this.#muteLocal(target, true);
  }

  async unmuteLocal(target = 'audio') {
    await this.#muteLocal(target, false);
  }

  async #muteLocal(target, muted) {
    this.#usable(muted ? 'muteLocal' : 'unmuteLocal');
    if (checkTarget(target) === 'video')
      return;
    this.#muted = muted;
    this.#voice.microphone.muted = muted;
    await this.#tell({call: 'mute', audio: muted});
  }

  // A few words to all others, or to the uids in `to`: the gateway passes them on, and nobody keeps
  // them. Whoever isn't there just then never gets them.
  async sendData(text, to = null) {
    this.#inChannel('sendData');
    const words = checkWords(text);
    const uids = checkAddressees(to);
    // No wish that is kept: said late, it would be a riddle.
    if (this.#state !== 'joined')
      throw new AgoraError(Codes.CONNECTION_LOST, 'sendData: the channel is being joined again', {kind: 'network'});
    await this.#call({call: 'data', text: words, ...(uids && {to: uids})});
  }

  // Who else is in the channel, those who only listen too; member-joined and member-left tell of each
  // change from then on. Where the gateway shows an app's members.
  async getMembers() {
    this.#inChannel('getMembers');
    if (this.#state !== 'joined')
      throw new AgoraError(Codes.CONNECTION_LOST, 'getMembers: the channel is being joined again', {kind: 'network'});
    return this.#roster.get();
  }

  async setLatency(ms) {
    this.#usable('setLatency');
    this.#latency = checkNumber('latency', ms, 0, LONGEST_LATENCY);
    await this.#tell({call: 'latency', ms});
  }

  async renewToken(token) {
    this.#inChannel('renewToken');
    if (checkToken(token) === '')
      throw new AgoraError(Codes.BAD_REQUEST, 'renewToken: expected a token', {kind: 'argument'});
    await this.#tell({call: 'renew-token', token});
    this.#token = token;
    this.#pauses.wake();
  }

  async leave() {
    this.#inChannel('leave');
    const hear = this.#stay?.hear?.resource;
    this.#close();
    this.#become('ready', 'left');
    // Whoever can't be reached finds out by itself.
    await hear?.end().catch(() => {});
  }

  destroy() {
    if (this.#state === 'destroyed')
      return;
    this.#stay?.hear?.resource?.abandon();
    this.#close();
    this.#become('destroyed', '');
    this.#listeners.clear();
  }

  // After autoplay-refused: from a click or a key.
  async resume() {
    await this.#playback.resume();
  }

  // The loudness of all that this page plays, 0 to 1.
  setPlaybackVolume(volume) {
    this.#playback.volume = checkNumber('volume', volume, 0, 1);
  }

  async setOutput(deviceId) {
    await this.#playback.setOutput(deviceId);
  }

  // deviceId, echoCancellation, noiseSuppression, autoGainControl; takes effect at once.
  async setMicrophone(settings) {
    const known = ['deviceId', 'echoCancellation', 'noiseSuppression', 'autoGainControl'];
    const strange = Object.keys(settings ?? {}).find((name) => !known.includes(name));
    if (typeof settings !== 'object' || settings === null || strange !== undefined)
      throw new AgoraError(Codes.BAD_REQUEST, `setMicrophone: expected ${known.join(', ')}` +
          (strange === undefined ? '' : `, not ${strange}`), {kind: 'argument'});
    await this.#voice.microphone.set(settings);
  }

  // dBFS of the own microphone now; -100 is silence.
  microphoneLevel() {
    return this.#voice.microphone.level();
  }

  // What the gateway counts for this member, and what the browser does for both directions.
  async stats() {
    this.#inChannel('stats');
    const report = async (peer) => peer?.pc ? [...(await peer.pc.getStats()).values()] : [];
    const [gateway, hear, speak] = await Promise.all([
      this.#call({call: 'stats'}), report(this.#stay?.hear), report(this.#stay?.speak)]);
    return {gateway, hear, speak};
  }

  #usable(verb) {
    if (this.#state === 'destroyed')
      throw order(`${verb}: this client is destroyed`);
  }

  #inChannel(verb) {
    this.#usable(verb);
    if (this.#state !== 'joined' && this.#state !== 'reconnecting')
      throw order(`${verb}: join a channel first`);
  }

  #become(state, reason) {
    const previous = this.#state;
    if (previous === state)
      return;
    this.#state = state;
    this.#emit('state-change', {state, previous, reason});
  }

  #emit(name, data) {
    for (const listener of [...this.#listeners.get(name) ?? []]) {
      try {
        listener(data);
      } catch (error) {
        // The page's fault is the page's to see, and stops nothing here.
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }

  #url(kind, more) {
    const url = new URL(`${kind}/${encodeURIComponent(this.#app)}/${encodeURIComponent(this.#channel)}`,
      this.#server);
    for (const [name, value] of Object.entries(more))
      if (value)
        url.searchParams.set(name, value);
    return url.href;
  }

  async #call(call) {
    const stay = this.#stay;
    if (!stay?.hear?.resource)
      throw new AgoraError(Codes.CONNECTION_LOST, 'the channel is being joined again', {kind: 'network'});
    try {
      return await stay.hear.resource.call(call, stay.end.signal);
    } catch (error) {
      if (error.status === 404 || error.kind === 'network')
        this.#lost(stay, error);
      throw error;
    }
  }

  // A wish that is kept: said now if there is somebody to tell it, else on coming back. One after
  // the other: over two connections the later one might arrive first.
  #tell(call) {
    const turn = this.#telling.then(() => this.#tellNow(call));
    this.#telling = turn.catch(() => {});
    return turn;
  }

  async #tellNow(call) {
    if (this.#state !== 'joined')
      return;
    try {
      await this.#call(call);
    } catch (error) {
      if (this.#state !== 'reconnecting')
        throw error;
    }
  }

  // Joins, and does again all that the page had asked for.
  async #enter() {
    const stay = this.#stay = new Stay();
    const {signal} = stay.end;
    const hear = stay.hear = new Peer((error) => this.#lost(stay, error));
    // An account finds its uid again; a number that was assigned is asked for again.
    const user = this.#user.account ? {account: this.#user.account} : {uid: this.#uid};
    const told = {muted: false, role: 'audience', latency: this.#latency};
    await hear.open({
      url: this.#url('whep', {...user, name: this.#name, latency: told.latency}), token: this.#token, track: null,
      iceServers: this.#iceServers, signal,
    });
    this.#playback.play(hear.stream);
    await this.#hearEvents(stay);
    // Until nothing is left: the page may want something else meanwhile.
    for (let call = this.#untold(told); call !== null; call = this.#untold(told))
      await hear.resource.call(call, signal);
    if (stay.failure)
      throw stay.failure;
    if (stay !== this.#stay)
      throw new AgoraError(Codes.CONNECTION_LOST, 'it was left meanwhile', {kind: 'network'});
    stay.since = Date.now();
    const back = this.#state === 'reconnecting';
    this.#become('joined', '');
    if (back)
      this.#emit('reconnected', {});
    this.#voice.begin(stay, false);
    this.#roster.entered(this.#uid);
  }

  // The next call that tells what the page wants; `told`: what was told, with it.
  #untold(told) {
    if (told.muted !== this.#muted)
      return {call: 'mute', audio: told.muted = this.#muted};
    if (told.role !== this.#role)
      return {call: 'set-role', role: told.role = this.#role};
    if (told.latency !== this.#latency)
      return {call: 'latency', ms: told.latency = this.#latency};
    return null;
  }

  // Resolves with `joined`; from then on whatever ends the stream is a loss.
  #hearEvents(stay) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new AgoraError(Codes.TIMEOUT,
        `the channel was not joined in ${JOIN_TIMEOUT / 1000} s`, {kind: 'network'})), JOIN_TIMEOUT);
      const fail = (error) => {
        clearTimeout(timer);
        reject(error);
        this.#lost(stay, error);
      };
      const told = (name, data) => {
        if (stay !== this.#stay)
          return;
        if (name === 'joined') {
          clearTimeout(timer);
          this.#uid = data.uid;
          this.#speakers.entered(data.uid);
          resolve();
        } else if (name === 'ended') {
          fail(new AgoraError(data.code ?? Codes.SERVICE_LOST, data.reason ?? 'the gateway ended it'));
        } else {
          this.#event(stay, name, data);
        }
      };
      stay.hear.resource.events(told, stay.end.signal).then(
        () => fail(new AgoraError(Codes.CONNECTION_LOST, 'the connection to the gateway has ended',
          {kind: 'network'})),
        (cause) => fail(cause instanceof AgoraError ? cause : new AgoraError(Codes.CONNECTION_LOST,
          'the connection to the gateway is lost', {kind: 'network', cause})));
    });
  }

  #event(stay, name, data) {
    if (name === 'client-banned') {
      stay.banned = true;
      this.#emit(name, {uid: this.#uid, ...data});
    } else if (PASSED_ON.has(name)) {
      this.#emit(name, data);
    } else if (LISTED.has(name)) {
      this.#roster.event(name, data);
    } else {
      this.#speakers.event(name, data);
    }
  }

  #lost(stay, error) {
    if (stay !== this.#stay)
      return;
    // It isn't entered yet: whoever enters it finds it there.
    if (this.#state !== 'joined') {
      stay.failure ??= error;
      return;
    }
    if (stay.banned || error.final) {
      this.#finish(error);
      return;
    }
    this.#stay = null;
    this.#dropStay(stay, error);
    if (Date.now() - stay.since > STABLE)
      this.#tries = 0;
    this.#become('reconnecting', error.reason);
    this.#emit('reconnecting', {code: error.code, reason: error.reason});
    this.#comeBack(error.code === Codes.SERVICE_LOST ? WORKER_STARTS : error.retryAfter);
  }

  async #comeBack(wait) {
    while (this.#state === 'reconnecting') {
      await this.#pauses.pause(this.#tries++, wait);
      if (this.#state !== 'reconnecting')
        return;
      try {
        await this.#enter();
        return;
      } catch (error) {
        if (this.#state !== 'reconnecting')
          return;
        const stay = this.#stay;
        this.#stay = null;
        this.#dropStay(stay, error);
        if (stay?.banned || error.final) {
          this.#finish(error);
          return;
        }
        wait = error.retryAfter ?? 0;
      }
    }
  }

  // It is over, and trying again would end the same way.
  #finish(error) {
    this.#close();
    this.#become('ready', error.reason);
    this.#emit('error', {code: error.code, reason: error.reason});
    this.#emit('ended', {code: error.code, reason: error.reason});
  }

  // The gateway may not know yet that it is lost: others need not see it stay on until then.
  #dropStay(stay, error) {
    if (error.kind === 'network' && error.status !== 404)
      stay?.hear?.resource?.abandon();
    this.#endStay(stay);
  }

  #endStay(stay) {
    stay?.end.abort();
    this.#roster.lost();
    stay?.speak?.close();
    stay?.hear?.close();
  }

  #close() {
    const stay = this.#stay;
    this.#stay = null;
    this.#endStay(stay);
    this.#voice.silence();
    this.#playback.stop();
    this.#speakers.clear();
    this.#roster.clear();
    this.#watching?.abort();
    this.#watching = null;
  }

  // The browser's own news while in a channel.
  #watch() {
    this.#watching = new AbortController();
    const {signal} = this.#watching;
    const hear = (target, name, then) => target?.addEventListener?.(name, then, {signal});
    const look = () => this.#look();
    hear(globalThis.window, 'online', look);
    hear(globalThis.navigator?.connection, 'change', look);
    hear(globalThis.document, 'resume', look);
    hear(globalThis.document, 'visibilitychange', () => document.visibilityState === 'visible' && look());
    hear(globalThis.navigator?.mediaDevices, 'devicechange', () => this.#emit('devices-changed', {}));
    // A closed tab leaves at once; one that is shown again comes back.
    hear(globalThis.window, 'pagehide', () => this.#stay?.hear?.resource?.abandon());
    hear(globalThis.window, 'pageshow', (event) => event.persisted && this.#stay &&
        this.#lost(this.#stay, new AgoraError(Codes.CONNECTION_LOST, 'the page was put away',
          {kind: 'network'})));
  }

  // Something about the network has changed: is the gateway still there?
  async #look() {
    this.#pauses.wake();
    const stay = this.#stay;
    if (this.#state !== 'joined' || !stay)
      return;
    this.#playback.look();
    const probe = new AbortController();
    const timer = setTimeout(() => probe.abort(), PROBE_TIMEOUT);
    try {
      await stay.hear.resource.call({call: 'stats'}, probe.signal);
    } catch (error) {
      if (error.kind === 'network' || error.status === 404)
        this.#lost(stay, error.status === 404
          ? new AgoraError(Codes.CONNECTION_LOST, error.reason, {kind: 'network'}) : error);
    } finally {
      clearTimeout(timer);
    }
  }
}
