# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a talkback adds to those who don't hear it: nothing. Three gateways at the same time, each with a channel of the same
size: at one a producer talks to one member of it, at one he says the same in another channel, and at one he says nothing."""

import json

from harness import Gateway
from relay import Load
from studio import cpu
from workers import relays
from wsclient import Member

SPEAKER, PRODUCER, TOLD = 7, 8, 9
OURS, ELSEWHERE, WITHOUT = '', 'the voice in another channel', 'without it'
SECONDS = 8


class Site:
    """A gateway. `many` members of a channel hear the speaker; one more, in that channel and in another, may hear a producer."""

    def __init__(self, many):
        self.loads, self.members = [], []
        self.gateway = Gateway('--relay-workers=1', quiet_errors=True)
        try:
            speaker = self.member(SPEAKER).join()
            self.load(f'push {speaker.publish()}')
            self.others = [self.member(100 + number).join('audience') for number in range(many)]
            self.plays = self.load(*(f'play {self.hear(other, SPEAKER)}' for other in self.others))
            self.producers, self.told = {}, {}
            for what, room in ((OURS, 'room'), (ELSEWHERE, 'elsewhere')):
                self.told[what] = self.member(TOLD, room).join('audience', features=['talk'])
                self.producers[what] = self.member(PRODUCER, room).join(features=['talk'])
            # All of this has been told before anything is counted.
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

    def talk(self, what):
        if what == WITHOUT:
            return
        to = {'to': [TOLD]} if what == OURS else {}
        self.load(f'push {self.producers[what].must("publish", uid=PRODUCER, **to)["url"]}')
        self.load(f'play {self.hear(self.told[what], PRODUCER)}')

    def hush(self, what):
        if what == WITHOUT:
            return
        for _ in range(2):
            self.loads.pop().process.stop()
        self.producers[what].must('unpublish', uid=PRODUCER)
        self.told[what].wait_event('stream-removed', 20, uid=PRODUCER)

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


def one_round(sites, seconds):
    """Of each at the same time: seconds of CPU a minute, messages that came to the others a second, and what they were told."""
    for what, site in sites.items():
        site.talk(what)
    before = {what: site.cpu() for what, site in sites.items()}
    answers = {what: site.ask(seconds) for what, site in sites.items()}
    came = {what: answer()['messages'] / seconds for what, answer in answers.items()}
    used = {what: (site.cpu() - before[what]) * 60 / seconds for what, site in sites.items()}
    for what, site in sites.items():
        site.hush(what)
    return used, came, sites[OURS].news()


def run(report, quick):
    many = 20 if quick else 100
    sites = []
    try:
        sites += [Site(many) for _ in range(3)]
        # Each gateway has each part in turn, and the voices begin anew: how they fall between the speaker's frames is chance.
        rounds = [one_round(dict(zip((OURS, ELSEWHERE, WITHOUT), sites[number % 3:] + sites[:number % 3])),
                            2 if quick else SECONDS) for number in range(3 if quick else 12)]
    finally:
        for site in sites:
            site.stop()
    used, came, told = zip(*rounds)
    report.row('talk', f'events to {many} others of a talkback that comes and goes', '', sum(told), asked=0)
    for values, what, unit, asked in ((came, f'RTMP messages to {many} others, beside a talkback', '/s', 1.01),
                                      (used, f'CPU: gateway and relay, a talkback beside {many} others', 's/min', 1.05)):
        by_name = {name: [each[name] for each in values] for name in (OURS, ELSEWHERE, WITHOUT)}
        # That the voice costs something itself is another matter.
        report.row('talk', what, unit, by_name.pop(OURS), by_name, asked=asked)
