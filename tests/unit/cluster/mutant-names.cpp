// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/mutant-names.hpp"

namespace agora::gateway::cluster {

Mutant current_mutant = Mutant::none;

}  // namespace agora::gateway::cluster

namespace sim {

const std::vector<std::pair<Mutant, std::string_view>> &mutants () {
  static const std::vector<std::pair<Mutant, std::string_view>> all{
      {Mutant::speak_unfenced, "speak-unfenced"},
      {Mutant::release_unfenced, "release-unfenced"},
      {Mutant::reap_unfenced, "reap-unfenced"},
      {Mutant::reap_takes_all, "reap-takes-all"},
      {Mutant::hush_unfenced, "hush-unfenced"},
      {Mutant::assert_always_wins, "assert-always-wins"},
      {Mutant::assert_goes_back, "assert-goes-back"},
      {Mutant::at_stands_still, "at-stands-still"},
      {Mutant::versions_restart, "versions-restart"},
      {Mutant::claim_keeps_entry, "claim-keeps-entry"},
      {Mutant::gone_untold, "gone-untold"},
      {Mutant::no_doubt, "no-doubt"},
      {Mutant::doubt_survives_outage, "doubt-survives-outage"},
      {Mutant::doubt_for_ever, "doubt-for-ever"},
      {Mutant::no_purge, "no-purge"},
      {Mutant::purge_waits_for_joins, "purge-waits-for-joins"},
      {Mutant::no_gap_detection, "no-gap-detection"},
      {Mutant::outage_counts, "outage-counts"},
      {Mutant::stray_stays, "stray-stays"},
      {Mutant::gone_must_not_overtake, "gone-must-not-overtake"},
      {Mutant::no_snapshot_after_loss, "no-snapshot-after-loss"},
      {Mutant::entries_unordered, "entries-unordered"},
      {Mutant::no_resync, "no-resync"},
      {Mutant::no_resync_without_lease, "no-resync-without-lease"},
      {Mutant::claimed_before_snapshot, "claimed-before-snapshot"},
      {Mutant::orphans_stay, "orphans-stay"},
  };
  return all;
}

std::optional<Mutant> mutant_named (std::string_view name) {
  for (const auto &[mutant, known] : mutants())
    if (known == name)
      return mutant;
  return {};
}

}  // namespace sim
