// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Who is in a channel, for those who have asked: what they all were told last, and what there is to
// tell. It has as many as one list of the wire holds; who comes when it is full waits until
// somebody in it goes. A name for which there is no room is left out. Kept only while somebody
// asks. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

class Roster {
 public:
  Roster() = default;
  // What waits points to where.
  Roster(const Roster &) = delete;
  Roster &operator=(const Roster &) = delete;

  // Nothing: it has left.
  struct News {
    protocol::Uid uid = 0;
    std::optional<std::string> name;
    bool renamed = false;  // it was told of by another one
  };

  // Somebody is there by that name, or has gone. Only the last word counts.
  void set (protocol::Uid uid, std::optional<std::string> name);
  // Something is to be told, and there is room for it.
  bool has_news (bool renames = true) const;
  // The next of it, which counts as told from now on: first who goes, then in turn who comes and
  // who has another name, so that nobody keeps others out by names.
  News take (bool renames = true);
  void clear ();

  // All others who are there by now, for one who asks: those too of whom the others are yet to be
  // told. It may hear of them once more.
  protocol::MemberList give (protocol::Uid asker = 0);
  std::size_t size () const { return told_.size(); }

 private:
  using Queue = std::map<std::uint64_t, protocol::Uid>;
  struct Waiting {
    std::uint64_t place = 0;
    std::optional<std::string> name;
    bool given = false;  // to somebody: whatever becomes of it is to be told
    Queue *queue = nullptr;
  };
  struct Told {
    std::string name;
    bool left_out = false;  // the name was
  };
  Queue &queue_for (protocol::Uid uid, const std::optional<std::string> &name);
  void forget (protocol::Uid uid);

  std::map<protocol::Uid, Told> told_;
  std::size_t name_bytes_ = 0;  // of the names that were told, as JSON
  std::unordered_map<protocol::Uid, Waiting> waiting_;
  Queue leaving_, coming_, renamed_;
  bool rename_next_ = false;
  std::uint64_t places_ = 0;
};

}  // namespace agora::gateway
