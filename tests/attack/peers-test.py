# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that mean harm to agorasrc and agorasink: neither falls, nor grows, nor says more than it has to."""

import os
import random
import re
import struct
import sys
import threading
import time

import peers
import tap
from harness import SCALE, Case
from peers import AUDIO, COMMAND, SCRIPT

LONG = '--long' in sys.argv
SANITIZED = os.environ.get('AGORA_SANITIZE', 'none') != 'none'
# What a process may hold at the most, and grow by from the second second of an attack on, in MB. A listener that decodes AAC
# has 50 without any, and 80 sanitised.
MOST = 200 if not SANITIZED else 300
GROWTH = 100 if not SANITIZED else 150
# Freed memory that a sanitiser keeps to itself would count as theirs: 250 MB by default.
ENVIRONMENT = {'MALLOC_PERTURB_': '0',
               'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0:quarantine_size_mb=1'}
LASTS = 4  # seconds of an attack
# Never set: what is sent waits in it for the next moment.
PACE = threading.Event()
CONFIGURATIONS = [bytes.fromhex(text) for text in ('1190', '1188', '1210', '1208', '2b92', '1390', '1188')]
# Digital silence: AAC-LC, mono.
FRAME = bytes.fromhex('01182007')


def memory(process):
    """Its resident MB, now and at the most."""
    with open(f'/proc/{process.pid}/status', encoding='ascii') as status:
        lines = dict(line.split(':', 1) for line in status)
    return tuple(int(lines[name].split()[0]) // 1024 for name in ('VmRSS', 'VmHWM'))


# The same each time: what rtmp2src (1.22) reserves for a message depends on the length that the bytes claim.
GARBAGE = random.Random(7).randbytes(65536)


def garbage(player):
    player.admit()
    player.connection.sendall(GARBAGE)
    player.connection.recv(1)


def no_handshake(player):
    player.connection.sendall(GARBAGE)
    player.connection.recv(1)


def endless_metadata(player):
    player.admit()
    body = peers.amf('onMetaData') + peers.amf({f'name{number}': 'x' * 1000 for number in range(60)})
    while True:
        player.tag(SCRIPT, 0, body)


def one_endless_tag(player):
    player.admit()
    while True:
        player.tag(AUDIO, 0, b'\xaf\1' + bytes(0xfffff0))


# rtmp2src (1.22) believes a message's length before it has come, in each of 65 599 chunk streams.
def many_unfinished(player):
    """A message of 16 MB begins in each of many chunk streams, and none of them ends."""
    player.admit()
    for number in range(64, 84):
        head = b'\x01' + struct.pack('<H', number - 64) + bytes(3) + b'\xff\xff\xff' + bytes([AUDIO]) + struct.pack('<I', 1)
        player.connection.sendall(head + bytes(peers.CHUNK))
    threading.Event().wait(LASTS)


def many_configurations(player):
    player.admit()
    for number in range(10**9):
        player.tag(AUDIO, number, b'\xaf\0' + CONFIGURATIONS[number % len(CONFIGURATIONS)])
        player.tag(AUDIO, number, b'\xaf\1' + FRAME)
        PACE.wait(0.001)


def jumping_stamps(player):
    player.admit()
    player.tag(AUDIO, 0, b'\xaf\0' + bytes.fromhex('1188'))
    for _ in range(10**9):
        player.tag(AUDIO, random.getrandbits(32), b'\xaf\1' + FRAME)
        PACE.wait(0.001)


def bad_frames(player):
    player.admit()
    player.tag(AUDIO, 0, b'\xaf\0' + bytes.fromhex('1188'))
    for number in range(10**9):
        player.tag(AUDIO, number * 21, b'\xaf\1' + random.randbytes(random.randrange(2000)))
        PACE.wait(0.002)


def control_messages(player):
    """Chunk sizes of 0 and beyond, aborts, pings, windows of nothing, and commands that nobody knows."""
    player.admit()
    for number in range(10**9):
        kind = random.choice((1, 2, 3, 4, 5, 6, 17, COMMAND, 22, 99))
        body = random.choice((b'', bytes(4), b'\xff' * 4, b'\x80' + bytes(3), random.randbytes(64), b'\3' * 30000))
        if kind == 1 and number % 100:
            continue
        player.send(kind, number, body, stream=random.choice((0, 1, 7)), channel=random.choice((2, 3, 5)))


ATTACKS = [endless_metadata, one_endless_tag, many_configurations, jumping_stamps, bad_frames, control_messages]
# How much of what rtmp2src (1.22) reserves for them becomes memory differs from run to run, by a gigabyte.
if LONG:
    ATTACKS += [garbage, no_handshake, many_unfinished]


def huge_frames(member, _):
    while True:
        member.send_bytes(b'{"command":"serverStatus","x":"' + b'x' * 60_000_000 + b'"}')


def endless_frame(member, _):
    member.send_bytes(b'{"x":"', claimed=1 << 62)
    while True:
        member.connection.sendall(b'x' * 65536)


def bad_json(member, _):
    frames = [b'', b'null', b'[]', b'{', b'\xff\xfe', b'{"command":7}', b'[' * 50000, b'{"a":' * 10000, b'{"command":"serverStatus"}',
              b'{"command":"serverStatus","serverStatus":[]}', b'{"command":"serverResponse","requestId":{}}',
              b'{"command":"serverStatus","serverStatus":{"action":"stream-added","uid":"x"}}',
              b'{"command":"serverStatus","serverStatus":{"action":"stream-added","uid":-1}}',
              b'{"command":"serverStatus","serverStatus":{"action":"stream-added","uid":1e300}}',
              b'{"command":"serverStatus","serverStatus":{"action":"update-url","uid":7,"url":{}}}',
              b'{"command":"serverStatus","code":"x","reason":[]}']
    for number in range(10**9):
        member.send_bytes(frames[number % len(frames)], opcode=random.choice((1, 1, 1, 2)))
        PACE.wait(0.001)


def unknown_answers(member, _):
    for number in range(10**9):
        member.send({'command': 'serverResponse', 'requestId': number * 7919 % 100_000, 'code': random.choice((200, 401, 501, 0, -1)),
                     'serverResponse': {'uid': number, 'url': 'rtmp://127.0.0.1:9/live/x'}})
        PACE.wait(0.0005)


def many_urls(member, media):
    """Another URL every few milliseconds, each of a server that says nothing; for oneself and for another."""
    member.event('stream-added', uid=7)
    for number in range(10**9):
        member.event('update-url', uid=random.choice((5, 7)), url=f'rtmp://127.0.0.1:{media.port}/live/{number}')
        PACE.wait(0.005)


def bad_urls(member, _):
    member.event('stream-added', uid=7)
    urls = ['', 'x', 'rtmp://', 'rtmp:///', 'file:///etc/passwd', 'http://127.0.0.1:9/', 'rtmp://127.0.0.1:99999/live/x',
            'rtmp://[::1/live/x', 'rtmp://127.0.0.1:9/live/' + 'x' * 50000, 'rtmp://127.0.0.1:9/live/\n\r\t', 'rtmp://\u0000/x/y']
    for number in range(10**9):
        member.event('update-url', uid=random.choice((5, 7)), url=urls[number % len(urls)])
        PACE.wait(0.01)


GATEWAYS = [huge_frames, endless_frame, bad_json, unknown_answers, many_urls, bad_urls]


# Assertions of rtmp2src's own; the last one where it writes a string that it could not read to the log.
THEIRS = '(gst_rtmp|gst_amf|chunk_stream)_|CRITICAL.*: g_bytes_get_data: '


class PeersTest(Case):
    def member(self, gateway, element, what):
        where = f'gateway={gateway.url} app-id=demo channel=room'
        line = (f'agorasrc name=it {where} ! fakesink sync=true' if element == 'agorasrc'
                else f'audiotestsrc is-live=true ! agorasink name=it {where}')
        # What rtmp2src reserves and doesn't use counts as little as it does outside of tests.
        process = self.launch(line, '-m', env=ENVIRONMENT, theirs=THEIRS)
        self.until(lambda: gateway.joins > 0, f'a join ({what})', 20)
        return process

    def check(self, process, early, what):
        self.assertTrue(process.running(), f'{what}: it ended\n{process.tail()}')
        now, most = memory(process)
        files = len(os.listdir(f'/proc/{process.pid}/fd'))
        print(f'# {what}: {early} MB early, {now} MB late, {most} MB at the most, {files} descriptors', flush=True)
        self.assertLess(now - early, GROWTH, what)
        self.assertLess(most, MOST, what)
        self.assertLess(files, 200, what)
        complaints = [text for text in process.output().splitlines()
                      if any(word in text for word in ('(error)', '(warning)', 'CRITICAL', 'WARNING **'))
                      and not re.search(THEIRS, text)]
        self.assertLess(len(complaints), 5, f'{what}\n' + '\n'.join(complaints[:20]))
        self.assertFalse([text for text in complaints if '**' in text], what)
        begin = time.monotonic()
        process.interrupt()
        print(f'# {what}: stopped after {time.monotonic() - begin:.2f} s', flush=True)
        self.assertLess(time.monotonic() - begin, 2 * SCALE, what)

    def run_all(self, running):
        """Attacks that have begun: (name, process)."""
        threading.Event().wait(1)
        early = [memory(process)[0] if process.running() else 0 for _, process in running]
        threading.Event().wait(LASTS)
        for (what, process), before in zip(running, early):
            with self.subTest(what):
                self.check(process, before, what)

    def server(self, serve):
        server = peers.Server(serve)
        self.addCleanup(server.close)
        return server

    def hostile_gateway(self):
        gateway = peers.Gateway()
        self.addCleanup(gateway.close)
        return gateway

    def test_media_servers(self):
        """Each from a server of its own, on a listener of its own, three at a time."""
        for at in range(0, len(ATTACKS), 3):
            running, media = [], {}
            for attack in ATTACKS[at:at + 3]:
                media[attack] = self.server(lambda connection, attack=attack: attack(peers.Player(connection)))
                gateway = self.hostile_gateway()
                gateway.answers['subscribe'] = lambda *_, port=media[attack].port: {
                    'url': f'rtmp://127.0.0.1:{port}/live/7', 'rotation': 0}
                gateway.after_join = lambda member: member.event('stream-added', uid=7)
                running.append((attack.__name__, self.member(gateway, 'agorasrc', attack.__name__)))
            for attack, server in media.items():
                self.until(lambda server=server: server.served > 0, f'{attack.__name__} begins', 20)
            self.run_all(running)
            for server in media.values():
                server.close()

    def test_gateways(self):
        """Each on a listener and on a speaker of its own."""
        mute = self.server(lambda connection: threading.Event().wait(60))
        for attack in GATEWAYS:
            running = []
            for element in ('agorasrc', 'agorasink'):
                gateway = self.hostile_gateway()
                for action in ('publish', 'subscribe', 'update_url'):
                    gateway.answers[action] = lambda *_: {'url': f'rtmp://127.0.0.1:{mute.port}/live/7', 'rotation': 0}
                gateway.after_join = lambda member, attack=attack: threading.Thread(
                    target=self.attack, args=(attack, member, mute), daemon=True).start()
                running.append((f'{attack.__name__} on {element}', self.member(gateway, element, attack.__name__)))
            self.run_all(running)

    @staticmethod
    def attack(attack, member, media):
        try:
            attack(member, media)
        except OSError:
            pass


if __name__ == '__main__':
    sys.argv = [word for word in sys.argv if word != '--long']
    tap.main()
