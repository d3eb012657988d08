// SPDX-License-Identifier: LGPL-2.1-or-later
// What agora.js reads of the gateway: event streams in pieces, Link headers, fragments of SDP.
import {assert, runAll, test} from './page-tap.mjs';
import {EventParser, Resource, fragmentOf, iceServersOf, parseLinks} from
  '../../signaling/gateway/web/page/agora-wire.js';
import {codeOfStatus} from '../../signaling/gateway/web/page/agora-checks.js';

function parsed(pieces) {
  const told = [];
  const parser = new EventParser((name, data) => told.push([name, data]));
  pieces.forEach((piece) => parser.push(piece));
  return told;
}

const STREAM = ':\n\nevent: joined\ndata: {"uid":7}\n\nid: 3\nevent:levels\r\ndata: {"7":\r\ndata: -20}\r\n\r\n' +
  'data: {"plain":true}\n\nevent: nothing\n\nevent: bad\ndata: {not json\n\nretry: 5\revent: last\rdata:1\r\r\n';
const EVENTS = [['joined', {uid: 7}], ['levels', {7: -20}], ['message', {plain: true}], ['last', 1]];

test('events come whole, however they are cut', async () => {
  assert.deepEqual(parsed([STREAM]), EVENTS);
  assert.deepEqual(parsed([...STREAM]), EVENTS);
  for (let at = 1; at < STREAM.length; at++)
    assert.deepEqual(parsed([STREAM.slice(0, at), STREAM.slice(at)]), EVENTS, `cut at ${at}`);
});

test('an unfinished event is none', async () => {
  assert.deepEqual(parsed(['event: joined\ndata: {"uid":7}\n']), []);
});

test('Link headers, quoted and several', async () => {
  const links = parseLinks('<stun:s.example>; rel="ice-server", </a,b;c>; rel=x;flag , ' +
    '<turn:t.example?transport=udp>;username="u;,\\"\\\\";REL="ice-server"; credential="p, <q>"; ' +
    'credential-type="password"');
  assert.deepEqual(links, [
    {target: 'stun:s.example', rel: 'ice-server'},
    {target: '/a,b;c', rel: 'x', flag: ''},
    {target: 'turn:t.example?transport=udp', username: 'u;,"\\', rel: 'ice-server',
      credential: 'p, <q>', 'credential-type': 'password'},
  ]);
  assert.deepEqual(iceServersOf(links), [{urls: 'stun:s.example'},
    {urls: 'turn:t.example?transport=udp', username: 'u;,"\\', credential: 'p, <q>'}]);
  assert.deepEqual(iceServersOf(parseLinks('<https://evil.example>; rel="ice-server"')), []);
  assert.deepEqual(parseLinks(null), []);
  const begin = Date.now();
  parseLinks(`<a>${'; x="'.repeat(5000)}`);
  parseLinks(`<a>${';'.repeat(5000)}`);
  assert.ok(Date.now() - begin < 500, 'a hostile header costs no time');
});

test('a fragment names the session, its section and the candidates', async () => {
  const sdp = 'v=0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n' +
    'a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=mid:0\r\n';
  assert.equal(fragmentOf(sdp, ['candidate:1 1 udp 2 10.0.0.1 5 typ host'], false),
    'a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n' +
    'a=mid:0\r\na=candidate:1 1 udp 2 10.0.0.1 5 typ host\r\n');
  assert.match(fragmentOf(sdp, [], true), /a=mid:0\r\na=end-of-candidates\r\n$/);
});

test('statuses of proxies have codes', async () => {
  assert.deepEqual([400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504].map((status) =>
    codeOfStatus(status, false)), [401, 110, 433, 101, 431, 401, 429, 500, 503, 503, 903]);
  assert.equal(codeOfStatus(404, true), 904);
});

test('Location and Link are read against the URL that answered', async () => {
  globalThis.fetch = async () => {
    const response = new Response('v=0\r\n', {status: 201, headers: {Location: '/whep/session/ab',
      Link: '</ev>; rel="urn:ietf:params:whep:ext:core:server-sent-events"'}});
    Object.defineProperty(response, 'url', {value: 'https://other.example/whep/a/b'});
    return response;
  };
  const {resource} = await Resource.create('https://gateway.example/whep/a/b', '', 'v=0\r\n');
  assert.equal(resource.url, 'https://other.example/whep/session/ab');
  assert.equal(resource.eventsUrl, 'https://other.example/ev');
  assert.equal(resource.id, 'ab');
});

test('what answers is no gateway: that is said', async () => {
  globalThis.fetch = async () => new Response('<html>', {status: 201});
  await assert.rejects(Resource.create('https://gateway.example/whep/a/b', '', 'v=0\r\n'),
    (error) => error.code === 905 && /no Location/.test(error.reason));
  globalThis.fetch = async () => new Response('<html>login</html>', {status: 403, statusText: 'Forbidden'});
  await assert.rejects(Resource.create('https://gateway.example/whep/a/b', '', 'v=0\r\n'),
    (error) => error.code === 433 && error.reason === 'HTTP 403 Forbidden');
});

await runAll();
