# SPDX-License-Identifier: LGPL-2.1-or-later
"""Talkback: agorasink speaks to a few by talk-to, they hear it, nobody else is told; agorasrc lowers the programme under it."""

import re
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import numpy  # noqa: E402

import heard  # noqa: E402
import tap  # noqa: E402
import voices  # noqa: E402
from channel import ChannelCase  # noqa: E402
from harness import SCALE, wait_until  # noqa: E402
from tcpway import Way  # noqa: E402
from wsclient import Member  # noqa: E402


class Older(Way):
    """On it, from when one says so, the gateway is one that knows no talkback."""

    def __init__(self, url):
        super().__init__(url)
        self.is_older = threading.Event()

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                if self.is_older.is_set() and source.getpeername()[1] == self.target[1]:
                    data = data.replace(b'"talk"', b'"walk"')
                target.sendall(data)
        except OSError:
            pass
        self._end(source)
        self._end(target)


class Talk(ChannelCase):
    def outsider(self, uid):
        """One who is none of those that it is for."""
        member = Member(self.gate.ws, channel=self.room, uid=uid, heartbeat=True)
        self.addCleanup(member.close)
        member.join('audience', features=['talk'])
        return member

    def assert_knows_nothing(self, member, uid=7):
        answer = member.ask('subscribe', uid=uid, options={'audio': True, 'video': True})
        self.assertEqual((answer['code'], answer['reason']), (432, f'uid {uid} is not publishing'))
        self.assertEqual(member.events, [])

    @staticmethod
    def wait_for(moment):
        wait_until(lambda: time.monotonic() >= moment, moment - time.monotonic() + 5, 'that time')

    def test_the_addressed_hear_it(self):
        """As clearly as any voice; others hear silence, and are told nothing, whichever codec it is."""
        voice, sent = self.speech('allison', 3)
        host, stranger = self.record('host', 8), self.record('stranger', 9)
        outsider = self.outsider(10)
        talker = self.speak(self.wav('voice', sent), 7, properties='talk-to=8 codec=auto')
        self.assertEqual(talker.wait(30), 0, talker.tail())
        self.assert_heard(voice, self.stop_recording(host))
        silence = self.stop_recording(stranger)
        self.assertGreater(len(silence), 3 * heard.RATE)
        self.assertEqual(float(numpy.abs(silence).max()), 0)
        outsider.ping()
        self.assertEqual(outsider.events, [])

    def test_others_while_it_plays(self):
        """From all to a few and back: who stays hears on without a gap, who is left out hears nothing of it."""
        voice = heard.voice('carlo', 7)
        outsider = self.outsider(10)
        host = voices.Ear(self, f'agorasrc {self.where(8)}')
        stranger = voices.Ear(self, f'agorasrc {self.where(9)}')
        speaker = voices.Speaker(self, voice, f'agorasink name=mouth {self.where(7)}',
                                 changes=(2.2, 'talk-to', '8', 4.6, 'talk-to', ''))
        outsider.wait_event('stream-added', 10 * SCALE, uid=7)
        outsider.wait_event('stream-removed', 10 * SCALE, uid=7)
        self.wait_for(speaker.begin + 3.6)
        self.assert_knows_nothing(outsider)
        outsider.wait_event('stream-added', 10 * SCALE, uid=7)
        self.assertEqual(speaker.process.wait(30), 0, speaker.process.tail())
        sound = host.take().sound
        match = self.assert_heard(voice, sound)
        self.assertEqual(heard.jumps(voice, sound, match.shift) if SCALE == 1 else [], [])
        came = stranger.take().sound
        at = heard.shift(voice[:2 * heard.RATE], came)

        def loudness(begin, end):
            part = came[at + int(begin * heard.RATE):at + int(end * heard.RATE)]
            return float(numpy.sqrt(numpy.mean(part ** 2)))
        self.assertGreater(loudness(0.5, 2.0), 0.02)
        self.assertGreater(loudness(5.8, 6.9), 0.02)
        private = came[at + int(3.0 * heard.RATE):at + int(4.5 * heard.RATE)]
        self.assertEqual(float(numpy.abs(private).max()), 0)

    def test_changed_too_often(self):
        """What the gateway refuses for the moment is carried through: it is the last list that counts in the end."""
        voice, rooms = heard.voice('carlo', 14), []
        # Narrowed, which it never refuses, and for others, which it does but for a lucky one.
        for lists in [['', '8'] * 7, *[['8,9', '8,10'] * 7 + ['8,11']] * 3]:
            self.room = f'room{len(rooms)}'
            speaker = voices.Speaker(
                self, voice, f'agorasink name=mouth {self.where(7)}', lead=3,
                changes=[word for number, to in enumerate(lists) for word in (1 + 0.2 * number, 'talk-to', to)])
            rooms.append((speaker, self.outsider(8), self.outsider(9)))
        for _, listener, _ in rooms:
            listener.wait_event('stream-added', 10 * SCALE, uid=7)
            listener.must('subscribe', uid=7, options={'audio': True, 'video': True})
        # Four more tries.
        self.wait_for(rooms[-1][0].begin + 1 + 0.2 * 14 + 5)
        for _, listener, left_out in rooms:
            self.assertFalse(self.is_left_out(listener))
            self.assertTrue(self.is_left_out(left_out))
        for each in range(1, len(rooms)):
            self.room = f'room{each}'
            self.assertFalse(self.is_left_out(self.outsider(11)))
        for speaker, _, _ in rooms:
            speaker.stop()

    @staticmethod
    def is_left_out(member):
        return member.ask('subscribe', uid=7, options={'audio': True, 'video': True})['code'] == 432

    def test_gateway_without_talk(self):
        """One that it comes back to would let all hear it: that is an ERROR, and nobody does."""
        way = Older(self.gate.ws)
        self.addCleanup(way.close)
        outsider = self.outsider(10)
        host = self.outsider(8)
        speaker = voices.Speaker(
            self, heard.voice('june', 8),
            f'agorasink talk-to=8 gateway={way.url} app-id={self.APP} channel={self.room} uid=7')
        host.wait_event('stream-added', 10 * SCALE, uid=7)
        way.is_older.set()
        way.cut()
        speaker.process.wait_line('^error .*talk', 5 * SCALE)
        self.assertEqual(speaker.process.wait(10), 1, speaker.process.tail())
        self.assert_knows_nothing(outsider)

    def test_programme_is_lowered(self):
        """While the talkback speaks, and for those alone whom it speaks to."""
        tone = 'audiotestsrc is-live=true freq=997 volume=0.25'
        self.line(f'{tone} ! agorasink {self.where(8)}').wait_line('New clock', 15)
        host = voices.Ear(self, f'agorasrc duck=12 latency=60 {self.where(9)}')
        other = voices.Ear(self, f'agorasrc duck=12 latency=60 {self.where(10)}')
        self.until(lambda: len(host.sound()) > 2 * heard.RATE, 'two seconds', 20)
        cue = 0.1 * numpy.sin(2 * numpy.pi * 300 * numpy.arange(2 * heard.RATE) / heard.RATE)
        speaker = voices.Speaker(self, numpy.concatenate([heard.silence(1), cue, heard.silence(3)]),
                                 f'agorasink talk-to=9 {self.where(7)}')
        self.assertEqual(speaker.process.wait(30), 0, speaker.process.tail())
        host, other = host.take(), other.take()

        def level(recording, second, of=997):
            """Of that tone, in the tenth of a second from then on, in dB."""
            begin = int((speaker.begin + second - recording.begin) * heard.RATE)
            part = recording.sound[begin:begin + heard.RATE // 10]
            turn = numpy.exp(-2j * numpy.pi * of * numpy.arange(len(part)) / heard.RATE)
            # The other tone's side lobes are far below what is looked for.
            return 20 * numpy.log10(4 * abs(numpy.mean(part * turn * numpy.hanning(len(part)))) + 1e-9)

        usual = level(host, 0.3)
        lowered = [usual - level(host, second) for second in (1.8, 2.2, 2.6)]
        back = usual - level(host, 4.7)
        print(f'{self.id()}: {usual:.1f} dB, lowered by {lowered[0]:.1f}, after it by {back:.1f}')
        for each in lowered:
            self.assertAlmostEqual(each, 12, delta=0.5)
        self.assertAlmostEqual(back, 0, delta=0.3)
        self.assertGreater(level(host, 2.2, 300), -21)
        for second in (0.3, 1.8, 2.2, 4.7):
            self.assertAlmostEqual(level(other, second), level(other, 0.3), delta=0.3)
        self.assertLess(level(other, 2.2, 300), -60)

    def test_data(self):
        """Words both ways between two elements, and what isn't sent."""
        import gi
        gi.require_version('Gst', '1.0')
        from gi.repository import Gst
        Gst.init(None)
        sink = Gst.parse_launch(f'audiotestsrc is-live=true ! agorasink name=member {self.where(7)}')
        source = Gst.parse_launch(f'agorasrc name=member {self.where(8)} ! fakesink')
        heard_by = {7: [], 8: []}
        for pipeline, uid in ((sink, 7), (source, 8)):
            self.addCleanup(pipeline.set_state, Gst.State.NULL)
            member = pipeline.get_by_name('member')
            self.assertFalse(member.emit('send-data', 'too early', ''))
            member.connect('data', lambda _, whom, text, got=heard_by[uid]: got.append((whom, text)))
            pipeline.set_state(Gst.State.PLAYING)
        one, other = sink.get_by_name('member'), source.get_by_name('member')
        self.until(lambda: one.props.connection_state == other.props.connection_state == 'joined', 'both', 15)
        self.assertTrue(one.emit('send-data', '€ to you', ' 8,99 '))
        self.until(lambda: heard_by[8] == [(7, '€ to you')], 'its word')
        self.assertTrue(other.emit('send-data', 'to all', None))
        self.until(lambda: heard_by[7] == [(8, 'to all')], 'the answer')
        message = sink.get_bus().timed_pop_filtered(5 * Gst.SECOND, Gst.MessageType.ELEMENT)
        while message.get_structure().get_name() != 'agora-data':
            message = sink.get_bus().timed_pop_filtered(5 * Gst.SECOND, Gst.MessageType.ELEMENT)
        fields = message.get_structure()
        self.assertEqual((fields.get_uint('uid').value, fields.get_string('text')), (8, 'to all'))
        for text, to in (('', ''), (None, ''), ('x' * 257, ''), ('x', 'nobody'), ('x', ','), ('x', ','.join(map(str, range(1, 18))))):
            self.assertFalse(one.emit('send-data', text, to), (text, to))
        # More than the gateway passes on is a warning.
        for number in range(30):
            self.assertTrue(one.emit('send-data', str(number), '8'))
        warning = sink.get_bus().timed_pop_filtered(5 * Gst.SECOND, Gst.MessageType.WARNING)
        self.assertIn('Data is not sent', warning.parse_warning()[0].message)

    def test_names(self):
        """A speaker's name, as the listener is told it and shows it; what is no name is an ERROR."""
        listener = self.line(f'agorasrc level-interval=100000000 loudness-interval=100000000 silence-time=300000000 {self.where(8)} ! fakesink', '-m')
        listener.wait_line('New clock', 15)
        self.line(f'audiotestsrc is-live=true wave=silence ! agorasink display-name="Ann B." {self.where(7)}')
        listener.wait_line(r'agora-member-named, uid=\(uint\)7, name=\(string\)"Ann\\ B."', 15)
        listener.wait_line(r'agora-level.*uid.*7.*name.*Ann', 10)
        listener.wait_line(r'agora-loudness.*speakers.*uid.*7.*name.*Ann', 10)
        listener.wait_line(r'agora-silence.*silent=\(boolean\)true.*uid=\(uint\)7, name=\(string\)"Ann\\ B."', 10)
        refused = self.line(f'audiotestsrc is-live=true ! agorasink display-name={"x" * 65} {self.where(9)}')
        self.assertNotEqual(refused.wait(15), 0)
        self.assertIn('at most 64 characters', refused.output())

    def test_who_is_there(self):
        """Those who only listen, too, where the gateway shows them; a WARNING where it doesn't."""
        refused = self.line(f'agorasrc list-members=true {self.where(6)} ! fakesink', '-m')
        refused.wait_line('Who else is in the channel isn.t known.*show', 15)
        self.gate = self.gateway('--show-members=demo')
        self.line(f'agorasrc display-name=Ann {self.where(9)} ! fakesink', '-m').wait_line('New clock', 15)
        listener = self.line(f'agorasrc list-members=true {self.where(8)} ! fakesink', '-m')
        sink = self.line(f'audiotestsrc is-live=true ! agorasink list-members=true {self.where(7)}', '-m')
        quiet = self.line(f'agorasrc {self.where(11)} ! fakesink', '-m')
        listener.wait_line(r'agora-member-joined, uid=\(uint\)9, name=\(string\)Ann;', 15)
        listener.wait_line(r'agora-member-joined, uid=\(uint\)7;', 15)
        sink.wait_line(r'agora-member-joined, uid=\(uint\)8;', 15)
        sink.wait_line(r'agora-member-joined, uid=\(uint\)11;', 15)
        other = self.line(f'agorasrc {self.where(10)} ! fakesink', '-m')
        for each in (listener, sink):
            each.wait_line(r'agora-member-joined, uid=\(uint\)10;', 15)
        other.signal(signal.SIGINT)
        for each in (listener, sink):
            each.wait_line(r'agora-member-left, uid=\(uint\)10;', 15)
        self.assertNotIn('agora-member-', quiet.output())
        self.assertNotIn('agora-member-joined', refused.output())

    def test_who_is_there_until_it_is_hidden(self):
        """By SIGHUP: all go from the list, with a WARNING, and come back with it."""
        config = self.tmp / 'gateway.conf'

        def show(apps):
            config.write_text(f'[gateway]\napp=demo;other\nshow-members={apps}\n')
            if hasattr(self, 'shown'):
                self.shown.signal(signal.SIGHUP)

        show('demo')
        self.gate = self.shown = self.gateway(f'--config={config}')
        self.line(f'agorasrc {self.where(9)} ! fakesink', '-m').wait_line('New clock', 15)
        listener = self.line(f'agorasrc list-members=true {self.where(8)} ! fakesink', '-m')
        joined = r'agora-member-joined, uid=\(uint\)9'
        listener.wait_line(joined, 15)
        for times in (1, 2):
            show('other')
            self.until(lambda n=times: len(re.findall('Who else is in the channel isn.t known', listener.output())) >= n)
            # It comes by another pipe than the WARNING.
            self.until(lambda n=times: len(re.findall(r'agora-member-left, uid=\(uint\)9', listener.output())) == n)
            show('demo')
            self.until(lambda n=times: len(re.findall(joined, listener.output())) == n + 1)

    def test_what_is_no_list(self):
        for process in [self.line(f'audiotestsrc num-buffers=10 ! agorasink talk-to="{value}" {self.where(7)}')
                        for value in ('eight', '0', '8;9', ','.join(map(str, range(1, 18))))]:
            self.assertNotEqual(process.wait(15), 0)
            self.assertIn('talk-to: “', process.output())
        speaker = voices.Speaker(self, heard.voice('june', 2), f'agorasink name=mouth talk-to=8 {self.where(7)}',
                                 changes=(1, 'talk-to', 'nobody'))
        outsider = self.outsider(10)
        # The last list stays.
        self.wait_for(speaker.begin + 1.5)
        self.assert_knows_nothing(outsider)
        self.assertEqual(speaker.process.wait(30), 0, speaker.process.tail())


if __name__ == '__main__':
    tap.main()
