# SPDX-License-Identifier: LGPL-2.1-or-later
"""WHIP and WHEP: each status and header, of a real gateway with a worker that the test plays."""

import json
import re
import signal
import time
from pathlib import Path

import tap
from harness import SCALE, Case
from tlsrig import Authority
from webask import FRAGMENT, JSON, OFFER, SDP, Events, ask, connect, read_all, request

STAND_IN = Path(__file__).parent / 'web-stand-in'
ID = '[0-9a-f]{32}'


class WebCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.served = self.gateway(*self.options)
        self.http = self.served.http
        self.streams = []
        self.addCleanup(lambda: [each.close() for each in self.streams])

    def gateway(self, *options, **keywords):
        return super().gateway('--web', f'--web-program={STAND_IN}', '--web-workers=1', *options, **keywords)

    def ask(self, method, path, headers=None, body=b'', **keywords):
        return ask(keywords.pop('base', self.http), method, path, headers, body, **keywords)

    def post(self, path='/whep/demo/room', headers=None, body=OFFER, **keywords):
        return self.ask('POST', path, {**SDP, **(headers or {})}, body, **keywords)

    def begin(self, path='/whep/demo/room', **keywords):
        """A session's URL."""
        answer = self.post(path, **keywords)
        self.assertEqual(answer.status, 201, answer)
        return answer.headers['location']

    def call(self, url, **fields):
        return self.ask('POST', url + '/call', JSON, json.dumps(fields))

    def events(self, path, **keywords):
        stream = Events(self.http, path, **keywords)
        self.streams.append(stream)
        return stream

    def gone(self, url):
        return self.ask('GET', url).status == 404


class Offers(WebCase):
    options = ('--ice-server=stun:stun.example:3478', '--ice-server=turn:me:pa"ss@turn.example:3478?transport=tcp')

    def test_created(self):
        for word, kind in (('whip', 'speak'), ('whep', 'hear')):
            with self.subTest(word):
                answer = self.post(f'/{word}/demo/room?uid=42&latency=200', {'Authorization': 'Bearer t.o-k'})
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(answer.headers['content-type'], 'application/sdp')
                self.assertTrue(answer.body.startswith(b'v=0\r\n'), answer)
                url = answer.headers['location']
                self.assertRegex(url, f'^/{word}/session/{ID}$')
                # As OBS looks for it.
                self.assertIn(b'\r\nLocation: /', answer.raw)
                self.assertRegex(answer.headers['etag'], '^"[0-9a-f]+"$')
                links = answer.lists['link']
                self.assertIn('<stun:stun.example:3478>; rel="ice-server"', links)
                turn = next(each for each in links if each.startswith('<turn:'))
                self.assertEqual(turn, '<turn:turn.example:3478?transport=tcp>; rel="ice-server"; '
                                 'username="me"; credential="pa\\"ss"; credential-type="password"')
                events = next(each for each in links if 'server-sent-events' in each)
                self.assertTrue(events.startswith(
                    f'<{url}/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="'))
                offer = self.call(url, call='offer').json()['offer']
                self.assertEqual((offer['kind'], offer['app'], offer['channel'], offer['uid'],
                                  offer['latency_ms'], offer['token'], offer['address'], offer['sdp']),
                                 (kind, 'demo', 'room', 42, 200, 't.o-k', '127.0.0.1', len(OFFER)))
        self.assertNotIn('t.o-k', self.served.output())

    def test_names_that_need_escapes(self):
        url = self.begin('/whep/demo/a%2Fb%20%E6%88%BF?account=J%C3%B6rg+M%26x')
        offer = self.call(url, call='offer').json()['offer']
        self.assertEqual((offer['channel'], offer['account']), ('a/b 房', 'Jörg M&x'))

    def test_not_even_offers(self):
        long = OFFER + 'a=x:' + 'y' * 65536
        for status, path, headers, body in (
                (415, '/whip/demo/room', {'Content-Type': 'text/plain'}, OFFER),
                (415, '/whip/demo/room', {'Content-Type': ''}, OFFER),
                (415, '/whip/demo/room', {'Content-Type': 'application/json'}, '{}'),
                (400, '/whip/demo/room', {}, ''),
                (400, '/whip/demo/room', {}, 'hello'),
                (400, '/whip/demo/room', {}, 'v=0\r\ns=-\r\n'),
                (400, '/whip/demo/room', {}, OFFER + 'a=\x01'),
                (400, '/whip/demo/room', {}, OFFER.encode() + b'a=\xff'),
                (400, '/whip/demo/room?uid=-1', {}, OFFER),
                (400, '/whip/demo/room?uid=1&uid=2', {}, OFFER),
                (400, '/whip/demo/room?uid=1&account=x', {}, OFFER),
                (400, '/whip/demo/room?account=%0d%0aX-Evil:1', {}, OFFER),
                (400, '/whip/demo/room?latency=x', {}, OFFER),
                (400, '/whip/demo/room?member=x', {}, OFFER),
                (400, '/whip/demo/%0d%0aX-Evil:1', {}, OFFER),
                (400, '/whip/demo/null', {}, OFFER),
                (409, f'/whip/demo/room?member={"0" * 32}', {}, OFFER),
                (401, '/whip/demo/room', {'Authorization': 'Basic YTpi'}, OFFER),
                (401, '/whip/demo/room', {'Authorization': 'Bearer'}, OFFER),
                (404, '/whip/other/room', {}, OFFER),
                (404, '/whip/demo', {}, OFFER),
                (404, '/whip/demo/room/more', {}, OFFER),
                (404, f'/whip/session/{"0" * 32}/call', JSON, '{}'),
                (413, '/whip/demo/room', {}, long)):
            with self.subTest((status, path, headers, body[:20])):
                answer = self.post(path, headers, body)
                self.assertEqual(answer.status, status, answer)
                self.assertNotIn('x-evil', answer.headers)
                if status == 413:
                    continue
                self.assertEqual(answer.headers['content-type'], 'application/problem+json')
                self.assertEqual(answer.json()['status'], status)
                if status == 415:
                    self.assertEqual(answer.headers['accept-post'], 'application/sdp')
                if status == 401:
                    self.assertTrue(answer.headers['www-authenticate'].startswith('Bearer '))

    def test_an_offer_of_the_longest_size(self):
        self.begin(body=OFFER + 'a=x:' + 'y' * (65536 - len(OFFER) - 4))

    def test_refused_by_the_worker(self):
        for path, status in (('code-101', 404), ('code-109', 401), ('code-110', 401), ('code-119', 401),
                             ('code-120', 401), ('code-433', 403), ('code-431', 409), ('code-430', 400),
                             ('code-401', 400), ('code-429', 503), ('code-501', 503), ('code-502', 503),
                             ('code-503', 503), ('code-903', 504), ('code-500', 500),
                             ('status-400', 400), ('status-422', 422), ('status-409', 409)):
            with self.subTest(path):
                answer = self.post(f'/whip/demo/{path}', {'Authorization': 'Bearer x'})
                self.assertEqual(answer.status, status, answer)
                self.assertEqual('retry-after' in answer.headers, status == 503)
                self.assertEqual('www-authenticate' in answer.headers, status == 401)
                if status == 401:
                    self.assertEqual(answer.headers['www-authenticate'],
                                     'Bearer realm="agora", error="invalid_token"')
                    self.assertEqual(answer.json()['code'], int(path[5:]))
                self.assertNotIn('x-evil', answer.headers)
                self.assertEqual(answer.json()['status'], status)
        # RFC 6750: who showed no token is told of no error.
        self.assertEqual(self.post('/whip/demo/code-120').headers['www-authenticate'],
                         'Bearer realm="agora"')

    def test_methods(self):
        url = self.begin()
        for method, path, status, allow in (
                ('PUT', '/whip/demo/room', 405, 'GET, HEAD, OPTIONS, POST'),
                ('DELETE', '/whip/demo/room', 405, 'GET, HEAD, OPTIONS, POST'),
                ('PATCH', '/whip/demo/room', 405, 'GET, HEAD, OPTIONS, POST'),
                ('POST', url, 405, 'DELETE, GET, HEAD, OPTIONS, PATCH'),
                ('PUT', url, 405, 'DELETE, GET, HEAD, OPTIONS, PATCH'),
                ('GET', url + '/call', 405, 'OPTIONS, POST'),
                ('DELETE', url + '/events', 405, 'GET, OPTIONS, POST'),
                # RFC 9725, 4.1: a success without content.
                ('GET', '/whip/demo/room', 204, None),
                ('HEAD', '/whip/demo/room', 204, None),
                ('GET', url, 204, None)):
            with self.subTest((method, path)):
                answer = self.ask(method, path)
                self.assertEqual(answer.status, status, answer)
                self.assertEqual(answer.headers.get('allow'), allow)
                if status == 204:
                    self.assertEqual(answer.body, b'')

    def test_nothing_redirects_a_post(self):
        for path in ('/whip/demo/room/', '/whip', '/whep/', '/web/', '/web', '/'):
            answer = self.post(path)
            self.assertNotIn(answer.status // 100, (2, 3), answer)


class Pages(WebCase):
    options = ('--allow-origin=https://voice.example',)

    def test_preflight(self):
        for origin, good in (('https://voice.example', True), (None, True), ('https://evil.example', False),
                             ('null', False)):
            headers = {'Access-Control-Request-Method': 'POST',
                       'Access-Control-Request-Headers': 'authorization,content-type,if-match'}
            if origin:
                headers['Origin'] = origin
            with self.subTest(origin):
                answer = self.ask('OPTIONS', '/whip/demo/room', headers)
                self.assertEqual(answer.status, 200 if good else 403, answer)
                self.assertEqual(answer.headers.get('access-control-allow-origin'), origin if good else None)
                if origin and good:
                    for name in ('authorization', 'content-type', 'if-match'):
                        self.assertIn(name, answer.headers['access-control-allow-headers'].lower())
                    self.assertIn('POST', answer.headers['access-control-allow-methods'])
                    self.assertGreater(int(answer.headers['access-control-max-age']), 0)
                if good:
                    self.assertEqual(answer.headers['accept-post'], 'application/sdp')
                    self.assertIn('POST', answer.headers['allow'])

    def test_answers(self):
        good = {'Origin': 'https://voice.example'}
        answer = self.post(headers=good)
        self.assertEqual(answer.headers['access-control-allow-origin'], 'https://voice.example')
        for name in ('Location', 'ETag', 'Link', 'Retry-After'):
            self.assertIn(name, answer.headers['access-control-expose-headers'])
        self.assertEqual(answer.headers['vary'], 'Origin')
        # Refusals, at once and late ones, are for the page to read as well.
        for path in ('/whip/other/room', '/whip/demo/code-110'):
            self.assertEqual(self.post(path, good).headers['access-control-allow-origin'],
                             'https://voice.example')
        # Also where libsoup isn't asked: a body that is too long isn't read.
        long = 'v=0' + 'x' * 70000
        self.assertEqual(self.post(headers=good, body=long).status, 413)
        self.assertEqual(self.post(headers=good, body=long).headers['access-control-allow-origin'],
                         'https://voice.example')
        self.assertNotIn('access-control-allow-origin',
                         self.post(headers={'Origin': 'https://evil.example'}, body=long).headers)
        stream = self.events(answer.headers['location'] + '/events', headers=good)
        self.assertEqual(stream.answer.headers['access-control-allow-origin'], 'https://voice.example')
        evil = {'Origin': 'https://evil.example'}
        self.assertEqual(self.post(headers=evil).status, 403)
        self.assertEqual(self.ask('DELETE', answer.headers['location'], evil).status, 403)
        self.assertEqual(self.ask('GET', answer.headers['location'] + '/events', evil).status, 403)
        self.assertEqual(self.ask('GET', answer.headers['location']).status, 204)

    def test_own_page(self):
        self.assertEqual(self.post(headers={'Origin': 'http://gateway'}).status, 201)
        self.assertEqual(self.post(headers={'Origin': 'https://gateway'}).status, 403)
        # Behind a proxy that has the certificate.
        self.assertEqual(self.post(headers={'Origin': 'https://proxy.example',
                                            'Sec-Fetch-Site': 'same-origin'}).status, 201)
        self.assertEqual(self.post(headers={'Origin': 'https://proxy.example',
                                            'Sec-Fetch-Site': 'cross-site'}).status, 403)

    def test_files(self):
        for name, kind in (('', 'text/html'), ('agora.js', 'text/javascript'), ('page.css', 'text/css'),
                           ('icon.svg', 'image/svg+xml'), ('agora.d.ts', 'text/plain')):
            with self.subTest(name):
                answer = self.ask('GET', '/web/' + name)
                self.assertEqual(answer.status, 200, answer)
                self.assertTrue(answer.headers['content-type'].startswith(kind), answer)
                self.assertEqual(answer.headers['x-content-type-options'], 'nosniff')
                self.assertGreater(len(answer.body), 0)
                again = self.ask('GET', '/web/' + name, {'If-None-Match': answer.headers['etag']})
                self.assertEqual((again.status, again.body), (304, b''))
                self.assertEqual(again.headers['etag'], answer.headers['etag'])
                head = self.ask('HEAD', '/web/' + name)
                self.assertEqual((head.status, head.body), (200, b''))
        page = self.ask('GET', '/web/?app=demo&channel=room')
        self.assertIn("default-src 'none'", page.headers['content-security-policy'])
        self.assertIn('microphone=(self)', page.headers['permissions-policy'])
        moved = self.ask('GET', '/web?app=demo')
        self.assertEqual((moved.status, moved.headers['location']), (307, '/web/?app=demo'))
        self.assertEqual(self.ask('POST', '/web/').status, 405)
        for name in ('nothing', '../etc/passwd', '..%2f..%2fetc%2fpasswd', '%2e%2e/x', '/agora.js', 'agora.js/',
                     'agora.js%00', '?x', ''):
            answer = self.ask('GET', '/web/' + name)
            self.assertIn(answer.status, (200,) if name in ('?x', '') else (400, 404), (name, answer))


class Reloaded(WebCase):
    """What SIGHUP takes over of what pages may do and are told."""

    def gateway(self, *options, **keywords):
        self.config, self.servers = self.tmp / 'gateway.conf', self.tmp / 'servers'
        self.write('https://voice.example', 'stun:one.example')
        return super().gateway(f'--config={self.config}', *options,
                               env={'WEB_STAND_IN_FOLDER': str(self.tmp)}, **keywords)

    def write(self, origin, server):
        self.config.write_text(f'[gateway]\napp=demo\nallow-origin={origin}\nice-server-file={self.servers}\n')
        self.servers.write_text(server + '\n')
        self.servers.chmod(0o600)

    def told(self, origin):
        answer = self.post(headers={'Origin': origin})
        return answer.status, ' '.join(answer.lists.get('link', []))

    def test_origins_and_servers(self):
        self.assertEqual(self.told('https://other.example')[0], 403)
        status, links = self.told('https://voice.example')
        self.assertEqual(status, 201)
        self.assertIn('stun:one.example', links)
        self.write('https://other.example', 'turn:user:word@two.example')
        mark = self.served.mark()
        self.served.signal(signal.SIGHUP)
        self.served.wait_line('Reloaded: ', since=mark)
        self.assertEqual(self.told('https://voice.example')[0], 403)
        status, links = self.told('https://other.example')
        self.assertEqual(status, 201)
        self.assertIn('turn:two.example', links)
        self.assertNotIn('one.example', links)
        # So was the worker, which serves on.
        told, = (json.loads(file.read_text()) for file in self.tmp.glob('*.json'))
        self.assertEqual([each['url'] for each in told['ice_servers']], ['turn:two.example'])


class Trickle(WebCase):
    def patch(self, url, body='a=ice-ufrag:abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n', **headers):
        named = {'If-Match' if name == 'if_match' else name: value for name, value in headers.items()}
        return self.ask('PATCH', url, {**FRAGMENT, **named}, body)

    def test_patches(self):
        made = self.post()
        url, etag = made.headers['location'], made.headers['etag']
        good = self.patch(url, if_match=etag)
        self.assertEqual((good.status, good.body), (204, b''))
        self.assertNotIn('etag', good.headers)
        self.assertEqual(self.patch(url, if_match=f'"other", {etag}').status, 204)
        self.assertTrue(self.patch(url).raw.startswith(b'HTTP/1.1 428 Precondition Required\r\n'))
        self.assertEqual(self.patch(url, if_match='"other"').status, 412)
        self.assertEqual(self.patch(url, 'a=ice-ufrag:new\r\na=ice-pwd:x\r\n', if_match='*').status, 422)
        self.assertEqual(self.patch(url, 'a=broken\r\n', if_match=etag).status, 400)
        self.assertEqual(self.patch(url, '', if_match=etag).status, 400)
        self.assertEqual(self.patch(url, 'a=x\x00', if_match=etag).status, 400)
        wrong = self.ask('PATCH', url, {'Content-Type': 'application/sdp', 'If-Match': etag}, 'a=x\r\n')
        self.assertEqual((wrong.status, wrong.headers['accept-patch']),
                         (415, 'application/trickle-ice-sdpfrag'))
        self.assertEqual(self.patch(url, 'a=x' * 6000, if_match=etag).status, 413)
        options = self.ask('OPTIONS', url)
        self.assertEqual((options.status, options.headers['accept-patch']),
                         (200, 'application/trickle-ice-sdpfrag'))
        # A session outlives what was wrong with a fragment, and its ETag doesn't count for its end.
        self.assertEqual(self.ask('DELETE', url, {'If-Match': '"other"'}).status, 200)
        self.assertEqual(self.patch(url, if_match=etag).status, 404)
        self.assertEqual(self.ask('DELETE', url).status, 404)


class Sessions(WebCase):
    def test_one_member_with_two(self):
        hears = self.begin('/whep/demo/room?uid=9')
        ident = hears.rsplit('/', 1)[1]
        speaks = self.begin(f'/whip/demo/room?member={ident}')
        self.assertEqual(self.post(f'/whip/demo/elsewhere?member={ident}').status, 409)
        self.assertEqual(self.post(f'/whip/demo/room?member={ident}&uid=3').status, 400)
        again = self.begin(f'/whip/demo/room?member={ident}')
        self.assertEqual(self.ask('GET', speaks).status, 404)
        self.assertEqual(self.ask('GET', again).status, 204)
        self.assertEqual(self.ask('DELETE', hears).status, 200)
        self.assertEqual(self.ask('GET', again).status, 404)

    def test_calls(self):
        url = self.begin()
        self.assertEqual(self.call(url, call='mute', audio=True).status, 200)
        for status in (400, 401, 403, 409, 503):
            answer = self.call(url, call='x', status=status)
            self.assertEqual(answer.status, status)
            self.assertEqual('www-authenticate' in answer.headers, status == 401)
        self.assertEqual(self.ask('POST', url + '/call', {'Content-Type': 'text/plain'}, '{}').status, 415)
        for body in ('', '[]', '{', '{"a":1,"a":2}', '[' * 1000):
            self.assertEqual(self.ask('POST', url + '/call', JSON, body).status, 400, body)
        self.assertEqual(self.ask('POST', url + '/call', JSON, '{"x":"' + 'y' * 16384 + '"}').status, 413)

    def test_logged(self):
        url = self.begin('/whip/demo/room?uid=42')
        self.ask('DELETE', url)
        self.served.wait_line('web session [0-9]+ begins: uid 42 speaks, channel room, from 127.0.0.1')
        self.served.wait_line('web session [0-9]+ ends: uid 42, channel room: "its client has left"')
        self.assertNotIn(url.rsplit('/', 1)[1], self.served.output())

    def gateway(self, *options, **keywords):
        return super().gateway(*options, env={'G_MESSAGES_DEBUG': 'all'}, **keywords)


class Workers(WebCase):
    def test_silent(self):
        began = time.monotonic()
        answer = self.post('/whip/demo/silent')
        self.assertEqual(answer.status, 504, answer)
        self.assertGreater(time.monotonic() - began, 7.5)
        self.assertLess(time.monotonic() - began, 8 + 2 * SCALE)

    def test_a_client_that_does_not_wait(self):
        client = connect(self.http)
        client.sendall(request('POST', '/whip/demo/silent', SDP, OFFER))
        self.until(lambda: self.sessions() == 1, 'the session')
        client.close()
        self.until(lambda: self.sessions() == 0, 'the end of the session', 2)

    def sessions(self):
        text = self.ask('GET', '/metrics').body.decode()
        return sum(int(each) for each in re.findall(r'^agora_web_sessions\{.*\} (\d+)$', text, re.M))

    def test_death(self):
        url = self.begin()
        stream = self.events(url + '/events')
        stream.until('joined')
        answer = self.post('/whip/demo/dies')
        self.assertEqual(answer.status, 503, answer)
        self.assertIn('retry-after', answer.headers)
        self.assertEqual(stream.until('ended')['code'], 501)
        self.assertIsNone(stream.next())
        self.assertEqual(self.ask('GET', url).status, 404)
        self.until(lambda: self.post().status == 201, 'another worker')

    def test_death_with_a_call_under_way(self):
        url = self.begin()
        self.assertEqual(self.call(url, call='die').status, 404)

    def test_garbage(self):
        url = self.begin()
        answer = self.post('/whip/demo/garbage')
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(self.ask('GET', url).status, 404)
        self.until(lambda: self.post().status == 201, 'another worker')

    def test_a_call_that_is_not_answered(self):
        url = self.begin()
        self.assertEqual(self.call(url, call='silent').status, 504)
        self.assertEqual(self.ask('GET', url).status, 204)


class EventStreams(WebCase):
    def test_as_the_draft_has_it(self):
        url = self.begin('/whep/demo/room?uid=5')
        made = self.ask('POST', url + '/events', JSON, '["joined","levels"]')
        self.assertEqual(made.status, 201, made)
        self.assertRegex(made.headers['location'], f'^{url}/events/[0-9]+$')
        some = self.events(made.headers['location'])
        self.assertEqual(some.answer.status, 200)
        self.assertEqual(some.answer.headers['content-type'], 'text/event-stream')
        self.assertEqual(some.answer.headers['cache-control'], 'no-store')
        everything = self.events(self.ask('POST', url + '/events').headers['location'])
        # How things stand, first.
        self.assertEqual([everything.next() for _ in range(3)],
                         [('joined', {'uid': 5}), ('stream-added', {'uid': 7}), ('active', {})])
        self.call(url, call='tell', name='silenced', data={})
        self.call(url, call='tell', name='levels', data={'7': -20})
        self.assertEqual(everything.until('silenced'), {})
        self.assertEqual(everything.until('levels'), {'7': -20})
        self.assertEqual([some.next() for _ in range(2)], [('joined', {'uid': 5}), ('levels', {'7': -20})])
        self.assertEqual(self.ask('DELETE', made.headers['location']).status, 200)
        self.assertIsNone(some.next())
        self.assertEqual(self.ask('GET', made.headers['location']).status, 404)
        self.assertEqual(self.ask('GET', url).status, 204)
        for body in ('{}', '[1]', '"x"', '[],"a":[]', '['):
            self.assertEqual(self.ask('POST', url + '/events', JSON, body).status, 400, body)
        self.assertEqual(self.ask('POST', url + '/events', SDP, '[]').status, 415)

    def test_ended(self):
        url = self.begin()
        stream = self.events(url + '/events')
        self.assertEqual(self.call(url, call='end', code=433).status, 404)
        self.assertEqual(stream.until('ended'), {'code': 433, 'reason': 'as asked'})
        self.assertIsNone(stream.next())
        self.assertEqual(self.ask('GET', url).status, 404)

    def test_the_worker_knows_who_listens(self):
        url = self.begin()
        stream = self.events(url + '/events')
        self.assertEqual(stream.until('heard'), {'on': True})

    def test_a_closed_page_is_given_five_seconds(self):
        url = self.begin()
        stream = self.events(url + '/events')
        stream.until('active')
        stream.close()
        began = time.monotonic()
        # It comes back once, and is told how things stand.
        self.events(url + '/events').until('active')
        self.until(lambda: time.monotonic() - began > 6, 'six seconds')
        self.assertEqual(self.ask('GET', url).status, 204)
        self.streams[-1].close()
        began = time.monotonic()
        self.until(lambda: self.gone(url), 'the end of the session', 8)
        self.assertGreater(time.monotonic() - began, 4.5)

    def test_something_passes_all_the_time(self):
        stream = self.events(self.begin() + '/events')
        stream.until('heard')
        stream.client.settimeout(8 * SCALE)
        self.assertEqual(stream.client.recv(100), b':\n\n')
        self.assertEqual(stream.client.recv(100), b':\n\n')

    def test_a_reader_that_does_not_read(self):
        url = self.begin()
        stream = self.events(url + '/events')
        # Levels: the newest count, and the stream stays.
        self.call(url, call='flood', name='levels', bytes=1000, count=2000)
        self.call(url, call='tell', name='silenced', data={})
        count = 0
        while (event := stream.next())[0] != 'silenced':
            count += event[0] == 'levels'
        self.assertLess(count, 1900)
        # Others: beyond the bound, it ends; whoever comes back is told how things stand.
        stream = self.events(url + '/events')
        stream.until('silenced')
        self.call(url, call='flood', name='other', bytes=8000, count=600)
        while stream.next() is not None:
            pass
        again = self.events(url + '/events')
        again.until('silenced')

    def test_how_things_stand_has_no_bound(self):
        url = self.begin()
        self.call(url, call='crowd', count=1000, name='\U0001f399' * 64)
        # More than waits for a reader, and than the kernel has room for.
        stream = self.events(url + '/events', buffer=4096)
        named = added = 0
        while (event := stream.next())[0] != 'active':
            named += event[0] == 'member-named'
            added += event[0] == 'stream-added'
        # One was there before.
        self.assertEqual((named, added), (1000, 1001))
        self.call(url, call='tell', name='silenced', data={})
        self.assertEqual(stream.until('silenced'), {})

    def test_one_reader_a_stream(self):
        url = self.begin()
        first = self.events(url + '/events')
        first.until('active')
        second = self.events(url + '/events')
        while first.next() is not None:
            pass
        second.until('active')
        self.assertEqual(self.ask('GET', url).status, 204)


class Listener(WebCase):
    def gateway(self, *options, **keywords):
        return super().gateway('--web-listen=127.0.0.1:0', *options, **keywords)

    def test_a_listener_of_its_own(self):
        web = self.served.web.removesuffix('/web/')
        self.assertEqual(self.ask('GET', '/web/', base=web).status, 200)
        self.assertEqual(self.post(base=web).status, 201)
        self.assertEqual(self.post().status, 404)
        for path in ('/api/v1', '/metrics', '/healthz', '/dev/v1/channel/demo'):
            self.assertEqual(self.ask('GET', path, base=web).status, 404)


class Tls(WebCase):
    def gateway(self, *options, **keywords):
        authority = Authority(self.tmp)
        self.authority = authority.file
        certificate, key = authority.sign()
        return super().gateway(f'--tls-certificate={certificate}', f'--tls-key={key}', *options, **keywords)

    def test_over_tls(self):
        self.assertTrue(self.http.startswith('https://'))
        secure = {'cafile': self.authority}
        self.assertEqual(self.post(headers={'Origin': 'https://gateway'}, **secure).status, 201)
        self.assertEqual(self.post(headers={'Origin': 'http://gateway'}, **secure).status, 403)
        url = self.begin(**secure)
        stream = self.events(url + '/events', **secure)
        stream.until('active')
        self.assertEqual(self.ask('DELETE', url, **secure).status, 200)
        stream.until('ended')
        self.assertIsNone(stream.next())
        url = self.begin(**secure)
        stream = self.events(url + '/events', **secure)
        stream.until('active')
        stream.close()
        self.until(lambda: self.ask('GET', url, **secure).status == 404, 'the end of the session', 8)
        client = connect(self.http, **secure)
        client.sendall(request('POST', '/whip/demo/silent', SDP, OFFER))
        client.close()


class End(WebCase):
    def test_the_gateway_stops(self):
        url = self.begin()
        stream = self.events(url + '/events')
        stream.until('active')
        client = connect(self.http)
        client.sendall(request('POST', '/whip/demo/silent', SDP, OFFER))
        # Later than the POST: both are with the worker when this is answered.
        self.assertEqual(self.call(url, call='x').status, 200)
        began = time.monotonic()
        self.served.signal(signal.SIGTERM)
        self.assertEqual(stream.until('ended')['code'], 503)
        self.assertEqual(self.served.wait(5), 0)
        self.assertLess(time.monotonic() - began, 3 * SCALE)
        # Answered, or closed.
        self.assertIn(read_all(client)[:12], (b'HTTP/1.1 503', b''))


if __name__ == '__main__':
    tap.main()
