// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whose turn it is to open a pull. To its origin a relay is a stranger until its play is accepted,
// and of those only so many of one address may be there: the others wait here, in their order, each
// behind those of the same origin alone. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace agora::relay {

class PullTurns {
 public:
  // One that waits or opens. Kept by whom it belongs to, from take() to leave().
  struct Place {
    std::uint64_t number = 0;  // 0: none
    std::string origin;
    bool opens = false;
    void *owner = nullptr;
  };

  void set_limit (std::size_t limit) {
    limit_ = limit;
    has_room_ = true;
  }
  // Whether it may open now. If not, next() gives it when it may. One that has a place leaves it.
  bool take (Place &place, const std::string &origin);
  // It has opened, or has given up.
  void leave (Place &place);
  // One whose turn has come, or null.
  Place *next ();

 private:
  struct Origin {
    std::size_t opening = 0;
    std::map<std::uint64_t, Place *> waiting;
  };
  std::size_t limit_ = 1;
  std::uint64_t last_number_ = 0;
  bool has_room_ = false;  // somewhere, perhaps
  std::unordered_map<std::string, Origin> origins_;
};

}  // namespace agora::relay
