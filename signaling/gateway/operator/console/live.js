// SPDX-License-Identifier: LGPL-2.1-or-later
// How the channels are, as the gateway tells it once a second, and how they were for ten minutes.

const HISTORY = 600;       // seconds
const MOST_HISTORIES = 200;
const FRESH_MS = 15000;    // of a report; what is older says nothing about now
const SILENCE_MS = 10000;  // of the gateway, until it counts as lost

const keyOf = (app, channel) => `${app}\n${channel}`;

// Loudest, longest, widest of what there is; undefined where there is nothing.
const most = (values) => values.reduce((top, value) => value === undefined || value <= top ? top : value, undefined);

// What a report adds up to for the one whose it is.
function hearing(report) {
  const heard = report?.heard ?? [];
  const sum = (name) => heard.reduce((all, each) => all + each[name], 0);
  return {
    latency: most(heard.map((each) => each.latency)),
    jitter: most(heard.map((each) => each.jitter)),
    late: sum('dropped'),
    concealed: sum('concealed'),
  };
}

export class Live extends EventTarget {
  gateway = null;
  apps = [];
  leftOff = 0;
  channels = new Map();   // each with its members, by uid
  histories = new Map();  // of channels; of the gateway as ''
  at = 0;                 // the gateway's clock, ms
  #source = null;
  #heard = 0;
  #watchdog = null;
  #before = null;         // the gateway's state a second ago

  // Events: `open`, `lost`, `refused` (log in again), `change` (once a second).
  start() {
    this.stop();
    const source = new EventSource('../dev/v1/live/events');
    this.#source = source;
    source.addEventListener('all', (event) => this.#all(JSON.parse(event.data)));
    source.addEventListener('changes', (event) => this.#changes(JSON.parse(event.data)));
    source.addEventListener('error', () => this.#broke(source));
    this.#watchdog = setInterval(() => {
      if (this.#heard && Date.now() - this.#heard > SILENCE_MS)
        this.#tell('lost');
    }, 1000);
  }

  stop() {
    this.#source?.close();
    this.#source = null;
    this.#heard = 0;
    clearInterval(this.#watchdog);
  }

  isFresh(report) {
    return report !== undefined && this.at - report.at < FRESH_MS;
  }

  // How loud somebody is: by its own word, or else as the others hear it.
  levelOf(channel, member) {
    if (!member.on_air)
      return undefined;
    const own = this.isFresh(member.report) ? member.report.sent : undefined;
    if (own?.peak !== undefined)
      return {peak: own.peak, rms: own.rms};
    let loudest;
    for (const other of channel.members.values())
      for (const heard of this.isFresh(other.report) ? other.report.heard : [])
        if (heard.uid === member.uid && heard.peak !== undefined && !(heard.peak <= loudest?.peak))
          loudest = {peak: heard.peak, rms: heard.rms};
    return loudest;
  }

  hearingOf(member) {
    return hearing(this.isFresh(member.report) ? member.report : undefined);
  }

  summaryOf(channel) {
    const members = [...channel.members.values()];
    const heard = members.map((member) => this.hearingOf(member));
    return {
      level: most(members.map((member) => this.levelOf(channel, member)?.peak)),
      latency: most(heard.map((each) => each.latency)),
      jitter: most(heard.map((each) => each.jitter)),
      speakers: members.filter((member) => member.on_air).length,
    };
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }

  // The browser comes again by itself, unless the answer was no stream.
  async #broke(source) {
    if (source !== this.#source)
      return;
    this.#tell('lost');
    if (source.readyState !== EventSource.CLOSED)
      return;
    let status = 0;
    try {
      status = (await fetch('../dev/v1/live', {method: 'GET', cache: 'no-store'})).status;
    } catch {
      // Out of reach: another try will tell.
    }
    if (source !== this.#source)
      return;
    if (status === 401 || status === 403)
      this.#tell('refused');
    else
      setTimeout(() => source === this.#source && this.start(), 2000);
  }

  #all(told) {
    this.channels.clear();
    this.gateway = null;
    this.apps = told.apps;
    this.#tell('open');
    this.#take(told, told.members, []);
  }

  #changes(told) {
    this.#take(told, told.changed, told.gone);
  }

  #take(told, changed, gone) {
    this.#heard = Date.now();
    this.#before = this.gateway;
    this.gateway = told.gateway;
    this.at = told.at;
    this.leftOff = told.left_off;
    // First: somebody may be gone and there again in one second.
    for (const {app, channel, uid} of gone) {
      const of = this.channels.get(keyOf(app, channel));
      of?.members.delete(uid);
      if (of?.members.size === 0)
        this.channels.delete(of.key);
    }
    for (const member of changed) {
      const key = keyOf(member.app, member.channel);
      if (!this.channels.has(key))
        this.channels.set(key, {key, app: member.app, name: member.channel, lost: 0, members: new Map()});
      const channel = this.channels.get(key);
      channel.lost += this.#newlyLost(channel.members.get(member.uid), member);
      channel.members.set(member.uid, member);
    }
    this.#remember();
    this.#tell('change');
  }

  // Milliseconds of sound that a member's new report has more than its last.
  #newlyLost(before, now) {
    if (before?.report === undefined || now.report === undefined || now.report.at === before.report.at)
      return 0;
    const then = hearing(before.report), here = hearing(now.report);
    return Math.max(0, here.late - then.late) + Math.max(0, here.concealed - then.concealed);
  }

  #remember() {
    const push = (key, figures) => {
      if (!this.histories.has(key) && this.histories.size >= MOST_HISTORIES)
        return;
      const history = this.histories.get(key) ?? [];
      history.push(figures);
      if (history.length > HISTORY)
        history.shift();
      this.histories.set(key, history);
    };
    for (const key of this.histories.keys())
      if (key !== '' && !this.channels.has(key))
        this.histories.delete(key);
    for (const [key, channel] of this.channels) {
      const {level, latency, jitter} = this.summaryOf(channel);
      push(key, {level, latency, jitter, lost: channel.lost});
      channel.lost = 0;
    }
  }

  // A counter's growth over the last second; undefined where it isn't known.
  rate(read) {
    const before = this.#before && read(this.#before);
    const now = read(this.gateway);
    return before === null || before === undefined || now < before ? undefined : now - before;
  }
}
