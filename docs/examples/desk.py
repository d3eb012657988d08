#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""desk.py GATEWAY APP CHANNEL [VOICE [EAR]]: a mixing desk.

It talks and hears as one member, shows how loud each speaker is, and has a fader for each: the line "8 0.5" on standard input
sets that of 8. It says when the way to the gateway is lost and found, and when the operator keeps it off the air.

VOICE and EAR are pieces of a pipeline, as gst-launch-1.0 has them; desk.c and desk.js are the same.
"""

import signal
import sys

import gi

gi.require_version('Gst', '1.0')
from gi.repository import GLib, Gst


class Desk:
    def __init__(self, gateway, app, channel, voice='autoaudiosrc', ear='autoaudiosink'):
        self.loop, self.status = GLib.MainLoop(), 0
        self.tracks = {}  # of each speaker that has a pad
        self.pipeline = Gst.parse_launch(
            f'{voice} ! agorasink name=mouth  '
            f'agorasrc name=ears expose-speakers=true level-interval=500000000 ! audioconvert ! audioresample ! {ear}')
        self.mouth, self.ears = (self.pipeline.get_by_name(name) for name in ('mouth', 'ears'))
        for element in (self.mouth, self.ears):
            element.props.gateway, element.props.app_id, element.props.channel = gateway, app, channel
        self.ears.connect('pad-added', self.on_pad_added)
        self.ears.connect('pad-removed', self.on_pad_removed)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message', self.on_message)
        GLib.io_add_watch(GLib.IOChannel.unix_new(sys.stdin.fileno()), GLib.PRIORITY_DEFAULT,
                          GLib.IOCondition.IN | GLib.IOCondition.HUP, self.on_line)
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.stop)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        # What a sink has counted is forgotten when it stops. The ears don't stop before the rest: they would wait for a
        # sink that didn't come to play.
        for pad in list(self.tracks):
            self.tell_frames(pad)
        self.pipeline.set_state(Gst.State.NULL)  # leaves the channel
        return self.status

    def stop(self):
        self.loop.quit()
        return GLib.SOURCE_CONTINUE

    def say(self, text):
        # In one piece: pads come on other threads.
        sys.stdout.write(text + '\n')
        sys.stdout.flush()

    def on_message(self, _, message):
        if message.type == Gst.MessageType.ELEMENT:
            self.on_news(message.src, message.get_structure())
        elif message.type == Gst.MessageType.ERROR:
            error, details = message.parse_error()
            print(f'desk: {error.message}\n{details}', file=sys.stderr)
            self.status = 1
            self.loop.quit()

    def on_news(self, source, news):
        """What the channel tells. Both elements are one member: both hear who comes and goes."""
        name = news.get_name()
        # Of one speaker, or of all of the element.
        who = news.get_value('uid') if news.has_field('uid') else source.get_name()
        if name == 'agora-level':
            for speaker in news.get_value('speakers'):
                self.say(f'level {speaker.get_value("uid")} {speaker.get_value("peak"):.1f} dB')
        elif name == 'agora-stream-added' and source == self.ears:
            self.say(f'{who} speaks')
        elif name == 'agora-stream-removed' and source == self.ears:
            self.say(f'{who} has stopped')
        elif name == 'agora-reconnecting':
            self.say(f'{who}: reconnecting: {news.get_value("cause")}')
        elif name == 'agora-reconnected':
            self.say(f'{who}: back after {news.get_value("duration") / Gst.SECOND:.1f} s')
        elif name == 'agora-silenced':
            self.say(f'{who}: kept off the air by the operator')
        elif name == 'agora-unsilenced':
            self.say(f'{who}: may speak again')

    def on_pad_added(self, _, pad):
        """A speaker's own sound, as it was sent. A recorder would put a file in place of fakesink; without async=false
        the pipeline would wait for each speaker's first word. On a streaming thread."""
        track = Gst.parse_bin_from_description('queue ! fakesink name=end async=false', True)
        self.pipeline.add(track)
        track.sync_state_with_parent()
        pad.link(track.get_static_pad('sink'))
        self.tracks[pad] = track
        self.say(f'pad {pad.get_name()}')

    def on_pad_removed(self, _, pad):
        # A streaming thread can't stop what it streams into: the main loop does.
        if track := self.tell_frames(pad):
            GLib.idle_add(self.take_away, track)

    def tell_frames(self, pad):
        track = self.tracks.pop(pad, None)
        if track:
            frames = track.get_by_name('end').props.stats.get_value('rendered')
            self.say(f'pad {pad.get_name()} is gone, {frames} frames')
        return track

    def take_away(self, track):
        track.set_state(Gst.State.NULL)
        self.pipeline.remove(track)
        return GLib.SOURCE_REMOVE

    def on_line(self, channel, _):
        """A fader may be set before its speaker comes, and stays when it goes."""
        line = channel.readline()
        if not line:
            return GLib.SOURCE_REMOVE
        try:
            uid, volume = line.split()
            self.set_fader(int(uid), float(volume))
        except ValueError:
            print('desk: expected UID VOLUME, a volume of 0 to 10', file=sys.stderr)
        return GLib.SOURCE_CONTINUE

    def set_fader(self, uid, volume):
        if not 0 <= volume <= 10:
            raise ValueError
        self.ears.get_child_by_name(f'speaker-{uid}').props.volume = volume
        self.say(f'fader {uid} {volume:.2f}')


if not 4 <= len(sys.argv) <= 6:
    sys.exit('usage: desk.py GATEWAY APP CHANNEL [VOICE [EAR]]')
Gst.init(None)
sys.exit(Desk(*sys.argv[1:]).run())
