// SPDX-License-Identifier: LGPL-2.1-or-later
// The gateway itself: its media server, workers, store, certificate, loop and process.
import {UNKNOWN, bytes, duration, make, milliseconds, say} from './words.js';

const SOON = 14 * 86400;  // seconds to the certificate's end
const LATE_MS = 200;      // of a loop

const perSecond = (value) => value === undefined ? UNKNOWN : `${bytes(value * 8).replace('B', 'bit')}/s`;

// Each: the name, and from the state its words and whether they are bad news; null: it isn't there.
const ITEMS = [
  ['Members', ({gateway}) => [`${gateway.members} in ${gateway.channels} channels`]],
  ['On the air', ({gateway}) => [`${gateway.streams}`]],
  ['Media server', ({gateway: {media}}) =>
    [`${media.up ? 'up' : 'down'}${media.restarts ? `, ${media.restarts} restarts` : ''}`, !media.up]],
  ['RTMP sessions', ({gateway: {media: {relay}}}) => relay && [`${relay.pushes} push, ${relay.listeners} play`]],
  ['RTMP in, out', (live) => live.gateway.media.relay &&
    [`${perSecond(live.rate((of) => of.media.relay?.received_bytes))}, ${perSecond(live.rate((of) => of.media.relay?.sent_bytes))}`]],
  ['RTMP frames dropped', ({gateway: {media: {relay}}}) => relay && [`${relay.dropped_frames}`]],
  ['RTMP refused', ({gateway: {media: {relay}}}) => relay && [`${relay.refused}`]],
  ['Relay’s loop', ({gateway: {media: {relay}}}) => relay && [milliseconds(relay.lag_ms), relay.lag_ms > LATE_MS]],
  ['Browsers', ({gateway: {web}}) => web &&
    [`${web.speak} speak, ${web.hear} hear; ${web.workers} workers${web.restarts ? `, ${web.restarts} restarts` : ''}`, web.workers === 0]],
  ['Store', ({gateway: {store}}) => store &&
    [store.up ? `up, ${store.gateways} gateways` : `away, ${store.waiting} waiting`, !store.up]],
  ['Certificate', (live) => {
    const ends = live.gateway.certificate_ends;
    const left = ends === undefined ? 0 : ends - live.at / 1000;
    return ends === undefined ? null : [left > 0 ? `ends in ${duration(left)}` : 'has expired', left < SOON];
  }],
  ['Loop', ({gateway}) => [milliseconds(gateway.loop_lag_ms), gateway.loop_lag_ms > LATE_MS]],
  ['Processor', (live) => {
    const used = live.rate((of) => of.process.cpu_ms);
    return [used === undefined ? UNKNOWN : `${Math.round(used / 10)} % of a core`];
  }],
  ['Memory', ({gateway: {process}}) => [bytes(process.resident_bytes)]],
  ['Descriptors', ({gateway: {process}}) =>
    [`${process.descriptors} of ${process.most_descriptors}`, process.descriptors > 0.9 * process.most_descriptors]],
  ['Version', (live) => [`${live.gateway.version}, up for ${duration(live.at / 1000 - live.gateway.started)}`]],
];

export class GatewayState {
  #items = ITEMS.map(([name, read]) => {
    const value = make('dd');
    return {read, value, box: make('div', '', [make('dt', '', name), value])};
  });

  constructor(list) {
    list.append(...this.#items.map((item) => item.box));
  }

  draw(live) {
    for (const {read, value, box} of this.#items) {
      const [words, bad] = read(live) ?? [];
      box.hidden = words === undefined;
      // Not by colour alone.
      say(value, bad ? `⚠ ${words}` : words ?? '');
      value.classList.toggle('bad', Boolean(bad));
    }
  }
}
