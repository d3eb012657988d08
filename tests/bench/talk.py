# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a talkback adds to those who don't hear it: nothing. Three gateways at the same time, each with a channel of the same
size: in one a producer talks to one member, in one he says the same in another channel, and in one he says nothing."""

import json

from harness import Gateway
from relay import Load
from studio import cpu
from workers import relays
from wsclient import Member

SPEAKER, PRODUCER, TOLD = 7, 8, 9
OURS, ELSEWHERE, WITHOUT = '', 'the voice in another channel', 'without it'
SECONDS = 8


class Room:
    """`many` members hear the speaker; one more, TOLD, may hear the producer, too."""

    def __init__(self, what, many):
        self.what = what
        self.loads, self.members = [], []
        self.gateway = Gateway('--relay-workers=1', quiet_errors=True)
        try:
            speaker = self.member(SPEAKER).join()
            self.load(f'push {speaker.publish()}')
            self.others = [self.member(100 + number).join('audience') for number in range(many)]
            self.plays = self.load(*(f'play {self.hear(other, SPEAKER)}' for other in self.others))
            room = 'elsewhere' if what == ELSEWHERE else 'room'
            self.told = self.member(TOLD, room).join('audience', features=['talk'])
            self.producer = self.member(PRODUCER, room).join(features=['talk'])
            # Before any of this is counted, all of it was said.
            self.news()
        except BaseException:
            self.stop()
            raise

    def member(self, uid, channel='room'):
        self.members.append(Member(self.gateway.ws, channel=channel, uid=uid, heartbeat=True))
        return self.members[-1]

    def load(self, *lines):
        self.loads.append(Load(lines))
        return self.loads[-1]

    @staticmethod
    def hear(member, uid):
        member.wait_event('stream-added', 20, uid=uid)
        return member.subscribe(uid)

    def talk(self):
        if self.what == WITHOUT:
            return
        to = {'to': [TOLD]} if self.what == OURS else {}
        self.load(f'push {self.producer.must("publish", uid=PRODUCER, **to)["url"]}')
        self.load(f'play {self.hear(self.told, PRODUCER)}')

    def news(self):
        """How much the others were told meanwhile."""
        count = 0
        for other in self.others:
            other.ping()
            count += len(other.events)
            other.events.clear()
        return count

    def cpu(self):
        """Seconds, of gateway and relay."""
        return sum(map(cpu, [self.gateway.pid, *relays(self.gateway)]))

    def ask(self, seconds):
        mark = self.plays.process.mark()
        self.plays.say(f'measure {seconds}')
        return lambda: json.loads(self.plays.process.wait_line('^{.*}$', seconds + 20, since=mark)[0])

    def stop(self):
        for load in self.loads:
            load.process.stop()
        for member in self.members:
            member.close()
        self.gateway.stop()


def one_round(rooms, seconds):
    """Of each room at the same time, seconds of CPU a minute, and messages that the others got of each sender's second."""
    before = {room.what: room.cpu() for room in rooms}
    answers = {room.what: room.ask(seconds) for room in rooms}
    came = {what: answer()['messages'] for what, answer in answers.items()}
    return ({room.what: (room.cpu() - before[room.what]) * 60 / seconds for room in rooms},
            {what: each / seconds for what, each in came.items()})


def run(report, quick):
    many = 20 if quick else 100
    rooms = []
    try:
        for what in (OURS, ELSEWHERE, WITHOUT):
            rooms.append(Room(what, many))
        for room in rooms:
            room.talk()
        rounds = [one_round(rooms, 2 if quick else SECONDS) for _ in range(2 if quick else 8)]
        # It ends while they listen, and that is no news to them either.
        rooms[0].producer.must('unpublish', uid=PRODUCER)
        rooms[0].told.wait_event('stream-removed', uid=PRODUCER)
        report.row('talk', f'events to {many} others of a talkback that comes and goes', '', rooms[0].news(), asked=0)
        works, came = ([each[number] for each in rounds] for number in range(2))
        for values, what, unit, asked in ((came, f'RTMP messages to {many} others, beside a talkback', '/s', 1.01),
                                          (works, f'CPU: gateway and relay, a talkback beside {many} others', 's/min', 1.05)):
            by_name = {name: [each[name] for each in values] for name in (OURS, ELSEWHERE, WITHOUT)}
            # That the voice itself costs is another matter: what is asked is beside it.
            report.row('talk', what, unit, by_name.pop(OURS), by_name, asked=asked)
    finally:
        for room in rooms:
            room.stop()
