// SPDX-License-Identifier: LGPL-2.1-or-later
// Drives a client's machine without sockets and without waiting.
#pragma once

#include <glib.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "signaling/client/machine.hpp"

namespace machine {

using namespace agora::client;
namespace protocol = agora::protocol;
using protocol::Code;

// Watches over what the machine may never do.
class Rig {
 public:
  Machine machine;
  Millis now = 1'000'000;
  std::vector<Action> last;

  explicit Rig(std::uint32_t seed = 7) : machine(seed) {}

  Ticket ticket () {
    open_tickets_[++tickets_] = true;
    return tickets_;
  }

  void step (const Happening &happening) {
    last = machine.step(happening, now);
    if (std::holds_alternative<Opened>(happening) && connecting_) {
      connecting_ = false;
      connected_ = true;
    }
    if (std::holds_alternative<OpenFailed>(happening))
      connecting_ = false;
    if (std::holds_alternative<Closed>(happening))
      connected_ = false;
    for (const Action &action : last) {
      if (const auto *finish = std::get_if<Finish>(&action)) {
        g_assert_cmpuint(finish->ticket, !=, 0);
        g_assert_true(open_tickets_[finish->ticket]);  // known, and not finished before
        open_tickets_[finish->ticket] = false;
      } else if (std::holds_alternative<Open>(action)) {
        g_assert_false(connecting_ || connected_);
        connecting_ = true;
      } else if (std::holds_alternative<Send>(action)) {
        g_assert_true(connected_);
      } else if (std::holds_alternative<Close>(action)) {
        connecting_ = connected_ = false;
      }
    }
    Phase phase = machine.phase();
    if (phase == Phase::idle || phase == Phase::failed || phase == Phase::waiting ||
        phase == Phase::pausing)
      g_assert_false(connecting_ || connected_);
    if (phase == Phase::joined || phase == Phase::joining || phase == Phase::rejoining)
      g_assert_true(connected_);
    // A timer that is due already and changes nothing would spin.
    if (std::holds_alternative<Tick>(happening) && machine.next_tick())
      g_assert_cmpint(*machine.next_tick(), >, now);
  }

  void cancelled (Ticket which) { open_tickets_[which] = false; }
  bool is_open (Ticket which) { return open_tickets_[which]; }

  void pass (Millis ms) {
    Millis until = now + ms;
    while (machine.next_tick() && *machine.next_tick() <= until) {
      now = std::max(now, *machine.next_tick());
      step(Tick{});
    }
    now = until;
  }

  template <typename What>
  std::vector<What> all () const {
    std::vector<What> found;
    for (const Action &action : last)
      if (const auto *what = std::get_if<What>(&action))
        found.push_back(*what);
    return found;
  }

  // The last request that was sent, and its id.
  std::int64_t sent_id () const {
    auto sent = all<Send>();
    g_assert_false(sent.empty());
    return sent.back().message.envelope.request_id;
  }

  void answer (std::int64_t id, Code code = Code::ok, const std::string &reason = {},
               std::optional<Uid> uid = {}, std::optional<std::string> url = {}) {
    protocol::Answer answer;
    answer.request_id = id;
    answer.code = code;
    answer.reason = reason;
    answer.uid = uid;
    answer.url = std::move(url);
    step(Received{answer});
  }
  void event (protocol::EventKind kind, Uid uid = 0, const std::string &url = {}) {
    step(Received{protocol::Event{kind, uid, url, 0, true}});
  }

  Ticket join (const std::string &token = {}) {
    Ticket which = ticket();
    step(CallJoin{which, token, "hall", "7", 0, std::nullopt});
    return which;
  }
  Ticket request (protocol::Request what) {
    Ticket which = ticket();
    step(CallRequest{which, std::move(what)});
    return which;
  }

  Ticket current = 0;  // the call that the phase is about

  void bring_to (Phase phase) {
    step(CallInit{ticket(), "app"});
    if (phase == Phase::idle)
      return;
    current = join();
    if (phase == Phase::opening)
      return;
    if (phase == Phase::failed) {
      step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
      return;
    }
    step(Opened{"SID", "815", now});
    if (phase == Phase::joining)
      return;
    answer(sent_id(), Code::ok, {}, 7);
    if (phase == Phase::joined)
      return;
    if (phase == Phase::leaving) {
      current = ticket();
      step(CallLeave{current});
      return;
    }
    step(Closed{"cut"});
    if (phase == Phase::waiting)
      return;
    pass(1'000);
    if (phase == Phase::reopening)
      return;
    step(Opened{"SID2", "", now});
  }

  // With a first try that found nobody.
  void bring_to_again (Phase phase) {
    machine.limits.retry_first_join = true;
    bring_to(Phase::opening);
    step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
    g_assert_cmpuint(all<EmitReconnecting>().size(), ==, 1);
    if (phase == Phase::pausing)
      return;
    pass(2'500);
    if (phase == Phase::opening)
      return;
    step(Opened{"SID2", "", now});
  }

 private:
  std::map<Ticket, bool> open_tickets_;
  Ticket tickets_ = 0;
  bool connecting_ = false;
  bool connected_ = false;
};

}  // namespace machine
