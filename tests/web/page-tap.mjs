// SPDX-License-Identifier: LGPL-2.1-or-later
// TAP for tests that run under node: one line a case, and a plan.
import assert from 'node:assert/strict';

export {assert};

const cases = [];
const cleanups = [];

// Run when the case is over, however it ended: what is left of it must not act in the next one.
export function cleanup(run) {
  cleanups.push(run);
}

export function test(name, run) {
  cases.push({name, run});
}

// A case that hangs is a case that failed. A rejection that nobody awaits fails the one that runs.
export async function runAll({seconds = 20} = {}) {
  let stray = null;
  process.on('unhandledRejection', (error) => { stray ??= error; });
  let failed = 0;
  for (const [at, {name, run}] of cases.entries()) {
    let error = null;
    let timer;
    try {
      await Promise.race([run(), new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`not done in ${seconds} s`)), seconds * 1000);
      })]);
    } catch (caught) {
      error = caught;
    }
    clearTimeout(timer);
    cleanups.splice(0).forEach((each) => each());
    error ??= stray;
    stray = null;
    console.log(`${error ? 'not ok' : 'ok'} ${at + 1} - ${name}`);
    if (error) {
      failed++;
      console.log(String(error.stack ?? error).replace(/^/gm, '# '));
    }
  }
  console.log(`1..${cases.length}`);
  process.exit(failed > 0 ? 1 : 0);
}

// Until `met()` is true. What it waits for comes by events, which no test can await one by one.
export async function until(met, what, ms = 8000) {
  for (const end = Date.now() + ms; !met();) {
    if (Date.now() > end)
      throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
