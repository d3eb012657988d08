// SPDX-License-Identifier: LGPL-2.1-or-later
// The waits between tries of coming back.

// In ms; the last one repeats. A fifth more or less, so that a channel's pages don't all come at once.
const BACK_OFF = [0, 200, 400, 800, 1500, 3000, 5000];
const LONGEST = 30000;

export class Pauses {
  #sleepers = new Set();

  // Before try number `tries`, but `least` seconds.
  pause(tries, least = 0) {
    const spread = 0.4 * Math.random();
    const usual = BACK_OFF[Math.min(tries, BACK_OFF.length - 1)] * (0.8 + spread);
    const ms = Math.min(Math.max(usual, least * 1000 * (1 + spread)), LONGEST);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#sleepers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#sleepers.add(done);
    });
  }

  // The network is back, the page is looked at again, or there is nothing left to try.
  wake() {
    for (const done of [...this.#sleepers])
      done();
  }
}
