// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What waits for the reader of an event stream. Bounded: of levels, the newest replace those that
// still wait. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "signaling/gateway/http/event-sink.hpp"

namespace agora::gateway {

class EventQueue {
 public:
  // Many readers may share one.
  using Text = std::shared_ptr<const std::string>;

  static constexpr std::size_t usual_bytes = 256 * 1024;

  explicit EventQueue(std::size_t most_bytes = usual_bytes) : most_bytes_(most_bytes) {}

  // False: there is no room, and the stream has to end: a reader that comes back is told how things
  // stand.
  bool push (const StreamEvent &event) {
    auto text = std::make_shared<const std::string>(text_of(event));
    if (event.name == "levels") {
      if (levels_ != nothing) {
        auto &old = waiting_[levels_ - taken_];
        bytes_ = bytes_ - old->size() + text->size();
        old = std::move(text);
        return true;
      }
      levels_ = taken_ + waiting_.size();
    }
    return append(std::move(text));
  }
  // What a stream begins with, once. The bound is for what comes after it: a reader for whom this
  // alone were too much would come back to the same for ever.
  void begin (std::string text) {
    beginning_ = taken_ + waiting_.size();
    waiting_.push_back(std::make_shared<const std::string>(std::move(text)));
  }
  // A comment, so that something passes. Not where anything waits.
  void beat () {
    if (waiting_.empty())
      append(std::make_shared<const std::string>(":\n\n"));
  }
  bool append (Text text) {
    if (text->size() > most_bytes_ - bytes_)
      return false;
    bytes_ += text->size();
    waiting_.push_back(std::move(text));
    return true;
  }

  bool empty () const { return waiting_.empty(); }
  // What begin() gave not counted.
  std::size_t bytes () const { return bytes_; }
  // The next to be sent, which is taken out.
  Text take () {
    auto text = std::move(waiting_.front());
    waiting_.pop_front();
    if (beginning_ != taken_)
      bytes_ -= text->size();
    if (levels_ == taken_++)
      levels_ = nothing;
    return text;
  }

 private:
  static constexpr std::size_t nothing = static_cast<std::size_t>(-1);

  const std::size_t most_bytes_;
  std::deque<Text> waiting_;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;  // so far
  std::size_t beginning_ = nothing;
  std::size_t levels_ = nothing;  // which one has the levels, of all that ever were
};

}  // namespace agora::gateway
