// SPDX-License-Identifier: LGPL-2.1-or-later
// hear GATEWAY APP CHANNEL NAME: joins under a name, and prints who speaks, and when the operator
// forbids it to speak. In Vala the signals `silenced` and `codecs-wanted` have other names than the
// properties: `became_silenced`, `codecs_wanted_changed`.
//   valac --pkg=agora-signaling-1.0 --pkg=posix hear.vala

async void hear (Agora.Client client, string app, string channel, string name) throws Error {
  yield client.init_async(app, null);
  uint uid = yield client.join_account_async(null, channel, name, null);
  print("%s joined as %u\n", name, uid);
}

int main (string[] args) {
  if (args.length != 5) {
    printerr("usage: hear GATEWAY APP CHANNEL NAME\n");
    return 2;
  }
  var loop = new MainLoop();
  var client = new Agora.Client(args[1]);
  int status = 0;
  client.stream_added.connect((uid) => print("%u speaks\n", uid));
  client.stream_removed.connect((uid) => print("%u is silent\n", uid));
  client.became_silenced.connect(() => print("%s\n", client.silenced ? "I may not speak" : "I may speak"));
  client.unsilenced.connect(() => print("I may speak again\n"));
  client.error.connect((error) => {
    printerr("hear: %s\n", error.message);
    status = 1;
    loop.quit();
  });
  hear.begin(client, args[2], args[3], args[4], (object, result) => {
    try {
      hear.end(result);
    } catch (Error error) {
      printerr("hear: %s\n", error.message);
      status = 1;
      loop.quit();
    }
  });
  Unix.signal_add(Posix.Signal.TERM, () => {
    client.leave_async.begin(null, () => loop.quit());
    return Source.CONTINUE;
  });
  loop.run();
  return status;
}
