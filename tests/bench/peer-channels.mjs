// SPDX-License-Identifier: LGPL-2.1-or-later
// What both minimal gateways do beside their sockets.
const SILENCE_MS = 10000;
const JOIN_MS = 10000;

export class Channels {
  constructor(send, cut) {
    this.send = send;
    this.cut = cut;
    this.byName = new Map();
    this.sessions = new Set();
    setInterval(() => this.sweep(), 1000).unref();
  }

  open(socket) {
    const session = { socket, uid: 0, role: '', channel: null, heard: Date.now() };
    this.sessions.add(session);
    return session;
  }

  closed(session) {
    this.sessions.delete(session);
    const { channel } = session;
    if (channel?.get(session.uid) === session) channel.delete(session.uid);
  }

  sweep() {
    const now = Date.now();
    for (const session of this.sessions) {
      if (now - session.heard > (session.channel ? SILENCE_MS : JOIN_MS)) this.cut(session.socket);
    }
  }

  received(session, text) {
    session.heard = Date.now();
    const frame = JSON.parse(text);
    const answer = (code, serverResponse) => this.send(session.socket, JSON.stringify(
      { command: 'serverResponse', requestId: frame.requestId, code, serverResponse }));
    if (frame.command === 'ping') {
      this.send(session.socket, JSON.stringify({ command: 'pong', requestId: frame.requestId }));
      return;
    }
    const request = frame.clientRequest;
    if (request.action === 'join') {
      const uid = Number(request.uid);
      if (request.appId !== 'demo' || !(uid > 0)) {
        answer(101, {});
        return;
      }
      const name = `${request.appId}/${request.channel_name}`;
      let channel = this.byName.get(name);
      if (!channel) this.byName.set(name, channel = new Map());
      channel.get(uid)?.socket.close();
      channel.set(uid, session);
      Object.assign(session, { uid, role: request.role, channel });
      answer(200, { uid });
    } else if (request.action === 'mute_local' && session.channel) {
      answer(200, {});
      const event = JSON.stringify({ command: 'serverStatus', serverStatus: {
        action: 'audio-mute', uid: session.uid, muted: request.mute } });
      for (const other of session.channel.values()) {
        if (other !== session) this.send(other.socket, event);
      }
    } else {
      answer(434, {});
    }
  }
}
