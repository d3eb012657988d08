#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""speak.py GATEWAY APP CHANNEL UID: joins as a broadcaster, prints where to push its voice."""

import signal
import sys

import gi

gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib


class Speaker:
    def __init__(self, gateway, app, channel, uid):
        self.loop = GLib.MainLoop()
        self.status = 0
        self.client = AgoraSignaling.Client.new(gateway)
        for name in ('stream-added', 'stream-removed', 'update-url', 'mute-audio', 'unmute-audio',
                     'reconnecting', 'reconnected', 'client-banned'):
            self.client.connect(name, lambda _, *what, name=name: self.say(name, *what))
        self.client.connect('error', lambda _, error: self.give_up(error))
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.leave)
        self.client.init_async(app, None, None)
        self.client.set_role_async(AgoraSignaling.Role.BROADCASTER, None, None)
        self.client.join_async(None, channel, uid, None, self.joined)

    def say(self, *what):
        print(*what, flush=True)

    def give_up(self, error):
        print(f'speak: {error.message}', file=sys.stderr)
        self.status = 1
        self.loop.quit()

    def joined(self, client, result):
        try:
            self.say('joined as', client.join_finish(result))
            client.publish_async(None, self.published)
        except GLib.Error as error:
            self.give_up(error)

    def published(self, client, result):
        try:
            self.say('push to', client.publish_finish(result))
        except GLib.Error as error:
            self.give_up(error)

    def leave(self):
        self.client.leave_async(None, lambda client, result: self.loop.quit())
        return GLib.SOURCE_CONTINUE


if len(sys.argv) != 5:
    sys.exit('usage: speak.py GATEWAY APP CHANNEL UID')
speaker = Speaker(*sys.argv[1:4], int(sys.argv[4]))
speaker.loop.run()
sys.exit(speaker.status)
