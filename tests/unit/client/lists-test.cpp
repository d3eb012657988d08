// SPDX-License-Identifier: LGPL-2.1-or-later
// The client's machine and who else is in the channel: the list, what is told of it, and its end.
#include "signaling/agora-signaling.h"
#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace lists_test {

using namespace machine;

namespace {

void give_list (Rig &rig, std::vector<protocol::ListedMember> members, std::int64_t more = 0) {
  protocol::Answer answer;
  answer.request_id = rig.sent_id();
  answer.list = protocol::MemberList{std::move(members), more};
  rig.step(Received{answer});
}

// Follows how often the machine asks for the list, by itself or not.
struct ListRig : Rig {
  std::size_t asked = 0;
  std::int64_t list_id = 0;  // of the last time
  void note () {
    for (const Send &sent : all<Send>())
      if (std::holds_alternative<protocol::Members>(sent.message.request)) {
        asked++;
        list_id = sent.message.envelope.request_id;
      }
  }
  void pass_noting (Millis ms, bool until_asked = false) {
    const Millis until = now + ms;
    const std::size_t before = asked;
    while (machine.next_tick() && *machine.next_tick() <= until &&
           !(until_asked && asked > before)) {
      now = std::max(now, *machine.next_tick());
      step(Tick{});
      note();
      // A ping is answered.
      step(Received{protocol::Pong{1}});
    }
    if (until_asked)
      g_assert_cmpuint(asked, ==, before + 1);
    else
      now = until;
  }
  void give (std::vector<protocol::ListedMember> members) {
    protocol::Answer answer;
    answer.request_id = list_id;
    answer.list = protocol::MemberList{std::move(members), 0};
    step(Received{answer});
  }
};

std::string told_of (Rig &rig, protocol::EventKind kind, Uid uid, const std::string &name = "") {
  protocol::Event event{kind, uid};
  event.text = name;
  rig.step(Received{event});
  std::string text;
  for (const Emit &emit : rig.all<Emit>())
    text += std::to_string(emit.event.uid) + emit.event.text;
  return text;
}

// What the machine told last.
std::string all_told (const Rig &rig) {
  std::string told;
  for (const Emit &emit : rig.all<Emit>())
    told += std::string(to_string(emit.event.kind)) + " " + std::to_string(emit.event.uid) +
            emit.event.text + ";";
  return told;
}

void who_else_is_there () {
  using protocol::EventKind;
  Rig rig;
  rig.bring_to(Phase::joined);
  // A gateway that tells what nobody has asked for.
  g_assert_true(told_of(rig, EventKind::member_joined, 5).empty());
  rig.request(protocol::Members{});
  g_assert_true(std::holds_alternative<protocol::Members>(rig.all<Send>().at(0).message.request));
  give_list(rig, {{8, "Ann"}, {9, ""}}, 3);
  g_assert_cmpint(rig.all<Finish>().at(0).more, ==, 3);
  g_assert_true(rig.all<Emit>().empty());
  g_assert_true(rig.machine.members() == (std::map<Uid, std::string>{{8, "Ann"}, {9, ""}}));
  g_assert_true(rig.machine.name_of(8) == "Ann");
  g_assert_true(told_of(rig, EventKind::member_joined, 10, "Cid") == "10Cid");
  g_assert_true(told_of(rig, EventKind::member_joined, 8, "Ann").empty());
  g_assert_true(told_of(rig, EventKind::member_joined, 8, "Ann B.") == "8Ann B.");
  g_assert_true(told_of(rig, EventKind::member_left, 9) == "9");
  g_assert_true(told_of(rig, EventKind::member_left, 9).empty());
  // After a return it is asked for again, too busy a gateway twice, and what differs is told.
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"SID", "", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  g_assert_true(std::holds_alternative<protocol::Members>(rig.all<Send>().at(0).message.request));
  rig.answer(rig.sent_id(), Code::too_many, "busy");
  rig.pass(1'000);
  g_assert_true(std::holds_alternative<protocol::Members>(rig.all<Send>().at(0).message.request));
  give_list(rig, {{8, "Bob"}, {11, ""}});
  g_assert_true(all_told(rig) == "member-left 10;member-joined 8Bob;member-joined 11;");
  // However many a gateway tells of.
  for (Uid uid = 100; uid < 1'200; uid++)
    told_of(rig, EventKind::member_joined, uid);
  g_assert_cmpuint(rig.machine.members().size(), ==, protocol::max_listed);
  // Where it isn't shown any more, nobody is left waiting.
  rig.request(protocol::Members{});
  rig.answer(rig.sent_id(), Code::not_permitted, "not shown");
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_NOT_PERMITTED);
  rig.step(Destroy{});
  g_assert_true(rig.machine.members().empty());
}

// The gateway has told of what is in it, as far as it knows.
void a_list_asked_for_again () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Members{});
  give_list(rig, {{8, "Ann"}, {9, ""}});
  g_assert_true(all_told(rig).empty() && rig.machine.lists_members());
  rig.request(protocol::Members{});
  give_list(rig, {{9, "Bob"}, {10, ""}});
  g_assert_true(all_told(rig) == "member-left 8;member-joined 9Bob;member-joined 10;");
}

// However a gateway tells of it: a member isn't one of the others.
void a_list_with_oneself () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Members{});
  give_list(rig, {{7, "Me"}, {8, "Ann"}});
  g_assert_true(rig.machine.members() == (std::map<Uid, std::string>{{8, "Ann"}}));
  g_assert_true(told_of(rig, protocol::EventKind::member_joined, 7, "Me").empty());
  g_assert_cmpuint(rig.machine.members().size(), ==, 1);
}

// Comes back to another gateway, with a list of two.
Rig back_with_a_list () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Members{});
  give_list(rig, {{8, "Ann"}, {9, ""}});
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"SID", "", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  return rig;
}

// Whom it won't be told of any more it doesn't keep.
void a_list_that_ends () {
  for (const Code code : {Code::not_permitted, Code::bad_request, Code::internal}) {
    Rig rig = back_with_a_list();
    rig.answer(rig.sent_id(), code, "no");
    g_assert_true(all_told(rig) == "member-left 8;member-left 9;");
    g_assert_cmpuint(rig.all<EmitError>().size(), ==, 1);
    g_assert_true(rig.machine.members().empty() && !rig.machine.lists_members());
    g_assert_true(rig.machine.name_of(8).empty());
    // And when it is shown again, whoever asks has all of it by the answer.
    rig.request(protocol::Members{});
    give_list(rig, {{8, "Ann"}});
    g_assert_true(all_told(rig).empty() && rig.machine.lists_members());
    // By the answer to whoever asks, too; one that is too busy ends nothing.
    rig.request(protocol::Members{});
    rig.answer(rig.sent_id(), Code::too_many, "busy");
    g_assert_true(all_told(rig).empty() && rig.machine.lists_members());
    rig.request(protocol::Members{});
    rig.answer(rig.sent_id(), Code::not_permitted, "not shown");
    g_assert_true(all_told(rig) == "member-left 8;" && !rig.machine.lists_members());
    g_assert_true(rig.all<EmitError>().empty());
  }
  // A gateway that has enough to do, or is lost itself, says nothing of who is there.
  for (const Code code : {Code::overloaded, Code::service_lost}) {
    Rig rig = back_with_a_list();
    rig.answer(rig.sent_id(), code, "later");
    g_assert_true(all_told(rig).empty() && rig.machine.lists_members());
    g_assert_cmpuint(rig.machine.members().size(), ==, 2);
  }
}

// Taken back by the operator, and given again: without a word of the application's.
void a_list_that_is_hidden () {
  using protocol::EventKind;
  ListRig rig;
  rig.bring_to(Phase::joined);
  // Nobody has asked.
  rig.event(EventKind::members_hidden);
  rig.event(EventKind::members_shown);
  rig.pass_noting(1'500);
  g_assert_true(rig.all<Emit>().empty() && rig.asked == 0);
  rig.request(protocol::Members{});
  give_list(rig, {{8, "Ann"}, {9, ""}});
  rig.event(EventKind::members_hidden);
  g_assert_true(all_told(rig) == "member-left 8;member-left 9;");
  g_assert_true(rig.machine.members().empty() && !rig.machine.lists_members());
  g_assert_true(rig.all<EmitError>().empty());
  rig.event(EventKind::members_hidden);
  g_assert_true(all_told(rig).empty());
  g_assert_true(told_of(rig, EventKind::member_joined, 10).empty());
  const std::size_t before = rig.asked;
  rig.pass_noting(5'000);
  g_assert_cmpuint(rig.asked, ==, before);
  // Told of twice, it is asked for once.
  rig.event(EventKind::members_shown);
  rig.event(EventKind::members_shown);
  g_assert_cmpuint(rig.asked, ==, before);
  rig.pass_noting(1'000, true);
  rig.event(EventKind::members_shown);
  rig.pass_noting(1'000);
  g_assert_cmpuint(rig.asked, ==, before + 1);
  rig.give({{8, "Bob"}, {10, ""}});
  g_assert_true(all_told(rig) == "member-joined 8Bob;member-joined 10;");
  g_assert_true(rig.machine.lists_members());
  rig.event(EventKind::members_shown);
  rig.pass_noting(1'500);
  g_assert_cmpuint(rig.asked, ==, before + 1);
}

// A first list that is refused is had as soon as it is shown, or by a return.
void a_list_that_was_refused () {
  using protocol::EventKind;
  ListRig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Members{});
  rig.answer(rig.sent_id(), Code::not_permitted, "not shown");
  rig.event(EventKind::members_shown);
  rig.pass_noting(1'000, true);
  // Of a crowd a gateway answers few at a time: the others ask less and less often.
  std::vector<Millis> pauses;
  for (int n = 0; n < 9; n++) {
    rig.answer(rig.list_id, Code::too_many, "busy");
    const Millis at = rig.now;
    rig.pass_noting(30'000, true);
    pauses.push_back(rig.now - at);
  }
  g_assert_cmpint(pauses[0], <=, 1'000);
  g_assert_cmpint(pauses[8], >=, 15'000);
  rig.give({{8, "Ann"}});
  g_assert_true(all_told(rig) == "member-joined 8Ann;");
  rig.event(EventKind::members_hidden);
  // Elsewhere it isn't shown either, which is no news; and then it is.
  for (const bool shown : {false, true}) {
    rig.step(Closed{"cut"});
    rig.pass(1'000);
    rig.step(Opened{"SID", "", rig.now});
    rig.answer(rig.sent_id(), Code::ok, {}, 7);
    if (!shown) {
      rig.answer(rig.sent_id(), Code::not_permitted, "not shown");
      g_assert_true(all_told(rig).empty() && rig.all<EmitError>().empty());
    } else {
      give_list(rig, {{9, ""}});
      g_assert_true(all_told(rig) == "member-joined 9;" && rig.machine.lists_members());
    }
  }
  // What was wanted in one channel isn't in the next.
  rig.step(CallLeave{rig.ticket()});
  rig.answer(rig.sent_id());
  rig.join();
  rig.step(Opened{"SID", "815", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  rig.event(EventKind::members_shown);
  const std::size_t before = rig.asked;
  rig.pass_noting(2'000);
  g_assert_cmpuint(rig.asked, ==, before);
}

// Who comes back without a name, while this one is away, is told again without one.
void a_name_that_ends_meanwhile () {
  using protocol::EventKind;
  Rig rig;
  rig.bring_to(Phase::joined);
  for (const Uid uid : {8, 9, 10}) {
    told_of(rig, EventKind::member_named, uid, "Ann");
    rig.event(EventKind::stream_added, uid);
  }
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"SID", "", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  g_assert_true(rig.machine.name_of(8) == "Ann");
  rig.event(EventKind::stream_added, 8);
  g_assert_true(all_told(rig) == "member-named 8;");
  g_assert_true(rig.machine.name_of(8).empty());
  // Who has it still, or another one.
  told_of(rig, EventKind::member_named, 9, "Ann");
  g_assert_true(all_told(rig).empty());
  rig.event(EventKind::stream_added, 9);
  g_assert_true(all_told(rig).empty() && rig.machine.name_of(9) == "Ann");
  told_of(rig, EventKind::member_named, 10, "Bob");
  rig.event(EventKind::stream_added, 10);
  g_assert_true(all_told(rig).empty() && rig.machine.name_of(10) == "Bob");
}

// A caller's mistake leaves nothing unset that it reads next.
void a_list_of_no_client () {
  gsize n_members = 5;
  g_test_expect_message("agora", G_LOG_LEVEL_CRITICAL, "*AGORA_IS_CLIENT*");
  g_assert_null(agora_client_dup_members(nullptr, &n_members));
  g_test_assert_expected_messages();
  g_assert_cmpuint(n_members, ==, 0);
}

}  // namespace

static const agora::Suite suite("lists", [] {
  g_test_add_func("/client-lists/members", who_else_is_there);
  g_test_add_func("/client-lists/members-again", a_list_asked_for_again);
  g_test_add_func("/client-lists/members-no-more", a_list_that_ends);
  g_test_add_func("/client-lists/members-hidden", a_list_that_is_hidden);
  g_test_add_func("/client-lists/members-refused", a_list_that_was_refused);
  g_test_add_func("/client-lists/members-without-oneself", a_list_with_oneself);
  g_test_add_func("/client-lists/members-of-no-client", a_list_of_no_client);
  g_test_add_func("/client-lists/no-name-any-more", a_name_that_ends_meanwhile);
});

}  // namespace lists_test
