// SPDX-License-Identifier: LGPL-2.1-or-later
// The operator's rules: what holds, until when, and new ones.
import {clock, duration, make, nameOf, say, the} from './words.js';

const EVERY_MS = 5000;
const TAKES = new Map([['join_channel', 'out'], ['publish_audio', 'silenced'], ['publish_video', 'no video']]);

// Refused: the server's own sentence.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(method, path, fields) {
  const answer = await fetch(`../${path}`, {
    method,
    cache: 'no-store',
    headers: fields === undefined ? {} : {'Content-Type': 'application/json'},
    body: fields === undefined ? undefined : JSON.stringify(fields),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw new Refused(answer.status, told.message ?? `the gateway answered with ${answer.status}`);
  return told;
}

function whom(rule) {
  const parts = [rule.uid !== null && `member ${rule.uid}`, rule.ip !== null && `address ${rule.ip}`,
    rule.cname !== null ? `channel ${rule.cname}` : 'every channel'].filter(Boolean);
  return `${parts.join(', ')} of ${rule.appid}`;
}

export class Rules {
  #live;
  #failed;
  #turns = 0;  // of the dialog
  #list = the('rules');
  #timer = null;

  // `failed(error)`: something couldn't be done.
  constructor(live, failed) {
    this.#live = live;
    this.#failed = failed;
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => document.visibilityState === 'visible' && this.look(), EVERY_MS);
    this.look();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  async look() {
    try {
      const answers = await Promise.all(this.#live.apps.map(
        (app) => ask('GET', `dev/v1/kicking-rule?appid=${encodeURIComponent(app)}`)));
      this.#draw(answers.flatMap((answer) => answer.rules));
    } catch (error) {
      // Without the gateway there is nothing to say twice.
      if (error instanceof Refused)
        this.#failed(error);
    }
  }

  // Asks for how long, and does it. `what`: silence or kick.
  async decide(what, channel, member) {
    const silence = what === 'silence';
    const choices = [[600, '10 minutes'], [3600, 'an hour'], [86400, 'a day']];
    say(the('sure-title'), `${silence ? 'Silence' : 'Kick'} ${nameOf(member)}?`);
    say(the('sure-text'), silence ? 'It stays in the channel and listens, and is on the air again when the rule ends.' :
      'It is taken out of the channel. With “once” it may come back at once.');
    say(the('sure-yes'), silence ? 'Silence' : 'Kick');
    the('sure-time').replaceChildren(...(silence ? choices : [[0, 'once'], ...choices]).map(([seconds, words]) => {
      const option = make('option', '', words);
      option.value = seconds;
      return option;
    }));
    const dialog = the('sure');
    const turn = ++this.#turns;
    dialog.returnValue = 'no';
    dialog.showModal();
    // Of one that was closed just before this was opened, the event may come by now.
    do
      await new Promise((done) => dialog.addEventListener('close', done, {once: true}));
    while (dialog.open && turn === this.#turns);
    if (turn !== this.#turns || dialog.returnValue !== 'yes')
      return;
    try {
      await ask('POST', 'dev/v1/kicking-rule', {
        appid: channel.app, cname: channel.name, uid: member.uid, time_in_seconds: Number(the('sure-time').value),
        privileges: [silence ? 'publish_audio' : 'join_channel'],
      });
    } catch (error) {
      this.#failed(error);
    }
    await this.look();
  }

  #draw(rules) {
    the('no-rules').hidden = rules.length > 0;
    const there = new Map([...this.#list.children].map((row) => [row.dataset.key, row]));
    for (const rule of rules) {
      const key = `${rule.appid} ${rule.id}`;
      const row = there.get(key) ?? this.#row(rule, key);
      there.delete(key);
      const ends = Date.parse(rule.ts) / 1000;
      say(row.querySelector('.what'), `${rule.privileges.map((name) => TAKES.get(name) ?? name).join(', ')}: ${whom(rule)}`);
      say(row.querySelector('.until'), `until ${clock(ends)}, ${duration(ends - this.#live.at / 1000)} left`);
    }
    for (const row of there.values())
      row.remove();
  }

  #row(rule, key) {
    const end = make('button', 'small', 'End now');
    end.type = 'button';
    end.setAttribute('aria-label', `End the rule on ${whom(rule)}`);
    const row = make('li', '', [make('span', 'what'), make('span', 'until quiet'), end]);
    row.dataset.key = key;
    end.addEventListener('click', async () => {
      end.disabled = true;
      try {
        await ask('DELETE', `dev/v1/kicking-rule?appid=${encodeURIComponent(rule.appid)}&id=${rule.id}`);
      } catch (error) {
        this.#failed(error);
      }
      await this.look();
      end.disabled = false;
    });
    this.#list.append(row);
    return row;
  }
}
