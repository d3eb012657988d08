# SPDX-License-Identifier: LGPL-2.1-or-later
"""A player that has paused is still there: what agora-relay is told of plays counts for it, too."""

import tap
from harness import wait_until
from relayrig import RelayCase


class Paused(RelayCase):
    @staticmethod
    def pause(play, paused=True):
        play.send(play.command('pause', 0, None, paused, 0, stream=1))
        word = b'NetStream.Pause.Notify' if paused else b'NetStream.Unpause.Notify'
        play.wait_word(word, 1 + sum(word in body for *_, body in play.messages))

    def paused(self, relay, name):
        """The play and its number."""
        play = self.play(relay, name)
        number = relay.wait_told('ask', side='play', stream=name)['id']
        self.pause(play)
        return play, number

    def hears(self, push, play, stamp, body):
        push.frame(stamp, body)
        play.wait(lambda: play.media() and play.media()[-1][2] == body, what='that sound')

    def test_dropped_by_its_number(self):
        relay = self.relay()
        push = self.push(relay, 'voice')
        play, number = self.paused(relay, 'voice')
        other, others_number = self.paused(relay, 'voice')
        relay.drop('play', 'voice', number)
        self.assertNotIn(number, relay.sessions())
        relay.wait_told('done', id=number)
        self.assertTrue(play.closed())
        # Of the same name, and not meant.
        self.assertIn(others_number, relay.sessions())
        self.pause(other, False)
        self.hears(push, other, 0, b'\xaf\1still')

    def test_dropped_by_its_name(self):
        relay = self.relay()
        push = self.push(relay, 'other')
        listens = self.play(relay, 'voice')
        play, _ = self.paused(relay, 'voice')
        other, _ = self.paused(relay, 'other')
        relay.drop('play', 'voice')
        self.assertTrue(play.closed())
        self.assertTrue(listens.closed())
        self.pause(other, False)
        self.hears(push, other, 0, b'\xaf\1still')

    def test_moved(self):
        """It goes on with the stream that it was moved to, and is found by that."""
        relay = self.relay(allow=lambda ask: {'stream': 'nobody'} if ask['side'] == 'play' else True)
        one, other = self.push(relay, 'one'), self.push(relay, 'other')
        play, number = self.paused(relay, 'key')
        relay.say(op='move', id=number, stream='one')
        one.frame(0)
        # In turn on the line: it has been moved.
        relay.ping()
        self.pause(play, False)
        self.hears(one, play, 20, b'\xaf\1one')
        self.pause(play)
        relay.say(op='move', id=number, stream='other')
        relay.drop('play', 'one')
        self.pause(play, False)
        self.hears(other, play, 0, b'\xaf\1other')
        self.pause(play)
        relay.drop('play', 'other')
        self.assertTrue(play.closed())
        self.assertNotIn(number, relay.sessions())

    def test_counted(self):
        relay = self.relay()
        play, _ = self.paused(relay, 'voice')
        self.play(relay, 'voice')
        self.assertEqual(relay.ping()['listeners'], 2)
        play.close()
        wait_until(lambda: relay.ping()['listeners'] == 1, 5)

    def test_what_was_unsent_is_not_heard(self):
        """Its pause is the end of it: a push that is dropped later can't take it back any more."""
        relay = self.relay()
        push = self.push(relay, 'voice')
        play = self.play(relay, 'voice', receive_buffer=4096)
        count = 400
        for i in range(count):
            push.frame(i, b'\xaf\1' + bytes(4000))
        other = self.play(relay, 'voice')
        self.hears(push, other, count, b'\xaf\1end')
        play.send(play.command('pause', 0, None, True, 0, stream=1))
        # What is asked by another connection afterwards is heard later, too.
        wait_until(lambda: relay.ping()['dropped_frames'] > count / 2, 5)
        relay.drop('push', 'voice')
        play.wait_word(b'NetStream.Pause.Notify')
        play.read(0.2)
        self.assertLess(len(play.media()), count / 2)


if __name__ == '__main__':
    tap.main()
