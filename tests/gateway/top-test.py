# SPDX-License-Identifier: LGPL-2.1-or-later
"""`agora-gateway top`: what a terminal and a script see of a gateway with members on the air, what happens when it goes, and how
the terminal is left."""

import codecs
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import unicodedata
from types import SimpleNamespace
from urllib.parse import urlsplit

import tap
from harness import TIED, Case, Deadline, Gateway, readable, wait_until
from relayrig import Peer
from tlsrig import Authority
from wsclient import Member

TOKEN = 'Tru5t-me/for+this:one='
REPORT = {'reconnects': 1, 'sent': {'peak': -6, 'rms': -20, 'dropped': 40, 'outages': 2},
          'heard': [{'uid': 8, 'peak': -9, 'rms': -21, 'delay': 100, 'latency': 181, 'jitter': 3, 'dropped': 0, 'concealed': 120}]}
# What makes a terminal do something, of C1 and of the direction of writing; those of C0 no gateway of ours lets in.
HOSTILE = 'eve\u009b31m\u0090q\u202egnp\u200b'


class Screen:
    """What a terminal of that size shows of what it was sent. Anything that top has no need to send is an error."""

    SEQUENCE = re.compile(r'\x1b\[(\??)([\d;]*)([A-Za-z])')

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [''] * rows
        self.row = self.column = 0
        self.rest = ''
        self.modes = set()
        self.seen = ''

    def feed(self, text):
        self.seen += text
        text = self.rest + text
        self.rest = ''
        at = 0
        while at < len(text):
            letter = text[at]
            if letter == '\x1b':
                found = self.SEQUENCE.match(text, at)
                if not found:
                    if len(text) - at > 12:
                        raise AssertionError(f'no sequence that is known: {text[at:at + 12]!r}')
                    self.rest = text[at:]
                    return
                self._do(*found.groups())
                at = found.end()
                continue
            if letter == '\n':
                self.row += 1
            elif letter == '\r':
                self.column = 0
            elif ord(letter) < 0x20 or 0x7f <= ord(letter) < 0xa0 or unicodedata.category(letter) in ('Cf', 'Zl', 'Zp'):
                raise AssertionError(f'{letter!r} was sent to the terminal')
            else:
                if self.row >= self.rows:
                    raise AssertionError('more lines than the terminal has')
                self.lines[self.row] = self.lines[self.row][:self.column] + letter
                self.column += 1
                # What is said last goes on in the next line.
                if self.column > self.columns and '1049' in self.modes:
                    raise AssertionError(f'wider than the terminal: {self.lines[self.row]!r}')
            at += 1

    def _do(self, private, numbers, letter):
        if private:
            (self.modes.add if letter == 'h' else self.modes.discard)(numbers)
            if numbers == '1049':
                self.lines = [''] * self.rows
                self.row = self.column = 0
        elif letter == 'H' and not numbers:
            self.row = self.column = 0
        elif letter == 'K':
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == 'J':
            self.lines[self.row + 1:] = [''] * (self.rows - self.row - 1)
        elif letter != 'm':
            raise AssertionError(f'top has no need of CSI {numbers}{letter}')

    def text(self):
        return '\n'.join(self.lines)


class Terminal:
    """A program in a terminal of its own, which it has to leave as it was."""

    def __init__(self, argv, columns=100, rows=30):
        self.screen = Screen(columns, rows)
        self.ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.ours)
        self.decoder = codecs.getincrementaldecoder('utf-8')()
        self.popen = subprocess.Popen([*TIED, 'setsid', '--ctty', *map(str, argv)], stdin=theirs, stdout=theirs, stderr=theirs,
                                      env={**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8'})
        os.close(theirs)

    def resize(self, columns, rows):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def look(self, timeout=0.0):
        """Takes what has come; False: the program has gone."""
        while readable(self.ours, timeout):
            timeout = 0.0
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.screen.feed(self.decoder.decode(data))
        return True

    def wait_text(self, *patterns, timeout=8):
        deadline = Deadline(timeout)
        while not deadline.over():
            there = self.look(0.05)
            if all(re.search(pattern, self.screen.text(), re.M) for pattern in patterns):
                return
            if not there:
                break
        raise AssertionError(f'{patterns} were not all shown within {timeout} s:\n{self.screen.text()}')

    def wait_end(self, timeout=5):
        """The exit status; what the terminal had to be told is told, and it is as it was."""
        deadline = Deadline(timeout)
        while self.look(0.05) and not deadline.over():
            pass
        status = self.popen.wait(max(deadline.left(), 1))
        if termios.tcgetattr(self.ours) != self.before:
            raise AssertionError('the terminal has other settings than before')
        if self.screen.modes != {'7', '25'}:
            raise AssertionError(f'the terminal is left with {self.screen.modes}')
        return status

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        os.close(self.ours)


class Voice(threading.Thread):
    """An encoder that is on the air until it is closed."""

    def __init__(self, url):
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self.peer = Peer(SimpleNamespace(port=parts.port))
        code = self.peer.open('publish', f'{parts.path.rpartition("/")[2]}?{parts.query}')
        if code != 'NetStream.Publish.Start':
            raise AssertionError(f'publish was answered with {code}')
        self.over = threading.Event()
        self.start()

    def run(self):
        stamp = 0
        try:
            while not self.over.wait(0.1):
                stamp += 100
                self.peer.frame(stamp)
        except OSError:
            pass

    def close(self):
        self.over.set()
        self.join()
        self.peer.close()


class Stand(threading.Thread):
    """Answers all that comes in turn with one of `answers`: bytes, or what is called with the connection."""

    def __init__(self, *answers):
        super().__init__(daemon=True)
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.url = f'http://127.0.0.1:{self.listening.getsockname()[1]}'
        self.answers = answers
        self.asked = []
        self.start()

    def run(self):
        for answer in self.answers:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                data = b''
                while b'\r\n\r\n' not in data:
                    data += connection.recv(65536)
                self.asked.append(data.decode())
                if callable(answer):
                    answer(connection)
                    continue
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        # Nobody is there any more.
        self.listening.close()

    def close(self):
        self.listening.close()
        self.join(5)


class Top(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token_file = cls.shared_folder() / 'admin-token'
        cls.token_file.write_text(TOKEN + '\n')

    def serve(self, *options):
        return self.gateway(f'--admin-token-file={self.token_file}', '--max-admin-requests-per-second=1000', *options)

    def on_air(self, gateway):
        """Two are on the air, eight and one with a bad account; seven listens and reports."""
        members = [Member(gateway.ws, channel='room', uid=uid, heartbeat=True) for uid in (7, 8)]
        members.append(Member(gateway.ws, channel='room', uid=0, heartbeat=True))
        for member in members:
            self.addCleanup(member.close)
        seven, eight, eve = members
        seven.join('audience', features=['quality'])
        eight.join(features=['quality'])
        eve.join(uid=HOSTILE, uidType=1)
        for member in (eight, eve):
            self.addCleanup(Voice(member.publish()).close)
        seven.must('report', **REPORT)
        return members

    def argv(self, url, *more):
        return [os.environ['AGORA_GATEWAY_BIN'], 'top', f'--url={url}', f'--admin-token-file={self.token_file}', *more]

    def terminal(self, *words, **keywords):
        terminal = Terminal(words, **keywords)
        self.addCleanup(terminal.close)
        return terminal

    def once(self, *words):
        process = self.start(*words)
        return process.wait(), process.output('out'), process.output('err')

    def test_once(self):
        gateway = self.serve()
        self.on_air(gateway)
        status, out, err = self.once(*self.argv(gateway.http, '--once'))
        self.assertEqual((status, err), (0, ''))
        for words in (f'at {gateway.http}, up for ', 'members: 3 in 1 channels  on the air: 2', 'media server: up', 'RTMP: 2 push, 0 play',
                      'MEMBER ', 'room: 2 on the air, 3 here; loudest -9 dB; 181 ms mouth to ear; 3 ms jitter'):
            self.assertIn(words, out)
        self.assertRegex(out, r'processor: \d+ % of a core')
        self.assertRegex(out, r'\n  7 +audience +181 ms +3 ms +0 ms +120 ms +40 ms +3 +\d+ s(\n|$)')
        self.assertRegex(out, r'\n  8 +on the air, 0 listen +########\.\. -9 dB ')
        self.assertRegex(out, r'\n  eve\?31m\?q\?gnp\? \(\d+\) +on the air')
        self.assertNotIn('\x1b', out)
        # No terminal to draw on, and so all of it once.
        self.assertEqual(self.once(*self.argv(gateway.http))[0], 0)

    def test_terminal(self):
        gateway = self.serve()
        _, eight, _ = self.on_air(gateway)
        terminal = self.terminal(*self.argv(gateway.http))
        terminal.wait_text('at http://', r'^room: 2 on the air, 3 here', r'^  eve\?31m', r'########\.\. -9 dB', r'processor: \d+ %', '^q: end$')
        self.assertEqual(terminal.screen.modes, {'1049'})
        # Keys that mean nothing do nothing, and none is shown.
        terminal.press('\x1b[Zxyz\x1a\x13')
        # Goes on by itself.
        eight.must('leave', uid=8)
        terminal.wait_text(r'^room: 1 on the air, 2 here')
        self.assertNotIn('xyz', terminal.screen.text())
        terminal.press('q')
        self.assertEqual(terminal.wait_end(), 0)

    def test_sizes(self):
        gateway = self.serve()
        for uid in range(1, 41):
            member = Member(gateway.ws, channel='room', uid=uid, heartbeat=True)
            self.addCleanup(member.close)
            member.join('audience')
        terminal = self.terminal(*self.argv(gateway.http), columns=120, rows=24)
        terminal.wait_text('HERE FOR', r'lines 1 to \d+ of 41$', r'^  1 +audience')
        terminal.press('\x1b[6~\x1b[6~\x1b[6~\x1b[6~')
        terminal.wait_text(r'to 41 of 41$', r'^  40 +audience')
        # The last page stays full; and back, line by line.
        terminal.press('\x1b[A')
        terminal.wait_text(r'to 40 of 41$')
        terminal.press('g')
        terminal.wait_text(r'lines 1 to ')
        terminal.look()
        terminal.screen.columns, terminal.screen.rows, terminal.screen.lines = 40, 10, [''] * 10
        terminal.resize(40, 10)
        terminal.wait_text(r'^MEMBER +STATE +LEVEL +MOUTH TO EAR$', r'^q: end')
        # As small as it gets.
        terminal.look()
        terminal.screen.columns, terminal.screen.rows, terminal.screen.lines = 8, 2, [''] * 2
        terminal.resize(8, 2)
        terminal.wait_text(r'^agora-g~$')
        terminal.press('\x03')
        self.assertEqual(terminal.wait_end(), 0)

    def test_signals(self):
        gateway = self.serve()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            terminal = self.terminal(*self.argv(gateway.http))
            terminal.wait_text('Nobody is here')
            terminal.popen.send_signal(number)
            self.assertEqual(terminal.wait_end(), 0)

    def test_comes_back(self):
        port = socket.create_server(('127.0.0.1', 0))
        address = '127.0.0.1:%d' % port.getsockname()[1]
        port.close()
        terminal = self.terminal(*self.argv(f'http://{address}'), columns=160)
        terminal.wait_text(r"^! Can't reach the gateway at http://.*: .*refused; trying again")
        options = [f'--listen={address}', '--rtmp-listen=127.0.0.1:0', '--app=demo', f'--admin-token-file={self.token_file}']
        gateway = self.keep(Gateway(*options, defaults=False))
        terminal.wait_text('Nobody is here')
        self.assertNotIn('trying again', terminal.screen.text())
        gateway.terminate()
        # What it was stays to be seen.
        terminal.wait_text(r'^! Lost the gateway at http://.*; trying again', 'Nobody is here')
        self.keep(Gateway(*options, defaults=False))
        terminal.wait_text(r'^agora-gateway', r'\A(?![\s\S]*trying again)[\s\S]*Nobody is here')
        terminal.press('q')
        self.assertEqual(terminal.wait_end(), 0)

    def test_no_use(self):
        gateway = self.serve()
        wrong = self.tmp / 'wrong'
        wrong.write_text('another-token-than-that\n')
        argv = [os.environ['AGORA_GATEWAY_BIN'], 'top', f'--url={gateway.http}', f'--admin-token-file={wrong}']
        status, out, err = self.once(*argv, '--once')
        self.assertEqual((status, out), (1, ''))
        self.assertRegex(err, r'^agora-gateway top: http://\S+: the gateway answers 401: .')
        # No guessing: it is sent once.
        terminal = self.terminal(*argv)
        self.assertEqual(terminal.wait_end(), 1)
        self.assertIn('the gateway answers 401', terminal.screen.text())
        self.assertNotIn('another-token', err + terminal.screen.text())
        gateway.terminate()
        status, out, err = self.once(*self.argv(gateway.http, '--once'))
        self.assertEqual((status, out), (1, ''))
        self.assertIn('refused', err)

    def test_tls(self):
        authority = Authority(self.tmp)
        certificate, key = authority.sign()
        gateway = self.serve(f'--tls-certificate={certificate}', f'--tls-key={key}')
        self.assertTrue(gateway.http.startswith('https://'))
        status, out, err = self.once(*self.argv(gateway.http, '--once', f'--ca-file={authority.file}'))
        self.assertEqual((status, err), (0, ''))
        self.assertRegex(out, r'\n! certificate: ends in \d')
        # Not signed by whom it trusts: the token stays here.
        status, out, err = self.once(*self.argv(gateway.http, '--once'))
        self.assertEqual((status, out), (1, ''))
        self.assertIn('certificate', err)
        self.assertNotIn('refused with', gateway.output('err'))

    def test_what_is_no_gateway(self):
        evil = b'{"message": "\\u001b[2J\\u009bmine"}'
        events = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n'
        for answer, words in (
                (b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello', 'no gateway of ours'),
                (b'HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n' % len(evil) + evil, '403: ?[2J?mine'),
                (b'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n', 'answers 302'),
                (events + b'event: all\ndata: {"gateway": []}\n\n', "can't be read"),
                (events, 'has closed the connection'),
                (b'\x1b]0;mine\x07\r\n\r\n', ': ')):
            with self.subTest(words=words):
                stand = Stand(answer)
                self.addCleanup(stand.close)
                status, out, err = self.once(*self.argv(stand.url, '--once'))
                self.assertEqual((status, out), (1, ''))
                self.assertIn(words, err)
                self.assertEqual(len(err.splitlines()), 1)
                self.assertNotRegex(err, '[\x00-\x1f\x7f-\x9f]')
                self.assertIn(f'GET /dev/v1/live/events HTTP/1.1\r\n', stand.asked[0])
                self.assertIn(f'\r\nAuthorization: Bearer {TOKEN}\r\n', stand.asked[0])

    def test_refusal_that_drips(self):
        """Whoever takes its time over the words that go with a refusal holds up neither keys nor the next try."""
        def drip(connection):
            connection.sendall(b'HTTP/1.1 503 No\r\nContent-Length: 4096\r\n\r\n')
            try:
                while not readable(connection, 0.2):
                    connection.sendall(b' ')
            except OSError:
                pass
        for end in ('q', '\x03'):
            with self.subTest(end):
                stand = Stand(drip)
                self.addCleanup(stand.close)
                terminal = self.terminal(*self.argv(stand.url))
                wait_until(lambda stand=stand: stand.asked, what='its request')
                terminal.wait_text('Connecting')
                terminal.press(end)
                self.assertEqual(terminal.wait_end(), 0)
        stand = Stand(drip, drip)
        self.addCleanup(stand.close)
        terminal = self.terminal(*self.argv(stand.url), columns=160)
        terminal.wait_text("^! Can't reach the gateway at .*: the gateway answers 503; trying again$")
        wait_until(lambda: len(stand.asked) == 2, what='the next try')
        terminal.press('q')
        self.assertEqual(terminal.wait_end(), 0)
        # Nor a script.
        stand = Stand(drip)
        self.addCleanup(stand.close)
        status, out, err = self.once(*self.argv(stand.url, '--once'))
        self.assertEqual((status, out), (1, ''))
        self.assertRegex(err, 'the gateway answers 503$')

    def test_stream_that_ends(self):
        """As after 15 minutes: it comes again, and nobody is alarmed. A script waits no longer than it has to."""
        told = ('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nevent: all\n'
                'data: {"at":1000,"gateway":{"version":"%d"},"apps":[],"members":[],"left_off":0}\n\n')
        stand = Stand((told % 1).encode(), (told % 2).encode())
        self.addCleanup(stand.close)
        terminal = self.terminal(*self.argv(stand.url + '/behind/'), columns=160)
        terminal.wait_text('agora-gateway 2 at', 'Lost the gateway')
        self.assertEqual(terminal.screen.seen.count('Connecting'), 1)
        self.assertEqual([each.split(' ')[1] for each in stand.asked], ['/behind/dev/v1/live/events'] * 2)
        terminal.press('q')
        self.assertEqual(terminal.wait_end(), 0)

    def test_wrong_arguments(self):
        file = f'--admin-token-file={self.token_file}'
        short = self.tmp / 'short'
        short.write_text('short\n')
        for options, words in (
                ([], '--admin-token-file=FILE is missing'),
                (['--admin-token-file=/nowhere'], '/nowhere'),
                ([f'--admin-token-file={short}'], '16 or more'),
                ([file, '--url=ws://127.0.0.1:80'], '--url: expected http://'),
                ([file, '--url=nothing'], '--url: expected http://'),
                ([file, '--url=http://me:hidden@127.0.0.1/'], 'without a user'),
                ([file, '--url=http://127.0.0.1/?x'], '--url: expected http://'),
                ([file, '--ca-file=/nowhere'], '--ca-file=/nowhere: expected a file of PEM'),
                ([file, 'more'], 'unexpected argument more'),
                ([file, '--token=x'], '--token')):
            with self.subTest(options=options):
                status, out, err = self.once(os.environ['AGORA_GATEWAY_BIN'], 'top', *options)
                self.assertEqual((status, out), (2, ''))
                self.assertEqual(len(err.splitlines()), 1)
                self.assertIn(words, err)
                self.assertNotIn('hidden', err)
        status, out, _ = self.once(os.environ['AGORA_GATEWAY_BIN'], 'top', '--help')
        self.assertEqual(status, 0)
        self.assertIn('--once', out)


if __name__ == '__main__':
    tap.main()
