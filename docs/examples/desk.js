#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// desk.js GATEWAY APP CHANNEL [VOICE [EAR]]: a mixing desk. It talks and hears as one member, shows
// how loud each speaker is, and has a fader for each: the line "8 0.5" on standard input sets that
// of 8. It says when the way to the gateway is lost and found, and when the operator keeps it off
// the air.
//
// VOICE and EAR are pieces of a pipeline, as gst-launch-1.0 has them; desk.c and desk.py are the
// same, but that a script has one thread alone: pad-added comes on another, so pads are looked at.
import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Gst from 'gi://Gst?version=1.0';
import System from 'system';

class Desk {
  constructor(gateway, app, channel, voice = 'autoaudiosrc', ear = 'autoaudiosink') {
    this.loop = new GLib.MainLoop(null, false);
    this.status = 0;
    this.tracks = new Map(); // of each speaker that has a pad
    this.pipeline = Gst.parse_launch(
      `${voice} ! agorasink name=mouth  agorasrc name=ears expose-speakers=true ` +
      `level-interval=500000000 ! audioconvert ! audioresample ! ${ear}`);
    this.mouth = this.pipeline.get_by_name('mouth');
    this.ears = this.pipeline.get_by_name('ears');
    for (const element of [this.mouth, this.ears])
      Object.assign(element, {gateway, channel, 'app_id': app});
    const bus = this.pipeline.get_bus();
    bus.add_signal_watch();
    bus.connect('message', (_, message) => this.onMessage(message));
    this.input = new Gio.DataInputStream({base_stream: new Gio.UnixInputStream({fd: 0})});
    this.awaitLine();
    for (const number of [2, 15]) { // SIGINT, SIGTERM
      GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, () => {
        this.loop.quit();
        return GLib.SOURCE_CONTINUE;
      });
    }
  }

  run() {
    this.pipeline.set_state(Gst.State.PLAYING);
    this.loop.run();
    // What a sink has counted is forgotten when it stops. The ears don't stop before the rest: they
    // would wait for a sink that didn't come to play.
    for (const pad of [...this.tracks.keys()])
      this.tellFrames(pad);
    this.pipeline.set_state(Gst.State.NULL); // leaves the channel
    return this.status;
  }

  onMessage(message) {
    if (message.type === Gst.MessageType.ELEMENT) {
      this.onNews(message.src, message.get_structure());
      this.lookAtPads();
    } else if (message.type === Gst.MessageType.ERROR) {
      const [error, details] = message.parse_error();
      printerr(`desk: ${error.message}\n${details}`);
      this.status = 1;
      this.loop.quit();
    }
  }

  // What the channel tells. Both elements are one member: both hear who comes and goes.
  onNews(source, news) {
    // Of one speaker, or of all of the element.
    const who = news.has_field('uid') ? news.get_value('uid') : source.get_name();
    switch (news.get_name()) {
      case 'agora-level': {
        const speakers = news.get_value('speakers');
        for (let i = 0; i < speakers.n_values; i++) {
          const speaker = speakers.get_nth(i);
          print(`level ${speaker.get_value('uid')} ${speaker.get_value('peak').toFixed(1)} dB`);
        }
        break;
      }
      case 'agora-stream-added':
        if (source === this.ears)
          print(`${who} speaks`);
        break;
      case 'agora-stream-removed':
        if (source === this.ears)
          print(`${who} has stopped`);
        break;
      case 'agora-reconnecting':
        print(`${who}: reconnecting: ${news.get_value('cause')}`);
        break;
      case 'agora-reconnected':
        print(`${who}: back after ${(news.get_value('duration') / Gst.SECOND).toFixed(1)} s`);
        break;
      case 'agora-silenced':
        print(`${who}: kept off the air by the operator`);
        break;
      case 'agora-unsilenced':
        print(`${who}: may speak again`);
        break;
    }
  }

  lookAtPads() {
    const there = [];
    this.ears.foreach_src_pad((_, pad) => there.push(pad));
    for (const pad of there) {
      if (pad.get_name() !== 'src' && !this.tracks.has(pad))
        this.addTrack(pad);
    }
    for (const pad of this.tracks.keys()) {
      if (!there.includes(pad))
        this.removeTrack(pad);
    }
  }

  // A speaker's own sound, as it was sent. A recorder would put a file in place of fakesink; without
  // async=false the pipeline would wait for each speaker's first word.
  addTrack(pad) {
    const track = Gst.parse_bin_from_description('queue ! fakesink name=end async=false', true);
    this.pipeline.add(track);
    track.sync_state_with_parent();
    pad.link(track.get_static_pad('sink'));
    this.tracks.set(pad, track);
    print(`pad ${pad.get_name()}`);
  }

  removeTrack(pad) {
    const track = this.tellFrames(pad);
    track.set_state(Gst.State.NULL);
    this.pipeline.remove(track);
  }

  tellFrames(pad) {
    const track = this.tracks.get(pad);
    this.tracks.delete(pad);
    const frames = track.get_by_name('end').stats.get_value('rendered');
    print(`pad ${pad.get_name()} is gone, ${frames} frames`);
    return track;
  }

  awaitLine() {
    this.input.read_line_async(GLib.PRIORITY_DEFAULT, null, (_, result) => {
      const [line] = this.input.read_line_finish_utf8(result);
      if (line !== null) {
        this.onLine(line);
        this.awaitLine();
      }
    });
  }

  // A fader may be set before its speaker comes, and stays when it goes.
  onLine(line) {
    const [uid, volume] = line.trim().split(/\s+/).map(Number);
    if (uid > 0 && volume >= 0 && volume <= 10) {
      this.ears.get_child_by_name(`speaker-${uid}`).volume = volume;
      print(`fader ${uid} ${volume.toFixed(2)}`);
    } else {
      printerr('desk: expected UID VOLUME, a volume of 0 to 10');
    }
  }
}

if (System.programArgs.length < 3 || System.programArgs.length > 5) {
  printerr('usage: desk.js GATEWAY APP CHANNEL [VOICE [EAR]]');
  System.exit(2);
}
Gst.init(null);
System.exit(new Desk(...System.programArgs).run());
