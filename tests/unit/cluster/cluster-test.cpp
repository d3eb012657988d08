// SPDX-License-Identifier: LGPL-2.1-or-later
// Accounts, limits, the operator's rules and lists over several gateways; and what can be no
// gateway's or store's.
#include <glib.h>

#include <algorithm>

#include "tests/unit/cluster/rig.hpp"

using namespace sim;

namespace {

const std::string room = "a/room";

#define is_text(is, should)                      \
  do {                                           \
    const std::string seen = (is);               \
    g_assert_cmpstr(seen.c_str(), ==, (should)); \
  } while (false)

void accounts () {
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  Socket &first = g1.join(0, false, {}, "ann");
  rig.settle();
  const Uid uid = g1.book.claims.back().uid;
  g_assert_cmpuint(uid, !=, 0);
  // The same account has the same uid elsewhere, and is the same member if it asks for that.
  g2.join(0, true, {}, "ann");
  rig.settle();
  g_assert_cmpuint(g2.book.claims.back().uid, ==, uid);
  g_assert_true(g2.book.claims.back().adopted);
  g_assert_true(g1.told(first).ends_with("replaced"));
  // Another one's is never adopted.
  g1.join(uid, true, {}, "bob");
  rig.settle();
  g_assert_false(g1.book.claims.back().adopted);
  g_assert_true(g1.book.claims.back().older && g1.book.claims.back().older->account == "ann");
  // Ann has lost her uid to bob, and gets another.
  g2.join(0, false, {}, "ann");
  rig.settle();
  g_assert_cmpuint(g2.book.claims.back().uid, !=, uid);
}

void assigned_uids_are_free () {
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  std::set<Uid> uids;
  for (int n = 0; n < 200; n++) {
    Station &station = n % 2 ? g1 : g2;
    station.join(0);
    rig.settle();
    g_assert_true(station.book.claims.back().verdict == Verdict::ok);
    g_assert_true(uids.insert(station.book.claims.back().uid).second);
  }
}

void limits () {
  Rig rig;
  Station &g1 = rig.add("g1", 2, 2), &g2 = rig.add("g2", 2, 2);
  g1.join(1);
  g2.join(2);
  rig.settle();
  Socket &third = g1.join(3);
  rig.settle();
  is_text(g1.told(third), "refused full");
  // Who is in may come again.
  Socket &again = g1.join(2);
  rig.settle();
  is_text(g1.told(again), "joined 2");
  g1.join(1, false, {}, "", "a/second");
  Socket &beyond = g2.join(1, false, {}, "", "a/third");
  rig.settle();
  is_text(g2.told(beyond), "refused too_many_channels");
  Socket &other_app = g2.join(1, false, {}, "", "b/third");
  rig.settle();
  is_text(g2.told(other_app), "joined 1");
  // The store has no trace of those that were refused.
  g_assert_cmpuint(rig.directory.channels(), ==, 3);
}

void ends () {
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  Socket &first = g1.join(1), &second = g2.join(2);
  rig.settle();
  g_assert_true(g1.book.claims.back().created && !g2.book.claims.back().created);
  g1.book.leave(first, rig.now());
  rig.settle();
  g_assert_cmpuint(g1.book.ended_channels, ==, 0);
  g2.book.leave(second, rig.now());
  rig.settle();
  g_assert_cmpuint(g2.book.ended_channels, ==, 1);
  g_assert_cmpuint(rig.directory.channels(), ==, 0);
  // Nobody watches what has no member.
  g_assert_true(g1.wanted.size() == 2 && g2.wanted.size() == 2);
}

void rules () {
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  const StoredRule ban{"a", 0, rig.now().wall_ms + 60'000, "ban 5"};
  const Ticket asked = g1.book.cluster.query(rule_write(ban), rig.now());
  // A join that was on its way when the ban was answered.
  g2.holds_messages = true;
  Socket &banned = g2.join(5);
  g2.book.forbidden.insert(banned.id);
  g1.execute();
  g2.execute();
  rig.settle();
  g2.holds_messages = false;
  rig.settle();
  g_assert_true(!g1.book.answers.empty() && g1.book.answers.back().first == asked);
  const auto written = read_rule_write(g1.book.answers.back().second);
  g_assert_true(written && written->second == 1);
  is_text(g2.told(banned), "refused rules");
  for (Station *station : {&g1, &g2})
    g_assert_true(station->book.known_rules.size() == 1 &&
                  station->book.known_rules[0].text == "ban 5");
  // Who is allowed joins by the new rules.
  Socket &other = g2.join(6);
  rig.settle();
  is_text(g2.told(other), "joined 6");

  // A store that comes back empty gets the rules of those who know them.
  g1.down();
  g2.down();
  rig.directory = Directory();
  g2.up();
  g1.up();
  rig.settle();
  const auto kept = read_rules(rig.apply(rules_read()));
  g_assert_true(kept && kept->rules.size() == 1 && kept->rules[0].text == "ban 5" &&
                kept->rules[0].id == 1);
  g_assert_true(g1.book.known_rules.size() == 1 && g2.book.known_rules.size() == 1);

  g1.book.cluster.query(rule_once("a", "kick 6"), rig.now());
  g2.book.cluster.query(rule_write({"a", 1, 0, ""}), rig.now());
  rig.settle();
  for (Station *station : {&g1, &g2}) {
    g_assert_true(station->book.known_rules.empty());
    g_assert_true(station->book.once == std::vector<std::string>{"a kick 6"});
  }
  // What has ended doesn't count, nor does an id that is gone.
  g_assert_true(rig.apply(rule_write({"a", 1, 9, "x"})).verdict == Verdict::lost);
}

void lists () {
  Rig rig;
  Station &g1 = rig.add("g1");
  for (int n = 0; n < 250; n++)
    g1.join(1, false, {}, "", channel_key("a", "c" + std::to_string(1'000 + n)));
  g1.join(2, false, {}, "", channel_key("a", "c1000"));
  g1.join(1, false, {}, "", "b/other");
  rig.settle();
  std::vector<std::string> keys;
  std::string after;
  unsigned pages = 0;
  do {
    const auto page = read_channels(rig.apply(channels("a", after)));
    g_assert_true(page.has_value());
    for (const auto &each : page->channels) {
      keys.push_back(each.key);
      g_assert_cmpuint(each.members, ==, each.key == "a/c1000" ? 2 : 1);
    }
    after = page->next;
    pages++;
  } while (!after.empty());
  g_assert_cmpuint(keys.size(), ==, 250);
  g_assert_cmpuint(pages, ==, 3);
  g_assert_true(std::is_sorted(keys.begin(), keys.end()));
  const auto members_of = read_members(rig.apply(members("a/c1000")));
  g_assert_true(members_of && members_of->size() == 2 && (*members_of)[0].second.gateway == "g1");
  g_assert_true(read_who_is(rig.apply(who_is("a/c1000", 2))).has_value());
  g_assert_true(rig.apply(who_is("a/c1000", 3)).verdict == Verdict::lost);
  // And all that is a gateway's, page by page.
  std::size_t held = 0;
  after.clear();
  do {
    const auto page = read_mine(rig.apply(mine("g1", after)));
    g_assert_true(page.has_value());
    held += page->held.size();
    after = page->next;
  } while (!after.empty());
  g_assert_cmpuint(held, ==, 252);
}

void many_are_told_anew () {
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  constexpr Uid number = 2'000;
  for (Uid uid = 1; uid <= number; uid++)
    g1.join(uid);
  rig.settle();
  g1.down();
  rig.directory = Directory();
  g1.up();
  // Not all at once: what else is asked waits behind few.
  g1.listen();
  g_assert_cmpuint(g1.asks.size(), <, 300);
  rig.settle();
  g_assert_cmpuint(rig.directory.members(room).size(), ==, number);
  g_assert_cmpuint(g1.book.cluster.counts().resyncs, ==, 2);
  (void)g2;
}

void away () {
  Rig rig;
  Station &g1 = rig.add("g1");
  g1.down();
  g_assert_true(g1.book.cluster.away());
  // Answered at once, and by this gateway alone.
  Socket &first = g1.join(5);
  is_text(g1.told(first), "joined 5");
  g_assert_false(g1.book.claims.back().by_store);
  Socket &second = g1.join(0);
  g_assert_true(g1.told(second).starts_with("joined "));
  g1.up();
  rig.settle();
  g_assert_cmpuint(rig.directory.members(room).size(), ==, 2);
  is_text(rig.owner(5), "g1");
}

void wrong_clocks () {
  // A gateway whose clock is an hour ahead claims by the store's once it has heard that.
  Rig rig;
  Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
  const auto hour_ahead = [&] {
    Moment now = rig.now();
    now.wall_ms += 3'600'000;
    return now;
  };
  g1.down();
  Socket &ahead = g1.open();
  g1.book.join(ahead, 5, false, {}, hour_ahead());
  rig.pass(1'000);
  Socket &newer = g2.join(5);
  rig.settle();
  g1.up();
  rig.pass(5'000);
  is_text(rig.owner(5), "g2");
  is_text(g2.told(newer), "joined 5");
  is_text(g1.told(ahead), "joined 5, replaced");
}

// ---- hostile

std::string spoilt (Rig &rig, std::string text) {
  rig.randoms = rig.randoms * 6364136223846793005u + 1442695040888963407u;
  const std::uint64_t dice = rig.randoms >> 20;
  if (text.empty())
    return std::string(dice % 50, static_cast<char>(dice >> 8));
  switch (dice % 5) {
    case 0:
      return text.substr(0, (dice >> 8) % text.size());
    case 1:
      text[(dice >> 8) % text.size()] = static_cast<char>(dice >> 16);
      return text;
    case 2:
      return text + ' ' + text;
    case 3:
      return std::string((dice >> 8) % 20'000, 'x');
    default:
      return text;
  }
}

void strange_messages () {
  Rig rig;
  Station &g1 = rig.add("g1");
  g1.join(1);
  g1.push(g1.join(2), "st1");
  rig.settle();
  const std::vector<std::pair<std::string, std::string>> seeds{
      {"ag:a/room", "0 1764000000001 set 7 g2|st7|1764000000000.1|127.0.0.1:1935|"},
      {"ag:a/room", "1764000000001 1764000000002 del 7 st7"},
      {"ag:a/room", "1764000000001 1764000000002 set 2 g1|st9|1.1|127.0.0.1:1935|av"},
      {"ag:in:g1", "gone a/room 1 0000000000000001 0 g2 1764000000000"},
      {"ag:in:g1", "gone a/room 2 0000000000000002 1 g2 999999999999999999"},
      {"ag:rules", "rule 7 a 1 1764000000000 x"},
      {"ag:rules", "lift 8 a 1"},
      {"ag:rules", "once a x"},
      {"ag:nowhere", "x"},
      {"", ""}};
  for (int n = 0; n < 20'000; n++) {
    const auto &[topic, message] = seeds[static_cast<std::size_t>(n) % seeds.size()];
    g1.book.at(rig.now()).heard(n % 7 ? topic : spoilt(rig, topic), spoilt(rig, message),
                                rig.now());
    if (n % 100 == 0)
      rig.pass(100);
  }
  g_assert_cmpuint(g1.book.cluster.counts().refused, >, 1'000);
  g_assert_false(g1.book.oddities.empty());
  // A flood is one line a second.
  g_assert_cmpuint(g1.book.oddities.size(), <=, 30);
  // It works on.
  Socket &fresh = g1.join(50);
  rig.pass(2'000);
  g_assert_true(g1.told(fresh).starts_with("joined 50"));
}

void strange_answers () {
  for (std::uint64_t seed = 1; seed <= 300; seed++) {
    Rig rig;
    Station &g1 = rig.add("g1"), &g2 = rig.add("g2");
    rig.randoms = seed * 1'000'003;
    for (Uid uid = 1; uid < 6; uid++) {
      g1.push(g1.join(uid), "s" + std::to_string(uid));
      g2.push(g2.join(uid + 3), "t" + std::to_string(uid));
      for (int round = 0; round < 20; round++) {
        g1.execute();
        for (auto &[ticket, answer] : g1.answers) {
          if (spoilt(rig, "") < "x")
            continue;
          for (std::string &value : answer.values)
            value = spoilt(rig, value);
          if (rig.randoms % 7 == 0)
            answer.verdict = static_cast<Verdict>(rig.randoms / 7 % 8);
          if (rig.randoms % 5 == 0 && !answer.values.empty())
            answer.values.pop_back();
        }
        g1.answer();
        g1.listen();
        g2.execute();
        g2.answer();
        g2.listen();
      }
      if (uid == 3) {
        g1.down();
        g1.up();
      }
      rig.pass(1'000);
    }
    // Once the store is honest again, so is all.
    g1.down();
    g1.up();
    rig.pass(20'000);
    for (const auto &[place, member] : g1.book.members())
      if (place.first == room)
        is_text(rig.owner(place.second), "g1");
    for (const auto &[uid, record] : rig.directory.members(room))
      g_assert_true(g1.book.members().contains({room, uid}) ||
                    g2.book.members().contains({room, uid}));
  }
}

// What a store may make a gateway keep, or do, has its end.
void speakers_are_bounded () {
  Rig rig;
  Station &g1 = rig.add("g1");
  g1.join(1);
  rig.settle();
  constexpr Uid many = 60'000;
  std::uint64_t version = 1'764'000'000'000;
  std::string previous = "0";
  for (Uid uid = 2; uid < many; uid++) {
    const std::string fresh = std::to_string(++version);
    std::string message = previous;
    message.append(" ").append(fresh).append(" set ").append(std::to_string(uid));
    message.append(" g2|s|1.1|127.0.0.1:1935|");
    g1.book.at(rig.now()).heard("ag:a/room", message, rig.now());
    previous = fresh;
  }
  g_assert_cmpuint(g1.book.cluster.speakers(room)->size(), ==, 50'000);
}

void pages_end () {
  Rig rig;
  Station &g1 = rig.add("g1");
  g1.down();
  g1.up();
  unsigned pages = 0;
  for (int round = 0; round < 50; round++) {
    for (const auto &[ticket, operation] : std::exchange(g1.asks, {})) {
      const bool page = operation.kind == OperationKind::mine;
      pages += page ? 1 : 0;
      g1.book.at(rig.now()).stored(
          ticket, page ? Answer{Verdict::ok, {"a/a"}} : rig.apply(operation), rig.now());
    }
    g1.listen();
  }
  g_assert_cmpuint(pages, >=, 1);
  g_assert_cmpuint(pages, <=, 2);
}

void one_claim_a_socket () {
  Rig rig;
  Station &g1 = rig.add("g1");
  Socket &twice = g1.open();
  g1.book.join(twice, 9, false, {}, rig.now());
  g1.book.join(twice, 9, false, {}, rig.now());
  rig.settle();
  is_text(g1.told(twice), "joined 9");
  g1.book.leave(twice, rig.now());
  rig.settle();
  g_assert_cmpuint(g1.wanted.size(), ==, 2);
}

// Each operation with each number of texts, and wrong ones.
void strange_operations () {
  Directory directory;
  Rig rig;
  const auto publish = [] (const std::string &, const std::string &) {};
  for (std::size_t kind = 0; kind < operation_kinds; kind++)
    for (std::size_t number = 0; number < 16; number++)
      for (const char *text : {"", "0", "1", "-1", "x", "a/b", "99999999999999999999", "|", " "}) {
        const Operation operation{static_cast<OperationKind>(kind),
                                  std::vector<std::string>(number, text)};
        directory.apply(operation, 1'764'000'000'000, publish);
      }
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/cluster/accounts", accounts);
  g_test_add_func("/cluster/assigned-uids", assigned_uids_are_free);
  g_test_add_func("/cluster/limits", limits);
  g_test_add_func("/cluster/ends", ends);
  g_test_add_func("/cluster/rules", rules);
  g_test_add_func("/cluster/lists", lists);
  g_test_add_func("/cluster/many", many_are_told_anew);
  g_test_add_func("/cluster/away", away);
  g_test_add_func("/cluster/clocks", wrong_clocks);
  g_test_add_func("/cluster/hostile/messages", strange_messages);
  g_test_add_func("/cluster/hostile/answers", strange_answers);
  g_test_add_func("/cluster/hostile/speakers", speakers_are_bounded);
  g_test_add_func("/cluster/hostile/pages", pages_end);
  g_test_add_func("/cluster/one-claim", one_claim_a_socket);
  g_test_add_func("/cluster/hostile/operations", strange_operations);
  return g_test_run();
}
