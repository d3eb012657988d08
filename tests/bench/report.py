# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks found: one table, one JSON file, and the comparison with the last one."""

import json
import os
import platform
import statistics
import subprocess
from datetime import datetime, timezone

# A ratio that grew by more than this is flagged.
TOLERANCE = 0.10
# Of docs/performance.md's table.
BEGIN, END = '<!-- table: tests/bench/run writes it -->', '<!-- end of the table -->'


def median(values):
    return statistics.median(values)


def number(value):
    if value is None:
        return '–'
    if value == 0 or abs(value) >= 100:
        return f'{value:.0f}'
    return f'{value:.3g}'


class Report:
    """Rows with the same figure of ours and of others, taken side by side in one run.

    A ratio is ours to the reference's, turned around where more is better: less is always better.
    """

    def __init__(self):
        self.rows = []
        self.rounds = {}  # by part and name: by server, '' for ours, the value of each round
        self.skipped = []

    def row(self, part, name, unit, ours, others=None, asked=None, more_is_better=False,
            compared=True):
        """`ours`, and each of `others`: a value, or one of each round, where rounds ran side by
        side. `others`: by name; the first is the reference. `asked`: the largest ratio allowed;
        with no others, the largest value of ours. `compared`: whether a later run flags it."""
        rounds = {name: each if isinstance(each, list) else [each]
                  for name, each in {'': ours, **(others or {})}.items()}
        row = {'part': part, 'name': name, 'unit': unit, 'asked': asked,
               'more_is_better': more_is_better, 'compared': compared}
        self.rounds[part, name] = rounds
        self.fill(row)
        self.rows.append(row)
        print(self.line(row), flush=True)

    def fill(self, row):
        """What follows from the rounds. The ratio is the median of each round's own: what
        disturbed a round disturbed both."""
        rounds = self.rounds[row['part'], row['name']]
        ours, *others = rounds.values()
        ratios = []
        if others:
            ratios = [theirs / mine if row['more_is_better'] else mine / theirs
                      for mine, theirs in zip(ours, others[0]) if mine and theirs]
        values = {name: median(each) for name, each in rounds.items()}
        row.update(ours=values.pop(''), others=values, ratio=median(ratios) if ratios else None,
                   ratios=[float(f'{each:.4g}') for each in sorted(ratios)])

    def again(self, other):
        """Takes the rounds of another report, of the same parts, as more of its own."""
        for row in self.rows:
            more = other.rounds.get((row['part'], row['name']))
            if more:
                rounds = self.rounds[row['part'], row['name']]
                for name in rounds:
                    rounds[name] += more.get(name, [])
                self.fill(row)

    def skip(self, part, what, why):
        self.skipped.append({'part': part, 'what': what, 'why': str(why)})
        print(f'{part}: skipped {what}: {why}', flush=True)

    @staticmethod
    def verdict(row):
        measure = row['ratio'] if row['others'] else row['ours']
        if row['asked'] is None or measure is None:
            return ''
        return 'reached' if measure <= row['asked'] else 'MISSED'

    def line(self, row):
        others = ', '.join(f'{name} {number(value)}' for name, value in row['others'].items())
        ratio = '' if row['ratio'] is None else f'  ratio {row["ratio"]:.2f}'
        asked = '' if row['asked'] is None else f' (asked {row["asked"]:g}: {self.verdict(row)})'
        return (f'{row["part"]:<12} {row["name"]:<58} {number(row["ours"]):>8} {row["unit"]:<7}'
                f' | {others}{ratio}{asked}')

    def table(self):
        lines = [self.line(row) for row in self.rows]
        lines += [f'{each["part"]:<12} skipped: {each["what"]}: {each["why"]}'
                  for each in self.skipped]
        return '\n'.join(lines)

    def markdown(self):
        return markdown(self.rows, self.skipped)

    def data(self, parts, seconds, quick):
        versions = {}
        for name, command in (('gstreamer', ['gst-inspect-1.0', '--version']),
                              ('node', ['node', '--version']),
                              ('nginx', ['nginx', '-v'])):
            try:
                run = subprocess.run(command, capture_output=True, text=True, timeout=20,
                                     check=False)
                versions[name] = (run.stdout + run.stderr).strip().split('\n')[0]
            except (OSError, subprocess.TimeoutExpired):
                continue
        return {'when': datetime.now(timezone.utc).isoformat(timespec='seconds'),
                'cores': os.cpu_count(), 'machine': platform.machine(),
                'kernel': platform.release(), 'load_before': LOAD_BEFORE, 'quick': quick,
                'versions': versions, 'parts': parts, 'seconds': round(seconds),
                'rows': self.rows, 'skipped': self.skipped}

    def compare(self, last):
        """Rows whose ratio is worse by more than a tenth than in `last`, with a sentence each."""
        before = {(row['part'], row['name']): row for row in last['rows']}
        worse = []
        for row in self.rows:
            old = before.get((row['part'], row['name']))
            if not old or not row['compared'] or not row['ratio'] or not old['ratio']:
                continue
            if row['ratio'] > old['ratio'] * (1 + TOLERANCE):
                worse.append((row, f'{row["part"]}: {row["name"]}: ratio {row["ratio"]:.2f}, was '
                                   f'{old["ratio"]:.2f} ({last["when"]})'))
        return worse


def markdown(rows, skipped):
    """The table, for docs/performance.md."""
    lines = ['| part | figure | ours | others | ratio | asked |', '|---|---|---|---|---|---|']
    for row in rows:
        others = ', '.join(f'{name} {number(value)}' for name, value in row['others'].items())
        ratio = '' if row['ratio'] is None else f'{row["ratio"]:.2f}'
        asked = '' if row['asked'] is None else f'{row["asked"]:g}, {Report.verdict(row)}'
        lines.append(f'| {row["part"]} | {row["name"]} | {number(row["ours"])} {row["unit"]} | '
                     f'{others} | {ratio} | {asked} |')
    lines += [f'| {each["part"]} | {each["what"]} | skipped: {each["why"]} | | | |'
              for each in skipped]
    return '\n'.join(lines)


LOAD_BEFORE = [round(value, 2) for value in os.getloadavg()]


def load(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def merged(last, data, order):
    """The report `last`, with what `data` has of some parts in place of its own."""
    found = dict(last)
    for name in ('rows', 'skipped'):
        kept = [each for each in last[name] if each['part'] not in data['parts']]
        found[name] = sorted(kept + data[name], key=lambda each: order.index(each['part']))
    found['parts'] = [part for part in order if part in last['parts'] + data['parts']]
    found['later'] = [each for each in last.get('later', [])
                      if not set(each['parts']) <= set(data['parts'])]
    found['later'].append({name: data[name] for name in ('parts', 'when', 'load_before', 'seconds')})
    return found


def into_page(path, data):
    """Puts the table between the two marks of the page."""
    text = path.read_text(encoding='utf-8')
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    words = (f'{data["when"]}, {data["cores"]} cores, Linux {data["kernel"]}, load before it '
             f'{data["load_before"][0]:g}, {data["seconds"]} s.')
    for each in data.get('later', []):
        words += (f' Later, {", ".join(each["parts"])}: {each["when"]}, load before it '
                  f'{each["load_before"][0]:g}, {each["seconds"]} s.')
    table = markdown(data['rows'], data['skipped'])
    path.write_text(f'{head}{BEGIN}\n{words}\n\n{table}\n{END}{tail}', encoding='utf-8')


def save(path, data):
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.write('\n')
