// SPDX-License-Identifier: LGPL-2.1-or-later
// A page in TypeScript: what it may and may not write, by agora.d.ts. Compiled, never run.
import {Client, AgoraError, Codes, getMicrophones} from '../../signaling/gateway/web/page/agora.js';

const client: Client = new Client({server: 'https://gateway.example/', latency: 60});
client.on('levels', (levels) => console.log(levels['5'].toFixed()))
  .on('stream-added', ({uid}) => console.log(uid.toFixed()));
client.on('member-named', ({uid, name}) => console.log(uid.toFixed(), name.length))
  .on('data', ({uid, text}) => console.log(uid.toFixed(), text.length));
const uid: number = await client.join(null, 'room', 'alice', {name: 'Alice'});
await client.sendData('to all');
await client.sendData('to some', [uid, ...client.speakers.map((each) => each.uid)]);
await client.publish({track: null});
await client.setMicrophone({echoCancellation: false});
try {
  await client.leave();
} catch (error) {
  if (error instanceof AgoraError && error.code === Codes.TIMEOUT)
    throw error;
}
// @ts-expect-error there is no such event
client.on('nothing', () => {});
// @ts-expect-error those that it is for are a list
await client.sendData('to one', 5);
// @ts-expect-error nor such a role: it is called broadcaster
await client.setRole('host');
console.log(uid, (await getMicrophones())[0].label);
