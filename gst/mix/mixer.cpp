// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/mixer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agora {
namespace {

// Of it, a second block at once takes 10 ms from what jitter may have, and 5 more where it is made
// early: what is left is two frames of AAC.
constexpr std::int64_t kRelaxed = 60'000'000;
// Of sampled levels.
constexpr std::size_t kStride = 4;

}  // namespace

void Mixer::configure(int rate, int channels) {
  std::lock_guard lock(mutex_);
  if (rate != rate_)
    forget_monitors();
  rate_ = rate;
  channels_ = channels;
  for (auto &[uid, input] : inputs_)
    input.timeline->set_out_rate(rate);
}

int Mixer::rate() const {
  std::lock_guard lock(mutex_);
  return rate_;
}

std::shared_ptr<PlayoutTimeline> Mixer::add(std::uint32_t uid, std::int64_t delay_ns,
                                            std::optional<std::int64_t> first_ns) {
  std::lock_guard lock(mutex_);
  Input &input = inputs_[uid];
  if (!input.timeline) {
    input.timeline = std::make_shared<PlayoutTimeline>(rate_, delay_ns);
    input.timeline->set_delay(delay_ns, first_ns);
  }
  input.timeline->set_adaptive(adaptive_);
  input.until_ns.reset();
  delay_ns_ = delay_ns;
  first_ns_ = first_ns;
  return input.timeline;
}

void Mixer::remove(std::uint32_t uid) {
  std::lock_guard lock(mutex_);
  if (const auto it = inputs_.find(uid); it != inputs_.end())
    erase(it);
}

Mixer::Inputs::iterator Mixer::erase(Inputs::iterator it) {
  forget(it->first, it->second.monitor);
  return inputs_.erase(it);
}

std::int64_t Mixer::finish(std::uint32_t uid, std::int64_t now_ns, std::int64_t until_ns) {
  std::lock_guard lock(mutex_);
  auto it = inputs_.find(uid);
  if (it == inputs_.end())
    return 0;
  it->second.timeline->end();
  const std::int64_t left = it->second.timeline->time_left_ns(now_ns);
  if (left == 0)
    erase(it);
  else
    it->second.until_ns = until_ns;
  return left;
}

std::vector<std::uint32_t> Mixer::take_finished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

// Those whose sound is over, or whose time is.
void Mixer::remove_finished(std::int64_t at_ns) {
  for (auto it = inputs_.begin(); it != inputs_.end();) {
    const Input &input = it->second;
    if (input.until_ns && (at_ns >= *input.until_ns || input.timeline->drained())) {
      finished_.push_back(it->first);
      it = erase(it);
    } else {
      ++it;
    }
  }
}

std::shared_ptr<PlayoutTimeline> Mixer::find(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  auto it = inputs_.find(uid);
  return it == inputs_.end() ? nullptr : it->second.timeline;
}

std::vector<std::uint32_t> Mixer::uids() const {
  std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> all;
  for (auto &[uid, input] : inputs_)
    all.push_back(uid);
  return all;
}

void Mixer::set_delay(std::int64_t delay_ns, std::optional<std::int64_t> first_ns) {
  std::lock_guard lock(mutex_);
  delay_ns_ = delay_ns;
  first_ns_ = first_ns;
  for (auto &[uid, input] : inputs_)
    input.timeline->set_delay(delay_ns, first_ns);
}

void Mixer::set_adaptive(bool adaptive) {
  std::lock_guard lock(mutex_);
  adaptive_ = adaptive;
  for (auto &[uid, input] : inputs_)
    input.timeline->set_adaptive(adaptive);
}

Pace Mixer::pace() const {
  std::lock_guard lock(mutex_);
  std::int64_t least = delay_ns_;
  if (first_ns_) {
    // Whoever comes next begins with it, too.
    if (inputs_.empty())
      least = std::min(least, *first_ns_);
    for (const auto &[uid, input] : inputs_)
      least = std::min(least, input.timeline->growing_ns().value_or(least));
  }
  if (least < kTight)
    return Pace::tight;
  return !adaptive_ && least >= kRelaxed ? Pace::relaxed : Pace::usual;
}

void Mixer::change_fader(std::uint32_t uid, const std::function<void(Fader &)> &change) {
  std::lock_guard lock(mutex_);
  Fader &fader = faders_[uid];
  change(fader);
  // A channel that is on air for weeks sees many uids.
  if (fader == Fader())
    faders_.erase(uid);
}

Fader Mixer::fader(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  auto it = faders_.find(uid);
  return it == faders_.end() ? Fader() : it->second;
}

void Mixer::set_limiting(bool limiting) {
  std::lock_guard lock(mutex_);
  limiting_ = limiting;
  limiter_.reset();
}

void Mixer::set_duck(double db) {
  std::lock_guard lock(mutex_);
  ducker_.set_depth(db);
}

void Mixer::set_talkback(std::uint32_t uid, bool talkback) {
  std::lock_guard lock(mutex_);
  if (const auto found = inputs_.find(uid); found != inputs_.end())
    found->second.talkback = talkback;
}

void Mixer::set_measuring(bool measuring) {
  std::lock_guard lock(mutex_);
  // What was measured long ago is no news.
  if (measuring && !measuring_)
    for (auto &[uid, input] : inputs_)
      input.level = Level();
  measuring_ = measuring;
}

std::map<std::uint32_t, Level> Mixer::take_levels() {
  std::lock_guard lock(mutex_);
  std::map<std::uint32_t, Level> levels;
  for (auto &[uid, input] : inputs_)
    levels[uid] = std::exchange(input.level, Level());
  return levels;
}

void Mixer::forget_monitors() {
  forget(std::nullopt, whole_);
  for (auto &[uid, input] : inputs_)
    forget(uid, input.monitor);
}

void Mixer::forget(std::optional<std::uint32_t> uid, std::unique_ptr<VoiceMonitor> &monitor) {
  if (!monitor)
    return;
  if (const auto end = monitor->end())
    ended_.push_back({uid, *end});
  monitor.reset();
}

void Mixer::set_monitoring(const MonitorSettings &settings) {
  std::lock_guard lock(mutex_);
  if (settings == monitoring_)
    return;
  // A new target is gone to from where the gain is.
  const bool goes_on = settings.on() && settings.loudness == monitoring_.loudness &&
                       settings.silence_ns == monitoring_.silence_ns;
  monitoring_ = monitoring_whole_ = settings;
  monitoring_whole_.target = 0;
  if (!goes_on)
    forget_monitors();
}

VoiceMonitor &Mixer::watch(std::unique_ptr<VoiceMonitor> &monitor) const {
  if (!monitor)
    monitor = std::make_unique<VoiceMonitor>(rate_);
  return *monitor;
}

std::vector<Mixer::Of<SilenceChange>> Mixer::take_silences() {
  std::lock_guard lock(mutex_);
  std::vector<Of<SilenceChange>> changes = std::exchange(ended_, {});
  const auto take = [&] (std::optional<std::uint32_t> uid, VoiceMonitor *monitor) {
    if (!monitor)
      return;
    if (const auto change = monitor->take_change())
      changes.push_back({uid, *change});
  };
  for (const auto &[uid, input] : inputs_)
    take(uid, input.monitor.get());
  take(std::nullopt, whole_.get());
  return changes;
}

std::vector<Mixer::Of<Loudness>> Mixer::loudness() const {
  std::lock_guard lock(mutex_);
  std::vector<Of<Loudness>> all;
  for (const auto &[uid, input] : inputs_)
    if (input.monitor)
      all.push_back({uid, input.monitor->loudness()});
  if (whole_)
    all.push_back({std::nullopt, whole_->loudness()});
  return all;
}

std::map<std::uint32_t, Level> Mixer::sample_levels() {
  std::lock_guard lock(mutex_);
  sampling_ = true;
  std::map<std::uint32_t, Level> levels;
  for (auto &[uid, input] : inputs_)
    levels[uid] = std::exchange(input.sampled, Level());
  return levels;
}

Mixer::Gains Mixer::gains(const Fader &fader, bool heard) const {
  const auto volume = static_cast<float>(heard && !fader.mute ? fader.volume : 0.0);
  if (channels_ == 1)
    return {volume, volume};
  // Balance: the far side falls, the near side stays, so that the centre is not touched.
  const auto pan = static_cast<float>(fader.pan);
  return {volume * std::min(1.f, 1.f - pan), volume * std::min(1.f, 1.f + pan)};
}

void Mixer::measure(Level &level, const float *in, int in_channels, std::size_t frames,
                    std::size_t stride) {
  float peak = 0;
  double squares = 0;
  for (std::size_t i = 0; i < frames; i += stride) {
    const float *f = in + i * in_channels;
    const float l = f[0], r = in_channels > 1 ? f[1] : f[0];
    peak = std::max({peak, std::fabs(l), std::fabs(r)});
    squares += 0.5 * (l * l + r * r);
  }
  level.peak = std::max(level.peak, static_cast<double>(peak));
  level.square_sum += squares;
}

void Mixer::add_to_mix(Input &input, Gains to, const float *in, int in_channels, float *out,
                       std::size_t frames) {
  const bool slides = to.left != input.left || to.right != input.right;
  const float left_step = slides ? (to.left - input.left) / static_cast<float>(frames) : 0;
  const float right_step = slides ? (to.right - input.right) / static_cast<float>(frames) : 0;
  float left = input.left, right = input.right;
  input.left = to.left;
  input.right = to.right;
  if (!slides && left == 0 && right == 0)
    return;
  // Most speakers most of the time; simple enough for the compiler to do several frames at once.
  if (!slides && in_channels == 1) {
    if (channels_ == 1) {
      for (std::size_t i = 0; i < frames; i++)
        out[i] += in[i] * left;
    } else {
      for (std::size_t i = 0; i < frames; i++) {
        out[2 * i] += in[i] * left;
        out[2 * i + 1] += in[i] * right;
      }
    }
    return;
  }
  for (std::size_t i = 0; i < frames; i++) {
    const float *f = in + i * in_channels;
    const float l = f[0], r = in_channels > 1 ? f[1] : f[0];
    left += left_step;
    right += right_step;
    if (channels_ == 1) {
      out[i] += (in_channels > 1 ? 0.5f * (l + r) : l) * left;
    } else {
      out[2 * i] += l * left;
      out[2 * i + 1] += r * right;
    }
  }
}

bool Mixer::mix(std::int64_t at_ns, float *out, std::size_t frames) {
  std::lock_guard lock(mutex_);
  bool any = false;
  bool solo = false;
  bool speech = false;
  const float ducked = ducker_.gain();
  remove_finished(at_ns);
  for (auto &[uid, fader] : faders_)
    solo = solo || (fader.solo && inputs_.contains(uid));

  std::fill(out, out + frames * channels_, 0.f);
  for (auto &[uid, input] : inputs_) {
    const float *in = nullptr;
    const int in_channels = input.timeline->pull(at_ns, frames, &in);
    auto it = faders_.find(uid);
    const Fader fader = it == faders_.end() ? Fader() : it->second;
    Gains to = gains(fader, !solo || fader.solo);
    if (monitoring_.on()) {
      VoiceMonitor &monitor = watch(input.monitor);
      monitor.hear(monitoring_, in_channels ? in : nullptr, in_channels, frames);
      to.lower(monitor.gain());
    }
    if (!input.talkback)
      to.lower(ducked);
    else if (ducker_.on() && in_channels > 0 && to.heard())
      speech = speech || Ducker::is_speech(in, in_channels, frames);
    if (measuring_)
      input.level.samples += frames;
    if (sampling_)
      input.sampled.samples += (frames + kStride - 1) / kStride;
    if (in_channels == 0) {
      // What is set in silence counts from the first sample of what follows.
      input.left = to.left;
      input.right = to.right;
      continue;
    }
    if (measuring_)
      measure(input.level, in, in_channels, frames, 1);
    if (sampling_)
      measure(input.sampled, in, in_channels, frames, kStride);
    add_to_mix(input, to, in, in_channels, out, frames);
    any = true;
  }
  // Heeded from the next block on: nobody hears that it is so late.
  if (ducker_.on())
    ducker_.step(speech, static_cast<double>(frames) / rate_);
  if (limiting_)
    limiter_.limit(out, frames, channels_, rate_);
  if (monitoring_whole_.on())
    watch(whole_).hear(monitoring_whole_, any ? out : nullptr, channels_, frames);
  return any;
}

}  // namespace agora
