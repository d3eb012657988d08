// SPDX-License-Identifier: LGPL-2.1-or-later
// A line of the last ten minutes, a second each, the newest at the right.
import {UNKNOWN, make, say} from './words.js';

const WIDE = 600, HIGH = 80;

// Runs of seconds that have a figure, as points.
function runsOf(values, low, high) {
  const runs = [];
  let run = [];
  values.forEach((value, i) => {
    if (value === undefined) {
      if (run.length)
        runs.push(run);
      run = [];
      return;
    }
    const x = WIDE - values.length + i;
    const y = HIGH - (Math.min(Math.max(value, low), high) - low) / (high - low) * HIGH;
    run.push(`${x},${y.toFixed(1)}`);
  });
  return run.length ? [...runs, run] : runs;
}

export class Plot {
  #name;
  #low;
  #high;
  #inWords;
  #svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  #now = make('span', 'now');
  #scale = make('span', 'scale');
  element;

  // From `low` to `high`, or beyond it where the figures are: `high` is at least at the top.
  constructor(name, low, high, inWords) {
    this.#name = name;
    this.#low = low;
    this.#high = high;
    this.#inWords = inWords;
    this.#svg.setAttribute('viewBox', `0 0 ${WIDE} ${HIGH}`);
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('role', 'img');
    this.element = make('figure', 'plot', [
      make('figcaption', '', [make('span', '', name), this.#now]), this.#svg, this.#scale]);
  }

  draw(values) {
    const known = values.filter((value) => value !== undefined);
    const top = known.length ? Math.max(this.#high, ...known) : this.#high;
    const lines = runsOf(values, this.#low, top);
    while (this.#svg.childElementCount > lines.length)
      this.#svg.lastElementChild.remove();
    while (this.#svg.childElementCount < lines.length)
      this.#svg.append(document.createElementNS(this.#svg.namespaceURI, 'polyline'));
    // One second alone is a dot: a line that leads nowhere isn't drawn.
    lines.forEach((points, i) => this.#svg.children[i].setAttribute(
      'points', (points.length > 1 ? points : [points[0], points[0].replace(/^[^,]+/, (x) => Number(x) + 1)]).join(' ')));
    const last = values.at(-1);
    say(this.#now, last === undefined ? UNKNOWN : this.#inWords(last));
    say(this.#scale, this.#inWords(top));
    const label = known.length === 0 ? `${this.#name}: nothing is known of the last ten minutes` :
      `${this.#name} of the last ten minutes: ${this.#inWords(Math.min(...known))} to ${this.#inWords(Math.max(...known))}`;
    this.#svg.setAttribute('aria-label', label);
  }
}
