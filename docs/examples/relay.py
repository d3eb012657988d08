#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""relay.py GATEWAY APP CHANNEL UID: lets a host of one channel be heard in others, too, under the same uid.

Standard input says where: "start OTHER [TOKEN]" and "stop OTHER". TOKEN lets UID publish in OTHER; the environment's TOKEN lets this
program hear in CHANNEL. Each other channel has a pipeline of its own, so that one that fails disturbs nobody.
"""

import os
import signal
import sys

import gi

gi.require_version('Gst', '1.0')
from gi.repository import GLib, Gst


class Destination:
    """The host's voice in one other channel."""

    def __init__(self, relay, channel, token):
        self.relay, self.channel = relay, channel
        self.state = None
        # Nobody is kept waiting for a host who doesn't speak yet: silence is sent, and told of as such.
        self.pipeline = Gst.parse_launch('agorasrc name=host latency=60 ! queue ! agorasink name=other muted=true')
        self.host, self.other = (self.pipeline.get_by_name(name) for name in ('host', 'other'))
        for element in (self.host, self.other):
            element.props.gateway, element.props.app_id = relay.gateway, relay.app
        self.host.props.channel, self.host.props.speakers = relay.channel, str(relay.uid)
        self.host.props.token = os.environ.get('TOKEN')
        self.other.props.channel, self.other.props.uid, self.other.props.token = channel, relay.uid, token
        self.other.connect('notify::push-url', self.on_push_url)
        self.bus = self.pipeline.get_bus()
        self.bus.add_signal_watch()
        self.bus.connect('message', self.on_message)
        self.enter('connecting')
        self.pipeline.set_state(Gst.State.PLAYING)

    def enter(self, state):
        if state != self.state:
            self.state = state
            print(f'{self.channel}: {state}', flush=True)

    def stop(self, state='idle'):
        self.bus.remove_signal_watch()
        self.pipeline.set_state(Gst.State.NULL)
        self.enter(state)

    def on_push_url(self, *_):
        """On the signalling thread; what is to be said is said by the main loop."""
        if self.other.props.push_url:
            GLib.idle_add(self.on_the_air)

    def on_the_air(self):
        if self.state != 'idle' and not self.state.startswith('failure'):
            self.enter('running')
        return GLib.SOURCE_REMOVE

    def on_message(self, _, message):
        if message.type == Gst.MessageType.ERROR:
            # Which of the two channels it was, and why: a token, the operator, a uid that is taken.
            where = self.relay.channel if message.src == self.host else self.channel
            self.relay.forget(self.channel)
            self.stop(f'failure: {where}: {message.parse_error()[0].message}')
        elif message.type == Gst.MessageType.ELEMENT:
            self.on_news(message.src, message.get_structure())

    def on_news(self, source, news):
        name = news.get_name()
        if source == self.host and news.has_field('uid') and news.get_value('uid') == self.relay.uid:
            if name in ('agora-stream-added', 'agora-unmute-audio'):
                self.other.props.muted = False
            elif name in ('agora-stream-removed', 'agora-mute-audio'):
                self.other.props.muted = True
        elif name == 'agora-reconnecting':
            self.enter(f'reconnecting: {news.get_value("cause")}')
        elif name == 'agora-silenced' and source == self.other:
            self.enter('kept off the air by the operator')
        elif name in ('agora-reconnected', 'agora-unsilenced'):
            self.enter('running')


class Relay:
    def __init__(self, gateway, app, channel, uid):
        self.gateway, self.app, self.channel, self.uid = gateway, app, channel, int(uid)
        self.loop = GLib.MainLoop()
        self.destinations = {}
        GLib.io_add_watch(GLib.IOChannel.unix_new(sys.stdin.fileno()), GLib.PRIORITY_DEFAULT,
                          GLib.IOCondition.IN | GLib.IOCondition.HUP, self.on_line)
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.quit)

    def run(self):
        self.loop.run()
        for channel in list(self.destinations):
            self.stop(channel)

    def quit(self):
        self.loop.quit()
        return GLib.SOURCE_CONTINUE

    def on_line(self, source, _):
        line = source.readline()
        words = line.split()
        if words[:1] == ['start'] and len(words) in (2, 3):
            self.start(*words[1:])
        elif words[:1] == ['stop'] and len(words) == 2:
            self.stop(words[1])
        elif line:
            print('relay: expected start CHANNEL [TOKEN], or stop CHANNEL', file=sys.stderr)
        return bool(line)

    def start(self, channel, token=None):
        if channel == self.channel or channel in self.destinations:
            print(f'relay: {channel} hears the host already', file=sys.stderr)
        else:
            self.destinations[channel] = Destination(self, channel, token)

    def stop(self, channel):
        if channel in self.destinations:
            self.forget(channel).stop()
        else:
            print(f'relay: {channel} was not started', file=sys.stderr)

    def forget(self, channel):
        return self.destinations.pop(channel)


if len(sys.argv) != 5:
    sys.exit('usage: relay.py GATEWAY APP CHANNEL UID')
Gst.init(None)
Relay(*sys.argv[1:]).run()
