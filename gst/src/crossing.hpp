// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How a speaker's sound goes over from one session to another that has it in another codec. Both
// tell the same sound, each with timestamps of its own, and one of them some tens of milliseconds
// before the other. Which samples are equal is found by when the sender says that it captured them,
// and by the sound itself; there the one is faded into the other, so that nothing is left out or
// said twice.
//
// Arithmetic on what it is given; no thread, no lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "gst/rtmp/play-connection.hpp"

namespace agora {

class Crossing {
 public:
  // Takes what is to be heard, in the time of the former session, without a hole.
  using Take = std::function<void(const DecodedSound &)>;
  enum Side : std::size_t { kFormer, kNext };

  explicit Crossing(Take take) : take_(std::move(take)) {}

  // What is at `media` in that session was captured at `wall_us`, by the sender's clock.
  void stamped (Side side, GstClockTime media, std::int64_t wall_us);
  // Decoded sound of that session, which came at `now_ns`, of any clock. Of the former one it goes
  // on at once, but for what is held back until the next one has come so far, once that may be.
  void sound (Side side, const DecodedSound &sound, std::int64_t now_ns);
  // Gives what it held back of the former session.
  void release ();
  // The same, where that session is over or it took too long. True where the next one goes on from
  // there, which then is done.
  bool end ();

  // It is known which samples are equal.
  bool aligned () const { return shift_.has_value(); }
  // Who listens can wait for what comes later().
  void allow_later () { may_hold_ = true; }
  // What is heard is the next session's.
  bool done () const { return done_; }
  // What makes its timestamps those of the former one.
  GstClockTimeDiff shift () const { return shift_ns_; }
  // How much later than from the former session the same sound comes from it.
  GstClockTimeDiff later () const;

 private:
  // What came of a session lately.
  struct Track {
    int rate = 0;
    int channels = 0;
    double anchor_ns = 0;         // the time of position 0, which its samples count from
    std::int64_t first = 0;       // position of the first one held
    std::vector<float> samples;   // interleaved
    std::optional<double> wall;   // when time 0 was captured, nanoseconds
    std::optional<double> comes;  // how long after its time a block came, at the least

    std::int64_t frames () const {
      return channels > 0 ? static_cast<std::int64_t>(samples.size()) / channels : 0;
    }
    std::int64_t end () const { return first + frames(); }
    double time_of (std::int64_t position) const {
      return anchor_ns + static_cast<double>(position) * 1e9 / rate;
    }
    const float *at (std::int64_t position) const {
      return samples.data() + (position - first) * channels;
    }
  };

  static bool continues (const Track &track, const DecodedSound &sound);
  static void add (Track &track, const DecodedSound &sound, std::int64_t now_ns);
  static std::vector<float> mono (const Track &track, int rate);
  bool same_format () const;
  void align ();
  std::optional<double> compare (double about_ns, double within_ns, bool *is_quiet) const;
  std::int64_t next_begin () const;
  std::int64_t next_end () const;
  void advance ();
  void give (const Track &track, std::int64_t from, std::int64_t to, double time_ns);
  void cross (std::size_t fade);

  const Take take_;
  std::array<Track, 2> tracks_;
  std::int64_t given_ = 0;       // up to there the former one went on
  std::optional<double> shift_;  // of the next one's time, in nanoseconds
  std::int64_t looked_ = 0;      // how much of the next one was there at the last look
  bool may_hold_ = false;
  bool done_ = false;
  GstClockTimeDiff shift_ns_ = 0;
};

}  // namespace agora
