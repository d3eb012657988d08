// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP to the gateway: WHIP, WHEP, trickle ICE, calls, and the stream of events.
import {AgoraError, Codes, codeOfStatus} from './agora-checks.js';

// The gateway itself gives up after 10 s.
const ANSWER_TIMEOUT = 12000;
// Something comes at least every 5 s, if only a comment. A path may be dead without a word.
const SILENCE_TIMEOUT = 16000;
const EVENTS = 'urn:ietf:params:whep:ext:core:server-sent-events';

// fetch() that ends: by `signal`, or by its own time.
async function ask(url, options, timeout = ANSWER_TIMEOUT) {
  const end = new AbortController();
  let late = false;
  const timer = setTimeout(() => { late = true; end.abort(); }, timeout);
  const stop = () => end.abort();
  const {signal, ...rest} = options;
  signal?.addEventListener('abort', stop);
  try {
    if (signal?.aborted)
      end.abort();
    const response = await fetch(url, {
      cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer', ...rest,
      signal: end.signal,
    });
    // The body belongs to the answer: it counts for the time as well.
    return {response, text: await response.text()};
  } catch (cause) {
    if (signal?.aborted)
      throw new AgoraError(Codes.CONNECTION_LOST, 'the request was given up', {kind: 'network', cause});
    const host = new URL(url).host;
    throw late
      ? new AgoraError(Codes.TIMEOUT, `${host} did not answer in ${timeout / 1000} s`,
          {kind: 'network', cause})
      : new AgoraError(Codes.UNREACHABLE, `${host} could not be reached: is the gateway running, ` +
          'does it serve --web, and does it allow this page\'s origin?', {kind: 'network', cause});
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

// A refusal as the gateway words it (RFC 9457, and `code`), else by its status.
function refusal(response, text, onSession) {
  let told = null;
  try {
    told = JSON.parse(text);
  } catch {
    // A proxy's page: its status has to do.
  }
  const code = Number.isInteger(told?.code) ? told.code : codeOfStatus(response.status, onSession);
  const reason = [told?.detail, told?.reason].find((each) => typeof each === 'string' && each !== '') ??
      `HTTP ${response.status} ${response.statusText}`.trim();
  const wait = Number(response.headers.get('retry-after'));
  const error = new AgoraError(code, reason, {retryAfter: wait > 0 ? wait : 0});
  error.status = response.status;
  return error;
}

// `Link: <turn:…>; rel="ice-server"; username="…"; credential="…"`, several in one header or many.
export function parseLinks(header) {
  const links = [];
  for (const [, target, rest] of (header ?? '').matchAll(/<([^>]*)>((?:\s*;\s*[\w*-]+\s*(?:=\s*(?:"(?:\\.|[^"\\])*"|[^\s;,"]*))?)*)/g)) {
    const link = {target};
    for (const [, name, quoted, plain] of
      rest.matchAll(/;\s*([\w*-]+)\s*(?:=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;,"]*)))?/g))
      link[name.toLowerCase()] ??= quoted !== undefined ? quoted.replace(/\\(.)/g, '$1') : plain ?? '';
    links.push(link);
  }
  return links;
}

export function iceServersOf(links) {
  return links.filter((link) => link.rel?.split(' ').includes('ice-server') &&
      /^(stun|turn)s?:/i.test(link.target))
    .map(({target, username, credential}) => username === undefined
      ? {urls: target} : {urls: target, username, credential: credential ?? ''});
}

// One WHIP or WHEP session, by its URL.
export class Resource {
  #etag;
  #abandoned = false;

  constructor(url, etag, iceServers, eventsUrl) {
    this.url = url;
    this.#etag = etag;
    this.iceServers = iceServers;
    this.eventsUrl = eventsUrl;
  }

  // The last part of the URL, by which a WHIP session joins this one's member.
  get id() {
    return new URL(this.url).pathname.split('/').pop();
  }

  // Posts the offer; answers the resource and the answer's SDP.
  static async create(url, token, sdp, signal) {
    const headers = {'Content-Type': 'application/sdp'};
    if (token !== '')
      headers.Authorization = `Bearer ${token}`;
    const {response, text} = await ask(url, {method: 'POST', headers, body: sdp, signal});
    if (response.status !== 201)
      throw refusal(response, text, false);
    const location = response.headers.get('location');
    if (location === null || !text.startsWith('v=0'))
      throw new AgoraError(Codes.UNREACHABLE, `${new URL(url).host} answers, but not as WHIP and WHEP ` +
          'ask for: no Location, or no SDP', {kind: 'network'});
    const at = response.url || url;
    const links = parseLinks(response.headers.get('link'));
    const events = links.find((link) => link.rel?.split(' ').includes(EVENTS));
    const own = new URL(location, at).href;
    return {
      resource: new Resource(own, response.headers.get('etag'), iceServersOf(links),
          events ? new URL(events.target, at).href : own + '/events'),
      answer: text,
    };
  }

  async trickle(fragment) {
    const headers = {'Content-Type': 'application/trickle-ice-sdpfrag'};
    if (this.#etag !== null)
      headers['If-Match'] = this.#etag;
    const {response, text} = await ask(this.url, {method: 'PATCH', headers, body: fragment});
    if (!response.ok)
      throw refusal(response, text, true);
  }

  async call(call, signal) {
    const {response, text} = await ask(this.url + '/call', {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(call), signal,
    });
    if (!response.ok)
      throw refusal(response, text, true);
    return text === '' ? {} : JSON.parse(text);
  }

  async end(signal) {
    const {response, text} = await ask(this.url, {method: 'DELETE', signal}, 4000);
    // Gone already is what was asked for.
    if (!response.ok && response.status !== 404 && response.status !== 410)
      throw refusal(response, text, true);
  }

  // For a page that closes, or knows it lost: nobody reads the answer. Once.
  abandon() {
    if (this.#abandoned)
      return;
    this.#abandoned = true;
    fetch(this.url, {method: 'DELETE', keepalive: true, credentials: 'omit'}).catch(() => {});
  }

  // Reads events until the stream ends; `told(name, data)` for each. Throws when it can't be opened.
  async events(told, signal) {
    const {response, text} = await ask(this.eventsUrl, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: '[]', signal,
    });
    if (!response.ok)
      throw refusal(response, text, true);
    const location = response.headers.get('location');
    const url = location === null ? this.eventsUrl : new URL(location, response.url || this.eventsUrl).href;
    const stream = await fetch(url, {
      headers: {Accept: 'text/event-stream'}, cache: 'no-store', credentials: 'omit', signal,
    });
    if (!stream.ok)
      throw refusal(stream, await stream.text(), true);
    const parser = new EventParser(told);
    const reader = stream.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const {done, value} = await soon(reader.read());
      if (done)
        return;
      parser.push(decoder.decode(value, {stream: true}));
    }
  }
}

// What `reading` gives, unless nothing comes for too long.
function soon(reading) {
  let timer;
  const silence = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new AgoraError(Codes.CONNECTION_LOST,
      'the gateway is silent', {kind: 'network'})), SILENCE_TIMEOUT);
  });
  return Promise.race([reading, silence]).finally(() => clearTimeout(timer));
}

// text/event-stream, as it comes in pieces.
export class EventParser {
  #told;
  #rest = '';
  #name = '';
  #data = [];

  constructor(told) {
    this.#told = told;
  }

  push(text) {
    // A CR at the end may be half of a CR LF: it waits for what follows.
    const all = this.#rest + text;
    const whole = all.endsWith('\r') ? all.slice(0, -1) : all;
    const lines = whole.split(/\r\n|\r|\n/);
    this.#rest = lines.pop() + all.slice(whole.length);
    lines.forEach((line) => this.#line(line));
  }

  #line(line) {
    if (line === '') {
      if (this.#data.length > 0)
        this.#tell(this.#name || 'message', this.#data.join('\n'));
      this.#name = '';
      this.#data = [];
      return;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === 'event')
      this.#name = value ?? '';
    else if (field === 'data')
      this.#data.push(value ?? '');
  }

  #tell(name, text) {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      return;  // Not ours.
    }
    this.#told(name, data);
  }
}

// The a= lines of one m= section that a trickle fragment needs (RFC 8840).
export function fragmentOf(sdp, candidates, last) {
  const line = (pattern) => pattern.exec(sdp)?.[0];
  const media = line(/^m=.*$/m)?.replace(/\r$/, '');
  const lines = [
    line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), media, line(/^a=mid:.*$/m),
    ...candidates.map((candidate) => `a=${candidate}`),
    ...(last ? ['a=end-of-candidates'] : []),
  ];
  return lines.filter((each) => each).map((each) => each.replace(/\r$/, '') + '\r\n').join('');
}
