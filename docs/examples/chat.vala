// SPDX-License-Identifier: LGPL-2.1-or-later
// chat GATEWAY APP CHANNEL NAME [VOICE [EAR]]: an audio chat, as chat.cpp, but under a name: the
// program has the membership, an Agora.Client, and lends it to the elements. An empty line on
// standard input mutes the microphone, another one opens it again.
//
//   valac --pkg=agora-signaling-1.0 --pkg=gstreamer-1.0 --pkg=posix chat.vala

const string VOICE = "autoaudiosrc ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcdsp";
const string EAR = "audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcechoprobe ! autoaudiosink";

class Chat {
  MainLoop loop = new MainLoop();
  Agora.Client client;
  Gst.Pipeline pipeline;
  Gst.Element mouth;
  int status = 0;

  public Chat (string gateway, string voice, string ear) throws Error {
    client = new Agora.Client(gateway);
    client.stream_added.connect((uid) => print("%u speaks\n", uid));
    client.stream_removed.connect((uid) => print("%u has stopped\n", uid));
    client.mute_audio.connect((uid) => print("%u is muted\n", uid));
    client.unmute_audio.connect((uid) => print("%u is open\n", uid));
    client.error.connect(fail);
    pipeline = (Gst.Pipeline) Gst.parse_launch(
      @"$voice ! agorasink name=mouth  agorasrc name=ears latency=60 ! $ear");
    mouth = pipeline.get_by_name("mouth");
    mouth.set("client", client);
    pipeline.get_by_name("ears").set("client", client);
    pipeline.get_bus().add_watch(Priority.DEFAULT, on_message);
    new IOChannel.unix_new(0).add_watch(IOCondition.IN | IOCondition.HUP, on_line);
  }

  void fail (Error error) {
    printerr("chat: %s\n", error.message);
    status = 1;
    loop.quit();
  }

  // The elements publish and subscribe; who joins and leaves is this program.
  public async void join (string app, string channel, string name) {
    try {
      yield client.init_async(app, null);
      yield client.set_role_async(Agora.Role.BROADCASTER, null);
      uint uid = yield client.join_account_async(null, channel, name, null);
      print("%s joined as %u\n", name, uid);
      pipeline.set_state(Gst.State.PLAYING);
    } catch (Error error) {
      fail(error);
    }
  }

  bool on_message (Gst.Bus bus, Gst.Message message) {
    if (message.type == Gst.MessageType.ERROR) {
      Error error;
      message.parse_error(out error, null);
      fail(error);
    }
    return Source.CONTINUE;
  }

  bool on_line (IOChannel input, IOCondition condition) {
    string line;
    try {
      if (input.read_line(out line, null, null) != IOStatus.NORMAL)
        return Source.REMOVE;
    } catch (Error error) {
      return Source.REMOVE;
    }
    bool muted;
    mouth.get("muted", out muted);
    mouth.set("muted", !muted);
    print(muted ? "open\n" : "muted\n");
    return Source.CONTINUE;
  }

  bool leave () {
    pipeline.set_state(Gst.State.NULL);
    client.leave_async.begin(null, () => loop.quit());
    return Source.CONTINUE;
  }

  public int run () {
    Unix.signal_add(Posix.Signal.INT, leave);
    Unix.signal_add(Posix.Signal.TERM, leave);
    loop.run();
    pipeline.set_state(Gst.State.NULL);
    return status;
  }
}

int main (string[] args) {
  Gst.init(ref args);
  if (args.length < 5 || args.length > 7) {
    printerr("usage: chat GATEWAY APP CHANNEL NAME [VOICE [EAR]]\n");
    return 2;
  }
  try {
    var chat = new Chat(args[1], args.length > 5 ? args[5] : VOICE, args.length > 6 ? args[6] : EAR);
    chat.join.begin(args[2], args[3], args[4]);
    return chat.run();
  } catch (Error error) {
    printerr("chat: %s\n", error.message);
    return 1;
  }
}
