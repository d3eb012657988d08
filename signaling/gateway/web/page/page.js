// SPDX-License-Identifier: LGPL-2.1-or-later
// The page of a channel: who talks, how loud, and the own microphone.
import {Client, Codes, SILENCE, getMicrophones, getOutputs} from './agora.js';

const the = (id) => document.getElementById(id);
// A token belongs behind the #, which stays in the browser: a query stands in the logs of servers and proxies.
const query = new URLSearchParams(`${location.search.slice(1)}&${location.hash.slice(1)}`);
const QUIETEST = -60;  // dBFS at the left end of a meter
const SPEAKING = -45;  // from here on a speaker counts as talking
const NOTICE_MS = 12000;
const MOST_LINES = 100;  // of what was said in words

const client = new Client();
const rows = new Map();
let userName = '';
let meterTimer = null;

// What went wrong, and what to do about it, in plain words.
const ADVICE = new Map([
  [Codes.INVALID_APP, 'This gateway has no such app. Is the link right?'],
  [Codes.TOKEN_EXPIRED, 'The link is too old: its token has expired. Ask for a new one.'],
  [Codes.TOKEN_INVALID, 'The link\'s token is for another channel or user, or it is damaged.'],
  [Codes.TOKEN_MISSING, 'This channel needs a token, and the link has none.'],
  [Codes.TOKEN_UNEXPECTED, 'This channel takes no token, but the link has one.'],
  [Codes.TOO_MANY, 'Too many tries or members. Wait a moment.'],
  [Codes.NOT_PERMITTED, 'You may not do that here.'],
  [Codes.UNREACHABLE, 'The gateway can\'t be reached. Is this device online?'],
]);

function plainly(error) {
  // The gateway's own trouble with its parts has the same number.
  const advice = error.code === Codes.UNREACHABLE && error.kind !== 'network' ? undefined : ADVICE.get(error.code);
  const reason = error.reason ?? String(error);
  return advice === undefined ? sentence(reason) : `${advice} (${reason})`;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

function notice(text) {
  const line = document.createElement('p');
  line.className = 'notice bad';
  line.textContent = text;
  the('notices').replaceChildren(line);
  setTimeout(() => line.remove(), NOTICE_MS);
}

// A button's action: it can't be started twice, and a failure is said. What is chosen meanwhile comes
// after it. Not by `disabled`: that takes the focus away from whoever uses the keyboard.
const again = new Map();

async function act(control, run) {
  if (control.getAttribute('aria-disabled') === 'true') {
    if (control.tagName !== 'BUTTON')
      again.set(control, run);
    return;
  }
  control.setAttribute('aria-disabled', 'true');
  the('notices').replaceChildren();
  try {
    await run();
  } catch (error) {
    notice(plainly(error));
  } finally {
    control.removeAttribute('aria-disabled');
    show();
  }
  const next = again.get(control);
  if (again.delete(control))
    await act(control, next);
}

const WORDS = {
  new: 'Not connected', ready: 'Not connected', joining: 'Connecting …', reconnecting: 'Connection lost, coming back …',
};

function show() {
  const inside = client.state === 'joined' || client.state === 'reconnecting';
  document.body.dataset.state = client.state;
  the('enter').hidden = inside;
  the('room').hidden = !inside;
  the('status').textContent = client.state === 'joined'
    ? client.published ? client.muted ? 'Connected, your microphone is muted' : 'Connected, you are on air'
      : 'Connected, listening'
    : WORDS[client.state];
  the('own-title').textContent = userName ? `${userName} (you)` : `You are ${client.uid || '…'}`;
  the('own-face').textContent = initials(userName || String(client.uid));
  the('talk').textContent = client.published ? 'Only listen' : 'Talk';
  the('talk').classList.toggle('primary', !client.published);
  the('mute').hidden = !client.published;
  the('mute').textContent = client.muted ? 'Unmute' : 'Mute';
  the('mute').classList.toggle('on', client.muted);
  the('nobody').hidden = rows.size > 0;
  the('count').textContent = rows.size > 0 ? `(${rows.size})` : '';
  meter(inside && client.published);
}

const initials = (name) => /^\d+$/.test(name) ? name.slice(-2)
  : [...name.trim()].slice(0, 2).join('').toUpperCase();

function setLevel(bar, db) {
  bar.style.setProperty('--at', Math.min(1, Math.max(0, (db - QUIETEST) / -QUIETEST)).toFixed(3));
}

// The own microphone is measured here; the others' levels come with the events.
function meter(on) {
  if (on === (meterTimer !== null))
    return;
  if (on) {
    meterTimer = setInterval(() => {
      const db = client.microphoneLevel();
      setLevel(the('own-level'), db);
      document.querySelector('.own').classList.toggle('speaking', db > SPEAKING);
    }, 100);
  } else {
    clearInterval(meterTimer);
    meterTimer = null;
    setLevel(the('own-level'), SILENCE);
    document.querySelector('.own').classList.remove('speaking');
  }
}

const speaker = (uid) => client.speakers.find((each) => each.uid === uid);

// A name is its bearer's own word, and two may have the same: the number stands beside it. It may turn
// the direction of writing, but not of what is around it.
function nameNodes(uid, plain) {
  const name = speaker(uid)?.name;
  if (!name)
    return [`${plain} ${uid}`];
  const [own, number] = [document.createElement('bdi'), document.createElement('small')];
  own.textContent = name;
  number.textContent = uid;
  return [own, number];
}

function label(uid) {
  const row = rows.get(uid);
  if (!row)
    return;
  const {name, muted} = speaker(uid) ?? {};
  const called = name ? `${name}, number ${uid}` : `speaker ${uid}`;
  row.item.setAttribute('aria-label', called.charAt(0).toUpperCase() + called.slice(1));
  row.item.querySelector('.face').textContent = initials(name || String(uid));
  row.slider.setAttribute('aria-label', `Volume of ${called}, in percent`);
  row.button.setAttribute('aria-label', `${row.button.textContent} ${called}`);
  row.name.replaceChildren(...nameNodes(uid, 'Speaker'));
  if (muted) {
    const mark = document.createElement('small');
    mark.textContent = 'muted';
    row.name.append(mark);
  }
}

function addRow(uid) {
  const item = the('speaker').content.cloneNode(true).querySelector('li');
  const slider = item.querySelector('input');
  const button = item.querySelector('button');
  const known = speaker(uid);
  slider.value = Math.round((known?.volume ?? 1) * 100);
  const say = (wish) => wish.catch((error) => notice(plainly(error)));
  slider.addEventListener('input', () => say(client.setSpeakerVolume(uid, slider.valueAsNumber / 100)));
  slider.addEventListener('dblclick', () => {
    slider.value = 100;
    slider.dispatchEvent(new Event('input'));
  });
  const muted = (on) => {
    button.classList.toggle('on', on);
    button.textContent = on ? 'Unmute' : 'Mute';
    label(uid);
  };
  rows.set(uid, {item, slider, button, bar: item.querySelector('.meter > div'), name: item.querySelector('.name')});
  muted(known?.mute ?? false);
  button.addEventListener('click', () => {
    const on = !button.classList.contains('on');
    muted(on);
    say(on ? client.mute(uid) : client.unmute(uid));
  });
  the('speakers').append(item);
  show();
}

function removeRow(uid) {
  rows.get(uid)?.item.remove();
  rows.delete(uid);
  show();
}

// What was said in words; the oldest goes.
function addLine(who, text) {
  const log = the('words');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  const line = document.createElement('p');
  const [from, words] = [document.createElement('span'), document.createElement('bdi')];
  from.className = 'from';
  from.append(...who);
  words.textContent = text;
  line.append(from, ' ', words);
  log.append(line);
  while (log.children.length > MOST_LINES)
    log.firstElementChild.remove();
  if (atEnd)
    log.scrollTop = log.scrollHeight;
}

function leaveRoom() {
  for (const uid of [...rows.keys()])
    removeRow(uid);
  the('autoplay').hidden = true;
  the('words').replaceChildren();
}

client.on('state-change', ({state}) => {
  if (state === 'ready')
    leaveRoom();
  show();
});
client.on('stream-added', ({uid}) => addRow(uid));
client.on('stream-removed', ({uid}) => removeRow(uid));
for (const event of ['member-named', 'mute-audio', 'unmute-audio'])
  client.on(event, ({uid}) => label(uid));
client.on('data', ({uid, text}) => addLine(nameNodes(uid, 'Member'), text));
client.on('levels', setLevels);
client.on('reconnecting', () => setLevels({}));

function setLevels(levels) {
  for (const [uid, {bar, item}] of rows) {
    const db = levels[uid] ?? SILENCE;
    setLevel(bar, db);
    item.classList.toggle('speaking', db > SPEAKING);
  }
}

client.on('published', show);
client.on('unpublished', show);
client.on('error', (error) => notice(plainly(error)));
client.on('client-banned', () => notice('The operator has removed you from this channel.'));
client.on('silenced', () => notice('The operator has silenced you: nobody hears you now.'));
client.on('unsilenced', () => notice('You may speak again.'));
client.on('token-privilege-will-expire', () => notice('The token of this link expires in less than 30 seconds.'));
client.on('microphone-lost', (error) => notice(plainly(error)));
client.on('microphone-changed', listDevices);
client.on('devices-changed', listDevices);
client.on('autoplay-refused', () => { the('autoplay').hidden = false; });

the('resume').addEventListener('click', ({target}) => act(target, async () => {
  await client.resume();
  the('autoplay').hidden = true;
}));

async function enter(button, speak) {
  await act(button, async () => {
    const user = the('user').value.trim();
    userName = query.get('name') ?? (/^\d*$/.test(user) ? '' : user);
    await client.init(the('app').value.trim());
    await client.setRole(speak ? 'broadcaster' : 'audience');
    await client.setMicrophone({deviceId: the('first-microphone').value});
    await client.join(query.get('token'), the('channel').value, /^\d+$/.test(user) ? Number(user) : user,
        {name: [...userName].slice(0, 64).join('')});
    the('title').textContent = the('channel').value;
    document.title = `${the('channel').value} – voice channel`;
    if (speak)
      await talk();
  });
  if (client.state === 'joined')
    the(client.published ? 'mute' : 'talk').focus();
}

// Whoever can't speak listens still.
async function talk() {
  try {
    await client.setRole('broadcaster');
    await client.publish();
    listDevices();
  } catch (error) {
    if (client.state === 'joined')
      await client.setRole('audience').catch(() => {});
    throw error;
  }
}

the('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  enter(the('join'), true);
});
the('listen').addEventListener('click', () => {
  if (the('enter').reportValidity())
    enter(the('listen'), false);
});
the('talk').addEventListener('click', () => act(the('talk'), async () => {
  if (client.published)
    await client.setRole('audience');
  else
    await talk();
}));
const toggleMute = () => act(the('mute'), async () => {
  await (client.muted ? client.unmuteLocal() : client.muteLocal());
});
the('mute').addEventListener('click', toggleMute);
the('leave').addEventListener('click', () => act(the('leave'), async () => {
  await client.leave();
  the('join').focus();
}));
the('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = the('text').value.trim();
  if (text !== '')
    act(the('send'), async () => {
      await client.sendData(text);
      addLine(['You'], text);
      // Unless the next one is being written already.
      if (the('text').value.trim() === text)
        the('text').value = '';
    });
});
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input:not([type="range"]):not([type="checkbox"]), select');
  if (event.key.toLowerCase() === 'm' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey &&
      !event.repeat && client.published)
    toggleMute();
});

function fill(select, devices, chosen, what) {
  const options = [new Option('The system\'s own', '')];
  for (const [at, {deviceId, label}] of devices.entries())
    if (deviceId !== '' && deviceId !== 'default')
      options.push(new Option(label || `${what} ${at + 1}`, deviceId));
  select.replaceChildren(...options);
  select.value = options.some(({value}) => value === chosen) ? chosen : '';
}

async function listDevices() {
  const [microphones, outputs] = await Promise.all([getMicrophones(), getOutputs()]);
  for (const select of document.querySelectorAll('.microphones'))
    fill(select, microphones, client.state === 'joined' ? client.microphone.deviceId : select.value, 'Microphone');
  the('output-field').hidden = !('setSinkId' in HTMLMediaElement.prototype) || outputs.length === 0;
  fill(the('output'), outputs, the('output').value, 'Loudspeaker');
}

the('microphone').addEventListener('change', ({target}) =>
  act(target, () => client.setMicrophone({deviceId: target.value})));
the('output').addEventListener('change', ({target}) => act(target, () => client.setOutput(target.value)));
the('latency').addEventListener('change', ({target}) =>
  act(target, () => client.setLatency(Number(target.value))));
for (const box of document.querySelectorAll('[data-setting]'))
  box.addEventListener('change', () =>
    act(box, () => client.setMicrophone({[box.dataset.setting]: box.checked})));

for (const name of ['app', 'channel']) {
  const value = query.get(name);
  if (value) {
    the(name).value = value;
    the(`${name}-field`).hidden = true;
  }
}
the('user').value = query.get('uid') ?? query.get('account') ?? '';
if (query.get('channel'))
  the('title').textContent = query.get('channel');
if (!isSecureContext)
  notice('This page came by plain HTTP, so the browser gives it no microphone: you can listen. ' +
    'To talk, open it by https://, or on the gateway\'s own machine by http://localhost.');
show();
listDevices();
