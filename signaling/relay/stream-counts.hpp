// SPDX-License-Identifier: LGPL-2.1-or-later
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
  // To be told: all of which there is news by now. Those of a round before that wait yet come
  // first. `tell`: false: nobody wants to know.
  void begin_round (bool tell);
  // As much of it as fits one packet; what it says is begun anew. Nothing: all is told.
  relay_line::Traffic next ();

  std::size_t size () const { return all_.size(); }
  bool waits () const { return told_ < round_.size(); }

 private:
  std::unordered_map<std::string_view, CountsRef> all_;  // by the name that it holds
  std::vector<CountsRef> round_;
  std::size_t told_ = 0;  // of the round
};

}  // namespace agora::relay
