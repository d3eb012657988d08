# SPDX-License-Identifier: LGPL-2.1-or-later
"""What strangers try at agora-relay, while a witness pushes and hears."""

import socket
import time

import tap
from harness import SCALE, mostly, wait_until
from relayrig import COMMAND, DATA, RelayCase, amf, pause


class Strangers(RelayCase):
    def raw(self, relay, data=b'', **keywords):
        peer = self.peer(relay, **keywords)
        if data:
            peer.send(data)
        return peer

    def test_order(self):
        """37 bytes: metadata before connect."""
        relay = self.relay()
        beat = self.witness(relay)
        for name in ('onMetaData', '@setDataFrame'):
            for _ in range(20):
                peer = self.peer(relay).greet()
                try:
                    peer.send(peer.message(DATA, b'\2\0' + bytes([len(name)]) + name.encode(), channel=3))
                except ConnectionError:
                    pass
                self.assertTrue(peer.closed())
        self.assertLess(beat(), 0.1 * SCALE)
        self.assertEqual(relay.ping()['refused']['protocol'], 40)
        self.assertTrue(relay.running())

    def test_depth(self):
        relay = self.relay()
        beat = self.witness(relay)
        peer = self.peer(relay).greet()
        deep = b'\2\0\7connect' + b'\0' + bytes(8) + b'\3\0\1a' * 10000
        peer.send(peer.message(20, deep))
        self.assertTrue(peer.closed())
        self.assertLess(beat(), 0.1 * SCALE)

    def test_long_message(self):
        """A long message that never ends holds next to nothing, and not for ever."""
        relay = self.relay(limits={'opening_ms': 1500})
        before = relay.memory()
        peers = []
        for _ in range(50):
            peer = self.peer(relay).greet()
            head = bytes([3, 0, 0, 0]) + (0xfffff0).to_bytes(3, 'big') + bytes([20]) + bytes(4)
            try:
                peer.send(head + bytes(60000))
            except ConnectionError:
                pass
            peers.append(peer)
        # Sanitisers keep for a while what is freed.
        self.assertLess(relay.memory() - before, 50 * 64 * 1024 * SCALE)
        wait_until(lambda: relay.ping()['connections'] == 0, 5)
        for peer in peers:
            self.assertTrue(peer.closed())

    def test_deadline(self):
        """Each step before a push or play has its time; the whole has one, too."""
        relay = self.relay(limits={'opening_ms': 800})
        peers = [self.raw(relay), self.raw(relay, b'\3' + bytes(100)), self.peer(relay).greet(),
                 self.peer(relay).greet().connect()]
        slow = self.raw(relay, b'\3')
        at = time.monotonic()
        try:
            while time.monotonic() - at < 5:
                slow.send(b'\0')
                pause(0.05)
        except ConnectionError:
            pass
        self.assertLess(time.monotonic() - at, 2 * SCALE)
        for peer in peers:
            self.assertTrue(peer.closed(1))
        self.assertEqual(relay.ping()['refused']['deadline'], 5)

    def test_many_of_one_address(self):
        relay = self.relay(limits={'strangers_per_address': 20, 'sessions_per_address': 50})
        beat = self.witness(relay)
        peers = [self.raw(relay) for _ in range(200)]
        wait_until(lambda: relay.ping()['refused']['address'] >= 180, 5)
        self.assertLessEqual(relay.ping()['connections'], 22)
        # The newest are there; another one comes in all the same.
        self.assertFalse(peers[-1].closed(0.1))
        self.assertTrue(peers[0].closed())
        self.assertLess(beat(), 0.1 * SCALE)
        self.play(relay, 'witness')
        # Sessions have a bound, too. Of another address nobody is refused.
        for _ in range(47):
            self.play(relay, 'witness')
        self.assertEqual(relay.ping()['listeners'], 49)
        wait_until(lambda: relay.ping()['connections'] == 50)
        self.assertTrue(self.raw(relay).closed())
        self.assertEqual(self.peer(relay, source='127.0.0.2').open('play', 'witness'), 'NetStream.Play.Start')

    def test_out_of_descriptors(self):
        """Full is said, at once, and room that is made is used."""
        # The witness says nothing for as long as strangers are looked at one by one.
        relay = self.relay(limits={'idle_push_ms': 60000}, wrap=('prlimit', '--nofile=64:64'))
        beat = self.witness(relay)
        listeners = []
        for i in range(60):
            peer = self.peer(relay)
            listeners.append(peer)
            try:
                peer.open('play', 'witness')
            except (ConnectionError, AssertionError):
                break
        self.assertGreater(i, 30)
        self.assertLess(beat(), 0.1 * SCALE)
        at = time.monotonic()
        for _ in range(20):
            self.assertTrue(self.raw(relay).closed())
        self.assertLess(time.monotonic() - at, 2 * SCALE)
        self.assertGreaterEqual(relay.ping()['refused']['full'], 20)
        self.assertLessEqual(relay.descriptors(), 64)
        used = relay.cpu()
        pause(0.5)
        self.assertLess(relay.cpu() - used, 0.2)
        for peer in listeners[:5]:
            peer.close()
        wait_until(lambda: relay.ping()['connections'] < 48)
        self.play(relay, 'witness')

    def test_really_out_of_descriptors(self):
        """Where the bound in all doesn't help: each one more is taken by the spare descriptor, and closed."""
        # So many that somebody else left open.
        relay = self.relay(limits={'idle_push_ms': 60000}, wrap=('prlimit', '--nofile=64:64'), env={'RELAY_SPOIL': '45'})
        beat = self.witness(relay)
        peers = [self.raw(relay) for _ in range(40)]
        self.assertGreater(sum(peer.closed(0.2) for peer in peers), 10)
        self.assertGreaterEqual(relay.descriptors(), 60)
        self.assertLess(beat(), 0.1 * SCALE)
        self.assertGreaterEqual(relay.ping()['refused']['full'], 10)
        used = relay.cpu()
        pause(0.5)
        self.assertLess(relay.cpu() - used, 0.2)

    def test_bad_name_that_waits_its_turn(self):
        """A name that can't be asked about, behind as many questions as the gateway is asked at once."""
        waiting = []
        relay = self.relay(limits={'strangers_per_address': 4096}, allow=waiting.append)
        for i in range(256):
            peer = self.peer(relay).greet().connect()
            peer.send(peer.command('play', 3, None, f'other{i}', stream=1))
        wait_until(lambda: len(waiting) == 256)
        bad = self.peer(relay).greet().connect()
        bad.send(bad.message(COMMAND, amf('play') + amf(3) + amf(None) + b'\2\0\1\xff', stream=1))
        # It is read by the time that the answer to a later one comes.
        self.peer(relay).greet().connect()
        relay.say(op='answer', id=waiting[0]['id'], allow=True, reason='')
        self.assertEqual(bad.status(), 'NetStream.Play.Failed')
        self.assertEqual(relay.sessions(), [waiting[0]['id']])
        bad.close()
        wait_until(lambda: relay.ping()['connections'] == 257)
        self.assertEqual(relay.all_told('done'), [])

    def test_idle_crowd(self):
        """Thousands that say nothing, of many addresses."""
        relay = self.relay()
        beat = self.witness(relay)
        crowd, late = [], []
        for i in range(3000):
            client = socket.socket()
            client.bind((f'127.0.{1 + i // 250}.1', 0))
            client.connect(('127.0.0.1', relay.port))
            crowd.append(client)
            if i % 100 == 0:
                late.append(beat(1))
        self.assertLess(mostly(late), 0.1 * SCALE)
        self.assertLess(beat(), 0.1 * SCALE)
        memory = relay.memory()
        self.assertLess(memory, 64 << 20)
        for client in crowd:
            client.close()


if __name__ == '__main__':
    tap.main()
