// SPDX-License-Identifier: LGPL-2.1-or-later
// Channel books of several gateways over one store: what members of one hear of the other's.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace cluster_test {

using namespace agora::gateway;
using namespace agora::protocol;
namespace cluster = agora::gateway::cluster;

namespace {

void test_heard_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  // The listener plays at its own gateway, under the name that is pushed at the other.
  same(stream_of(all.played), stream_of(all.pushed));
  g_assert_cmpuint(b.relay_from.rfind("rtmp://192.0.2.101:1935/live/", 0), ==, 0);
  // The other lets its relay in, once for each URL's stream, and nobody else by that URL.
  g_assert_true(a.play(b.relay_from, 900));
  std::string other = b.relay_from;
  other.replace(other.find("/live/") + 6, 4, "0000");
  g_assert_false(a.play(other, 901));
  // It names the stream's gateway alone: the listener's doesn't relay further.
  g_assert_false(b.play(b.relay_from, 902));
  // A play URL is good at the gateway that gave it.
  g_assert_false(a.play(all.played, 903));

  a.say(1, MuteLocal{7, Target::audio, true});
  same(b.told(2), "audio 7 muted");
  all.forget();
  a.say(1, Unpublish{7});
  same(b.told(2), "removed 7");
  same(b.dropped(), "play 200");
  // And the relay's session with its stream.
  same(a.dropped(), "push 100, play 900");
  g_assert_true(b.code(2, Subscribe{7}) == Code::not_publishing);
}

void test_relay_urls_end () {
  Pair all;
  all.pass(61'000);
  g_assert_false(all[0].play(all[1].relay_from, 900));
}

void test_new_url_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  const Answer url = a.ask(1, UpdateUrl{7});
  all.forget();
  g_assert_true(a.push(url.url.value(), 101));
  same(b.told(2), "url 7");
  const std::string moved = b.new_url(2);
  same(stream_of(moved), stream_of(*url.url));
  g_assert_true(b.play(moved, 201));
  same(b.dropped(), "");
  // Whoever stays on the old name is cut.
  all.pass(6'000);
  same(b.dropped(), "play 200");
}

void test_lost_push_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.push_ends(100);
  all.pass(2'500);
  same(b.told(2), "");
  all.pass(1'000);
  same(b.told(2), "removed 7");
}

void test_replaced_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  b.connect(3);
  const Answer answer = b.ask(3, join_as("7", Role::broadcaster));
  g_assert_cmpuint(answer.uid.value(), ==, 7);
  g_assert_true(a.close_code(1) == CloseCode::replaced);
  same(a.told(1), "error 431");
  same(a.dropped(), "push 100");
  g_assert_cmpuint(a.book.totals().members, ==, 0);
  g_assert_cmpuint(a.book.totals().channels, ==, 0);
  g_assert_cmpuint(b.book.totals().members, ==, 2);
}

// It comes back at another gateway, and its listeners go over without a gap.
void test_adopted_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.join(9, "9");
  const std::string url = a.subscribe(9, 7);
  g_assert_true(a.play(url, 109));
  a.disconnect(1);
  all.forget();
  b.connect(3);
  g_assert_cmpuint(b.ask(3, rejoin_as("7", Role::broadcaster, {})).uid.value(), ==, 7);
  // Its sound goes on at the first.
  same(b.told(2), "");
  same(a.told(9), "");
  same(a.dropped(), "");
  same(a.noticed(), "");
  same(b.noticed(), "");
  g_assert_cmpuint(a.book.totals().members, ==, 1);

  const std::string fresh = b.publish(3, 7);
  all.forget();
  g_assert_true(b.push(fresh, 300));
  same(b.told(2), "url 7");
  same(a.told(9), "url 7");
  same(a.dropped(), "");
  // Each plays at its own gateway: here what is pushed here, there what is relayed.
  g_assert_true(b.play(b.new_url(2), 201));
  same(b.relay_from, "");
  g_assert_true(a.play(a.new_url(9), 110));
  g_assert_cmpuint(a.relay_from.rfind("rtmp://192.0.2.102:1935/live/", 0), ==, 0);
  same(a.dropped(), "");
  all.pass(6'000);
  // The old push, and those that stayed on it.
  same(a.dropped(), "push 100, play 109");
  same(b.dropped(), "play 200");
  same(a.told(9), "");
  g_assert_cmpuint(a.book.totals().streams, ==, 0);
  g_assert_cmpuint(b.book.totals().streams, ==, 1);
}

void test_left_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  g_assert_true(a.code(1, Leave{7}) == Code::ok);
  same(a.noticed(), "off, out 1");
  same(b.told(2), "removed 7");
  same(b.noticed(), "");
  all.forget();
  b.say(2, Leave{8});
  // The last one of all ends the channel.
  same(b.noticed(), "out 1, destroyed");
  g_assert_cmpuint(all.directory.channels(), ==, 0);
}

void test_one_channel_begins () {
  ClusterScene all(2);
  all[0].join(1, "7");
  same(all[0].noticed(), "created, in");
  all[1].join(2, "8");
  same(all[1].noticed(), "in");
}

Join by_account (const char *name) {
  Join join = join_as(name);
  join.uid_type = 1;
  return join;
}

void test_accounts_across () {
  ClusterScene all(2);
  all[0].connect(1);
  const Uid uid = all[0].ask(1, by_account("ann")).uid.value();
  all[1].connect(2);
  g_assert_cmpuint(all[1].ask(2, by_account("ann")).uid.value(), ==, uid);
  g_assert_true(all[0].close_code(1) == CloseCode::replaced);
  // Of those who name none each gets its own.
  std::set<Uid> uids{uid};
  for (SessionId id = 10; id < 20; id++) {
    all[id % 2].connect(id);
    g_assert_true(uids.insert(all[id % 2].ask(id, join_as("0")).uid.value()).second);
  }
}

void test_limits_across () {
  Config config = plain_config();
  config.limits.members_per_channel = 2;
  config.limits.channels_per_app = 1;
  ClusterScene all(2, config);
  all[0].join(1, "7");
  all[1].join(2, "8");
  all[0].connect(3);
  g_assert_true(all[0].code(3, join_as("9")) == Code::too_many);
  g_assert_true(all[0].code(3, join_as("9", Role::audience, "other")) == Code::too_many);
}

// The socket that asks while the store is slow hasn't joined.
void test_waiting_join () {
  Config config = plain_config();
  config.cluster =
      ClusterConfig{"00000001", "192.0.2.1:1935", "secret of the cluster, 32 bytes", ""};
  Scene scene(config);
  std::vector<Ask> asked;
  scene.store = [&] (const Command &command) {
    if (const auto *ask = std::get_if<Ask>(&command))
      asked.push_back(*ask);
  };
  scene.take(scene.book.start_cluster(scene.now));
  scene.more(scene.book.store_up(scene.now));
  scene.connect(1);
  asked.clear();
  scene.say(1, join_as("7"));
  g_assert_cmpuint(scene.sends().size(), ==, 0);
  g_assert_false(asked.empty());
  g_assert_true(asked[0].operation.kind == cluster::OperationKind::claim);
  g_assert_true(scene.code(1, Publish{7}) == Code::not_joined);
  g_assert_true(scene.code(1, join_as("7")) == Code::bad_order);
  // It closes before the answer, which makes a member in grace.
  scene.disconnect(1);
  cluster::Directory directory;
  const auto no_one = [] (const std::string &, const std::string &) {};
  for (std::size_t n = 0; n < asked.size(); n++)
    scene.take(scene.book.stored(asked[n].ticket,
                                 directory.apply(asked[n].operation, 1'800'000'000'000 + n, no_one),
                                 scene.now));
  // The channel's topic is confirmed, so that a snapshot is asked for, and answered.
  for (std::size_t n = asked.size(), i = 0; i < 1; i++) {
    scene.take(scene.book.subscribed("ag:demo/room", scene.now));
    for (; n < asked.size(); n++)
      scene.more(scene.book.stored(
          asked[n].ticket, directory.apply(asked[n].operation, 1'800'000'000'100 + n, no_one),
          scene.now));
  }
  g_assert_cmpuint(scene.book.totals().members, ==, 1);
  g_assert_cmpuint(scene.book.totals().in_grace, ==, 1);
  scene.connect(2);
}

// Without the store each goes on alone, and both find together again.
void test_store_away () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  all.cut(0);
  all.cut(1);
  all.pass(20'000);
  same(b.told(2), "");
  // Who comes is let in.
  a.join(3, "3");
  same(a.told(3), "added 7");
  all.mend(0);
  all.mend(1);
  all.pass(10'000);
  same(b.told(2), "");
  g_assert_cmpuint(all.directory.members(cluster::channel_key(open_app, "room")).size(), ==, 3);
}

void test_killed () {
  Pair all;
  Scene &b = all[1];
  all.kill(0);
  all.pass(9'000);
  same(b.told(2), "removed 7");
  // Who is first to end its stream, or to count it out, says so.
  same(b.noticed(), "off");
  all.pass(8'000);
  same(b.noticed(), "out 2");
  g_assert_cmpuint(all.directory.members(cluster::channel_key(open_app, "room")).size(), ==, 1);
}

// The relay cuts its listeners where it can't pull, and each is told where to play anew.
void test_pull_fails () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  b.join(3, "9");
  const std::string untouched = b.subscribe(3, 7);
  const std::string stream = stream_of(all.played);
  const auto cut = [&] (std::uint64_t client) {
    b.take(b.book.listeners_cut(stream, b.now));
    std::string told = b.told(2) + b.told(3);
    b.play_ends(client);
    return told;
  };
  b.take(b.book.listeners_cut(stream, b.now));
  // At once, and nobody who doesn't play.
  same(b.told(2), "url 7");
  same(b.told(3), "");
  std::string url = b.new_url(2);
  same(stream_of(url), stream);
  b.play_ends(200);
  g_assert_false(b.play(all.played, 201));
  g_assert_true(b.play(url, 201));
  g_assert_cmpuint(b.relay_from.rfind("rtmp://192.0.2.101:1935/live/", 0), ==, 0);
  g_assert_true(a.play(b.relay_from, 900));
  // Once more, and once more: after a second, after two.
  for (const std::int64_t pause : {1'000, 2'000, 4'000, 4'000}) {
    same(cut(201), "");
    all.pass(pause - 500);
    same(b.told(2), "");
    all.pass(500);
    same(b.told(2), "url 7");
    url = b.new_url(2);
    g_assert_true(b.play(url, 201));
  }
  // Who asks by itself meanwhile is told nothing; and when the relay plays it, the others are.
  g_assert_true(b.play(untouched, 301));
  same(cut(201), "");
  b.play_ends(301);
  url = b.subscribe(2, 7);
  g_assert_true(b.play(url, 202));
  b.take(b.book.stream_pulled(stream, b.now));
  same(b.told(2), "");
  same(b.told(3), "url 7");
  all.pass(10'000);
  same(b.told(2), "");
  // After a while it is the first time again. Who is away is told as soon as it is back.
  b.disconnect(2);
  b.take(b.book.listeners_cut(stream, b.now));
  same(b.told(2), "");
  b.connect(4);
  b.ask(4, rejoin_as("8", Role::audience, {7}));
  same(b.told(4), "added 7, url 7");
  // What is gone meanwhile is told as such alone.
  g_assert_true(b.play(b.new_url(4), 203));
  same(cut(203), "");
  all.forget();
  a.say(1, Unpublish{7});
  same(b.told(4), "removed 7");
  all.pass(10'000);
  same(b.told(4), "");
  b.take(b.book.listeners_cut(stream, b.now));
  b.take(b.book.stream_pulled(stream, b.now));
  g_assert_cmpuint(b.last.size(), ==, 0);
}

// Told anew after the first URL's time is over, and so with a time of its own.
void test_pull_fails_late () {
  Config config = plain_config();
  config.times.url_lifetime_s = 5;
  ClusterScene all(2, config);
  Scene &a = all[0], &b = all[1];
  a.on_air(1, 7, 100);
  b.join(2, "8");
  const std::string played = b.subscribe(2, 7);
  g_assert_true(b.play(played, 200));
  all.pass(6'000);
  b.take(b.book.listeners_cut(stream_of(played), b.now));
  same(b.told(2), "url 7");
  const std::string url = b.new_url(2);
  b.play_ends(200);
  g_assert_true(b.play(url, 201));
}

// A rule holds for members of all gateways.
void test_rules_across () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  Rule rule;
  rule.app_id = open_app;
  rule.channel = "room";
  rule.uid = 7;
  rule.join_channel = false;
  rule.publish_audio = true;
  cluster::StoredRule stored{open_app, 0, (b.now.wall_s + 60) * 1000, rule_text(rule)};
  auto [ticket, commands] = b.book.query(cluster::rule_write(stored), b.now);
  b.take(commands);
  std::optional<std::pair<std::string, std::uint64_t>> written;
  for (const Command &command : b.last)
    if (const auto *answered = std::get_if<Answered>(&command))
      if (answered->ticket == ticket)
        written = cluster::read_rule_write(answered->answer);
  g_assert_true(written.has_value());
  same(b.told(2), "removed 7");
  g_assert_true(a.code(1, Publish{7}) == Code::not_permitted);
  g_assert_cmpuint(a.book.rules(open_app, a.now).size(), ==, 1);
  g_assert_cmpuint(a.book.rules(open_app, a.now)[0].id, ==, written->second);
  // Lifted.
  stored.id = written->second;
  stored.text.clear();
  b.take(b.book.query(cluster::rule_write(stored), b.now).second);
  const Answer again = a.ask(1, Publish{7});
  same(again.reason, "");

  // Out for good.
  rule.join_channel = true;
  stored = {open_app, 0, (b.now.wall_s + 60) * 1000, rule_text(rule)};
  all.forget();
  b.take(b.book.query(cluster::rule_write(stored), b.now).second);
  g_assert_true(a.close_code(1) == CloseCode::banned);
  a.connect(4);
  g_assert_true(a.code(4, join_as("7")) == Code::bad_request);
  g_assert_true(a.close_code(4) == CloseCode::banned);
}

// A rule for the uid that an account happened to have holds for the account, at every gateway.
void test_banned_account_across () {
  ClusterScene all(3);
  all[0].connect(1);
  const Uid own = all[0].ask(1, by_account("ann")).uid.value();
  all[0].say(1, Leave{own});
  all[0].join(2, std::to_string(own));
  all[1].connect(3);
  Rule rule;
  rule.app_id = open_app;
  rule.channel = "room";
  rule.uid = all[1].ask(3, by_account("ann")).uid.value();
  g_assert_cmpuint(rule.uid, !=, own);
  const cluster::StoredRule stored{open_app, 0, (all[0].now.wall_s + 60) * 1000, rule_text(rule)};
  all[0].take(all[0].book.query(cluster::rule_write(stored), all[0].now).second);
  g_assert_true(all[1].close_code(3) == CloseCode::banned);
  all[0].say(2, Leave{own});
  for (int at = 0; at < 3; at++) {
    all[at].connect(4);
    g_assert_true(all[at].code(4, by_account("ann")) == Code::bad_request);
    g_assert_true(all[at].close_code(4) == CloseCode::banned);
  }
  // An operator at another gateway moved its end before that one knew of the account.
  cluster::StoredRule moved = stored;
  moved.id = all[2].book.rules(open_app, all[2].now).at(0).id;
  moved.ends_ms += 60'000;
  all[2].take(all[2].book.query(cluster::rule_write(moved), all[2].now).second);
  for (int at = 0; at < 3; at++) {
    const Rule there = all[at].book.rules(open_app, all[at].now).at(0);
    g_assert_cmpint(there.ends_at, ==, all[at].now.wall_s + 120);
    same(there.stored, moved.text + "|ann");
  }
}

void test_rule_texts () {
  Rule rule;
  rule.channel = "a|b c";
  rule.address = "2001:db8::1";
  rule.uid = 9;
  rule.publish_video = true;
  const auto read = parse_rule_text(rule_text(rule));
  g_assert_true(read.has_value());
  same(read->channel, "a|b c");
  same(read->address, "2001:db8::1");
  g_assert_cmpuint(read->uid, ==, 9);
  g_assert_true(read->join_channel && !read->publish_audio && read->publish_video);
  g_assert_true(read->accounts.empty());
  rule.accounts = {"ann", "b|o%b c"};
  g_assert_true(parse_rule_text(rule_text(rule))->accounts == rule.accounts);
  // What the store has no room for is left out, whole.
  for (int n = 0; n < 1'000; n++)
    rule.accounts.insert(std::string(200, '%') + std::to_string(n));
  const auto many = parse_rule_text(rule_text(rule));
  g_assert_true(many.has_value() && !many->accounts.empty());
  g_assert_true(std::includes(rule.accounts.begin(), rule.accounts.end(), many->accounts.begin(),
                              many->accounts.end()));
  g_assert_cmpuint(cluster::escape(rule_text(rule)).size(), <=, cluster::max_rule);
  for (const char *wrong : {"", "room|7||", "room|7|", "room|x||j", "|0||j", "room|7||j|",
                            "room|7||j|a|", "room|7||j|%", "%|7||j"})
    g_assert_false(parse_rule_text(wrong).has_value());
}

// A gateway that ends says so of each of its members.
void test_closed () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.take(a.book.close_all(a.now));
  same(b.told(2), "removed 7");
  g_assert_cmpuint(all.directory.members(cluster::channel_key(open_app, "room")).size(), ==, 1);
}

}  // namespace

static const agora::Suite suite("cluster", [] {
  g_test_add_func("/cluster/heard-across", test_heard_across);
  g_test_add_func("/cluster/relay-urls-end", test_relay_urls_end);
  g_test_add_func("/cluster/new-url-across", test_new_url_across);
  g_test_add_func("/cluster/lost-push-across", test_lost_push_across);
  g_test_add_func("/cluster/replaced-across", test_replaced_across);
  g_test_add_func("/cluster/adopted-across", test_adopted_across);
  g_test_add_func("/cluster/left-across", test_left_across);
  g_test_add_func("/cluster/one-channel-begins", test_one_channel_begins);
  g_test_add_func("/cluster/accounts-across", test_accounts_across);
  g_test_add_func("/cluster/banned-account-across", test_banned_account_across);
  g_test_add_func("/cluster/limits-across", test_limits_across);
  g_test_add_func("/cluster/waiting-join", test_waiting_join);
  g_test_add_func("/cluster/store-away", test_store_away);
  g_test_add_func("/cluster/killed", test_killed);
  g_test_add_func("/cluster/pull-fails", test_pull_fails);
  g_test_add_func("/cluster/pull-fails-late", test_pull_fails_late);
  g_test_add_func("/cluster/rules-across", test_rules_across);
  g_test_add_func("/cluster/rule-texts", test_rule_texts);
  g_test_add_func("/cluster/closed", test_closed);
});

}  // namespace cluster_test
