// SPDX-License-Identifier: LGPL-2.1-or-later
// agora-rtc.js as a page of the Web SDK 2.x uses it: callbacks, their order, events, and failures.
import {assert, cleanup, runAll, test, until} from './page-tap.mjs';
import {FakePeer, FakeTrack, fakeBrowser} from './page-fakes.mjs';

fakeBrowser();
const {default: AgoraRTC} = await import('../../signaling/gateway/web/page/agora-rtc-module.js');

AgoraRTC.Logger.setLogLevel(AgoraRTC.Logger.NONE);
AgoraRTC.setServer('http://gateway.example:8080/');

const EVENTS = ['stream-published', 'stream-unpublished', 'stream-added', 'stream-subscribed', 'stream-removed',
  'peer-online', 'peer-leave', 'mute-audio', 'unmute-audio', 'volume-indicator', 'active-speaker', 'client-banned',
  'onTokenPrivilegeWillExpire', 'onTokenPrivilegeDidExpire', 'connection-state-change', 'client-role-changed',
  'error', 'stream-reconnect-start', 'stream-reconnect-end', 'liveStreamingFailed', 'recording-device-changed',
  'crypt-error'];

function setUp(mode = 'live') {
  const browser = fakeBrowser();
  const client = AgoraRTC.createClient({mode, codec: 'vp8'});
  cleanup(() => client.core?.destroy());
  const events = [];
  for (const name of EVENTS)
    client.on(name, (event) => events.push([name, event]));
  return {...browser, browser, client, events,
    named: (name) => events.filter(([each]) => each === name).map(([, event]) => event)};
}

// How a call ended: which callback came, and with what.
const ends = (run) => new Promise((resolve) =>
  run((...values) => resolve(['done', ...values]), (...values) => resolve(['failed', ...values])));

async function inside(mode) {
  const rig = setUp(mode);
  assert.deepEqual(await ends((done, failed) => rig.client.init('app', done, failed)), ['done']);
  const [how, uid] = await ends((done, failed) => rig.client.join(null, 'room', null, done, failed));
  assert.equal(how, 'done');
  return {...rig, uid};
}

async function localStream(spec = {audio: true, video: false}) {
  const stream = AgoraRTC.createStream(spec);
  const ended = await ends((done, failed) => stream.init(done, failed));
  return {stream, ended};
}

test('a page of the SDK\'s documents speaks and listens', async () => {
  const {client, gateway, named, players, microphones} = setUp();
  const heard = [];
  // As such pages are written: nested callbacks, everybody is subscribed and played.
  client.on('stream-added', (event) => client.subscribe(event.stream, (error) => heard.push(error)));
  client.on('stream-subscribed', ({stream}) => {
    stream.play('holder');
    heard.push(stream.getId());
  });
  gateway.onAir.set(7, false);
  const uid = await new Promise((resolve, reject) => {
    client.init('app', () => {
      client.join('token', 'room', null, (own) => {
        const stream = AgoraRTC.createStream({streamID: own, audio: true, video: false, screen: false});
        stream.init(() => {
          stream.play('holder');
          client.publish(stream, reject);
          client.on('stream-published', () => resolve(own));
        }, reject);
      }, reject);
    }, reject);
  });
  assert.equal(uid, 1001);
  const [hear] = gateway.of('whep');
  await until(() => hear.calls.some(({call}) => call === 'subscribe'), 'subscribed');
  assert.deepEqual(heard, [7]);
  assert.deepEqual(hear.calls.filter(({call}) => call !== 'set-role'),
    [{call: 'unsubscribe', uid: 7}, {call: 'subscribe', uid: 7}]);
  assert.equal(hear.headers.Authorization, 'Bearer token');
  assert.equal(gateway.of('whip').length, 1);
  assert.equal(players[0].paused, false);
  assert.ok(document.getElementById('player_7'));
  assert.equal(document.getElementById('player_1001').id, 'player_1001');
  assert.deepEqual(named('peer-online').map((event) => event.uid), [7]);
  assert.deepEqual(named('client-role-changed').map(({role}) => role), ['host']);
  assert.deepEqual(named('connection-state-change').map(({prevState, curState}) => [prevState, curState]),
    [['DISCONNECTED', 'CONNECTING'], ['CONNECTING', 'CONNECTED']]);
  assert.equal(client.getConnectionState(), 'CONNECTED');
  gateway.event('mute-audio', {uid: 7});
  gateway.event('stream-removed', {uid: 7});
  await until(() => named('peer-leave').length === 1, 'gone');
  assert.equal(named('mute-audio')[0].uid, 7);
  assert.equal(named('stream-removed')[0].stream.getId(), 7);
  assert.equal(named('peer-leave')[0].stream, named('stream-removed')[0].stream);
  assert.equal(document.getElementById('player_7'), null);
  assert.deepEqual(await ends((done, failed) => client.leave(done, failed)), ['done']);
  assert.equal(client.getConnectionState(), 'DISCONNECTED');
  assert.equal(gateway.sessions.size, 0);
  assert.equal(microphones[0].readyState, 'live', 'the stream is the page\'s to close');
});

test('calls made without waiting are done one after the other', async () => {
  const {client, gateway, named} = setUp();
  const {stream} = await localStream();
  client.init('app');
  client.setClientRole('host');
  client.join(null, 'room', 5);
  client.publish(stream);
  await until(() => named('stream-published').length === 1, 'published');
  assert.equal(gateway.of('whep')[0].query.uid, '5');
});

test('muting the local stream: before and after it is published', async () => {
  const {client, gateway, named, microphones} = await inside();
  const {stream} = await localStream();
  assert.equal(stream.muteAudio(), true);
  assert.equal(stream.muteAudio(), false);
  client.publish(stream);
  await until(() => named('stream-published').length === 1, 'published');
  assert.equal(microphones[0].enabled, false);
  const {calls} = gateway.of('whep')[0];
  assert.deepEqual(calls, [{call: 'mute', audio: true}, {call: 'set-role', role: 'broadcaster'}]);
  stream.unmuteAudio();
  await until(() => calls.length === 3, 'told');
  assert.deepEqual(calls[2], {call: 'mute', audio: false});
  assert.equal(microphones[0].enabled, true);
  stream.muteAudio();
  gateway.kill();
  await until(() => named('stream-reconnect-end').length === 1, 'back');
  assert.equal(named('stream-reconnect-start').length, 1);
  assert.equal(named('stream-reconnect-end')[0].success, true);
  assert.equal(microphones[0].enabled, false);
  assert.equal(FakePeer.all.at(-1).sender.track, microphones[0]);
  // Another microphone, muted as the one before.
  assert.deepEqual(await ends((done, failed) => stream.switchDevice('audio', 'usb', done, failed)), ['done']);
  assert.equal(FakePeer.all.at(-1).sender.track, microphones[1]);
  assert.equal(microphones[1].enabled, false);
  stream.close();
  assert.equal(microphones[1].readyState, 'ended');
});

test('a remote stream: volume, mute, stop', async () => {
  const {client, gateway, named} = await inside();
  gateway.event('stream-added', {uid: 9});
  await until(() => named('stream-added').length === 1, 'told');
  const [{stream}] = named('stream-added');
  client.subscribe(stream);
  await until(() => named('stream-subscribed').length === 1, 'subscribed');
  const {calls} = gateway.of('whep')[0];
  assert.deepEqual(calls, [{call: 'unsubscribe', uid: 9}], 'nothing is heard before play()');
  const played = [];
  stream.play('holder', {}, (error) => played.push(error));
  await until(() => played.length === 1, 'played');
  assert.deepEqual(played, [null]);
  stream.setAudioVolume(30);
  await until(() => calls.length === 3, 'told');
  stream.muteAudio();
  await until(() => calls.length === 4, 'told');
  stream.stop();
  await until(() => calls.length === 5, 'told');
  assert.deepEqual(calls.slice(1), [{call: 'subscribe', uid: 9}, {call: 'speaker', uid: 9, volume: 0.3},
    {call: 'speaker', uid: 9, mute: true}, {call: 'unsubscribe', uid: 9}]);
  assert.throws(() => stream.setAudioVolume(101), /INVALID_PARAMETER/);
  assert.deepEqual([stream.hasAudio(), stream.hasVideo(), stream.isPlaying()], [true, false, false]);
  assert.equal(stream.getAudioLevel(), 0);
  stream.play('holder');
  gateway.event('levels', {9: -20});
  await until(() => stream.getAudioLevel() > 0, 'a level');
  assert.ok(Math.abs(stream.getAudioLevel() - 0.1) < 1e-9);
  assert.deepEqual(await ends((done) => client.unsubscribe(stream, done)
    ?? until(() => calls.at(-1).call === 'unsubscribe', 'told').then(() => done())), ['done']);
});

test('autoplay refused: play() says so, and resume() goes on', async () => {
  const rig = setUp();
  rig.browser.autoplayRefused = true;
  rig.client.init('app');
  rig.client.join(null, 'room', null);
  await until(() => rig.client.getConnectionState() === 'CONNECTED', 'joined');
  rig.gateway.event('stream-added', {uid: 9});
  await until(() => rig.named('stream-added').length === 1, 'told');
  const [{stream}] = rig.named('stream-added');
  rig.client.subscribe(stream);
  await until(() => rig.named('stream-subscribed').length === 1, 'subscribed');
  const error = await new Promise((resolve) => stream.play('holder', null, resolve));
  assert.deepEqual([error.status, error.reason], ['aborted', 'NotAllowedError']);
  rig.browser.autoplayRefused = false;
  await stream.resume();
  assert.equal(rig.players[0].paused, false);
});

test('failures have the SDK\'s names', async () => {
  const {client, gateway, named} = setUp();
  const fails = async (run) => (await ends(run))[1];
  assert.equal(await fails((done, failed) => client.join(null, 'room', 1, done, failed)), 'INVALID_OPERATION');
  assert.equal(await fails((done, failed) => client.leave(done, failed)), 'INVALID_OPERATION');
  assert.equal(await fails((done, failed) => client.init('', done, failed)), 'INVALID_PARAMETER');
  client.init('app');
  assert.equal(await fails((done, failed) => client.join(null, '', 1, done, failed)), 'ERR_INVALID_CHANNEL_NAME');
  assert.equal(await fails((done, failed) => client.join(null, 'room', -1, done, failed)), 'ERR_INVALID_UID');
  for (const [code, name] of [[101, 'ERR_INVALID_VENDOR_KEY'], [109, 'ERR_DYNAMIC_KEY_TIMEOUT'],
    [110, 'ERR_NO_AUTHORIZED'], [119, 'ERR_STATIC_USE_DYNAMIC_KEY'], [120, 'ERR_DYNAMIC_USE_STATIC_KEY']]) {
    gateway.refuseNext(/POST .whep/, 401, code, 'no');
    assert.equal(await fails((done, failed) => client.join('T', 'room', 1, done, failed)), name);
  }
  const {stream} = await localStream();
  assert.equal(await fails((done, failed) => client.publish(stream, failed)), 'INVALID_OPERATION');
  await ends((done, failed) => client.join(null, 'room', 1, done, failed));
  assert.equal(await fails((done, failed) => client.join(null, 'room', 1, done, failed)), 'INVALID_OPERATION');
  assert.equal(await fails((done, failed) => client.publish({}, failed)), 'INVALID_LOCAL_STREAM');
  assert.equal(await fails((done, failed) => client.publish(AgoraRTC.createStream({audio: true}), failed)),
    'STREAM_NOT_INITED');
  assert.equal(await fails((done, failed) => client.unpublish(stream, failed)), 'STREAM_NOT_YET_PUBLISHED');
  assert.equal(await fails((done, failed) => client.subscribe(stream, failed)), 'INVALID_REMOTE_STREAM');
  assert.equal(await fails((done, failed) => client.setClientRole('admin', failed)), 'INVALID_PARAMETER');
  gateway.refuseNext(/POST .whip/, 403, 433, 'no privilege');
  assert.equal(await fails((done, failed) => client.publish(stream, failed)), 'K_CHANNEL_PERMISSION_INVALID');
  client.publish(stream);
  await until(() => named('stream-published').length === 1, 'published');
  assert.equal(await fails((done, failed) => client.publish(stream, failed)), 'STREAM_ALREADY_PUBLISHED');
  gateway.event('stream-added', {uid: 4});
  await until(() => named('stream-added').length === 1, 'told');
  gateway.event('stream-removed', {uid: 4});
  await until(() => named('stream-removed').length === 1, 'told');
  assert.equal(await fails((done, failed) => client.subscribe(named('stream-added')[0].stream, failed)),
    'NO_SUCH_REMOTE_STREAM');
  assert.throws(() => AgoraRTC.createClient({mode: 'video'}), /INVALID_PARAMETER/);
  assert.throws(() => AgoraRTC.createStream(), /INVALID_PARAMETER/);
});

test('what has no counterpart fails, and says so', async () => {
  const {client, named} = await inside();
  const {ended} = await localStream({audio: true, video: true});
  assert.deepEqual([ended[0], ended[1].type, ended[1].msg], ['failed', 'error', 'NOT_SUPPORTED']);
  assert.equal((await localStream({audio: false, video: false, screen: true})).ended[1].msg, 'NOT_SUPPORTED');
  assert.deepEqual(await ends((done, failed) => client.enableDualStream(done, failed)),
    ['failed', 'ENABLE_DUALSTREAM_FAILED']);
  client.startLiveStreaming('rtmp://x/y', true);
  await until(() => named('liveStreamingFailed').length === 1, 'told');
  assert.equal(named('liveStreamingFailed')[0].url, 'rtmp://x/y');
  const {stream} = await localStream();
  assert.deepEqual(await new Promise((resolve) => stream.startAudioMixing({filePath: 'x'}, resolve)), 'NOT_SUPPORTED');
  assert.equal(await new Promise((resolve) => stream.playEffect({soundId: 1, filePath: 'x'}, resolve)), 'NOT_SUPPORTED');
  assert.equal(stream.muteVideo(), false);
  const [how, why] = await ends((done, failed) => stream.switchDevice('video', 'x', done, failed));
  assert.deepEqual([how, why], ['failed', 'NOT_SUPPORTED']);
});

test('a page that wants encryption is not let in without', async () => {
  const {client, named, gateway} = setUp();
  client.init('app');
  client.setEncryptionMode('aes-128-xts');
  client.setEncryptionSecret('secret');
  assert.deepEqual(await ends((done, failed) => client.join(null, 'room', 1, done, failed)),
    ['failed', 'NOT_SUPPORTED']);
  assert.equal(named('crypt-error').length, 1);
  assert.equal(gateway.log.length, 0);
});

test('a refused microphone is told as the SDK tells it', async () => {
  const {mediaDevices} = setUp();
  for (const [name, msg] of [['NotAllowedError', 'NotAllowedError'], ['NotFoundError', 'DEVICES_NOT_FOUND'],
    ['NotReadableError', 'MEDIA_OPTION_INVALID'], ['TypeError', 'UNDEFINED']]) {
    mediaDevices.refuse = name;
    const stream = AgoraRTC.createStream({audio: true, video: false});
    const told = [];
    stream.on('accessAllowed', () => told.push('allowed'));
    stream.on('accessDenied', () => told.push('denied'));
    const [how, error] = await ends((done, failed) => stream.init(done, failed));
    assert.deepEqual([how, error.type, error.msg], ['failed', 'error', msg]);
    assert.deepEqual(told, name === 'NotAllowedError' ? ['denied'] : []);
  }
  mediaDevices.refuse = null;
  const stream = AgoraRTC.createStream({audio: true, microphoneId: 'usb', audioProcessing: {AEC: false, AGC: true}});
  assert.deepEqual(await ends((done, failed) => stream.init(done, failed)), ['done']);
  assert.deepEqual(mediaDevices.constraints.at(-1), {echoCancellation: false, noiseSuppression: true,
    autoGainControl: true, channelCount: 1, deviceId: {exact: 'usb'}});
});

test('tokens, bans and errors', async () => {
  const {client, gateway, named} = await inside();
  gateway.event('token-privilege-will-expire', {});
  await until(() => named('onTokenPrivilegeWillExpire').length === 1, 'told');
  client.renewToken('T2');
  await until(() => gateway.of('whep')[0].calls.length === 1, 'renewed');
  gateway.event('client-banned', {});
  gateway.event('ended', {code: 433, reason: 'banned'});
  await until(() => named('error').length === 1, 'told');
  assert.deepEqual([named('client-banned')[0].uid, named('client-banned')[0].attr], [1001, 'UID_BANNED']);
  assert.equal(client.getConnectionState(), 'DISCONNECTED');
});

test('rtc mode: everybody is a host', async () => {
  const {client, gateway, named} = await inside('rtc');
  assert.deepEqual(gateway.of('whep')[0].calls, [{call: 'set-role', role: 'broadcaster'}]);
  assert.deepEqual(await ends((done) => client.setClientRole('audience', done)), ['done', null]);
  const {stream} = await localStream({audio: true, audioSource: new FakeTrack('page')});
  client.publish(stream);
  await until(() => named('stream-published').length === 1, 'published');
  client.unpublish(stream);
  await until(() => named('stream-unpublished').length === 1, 'unpublished');
  assert.equal(gateway.of('whip').length, 0);
  assert.equal(named('client-role-changed').length, 0);
});

test('unpublish in live mode makes an audience; so does the role', async () => {
  const {client, named, gateway} = await inside();
  const {stream} = await localStream();
  client.publish(stream);
  client.unpublish(stream);
  await until(() => named('client-role-changed').length === 2, 'audience again');
  client.publish(stream);
  client.setClientRole('audience');
  await until(() => named('client-role-changed').length === 4, 'audience again');
  assert.equal(named('stream-unpublished').length, 2);
  assert.equal(gateway.of('whip').length, 0);
  client.publish(stream);
  await until(() => named('stream-published').length === 3, 'and on air once more');
});

test('volumes every two seconds, when asked for', async () => {
  const {client, gateway, named} = await inside();
  gateway.event('stream-added', {uid: 9});
  gateway.event('levels', {9: -6});
  client.enableAudioVolumeIndicator();
  await until(() => named('volume-indicator').length === 1, 'told');
  assert.deepEqual(named('volume-indicator')[0].attr, [{uid: 9, level: 50}]);
  assert.deepEqual(named('active-speaker').map(({uid}) => uid), [9]);
});

test('an account keeps its name', async () => {
  const {client, gateway} = setUp();
  client.init('app');
  assert.deepEqual(await ends((done, failed) => client.join(null, 'room', 'alice', done, failed)), ['done', 'alice']);
  assert.equal(gateway.of('whep')[0].query.account, 'alice');
});

test('devices and requirements', async () => {
  const {client} = await inside();
  assert.equal(AgoraRTC.checkSystemRequirements(), true);
  assert.deepEqual(await AgoraRTC.getSupportedCodec(), {video: [], audio: ['OPUS']});
  assert.deepEqual((await ends((done) => AgoraRTC.getDevices(done)))[1].map(({kind}) => kind),
    ['audioinput', 'audiooutput']);
  assert.deepEqual((await ends((done) => client.getPlayoutDevices(done)))[1].map(({deviceId}) => deviceId), ['b']);
  assert.deepEqual(await ends((done) => client.getCameras(done)), ['done', []]);
  const [, session] = await ends((done) => client.getSessionStats(done));
  assert.equal(session.UserCount, '1');
});

test('a stream that comes again isn\'t heard before the page subscribes again', async () => {
  const {client, gateway, named} = await inside();
  const {calls} = gateway.of('whep')[0];
  gateway.event('stream-added', {uid: 7});
  await until(() => named('stream-added').length === 1, 'told');
  const [{stream}] = named('stream-added');
  client.subscribe(stream);
  await until(() => named('stream-subscribed').length === 1, 'subscribed');
  stream.play('holder');
  stream.setAudioVolume(50);
  stream.muteAudio();
  await until(() => calls.at(-1).mute === true, 'muted');
  gateway.event('stream-removed', {uid: 7});
  gateway.event('stream-added', {uid: 7});
  await until(() => named('stream-added').length === 2, 'told');
  await until(() => calls.some(({call}, at) => call === 'unsubscribe' && at > 2) &&
    calls.findLast(({volume}) => volume)?.volume === 1, 'as new');
  assert.deepEqual(client.core.speakers, [{uid: 7, name: '', muted: false, volume: 1, mute: false, subscribed: false}]);
});

test('the volume indicator runs while there is anything to tell', async () => {
  const {client} = await inside();
  const real = [globalThis.setInterval, globalThis.clearInterval];
  const running = new Set();
  globalThis.setInterval = () => {
    const timer = {};
    running.add(timer);
    return timer;
  };
  globalThis.clearInterval = (timer) => running.delete(timer);
  try {
    client.enableAudioVolumeIndicator();
    client.enableAudioVolumeIndicator();
    assert.equal(running.size, 1);
    assert.deepEqual(await ends((done, failed) => client.leave(done, failed)), ['done']);
    assert.equal(running.size, 0);
    await ends((done, failed) => client.join(null, 'room', null, done, failed));
    assert.equal(running.size, 1);
  } finally {
    [globalThis.setInterval, globalThis.clearInterval] = real;
  }
});

await runAll();
