// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else is in the channel, for a page that has asked. Pure: events go in, the page's events and
// the call that asks come out.
import {AgoraError, Codes} from './agora-checks.js';

export class Roster {
  #emit;
  #call;
  #own = 0;
  // By uid: the name. What the page has been told of.
  #members = new Map();
  // Once the page has asked: then it is asked again in each stay.
  #wanted = false;
  // What has come of a list so far, and who waits for its end.
  #coming = new Map();
  #waiting = [];

  constructor(emit, call) {
    this.#emit = emit;
    this.#call = call;
  }

  list() {
    return [...this.#members].map(([uid, name]) => ({uid, name})).sort((one, other) => one.uid - other.uid);
  }

  // The page has left the channel.
  clear() {
    this.#wanted = false;
    this.#members.clear();
    this.lost();
  }

  // A stay ends: what was on its way won't come.
  lost() {
    this.#coming.clear();
    for (const {reject} of this.#waiting.splice(0))
      reject(new AgoraError(Codes.CONNECTION_LOST, 'the channel is being joined again', {kind: 'network'}));
  }

  // A stay begins: what has changed meanwhile is told.
  entered(own) {
    this.#own = own;
    if (this.#wanted)
      this.#ask().catch((error) => this.#refused(error));
  }

  async get() {
    this.#wanted = true;
    await this.#ask(true);
    return this.list();
  }

  // The list comes by the events, in its place among those that tell of changes. `quiet`: it is the
  // answer to a page that knows of nobody.
  async #ask(quiet = false) {
    const whole = new Promise((resolve, reject) => { this.#waiting.push({resolve, reject, quiet}); });
    // Where the call fails, nobody waits for it.
    whole.catch(() => {});
    const mine = this.#waiting.at(-1);
    try {
      await this.#call({call: 'members'});
    } catch (error) {
      this.#waiting = this.#waiting.filter((each) => each !== mine);
      throw error;
    }
    await whole;
  }

  // Where the operator doesn't show it any more, there is none. Else another list comes by itself,
  // or with the next stay.
  #refused(error) {
    if (error.code !== Codes.NOT_PERMITTED && error.code !== Codes.BAD_REQUEST)
      return;
    for (const uid of [...this.#members.keys()])
      this.#remove(uid);
    this.#emit('error', {code: error.code, reason: error.reason});
  }

  event(name, data) {
    if (name === 'member-joined')
      this.#add(data.uid, data.name ?? '');
    else if (name === 'member-left')
      this.#remove(data.uid);
    else
      this.#part(data);
  }

  // `at`: how many came before. One that was broken off is begun anew.
  #part({at, members, more}) {
    if (at === 0)
      this.#coming.clear();
    for (const {uid, name} of members)
      this.#coming.set(uid, name ?? '');
    if (more)
      return;
    const coming = this.#coming;
    this.#coming = new Map();
    const waiting = this.#waiting.splice(0);
    const quiet = waiting[0]?.quiet && this.#members.size === 0;
    for (const uid of [...this.#members.keys()])
      if (!coming.has(uid))
        this.#remove(uid);
    for (const [uid, name] of coming)
      this.#add(uid, name, quiet);
    for (const {resolve} of waiting)
      resolve();
  }

  #add(uid, name, quiet = false) {
    if (uid === this.#own || this.#members.get(uid) === name)
      return;
    this.#members.set(uid, name);
    if (!quiet)
      this.#emit('member-joined', {uid, name});
  }

  #remove(uid) {
    if (this.#members.delete(uid))
      this.#emit('member-left', {uid});
  }
}
