# SPDX-License-Identifier: LGPL-2.1-or-later
"""Codecs and reports as a program in Python has them, by the library's bindings and with a real gateway."""

import re
import sys
import urllib.request
from pathlib import Path

import tap
from harness import SCALE, Case

try:
    import gi
except ImportError:
    print('1..0 # SKIP this Python has no gi')
    sys.exit(0)
gi.require_version('AgoraSignaling', '1.0')
from gi.repository import AgoraSignaling, GLib  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'cluster'))
import clusterrig  # noqa: E402

CONTEXT = GLib.MainContext.default()


def wait(condition, what):
    late = []
    timer = GLib.timeout_add(int(10_000 * SCALE), late.append, True)
    while not condition():
        if late:
            raise AssertionError(f'{what} did not come')
        CONTEXT.iteration(True)
    if not late:
        GLib.source_remove(timer)


class ClientCodecs(Case):
    def setUp(self):
        super().setUp()
        self.served = self.gateway()

    def ask(self, client, name, *arguments):
        results = []
        getattr(client, f'{name}_async')(*arguments, None, lambda _, result: results.append(result))
        wait(lambda: results, name)
        return getattr(client, f'{name}_finish')(results[0])

    def client(self, uid, role, hears=None):
        client = AgoraSignaling.Client.new(self.served.ws)
        self.addCleanup(client.destroy)
        client.props.hears = hears
        self.ask(client, 'init', 'demo')
        self.ask(client, 'set_role', role)
        self.ask(client, 'join', None, 'room', uid)
        return client

    def test_report(self):
        client = AgoraSignaling.Client.new(self.served.ws)
        self.assertFalse(client.report(GLib.Variant('a{sv}', {})))
        client = self.client(7, AgoraSignaling.Role.AUDIENCE)
        level = {'peak': GLib.Variant('d', float('nan')), 'rms': GLib.Variant('d', -20.0)}
        heard = {'uid': GLib.Variant('u', 8), 'mouth-to-ear-ms': GLib.Variant('d', 181.4), 'jitter-ms': GLib.Variant('d', -3.0),
                 'concealed-ms': GLib.Variant('t', 2 ** 64 - 1), 'delay-ms': GLib.Variant('s', 'no number'), 'later': GLib.Variant('b', True)}
        # Whatever a program says, the gateway understands: what it can't is left out.
        self.assertTrue(client.report(GLib.Variant('a{sv}', {
            'sent': GLib.Variant('a{sv}', level), 'heard': GLib.Variant('aa{sv}', [heard] * 40 + [{}])})))

        def count(name):
            with urllib.request.urlopen(self.served.http + '/metrics', timeout=5) as answer:
                return float(re.search(rf'^{re.escape(name)} (\S+)$', answer.read().decode(), re.M)[1])
        wait(lambda: count('agora_quality_reports_total') == 1, 'the report')
        self.assertEqual(count('agora_quality_mouth_to_ear_seconds_sum'), 16 * 0.181)
        self.assertEqual(count('agora_quality_jitter_seconds_bucket{le="0.002"}'), 16)

    def test_from_publish_to_hearing(self):
        speaker = self.client(7, AgoraSignaling.Role.BROADCASTER)
        wanted = []
        speaker.connect('codecs-wanted', lambda _, codecs: wanted.append(codecs))
        self.assertFalse(speaker.props.codecs_wanted)
        self.assertIsNone(speaker.dup_push_urls())
        urls = self.ask(speaker, 'publish_codecs', ['opus', 'aac'])
        self.assertEqual(set(urls), {'opus', 'aac'})
        self.assertEqual(speaker.dup_push_urls(), urls)
        wait(lambda: wanted, 'codecs-wanted')
        self.assertEqual(speaker.props.codecs_wanted, ['opus'])
        voice = clusterrig.Voice(urls['opus'], 'opus')
        self.addCleanup(voice.close)

        hears = ['opus', 'lc3', 'aac']
        listener = self.client(8, AgoraSignaling.Role.AUDIENCE, hears)
        self.assertEqual(listener.props.hears, ['opus', 'aac'])
        moved = []
        listener.connect('update-url', lambda client, uid, url: moved.append(client.get_subscription_codec(uid)))
        wait(lambda: 7 in (listener.dup_speakers() or []), 'the speaker')
        self.assertIsNone(listener.get_subscription_codec(7))
        ear = clusterrig.Ear(self.ask(listener, 'subscribe', 7)[0])
        self.addCleanup(ear.close)
        self.assertEqual(listener.get_subscription_codec(7), 'opus')
        self.assertEqual({name for name, _, _ in ear.listen(5)}, {'opus'})

        plain = self.client(9, AgoraSignaling.Role.AUDIENCE)
        wait(lambda: 7 in (plain.dup_speakers() or []), 'the speaker')
        self.ask(plain, 'subscribe', 7)
        self.assertEqual(plain.get_subscription_codec(7), 'aac')
        wait(lambda: len(wanted) > 1, 'codecs-wanted')
        self.assertEqual(wanted, [['opus'], ['opus', 'aac']])

        with self.assertRaises(GLib.Error) as refused:
            self.ask(speaker, 'publish_codecs', ['opus'])
        self.assertEqual(refused.exception.code, AgoraSignaling.Error.INVALID_ARGUMENT)
        # AAC alone, as before there were others.
        url = self.ask(speaker, 'publish')
        self.assertEqual(speaker.dup_push_urls(), {'aac': url})
        self.assertFalse(speaker.props.codecs_wanted)
        other = clusterrig.Voice(url, 'aac')
        self.addCleanup(other.close)
        wait(lambda: moved, 'update-url')
        self.assertEqual(moved, ['aac'])


if __name__ == '__main__':
    tap.main()
