// SPDX-License-Identifier: LGPL-2.1-or-later
// Errors and argument checks of agora.js: the gateway's own rules, held to before anything is sent.

// What the gateway answers, and what a page alone can meet (from 1001 on).
export const Codes = Object.freeze({
  INVALID_APP: 101,
  TOKEN_EXPIRED: 109,
  TOKEN_INVALID: 110,
  TOKEN_UNEXPECTED: 119,
  TOKEN_MISSING: 120,
  BAD_REQUEST: 401,
  TOO_MANY: 429,
  BAD_ORDER: 430,
  BAD_ROLE_OR_UID: 431,
  NOT_PUBLISHING: 432,
  NOT_PERMITTED: 433,
  NOT_JOINED: 434,
  INTERNAL: 500,
  SERVICE_LOST: 501,
  OVERLOADED: 502,
  DRAINING: 503,
  TIMEOUT: 903,
  CONNECTION_LOST: 904,
  UNREACHABLE: 905,
  MICROPHONE_REFUSED: 1001,
  NO_MICROPHONE: 1002,
  MICROPHONE_FAILED: 1003,
  INSECURE_PAGE: 1004,
  NO_WEBRTC: 1005,
});

// The same request would fail again in the same way.
const FINAL = new Set([
  Codes.INVALID_APP, Codes.TOKEN_EXPIRED, Codes.TOKEN_INVALID, Codes.TOKEN_UNEXPECTED,
  Codes.TOKEN_MISSING, Codes.BAD_REQUEST, Codes.BAD_ORDER, Codes.BAD_ROLE_OR_UID,
  Codes.NOT_PERMITTED, Codes.INSECURE_PAGE, Codes.NO_WEBRTC,
]);

export class AgoraError extends Error {
  constructor(code, reason, {kind = 'gateway', retryAfter = 0, cause} = {}) {
    super(reason, cause ? {cause} : undefined);
    this.name = 'AgoraError';
    this.code = code;
    this.reason = reason;
    // argument, order, gateway, network or microphone
    this.kind = kind;
    // Seconds that the gateway asks to wait; 0: it named none.
    this.retryAfter = retryAfter;
  }

  get final() {
    return this.kind === 'argument' || this.kind === 'order' || FINAL.has(this.code);
  }
}

const bad = (code, reason) => new AgoraError(code, reason, {kind: 'argument'});

export const order = (reason) => new AgoraError(Codes.NOT_JOINED, reason, {kind: 'order'});

// A value as it may stand in a sentence: short, and without control characters.
function shown(value) {
  if (typeof value !== 'string')
    return typeof value === 'object' && value !== null ? 'an object' : String(value);
  const plain = value.replace(/[\u0000-\u001f\u007f]/g, '?');
  return plain.length > 64 ? `"${plain.slice(0, 64)}..."` : `"${plain}"`;
}

const bytes = (text) => new TextEncoder().encode(text).length;

// Half a surrogate is no text.
function wholeText(value) {
  if (typeof value !== 'string')
    return false;
  try {
    encodeURIComponent(value);
    return true;
  } catch {
    return false;
  }
}

// Control characters are in no name.
const plainText = (value) => wholeText(value) && !/[\u0000-\u001f\u007f]/.test(value);

export function checkAppId(appId) {
  if (!plainText(appId) || appId === '' || appId === 'null' || /^[ \t]|[ \t]$/.test(appId))
    throw bad(Codes.BAD_REQUEST,
        `app id ${shown(appId)}: expected a text without blanks around it, other than "null"`);
  return appId;
}

export function checkChannel(channel) {
  if (!plainText(channel) || channel === '' || channel === 'null' || bytes(channel) > 128)
    throw bad(Codes.BAD_REQUEST,
        `channel ${shown(channel)}: expected 1 to 128 bytes of text, other than "null"`);
  return channel;
}

// A token is a secret: the sentence never shows it.
export function checkToken(token) {
  if (token === null || token === undefined || token === '')
    return '';
  if (!plainText(token) || token === 'null' || !/^[\x21-\x7e]+$/.test(token))
    throw bad(Codes.BAD_REQUEST, 'token: expected null, or a text of letters, digits and signs ' +
        'other than "null"');
  return token;
}

// A number names a uid, a text an account; nothing, 0 and "" ask for an assigned uid.
export function checkUser(user) {
  if (user === null || user === undefined || user === 0 || user === '')
    return {uid: 0, account: ''};
  if (typeof user === 'string') {
    if (!plainText(user) || user === 'null' || bytes(user) > 255)
      throw bad(Codes.BAD_ROLE_OR_UID,
          `account ${shown(user)}: expected 1 to 255 bytes of text, other than "null"`);
    return {uid: 0, account: user};
  }
  return {uid: checkUid(user), account: ''};
}

// For people: as the gateway, whose characters are code points, and whose control characters go on
// to U+009F.
export function checkName(name) {
  if (name === null || name === undefined)
    return '';
  if (!plainText(name) || /[\u0080-\u009f]/.test(name) || [...name].length > 64)
    throw bad(Codes.BAD_REQUEST,
        `name ${shown(name)}: expected at most 64 characters, none of them a control character`);
  return name;
}

// What is said to others: any text, but NUL and half a surrogate.
export function checkWords(text) {
  if (!wholeText(text) || text === '' || text.includes('\0') || bytes(text) > 256)
    throw bad(Codes.BAD_REQUEST, `text ${shown(text)}: expected 1 to 256 bytes of text`);
  return text;
}

// Nothing: everybody else. An empty list is no such word: what is meant for none is a mistake.
export function checkAddressees(to) {
  if (to === null || to === undefined)
    return null;
  const uids = Array.isArray(to) ? [...new Set(to)] : [];
  if (uids.length < 1 || uids.length > 16)
    throw bad(Codes.BAD_REQUEST, `to ${Array.isArray(to) ? `[${uids.length} uids]` : shown(to)}: expected a list of ` +
        '1 to 16 uids, or nothing for everybody else');
  return uids.map(checkUid);
}

export function checkUid(uid) {
  if (!Number.isInteger(uid) || uid < 1 || uid > 0xffffffff)
    throw bad(Codes.BAD_ROLE_OR_UID, `uid ${shown(uid)}: expected an integer from 1 to 4294967295`);
  return uid;
}

export function checkRole(role) {
  if (role !== 'broadcaster' && role !== 'audience')
    throw bad(Codes.BAD_ROLE_OR_UID,
        `role ${shown(role)}: expected "broadcaster" or "audience"`);
  return role;
}

export function checkTarget(target) {
  if (target !== 'audio' && target !== 'video' && target !== 'all')
    throw bad(Codes.BAD_REQUEST,
        `target ${shown(target)}: expected "audio", "video" or "all"`);
  return target;
}

export function checkNumber(name, value, least, most) {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw bad(Codes.BAD_REQUEST,
        `${name} ${shown(value)}: expected a number from ${least} to ${most}`);
  return value;
}

export function checkServer(server) {
  let url;
  try {
    url = new URL(server);
  } catch {
    url = null;
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' ||
      url.search !== '' || url.hash !== '')
    throw bad(Codes.BAD_REQUEST, `server ${shown(String(server))}: expected a URL like ` +
        'https://gateway.example:8443/');
  return url.href.endsWith('/') ? url.href : url.href + '/';
}

// Where the gateway gave no code of its own, or what answered is a proxy.
export function codeOfStatus(status, onSession) {
  if (status === 401)
    return Codes.TOKEN_INVALID;
  if (status === 403)
    return Codes.NOT_PERMITTED;
  if (status === 404 || status === 410)
    return onSession ? Codes.CONNECTION_LOST : Codes.INVALID_APP;
  if (status === 409)
    return Codes.BAD_ROLE_OR_UID;
  if (status === 429)
    return Codes.TOO_MANY;
  if (status === 504)
    return Codes.TIMEOUT;
  if (status === 502 || status === 503)
    return Codes.DRAINING;
  return status >= 500 ? Codes.INTERNAL : Codes.BAD_REQUEST;
}
