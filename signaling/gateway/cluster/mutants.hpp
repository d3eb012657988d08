// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Faults that the tests of this room put into it, one at a time, to see that they find each. Only
// their own build of it has them: elsewhere mutated() is false when it is compiled.
#pragma once

namespace agora::gateway::cluster {

enum class Mutant {
  none,
  // Of the store's operations.
  speak_unfenced,      // whoever asks may speak for a uid
  release_unfenced,    // a late release takes the member of another gateway
  reap_unfenced,       // the lease isn't looked at
  reap_takes_all,      // members that went elsewhere are reaped with their old gateway
  hush_unfenced,       // a late hush takes the next stream
  assert_always_wins,  // an older member takes its uid back from a newer one
  assert_goes_back,    // `at` of one's own later claim is lowered
  at_stands_still,     // two claims within one millisecond have one `at`
  versions_restart,    // versions begin at 1 after loss of data
  claim_keeps_entry,   // a member that isn't adopted leaves its stream behind
  gone_untold,         // the older member's gateway isn't told
  // Of a gateway.
  no_doubt,                 // what the store lacks after an outage is gone at once
  doubt_survives_outage,    // an outage doesn't start the doubt anew
  doubt_for_ever,           // nobody looks again
  no_purge,                 // a lost release leaves its member for ever
  purge_waits_for_joins,    // and as long as anyone is joining
  no_gap_detection,         // lost messages stay lost
  outage_counts,            // time without the store counts towards the others' death
  stray_stays,              // the stream that a member left elsewhere, where nobody ends it
  gone_must_not_overtake,   // a gone that overtakes the claim's answer is forgotten
  no_snapshot_after_loss,   // one's own entry hid another's
  entries_unordered,        // a rollback revives old entries
  no_resync,                // the store isn't told anew what is here
  no_resync_without_lease,  // nor after others took this gateway for dead
  claimed_before_snapshot,  // joined before the speakers are known
  orphans_stay,             // the push of who went elsewhere goes on
};

#ifdef AGORA_MUTANTS
extern Mutant current_mutant;
inline bool mutated (Mutant mutant) {
  return current_mutant == mutant;
}
#else
constexpr bool mutated (Mutant) {
  return false;
}
#endif

}  // namespace agora::gateway::cluster
