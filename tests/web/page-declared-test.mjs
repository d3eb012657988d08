// SPDX-License-Identifier: LGPL-2.1-or-later
// agora.d.ts says what agora.js has: each export, call, property, code and event, and none more.
import {readFileSync, readdirSync} from 'node:fs';

import {assert, runAll, test} from './page-tap.mjs';
import {fakeBrowser} from './page-fakes.mjs';

fakeBrowser();
const folder = new URL('../../signaling/gateway/web/page/', import.meta.url);
const module = await import(new URL('agora.js', folder));
const declarations = readFileSync(new URL('agora.d.ts', folder), 'utf8').replace(/\/\*\*?[^]*?\*\//g, '');

// What stands between the braces after `head`.
function block(head) {
  const from = declarations.indexOf(`${head} {`);
  assert.ok(from >= 0, head);
  return declarations.slice(declarations.indexOf('{', from) + 1, declarations.indexOf('\n}', from));
}

// The names at the beginning of its lines, but not of lines that go on.
function names(text, pattern) {
  return [...text.matchAll(pattern)].map((match) => match[1]).sort();
}

const unique = (list) => [...new Set(list)].sort();

test('exports', () => {
  assert.deepEqual(names(declarations, /^export declare (?:const|class|function) (\w+)/gm),
      Object.keys(module).sort());
});

test('codes', () => {
  const declared = declarations.slice(declarations.indexOf('Readonly<{'), declarations.indexOf('}>'));
  assert.deepEqual(Object.fromEntries([...declared.matchAll(/^ {2}(\w+): (\d+);/gm)].map(([, name, code]) => [name, Number(code)])),
      {...module.Codes});
  assert.equal(Number(/SILENCE: (-?\d+);/.exec(declarations)[1]), module.SILENCE);
});

for (const [name, made] of [['Client', () => new module.Client({server: 'http://gateway.example/'})],
  ['AgoraError', () => new module.AgoraError(401, 'a reason')]]) {
  test(`class ${name}`, () => {
    const text = block(`declare class ${name}${name === 'AgoraError' ? ' extends Error' : ''}`);
    const prototype = Object.getOwnPropertyDescriptors(module[name].prototype);
    delete prototype.constructor;
    const calls = Object.keys(prototype).filter((each) => typeof prototype[each].value === 'function');
    assert.deepEqual(unique(names(text, /^ {2}(?!constructor)(\w+)[(<]/gm)), calls.sort());
    // An Error's own are everybody's.
    const fields = [...Object.keys(prototype).filter((each) => prototype[each].get),
      ...Object.getOwnPropertyNames(made()).filter((each) => !['name', 'stack', 'message'].includes(each))];
    assert.deepEqual(names(text, /^ {2}readonly (\w+):/gm), unique(fields));
  });
}

test('options of the constructor', () => {
  const source = readFileSync(new URL('agora.js', folder), 'utf8');
  const taken = /constructor\(\{([^}]*)\} = \{\}\)/.exec(source)[1];
  assert.deepEqual(names(block('interface Options'), /^ {2}(\w+)\?:/gm), names(taken, /(\w+) = /g));
});

test('events', () => {
  const declared = names(block('interface Events'), /^ {2}'([\w-]+)':/gm);
  // What the modules tell by name. Those of the façade for the vendor's Web SDK are its own.
  const sources = readdirSync(folder).filter((each) => /^agora[\w-]*\.js$/.test(each) && !each.startsWith('agora-rtc'))
    .map((each) => readFileSync(new URL(each, folder), 'utf8'));
  const told = names(sources.join('\n'), /emit\('([\w-]+)'/g);
  for (const each of told)
    assert.ok(declared.includes(each), `${each} isn't declared`);
  for (const each of declared)
    assert.ok(sources.some((source) => source.includes(`'${each}'`)), `${each} is declared, and never told`);
  assert.ok(told.length > 10);
});

runAll();
