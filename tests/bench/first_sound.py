# SPDX-License-Identifier: LGPL-2.1-or-later
"""From PLAYING to the first sound of a stream that is live already."""

from rig import EAR, TONE, Rig, mic


def run(report, quick):
    rounds = 5 if quick else 20
    with Rig() as rig:
        rig.speak(rig.ours(mic(TONE), 'room', 8), rig.bare(mic(TONE), 'room'),
                  rig.encoded(mic(TONE), 'opus', 8, 'codec=opus'))
        rig.wait_streams(2)
        found = rig.measure('first_sound', rounds=rounds, kinds={
            'ours': f'agorasrc {rig.where("room")} latency=20 ! {EAR}',
            'opus': f'agorasrc {rig.where("opus")} latency=20 ! {EAR}',
            'bare': f'{rig.bare_source("room")} ! {EAR}',
            'ours 100': f'agorasrc {rig.where("room")} ! {EAR}',
            'ours fast': f'agorasrc {rig.where("room")} fast-start=true ! {EAR}',
            'ours rendered': f'agorasrc {rig.where("room")} latency=20 ! {EAR} sync=true',
            'fast rendered': f'agorasrc {rig.where("room")} fast-start=true ! {EAR} sync=true',
            'bare rendered': f'{rig.bare_source("room")} ! {EAR} sync=true'})
        report.row('first-sound', 'receiver, PLAYING to first sound, latency=20', 'ms',
                   found['ours'], {'rtmp2src': found['bare']}, asked=0.25)
        report.row('first-sound', 'the same of Opus, latency=20', 'ms', found['opus'],
                   {'AAC': found['ours']}, asked=1.25)
        report.row('first-sound', 'the same, latency=100 (default)', 'ms', found['ours 100'],
                   {'rtmp2src': found['bare']})
        report.row('first-sound', 'the same at a synchronising sink, latency=20', 'ms',
                   found['ours rendered'], {'rtmp2src': found['bare rendered']})
        report.row('first-sound', 'the same, latency=100 and fast-start=true', 'ms',
                   found['ours fast'], {'rtmp2src': found['bare']})
        report.row('first-sound', 'the same at a synchronising sink', 'ms', found['fast rendered'],
                   {'rtmp2src': found['bare rendered']})
        for name, kind in (('latency=100 and fast-start=true', 'ours fast'),
                           ('the same at a synchronising sink', 'fast rendered')):
            report.row('first-sound', f'{name}, bound', 'ms', found[kind], asked=45)
        # agorasink's session is no child of it any more, so that nobody but the server knows when it is.
        report.skip('first-sound', 'publisher, PLAYING to accepted', 'nothing shows it from outside')
