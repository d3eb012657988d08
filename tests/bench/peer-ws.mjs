// SPDX-License-Identifier: LGPL-2.1-or-later
// The least gateway on node's `ws` that does the same work for tests/bench/members.cpp: parses what
// members send, knows who is in which channel, answers joins and pings, watches heartbeats, and
// tells the others of a channel.
//
//   node peer-ws.mjs FOLDER-WITH-NODE_MODULES
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

import { Channels } from './peer-channels.mjs';

const { WebSocketServer } = createRequire(`${process.argv[2]}/`)('ws');
const channels = new Channels((socket, text) => socket.send(text), (socket) => socket.terminate());
const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on('connection', (socket) => {
  const session = channels.open(socket);
  socket.on('message', (data) => channels.received(session, data.toString()));
  socket.on('close', () => channels.closed(session));
  socket.on('error', () => {});
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`ready ws=ws://127.0.0.1:${http.address().port}/api`);
});
process.on('SIGTERM', () => process.exit(0));
