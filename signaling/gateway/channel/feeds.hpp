// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The mixes that are played by play keys: agora-web makes each once and pushes it, however many
// keys and players there are. Plain book-keeping; the rules are in feeds.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

struct Feed {
  std::uint64_t id = 0;  // never used twice
  std::string app_id;
  std::string channel;
  std::string key;           // the channel's
  std::string stream;        // where it is pushed to
  std::uint64_t client = 0;  // the media server's session that pushes; 0: none
  // Each push is told to all who play.
  TokenBucket pushes{1, 20};
};

// There are so few that they are simply looked through. What is found stays until the next make()
// or erase().
class Feeds {
 public:
  // Each costs some 3 % of a core.
  static constexpr std::size_t most_feeds = 64;

  bool is_full () const { return feeds_.size() >= most_feeds; }
  // Its id is set here.
  Feed &make (Feed feed) {
    feed.id = next_++;
    return feeds_.emplace_back(std::move(feed));
  }
  void erase (std::uint64_t id) {
    std::erase_if(feeds_, [id] (const Feed &feed) { return feed.id == id; });
  }
  void clear () { feeds_.clear(); }

  const Feed *of_channel (std::string_view key) const { return find(&Feed::key, key); }
  const Feed *of_stream (std::string_view stream) const { return find(&Feed::stream, stream); }
  Feed *of_stream (std::string_view stream) {
    return const_cast<Feed *>(std::as_const(*this).of_stream(stream));
  }
  const Feed *of_id (std::uint64_t id) const { return find(&Feed::id, id); }
  void push_ended (std::uint64_t client) {
    for (Feed &feed : feeds_)
      if (feed.client == client)
        feed.client = 0;
  }
  void pushes_ended () {
    for (Feed &feed : feeds_)
      feed.client = 0;
  }

 private:
  template <typename Field, typename Value>
  const Feed *find (Field Feed::*field, const Value &value) const {
    const auto found = std::find_if(feeds_.begin(), feeds_.end(),
                                    [&] (const Feed &feed) { return feed.*field == value; });
    return found == feeds_.end() ? nullptr : &*found;
  }

  std::vector<Feed> feeds_;
  std::uint64_t next_ = 1;
};

}  // namespace agora::gateway
