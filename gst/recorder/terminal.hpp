// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What agora-recorder says: lines of what happened on standard output, trouble on standard error,
// and where that is a terminal one line of progress and levels. Any thread.
#pragma once

#include <mutex>
#include <string>

#include "gst/recorder/disk.hpp"

namespace agora::recorder {

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal &) = delete;
  Terminal &operator=(const Terminal &) = delete;

  void say (const std::string &text);
  void complain (const std::string &text);
  void show (const Progress &progress);

 private:
  void clear ();

  const bool is_terminal_;
  std::mutex mutex_;  // keeps lines whole
  bool shown_ = false;
};

// `00:12:34`
std::string clock_text (std::int64_t ns);
// As many columns as the terminal has, at most.
std::string progress_text (const Progress &progress, std::size_t columns);

}  // namespace agora::recorder
