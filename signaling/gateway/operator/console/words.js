// SPDX-License-Identifier: LGPL-2.1-or-later
// What several parts of the page share: elements, and figures in words.

export const the = (id) => document.getElementById(id);

// An element with its class, its text or its children. Texts are only ever texts.
export function make(name, kind = '', content = []) {
  const element = document.createElement(name);
  if (kind)
    element.className = kind;
  element.append(...[content].flat());
  return element;
}

// Leaves what is right already, so that nothing is selected, read or drawn anew for nothing.
export function say(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

export const UNKNOWN = '–';

export const milliseconds = (value) => value === undefined ? UNKNOWN : `${Math.round(value)} ms`;

export const decibel = (value) => value === undefined ? UNKNOWN : `${Math.round(value)} dB`;

export function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

// The two largest units of it.
export function duration(seconds) {
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || (name === 's' && parts.length === 0))
      parts.push(`${count} ${name}`);
    else if (parts.length)
      break;
    if (parts.length === 2)
      break;
  }
  return parts.join(' ');
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});

export const nameOf = (member) => member.account ?? String(member.uid);
