// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is on air, and what this page wants to hear of each. Pure but for one timer: events go in,
// the page's events and the calls that make its wishes true come out.
import {AgoraError, Codes} from './agora-checks.js';

// After `joined` the gateway tells who is there; whoever it hasn't named by then is gone.
const PRESENT_WITHIN = 1000;

// Calls of this page that are under way at a time; the gateway takes 16 of a session.
const MOST_CALLS = 4;

const PLAIN = Object.freeze({volume: 1, mute: false, subscribed: true});

export class Speakers {
  #emit;
  #call;
  #auto;
  #own = 0;
  // By uid: whether it is on air, its name, and whether it has muted itself.
  #present = new Map();
  // By uid: what this stay was told, which comes before the stream.
  #names = new Map();
  // Named by this stay in the channel already.
  #named = null;
  #expected = [];
  #timer = null;
  // By uid: what the page wants, what the gateway was told in this stay, and who waits for it.
  #wishes = new Map();
  #calling = 0;
  #callers = [];

  // `autoSubscribe`: everybody is heard but those that the page has unsubscribed; else nobody but
  // those that it has subscribed.
  constructor(autoSubscribe, emit, call) {
    this.#auto = autoSubscribe;
    this.#emit = emit;
    this.#call = call;
  }

  list() {
    return [...this.#present].map(([uid, {name, muted}]) => {
      const {volume, mute, subscribed} = this.#wishes.get(uid)?.want ?? this.#usual();
      return {uid, name, muted, volume, mute, subscribed};
    });
  }

  #usual() {
    return {...PLAIN, subscribed: this.#auto};
  }

  // The page has left the channel.
  clear() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#named = null;
    this.#expected = [];
    this.#present.clear();
    this.#names.clear();
    this.#wishes.clear();
  }

  // A stay begins: the first one, or one after a loss. Nothing that was told holds any more.
  entered(own) {
    this.#own = own;
    this.#named = new Set();
    this.#names.clear();
    for (const [uid, wish] of this.#wishes) {
      wish.told = {...PLAIN};
      // Before anything of that speaker is heard.
      this.#sync(uid).catch(() => {});
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), PRESENT_WITHIN);
  }

  // The page shows these: whoever of them isn't here will be told as removed.
  expect(uids) {
    this.#expected = uids;
  }

  #settle() {
    this.#timer = null;
    const named = this.#named;
    this.#named = null;
    for (const uid of [...this.#present.keys()])
      if (!named.has(uid))
        this.#remove(uid);
    for (const uid of this.#expected.splice(0))
      if (!this.#present.has(uid))
        this.#emit('stream-removed', {uid});
  }

  event(name, data) {
    if (name === 'levels')
      this.#emit(name, data);
    else if (name === 'stream-added')
      this.#add(data.uid);
    else if (name === 'stream-removed')
      this.#remove(data.uid);
    else if (name === 'member-named')
      this.#setName(data.uid, data.name);
    else if (name === 'mute-audio' || name === 'unmute-audio')
      this.#setMuted(data.uid, name === 'mute-audio');
  }

  #add(uid) {
    if (uid === this.#own)
      return;
    const known = this.#present.get(uid);
    const first = this.#named !== null && !this.#named.has(uid);
    this.#named?.add(uid);
    if (known === undefined) {
      this.#present.set(uid, {name: this.#names.get(uid) ?? '', muted: false});
      this.#emit('stream-added', {uid});
    } else if (first) {
      // One that came back without its name.
      this.#setName(uid, this.#names.get(uid) ?? '');
      // It stayed while this page was away. Its mute is told right after, if it holds.
      known.unsure = known.muted;
      if (known.unsure)
        setTimeout(() => known.unsure && this.#present.get(uid) === known && this.#setMuted(uid, false),
          PRESENT_WITHIN);
    }
    const wish = this.#wishes.get(uid) ?? (this.#auto ? null : this.#wish(uid));
    if (wish?.gone) {
      wish.gone = false;
      wish.want = this.#usual();
    }
    if (!this.#auto || wish?.busy)
      this.#sync(uid).catch(() => {});
  }

  #remove(uid) {
    this.#named?.delete(uid);
    this.#names.delete(uid);
    // The wishes stay, here as at the gateway, for when it comes again.
    if (this.#present.delete(uid))
      this.#emit('stream-removed', {uid});
    this.#forgetUsual(uid);
  }

  // But one that is everybody's: in a week more may come and go than the gateway remembers.
  #forgetUsual(uid) {
    const wish = this.#wishes.get(uid);
    const usual = this.#usual();
    if (wish === undefined || Object.keys(usual).some((name) => wish.want[name] !== usual[name]))
      return;
    wish.gone = true;
    wish.want = {...PLAIN};
    this.#sync(uid).then(() => {
      if (wish.gone && this.#wishes.get(uid) === wish)
        this.#wishes.delete(uid);
    }, () => {});
  }

  #setName(uid, name) {
    if (uid === this.#own)
      return;
    if (name === '')
      this.#names.delete(uid);
    else
      this.#names.set(uid, name);
    const known = this.#present.get(uid);
    if ((known?.name ?? '') === name)
      return;
    if (known !== undefined)
      known.name = name;
    this.#emit('member-named', {uid, name});
  }

  #setMuted(uid, muted) {
    const known = this.#present.get(uid);
    if (known === undefined)
      return;
    known.unsure = false;
    if (known.muted === muted)
      return;
    known.muted = muted;
    this.#emit(muted ? 'mute-audio' : 'unmute-audio', {uid});
  }

  #wish(uid) {
    if (!this.#wishes.has(uid))
      this.#wishes.set(uid, {want: this.#usual(), told: {...PLAIN}, busy: null, gone: false});
    return this.#wishes.get(uid);
  }

  // volume, mute: also of one that isn't there yet.
  async set(uid, changes) {
    const wish = this.#wish(uid);
    if (wish.gone) {
      wish.gone = false;
      wish.want = this.#usual();
    }
    Object.assign(wish.want, changes);
    await this.#sync(uid);
  }

  async choose(uid, subscribed) {
    if (!this.#present.has(uid))
      throw new AgoraError(Codes.NOT_PUBLISHING, `uid ${uid} is not on air`, {kind: 'order'});
    this.#wish(uid).want.subscribed = subscribed;
    await this.#sync(uid);
  }

  // One call at a time for each speaker, and the latest wish alone: a slider makes many.
  #sync(uid) {
    const wish = this.#wishes.get(uid);
    if (wish === undefined)
      return Promise.resolve();
    wish.busy ??= this.#carryOut(uid, wish).finally(() => { wish.busy = null; });
    return wish.busy;
  }

  async #carryOut(uid, wish) {
    for (;;) {
      if (this.#nextCall(uid, wish) === null)
        return;
      await this.#turn();
      // The latest one: it may have waited.
      const call = this.#nextCall(uid, wish);
      const told = wish.told;
      try {
        if (call === null)
          return;
        await this.#call(call.body);
      } catch (error) {
        // The channel is being joined again: told then.
        if (error.kind === 'network' || error.status === 404)
          return;
        Object.assign(wish.want, Object.fromEntries(
          Object.keys(call.told).map((name) => [name, told[name]])));
        throw error;
      } finally {
        const next = this.#callers.shift();
        if (next)
          next();
        else
          this.#calling--;
      }
      // Another stay may have begun meanwhile, and knows nothing of it.
      if (told === wish.told)
        Object.assign(told, call.told);
    }
  }

  // Resolves when one more call may begin.
  async #turn() {
    if (this.#calling < MOST_CALLS)
      this.#calling++;
    else
      await new Promise((resolve) => this.#callers.push(resolve));
  }

  #nextCall(uid, {want, told}) {
    if (want.subscribed !== told.subscribed)
      return {
        body: {call: want.subscribed ? 'subscribe' : 'unsubscribe', uid},
        told: {subscribed: want.subscribed},
      };
    const changed = {};
    if (want.volume !== told.volume)
      changed.volume = want.volume;
    if (want.mute !== told.mute)
      changed.mute = want.mute;
    return Object.keys(changed).length === 0 ? null
      : {body: {call: 'speaker', uid, ...changed}, told: changed};
  }
}
