// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a sender's timestamps have been worth lately. Frames are placed by counting their samples;
// this compares each timestamp with the count, learns how the two differ (a rate, a spread), and so
// can say how much of a difference is a hole in the sound. Pure arithmetic; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace agora {

class StampHistory {
 public:
  // A hole before the frame that is placed next is between `least` and `most` long, by its
  // timestamp; below 0: there is none.
  struct Claim {
    bool telling = false;  // otherwise timestamps say nothing about time, and the rest is unset
    double least = 0;
    double most = 0;
  };

  // The frame with this timestamp was placed at `at`, both in nanoseconds; `at` only grows, but
  // where a session tells again what was there.
  void add (std::int64_t stamp, double at);
  void clear ();
  // Timestamps went on from elsewhere, by this much, which says nothing about the sound.
  void shift (double ns) { base_ += ns; }

  bool empty () const { return count_ == 0; }
  // Of a frame that is at `at` if there is no hole.
  Claim claim (std::int64_t stamp, double at) const;
  // How far apart timestamps are from their trend.
  double spread () const { return high_ - low_; }
  // Where frames of exactly this timestamp were placed, the newest first.
  std::vector<double> find (std::int64_t stamp) const;
  // The place of a former frame that is not more than `within` from `at`, or `at`.
  double snap (double at, double within) const;

 private:
  struct Entry {
    std::int64_t stamp;
    double at;
    double ahead;  // of the count
  };
  // Long enough to find the frames that two sessions share, and a second for the trend.
  static constexpr std::size_t kKept = 128;
  static constexpr std::size_t kTrend = 64;
  static constexpr std::size_t kFew = 8;
  static constexpr std::size_t kRefit = 8;

  const Entry &newest (std::size_t i) const { return entries_[(next_ + kKept - 1 - i) % kKept]; }
  double ahead (std::int64_t stamp, double at) const;
  double usual (double at) const { return middle_ + slope_ * (at - at_); }
  void note (const Entry &entry);
  void fit ();

  std::array<Entry, kKept> entries_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  double base_ = 0;
  // The straight line through how far the last kTrend timestamps were ahead, and how far from it
  // any has been, slowly forgotten.
  double at_ = 0;
  double middle_ = 0;
  double slope_ = 0;
  double high_ = 0;
  double low_ = 0;
};

}  // namespace agora
