// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the vendor's mini program SDK, unmodified, against our gateway. What it expects of its host
// program is `wx`: a small one is made here, over node.
//
//   node sdk.mjs NPM-FOLDER SDK-FILE WS-URL HTTP-URL CHANNEL TOKEN
//
// A member with uid 2002 is on the air in the channel. TOKEN lets 1003 into the same channel of
// the app `sealed`.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import path from 'node:path'

const [npmFolder, sdkFile, wsUrl, httpUrl, channel, token] = process.argv.slice(2)
const WebSocket = createRequire(path.join(path.resolve(npmFolder), 'x.js'))('ws')
const PATIENCE = 15000

// What went over the wire, for what an application can't see.
const wire = new EventEmitter()
wire.on('pong', () => {})

function answer(options, result) {
    options.success?.(result)
    options.complete?.(result)
}

async function request(options) {
    const text = typeof options.data === 'string' ? options.data : JSON.stringify(options.data ?? {})
    if (!text.includes('"miniapp"')) {
        // Its reports about itself go nowhere.
        answer(options, { statusCode: 200, data: {}, header: {} })
        return
    }
    assert.equal(options.method, 'POST')
    const headers = Object.fromEntries(
        Object.entries(options.header ?? {}).map(([name, value]) => [name.toLowerCase(), `${value}`]))
    assert.equal(headers['x-packet-uri'], '61')
    const reply = await fetch(`${httpUrl}/api/v1`, { method: 'POST', headers, body: text })
    const data = JSON.parse(await reply.text())
    const inner = JSON.parse(data.json_body)
    wire.address = inner.servers?.[0]?.address
    answer(options, { statusCode: reply.status, data, header: {} })
}

function connectSocket(options) {
    // It makes the URL of the cloud out of the address it was given; the door behind it is ours.
    const labels = wire.address.split('.').slice(-4).join('-')
    assert.equal(new URL(options.url).pathname, `/${labels}/api`)
    const socket = new WebSocket(wsUrl)
    answer(options, { errMsg: 'connectSocket:ok' })
    return {
        onOpen: (call) => socket.on('open', () => call({ header: {} })),
        onClose: (call) => socket.on('close', (code, reason) => call({ code, reason: `${reason}` })),
        onError: (call) => socket.on('error', (error) => call({ errMsg: error.message })),
        onMessage: (call) => socket.on('message', (data) => {
            const frame = JSON.parse(`${data}`)
            if (frame.command === 'pong')
                wire.emit('pong')
            call({ data: `${data}` })
        }),
        send: (what) => {
            socket.send(what.data)
            answer(what, {})
        },
        close: (how = {}) => {
            socket.close(how.code ?? 1000)
            answer(how, {})
        },
        get readyState() {
            return socket.readyState
        },
    }
}

const about = { brand: 'none', model: 'node', platform: 'linux', system: 'linux', version: '8.0.0', SDKVersion: '3.0.0' }
const host = {
    request: (options) => {
        request(options).catch((error) => {
            options.fail?.({ errMsg: error.message })
            options.complete?.({ errMsg: error.message })
        })
        return { abort() {} }
    },
    connectSocket,
    getSystemInfo: (options) => answer(options, about),
    getSystemInfoSync: () => about,
    getDeviceInfo: () => about,
    getAppBaseInfo: () => about,
    getAccountInfoSync: () => ({ miniProgram: { appId: 'wx0', envVersion: 'develop', version: '1' } }),
    getNetworkType: (options) => answer(options, { networkType: 'wifi' }),
    getStorageSync: () => '',
}
// Whatever else it asks the host for is there and does nothing.
globalThis.wx = new Proxy(host, { get: (target, name) => target[name] ?? (() => undefined) })
globalThis.getCurrentPages = () => []

// A file of the kind that a mini program loads: module.exports, or globals.
const sdk = createRequire(path.resolve(sdkFile))(path.resolve(sdkFile))
sdk.LOG?.setLogLevel?.(4)

class Member {
    constructor() {
        this.client = new sdk.Client()
        this.heard = new EventEmitter()
        this.seen = []
        for (const name of ['stream-added', 'stream-removed', 'mute-audio', 'unmute-audio', 'update-url', 'error'])
            this.client.on(name, (event) => {
                this.seen.push([name, event])
                this.heard.emit('event')
            })
    }

    // The first such event that was not waited for yet.
    async event(name, uid) {
        const patience = AbortSignal.timeout(PATIENCE)
        for (;;) {
            const at = this.seen.findIndex(([is, event]) => is === name && event.uid === uid)
            if (at >= 0)
                return this.seen.splice(at, 1)[0][1]
            await once(this.heard, 'event', { signal: patience }).catch(() => {
                throw new Error(`no ${name} of ${uid}, but ${JSON.stringify(this.seen)}`)
            })
        }
    }

    assertNoErrors() {
        assert.deepEqual(this.seen.filter(([name]) => name === 'error'), [])
    }
}

function assertUrl(url) {
    assert.match(url, /^rtmp:\/\/[^/?]+\/\w+\/[-\w]+\?[-\w=&]+$/)
}

async function rejects(promise, code) {
    await assert.rejects(Promise.resolve(promise), (error) => {
        assert.equal(error.code, code)
        return true
    })
}

const cases = {
    async call() {
        const other = new Member()
        await other.client.init('demo')
        assert.equal(await other.client.join(null, channel, 1002), 1002)

        const host = new Member()
        await host.client.init('demo')
        await host.client.setRole('broadcaster')
        assert.equal(await host.client.join(null, channel, 1001), 1001)
        await host.event('stream-added', 2002)
        assertUrl(await host.client.publish())
        const { url, rotation } = await host.client.subscribe(2002)
        assertUrl(url)
        assert.equal(rotation, 0)
        await rejects(host.client.subscribe(99), 432)
        await host.client.mute(2002, 'audio')
        await host.client.unmute(2002, 'all')
        await host.client.muteLocal('audio')
        await other.event('mute-audio', 1001)
        await host.client.unmuteLocal('audio')
        await other.event('unmute-audio', 1001)
        await host.client.setRemoteVideoStreamType(2002, 1)
        await host.client.renewToken('demo')
        assertUrl((await host.client.updatePushUrl()).url)
        await host.client.unsubscribe(2002)
        await host.client.unpublish()
        await host.client.setRole('audience')
        await rejects(host.client.publish(), 433)
        await once(wire, 'pong', { signal: AbortSignal.timeout(PATIENCE) })
        host.assertNoErrors()
        await host.client.leave()
        await other.client.leave()
    },
    async rejoin() {
        const member = new Member()
        await member.client.init('demo')
        assert.equal(await member.client.rejoin(null, channel, 1001, ['2002', '7777']), 1001)
        await member.event('stream-added', 2002)
        await member.event('stream-removed', 7777)
        await member.client.destroy()
    },
    async 'a drawn uid'() {
        const member = new Member()
        await member.client.init('demo')
        const uid = await member.client.join(null, channel, null)
        assert.ok(Number.isInteger(uid) && uid > 0)
        await member.event('stream-added', 2002)
        await member.client.leave()
    },
    async account() {
        const member = new Member()
        await member.client.init('demo')
        assert.ok((await member.client.join(null, channel, 'alice', true, 1)) > 0)
        await member.event('stream-added', 2002)
        assertUrl((await member.client.subscribe(2002)).url)
        await member.client.leave()
    },
    async tokens() {
        const member = new Member()
        await member.client.init('sealed')
        await rejects(member.client.join('007nonsense', channel, 1003), 110)
        const again = new Member()
        await again.client.init('sealed')
        assert.equal(await again.client.join(token, channel, 1003), 1003)
        await again.client.leave()
    },
}

for (const [name, run] of Object.entries(cases)) {
    await run()
    console.log(`done ${name}`)
}
process.exit(0)
