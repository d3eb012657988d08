// SPDX-License-Identifier: LGPL-2.1-or-later
// The rules of Adobe's RTMP 1.0 for a server, section by section; and what breaks them.
#include "rtmp-scene.hpp"
#include "tests/suite.hpp"

namespace conformance_test {

using namespace agora::relay::rtmp;

namespace {

enum class From { nothing, handshake, connected, created, publishing, playing };

Scene &bring (Scene &scene, From from) {
  if (from == From::handshake)
    scene.shake();
  else if (from == From::connected)
    scene.connect();
  else if (from != From::nothing)
    scene.create();
  if (from == From::publishing)
    scene.say("1: publish 3 null 'one'");
  else if (from == From::playing)
    scene.say("1: play 3 null 'one'");
  scene.answers();
  scene.events();
  return scene;
}

struct Rule {
  const char *section;
  const char *rule;
  From from;
  std::vector<const char *> says;  // "hex: …" is sent as it is
  const char *events;
  const char *answers;
};

const Rule rules[] = {
    // 5.2 Handshake
    {"5.2.2",
     "C0 of another version is refused",
     From::nothing,
     {"hex: 06"},
     "broken: the handshake is of another version than 3\n",
     ""},
    {"5.2.1",
     "C1 and C2 follow C0, then chunks",
     From::handshake,
     {"0: connect 1 {app='live'}", "0: createStream 2 null"},
     "",
     "window 5000000\nbandwidth 5000000\nchunk size 65536\n0/20: '_result' 1 {fmsVer: "
     "'FMS/3,0,1,123', capabilities: 31} {level: 'status', code: 'NetConnection.Connect.Success', "
     "description: 'Connection succeeded.', objectEncoding: 0}\n0/20: '_result' 2 null 1\n"},
    // 5.4 Protocol control messages
    {"5.4.1",
     "set chunk size",
     From::publishing,
     {"0/1 hex: 00000100", "hex: 04 000001 000100 08 01000000 61*256"},
     "media 1/8@1: 6161616161616161…\n",
     ""},
    {"5.4.1",
     "a chunk size of 0",
     From::handshake,
     {"0/1 hex: 00000000"},
     "broken: a chunk size of 0, or of 2^31 and more\n",
     ""},
    {"5.4.1",
     "the first bit is 0",
     From::handshake,
     {"0/1 hex: 80000080"},
     "broken: a chunk size of 0, or of 2^31 and more\n",
     ""},
    {"5.4.1",
     "cut off",
     From::handshake,
     {"0/1 hex: 000080"},
     "broken: a protocol control message is too short\n",
     ""},
    {"5.4.2",
     "abort",
     From::publishing,
     {"hex: 04 000001 000081 08 01000000 61*128", "0/2 hex: 00000004", "1/8@2 hex: af01"},
     "media 1/8@2: af01\n",
     ""},
    {"5.4.3", "an acknowledgement is taken", From::publishing, {"0/3 hex: 00001000"}, "", ""},
    {"5.4.4",
     "the peer's window is acknowledged, with the number of bytes so far",
     From::connected,
     {"0/5 hex: 00000064", "1000/99 hex: 00*100"},
     "",
     "acknowledgement 3167\nacknowledgement 3279\n"},
    {"5.4.4",
     "a window of 0 is none",
     From::connected,
     {"0/5 hex: 00000000", "0/99 hex: 00*100"},
     "",
     ""},
    {"5.4.5", "set peer bandwidth is taken", From::connected, {"0/6 hex: 00100000 02"}, "", ""},
    // 6.2.4 User control messages, 7.1.7
    {"7.1.7",
     "a ping is answered with its time",
     From::handshake,
     {"0/4 hex: 0006 01020304"},
     "",
     "event 7 16909060\n"},
    {"7.1.7", "a pong is told", From::connected, {"0/4 hex: 0007 00000009"}, "pong 9\n", ""},
    {"7.1.7",
     "the buffer's length is taken",
     From::playing,
     {"0/4 hex: 0003 00000001 00000bb8"},
     "",
     ""},
    {"7.1.7",
     "what is not known is left out",
     From::connected,
     {"0/4 hex: 00ff 00000001", "0/4 hex: 0006 0102", "0/4 hex: 001f 00000000 0000"},
     "",
     ""},
    // 7.1 Types of messages
    {"7.1.1",
     "commands in AMF3's message",
     From::connected,
     {"0/17 hex: 00 02000c63726561746553747265616d 004000000000000000 05"},
     "",
     "0/20: '_result' 2 null 1\n"},
    {"7.1.2",
     "data",
     From::publishing,
     {"1/18@9: onTextData {text='hello'}"},
     "media 1/18@9: 'onTextData' {text: 'hello'}\n",
     ""},
    {"7.1.2",
     "data in AMF3's message",
     From::publishing,
     {"1/15@9 hex: 00 02000a6f6e4d65746144617461 03 000009"},
     "media 1/18@9: 'onMetaData' {}\n",
     ""},
    {"7.1.2",
     "data that can't be read is left out",
     From::publishing,
     {"1/18: 'onMetaData' {a={b={c={d={e={f={g={h={i='deep'}}}}}}}}}", "1/18 hex: 02000161 03",
      "1/18 hex:", "1/18: 5", "1/15 hex: 00 02000161 11 0401", "1/18: '@setDataFrame'",
      "1/18: '@setDataFrame' 5 {}", "1/18: '@clearDataFrame' 'onMetaData'", "1/8 hex: af01"},
     "media 1/8@0: af01\n",
     ""},
    {"7.1.3",
     "shared objects are left out",
     From::connected,
     {"0/19 hex: 00*9", "0/16 hex: 00*9"},
     "",
     ""},
    {"7.1.4",
     "audio, whatever the codec",
     From::publishing,
     {"1/8 hex: 2f", "1/8 hex: 90 4f707573 01", "1/8 hex:"},
     "media 1/8@0: 2f\nmedia 1/8@0: 904f70757301\nmedia 1/8@0: \n",
     ""},
    {"7.1.5",
     "video, whatever the codec",
     From::publishing,
     {"1/9 hex: 90 61763031"},
     "media 1/9@0: 9061763031\n",
     ""},
    {"7.1.6",
     "an aggregate is its parts, whose times go on from its own",
     From::publishing,
     {"1/22@1000 hex: 08 000002 0003e9 00 000000 af01 0000000d "
      "12 000005 000400 00 000000 020001 6105 00000010 "
      "09 000001 000001 01 000000 17 0000000c"},
     "media 1/8@1000: af01\nmedia 1/18@1023: 'a' null\nmedia 1/9@16777216: 17\n",
     ""},
    {"7.1.6",
     "the last size may be missing",
     From::publishing,
     {"1/22@5 hex: 08 000002 000000 00 000000 af01"},
     "media 1/8@5: af01\n",
     ""},
    {"7.1.6",
     "an aggregate within an aggregate is left out",
     From::publishing,
     {"1/22@5 hex: 16 000002 000000 00 000000 af01 0000000d"},
     "",
     ""},
    {"7.1.6",
     "cut off in a header",
     From::publishing,
     {"1/22@5 hex: 08 000002 000000 00 0000"},
     "broken: an aggregate message is cut off\n",
     ""},
    {"7.1.6",
     "cut off in a message",
     From::publishing,
     {"1/22@5 hex: 08 ffffff 000000 00 000000 af01"},
     "broken: an aggregate message is cut off\n",
     ""},
    {"7.1", "types that are not known are left out", From::connected, {"0/77 hex: 00*9"}, "", ""},
    // 7.2.1 NetConnection commands
    {"7.2.1.1",
     "connect comes once",
     From::connected,
     {"0: connect 2 {app='live'}"},
     "broken: connect comes a second time\n",
     ""},
    {"7.2.1.1",
     "connect has an object",
     From::handshake,
     {"0: connect 1 null"},
     "broken: connect is cut off, nested too deep, or has no command object\n",
     ""},
    {"7.2.1.1",
     "connect is the connection's",
     From::handshake,
     {"1: connect 1 {app='live'}"},
     "broken: connect comes on a message stream\n",
     ""},
    {"7.2.1.1",
     "connect is refused by _error",
     From::handshake,
     {"0: connect 1 {app='a\tb'}"},
     "broken: connect: its app is too long, or has control characters\n",
     "0/20: '_error' 1 null {level: 'error', code: 'NetConnection.Connect.Rejected', description: "
     "'connect: its app is too long, or has control characters'}\n"},
    {"7.2.1.2",
     "a call that is not known is answered by _error",
     From::connected,
     {"0: someCall 9 null 1 2"},
     "",
     "0/20: '_error' 9 null {level: 'error', code: 'NetConnection.Call.Failed', description: "
     "'there is no such command'}\n"},
    {"7.2.1.2",
     "a command has a name",
     From::connected,
     {"0: 5 5 null"},
     "broken: a command without a name\n",
     ""},
    {"7.2.1.2",
     "and whole values",
     From::connected,
     {"0 hex: 02000161 003ff0000000000000 0300"},
     "broken: a command is cut off, or nested too deep\n",
     ""},
    {"7.2.1.3",
     "createStream gives an id, and never the same again",
     From::created,
     {"0: createStream 3 null", "0: deleteStream 0 null 2", "0: createStream 4 null"},
     "",
     "0/20: '_result' 3 null 2\n0/20: '_result' 4 null 3\n"},
    // 7.2.2 NetStream commands
    {"7.2.2.1",
     "play",
     From::created,
     {"1: play 4 null 'one' -1 -1 true"},
     "play 1 live one \n",
     "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Play.Start', description: 'The "
     "play begins.'}\n1/18: '|RtmpSampleAccess' true true\n"},
    {"7.2.2.1",
     "play on a stream that isn't",
     From::created,
     {"2: play 4 null 'one'"},
     "broken: play on a message stream that createStream did not make\n",
     ""},
    {"7.2.2.3",
     "deleteStream, unanswered",
     From::publishing,
     {"0: deleteStream 0 null 1"},
     "closed 1\n",
     "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpublish.Success', description: "
     "'The push has ended.'}\n"},
    {"7.2.2.4",
     "receiveAudio",
     From::playing,
     {"1: receiveAudio 0 null false"},
     "no audio 1\n",
     ""},
    {"7.2.2.5", "receiveVideo", From::playing, {"1: receiveVideo 0 null true"}, "video 1\n", ""},
    {"7.2.2.6",
     "publish, of any kind",
     From::created,
     {"1: publish 4 null 'one' 'record'"},
     "publish 1 live one \n",
     "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: 'The "
     "push may begin.'}\n"},
    {"7.2.2.6",
     "publish on a stream that isn't",
     From::created,
     {"0: publish 4 null 'one'"},
     "broken: publish on a message stream that createStream did not make\n",
     ""},
    {"7.2.2.7",
     "seek",
     From::playing,
     {"1: seek 0 null 1000"},
     "",
     "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Seek.Failed', description: 'This "
     "is live.'}\n"},
    {"7.2.2.8",
     "pause",
     From::playing,
     {"1: pause 0 null true 1000"},
     "pause 1\n",
     "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Pause.Notify', description: "
     "'Paused.'}\n"},
    {"7.2.2.8",
     "pause of what doesn't play",
     From::publishing,
     {"1: pause 0 null true 1000"},
     "",
     ""},
    // Order: nothing is taken before it can mean anything.
    {"order",
     "createStream before connect",
     From::handshake,
     {"0: createStream 1 null"},
     "broken: a command other than connect comes before it\n",
     ""},
    {"order",
     "audio before connect",
     From::handshake,
     {"1/8 hex: af01"},
     "broken: a message that is neither protocol control nor a command comes before connect\n",
     ""},
    {"order",
     "a shared object before connect",
     From::handshake,
     {"0/19 hex: 00"},
     "broken: a message that is neither protocol control nor a command comes before connect\n",
     ""},
    {"order",
     "audio before createStream",
     From::connected,
     {"1/8 hex: af01"},
     "broken: media of a message stream that createStream did not make\n",
     ""},
    {"order",
     "audio on the control stream",
     From::publishing,
     {"0/8 hex: af01"},
     "broken: media of a message stream that createStream did not make\n",
     ""},
    {"order",
     "audio before publish",
     From::created,
     {"1/8 hex: af01"},
     "broken: media of a message stream that doesn't publish\n",
     ""},
    {"order",
     "an aggregate before publish",
     From::created,
     {"1/22 hex: 00"},
     "broken: media of a message stream that doesn't publish\n",
     ""},
    {"order",
     "metadata before publish",
     From::created,
     {"1/18: '@setDataFrame' onMetaData {}"},
     "broken: media of a message stream that doesn't publish\n",
     ""},
    {"order",
     "audio of a player",
     From::playing,
     {"1/8 hex: af01"},
     "broken: media of a message stream that doesn't publish\n",
     ""},
};

void table () {
  for (const Rule &rule : rules) {
    Scene scene;
    bring(scene, rule.from);
    for (const char *words : rule.says) {
      const std::string_view text(words);
      if (text.starts_with("hex:"))
        scene.send(unhex(text.substr(4)));
      else
        scene.say(text);
    }
    const std::string events = scene.events();
    const std::string answers = scene.answers();
    if (events != rule.events || answers != rule.answers)
      g_error("%s, %s: events\n%s, not\n%s; answers\n%s, not\n%s", rule.section, rule.rule,
              events.c_str(), rule.events, answers.c_str(), rule.answers);
    // A broken rule stays broken.
    if (events.find("broken: ") != std::string::npos)
      g_assert_false(scene.send("x"));
  }
}

}  // namespace

static const agora::Suite suite("conformance",
                                [] { g_test_add_func("/relay/conformance/table", table); });

}  // namespace conformance_test
