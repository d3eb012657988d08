// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client-machine.hpp"

#include <glib.h>

#include <cstring>
#include <functional>
#include <random>

using namespace agora::client;
namespace protocol = agora::protocol;
using protocol::Code;

namespace {

// Drives a machine, and watches over what it may never do.
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
    if (phase == Phase::idle || phase == Phase::failed || phase == Phase::waiting)
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

 private:
  std::map<Ticket, bool> open_tickets_;
  Ticket tickets_ = 0;
  bool connecting_ = false;
  bool connected_ = false;
};

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

void envelopes_count () {
  Rig rig;
  rig.bring_to(Phase::opening);
  rig.step(Opened{"SID", "815", rig.now});
  auto sent = rig.all<Send>().at(0).message;
  g_assert_cmpint(sent.envelope.seq, ==, 2);
  g_assert_cmpint(sent.envelope.request_id, ==, 3);
  g_assert_true(sent.envelope.sid == "SID");
  g_assert_true(sent.envelope.sdk_version == "1.1.0");
  const auto &join = std::get<protocol::Join>(sent.request);
  g_assert_true(join.token == "app");
  g_assert_true(join.vid == "815");
  g_assert_false(join.known_speakers.has_value());
  rig.answer(3, Code::ok, {}, 7);
  rig.now += 3'000;
  rig.step(Tick{});
  sent = rig.all<Send>().at(0).message;
  g_assert_true(std::holds_alternative<protocol::Ping>(sent.request));
  g_assert_cmpint(sent.envelope.request_id, ==, 4);
  rig.step(Received{protocol::Pong{4}});
  rig.request(protocol::Publish{});
  sent = rig.all<Send>().at(0).message;
  g_assert_cmpint(sent.envelope.seq, ==, 3);
  g_assert_cmpint(sent.envelope.request_id, ==, 5);
  g_assert_cmpint(std::get<protocol::Publish>(sent.request).uid, ==, 7);
}

void accounts_keep_their_text () {
  Rig rig;
  rig.bring_to(Phase::idle);
  rig.step(CallJoin{rig.ticket(), "", "hall", "carol", 1, std::nullopt});
  g_assert_true(rig.all<Open>().at(0).uid == "carol");
  rig.step(Opened{"S", "", rig.now});
  rig.answer(3, Code::ok, {}, 900001);
  g_assert_cmpuint(rig.machine.uid(), ==, 900001);
  rig.step(CallLeave{rig.ticket()});
  auto sent = rig.all<Send>().at(0).message;
  g_assert_true(sent.envelope.uid == "carol");
  g_assert_cmpuint(std::get<protocol::Leave>(sent.request).uid, ==, 900001);
}

void an_assigned_uid_is_kept () {
  Rig rig;
  rig.bring_to(Phase::idle);
  rig.step(CallJoin{rig.ticket(), "", "hall", "0", 0, std::nullopt});
  rig.step(Opened{"S", "", rig.now});
  rig.answer(3, Code::ok, {}, 4711);
  g_assert_cmpuint(rig.all<Finish>().at(0).uid, ==, 4711);
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  auto sent = rig.all<Send>().at(0).message;
  g_assert_true(std::get<protocol::Join>(sent.request).uid == "4711");
  g_assert_true(std::get<protocol::Join>(sent.request).known_speakers.has_value());
  g_assert_cmpint(sent.envelope.request_id, ==, 3);
}

void early_events_wait_for_join () {
  Rig rig;
  rig.bring_to(Phase::joining);
  rig.event(protocol::EventKind::stream_added, 8);
  rig.event(protocol::EventKind::stream_added, 9);
  g_assert_true(rig.all<Emit>().empty());
  rig.answer(3, Code::ok, {}, 7);
  g_assert_true(std::holds_alternative<Finish>(rig.last.at(0)));
  auto emitted = rig.all<Emit>();
  g_assert_cmpuint(emitted.size(), ==, 2);
  g_assert_cmpuint(emitted[0].event.uid, ==, 8);
  g_assert_cmpuint(emitted[1].event.uid, ==, 9);
  // Once is enough, and never oneself.
  rig.event(protocol::EventKind::stream_added, 8);
  g_assert_true(rig.all<Emit>().empty());
  rig.event(protocol::EventKind::stream_added, 7);
  g_assert_true(rig.all<Emit>().empty());
  rig.event(protocol::EventKind::stream_removed, 8);
  g_assert_cmpuint(rig.all<Emit>().size(), ==, 1);
  rig.event(protocol::EventKind::stream_removed, 8);
  g_assert_true(rig.all<Emit>().empty());
}

void known_speakers_are_accounted_for () {
  Rig rig;
  rig.bring_to(Phase::idle);
  rig.step(CallJoin{rig.ticket(), "", "hall", "7", 0, std::vector<Uid>{8, 9}});
  rig.step(Opened{"S", "", rig.now});
  g_assert_true(std::get<protocol::Join>(rig.all<Send>().at(0).message.request).known_speakers ==
                (std::vector<Uid>{8, 9}));
  rig.answer(3, Code::ok, {}, 7);
  rig.event(protocol::EventKind::stream_added, 8);
  g_assert_cmpuint(rig.all<Emit>().size(), ==, 1);
  rig.event(protocol::EventKind::stream_removed, 9);
  g_assert_cmpuint(rig.all<Emit>().size(), ==, 1);
}

void requests_end_in_time () {
  Rig rig;
  rig.bring_to(Phase::joined);
  Ticket late = rig.request(protocol::Publish{});
  std::int64_t id = rig.sent_id();
  for (int i = 0; i < 3; ++i) {
    rig.pass(3'000);
    rig.step(Received{protocol::Pong{1}});
  }
  g_assert_true(rig.is_open(late));
  rig.now += 1'000;
  rig.step(Tick{});
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_TIMEOUT);
  rig.answer(id, Code::ok, {}, {}, "rtmp://late");
  g_assert_true(rig.all<Finish>().empty());
}

void silence_is_loss () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.pass(9'999);
  g_assert_true(rig.machine.phase() == Phase::joined);
  rig.pass(1);
  g_assert_true(rig.machine.phase() == Phase::waiting);
  g_assert_true(rig.all<EmitReconnecting>().at(0).cause.code == AGORA_ERROR_SOCKET_GONE);
}

void tries_grow_apart () {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    Rig rig(seed);
    rig.bring_to(Phase::joined);
    rig.step(Closed{"cut"});
    Millis lost = rig.now;
    Millis most = 1'000;
    Millis pause = *rig.machine.next_tick() - rig.now;
    g_assert_cmpint(pause, ==, 1'000);
    while (rig.machine.phase() == Phase::waiting) {
      pause = *rig.machine.next_tick() - rig.now;
      g_assert_cmpint(pause, <=, most);
      if (rig.now + most < lost + 1'200'000)
        g_assert_cmpint(pause, >=, most == 1'000 ? 1'000 : most / 2);
      rig.now += pause;
      rig.step(Tick{});
      if (rig.machine.phase() == Phase::failed)
        break;
      g_assert_true(rig.machine.phase() == Phase::reopening);
      rig.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "still nobody"}});
      most = std::min<Millis>(most * 2, 30'000);
    }
    g_assert_true(rig.machine.phase() == Phase::failed);
    g_assert_cmpint(rig.now - lost, ==, 1'200'000);
    g_assert_true(rig.all<EmitError>().at(0).trouble.code == AGORA_ERROR_UNREACHABLE);
    g_assert_nonnull(strstr(rig.all<EmitError>().at(0).trouble.text.c_str(), "still nobody"));
  }
}

void never_where_it_is_switched_off () {
  Rig rig;
  rig.machine.limits.reconnect = 0;
  rig.bring_to(Phase::joined);
  Ticket waiting = rig.request(protocol::Publish{});
  rig.step(Closed{"cut"});
  g_assert_true(rig.machine.phase() == Phase::failed);
  g_assert_false(rig.is_open(waiting));
  g_assert_true(rig.all<EmitReconnecting>().empty());
  g_assert_true(rig.all<EmitError>().at(0).trouble.code == AGORA_ERROR_SOCKET_GONE);
}

std::int64_t id_of_subscribe (const Rig &rig, Uid uid) {
  for (const Send &send : rig.all<Send>())
    if (const auto *subscribe = std::get_if<protocol::Subscribe>(&send.message.request))
      if (subscribe->uid == uid)
        return send.message.envelope.request_id;
  return 0;
}

void what_was_there_is_made_again () {
  Rig rig;
  rig.bring_to(Phase::joined);
  for (Uid uid : {8u, 9u, 10u})
    rig.event(protocol::EventKind::stream_added, uid);
  rig.request(protocol::SetRole{protocol::Role::broadcaster});
  rig.answer(rig.sent_id());
  Ticket publish = rig.request(protocol::Publish{});
  // Nobody waits for it any more, yet it was done.
  rig.cancelled(publish);
  std::int64_t id = rig.sent_id();
  rig.step(Cancel{publish});
  rig.answer(id, Code::ok, {}, {}, "rtmp://push/1");
  g_assert_true(rig.all<Finish>().empty());
  for (Uid uid : {8u, 9u, 10u}) {
    rig.request(protocol::Subscribe{uid, true, true});
    rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://play/" + std::to_string(uid));
  }
  rig.request(protocol::Mute{8, protocol::Target::all, true});
  rig.answer(rig.sent_id());
  rig.request(protocol::MuteLocal{0, protocol::Target::audio, true});
  rig.answer(rig.sent_id());
  rig.request(protocol::UpdateKey{"007next"});
  rig.answer(rig.sent_id());

  Ticket waiting = rig.request(protocol::Unpublish{});
  rig.step(Received{protocol::ErrorEvent{Code::drain, "maintenance"}});
  g_assert_false(rig.is_open(waiting));
  g_assert_true(rig.all<EmitReconnecting>().at(0).cause.code == AGORA_ERROR_SERVICE_LOST);
  Ticket refused = rig.request(protocol::Publish{});
  g_assert_false(rig.is_open(refused));
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_SOCKET_GONE);

  rig.pass(1'000);
  rig.step(Opened{"SID2", "", rig.now});
  auto join = std::get<protocol::Join>(rig.all<Send>().at(0).message.request);
  g_assert_true(join.token == "007next");
  g_assert_true(join.role == protocol::Role::broadcaster);
  g_assert_true(join.known_speakers == (std::vector<Uid>{8, 9, 10}));
  rig.now += 50;
  rig.answer(3, Code::ok, {}, 7);
  g_assert_cmpint(rig.all<EmitReconnected>().at(0).took, ==, 1'050);
  // publish, mute-local; subscribe and two mutes of 8; subscribe 9; subscribe 10
  g_assert_cmpuint(rig.all<Send>().size(), ==, 7);
  std::int64_t push = rig.all<Send>().at(0).message.envelope.request_id;
  std::int64_t play8 = id_of_subscribe(rig, 8);
  std::int64_t play9 = id_of_subscribe(rig, 9);
  std::int64_t play10 = id_of_subscribe(rig, 10);

  rig.answer(push, Code::ok, {}, {}, "rtmp://push/2");
  g_assert_true(rig.all<Emit>().at(0).event.url == "rtmp://push/2");
  g_assert_cmpuint(rig.all<Emit>().at(0).event.uid, ==, 7);
  rig.answer(play8, Code::ok, {}, {}, "rtmp://play/8");
  g_assert_true(rig.all<Emit>().empty());  // the old one still serves
  rig.answer(play9, Code::ok, {}, {}, "rtmp://play/9b");
  g_assert_cmpuint(rig.all<Emit>().at(0).event.uid, ==, 9);
  // Who was announced before is not announced again; who is gone is gone once.
  rig.event(protocol::EventKind::stream_added, 8);
  g_assert_true(rig.all<Emit>().empty());
  rig.answer(play10, Code::not_publishing, "no such voice");
  g_assert_true(rig.all<Emit>().at(0).event.kind == protocol::EventKind::stream_removed);
  g_assert_cmpuint(rig.all<Emit>().at(0).event.uid, ==, 10);
  rig.event(protocol::EventKind::stream_removed, 10);
  g_assert_true(rig.all<Emit>().empty());
}

void leaving_never_hangs () {
  Rig rig;
  rig.bring_to(Phase::joined);
  Ticket other = rig.request(protocol::Publish{});
  Ticket leave = rig.ticket();
  rig.step(CallLeave{leave});
  g_assert_false(rig.is_open(other));
  g_assert_true(rig.is_open(leave));
  rig.pass(399);
  g_assert_true(rig.is_open(leave));
  rig.pass(1);
  g_assert_false(rig.is_open(leave));
  g_assert_false(rig.all<Finish>().at(0).trouble.has_value());
  g_assert_true(rig.machine.phase() == Phase::idle);
  g_assert_cmpuint(rig.machine.uid(), ==, 0);
}

void refusals_before_sending () {
  struct Refusal {
    protocol::Request request;
    const char *names;
  };
  const Refusal refusals[] = {
      {protocol::Subscribe{0, true, true}, "uid 0"},
      {protocol::Mute{0, protocol::Target::all, true}, "uid 0"},
      {protocol::Unsubscribe{{0}}, "uid 0"},
      {protocol::SetRemoteStreamType{8, 5}, "stream type 5"},
      {protocol::UpdateKey{""}, "token"},
      {protocol::UpdateKey{"null"}, "token"},
  };
  for (const Refusal &row : refusals) {
    Rig rig;
    rig.bring_to(Phase::joined);
    rig.request(row.request);
    g_assert_true(rig.all<Send>().empty());
    g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INVALID_ARGUMENT);
    g_assert_nonnull(strstr(rig.all<Finish>().at(0).trouble->text.c_str(), row.names));
  }
  Rig rig;
  rig.join();
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INVALID_ORDER);
  rig.request(protocol::Publish{});
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_NOT_JOINED);
}

void answers_without_sense () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Publish{});
  rig.answer(rig.sent_id());
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INTERNAL);
  rig.request(protocol::Subscribe{8, true, true});
  std::int64_t id = rig.sent_id();
  rig.step(Garbled{{Code::bad_request, "serverResponse.url: expected a text", id, false}});
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INTERNAL);
  g_assert_true(rig.machine.phase() == Phase::joined);
}

void codes_have_one_meaning () {
  // Every number that a gateway could send has a code, and finality is a matter of the code.
  for (int number = -5; number < 1000; ++number) {
    Trouble trouble = trouble_of(static_cast<Code>(number), "why", "what");
    g_assert_nonnull(strstr(trouble.text.c_str(), std::to_string(number).c_str()));
    bool final = number == 101 || number == 109 || number == 110 || number == 119 ||
                 number == 120 || number == 431;
    g_assert_cmpint(is_final(trouble.code), ==, final);
  }
  g_assert_cmpint(error_of(Code::bad_role_or_uid, "replaced by another device"), ==,
                  AGORA_ERROR_REPLACED);
  g_autoptr(GError) banned = g_error_new(AGORA_ERROR, AGORA_ERROR_BANNED, "out");
  g_assert_true(agora_error_is_final(banned));
  g_autoptr(GError) other = g_error_new(G_FILE_ERROR, AGORA_ERROR_BANNED, "out");
  g_assert_false(agora_error_is_final(other));
  g_assert_false(agora_error_is_final(nullptr));
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/client-machine/every-phase-meets-everything", every_phase_meets_everything);
  g_test_add_func("/client-machine/any-order", any_order);
  g_test_add_func("/client-machine/envelopes-count", envelopes_count);
  g_test_add_func("/client-machine/accounts-keep-their-text", accounts_keep_their_text);
  g_test_add_func("/client-machine/an-assigned-uid-is-kept", an_assigned_uid_is_kept);
  g_test_add_func("/client-machine/early-events-wait-for-join", early_events_wait_for_join);
  g_test_add_func("/client-machine/known-speakers", known_speakers_are_accounted_for);
  g_test_add_func("/client-machine/requests-end-in-time", requests_end_in_time);
  g_test_add_func("/client-machine/silence-is-loss", silence_is_loss);
  g_test_add_func("/client-machine/tries-grow-apart", tries_grow_apart);
  g_test_add_func("/client-machine/never-where-switched-off", never_where_it_is_switched_off);
  g_test_add_func("/client-machine/made-again", what_was_there_is_made_again);
  g_test_add_func("/client-machine/leaving-never-hangs", leaving_never_hangs);
  g_test_add_func("/client-machine/refusals-before-sending", refusals_before_sending);
  g_test_add_func("/client-machine/answers-without-sense", answers_without_sense);
  g_test_add_func("/client-machine/codes-have-one-meaning", codes_have_one_meaning);
  return g_test_run();
}
