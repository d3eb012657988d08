# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel that grows: until one listener hears all of 1 to 16 speakers, and what nginx works for
1 to 100 listeners of one speaker."""

import subprocess
import threading

from gateway import cpu
from report import median
from rig import TONE, Media, Rig, mic
from stall import nginx_of
from wsclient import Member


def hear_all(report, rig, quick):
    for count in ((1, 4) if quick else (1, 4, 16)):
        room = f'grow{count}'
        rig.speak(*(rig.ours(mic(TONE), room, 100 + i) for i in range(count)),
                  *(rig.bare(mic(TONE), f'{room}x{i}') for i in range(count)))
        rig.wait_streams(count)
        branches = ' '.join(f'{rig.bare_source(f"{room}x{i}")} ! identity name=speaker{i} ! '
                            f'fakesink sync=false' for i in range(count))
        found = rig.measure('hear_all', rounds=3 if quick else 8, kinds={
            'ours': [f'agorasrc {rig.where(room)} latency=20 ! fakesink sync=false', count],
            'bare': [branches, count]})
        report.row('growth', f'PLAYING until {count} speakers are decoded', 'ms',
                   median(found['ours']), {'rtmp2src': median(found['bare'])})
        rig.quiet()


def listeners(report, rig, quick):
    rig.speak(rig.ours(mic(TONE), 'crowd', 8), rig.bare(mic(TONE), 'crowd'))
    rig.wait_streams(1)
    seconds = 3 if quick else 8
    workers = {'ours': nginx_of(rig.gateway), 'plain nginx': rig.nginx.worker()}
    for count in ((1, 20) if quick else (1, 20, 100)):
        members = []
        playing = []
        try:
            urls = []
            for number in range(count):
                member = Member(rig.gateway.ws, channel='crowd', uid=1000 + number, heartbeat=True)
                members.append(member)
                member.join('audience')
                urls.append(member.subscribe(8))
            kinds = {'ours': urls, 'plain nginx': [f'{rig.nginx.url}/crowd'] * count}
            for places in kinds.values():
                playing.append(Media('speak', stdin=subprocess.PIPE, pipelines=[
                    f'rtmp2src location={place} ! fakesink sync=false' for place in places]))
            for media in playing:
                media.wait_line('^speaking$', 30)
            # Everybody's session is set up, and what was on its way has come.
            pause = threading.Event()
            pause.wait(2 + count / 100)
            before = {name: cpu(pid) for name, pid in workers.items()}
            pause.wait(seconds)
            used = {name: (cpu(pid) - before[name]) * 60 / seconds
                    for name, pid in workers.items()}
        finally:
            for media in playing:
                media.popen.stdin.close()
                media.stop()
            for member in members:
                member.close()
        report.row('growth', f'CPU of nginx, {count} listeners of one speaker', 's/min',
                   used['ours'], {'plain nginx': used['plain nginx']}, compared=count > 1)


def run(report, quick):
    with Rig('--max-sockets-per-address=1000') as rig:
        hear_all(report, rig, quick)
        listeners(report, rig, quick)
