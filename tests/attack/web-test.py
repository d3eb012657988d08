# SPDX-License-Identifier: LGPL-2.1-or-later
"""What strangers try at WHIP and WHEP, while a host is heard and others join.

The worker is tests/gateway/web-stand-in: what is attacked is the gateway.
"""

import json
import os
import secrets
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import tap
from harness import SCALE
from kit import AttackCase, Flood, Terminated, has_ended, read_all, status_of
from relayrig import Peer
from webask import JSON, OFFER, SDP, Answer, Events, ask, request
from wsclient import Member

STAND_IN = Path(__file__).parent.parent / 'gateway' / 'web-stand-in'
# Whoever is heard is heard without a longer gap, in seconds.
GAP = 0.1 * SCALE
WHIP = b'POST /whip/demo/room HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n'


class WebAttack(AttackCase):
    options = ('--web', f'--web-program={STAND_IN}', '--web-workers=1')

    def setUp(self):
        super().setUp()
        self.http = self.served.http

    @contextmanager
    def undisturbed(self):
        """Others join and ping, and a host is heard, while the block runs."""
        player = self.start(sys.executable, __file__, '--play', self.served.ws)
        player.wait_line('^playing$', 20)
        with self.witness():
            yield
        player.signal(signal.SIGTERM)
        told = json.loads(player.wait_line(r'^\{.*\}$', 20, which='out').group(0))
        print(f'# {self.id()}: {told}')
        self.assertGreater(told['frames'], 20, told)
        self.assertLess(told['gap'], GAP, told)

    def web(self, name):
        """A figure of /metrics."""
        text = ask(self.http, 'GET', '/metrics').body.decode()
        return sum(int(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith(name))

    def many(self, count, run, threads=8):
        """run(i) for each of `count`, on some threads; all that they returned."""
        results, lock = [None] * count, threading.Lock()
        left = iter(range(count))

        def work():
            while True:
                with lock:
                    i = next(left, None)
                if i is None:
                    return
                results[i] = run(i)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        return results

    def raw(self, data, source=None):
        client = self.connect(data, source=source, timeout=20)
        answer = Answer(read_all(client))
        client.close()
        self.sockets.remove(client)
        return answer


class Bodies(WebAttack):
    def test_offers_of_a_megabyte(self):
        sdp = (OFFER + 'a=x:' + 'y' * 1_000_000).encode()
        before = self.resident()
        with self.undisturbed():
            for how in (b'Content-Length: %d\r\n\r\n' % len(sdp) + sdp,
                        b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % len(sdp) + sdp + b'\r\n0\r\n\r\n'):
                for _ in range(50):
                    began = time.monotonic()
                    client = self.connect()
                    try:
                        client.sendall(WHIP + how)
                    except ConnectionError:
                        pass
                    self.assertEqual(status_of(read_all(client)), 413)
                    self.assertLess(time.monotonic() - began, 1 * SCALE)
                    self.hang_up()
        self.assertLess(self.resident() - before, 8 * 1024 * SCALE)

    def test_offers_without_an_end(self):
        with self.undisturbed():
            floods = [Flood(self.connect(WHIP + how), data)
                      for how, data in ((b'Transfer-Encoding: chunked\r\n\r\n', b'1\r\nx\r\n' * 10000),
                                        (b'Content-Length: 9000000000\r\n\r\n', b'x' * 60000)) * 4]
            self.until(lambda: not any(flood.running() for flood in floods), 'the end of them', 10)

    def test_slow_offers(self):
        """A byte now and then: no connection lives longer than a request may take."""
        before = self.resident()
        with self.undisturbed():
            clients = [self.connect(WHIP + b'Content-Length: 60000\r\n\r\nv=0') for _ in range(300)]
            began = time.monotonic()
            while not all(map(has_ended, clients)):
                for client in clients:
                    try:
                        client.send(b'x')
                    except OSError:
                        pass
                self.assertLess(time.monotonic() - began, 35 * SCALE)
                threading.Event().wait(0.5)
        self.assertLess(self.resident() - before, 16 * 1024 * SCALE)


class Posts(WebAttack):
    def test_ten_thousand(self):
        offer = request('POST', '/whip/demo/room', SDP, OFFER)
        before, busy = self.resident(), self.busy()
        with self.undisturbed():
            statuses = [each.status for each in self.many(10_000, lambda i: self.raw(offer))]
        took = self.busy() - busy
        print(f'# {took:.2f} s of processor time, {self.resident() - before} KiB more')
        self.assertEqual(set(statuses) - {201, 429, 503}, set())
        # By the pace alone, and by the limit of sessions.
        self.assertLessEqual(statuses.count(201), 100)
        self.assertLess(took, 6 * SCALE)
        self.assertLess(self.resident() - before, 16 * 1024 * SCALE)
        # Whoever comes from elsewhere is served.
        self.assertEqual(self.raw(offer, source='127.0.0.9').status, 201)

    def test_from_everywhere(self):
        """The sessions in all are bounded, and so is what each costs."""
        offer = request('POST', '/whep/demo/room', SDP, OFFER)
        with self.undisturbed():
            statuses = [each.status for each in self.many(
                3000, lambda i: self.raw(offer, source=f'127.1.{i % 200}.1'))]
        self.assertEqual(statuses.count(201), 1000)
        self.assertEqual(set(statuses), {201, 503})
        self.assertEqual(self.web('agora_web_sessions'), 1000)

    def test_clients_that_hang_up_at_once(self):
        offer = request('POST', '/whip/demo/silent', SDP, OFFER)

        def hang_up(i):
            client = self.connect(offer, source=f'127.2.{i % 200}.1')
            client.close()

        with self.undisturbed():
            self.many(2000, hang_up)
            self.until(lambda: self.web('agora_web_sessions') == 0, 'the end of all sessions')


class Streams(WebAttack):
    def test_thousands_that_nobody_reads(self):
        offer = request('POST', '/whep/demo/room', SDP, OFFER)
        urls = [each.headers['location'] for each in self.many(
            500, lambda i: self.raw(offer, source=f'127.3.{i % 25}.1'))]
        before = self.resident()

        def open_one(i):
            url, source = urls[i % 500], f'127.3.{i % 25}.1'
            made = ask(self.http, 'POST', url + '/events', JSON, '[]', source=source)
            return self.connect(request('GET', made.headers['location']), source=source, receive_buffer=4096)

        with self.undisturbed():
            clients = self.many(2000, open_one)
            self.until(lambda: self.web('agora_web_event_streams') == 2000, 'all streams')
            for url in urls[:100]:
                flood = {'call': 'flood', 'name': 'levels', 'bytes': 500, 'count': 100}
                self.assertEqual(ask(self.http, 'POST', url + '/call', JSON, json.dumps(flood)).status, 200)
        print(f'# {self.resident() - before} KiB more')
        self.assertLess(self.resident() - before, 2000 * 40 * SCALE)
        with self.undisturbed():
            for client in clients:
                client.close()
            self.until(lambda: self.web('agora_web_sessions') == 0, 'the end of all sessions', 15)
        self.assertEqual(self.web('agora_web_event_streams'), 0)

    def test_no_more_than_four_of_a_session(self):
        url = ask(self.http, 'POST', '/whep/demo/room', SDP, OFFER).headers['location']
        places = [ask(self.http, 'POST', url + '/events', JSON, '[]').headers['location'] for _ in range(100)]
        found = [ask(self.http, 'DELETE', place).status for place in places]
        self.assertEqual(found, [404] * 96 + [200] * 4)

    def test_readers_that_come_and_go(self):
        url = ask(self.http, 'POST', '/whep/demo/room', SDP, OFFER).headers['location']
        descriptors = self.descriptors()
        with self.undisturbed():
            for _ in range(1000):
                Events(self.http, url + '/events').close()
        self.until(lambda: self.descriptors() <= descriptors + 2, 'the end of all descriptors')
        self.assertEqual(ask(self.http, 'GET', url).status, 204)


class Words(WebAttack):
    def test_ids_are_not_guessed(self):
        url = ask(self.http, 'POST', '/whep/demo/room', SDP, OFFER).headers['location']
        ident = url.rsplit('/', 1)[1]
        near = [ident[:-1] + digit for digit in '0123456789abcdef' if digit != ident[-1]]
        tries = near + [ident[1:] + ident[0], ident[:-1] + 'G', ident[:-1], ident + '0', '%' + ident[1:],
                        '*', '', '.', '..']
        tries += [secrets.token_hex(16) for _ in range(2000)]
        with self.undisturbed():
            for each in tries:
                answer = ask(self.http, 'DELETE', '/whep/session/' + each)
                self.assertIn(answer.status, (400, 404, 405), (each, answer))
        self.assertEqual(ask(self.http, 'GET', url).status, 204)

    def test_hostile_texts(self):
        evil = ('%0d%0aX-Evil:%201', '%0aX-Evil:%201', '%00', '%', '%4', '%zz', '%u0041', '\xff', '%ff%fe',
                '%c0%80', '%ed%a0%80', '%e2%80%ae', '../' * 20, '%2e%2e%2f' * 20, '"', "'", '<script>',
                '{{7*7}}', '${jndi:x}', ';', '|', '`id`', '&' * 5000, '=' * 5000, 'uid=1&' * 2000, '%41' * 9000,
                'a' * 30000, '?' * 100, '#', '+', ' ')
        alive = self.served.running
        for text in evil:
            for path in (f'/whip/demo/{text}', f'/whip/{text}/room', f'/whip/demo/room?uid={text}',
                         f'/whip/demo/room?account={text}', f'/whip/demo/room?{text}', f'/whip/demo/room?member={text}',
                         f'/whip/demo/room?latency={text}', f'/whep/session/{text}', f'/web/{text}', f'/web?{text}'):
                answer = ask(self.http, 'POST', path, SDP, OFFER)
                self.assertTrue(answer.status in (0, 201) or answer.status // 100 == 4 or answer.status == 503,
                                (path[:80], answer))
                self.assertNotIn('x-evil', answer.headers, (path[:80], answer))
                ask(self.http, 'GET', path)
            for name in ('Authorization', 'Content-Type', 'Origin', 'If-Match', 'Host', 'X-Forwarded-For'):
                value = text.replace('%0d%0a', '\r').replace('\n', '')
                answer = ask(self.http, 'POST', '/whip/demo/room', {**SDP, name: value, 'Connection': 'close'}, OFFER)
                self.assertNotIn('x-evil', answer.headers, (name, text[:80], answer))
            self.assertTrue(alive())
        self.assertNotIn('\r', self.served.output())

    def test_addresses_that_headers_claim(self):
        offer = request('POST', '/whip/demo/room', {**SDP, 'X-Forwarded-For': '192.0.2.1', 'Forwarded': 'for=192.0.2.1',
                                                    'X-Real-IP': '192.0.2.1'}, OFFER)
        url = self.raw(offer).headers['location']
        told = ask(self.http, 'POST', url + '/call', JSON, '{"call":"offer"}').json()
        self.assertEqual(told['offer']['address'], '127.0.0.1')

    def test_what_the_worker_writes(self):
        """Reasons and texts of a worker that was taken over."""
        url = ask(self.http, 'POST', '/whep/demo/room', SDP, OFFER).headers['location']
        stream = Events(self.http, url + '/events')
        stream.until('active')
        call = {'call': 'tell', 'name': 'silenced', 'data': {'x': 'a\r\n\r\nevent: forged\ndata: {}\n\n'}}
        self.assertEqual(ask(self.http, 'POST', url + '/call', JSON, json.dumps(call)).status, 200)
        self.assertEqual(stream.until('silenced'), call['data'])
        refused = ask(self.http, 'POST', '/whep/demo/status-403', SDP, OFFER)
        self.assertEqual(refused.status, 403)
        self.assertNotIn('x-evil', refused.headers)
        self.assertEqual(refused.json()['detail'].splitlines()[0], 'as asked')


def _play(url):
    """A host and a listener, by the relay: how long the longest gap was."""
    ended = Terminated()
    host, listener = Member(url, channel='played', heartbeat=True), Member(url, channel='played', heartbeat=True)
    uid = host.join().uid
    listener.join('audience')

    class Place:
        def __init__(self, media_url):
            parts = urlsplit(media_url)
            self.port, (_, self.app, name) = parts.port, parts.path.split('/', 2)
            self.name = f'{name}?{parts.query}' if parts.query else name

    def session(what, media_url):
        place = Place(media_url)
        peer = Peer(place)
        status = peer.open(what, place.name)
        assert status.endswith('.Start'), status
        return peer

    push = session('publish', host.publish())
    play = session('play', listener.subscribe(uid))
    print('playing', flush=True)
    told = {'frames': 0, 'gap': 0.0, 'late myself': 0}
    due = time.monotonic()
    last = None
    # A second at least, so that what was short was measured as well.
    while not ended.wait() or told['frames'] < 50:
        push.frame(int(20 * told['frames']))
        told['frames'] += 1
        due += 0.02
        play.read(max(due - time.monotonic(), 0))
        for at, _, _ in play.media():
            if last is not None:
                told['gap'] = max(told['gap'], at - last)
            last = at
        play.messages.clear()
        # A machine that doesn't let this program run says nothing about the gateway.
        if time.monotonic() - due > 0.02:
            told['late myself'] += 1
            due, last = time.monotonic(), None
    told = {name: round(value, 4) for name, value in told.items()}
    print(json.dumps(told), flush=True)
    os._exit(0)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--play']:
        _play(sys.argv[2])
    tap.main()
