// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/rule-match.hpp"

#include "signaling/gateway/channel/channel.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

// A rule for a uid holds for the person, whatever it comes as: an account counts as the uid that it
// spells, as the one that it has in the channel while nobody else holds that one, and as the one
// that it had when the rule hit it.
Suspect::Suspect(const Whom &whom) : Whom(whom) {
  if (account.empty())
    return;
  spelled = protocol::parse_uid(account).value_or(0);
  own = account_uid(app_id, channel, account);
}

bool matches (const Rule &rule, const Suspect &who) {
  const bool is_uid = !rule.uid || rule.uid == who.uid || rule.uid == who.spelled ||
                      rule.uid == who.own ||
                      (!who.account.empty() && rule.accounts.contains(who.account));
  return is_uid && rule.app_id == who.app_id &&
         (rule.channel.empty() || rule.channel == who.channel) &&
         (rule.network.empty() || rule.network == who.network) &&
         (!rule.channel.empty() || rule.uid || !rule.network.empty());
}

}  // namespace agora::gateway
