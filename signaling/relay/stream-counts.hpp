// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What passes through each stream, for the gateway's figures. Counted where the messages are looked
// at anyway, by plain additions; told now and then, by those streams alone of which there is news.
// One thread. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "signaling/protocol/relay-line.hpp"

namespace agora::relay {

// Of one stream, since it was told last.
struct StreamCounts {
  explicit StreamCounts(std::string of) : name(std::move(of)) {}
  bool has_news () const {
    return (received_bytes | sent_bytes | dropped_frames | cut_listeners | lag_ms) != 0;
  }

  const std::string name;
  // Payload of messages: sound, picture, metadata.
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;  // to all listeners
  std::uint64_t dropped_frames = 0;
  std::uint64_t cut_listeners = 0;
  std::uint32_t lag_ms = 0;  // of the slowest listener, at worst
  std::uint32_t references = 0;
};

// One who counts. What is still to be sent may be so after the stream's end.
class CountsRef {
 public:
  CountsRef() = default;
  explicit CountsRef(StreamCounts *counts) : counts_(counts) {
    if (counts_ != nullptr)
      counts_->references++;
  }
  CountsRef(const CountsRef &other) : CountsRef(other.counts_) {}
  CountsRef(CountsRef &&other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
  CountsRef &operator=(CountsRef other) noexcept {
    std::swap(counts_, other.counts_);
    return *this;
  }
  ~CountsRef() {
    if (counts_ != nullptr && --counts_->references == 0)
      delete counts_;
  }

  StreamCounts *operator->() const { return counts_; }
  StreamCounts *get () const { return counts_; }
  explicit operator bool() const { return counts_ != nullptr; }

 private:
  StreamCounts *counts_ = nullptr;
};

// All streams that there are, and those that have something to tell yet.
class StreamLedger {
 public:
  CountsRef of (std::string_view name);
  // All that there are by now are to be looked at, unless some of the last round wait for that yet.
  // `tell`: false: nobody wants to know, and those that are over are forgotten.
  void begin_round (bool tell);
  // The next ones of which there is news, as many as fit one packet; what it says is begun anew. It
  // looks at some hundred streams a time, and finds nothing where none of these has any.
  relay_line::Traffic next ();

  std::size_t size () const { return all_.size(); }
  bool waits () const { return at_ < end_; }

 private:
  void forget (StreamCounts &counts);

  std::vector<CountsRef> all_;
  std::unordered_map<std::string_view, StreamCounts *> by_name_;  // the names are theirs
  // Of a round: from here to there they are yet to be looked at.
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  bool tell_ = false;
};

}  // namespace agora::relay
