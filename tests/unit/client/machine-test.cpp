// SPDX-License-Identifier: LGPL-2.1-or-later
// The client's machine: each of its states meets each event.
#include <cstring>
#include <functional>
#include <random>

#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace machine_test {

using namespace machine;

namespace {

constexpr Phase phases[] = {Phase::idle,      Phase::opening, Phase::joining,
                            Phase::joined,    Phase::waiting, Phase::reopening,
                            Phase::rejoining, Phase::leaving, Phase::failed};
// One letter a phase, in the order above.
constexpr std::string_view letters = "iojdwrxlf";
// Where a first join is being tried again.
constexpr Phase again[] = {Phase::opening, Phase::joining, Phase::pausing};
constexpr std::string_view again_letters = "ojp";

char letter_of (Phase phase) {
  if (phase == Phase::pausing)
    return 'p';
  return letters[static_cast<std::size_t>(std::find(std::begin(phases), std::end(phases), phase) -
                                          std::begin(phases))];
}

struct Row {
  const char *name;
  std::function<void(Rig &)> happen;
  std::string_view next;        // one letter for each of the phases
  std::string_view next_again;  // and for each of a first join that is being tried again
};

const Row rows[] = {
    {"init",
     [] (Rig &r) {
       r.step(CallInit{r.ticket(), "other"});
     },
     "iojdwrxlf", "ojp"},
    {"init, bad",
     [] (Rig &r) {
       r.step(CallInit{r.ticket(), "null"});
     },
     "iojdwrxlf", "ojp"},
    {"join", [] (Rig &r) { r.join(); }, "oojdwrxlo", "ojp"},
    {"join, bad",
     [] (Rig &r) {
       r.step(CallJoin{r.ticket(), "", "", "7", 0, std::nullopt});
     },
     "iojdwrxlf", "ojp"},
    {"publish", [] (Rig &r) { r.request(protocol::Publish{}); }, "iojdwrxlf", "ojp"},
    {"set role", [] (Rig &r) { r.request(protocol::SetRole{}); }, "iojdwrxlf", "ojp"},
    {"leave", [] (Rig &r) { r.step(CallLeave{r.ticket()}); }, "iiiliiili", "iii"},
    {"report",
     [] (Rig &r) {
       r.step(CallReport{{protocol::SentReport{}, {}}});
     },
     "iojdwrxlf", "ojp"},
    {"destroy", [] (Rig &r) { r.step(Destroy{}); }, "iiiiiiiii", "iii"},
    {"cancel",
     [] (Rig &r) {
       if (r.is_open(r.current)) {
         r.cancelled(r.current);
         r.step(Cancel{r.current});
       }
     },
     "iiidwrxif", "iii"},
    {"opened",
     [] (Rig &r) {
       r.step(Opened{"S", "", r.now});
     },
     "ijjdwxxlf", "jjp"},
    {"not opened",
     [] (Rig &r) {
       if (r.machine.phase() == Phase::opening || r.machine.phase() == Phase::reopening)
         r.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
     },
     "ifjdwwxlf", "pjp"},
    {"not opened, final",
     [] (Rig &r) {
       if (r.machine.phase() == Phase::opening || r.machine.phase() == Phase::reopening)
         r.step(OpenFailed{{AGORA_ERROR_INVALID_APP, "no such app"}});
     },
     "ifjdwfxlf", "fjp"},
    {"pong", [] (Rig &r) { r.step(Received{protocol::Pong{4}}); }, "iojdwrxlf", "ojp"},
    {"join answered", [] (Rig &r) { r.answer(3, Code::ok, {}, 7); }, "ioddwrdlf", "odp"},
    {"join answered without a uid", [] (Rig &r) { r.answer(3); }, "iofdwrwlf", "opp"},
    {"join refused for good", [] (Rig &r) { r.answer(3, Code::token_invalid, "no"); }, "iofdwrflf",
     "ofp"},
    {"join refused for now", [] (Rig &r) { r.answer(3, Code::overloaded, "later"); }, "iofdwrwlf",
     "opp"},
    {"an answer to nothing", [] (Rig &r) { r.answer(999); }, "iojdwrxlf", "ojp"},
    {"the answer is garbled",
     [] (Rig &r) {
       r.step(Garbled{{Code::bad_request, "url: expected a text", 3, false}});
     },
     "iofdwrwlf", "opp"},
    {"a binary frame",
     [] (Rig &r) {
       r.step(Garbled{{Code::bad_request, "binary", 0, false}});
     },
     "iojdwrxlf", "ojp"},
    {"service lost",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::service_lost, "gone"}});
     },
     "iofwwrwlf", "opp"},
    {"drain",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::drain, "bye"}});
     },
     "iofwwrwlf", "opp"},
    {"too many",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::too_many, "slow"}});
     },
     "iojdwrxlf", "ojp"},
    {"replaced",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::bad_role_or_uid, "replaced by another device"}});
     },
     "ioffwrflf", "ofp"},
    {"stream added", [] (Rig &r) { r.event(protocol::EventKind::stream_added, 8); }, "iojdwrxlf",
     "ojp"},
    {"banned", [] (Rig &r) { r.event(protocol::EventKind::banned); }, "iojfwrxlf", "ojp"},
    {"key expired", [] (Rig &r) { r.event(protocol::EventKind::key_expired); }, "iojfwrxlf", "ojp"},
    {"closed",
     [] (Rig &r) {
       Phase phase = r.machine.phase();
       if (phase != Phase::idle && phase != Phase::failed && phase != Phase::waiting)
         r.step(Closed{"cut"});
     },
     "iffwwwwif", "ppp"},
    {"time",
     [] (Rig &r) {
       if (auto next = r.machine.next_tick()) {
         r.now = *next;
         r.step(Tick{});
       }
     },
     "iofdrfwif", "fpo"},
};

void every_phase_meets_everything () {
  for (const Row &row : rows) {
    for (std::size_t i = 0; i < std::size(phases); ++i) {
      Rig rig;
      rig.bring_to(phases[i]);
      g_assert_true(rig.machine.phase() == phases[i]);
      row.happen(rig);
      char next = letter_of(rig.machine.phase());
      if (next != row.next[i])
        g_error("%s in phase %c: went to %c, expected %c", row.name, letters[i], next, row.next[i]);
      // Whatever happened, all calls end.
      rig.step(Destroy{});
      for (Ticket ticket = 1; ticket <= 10; ++ticket)
        g_assert_false(rig.is_open(ticket));
    }
  }
}

void a_first_join_that_is_tried_again_meets_everything () {
  for (const Row &row : rows) {
    for (std::size_t i = 0; i < std::size(again); ++i) {
      Rig rig;
      rig.bring_to_again(again[i]);
      g_assert_true(rig.machine.phase() == again[i]);
      g_assert_true(rig.machine.is_retrying());
      rig.last.clear();
      row.happen(rig);
      const char next = letter_of(rig.machine.phase());
      if (next != row.next_again[i])
        g_error("%s in phase %c, again: went to %c, expected %c", row.name, again_letters[i], next,
                row.next_again[i]);
      // The application has been told once that it is being tried again.
      g_assert_true(rig.all<EmitReconnecting>().empty());
      g_assert_cmpuint(rig.all<EmitReconnected>().size(), ==, next == 'd' ? 1 : 0);
      rig.step(Destroy{});
      for (Ticket ticket = 1; ticket <= 10; ++ticket)
        g_assert_false(rig.is_open(ticket));
    }
  }
}

void any_order () {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    Rig rig(seed);
    std::mt19937 random(seed);
    constexpr Millis limits[] = {20'000, 1'200'000, -1};
    rig.machine.limits.reconnect = limits[seed % 3];
    rig.machine.limits.retry_first_join = seed % 2 == 0;
    rig.step(CallInit{rig.ticket(), "app"});
    for (int i = 0; i < 200; ++i) {
      rig.now += random() % 2000;
      Phase phase = rig.machine.phase();
      if (random() % 3 == 0 && (phase == Phase::opening || phase == Phase::reopening))
        rig.step(Opened{"S", "", rig.now});
      else if (random() % 3 == 0 && rig.machine.next_tick())
        rig.pass(std::max<Millis>(0, *rig.machine.next_tick() - rig.now));
      else
        rows[random() % std::size(rows)].happen(rig);
    }
  }
}

bool publishes (const Rig &rig) {
  const auto sent = rig.all<Send>();
  return std::any_of(sent.begin(), sent.end(), [] (const Send &send) {
    return std::holds_alternative<protocol::Publish>(send.message.request);
  });
}

std::int64_t id_of_publish (const Rig &rig) {
  std::int64_t id = 0;
  for (const Send &send : rig.all<Send>())
    if (std::holds_alternative<protocol::Publish>(send.message.request))
      id = send.message.envelope.request_id;
  g_assert_cmpint(id, !=, 0);
  return id;
}

// Asked for by nobody but the machine, and refused for the moment: it is what the member has.
void what_is_made_again_is_tried_again () {
  for (const bool busy : {false, true}) {
    Rig rig;
    rig.bring_to(Phase::joined);
    rig.request(protocol::SetRole{protocol::Role::broadcaster});
    rig.answer(rig.sent_id());
    rig.request(protocol::Publish{});
    rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/one");
    rig.step(Closed{"cut"});
    rig.pass(1'000);
    rig.step(Opened{"S2", "", rig.now});
    rig.answer(rig.sent_id(), Code::ok, {}, 7);
    // Thrice without an answer, or with one that says to come later.
    for (int i = 0; i < 3; i++) {
      const std::int64_t id = id_of_publish(rig);
      if (busy)
        rig.answer(id, Code::too_many, "slow down");
      const Millis from = rig.now;
      for (bool again = false; !again;) {
        rig.step(Received{protocol::Pong{rig.now}});
        g_assert_true(rig.all<EmitError>().empty());
        rig.now = *rig.machine.next_tick();
        rig.step(Tick{});
        g_assert_true(rig.all<EmitError>().empty());
        again = publishes(rig);
      }
      g_assert_cmpint(rig.now - from, >=, 200);
      g_assert_cmpint(rig.now - from, <=, busy ? 2'000 : 12'000);
    }
    rig.answer(id_of_publish(rig), Code::ok, {}, {}, "rtmp://h/two");
    g_assert_true(rig.all<Emit>().at(0).event.url == "rtmp://h/two");
    // Nor is what was given up meanwhile.
    rig.step(Closed{"cut"});
    rig.pass(1'000);
    rig.step(Opened{"S3", "", rig.now});
    rig.answer(rig.sent_id(), Code::ok, {}, 7);
    g_assert_true(publishes(rig));
    rig.answer(id_of_publish(rig), Code::too_many, "slow down");
    rig.request(protocol::Unpublish{});
    rig.answer(rig.sent_id());
    for (const Millis end = rig.now + 5'000; rig.now < end;) {
      rig.step(Received{protocol::Pong{rig.now}});
      rig.now = *rig.machine.next_tick();
      rig.step(Tick{});
      g_assert_false(publishes(rig));
    }
  }
}

}  // namespace

static const agora::Suite suite("machine", [] {
  g_test_add_func("/client-machine/every-phase-meets-everything", every_phase_meets_everything);
  g_test_add_func("/client-machine/first-join-again-meets-everything",
                  a_first_join_that_is_tried_again_meets_everything);
  g_test_add_func("/client-machine/any-order", any_order);
  g_test_add_func("/client-machine/tried-again", what_is_made_again_is_tried_again);
});

}  // namespace machine_test
