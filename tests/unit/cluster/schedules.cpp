// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/expect.hpp"

namespace sim {

namespace {

// ---- hole 1

std::string an_outage_is_no_death () {
  Trio trio;
  // g2 is cut off, and noticed; then nobody has the store for long.
  trio.g2.down();
  trio.rig.pass(5'500);
  trio.g1.down();
  trio.g3.down();
  trio.rig.pass(20'000);
  trio.g1.up();
  trio.rig.pass(500);
  trio.g2.up();
  trio.rig.pass(1'000);
  EXPECT(trio.g1.book.reaped_members == 0);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT_TEXT(trio.rig.owner(5), "g2");
  return "";
}

std::string the_dead_are_reaped () {
  Trio trio;
  trio.g2.down();
  trio.g2.dead = true;
  trio.rig.pass(6'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  trio.rig.pass(3'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  EXPECT_TEXT(trio.rig.owner(5), "g2");
  trio.rig.pass(7'000);
  EXPECT_TEXT(trio.rig.owner(5), "");
  EXPECT(trio.g1.book.reaped_members == 1 && trio.g3.book.reaped_members == 0);
  EXPECT(trio.g1.book.reaped_speakers + trio.g3.book.reaped_speakers == 1);
  return "";
}

// ---- hole 2

std::string a_lost_release_is_made_up_for () {
  Trio trio;
  trio.g2.down();
  trio.g2.book.leave(*trio.speaker, trio.rig.now());
  trio.rig.pass(1'000);
  trio.g2.up();
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.owner(5), "");
  EXPECT_TEXT(trio.rig.entry(5), "");
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  return "";
}

// ---- hole 3

std::string a_stream_left_behind_ends () {
  Trio trio;
  // It goes to g3, and pushes there no more. g2 dies before it can end what it has.
  trio.g2.holds_messages = true;
  trio.g3.join(5, true, {});
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.entry(5), "g2 st1");
  trio.g2.down();
  trio.g2.dead = true;
  trio.rig.pass(10'000);
  EXPECT_TEXT(trio.rig.entry(5), "");
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  return "";
}

// ---- hole 4

std::string versions_go_on_after_a_loss () {
  Trio trio;
  trio.rig.pass(1'000);
  trio.rig.directory = Directory();
  // Before anybody could notice by the clock.
  trio.g2.push(*trio.speaker, "st2");
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.heard(), "5 st2");
  const auto gaps = trio.g1.book.cluster.counts().gaps;
  trio.rig.pass(3'000);
  EXPECT(trio.g1.book.cluster.counts().gaps <= gaps + 1);
  EXPECT(trio.g1.book.cluster.counts().resyncs <= 3);
  return "";
}

// ---- hole 5

std::string what_the_store_lacks_is_doubted () {
  Trio trio;
  trio.g1.down();
  trio.g2.down();
  trio.rig.directory = Directory();
  trio.rig.pass(1'000);
  trio.g1.up();
  trio.rig.pass(2'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  trio.g2.up();
  trio.rig.pass(10'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT_TEXT(trio.g1.heard(), "5 st1");
  return "";
}

std::string an_outage_starts_the_doubt_anew () {
  Trio trio;
  trio.g1.down();
  trio.g2.down();
  trio.rig.directory = Directory();
  trio.g1.up();
  trio.rig.pass(1'000);
  trio.g1.down();
  trio.rig.pass(10'000);
  trio.g1.up();
  trio.rig.pass(1'000);
  trio.g2.up();
  trio.rig.pass(6'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  return "";
}

std::string a_doubt_ends () {
  Trio trio;
  trio.g1.down();
  trio.g2.down();
  trio.g2.dead = true;
  trio.rig.directory = Directory();
  trio.g1.up();
  trio.rig.pass(4'500);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  trio.rig.pass(1'500);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  return "";
}

// ---- hole 6

std::string a_claim_is_not_taken_back_in_time () {
  Trio trio;
  const auto first = parse_record(trio.rig.directory.members(room).at(5));
  trio.rig.pass(1'000);
  trio.g2.holds_asks = true;
  trio.g2.join(5, true);
  // Asked with the older `at`, behind the claim.
  trio.g2.book.cluster.subscribed(inbox_topic("g2"), trio.rig.now());
  trio.g2.holds_asks = false;
  trio.rig.settle();
  EXPECT(!trio.g2.book.claims.empty() && trio.g2.book.claims.back().adopted);
  const auto record = parse_record(trio.rig.directory.members(room).at(5));
  EXPECT(first && record && record->at_ms >= first->at_ms + 1'000);
  // One who claimed in between has lost, and must lose an assert as well.
  MemberRecord other;
  other.gateway = "g9";
  other.mid = 99;
  other.at_ms = record->at_ms - 1;
  EXPECT(trio.rig.apply(assert_member(room, 5, other, false)).verdict == Verdict::lost);
  return "";
}

// ---- hole 7

std::string gone_may_overtake_the_answer () {
  Trio trio;
  trio.g1.holds_answers = true;
  Socket &first = trio.g1.join(7);
  trio.rig.settle();
  trio.g3.join(7);
  trio.rig.settle();
  trio.g1.holds_answers = false;
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.told(first), "replaced");
  EXPECT(!trio.g1.book.members().contains({room, 7}));
  EXPECT_TEXT(trio.rig.owner(7), "g3");
  return "";
}

// ---- hole 8

std::string ones_own_stream_hides_none () {
  Trio trio;
  Socket &second = trio.g2.join(6);
  trio.rig.settle();
  trio.g2.down();
  // Another device, while g2 knows of nothing.
  Socket &other = trio.g3.join(5);
  trio.rig.settle();
  trio.g3.push(other, "st2");
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.heard(), "5 st2");
  trio.g2.told(second);
  trio.g2.up();
  trio.rig.pass(5'000);
  EXPECT_TEXT(trio.g2.told(*trio.speaker), "replaced");
  EXPECT_TEXT(trio.g2.heard(), "5 st2");
  EXPECT_TEXT(trio.g2.told(second), "moved 5");
  return "";
}

// ---- hole 9

std::string a_rollback_revives_nothing () {
  Trio trio;
  const Directory before = trio.rig.directory;
  trio.rig.pass(500);
  Socket &moved = trio.g3.join(5, true);
  trio.rig.settle();
  trio.g3.push(moved, "st2");
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.told(*trio.listener), "moved 5");
  for (Station *station : {&trio.g1, &trio.g2, &trio.g3})
    station->down();
  trio.rig.directory = before;
  trio.g1.up();
  trio.rig.pass(1'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT_TEXT(trio.g1.heard(), "5 st2");
  trio.g3.up();
  trio.g2.up();
  trio.rig.pass(10'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  EXPECT_TEXT(trio.rig.entry(5), "g3 st2");
  return "";
}

// ---- hole 10

std::string a_purge_waits_for_nobody () {
  Trio trio;
  trio.g2.down();
  trio.g2.book.leave(*trio.speaker, trio.rig.now());
  trio.rig.pass(1'000);
  trio.g2.up();
  // Somebody is always joining.
  for (Uid uid = 20; uid < 24; uid++) {
    trio.g2.join(uid);
    for (int step = 0; step < 8; step++) {
      trio.g2.execute();
      trio.g2.answer();
      if (trio.g2.asks.empty())
        trio.g2.join(100 + 10 * uid + static_cast<Uid>(step));
      trio.g2.listen();
    }
  }
  EXPECT_TEXT(trio.rig.owner(5), "");
  return "";
}

}  // namespace

const std::vector<Schedule> &schedules_of_holes () {
  static const std::vector<Schedule> all{
      ENTRY(an_outage_is_no_death),
      ENTRY(the_dead_are_reaped),
      ENTRY(a_lost_release_is_made_up_for),
      ENTRY(a_stream_left_behind_ends),
      ENTRY(versions_go_on_after_a_loss),
      ENTRY(what_the_store_lacks_is_doubted),
      ENTRY(an_outage_starts_the_doubt_anew),
      ENTRY(a_doubt_ends),
      ENTRY(a_claim_is_not_taken_back_in_time),
      ENTRY(gone_may_overtake_the_answer),
      ENTRY(ones_own_stream_hides_none),
      ENTRY(a_rollback_revives_nothing),
      ENTRY(a_purge_waits_for_nobody),
  };
  return all;
}

}  // namespace sim
