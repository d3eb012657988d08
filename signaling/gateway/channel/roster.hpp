// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is in a channel, for those who have asked: what they all were told last, and what there is to
// tell. It has as many as one list of the wire holds; who comes when it is full waits until
// somebody in it goes. Kept only while somebody asks. Pure.
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
  // Nothing: it has left.
  struct News {
    protocol::Uid uid = 0;
    std::optional<std::string> name;
  };

  // Somebody is there by that name, or has gone. Only the last word counts.
  void set (protocol::Uid uid, std::optional<std::string> name);
  // Something is to be told, and there is room for it.
  bool has_news () const;
  // The next of it, which counts as told from now on.
  News take ();
  void clear ();

  // All who are there by now, for one who asks: those too of whom the others are yet to be told. It
  // may hear of them once more.
  protocol::MemberList give ();
  std::size_t size () const { return told_.size(); }

 private:
  struct Waiting {
    std::uint64_t place = 0;
    std::optional<std::string> name;
    bool given = false;  // to somebody: whatever becomes of it is to be told
  };
  void forget (protocol::Uid uid);

  std::map<protocol::Uid, std::string> told_;
  std::size_t bytes_ = 0;  // of those, as JSON
  std::unordered_map<protocol::Uid, Waiting> waiting_;
  // Those of them that were told of and have gone, or have another name; and those that weren't.
  std::map<std::uint64_t, protocol::Uid> changed_;
  std::map<std::uint64_t, protocol::Uid> coming_;
  std::uint64_t places_ = 0;
};

}  // namespace agora::gateway
