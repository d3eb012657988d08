// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The mix of every remote speaker, block by block. Speakers come and go from any thread; none can
// delay another, since all there is to wait for is their timelines' short locks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "gst/mix/ducker.hpp"
#include "gst/mix/limiter.hpp"
#include "gst/mix/playout-timeline.hpp"
#include "gst/mix/voice-monitor.hpp"

namespace agora {

// How loud and where a speaker is in the mix; kept by the speaker across comings and goings.
struct Fader {
  double volume = 1.0;  // linear
  double pan = 0.0;     // -1 left, 0 centre, 1 right; of mono outputs without effect
  bool mute = false;
  bool solo = false;  // where any speaker is solo, the others are silent

  bool operator==(const Fader &) const = default;
};

// Of one speaker's sound in the mix, before its fader, since the last time it was asked for.
struct Level {
  double peak = 0;        // linear, 1 is full scale
  double square_sum = 0;  // mean of the channels' squares
  std::uint64_t samples = 0;
};

// How much of the mix may be made at once. Each waking of a thread costs more than a block does;
// but the end of a block has to be there as early as its beginning.
enum class Pace { tight, usual, relaxed };

class Mixer {
 public:
  void configure (int rate, int channels);
  int rate () const;

  // A timeline for this speaker; one that has it already keeps it, also while finish() is pending,
  // which is then off. The delays as of set_delay().
  std::shared_ptr<PlayoutTimeline> add (std::uint32_t uid, std::int64_t delay_ns,
                                        std::optional<std::int64_t> first_ns = std::nullopt);
  // At once: what is queued is not heard.
  void remove (std::uint32_t uid);
  // No more sound comes from this speaker: it stays in the mix until all that is queued has been
  // played, but not beyond the block at `until_ns` (of the clock that mix() is told), and is then
  // removed by mix(). Returns how long that is likely to take from `now_ns` on; 0: nothing is
  // queued, and it is removed already. Where no block is made (PAUSED) it stays.
  std::int64_t finish (std::uint32_t uid, std::int64_t now_ns, std::int64_t until_ns);
  // The speakers that finish() was called for and that mix() has removed since the last call.
  std::vector<std::uint32_t> take_finished ();
  std::shared_ptr<PlayoutTimeline> find (std::uint32_t uid) const;
  std::vector<std::uint32_t> uids () const;

  // `first_ns`: with which speakers begin whose delay is to grow.
  void set_delay (std::int64_t delay_ns, std::optional<std::int64_t> first_ns = std::nullopt);
  void set_adaptive (bool adaptive);
  // By the sound that waits the shortest.
  Pace pace () const;
  // At once with whatever else changes it: a controller and the application may. `change` runs
  // under the mixer's lock.
  void change_fader (std::uint32_t uid, const std::function<void(Fader &)> &change);
  void set_fader (std::uint32_t uid, const Fader &to) {
    change_fader(uid, [&] (Fader &fader) { fader = to; });
  }
  Fader fader (std::uint32_t uid) const;
  // Whether the mix stays within full scale; it does unless this says otherwise. Without it what is
  // too loud is above 1, and clips where samples are made integers. From any thread, at any time.
  void set_limiting (bool limiting);
  // By how many dB all others are lowered while a talkback speaks; 0: not at all. A speaker that is
  // in the mix is a talkback, or is none any more.
  void set_duck (double db);
  void set_talkback (std::uint32_t uid, bool talkback);
  // Levels cost as much as the mix itself: they are measured only where somebody wants to know.
  void set_measuring (bool measuring);
  std::map<std::uint32_t, Level> take_levels ();
  // The same of every fourth frame: near enough for a picture of the whole, and next to nothing.
  // Measured from the first call on.
  std::map<std::uint32_t, Level> sample_levels ();

  // Dead air, loudness and gain; nothing is measured, and nothing costs anything, until it is asked
  // for. What was measured counts from then on.
  void set_monitoring (const MonitorSettings &settings);
  // What was noticed of a speaker, or of the mix, which has no uid.
  template <typename What>
  struct Of {
    std::optional<std::uint32_t> uid;
    What what;
  };
  // A silence that was told has its end told, too, when its speaker goes or isn't watched any more.
  std::vector<Of<SilenceChange>> take_silences ();
  std::vector<Of<Loudness>> loudness () const;

  // Overwrites `out` with `frames` interleaved frames that are due from `at_ns` on. Whether there
  // is anything but silence in it.
  bool mix (std::int64_t at_ns, float *out, std::size_t frames);

 private:
  struct Input {
    std::shared_ptr<PlayoutTimeline> timeline;
    float left = 0, right = 0;  // gains of the last block, from which the next one slides
    Level level;
    Level sampled;
    std::optional<std::int64_t> until_ns;  // finishing: removed once drained, or then
    std::unique_ptr<VoiceMonitor> monitor;
    bool talkback = false;
  };
  struct Gains {
    float left, right;
    void lower (double by) {
      left *= static_cast<float>(by);
      right *= static_cast<float>(by);
    }
    bool heard () const { return left > 0 || right > 0; }
  };
  using Inputs = std::map<std::uint32_t, Input>;
  Inputs::iterator erase (Inputs::iterator it);
  Gains gains (const Fader &fader, bool heard) const;
  void remove_finished (std::int64_t at_ns);
  // Makes the monitor where there is none.
  VoiceMonitor &watch (std::unique_ptr<VoiceMonitor> &monitor) const;
  void forget_monitors ();
  void forget (std::optional<std::uint32_t> uid, std::unique_ptr<VoiceMonitor> &monitor);
  static void measure (Level &level, const float *in, int in_channels, std::size_t frames,
                       std::size_t stride);
  void add_to_mix (Input &input, Gains to, const float *in, int in_channels, float *out,
                   std::size_t frames);

  mutable std::mutex mutex_;  // guards all below; taken before a timeline's
  int rate_ = 48000;
  int channels_ = 2;
  bool adaptive_ = false;
  bool measuring_ = false;
  bool sampling_ = false;
  bool limiting_ = true;
  Limiter limiter_;
  Ducker ducker_;
  MonitorSettings monitoring_;        // of speakers
  MonitorSettings monitoring_whole_;  // the same without a gain
  std::unique_ptr<VoiceMonitor> whole_;
  std::vector<Of<SilenceChange>> ended_;  // by monitors that are no more
  // Where sound waits for less, a whole block at once takes half of what jitter has.
  static constexpr std::int64_t kTight = 10'000'000;
  std::int64_t delay_ns_ = kTight;
  std::optional<std::int64_t> first_ns_;
  Inputs inputs_;
  std::vector<std::uint32_t> finished_;
  std::map<std::uint32_t, Fader> faders_;  // but those at their defaults
};

}  // namespace agora
