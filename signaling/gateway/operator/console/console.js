// SPDX-License-Identifier: LGPL-2.1-or-later
// The operator's console: logs in, and shows what the gateway tells.
import {Channels} from './channels.js';
import {GatewayState} from './gateway-state.js';
import {Live} from './live.js';
import {Refused, Rules, ask} from './rules.js';
import {say, the} from './words.js';

const NOTICE_MS = 12000;

const live = new Live();
const state = new GatewayState(the('gateway'));
const rules = new Rules(live, failed);
const channels = new Channels(the('channels'), (what, channel, member) => rules.decide(what, channel, member));
let noticeTimer = null;

function notice(text) {
  say(the('notice'), text);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => say(the('notice'), ''), NOTICE_MS);
}

function failed(error) {
  if (error instanceof Refused && error.status === 401)
    showLogin('The session has ended: log in again.');
  else
    notice(`That didn't work: ${error.message}`);
}

function showLogin(why = '') {
  live.stop();
  rules.stop();
  the('live').hidden = the('leave').hidden = true;
  the('login').hidden = false;
  say(the('status'), 'Logged out');
  if (why)
    notice(why);
  the('token').focus();
}

function showLive() {
  the('login').hidden = true;
  the('live').hidden = the('leave').hidden = false;
}

function draw() {
  state.draw(live);
  channels.draw(live, the('filter').value);
  the('none').hidden = live.channels.size > 0;
  the('left-off').hidden = live.leftOff === 0;
  say(the('left-off'), `and ${live.leftOff} members more than fit here: those on the air are shown first`);
}

live.addEventListener('open', () => {
  showLive();
  say(the('status'), 'Live');
  rules.start();
});
live.addEventListener('lost', () => say(the('status'), 'Lost the gateway, trying again'));
live.addEventListener('refused', () => showLogin());
live.addEventListener('change', () => {
  say(the('status'), 'Live');
  if (document.visibilityState === 'visible')
    draw();
});
document.addEventListener('visibilitychange', () => live.gateway && draw());
the('filter').addEventListener('input', () => live.gateway && draw());

the('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  say(the('notice'), '');
  try {
    await ask('POST', 'console/session', {token: the('token').value});
    the('token').value = '';
    say(the('status'), 'Connecting');
    live.start();
  } catch (error) {
    notice(error instanceof Refused && error.status === 401 ? 'That is not the admin token.' :
      `Can't log in: ${error.message}`);
  }
  button.disabled = false;
});

the('leave').addEventListener('click', async () => {
  try {
    await ask('DELETE', 'console/session');
    showLogin();
  } catch (error) {
    failed(error);
  }
});

// Whoever has a session already sees at once.
live.start();
