# SPDX-License-Identifier: LGPL-2.1-or-later
"""What those try at agora-relay who may push and play: it costs themselves, and no one else."""

import os
import signal
import socket
import ssl
import struct
import time

import tap
from harness import SCALE, freeze, wait_until
from relayrig import AUDIO, DATA, RelayCase, amf, pause
from tlsrig import Authority


class Members(RelayCase):
    def test_tiny_messages(self):
        """A read full of messages of one byte, in a channel with listeners: the relay answers on."""
        relay = self.relay()
        beat = self.witness(relay)
        push = self.push(relay, 'bad')
        crowd = [self.play(relay, 'bad', receive_buffer=4096) for _ in range(200)]
        # Chunks without a header: each is a message like the one before.
        push.send(push.message(AUDIO, b'\xaf', 0, 1, channel=4) + b'\xc4\xaf' * 30000)
        relay.ping(1 * SCALE)
        wait_until(lambda: relay.ping()['refused']['rate'] == 1, 5)
        self.assertTrue(push.closed())
        self.assertLess(beat(), 0.1 * SCALE)
        self.assertEqual(relay.ping()['listeners'], len(crowd) + 1)

    def test_many_messages_are_heard(self):
        """Frames of 2.5 ms, and a second of them at once."""
        relay = self.relay()
        push, listener = self.push(relay), self.play(relay)
        push.send(*(push.message(AUDIO, b'\xaf\1' + bytes(30), stamp * 5 // 2, 1, channel=4)
                    for stamp in range(800)))
        listener.wait(lambda: len(listener.media()) == 800)

    def test_refused_beside_a_play(self):
        """Over TLS, a connection that plays is refused a push: its end comes, and nothing spins."""
        authority = Authority(self.tmp)
        pair = [file.read_text(encoding='ascii') for file in authority.sign()]
        relay = self.relay(tls=pair, allow=lambda ask: ask['side'] == 'play' or ask['stream'] == 'voice' or 'no')
        push = self.push(relay)
        both = self.play(relay, tls=ssl.create_default_context(cafile=authority.file))
        both.send(both.command('createStream', 4, None))
        both.wait_word(b'_result', 3)
        both.send(both.command('publish', 5, None, 'other', 'live', stream=2))
        both.wait_word(b'Publish.Denied')
        before = relay.cpu()
        at = time.monotonic()
        for stamp in range(0, 1000, 20):
            push.frame(stamp)
            pause(at + stamp / 1000 - time.monotonic())
        self.assertLess(relay.cpu() - before, 0.3)
        self.assertEqual(relay.ping()['listeners'], 0)

    def test_without_sound(self):
        """Who wants no sound stays, whatever became of other connections."""
        relay = self.relay()
        push, listener = self.push(relay), self.play(relay)
        listener.send(listener.command('receiveAudio', 0, None, False, stream=1))
        listener.read(0.1)
        for stamp in range(0, 200, 20):
            other = self.peer(relay).greet()
            # Its end is a reset: the relay's last call that failed.
            other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            other.close()
            pause(0.02)
            push.frame(stamp)
            pause(0.02)
        self.assertEqual(relay.ping()['listeners'], 1)
        listener.send(listener.command('receiveAudio', 0, None, True, stream=1))
        listener.read(0.1)
        push.frame(300)
        listener.wait(lambda: listener.media() and listener.media()[-1][1] == 300)

    def test_another_name(self):
        """The gateway may have a push go by another name: who plays that doesn't learn what it asked for."""
        relay = self.relay(allow=lambda ask: {'stream': 'voice'} if ask['stream'] == 'secret' else True)
        listener = self.play(relay)
        push = self.push(relay, 'secret')
        push.frame(0)
        listener.wait(lambda: len(listener.media()) == 1)
        self.assertFalse([body for *_, body in listener.messages if b'secret' in body])
        other = self.peer(relay)
        self.assertEqual(other.open('publish', 'secret'), 'NetStream.Publish.BadName')
        self.assertTrue(relay.drop('push', 'voice'))
        self.assertTrue(push.closed())
        self.assertEqual([each['stream'] for each in relay.all_told('done', side='push')], ['voice', 'voice'])
        # What it asked for is nobody's.
        self.push(relay, 'voice')
        self.play(relay, 'secret').read(0.1)

    def test_stream_numbers(self):
        """Listeners that each call the stream by another number would each need a copy."""
        relay = self.relay()

        def play_by(number):
            peer = self.peer(relay).greet().connect()
            for each in range(2, number + 1):
                peer.send(peer.command('deleteStream', 0, None, each - 1),
                          peer.command('createStream', each + 1, None))
            peer.wait_word(b'_result', number + 1)
            peer.send(peer.command('play', 3, None, 'voice', stream=number))
            return peer.status()
        self.assertEqual(play_by(32), 'NetStream.Play.Start')
        self.assertEqual(play_by(33), 'NetStream.Play.Failed')

    def test_headers_unread(self):
        """One that asks for the headers again and again, and doesn't read, is closed."""
        relay = self.relay()
        push = self.push(relay)
        push.send(push.message(DATA, amf('onMetaData') + amf({'a': 'x' * 40000}), 0, 1))
        listener = self.play(relay, receive_buffer=4096)
        listener.send(*(listener.command('pause', 0, None, paused, 0, stream=1)
                        for _ in range(20) for paused in (True, False)))
        wait_until(lambda: relay.ping()['listeners'] == 0, 5)

    def test_asks_without_end(self):
        """A connection that publishes and ends again and again is the gateway's and the listeners' work."""
        relay = self.relay()
        listener = self.play(relay)
        push = self.peer(relay).greet().connect()
        push.send(*(push.command(*words, stream=1) for _ in range(100)
                    for words in (('publish', 0, None, 'voice', 'live'), ('closeStream', 0, None))))
        self.assertTrue(push.closed())
        self.assertLess(len(relay.all_told('ask', side='push')), 25)
        self.assertEqual(relay.ping()['listeners'], 1)
        listener.read(0.1)

    def test_stood_still(self):
        """After a pause of the whole machine no push ends that has sent all along."""
        relay = self.relay(limits={'idle_push_ms': 60000})
        pushes = [self.push(relay, f'voice{i}') for i in range(300)]
        for push in pushes:
            push.frame(0)
        # Opening so many takes longer than a limit that is short.
        idle_ms = int(1500 * SCALE)
        relay.configure(limits={'idle_push_ms': idle_ms})
        for stamp in range(400, idle_ms + 2000, 400):
            for push in pushes:
                push.frame(stamp)
            if stamp == 400:
                freeze(relay.pid)
            pause(0.4)
        os.kill(relay.pid, signal.SIGCONT)
        pause(0.3)
        self.assertEqual(relay.ping()['pushes'], 300)


if __name__ == '__main__':
    tap.main()
