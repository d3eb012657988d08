// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs in each page before the page's own scripts. It records what the page plays ("heard") and what
// its microphone gives ("said"), as samples at 48000 Hz with the time of each block.
(() => {
  if (window.agoraRig) {
    return;
  }
  const RATE = 48000;
  const BLOCK = 480;
  const PROCESSOR = `
    registerProcessor('rig-tap', class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.block = new Float32Array(${BLOCK});
        this.filled = 0;
      }
      process([input]) {
        const samples = input[0];
        let from = 0;
        while (from < 128) {
          const count = Math.min(128 - from, ${BLOCK} - this.filled);
          if (samples) {
            this.block.set(samples.subarray(from, from + count), this.filled);
          }
          this.filled += count;
          from += count;
          if (this.filled === ${BLOCK}) {
            const end = currentFrame + from;
            this.port.postMessage([end - ${BLOCK}, Date.now(), this.block], [this.block.buffer]);
            this.block = new Float32Array(${BLOCK});
            this.filled = 0;
          }
        }
        return true;
      }
    });`;

  let loaded = null;  // once for both taps: a name can't be registered twice

  class Tap {
    constructor() {
      this.blocks = [];
      this.recording = false;
      this.node = null;
    }

    async input(context) {
      this.node ??= this.make(context);
      return this.node;
    }

    async make(context) {
      const add = (frame, time, block) => {
        if (this.recording) {
          this.blocks.push([frame, time, block]);
        }
      };
      let node;
      try {
        await (loaded ??= context.audioWorklet.addModule(
          URL.createObjectURL(new Blob([PROCESSOR], {type: 'text/javascript'}))));
        node = new AudioWorkletNode(context, 'rig-tap', {
          channelCount: 1, channelCountMode: 'explicit', outputChannelCount: [1]});
        node.port.onmessage = ({data}) => add(...data);
      } catch (error) {
        // The page's Content-Security-Policy keeps worklets of others out.
        console.debug(`rig: no worklet (${error}), using a ScriptProcessorNode`);
        node = context.createScriptProcessor(1024, 1, 1);
        let frame = 0;
        node.onaudioprocess = ({inputBuffer}) => {
          add(frame, Date.now(), inputBuffer.getChannelData(0).slice());
          frame += 1024;
        };
      }
      const mute = new GainNode(context, {gain: 0});
      nativeConnect.call(node, mute);
      nativeConnect.call(mute, context.destination);  // who leads nowhere isn't run
      return node;
    }

    // Takes what was recorded so far: [frames of the blocks, their times, base64 of 16 bit samples].
    take() {
      const blocks = this.blocks;
      this.blocks = [];
      const samples = new Int16Array(blocks.reduce((sum, [, , block]) => sum + block.length, 0));
      let at = 0;
      for (const [, , block] of blocks) {
        for (const value of block) {
          samples[at++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
        }
      }
      const bytes = new Uint8Array(samples.buffer);
      let text = '';
      for (let from = 0; from < bytes.length; from += 32768) {
        text += String.fromCharCode(...bytes.subarray(from, from + 32768));
      }
      return [blocks.map(([frame]) => frame), blocks.map(([, time]) => time),
              blocks.map(([, , block]) => block.length), btoa(text)];
    }
  }

  const NativeContext = window.AudioContext;
  const nativeConnect = AudioNode.prototype.connect;
  const taps = {heard: new Tap(), said: new Tap()};
  let ownContext = null;
  const context = () => ownContext ??= new NativeContext({sampleRate: RATE});

  async function listen(kind, stream, gain = 1) {
    const source = context().createMediaStreamSource(stream);
    const volume = new GainNode(context(), {gain});
    nativeConnect.call(source, volume);
    nativeConnect.call(volume, await taps[kind].input(context()));
    return {volume, end: () => { source.disconnect(); volume.disconnect(); }};
  }

  // Elements, those outside the document too: who gets a stream is listened to as loud as it plays.
  const elements = new Map();
  async function attend(element) {
    const stream = element.srcObject;
    elements.get(element)?.end();
    elements.delete(element);
    if (!(stream instanceof MediaStream)) {
      return;
    }
    if (!stream.getAudioTracks().length) {
      stream.addEventListener('addtrack', () => attend(element), {once: true});
      return;
    }
    const place = {end() { this.ended = true; }};
    elements.set(element, place);
    const loudness = () => element.paused || element.muted ? 0 : element.volume;
    const ear = await listen('heard', stream, loudness());
    if (place.ended) {
      ear.end();
      return;
    }
    place.end = ear.end;
    place.update = () => { ear.volume.gain.value = loudness(); };
    place.update();
  }
  const property = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...property,
    set(stream) {
      property.set.call(this, stream);
      for (const event of ['play', 'playing', 'pause', 'volumechange']) {
        this.addEventListener(event, () => elements.get(this)?.update?.());
      }
      attend(this);
    },
  });

  // Web Audio: whatever the page connects to a loudspeaker goes to the tap, too.
  const outlets = new WeakMap();
  AudioNode.prototype.connect = function connect(target, ...rest) {
    if (target instanceof AudioDestinationNode && target.context !== ownContext) {
      let outlet = outlets.get(target.context);
      if (!outlet) {
        outlet = target.context.createMediaStreamDestination();
        outlets.set(target.context, outlet);
        listen('heard', outlet.stream);
      }
      nativeConnect.call(this, outlet);
    }
    return nativeConnect.call(this, target, ...rest);
  };

  const devices = navigator.mediaDevices;
  if (devices) {
    const nativeGetUserMedia = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      const stream = await nativeGetUserMedia(constraints);
      if (stream.getAudioTracks().length) {
        await listen('said', stream);
      }
      return stream;
    };
  }

  // Each connection, for its statistics and for faults.
  const peers = [];
  const NativePeer = window.RTCPeerConnection;
  if (NativePeer) {
    window.RTCPeerConnection = class RTCPeerConnection extends NativePeer {
      constructor(...args) {
        super(...args);
        this.rigBorn = performance.timeOrigin + performance.now();
        this.addEventListener('connectionstatechange', () => {
          if (this.connectionState === 'connected') {
            this.rigConnected ??= performance.timeOrigin + performance.now();
          }
        });
        peers.push(this);
      }
    };
  }

  window.agoraRig = {
    peers,
    async record() {
      for (const [kind, tap] of Object.entries(taps)) {
        await tap.input(context());
        tap.blocks = [];
        tap.recording = true;
      }
      // Runs soon, or once somebody has touched the page.
      await Promise.race([context().resume(), new Promise((done) => setTimeout(done, 5000))]);
      return context().state;
    },
    take: (kind) => taps[kind].take(),
    stop() {
      for (const tap of Object.values(taps)) {
        tap.recording = false;
        tap.blocks = [];
      }
    },
    async statistics() {
      const all = [];
      for (const peer of peers) {
        all.push({state: peer.connectionState,
                  reports: [...(await peer.getStats()).values()]});
      }
      return all;
    },
  };
})();
