// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The store's operations in this process: what tests and the simulator use in Redis's place, and
// what its scripts are held to. Same answers, same messages. Pure. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/record.hpp"

namespace agora::gateway::cluster {

class Directory {
 public:
  using Publish = std::function<void(const std::string &topic, const std::string &message)>;

  // An operation with the wrong number of texts, or wrong ones, is refused: `away`, as by a script
  // that fails.
  Answer apply (const Operation &operation, std::int64_t now_ms, const Publish &publish);

  // What it holds, for tests.
  std::map<Uid, std::string> members (const std::string &key) const;
  std::map<Uid, std::string> speakers (const std::string &key) const;
  std::size_t channels () const { return channels_.size(); }

 private:
  struct Channel {
    std::map<Uid, std::string> members;
    std::map<Uid, std::string> speakers;
    std::map<std::string, Uid, std::less<>> accounts;
    std::uint64_t version = 0;
  };
  // One call.
  struct Call {
    const std::vector<std::string> &args;
    std::int64_t now_ms;
    const Publish &publish;
  };
  Answer claim (const Call &call);
  Answer assert_member (const Call &call);
  Answer release (const Call &call);
  Answer speak (const Call &call);
  Answer hush (const Call &call);
  Answer say (const Call &call) const;
  Answer reap_speakers (const Call &call);
  Answer reap_members (const Call &call);
  Answer lease (const Call &call);
  Answer mine (const Call &call) const;
  Answer snapshot (const Call &call) const;
  Answer members (const Call &call) const;
  Answer channels (const Call &call) const;
  Answer who_is (const Call &call) const;
  Answer rules_read () const;
  Answer rule_write (const Call &call);
  Answer rules_restore (const Call &call);
  Answer rule_once (const Call &call) const;

  bool alive (std::string_view gateway, std::int64_t now_ms) const;
  const Channel *find (std::string_view key) const;
  // What is of this gateway and mid only.
  bool holds (const Channel *channel, Uid uid, std::string_view gateway,
              std::string_view mid) const;
  std::size_t channels_of (std::string_view app) const;
  std::vector<std::string> keys_of (std::string_view gateway) const;
  void changed (const Call &call, Channel &channel, const std::string &key,
                const std::string &what);
  void drop_speaker (const Call &call, Channel &channel, const std::string &key, Uid uid);
  static void put_member (const Call &call, Channel &channel, const std::string &key, Uid uid,
                          std::string record);
  static std::string listed (const std::string &record);
  void drop_member (const Call &call, Channel &channel, const std::string &key, Uid uid);
  static void drop_account (Channel &channel, Uid uid, std::string_view record);
  bool end_if_empty (const std::string &key);
  void next_rules_version (std::int64_t now_ms);

  std::map<std::string, Channel, std::less<>> channels_;
  std::map<std::string, std::int64_t, std::less<>> leases_;  // gateway -> when it ends
  std::map<std::string, std::string, std::less<>> infos_;    // all that have something here
  std::map<std::string, std::string> rules_;                 // APP/ID -> ENDS_MS|TEXT
  std::uint64_t version_ = 0;
  std::uint64_t rules_version_ = 0;
  std::uint64_t last_rule_ = 0;
};

}  // namespace agora::gateway::cluster
