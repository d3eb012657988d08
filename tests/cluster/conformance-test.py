# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorded conversations of ../gateway/conformance, each socket at the next one of several gateways.

What is about one gateway alone is left out: its end, its limits of a socket, what choosing answers, and that a
listener which comes back is told no URL: at another gateway it is (cluster-members).
Arguments: parts of the names of the cases to run.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / 'gateway')]
import clusterrig  # noqa: E402
import conformance  # noqa: E402
import harness  # noqa: E402
import tap  # noqa: E402

COUNT = 3
OF_ONE = {'rejoin': ('test_a_listener_keeps_its_subscriptions',),
          'session': ('test_from_the_first_request_to_the_goodbye',)}


class Dealt:
    """Gateways over one store that look like one: each socket is at the next of them."""

    def __init__(self, *options):
        self.case = harness.Case()
        self.case.setUp()
        self.redis = clusterrig.Redis(self.case)
        secret = self.case.tmp / 'secret'
        secret.write_text('0123456789abcdef0123456789abcdef\n', encoding='ascii')
        secret.chmod(0o600)
        self.gateways = [self.case.gateway(f'--store={self.redis.url}', f'--cluster-secret-file={secret}',
                                           '--relay-address=127.0.0.1:0', *options) for _ in range(COUNT)]
        self.next = 0

    @property
    def ws(self):
        self.next += 1
        return self.gateways[self.next % COUNT].ws

    def tail(self):
        return self.case.logs()

    def stop(self):
        self.case.doCleanups()


def begin(cls):
    cls.gateway_process = Dealt(*cls.gateway_options)
    cls.stages = {}
    cls.uids = conformance.itertools.count(1001)
    cls.stage_processes = []


conformance.Conformance.setUpClass = classmethod(begin)
for name in ('joining', 'malformed', 'rejoin', 'requests', 'session', 'streams', 'tokens'):
    globals()[name] = getattr(conformance, name)
    globals()[name].__module__ = __name__
    for case in OF_ONE.get(name, ()):
        delattr(globals()[name], case)
if __name__ == '__main__':
    tap.main()
