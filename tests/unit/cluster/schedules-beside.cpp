// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/expect.hpp"

namespace sim {

namespace {

std::string a_purge_spares_who_comes_back () {
  Trio trio;
  trio.g2.down();
  trio.g2.book.leave(*trio.speaker, trio.rig.now());
  trio.rig.pass(1'000);
  trio.g2.up();
  trio.g2.listen();
  trio.g2.execute();  // with the list of what is g2's
  Socket &again = trio.g2.join(5, true);
  trio.rig.settle();
  trio.rig.pass(3'000);
  EXPECT_TEXT(trio.g2.told(again), "joined 5");
  EXPECT_TEXT(trio.rig.owner(5), "g2");
  return "";
}

std::string a_gap_is_noticed () {
  Trio trio;
  Socket &second = trio.g3.join(6);
  trio.rig.settle();
  trio.g3.push(second, "st2");
  trio.g3.execute();
  trio.g1.messages.clear();  // lost
  trio.rig.settle();
  trio.g2.push(*trio.speaker, "st3");
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.heard(), "5 st3, 6 st2");
  EXPECT(trio.g1.book.cluster.counts().gaps == 1);
  return "";
}

std::string only_the_owner_speaks () {
  Trio trio;
  trio.g2.holds_messages = true;
  trio.g3.join(5);
  trio.rig.settle();
  trio.g2.push(*trio.speaker, "st2");
  trio.g2.execute();
  EXPECT_TEXT(trio.rig.entry(5), "");
  trio.g2.holds_messages = false;
  trio.rig.settle();
  EXPECT_TEXT(trio.g2.told(*trio.speaker), "replaced");
  return "";
}

std::string only_the_owner_releases () {
  Trio trio;
  trio.g2.holds_messages = true;
  trio.g3.join(5);
  trio.rig.settle();
  trio.g2.book.leave(*trio.speaker, trio.rig.now());
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  return "";
}

std::string nobody_reaps_the_living () {
  Trio trio;
  EXPECT(trio.rig.apply(reap_members(room, "g2")).verdict == Verdict::alive);
  EXPECT(trio.rig.apply(reap_speakers(room, "g2")).verdict == Verdict::alive);
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.owner(5), "g2");
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  return "";
}

std::string who_moved_is_not_reaped () {
  Trio trio;
  trio.g2.join(6);
  trio.rig.settle();
  trio.g3.join(5, true);
  trio.rig.settle();
  trio.g2.down();
  trio.g2.dead = true;
  trio.rig.pass(20'000);
  EXPECT_TEXT(trio.rig.owner(6), "");
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  EXPECT_TEXT(trio.rig.owner(1), "g1");
  return "";
}

std::string a_late_hush_hits_nothing () {
  Trio trio;
  trio.g2.push(*trio.speaker, "st2");
  trio.rig.settle();
  EXPECT(trio.rig.apply(hush(room, 5, "st1")).verdict == Verdict::lost);
  EXPECT_TEXT(trio.rig.entry(5), "g2 st2");
  return "";
}

std::string the_newer_member_stays () {
  Trio trio;
  trio.g2.down();
  Socket &newer = trio.g3.join(5);
  trio.rig.settle();
  trio.g2.up();
  trio.rig.pass(5'000);
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  EXPECT_TEXT(trio.g3.told(newer), "joined 5");
  EXPECT_TEXT(trio.g2.told(*trio.speaker), "replaced");
  return "";
}

std::string at_grows_within_a_millisecond () {
  Trio trio;
  trio.g1.join(7);
  trio.rig.settle();
  const auto first = parse_record(trio.rig.directory.members(room).at(7));
  trio.g3.join(7);
  trio.rig.settle();
  const auto second = parse_record(trio.rig.directory.members(room).at(7));
  EXPECT(first && second && second->at_ms > first->at_ms);
  return "";
}

std::string who_is_replaced_is_silent () {
  Trio trio;
  trio.g3.join(5);
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.entry(5), "");
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  return "";
}

std::string the_older_device_is_told () {
  Trio trio;
  Socket &fresh = trio.g3.join(5);
  trio.rig.settle();
  EXPECT_TEXT(trio.g2.told(*trio.speaker), "replaced");
  EXPECT_TEXT(trio.g3.told(fresh), "joined 5");
  EXPECT(trio.g2.book.members().empty());
  return "";
}

std::string moving_is_one_step_for_listeners () {
  Trio trio;
  Socket &moved = trio.g3.join(5, true);
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT(!trio.g2.book.orphans().empty());
  trio.g3.push(moved, "st2");
  trio.rig.settle();
  EXPECT_TEXT(trio.g1.told(*trio.listener), "moved 5");
  EXPECT(trio.g2.book.orphans().empty());
  trio.rig.pass(10'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  EXPECT_TEXT(trio.rig.entry(5), "g3 st2");
  // And back again.
  trio.g2.join(5, true);
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.owner(5), "g2");
  EXPECT_TEXT(trio.g1.heard(), "5 st2");
  return "";
}

std::string moving_in_an_outage_is_one_step () {
  Trio trio;
  for (Station *station : {&trio.g1, &trio.g2, &trio.g3})
    station->down();
  trio.rig.pass(1'000);
  Socket &moved = trio.g3.join(5, true);
  trio.g3.push(moved, "st2");
  trio.rig.pass(1'000);
  for (Station *station : {&trio.g1, &trio.g2, &trio.g3})
    station->up();
  trio.rig.pass(10'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "moved 5");
  EXPECT_TEXT(trio.rig.owner(5), "g3");
  EXPECT_TEXT(trio.rig.entry(5), "g3 st2");
  EXPECT_TEXT(trio.g2.told(*trio.speaker), "replaced");
  return "";
}

std::string what_went_elsewhere_ends_here () {
  Trio trio;
  trio.g3.join(5, true);
  trio.rig.pass(2'500);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  trio.rig.pass(1'000);
  EXPECT_TEXT(trio.g1.told(*trio.listener), "removed 5");
  EXPECT_TEXT(trio.rig.entry(5), "");
  EXPECT(trio.g2.book.orphans().empty());
  return "";
}

std::string an_empty_store_is_filled () {
  Trio trio;
  for (Station *station : {&trio.g1, &trio.g2, &trio.g3})
    station->down();
  trio.rig.directory = Directory();
  for (Station *station : {&trio.g1, &trio.g2, &trio.g3})
    station->up();
  trio.rig.settle();
  EXPECT_TEXT(trio.rig.owner(1) + trio.rig.owner(5), "g1g2");
  EXPECT_TEXT(trio.rig.entry(5), "g2 st1");
  EXPECT_TEXT(trio.g1.told(*trio.listener), "");
  return "";
}

std::string a_lost_lease_is_noticed () {
  Trio trio;
  trio.rig.directory = Directory();
  trio.rig.pass(1'500);
  EXPECT_TEXT(trio.rig.owner(1) + trio.rig.owner(5), "g1g2");
  EXPECT_TEXT(trio.rig.entry(5), "g2 st1");
  return "";
}

std::string who_joins_knows_the_speakers () {
  Trio trio;
  trio.g3.holds_messages = true;
  Socket &late = trio.g3.join(8, true, {5});
  trio.rig.settle();
  trio.g3.holds_messages = false;
  trio.rig.settle();
  EXPECT_TEXT(trio.g3.told(late), "joined 8, added 5");
  return "";
}

}  // namespace

const std::vector<Schedule> &schedules_beside () {
  static const std::vector<Schedule> all{
      ENTRY(a_purge_spares_who_comes_back),   ENTRY(a_gap_is_noticed),
      ENTRY(only_the_owner_speaks),           ENTRY(only_the_owner_releases),
      ENTRY(nobody_reaps_the_living),         ENTRY(who_moved_is_not_reaped),
      ENTRY(a_late_hush_hits_nothing),        ENTRY(the_newer_member_stays),
      ENTRY(at_grows_within_a_millisecond),   ENTRY(who_is_replaced_is_silent),
      ENTRY(the_older_device_is_told),        ENTRY(moving_is_one_step_for_listeners),
      ENTRY(moving_in_an_outage_is_one_step), ENTRY(what_went_elsewhere_ends_here),
      ENTRY(an_empty_store_is_filled),        ENTRY(a_lost_lease_is_noticed),
      ENTRY(who_joins_knows_the_speakers),
  };
  return all;
}

}  // namespace sim
