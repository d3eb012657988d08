// SPDX-License-Identifier: LGPL-2.1-or-later
// What strangers send to bring a server down, or to fill its memory.
#include "rtmp-scene.hpp"
#include "tests/suite.hpp"

namespace server_session_attack_test {

using namespace agora::relay::rtmp;

namespace {

// Beside what the allocator adds.
constexpr std::size_t kIdleBytes = 1024;

std::string nested (std::size_t size) {
  std::string bytes;
  while (bytes.size() < size)
    bytes += unhex("03 0001 61");
  return bytes;
}

std::string message (Type type, std::uint32_t stream, const std::string &payload) {
  std::string out;
  append_message(out, type, stream, 0, as_bytes(payload), 128);
  return out;
}

// After the handshake, 37 bytes of metadata before connect.
void metadata_before_connect () {
  for (const char *words :
       {"0/18: 'onMetaData' {a=1}", "0/18: '@setDataFrame' 'onMetaData' {}", "1/18: 'onMetaData'",
        "0/15 hex: 00 02000a6f6e4d65746144617461 05", "0/18 hex:", "1/8 hex: af00", "1/9 hex: 17",
        "0/22 hex:", "0/16 hex:", "0: '@setDataFrame' 0 'onMetaData'", "0: publish 1 null 'one'",
        "0: play 1 null 'one'", "0: deleteStream 1 null 1"}) {
    Scene scene;
    scene.shake();
    g_assert_false(scene.say(words));
    g_assert_true(scene.events().starts_with("broken: "));
    assert_same(scene.answers(), "");
    g_assert_false(scene.send("more"));
    assert_same(scene.events(), "broken: " + scene.session.reason() + "\n");
  }
}

// Objects thousands deep. 250 KB are refused at their header; less is read to a depth of 8.
void nested_objects () {
  const std::string names[] = {unhex("020007 636f6e6e656374 00 3ff0000000000000"),
                               unhex("020004 6e616d65 00 3ff0000000000000")};
  for (const std::string &name : names) {
    for (std::size_t size : {std::size_t{100}, std::size_t{16'000}, std::size_t{250'000}}) {
      for (Type type : {Type::command, Type::command_amf3}) {
        Scene scene;
        if (name == names[0])
          scene.shake();
        else
          scene.connect();
        const std::string bytes = message(type, 0, name + nested(size));
        g_assert_false(scene.send(bytes, 1000));
        const std::string reason = scene.session.reason();
        if (size > 16'384)
          assert_same(reason, "a message is longer than allowed");
        else
          g_assert_true(reason.find("nested too deep") != std::string::npos);
      }
    }
  }
  // As metadata of an accepted push: left out, and the push goes on.
  for (std::size_t size : {std::size_t{100}, std::size_t{60'000}}) {
    Scene scene;
    scene.create();
    scene.say("1: publish 3 null 'one'");
    scene.events();
    g_assert_true(scene.send(message(Type::data, 1, unhex("020004 6e616d65") + nested(size))));
    g_assert_true(scene.say("1/8 hex: af01"));
    assert_same(scene.events(), "media 1/8@0: af01\n");
  }
}

// A long message that doesn't come, from a stranger: nothing is reserved.
void long_message_that_does_not_come () {
  {
    Scene scene;
    scene.shake();
    g_assert_false(scene.send(unhex("03 000000 ffffff 14 00000000")));
    assert_same(scene.session.reason(), "a message is longer than allowed");
  }
  Scene scene;
  scene.shake();
  const std::size_t before = scene.session.held_memory();
  g_assert_true(scene.send(unhex("03 000000 004000 14 00000000 61")));
  g_assert_cmpuint(scene.session.held_memory(), <=, before + 128);
  // On each chunk stream that there can be.
  g_assert_true(scene.send(unhex("61*127")));
  const Limits limits;
  for (unsigned i = 1; i < limits.chunk_streams; ++i) {
    std::string bytes(1, static_cast<char>(3 + i));
    g_assert_true(scene.send(bytes + unhex("000000 004000 14 00000000 61*128")));
  }
  g_assert_cmpuint(scene.session.held_memory(), <, 16'384);
  // And as much as may come: what is unfinished has one bound in all.
  bool good = true;
  std::size_t sent = 0;
  while (good) {
    for (unsigned i = 1; good && i < limits.chunk_streams; ++i) {
      good = scene.send(std::string(1, static_cast<char>(0xc0 | (3 + i))) + std::string(128, 'a'));
      sent += 128;
    }
    g_assert_cmpuint(sent, <, 100'000);
  }
  assert_same(scene.session.reason(), "too many bytes of unfinished messages");
  g_assert_cmpuint(scene.session.held_memory(), <, 2 * limits.unfinished_bytes + 8192);
}

void handshake_that_does_not_end () {
  Scene scene;
  g_assert_true(scene.send("\3"));
  g_assert_cmpuint(scene.session.held_memory(), <, kIdleBytes);
  const std::string hello = Scene::hello();
  g_assert_true(scene.send(std::string_view(hello).substr(1, 1536)));
  scene.session.take_output();
  g_assert_cmpuint(scene.session.held_memory(), <, kIdleBytes);
}

// Thousands of listeners wait for a push.
void idle_listener () {
  Scene scene;
  scene.create();
  scene.say("1: play 3 null '0123456789abcdef0123456789abcdef?token=x'");
  scene.answers();
  g_test_message("%zu bytes", scene.session.held_memory());
  g_assert_cmpuint(scene.session.held_memory(), <, kIdleBytes);
}

// More to be said in answer than a peer takes.
void floods () {
  for (const char *words :
       {"0/4 hex: 0006 00000000", "0: someCall 1 null", "0: createStream 1 null",
        "0: FCPublish 1 null 'one'", "0: getStreamLength 1 null"}) {
    std::string bytes;
    while (bytes.size() < 400'000)
      bytes += words_to_bytes(words, 128);
    Scene scene;
    scene.connect();
    g_assert_false(scene.send(bytes, bytes.size()));
    assert_same(scene.session.reason(), "asks for more answers than it takes");
    // A peer that takes its answers may go on.
    Scene other;
    other.connect();
    g_assert_true(other.send(bytes, 4096));
    other.answers();
    g_assert_cmpuint(other.session.held_memory(), <, 2 * kIdleBytes);
  }
}

// Streams made and deleted without end.
void churn () {
  Scene scene;
  scene.connect();
  for (unsigned id = 1; id < 5000; ++id) {
    g_assert_true(scene.say("0: createStream 1 null"));
    const std::string number = std::to_string(id);
    g_assert_true(scene.say(number + ": publish 0 null 'one'"));
    g_assert_true(scene.say(number + "/8 hex: af01"));
    const std::string events = scene.events();
    g_assert_true(events.starts_with("publish " + number + " live one \n"));
    g_assert_true(events.ends_with("\nmedia " + number + "/8@0: af01\n"));
    g_assert_true(scene.say("0: deleteStream 0 null " + number));
    assert_same(scene.events(), "closed " + number + "\n");
    scene.answers();
  }
  g_assert_cmpuint(scene.session.held_memory(), <, 4 * kIdleBytes);
}

}  // namespace

static const agora::Suite suite("server-session-attack", [] {
  g_test_add_func("/relay/attack/metadata-before-connect", metadata_before_connect);
  g_test_add_func("/relay/attack/nested-objects", nested_objects);
  g_test_add_func("/relay/attack/long-message-that-does-not-come", long_message_that_does_not_come);
  g_test_add_func("/relay/attack/handshake-that-does-not-end", handshake_that_does_not_end);
  g_test_add_func("/relay/attack/idle-listener", idle_listener);
  g_test_add_func("/relay/attack/floods", floods);
  g_test_add_func("/relay/attack/churn", churn);
});

}  // namespace server_session_attack_test
