# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an installation gives others: headers, symbols, pkg-config, the plugin."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import tap
from harness import Case

BUILD = os.environ['AGORA_BUILD_ROOT']
README = Path(__file__).resolve().parents[2] / 'README.md'


def run(*argv, **keywords):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **keywords)
    if done.returncode:
        raise AssertionError(f'{" ".join(map(str, argv))}: {done.returncode}\n'
                             f'{done.stdout}{done.stderr}')
    return done.stdout


class InstallTest(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix='agora-test-'))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', cls.root)

    def find(self, pattern):
        found = sorted(self.root.rglob(pattern))
        self.assertTrue(found, f'nothing installed looks like {pattern}')
        return found

    def relocated(self):
        """Where pkg-config finds the library: by hand, since a sysroot would move the libraries of others as well."""
        package = self.find('agora-signaling-1.0.pc')[0]
        text = package.read_text()
        prefix = re.search(r'^prefix=(.*)$', text, re.M)[1]
        if not prefix.startswith(str(self.root)):
            package.write_text(text.replace(f'prefix={prefix}', f'prefix={self.root}{prefix}'))
        return package.parent

    def sanitized(self):
        """What a program needs that links a sanitised library."""
        sanitize = os.environ.get('AGORA_SANITIZE', 'none')
        return [] if sanitize == 'none' else [f'-fsanitize={sanitize}']

    def flags(self, *packages):
        return run('pkg-config', '--cflags', *packages).split()

    def test_each_header_compiles_alone_as_c11(self):
        headers = self.find('include/agora-signaling-1.0/**/*.h')
        include = self.find('agora-signaling-1.0')[0]
        for header in headers:
            with self.subTest(header.name):
                source = self.tmp / 'alone.c'
                name = header.relative_to(include)
                # ISO C wants something in a file.
                source.write_text(f'#include <{name}>\n#include <{name}>\nextern int alone;\n')
                for compiler, standard in (('gcc', 'c11'), ('g++', 'c++11')):
                    run(compiler, '-x', 'c' if compiler == 'gcc' else 'c++', f'-std={standard}',
                        '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only',
                        f'-I{include}', *self.flags('gio-2.0'), source)

    def test_pkg_config_is_enough_to_build_a_program(self):
        source = self.tmp / 'program.c'
        source.write_text('#include <signaling/agora-client.h>\n'
                          'int main (void) { return agora_client_get_type () == 0; }\n')
        environment = {**os.environ, 'PKG_CONFIG_PATH': str(self.relocated()),
                       'PKG_CONFIG_SYSROOT_DIR': ''}
        flags = run('pkg-config', '--cflags', '--libs', 'agora-signaling-1.0',
                    env=environment).split()
        program = self.tmp / 'program'
        run('gcc', '-std=c11', source, '-o', program, *flags, *self.sanitized())
        library = self.find('libagorasignaling*.so*')[0].parent
        run(program, env={**os.environ, 'LD_LIBRARY_PATH': str(library)})

    def test_vala_finds_the_library(self):
        """By the line at the head of each example, which names no package that the library's own brings: where it is
        installed, and where it was built."""
        if not shutil.which('valac') or not list(self.root.rglob('agora-signaling-1.0.vapi')):
            self.skipTest('no valac, or no vapi')
        for number, vapi in enumerate((self.find('agora-signaling-1.0.vapi')[0].parent, Path(BUILD) / 'signaling')):
            for source in self.find('examples/*.vala'):
                line = re.search(r'^//   valac (.*)$', source.read_text(), re.M)[1].split()
                into = self.tmp / str(number)
                run('valac', '-C', '-q', f'--vapidir={vapi}', f'--directory={into}', *line[:-1], source)
                self.assertTrue((into / source.with_suffix('.c').name).is_file())

    def test_the_examples_in_c(self):
        """Each says at its head how it is built, and is, with no warning."""
        package = self.relocated()
        for source in self.find('examples/*.c') + self.find('examples/*.cpp'):
            with self.subTest(source.name):
                line = re.search(rf'^ ?[*/]+   ((?:cc|c\+\+) .*\b{re.escape(source.name)} .*)$', source.read_text(), re.M)
                self.assertTrue(line, 'no line that builds it')
                shutil.copy(source, self.tmp)
                run('sh', '-c', f'{line[1]} -Wall -Werror {" ".join(self.sanitized())}', cwd=self.tmp,
                    env={**os.environ, 'PKG_CONFIG_PATH': str(package)})

    def test_nothing_but_agora_symbols_leave_the_library(self):
        allowed = re.compile(r'^agora_\w+$|^_init$|^_fini$|^__(asan|odr|ubsan|tsan)\w*')
        self.symbols(self.find('libagorasignaling*.so*')[0], allowed)

    def test_nothing_but_the_descriptor_leaves_the_plugin(self):
        allowed = re.compile(r'^gst_plugin_agora_(get_desc|register)$|^_init$|^_fini$|'
                             r'^__(asan|odr|ubsan|tsan)\w*')
        self.symbols(self.find('gstreamer-1.0/*agora*.so')[0], allowed)

    def symbols(self, library, allowed):
        names = [line.split()[-1].partition('@')[0] for line in
                 run('nm', '-D', '--defined-only', library).splitlines()]
        self.assertTrue([name for name in names if allowed.match(name)])
        # Weak and unique ones are the C++ library's own, the same in every program.
        strong = [line.split()[-1] for line in
                  run('nm', '-D', '--defined-only', '--no-weak', library).splitlines()
                  if line.split()[-2] != 'u']
        self.assertEqual([name for name in strong if not allowed.match(name)], [])

    def test_the_gateway_and_the_licence_of_the_plugin(self):
        gateway = self.find('bin/agora-gateway')[0]
        self.assertTrue(os.access(gateway, os.X_OK))


    def test_documents_and_the_unit(self):
        documents = self.find('share/doc/agora-gst')[0]
        for name in ('elements.md', 'studio.md', 'agora-gateway.conf', 'openapi.yaml', 'examples/speak.py',
                     'examples/talk.py', 'examples/listen.c', 'examples/record.c', 'examples/desk.c', 'examples/desk.js', 'examples/desk.py',
                     'examples/chat.cpp', 'examples/chat.rs', 'examples/chat.vala', 'examples/relay.py'):
            self.assertTrue((documents / name).is_file(), name)
        self.find('share/man/man1/agora-gateway.1')
        for page, program in (('agora-relay.8', 'agora-relay'), ('agora-web.8', 'agora-web')):
            if list(self.root.rglob(program)):
                self.find(f'share/man/man8/{page}')
        user = self.find('sysusers.d/agora-gateway.conf')[0]
        self.assertRegex(user.read_text(), r'(?m)^u agora-gateway ')
        unit = self.find('systemd/system/agora-gateway.service')[0]
        command = re.search(r'^ExecStart=(\S+)', unit.read_text(), re.M)[1]
        self.assertTrue((self.root / command.lstrip('/')).is_file(), command)
        if shutil.which('systemd-analyze'):
            moved = self.tmp / unit.name
            moved.write_text(unit.read_text().replace(command, f'{self.root}{command}'))
            run('systemd-analyze', 'verify', '--man=no', moved)

    def test_meson_warns_of_nothing(self):
        """What it warns of today is an error of a later version, or one of two values that counts for nothing."""
        log = (Path(BUILD) / 'meson-logs/meson-log.txt').read_text(errors='replace')
        self.assertEqual(re.findall(r'^.*meson\.build:\d+: (?:WARNING|DEPRECATION): .*$', log, re.M), [])

    def test_each_file_is_in_one_package(self):
        """Else tests/package, which takes long, is the first to say so."""
        options = json.loads(run('meson', 'introspect', '--buildoptions', BUILD))
        prefix = next(option['value'] for option in options if option['name'] == 'prefix')
        installed = self.root / prefix.lstrip('/')
        files = ['usr/' + str(path.relative_to(installed)) for path in sorted(installed.rglob('*')) if not path.is_dir()]
        # It is put there by a line of rules.
        files = [path for path in files if not path.endswith('/agora-gateway.service')]
        debian = README.parent / 'docs/packaging/debian'
        patterns = []
        for listing in sorted(path for kind in ('install', 'docs', 'examples') for path in debian.glob(f'*.{kind}')):
            words = (line.split()[0].removeprefix('debian/tmp/') for line in listing.read_text().splitlines() if line.strip())
            # debian/ itself has what is not of meson's.
            patterns += [(listing.name, word) for word in words if not word.startswith('debian/')]
        takes = {entry: re.compile(re.escape(entry[1]).replace(r'\*', '[^/]*') + '(/.*)?') for entry in patterns}
        for path in files:
            self.assertEqual(sum(1 for take in takes.values() if take.fullmatch(path)), 1, f'{path}: in how many of {debian}/*.install, docs, examples')
        # A build without a part of it has no file for each line.
        if all(list(self.root.rglob(name)) for name in ('agora-web', 'agora-recorder', '*.typelib', '*.vapi')):
            idle = [entry for entry, take in takes.items() if not any(take.fullmatch(path) for path in files)]
            self.assertEqual(idle, [], 'lines that take no file')

    def test_who_installs_elsewhere_is_told(self):
        after = README.parent / 'docs/packaging/after-install'
        told = run(after, '/usr/local/lib/x86_64-linux-gnu').splitlines()
        self.assertIn(next(line for line in README.read_text().splitlines() if line.startswith('export ')), told)
        self.assertIn('export LD_LIBRARY_PATH=/nowhere/lib', run(after, '/nowhere/lib').splitlines())
        for quiet in (run(after, '/usr/lib/x86_64-linux-gnu'), run(after, '/usr/local/lib', env={**os.environ, 'MESON_INSTALL_QUIET': '1'})):
            self.assertEqual(quiet, '')

    def test_the_line_of_the_readme_finds_it_all(self):
        """Where an installation is that had no --prefix: what README says to export is enough."""
        lines = [line for line in README.read_text().splitlines() if line.startswith('export ')]
        self.assertEqual(len(lines), 1)
        prefix = json.loads(run('meson', 'introspect', '--buildoptions', BUILD))
        prefix = next(option['value'] for option in prefix if option['name'] == 'prefix')
        self.assertIn('/usr/local/', lines[0])
        line = lines[0].replace('/usr/local/', f'{self.root}{prefix}/')
        library = self.find('libagorasignaling.so.*')[0].parent
        # ldconfig, which the last step of an installation runs, does this for all of the system.
        looked_at = ''.join(path.read_text() for path in Path('/etc/ld.so.conf.d').glob('*.conf')).split()
        if prefix == '/usr/local':
            self.assertIn(str(library).removeprefix(str(self.root)), looked_at)
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('GST_PLUGIN_PATH', 'GI_TYPELIB_PATH')}
        environment.update(LD_LIBRARY_PATH=str(library), GST_REGISTRY=str(self.tmp / 'registry.bin'))
        found = run('sh', '-c', f'{line}; gst-inspect-1.0 agorasink; gst-inspect-1.0 agorasrc', env=environment)
        self.assertIn(f'{self.root}{prefix}', found)
        run('sh', '-c', f"{line}; /usr/bin/python3 -c 'import gi; gi.require_version(\"AgoraSignaling\", \"1.0\"); "
            "from gi.repository import AgoraSignaling; AgoraSignaling.Client'", env=environment)


class TextsTest(Case):
    def test_troubleshooting_has_the_words_of_the_programs(self):
        """Of what is said of keys and of the recorder: what is looked up there is what was read."""
        here = README.parent
        source = ''
        for path in sorted(path for folder in ('gst', 'signaling') for path in (here / folder).rglob('*.cpp')):
            # A text may go on in the next line, and have a number in it.
            source += re.sub(r'"\s*(?:\+ *|\+[^";{}]*\+\s*)?"', '', path.read_text()) + '\n'
        page = (here / 'docs/troubleshooting.md').read_text()
        told = 0
        for title in ('Encoders and players by a key', 'agora-recorder'):
            for row in re.findall(r'^\| (`.*?) \| ', page.partition(f'## {title}\n')[2].partition('\n## ')[0], re.M):
                for text in re.findall(r'`([^`]+)`', row):
                    for part in (each.strip(' :') for each in re.split(r'…|\d+', text)):
                        if len(part) > 8:
                            self.assertTrue(part in source, f'{part} of {text}')
                            told += 1
        self.assertGreater(told, 15)


class InspectTest(Case):
    def inspect(self, element):
        inspect = self.foreign('gst-inspect-1.0', element)
        self.assertEqual(inspect.wait(30), 0, inspect.output())
        return inspect.output('out')

    def check(self, element, pad):
        text = self.inspect(element)
        for what in ('Long-name', 'Klass', 'Description', 'Author'):
            self.assertRegex(text, rf'{what} +\S+')
        self.assertRegex(text, rf"{pad} template: '\w+'\n +Availability: Always")
        properties = text.partition('Element Properties:')[2]
        for name in ('gateway', 'ap-url', 'app-id', 'channel', 'token', 'uid', 'client',
                     'connection-state', 'stats'):
            found = re.search(rf'^  {name} +: (.*)$', properties, re.M)
            self.assertTrue(found, f'{element} has no property {name}')
        for line in re.findall(r'^  [\w-]+ *: .*$', properties, re.M):
            # GObject shows a property without a text by its name.
            name, _, blurb = (part.strip() for part in line.partition(':'))
            self.assertGreater(len(blurb), len(name) + 3, f'{element}: {name} has no text')
        # A number without its unit is a riddle. GstBin's own are not ours.
        for name, blurb in re.findall(r'^  ([\w-]+) *: (.*)\n.*\n +(?:Unsigned |)(?:Integer|Integer64|Double)\b', properties, re.M):
            self.assertRegex(blurb, r'(?i)^(numeric id|milliseconds|seconds|nanoseconds|bits per second|.* in (dB|LUFS)\b)', f'{element}: {name}')
        # Nor is it said what may be set without a value as one would set it; a secret has none.
        for name, blurb in re.findall(r'^  ([\w-]+) *: (.*)\n +flags: .*writable.*\n +(?:Unsigned |)(?:Integer|Integer64|Double|String)\b',
                                      properties, re.M):
            if name not in ('name', 'token'):
                self.assertRegex(blurb, r'such as \S|: \d+ for ', f'{element}: {name} has no example')
        # Secrets go in and never come out.
        self.assertNotRegex(properties, r'  token +: .*\n +flags: readable')

    def test_agorasink(self):
        self.check('agorasink', 'SINK')

    def test_agorasrc(self):
        self.check('agorasrc', 'SRC')

    def test_the_plugin_lists_both(self):
        text = self.inspect('agora')
        self.assertRegex(text, r'License +LGPL')
        self.assertRegex(text, r'agorasink: .+')
        self.assertRegex(text, r'agorasrc: .+')


if __name__ == '__main__':
    tap.main()
