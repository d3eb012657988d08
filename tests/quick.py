# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `tests/run --quick` runs beside the unit tests and the style check.

quick.py: prints the programs' names.
quick.py BUILD: prints what ninja has to make for all that it runs, of a build that is set up: half of the time goes there.
"""

import json
import sys
from pathlib import Path

# Of each suite what takes seconds and touches much: sessions and conversations, each half of the elements, one voice from
# mouth to ear, and an end in every state.
FAST = ['admin', 'media', 'conformance-joining', 'conformance-requests', 'conformance-streams', 'conformance-session',
        'client-conformance', 'token-command', 'sink-unit', 'sink-input', 'sink-state', 'sink-seek', 'sink-clock', 'manners',
        'client', 'source', 'others', 'push-url']


def runs(test):
    suites = {suite.split(':')[-1] for suite in test['suite']}
    return test['name'] in FAST or ('unit' in suites and not suites & {'slow', 'long'}) or 'style' in suites


def files(build):
    def read(what):
        return json.loads((build / 'meson-info' / f'intro-{what}.json').read_text(encoding='utf-8'))

    needed = {target for test in read('tests') if runs(test) for target in test['depends']}
    for target in read('targets'):
        if target['id'] in needed:
            for name in target['filename']:
                yield str(Path(name).relative_to(build))


if __name__ == '__main__':
    print(*(files(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else FAST), sep='\n')
