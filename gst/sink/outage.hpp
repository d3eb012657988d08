// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whether an agorasink is off the air by somebody's fault, and since when. The channel and the
// media server may fail each by itself; to the application that is one outage, told once.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

namespace agora {

// Thread-safe; the time is an argument.
class Outage {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  enum class Of { signalling, media };

  void reset () {
    std::lock_guard lock(mutex_);
    signalling_ = media_ = told_ = false;
    times_ = 0;
  }
  void begin (Of what, Time now) {
    std::lock_guard lock(mutex_);
    if (!signalling_ && !media_) {
      since_ = now;
      told_ = false;
    }
    of(what) = true;
  }
  // True where there is one that the application doesn't know of yet: it is to be told now.
  bool tell () {
    std::lock_guard lock(mutex_);
    if (told_ || (!signalling_ && !media_))
      return false;
    told_ = true;
    times_++;
    return true;
  }
  // How long it lasted, where this was the end of one that the application knows of.
  std::optional<Duration> end (Of what, Time now) {
    std::lock_guard lock(mutex_);
    const bool was = of(what);
    of(what) = false;
    if (!was || signalling_ || media_ || !told_)
      return std::nullopt;
    return now - since_;
  }
  // Of an outage that goes on.
  Duration lasted (Time now) const {
    std::lock_guard lock(mutex_);
    return signalling_ || media_ ? now - since_ : Duration::zero();
  }
  // That were told, since reset().
  unsigned times () const {
    std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  bool &of (Of what) { return what == Of::media ? media_ : signalling_; }

  mutable std::mutex mutex_;  // guards all below; a leaf
  bool signalling_ = false;
  bool media_ = false;
  bool told_ = false;
  Time since_;
  unsigned times_ = 0;
};

}  // namespace agora
