// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// When would sound have arrived, had the network no jitter? A lower envelope of (arrival - media
// time), followed by a second-order loop, whose slope is the drift between the sender's clock and
// ours. Pure arithmetic on the times it is given; not thread-safe.
#pragma once

#include <cstdint>

namespace agora {

class ArrivalClock {
 public:
  // Something with this media time arrived now.
  void arrived (double media_ns, std::int64_t now_ns);
  // The path is another one: learn its delay anew, quickly; the drift stays.
  void settle ();
  // The path takes so much longer from now on (below 0: less); the rest stays known.
  void shift (double ns);
  // Our clock is another one: nothing is known of the offset, and what it counted is of no use.
  void restart () {
    settle();
    known_ = false;
  }

  bool known () const { return known_; }
  // Not only a first guess any more.
  bool settled () const { return windows_ >= kSettling; }
  // Jitter-free arrival of `media_ns` is media_ns + offset_at(now).
  double offset_at (std::int64_t now_ns) const;
  // Of the sender's clock against ours; > 0: it runs fast, so that the offset falls.
  double drift_ppm () const { return -slope_ * 1e6; }
  // Spread of the arrivals over the last half second, and its slowly forgotten peak.
  double jitter_ns () const { return jitter_ns_; }
  double jitter_peak_ns () const { return jitter_peak_ns_; }

 private:
  static constexpr unsigned kSettling = 2;  // windows

  void close_window (std::int64_t now_ns);

  bool known_ = false;
  double offset_ns_ = 0;  // at `at_ns_`
  double slope_ = 0;      // of the offset, ns per ns
  std::int64_t at_ns_ = 0;
  unsigned windows_ = 0;  // closed since the last (re)start; few: still settling

  std::int64_t window_start_ns_ = 0;
  double window_min_ns_ = 0;
  double window_max_ns_ = 0;
  double window_media_ns_ = 0;  // media time at the window's start
  double last_media_ns_ = 0;
  unsigned window_count_ = 0;
  unsigned shifted_ = 0;  // windows in a row that say that the path itself got longer
  double jitter_ns_ = 0;
  double jitter_peak_ns_ = 0;
};

}  // namespace agora
