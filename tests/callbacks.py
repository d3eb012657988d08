# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of the functions that C calls may throw: an exception would unwind through C's frames.

What C calls is found where it is given away: as an argument of a function that isn't ours, or as a
member of a class or of a table of functions. It is to be noexcept.
"""

import re
from pathlib import Path

SOURCES = ('.cpp', '.hpp')
# What is no code; strings and comments may hold any bracket.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.S)
CALL = re.compile(r'(?<![\w.>:])(\w+_\w+|qsort|bsearch|signal|atexit) ?\(')
CAST = re.compile(r'(?:G_CALLBACK|GST_DEBUG_FUNCPTR|\(\w+\)|(?:reinterpret|static)_cast<[^()]+>) ?\((.*)\)', re.S)
# What is stored, not called: `klass->x = f;`, and what a table of functions begins with.
MEMBER = re.compile(r'(?:->|\.)\w+ = ([^;]+)')
TABLE = re.compile(r'\b[A-Z]\w*(?:Funcs|Functions|Callbacks|VTable|Info) \w+ ?(?:= ?)?(?=\{)')
FUNCTION = re.compile(r'(?<![\w.>])(?:\w+::)*(\w+) ?(?=\()')
# What may stand between a function's arguments and its body.
REST = re.compile(r'\s*(const\b)?\s*(noexcept\b)?(?:\s|override\b|final\b|->[\w:<>*& ]+)*\{')
NAME = re.compile(r'&?(?:\w+::)*(\w+)(?:<[^()]*>)?')


def closing(text, opening):
    """Where the bracket at `opening` closes."""
    depth = 0
    for match in re.finditer(r'[([{]|[)\]}]', text[opening:]):
        depth += 1 if match[0] in '([{' else -1
        if depth == 0:
            return opening + match.start()
    return len(text)


def parts(text, opening):
    """(where, text) of what is between the brackets and commas."""
    end = closing(text, opening)
    begin = at = opening + 1
    while at < end:
        if text[at] in '([{':
            at = closing(text, at)
        elif text[at] == ',':
            yield begin, text[begin:at]
            begin = at + 1
        at += 1
    yield begin, text[begin:end]


class Source:
    """A file's code, and the functions that have their bodies in it."""

    def __init__(self, written):
        self.includes = re.findall(r'#include "([^"]+)"', written)
        self.text = NO_CODE.sub(lambda match: re.sub(r'[^\n]', ' ', match[0]), written)
        self.functions = {}  # by name: where each is, and whether it may throw
        for match in FUNCTION.finditer(self.text):
            end = closing(self.text, match.end())
            rest = REST.match(self.text, end + 1)
            # One that is const is of an object: C can't call it.
            if rest and not rest[1]:
                self.functions.setdefault(match[1], []).append((match.start(1), not rest[2]))

    def line(self, at):
        return self.text.count('\n', 0, at) + 1

    def variable(self, name, at):
        """Where a variable of that name is made, in what begins at the margin and holds `at`; or None."""
        margin = max((match.start() for match in re.finditer(r'^[^\s}#]', self.text[:at], re.M)), default=0)
        functions = [where for where, _ in self.functions.get(name, [])]
        made = [match.start(1) for match in re.compile(
            rf'(?:[\w)*&\]]|(?<!-)>) ?[*&]?(?<!return )\b({name}) ?[,)=;:({{[]').finditer(self.text, margin, at)]
        return max((where for where in made if where not in functions), default=None)

    def given(self):
        """(where, text) of all that may be a function that C is given."""
        for match in CALL.finditer(self.text):
            yield from ((at, text, match[1]) for at, text in parts(self.text, match.end() - 1))
        for match in MEMBER.finditer(self.text):
            yield match.start(1), match[1], None
        for match in TABLE.finditer(self.text):
            for at, text in parts(self.text, match.end()):
                named = re.match(r'\s*\.\w+ = ', text)
                yield at + (named.end() if named else 0), text[named.end() if named else 0:], None

    def lambda_throws(self, at):
        """Whether the one at `at` may."""
        after = at + 2
        if arguments := re.compile(r'\s*(?=\()').match(self.text, after):
            after = closing(self.text, arguments.end()) + 1
        return not re.compile(r'\s*noexcept\b').match(self.text, after)


class Callbacks:
    def __init__(self, root, names):
        self.sources = {}
        self.ours = set()
        for name in names:
            if Path(name).suffix in SOURCES and name.startswith(('gst/', 'signaling/')):
                self.add(name, (Path(root) / name).read_text(encoding='utf-8'))

    def add(self, name, written):
        self.sources[name] = Source(written)
        self.ours.update(self.sources[name].functions)

    def function_throws(self, source, name):
        """Whether one of that name may, here or in what is included."""
        for each in (source, *(self.sources[other] for other in source.includes if other in self.sources)):
            if name in each.functions:
                return any(throws for _, throws in each.functions[name])
        return False

    def throws(self, source, at, text):
        """The name of what is given at `at`, where C would call it and it may throw."""
        while True:
            at += len(text) - len(text.lstrip())
            text = text.strip()
            cast = CAST.fullmatch(text)
            if not cast:
                break
            at, text = at + cast.start(1), cast[1]
        if re.match(r'\+?\[\]', text):
            return 'a lambda' if source.lambda_throws(source.text.index('[]', at)) else None
        match = NAME.fullmatch(text)
        if not match or match[1].endswith('_'):
            return None
        name = match[1]
        variable = source.variable(name, at)
        if variable is not None:
            made = re.compile(rf'{name} = (?=\[\])').match(source.text, variable)
            return name if made and source.lambda_throws(made.end()) else None
        return name if self.function_throws(source, name) else None

    def problems(self, name):
        if name not in self.sources:
            return []
        source = self.sources[name]
        found = set()
        for at, text, callee in source.given():
            if callee in self.ours or not text.strip():
                continue
            what = self.throws(source, at, text)
            if what:
                found.add((source.line(at + len(text) - len(text.lstrip())), what))
        return [f'line {line}: C calls {what}, which is not noexcept' for line, what in sorted(found)]


# What the rule is to find, and what not: by line, whether it is named.
SAMPLE = '''
static void throws (GObject *) {
}
static void never (GObject *) noexcept {
}
static gboolean also_throws (GstBin *bin, GstEvent *throws) {
  gst_pad_push_event(bin, throws);                                        // fine: a variable
  return TRUE;
}
static void some_class_init (SomeClass *klass) {
  klass->finalize = throws;                                               // found
  klass->dispose = never;                                                 // fine
  klass->count = number(throws);                                          // fine: no function is stored
}
static const GSourceFuncs functions = {nullptr, throws,                   // found
                                       never, [] (GSource *) noexcept {}};  // fine
void Thing::on_event(GObject *, Thing *self) {
}
void Thing::begin() {
  g_signal_connect(object, "event", G_CALLBACK(on_event), this);          // found
  g_signal_connect(object, "a(", G_CALLBACK(+[] (GObject *) {}), this);   // found
  g_signal_connect(object, "b", G_CALLBACK(+[] (GObject *) noexcept {}), this);  // fine
  gst_pad_add_probe(pad, type, also_throws, new Data{this},               // found
                    [] (gpointer data) { delete data; });                 // found
  auto call = [] (gpointer) -> gboolean {
    return TRUE;
  };
  g_idle_add(call, this);                                                 // found
  std::sort(all.begin(), all.end(), [] (int a, int b) { return a < b; });  // fine: C++ may throw
  run_in_loop([] { what(); }, throws);                                    // fine: no C function
}
void run_in_loop (const std::function<void()> &what) {
  what();
}
'''


def self_test():
    """What the rule misses in the sample, and what it finds too much there."""
    name = 'gst/' + 'sample.cpp'
    callbacks = Callbacks('', ())
    callbacks.add(name, SAMPLE)
    found = {int(re.match(r'line (\d+)', problem)[1]) for problem in callbacks.problems(name)}
    wanted = {number for number, line in enumerate(SAMPLE.split('\n'), 1) if '// found' in line}
    return [f'line {line} of its sample: {"missed" if line in wanted else "found"}' for line in sorted(found ^ wanted)]
