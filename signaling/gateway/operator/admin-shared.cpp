// SPDX-License-Identifier: LGPL-2.1-or-later
// Administration of all gateways that share a store. While that is away, queries are answered with
// what this gateway has, as `partial`; rules are refused, since no other gateway would hold to
// them.
#include <algorithm>
#include <utility>

#include "signaling/gateway/operator/admin-routes.hpp"
#include "signaling/gateway/operator/json-text.hpp"

namespace agora::gateway {

using cluster::Answer;
using cluster::Verdict;

namespace {

AdminAnswer ask (cluster::Operation operation, std::function<AdminAnswer(const Answer &)> then) {
  AdminAnswer answer;
  answer.query = std::move(operation);
  answer.then = std::move(then);
  return answer;
}

AdminAnswer no_store () {
  return admin_failure(503,
                       "the store that the gateways share is away: try again in a few seconds");
}

cluster::StoredRule stored (const Rule &rule, std::string text, std::int64_t ends_ms) {
  return {rule.app_id, rule.id, ends_ms, std::move(text)};
}

MemberInfo info_of (protocol::Uid uid, const cluster::MemberRecord &record) {
  MemberInfo info;
  info.uid = uid;
  info.account = record.account;
  info.role = record.role;
  info.platform = record.platform;
  info.address = record.address;
  info.joined_at = record.joined_s;
  return info;
}

AdminAnswer added (const Rule &rule) {
  auto answer = admin_success(JsonText()
                                  .text("status", "success")
                                  .integer("id", static_cast<std::int64_t>(rule.id))
                                  .finish());
  answer.deed = rule_deed("rule-add", rule);
  return answer;
}

}  // namespace

AdminAnswer Admin::add_shared_rule(const Rule &rule, Now now) {
  if (rule.ends_at <= now.wall_s)
    return ask(cluster::rule_once(rule.app_id, rule_text(rule)), [rule] (const Answer &answer) {
      return answer.verdict == Verdict::ok ? added(rule) : no_store();
    });
  const std::int64_t ends_ms = book_.to_shared_ms(rule.ends_at, now);
  return ask(cluster::rule_write(stored(rule, rule_text(rule), ends_ms)),
             [rule] (const Answer &answer) {
               if (answer.verdict == Verdict::full)
                 return rules_are_full();
               const auto written = cluster::read_rule_write(answer);
               if (!written)
                 return no_store();
               Rule known = rule;
               known.id = written->second;
               return added(known);
             });
}

AdminAnswer Admin::write_shared_rule(const Rule &rule, const std::string &text, std::string success,
                                     Now now) {
  const std::int64_t ends_ms = book_.to_shared_ms(rule.ends_at, now);
  return ask(cluster::rule_write(stored(rule, text, ends_ms)),
             [rule, is_lifted = text.empty(), success = std::move(success)] (const Answer &answer) {
               if (answer.verdict == Verdict::lost)
                 return no_rule(rule.id);
               if (answer.verdict != Verdict::ok)
                 return no_store();
               auto done = admin_success(success);
               done.deed = rule_deed(is_lifted ? "rule-lift" : "rule-change", rule);
               return done;
             });
}

// Page by page.
AdminAnswer Admin::all_channels(const std::string &app_id, std::shared_ptr<Channels> so_far,
                                const std::string &after, WithChannels done) {
  return ask(cluster::channels(app_id, after), [this, app_id, so_far = std::move(so_far),
                                                done = std::move(done)] (const Answer &answer) {
    const auto read = cluster::read_channels(answer);
    if (!read)
      return done(book_.channels(app_id), true);
    for (const auto &each : read->channels)
      if (const auto names = cluster::split_key(each.key))
        so_far->push_back({names->second, each.broadcasters,
                           each.members - std::min(each.members, each.broadcasters)});
    if (!read->next.empty())
      return all_channels(app_id, so_far, read->next, done);
    // The store's order is that of escaped names.
    std::sort(so_far->begin(), so_far->end(),
              [] (const ChannelInfo &one, const ChannelInfo &other) {
                return one.channel < other.channel;
              });
    return done(*so_far, false);
  });
}

AdminAnswer Admin::all_users(const std::string &app_id, const std::string &channel,
                             bool hosts_only) {
  return ask(cluster::members(cluster::channel_key(app_id, channel)),
             [this, app_id, channel, hosts_only] (const Answer &answer) {
               const auto read = cluster::read_members(answer);
               if (!read)
                 return admin_success(users_text(book_.members(app_id, channel), hosts_only, true));
               std::optional<std::vector<MemberInfo>> members;
               for (const auto &[uid, record] : *read) {
                 if (!members)
                   members.emplace();
                 members->push_back(info_of(uid, record));
               }
               if (members)
                 std::sort(members->begin(), members->end(),
                           [] (const MemberInfo &one, const MemberInfo &other) {
                             return one.uid < other.uid;
                           });
               return admin_success(users_text(members, hosts_only, false));
             });
}

// Of a member at another gateway: who it is, and then whether it speaks.
AdminAnswer Admin::shared_property(const std::string &app_id, protocol::Uid uid,
                                   const std::string &channel, Now now) {
  const std::string key = cluster::channel_key(app_id, channel);
  return ask(cluster::who_is(key, uid), [=, this] (const Answer &answer) {
    if (answer.verdict == Verdict::lost)
      return admin_success(property_text(uid, {}, false));
    const auto record = cluster::read_who_is(answer);
    if (!record)
      return admin_success(property_text(uid, {}, true));
    MemberInfo info = info_of(uid, *record);
    info.silenced = book_.silences(app_id, channel, info, now);
    return ask(cluster::snapshot(key), [uid, info] (const Answer &speakers) {
      const auto read = cluster::read_snapshot(speakers);
      MemberInfo known = info;
      known.publishing =
          read && std::any_of(read->speakers.begin(), read->speakers.end(),
                              [uid] (const auto &each) { return each.first == uid; });
      return admin_success(property_text(uid, known, !read));
    });
  });
}

}  // namespace agora::gateway
