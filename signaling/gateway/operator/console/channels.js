// SPDX-License-Identifier: LGPL-2.1-or-later
// Channels and their members. A row stays the same element for as long as its member is there, so that
// nobody loses the place, the focus or a selection each second.
import {Plot} from './plots.js';
import {UNKNOWN, clock, decibel, duration, make, milliseconds, nameOf, say} from './words.js';

const QUIETEST = -60;  // dB, at the left end of a meter
const MOST_ROWS = 200; // of one channel: more than anybody reads
const SILENT = -50;    // below it, who is on the air says nothing
const COLUMNS = ['Member', 'State', 'Level', 'Mouth to ear', 'Jitter', 'Late', 'Concealed', 'Unsent', 'Reconnects', 'Here for', 'Actions'];

class Meter {
  #bar = make('span', 'bar');
  #words = make('span', 'words');
  element = make('div', 'meter', [this.#bar, this.#words]);

  constructor(label) {
    this.element.setAttribute('role', 'meter');
    this.element.setAttribute('aria-label', label);
    this.element.setAttribute('aria-valuemin', QUIETEST);
    this.element.setAttribute('aria-valuemax', 0);
  }

  draw(level) {
    const peak = level?.peak;
    const at = peak === undefined ? QUIETEST : Math.min(Math.max(peak, QUIETEST), 0);
    this.#bar.style.width = `${(at - QUIETEST) / -QUIETEST * 100}%`;
    this.element.classList.toggle('hot', peak >= -1);
    say(this.#words, decibel(peak));
    this.element.setAttribute('aria-valuenow', at);
    this.element.setAttribute('aria-valuetext', peak === undefined ? 'unknown' : `${decibel(peak)} peak, ${decibel(level.rms)} mean`);
  }
}

class MemberRow {
  #meter;
  #cells = new Map();
  #silence = make('button', 'small', 'Silence');
  #kick = make('button', 'small danger', 'Kick');
  element = make('tr');

  constructor(channel, member, act) {
    const name = nameOf(member);
    this.#meter = new Meter(`Level of ${name}`);
    this.#silence.setAttribute('aria-label', `Silence ${name}`);
    this.#kick.setAttribute('aria-label', `Kick ${name}`);
    this.#silence.type = this.#kick.type = 'button';
    this.#silence.addEventListener('click', () => act('silence', channel, this.member));
    this.#kick.addEventListener('click', () => act('kick', channel, this.member));
    for (const column of COLUMNS) {
      const cell = make(column === 'Member' ? 'th' : 'td');
      if (column === 'Member')
        cell.scope = 'row';
      // For a narrow screen, where there are no headings.
      cell.dataset.name = column;
      this.#cells.set(column, cell);
      this.element.append(cell);
    }
    this.#cells.get('Level').append(this.#meter.element);
    this.#cells.get('Actions').append(this.#silence, ' ', this.#kick);
  }

  draw(live, channel, member) {
    this.member = member;
    const report = live.isFresh(member.report) ? member.report : undefined;
    const {latency, jitter, late, concealed} = live.hearingOf(member);
    const level = live.levelOf(channel, member);
    const hears = report !== undefined && report.heard.length > 0;
    const states = [
      member.state === 'grace' && 'lost, may return',
      member.silenced && 'silenced',
      member.talk && 'to a few',
      member.on_air ? `on the air, ${member.listeners} listen` : member.role,
      member.muted && 'muted',
      member.on_air && level?.peak < SILENT && 'no sound',
    ].filter(Boolean);
    this.element.classList.toggle('on-air', member.on_air);
    this.element.classList.toggle('away', member.state === 'grace');
    this.#meter.element.hidden = !member.on_air;
    this.#meter.draw(level);
    this.#silence.disabled = member.silenced;
    const set = (column, text) => say(this.#cells.get(column), text);
    const named = member.name ?? member.account;
    set('Member', named ? `${named} (${member.uid})` : String(member.uid));
    set('State', states.join(', '));
    set('Mouth to ear', milliseconds(latency));
    set('Jitter', milliseconds(jitter));
    set('Late', hears ? milliseconds(late) : UNKNOWN);
    set('Concealed', hears ? milliseconds(concealed) : UNKNOWN);
    set('Unsent', milliseconds(report?.sent?.dropped));
    set('Reconnects', report ? String(report.reconnects + (report.sent?.outages ?? 0)) : UNKNOWN);
    set('Here for', duration(live.at / 1000 - member.joined));
    this.element.title = `${member.platform || 'unknown program'} at ${member.address}, since ${clock(member.joined)}`;
  }
}

class ChannelCard {
  #title = make('span', 'name');
  #facts = make('span', 'facts');
  #meter;
  #rows = new Map();
  #body = make('tbody');
  #more = make('p', 'quiet');
  #plots = {
    level: new Plot('Loudest', QUIETEST, 0, decibel),
    latency: new Plot('Mouth to ear', 0, 300, milliseconds),
    jitter: new Plot('Jitter', 0, 50, milliseconds),
    lost: new Plot('Lost', 0, 100, milliseconds),
  };
  element = make('details', 'channel');

  constructor(channel, several, act) {
    this.act = act;
    this.#meter = new Meter(`Loudest in ${channel.name}`);
    say(this.#title, several ? `${channel.name} (${channel.app})` : channel.name);
    const head = make('thead', '', make('tr', '', COLUMNS.map((name) => {
      const cell = make('th', '', name);
      cell.scope = 'col';
      return cell;
    })));
    this.element.append(
      make('summary', '', [this.#title, this.#meter.element, this.#facts]),
      make('div', 'plots', Object.values(this.#plots).map((plot) => plot.element)),
      make('div', 'wide', make('table', '', [head, this.#body])),
      this.#more);
  }

  draw(live, channel) {
    const {level, latency, jitter, speakers} = live.summaryOf(channel);
    this.#meter.element.hidden = speakers === 0;
    this.#meter.draw(level === undefined ? undefined : {peak: level, rms: level});
    say(this.#facts, [`${speakers} on the air, ${channel.members.size} here`,
      latency !== undefined && `${milliseconds(latency)} mouth to ear`,
      jitter !== undefined && `${milliseconds(jitter)} jitter`].filter(Boolean).join('; '));
    // What is shut nobody sees.
    if (!this.element.open)
      return;
    const history = live.histories.get(channel.key) ?? [];
    for (const [name, plot] of Object.entries(this.#plots))
      plot.draw(history.map((second) => second[name]));
    this.#drawRows(live, channel);
  }

  #drawRows(live, channel) {
    const rank = (member) => (member.on_air ? 0 : member.role === 'broadcaster' ? 1 : 2);
    const sorted = [...channel.members.values()].sort((a, b) => rank(a) - rank(b) || a.uid - b.uid);
    const shown = sorted.slice(0, MOST_ROWS);
    const wanted = new Set(shown.map((member) => member.uid));
    for (const [uid, row] of this.#rows)
      if (!wanted.has(uid)) {
        row.element.remove();
        this.#rows.delete(uid);
      }
    shown.forEach((member, place) => {
      if (!this.#rows.has(member.uid))
        this.#rows.set(member.uid, new MemberRow(channel, member, this.act));
      const row = this.#rows.get(member.uid);
      row.draw(live, channel, member);
      if (this.#body.children[place] !== row.element)
        this.#body.insertBefore(row.element, this.#body.children[place] ?? null);
    });
    this.#more.hidden = sorted.length <= MOST_ROWS;
    say(this.#more, `and ${sorted.length - MOST_ROWS} more`);
  }
}

export class Channels {
  #cards = new Map();
  #place;
  #act;

  // `act(what, channel, member)`: a button of a member was pressed.
  constructor(place, act) {
    this.#place = place;
    this.#act = act;
  }

  draw(live, filter) {
    const text = filter.trim().toLowerCase();
    const fits = (channel) => text === '' || channel.name.toLowerCase().includes(text) ||
      [...channel.members.values()].some((member) => nameOf(member).toLowerCase().includes(text) || String(member.uid) === text);
    const shown = [...live.channels.values()].filter(fits).sort((a, b) => a.name.localeCompare(b.name) || a.app.localeCompare(b.app));
    const wanted = new Set(shown.map((channel) => channel.key));
    for (const [key, card] of this.#cards)
      if (!wanted.has(key)) {
        card.element.remove();
        this.#cards.delete(key);
      }
    shown.forEach((channel, place) => {
      if (!this.#cards.has(channel.key)) {
        const card = new ChannelCard(channel, live.apps.length > 1, this.#act);
        card.element.open = live.channels.size === 1;
        card.element.addEventListener('toggle', () => card.latest?.());
        this.#cards.set(channel.key, card);
      }
      const card = this.#cards.get(channel.key);
      // Opened, it isn't empty until the next second.
      card.latest = () => card.draw(live, channel);
      card.draw(live, channel);
      if (this.#place.children[place] !== card.element)
        this.#place.insertBefore(card.element, this.#place.children[place] ?? null);
    });
  }
}
