// SPDX-License-Identifier: LGPL-2.1-or-later
// agora.js against a made-up gateway: the order of calls, what is checked, and how it comes back.
import {assert, cleanup, runAll, test, until} from './page-tap.mjs';
import {FakePeer, FakeTrack, fakeBrowser} from './page-fakes.mjs';

fakeBrowser();
const {Client, Codes, AgoraError, getMicrophones} =
  await import('../../signaling/gateway/web/page/agora.js');

const server = 'http://gateway.example:8080/';

function setUp(options = {}) {
  const browser = fakeBrowser();
  const client = new Client({server, ...options});
  cleanup(() => client.destroy());
  const events = [];
  for (const name of ['stream-added', 'stream-removed', 'mute-audio', 'unmute-audio', 'levels', 'error',
    'reconnecting', 'reconnected', 'ended', 'published', 'unpublished', 'client-banned',
    'autoplay-refused', 'microphone-lost', 'microphone-changed', 'token-privilege-will-expire', 'member-named', 'data',
    'member-joined', 'member-left'])
    client.on(name, (data) => events.push([name, data]));
  return {...browser, browser, client, events, named: (name) => events.filter(([each]) => each === name)};
}

async function joined(options = {}) {
  const rig = setUp(options);
  await rig.client.init('app');
  rig.uid = await rig.client.join(null, 'room', options.uid ?? null);
  return rig;
}

async function speaking(options = {}) {
  const rig = await joined(options);
  await rig.client.setRole('broadcaster');
  await rig.client.publish();
  return rig;
}

const refusal = (code, kind, text) => (error) => {
  assert.ok(error instanceof AgoraError, String(error.stack));
  assert.deepEqual([error.code, error.kind], [code, kind], error.reason);
  assert.match(error.reason, text);
  return true;
};

test('arguments are refused before anything is sent', async () => {
  const {client, gateway} = setUp();
  for (const bad of ['', 'null', ' app', 'app ', null, 5, 'a\nb', 'half \ud800'])
    await assert.rejects(client.init(bad), refusal(401, 'argument', /^app id /));
  await client.init('app');
  for (const bad of ['', 'null', null, 7, 'x'.repeat(129), 'ü'.repeat(65), 'a\0b'])
    await assert.rejects(client.join(null, bad, 1), refusal(401, 'argument', /^channel /));
  for (const bad of [-1, 1.5, 2 ** 32, NaN, 'x'.repeat(256), 'null', {}, true])
    await assert.rejects(client.join(null, 'room', bad), refusal(431, 'argument', /^(uid|account) /));
  for (const bad of ['x'.repeat(65), '🎙'.repeat(65), 'a\nb', '\u0085', 'half \ud800', 5, {}])
    await assert.rejects(client.join(null, 'room', 1, {name: bad}), refusal(401, 'argument', /^name /));
  for (const bad of ['null', 5, 'with blank', 'tab\t'])
    await assert.rejects(client.join(bad, 'room', 1), (error) => {
      assert.ok(!error.reason.includes('blank,'), error.reason);
      return refusal(401, 'argument', /^token: /)(error);
    });
  for (const bad of ['host', '', null, 'admin'])
    await assert.rejects(client.setRole(bad), refusal(431, 'argument', /^role /));
  assert.throws(() => new Client({server: 'ws://x/'}), refusal(401, 'argument', /^server /));
  assert.throws(() => new Client({server, latency: -1}), refusal(401, 'argument', /^latency /));
  assert.throws(() => client.on('error'), refusal(401, 'argument', /^on: /));
  await assert.rejects(client.muteLocal('voice'), refusal(401, 'argument', /^target /));
  assert.equal(client.role, 'audience');
  assert.equal(gateway.log.length, 0);
});

test('the longest names are taken, and no secret is shown', async () => {
  const {client, gateway} = setUp();
  await client.init('app');
  await client.join('T'.repeat(300), 'ü'.repeat(64), 'x'.repeat(255), {name: '🎙'.repeat(64)});
  assert.equal(gateway.log[0].headers.Authorization, `Bearer ${'T'.repeat(300)}`);
  assert.equal(gateway.log[0].path, `/whep/app/${encodeURIComponent('ü'.repeat(64))}`);
  assert.equal(gateway.log[0].query.account, 'x'.repeat(255));
  assert.equal(gateway.log[0].query.name, '🎙'.repeat(64));
  assert.ok(!gateway.log.some(({path, query}) => (path + JSON.stringify(query)).includes('TTT')));
});

test('a wrong order is said', async () => {
  const {client} = setUp();
  await assert.rejects(client.join(null, 'room', 1), refusal(434, 'order', /init first/));
  await client.init('app');
  for (const verb of ['leave', 'publish', 'unpublish'])
    await assert.rejects(client[verb](), refusal(434, 'order', new RegExp(`^${verb}: join`)));
  for (const verb of ['mute', 'unmute', 'subscribe', 'unsubscribe'])
    await assert.rejects(client[verb](5), refusal(434, 'order', new RegExp(`^${verb}: join`)));
  await assert.rejects(client.sendData('x'), refusal(434, 'order', /^sendData: join/));
  await assert.rejects(client.getMembers(), refusal(434, 'order', /^getMembers: join/));
  await client.join(null, 'room', 1);
  await assert.rejects(client.init('app'), refusal(434, 'order', /leave/));
  await assert.rejects(client.join(null, 'room', 1), refusal(434, 'order', /leave/));
  await assert.rejects(client.publish(), refusal(433, 'order', /audience/));
  await assert.rejects(client.unpublish(), refusal(433, 'order', /audience/));
  await client.setRole('broadcaster');
  await client.publish();
  await assert.rejects(client.publish(), refusal(430, 'order', /already/));
  await assert.rejects(client.subscribe(77), refusal(432, 'order', /77/));
  client.destroy();
  await assert.rejects(client.init('app'), refusal(434, 'order', /destroyed/));
});

test('join, publish and leave go the way of WHEP and WHIP', async () => {
  const {client, gateway, uid} = await speaking({latency: 80});
  assert.equal(uid, 1001);
  assert.equal(client.state, 'joined');
  const [hear] = gateway.of('whep');
  const [speak] = gateway.of('whip');
  assert.equal(hear.query.latency, '80');
  assert.equal(hear.query.uid, undefined);
  assert.deepEqual(speak.channel, ['app', 'room']);
  assert.equal(speak.query.member, [...gateway.sessions.keys()][0]);
  assert.deepEqual(hear.calls, [{call: 'set-role', role: 'broadcaster'}]);
  await until(() => gateway.requests(/^PATCH/).length === 2, 'both send their candidates');
  const [patch] = gateway.requests(/^PATCH/);
  assert.equal(patch.headers['If-Match'], '"1"');
  assert.match(patch.body, /^a=ice-ufrag:u0\r\na=ice-pwd:.*\r\nm=audio .*\r\na=mid:0\r\na=candidate:.*\r\na=end-of-candidates\r\n$/);
  await client.unpublish();
  assert.equal(gateway.of('whip').length, 0);
  assert.equal(gateway.of('whep').length, 1);
  await client.leave();
  assert.equal(gateway.sessions.size, 0);
  assert.equal(client.state, 'ready');
  assert.ok(FakePeer.all.every((peer) => peer.connectionState === 'closed'));
  // And again.
  await client.join(null, 'other', 9);
  assert.equal(client.uid, 9);
});

test('the gateway\'s refusal is told with its code', async () => {
  const {client, gateway} = setUp();
  await client.init('app');
  gateway.refuseNext(/POST .whep/, 401, 109, 'the token has expired');
  await assert.rejects(client.join('T', 'room', 1), refusal(109, 'gateway', /has expired/));
  assert.equal(client.state, 'ready');
  gateway.refuseNext(/POST .whep/, 404, 0, '');
  await assert.rejects(client.join('T', 'room', 1), refusal(101, 'gateway', /HTTP 404/));
  gateway.refuseNext(/POST .whep/, 503, 502, 'too busy', {'Retry-After': '2'});
  await assert.rejects(client.join('T', 'room', 1), (error) => error.retryAfter === 2);
  gateway.up = false;
  await assert.rejects(client.join('T', 'room', 1), refusal(905, 'network', /could not be reached/));
  gateway.up = true;
  await client.join('T', 'room', 1);
});

test('a join that is given up leaves nothing behind', async () => {
  const {client, gateway} = setUp();
  await client.init('app');
  await client.setRole('broadcaster');
  gateway.refuseNext(/call .*set-role/, 403, 433, 'an audience\'s token');
  await assert.rejects(client.join('T', 'room', 1), refusal(433, 'gateway', /audience/));
  await until(() => gateway.sessions.size === 0, 'the session is deleted');
  assert.equal(client.state, 'ready');
});

test('ICE servers come out of the answer, and are known next time', async () => {
  const {client, gateway} = setUp();
  gateway.iceLinks = '<stun:s.example>; rel="ice-server", <turn:t.example:3478?transport=tcp>; ' +
    'rel="ice-server"; username="a\\"b"; credential="c,d;e"; credential-type="password", ';
  const servers = [{urls: 'stun:s.example'},
    {urls: 'turn:t.example:3478?transport=tcp', username: 'a"b', credential: 'c,d;e'}];
  await client.init('app');
  await client.join(null, 'room', 1);
  assert.deepEqual(FakePeer.all[0].configuration.iceServers, servers);
  gateway.kill();
  await until(() => FakePeer.all.length === 2 && client.state === 'joined', 'it is back');
  assert.deepEqual(FakePeer.all[1].configuration.iceServers, servers);
});

test('a dead worker: back by itself, same uid, on air, muted as before', async () => {
  const {client, gateway, events, named, uid, microphones} = await speaking();
  await client.muteLocal();
  assert.equal(microphones[0].enabled, false);
  gateway.kill();
  await until(() => named('published').length === 2, 'published again');
  assert.deepEqual(events.map(([name]) => name),
    ['published', 'reconnecting', 'reconnected', 'published']);
  assert.equal(client.uid, uid);
  const [hear] = gateway.of('whep');
  assert.equal(hear.query.uid, String(uid));
  assert.deepEqual(hear.calls, [{call: 'mute', audio: true}, {call: 'set-role', role: 'broadcaster'}]);
  // The mute was told before the stream began, and the microphone never opened its mouth.
  const at = (pattern) => gateway.log.findLastIndex((entry) =>
    pattern.test(`${entry.method} ${entry.path} ${entry.body}`));
  assert.ok(at(/"mute"/) < at(/POST .whip.app/));
  assert.equal(microphones.length, 1);
  assert.equal(microphones[0].enabled, false);
  assert.equal(FakePeer.all.at(-1).sender.track, microphones[0]);
  await client.unmuteLocal();
  assert.equal(microphones[0].enabled, true);
});

test('a dead gateway: it is asked again until it is there', async () => {
  const {client, gateway, named} = await speaking();
  gateway.up = false;
  gateway.kill();
  await until(() => gateway.requests(/^POST .whep.app/).length >= 4, 'several tries');
  assert.equal(client.state, 'reconnecting');
  gateway.up = true;
  await until(() => named('published').length === 2, 'published again');
  assert.equal(named('reconnecting').length, 1);
  assert.equal(named('reconnected').length, 1);
});

test('waits grow, and Retry-After is kept to', async () => {
  const {client, gateway} = await joined();
  gateway.refuseNext(/POST .whep.app/, 503, 501, 'starting', {'Retry-After': '1'});
  const asked = () => gateway.requests(/^POST .whep.app/);
  gateway.kill();
  await until(() => asked().length === 3 && client.state === 'joined', 'it is back');
  const wait = asked()[2].at - asked()[1].at;
  assert.ok(wait >= 995 && wait < 3000, `${wait} ms`);
});

test('leave while coming back ends it', async () => {
  const {client, gateway} = await speaking();
  gateway.up = false;
  gateway.kill();
  await until(() => client.state === 'reconnecting', 'lost');
  await client.leave();
  assert.equal(client.state, 'ready');
  gateway.up = true;
  const asked = gateway.requests(/^POST .whep.app/).length;
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(gateway.requests(/^POST .whep.app/).length, asked);
  assert.equal(gateway.sessions.size, 0);
});

test('a ban, another device and an expired token are final', async () => {
  for (const [prelude, ended] of [
    ['client-banned', {code: 433, reason: 'banned'}],
    ['client-banned', {code: 501, reason: 'closed'}],
    [null, {code: 431, reason: 'replaced by another device'}],
    [null, {code: 109, reason: 'the token has expired'}]]) {
    const {client, gateway, named, microphones} = await speaking();
    if (prelude)
      gateway.event(prelude, {});
    gateway.event('ended', ended);
    await until(() => named('ended').length === 1, 'ended');
    assert.deepEqual(named('ended')[0][1], ended);
    assert.deepEqual(named('error')[0][1], ended);
    assert.equal(client.state, 'ready');
    assert.equal(microphones[0].readyState, 'ended');
    assert.equal(named('reconnecting').length, 0);
    const asked = gateway.log.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(gateway.requests(/^POST .whep.app/).length, 1, `${asked}`);
  }
});

test('ended with 501 or 503: it comes again', async () => {
  for (const code of [501, 502, 503, 500, 904]) {
    const {client, gateway, named} = await joined();
    gateway.event('ended', {code, reason: 'the worker was lost'});
    await until(() => named('reconnected').length === 1, `back after ${code}`);
    assert.equal(client.state, 'joined');
  }
});

test('the way for sound is lost: back at once, or after a short patience', async () => {
  const {client, named} = await speaking();
  FakePeer.all[0].become('failed');
  await until(() => named('published').length === 2, 'on air again');
  const hear = FakePeer.all[2];
  const lost = Date.now();
  hear.become('disconnected');
  await until(() => named('reconnecting').length === 2, 'taken for gone');
  assert.ok(Date.now() - lost >= 1900);
  await until(() => client.state === 'joined', 'back');
});

test('a short gap of the network is no loss', async () => {
  const {client, named} = await joined();
  await until(() => FakePeer.all[0].connectionState === 'connected', 'connected');
  FakePeer.all[0].become('disconnected');
  await new Promise((resolve) => setTimeout(resolve, 300));
  FakePeer.all[0].become('connected');
  await new Promise((resolve) => setTimeout(resolve, 2200));
  assert.equal(named('reconnecting').length, 0);
  assert.equal(client.state, 'joined');
});

test('the own direction alone is lost: it alone comes back', async () => {
  const {gateway, named, client} = await speaking();
  FakePeer.all[1].become('failed');
  await until(() => named('published').length === 2, 'on air again');
  assert.equal(named('reconnecting').length, 0);
  assert.equal(client.state, 'joined');
  await until(() => gateway.of('whip').length === 1, 'the old one is deleted');
  assert.equal(gateway.of('whep').length, 1);
});

test('lost while it comes back: it tries again', async () => {
  const {gateway, named, client} = await joined();
  // The first try's way for sound is lost between `joined` and the last call.
  const create = FakePeer.prototype.setRemoteDescription;
  let broken = 0;
  FakePeer.prototype.setRemoteDescription = async function (description) {
    await create.call(this, description);
    if (broken++ === 0)
      queueMicrotask(() => this.become('failed'));
  };
  try {
    await client.setRole('broadcaster');
    gateway.kill();
    await until(() => named('reconnected').length === 1 && broken === 2, 'back at the second try');
    await until(() => FakePeer.all.at(-1).connectionState === 'connected', 'and it stands');
  } finally {
    FakePeer.prototype.setRemoteDescription = create;
  }
});

test('publish is refused: the page is told, and the microphone is closed', async () => {
  const {client, gateway, microphones, named} = await joined();
  await client.setRole('broadcaster');
  gateway.refuseNext(/POST .whip/, 403, 433, 'the token has no such privilege');
  await assert.rejects(client.publish(), refusal(433, 'gateway', /privilege/));
  assert.equal(client.published, false);
  assert.equal(microphones[0].readyState, 'ended');
  gateway.refuseNext(/POST .whip/, 503, 502, 'busy');
  await assert.rejects(client.publish(), refusal(502, 'gateway', /busy/));
  assert.equal(named('error').length, 0);
  await client.publish();
  assert.equal(microphones.at(-1).readyState, 'live');
});

test('publish while the channel is lost ends on air', async () => {
  const {client, gateway, named} = await joined();
  await client.setRole('broadcaster');
  gateway.kill();
  await until(() => client.state === 'reconnecting', 'lost');
  await client.publish();
  assert.equal(client.state, 'joined');
  assert.equal(gateway.of('whip').length, 1);
  assert.equal(named('published').length, 1);
});

test('taken back before it stands', async () => {
  const {client, gateway, named} = await joined();
  await client.setRole('broadcaster');
  FakePeer.connects = false;
  const publishing = assert.rejects(client.publish(), refusal(904, 'order', /taken back/));
  await until(() => gateway.of('whip').length === 1, 'asked for');
  await client.unpublish();
  await publishing;
  await until(() => gateway.of('whip').length === 0, 'deleted');
  FakePeer.connects = true;
  await client.publish();
  assert.equal(named('published').length, 1);
  await client.setRole('audience');
  assert.equal(client.published, false);
  assert.equal(gateway.of('whip').length, 0);
});

test('who is on air survives a reconnect without a word', async () => {
  const {client, gateway, events, named} = setUp();
  gateway.onAir.set(5, false).set(6, true).set(7, true);
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => named('mute-audio').length === 2, 'told');
  assert.deepEqual(named('stream-added').map(([, {uid}]) => uid), [5, 6, 7]);
  assert.deepEqual(client.speakers.map(({uid, muted}) => [uid, muted]), [[5, false], [6, true], [7, true]]);
  events.length = 0;
  gateway.onAir.delete(5);
  gateway.onAir.set(7, false).set(8, false);
  gateway.kill();
  await until(() => named('stream-removed').length === 1 && named('unmute-audio').length === 1, 'settled');
  assert.deepEqual(events.map(([name, data]) => `${name} ${data.uid ?? ''}`.trim()).sort(),
    ['reconnected', 'reconnecting', 'stream-added 8', 'stream-removed 5', 'unmute-audio 7']);
  assert.deepEqual(client.speakers.map(({uid, muted}) => [uid, muted]), [[6, true], [7, false], [8, false]]);
});

test('names come before streams, stay over a loss, and what has changed meanwhile is told', async () => {
  const {client, gateway, events, named} = setUp();
  gateway.onAir.set(5, false).set(6, false).set(7, false);
  gateway.names.set(5, 'Ann').set(6, 'Bob').set(7, 'Cid');
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => named('stream-added').length === 3, 'told');
  assert.deepEqual(events.slice(0, 2), [['member-named', {uid: 5, name: 'Ann'}], ['stream-added', {uid: 5}]]);
  assert.deepEqual(client.speakers.map(({uid, name}) => [uid, name]), [[5, 'Ann'], [6, 'Bob'], [7, 'Cid']]);
  gateway.event('member-named', {uid: 5, name: 'Anna'});
  await until(() => client.speakers[0].name === 'Anna', 'another one');
  events.length = 0;
  gateway.names.set(5, 'Anna').set(6, 'Rob').delete(7);
  gateway.kill();
  await until(() => named('member-named').length === 2, 'told again');
  assert.deepEqual(named('member-named').map(([, data]) => data), [{uid: 6, name: 'Rob'}, {uid: 7, name: ''}]);
  assert.deepEqual(client.speakers.map(({uid, name}) => [uid, name]), [[5, 'Anna'], [6, 'Rob'], [7, '']]);
  assert.equal(named('stream-added').length, 0);
  // Whoever goes takes its name along; the own one is no news.
  gateway.event('stream-removed', {uid: 5});
  gateway.event('member-named', {uid: 1, name: 'Me'});
  gateway.event('stream-added', {uid: 5});
  await until(() => named('stream-added').length === 1, 'there again');
  assert.equal(client.speakers.at(-1).name, '');
  assert.equal(named('member-named').length, 2);
});

test('the own name goes along with each join', async () => {
  const {client, gateway, named} = setUp();
  await client.init('app');
  await client.join(null, 'room', 1, {name: 'Ann & co'});
  await client.setRole('broadcaster');
  await client.publish();
  assert.equal(gateway.of('whep')[0].query.name, 'Ann & co');
  // It is the member's: a voice has none of its own.
  assert.equal(gateway.of('whip')[0].query.name, undefined);
  gateway.kill();
  await until(() => named('reconnected').length === 1, 'back');
  assert.equal(gateway.of('whep')[0].query.name, 'Ann & co');
  await assert.rejects(client.rejoin(null, 'room', 1, [], {name: 'a\nb'}), refusal(401, 'argument', /^name /));
  assert.equal(client.state, 'joined');
  await client.rejoin(null, 'room', 1);
  assert.equal(gateway.of('whep').at(-1).query.name, 'Ann & co');
  await client.leave();
  await client.join(null, 'room', 1);
  assert.equal(gateway.of('whep')[0].query.name, undefined);
});

test('words go to all or to some, and come as events', async () => {
  const {client, gateway, named} = await joined();
  await client.sendData('on air in 10');
  await client.sendData('€'.repeat(85) + 'x', [8, 9, 8]);
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'data', text: 'on air in 10'},
    {call: 'data', text: '€'.repeat(85) + 'x', to: [8, 9]}]);
  for (const bad of ['', '€'.repeat(86), 'a\0b', 'half \ud800', 5, null])
    await assert.rejects(client.sendData(bad), refusal(401, 'argument', /^text .*: expected 1 to 256 bytes/));
  for (const bad of [[], Array.from({length: 17}, (_, at) => at + 1), 8, {}])
    await assert.rejects(client.sendData('x', bad), refusal(401, 'argument', /^to .*: expected a list of 1 to 16/));
  for (const bad of [[0], [8, '9'], [1.5]])
    await assert.rejects(client.sendData('x', bad), refusal(431, 'argument', /^uid /));
  assert.equal(gateway.of('whep')[0].calls.length, 2);
  gateway.event('data', {uid: 9, text: 'line\ntwo'});
  await until(() => named('data').length === 1, 'told');
  assert.deepEqual(named('data')[0][1], {uid: 9, text: 'line\ntwo'});
  // What is refused costs no more than itself.
  gateway.refuseNext(/call .*"data"/, 503, 429, 'data: expected at most 5 a second', {'Retry-After': '1'});
  await assert.rejects(client.sendData('x'), (error) => refusal(429, 'gateway', /5 a second/)(error) &&
      !error.final && error.retryAfter === 1);
  gateway.refuseNext(/call .*"data"/, 403, 433, 'the token gives no privilege to send data');
  await assert.rejects(client.sendData('x'), refusal(433, 'gateway', /privilege/));
  assert.equal(client.state, 'joined');
  assert.equal(named('reconnecting').length, 0);
});

test('words are not kept for later', async () => {
  const {client, gateway} = await joined();
  gateway.up = false;
  gateway.kill();
  await until(() => client.state === 'reconnecting', 'lost');
  await assert.rejects(client.sendData('x'), refusal(904, 'network', /joined again/));
  gateway.up = true;
  await until(() => client.state === 'joined', 'back');
  assert.deepEqual(gateway.of('whep')[0].calls, []);
});

test('members are listed, and then told as they come and go', async () => {
  const {client, gateway, events, named} = await joined({uid: 1});
  const listed = () => events.filter(([name]) => name.startsWith('member-'));
  // Who hasn't asked is told of nobody.
  assert.deepEqual(client.members, []);
  gateway.listed = [[9, ''], [7, 'Ann'], [1, 'me'], [8, 'Bo'], [12, '']];
  const first = await client.getMembers();
  assert.deepEqual(first, [{uid: 7, name: 'Ann'}, {uid: 8, name: 'Bo'}, {uid: 9, name: ''}, {uid: 12, name: ''}]);
  assert.deepEqual(listed(), []);
  gateway.event('member-joined', {uid: 20, name: 'Cy'});
  gateway.event('member-joined', {uid: 9, name: 'Di'});
  gateway.event('member-joined', {uid: 8, name: 'Bo'});
  gateway.event('member-left', {uid: 12});
  gateway.event('member-left', {uid: 99});
  await until(() => named('member-left').length === 1, 'told');
  assert.deepEqual(listed(), [['member-joined', {uid: 20, name: 'Cy'}], ['member-joined', {uid: 9, name: 'Di'}],
    ['member-left', {uid: 12}]]);
  assert.deepEqual(client.members.map(({uid}) => uid), [7, 8, 9, 20]);
  // Asked again: nothing has changed for the page but what has.
  events.length = 0;
  gateway.listed = [[7, 'Ann'], [8, 'Bob'], [9, 'Di']];
  assert.deepEqual((await client.getMembers()).map(({name}) => name), ['Ann', 'Bob', 'Di']);
  assert.deepEqual(listed(), [['member-left', {uid: 20}], ['member-joined', {uid: 8, name: 'Bob'}]]);
  await client.leave();
  assert.deepEqual(client.members, []);
  events.length = 0;
  await client.join(null, 'room', 1);
  assert.ok(!gateway.of('whep')[0].calls.some(({call}) => call === 'members'));
});

test('a list outlives a loss', async () => {
  const {client, gateway, events, named} = await joined({uid: 1});
  gateway.listed = [[7, 'Ann'], [8, 'Bo']];
  await client.getMembers();
  gateway.listed = [[8, 'Bo'], [9, '']];
  gateway.kill();
  await until(() => named('member-joined').length === 1, 'told');
  assert.deepEqual(events.filter(([name]) => name.startsWith('member-')),
    [['member-left', {uid: 7}], ['member-joined', {uid: 9, name: ''}]]);
  // One that a loss broke off is refused, and no part of it stays.
  gateway.refuseNext(/call .*"members"/, 503, 429, 'get_members: expected at most 5 at once', {'Retry-After': '1'});
  await assert.rejects(client.getMembers(), refusal(429, 'gateway', /5 at once/));
  gateway.event('members', {at: 0, members: [{uid: 66}], more: true});
  gateway.up = false;
  gateway.kill();
  await until(() => client.state === 'reconnecting', 'lost');
  await assert.rejects(client.getMembers(), refusal(904, 'network', /joined again/));
  gateway.up = true;
  await until(() => client.state === 'joined', 'back');
  assert.deepEqual((await client.getMembers()).map(({uid}) => uid), [8, 9]);
});

test('a list that is not shown, and one that is taken back', async () => {
  const {client, gateway, named} = await joined({uid: 1});
  gateway.refuseNext(/call .*"members"/, 403, 433, 'the operator does not show members');
  await assert.rejects(client.getMembers(), refusal(433, 'gateway', /does not show/));
  // Asked once more, the answer alone tells of them.
  gateway.listed = [[8, 'Bo']];
  assert.deepEqual(await client.getMembers(), [{uid: 8, name: 'Bo'}]);
  assert.deepEqual(named('member-joined'), []);
  gateway.event('member-left', {uid: 8});
  await until(() => named('member-left').length === 1, 'gone');
  gateway.event('member-joined', {uid: 7, name: 'Ann'});
  await until(() => client.members.length === 1, 'shown');
  gateway.refuseNext(/call .*"members"/, 403, 433, 'the operator does not show members');
  gateway.kill();
  await until(() => named('member-left').length === 2, 'taken back');
  assert.deepEqual(client.members, []);
  assert.equal(named('error').at(-1)[1].code, 433);
});

test('rejoin tells who of the known is gone', async () => {
  const {client, gateway, named} = setUp();
  gateway.onAir.set(5, false);
  await client.init('app');
  await client.rejoin(null, 'room', 1, [5, '6', 1]);
  await until(() => named('stream-removed').length === 1, 'told');
  assert.deepEqual(named('stream-removed')[0][1], {uid: 6});
  assert.deepEqual(named('stream-added'), [['stream-added', {uid: 5}]]);
});

test('volume, mute and choice of a speaker outlive losses and its own coming and going', async () => {
  const {client, gateway, named} = setUp();
  gateway.onAir.set(5, false).set(6, false);
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => named('stream-added').length === 2, 'told');
  await client.setSpeakerVolume(5, 0.3);
  await client.mute(5);
  await client.unsubscribe(6);
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'speaker', uid: 5, volume: 0.3},
    {call: 'speaker', uid: 5, mute: true}, {call: 'unsubscribe', uid: 6}]);
  gateway.event('stream-removed', {uid: 5});
  gateway.event('stream-removed', {uid: 6});
  await until(() => named('stream-removed').length === 2, 'told');
  // Also while it is away, and before it is heard again.
  await client.setSpeakerVolume(5, 0.5);
  gateway.onAir.clear();
  gateway.kill();
  await until(() => gateway.of('whep')[0]?.calls.length === 2, 'told again');
  assert.deepEqual(gateway.of('whep')[0].calls.sort((one, other) => one.uid - other.uid),
    [{call: 'speaker', uid: 5, volume: 0.5, mute: true}, {call: 'unsubscribe', uid: 6}]);
  gateway.event('stream-added', {uid: 5});
  await until(() => named('stream-added').length === 3, 'told');
  assert.deepEqual(client.speakers, [{uid: 5, name: '', muted: false, volume: 0.5, mute: true, subscribed: true}]);
  await client.unmute(5);
  await client.setSpeakerVolume(5, 1);
  assert.deepEqual(gateway.of('whep')[0].calls.slice(2),
    [{call: 'speaker', uid: 5, mute: false}, {call: 'speaker', uid: 5, volume: 1}]);
  await assert.rejects(client.setSpeakerVolume(5, 11), refusal(401, 'argument', /volume/));
  await assert.rejects(client.setSpeakerVolume(0, 1), refusal(431, 'argument', /uid/));
});

test('a slider makes few calls, and the last one counts', async () => {
  const {client, gateway, named} = setUp();
  gateway.onAir.set(5, false);
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => named('stream-added').length === 1, 'told');
  await Promise.all(Array.from({length: 50}, (_, at) => client.setSpeakerVolume(5, at / 10)));
  const {calls} = gateway.of('whep')[0];
  assert.ok(calls.length <= 3, `${calls.length} calls`);
  assert.equal(calls.at(-1).volume, 4.9);
});

test('autoSubscribe: false hears nobody but those that are subscribed', async () => {
  const {client, gateway, named} = setUp({autoSubscribe: false});
  gateway.onAir.set(5, false);
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => gateway.of('whep')[0].calls.length === 1, 'told');
  await client.subscribe(5);
  assert.deepEqual(gateway.of('whep')[0].calls,
    [{call: 'unsubscribe', uid: 5}, {call: 'subscribe', uid: 5}]);
  assert.equal(named('stream-added').length, 1);
});

test('events of the own uid are not for the page', async () => {
  const {gateway, named} = await joined({uid: 12});
  gateway.event('stream-added', {uid: 12});
  gateway.event('stream-added', {uid: 13});
  await until(() => named('stream-added').length === 1, 'told');
  assert.deepEqual(named('stream-added')[0][1], {uid: 13});
});

test('a page that listens badly stops nothing', async () => {
  const {client, gateway, named} = await joined();
  const told = [];
  globalThis.reportError = (error) => told.push(error.message);
  client.on('stream-added', () => { throw new Error('page fault'); });
  client.on('stream-added', ({uid}) => told.push(uid));
  gateway.event('stream-added', {uid: 3});
  await until(() => told.length === 2, 'both');
  assert.deepEqual(told, ['page fault', 3]);
  client.off('stream-added');
  gateway.event('stream-removed', {uid: 3});
  await until(() => named('stream-removed').length === 1, 'still listens');
});

test('the microphone: refused, absent, insecure', async () => {
  const rig = await joined();
  const {client, mediaDevices} = rig;
  await client.setRole('broadcaster');
  for (const [name, code] of [['NotAllowedError', Codes.MICROPHONE_REFUSED],
    ['NotFoundError', Codes.NO_MICROPHONE], ['NotReadableError', Codes.MICROPHONE_FAILED]]) {
    mediaDevices.refuse = name;
    await assert.rejects(client.publish(), refusal(code, 'microphone', /microphone/));
    assert.equal(client.published, false);
  }
  mediaDevices.refuse = null;
  globalThis.navigator = {};
  globalThis.isSecureContext = false;
  await assert.rejects(client.publish(), refusal(Codes.INSECURE_PAGE, 'microphone', /https/));
});

test('another microphone, without a gap in the session', async () => {
  const {client, gateway, mediaDevices, microphones, named} = await speaking();
  assert.deepEqual(mediaDevices.constraints[0], {echoCancellation: true, noiseSuppression: true,
    autoGainControl: true, channelCount: 1});
  await client.setMicrophone({deviceId: 'usb', echoCancellation: false});
  assert.deepEqual(mediaDevices.constraints[1].deviceId, {exact: 'usb'});
  assert.equal(mediaDevices.constraints[1].echoCancellation, false);
  await until(() => named('microphone-changed').length === 1, 'told');
  assert.equal(FakePeer.all[1].sender.track, microphones[1]);
  assert.equal(microphones[0].readyState, 'ended');
  // Unplugged: the system's own takes over.
  await client.muteLocal();
  microphones[1].unplug();
  await until(() => named('microphone-changed').length === 2, 'told');
  assert.equal(mediaDevices.constraints[2].deviceId, undefined);
  assert.equal(microphones[2].enabled, false, 'muted stays muted');
  mediaDevices.refuse = 'NotFoundError';
  microphones[2].unplug();
  await until(() => named('microphone-lost').length === 1, 'told');
  assert.equal(named('microphone-lost')[0][1].code, Codes.NO_MICROPHONE);
  await assert.rejects(client.setMicrophone({device: 'x'}), refusal(401, 'argument', /device/));
  assert.equal(gateway.requests(/^POST .whip/).length, 1);
  assert.deepEqual((await getMicrophones()).map(({deviceId}) => deviceId), ['a']);
});

test('a track of the page\'s own is not stopped', async () => {
  const {client} = await joined();
  await client.setRole('broadcaster');
  const track = new FakeTrack('own');
  await client.publish({track});
  await client.unpublish();
  assert.equal(track.readyState, 'live');
});

test('muted before join stays muted', async () => {
  const {client, gateway, microphones} = setUp();
  await client.init('app');
  await client.muteLocal();
  await client.setRole('broadcaster');
  await client.join(null, 'room', 1);
  await client.publish();
  assert.equal(microphones[0].enabled, false);
  assert.deepEqual(gateway.of('whep')[0].calls[0], {call: 'mute', audio: true});
});

test('autoplay refused is told, and a click resumes', async () => {
  const {client, browser, named, players} = setUp();
  browser.autoplayRefused = true;
  await client.init('app');
  await client.join(null, 'room', 1);
  await until(() => named('autoplay-refused').length === 1, 'told');
  await assert.rejects(client.resume(), refusal(430, 'order', /click/));
  browser.autoplayRefused = false;
  await client.resume();
  assert.equal(players[0].paused, false);
  assert.equal(players.length, 1);
});

test('a closed tab deletes, and one shown again comes back', async () => {
  const {client, gateway, window, named} = await speaking();
  window.dispatchEvent(new Event('pagehide'));
  await until(() => gateway.requests(/^DELETE/).length === 1, 'deleted');
  const [request] = gateway.requests(/^DELETE/);
  assert.equal(request.keepalive, true);
  assert.match(request.path, /^.whep.session/);
  window.dispatchEvent(Object.assign(new Event('pageshow'), {persisted: true}));
  await until(() => named('published').length === 2, 'on air again');
  assert.equal(client.state, 'joined');
});

test('what the page wants while it joins is told as well', async () => {
  const {client, gateway} = setUp();
  await client.init('app');
  await client.setRole('broadcaster');
  const quick = gateway.fetch;
  gateway.fetch = async function (url, options) {
    if (/call$/.test(url)) {
      gateway.fetch = quick;
      assert.equal(client.state, 'joining');
      await Promise.all([client.muteLocal(), client.setRole('audience'), client.setLatency(250)]);
    }
    return quick.call(this, url, options);
  };
  await client.join(null, 'room', 1);
  const {calls} = gateway.of('whep')[0];
  assert.deepEqual(calls, [{call: 'set-role', role: 'broadcaster'}, {call: 'mute', audio: true},
    {call: 'set-role', role: 'audience'}, {call: 'latency', ms: 250}]);
});

test('of two wishes the later one arrives last', async () => {
  const {client, gateway} = await joined();
  // The first one's connection is slow.
  const quick = gateway.fetch;
  let slow = true;
  gateway.fetch = async function (url, options) {
    if (/call$/.test(url) && slow) {
      slow = false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return quick.call(this, url, options);
  };
  await Promise.all([client.muteLocal(), client.unmuteLocal()]);
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'mute', audio: true}, {call: 'mute', audio: false}]);
  assert.equal(client.muted, false);
});

test('published, taken back and published again at once', async () => {
  const {client, gateway, microphones, named} = await joined();
  await client.setRole('broadcaster');
  const first = assert.rejects(client.publish(), refusal(904, 'order', /taken back/));
  const back = client.unpublish();
  const second = client.publish();
  await Promise.all([first, back, second]);
  assert.equal(client.published, true);
  assert.equal(gateway.of('whip').length, 1);
  assert.equal(named('published').length, 1);
  assert.deepEqual(microphones.map(({readyState}) => readyState), ['ended', 'live']);
});

test('rejoin stays where it is if it can\'t, and leaves nobody behind if it can', async () => {
  const {client, gateway} = await joined();
  await assert.rejects(client.rejoin(null, '', 1), refusal(401, 'argument', /^channel /));
  await assert.rejects(client.rejoin(null, 'room', -1), refusal(431, 'argument', /^uid /));
  assert.equal(client.state, 'joined');
  assert.equal(gateway.requests(/^DELETE/).length, 0);
  await client.rejoin(null, 'other', 1);
  await until(() => gateway.sessions.size === 1, 'the old one is deleted');
  assert.deepEqual(gateway.of('whep')[0].channel, ['app', 'other']);
});

test('a lost session is deleted, where the gateway can be reached', async () => {
  const {client, gateway} = await joined();
  const [old] = gateway.sessions.keys();
  FakePeer.all[0].become('failed');
  await until(() => client.state === 'joined' && FakePeer.all.length === 2, 'back');
  await until(() => !gateway.sessions.has(old), 'deleted');
  assert.equal(gateway.sessions.size, 1);
});

test('each gateway has its own ICE servers', async () => {
  const {client, gateway} = setUp();
  gateway.iceLinks = '<turn:one.example>; rel="ice-server"; username="a"; credential="b", ';
  await client.init('app');
  await client.join(null, 'room', 1);
  gateway.iceLinks = '';
  const other = new Client({server: 'http://other.example/'});
  cleanup(() => other.destroy());
  await other.init('app');
  await other.join(null, 'room', 2);
  assert.deepEqual(FakePeer.all[1].configuration.iceServers, []);
});

test('what the browser says of a connection comes as an AgoraError', async () => {
  const {client, gateway} = setUp();
  await client.init('app');
  const set = FakePeer.prototype.setRemoteDescription;
  FakePeer.prototype.setRemoteDescription = async () => { throw new DOMException('bad', 'OperationError'); };
  try {
    await assert.rejects(client.join(null, 'room', 1), refusal(904, 'network', /can't connect: bad/));
  } finally {
    FakePeer.prototype.setRemoteDescription = set;
  }
  await until(() => gateway.sessions.size === 0, 'deleted');
});

test('many wishes are told again a few at a time, and none is lost', async () => {
  const {client, gateway, named} = setUp();
  for (let uid = 1; uid <= 40; uid++)
    gateway.onAir.set(uid, false);
  await client.init('app');
  await client.join(null, 'room', 1000);
  await until(() => named('stream-added').length === 40, 'told');
  const quick = gateway.fetch;
  let [now, most] = [0, 0];
  gateway.fetch = async function (url, options) {
    const counts = /call$/.test(url);
    most = Math.max(most, now += counts);
    try {
      return await quick.call(this, url, options);
    } finally {
      now -= counts;
    }
  };
  await Promise.all([...gateway.onAir.keys()].map((uid) => client.mute(uid)));
  gateway.kill();
  await until(() => gateway.of('whep')[0]?.calls.length === 40, 'told again');
  assert.ok(most <= 4, `${most} at a time`);
  assert.deepEqual(gateway.of('whep')[0].calls.map(({uid}) => uid).sort((one, other) => one - other),
    [...gateway.onAir.keys()]);
});

test('autoSubscribe: false remembers nothing of who has gone', async () => {
  const {client, gateway, named} = await joined({autoSubscribe: false});
  const {calls} = gateway.of('whep')[0];
  for (let uid = 1; uid <= 3; uid++) {
    gateway.event('stream-added', {uid});
    await until(() => calls.at(-1)?.uid === uid && calls.at(-1).call === 'unsubscribe', 'not heard');
    gateway.event('stream-removed', {uid});
    await until(() => calls.at(-1).uid === uid && calls.at(-1).call === 'subscribe', 'forgotten');
  }
  // Gone and here again before that was told.
  gateway.event('stream-added', {uid: 5});
  gateway.event('stream-removed', {uid: 5});
  gateway.event('stream-added', {uid: 5});
  await until(() => named('stream-added').length === 5, 'told');
  await until(() => calls.at(-1).uid === 5 && calls.at(-1).call === 'unsubscribe', 'not heard');
  assert.equal(client.speakers[0].subscribed, false);
  gateway.kill();
  await until(() => gateway.of('whep')[0]?.calls.length === 1, 'told again');
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'unsubscribe', uid: 5}]);
});

test('a track that ends is told of once, however often it was in use', async () => {
  const {client, named} = await joined();
  await client.setRole('broadcaster');
  const [one, other] = [new FakeTrack('one'), new FakeTrack('other')];
  await client.publish({track: one});
  client.replaceTrack(other);
  client.replaceTrack(one);
  one.unplug();
  await until(() => named('microphone-lost').length > 0, 'told');
  assert.equal(named('microphone-lost').length, 1);
});

test('the meter waits for a click once, and stays silent where nothing can be measured', async () => {
  let [resumed, allow] = [0, null];
  globalThis.AudioContext = class {
    state = 'suspended';
    createAnalyser() { return {fftSize: 0, getFloatTimeDomainData: (samples) => samples.fill(0.1)}; }
    createMediaStreamSource(stream) {
      if (stream.getAudioTracks()[0].label === 'odd')
        throw new DOMException('another rate', 'NotSupportedError');
      return {connect() {}};
    }
    resume() {
      resumed++;
      return new Promise((resolve) => { allow = resolve; });
    }
    async close() {}
  };
  const {client} = await speaking();
  for (let at = 0; at < 10; at++)
    assert.ok(Math.abs(client.microphoneLevel() + 20) < 0.1);
  assert.equal(resumed, 1);
  allow();
  await until(() => client.microphoneLevel() && resumed === 2, 'asked again');
  client.replaceTrack(new FakeTrack('odd'));
  assert.equal(client.microphoneLevel(), -100);
});

test('another network: the gateway is asked whether it is still there', async () => {
  const {client, gateway, window, named} = await joined();
  window.dispatchEvent(new Event('online'));
  await until(() => gateway.of('whep')[0].calls.length === 1, 'asked');
  assert.equal(named('reconnecting').length, 0);
  gateway.up = false;
  window.dispatchEvent(new Event('online'));
  await until(() => client.state === 'reconnecting', 'lost');
  await until(() => gateway.requests(/^POST .whep.app/).length >= 5, 'long waits by now');
  gateway.up = true;
  const now = Date.now();
  window.dispatchEvent(new Event('online'));
  await until(() => client.state === 'joined', 'back');
  assert.ok(Date.now() - now < 300, 'at once');
});

test('a token is renewed, and used from then on', async () => {
  const {client, gateway, named} = await joined();
  gateway.event('token-privilege-will-expire', {});
  await until(() => named('token-privilege-will-expire').length === 1, 'told');
  await assert.rejects(client.renewToken(''), refusal(401, 'argument', /token/));
  await client.renewToken('new-token');
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'renew-token', token: 'new-token'}]);
  gateway.kill();
  await until(() => named('reconnected').length === 1, 'back');
  assert.equal(gateway.of('whep')[0].headers.Authorization, 'Bearer new-token');
});

await runAll();
