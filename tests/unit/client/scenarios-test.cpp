// SPDX-License-Identifier: LGPL-2.1-or-later
// The client's machine in the course of things.
#include <algorithm>
#include <cstring>

#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace scenarios_test {

using namespace machine;

namespace {

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

bool publishes (const Rig &rig) {
  const auto sent = rig.all<Send>();
  return std::any_of(sent.begin(), sent.end(), [] (const Send &send) {
    return std::holds_alternative<protocol::Publish>(send.message.request);
  });
}

// The gateway names the feature at each join of one that knows it.
void welcome (Rig &rig, std::int64_t id) {
  protocol::Answer answer;
  answer.request_id = id;
  answer.uid = 7;
  answer.features = protocol::Features{protocol::feature_silence};
  rig.step(Received{answer});
}

void the_silenced_publish_again () {
  using protocol::EventKind;
  Rig rig;
  rig.bring_to(Phase::opening);
  rig.step(Opened{"S", "", rig.now});
  const auto sent = rig.all<Send>().at(0).message;
  g_assert_true(std::get<protocol::Join>(sent.request).features ==
                (protocol::Features{protocol::feature_silence, protocol::feature_codecs,
                                    protocol::feature_quality, protocol::feature_talk,
                                    protocol::feature_data, protocol::feature_names}));
  welcome(rig, sent.envelope.request_id);
  rig.request(protocol::Publish{});
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/one");
  rig.event(EventKind::silenced);
  g_assert_true(rig.machine.silenced());
  g_assert_cmpuint(rig.all<Emit>().size(), ==, 1);
  // Told twice is told once.
  rig.event(EventKind::silenced);
  g_assert_true(rig.all<Emit>().empty());
  // A return while it lasts asks for no URL.
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  welcome(rig, rig.sent_id());
  g_assert_false(publishes(rig));
  rig.event(EventKind::unsilenced);
  g_assert_false(rig.machine.silenced());
  g_assert_true(publishes(rig));
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/two");
  const auto moved = rig.all<Emit>();
  g_assert_cmpuint(moved.size(), ==, 1);
  g_assert_true(moved[0].event.kind == EventKind::update_url &&
                moved[0].event.url == "rtmp://h/two");
}

// A gateway that knows no silence lets nobody wait for its end.
void silence_ends_at_another_gateway () {
  Rig rig;
  rig.bring_to(Phase::opening);
  rig.step(Opened{"S", "", rig.now});
  welcome(rig, rig.sent_id());
  rig.request(protocol::Publish{});
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/one");
  rig.event(protocol::EventKind::silenced);
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  g_assert_false(rig.machine.silenced());
  g_assert_true(publishes(rig));
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

void a_loop_that_stood_still_is_no_loss () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.now += 60'000;
  rig.step(Tick{});
  g_assert_true(rig.machine.phase() == Phase::joined);
  rig.step(Received{protocol::Pong{1}});
  rig.pass(9'999);
  g_assert_true(rig.machine.phase() == Phase::joined);
  // Nothing came after all.
  rig.now += 60'000;
  rig.step(Tick{});
  rig.pass(3'000);
  g_assert_true(rig.machine.phase() == Phase::waiting);
}

// `there`: the gateway is, but takes nobody.
void tries_grow_apart (bool there) {
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
      if (there) {
        rig.step(Opened{"SID", "", rig.now});
        rig.answer(rig.sent_id(), Code::overloaded, "still nobody");
      } else {
        rig.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "still nobody"}});
      }
      most = std::min<Millis>(most * 2, there ? 30'000 : 2'500);
    }
    g_assert_true(rig.machine.phase() == Phase::failed);
    g_assert_cmpint(rig.now - lost, ==, 1'200'000);
    if (!there)
      g_assert_true(rig.all<EmitError>().at(0).trouble.code == AGORA_ERROR_UNREACHABLE);
    g_assert_nonnull(strstr(rig.all<EmitError>().at(0).trouble.text.c_str(), "still nobody"));
  }
}

void tries_of_nobody () {
  tries_grow_apart(false);
}

void tries_of_a_busy_gateway () {
  tries_grow_apart(true);
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

// Finds nobody for so long, then a gateway that is busy, then one that takes it.
void a_first_join_is_tried_again () {
  for (const Millis limit : {Millis{600'000}, Millis{-1}}) {
    Rig rig;
    rig.machine.limits.retry_first_join = true;
    rig.machine.limits.reconnect = limit;
    rig.bring_to(Phase::opening);
    const Millis asked = rig.now;
    const Ticket join = rig.current;
    Millis last = 0;
    unsigned told = 0;
    while (rig.now < asked + 300'000) {
      g_assert_true(rig.machine.phase() == Phase::opening);
      rig.now += 5;
      rig.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
      told += rig.all<EmitReconnecting>().size();
      last = rig.now;
      rig.now = *rig.machine.next_tick();
      rig.step(Tick{});
      g_assert_cmpint(rig.now - last, >=, 1'000);
      g_assert_cmpint(rig.now - last, <=, 2'500);
    }
    g_assert_cmpuint(told, ==, 1);
    rig.step(Opened{"S", "", rig.now});
    rig.answer(rig.sent_id(), Code::overloaded, "later");
    g_assert_true(rig.all<EmitReconnecting>().empty());
    // A token that is given meanwhile, and a call that can't be made yet.
    Ticket renew = rig.request(protocol::UpdateKey{"NEWER"});
    g_assert_false(rig.all<Finish>().at(0).trouble.has_value());
    g_assert_false(rig.is_open(renew));
    rig.request(protocol::Publish{});
    g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_NOT_JOINED);
    rig.pass(30'000);
    g_assert_true(rig.machine.phase() == Phase::opening);
    rig.step(Opened{"S", "", rig.now});
    const auto sent = rig.all<Send>();
    g_assert_true(std::get<protocol::Join>(sent.at(0).message.request).token == "NEWER");
    g_assert_false(std::get<protocol::Join>(sent.at(0).message.request).known_speakers.has_value());
    rig.answer(rig.sent_id(), Code::ok, {}, 7);
    g_assert_true(rig.machine.phase() == Phase::joined);
    g_assert_false(rig.is_open(join));
    g_assert_false(rig.all<Finish>().at(0).trouble.has_value());
    g_assert_cmpint(rig.all<EmitReconnected>().at(0).took, ==, rig.now - asked);
    g_assert_false(rig.machine.is_retrying());
  }
}

// The time limit counts from the call; what is refused for good ends it, and so does the limit 0.
void a_first_join_is_given_up () {
  Rig late;
  late.machine.limits.retry_first_join = true;
  late.machine.limits.reconnect = 60'000;
  late.bring_to(Phase::opening);
  const Millis asked = late.now;
  Ticket join = late.current;
  while (late.machine.phase() == Phase::opening) {
    late.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
    late.now = *late.machine.next_tick();
    late.step(Tick{});
  }
  g_assert_true(late.machine.phase() == Phase::failed);
  g_assert_cmpint(late.now - asked, ==, 60'000);
  g_assert_false(late.is_open(join));
  const Trouble trouble = *late.all<Finish>().at(0).trouble;
  g_assert_true(trouble.code == AGORA_ERROR_UNREACHABLE);
  g_assert_nonnull(strstr(trouble.text.c_str(), "gave up after 60 s"));
  g_assert_nonnull(strstr(trouble.text.c_str(), "nobody there"));
  // Its caller is told, and nobody else.
  g_assert_true(late.all<EmitError>().empty());

  for (const bool at_once : {true, false}) {
    Rig refused;
    if (at_once) {
      refused.machine.limits.retry_first_join = true;
      refused.bring_to(Phase::joining);
    } else {
      refused.bring_to_again(Phase::joining);
    }
    refused.answer(refused.sent_id(), Code::token_invalid, "no");
    g_assert_true(refused.machine.phase() == Phase::failed);
    g_assert_true(refused.all<EmitReconnecting>().empty());
    g_assert_false(refused.is_open(refused.current));
  }

  Rig never;
  never.machine.limits.retry_first_join = true;
  never.machine.limits.reconnect = 0;
  never.bring_to(Phase::failed);
  g_assert_true(never.machine.phase() == Phase::failed);
  g_assert_true(never.all<EmitReconnecting>().empty());
}

// A month without the gateway, of a member that waits for ever.
void for_ever_is_for_ever () {
  Rig rig;
  rig.machine.limits.reconnect = -1;
  rig.bring_to(Phase::waiting);
  const Millis month = rig.now + Millis{30} * 24 * 3'600 * 1'000;
  for (unsigned i = 0; rig.now < month; i++) {
    rig.now = *rig.machine.next_tick();
    rig.step(Tick{});
    if (rig.machine.phase() == Phase::reopening) {
      g_assert_false(rig.machine.next_tick().has_value());
      rig.now += 3'600'000;
      rig.step(OpenFailed{{AGORA_ERROR_UNREACHABLE, "nobody there"}});
    }
    g_assert_true(rig.machine.phase() == Phase::waiting);
  }
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
  g_assert_cmpint(error_of(Code::bad_request, "banned from the channel by its operator"), ==,
                  AGORA_ERROR_BANNED);
  g_autoptr(GError) banned = g_error_new(AGORA_ERROR, AGORA_ERROR_BANNED, "out");
  g_assert_true(agora_error_is_final(banned));
  g_autoptr(GError) other = g_error_new(G_FILE_ERROR, AGORA_ERROR_BANNED, "out");
  g_assert_false(agora_error_is_final(other));
  g_assert_false(agora_error_is_final(nullptr));
}

}  // namespace

static const agora::Suite suite("scenarios", [] {
  g_test_add_func("/client-scenarios/envelopes-count", envelopes_count);
  g_test_add_func("/client-scenarios/accounts-keep-their-text", accounts_keep_their_text);
  g_test_add_func("/client-scenarios/an-assigned-uid-is-kept", an_assigned_uid_is_kept);
  g_test_add_func("/client-scenarios/early-events-wait-for-join", early_events_wait_for_join);
  g_test_add_func("/client-scenarios/silence", the_silenced_publish_again);
  g_test_add_func("/client-scenarios/silence-elsewhere", silence_ends_at_another_gateway);
  g_test_add_func("/client-scenarios/known-speakers", known_speakers_are_accounted_for);
  g_test_add_func("/client-scenarios/requests-end-in-time", requests_end_in_time);
  g_test_add_func("/client-scenarios/silence-is-loss", silence_is_loss);
  g_test_add_func("/client-scenarios/a-loop-that-stood-still", a_loop_that_stood_still_is_no_loss);
  g_test_add_func("/client-scenarios/tries-of-nobody", tries_of_nobody);
  g_test_add_func("/client-scenarios/tries-of-a-busy-gateway", tries_of_a_busy_gateway);
  g_test_add_func("/client-scenarios/never-where-switched-off", never_where_it_is_switched_off);
  g_test_add_func("/client-scenarios/first-join-again", a_first_join_is_tried_again);
  g_test_add_func("/client-scenarios/first-join-given-up", a_first_join_is_given_up);
  g_test_add_func("/client-scenarios/for-ever", for_ever_is_for_ever);
  g_test_add_func("/client-scenarios/made-again", what_was_there_is_made_again);
  g_test_add_func("/client-scenarios/leaving-never-hangs", leaving_never_hangs);
  g_test_add_func("/client-scenarios/refusals-before-sending", refusals_before_sending);
  g_test_add_func("/client-scenarios/answers-without-sense", answers_without_sense);
  g_test_add_func("/client-scenarios/codes-have-one-meaning", codes_have_one_meaning);
});

}  // namespace scenarios_test
