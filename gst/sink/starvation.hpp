// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Notices that data goes in and nothing comes out. A pause doesn't count: only time that passes
// between pieces of data that follow each other does.
#pragma once

#include <chrono>

namespace agora {

// For one thread; the time is an argument.
class Starvation {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kLimit{5};
  // What lies further apart than this is a pause.
  static constexpr std::chrono::seconds kPause{1};

  // Data went in at `now`. True once: nothing has come out for kLimit of data.
  bool fed (Time now) {
    const auto since = now - last_;
    if (last_ != Time() && since < kPause)
      hungry_ += since;
    last_ = now;
    if (told_ || hungry_ < kLimit)
      return false;
    told_ = true;
    return true;
  }
  // Something came out: all begins anew.
  void passed () {
    hungry_ = {};
    told_ = false;
    passed_ = true;
  }
  // Data went in, and nothing at all ever came out.
  bool in_vain () const { return last_ != Time() && !passed_; }
  void reset () { *this = Starvation(); }

 private:
  Time last_;
  Time::duration hungry_{};
  bool told_ = false;
  bool passed_ = false;
};

}  // namespace agora
