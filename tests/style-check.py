# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the tree to its own formatting and rules, file by file.

style-check.py ROOT           clang-format, and the house's rules for every source file
style-check.py ROOT --tidy BUILD   clang-tidy of the project's code, over BUILD's compile_commands.json (--tidy-tests: of its tests)
style-check.py ROOT --analyzer BUILD   with its static analyzer, which takes several times as long
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import callbacks

CPP = ('.cpp', '.hpp', '.c', '.h')
SCRIPT = ('.py', '.sh', '')
# What browsers get, and what runs in them in tests. Prose in markup may be long.
PAGE = ('.js', '.mjs', '.ts', '.mts', '.css', '.html', '.svg')
WIDE = ('.html', '.svg')
MOST_COLUMNS = 140
LICENCE = 'SPDX-License-Identifier: LGPL-2.1-or-later'
# In every header: the source files are of the same.
COPYRIGHT = 'Copyright (C) 2026 the agora developers'
# Each names what is wrong; the last part limits it to such paths.
RULES = (
    (re.compile(r'\b(TODO|FIXME|XXX)\b'), 'unfinished work is no comment', ''),
    (re.compile(r'\b(usleep|g_usleep|nanosleep|sleep_for|sleep_until|time\.sleep)\b|\bsleep *\('),
     'wait for a condition, not for luck', ''),
    (re.compile(r'[ \t]+$'), 'blanks at the end of the line', ''),
    (re.compile(r'\bfor \(.*[^:]: \*[\w.>-]+\('), 'what owns it is gone before the loop begins, up to C++23: hold it in a variable', ''),
    (re.compile(r'\bg_print(err)? *\(|\bstd::c(out|err)\b'), 'only a program prints', 'gst/'),
)
MOST_LINES = 600
# Debian 12's. Each release of it formats a little otherwise.
FORMATTER = '14'

# Which way arrows go: a file of the room includes its own room, and what is listed. The first that a
# path begins with counts. docs/architecture.md draws it.
LIBRARY = ('signaling/agora-', 'signaling/support/')
PURE = ('signaling/protocol/', 'signaling/support/')
CLUSTER = ('signaling/gateway/cluster/', *PURE)
RULES_OF_A_CHANNEL = ('signaling/gateway/channel/', *CLUSTER)
KIT = ('signaling/gateway/process/',)
AROUND_THEM = ('signaling/gateway/http/', 'signaling/gateway/options/', *RULES_OF_A_CHANNEL)
ARROWS = (
    ('signaling/support/', ()),
    ('signaling/protocol/', ('signaling/support/',)),
    ('signaling/relay/rtmp/', ('signaling/support/',)),
    ('signaling/relay/', ('signaling/relay/rtmp/', *PURE)),
    ('signaling/client/', ('signaling/agora-', *PURE)),
    ('signaling/gateway/cluster/', PURE),
    ('signaling/gateway/channel/', CLUSTER),
    ('signaling/gateway/options/', RULES_OF_A_CHANNEL),
    ('signaling/gateway/http/', ('signaling/gateway/options/', *RULES_OF_A_CHANNEL)),
    ('signaling/gateway/process/', PURE),
    ('signaling/gateway/media/', (*KIT, *AROUND_THEM)),
    ('signaling/gateway/web/', (*KIT, *AROUND_THEM)),
    ('signaling/gateway/operator/', AROUND_THEM),
    ('signaling/gateway/top/', ('signaling/gateway/options/', *PURE)),
    ('signaling/gateway/front/', ('signaling/gateway/operator/', *AROUND_THEM)),
    ('signaling/gateway/', PURE),
    ('signaling/agora-', ('signaling/client/', *PURE)),
    ('gst/common/', LIBRARY),
    ('gst/mix/', ('gst/common/',)),
    ('gst/rtmp/', ('gst/common/', *LIBRARY)),
    ('gst/membership/', ('gst/common/', *LIBRARY)),
    ('gst/sink/', ('gst/membership/', 'gst/rtmp/', 'gst/common/', *LIBRARY)),
    # Its own GObjects are declared beside the elements.
    ('gst/src/', ('gst/gstagoramixsrc.h', 'gst/gstagoraspeaker.h', 'gst/mix/', 'gst/membership/',
                  'gst/rtmp/', 'gst/common/', *LIBRARY)),
    ('gst/recorder/', ('gst/common/', *LIBRARY)),
    ('gst/web/', ('gst/rtmp/', 'gst/common/', 'signaling/protocol/', *LIBRARY)),
    ('gst/', LIBRARY),
)


def tracked(root):
    """Files of the tree: git's when there is a repository, else all but builds."""
    listed = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard'],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split('\n')
    else:
        names = [str(path.relative_to(root)) for path in Path(root).rglob('*')
                 if not any(part == 'out' or part.startswith(('.', 'build')) for part in
                            path.relative_to(root).parts)]
    return sorted(name for name in names if name and (Path(root) / name).is_file())


def code(root):
    for name in tracked(root):
        suffix = Path(name).suffix
        if suffix in CPP or suffix in PAGE or (suffix in SCRIPT and name.startswith('tests/')
                             and Path(name).name != 'packages'):
            yield name


def formatter():
    """Which clang-format is here."""
    said = subprocess.run(['clang-format', '--version'], capture_output=True, text=True, check=True).stdout
    return re.search(r'version (\d+)', said)[1]


def format_problems(root, names):
    """clang-format's complaints by file, in one go."""
    run = subprocess.run(['clang-format', '--dry-run', '--style=file', *names], cwd=root,
                         capture_output=True, text=True, check=False)
    problems = {}
    for line in run.stderr.splitlines():
        match = re.match(r'([^:]+):(\d+):(\d+): (.*)', line)
        if match:
            problems.setdefault(match[1], []).append(f'line {match[2]}: {match[4]}')
    if run.returncode and not problems:
        raise SystemExit(run.stderr)
    return problems


def rule_problems(root, name):
    try:
        lines = (Path(root) / name).read_text(encoding='utf-8').split('\n')
    except UnicodeDecodeError:
        return []
    problems = []
    if LICENCE not in '\n'.join(lines[:3]):
        problems.append(f'says not "{LICENCE}" in its first lines')
    if name.startswith(('gst/', 'signaling/')) and Path(name).suffix in ('.h', '.hpp') and COPYRIGHT not in '\n'.join(lines[:3]):
        problems.append(f'says not "{COPYRIGHT}" in its first lines')
    page = Path(name).suffix in PAGE
    if page:
        for number, line in enumerate(lines, 1):
            if '\t' in line:
                problems.append(f'line {number}: a tab: expected blanks')
            if len(line) > MOST_COLUMNS and Path(name).suffix not in WIDE:
                problems.append(f'line {number}: {len(line)} columns: {MOST_COLUMNS} are the most')
    # A page's script is one file, so that who uses it needs no tools.
    elif len(lines) > MOST_LINES:
        problems.append(f'{len(lines)} lines: split it, {MOST_LINES} are the most')
    if name == 'tests/style-check.py':
        return problems
    for number, line in enumerate(lines, 1):
        for pattern, text, where in RULES:
            if name.startswith(where) and pattern.search(line):
                problems.append(f'line {number}: {text}')
    return problems


def public_problems(root, name):
    """Properties and signals that have no block of their own, or one that doesn't say since when."""
    if not name.startswith(('gst/', 'signaling/agora-')) or Path(name).suffix != '.cpp':
        return []
    text = (Path(root) / name).read_text(encoding='utf-8')
    told = {}
    for block in re.findall(r'/\*\*.*?\*/', text, re.S):
        if about := re.search(r'^ *\* \w+(::?[\w-]+):', block, re.M):
            told[about[1]] = 'Since: ' in block
    made = [mark + made for mark, call in ((':', 'g_param_spec'), ('::', 'g_signal_new'))
            for made in re.findall(call + r'\w*\(\s*"([\w-]+)"', text)]
    return [f'{each} has no block that says "Since:"' for each in made if not told.get(each)]


def arrow_problems(root, name):
    """Includes that go against the direction."""
    room, allowed = next(((room, allowed) for room, allowed in ARROWS if name.startswith(room)),
                         ('', ()))
    if not room or Path(name).suffix not in CPP:
        return []
    problems = []
    for number, line in enumerate((Path(root) / name).read_text(encoding='utf-8').split('\n'), 1):
        match = re.match(r'#include ["<]((?:signaling|gst)/[^">]+)', line)
        # GStreamer's own headers are gst/… as well.
        if match and (match[1].startswith('signaling/') or (Path(root) / match[1]).exists()) and \
                not match[1].startswith((room, *allowed)):
            problems.append(f'line {number}: {room} includes no {os.path.dirname(match[1])}/: '
                            'see ARROWS')
    return problems


def twice(root, names):
    """Types of one name in one namespace with two bodies: the linker takes either."""
    bodies = {}
    for name in names:
        if Path(name).suffix not in CPP or not name.startswith(('gst/', 'signaling/')):
            continue
        inside = []
        for number, line in enumerate((Path(root) / name).read_text(encoding='utf-8').split('\n'), 1):
            if match := re.match(r'namespace(?: ([\w:]+))? \{', line):
                inside.append(match[1])
            elif line.startswith('}  // namespace'):
                inside.pop()
            # Those without a name are a file's own, until a type of that name is seen from there.
            elif match := re.match(r'(?:class|struct|enum class) (\w+)(?: final)? (?::[^:]|\{)', line):
                where = '::'.join(part for part in inside if part)
                bodies.setdefault((where, match[1]), []).append((name, number, None in inside))
    problems = {}
    for (where, what), found in bodies.items():
        open_ones = [each for each in found if not each[2]]
        if len(found) > 1 and open_ones:
            for name, number, _ in found:
                others = ', '.join(other for other, _, _ in found if other != name)
                problems.setdefault(name, []).append(
                    f'line {number}: {where}::{what} has another body in {others}')
    return problems


class Paths:
    """What documents and comments may name: files, also without their suffix, and folders."""

    QUOTED = re.compile(r'`([\w-]+/[\w./-]*)`')
    LINK = re.compile(r'\]\(([^)#:\s]+)[)#]')
    COMMENT = re.compile(r'\b((?:docs|gst|signaling|tests)/[\w./-]+\.(?:cpp|hpp|c|h|py|md))\b')
    # Of tests/run and the fuzzers; no part of the tree.
    MADE = ('tests/out',)

    def __init__(self, root):
        self.root = root
        self.known, self.folders = set(self.MADE), set()
        for name in tracked(root):
            path = Path(name)
            self.folders.update(folder.name for folder in path.parents)
            for each in (path, path.with_suffix(''), *path.parents):
                # Documents name a file from its room on: `sink/input-chain`.
                self.known.update('/'.join(each.parts[at:]) for at in range(len(each.parts)))

    def named(self, name, line):
        """The paths of a line that look like ours."""
        if name.endswith('.md'):
            for path in self.QUOTED.findall(line):
                # NAME stands for any.
                if path.split('/')[0] in self.folders and not re.search(r'[A-Z]{2}', path):
                    yield path, path.rstrip('/') in self.known
            for path in self.LINK.findall(line):
                yield path, (Path(self.root) / name).parent.joinpath(path).exists()
        elif not line.lstrip().startswith('#include'):
            for path in self.COMMENT.findall(line):
                yield path, path in self.known

    def problems(self, name):
        try:
            lines = (Path(self.root) / name).read_text(encoding='utf-8').split('\n')
        except UnicodeDecodeError:
            return []
        return [f'line {number}: there is no {path}' for number, line in enumerate(lines, 1)
                for path, known in self.named(name, line) if not known]


def report(number, name, problems):
    print(f'{"not ok" if problems else "ok"} {number} - {name}', flush=True)
    for problem in problems:
        print(f'# {name}: {problem}', flush=True)
    return bool(problems)


def style(root):
    names = list(code(root))
    here = formatter()
    problems = format_problems(root, [name for name in names if Path(name).suffix in CPP]) if here == FORMATTER else {}
    doubles = twice(root, names)
    paths = Paths(root)
    called_by_c = callbacks.Callbacks(root, names)
    documents = [name for name in tracked(root) if name.endswith('.md')]
    bad = 0
    for number, name in enumerate(names, 1):
        bad += report(number, name, problems.get(name, []) + rule_problems(root, name) +
                      public_problems(root, name) + arrow_problems(root, name) + doubles.get(name, []) + paths.problems(name) +
                      called_by_c.problems(name) +
                      (callbacks.self_test() if name == 'tests/callbacks.py' else []))
    for number, name in enumerate(documents, len(names) + 1):
        bad += report(number, name, paths.problems(name))
    count = len(names) + len(documents) + 1
    print(f'ok {count} - clang-format' + ('' if here == FORMATTER else
                                          f' # SKIP it is {here} here, and the tree is formatted by {FORMATTER}'))
    print(f'1..{count}')
    return bad or not names


def options(entry):
    """What a file is compiled with, without the file and what is written."""
    words = [word for word in shlex.split(entry['command']) if word not in ('ccache', '-c', '-MD', entry['file'])]
    for option in ('-o', '-MF', '-MQ'):
        if option in words:
            at = words.index(option)
            del words[at:at + 2]
    return words[1:]


class Tidy:
    """clang-tidy over several files at a time: nearly all it reads are the headers that they share."""

    TOGETHER = 20

    def __init__(self, root, build, what):
        self.root = root
        self.analyzer = what == '--analyzer'
        # What only says that the files are read as one.
        self.checks = '--checks=-bugprone-suspicious-include' + ('' if self.analyzer else ',-clang-analyzer-*')
        self.folder = Path(build) / 'batches'
        self.folder.mkdir(exist_ok=True)
        self.entries = {}
        with open(f'{build}/compile_commands.json', encoding='utf-8') as file:
            for entry in json.load(file):
                path = os.path.realpath(os.path.join(entry['directory'], entry['file']))
                # One compilation stands for a file that several targets share.
                if not os.path.relpath(path, build).startswith('..'):
                    continue
                name = os.path.relpath(path, root)
                if self.analyzer or name.startswith('tests/') == (what == '--tidy-tests'):
                    self.entries.setdefault(name, entry)

    def batches(self):
        """Files that are compiled alike. The analyzer looks at a file's own functions alone."""
        alike = {}
        for name in sorted(self.entries):
            alike.setdefault(tuple(options(self.entries[name])), []).append(name)
        size = 1 if self.analyzer else self.TOGETHER
        return [names[at:at + size] for names in alike.values() for at in range(0, len(names), size)]

    def check(self, names):
        """By name: its problems."""
        entry = self.entries[names[0]]
        paths = [os.path.join(self.root, name) for name in names]
        source = paths[0]
        if len(names) > 1:
            source = self.folder / f'{names[0].replace("/", "-")}-{len(names)}{Path(names[0]).suffix}'
            source.write_text(''.join(f'#include "{path}"\n' for path in paths), encoding='utf-8')
        run = subprocess.run(
            ['clang-tidy', '--quiet', self.checks, f'--config-file={self.root}/.clang-tidy',
             rf'--header-filter=(\.\./|{re.escape(self.root)}/)(signaling|gst|tests)/.*', source, '--',
             *options(entry), '-Wno-macro-redefined'],
            cwd=entry['directory'], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return {name: [] for name in names}
        if len(names) == 1:
            return {names[0]: [line for line in run.stdout.splitlines() if line.strip()] or [run.stderr]}
        # Two of them may have the same name for different things; and each is to answer for itself.
        half = len(names) // 2
        return {**self.check(names[:half]), **self.check(names[half:])}


def tidy(root, build, what):
    """Of the project's code, or of its tests."""
    check = Tidy(root, build, what)
    number = bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(check.check, check.batches()):
            for name, problems in found.items():
                number += 1
                bad += report(number, name, problems)
    print(f'1..{number}')
    return bad or not number


def main():
    root = os.path.realpath(sys.argv[1])
    if len(sys.argv) > 2:
        return 1 if tidy(root, os.path.realpath(sys.argv[3]), sys.argv[2]) else 0
    return 1 if style(root) else 0


if __name__ == '__main__':
    sys.exit(main())
