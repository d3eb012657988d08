// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a member has to say of its sound (the feature `quality`), until it is time to say it. Those
// who send and those who listen may be different parts of a program, each with a pace of its own.
// Pure: time is an argument, in ms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "signaling/protocol/messages.hpp"

namespace agora::client {

// One part of a program's, or both. What is absent stays as it was told last.
struct Figures {
  std::optional<protocol::SentReport> sent;
  std::optional<std::vector<protocol::HeardReport>> heard;
};

class Reports {
 public:
  static constexpr std::int64_t interval = 5'000;

  void add (Figures figures, std::int64_t now) {
    if (figures.sent)
      sent_ = {figures.sent, now};
    if (figures.heard)
      heard_ = {std::move(figures.heard), now};
    if (!due_)
      due_ = std::max(next_, now + gather);
  }

  // When take() is to be called; nothing: there is no news.
  std::optional<std::int64_t> due () const { return due_; }

  protocol::Report take (std::int64_t now) {
    due_.reset();
    next_ = now + interval;
    protocol::Report report;
    if (now - sent_.at < stale)
      report.sent = sent_.what;
    if (heard_.what && now - heard_.at < stale)
      report.heard = *heard_.what;
    return report;
  }

 private:
  // Who tells at the same pace as another one isn't told of apart.
  static constexpr std::int64_t gather = 200;
  // Of a part that says nothing more.
  static constexpr std::int64_t stale = 12'000;

  template <typename What>
  struct Part {
    std::optional<What> what;
    std::int64_t at = 0;
  };
  Part<protocol::SentReport> sent_;
  Part<std::vector<protocol::HeardReport>> heard_;
  std::int64_t next_ = 0;
  std::optional<std::int64_t> due_;
};

}  // namespace agora::client
