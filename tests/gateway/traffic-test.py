# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics by channel: what is pushed and played, by whom too late, and who is behind."""

import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import Case
from relayrig import Peer, RelayCase
from wsclient import Member

TOKEN = 'an-admin-token-of-the-tests'
OTHER = 'app="",channel="other"'


class At:
    """Where a Peer finds the relay."""

    def __init__(self, url):
        self.port = urlsplit(url).port


def sound(size):
    return b'\xaf\x01' + bytes(size - 2)


class Traffic(Case):
    def serve(self, *options):
        token = self.tmp / 'token'
        token.write_text(TOKEN + '\n')
        self.served = self.gateway(f'--admin-token-file={token}', *options)
        self.uids = 0

    def member(self, channel, role='broadcaster'):
        self.uids += 1
        member = Member(self.served.ws, channel=channel, uid=self.uids, heartbeat=True)
        self.addCleanup(member.close)
        return member.join(role)

    def open(self, call, url, **keywords):
        peer = Peer(At(self.served.rtmp), **keywords)
        self.addCleanup(peer.close)
        self.assertIn('Start', peer.open(call, url.rpartition('/')[2]))
        return peer

    def on_air(self, channel):
        """A speaker and its push."""
        speaker, witness = self.member(channel), self.member(channel, 'audience')
        push = self.open('publish', speaker.publish())
        witness.wait_event('stream-added', uid=speaker.uid)
        witness.close()
        return speaker, push

    def listen(self, speaker, channel, **keywords):
        return self.open('play', self.member(channel, 'audience').subscribe(speaker.uid), **keywords)

    def scrape(self):
        """The channels' samples."""
        request = urllib.request.Request(self.served.http + '/metrics', headers={'Authorization': f'Bearer {TOKEN}'})
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
        return {(name, labels): float(value) for name, labels, value in
                re.findall(r'^agora_channel_(\w+)\{(.*)\} (\S+)$', text, re.M)}

    def figures(self, channel):
        """Of one channel: received, sent and dropped, so far."""
        now = self.scrape()
        labels = channel if '=' in channel else f'app="demo",channel="{channel}"'
        return tuple(now.get((f'{name}_total', labels), 0) for name in ('received_bytes', 'sent_bytes', 'dropped_frames'))

    def wait_figures(self, channel, *figures):
        try:
            self.until(lambda: self.figures(channel) == figures, f'{figures} of {channel}')
        except AssertionError as error:
            raise AssertionError(f'{error}: {self.figures(channel)}') from error

    def sessions(self, channel):
        now = self.scrape()
        return tuple(now[('rtmp_sessions', f'app="demo",channel="{channel}",side="{side}"')]
                     for side in ('push', 'play', 'relay'))

    def test_each_channel_by_itself(self):
        self.serve()
        loud, loud_push = self.on_air('loud')
        calm, calm_push = self.on_air('calm')
        listeners = [self.listen(loud, 'loud') for _ in range(3)] + [self.listen(calm, 'calm')]
        for number in range(10):
            loud_push.frame(20 * number, sound(1000))
        calm_push.frame(0, sound(50))
        for each, count in zip(listeners, (10, 10, 10, 1)):
            each.wait(lambda: len(each.media()) == count)
        self.wait_figures('loud', 10_000, 30_000, 0)
        self.wait_figures('calm', 50, 50, 0)
        self.assertEqual((self.sessions('loud'), self.sessions('calm')), ((1, 3, 0), (1, 1, 0)))
        # Who is gone at once after its last word is counted to it, and what was counted stays.
        calm_push.frame(20, sound(70))
        listeners[3].wait(lambda: len(listeners[3].media()) == 2)
        calm.must('unpublish', uid=calm.uid)
        calm.close()
        calm_push.close()
        self.wait_figures('calm', 120, 120, 0)
        self.assertEqual(self.figures(OTHER), (0, 0, 0))
        # What only grows does so over a restart of the relay, too.
        relay, = [int(pid) for pid in Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text().split()]
        os.kill(relay, signal.SIGKILL)
        self.until(lambda: self.sessions('loud') == (0, 0, 0), 'the end of the sessions')
        self.assertEqual(self.figures('loud'), (10_000, 30_000, 0))
        again = self.open('publish', loud.must('update_url', role='publish', uid=loud.uid)['url'])
        again.frame(0, sound(100))
        self.wait_figures('loud', 10_100, 30_000, 0)

    def test_a_stream_that_is_over_before_it_is_told_of(self):
        self.serve()
        for number in range(3):
            speaker, push = self.on_air('short')
            listener = self.listen(speaker, 'short')
            push.frame(0, sound(40 + number))
            listener.wait(lambda: listener.media())
            speaker.must('unpublish', uid=speaker.uid)
            speaker.close()
        self.wait_figures('short', 123, 123, 0)
        self.assertEqual(self.figures(OTHER), (0, 0, 0))

    def test_a_slow_listener(self):
        self.serve()
        speaker, push = self.on_air('room')
        good = self.listen(speaker, 'room')
        slow = self.listen(speaker, 'room', receive_buffer=4096)
        count = 901
        for number in range(count):
            push.frame(20 * number, sound(1400))
            # No faster than it reads.
            good.wait(lambda: good.media() and good.media()[-1][1] == 20 * number)
        self.assertEqual(len(good.media()), count)
        self.until(lambda: self.figures('room')[0] == count * 1400, 'all that was pushed')
        self.until(lambda: self.figures('room')[2] > 300, 'frames that were left out')
        lag = self.scrape()[('lag_seconds', 'app="demo",channel="room"')]
        self.assertGreater(lag, 0.9)
        self.assertLessEqual(lag, 1)
        # It reads on: what it hears and what it lost are all that there was.
        slow.wait(lambda: slow.media() and slow.media()[-1][1] == 20 * (count - 1))
        heard = len(slow.media())
        self.assertLess(heard, count - 300)
        self.wait_figures('room', count * 1400, (count + heard) * 1400, count - heard)

    def test_between_workers(self):
        """A stream that goes from worker to worker on its way is counted where it comes and where it goes."""
        self.serve('--relay-workers=3')
        speaker, push = self.on_air('room')
        listeners = [self.listen(speaker, 'room') for _ in range(12)]
        # Some of them are linked after the first frames.
        header = b'\xaf\x00\x11\x90'
        push.frame(0, header)
        for each in listeners:
            each.wait(lambda: [body for _, _, body in each.media()] == [header])
        for number in range(1, 6):
            push.frame(20 * number, sound(200))
        for each in listeners:
            each.wait(lambda: len(each.media()) == 6)
        self.wait_figures('room', 1004, 12 * 1004, 0)


class Line(RelayCase):
    """agora-relay alone: what it tells, and when."""

    def test_it_tells_only_who_wants_to_know(self):
        relay = self.relay()
        push, listener = self.push(relay, 'voice'), self.play(relay, 'voice')
        push.frame(0, sound(100))
        listener.wait(lambda: len(listener.media()) == 1)
        # Longer than a tick of its loop.
        listener.read(0.3)
        # An older gateway never says how often: nothing is told.
        self.assertEqual(relay.all_told('traffic'), [])
        relay.configure(report_ms=100)
        self.assertEqual(relay.wait_told('traffic')['streams'], [{'stream': 'voice', 'received': 100, 'sent': 100}])
        push.frame(20, sound(60))
        self.until(lambda: len(relay.all_told('traffic')) == 2)
        self.assertEqual(relay.all_told('traffic')[1]['streams'], [{'stream': 'voice', 'received': 60, 'sent': 60}])

    def test_no_more_often_than_it_was_told(self):
        relay = self.relay()
        relay.configure(report_ms=1000)
        push = self.push(relay, 'voice')
        began = time.monotonic()
        sent = 0
        while time.monotonic() - began < 3.5:
            push.frame(sent, sound(100))
            sent += 1
            push.read(0.02)
        push.close()
        self.until(lambda: relay.traffic('received') == 100 * sent, 'all of it')
        self.assertLessEqual(len(relay.all_told('traffic')), time.monotonic() - began + 2)

    def test_who_is_cut(self):
        """Headers are never left out: whoever leaves too many unread goes."""
        relay = self.relay()
        relay.configure(report_ms=100)
        push, good = self.push(relay, 'voice'), self.play(relay, 'voice')
        deaf, elsewhere = self.play(relay, 'voice', receive_buffer=4096), self.play(relay, 'other')
        for number in range(20):
            push.frame(number, b'\xaf\x00' + bytes(50000))
            good.wait(lambda: len(good.media()) == number + 1)
        self.until(lambda: relay.traffic('cut') == 1, 'the end of who does not read')
        self.assertTrue(deaf.closed())
        push.frame(20)
        good.wait(lambda: len(good.media()) == 21)
        self.assertFalse(elsewhere.closed(0.3))
        self.assertEqual((relay.traffic('cut'), relay.traffic('cut', 'other')), (1, 0))

    def test_what_is_pulled_counts_at_both(self):
        origin = self.relay()
        edge = self.relay(allow=lambda ask: {'relay_from': f'{origin.url}/{ask["stream"]}?s=1'})
        for relay in (origin, edge):
            relay.configure(report_ms=100)
        push = self.push(origin, 'voice')
        listeners = [self.play(edge, 'voice') for _ in range(2)]
        edge.wait_told('pulled')
        push.frame(0, b'\xaf\x00\x11\x90')
        for each in listeners:
            each.wait(lambda: each.media())
        push.frame(20, sound(96))
        for each in listeners:
            each.wait(lambda: len(each.media()) == 2)
        for relay, sent in ((origin, 100), (edge, 200)):
            self.until(lambda: (relay.traffic('received'), relay.traffic('sent')) == (100, sent), f'{sent} bytes')

    def test_many_streams_in_packets_that_fit(self):
        relay = self.relay()
        relay.configure(report_ms=200)
        pushes = [self.push(relay, f'voice-{number:026}') for number in range(100)]
        for push in pushes:
            push.frame(0, sound(500))
        self.until(lambda: all(relay.traffic('received', f'voice-{number:026}') == 500 for number in range(100)),
                   'each stream')
        self.assertLessEqual(max(len(told['streams']) for told in relay.all_told('traffic')), 24)


if __name__ == '__main__':
    tap.main()
