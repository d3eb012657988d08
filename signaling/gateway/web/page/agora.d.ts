// SPDX-License-Identifier: LGPL-2.1-or-later
// Types of agora.js. docs/web.md has the table of calls, docs/sdk-map.md what each is in the SDK.

/** Numbers that an AgoraError carries: the gateway's own, and from 1001 on what a page alone meets. */
export declare const Codes: Readonly<{
  INVALID_APP: 101;
  TOKEN_EXPIRED: 109;
  TOKEN_INVALID: 110;
  TOKEN_UNEXPECTED: 119;
  TOKEN_MISSING: 120;
  BAD_REQUEST: 401;
  TOO_MANY: 429;
  BAD_ORDER: 430;
  BAD_ROLE_OR_UID: 431;
  NOT_PUBLISHING: 432;
  NOT_PERMITTED: 433;
  NOT_JOINED: 434;
  INTERNAL: 500;
  SERVICE_LOST: 501;
  OVERLOADED: 502;
  DRAINING: 503;
  TIMEOUT: 903;
  CONNECTION_LOST: 904;
  UNREACHABLE: 905;
  MICROPHONE_REFUSED: 1001;
  NO_MICROPHONE: 1002;
  MICROPHONE_FAILED: 1003;
  INSECURE_PAGE: 1004;
  NO_WEBRTC: 1005;
}>;

/** The level of silence, in dBFS. */
export declare const SILENCE: -100;

export declare class AgoraError extends Error {
  readonly code: number;
  readonly reason: string;
  /** Where it arose. `argument` and `order`: refused here, nothing was sent. */
  readonly kind: 'argument' | 'order' | 'gateway' | 'network' | 'microphone';
  /** Seconds that the gateway asks to wait; 0: it named none. */
  readonly retryAfter: number;
  /** The same call would fail again in the same way. */
  readonly final: boolean;
}

export type Role = 'broadcaster' | 'audience';
export type Target = 'audio' | 'video' | 'all';
/**
 * new: before init. ready: in no channel. reconnecting: the channel is lost, and the client comes
 * back by itself. destroyed: of no more use.
 */
export type State = 'new' | 'ready' | 'joining' | 'joined' | 'reconnecting' | 'destroyed';

export interface Options {
  /** The gateway, http:// or https://. Default: the one that the module came from. */
  server?: string;
  /** How far what is heard lies behind, in ms, 0 to 10000. 0, the default: by the network, from 60. */
  latency?: number;
  /** STUN and TURN servers. Default: those that the gateway names. */
  iceServers?: RTCIceServer[] | null;
  /** What plays; default: an element of the client's own, in no document. */
  audioElement?: HTMLAudioElement | null;
  /** true, the default: everybody is heard. false: nobody but those that were subscribed. */
  autoSubscribe?: boolean;
}

export interface MicrophoneSettings {
  /** As getMicrophones() has it; '' is the system's own. */
  deviceId: string;
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
}

export interface Device {
  deviceId: string;
  /** Empty until the user has allowed a microphone. */
  label: string;
  groupId: string;
}

export interface JoinOptions {
  /**
   * This member's name, for people: at most 64 characters, none of them a control character. Those who hear it are
   * told (`member-named`); where the gateway shows an app's members, so is everybody in the channel who asks, also of
   * one who only listens. The operator sees it; nobody vouches for it.
   */
  name?: string | null;
}

/** One who is on air. */
export interface Speaker {
  uid: number;
  /** By its own word; empty: it has none. */
  name: string;
  /** By itself. */
  muted: boolean;
  /** The rest is this page's own wish. */
  volume: number;
  mute: boolean;
  subscribed: boolean;
}

/** Somebody in the channel, on air or not. */
export interface Member {
  uid: number;
  /** By its own word; nobody vouches for it. Empty: it has none. */
  name: string;
}

export interface Failure {
  code: number;
  reason: string;
}

export interface Events {
  'state-change': {state: State; previous: State; reason: string};
  'stream-added': {uid: number};
  'stream-removed': {uid: number};
  /** A speaker has a name: before its `stream-added`, and when it comes back with another one; empty: with none. */
  'member-named': {uid: number; name: string};
  /** Words of a member, from sendData or the elements' send-data. Whoever it is may never be on air. */
  'data': {uid: number; text: string};
  /** After getMembers: a member has come, or has another name than it had (empty: none); one has gone. */
  'member-joined': Member;
  'member-left': {uid: number};
  'mute-audio': {uid: number};
  'unmute-audio': {uid: number};
  /** By uid, in dBFS, about 10 times a second while somebody is heard. */
  'levels': Record<string, number>;
  /** Somebody is on air, nobody is. */
  'active': object;
  'inactive': object;
  /** This member is on air: after publish, and each time that it has come back. */
  'published': object;
  /** It isn't any more: by unpublish or setRole, or since coming back to it was refused. */
  'unpublished': object;
  /** The operator keeps this member off the air, and lets it on again. */
  'silenced': object;
  'unsilenced': object;
  'token-privilege-will-expire': object;
  'token-privilege-did-expire': object;
  'client-banned': {uid: number};
  'reconnecting': Failure;
  'reconnected': object;
  /** A failure that no call caused. */
  'error': Failure;
  /** The membership is over and won't come back: replaced, banned, token expired, … */
  'ended': Failure;
  /** Nothing plays before a click: call resume() from one. */
  'autoplay-refused': object;
  'microphone-changed': MicrophoneSettings & {label: string};
  'microphone-lost': Failure;
  'devices-changed': object;
}

export declare class Client {
  constructor(options?: Options);

  readonly state: State;
  /** Of this member; 0 before it is known. */
  readonly uid: number;
  readonly role: Role;
  /** The own microphone. */
  readonly muted: boolean;
  /** On air, or coming back to it. */
  readonly published: boolean;
  readonly speakers: Speaker[];
  /** Once getMembers() has asked. */
  readonly members: Member[];
  readonly microphone: MicrophoneSettings;

  on<Name extends keyof Events>(event: Name, listener: (data: Events[Name]) => void): this;
  /** Without a listener: all of that event. */
  off<Name extends keyof Events>(event: Name, listener?: (data: Events[Name]) => void): this;

  init(appId: string): Promise<void>;
  /** Before join, and in the channel. A broadcaster that becomes audience is unpublished. */
  setRole(role: Role): Promise<void>;
  /**
   * @param token null where the app has no certificate
   * @param user a number is a uid, a text an account; null, 0 and '' ask for an assigned uid
   * @returns this member's uid
   */
  join(token: string | null, channel: string, user?: number | string | null, options?: JoinOptions): Promise<number>;
  /**
   * Leaves where it is, joins, and tells `stream-removed` of those of `uids` that are gone. The name stays, unless there
   * is another one.
   */
  rejoin(token: string | null, channel: string, user?: number | string | null,
    uids?: (number | string)[], options?: JoinOptions): Promise<number>;
  /** Resolves when sound can travel. With a track of the page's own the microphone isn't opened. */
  publish(options?: {track?: MediaStreamTrack | null}): Promise<void>;
  /** Another track takes over, without a gap in the session. */
  replaceTrack(track: MediaStreamTrack): void;
  unpublish(): Promise<void>;
  subscribe(uid: number): Promise<void>;
  unsubscribe(uid: number): Promise<void>;
  /** Stops and resumes hearing that speaker. */
  mute(uid: number, target?: Target): Promise<void>;
  unmute(uid: number, target?: Target): Promise<void>;
  /** 1 is as spoken; 0 to 10. */
  setSpeakerVolume(uid: number, volume: number): Promise<void>;
  /** The own microphone: silent at once, then the others are told. Before join: it begins muted. */
  muteLocal(target?: Target): Promise<void>;
  unmuteLocal(target?: Target): Promise<void>;
  /**
   * A few words to other members: a cue light, a line of chat. They get the event `data`, in the order in which they
   * were sent; who isn't in the channel just then never gets them, and nobody is told of that. 5 a second are taken, and
   * 20 at once; more is refused with TOO_MANY. NOT_PERMITTED: the token has no privilege to send data.
   * CONNECTION_LOST: the channel is being joined again, or was lost meanwhile.
   * @param text 1 to 256 bytes in UTF-8
   * @param to 1 to 16 uids; nothing: everybody else in the channel
   */
  sendData(text: string, to?: number[] | null): Promise<void>;
  /**
   * Who else is in the channel, those who only listen too: up to 1000 of them. From then on `member-joined` and
   * `member-left` tell of each change, also of what has changed after a reconnect. NOT_PERMITTED where the operator
   * doesn't show an app's members, which is the usual: `member-joined` tells of all as soon as that changes.
   * TOO_MANY: it is asked too often. CONNECTION_LOST: the channel is being joined again, or was lost meanwhile.
   */
  getMembers(): Promise<Member[]>;
  /** In ms, as the option; takes effect at once. */
  setLatency(ms: number): Promise<void>;
  renewToken(token: string): Promise<void>;
  leave(): Promise<void>;
  destroy(): void;

  /** After `autoplay-refused`, from a click or a key. */
  resume(): Promise<void>;
  /** Of all that plays, 0 to 1. */
  setPlaybackVolume(volume: number): void;
  /** A loudspeaker, as getOutputs() has it. Not every browser lets a page choose. */
  setOutput(deviceId: string): Promise<void>;
  setMicrophone(settings: Partial<MicrophoneSettings>): Promise<void>;
  /** dBFS of the own microphone now. */
  microphoneLevel(): number;
  /** The gateway's counts for this member, and the browser's for both directions. */
  stats(): Promise<{gateway: Record<string, unknown>; hear: RTCStats[]; speak: RTCStats[]}>;
}

export declare function getMicrophones(): Promise<Device[]>;
export declare function getOutputs(): Promise<Device[]>;
