// SPDX-License-Identifier: LGPL-2.1-or-later
// The same as peer-ws.mjs on bun's own server, which is uWebSockets.
import { Channels } from './peer-channels.mjs';

const channels = new Channels((socket, text) => socket.send(text), (socket) => socket.terminate());
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    return self.upgrade(request, { data: {} }) ? undefined : new Response('', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) { socket.data.session = channels.open(socket); },
    message(socket, text) { channels.received(socket.data.session, text); },
    close(socket) { channels.closed(socket.data.session); },
  },
});
console.log(`ready ws=ws://127.0.0.1:${server.port}/api`);
process.on('SIGTERM', () => process.exit(0));
