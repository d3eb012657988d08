// SPDX-License-Identifier: LGPL-2.1-or-later
// The client's machine: each of its states meets each event.
#include <cstring>
#include <functional>
#include <random>

#include "tests/unit/client/machine-rig.hpp"

using namespace machine;

namespace {

constexpr Phase phases[] = {Phase::idle,      Phase::opening, Phase::joining,
                            Phase::joined,    Phase::waiting, Phase::reopening,
                            Phase::rejoining, Phase::leaving, Phase::failed};
// One letter a phase, in the order above.
constexpr std::string_view letters = "iojdwrxlf";

struct Row {
  const char *name;
  std::function<void(Rig &)> happen;
  std::string_view next;  // one letter for each of the phases
};

const Row rows[] = {
    {"init",
     [] (Rig &r) {
       r.step(CallInit{r.ticket(), "other"});
     },
     "iojdwrxlf"},
    {"init, bad",
     [] (Rig &r) {
       r.step(CallInit{r.ticket(), "null"});
     },
     "iojdwrxlf"},
    {"join", [] (Rig &r) { r.join(); }, "oojdwrxlo"},
    {"join, bad",
     [] (Rig &r) {
       r.step(CallJoin{r.ticket(), "", "", "7", 0, std::nullopt});
     },
     "iojdwrxlf"},
    {"publish", [] (Rig &r) { r.request(protocol::Publish{}); }, "iojdwrxlf"},
    {"set role", [] (Rig &r) { r.request(protocol::SetRole{}); }, "iojdwrxlf"},
    {"leave", [] (Rig &r) { r.step(CallLeave{r.ticket()}); }, "iiiliiili"},
    {"destroy", [] (Rig &r) { r.step(Destroy{}); }, "iiiiiiiii"},
    {"cancel",
     [] (Rig &r) {
       if (r.is_open(r.current)) {
         r.cancelled(r.current);
         r.step(Cancel{r.current});
       }
     },
     "iiidwrxif"},
    {"opened",
     [] (Rig &r) {
       r.step(Opened{"S", "", r.now});
     },
     "ijjdwxxlf"},
    {"not opened",
     [] (Rig &r) {
       if (r.machine.phase() == Phase::opening || r.machine.phase() == Phase::reopening)
         r.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
     },
     "ifjdwwxlf"},
    {"not opened, final",
     [] (Rig &r) {
       if (r.machine.phase() == Phase::opening || r.machine.phase() == Phase::reopening)
         r.step(OpenFailed{{AGORA_ERROR_INVALID_APP, "no such app"}});
     },
     "ifjdwfxlf"},
    {"pong", [] (Rig &r) { r.step(Received{protocol::Pong{4}}); }, "iojdwrxlf"},
    {"join answered", [] (Rig &r) { r.answer(3, Code::ok, {}, 7); }, "ioddwrdlf"},
    {"join answered without a uid", [] (Rig &r) { r.answer(3); }, "iofdwrwlf"},
    {"join refused for good", [] (Rig &r) { r.answer(3, Code::token_invalid, "no"); }, "iofdwrflf"},
    {"join refused for now", [] (Rig &r) { r.answer(3, Code::overloaded, "later"); }, "iofdwrwlf"},
    {"an answer to nothing", [] (Rig &r) { r.answer(999); }, "iojdwrxlf"},
    {"the answer is garbled",
     [] (Rig &r) {
       r.step(Garbled{{Code::bad_request, "url: expected a text", 3, false}});
     },
     "iofdwrwlf"},
    {"a binary frame",
     [] (Rig &r) {
       r.step(Garbled{{Code::bad_request, "binary", 0, false}});
     },
     "iojdwrxlf"},
    {"service lost",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::service_lost, "gone"}});
     },
     "iofwwrwlf"},
    {"drain",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::drain, "bye"}});
     },
     "iofwwrwlf"},
    {"too many",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::too_many, "slow"}});
     },
     "iojdwrxlf"},
    {"replaced",
     [] (Rig &r) {
       r.step(Received{protocol::ErrorEvent{Code::bad_role_or_uid, "replaced by another device"}});
     },
     "ioffwrflf"},
    {"stream added", [] (Rig &r) { r.event(protocol::EventKind::stream_added, 8); }, "iojdwrxlf"},
    {"banned", [] (Rig &r) { r.event(protocol::EventKind::banned); }, "iojfwrxlf"},
    {"key expired", [] (Rig &r) { r.event(protocol::EventKind::key_expired); }, "iojfwrxlf"},
    {"closed",
     [] (Rig &r) {
       Phase phase = r.machine.phase();
       if (phase != Phase::idle && phase != Phase::failed && phase != Phase::waiting)
         r.step(Closed{"cut"});
     },
     "iffwwwwif"},
    {"time",
     [] (Rig &r) {
       if (auto next = r.machine.next_tick()) {
         r.now = *next;
         r.step(Tick{});
       }
     },
     "iofdrfwif"},
};

void every_phase_meets_everything () {
  for (const Row &row : rows) {
    for (std::size_t i = 0; i < std::size(phases); ++i) {
      Rig rig;
      rig.bring_to(phases[i]);
      g_assert_true(rig.machine.phase() == phases[i]);
      row.happen(rig);
      char next = letters[static_cast<std::size_t>(rig.machine.phase())];
      if (next != row.next[i])
        g_error("%s in phase %c: went to %c, expected %c", row.name, letters[i], next, row.next[i]);
      // Whatever happened, all calls end.
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
    rig.machine.limits.reconnect = seed % 3 == 0 ? 20'000 : 1'200'000;
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

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/client-machine/every-phase-meets-everything", every_phase_meets_everything);
  g_test_add_func("/client-machine/any-order", any_order);
  return g_test_run();
}
