// SPDX-License-Identifier: LGPL-2.1-or-later
// agora-rtc.js for those who import it: `import AgoraRTC from '…/agora-rtc-module.js'`.
import './agora-rtc.js';

export default globalThis.AgoraRTC;
