// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where a sender's sound belongs: each frame goes where the one before it ended, by its samples.
// Its timestamp and its arrival together tell of a hole: sound was lost, or not sent, where the
// timestamp is ahead of the count by more than timestamps of this sender usually are, and the frame
// came later by as much. A frame can be late by the network alone, but never early: so a timestamp
// that is ahead of a frame in time says nothing about the sound.
//
//   timestamp ahead | frame late      | meaning            | the frame goes
//   ----------------|-----------------|--------------------|-------------------------------
//   no              | anyhow          | jitter, a stall    | where the last one ended
//   by h            | by h or more    | a hole             | h later
//   by h            | less            | the counter jumped | where the last one ended
//   can't be told   | more than bears | sender paused      | where arrivals say
//
// Pure arithmetic on what it is told; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "gst/mix/arrival-clock.hpp"
#include "gst/mix/stamp-history.hpp"

namespace agora {

class SampleCounter {
 public:
  struct Frame {
    std::int64_t stamp_ns = 0;
    double duration_ns = 0;  // of its samples; below 0: unknown, timestamps tell
    std::int64_t now_ns = 0;
    double bears_ns = 0;  // what comes later than this has missed its moment
  };
  // How unlike what was there at `at` the frame sounds: 0 the same, 1 another. Nothing: there is
  // nothing to compare.
  using Unlike = std::function<std::optional<double>(double at)>;

  // Where the frame begins, in nanoseconds of sound since the first one. The next one is placed
  // after it. `arrivals` may have to settle anew.
  double place (const Frame &frame, ArrivalClock &arrivals, const Unlike &unlike = nullptr);
  // Where place() would put it.
  double peek (const Frame &frame, const ArrivalClock &arrivals) const;
  // Where the first frame of all is.
  void begin (double at) {
    if (history_.empty())
      next_ = at;
  }
  // Where the last frame ended.
  double next () const { return next_; }
  // The next frame need not go on from the last one: another connection, another sender. It may be
  // of sound that was there already.
  void discontinuity () { fresh_ = true; }

 private:
  struct Place {
    double at = 0;
    double shift = 0;      // the counter jumped by so much
    bool another = false;  // nothing is known of the new timestamps
  };
  Place decide (const Frame &frame, const ArrivalClock &arrivals) const;
  std::optional<double> find_again (const Frame &frame, double expected,
                                    const Unlike &unlike) const;
  Place rejoin (const Frame &frame, const ArrivalClock &arrivals, const Unlike &unlike) const;

  StampHistory history_;
  double next_ = 0;   // where the last frame ended
  double until_ = 0;  // and the furthest one
  std::int64_t last_stamp_ = 0;
  bool fresh_ = false;
};

}  // namespace agora
