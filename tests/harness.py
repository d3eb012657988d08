# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real processes for tests: started, watched by their lines, ended by their ids.

What meson tells by environment (tests/meson.build):
  AGORA_GATEWAY_BIN        the program agora-gateway
  AGORA_TEST_PRELOAD       sanitiser runtime that foreign programs must load before our plugin
  AGORA_TEST_TIME_SCALE    what each deadline is multiplied by (sanitised and valgrind runs)
"""

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

SCALE = float(os.environ.get('AGORA_TEST_TIME_SCALE', '1'))
# The last resort: what is started here ends with who started it, even if that one is killed. The
# kernel looks at the thread that forks, so that processes are to be started by threads that stay.
TIED = ['setpriv', '--pdeathsig', 'TERM'] if shutil.which('setpriv') else []
SANITIZER = re.compile(
    r'ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error: |'
    r'\(\S+:\d+\): \S+-CRITICAL')


class Deadline:
    """A point in time; `left()` never is negative."""

    def __init__(self, seconds, scaled=True):
        self.end = time.monotonic() + seconds * (SCALE if scaled else 1)

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def over(self):
        return time.monotonic() >= self.end


def mostly(values):
    """The third worst of twenty and more, else the worst: a machine is held up now and then, but what is blocked is late often."""
    values = sorted(values)
    return values[-3 if len(values) >= 20 else -1]


# Notified whenever any process says a line or ends: what wait_until() waits on.
_news = threading.Condition()


def wait_until(condition, timeout=10, what='the condition'):
    """Waits until `condition()` is true, and returns what it gave.

    Looks again at each line of any process, and every 20 ms for what makes no line.
    """
    deadline = Deadline(timeout)
    while True:
        value = condition()
        if value:
            return value
        if deadline.over():
            raise AssertionError(f'{what} did not come true within {timeout} s')
        # Not held while the condition is looked at: it may take its time, and readers must go on.
        with _news:
            _news.wait(min(0.02, deadline.left()))


def stands_still(pid):
    """Whether each of its threads does, or it is gone."""
    for task in Path(f'/proc/{pid}/task').glob('*/stat'):
        try:
            # Behind the program's name, which may have any characters.
            if task.read_text(encoding='utf-8', errors='replace').rpartition(')')[2].split()[0] != 'T':
                return False
        except OSError:
            continue
    return True


def freeze(pid):
    """Another core lets a process go on for a moment after it was told to stop."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stands_still(pid), what=f'that process {pid} stands still')


def send_signal(pid, number):
    """SIGSTOP has worked when this comes back."""
    if number == signal.SIGSTOP:
        freeze(pid)
    else:
        os.kill(pid, number)


class Process:
    """A program in a process group of its own, with its lines."""

    def __init__(self, argv, env=None, foreign=False, cwd=None, stdin=subprocess.DEVNULL,
                 quiet_errors=False, theirs=None, pass_fds=()):
        """`theirs`: which complaints on standard error are of code that isn't ours, as a regular expression."""
        self.argv = [str(word) for word in argv]
        self.name = os.path.basename(self.argv[0])
        self.quiet_errors = quiet_errors
        self.theirs = re.compile(theirs) if theirs else None
        environment = dict(os.environ)
        if foreign and os.environ.get('AGORA_TEST_PRELOAD'):
            environment['LD_PRELOAD'] = os.environ['AGORA_TEST_PRELOAD']
            # Its own leaks are none of our business; our programs are checked for them.
            environment['ASAN_OPTIONS'] = environment.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        environment.update(env or {})
        self.started = time.monotonic()
        self.popen = subprocess.Popen(
            TIED + self.argv, env=environment, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, pass_fds=pass_fds)
        self.lines = []  # (seconds since start, 'out' or 'err', text), guarded by _news
        self.readers = [
            threading.Thread(target=self._read, args=(pipe, which), daemon=True)
            for pipe, which in ((self.popen.stdout, 'out'), (self.popen.stderr, 'err'))]
        for reader in self.readers:
            reader.start()

    def _read(self, pipe, which):
        with pipe:
            for raw in pipe:
                text = raw.decode('utf-8', 'replace').rstrip('\r\n')
                with _news:
                    self.lines.append((time.monotonic() - self.started, which, text))
                    _news.notify_all()
        with _news:
            _news.notify_all()

    @property
    def pid(self):
        return self.popen.pid

    def output(self, which=None):
        with _news:
            return '\n'.join(t for _, w, t in self.lines if which in (None, w))

    def mark(self):
        """Where the output is now: for wait_line(since=)."""
        with _news:
            return len(self.lines)

    def wait_line(self, pattern, timeout=10, since=0, which=None):
        """The first match of `pattern` in a line after `since`; fails when it never comes."""
        expression = re.compile(pattern)
        deadline = Deadline(timeout)
        seen = since
        with _news:
            while True:
                while seen < len(self.lines):
                    _, whence, text = self.lines[seen]
                    seen += 1
                    match = expression.search(text) if which in (None, whence) else None
                    if match:
                        return match
                ended = not any(reader.is_alive() for reader in self.readers)
                if ended or deadline.over():
                    break
                # A reader that ends says so after its last line; its thread dies a moment later.
                _news.wait(min(0.1, deadline.left()))
        if ended:
            try:
                self.popen.wait(1)  # its pipes close a moment before it is gone
            except subprocess.TimeoutExpired:
                pass
        why = f'ended with {self.popen.poll()}' if ended else f'said it not within {timeout} s'
        raise AssertionError(f'{self.name} {why}: /{pattern}/\n{self.tail()}')

    def poll(self):
        return self.popen.poll()

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout=10):
        """The exit status; fails when the process is still there after `timeout`."""
        try:
            status = self.popen.wait(Deadline(timeout).left())
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f'{self.name} was still running after {timeout} s\n{self.tail()}') from None
        for reader in self.readers:
            reader.join(Deadline(5).left())  # whoever it has started may hold the pipe
        return status

    def signal(self, number):
        """To the process alone."""
        if number == signal.SIGSTOP and self.running():
            freeze(self.pid)
        else:
            self.popen.send_signal(number)

    def terminate(self, timeout=5):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def interrupt(self, timeout=5):
        """Ctrl-C."""
        if self.running():
            self.signal(signal.SIGINT)
        return self.wait(timeout)

    def _kill_group(self, number):
        try:
            os.killpg(self.pid, number)
            return True
        except (ProcessLookupError, PermissionError):
            return False

    def stop(self):
        """For teardown: ends whatever is left, and fails if that took force or a sanitiser spoke."""
        complaint = None
        if self.running():
            self._kill_group(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(Deadline(5).left())
            except subprocess.TimeoutExpired:
                complaint = f'{self.name} outlived SIGTERM by 5 s'
        if self._kill_group(signal.SIGKILL):
            self.popen.wait()
        for reader in self.readers:
            reader.join(Deadline(1).left())
        if complaint is None and not self.quiet_errors:
            spoke = next((line for line in self.output('err').splitlines() if SANITIZER.search(line)
                          and not (self.theirs and self.theirs.search(line))), None)
            if spoke:
                complaint = f'{self.name}: {spoke}'
        if complaint:
            raise AssertionError(f'{complaint}\n{self.tail(200)}')

    def tail(self, count=60):
        with _news:
            lines = self.lines[-count:]
        head = f'--- {" ".join(self.argv)} (pid {self.pid}, status {self.popen.poll()})'
        return '\n'.join([head] + [f'{at:7.3f} {which} {text}' for at, which, text in lines])


class Gateway(Process):
    """agora-gateway on free ports, serving app `demo` unless `options` name one."""

    READY = r'^ready ws=(?P<ws>\S+) http=(?P<http>\S+) rtmp=(?P<rtmp>\S+)( rtmps=(?P<rtmps>\S+))?( web=(?P<web>\S+))?$'

    def __init__(self, *options, binary=None, defaults=True, ready_timeout=10, **keywords):
        binary = binary or os.environ.get('AGORA_GATEWAY_BIN')
        if not binary:
            raise unittest.SkipTest('agora-gateway was not built')
        argv = ([binary] if isinstance(binary, (str, Path)) else list(binary))
        if defaults:
            argv += ['--listen=127.0.0.1:0', '--rtmp-listen=127.0.0.1:0']
            if not any(str(option).startswith(('--app', '--config')) for option in options):
                argv.append('--app=demo')
        super().__init__(argv + list(options), **keywords)
        self.name = 'agora-gateway'
        try:
            ready = self.wait_line(self.READY, ready_timeout, which='out')
        except BaseException:  # a signal's, too
            self.stop()
            raise
        self.ws, self.http = ready['ws'], ready['http']
        self.rtmp, self.rtmps = ready['rtmp'], ready['rtmps']
        self.web = ready['web']  # the page; None without --web


class Case(unittest.TestCase):
    """A test with a temporary folder, and with processes that end with it."""

    def setUp(self):
        self.tmp = Path(tempfile.mkdtemp(prefix='agora-test-'))
        self.addCleanup(shutil.rmtree, self.tmp, ignore_errors=True)
        self.processes = []

    def keep(self, process):
        self.processes.append(process)
        self.addCleanup(process.stop)
        return process

    @classmethod
    def shared_folder(cls):
        """As `tmp`, for what the cases of this class share."""
        if '_shared_folder' not in cls.__dict__:
            cls._shared_folder = Path(tempfile.mkdtemp(prefix='agora-test-'))
            cls.addClassCleanup(shutil.rmtree, cls._shared_folder, ignore_errors=True)
        return cls._shared_folder

    def shared(self, name, make):
        """A process that the cases of this class share: made for the first one, and again where it has ended."""
        cls = type(self)
        process = cls.__dict__.get(name)
        if process is None or not process.running():
            process = make()
            setattr(cls, name, process)
            cls.addClassCleanup(process.stop)
        self.processes.append(process)
        return process

    def start(self, *argv, **keywords):
        """A program of ours."""
        return self.keep(Process(argv, **keywords))

    def foreign(self, *argv, **keywords):
        """A program that isn't ours, but may load our plugin or library."""
        return self.keep(Process(argv, foreign=True, **keywords))

    def gateway(self, *options, **keywords):
        return self.keep(Gateway(*options, **keywords))

    def until(self, condition, what='the condition', timeout=10):
        return wait_until(condition, timeout, what)

    def launch(self, pipeline, *options, **keywords):
        """gst-launch-1.0 with a pipeline written as in a shell, but without its quoting rules."""
        return self.foreign('gst-launch-1.0', *options, *pipeline.split(), **keywords)

    def logs(self):
        """The last words of each process, for the diagnosis of a failure."""
        return ''.join(process.tail() + '\n' for process in getattr(self, 'processes', []))


def readable(fd, timeout):
    """Whether `fd` has something to read within `timeout` seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout * SCALE * 1000))
