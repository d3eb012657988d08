# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel on several machines: what it costs to be told and to hear there, beside being at one; several workers of
agora-relay beside one; and one gateway without a store beside what it was before there were others."""

import resource

import before
import joins
import pulled
import rules
import spread
import workers


def run(report, quick):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        for part in (spread.run, pulled.run, joins.joins, joins.events, joins.leases, rules.run, joins.choices, workers.run, before.run):
            part(report, quick)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
