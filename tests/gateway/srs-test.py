# SPDX-License-Identifier: LGPL-2.1-or-later
"""--rtmp-kind=srs: what SRS 6.0.157 said and was told, said and told again. It isn't in Debian, so
that a stand-in for its HTTP API answers as it did; docs/deploy.md tells what was seen with itself."""

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import tap
from harness import Case
from wsclient import Member

SECRET = '0123456789abcdef0123'


class Api:
    """The part of SRS's HTTP API that is used: its clients, and their end."""

    def __init__(self, case):
        self.clients = {}  # name of a session: (stream, whether it pushes)
        self.ended = []
        self.changed = threading.Condition()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, value):
                body = json.dumps(value, separators=(',', ':')).encode()
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path = urlsplit(self.path)
                assert (path.path, path.query) == ('/api/v1/clients', 'start=0&count=1000000'), self.path
                self.answer({'code': 0, 'server': 'vid-3p9z9k6', 'service': '71go745w',
                             'pid': '3707', 'clients': api.listed()})

            def do_DELETE(self):
                name = self.path.removeprefix('/api/v1/clients/')
                with api.changed:
                    known = api.clients.pop(name, None)
                    api.ended.append(name)
                    api.changed.notify_all()
                self.answer({'code': 0 if known else 2049})

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        case.addCleanup(thread.join)
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def listed(self):
        with self.changed:
            return [{'id': name, 'vhost': 'vid-7i9r2om', 'stream': 'vid-dvlr0u1', 'ip': '127.0.0.1',
                     'pageUrl': '', 'swfUrl': '', 'tcUrl': 'rtmp://127.0.0.1:19350/live',
                     'url': f'/live/{stream}', 'name': stream,
                     'type': 'fmle-publish' if pushes else 'rtmp-play', 'publish': pushes,
                     'alive': 1.53, 'send_bytes': 7704, 'recv_bytes': 3723,
                     'kbps': {'recv_30s': 0, 'send_30s': 0}}
                    for name, (stream, pushes) in self.clients.items()]

    def wait_ended(self, *names, timeout=5):
        with self.changed:
            if not self.changed.wait_for(lambda: set(names) <= set(self.ended), timeout):
                raise AssertionError(f'ended: {self.ended}, expected {names}')


class Srs(Case):
    def serve(self, servers=1):
        self.apis = [Api(self) for _ in range(servers)]
        secret = self.tmp / 'secret'
        secret.write_text(SECRET + '\n')
        self.served = self.gateway(
            '--rtmp=rtmp://127.0.0.1:19350/live', '--rtmp-kind=srs', '--app=demo',
            '--listen=127.0.0.1:0', f'--hook-secret-file={secret}',
            *(f'--rtmp-control={api.url}' for api in self.apis), defaults=False)
        where = self.served.wait_line(r'answered at (http://[^/]+)/')[1]
        self.hooks = f'{where}/{SECRET}'
        self.speaker = self.member(uid=8).join()
        self.listener = self.member(uid=9).join('audience')

    def member(self, **keywords):
        member = Member(self.served.ws, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member

    def hook(self, action, session, url, api=0, **changed):
        """Its status and its words, as SRS would get them; and then it is in SRS's list."""
        parts = urlsplit(url)
        stream = parts.path.rpartition('/')[2]
        body = {'server_id': 'vid-3p9z9k6', 'service_id': '73ky68y9', 'action': action,
                'client_id': session, 'ip': '127.0.0.1', 'vhost': '__defaultVhost__', 'app': 'live',
                'tcUrl': 'rtmp://127.0.0.1:19350/live', 'stream': stream,
                'param': f'?{parts.query}', 'stream_url': f'/live/{stream}',
                'stream_id': 'vid-0g02z7x', **changed}
        # It is listed before it is asked about.
        clients = self.apis[api].clients
        if action in ('on_publish', 'on_play'):
            clients[session] = (stream, action == 'on_publish')
        else:
            clients.pop(session, None)
        request = urllib.request.Request(f'{self.hooks}/{action}', json.dumps(body).encode(),
                                         {'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                clients.pop(session, None)
                return error.code, json.loads(error.read())

    YES = 200, {'code': 0}
    NO = 403, {'code': 403}

    def test_a_voice_comes_and_goes(self):
        self.serve()
        url = self.speaker.publish()
        self.assertEqual(self.hook('on_publish', 'q886788l', url), self.YES)
        self.listener.wait_event('stream-added', uid=8)
        play = self.listener.subscribe(8)
        self.assertEqual(self.hook('on_play', '10935547', play), self.YES)
        self.assertEqual(self.hook('on_stop', '10935547', play), self.YES)
        # What was handed out for one way is good for no other, nor what was changed.
        self.assertEqual(self.hook('on_play', '93505nu3', url), self.NO)
        self.assertEqual(self.hook('on_play', '93505nu4', play, param=''), self.NO)
        self.assertEqual(self.hook('on_play', 'longer-than-eight', play), self.NO)
        self.assertEqual(self.hook('on_unpublish', 'q886788l', url), self.YES)
        self.listener.wait_event('stream-removed', uid=8, timeout=8)

    def test_a_kick_ends_the_session_at_the_server_that_has_it(self):
        self.serve(servers=2)
        url = self.speaker.publish()
        self.assertEqual(self.hook('on_publish', 'q886788l', url), self.YES)
        self.listener.wait_event('stream-added', uid=8)
        self.assertEqual(self.hook('on_play', '10935547', self.listener.subscribe(8), api=1), self.YES)
        self.listener.must('unsubscribe', uid=[8])
        self.apis[1].wait_ended('10935547')
        self.assertEqual(self.apis[1].clients, {})
        self.speaker.must('unpublish', uid=8)
        self.apis[0].wait_ended('q886788l')
        self.assertEqual(self.apis[0].clients, {})

    def test_many_listeners_end_by_the_name_of_their_stream(self):
        self.serve(servers=2)
        url = self.speaker.publish()
        self.assertEqual(self.hook('on_publish', 'q886788l', url), self.YES)
        names = []
        for number in range(40):
            member = self.member(uid=100 + number).join('audience')
            member.wait_event('stream-added', uid=8)
            names.append(f'play{number:04}')
            self.assertEqual(
                self.hook('on_play', names[-1], member.subscribe(8), api=number % 2), self.YES)
        # Not one of those.
        self.apis[0].clients['stranger'] = ('other', False)
        self.speaker.must('unpublish', uid=8)
        for each in (0, 1):
            self.apis[each].wait_ended('q886788l', *names[each::2])
        self.assertNotIn('stranger', self.apis[0].ended)

    def test_an_end_whose_hook_got_lost_is_noticed(self):
        self.serve()
        url = self.speaker.publish()
        self.assertEqual(self.hook('on_publish', 'q886788l', url), self.YES)
        self.listener.wait_event('stream-added', uid=8)
        # As after a restart of SRS. The gateway asks every ten seconds; a stream is held for three.
        self.apis[0].clients.clear()
        self.listener.wait_event('stream-removed', uid=8, timeout=25)


if __name__ == '__main__':
    tap.main()
