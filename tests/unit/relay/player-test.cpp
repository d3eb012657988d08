// SPDX-License-Identifier: LGPL-2.1-or-later
// The player's side: what it says, what it hears, and what a hostile server can't do with it.
#include "signaling/relay/rtmp/player.hpp"
#include "rtmp-scene.hpp"
#include "tests/suite.hpp"

namespace player_test {

using namespace agora::relay::rtmp;

namespace {

constexpr std::size_t kHandshake = 1536;

// A player, and a server in words.
class PlayerScene final : public Player::Events {
 public:
  explicit PlayerScene(const Limits &limits = Limits())
      : limits_(limits), player(limits_, {"rtmp://10.0.0.2:1935/live", "live", "one?s=1"}, 1, 2) {}

  bool send (std::string_view bytes, std::size_t piece = 100'000) {
    bool good = true;
    for (std::size_t at = 0; good && at < bytes.size(); at += piece) {
      const std::string_view part = bytes.substr(at, piece);
      // In memory of its own, so that a byte too far is seen by the sanitiser.
      const std::vector<std::uint8_t> own(part.begin(), part.end());
      good = player.feed(own, *this);
      output_ += player.take_output();
    }
    if (!good)
      happened("broken: " + player.reason());
    return good;
  }
  bool say (std::string_view words) { return send(words_to_bytes(words, chunk_size)); }
  PlayerScene &shake (std::size_t piece = 100'000) {
    send('\3' + std::string(kHandshake, 'a') + std::string(kHandshake, 'b'), piece);
    return *this;
  }
  PlayerScene &ask () {
    shake();
    say("0: _result 1 {} {level='status' code='NetConnection.Connect.Success'}");
    say("0: _result 2 null 1");
    said();
    return *this;
  }
  PlayerScene &play () {
    ask();
    say("1: onStatus 0 null {level='status' code='NetStream.Play.Start'}");
    events();
    return *this;
  }

  // What the player has said since the last call, a line each. C0, C1 and C2 are looked at apart.
  std::string said () {
    output_ += player.take_output();
    if (shaken_ < 1 + 2 * kHandshake) {
      const std::size_t taken = std::min(output_.size(), 1 + 2 * kHandshake - shaken_);
      handshake.append(output_, 0, taken);
      output_.erase(0, taken);
      shaken_ += taken;
    }
    std::string text;
    Bytes input = as_bytes(output_);
    Message message;
    while (reader_.next(input, message) == ChunkReader::Step::message)
      text += message_text(message) + "\n";
    output_.clear();
    return text;
  }
  std::string events () { return std::exchange(events_, {}); }

  void on_playing () override { happened("playing"); }
  void on_begin () override { happened("begin"); }
  void on_end () override { happened("end"); }
  void on_media (const MediaMessage &message) override {
    happened("media " + std::to_string(static_cast<int>(message.type)) + "@" +
             std::to_string(message.timestamp) + ": " +
             (message.type == Type::data ? amf_text(message.payload) : hex(message.payload)));
  }

 private:
  void happened (const std::string &what) { events_ += what + "\n"; }
  const Limits limits_;

 public:
  Player player;
  std::uint32_t chunk_size = 128;  // the server's
  std::string handshake;

 private:
  std::string events_;
  std::string output_;
  std::size_t shaken_ = 0;
  ChunkReader reader_{limits_};
};

void it_shakes_hands_and_asks () {
  for (const std::size_t piece : {1UL, 7UL, 1536UL, 100'000UL}) {
    PlayerScene scene;
    assert_same(scene.said(), "");
    g_assert_cmpuint(scene.handshake.size(), ==, 1 + kHandshake);
    g_assert_true(scene.handshake[0] == 3);
    assert_same(hex(as_bytes(scene.handshake).subspan(1, 8)), "0000000200000000");
    scene.shake(piece);
    assert_same(scene.said(),
                "0/20: 'connect' 1 {app: 'live', tcUrl: 'rtmp://10.0.0.2:1935/live'}\n"
                "0/20: 'createStream' 2 null\n");
    // C2 repeats S1.
    assert_same(scene.handshake.substr(1 + kHandshake), std::string(kHandshake, 'a'));
    g_assert_true(scene.say("0: _result 2 null 9"));  // of nothing that was answered yet
    g_assert_true(scene.say("0: _result 1 {} {}"));
    g_assert_true(scene.say("0: _result 2 null 5"));
    assert_same(scene.said(), "5/20: 'play' 3 null 'one?s=1'\n");
    g_assert_true(scene.say("1: onStatus 0 null {code='NetStream.Play.Start'}"));  // another stream
    g_assert_false(scene.player.playing());
    g_assert_true(scene.say("5: onStatus 0 null {level='status' code='NetStream.Play.Reset'}"));
    g_assert_true(scene.say("5: onStatus 0 null {level='status' code='NetStream.Play.Start'}"));
    assert_same(scene.events(), "playing\n");
    g_assert_true(scene.player.playing());
  }
}

void what_it_hears () {
  PlayerScene scene;
  scene.play();
  const std::pair<const char *, const char *> table[] = {
      {"0/4 hex: 0000 00000001", "begin\n"},
      {"0/4 hex: 0000 00000002", ""},
      {"1/18@5: '|RtmpSampleAccess' true true", ""},
      {"1/18@5: 'onStatus' {code='NetStream.Data.Start'}", ""},
      {"1/18@5: 'onMetaData' {a=1}", "media 18@5: 'onMetaData' {a: 1}\n"},
      {"1/18@5: 5", ""},
      {"1/8@23 hex: af01 21", "media 8@23: af0121\n"},
      {"1/9@4294967295 hex: 17", "media 9@4294967295: 17\n"},
      {"1/22@100 hex: 08 000001 000005 00 000000 aa 0000000c 09 000001 000019 00 000000 bb",
       "media 8@100: aa\nmedia 9@120: bb\n"},
      {"0/4 hex: 0001 00000001", "end\n"},
      {"1: onStatus 0 null {code='NetStream.Play.UnpublishNotify'}", "end\n"},
      {"0/4 hex: 0000 00000001", "begin\n"},
      {"0: onBWDone 0 null", ""},
      {"0: whatever 7 null", ""},
      {"0/16 hex: 00", ""},
  };
  for (const auto &[words, heard] : table) {
    g_assert_true(scene.say(words));
    assert_same(scene.events(), heard);
  }
  assert_same(scene.said(), "");
  g_assert_true(scene.say("0/4 hex: 0006 00000009"));
  assert_same(scene.said(), "event 7 9\n");
  scene.player.ping(77);
  assert_same(scene.said(), "event 6 77\n");
}

// Some servers tell of the push before they accept the play.
void a_push_that_is_told_early () {
  PlayerScene scene;
  scene.ask();
  g_assert_true(scene.say("0/4 hex: 0000 00000001"));
  g_assert_true(scene.say("1/18: '|RtmpSampleAccess' true true"));
  assert_same(scene.events(), "");
  g_assert_true(scene.say("1: onStatus 0 null {level='status' code='NetStream.Play.Start'}"));
  assert_same(scene.events(), "playing\nbegin\n");
}

void it_acknowledges () {
  PlayerScene scene;
  scene.play();
  g_assert_true(scene.say("0/5 hex: 00000400"));
  scene.said();
  g_assert_true(scene.say("1/8 hex: af01 00*1200"));
  g_assert_true(scene.said().starts_with("acknowledgement "));
  g_assert_true(scene.say("1/8 hex: af01"));
  assert_same(scene.said(), "");
}

void refusals () {
  const std::tuple<int, const char *, const char *> table[] = {
      {0, "0: _error 1 null {code='NetConnection.Connect.Rejected'}", "refuses the connection"},
      {0, "0: _error 2 null {}", "refuses the connection"},
      {0, "0/8 hex: af01", "media come before the play is accepted"},
      {0, "0/18: 'onMetaData' {}", "media come before the play is accepted"},
      {1, "1: onStatus 0 null {level='error' code='NetStream.Play.Failed'}", "refuses the play"},
      {1, "1: onStatus 0 null {code='NetStream.Play.StreamNotFound'}", "refuses the play"},
      {1, "0: _error 3 null", "refuses the play"},
      {1, "1/8 hex: af01", "media come before the play is accepted"},
      {2, "1: onStatus 0 null {level='status' code='NetStream.Play.Stop'}", "has ended the play"},
      {2, "2/8 hex: af01", "another message stream"},
      {2, "0/18: 'onMetaData' {}", "another message stream"},
      {2, "1/22 hex: 08 000001 000005 00 000000", "an aggregate message is cut off"},
      {2, "0/1 hex: 00000000", "a chunk size of 0"},
      {2, "0/1 hex: 80000000", "a chunk size of 0"},
      {2, "0/1 hex: 00", "too short"},
      {2, "0/20 hex: 00", "a command without a name"},
      {2, "0/20 hex: 020001 61 00 3ff0000000000000 03 0001 61", "cut off, or nested too deep"},
  };
  for (const auto &[how_far, words, reason] : table) {
    PlayerScene scene;
    if (how_far == 0)
      scene.shake();
    else if (how_far == 1)
      scene.ask();
    else
      scene.play();
    if (scene.say(words) || scene.player.reason().find(reason) == std::string::npos)
      g_error("%s: \"%s\" doesn't tell of \"%s\"", words, scene.player.reason().c_str(), reason);
    g_assert_false(scene.send("more"));
  }
  PlayerScene other;
  g_assert_false(other.send("\6"));
  g_assert_true(other.player.reason().find("another version") != std::string::npos);
  PlayerScene without;
  without.shake();
  without.say("0: _result 1 {} {}");
  g_assert_false(without.say("0: _result 2 null 'x'"));
}

// What a server claims takes no memory, and what it asks for is bounded.
void a_hostile_server () {
  {
    PlayerScene scene;
    scene.ask();
    // A message of 16 MB, by its header.
    g_assert_false(scene.send(unhex("04 000000 ffffff 08 01000000")));
    g_assert_cmpuint(scene.player.held_memory(), <, 4096);
  }
  {
    PlayerScene scene;
    scene.play();
    g_assert_true(scene.send(unhex("04 000000 0fffff 08 01000000")));
    g_assert_cmpuint(scene.player.held_memory(), <, 4096);
    g_assert_false(scene.send(unhex("00*128 05 000000 ffffff 08 01000000")));
  }
  {
    // More chunk streams than there may be.
    PlayerScene scene;
    scene.play();
    bool good = true;
    for (int i = 3; good && i < 60; i++)
      good =
          scene.send(std::string(1, static_cast<char>(i)) + unhex("000000 000001 08 01000000 aa"));
    g_assert_false(good);
  }
  {
    // Pings whose answers nobody reads.
    PlayerScene scene;
    scene.play();
    scene.said();
    std::string flood;
    while (flood.size() < 200'000)
      flood += words_to_bytes("0/4 hex: 0006 00000009", 128);
    g_assert_false(scene.send(flood, flood.size()));
    assert_same(scene.player.reason(), "the server asks for more answers than it takes");
  }
  {
    // A header that never ends: commands of one chunk stream within another.
    PlayerScene scene;
    scene.play();
    g_assert_true(scene.send(unhex("03 000000 000400 14 00000000 00*128")));
    for (int i = 0; i < 6; i++)
      g_assert_true(scene.send(unhex("c3 00*128")));
    g_assert_false(scene.send(unhex("03 000000 000500 14 00000000")));
  }
}

// Our own server's side is understood, whatever pieces TCP makes of it.
class Both final : public ServerSession::Events, public Player::Events {
 public:
  explicit Both(std::size_t piece) : piece_(piece) {}

  void turn () {
    while (player.has_output() || session.has_output()) {
      pass(player.take_output(), [&] (Bytes bytes) { g_assert_true(session.feed(bytes, *this)); });
      pass(session.take_output(), [&] (Bytes bytes) { g_assert_true(player.feed(bytes, *this)); });
    }
  }
  void media (std::uint32_t at, std::string_view payload) {
    const std::string bytes = encode_media({Type::audio, at, as_bytes(payload)}, 1);
    pass(bytes, [&] (Bytes each) { g_assert_true(player.feed(each, *this)); });
  }

  void on_publish (const Opened &) override { g_assert_not_reached(); }
  void on_play (const Opened &opened) override {
    text += opened.app + " " + opened.name + " " + opened.args + "\n";
    session.accept(opened.stream);
  }
  void on_media (std::uint32_t, const MediaMessage &) override { g_assert_not_reached(); }
  void on_closed (std::uint32_t) override { g_assert_not_reached(); }
  void on_pong (std::uint32_t ms) override { text += "pong " + std::to_string(ms) + "\n"; }
  void on_playing () override { text += "playing\n"; }
  void on_begin () override { text += "begin\n"; }
  void on_end () override { text += "end\n"; }
  void on_media (const MediaMessage &message) override {
    text += std::to_string(message.timestamp) + " " + std::to_string(message.payload.size()) + "\n";
  }

  const Limits limits;
  ServerSession session{limits, 1, 2};
  Player player{limits, {"rtmp://127.0.0.1:1/live", "live", "one?a=1"}, 3, 4};
  std::string text;

 private:
  template <typename Feed>
  void pass (const std::string &bytes, Feed feed) const {
    for (std::size_t at = 0; at < bytes.size(); at += piece_) {
      const std::vector<std::uint8_t> own(
          bytes.begin() + static_cast<std::ptrdiff_t>(at),
          bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece_, bytes.size())));
      feed(own);
    }
  }
  const std::size_t piece_;
};

void with_our_own_server () {
  for (const std::size_t piece : {1UL, 5UL, 1000UL, 1'000'000UL}) {
    Both both(piece);
    both.turn();
    both.session.push_began(1);
    both.turn();
    both.media(0xfffffff0, std::string(70'000, 'x'));
    both.media(5, "abc");
    both.session.ping(9);
    both.turn();
    both.session.push_ended(1);
    both.turn();
    assert_same(both.text, "live one a=1\nplaying\nbegin\n4294967280 70000\n5 3\npong 9\nend\n");
  }
}

}  // namespace

static const agora::Suite suite("player", [] {
  g_test_add_func("/player/asks", it_shakes_hands_and_asks);
  g_test_add_func("/player/hears", what_it_hears);
  g_test_add_func("/player/early", a_push_that_is_told_early);
  g_test_add_func("/player/acknowledges", it_acknowledges);
  g_test_add_func("/player/refusals", refusals);
  g_test_add_func("/player/hostile", a_hostile_server);
  g_test_add_func("/player/own-server", with_our_own_server);
});

}  // namespace player_test
