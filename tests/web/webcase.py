# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel with browsers in it, beside members by the elements and by RTMP."""

import http.client
import itertools
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy

import browserrig
import heard
from channel import ChannelCase
from harness import Case, Gateway
from voices import Ear, Speaker
from webnet import Network
from wsclient import Member

ADMIN = 'a-token-of-this-test'


def windows(said, came, within=0.25):
    """How alike each loud second is, and the delay of it: lists of (correlation, seconds).

    Envelopes of 10 ms are compared. A browser stretches time, so that each second is looked for anew,
    near where all of it was found.
    """
    size, reach = heard.RATE, int(within * heard.RATE)
    whole = browserrig.delay(said, came)
    loud = 0.5 * numpy.sqrt(numpy.mean(said.sound ** 2))
    found = []
    for begin in range(0, len(said.sound) - size, size):
        piece = said.sound[begin:begin + size]
        at = round((said.begin - came.begin + whole) * heard.RATE) + begin
        if numpy.sqrt(numpy.mean(piece ** 2)) < loud or at - reach < 0 \
                or at + size + reach > len(came.sound):
            continue
        around = came.sound[at - reach:at + size + reach]
        by = heard._peak(piece, around, 0, 2 * reach)
        alike = heard.correlation(heard.envelope(piece), heard.envelope(around[by:by + size]))
        found.append((alike, whole + (by - reach) / heard.RATE))
    return found


class WebCase(ChannelCase):
    OPTIONS = ('--web-workers=1',)

    def setUp(self):
        browserrig.Chromium.find()
        super().setUp()

    def web_options(self, folder, *options):
        token = folder / 'admin-token'
        token.write_text(ADMIN)
        return '--web', f'--admin-token-file={token}', *self.OPTIONS, *options

    def gateway(self, *options, **keywords):
        return super().gateway(*self.web_options(self.tmp, *options), **keywords)

    def network(self):
        network = Network(self.gate.http)
        self.addCleanup(network.close)
        return network

    def chromium(self, **keywords):
        return self.keep(browserrig.Chromium(self.tmp, **keywords))

    def firefox(self, **keywords):
        return self.keep(browserrig.Firefox(self.tmp, **keywords))

    def link(self, uid, base=None, room=None):
        query = urlencode({'app': 'demo', 'channel': room or self.room, 'uid': uid})
        return f'{base or self.gate.http}/web/?{query}'

    def enter(self, browser, uid, speak=True, base=None, room=None):
        """A tab with the page, whose button was clicked; it is in the channel, and on air if asked."""
        page = browser.open(self.link(uid, base, room))
        page.record()
        page.click('#join' if speak else '#listen')
        self.status(page, 'on air' if speak else 'listening')
        return page

    def status(self, page, word, timeout=10):
        try:
            self.until(lambda: word in page.evaluate('document.querySelector("#status").textContent'),
                       f'the page says {word!r}', timeout)
        except AssertionError as error:
            raise AssertionError(f'{error}; it says ' + page.evaluate(
                '["#status", "#notices"].map((one) => document.querySelector(one).textContent).join(", ")')) from None

    def notice(self, page, word, timeout=5):
        """What the page says at its top."""
        self.until(lambda: word in page.evaluate('document.querySelector("#notices").textContent'),
                   f'the page says {word!r}', timeout)

    def row(self, page, uid, timeout=5):
        """Waits until the page shows that speaker."""
        return page.until(f'document.querySelector(\'#speakers li[aria-label="Speaker {uid}"]\')'
                          '?.textContent', timeout)

    def ear(self, uid, **properties):
        words = ' '.join(f'{name}={value}' for name, value in properties.items())
        return Ear(self, f'agorasrc {self.where(uid)} {words}')

    def speaker(self, uid, sound, lead=2.0, room=None):
        return Speaker(self, sound, f'agorasink {self.where(uid, room)}', lead)

    def witness(self, uid=99, room=None, **keywords):
        member = Member(self.gate.ws, channel=room or self.room, uid=uid, heartbeat=True, **keywords)
        self.addCleanup(member.close)
        return member.join('audience')

    def rule(self, method='POST', **fields):
        """A rule of the operator's: made, or taken back by `id`."""
        connection = http.client.HTTPConnection(urlsplit(self.gate.http).netloc, timeout=5)
        path = '/dev/v1/kicking-rule'
        if method == 'DELETE':
            path += f'?appid=demo&id={fields["id"]}'
        connection.request(method, path, json.dumps({'appid': 'demo', **fields}), {
            'Authorization': f'Bearer {ADMIN}', 'Content-Type': 'application/json'})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        self.assertEqual(answer.status, 200, body)
        return body.get('id')

    def worker(self):
        """The process id of agora-web, once there is one."""
        def there():
            for task in Path(f'/proc/{self.gate.pid}/task').iterdir():
                for child in (task / 'children').read_text().split():
                    if Path(f'/proc/{child}/comm').read_text().strip() == 'agora-web':
                        return int(child)
            return None
        return self.until(there, 'agora-web')

    def return_gateway(self):
        """Where the one before was."""
        old = self.gate
        self.gate = self.keep(Gateway(
            *[word for word in old.argv[1:] if not word.startswith(('--listen', '--rtmp-listen'))],
            f'--listen={urlsplit(old.ws).netloc}', f'--rtmp-listen={urlsplit(old.rtmp).netloc}',
            defaults=False))

    def hears(self, page, level=0.005):
        """Whether it played anything since this was last asked."""
        return len(page.recorded('heard').loud(level)) > 2

    def first_heard(self, page, since, timeout=10):
        """The time.monotonic() at which it first played something after `since`."""
        def first():
            return next((at for at in page.recorded('heard').loud() if at > since), None)
        return self.until(first, 'a voice', timeout)

    def silent(self, page, seconds=0.5, timeout=5):
        """Waits until it plays nothing for so long."""
        since = time.monotonic()

        def quiet():
            nonlocal since
            came = page.recorded('heard')
            loud = came.loud()
            if len(loud):
                since = loud[-1]
            return len(came.sound) and came.end - since > seconds
        self.until(quiet, 'silence', timeout)

    def assert_alike(self, what, said, came, share=0.8, least=0.7, slowest=1.0):
        """One-second windows, `share` of which are as much alike as `least`; the delay's median."""
        found = windows(said, came)
        self.assertGreater(len(found), 2, f'{what}: {len(came.sound) / heard.RATE:.1f} s were recorded')
        alike = [each for each, _ in found]
        good = sum(each > least for each in alike)
        late = float(numpy.median([delay for _, delay in found]))
        print(f'{self.id()}: {what}: {good} of {len(found)} seconds with r > {least}, '
              f'median {numpy.median(alike):.3f}, {late * 1000:.0f} ms')
        self.assertGreaterEqual(good, share * len(found), f'{what}: {alike}')
        self.assertTrue(0 < late < slowest, f'{what}: {late} s')
        return late

    @staticmethod
    def pause(seconds):
        """Something plays meanwhile."""
        threading.Event().wait(seconds)


class OneGateway(WebCase):
    """One gateway and one Chromium for the cases of a class; each has a room of its own, and its tabs are
    closed at its end."""
    rooms = itertools.count(1)

    def setUp(self):
        browserrig.Chromium.find()
        Case.setUp(self)
        self.room = f'room-{next(self.rooms)}'
        self.gate = self.shared('shared_gate', lambda: Gateway(*self.web_options(self.shared_folder())))

    def chromium(self, **keywords):
        """With keywords, one of its own."""
        if keywords:
            return super().chromium(**keywords)
        browser = self.shared('shared_chromium', lambda: browserrig.Chromium(self.shared_folder()))
        self.addCleanup(browser.close_tabs)
        return browser
