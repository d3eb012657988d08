// SPDX-License-Identifier: LGPL-2.1-or-later
// Removing, silencing and asking from outside.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace bans_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

void add (Scene &scene, Rule rule) {
  rule.app_id = open_app;
  scene.last = scene.book.add_rule(rule, scene.now);
  g_assert_cmpuint(rule.id, !=, 0);
}

void the_kicked_are_out () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  g_assert_true(scene.play(scene.subscribe(2, 10), 200));
  const std::string play = scene.subscribe(1, 30);
  g_assert_true(scene.play(play, 101));
  Rule rule;
  rule.channel = "room";
  rule.uid = 10;
  rule.ends_at = scene.now.wall_s + 60;
  add(scene, rule);
  g_assert_true(scene.told(1) == "banned");
  g_assert_true(scene.close_code(1) == CloseCode::banned);
  g_assert_cmpuint(scene.closes().size(), ==, 1);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "play 200, push 100, play 101");
  g_assert_true(scene.noticed() == "off, out 3");
  g_assert_false(scene.push(push, 102));
  g_assert_false(scene.play(play, 103));

  // Not in again by either way, until the rule ends; elsewhere it may.
  scene.connect(4);
  g_assert_true(scene.code(4, join_as("10")) == Code::bad_request);
  g_assert_true(scene.told(4) == "banned");
  g_assert_true(scene.close_code(4) == CloseCode::banned);
  scene.connect(5);
  g_assert_true(scene.code(5, rejoin_as("10", Role::audience, {})) == Code::bad_request);
  scene.connect(6);
  g_assert_true(scene.code(6, join_as("10", Role::audience, "elsewhere")) == Code::ok);
  scene.pass(60'000);
  scene.connect(7);
  g_assert_true(scene.code(7, join_as("10")) == Code::ok);
}

void rules_hit_whom_they_name () {
  const struct {
    const char *name;
    Rule rule;
    std::vector<SessionId> hit;
  } rows[] = {
      {"address", {.address = "192.0.2.7"}, {1, 3}},
      {"channel", {.channel = "room"}, {1, 2}},
      {"uid", {.uid = 10}, {1, 3}},
      {"channel and uid", {.channel = "room", .uid = 10}, {1}},
      {"address and channel", {.channel = "hall", .address = "192.0.2.7"}, {3}},
      {"nobody", {.uid = 99}, {}},
      {"no field at all", {}, {}},
  };
  for (const auto &row : rows) {
    Scene scene;
    scene.connect(1, "192.0.2.7");
    scene.ask(1, join_as("10"));
    scene.connect(2, "192.0.2.8");
    scene.ask(2, join_as("20"));
    scene.connect(3, "192.0.2.7");
    scene.ask(3, join_as("10", Role::audience, "hall"));
    add(scene, row.rule);
    std::vector<SessionId> hit;
    for (const Close &close : scene.closes())
      hit.push_back(close.session);
    std::sort(hit.begin(), hit.end());
    if (hit != row.hit)
      g_error("%s: %zu sockets were closed, expected %zu", row.name, hit.size(), row.hit.size());
    // Done once, and not kept.
    g_assert_cmpuint(scene.book.rules(open_app, scene.now).size(), ==, 0);
  }
}

void a_rule_without_end_lets_return () {
  Scene scene;
  scene.join(1, "10");
  add(scene, {.uid = 10});
  g_assert_true(scene.told(1) == "banned");
  scene.connect(2);
  g_assert_true(scene.code(2, join_as("10")) == Code::ok);
}

void the_silenced_stay () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  Rule rule{.uid = 10, .join_channel = false, .publish_audio = true};
  rule.app_id = open_app;
  rule.ends_at = scene.now.wall_s + 60;
  scene.last = scene.book.add_rule(rule, scene.now);
  g_assert_true(scene.told(1).empty());
  g_assert_cmpuint(scene.closes().size(), ==, 0);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.push(push, 101));
  g_assert_true(scene.code(1, Publish{10}) == Code::not_permitted);
  g_assert_true(scene.code(2, MuteLocal{20}) == Code::ok);
  g_assert_true(scene.book.lift_rule(rule.id, scene.now).has_value());
  g_assert_true(scene.push(scene.publish(1, 10), 102));
}

Rule silence_of (Scene &scene, Uid uid, std::int64_t seconds) {
  Rule rule{.uid = uid, .join_channel = false, .publish_audio = true};
  rule.app_id = open_app;
  rule.ends_at = scene.now.wall_s + seconds;
  scene.last = scene.book.add_rule(rule, scene.now);
  return rule;
}

void lift (Scene &scene, const Rule &rule) {
  auto commands = scene.book.lift_rule(rule.id, scene.now);
  g_assert_true(commands.has_value());
  scene.last = std::move(*commands);
}

agora::protocol::Join knowing (agora::protocol::Join join) {
  join.features = agora::protocol::Features{agora::protocol::feature_silence};
  return join;
}

// A member that knows of silence; its voice is on the air.
void on_air_knowing (Scene &scene, SessionId id, Uid uid, std::uint64_t client) {
  scene.connect(id);
  const Answer answer = scene.ask(id, knowing(join_as(std::to_string(uid), Role::broadcaster)));
  g_assert_true(answer.features == agora::protocol::Features{agora::protocol::feature_silence});
  g_assert_true(scene.push(scene.publish(id, uid), client));
}

void the_knowing_are_told () {
  Scene scene;
  on_air_knowing(scene, 1, 10, 100);
  scene.join(2, "20");
  const Rule rule = silence_of(scene, 10, 60);
  g_assert_true(scene.told(1) == "silenced");
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_true(scene.noticed() == "off, silenced");
  g_assert_true(scene.book.member(open_app, "room", 10)->silenced);
  g_assert_true(scene.code(1, Publish{10}) == Code::not_permitted);
  // A second rule changes nothing, nor does the end of one of them.
  const Rule other = silence_of(scene, 10, 30);
  g_assert_true(scene.told(1).empty() && scene.noticed().empty());
  lift(scene, other);
  g_assert_true(scene.told(1).empty());
  lift(scene, rule);
  g_assert_true(scene.told(1) == "unsilenced");
  g_assert_true(scene.noticed() == "unsilenced");
  g_assert_false(scene.book.member(open_app, "room", 10)->silenced);
  g_assert_true(scene.push(scene.publish(1, 10), 101));
}

// However a rule ends: with its time, or with a time that is set anew.
void silence_ends_with_its_rule () {
  Scene scene;
  on_air_knowing(scene, 1, 10, 100);
  Rule rule = silence_of(scene, 10, 90);
  scene.pass(80'000);
  g_assert_true(scene.told(1).empty());
  scene.pass(11'000);
  g_assert_true(scene.told(1) == "unsilenced");
  rule = silence_of(scene, 10, 3600);
  g_assert_true(scene.told(1) == "silenced");
  g_assert_true(scene.book.change_rule(rule.id, scene.now.wall_s + 5, scene.now));
  scene.pass(6'000);
  g_assert_true(scene.told(1) == "unsilenced");
  g_assert_cmpuint(scene.book.rules(open_app, scene.now).size(), ==, 0);
}

// Off the air once, and on it again: who only saw its session end would wait for a word.
void silence_of_no_duration () {
  Scene scene;
  on_air_knowing(scene, 1, 10, 100);
  silence_of(scene, 10, 0);
  g_assert_true(scene.told(1) == "silenced, unsilenced");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.book.member(open_app, "room", 10)->silenced);
  g_assert_true(scene.push(scene.publish(1, 10), 101));
  // Under a rule that lasts it changes nothing.
  silence_of(scene, 10, 60);
  silence_of(scene, 10, 0);
  g_assert_true(scene.told(1).empty());
}

// Between a rule's end by the wall clock and its timer, which may be most of a second, another
// rule comes, and clears away those that have ended.
void a_rule_that_comes_as_another_ends () {
  Scene scene;
  on_air_knowing(scene, 1, 10, 100);
  silence_of(scene, 10, 60);
  scene.pass(59'000);
  scene.now.wall_s += 1;
  silence_of(scene, 77, 60);
  g_assert_true(scene.told(1) == "unsilenced");
}

void whoever_joins_is_told () {
  Scene scene;
  const Rule rule = silence_of(scene, 10, 60);
  scene.connect(1);
  scene.ask(1, knowing(join_as("10", Role::broadcaster)));
  g_assert_true(scene.told(1) == "silenced");
  // A rejoin says how it is, whatever it was before.
  scene.disconnect(1);
  scene.connect(2);
  scene.ask(2, knowing(rejoin_as("10", Role::broadcaster, {})));
  g_assert_true(scene.told(2) == "silenced");
  scene.disconnect(2);
  lift(scene, rule);
  scene.connect(3);
  scene.ask(3, knowing(rejoin_as("10", Role::broadcaster, {})));
  g_assert_true(scene.told(3) == "unsilenced");
}

// Those of the recorded exchanges: nothing that they don't know.
void the_others_meet_nothing_new () {
  Scene scene;
  scene.on_air(1, 10, 100);
  const Rule rule = silence_of(scene, 10, 60);
  g_assert_true(scene.told(1).empty());
  lift(scene, rule);
  g_assert_true(scene.told(1).empty());
  scene.connect(2);
  const Answer plain = scene.ask(2, join_as("20"));
  g_assert_false(plain.features.has_value());
  // Names that aren't known here are nothing to both.
  agora::protocol::Join join = join_as("30");
  join.features = agora::protocol::Features{};
  scene.connect(3);
  g_assert_true(scene.ask(3, join).features == agora::protocol::Features{});
}

void rules_are_kept () {
  Scene scene;
  Rule rule{.uid = 10};
  rule.app_id = open_app;
  rule.ends_at = scene.now.wall_s + 60;
  scene.last = scene.book.add_rule(rule, scene.now);
  const auto list = scene.book.rules(open_app, scene.now);
  g_assert_cmpuint(list.size(), ==, 1);
  g_assert_cmpuint(list[0].id, ==, rule.id);
  g_assert_cmpuint(scene.book.rules(closed_app, scene.now).size(), ==, 0);
  g_assert_true(scene.book.change_rule(rule.id, scene.now.wall_s + 120, scene.now));
  scene.pass(90'000);
  scene.connect(1);
  g_assert_true(scene.code(1, join_as("10")) == Code::bad_request);
  g_assert_true(scene.book.lift_rule(rule.id, scene.now).has_value());
  g_assert_false(scene.book.lift_rule(rule.id, scene.now).has_value());
  g_assert_false(scene.book.change_rule(rule.id, scene.now.wall_s + 60, scene.now));
  scene.connect(2);
  g_assert_true(scene.code(2, join_as("10")) == Code::ok);
  // Another app's members are none of its business.
  scene.last = scene.book.add_rule(rule, scene.now);
  g_assert_true(scene.book.serves(open_app));
  g_assert_false(scene.book.serves("nosuch"));
}

void the_banned_in_grace_are_out () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.disconnect(1);
  Rule rule{.uid = 10};
  rule.ends_at = scene.now.wall_s + 60;
  add(scene, rule);
  g_assert_true(scene.dropped() == "push 100");
  g_assert_true(scene.noticed() == "off, out 3, destroyed");
  g_assert_cmpuint(scene.sends().size(), ==, 0);
}

agora::protocol::Join as_account (const std::string &account, const std::string &channel = "room") {
  agora::protocol::Join join = join_as(account, Role::audience, channel);
  join.uid_type = 1;
  return join;
}

Rule ban_of (Scene &scene, Rule rule) {
  rule.app_id = open_app;
  rule.ends_at = scene.now.wall_s + 60;
  scene.last = scene.book.add_rule(rule, scene.now);
  return rule;
}

// A person is not another one by another spelling.
void a_uid_is_banned_as_whatever_it_comes () {
  Scene scene;
  ban_of(scene, {.channel = "room", .uid = 8});
  SessionId id = 0;
  for (const char *spelling : {"8", "08", "0000000000008"}) {
    scene.connect(++id);
    g_assert_true(scene.code(id, join_as(spelling)) == Code::bad_request);
    scene.connect(++id);
    g_assert_true(scene.code(id, as_account(spelling)) == Code::bad_request);
  }
  for (const char *another : {"80", "8a", "alice"}) {
    scene.connect(++id);
    g_assert_true(scene.code(id, as_account(another)) == Code::ok);
  }
}

void an_account_is_banned_wherever_its_uid_is_taken () {
  for (const bool is_there : {true, false}) {
    Scene scene;
    scene.connect(1);
    const Uid alice = scene.ask(1, as_account("alice")).uid.value();
    scene.connect(2);
    const Uid elsewhere = scene.ask(2, as_account("alice", "hall")).uid.value();
    g_assert_cmpuint(elsewhere, !=, alice);
    if (!is_there)
      scene.ask(1, Leave{alice});
    ban_of(scene, {.channel = "room", .uid = alice});
    // Somebody else has come by that uid: the account's would be the next one.
    scene.book.lift_rule(1, scene.now);
    scene.connect(3);
    g_assert_true(scene.code(3, join_as(std::to_string(alice))) == Code::ok);
    ban_of(scene, {.channel = "room", .uid = alice});
    g_assert_true(scene.told(3) == "banned");
    scene.connect(4);
    g_assert_true(scene.code(4, as_account("alice")) == Code::bad_request);
    // In one channel alone.
    scene.connect(5);
    g_assert_true(scene.code(5, as_account("alice", "hall")) == Code::ok);
  }
  // Without a channel it holds in all, where the account has other uids.
  Scene scene;
  scene.connect(1);
  const Uid alice = scene.ask(1, as_account("alice")).uid.value();
  ban_of(scene, {.uid = alice});
  g_assert_true(scene.told(1) == "banned");
  scene.connect(2);
  g_assert_true(scene.code(2, as_account("alice", "hall")) == Code::bad_request);
}

void the_silenced_account_stays_silent () {
  Scene scene;
  Rule rule{.uid = 8, .join_channel = false, .publish_audio = true};
  ban_of(scene, rule);
  scene.connect(1);
  agora::protocol::Join join = as_account("08");
  join.role = Role::broadcaster;
  const Uid uid = scene.ask(1, join).uid.value();
  g_assert_cmpuint(uid, !=, 8);
  g_assert_true(scene.code(1, Publish{uid}) == Code::not_permitted);
}

void an_ipv6_address_stands_for_its_64 () {
  Scene scene;
  scene.connect(1, "2001:db8:1:2::5");
  scene.ask(1, join_as("10"));
  ban_of(scene, {.address = "2001:db8:1:2:aaaa::1"});
  g_assert_true(scene.told(1) == "banned");
  scene.connect(2, "2001:db8:1:2:ffff:1:2:3");
  g_assert_true(scene.code(2, join_as("20")) == Code::bad_request);
  scene.connect(3, "2001:db8:1:3::5");
  g_assert_true(scene.code(3, join_as("30")) == Code::ok);
}

// Who comes by an account's uid doesn't get what is the account's.
void streams_are_not_adopted_by_number () {
  Scene scene;
  scene.connect(1);
  agora::protocol::Join join = as_account("alice");
  join.role = Role::broadcaster;
  const Uid alice = scene.ask(1, join).uid.value();
  const std::string push = scene.publish(1, alice);
  g_assert_true(scene.push(push, 100));
  scene.disconnect(1);
  scene.connect(2);
  g_assert_true(scene.code(2, rejoin_as(std::to_string(alice), Role::broadcaster, {})) == Code::ok);
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.push(push, 101));
}

void questions_are_answered () {
  Scene scene;
  scene.connect(1, "192.0.2.7");
  scene.ask(1, join_as("10", Role::broadcaster));
  scene.join(2, "20");
  scene.disconnect(2);
  g_assert_true(scene.push(scene.publish(1, 10), 100));
  const auto host = scene.book.member(open_app, "room", 10);
  g_assert_true(host->role == Role::broadcaster && host->publishing && !host->in_grace);
  g_assert_cmpstr(host->platform.c_str(), ==, "wechat");
  g_assert_cmpstr(host->address.c_str(), ==, "192.0.2.7");
  g_assert_cmpint(host->joined_at, ==, scene.now.wall_s);
  const auto all = scene.book.members(open_app, "room");
  g_assert_cmpuint(all->size(), ==, 2);
  g_assert_cmpuint(all->at(0).uid, ==, 10);
  g_assert_true(all->at(1).in_grace);
  g_assert_false(scene.book.member(open_app, "room", 99).has_value());
  g_assert_false(scene.book.member(open_app, "hall", 10).has_value());
  g_assert_false(scene.book.members(closed_app, "room").has_value());
  const Totals totals = scene.book.totals();
  g_assert_cmpuint(totals.sessions, ==, 1);
  g_assert_cmpuint(totals.members, ==, 2);
  g_assert_cmpuint(totals.in_grace, ==, 1);
  g_assert_cmpuint(totals.channels, ==, 1);
  g_assert_cmpuint(totals.streams, ==, 1);
  g_assert_cmpuint(totals.joins.at(200), ==, 2);
}

// What an earlier gateway held to: its rules by their ids, until their ends, and none given again.
void rules_outlast_a_restart () {
  Scene before;
  before.connect(1, "192.0.2.7");
  Join alice = join_as("alice");
  alice.uid_type = 1;
  before.ask(1, alice);
  const Uid uid = before.book.members(open_app, "room")->front().uid;
  Rule whom;
  whom.channel = "room";
  whom.uid = uid;
  whom.ends_at = before.now.wall_s + 60;
  add(before, whom);
  Rule address;
  address.address = "2001:db8::7";
  address.join_channel = false;
  address.publish_audio = true;
  address.ends_at = before.now.wall_s + 30;
  add(before, address);
  Rule over;
  over.uid = 99;
  over.ends_at = before.now.wall_s + 1;
  add(before, over);
  before.pass(2'000);
  const std::string text = kept_text(before.book.kept_rules(before.now));

  Scene after;
  after.now.wall_s = before.now.wall_s;
  const ReadRules read = read_kept(text);
  g_assert_cmpstr(read.problem.c_str(), ==, "");
  after.book.restore_rules(read.kept, after.now);
  g_assert_true(kept_text(after.book.kept_rules(after.now)) == text);
  // The account that the rule had hit, whatever uid it would have now.
  after.connect(1, "192.0.2.8");
  g_assert_true(after.code(1, alice) == Code::bad_request);
  after.connect(2, "2001:db8::9");
  g_assert_true(after.code(2, join_as("20", Role::broadcaster)) == Code::ok);
  g_assert_true(after.book.member(open_app, "room", 20)->silenced);
  Rule next;
  next.uid = 5;
  next.ends_at = after.now.wall_s + 60;
  add(after, next);
  g_assert_cmpuint(after.book.rules(open_app, after.now).back().id, ==, 4);
  after.pass(61'000);
  g_assert_cmpuint(after.book.kept_rules(after.now).rules.size(), ==, 0);
  g_assert_false(after.book.member(open_app, "room", 20)->silenced);
}

void kept_texts_that_are_none () {
  const std::string head = "agora-rules 1\n", good = "rule 3 9999999999 demo room|7||j\n";
  const struct {
    std::string text;
    std::size_t rules;
    std::size_t bad;
    std::uint64_t next;
  } rows[] = {
      {head + "next 9\n" + good + "end 1\n", 1, 0, 9},
      {head + good + "end 1\n", 1, 0, 4},
      {head + good + "end 1", 1, 0, 4},
      {"", 0, 1, 1},
      {"agora-rules 2\n" + good + "end 1\n", 0, 1, 1},
      {head, 0, 1, 1},
      {head + good, 1, 1, 4},
      {head + good + "end 2\n", 1, 1, 4},
      {head + good + good + "end 2\n", 1, 1, 4},
      {head + good + "end 1\n" + good, 1, 1, 4},
      {head + good.substr(0, 20), 0, 2, 1},
      {head + "next 0\n" + good + "end 1\n", 1, 1, 4},
      {head + "next 99999999999999999999\n" + good + "end 1\n", 1, 1, 4},
      {head + "rule 0 9999999999 demo room|7||j\nend 0\n", 0, 1, 1},
      {head + "rule 3 -1 demo room|7||j\nend 0\n", 0, 1, 1},
      {head + "rule 3 9999999999 demo room|7||j \nend 0\n", 0, 1, 1},
      {head + "rule 3 9999999999 demo room|7||j\n\nend 1\n", 1, 1, 4},
      {head + "rule 3 9999999999 demo room|7||j|a||b\nend 0\n", 0, 1, 1},
      {head + "rule 3 9999999999 demo room|7||j|a|b\nend 1\n", 1, 0, 4},
      {head + "rule 3 9999999999  room|7||j\nend 0\n", 0, 1, 1},
      {head + "rule 3 9999999999 demo %01|7||j\nend 0\n", 0, 1, 1},
  };
  for (const auto &row : rows) {
    const ReadRules read = read_kept(row.text);
    if (read.kept.rules.size() != row.rules || read.bad != row.bad || read.kept.next != row.next ||
        read.problem.empty() != (row.bad == 0))
      g_error("%s: %zu rules, %zu bad, next %lu: %s", row.text.c_str(), read.kept.rules.size(),
              read.bad, static_cast<unsigned long>(read.kept.next), read.problem.c_str());
  }
}

}  // namespace

static const agora::Suite suite("bans", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"kick", the_kicked_are_out},
      {"fields", rules_hit_whom_they_name},
      {"may-return", a_rule_without_end_lets_return},
      {"silence", the_silenced_stay},
      {"silence-told", the_knowing_are_told},
      {"silence-ends", silence_ends_with_its_rule},
      {"silence-once", silence_of_no_duration},
      {"silence-ends-meanwhile", a_rule_that_comes_as_another_ends},
      {"silence-at-join", whoever_joins_is_told},
      {"silence-unknown", the_others_meet_nothing_new},
      {"kept", rules_are_kept},
      {"grace", the_banned_in_grace_are_out},
      {"spellings", a_uid_is_banned_as_whatever_it_comes},
      {"accounts", an_account_is_banned_wherever_its_uid_is_taken},
      {"account-silenced", the_silenced_account_stays_silent},
      {"ipv6", an_ipv6_address_stands_for_its_64},
      {"adopting", streams_are_not_adopted_by_number},
      {"restart", rules_outlast_a_restart},
      {"restart-texts", kept_texts_that_are_none},
      {"questions", questions_are_answered},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/moderation/") + test.name).c_str(), test.test);
});

}  // namespace bans_test
