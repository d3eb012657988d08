// SPDX-License-Identifier: LGPL-2.1-or-later
// What peers of the field and the specification say, and what they hear.
#include "rtmp-scene.hpp"
#include "tests/suite.hpp"

namespace server_session_test {

using namespace agora::relay::rtmp;

namespace {

struct Step {
  const char *says;  // see rtmp-scene.hpp
  const char *events;
  const char *answers;
};

constexpr const char *kConnected =
    "window 5000000\nbandwidth 5000000\nchunk size 65536\n"
    "0/20: '_result' 1 {fmsVer: 'FMS/3,0,1,123', capabilities: 31} {level: 'status', code: "
    "'NetConnection.Connect.Success', description: 'Connection succeeded.', objectEncoding: 0}\n";
constexpr const char *kPublishStart =
    "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: "
    "'The push may begin.'}\n";
constexpr const char *kPlayStart =
    "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Play.Start', description: 'The "
    "play begins.'}\n1/18: '|RtmpSampleAccess' true true\n";
constexpr const char *kUnpublished =
    "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpublish.Success', description: "
    "'The push has ended.'}\n";
constexpr const char *kPlayStop =
    "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Play.Stop', description: 'The play "
    "has ended.'}\n";
constexpr const char *kFcPublish =
    "0/20: 'onFCPublish' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: "
    "''}\n";

struct Conversation {
  const char *what;
  std::vector<Step> steps;
};

void run (const char *what, Scene &scene, const std::vector<Step> &steps) {
  for (const Step &step : steps) {
    scene.say(step.says);
    const std::string events = scene.events();
    if (events != step.events)
      g_error("%s: \"%s\" brings\n%s, not\n%s", what, step.says, events.c_str(), step.events);
    const std::string answers = scene.answers();
    if (answers != step.answers)
      g_error("%s: \"%s\" is answered\n%s, not\n%s", what, step.says, answers.c_str(),
              step.answers);
  }
}

const Conversation conversations[] = {
    {"OBS (librtmp) pushes",
     {{"0: connect 1 {app='live' type='nonprivate' flashVer='FMLE/3.0 (compatible; FMSc/1.0)' "
       "swfUrl='rtmp://127.0.0.1:1935/live' tcUrl='rtmp://127.0.0.1:1935/live'}",
       "", kConnected},
      {"0/1 hex: 00001000", "", ""},
      {"0: releaseStream 2 null 'one?token=a'", "", "0/20: '_result' 2 null undefined\n"},
      {"0: FCPublish 3 null 'one?token=a'", "",
       "0/20: '_result' 3 null undefined\n"
       "0/20: 'onFCPublish' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: "
       "''}\n"},
      {"0: createStream 4 null", "", "0/20: '_result' 4 null 1\n"},
      {"1: publish 5 null 'one?token=a' 'live'", "publish 1 live one token=a\n", kPublishStart},
      {"1/18: '@setDataFrame' 'onMetaData' {duration=0 audiocodecid=10}",
       "media 1/18@0: 'onMetaData' {duration: 0, audiocodecid: 10}\n", ""},
      {"1/8 hex: af00 1210", "media 1/8@0: af001210\n", ""},
      {"1/9 hex: 1700 000000 01", "media 1/9@0: 170000000001\n", ""},
      {"1/8@23 hex: af01 21", "media 1/8@23: af0121\n", ""},
      {"0: FCUnpublish 6 null 'one?token=a'", "closed 1\n",
       "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpublish.Success', "
       "description: 'The push has ended.'}\n0/20: '_result' 6 null undefined\n"},
      {"0: deleteStream 7 null 1", "", "0/20: '_result' 7 null undefined\n"}}},
    {"librtmp plays, with its question about bandwidth",
     {{"0: connect 1 {app='live/' flashVer='LNX 10,0,32,18' tcUrl='rtmp://127.0.0.1:1935/live/' "
       "fpad=false capabilities=15 audioCodecs=4071 videoCodecs=252 videoFunction=1}",
       "", kConnected},
      {"0/5 hex: 002625a0", "", ""},
      {"0: createStream 2 null", "", "0/20: '_result' 2 null 1\n"},
      {"0/4 hex: 0003 00000000 00000bb8", "", ""},
      {"0: _checkbw 3 null", "", "0/20: '_result' 3 null undefined\n"},
      {"0: FCSubscribe 4 null 'one'", "",
       "0/20: '_result' 4 null undefined\n"
       "0/20: 'onFCSubscribe' 0 null {level: 'status', code: 'NetStream.Play.Start', description: "
       "''}\n"},
      {"1: play 0 null 'one' -2000", "play 1 live one \n", kPlayStart},
      {"0/4 hex: 0003 00000001 00000bb8", "", ""},
      {"0: deleteStream 0 null 1", "closed 1\n", kPlayStop}}},
    {"ffmpeg plays",
     {{"0: connect 1 {app='live' tcUrl='rtmp://127.0.0.1:1935/live' fpad=false capabilities=15}",
       "", kConnected},
      {"0: createStream 2 null", "", "0/20: '_result' 2 null 1\n"},
      {"0: getStreamLength 3 null 'one'", "", "0/20: '_result' 3 null 0\n"},
      {"1: play 4 null 'one' -2000", "play 1 live one \n", kPlayStart}}},
    {"Flash: AMF3, several streams, pause, another play, receiveAudio",
     {{"0/17 hex: 00 020007636f6e6e656374 003ff0000000000000 03 0003617070 0200046c697665 "
       "000e6f626a656374456e636f64696e67 004008000000000000 000009",
       "",
       "window 5000000\nbandwidth 5000000\nchunk size 65536\n"
       "0/20: '_result' 1 {fmsVer: 'FMS/3,0,1,123', capabilities: 31} {level: 'status', code: "
       "'NetConnection.Connect.Success', description: 'Connection succeeded.', objectEncoding: "
       "3}\n"},
      {"0/17 hex: 00 02000c63726561746553747265616d 004000000000000000 05", "",
       "0/20: '_result' 2 null 1\n"},
      {"0: createStream 3 null", "", "0/20: '_result' 3 null 2\n"},
      {"1/17 hex: 00 020004706c6179 000000000000000000 05 0200036f6e65", "play 1 live one \n",
       kPlayStart},
      {"2: publish 0 null 'two' 'live'", "publish 2 live two \n",
       "2/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: "
       "'The push may begin.'}\n"},
      {"2/15 hex: 00 02000a6f6e4d65746144617461 03 000009", "media 2/18@0: 'onMetaData' {}\n", ""},
      {"1: pause 0 null true 1000", "pause 1\n",
       "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Pause.Notify', description: "
       "'Paused.'}\n"},
      {"1: pause 0 null false 1000", "unpause 1\n",
       "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpause.Notify', description: "
       "'Goes on.'}\n"},
      {"1: receiveVideo 0 null false", "no video 1\n", ""},
      {"1: receiveAudio 0 null false", "no audio 1\n", ""},
      {"1: receiveAudio 0 null true", "audio 1\n", ""},
      {"1: seek 0 null 5000", "",
       "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Seek.Failed', description: 'This "
       "is live.'}\n"},
      {"1: play2 0 null {streamName='three'}", "",
       "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Play.Failed', description: "
       "'There "
       "is no other bit rate.'}\n"},
      {"1: play 0 null 'three'", "closed 1\nplay 1 live three \n",
       "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Play.Stop', description: 'The "
       "play has ended.'}\n"
       "1/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Play.Start', description: 'The "
       "play begins.'}\n1/18: '|RtmpSampleAccess' true true\n"},
      {"1: play 0 null false", "closed 1\n", kPlayStop},
      {"2: closeStream 0 null", "closed 2\n",
       "2/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpublish.Success', "
       "description: 'The push has ended.'}\n"},
      // What was under way does no harm, and a NetStream may publish again.
      {"2/8 hex: af01", "", ""},
      {"2: publish 0 null 'two?again' 'live'", "publish 2 live two again\n",
       "2/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Publish.Start', description: "
       "'The push may begin.'}\n"},
      {"2: publish 0 null false", "closed 2\n",
       "2/20: 'onStatus' 0 null {level: 'status', code: 'NetStream.Unpublish.Success', "
       "description: 'The push has ended.'}\n"},
      {"0: deleteStream 0 null 2", "", ""},
      {"2/8 hex: af01", "", ""},
      {"0: createStream 4 null", "", "0/20: '_result' 4 null 3\n"}}},
    {"an encoder that waits for onFCPublish, and numbers nothing",
     {{"0: connect 1 {app='live'}", "", kConnected},
      {"0: releaseStream 0 null 'one'", "", ""},
      {"0: FCPublish 0 null 'one'", "", kFcPublish},
      {"0: createStream 2 null", "", "0/20: '_result' 2 null 1\n"},
      {"1: publish 0 null 'one'", "publish 1 live one \n", kPublishStart},
      {"0: FCUnpublish 0 null 'other'", "", ""},
      {"0: FCUnpublish 0 null 'one'", "closed 1\n", kUnpublished}}},
};

void in_words () {
  for (const Conversation &each : conversations) {
    Scene scene;
    scene.shake();
    run(each.what, scene, each.steps);
  }
}

// Where the arguments come from, and what an app is.
void connects () {
  const struct {
    const char *object;
    const char *name;
    const char *opened;
  } table[] = {
      {"{app='live'}", "one", "live one "},
      {"{app='live/'}", "one", "live one "},
      {"{app='live//'}", "one", "live one "},
      {"{app='a/b'}", "one", "a/b one "},
      {"{app=''}", "one", " one "},
      {"{}", "one", " one "},
      {"{app=5}", "one", " one "},
      {"{app='live?x=1'}", "one", "live one x=1"},
      {"{app='live/?x=1'}", "one", "live one x=1"},
      {"{app='live' tcUrl='rtmp://h:1935/live?x=1'}", "one", "live one x=1"},
      {"{app='live?y=2' tcUrl='rtmp://h:1935/live?x=1'}", "one", "live one y=2"},
      {"{app='live?y=2' tcUrl='rtmp://h:1935/live?x=1'}", "one?z=3", "live one z=3"},
      {"{app='live' tcUrl='rtmp://[::1]:1935/live/'}", "one?a?b", "live one a?b"},
      {"{app='live'}", "one?", "live one "},
      {"{app='live'}", "mp4:one", "live mp4:one "},
      {"{app='live' x={y={z={}}}}", "one", "live one "},
  };
  for (const auto &each : table) {
    Scene scene;
    scene.shake();
    g_assert_true(scene.say(std::string("0: connect 1 ") + each.object));
    assert_same(scene.answers(), kConnected);
    scene.say("0: createStream 2 null");
    scene.say(std::string("1: play 3 null '") + each.name + "'");
    assert_same(scene.events(), std::string("play 1 ") + each.opened + "\n");
  }
}

void refusals () {
  {
    Scene scene(Scene::Policy::refuse);
    scene.create();
    run("a refused push", scene,
        {{"1: publish 3 null 'one'", "publish 1 live one \n",
          "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Publish.BadName', "
          "description: "
          "'no'}\n"},
         // The peer may not have read that yet.
         {"1/8 hex: af01", "", ""},
         {"1/18: 'onMetaData' {}", "", ""},
         {"0: deleteStream 0 null 1", "", ""}});
  }
  constexpr const char *bad_name =
      "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Publish.BadName', description: "
      "'The stream's name is empty, too long, or has control characters.'}\n";
  const std::string names[] = {"''",
                               "null",
                               "5",
                               "'?x'",
                               "'a\tb'",
                               "'a\x7f'",
                               "'" + std::string(257, 'n') + "'",
                               "'n?" + std::string(1025, 'a') + "'"};
  for (const std::string &name : names) {
    Scene scene;
    scene.create();
    g_assert_true(scene.say("1: publish 3 null " + name));
    assert_same(scene.events(), "");
    assert_same(scene.answers(), bad_name);
  }
  Scene scene;
  scene.create();
  run("busy streams", scene,
      {{"1: publish 3 null 'one'", "publish 1 live one \n", kPublishStart},
       {"1: publish 3 null 'two'", "",
        "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Publish.BadName', description: "
        "'This stream publishes or plays already.'}\n"},
       {"1: play 3 null 'two'", "",
        "1/20: 'onStatus' 0 null {level: 'error', code: 'NetStream.Play.Failed', description: "
        "'This "
        "stream publishes.'}\n"},
       {"0: createStream 4 null", "", "0/20: '_result' 4 null 2\n"},
       {"0: createStream 5 null", "", "0/20: '_result' 5 null 3\n"},
       {"0: createStream 6 null", "", "0/20: '_result' 6 null 4\n"},
       {"0: createStream 7 null", "",
        "0/20: '_error' 7 null {level: 'error', code: 'NetConnection.Call.Failed', description: "
        "'too many streams'}\n"},
       {"0: someCall 8 null", "",
        "0/20: '_error' 8 null {level: 'error', code: 'NetConnection.Call.Failed', description: "
        "'there is no such command'}\n"},
       {"0: someCall 0 null", "", ""},
       {"0: deleteStream 9 null 77", "", "0/20: '_result' 9 null undefined\n"},
       {"0: deleteStream 9 null -1", "", "0/20: '_result' 9 null undefined\n"},
       {"0: deleteStream 9 null", "", "0/20: '_result' 9 null undefined\n"}});
}

// A push that doesn't wait for its answer loses nothing, however late that comes.
void answers_that_take_a_while () {
  for (bool good : {true, false}) {
    for (std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      Scene scene(Scene::Policy::wait);
      scene.create();
      std::string bytes;
      for (const char *words : {"1: publish 3 null 'one'", "1/8 hex: af00", "1/8@23 hex: af01"})
        bytes += words_to_bytes(words, 128);
      g_assert_true(scene.send(bytes, piece));
      assert_same(scene.events(), "publish 1 live one \n");
      g_assert_true(scene.session.waiting());
      assert_same(scene.answers(), "");
      scene.session.accept(2);  // another one
      g_assert_true(scene.session.waiting());
      if (good)
        scene.session.accept(1);
      else
        scene.session.refuse(1, "NetStream.Publish.BadName", "no");
      g_assert_false(scene.session.waiting());
      g_assert_true(scene.resume());
      assert_same(scene.events(), good ? "media 1/8@0: af00\nmedia 1/8@23: af01\n" : "");
      scene.session.accept(1);
      scene.session.refuse(1, "NetStream.Publish.BadName", "no");
      g_assert_true(scene.answers().find(good ? "BadName" : "Start") == std::string::npos);
    }
  }
  // What is held has its bound, in one piece as in many.
  for (std::size_t piece : {std::size_t{1000}, std::size_t{1'000'000}}) {
    Scene scene(Scene::Policy::wait);
    scene.create();
    std::string bytes = words_to_bytes("1: publish 3 null 'one'", 128);
    while (bytes.size() < 80'000)
      bytes += words_to_bytes("1/8 hex: af01*1000", 128);
    g_assert_false(scene.send(bytes, piece));
    g_assert_true(
        scene.events().ends_with("broken: too many bytes before a publish or play was answered\n"));
    g_assert_cmpuint(scene.session.held_memory(), <, 200'000);
  }
}

void to_a_player () {
  Scene scene;
  scene.create();
  scene.session.push_began(1);  // nobody plays yet
  scene.say("1: play 3 null 'one'");
  scene.answers();
  scene.session.push_began(1);
  scene.session.push_ended(1);
  scene.session.push_began(1);
  scene.session.push_began(2);
  scene.session.ping(7);
  assert_same(scene.answers(), "event 0 1\nevent 1 1\nevent 0 1\nevent 6 7\n");
  scene.say("0/4 hex: 0007 00000007");
  assert_same(scene.events(), "play 1 live one \npong 7\n");
}

// The bytes of one connection each, as they came; docs/fuzzing.md tells where they are from.
void recorded () {
  const struct {
    const char *name;
    const char *opened;
    const char *closed;
    unsigned media;
  } table[] = {
      {"ffmpeg-push", "publish 1 live ffmpeg token=a&b=c\n", "closed 1\n", 14},
      // With timestamps beyond four and a half hours, and messages of several chunks.
      {"ffmpeg-late-push", "publish 1 live late \n", "closed 1\n", 9},
      {"rtmp2sink-push", "publish 1 live rtmp2sink token=a\n", "closed 1\n", 13},
      {"librtmp-push", "publish 1 live rtmpsink token=a\n", "closed 1\n", 13},
      {"ffmpeg-play", "play 1 live long x=1\n", "closed 1\n", 0},
      {"ffmpeg-play-conn", "play 1 live long a=b\n", "closed 1\n", 0},
      {"librtmp-play", "play 1 live long \n", "closed 1\n", 0},
      {"rtmp2src-play", "play 1 live long \n", "", 0},
      {"mpv-play", "play 1 live long \n", "closed 1\n", 0},
      {"vlc-play", "play 1 live long \n", "", 0},
  };
  for (const auto &each : table) {
    const std::string file = std::string(each.name) + ".bin";
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, file.c_str(), nullptr);
    g_autofree char *text = nullptr;
    gsize size = 0;
    g_autoptr(GError) error = nullptr;
    g_file_get_contents(path, &text, &size, &error);
    g_assert_no_error(error);
    std::string expected;
    for (std::size_t piece : {size, gsize{1}, gsize{7}, gsize{128}, gsize{1460}}) {
      Scene scene;
      g_assert_true(scene.send(std::string_view(text, size), piece));
      const std::string events = scene.events();
      if (expected.empty()) {
        expected = events;
        g_assert_true(events.starts_with(each.opened));
        g_assert_true(events.ends_with(each.closed));
        unsigned media = 0;
        for (std::size_t at = 0; (at = events.find("\nmedia ", at)) != std::string::npos; ++at)
          ++media;
        g_assert_cmpuint(media, ==, each.media);
        g_assert_true(!std::string_view(each.name).starts_with("ffmpeg-late") ||
                      events.find("media 1/8@20000023: ") != std::string::npos);
        g_assert_true(media == 0 || events.find("@0: 'onMetaData' [") != std::string::npos ||
                      events.find("@0: 'onMetaData' {") != std::string::npos);
      }
      // How TCP cuts it makes no difference.
      assert_same(events, expected);
      g_assert_true(scene.answers().find("_error") == std::string::npos);
    }
  }
}

}  // namespace

static const agora::Suite suite("server-session", [] {
  g_test_add_func("/relay/server-session/in-words", in_words);
  g_test_add_func("/relay/server-session/connects", connects);
  g_test_add_func("/relay/server-session/refusals", refusals);
  g_test_add_func("/relay/server-session/answers-that-take-a-while", answers_that_take_a_while);
  g_test_add_func("/relay/server-session/to-a-player", to_a_player);
  g_test_add_func("/relay/server-session/recorded", recorded);
});

}  // namespace server_session_test
