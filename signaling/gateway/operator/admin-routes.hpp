// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an operator asks over HTTP: who is where, and rules that remove or silence. Paths and fields
// are those of the vendor's server interface, so that its scripts work here. No I/O.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/operator/admin-request.hpp"
#include "signaling/gateway/operator/console-sessions.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

// Nothing: no such channel.
std::string users_text (const std::optional<std::vector<MemberInfo>> &members, bool hosts_only,
                        bool partial);
std::string property_text (protocol::Uid uid, const std::optional<MemberInfo> &member,
                           bool partial);
AdminAnswer admin_success (std::string body);
AdminAnswer admin_not_allowed (const char *methods);
AdminAnswer no_rule (std::uint64_t id);
AdminAnswer no_app (unsigned status, std::string_view app_id);
std::string iso_time (std::int64_t wall_s);
AdminAnswer rules_are_full ();

class Admin {
 public:
  // `token`: what callers have to show; "": administration is off.
  // `live`: how things stand. `console`: whether there is a page for it.
  Admin(ChannelBook &book, std::string token, unsigned requests_per_second, bool console,
        std::function<std::string()> live)
      : book_(book),
        token_(std::move(token)),
        console_(console),
        live_(std::move(live)),
        allowance_(requests_per_second, 2 * requests_per_second) {}
  Admin(const Admin &) = delete;
  Admin &operator=(const Admin &) = delete;

  AdminAnswer answer (const AdminRequest &request);
  // Why there are none.
  void forbid_stream_keys (std::string why) { no_stream_keys_ = std::move(why); }
  void set_token (std::string token);
  // Of an Authorization header alone: by what programs ask.
  bool lets_in (std::string_view authorization) const { return shows_token(authorization, token_); }

 private:
  AdminAnswer live (const AdminRequest &request);
  // admin-console.cpp
  bool shows_cookie (const AdminRequest &request) const;
  AdminAnswer console (const AdminRequest &request);
  AdminAnswer log_in (const AdminRequest &request);
  AdminAnswer log_out (const AdminRequest &request);
  AdminAnswer rule (const AdminRequest &request);
  AdminAnswer add_rule (const AdminRequest &request);
  AdminAnswer list_rules (const AdminRequest &request);
  AdminAnswer change_rule (const AdminRequest &request);
  AdminAnswer lift_rule (const AdminRequest &request);
  AdminAnswer channels (const AdminRequest &request, std::string_view app_id);
  AdminAnswer users (std::string_view app_id, std::string_view channel, bool hosts_only);
  AdminAnswer property (std::string_view app_id, std::string_view uid, std::string_view channel,
                        Now now);

  // admin-keys.cpp
  AdminAnswer stream_key (const AdminRequest &request, KeyUse use);
  AdminAnswer make_stream_key (const AdminRequest &request, KeyUse use);
  AdminAnswer list_stream_keys (const AdminRequest &request, KeyUse use);
  AdminAnswer end_stream_key (const AdminRequest &request, KeyUse use);

  // admin-shared.cpp: the same of all gateways that share a store
  using Channels = std::vector<ChannelInfo>;
  using WithChannels = std::function<AdminAnswer(const Channels &all, bool partial)>;
  AdminAnswer add_shared_rule (const Rule &rule, Now now);
  AdminAnswer write_shared_rule (const Rule &rule, const std::string &text, std::string success,
                                 Now now);
  AdminAnswer all_channels (const std::string &app_id, std::shared_ptr<Channels> so_far,
                            const std::string &after, WithChannels done);
  AdminAnswer all_users (const std::string &app_id, const std::string &channel, bool hosts_only);
  AdminAnswer shared_property (const std::string &app_id, protocol::Uid uid,
                               const std::string &channel, Now now);
  ChannelBook &book_;
  std::string token_;
  std::string no_stream_keys_;
  const bool console_;
  const std::function<std::string()> live_;
  ConsoleSessions sessions_;
  TokenBucket allowance_;
};

}  // namespace agora::gateway
