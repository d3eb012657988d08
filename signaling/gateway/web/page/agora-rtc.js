// SPDX-License-Identifier: LGPL-2.1-or-later
// agora-rtc.js: the calls and events of the vendor's Web SDK 2.x, over agora.js. A page written for
// that SDK loads this in its place, and names the gateway:
//   <script src="https://gateway.example/web/agora-rtc.js" data-gateway="https://gateway.example/"></script>
// Voice alone: what needs video, screens or the vendor's cloud fails as that SDK says failures.
// docs/sdk-map.md has the table. Works as a classic script and as a module.
(() => {
  'use strict';

  const script = typeof document === 'undefined' ? null : document.currentScript;
  // A classic script of another origin has no URL of its own for import().
  const at = (name) => script?.src ? new URL(name, script.src).href : `./${name}`;
  let server = script?.dataset.gateway;
  let loading = null;
  const load = () => loading ??= Promise.all([import(at('agora.js')), import(at('agora-microphone.js'))])
    .then(([agora, microphone]) => ({...agora, ...microphone}));

  const VOLUMES_EVERY = 2000;
  const LEVELS = ['debug', 'info', 'warn', 'error'];
  let logLevel = 1;

  function log(level, ...words) {
    if (LEVELS.indexOf(level) >= logLevel)
      console[level]('AgoraRTC:', ...words);
  }

  // The names by which the SDK's documents know a failure.
  const NAMES = {
    101: 'ERR_INVALID_VENDOR_KEY', 109: 'ERR_DYNAMIC_KEY_TIMEOUT', 110: 'ERR_NO_AUTHORIZED',
    119: 'ERR_STATIC_USE_DYNAMIC_KEY', 120: 'ERR_DYNAMIC_USE_STATIC_KEY', 429: 'JOIN_TOO_FREQUENT',
    431: 'ERR_INVALID_UID', 432: 'NO_SUCH_REMOTE_STREAM', 433: 'K_CHANNEL_PERMISSION_INVALID',
    434: 'INVALID_OPERATION', 501: 'K_SERVICE_NOT_READY', 502: 'K_SERVICE_TOO_HEAVY', 503: 'K_SERVICE_NOT_READY',
    903: 'ERR_JOIN_CHANNEL_TIMEOUT', 905: 'K_SERVICE_NOT_READY', 1005: 'NOT_SUPPORTED',
  };
  const STREAM_NAMES = {
    NotAllowedError: 'NotAllowedError', SecurityError: 'PERMISSION_DENIED', NotFoundError: 'DEVICES_NOT_FOUND',
    OverconstrainedError: 'DEVICES_NOT_FOUND', NotReadableError: 'MEDIA_OPTION_INVALID',
  };

  function nameOf(error) {
    if (typeof error === 'string')
      return error;
    if (error?.kind === 'order')
      return 'INVALID_OPERATION';
    if (error?.kind === 'argument')
      return /^channel /.test(error.reason) ? 'ERR_INVALID_CHANNEL_NAME'
        : error.code === 431 ? 'ERR_INVALID_UID' : 'INVALID_PARAMETER';
    return NAMES[error?.code] ?? 'ERR_FAILED';
  }

  const call = (callback, ...values) => {
    if (typeof callback === 'function')
      callback(...values);
  };

  // Runs `work`, then the one or the other callback. What the page's callbacks throw is the page's.
  function settle(work, done, failed, name) {
    work.then((value) => [done, value], (error) => {
      log('error', name ?? nameOf(error), error.reason ?? error);
      return [failed, name ?? nameOf(error)];
    }).then(([callback, value]) => call(callback, value));
  }

  class Emitter {
    #listeners = new Map();

    on(event, listener) {
      if (!this.#listeners.has(event))
        this.#listeners.set(event, []);
      this.#listeners.get(event).push(listener);
    }

    off(event, listener) {
      this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((each) => each !== listener));
    }

    emit(event, data = {}) {
      for (const listener of [...this.#listeners.get(event) ?? []]) {
        try {
          listener({type: event, ...data});
        } catch (error) {
          (globalThis.reportError ?? console.error)(error);
        }
      }
    }
  }

  const linear = (db) => db === undefined || db <= -100 ? 0 : Math.min(1, 10 ** (db / 20));
  const NONE = 'no counterpart here: this gateway carries voice alone';

  // Also those methods of a stream that the gateway has nothing for.
  class Stream extends Emitter {
    playing = false;
    muted = false;
    player = null;

    constructor(id) {
      super();
      this.id = id;
    }

    getId() {
      return this.id;
    }

    isPlaying() {
      return this.playing;
    }

    hasAudio() {
      return true;
    }

    hasVideo() {
      return false;
    }

    // A place in the page, as the SDK makes one: pages style and count them.
    show(element) {
      const holder = typeof element === 'string' ? document.getElementById(element) : element;
      this.player?.remove();
      this.player = document.createElement('div');
      this.player.id = `player_${this.id}`;
      holder?.append(this.player);
      this.playing = true;
    }

    hide() {
      this.player?.remove();
      this.player = null;
      this.playing = false;
    }

    getVideoTrack() {}
    muteVideo() { return false; }
    unmuteVideo() { return false; }
    enableVideo() { return false; }
    disableVideo() { return false; }
    enableAudio() { return this.unmuteAudio(); }
    disableAudio() { return this.muteAudio(); }
    setAudioProfile() {}
    setVideoProfile() {}
    setVideoEncoderConfiguration() {}
    setScreenProfile() {}
    getAudioMixingDuration() {}
    getAudioMixingCurrentPosition() {}
    adjustAudioMixingVolume() {}
    getEffectsVolume() { return []; }
  }

  // What ends with a callback fails by it.
  for (const name of ['startAudioMixing', 'stopAudioMixing', 'pauseAudioMixing', 'resumeAudioMixing',
    'setAudioMixingPosition', 'playEffect', 'stopEffect', 'pauseEffect', 'resumeEffect', 'setVolumeOfEffect',
    'preloadEffect', 'unloadEffect', 'setEffectsVolume', 'stopAllEffects', 'pauseAllEffects', 'resumeAllEffects'])
    Stream.prototype[name] = function (...values) {
      log('warn', `${name}: ${NONE}`);
      settle(Promise.reject('NOT_SUPPORTED'), null, values.findLast((each) => typeof each === 'function'));
    };

  class LocalStream extends Stream {
    microphone = null;
    client = null;
    closed = false;

    constructor(spec) {
      super(spec.streamID);
      this.spec = spec;
    }

    init(onSuccess, onFailure) {
      const open = async () => {
        const {Microphone} = await load();
        const {spec} = this;
        if (spec.video || spec.screen || spec.videoSource)
          throw {type: 'error', msg: 'NOT_SUPPORTED', info: `video: ${NONE}`};
        if (!spec.audio && !spec.audioSource)
          throw {type: 'error', msg: 'MEDIA_OPTION_INVALID', info: 'a stream without audio'};
        this.microphone = new Microphone((track) => this.#changed(track));
        this.microphone.muted = this.muted;
        if (spec.audioSource) {
          this.microphone.use(spec.audioSource);
          return;
        }
        const {AEC = true, AGC = true, ANS = true} = spec.audioProcessing ?? {};
        await this.microphone.set({deviceId: spec.microphoneId ?? '', echoCancellation: AEC,
          autoGainControl: AGC, noiseSuppression: ANS});
        try {
          await this.microphone.open();
        } catch (error) {
          this.microphone = null;
          const msg = STREAM_NAMES[error.cause?.name] ?? (error.code === 1004 ? 'NOT_SUPPORTED' : 'UNDEFINED');
          if (msg === 'NotAllowedError')
            this.emit('accessDenied');
          throw {type: 'error', msg, info: error.reason};
        }
        this.emit('accessAllowed');
      };
      open().then(() => call(onSuccess), (error) => {
        log('error', 'stream.init', error.msg ?? error, error.info);
        call(onFailure, error.msg ? error : {type: 'error', msg: 'UNDEFINED', info: String(error)});
      });
    }

    #changed(track) {
      if (track === null)
        this.emit('audioTrackEnded');
      else if (this.client)
        this.client.replaceTrack(track);
    }

    // One's own voice is shown, not played.
    play(element, option, callback) {
      this.show(element);
      call(typeof option === 'function' ? option : callback, null);
    }

    stop() {
      this.hide();
    }

    async resume() {}

    close() {
      this.closed = true;
      this.hide();
      this.microphone?.close();
      this.microphone = null;
    }

    muteAudio() {
      return this.#mute(true);
    }

    unmuteAudio() {
      return this.#mute(false);
    }

    #mute(muted) {
      if (this.microphone === null || this.muted === muted)
        return false;
      this.muted = muted;
      this.microphone.muted = muted;
      this.client?.muteLocal(muted);
      return true;
    }

    getAudioTrack() {
      return this.microphone?.track ?? undefined;
    }

    getAudioLevel() {
      return this.microphone ? linear(this.microphone.level()) : 0;
    }

    setAudioVolume() {}

    setAudioOutput(deviceId, onSuccess, onFailure) {
      settle(Promise.reject('INVALID_OPERATION'), onSuccess, onFailure);
    }

    switchDevice(type, deviceId, onSuccess, onFailure) {
      settle(type !== 'audio' ? Promise.reject('NOT_SUPPORTED')
        : this.microphone === null ? Promise.reject('STREAM_NOT_INITED')
          : this.microphone.set({deviceId}), () => call(onSuccess), onFailure);
    }

    replaceTrack(track, onSuccess, onFailure) {
      const work = async () => {
        if (track?.kind !== 'audio')
          throw 'NOT_SUPPORTED';
        if (this.microphone === null)
          throw 'STREAM_NOT_INITED';
        this.microphone.use(track);
      };
      settle(work(), () => call(onSuccess), onFailure);
    }

    addTrack(track) {
      this.replaceTrack(track);
    }

    removeTrack(track) {
      if (track?.kind === 'audio')
        this.muteAudio();
    }

    getStats(callback) {
      settle(this.client ? this.client.localStats() : Promise.resolve({}), callback, callback);
    }
  }

  class RemoteStream extends Stream {
    subscribed = false;

    constructor(id, client) {
      super(id);
      this.client = client;
    }

    init(onSuccess, onFailure) {
      settle(Promise.reject({type: 'error', msg: 'INVALID_OPERATION', info: 'a stream of another'}), onSuccess,
        onFailure);
    }

    play(element, option, callback) {
      this.show(element);
      if (option?.muted)
        this.muteAudio();
      const done = typeof option === 'function' ? option : callback;
      this.client.hear(this).then(() => call(done, null), (error) => {
        log('warn', 'stream.play', error.reason ?? error);
        call(done, {status: 'aborted', reason: error.cause?.name ?? nameOf(error), isErrorState: true});
      });
    }

    stop() {
      this.hide();
      this.client.hear(this).catch(() => {});
    }

    close() {
      this.stop();
    }

    resume() {
      return this.client.core.resume();
    }

    muteAudio() {
      return this.#mute(true);
    }

    unmuteAudio() {
      return this.#mute(false);
    }

    #mute(muted) {
      if (this.muted === muted)
        return false;
      this.muted = muted;
      this.client.tellSpeaker((core) => muted ? core.mute(this.id) : core.unmute(this.id));
      return true;
    }

    // All speakers come in one track, mixed: none has its own.
    getAudioTrack() {}

    getAudioLevel() {
      return this.playing ? linear(this.client.levels[this.id]) : 0;
    }

    setAudioVolume(volume) {
      if (!(volume >= 0 && volume <= 100))
        throw new Error('INVALID_PARAMETER: setAudioVolume: expected 0 to 100');
      this.client.tellSpeaker((core) => core.setSpeakerVolume(this.id, volume / 100));
    }

    setAudioOutput(deviceId, onSuccess, onFailure) {
      settle(this.client.core.setOutput(deviceId), () => call(onSuccess), onFailure);
    }

    switchDevice(type, deviceId, onSuccess, onFailure) {
      settle(Promise.reject('INVALID_OPERATION'), onSuccess, onFailure);
    }

    replaceTrack(track, onSuccess, onFailure) {
      settle(Promise.reject('INVALID_OPERATION'), onSuccess, onFailure);
    }

    addTrack() {}
    removeTrack() {}

    getStats(callback) {
      settle(this.client.remoteStats(), callback, callback);
    }
  }

  const STATES = {new: 'DISCONNECTED', ready: 'DISCONNECTED', joining: 'CONNECTING',
    reconnecting: 'CONNECTING', joined: 'CONNECTED', destroyed: 'DISCONNECTED'};

  class Client extends Emitter {
    core = null;
    levels = {};
    #config;
    #queue = Promise.resolve();
    #state = 'DISCONNECTED';
    #uid = null;
    #streams = new Map();
    #local = null;
    #encryption = false;
    #indicates = false;
    #volumes = null;
    #loudest = null;
    #since = 0;
    #devices = null;
    #iceServers = null;
    #comingBack = false;

    constructor(config) {
      super();
      this.#config = config;
      if (config.turnServer)
        this.setTurnServer(config.turnServer);
    }

    // One after the other, as the page called them.
    #then(work, done, failed, name) {
      const turn = this.#queue.then(work);
      this.#queue = turn.catch(() => {});
      settle(turn, done, failed, name);
    }

    init(appId, onSuccess, onFailure) {
      this.#then(async () => {
        if (this.core === null) {
          const {Client: Core} = await load();
          this.core = new Core({...(server ? {server} : {}), autoSubscribe: false, iceServers: this.#iceServers});
          this.#listen();
        }
        await this.core.init(appId);
      }, () => call(onSuccess), onFailure);
    }

    join(token, channel, uid, ...rest) {
      // 3.x has an optional text before the callbacks.
      const [onSuccess, onFailure] = rest.filter((each) => typeof each !== 'string');
      this.#then(async () => {
        if (this.core === null || this.core.state !== 'ready')
          throw 'INVALID_OPERATION';
        if (this.#encryption) {
          this.emit('crypt-error', {cryptType: 'unsupported'});
          throw 'NOT_SUPPORTED';
        }
        if (this.#config.mode === 'rtc')
          await this.core.setRole('broadcaster');
        const own = await this.core.join(token, channel, uid);
        this.#uid = typeof uid === 'string' && uid !== '' ? uid : own;
        this.#since = Date.now();
        return this.#uid;
      }, onSuccess, onFailure);
    }

    leave(onSuccess, onFailure) {
      this.#then(async () => {
        if (this.core === null || !['joined', 'reconnecting'].includes(this.core.state))
          throw 'INVALID_OPERATION';
        this.#become('DISCONNECTING');
        await this.core.leave();
        this.#become('DISCONNECTED');
      }, () => call(onSuccess), onFailure);
    }

    publish(stream, onFailure) {
      this.#then(async () => {
        if (!(stream instanceof LocalStream) || stream.closed)
          throw 'INVALID_LOCAL_STREAM';
        if (stream.microphone === null)
          throw 'STREAM_NOT_INITED';
        if (!this.#inside())
          throw 'INVALID_OPERATION';
        if (this.#local !== null)
          throw 'STREAM_ALREADY_PUBLISHED';
        const before = this.core.role;
        try {
          if (stream.muted !== this.core.muted)
            await (stream.muted ? this.core.muteLocal() : this.core.unmuteLocal());
          await this.#setRole('broadcaster');
          this.#local = stream;
          stream.client = this;
          await this.core.publish({track: stream.microphone.track});
        } catch (error) {
          this.#local = null;
          stream.client = null;
          if (before === 'audience' && this.#inside())
            await this.#setRole(before).catch(() => {});
          log('error', 'publish', error.reason ?? error);
          throw error.code === 433 ? nameOf(error) : error.kind === 'network' ? 'PEERCONNECTION_FAILED'
            : 'PUBLISH_STREAM_FAILED';
        }
        stream.id ??= this.#uid;
        this.emit('stream-published', {stream});
      }, null, onFailure);
    }

    unpublish(stream, onFailure) {
      this.#then(async () => {
        if (!(stream instanceof LocalStream))
          throw 'INVALID_LOCAL_STREAM';
        if (this.#local !== stream)
          throw 'STREAM_NOT_YET_PUBLISHED';
        await this.core.unpublish();
        if (this.#config.mode === 'live')
          await this.#setRole('audience');
      }, null, onFailure);
    }

    subscribe(stream, options, onFailure) {
      const failed = typeof options === 'function' ? options : onFailure;
      this.#then(async () => {
        if (!(stream instanceof RemoteStream) || stream.client !== this)
          throw 'INVALID_REMOTE_STREAM';
        if (!this.#inside())
          throw 'INVALID_OPERATION';
        if (this.#streams.get(stream.id) !== stream)
          throw 'NO_SUCH_REMOTE_STREAM';
        stream.subscribed = options?.audio !== false;
        await this.hear(stream);
        this.emit('stream-subscribed', {stream});
      }, null, failed);
    }

    unsubscribe(stream, onFailure) {
      this.#then(async () => {
        if (!(stream instanceof RemoteStream))
          throw 'INVALID_REMOTE_STREAM';
        if (this.#streams.get(stream.id) !== stream || !stream.subscribed)
          throw 'NO_SUCH_REMOTE_STREAM';
        stream.subscribed = false;
        await this.hear(stream);
      }, null, onFailure);
    }

    setClientRole(role, callback) {
      this.#then(async () => {
        if (role !== 'host' && role !== 'audience')
          throw 'INVALID_PARAMETER';
        if (this.core === null)
          throw 'INVALID_OPERATION';
        if (this.#config.mode === 'live')
          await this.#setRole(role === 'host' ? 'broadcaster' : 'audience');
      }, () => call(callback, null), callback);
    }

    async #setRole(role) {
      if (this.core.role === role)
        return;
      await this.core.setRole(role);
      this.emit('client-role-changed', {role: role === 'broadcaster' ? 'host' : 'audience'});
    }

    renewToken(token, onSuccess, onFailure) {
      this.#then(async () => {
        if (!this.#inside())
          throw 'INVALID_OPERATION';
        await this.core.renewToken(token);
      }, () => call(onSuccess), onFailure);
    }

    renewChannelKey(key, onSuccess, onFailure) {
      this.renewToken(key, onSuccess, onFailure);
    }

    getConnectionState() {
      return this.#state;
    }

    enableAudioVolumeIndicator() {
      this.#indicates = true;
      this.#runVolumes();
    }

    // While there is anything to tell: a timer would keep the client for ever.
    #runVolumes() {
      const runs = this.#indicates && this.#state === 'CONNECTED';
      if (runs)
        this.#volumes ??= setInterval(() => this.#tellVolumes(), VOLUMES_EVERY);
      else
        clearInterval(this.#volumes), this.#volumes = null;
    }

    // A stream is heard while it is subscribed and played.
    async hear(stream) {
      if (!this.#inside() || this.#streams.get(stream.id) !== stream)
        return;
      const wanted = stream.subscribed && stream.playing;
      await (wanted ? this.core.subscribe(stream.id) : this.core.unsubscribe(stream.id));
      if (wanted)
        await this.core.resume();
    }

    tellSpeaker(run) {
      if (this.#inside())
        run(this.core).catch((error) => log('warn', nameOf(error), error.reason ?? error));
    }

    muteLocal(muted) {
      (muted ? this.core.muteLocal() : this.core.unmuteLocal()).catch((error) =>
        log('warn', nameOf(error), error.reason ?? error));
    }

    replaceTrack(track) {
      if (this.core.published)
        this.core.replaceTrack(track);
    }

    #inside() {
      return this.core !== null && (this.core.state === 'joined' || this.core.state === 'reconnecting');
    }

    #become(state) {
      const prevState = this.#state;
      if (prevState === state || prevState === 'DISCONNECTING' && state !== 'DISCONNECTED')
        return;
      this.#state = state;
      this.#runVolumes();
      this.emit('connection-state-change', {prevState, curState: state});
      if (state === 'DISCONNECTED')
        this.#forget();
    }

    // Outside the channel nothing of it is left.
    #forget() {
      this.#streams.forEach((stream) => stream.hide());
      this.#streams.clear();
      this.levels = {};
      this.#dropLocal();
    }

    #dropLocal() {
      const stream = this.#local;
      this.#local = null;
      if (stream)
        stream.client = null;
      return stream;
    }

    #listen() {
      const {core} = this;
      core.on('state-change', ({state}) => this.#become(STATES[state]));
      core.on('stream-added', ({uid}) => {
        const stream = new RemoteStream(uid, this);
        this.#streams.set(uid, stream);
        // Whoever comes again is new to the page: what it wanted of the old one holds no more.
        const {subscribed, mute, volume} = core.speakers.find((each) => each.uid === uid) ?? {};
        if (subscribed)
          this.tellSpeaker(() => core.unsubscribe(uid));
        if (mute)
          this.tellSpeaker(() => core.unmute(uid));
        if (volume !== undefined && volume !== 1)
          this.tellSpeaker(() => core.setSpeakerVolume(uid, 1));
        this.emit('peer-online', {uid});
        this.emit('stream-added', {stream});
      });
      core.on('stream-removed', ({uid}) => {
        const stream = this.#streams.get(uid);
        if (!stream)
          return;
        this.#streams.delete(uid);
        delete this.levels[uid];
        stream.hide();
        this.emit('stream-removed', {stream});
        this.emit('peer-leave', {uid, stream, reason: 'Quit'});
      });
      for (const name of ['mute-audio', 'unmute-audio'])
        core.on(name, ({uid}) => this.emit(name, {uid}));
      core.on('levels', (levels) => { this.levels = levels; });
      core.on('token-privilege-will-expire', () => this.emit('onTokenPrivilegeWillExpire'));
      core.on('token-privilege-did-expire', () => this.emit('onTokenPrivilegeDidExpire'));
      core.on('client-banned', () => this.emit('client-banned', {uid: this.#uid, attr: 'UID_BANNED'}));
      core.on('error', (error) => this.emit('error', {reason: nameOf(error), code: error.code, info: error.reason}));
      core.on('reconnecting', () => {
        this.emit('reconnect');
        this.#comingBack = this.#local !== null;
        if (this.#comingBack)
          this.emit('stream-reconnect-start', {uid: this.#uid});
      });
      core.on('published', () => {
        if (this.#comingBack)
          this.emit('stream-reconnect-end', {uid: this.#uid, success: true, reason: ''});
        this.#comingBack = false;
      });
      core.on('unpublished', () => {
        const stream = this.#dropLocal();
        if (stream)
          this.emit('stream-unpublished', {stream});
        if (this.#comingBack)
          this.emit('stream-reconnect-end', {uid: this.#uid, success: false, reason: 'PUBLISH_STREAM_FAILED'});
        this.#comingBack = false;
      });
      core.on('devices-changed', () => this.#tellDevices());
      load().then(({getMicrophones, getOutputs}) => Promise.all([getMicrophones(), getOutputs()]))
        .then((lists) => { this.#devices = lists; }, () => {});
    }

    #tellVolumes() {
      const attr = [...this.#streams.keys()].map((uid) =>
        ({uid, level: Math.round(100 * linear(this.levels[uid]))}));
      this.emit('volume-indicator', {attr});
      const loudest = attr.reduce((most, each) => each.level > (most?.level ?? 5) ? each : most, null);
      if (loudest && loudest.uid !== this.#loudest) {
        this.#loudest = loudest.uid;
        this.emit('active-speaker', {uid: loudest.uid});
      }
    }

    async #tellDevices() {
      const {getMicrophones, getOutputs} = await load();
      const before = this.#devices ?? [[], []];
      this.#devices = await Promise.all([getMicrophones(), getOutputs()]);
      for (const [at, event] of ['recording-device-changed', 'playout-device-changed'].entries()) {
        const [old, now] = [before[at], this.#devices[at]];
        const without = (list, other) => list.filter(({deviceId}) => !other.some((each) => each.deviceId === deviceId));
        without(now, old).forEach((device) => this.emit(event, {state: 'ADDED', device}));
        without(old, now).forEach((device) => this.emit(event, {state: 'REMOVED', device}));
      }
    }

    async #report() {
      if (!this.#inside())
        return {hear: {}, speak: {}};
      const {hear, speak} = await this.core.stats();
      const find = (list, type) => list.find((each) => each.type === type && (each.kind ?? 'audio') === 'audio') ?? {};
      const pair = (list) => list.find((each) => each.type === 'candidate-pair' && each.nominated) ?? {};
      return {hear: find(hear, 'inbound-rtp'), speak: find(speak, 'outbound-rtp'),
        far: find(speak, 'remote-inbound-rtp'), pair: pair(hear), upPair: pair(speak)};
    }

    async localStats() {
      const {speak = {}, far = {}} = await this.#report();
      return {audioSendBytes: `${speak.bytesSent ?? 0}`, audioSendPackets: `${speak.packetsSent ?? 0}`,
        audioSendPacketsLost: `${far.packetsLost ?? 0}`, accessDelay: `${Math.round((far.roundTripTime ?? 0) * 1000)}`};
    }

    // Of the mix that this page hears: speakers don't come one by one.
    async remoteStats() {
      const {hear = {}, pair = {}} = await this.#report();
      const delay = hear.jitterBufferEmittedCount ? 1000 * hear.jitterBufferDelay / hear.jitterBufferEmittedCount : 0;
      return {audioReceiveBytes: `${hear.bytesReceived ?? 0}`, audioReceivePackets: `${hear.packetsReceived ?? 0}`,
        audioReceivePacketsLost: `${hear.packetsLost ?? 0}`, audioReceiveDelay: `${Math.round(delay)}`,
        accessDelay: `${Math.round((pair.currentRoundTripTime ?? 0) * 1000)}`, endToEndDelay: `${Math.round(delay)}`};
    }

    getRemoteAudioStats(callback) {
      settle(this.remoteStats().then((stats) => Object.fromEntries([...this.#streams].map(([uid, stream]) =>
        [uid, {CodecType: 'OPUS', RecvLevel: `${Math.round(32767 * stream.getAudioLevel())}`,
          MuteState: this.core.speakers.find((each) => each.uid === uid)?.muted ? '1' : '0',
          End2EndDelay: stats.endToEndDelay, TransportDelay: stats.accessDelay}]))), callback, null);
    }

    getLocalAudioStats(callback) {
      const stream = this.#local;
      call(callback, stream === null ? {} : {[this.#uid]: {CodecType: 'OPUS', SamplingRate: '48000',
        RecordingLevel: `${Math.round(32767 * stream.getAudioLevel())}`, MuteState: stream.muted ? '1' : '0'}});
    }

    getTransportStats(callback) {
      settle(this.#report().then(({pair = {}, upPair = {}}) => ({
        RTT: `${Math.round((pair.currentRoundTripTime ?? 0) * 1000)}`,
        OutgoingAvailableBandwidth: `${(upPair.availableOutgoingBitrate ?? 0) / 1000}`,
        NetworkType: navigator.connection?.type ?? 'UNSUPPORTED'})), callback, null);
    }

    getSessionStats(callback) {
      settle(this.#report().then(({hear = {}, speak = {}}) => ({
        Duration: `${this.#inside() ? Math.round((Date.now() - this.#since) / 1000) : 0}`,
        UserCount: `${this.#streams.size + 1}`, SendBytes: `${speak.bytesSent ?? 0}`,
        RecvBytes: `${hear.bytesReceived ?? 0}`})), callback, null);
    }

    getNetworkStats(callback) {
      call(callback, {NetworkType: navigator.connection?.type ?? 'UNSUPPORTED'});
    }

    getSystemStats(callback) {
      settle(Promise.resolve(navigator.getBattery?.()).then((battery) =>
        ({BatteryLevel: battery ? `${Math.round(battery.level * 100)}` : 'UNSUPPORTED'})), callback, null);
    }

    getRecordingDevices(callback, onFailure) {
      settle(load().then(({getMicrophones}) => getMicrophones()), callback, onFailure);
    }

    getPlayoutDevices(callback, onFailure) {
      settle(load().then(({getOutputs}) => getOutputs()), callback, onFailure);
    }

    getCameras(callback) {
      call(callback, []);
    }

    getLocalVideoStats(callback) {
      call(callback, {});
    }

    getRemoteVideoStats(callback) {
      call(callback, {});
    }

    // Before init: the gateway's own servers are not used then.
    setTurnServer(turnServer) {
      this.#iceServers = [turnServer].flat().flatMap(({turnServerURL, username, password, udpport, tcpport}) =>
        [[udpport, 'udp'], [tcpport, 'tcp']].filter(([port]) => port).map(([port, transport]) =>
          ({urls: `turn:${turnServerURL}:${port}?transport=${transport}`, username, credential: password})));
    }

    setProxyServer() { log('warn', `setProxyServer: ${NONE}`); }
    startProxyServer() { log('warn', `startProxyServer: ${NONE}`); }
    stopProxyServer() {}

    // Sound is encrypted to the gateway, not beyond: a page that wants more is not let in.
    setEncryptionSecret(secret) { this.#encryption = Boolean(secret); }
    setEncryptionMode() {}

    enableDualStream(onSuccess, onFailure) {
      settle(Promise.reject('ENABLE_DUALSTREAM_FAILED'), onSuccess, onFailure);
    }

    disableDualStream(onSuccess, onFailure) {
      settle(Promise.reject('DISABLE_DUALSTREAM_FAILED'), onSuccess, onFailure);
    }

    setLowStreamParameter() {}
    setRemoteVideoStreamType() {}
    setStreamFallbackOption() {}
    configPublisher() { log('warn', `configPublisher: ${NONE}`); }
    setLiveTranscoding() { log('warn', `setLiveTranscoding: ${NONE}`); }

    startLiveStreaming(url) {
      log('warn', `startLiveStreaming: ${NONE}`);
      queueMicrotask(() => this.emit('liveStreamingFailed', {url, reason: 'NOT_SUPPORTED'}));
    }

    stopLiveStreaming(url) {
      queueMicrotask(() => this.emit('liveStreamingStopped', {url, reason: 'NOT_SUPPORTED'}));
    }

    addInjectStreamUrl(url) {
      log('warn', `addInjectStreamUrl: ${NONE}`);
      queueMicrotask(() => this.emit('streamInjectedStatus', {url, uid: 0, status: 'failed', reason: 'NOT_SUPPORTED'}));
    }

    removeInjectStreamUrl() {}

    startChannelMediaRelay(configuration, callback) {
      call(callback, {code: 'NOT_SUPPORTED', message: NONE});
    }

    updateChannelMediaRelay(configuration, callback) {
      call(callback, {code: 'NOT_SUPPORTED', message: NONE});
    }

    stopChannelMediaRelay(callback) {
      call(callback, {code: 'NOT_SUPPORTED', message: NONE});
    }
  }

  const AgoraRTC = {
    // Of the SDK whose calls these are.
    VERSION: '2.9.0',

    // Ours: where the gateway is. Default: data-gateway of the script, else where the script came from.
    setServer(url) {
      server = url;
    },

    createClient(config) {
      if (config?.mode !== 'live' && config?.mode !== 'rtc')
        throw new Error('INVALID_PARAMETER: createClient: expected mode "live" or "rtc"');
      return new Client(config);
    },

    createStream(spec) {
      if (typeof spec !== 'object' || spec === null)
        throw new Error('INVALID_PARAMETER: createStream: expected what the stream has');
      return new LocalStream(spec);
    },

    checkSystemRequirements() {
      return typeof RTCPeerConnection !== 'undefined' && Boolean(navigator.mediaDevices?.getUserMedia);
    },

    async getSupportedCodec() {
      return {video: [], audio: ['OPUS']};
    },

    getDevices(onSuccess, onFailure) {
      settle(navigator.mediaDevices?.enumerateDevices
        ? navigator.mediaDevices.enumerateDevices() : Promise.reject('NOT_SUPPORTED'), onSuccess, onFailure);
    },

    getScreenSources(onSuccess, onFailure) {
      settle(Promise.reject('NOT_SUPPORTED'), onSuccess, onFailure);
    },

    Logger: {
      DEBUG: 0, INFO: 1, WARNING: 2, ERROR: 3, NONE: 4,
      setLogLevel(level) {
        logLevel = level;
      },
      enableLogUpload() {},
      disableLogUpload() {},
    },
  };
  globalThis.AgoraRTC = AgoraRTC;
})();
