# SPDX-License-Identifier: LGPL-2.1-or-later
"""A member of a channel by libagorasignaling alone: says what happens, a line each.

member.py GATEWAY APP-ID CHANNEL [--uid=N] [--publish] [--subscribe]
  joined UID / push URL / play UID URL / added UID / removed UID / updated UID URL / error TEXT
Ends with a goodbye at SIGTERM or SIGINT.
"""

import argparse
import signal
import sys

import gi

gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib  # noqa: E402


def say(*words):
    print(*words, flush=True)


class Member:
    def __init__(self, options):
        self.options = options
        self.loop = GLib.MainLoop()
        self.status = 0
        self.client = AgoraSignaling.Client.new(options.gateway)
        self.client.connect('stream-added', self.added)
        self.client.connect('stream-removed', lambda _, uid: say('removed', uid))
        self.client.connect('update-url', lambda _, uid, url: say('updated', uid, url))
        self.client.connect('error', lambda _, error: say('error', error))

    def call(self, name, *arguments, then=None):
        def done(client, result):
            try:
                value = getattr(client, f'{name}_finish')(result)
            except GLib.Error as error:
                say('error', name, error.message)
                self.status = 1
                self.loop.quit()
                return
            if then:
                then(value)
        getattr(self.client, f'{name}_async')(*arguments, None, done)

    def added(self, _client, uid):
        say('added', uid)
        if self.options.subscribe:
            self.call('subscribe', uid, then=lambda answer: say('play', uid, answer[0]))

    def joined(self, uid):
        say('joined', uid)
        if self.options.publish:
            self.call('publish', then=lambda url: say('push', url))

    def run(self):
        role = AgoraSignaling.Role.BROADCASTER if self.options.publish else \
            AgoraSignaling.Role.AUDIENCE
        self.call('init', self.options.app_id, then=lambda _: self.call(
            'set_role', role, then=lambda _: self.call(
                'join', None, self.options.channel, self.options.uid, then=self.joined)))
        for number in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, lambda: self.call(
                'leave', then=lambda _: self.loop.quit()))
        self.loop.run()
        return self.status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('gateway')
    parser.add_argument('app_id')
    parser.add_argument('channel')
    parser.add_argument('--uid', type=int, default=0)
    parser.add_argument('--publish', action='store_true')
    parser.add_argument('--subscribe', action='store_true')
    return Member(parser.parse_args()).run()


if __name__ == '__main__':
    sys.exit(main())
