#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""talk.py GATEWAY APP CHANNEL [FILE]: speaks a sound file (a tone without one) and listens, both as one member.

Prints who comes and goes, and how loud each speaker is; lowers whoever is louder than the rest.
"""

import signal
import sys

import gi

gi.require_version('Gst', '1.0')
from gi.repository import GLib, Gst

QUIETER_ABOVE = -12.0  # dB of full scale


class Talk:
    def __init__(self, gateway, app, channel, path=None):
        self.loop, self.status = GLib.MainLoop(), 0
        voice = f'filesrc location="{path}" ! decodebin ! audioconvert ! audioresample' if path else 'audiotestsrc is-live=true volume=0.1'
        # Both elements mean one channel, so that they are one member: it doesn't hear itself.
        where = f'gateway="{gateway}" app-id="{app}" channel="{channel}"'
        self.pipeline = Gst.parse_launch(
            f'{voice} ! agorasink name=sink {where}  '
            f'agorasrc name=src level-interval=500000000 {where} ! audioconvert ! fakesink sync=true')
        self.source = self.pipeline.get_by_name('src')
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message', self.on_message)
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.stop)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)  # leaves the channel
        return self.status

    def stop(self):
        self.loop.quit()
        return GLib.SOURCE_CONTINUE

    def on_message(self, _, message):
        if message.type == Gst.MessageType.ERROR:
            error, details = message.parse_error()
            print(f'talk: {error.message}\n{details}', file=sys.stderr)
            self.status = 1
            self.loop.quit()
        elif message.type == Gst.MessageType.WARNING:
            print(f'talk: {message.parse_warning()[0].message}', file=sys.stderr)
        elif message.type == Gst.MessageType.EOS:
            self.loop.quit()
        elif message.type == Gst.MessageType.ELEMENT:
            self.on_news(message.get_structure())

    def on_news(self, news):
        if news.get_name() == 'agora-level':
            for speaker in news.get_value('speakers'):
                self.on_level(speaker.get_value('uid'), speaker.get_value('peak'))
        elif news.get_name() in ('agora-stream-added', 'agora-stream-removed'):
            print(news.get_name(), news.get_value('uid'), flush=True)

    def on_level(self, uid, peak):
        print(f'{uid}: {peak:.1f} dB', flush=True)
        if peak > QUIETER_ABOVE:
            fader = self.source.get_child_by_name(f'speaker-{uid}')
            if fader.props.volume == 1.0:
                fader.props.volume = 0.5
                print(f'{uid}: lowered', flush=True)


if len(sys.argv) not in (4, 5):
    sys.exit('usage: talk.py GATEWAY APP CHANNEL [FILE]')
Gst.init(None)
sys.exit(Talk(*sys.argv[1:]).run())
