# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays the recorded conversations of conformance/*.json with a real gateway.

Neither side's code is in it: frames are what the files say, byte for byte where they say so, and
what comes back has to be what they say, nothing more, in that order. README.md there explains the
files. Arguments: parts of the names of the cases to run.
"""

import itertools
import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import harness
import tap
from tokens import build as build_token
import wsclient

FILES = Path(__file__).parent / 'conformance'
# Where an answer has to come at once, and where a media server has to be asked first.
SOON, MEDIA = 5, 15
HEARTBEAT = 3
URL = re.compile(r'rtmp://[^/?]+/\w[-\w]*/[-\w]+\?[-\w=&]{1,199}')
VARIABLE = re.compile(r'\$\{(\w+)\}')
CERTIFICATES = {'sealed': '00112233445566778899aabbccddeeff'}


class Mismatch(AssertionError):
    pass


class Peer(wsclient.WebSocket):
    """One socket of a conversation, with the envelope that its requests carry."""

    def __init__(self, url, about):
        super().__init__(url, timeout=SOON)
        self.envelope = {'appId': about.get('app', 'demo'), 'cname': about['channel'],
                         'uid': about.get('uid', '0'), 'sid': os.urandom(16).hex().upper(),
                         'sdkVersion': '1.1.0'}
        self.request_id = 2
        self.unanswered = []
        self.heartbeats = set()

    def number(self):
        self.request_id += 1
        return self.request_id

    def send_frame_of(self, frame):
        if isinstance(frame.get('requestId'), int) and frame['requestId'] > 0:
            self.request_id = max(self.request_id, frame['requestId'])
            self.unanswered.append(frame['requestId'])
        self.send_text(json.dumps(frame, ensure_ascii=False))

    def send_request(self, request):
        number = self.number()
        self.send_frame_of({**self.envelope, 'seq': number - 1, 'requestId': number,
                            'ts': int(time.time()), 'clientRequest': request})

    def send_ping(self):
        envelope = {name: value for name, value in self.envelope.items() if name != 'sdkVersion'}
        self.send_frame_of({'command': 'ping', 'requestId': self.number(), **envelope,
                            'ts': int(time.time())})

    def beat(self):
        """A ping whose pong is nobody's business."""
        self.send_ping()
        self.heartbeats.add(self.unanswered.pop())

    def next_frame(self, timeout=SOON):
        while True:
            opcode, payload = self.receive(timeout)
            if opcode != wsclient.TEXT:
                raise Mismatch(f'a binary frame: {payload[:80]}')
            frame = json.loads(payload.decode('utf-8'))
            if frame.get('command') != 'pong' or frame.get('requestId') not in self.heartbeats:
                return frame


class Conversation:
    """The steps of one scenario, and what was learnt on the way."""

    def __init__(self, gateway, channel, start):
        self.gateway, self.start = gateway, start
        self.names = {'channel': channel}
        self.peers = {}
        self.pushes = {}
        self.verbs = {name.removeprefix('do_').replace('_', ' '): getattr(self, name)
                      for name in dir(self) if name.startswith('do_')}

    # --- values

    def filled(self, value):
        """What is sent: `$name` is the value learnt by that name, `${name}` its text."""
        if isinstance(value, dict):
            if value.keys() == {'$token'}:
                return self.token(self.filled(value['$token']))
            return {name: self.filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, str):
            if value.startswith('$') and value[1:] in self.names:
                return self.names[value[1:]]
            return VARIABLE.sub(lambda match: str(self.names[match[1]]), value)
        return value

    def token(self, about):
        app = about.pop('app', 'sealed')
        certificate = about.pop('certificate', None) or CERTIFICATES[app]
        privileges = about.pop('privileges', None)
        if privileges is not None:
            privileges = {int(which): lifetime for which, lifetime in privileges.items()}
        about.setdefault('channel', self.names['channel'])
        if 'age' in about:
            about['issued'] = int(time.time()) - about.pop('age')
        return build_token(app, certificate, privileges=privileges, **about)

    def match(self, expected, is_, where='frame'):
        if isinstance(expected, str) and expected.startswith('$'):
            return self.match_name(expected[1:], is_, where)
        if type(expected) is not type(is_):
            raise Mismatch(f'{where}: {is_!r} instead of {expected!r}')
        if isinstance(expected, dict):
            if expected.keys() != is_.keys():
                raise Mismatch(f'{where}: {is_!r} instead of {expected!r}')
            for name, each in expected.items():
                self.match(each, is_[name], f'{where}.{name}')
        elif isinstance(expected, list):
            if len(expected) != len(is_):
                raise Mismatch(f'{where}: {is_!r} instead of {expected!r}')
            for i, each in enumerate(expected):
                self.match(each, is_[i], f'{where}[{i}]')
        elif self.filled(expected) != is_:
            raise Mismatch(f'{where}: {is_!r} instead of {expected!r}')

    def match_name(self, pattern, is_, where):
        """`$name` learns or compares; `$kind:name` looks at its form as well."""
        kind, _, name = pattern.rpartition(':')
        if kind == 'url' and not (isinstance(is_, str) and URL.fullmatch(is_)):
            raise Mismatch(f'{where}: {is_!r} is no media URL')
        if kind == 'uid' and not (type(is_) is int and 0 < is_ < 2**32):
            raise Mismatch(f'{where}: {is_!r} is no uid')
        if kind == 'text' and not (isinstance(is_, str) and is_):
            raise Mismatch(f'{where}: {is_!r} is no text')
        if name == 'any':
            return
        if name in self.names and self.names[name] != is_:
            raise Mismatch(f'{where}: {is_!r} instead of {self.names[name]!r}')
        self.names[name] = is_

    # --- steps; the file says "WHO VERB": VALUE

    def run(self, steps):
        for number, step in enumerate(steps):
            (key, value), = step.items()
            who, _, verb = key.partition(' ')
            try:
                self.verbs[verb](who, value)
            except Exception as error:
                raise Mismatch(f'step {number}, {json.dumps(step, ensure_ascii=False)}: '
                               f'{type(error).__name__}: {error}') from error

    def peer(self, who):
        return self.peers[who]

    def do_opens(self, who, about):
        about = {'channel': '${channel}', **about}
        self.peers[who] = Peer(self.gateway.ws, self.filled(about))

    def do_sends(self, who, request):
        self.peer(who).send_request(self.filled(request))

    def do_sends_frame(self, who, frame):
        self.peer(who).send_frame_of(self.filled(frame))

    def do_sends_text(self, who, text):
        self.peer(who).send_text(text)

    def do_sends_bytes(self, who, digits):
        self.peer(who).send_frame(bytes.fromhex(digits))

    def do_sends_binary(self, who, digits):
        self.peer(who).send_frame(bytes.fromhex(digits), opcode=wsclient.BINARY)

    def do_sends_much(self, who, about):
        text = about.get('before', '') + about['text'] * about['times'] + about.get('after', '')
        self.peer(who).send_text(text)

    def do_pings(self, who, _):
        self.peer(who).send_ping()

    def do_joins(self, who, fields):
        """A whole join, for what isn't about joining; the answer is read as well."""
        self.do_asks_to_join(who, fields)
        self.do_is_answered(who, {'uid': f'$uid:{who}'})

    def do_asks_to_join(self, who, fields):
        envelope = self.peer(who).envelope
        join = {'action': 'join', 'role': 'audience', 'appId': envelope['appId'],
                'customAudioCodec': None, 'key_vocs': envelope['appId'],
                'key_vos': envelope['appId'], 'channel_name': envelope['cname'],
                'uid': envelope['uid'], 'vid': '1', 'device': 'phone', 'os': 'linux',
                'version': '2.6.4', 'clientType': 'wechat', 'audio_only': True, 'uidType': 0}
        join.update(self.filled(fields))
        self.peer(who).send_request(
            {name: value for name, value in join.items() if value != '$absent'})

    def answered(self, who):
        peer = self.peer(who)
        if not peer.unanswered:
            raise Mismatch('nothing was asked')
        return peer.unanswered.pop(0)

    def do_gets(self, who, expected, timeout=SOON):
        peer = self.peer(who)
        frame = peer.next_frame(timeout)
        self.match(expected, frame)
        if frame.get('requestId') in peer.unanswered:
            peer.unanswered.remove(frame['requestId'])

    def do_is_answered(self, who, fields):
        number = self.answered(who)
        self.do_gets(who, {'command': 'serverResponse', 'requestId': number, 'code': 200,
                           'serverResponse': fields})

    def do_is_refused(self, who, code):
        number = self.answered(who)
        self.do_gets(who, {'command': 'serverResponse', 'requestId': number, 'code': code,
                           'reason': '$text:any'})

    def do_gets_pong(self, who, _):
        self.do_gets(who, {'command': 'pong', 'requestId': self.answered(who)})

    def do_is_told(self, who, event):
        """What may take its time: nobody falls silent meanwhile."""
        deadline = harness.Deadline(MEDIA)
        peer = self.peer(who)
        while not (peer.data or harness.readable(peer.socket, HEARTBEAT) or deadline.over()):
            for each in self.peers.values():
                each.beat()
        self.do_gets(who, {'command': 'serverStatus', 'serverStatus': event}, MEDIA)

    def do_gets_error(self, who, code):
        self.do_gets(who, {'command': 'serverStatus', 'code': code, 'reason': '$text:any'})

    def do_hears_nothing(self, who, _):
        """Whatever was to come by now would come before the pong."""
        self.do_pings(who, None)
        self.do_gets_pong(who, None)

    def do_is_closed(self, who, code):
        peer = self.peers.pop(who)
        try:
            frame = peer.next_frame()
        except wsclient.Closed as closed:
            if code is not None and closed.code != code:
                raise Mismatch(f'closed with {closed.code} {closed.reason}') from None
            return
        finally:
            peer.close()
        raise Mismatch(f'{frame!r} instead of a close')

    def do_is_answered_or_closed(self, who, _):
        """For frames that are beyond being answered: no silence, at least."""
        peer = self.peer(who)
        try:
            frame = peer.next_frame()
        except wsclient.Closed:
            self.peers.pop(who).close()
            return
        if frame.get('code') not in (401, 430):
            raise Mismatch(f'{frame!r} instead of an error')

    def do_drops(self, who, _):
        self.peers.pop(who).close()

    def do_pushes(self, who, url):
        """A real publisher."""
        self.pushes[who] = self.start(
            'gst-launch-1.0', '-q', 'audiotestsrc', 'is-live=true', '!', 'voaacenc', '!', 'flvmux',
            'streamable=true', '!', 'rtmp2sink', f'location={self.filled(url)}')

    def do_ends(self, _, __):
        """The gateway itself, as its operator would end it."""
        self.gateway.signal(signal.SIGTERM)

    def do_stops(self, who, _):
        self.pushes.pop(who).interrupt()

    def do_posts(self, _, about):
        """The HTTP exchange before a socket, its inner text included."""
        body = {'service_name': 'miniapp', 'json_body': json.dumps(self.filled(about['inner']))}
        if 'body' in about:
            body = about['body']
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.gateway.http + '/api/v1', data, {'Content-Type': 'application/json',
                                                  'X-Packet-URI': '61',
                                                  'X-Packet-Service-Type': '0'})
        try:
            with urllib.request.urlopen(request, timeout=SOON) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        self.match(about.get('status', 200), status, 'status')
        if 'answer' in about:
            outer = json.loads(text)
            self.names['gateway'] = self.gateway.ws
            self.match(about['answer'], json.loads(outer.pop('json_body')), 'answer')
            self.match({'code': 0}, outer, 'outer')

    def keep_alive(self):
        """For a peer that many cases share: drops what they made it hear."""
        for peer in self.peers.values():
            peer.send_ping()
            number = peer.unanswered.pop()
            while peer.next_frame().get('requestId') != number:
                pass

    def finish(self):
        """Nobody is owed an answer, and nobody got what wasn't expected."""
        for who, peer in self.peers.items():
            if peer.unanswered:
                raise Mismatch(f'{who}: no answer to {peer.unanswered}')
            try:
                self.do_hears_nothing(who, None)
            except (Mismatch, wsclient.Closed, TimeoutError) as error:
                raise Mismatch(f'{who}, at the end: {type(error).__name__}: {error}') from error

    def close(self):
        for peer in self.peers.values():
            peer.close()


class Conformance(harness.Case):
    """One file; its gateway serves all its cases."""

    gateway_options = ()

    @classmethod
    def setUpClass(cls):
        cls.gateway_process = harness.Gateway(*cls.gateway_options)
        cls.stages = {}
        cls.uids = itertools.count(1001)
        cls.stage_processes = []

    @classmethod
    def tearDownClass(cls):
        for stage in cls.stages.values():
            stage.close()
        for process in [*cls.stage_processes, cls.gateway_process]:
            process.stop()

    def logs(self):
        return super().logs() + self.gateway_process.tail()

    def play(self, name, steps):
        conversation = Conversation(self.gateway_process, name, self.foreign)
        self.addCleanup(conversation.close)
        conversation.run(steps)
        conversation.finish()

    @classmethod
    def stage(cls, table):
        """Who is in the channel in which all the cells of a table take place."""
        name = table['name']
        if name not in cls.stages:
            def start(*argv):
                cls.stage_processes.append(harness.Process(argv, foreign=True))
                return cls.stage_processes[-1]
            stage = Conversation(cls.gateway_process, name, start)
            stage.run(table['before'])
            cls.stages[name] = stage
        cls.stages[name].keep_alive()
        return cls.stages[name]

    def play_cell(self, table, name, state, code):
        """One request in one state of a member."""
        conversation = Conversation(self.gateway_process, table['name'], self.foreign)
        self.addCleanup(conversation.close)
        conversation.names.update(self.stage(table).names, me=next(self.uids))
        conversation.run(table['states'][state])
        conversation.do_sends('a', table['requests'][name])
        if code == 200:
            conversation.do_is_answered('a', table['answers'].get(name, {}))
        else:
            conversation.do_is_refused('a', code)


def named(text):
    return 'test_' + re.sub(r'\W+', '_', text)


def load(path, into):
    about = json.loads(path.read_text(encoding='utf-8'))
    body = {'gateway_options': [option.format(**CERTIFICATES) for option in about['gateway']]}
    for scenario in about.get('scenarios', ()):
        name, steps = scenario['name'], scenario['steps']
        body[named(name)] = lambda self, name=name, steps=steps: self.play(name, steps)
    for table in about.get('tables', ()):
        for name, codes in table['codes'].items():
            for state, code in zip(table['columns'], codes, strict=True):
                body[named(f'{name} when {state}')] = (
                    lambda self, table=table, name=name, state=state, code=code:
                    self.play_cell(table, name, state, code))
    into[path.stem] = type(path.stem, (Conformance,), body)


for each in sorted(FILES.glob('*.json')):
    load(each, globals())
if __name__ == '__main__':
    tap.main()
