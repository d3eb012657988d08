// SPDX-License-Identifier: LGPL-2.1-or-later
// This member's own voice: that the page wants it on air, and the session that carries it.
import {AgoraError, Codes} from './agora-checks.js';
import {Microphone} from './agora-microphone.js';
import {Peer} from './agora-peer.js';

const takenBack = () =>
  new AgoraError(Codes.CONNECTION_LOST, 'publish: it was taken back', {kind: 'order'});

export class Voice {
  // The page wants to be on air: kept over everything that is lost and comes back.
  wanted = false;
  #around;
  #back = false;
  // Which publish() it is; another number: it was taken back.
  #turn = 0;
  // Who waits for being on air.
  #waiting = [];

  // around: emit(name, data); stay(): the one in the channel now, or null; offer(stay): what a
  // session of that stay is opened with; lost(stay, error): the whole stay is; pauses.
  constructor(around) {
    this.#around = around;
    this.microphone = new Microphone((track, error) => this.#microphoneChanged(track, error));
  }

  // Resolves when sound can travel; meanwhile the channel may be lost, and come back.
  async publish(track) {
    this.wanted = true;
    const turn = ++this.#turn;
    try {
      await (track === null ? this.microphone.open() : this.microphone.use(track));
    } catch (error) {
      // The next one's microphone is the next one's.
      if (turn !== this.#turn)
        throw takenBack();
      this.silence();
      throw error;
    }
    if (turn !== this.#turn)
      throw takenBack();
    const waits = new Promise((resolve, reject) => this.#waiting.push({resolve, reject}));
    const stay = this.#around.stay();
    if (stay !== null)
      this.begin(stay, true);
    await waits;
  }

  // The session of one try. When it is lost later, this direction alone comes back.
  async #open(stay) {
    const speak = stay.speak = new Peer(() => {
      if (stay === this.#around.stay() && stay.speak === speak)
        this.begin(stay, false);
    });
    const track = this.microphone.track;
    await speak.open({...this.#around.offer(stay), track, signal: stay.end.signal});
    // Another microphone may have been chosen meanwhile.
    if (this.microphone.track !== track)
      await speak.sender.replaceTrack(this.microphone.track);
    await speak.connected;
  }

  // Tries until it stands, the page takes it back, or the channel itself is lost. `once`: what is
  // refused at first is for whoever called publish().
  async begin(stay, once) {
    if (this.#back || !this.wanted || this.microphone.track === null)
      return;
    this.#back = true;
    for (let tries = 0; this.#isWanted(stay); tries++) {
      if (tries > 0)
        await this.#around.pauses.pause(tries);
      if (!this.#isWanted(stay) || await this.#try(stay, once))
        break;
    }
    this.#back = false;
    // Another stay began meanwhile, or it was taken back and asked for again.
    const now = this.#around.stay();
    if (now !== null && (now !== stay || this.#waiting.length > 0))
      this.begin(now, this.#waiting.length > 0);
  }

  #isWanted(stay) {
    return this.wanted && stay === this.#around.stay();
  }

  // Whether there is nothing more to try.
  async #try(stay, once) {
    stay.speak?.close();
    stay.speak?.resource?.abandon();
    try {
      await this.#open(stay);
      if (this.#isWanted(stay)) {
        this.#settle(null);
        this.#around.emit('published', {});
      }
      return true;
    } catch (error) {
      if (!this.#isWanted(stay))
        return true;
      // The member itself is gone.
      if (error.status === 404 || error.code === Codes.NOT_JOINED) {
        this.#around.lost(stay, new AgoraError(Codes.CONNECTION_LOST, error.reason, {kind: 'network'}));
        return true;
      }
      if (!error.final && !once)
        return false;
      this.#settle(error);
      if (!once)
        this.#around.emit('error', {code: error.code, reason: error.reason});
      await this.stop(stay).catch(() => {});
      return true;
    }
  }

  #settle(error) {
    for (const {resolve, reject} of this.#waiting.splice(0))
      error ? reject(error) : resolve();
  }

  // Off the air. `stay`: null where there is none.
  async stop(stay) {
    if (!this.wanted)
      return;
    const speak = stay?.speak;
    if (stay)
      stay.speak = null;
    speak?.close();
    this.silence();
    this.#around.emit('unpublished', {});
    await speak?.resource?.end().catch((error) => {
      // Nobody to tell: it ends there by itself.
      if (error.kind !== 'network')
        throw error;
    });
  }

  // No more wanted; whatever carries it is ended by others.
  silence() {
    this.wanted = false;
    this.#turn++;
    this.microphone.close();
    this.#settle(takenBack());
    this.#around.pauses.wake();
  }

  async #microphoneChanged(track, error) {
    if (track === null) {
      this.#around.emit('microphone-lost', {code: error.code, reason: error.reason});
      return;
    }
    try {
      await this.#around.stay()?.speak?.sender?.replaceTrack(track);
    } catch {
      return;  // That connection is closing; the next one takes the new track.
    }
    this.#around.emit('microphone-changed', {label: track.label, ...this.microphone.settings});
  }
}
