# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the media parts stand on: a plain nginx-rtmp, our gateway, and media.py at work."""

import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.request import urlopen

from harness import Gateway, Process, wait_until

HERE = Path(__file__).resolve().parent
MODULE = Path('/usr/lib/nginx/modules/ngx_rtmp_module.so')
# As a microphone gives it: each block once its last sample is there, for identity waits for what
# audiotestsrc says of its latency, a block's length. `latency` makes sure of that.
MIC = ('audiotestsrc is-live=true samplesperbuffer=480 {wave} ! '
       'audio/x-raw,format=S16LE,rate=48000,channels=1 ! '
       'identity name=mic sync=true')
ENCODE = 'voaacenc bitrate=48000'
TONE = 'wave=sine volume=0.5'
TICKS = 'wave=ticks volume=0.8 tick-interval=700000000 sine-periods-per-tick=20 freq=1000'
EAR = 'fakesink name=out signal-handoffs=true'


def mic(wave):
    return MIC.format(wave=wave)


class PlainNginx:
    """nginx-rtmp as its documentation has it, on a free port."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='agora-bench-')
        with socket.socket() as listening:
            listening.bind(('127.0.0.1', 0))
            listening.listen(511)
            port = listening.getsockname()[1]
            config = Path(self.folder.name) / 'nginx.conf'
            user = 'user root;\n' if os.geteuid() == 0 else ''
            config.write_text(
                f'load_module {MODULE};\n{user}daemon off;\nworker_processes 1;\npid nginx.pid;\n'
                'error_log stderr error;\nevents { worker_connections 4096; }\n'
                f'rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n',
                encoding='ascii')
            # The listening socket is handed over, so that nobody else can have the port.
            self.process = Process(
                ['nginx', '-p', self.folder.name, '-c', str(config), '-e', 'stderr'],
                env={'NGINX': f'{listening.fileno()};'}, pass_fds=[listening.fileno()])
        self.url = f'rtmp://127.0.0.1:{port}/live'

    def worker(self):
        children = Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children')
        pids = children.read_text(encoding='ascii').split()
        return int(pids[0]) if pids else None

    def stop(self):
        self.process.stop()
        self.folder.cleanup()


class Media(Process):
    """media.py, which is at one task."""

    def __init__(self, task, stdin=subprocess.DEVNULL, env=None, **arguments):
        super().__init__(['/usr/bin/python3', HERE / 'media.py',
                          json.dumps({'task': task, **arguments})], stdin=stdin, quiet_errors=True,
                         env=env)

    def result(self, timeout=120):
        found = self.wait_line(r'^(result|failed) (.*)$', timeout, which='out')
        if found[1] == 'failed':
            raise AssertionError(found[2])
        self.wait(20)
        return json.loads(found[2])


class Rig:
    """Both media servers, and speakers that are on the air; everything ends with it."""

    def __init__(self, *options):
        self.running = []
        try:
            self.nginx = self.keep(PlainNginx())
            self.gateway = self.keep(Gateway('--max-requests-per-second=1000', *options,
                                             quiet_errors=True))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self.running:
            self.running.pop().stop()

    def keep(self, one):
        self.running.append(one)
        return one

    def where(self, channel, uid=None):
        text = f'gateway={self.gateway.ws} app-id=demo channel={channel}'
        return text if uid is None else f'{text} uid={uid}'

    def ours(self, sound, channel, uid):
        """A sender by agorasink."""
        return f'{sound} ! {ENCODE} ! agorasink {self.where(channel, uid)}'

    def encoded(self, sound, channel, uid, properties):
        """The same where agorasink itself encodes."""
        return f'{sound} ! agorasink {self.where(channel, uid)} {properties}'

    def bare(self, sound, name):
        """The same by rtmp2sink."""
        return (f'{sound} ! {ENCODE} ! flvmux streamable=true ! '
                f'rtmp2sink location={self.nginx.url}/{name}')

    def bare_source(self, name):
        return f'rtmp2src location={self.nginx.url}/{name} ! flvdemux ! aacparse ! avdec_aac'

    def speak(self, *pipelines):
        speaking = self.keep(Media('speak', stdin=subprocess.PIPE, pipelines=list(pipelines)))
        speaking.wait_line('^speaking$', 20)
        return speaking

    def quiet(self):
        """Ends who speaks."""
        for one in [one for one in self.running if isinstance(one, Media)]:
            one.popen.stdin.close()
            one.wait(20)
            self.running.remove(one)
            one.stop()
        self.wait_streams(0)

    def measure(self, task, timeout=120, **arguments):
        media = Media(task, **arguments)
        try:
            return media.result(timeout)
        finally:
            media.stop()

    def wait_streams(self, count, timeout=20):
        """Until just so many of our streams are on the air."""
        def there():
            with urlopen(f'{self.gateway.http}/healthz', timeout=5) as answer:
                return json.load(answer)['streams'] == count

        wait_until(there, timeout, f'{count} streams on the air')
