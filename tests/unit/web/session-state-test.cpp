// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/session-state.hpp"

#include <glib.h>

#include "same.hpp"
#include "tests/suite.hpp"

namespace session_state_test {

using namespace agora::gateway;

namespace {

std::string told (const SessionState &state) {
  std::string text;
  for (const auto &[name, data] : state.events())
    text += name + data + ' ';
  return text;
}

void test_what_holds () {
  SessionState state;
  assert_same(told(state), "");
  state.took_place({"joined", R"({"uid":7})"});
  state.took_place({"levels", R"({"9":-20})"});
  state.took_place({"stream-added", R"({"uid":9})"});
  state.took_place({"stream-added", R"({"uid":8})"});
  state.took_place({"mute-audio", R"({"uid":9})"});
  state.took_place({"active", "{}"});
  state.took_place({"silenced", "{}"});
  assert_same(told(state),
              "joined{\"uid\":7} stream-added{\"uid\":8} stream-added{\"uid\":9} "
              "mute-audio{\"uid\":9} active{} silenced{} ");
  state.took_place({"unmute-audio", R"({"uid":9})"});
  state.took_place({"stream-removed", R"({"uid":8})"});
  state.took_place({"unsilenced", "{}"});
  assert_same(told(state), "joined{\"uid\":7} stream-added{\"uid\":9} active{} ");
  state.took_place({"stream-removed", R"({"uid":9})"});
  state.took_place({"inactive", "{}"});
  // None began as inactive (draft-ietf-wish-whep).
  assert_same(told(state), "joined{\"uid\":7} ");
}

// A name comes before its stream, and goes with it.
void test_names () {
  SessionState state;
  state.took_place({"member-named", R"({"uid":9,"name":"Ann"})"});
  state.took_place({"stream-added", R"({"uid":9})"});
  state.took_place({"stream-added", R"({"uid":8})"});
  // Words are forgotten.
  state.took_place({"data", R"({"uid":8,"text":"hello"})"});
  assert_same(told(state),
              "stream-added{\"uid\":8} member-named{\"uid\":9,\"name\":\"Ann\"} "
              "stream-added{\"uid\":9} ");
  state.took_place({"member-named", R"({"uid":9,"name":"Anna"})"});
  state.took_place({"stream-removed", R"({"uid":8})"});
  assert_same(told(state), "member-named{\"uid\":9,\"name\":\"Anna\"} stream-added{\"uid\":9} ");
  state.took_place({"member-named", R"({"uid":9,"name":""})"});
  assert_same(told(state), "stream-added{\"uid\":9} ");
  state.took_place({"member-named", R"({"uid":9,"name":"Anna"})"});
  state.took_place({"stream-removed", R"({"uid":9})"});
  state.took_place({"member-named", R"({"uid":7,"name":""})"});
  assert_same(told(state), "");
}

void test_odd_data () {
  SessionState state;
  for (const char *data : {"", "[]", "{}", R"({"uid":"9"})", R"({"uid":-1})",
                           R"({"uid":4294967296})", R"({"uid":1,"uid":2})", "{\"uid\":9"}) {
    state.took_place({"stream-added", data});
    state.took_place({"mute-audio", data});
    state.took_place({"stream-removed", data});
    state.took_place({"unmute-audio", data});
  }
  assert_same(told(state), "");
}

// By a worker that strangers took over.
void test_long_data () {
  SessionState state;
  const std::string blanks(5000, ' ');
  for (const char *name : {"joined", "stream-added", "mute-audio"})
    state.took_place({name, "{\"uid\":9" + blanks + "}"});
  for (const char *name : {"5", "null", "[]", "{}", "\"Ann\"x"})
    state.took_place({"member-named", std::string("{\"uid\":9,\"name\":") + name + "}"});
  state.took_place({"member-named", "{\"uid\":9,\"name\":\"Ann\"" + blanks + "}"});
  state.took_place({"member-named", R"({"name":"Ann"})"});
  assert_same(told(state), "");
  // The longest that a member can have.
  std::string longest;
  for (int i = 0; i < 64; i++)
    longest += "\xf0\x9f\x8e\x99";
  state.took_place({"member-named", "{\"uid\":4294967295,\"name\":\"" + longest + "\"}"});
  g_assert_cmpuint(state.events().size(), ==, 1);
  state.took_place({"stream-removed", R"({"uid":4294967295})"});
  for (const char *name : {"active", "silenced", "reconnecting"})
    state.took_place({name, "{\"cause\":\"" + blanks + "\"}"});
  assert_same(told(state), "active{} reconnecting{} silenced{} ");
}

void test_bounded () {
  SessionState state;
  for (unsigned uid = 1; uid <= 3 * SessionState::most_speakers; uid++)
    state.took_place({"stream-added", "{\"uid\":" + std::to_string(uid) + "}"});
  g_assert_cmpuint(state.events().size(), ==, SessionState::most_speakers);
  for (unsigned uid = 2 * SessionState::most_speakers; uid <= 9000; uid++)
    state.took_place({"member-named", "{\"uid\":" + std::to_string(uid) + ",\"name\":\"n\"}"});
  g_assert_cmpuint(state.events().size(), ==, SessionState::most_speakers);
  // Whoever is known goes, and makes room.
  state.took_place({"stream-removed", R"({"uid":1})"});
  state.took_place({"stream-added", R"({"uid":4000000000})"});
  g_assert_cmpuint(state.events().size(), ==, SessionState::most_speakers);
  assert_same(state.events().back().data, R"({"uid":4000000000})");
}

}  // namespace

static const agora::Suite suite("session-state", [] {
  g_test_add_func("/web/session-state/what-holds", test_what_holds);
  g_test_add_func("/web/session-state/names", test_names);
  g_test_add_func("/web/session-state/odd-data", test_odd_data);
  g_test_add_func("/web/session-state/bounded", test_bounded);
  g_test_add_func("/web/session-state/long-data", test_long_data);
});

}  // namespace session_state_test
