// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else is in a channel: where members may ask, who is told of whom, and that a crowd at the
// door is no flood inside.
#include "tests/suite.hpp"
#include "tests/unit/gateway/listing-scene.hpp"

namespace members_test {

using namespace agora::gateway;
using namespace agora::protocol;
using namespace agora::gateway::listing;
namespace cluster = agora::gateway::cluster;

namespace {

void only_where_it_is_allowed () {
  Scene closed;
  enter(closed, 1, named(7, "Ann"));
  const Answer refused = closed.ask(1, Members{});
  g_assert_true(refused.code == Code::not_permitted);
  same(refused.reason, "members: the operator doesn't show the members of this app");
  enter(closed, 2, named(8));
  same(closed.told(1), "");

  Config config = shown();
  config.show_members = {"*"};
  Scene scene(config);
  // Who doesn't know of names knows no such action.
  scene.join(1, "7");
  const Answer unknown = scene.ask(1, Members{});
  g_assert_true(unknown.code == Code::bad_request);
  same(unknown.reason, "unknown action \"members\"");
  // Who hasn't asked is told nothing.
  enter(scene, 2, named(8));
  enter(scene, 3, named(9, "Cid"));
  same(scene.told(1) + scene.told(2), "");
  same(list_of(scene.ask(2, Members{})), "7, 9 Cid");
}

// Whoever has the list is told that there is no more of it, and whoever has asked since that there
// is one again.
void taken_back_and_given () {
  Scene scene(shown());
  const auto show = [&] (ShownApps apps) {
    scene.take(scene.book.set_show_members(std::move(apps), scene.now));
  };
  for (const SessionId id : {1, 2, 3, 4, 5})
    enter(scene, id, named(static_cast<Uid>(id)));
  scene.connect(6);
  Join there = named(6);
  there.channel = "elsewhere";
  scene.ask(6, there);
  for (const SessionId id : {1, 2, 3, 4, 6})
    g_assert_true(scene.code(id, Members{}) == Code::ok);
  show({"other"});
  for (const SessionId id : {1, 2, 3, 4, 6})
    same(scene.told(id), "hidden");
  same(scene.told(5), "");
  g_assert_cmpuint(scene.sends().size(), ==, 2);
  // Of changes nobody is told from then on, nor of the same once more.
  enter(scene, 7, named(7));
  same(scene.told(1), "");
  scene.pass(2'000);
  show({});
  same(scene.told(1) + scene.told(2), "");
  g_assert_true(scene.code(2, Members{}) == Code::not_permitted);
  g_assert_true(scene.code(7, Members{}) == Code::not_permitted);
  // Who loses its socket, or joins again, asks anew.
  scene.disconnect(3);
  Join again = named(3);
  again.known_speakers.emplace();
  enter(scene, 8, again);
  scene.ask(4, named(4));
  scene.last.clear();
  show({open_app});
  for (const SessionId id : {1, 2, 6, 7})
    same(scene.told(id), "shown");
  for (const SessionId id : {4, 5, 8})
    same(scene.told(id), "");
  g_assert_cmpuint(events_of(scene), ==, 4);
  same(list_of(scene.ask(1, Members{})), "2, 3, 4, 5, 7");
  enter(scene, 9, named(9));
  same(scene.told(1), "joined 9");
  same(scene.told(2), "");
  show({"*"});
  g_assert_cmpuint(events_of(scene), ==, 0);
}

void who_comes_and_goes () {
  Scene scene(shown());
  enter(scene, 1, named(7, "Ann"));
  same(list_of(scene.ask(1, Members{})), "");
  enter(scene, 2, named(8, "Bob", Role::broadcaster));
  same(scene.told(1), "joined 8 Bob");
  // A voice is told as to all.
  g_assert_true(scene.push(scene.publish(2, 8), 200));
  same(scene.told(1), "named 8 Bob, added 8");
  scene.pass(1'000);
  // Another channel's members are nobody's business.
  scene.connect(3);
  scene.ask(3, join_as("9", Role::audience, "elsewhere"));
  same(scene.told(1), "");
  // Lost for less than the grace, and back by another name.
  scene.disconnect(2);
  scene.pass(5'000);
  same(scene.told(1), "");
  enter(scene, 4, [] {
    Join again = named(8, "Bob B.", Role::broadcaster);
    again.known_speakers.emplace();
    return again;
  }());
  same(scene.told(1), "named 8 Bob B., joined 8 Bob B.");
  scene.pass(1'000);
  // Another device in its place: it is the same uid.
  enter(scene, 5, named(8, "Bob B."));
  same(scene.told(1), "removed 8");
  scene.pass(1'000);
  scene.disconnect(5);
  scene.pass(9'000);
  same(scene.told(1), "");
  scene.pass(2'000);
  same(scene.told(1), "left 8");
  // By its own word, and by the operator's.
  enter(scene, 6, named(10));
  same(scene.told(1), "joined 10");
  scene.pass(1'000);
  scene.ask(6, Leave{10});
  same(scene.told(1), "left 10");
  scene.pass(1'000);
  enter(scene, 7, named(11));
  same(scene.told(1), "joined 11");
  scene.pass(1'000);
  Rule rule;
  rule.app_id = open_app;
  rule.uid = 11;
  rule.ends_at = scene.now.wall_s + 60;
  scene.take(scene.book.add_rule(rule, scene.now));
  same(scene.told(1), "left 11");
  // Nobody is told of itself, and who has left hears no more.
  same(list_of(scene.ask(1, Members{})), "");
  scene.ask(1, Leave{7});
  enter(scene, 8, named(12));
  same(scene.told(1), "");
}

void a_rejoin_asks_anew () {
  Scene scene(shown());
  enter(scene, 1, named(7));
  scene.ask(1, Members{});
  scene.disconnect(1);
  enter(scene, 2, named(8));
  Join again = named(7);
  again.known_speakers.emplace();
  enter(scene, 3, again);
  enter(scene, 4, named(9));
  same(scene.told(3), "");
  same(list_of(scene.ask(3, Members{})), "8, 9");
  enter(scene, 5, named(10));
  same(scene.told(3), "joined 10");
}

void coming_and_going_is_folded () {
  Scene scene(shown());
  enter(scene, 1, named(7));
  scene.ask(1, Members{});
  std::size_t told = 0;
  scene.connect(2);
  for (int i = 0; i < 20; i++) {
    scene.now.mono_ms += 10;
    g_assert_true(scene.code(2, named(8)) == Code::ok);
    told += events_of(scene);
    scene.ask(2, Leave{8});
    told += events_of(scene);
  }
  g_assert_cmpuint(told, ==, 1);
  scene.pass(1'000);
  same(scene.told(1), "left 8");
  // Asked once a second, or five times at once.
  int good = 0;
  while (scene.code(1, Members{}) == Code::ok)
    good++;
  g_assert_cmpint(good, >=, 4);
  g_assert_cmpint(good, <=, 6);
}

// The list of a channel of thousands is cut, and so is what is told of it.
void a_crowd_is_cut () {
  Scene scene(shown());
  for (Uid uid = 1; uid <= 1500; uid++) {
    scene.connect(uid);
    scene.ask(uid, named(uid, "", uid == 1500 ? Role::broadcaster : Role::audience));
  }
  const Answer answer = scene.ask(1, Members{});
  g_assert_cmpuint(answer.list->members.size(), ==, 1000);
  g_assert_cmpint(answer.list->more, ==, 499);
  // Who speaks is in it.
  g_assert_cmpuint(answer.list->members.back().uid, ==, 1500);
  scene.pass(1'000);
  scene.ask(1'499, Leave{1'499});
  same(scene.told(1), "");
  // One goes, and makes room for another.
  scene.ask(2, Leave{2});
  same(scene.told(1), "left 2, joined 1000");
  // Names for which there is no room are left out, and nobody with them.
  Scene wordy(shown());
  std::string longest;
  for (int i = 0; i < 64; i++)
    longest += "\U0001F399";
  for (Uid uid = 1; uid <= 300; uid++) {
    wordy.connect(uid);
    wordy.ask(uid, named(uid, uid > 290 ? "Ann" : longest));
  }
  const Answer whole = wordy.ask(1, Members{});
  g_assert_cmpuint(whole.list->members.size(), ==, 299);
  g_assert_cmpint(whole.list->more, ==, 0);
  same(whole.list->members[0].name, longest);
  same(whole.list->members[200].name, "");
  same(whole.list->members.back().name, "Ann");
  g_assert_cmpuint(encode(ServerMessage(whole)).size(), <, 64 * 1024);
  g_assert_true(std::holds_alternative<ServerMessage>(decode_server(encode(ServerMessage(whole)))));
}

// Who asks is none of the others, wherever it would stand in the list.
void who_asks_is_not_counted () {
  Scene scene(shown());
  for (Uid uid = 1; uid <= max_listed + 1; uid++) {
    scene.connect(uid);
    scene.ask(uid, named(uid));
  }
  for (const SessionId id : {SessionId{1}, SessionId{max_listed + 1}}) {
    const Answer answer = scene.ask(id, Members{});
    g_assert_cmpuint(answer.list->members.size(), ==, max_listed);
    g_assert_cmpint(answer.list->more, ==, 0);
  }
}

// Whoever has another name again and again keeps nobody else's coming from being told.
void names_do_not_starve_others () {
  Config config = shown(500);
  config.limits.request_burst = 10'000;
  Scene scene(config);
  for (SessionId id = 100; id < 150; id++) {
    enter(scene, id, named(static_cast<Uid>(id)));
    while (scene.code(id, Members{}) != Code::ok)
      scene.pass(1'000);
  }
  for (const SessionId id : {1, 2, 3})
    enter(scene, id, named(static_cast<Uid>(id), "x"));
  scene.pass(60'000);
  std::string told;
  std::size_t events = 0;
  const auto note = [&] {
    events += events_of(scene);
    told += " " + scene.told(100);
  };
  for (int n = 0; n < 50; n++) {
    if (n == 20) {
      enter(scene, 4, named(4, "Victim"));
      note();
    }
    for (const SessionId id : {1, 2, 3}) {
      scene.ask(id, named(static_cast<Uid>(id), "n" + std::to_string(n)));
      note();
    }
    scene.pass(100);
    note();
  }
  g_assert_true(told.find("joined 4 Victim") != std::string::npos);
  // One a second of each, at most.
  g_assert_cmpuint(events, <=, (5 * 3 + 4) * 50);
  // The last ones are told of, too.
  for (int n = 0; n < 50; n++) {
    scene.pass(100);
    note();
  }
  for (const char *uid : {"1", "2", "3"})
    g_assert_true(told.find("joined " + std::string(uid) + " n49") != std::string::npos);
}

// 10,000 who come at once, to 500 who watch: not five million events.
void a_storm_is_bounded () {
  Scene scene(shown(5'000));
  constexpr SessionId watchers = 500;
  for (SessionId id = 1; id <= watchers; id++) {
    scene.connect(id);
    scene.ask(id, named(static_cast<Uid>(id)));
    // What a list costs is paid by and by.
    while (scene.code(id, Members{}) != Code::ok)
      scene.pass(1'000);
  }
  scene.pass(60'000);
  std::size_t told = 0;
  for (SessionId id = 10'001; id <= 20'000; id++) {
    scene.connect(id);
    scene.ask(id, named(static_cast<Uid>(id)));
    told += events_of(scene);
  }
  g_assert_cmpuint(told, <=, 5'000 / 20 + watchers);
  // What is told of streams doesn't wait for it.
  g_assert_true(scene.code(1, SetRole{Role::broadcaster}) == Code::ok);
  g_assert_true(scene.push(scene.publish(1, 1), 100));
  std::string heard = scene.told(2);
  scene.pass(2'000);
  heard += ", " + scene.told(2);
  g_assert_true(heard.find("added 1") != std::string::npos);
  scene.pass(10'000);
  // A fifth of what the channel may tell.
  told = 0;
  for (int second = 0; second < 10; second++) {
    scene.pass(1'000);
    told += events_of(scene);
  }
  g_assert_cmpuint(told, >=, 9'000);
  g_assert_cmpuint(told, <=, 10 * 1'000 + 2 * watchers);
}

// Who asks has those, too, of whom the others are yet to be told: what becomes of them is told.
void a_list_is_of_now () {
  Scene scene(shown());
  enter(scene, 1, named(7));
  enter(scene, 2, named(8));
  scene.ask(1, Members{});
  enter(scene, 3, named(9));
  same(scene.told(1), "joined 9");
  enter(scene, 4, named(10));
  scene.ask(2, Leave{8});
  same(scene.told(1), "");
  same(list_of(scene.ask(3, Members{})), "7, 10");
  // Neither is as the first one knows it, nor as it was.
  scene.ask(4, Leave{10});
  g_assert_true(scene.code(2, named(8)) == Code::ok);
  scene.pass(1'000);
  same(scene.told(3), "left 10, joined 8");
  scene.pass(2'000);
  same(scene.told(1) + scene.told(3), "");
}

void at_the_end_nothing_is_left () {
  Scene scene(shown());
  enter(scene, 1, named(7));
  enter(scene, 2, named(8));
  scene.ask(1, Members{});
  scene.ask(2, Members{});
  scene.ask(1, Leave{7});
  scene.ask(2, Leave{8});
  g_assert_cmpuint(scene.book.totals().channels, ==, 0);
  enter(scene, 3, named(9));
  scene.ask(3, Members{});
  scene.last = scene.book.close_all(scene.now);
  same(scene.told(3), "error 503");
}

void on_the_wire () {
  for (
      const char *text :
      {R"({"command":"serverStatus","serverStatus":{"action":"member-joined","uid":8,"name":"A"}})",
       R"({"command":"serverStatus","serverStatus":{"action":"member-joined","uid":8}})",
       R"({"command":"serverStatus","serverStatus":{"action":"member-left","uid":8}})",
       R"({"command":"serverStatus","serverStatus":{"action":"members-hidden"}})",
       R"({"command":"serverStatus","serverStatus":{"action":"members-shown"}})",
       R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"members":[]}})",
       R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"members":[{"uid":)"
       R"(8,"name":"A"},{"uid":9}],"more":5}})"})
    same(encode(std::get<ServerMessage>(decode_server(text))), text);
  for (const char *wrong : {R"("members":5)", R"("members":[5])", R"("members":[{"name":"A"}])",
                            R"("members":[{"uid":8,"name":"\n"}])", R"("members":[],"more":-1)"})
    g_assert_true(std::holds_alternative<DecodeError>(
        decode_server(R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{)" +
                      std::string(wrong) + "}}")));
  std::string many;
  for (int uid = 1; uid <= 1001; uid++)
    many += (uid > 1 ? "," : "") + std::string(R"({"uid":1,"name":"x"})");
  const auto read = [&] (const std::string &list) {
    return decode_server(
        R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"members":[)" +
        list + "]}}");
  };
  g_assert_true(std::holds_alternative<DecodeError>(read(many)));
  g_assert_true(
      std::holds_alternative<ServerMessage>(read(many.substr(0, many.rfind(R"(,{"uid")")))));
}

// Those at other gateways, as the store has them, of whose messages none arrives.
void at_other_gateways () {
  ClusterScene all(2, shown());
  all.unheard = cluster::members_prefix;
  Scene &a = all[0], &b = all[1];
  enter(b, 1, named(7, "Ann | \xe2\x82\xac"));
  b.join(2, "8");
  enter(a, 3, named(9));
  enter(a, 4, named(10));
  all.forget();
  same(list_of(a.ask(3, Members{})), "7 Ann | \xe2\x82\xac, 8, 10");
  same(list_of(b.ask(1, Members{})), "8, 9, 10");
  // Who comes and goes there is found a moment later.
  enter(b, 5, named(11, "Cid"));
  same(a.told(3), "");
  all.pass(3'000);
  same(a.told(3), "joined 11 Cid");
  b.ask(5, Leave{11});
  all.pass(3'000);
  same(a.told(3), "left 11");
  // Who goes from one to the other has not gone, whichever of them one asks.
  a.disconnect(4);
  all.forget();
  Join again = named(10);
  again.known_speakers.emplace();
  enter(b, 6, again);
  same(a.told(3), "");
  all.pass(5'000);
  same(a.told(3) + b.told(1), "");
  // Back, and away at once, before it was looked for.
  b.disconnect(6);
  enter(a, 7, again);
  a.ask(7, Leave{10});
  same(a.told(3), "left 10");
  all.pass(3'000);
  same(a.told(3), "");
  same(b.told(1), "left 10");
  // One gateway is gone: its members are, when their grace is over.
  all.kill(1);
  all.pass(8'000);
  same(a.told(3), "");
  all.pass(15'000);
  same(a.told(3), "left 7, left 8");
}

// While the store is away, those who were found last are there still.
void while_the_store_is_away () {
  ClusterScene all(2, shown());
  Scene &a = all[0], &b = all[1];
  b.join(1, "7");
  enter(a, 2, named(8));
  g_assert_true(a.code(2, Members{}) == Code::ok);
  all.cut(0);
  all.pass(3'000);
  same(a.told(2), "");
  same(list_of(a.ask(2, Members{})), "7");
  enter(a, 3, named(9));
  same(a.told(2), "joined 9");
  b.ask(1, Leave{7});
  all.mend(0);
  all.pass(3'000);
  same(a.told(2), "left 7");
}

// Who asks and leaves before the store has answered is answered all the same.
void left_before_the_answer () {
  Config config = shown();
  config.cluster =
      ClusterConfig{"00000001", "192.0.2.101:1935", "fedcba9876543210fedcba9876543210", "info"};
  Scene scene(config);
  std::vector<std::uint64_t> tickets;
  scene.store = [&] (const Command &command) {
    if (const auto *ask = std::get_if<Ask>(&command))
      tickets.push_back(ask->ticket);
  };
  // Without a store the member is in by itself; then there is one, which takes its time.
  scene.take(scene.book.start_cluster(scene.now));
  enter(scene, 1, named(7));
  scene.more(scene.book.store_up(scene.now));
  tickets.clear();
  scene.last.clear();
  scene.say(1, Members{});
  g_assert_cmpuint(tickets.size(), ==, 1);
  g_assert_cmpuint(scene.sends().size(), ==, 0);
  const std::uint64_t look = tickets.front();
  scene.say(1, Leave{7});
  g_assert_cmpuint(scene.sends().size(), ==, 2);
  g_assert_true(std::get<Answer>(scene.sends()[0].message).code == Code::ok);
  g_assert_true(std::get<Answer>(scene.sends()[1].message).code == Code::not_joined);
  scene.take(scene.book.stored(look, {cluster::Verdict::ok, {}}, scene.now));
  g_assert_cmpuint(scene.sends().size(), ==, 0);
}

std::string taken (Roster &roster, bool renames = true) {
  const Roster::News news = roster.take(renames);
  return std::to_string(news.uid) + (news.name ? " " + *news.name : " left");
}

// What one who is at hand tells of it: a roster by itself.
void names_that_do_not_fit () {
  Roster roster;
  const std::string wide(200, 'x');
  for (Uid uid = 1; uid <= max_listed + 1; uid++)
    roster.set(uid, wide);
  std::size_t with = 0;
  while (roster.has_news())
    with += roster.take().name.value().empty() ? 0 : 1;
  g_assert_cmpuint(roster.size(), ==, max_listed);
  // Half of the room for names: the rest is for short ones.
  g_assert_cmpuint(with, ==, (max_list_bytes - max_listed * 29) / 2 / 200);
  g_assert_cmpint(roster.give().more, ==, 1);
  // What was left out is known all the same.
  roster.set(1, wide);
  roster.set(900, wide);
  g_assert_false(roster.has_news());
  // A longer name than there is room for: it stays, without.
  roster.set(1, wide + std::string(56, '"'));
  same(taken(roster), "1 ");
  roster.set(2, "Ann");
  same(taken(roster), "2 Ann");
  // One goes, and makes room.
  roster.set(3, std::nullopt);
  same(taken(roster), "3 left");
  same(taken(roster), std::to_string(max_listed + 1) + " " + wide);
  // Taken back before it was told.
  roster.set(2, std::nullopt);
  roster.set(2, "Ann");
  g_assert_false(roster.has_news());
}

void in_turn () {
  Roster roster;
  for (Uid uid = 1; uid <= 4; uid++)
    roster.set(uid, "x");
  while (roster.has_news())
    roster.take();
  roster.set(1, "y");
  roster.set(2, "y");
  roster.set(3, "y");
  roster.set(5, "x");
  roster.set(6, "x");
  roster.set(4, std::nullopt);
  same(taken(roster), "4 left");
  same(taken(roster), "1 y");
  same(taken(roster), "5 x");
  same(taken(roster, false), "6 x");
  g_assert_false(roster.has_news(false));
  // There and gone, or as before: nothing is to be told.
  roster.set(2, "x");
  same(taken(roster), "3 y");
  roster.set(7, "x");
  roster.set(7, std::nullopt);
  g_assert_false(roster.has_news());
}

}  // namespace

static const agora::Suite suite("members", [] {
  g_test_add_func("/members/allowed", only_where_it_is_allowed);
  g_test_add_func("/members/taken-back", taken_back_and_given);
  g_test_add_func("/members/come-and-go", who_comes_and_goes);
  g_test_add_func("/members/rejoin", a_rejoin_asks_anew);
  g_test_add_func("/members/folded", coming_and_going_is_folded);
  g_test_add_func("/members/crowd", a_crowd_is_cut);
  g_test_add_func("/members/storm", a_storm_is_bounded);
  g_test_add_func("/members/now", a_list_is_of_now);
  g_test_add_func("/members/elsewhere", at_other_gateways);
  g_test_add_func("/members/store-away", while_the_store_is_away);
  g_test_add_func("/members/left-meanwhile", left_before_the_answer);
  g_test_add_func("/members/end", at_the_end_nothing_is_left);
  g_test_add_func("/members/wire", on_the_wire);
  g_test_add_func("/members/roster", names_that_do_not_fit);
  g_test_add_func("/members/in-turn", in_turn);
  g_test_add_func("/members/not-counted", who_asks_is_not_counted);
  g_test_add_func("/members/starve", names_do_not_starve_others);
});

}  // namespace members_test
