// SPDX-License-Identifier: LGPL-2.1-or-later
// Drives the vendor's own token generators: a list of calls as JSON on standard input, a list of
// results on standard output. argv[2] is the folder with node_modules.
'use strict'

const { createRequire } = require('module')
const path = require('path')
const fs = require('fs')

// An old generator of theirs writes to the console.
console.log = console.error

const load = createRequire(path.join(path.resolve(process.argv[2]), 'x.js'))
const today = load('agora-token')
const access2 = load('agora-token/src/AccessToken2')
const legacy = load('agora-access-token')
const access = load('agora-access-token/src/AccessToken')
const keys = {
    'agora-token': load('agora-token/src/DynamicKey5'),
    'agora-access-token': load('agora-access-token/src/DynamicKey5'),
}

const calls = {
    rtc007: (method, ...args) => today.RtcTokenBuilder[method](...args),
    rtm007: (...args) => today.RtmTokenBuilder.buildToken(...args),
    chat007: (...args) => today.ChatTokenBuilder.buildUserToken(...args),
    rtc006: (method, ...args) => legacy.RtcTokenBuilder[method](...args),
    rtm006: (...args) => legacy.RtmTokenBuilder.buildToken(...args),
    key005: (source, method, ...args) => keys[source][method](...args),

    // Theirs reads ours, and signs what it read again.
    read007: (token, certificate) => {
        const read = new access2.AccessToken2('', '', 0, 0)
        if (!read.from_string(token))
            return null
        const services = Array.isArray(read.services) ? read.services : Object.values(read.services)
        read.appId = read.appId.toString()
        read.appCertificate = certificate
        return {
            app: read.appId,
            issued_at: read.issueTs,
            lifetime: read.expire,
            salt: read.salt,
            channel: services[0].__channel_name.toString(),
            uid: services[0].__uid.toString(),
            privileges: services[0].__privileges,
            count: services.length,
            rebuilt: read.build(),
        }
    },
    read006: (token, app, certificate, channel, uid) => {
        const read = new access.AccessToken('', '', '', 0)
        if (!read.fromString(token))
            return null
        const again = new access.AccessToken(app, certificate, channel, uid)
        again.salt = read.salt
        again.ts = read.ts
        again.messages = read.messages
        return {
            salt: read.salt,
            ends_at: read.ts,
            privileges: read.messages,
            rebuilt: again.build(),
        }
    },
}

const work = JSON.parse(fs.readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(work.map(([name, ...args]) => calls[name](...args))))
