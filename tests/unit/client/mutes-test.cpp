// SPDX-License-Identifier: LGPL-2.1-or-later
// What the application hears of mutes that began or ended while the client was away.
#include <string>
#include <vector>

#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace mutes_test {

using namespace machine;

namespace {

// What the gateway tells right after its answer to a rejoin, and what the application hears of it:
// "-8" is muted, "+8" is no longer; of its picture: "-v8", "+v8".
std::string heard_after_a_rejoin (const std::vector<protocol::Event> &events, bool early) {
  using protocol::EventKind;
  Rig rig;
  rig.bring_to(Phase::joined);
  for (Uid uid : {8u, 9u, 10u})
    rig.event(EventKind::stream_added, uid);
  rig.event(EventKind::audio_mute, 8);
  rig.event(EventKind::audio_mute, 9);
  rig.event(EventKind::video_mute, 9);
  // What the application hears of somebody who isn't there yet, it hears again with the stream.
  rig.event(EventKind::audio_mute, 11);
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"SID2", "", rig.now});

  std::string heard;
  std::vector<std::int64_t> pings;
  const auto note = [&] {
    for (const Emit &emit : rig.all<Emit>()) {
      const bool is_audio = emit.event.kind == EventKind::audio_mute;
      if (is_audio || emit.event.kind == EventKind::video_mute)
        heard += (heard.empty() ? "" : " ") + std::string(emit.event.mute ? "-" : "+") +
                 (is_audio ? "" : "v") + std::to_string(emit.event.uid);
    }
    for (const Send &send : rig.all<Send>())
      if (std::holds_alternative<protocol::Ping>(send.message.request))
        pings.push_back(send.message.envelope.request_id);
  };
  const auto tell = [&] {
    for (const protocol::Event &event : events) {
      rig.step(Received{event});
      note();
    }
  };
  if (early)
    tell();
  rig.answer(3, Code::ok, {}, 7);
  note();
  if (!early)
    tell();
  // Nothing is left open until a request happens to be answered.
  for (const std::int64_t id : pings) {
    rig.step(Received{protocol::Pong{id}});
    note();
  }
  const std::string at_once = heard;
  rig.event(EventKind::video_rotation, 10);
  note();
  g_assert_true(heard == at_once);
  return heard;
}

void mutes_of_meanwhile_are_told () {
  using protocol::Event;
  using protocol::EventKind;
  const auto added = [] (Uid uid) { return Event{EventKind::stream_added, uid}; };
  const auto removed = [] (Uid uid) { return Event{EventKind::stream_removed, uid}; };
  const auto audio = [] (Uid uid, bool mute) {
    return Event{EventKind::audio_mute, uid, {}, 0, mute};
  };
  const auto video = [] (Uid uid, bool mute) {
    return Event{EventKind::video_mute, uid, {}, 0, mute};
  };
  const struct {
    std::vector<Event> told;
    const char *heard;
  } rows[] = {
      // As it was.
      {{added(8), audio(8, true), added(9), audio(9, true), video(9, true), added(10)}, ""},
      // All have spoken again meanwhile, or one of them.
      {{added(8), added(9), added(10)}, "+8 +9 +v9"},
      {{added(10), added(9), added(8)}, "+9 +v9 +8"},
      {{added(8), added(9), video(9, true), added(10)}, "+8 +9"},
      {{added(9), audio(9, true), added(10), added(8), audio(8, true)}, "+v9"},
      // The gateway may say so itself.
      {{added(8), audio(8, false), added(9), audio(9, true), video(9, false), added(10)}, "+8 +v9"},
      // One more has gone silent.
      {{added(8), audio(8, true), added(9), audio(9, true), video(9, true), added(10),
        audio(10, true)},
       "-10"},
      // Another stream than the one that was muted: it isn't, unless that follows.
      {{removed(8), added(8), added(9), audio(9, true), video(9, true)}, ""},
      {{removed(8), added(8), audio(8, true), added(9), audio(9, true), video(9, true)}, "-8"},
      {{added(10), removed(8), removed(9)}, ""},
  };
  for (const auto &row : rows)
    for (const bool early : {false, true}) {
      const std::string heard = heard_after_a_rejoin(row.told, early);
      g_assert_cmpstr(heard.c_str(), ==, row.heard);
    }
}

// A client that is cut off again before it was told all knows as little as before.
void a_doubt_ends_with_its_connection () {
  using protocol::EventKind;
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.event(EventKind::stream_added, 8);
  rig.event(EventKind::audio_mute, 8);
  for (int i = 0; i < 2; i++) {
    rig.step(Closed{"cut"});
    rig.pass(1'000);
    rig.step(Opened{"SID2", "", rig.now});
    rig.answer(3, Code::ok, {}, 7);
    rig.event(EventKind::stream_added, 8);
    g_assert_true(rig.all<Emit>().empty());
  }
  rig.event(EventKind::stream_added, 9);
  const auto emitted = rig.all<Emit>();
  g_assert_cmpuint(emitted.size(), ==, 2);
  g_assert_true(emitted.at(0).event == (protocol::Event{EventKind::audio_mute, 8, {}, 0, false}));
  g_assert_cmpuint(emitted.at(1).event.uid, ==, 9);
}

}  // namespace

static const agora::Suite suite("mutes", [] {
  g_test_add_func("/client-mutes/of-meanwhile", mutes_of_meanwhile_are_told);
  g_test_add_func("/client-mutes/doubt", a_doubt_ends_with_its_connection);
});

}  // namespace mutes_test
