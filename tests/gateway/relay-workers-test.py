# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several workers of agora-relay behind one port: whoever lands where, all hear all."""

import os
import signal
import statistics
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import SCALE, Case, freeze, wait_until
from relayrig import Peer, pause
from wsclient import Member

HEADER = b'\xaf\x00\x11\x90'
WORKERS = 3


def frame(number):
    return b'\xaf\x01' + number.to_bytes(4, 'big') + bytes(100)


class At:
    """Where a Peer finds the relay."""

    def __init__(self, url):
        self.port = urlsplit(url).port


class Workers(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway(f'--relay-workers={WORKERS}')
        self.at = At(self.served.rtmp)
        self.count = 0
        self.members = 0

    def member(self, role='broadcaster', **keywords):
        self.members += 1
        member = Member(self.served.ws, heartbeat=True, uid=self.members, **keywords)
        self.addCleanup(member.close)
        member.number = self.members
        return member.join(role)

    def workers(self):
        """The pids of the relays."""
        children = Path(f'/proc/{self.served.pid}/task/{self.served.pid}/children').read_text().split()
        return [int(pid) for pid in children
                if Path(f'/proc/{pid}/comm').read_text().strip() == 'agora-relay']

    def worker_of(self, peer):
        """The pid of the relay that has the other end."""
        ours = peer.socket.getsockname()[1]
        for line in Path('/proc/net/tcp').read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1][-4:], 16) == self.at.port and int(fields[2][-4:], 16) == ours:
                wanted = f'socket:[{fields[9]}]'
                for pid in self.workers():
                    for fd in Path(f'/proc/{pid}/fd').iterdir():
                        try:
                            if os.readlink(fd) == wanted:
                                return pid
                        except OSError:
                            pass
        return None

    def open(self, call, url, wanted='Start', not_at=()):
        """`not_at`: another one is tried where it lands there."""
        name = url.rpartition('/')[2]
        for _ in range(60):
            peer = Peer(self.at)
            self.addCleanup(peer.close)
            if not_at:
                peer.greet()
                wait_until(lambda: self.worker_of(peer), 3)
                if self.worker_of(peer) in not_at:
                    peer.close()
                    continue
                peer.connect()
                words = [call, 3, None, name] + (['live'] if call == 'publish' else [])
                peer.send(peer.command(*words, stream=1))
                status = peer.status()
            else:
                status = peer.open(call, name)
            self.assertIn(wanted, status)
            return peer
        raise AssertionError('each connection came to the same worker')

    def play(self, speaker, **keywords):
        """One more player: each is a member's, who may have one of each speaker."""
        return self.open('play', self.member('audience').subscribe(speaker.number), **keywords)

    def players(self, speaker, count):
        """At all workers."""
        players = [self.play(speaker) for _ in range(count)]
        for worker in self.workers():
            if worker not in [self.worker_of(each) for each in players]:
                players[-1].close()
                players.pop()
                players.insert(0, self.play(speaker, not_at=[each for each in self.workers() if each != worker]))
        self.assertEqual(len({self.worker_of(each) for each in players}), WORKERS)
        return players

    def on_air(self, **keywords):
        """A member that speaks; its push, and the push's URL."""
        speaker, witness = self.member(), self.member('audience')
        url = speaker.publish()
        push = self.open('publish', url, **keywords)
        push.frame(0, HEADER)
        witness.wait_event('stream-added', uid=speaker.number)
        return speaker, push, url

    def speak(self, push, listeners, count=5):
        """Frames, one by one: each is heard by all. How late the last one was, of each."""
        worst = []
        for _ in range(count):
            self.count += 1
            body = frame(self.count)
            begin = time.monotonic()
            push.frame(20 * self.count, body)
            for each in listeners:
                each.wait(lambda: each.media() and each.media()[-1][2] == body, what=f'frame {self.count}')
            worst.append(time.monotonic() - begin)
        return worst

    def headed(self, push, listeners, header=HEADER):
        push.frame(20 * self.count, header)
        for each in listeners:
            each.wait(lambda: header in [body for _, _, body in each.media()], what='the header')

    def test_all_hear_all_wherever_they_are(self):
        speaker, push, _ = self.on_air()
        players = self.players(speaker, 12)
        self.headed(push, players)
        times = self.speak(push, players, 50)
        print(f'# a frame to 12 players at {WORKERS} workers: {statistics.median(times) * 1000:.2f} ms in the middle')
        # Each heard each, once.
        for each in players:
            self.assertEqual([body for _, _, body in each.media()][-50:], [frame(n) for n in range(1, 51)])
        # One more has the header at once, wherever it is.
        for _ in range(4):
            late = self.play(speaker)
            late.wait(lambda: [body for _, _, body in late.media()] == [HEADER])
        # What the workers report, once in a while.
        for line in ('agora_relay_pushes 1', 'agora_relay_listeners 16'):
            self.until(lambda line=line: f'\n{line}\n' in
                       urllib.request.urlopen(f'{self.served.http}/metrics', timeout=5).read().decode(), line)

    def ends(self, player):
        """StreamEOFs so far."""
        return sum(kind == 4 and body[:2] == b'\0\1' for _, kind, _, body in player.messages)

    def test_a_publisher_that_moves(self):
        speaker, push, url = self.on_air()
        players = self.players(speaker, 6)
        self.headed(push, players)
        for turn in range(3):
            here = self.worker_of(push)
            push.close()
            for each in players:
                each.wait(lambda: self.ends(each) == turn + 1, what='StreamEOF')
            push = self.open('publish', url, not_at=[here])
            self.headed(push, players, HEADER + bytes([turn]))
            self.speak(push, players)

    def test_one_worker_dies(self):
        speaker, push, _ = self.on_air()
        other, lost_push, lost_url = self.on_air(not_at=[self.worker_of(push)])
        lost = self.worker_of(lost_push)
        players = {each: self.players(each, 6) for each in (speaker, other)}
        self.headed(push, players[speaker])
        self.headed(lost_push, players[other])
        gone = [each for some in players.values() for each in some if self.worker_of(each) == lost]
        for some in players.values():
            some[:] = [each for each in some if each not in gone]
        pids = set(self.workers())
        os.kill(lost, signal.SIGKILL)
        self.speak(push, players[speaker], 20)
        for each in gone:
            self.assertTrue(each.closed(1))
        for each in players[other]:
            each.wait(lambda: self.ends(each) == 1, what='StreamEOF')
        # Its publisher comes back, anywhere, and those who stayed hear it.
        lost_push = self.open('publish', lost_url)
        self.headed(lost_push, players[other], HEADER + b'again')
        self.speak(lost_push, players[other])
        self.speak(push, players[speaker])
        wait_until(lambda: len(self.workers()) == WORKERS, 5)
        self.assertEqual(len(pids & set(self.workers())), WORKERS - 1)
        # And players come to all of them again.
        more = self.players(speaker, 6)
        self.headed(push, more, HEADER + b'more')
        self.speak(push, more + players[speaker])

    def test_a_worker_that_stands_still_for_a_moment(self):
        speaker, push, _ = self.on_air()
        here = self.worker_of(push)
        player = self.play(speaker, not_at=[here])
        self.headed(push, [player], HEADER + b'once')
        freeze(here)
        # Longer than a link may be mute, and shorter than the gateway waits for a worker, which is 2 s at least.
        pause(1.65)
        os.kill(here, signal.SIGCONT)
        # Its link was given up meanwhile, and is made again.
        player.wait(lambda: [body for _, _, body in player.media()].count(HEADER + b'once') == 2, timeout=4)
        self.speak(push, [player])

    def test_what_is_cut_is_cut_everywhere(self):
        speaker, push, url = self.on_air()
        players = self.players(speaker, 6)
        self.headed(push, players)
        # Another push of the same name, at another worker: the older one goes.
        again = self.open('publish', url, not_at=[self.worker_of(push)])
        self.assertTrue(push.closed(2))
        self.headed(again, players, HEADER + b'again')
        self.speak(again, players)
        play_url = self.member('audience').subscribe(speaker.number)
        self.open('play', play_url[:-1] + ('A' if play_url[-1] != 'A' else 'B'), 'Failed')
        speaker.must('unpublish', uid=speaker.number)
        self.assertTrue(again.closed(2))
        for each in players:
            self.assertTrue(each.closed(2))

    def test_the_port_is_not_shared_with_another_gateway(self):
        port = self.at.port
        other = self.start(os.environ['AGORA_GATEWAY_BIN'], '--listen=127.0.0.1:0', f'--rtmp-listen=127.0.0.1:{port}',
                           '--relay-workers=2', '--app=demo', quiet_errors=True)
        self.assertNotEqual(other.wait(15 * SCALE), 0)

    def test_wrong_numbers(self):
        for number in ('0', '65', 'two', ''):
            process = self.start(os.environ['AGORA_GATEWAY_BIN'], '--app=demo', f'--relay-workers={number}',
                                 quiet_errors=True)
            self.assertNotEqual(process.wait(10), 0)
            self.assertIn('1 to 64', process.tail())


if __name__ == '__main__':
    tap.main()
