// SPDX-License-Identifier: LGPL-2.1-or-later
// A browser and a gateway for agora.js under node: fetch, RTCPeerConnection and getUserMedia that do
// what the state machine needs, and that a test can break. Real ones: the tests with browsers.

export class FakeTrack extends EventTarget {
  constructor(label = 'microphone') {
    super();
    Object.assign(this, {kind: 'audio', enabled: true, readyState: 'live', label});
  }

  stop() {
    this.readyState = 'ended';
  }

  // As when it is unplugged.
  unplug() {
    this.readyState = 'ended';
    this.dispatchEvent(new Event('ended'));
  }
}

class FakeMediaStream {
  constructor(tracks = []) {
    this.tracks = tracks;
  }

  getAudioTracks() {
    return this.tracks;
  }
}

export class FakePeer {
  static all = [];

  constructor(configuration) {
    this.configuration = configuration;
    this.connectionState = 'new';
    this.iceConnectionState = 'new';
    this.ufrag = `u${FakePeer.all.length}`;
    FakePeer.all.push(this);
  }

  addTransceiver(track, {direction}) {
    this.direction = direction;
    this.track = typeof track === 'string' ? new FakeTrack('remote') : track;
    this.sender = {
      track: this.track,
      replaceTrack: async (next) => { this.sender.track = next; },
    };
    return {receiver: {track: this.track}, sender: this.sender};
  }

  async createOffer() {
    return {type: 'offer', sdp: `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n` +
      `a=ice-ufrag:${this.ufrag}\r\na=ice-pwd:secretsecretsecretsecret\r\na=${this.direction}\r\n`};
  }

  async setLocalDescription(description) {
    this.localDescription = description;
    queueMicrotask(() => {
      this.onicecandidate?.({candidate: {candidate: 'candidate:1 1 udp 1 127.0.0.1 9 typ host'}});
      this.onicecandidate?.({candidate: null});
    });
  }

  async setRemoteDescription(description) {
    if (this.connectionState === 'closed')
      throw new Error('closed');
    this.remoteDescription = description;
    if (FakePeer.connects)
      setTimeout(() => this.become('connected'), 2);
  }

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  become(state) {
    if (this.connectionState === 'closed')
      return;
    this.connectionState = state;
    this.iceConnectionState = state;
    this.onconnectionstatechange?.();
  }

  async getStats() {
    return new Map();
  }

  close() {
    this.connectionState = 'closed';
  }
}
FakePeer.connects = true;

const json = (status, body, headers = {}) => new Response(JSON.stringify(body), {status, headers});
const refused = (status, code, detail, headers) =>
  json(status, {title: 'refused', status, detail, ...(code ? {code} : {})}, headers);

// What of a gateway agora.js needs. `log` has every request, in order.
export class FakeGateway {
  log = [];
  sessions = new Map();
  up = true;
  nextUid = 1001;
  count = 0;
  // By uid: muted or not; who is on air from elsewhere.
  onAir = new Map();
  names = new Map();
  // Of the list of members, each [uid, name]; two at a time.
  listed = [];
  refusals = [];
  iceLinks = '';

  refuseNext(match, status, code, detail, headers = {}) {
    this.refusals.push({match, answer: () => refused(status, code, detail, headers)});
  }

  // All sessions are gone, as when a worker is killed; `up` says what comes next.
  kill() {
    for (const session of this.sessions.values())
      session.close?.();
    this.sessions.clear();
  }

  event(name, data) {
    for (const session of this.sessions.values())
      session.send?.(name, data);
  }

  async fetch(address, {method = 'GET', headers = {}, body = '', signal, keepalive} = {}) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (signal?.aborted)
      throw new DOMException('aborted', 'AbortError');
    const url = new URL(address);
    const entry = {method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers, body,
      keepalive, at: Date.now()};
    this.log.push(entry);
    if (!this.up)
      throw new TypeError('fetch failed');
    const found = this.refusals.findIndex(({match}) => match.test(`${method} ${url.pathname} ${body}`));
    if (found >= 0)
      return this.refusals.splice(found, 1)[0].answer();
    const response = this.#answer(entry, signal);
    Object.defineProperty(response, 'url', {value: address});
    return response;
  }

  #answer({method, path, query, headers, body}, signal) {
    const [, kind, ...rest] = path.split('/');
    if (rest[0] !== 'session')
      return this.#create(kind, rest, query, headers);
    const session = this.sessions.get(rest[1]);
    if (!session)
      return refused(404, 0, 'no such session or path');
    if (method === 'PATCH')
      return new Response(null, {status: 204});
    if (method === 'DELETE') {
      session.close?.();
      this.sessions.delete(rest[1]);
      // The end of what hears ends its member.
      for (const [id, other] of this.sessions)
        if (other.query.member === rest[1])
          this.sessions.delete(id);
      return new Response('', {status: 200});
    }
    if (rest[2] === 'call') {
      const call = JSON.parse(body);
      session.calls.push(call);
      if (call.call === 'members')
        this.#list(session);
      return json(200, {});
    }
    if (rest[2] === 'events' && method === 'POST')
      return new Response('', {status: 201, headers: {Location: `${path}/1`}});
    return this.#events(session, signal);
  }

  #list(session) {
    const members = this.listed.map(([uid, name]) => name === '' ? {uid} : {uid, name});
    for (let at = 0; at === 0 || at < members.length; at += 2)
      session.send?.('members', {at, members: members.slice(at, at + 2), more: at + 2 < members.length});
  }

  #create(kind, rest, query, headers) {
    const id = String(++this.count).padStart(32, '0');
    const uid = query.member ? this.sessions.get(query.member)?.uid
      : Number(query.uid) || this.nextUid++;
    if (query.member && !this.sessions.has(query.member))
      return refused(404, 0, 'no such session or path');
    this.sessions.set(id, {kind, uid, calls: [], channel: rest.map(decodeURIComponent), query, headers});
    return new Response('v=0\r\na=answer\r\n', {status: 201, headers: {
      Location: `/${kind}/session/${id}`, ETag: '"1"',
      Link: `${this.iceLinks}</${kind}/session/${id}/events>; ` +
        'rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="joined"',
    }});
  }

  #events(session, signal) {
    const encode = new TextEncoder();
    const stream = new ReadableStream({
      start: (controller) => {
        session.send = (name, data) => {
          controller.enqueue(encode.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
        };
        session.close = () => {
          session.send = session.close = null;
          controller.close();
        };
        signal?.addEventListener('abort', () => {
          if (session.close) {
            session.send = session.close = null;
            controller.error(new DOMException('aborted', 'AbortError'));
          }
        });
        session.send('joined', {uid: session.uid});
        for (const [uid, muted] of this.onAir) {
          if (this.names.has(uid))
            session.send('member-named', {uid, name: this.names.get(uid)});
          session.send('stream-added', {uid});
          if (muted)
            session.send('mute-audio', {uid});
        }
      },
    });
    return new Response(stream, {status: 200, headers: {'Content-Type': 'text/event-stream'}});
  }

  of(kind) {
    return [...this.sessions.values()].filter((session) => session.kind === kind);
  }

  requests(pattern) {
    return this.log.filter(({method, path}) => pattern.test(`${method} ${path}`));
  }
}

// One window, made anew for each test.
export function fakeBrowser() {
  const gateway = new FakeGateway();
  const window = new EventTarget();
  const microphones = [];
  const mediaDevices = Object.assign(new EventTarget(), {
    constraints: [],
    refuse: null,
    async getUserMedia({audio}) {
      mediaDevices.constraints.push(audio);
      if (mediaDevices.refuse)
        throw Object.assign(new Error('no'), {name: mediaDevices.refuse});
      microphones.push(new FakeTrack(`microphone ${microphones.length + 1}`));
      return new FakeMediaStream([microphones.at(-1)]);
    },
    async enumerateDevices() {
      return [{kind: 'audioinput', deviceId: 'a', label: 'A', groupId: 'g'},
        {kind: 'audiooutput', deviceId: 'b', label: 'B', groupId: 'g'}];
    },
  });
  const players = [];
  class FakeAudio {
    paused = true;
    srcObject = null;

    constructor() {
      players.push(this);
    }

    setAttribute() {}

    async play() {
      if (browser.autoplayRefused)
        throw new DOMException('click first', 'NotAllowedError');
      this.paused = false;
    }

    pause() {
      this.paused = true;
    }
  }
  const browser = {gateway, window, mediaDevices, microphones, players, autoplayRefused: false};
  FakePeer.all.length = 0;
  FakePeer.connects = true;
  const put = (name, value) => Object.defineProperty(globalThis, name,
    {value, configurable: true, writable: true});
  put('fetch', (url, options) => gateway.fetch(url, options));
  put('RTCPeerConnection', FakePeer);
  put('MediaStream', FakeMediaStream);
  put('Audio', FakeAudio);
  put('window', window);
  const elements = new Map();
  const element = () => ({
    id: '',
    append(child) { elements.set(child.id, child); },
    remove() { elements.delete(this.id); },
  });
  put('document', Object.assign(new EventTarget(), {
    visibilityState: 'visible',
    createElement: element,
    getElementById: (id) => elements.get(id) ?? (id === 'holder' ? element() : null),
  }));
  put('navigator', {mediaDevices, connection: new EventTarget()});
  put('location', {origin: 'http://gateway.example'});
  put('isSecureContext', true);
  return browser;
}
