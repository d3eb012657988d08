# SPDX-License-Identifier: LGPL-2.1-or-later
"""Talkback, words, names and lists of members as a program in Python has them, by the library's bindings and with a real gateway."""

import signal
import sys
from pathlib import Path

import tap
from harness import SCALE, Case
from tcpway import Way

try:
    import gi
except ImportError:
    print('1..0 # SKIP this Python has no gi')
    sys.exit(0)
gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402

CONTEXT = GLib.MainContext.default()
BROADCASTER, AUDIENCE = AgoraSignaling.Role.BROADCASTER, AgoraSignaling.Role.AUDIENCE
Error = AgoraSignaling.Error


def wait(condition, what):
    late = []
    timer = GLib.timeout_add(int(10_000 * SCALE), late.append, True)
    while not condition():
        if late:
            raise AssertionError(f'{what} did not come')
        CONTEXT.iteration(True)
    if not late:
        GLib.source_remove(timer)


class ClientTalk(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway('--show-members=demo')

    def ask(self, client, name, *arguments):
        results = []
        getattr(client, f'{name}_async')(*arguments, None, lambda _, result: results.append(result))
        wait(lambda: results, name)
        return getattr(client, f'{name}_finish')(results[0])

    def client(self, uid, role=AUDIENCE, name=None, url=None):
        client = AgoraSignaling.Client.new(url or self.served.ws)
        self.addCleanup(client.destroy)
        client.props.display_name = name
        self.ask(client, 'init', 'demo')
        self.ask(client, 'set_role', role)
        self.ask(client, 'join', None, 'room', uid)
        return client

    def voice(self, url):
        voice = clusterrig.Voice(url, 'cue')
        self.addCleanup(voice.close)

    def test_talkback(self):
        producer, host, other = self.client(7, BROADCASTER, 'Ann'), self.client(8), self.client(9)
        self.assertFalse(producer.dup_talk_to())
        producer.set_talk_to([9, 8, 8])
        self.assertEqual(list(producer.dup_talk_to()), [8, 9])
        for wrong in ([0], [8, 0], list(range(1, 18))):
            with self.assertRaises(GLib.Error) as refused:
                producer.set_talk_to(wrong)
            self.assertEqual(refused.exception.code, Error.INVALID_ARGUMENT)
        producer.set_talk_to([8])
        self.voice(self.ask(producer, 'publish'))
        wait(lambda: host.dup_speakers(), 'the talkback')
        self.assertTrue(host.is_talkback(7))
        self.assertEqual(host.dup_name(7), 'Ann')
        self.ask(host, 'subscribe', 7)
        self.assertTrue(host.is_talkback(7))
        with self.assertRaises(GLib.Error) as refused:
            self.ask(other, 'subscribe', 7)
        self.assertEqual(refused.exception.code, Error.NOT_PUBLISHING)
        self.assertFalse(other.dup_speakers())
        # For all: who hears it goes over, and the others are told.
        moved = []
        host.connect('update-url', lambda client, uid, _: moved.append(client.is_talkback(uid)))
        producer.set_talk_to([])
        self.voice(self.ask(producer, 'publish'))
        wait(lambda: other.dup_speakers(), 'the voice')
        wait(lambda: moved, 'update-url')
        self.assertEqual(moved, [False])

    def test_data(self):
        one, other = self.client(7), self.client(8)
        heard = []
        other.connect('data', lambda _, uid, text: heard.append((uid, text)))
        self.assertTrue(self.ask(one, 'send_data', 'on air in 10', [8, 99]))
        self.assertTrue(self.ask(one, 'send_data', '€', []))
        wait(lambda: len(heard) == 2, 'its words')
        self.assertEqual(heard, [(7, 'on air in 10'), (7, '€')])
        for text, uids in (('', []), ('x' * 257, []), ('x', [0]), ('x', list(range(1, 18)))):
            with self.assertRaises(GLib.Error) as refused:
                self.ask(one, 'send_data', text, uids)
            self.assertEqual(refused.exception.code, Error.INVALID_ARGUMENT)

    def test_names(self):
        listener = self.client(8)
        told = []
        listener.connect('member-named', lambda _, uid, name: told.append((uid, name, list(listener.dup_speakers() or []))))
        self.assertIsNone(listener.dup_name(7))
        self.voice(self.ask(self.client(7, BROADCASTER, 'Ann é'), 'publish'))
        wait(lambda: listener.dup_speakers(), 'the voice')
        # Before the stream, so that whoever is told of that can name it.
        self.assertEqual(told, [(7, 'Ann é', [])])
        self.assertEqual(listener.dup_name(7), 'Ann é')
        with self.assertRaises(GLib.Error) as refused:
            self.client(9, AUDIENCE, 'two\nlines')
        self.assertEqual(refused.exception.code, Error.INVALID_ARGUMENT)
        self.assertIn('display-name', refused.exception.message)

    def test_a_name_that_ends_meanwhile(self):
        """Who comes back without one while the listener is away has none when that is back."""
        way = Way(self.served.ws)
        self.addCleanup(way.close)
        listener = self.client(8, url=way.url)
        told = []
        listener.connect('member-named', lambda _, uid, name: told.append((uid, name)))
        speaker = self.client(7, BROADCASTER, 'Ann')
        self.voice(self.ask(speaker, 'publish'))
        wait(lambda: listener.dup_speakers(), 'the voice')
        way.shut()
        wait(lambda: listener.props.state == AgoraSignaling.State.RECONNECTING, 'the loss')
        self.ask(speaker, 'leave')
        speaker.props.display_name = None
        self.ask(speaker, 'join', None, 'room', 7)
        self.voice(self.ask(speaker, 'publish'))
        way.mend()
        wait(lambda: len(told) == 2, 'the end of its name')
        self.assertEqual((told, listener.dup_name(7)), ([(7, 'Ann'), (7, '')], None))

    def test_members(self):
        way = Way(self.served.ws)
        self.addCleanup(way.close)
        one = self.client(7, name='Ann', url=way.url)
        told = []
        one.connect('member-joined', lambda _, uid, name: told.append((uid, name)))
        one.connect('member-left', lambda _, uid: told.append(uid))
        self.assertFalse(one.dup_members() or one.props.lists_members)
        self.client(8)
        self.assertEqual(told, [])
        members, more = self.ask(one, 'get_members')
        self.assertEqual((list(members), more, list(one.dup_members())), ([8], 0, [8]))
        self.assertTrue(one.props.lists_members)
        other = self.client(9, name='Cid')
        wait(lambda: told, 'member-joined')
        self.assertEqual((told, one.dup_name(9)), ([(9, 'Cid')], 'Cid'))
        self.assertEqual(sorted(self.ask(other, 'get_members')[0]), [7, 8])
        self.assertEqual(other.dup_name(7), 'Ann')
        self.ask(other, 'leave')
        wait(lambda: len(told) == 2, 'member-left')
        self.assertEqual((told[1], list(one.dup_members()), one.dup_name(9)), (9, [8], None))
        self.assertFalse(other.dup_members() or other.props.lists_members)
        # Back after a loss it hears what has changed.
        told.clear()
        way.shut()
        wait(lambda: one.props.state == AgoraSignaling.State.RECONNECTING, 'the loss')
        self.client(10)
        way.mend()
        wait(lambda: told, 'what has changed')
        self.assertEqual((told, list(one.dup_members())), ([(10, '')], [8, 10]))

    def test_members_are_not_shown(self):
        """Nor what they were, once the operator takes it back; and without asking again they are, once it is given."""
        config = self.tmp / 'gateway.conf'

        def show(apps):
            config.write_text(f'[gateway]\napp=demo;other\nshow-members={apps}\n')

        show('other')
        self.served = self.gateway(f'--config={config}')
        one = self.client(7)
        told = []
        one.connect('member-joined', lambda _, uid, name: told.append((uid, name)))
        one.connect('member-left', lambda _, uid: told.append(uid))
        one.connect('notify::lists-members', lambda *_: told.append(one.props.lists_members))
        one.connect('error', lambda _, error: told.append(error.message))
        with self.assertRaises(GLib.Error) as refused:
            self.ask(one, 'get_members')
        self.assertEqual(refused.exception.code, Error.NOT_PERMITTED)
        self.assertIn('show', refused.exception.message)
        self.client(8, name='Ann')
        for _ in range(2):
            self.assertEqual(told, [])
            show('demo')
            self.served.signal(signal.SIGHUP)
            wait(lambda: len(told) == 2, 'the list')
            self.assertEqual((told, list(one.dup_members()), one.dup_name(8)), ([True, (8, 'Ann')], [8], 'Ann'))
            told.clear()
            show('other')
            self.served.signal(signal.SIGHUP)
            wait(lambda: len(told) == 2, 'its end')
            self.assertEqual((told, one.dup_members(), one.dup_name(8)), ([False, 8], [], None))
            told.clear()


if __name__ == '__main__':
    tap.main()
