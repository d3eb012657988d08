// SPDX-License-Identifier: LGPL-2.1-or-later
// How sound gets into a timeline, and what stands in where it doesn't.
//
// What is missing at the end of a run is made up by the decoder, behind what came: `made_up` of a
// run's frames. Where sound comes for their place yet, it takes it; what of them was played
// meanwhile it goes on from, and what it would have been is late.
#include <algorithm>
#include <utility>

#include "gst/mix/playout-timeline.hpp"
#include "gst/mix/playout-units.hpp"

namespace agora {
namespace {

// No sound has a rate or a number of channels beyond these.
constexpr int kLeastRate = 1000;
constexpr int kMostRate = 768000;
constexpr int kMostChannels = 64;
// Two sessions tell the same sound if so much of it can be compared.
constexpr double kComparable = 5e6;
// What no network holds back: beyond it, the oldest goes.
constexpr double kMaxQueue = 10e9;
// So much is made up at the most, and that much of it not fainter and fainter: what a decoder makes
// up is a voice's sound going on, and soon no word has one that long. Where the sender rests it is
// the noise around, of which something comes each 0.4 s.
constexpr double kMostMadeUp = 100e6;
constexpr double kFirmMadeUp = 40e6;
constexpr double kMostRest = 1000e6;
constexpr double kFirmRest = 800e6;
// Between what was made up and what came.
constexpr double kBlend = 5e6;

}  // namespace

void PlayoutTimeline::push(std::int64_t media_ns, std::int64_t now_ns, const float *samples,
                           std::size_t frames, int rate, int channels,
                           const SoundContext &context) {
  if (frames == 0 || rate < kLeastRate || rate > kMostRate || channels <= 0 ||
      channels > kMostChannels)
    return;
  std::lock_guard lock(mutex_);
  // It has left the decoder, and so has what was before it.
  const auto same = std::find_if(decoding_.begin(), decoding_.end(),
                                 [&] (const Decoding &each) { return each.stamp_ns == media_ns; });
  // A decoder may begin with a later one.
  if (same != decoding_.end())
    counter_.begin(same->at_ns);
  decoding_.erase(decoding_.begin(), same == decoding_.end() ? same : same + 1);
  double media = arrive(frame(media_ns, now_ns, static_cast<double>(frames) * 1e9 / rate),
                        [&] (double at) { return unlike(at, samples, frames, rate, channels); });
  const double sample = 1e9 / rate;
  const bool goes_on = heard_ || !runs_.empty();
  bool seam = false;
  if (media < told_until_ns_ - sample / 2) {
    // What is here already: another connection tells the same again.
    const std::size_t again = std::min(to_frames(told_until_ns_ - media, rate), frames);
    samples += again * channels;
    frames -= again;
    media += again * sample;
    if (frames == 0)
      return;
  } else if (context.mended && goes_on) {
    // A hole, of which the end is known.
    const std::size_t known = std::min(context.before, to_frames(media - told_until_ns_, rate));
    if (known > 0) {
      samples = context.mended + (context.before - known) * channels;
      frames += known;
      media -= known * sample;
      seam = known < context.before;
      const std::size_t made_up = known - std::min(known, context.restored);
      if (!rests_)
        stats_.concealed_ns += static_cast<std::uint64_t>(made_up * sample);
    }
  }
  Run &run = run_for(media, rate, channels, &seam);
  append(run, samples, frames, seam);
  told_until_ns_ = run.told_end_ns();
  after_ = context.after;
  rests_ = context.rests;
  bound();
}

// The run that it goes on from, or one of its own. `seam`: it doesn't begin as that one ended, and
// has to be led over to.
PlayoutTimeline::Run &PlayoutTimeline::run_for(double media_ns, int rate, int channels,
                                               bool *seam) {
  if (!runs_.empty() && runs_.back().rate == rate && runs_.back().channels == channels) {
    Run &last = runs_.back();
    const bool goes_on = media_ns < told_until_ns_ + 0.5e9 / rate;
    if (goes_on && !*seam)
      return last;
    if (bridge(last, media_ns) || goes_on) {
      *seam = true;
      return last;
    }
  }
  end_concealment();
  Run run;
  run.media_ns = media_ns;
  run.rate = rate;
  run.channels = channels;
  runs_.push_back(std::move(run));
  return runs_.back();
}

// Whether what is missing before `media_ns` was made up, and that so became what came. Otherwise as
// much of it is there as may be.
bool PlayoutTimeline::bridge(Run &run, double media_ns) {
  const std::size_t hole = to_frames(media_ns - run.told_end_ns(), run.rate);
  make_up(run, hole + to_frames(kBlend, run.rate));
  if (run.made_up < hole)
    return false;
  // What of it was played is counted.
  const std::size_t left = run.made_up_of(run.frames());
  const std::size_t unplayed = hole - std::min(hole, run.made_up - left);
  if (!rests_)
    stats_.concealed_ns +=
        static_cast<std::uint64_t>(static_cast<double>(unplayed) * 1e9 / run.rate);
  run.made_up -= hole;
  return true;
}

// In the place of what was made up for it.
void PlayoutTimeline::append(Run &run, const float *samples, std::size_t frames, bool seam) {
  const auto channels = static_cast<std::size_t>(run.channels);
  const std::size_t left = std::min(run.made_up, run.frames());
  const std::size_t played = run.made_up - left;
  const std::size_t late = std::min(played, frames);
  const auto late_ns = static_cast<std::uint64_t>(static_cast<double>(late) * 1e9 / run.rate);
  stats_.late_ns += late_ns;
  stats_.dropped_ns += late_ns;
  if (late == frames) {
    run.made_up -= frames;
    return;
  }
  samples += late * channels;
  frames -= late;
  const std::size_t blend =
      played > 0 || seam ? std::min({to_frames(kBlend, run.rate), left, frames}) : 0;
  float *made_up = run.samples.data() + run.samples.size() - left * channels;
  for (std::size_t i = 0; i < blend; i++) {
    const float share = static_cast<float>(i + 1) / static_cast<float>(blend + 1);
    for (std::size_t c = i * channels; c < (i + 1) * channels; c++)
      made_up[c] += share * (samples[c] - made_up[c]);
  }
  run.samples.resize(run.samples.size() - (left - blend) * channels);
  run.samples.insert(run.samples.end(), samples + blend * channels, samples + frames * channels);
  run.made_up = 0;
  end_concealment();
}

// Sees that the last `frames` frames are made up, as far as anything is.
bool PlayoutTimeline::make_up(Run &run, std::size_t frames) {
  if (run.made_up >= frames)
    return true;
  if (!concealment_ && after_)
    concealment_ = after_->begin();
  if (!concealment_)
    return false;
  const std::size_t most = to_frames(rests_ ? kMostRest : kMostMadeUp, run.rate);
  const std::size_t firm = to_frames(rests_ ? kFirmRest : kFirmMadeUp, run.rate);
  const std::size_t more =
      std::min(frames - run.made_up, most - std::min(most, concealment_frames_));
  const auto channels = static_cast<std::size_t>(run.channels);
  const std::size_t at = run.samples.size();
  run.samples.resize(at + more * channels);
  concealment_->make_up(run.samples.data() + at, more);
  for (std::size_t i = 0; i < more; i++) {
    const std::size_t of_all = concealment_frames_ + i;
    if (of_all < firm)
      continue;
    const float gain =
        static_cast<float>(most - std::min(most, of_all)) / static_cast<float>(most - firm);
    for (std::size_t c = 0; c < channels; c++)
      run.samples[at + i * channels + c] *= gain;
  }
  concealment_frames_ += more;
  run.made_up += more;
  return run.made_up >= frames;
}

// Whether what plays goes on beyond the next `frames` frames of the mix, whatever comes: its end is
// no reason to fade out. Nothing is made up before it has to be.
bool PlayoutTimeline::conceal(std::size_t frames) {
  if (runs_.size() != 1 || (!after_ && !concealment_))
    return false;
  Run &run = runs_.front();
  const auto held = [&] {
    return gst_audio_resampler_get_out_frames(resampler_.get(), run.frames());
  };
  const std::size_t fade = to_frames(fade_ns(), out_rate_);
  if (held() >= frames && run.made_up == 0 && !concealment_)
    return true;
  // What fills the resampler's window comes on top, and is less than that.
  constexpr std::size_t window = 64;
  while (held() < frames + fade) {
    const std::size_t missing =
        to_frames(static_cast<double>(frames + fade - held()) * 1e9 / out_rate_, run.rate) + window;
    const std::size_t before = run.made_up;
    make_up(run, before + missing);
    if (run.made_up == before)
      return false;
  }
  return true;
}

// `played` more frames of it are.
void PlayoutTimeline::count_made_up(const Run &run, std::size_t played) {
  const std::size_t made_up = run.made_up_of(played);
  if (made_up == 0 || rests_)
    return;
  const bool first = run.made_up <= run.frames();
  stats_.underruns += first && runs_.size() == 1;
  stats_.concealed_ns += static_cast<std::uint64_t>(static_cast<double>(made_up) * 1e9 / run.rate);
}

void PlayoutTimeline::end_concealment() {
  concealment_.reset();
  concealment_frames_ = 0;
}

void PlayoutTimeline::end() {
  std::lock_guard lock(mutex_);
  after_.reset();
  end_concealment();
}

// The power of the difference between this and what is, or was played, at `at`, against their own.
std::optional<double> PlayoutTimeline::unlike(double at, const float *samples, std::size_t frames,
                                              int rate, int channels) const {
  for (const Run &run : runs_) {
    if (run.rate != rate || run.channels != channels)
      continue;
    const double begin = run.media_ns - static_cast<double>(run.head) * 1e9 / rate;
    if (at < begin - 0.5e9 / rate || at >= run.told_end_ns())
      continue;
    const std::size_t from = to_frames(at - begin, rate);
    const std::size_t held = run.all() - run.made_up;
    const std::size_t both = std::min(frames, held - std::min(held, from));
    if (both < to_frames(kComparable, rate))
      continue;
    double differs = 0, power = 0;
    for (std::size_t i = 0; i < both * channels; i++) {
      const double one = samples[i], other = run.samples[from * channels + i];
      differs += (one - other) * (one - other);
      power += one * one + other * other;
    }
    if (power < kInaudible * kInaudible * static_cast<double>(both * channels))
      return std::nullopt;
    return differs / power;
  }
  return std::nullopt;
}

void PlayoutTimeline::bound() {
  while (runs_.size() > 1 && runs_.back().end_ns() - runs_.front().media_ns > kMaxQueue) {
    stats_.dropped_ns +=
        static_cast<std::uint64_t>(runs_.front().frames() * 1e9 / runs_.front().rate);
    runs_.pop_front();
    stop_playing();
  }
  Run &run = runs_.front();
  const double surplus = run.frames() * 1e9 / run.rate - kMaxQueue;
  if (surplus > 0) {
    run.drop(to_frames(surplus, run.rate));
    stats_.dropped_ns += static_cast<std::uint64_t>(surplus);
    stop_playing();
  }
}

}  // namespace agora
