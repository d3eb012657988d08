// SPDX-License-Identifier: LGPL-2.1-or-later
// What an operator asks over HTTP: who is where, and rules that remove or silence. Paths and fields
// are those of the vendor's server interface, so that its scripts work here. No I/O.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/operator/admin-request.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

class Admin {
 public:
  // `token`: what callers have to show; "": administration is off.
  Admin(ChannelBook &book, std::string token, unsigned requests_per_second)
      : book_(book),
        token_(std::move(token)),
        allowance_(requests_per_second, 2 * requests_per_second) {}
  Admin(const Admin &) = delete;
  Admin &operator=(const Admin &) = delete;

  AdminAnswer answer (const AdminRequest &request);
  void set_token (std::string token) { token_ = std::move(token); }

 private:
  AdminAnswer rule (const AdminRequest &request);
  AdminAnswer add_rule (const AdminRequest &request);
  AdminAnswer list_rules (const AdminRequest &request);
  AdminAnswer change_rule (const AdminRequest &request);
  AdminAnswer lift_rule (const AdminRequest &request);
  AdminAnswer channels (const AdminRequest &request, std::string_view app_id);
  AdminAnswer users (std::string_view app_id, std::string_view channel, bool hosts_only);
  AdminAnswer property (std::string_view app_id, std::string_view uid, std::string_view channel);
  ChannelBook &book_;
  std::string token_;
  TokenBucket allowance_;
};

}  // namespace agora::gateway
