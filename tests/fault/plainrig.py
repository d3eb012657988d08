# SPDX-License-Identifier: LGPL-2.1-or-later
"""rtmp2sink and rtmp2src as they are, at an nginx of the test's own: what a fault does to them.

Each row is held to what docs/faults.md says of it, so that it is noticed when they learn more.
"""

import http.client
import os
import shutil
import signal
import socket
import time

from faultrig import TONE, children, sent_levels
from harness import send_signal

LEVEL = 0.05  # seconds of sound that one line tells of


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('localhost', timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class PlainPair:
    """Beside a harness.Case: a publisher and a listener without a gateway."""
    address = '127.0.0.1'

    def join(self):
        self.marks = {}
        with socket.create_server((self.address, 0)) as taken:
            self.port = taken.getsockname()[1]
        self.server = self.start_server()
        self.url = f'rtmp://{self.address}:{self.port}/live/plain'
        self.host = self.speak()
        self.listener = self.listen()
        self.levels = sent_levels(self.listener)
        self.until(lambda: len(self.levels.update()) > 10, 'sound', 15)

    def start_server(self):
        folder = self.tmp / 'nginx'
        folder.mkdir(exist_ok=True)
        pid = folder / 'pid'
        pid.unlink(missing_ok=True)
        self.socket = folder / 'socket'
        self.socket.unlink(missing_ok=True)
        conf = folder / 'nginx.conf'
        conf.write_text(f"""load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; worker_processes 1; error_log {folder}/error.log; pid {pid}; events {{}}
rtmp {{ server {{ listen {self.address}:{self.port}; application live {{ live on; }} }} }}
http {{ access_log off; server {{ listen unix:{self.socket}; location /control {{ rtmp_control all; }} }} }}
""")
        # Its files lie in a folder that only we may enter.
        user = [] if os.geteuid() else ['-g', 'user root;']
        program = shutil.which('nginx') or '/usr/sbin/nginx'
        server = self.start(program, '-c', conf, '-p', folder, *user)
        self.until(lambda: pid.exists() and pid.read_text().strip() and children(server.pid),
                   'nginx')
        return server

    def drop(self, kind):
        connection = UnixHttp(str(self.socket))
        try:
            connection.request('GET', f'/control/drop/{kind}?app=live&name=plain')
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b'1'))
        finally:
            connection.close()

    def kill_server(self):
        # The master can't replace its worker.
        self.server.signal(signal.SIGSTOP)
        self.workers(signal.SIGKILL)
        self.server.wait()

    def workers(self, number):
        for pid in [*children(self.server.pid), self.server.pid]:
            send_signal(pid, number)

    def speak(self):
        return self.launch(f'{TONE} ! voaacenc ! flvmux streamable=true ! '
                           f'rtmp2sink location={self.url}', '-m')

    def listen(self):
        return self.launch(f'rtmp2src location={self.url} ! flvdemux ! aacparse ! avdec_aac ! '
                           f'audioconvert ! level interval={int(LEVEL * 1e9)} ! '
                           'fakesink sync=true', '-m')

    def now(self):
        self.marks = {process: process.mark() for process in (self.host, self.listener)}
        return time.monotonic()

    def outcome(self, process, since):
        """The first ERROR or EOS, and after how long; None where it tells nothing."""
        for at, _, text in process.lines[self.marks[process]:]:
            # While it starts, gst-launch-1.0 tells of an error in words alone.
            for what, words in (('ERROR', ('(error)', 'ERROR: from')), ('EOS', ('(eos)',))):
                if any(word in text for word in words):
                    return what, process.started + at - since
        return None

    def tell(self, fault, since, seconds, host, listener):
        """Waits for `seconds` or the end of both. `host` and `listener`: 'ERROR', 'EOS', 'nothing'."""
        def ended(process):
            return not process.running() or self.outcome(process, since)

        self.until(lambda: time.monotonic() - since >= seconds or
                   (ended(self.host) and ended(self.listener)), 'the time', seconds + 5)
        words = []
        for process, name, expected in ((self.host, 'rtmp2sink', host),
                                        (self.listener, 'rtmp2src', listener)):
            found = self.outcome(process, since)
            words.append(f'{name} {found[0]} after {found[1]:.2f} s' if found else f'{name} nothing')
            self.assertEqual(found[0] if found else 'nothing', expected, process.tail())
        # What it hears is told as it comes.
        heard = [since] + [at for at, _ in self.levels.update() if at > since]
        gaps = [(then - now, then) for now, then in zip(heard, heard[1:]) if then - now > 0.3]
        if gaps:
            back = max(gaps)[1]
            burst = LEVEL * sum(back <= at < back + 0.5 for at in heard) - 0.5
            words.append(f'silent for {sum(gap for gap, _ in gaps):.1f} s, '
                         f'then {max(burst, 0):.1f} s of sound at once')
        if not self.outcome(self.listener, since) and heard[-1] > time.monotonic() - 0.5:
            words.append('plays on')
        self.table.append(f'plain: {fault}: ' + ', '.join(words))
