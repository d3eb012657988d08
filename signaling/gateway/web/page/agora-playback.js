// SPDX-License-Identifier: LGPL-2.1-or-later
// What comes out of the loudspeaker: one audio element, kept over every reconnect, so that a
// browser's leave to play is asked for once.
import {AgoraError, Codes} from './agora-checks.js';

export class Playback {
  #element;
  #refused;
  #stream = null;

  // `refused()`: the browser plays nothing before the user's click.
  constructor(element, refused) {
    this.#element = element;
    this.#refused = refused;
  }

  #player() {
    if (this.#element === null) {
      this.#element = new Audio();
      // Without it, phones take the screen for what plays.
      this.#element.setAttribute('playsinline', '');
    }
    return this.#element;
  }

  play(stream) {
    this.#stream = stream;
    this.#player().srcObject = stream;
    this.#start().catch(() => {});
  }

  async #start() {
    const stream = this.#stream;
    try {
      await this.#player().play();
    } catch (cause) {
      // Another stream, or the end, came in between.
      if (stream !== this.#stream)
        return;
      if (cause?.name === 'NotAllowedError')
        this.#refused();
      throw new AgoraError(Codes.BAD_ORDER, cause?.name === 'NotAllowedError'
        ? 'the browser plays no sound before a click: call resume() from one'
        : `the browser can't play: ${cause?.message ?? cause}`, {kind: 'order', cause});
    }
  }

  async resume() {
    if (this.#stream !== null)
      await this.#start();
  }

  // Phones stop what plays when a call comes in, and don't go on.
  look() {
    if (this.#stream !== null && this.#element?.paused)
      this.#start().catch(() => {});
  }

  set volume(volume) {
    this.#player().volume = volume;
  }

  async setOutput(deviceId) {
    const player = this.#player();
    if (typeof player.setSinkId !== 'function')
      throw new AgoraError(Codes.BAD_REQUEST, 'this browser lets no page choose the loudspeaker',
          {kind: 'order'});
    try {
      await player.setSinkId(deviceId);
    } catch (cause) {
      throw new AgoraError(Codes.BAD_REQUEST, `the loudspeaker can't be used: ${cause?.message ?? cause}`,
          {kind: 'argument', cause});
    }
  }

  stop() {
    this.#stream = null;
    if (this.#element !== null) {
      this.#element.pause();
      this.#element.srcObject = null;
    }
  }
}
