// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/playout-timeline.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gst/mix/playout-units.hpp"

namespace agora {
namespace {

// Late by so much more than the delay, a frame has missed its moment; or by this at least.
constexpr double kMissed = 20e6;
constexpr double kLeastMissed = 60e6;
// No decoder has more frames at once.
constexpr std::size_t kMostDecoding = 32;
// No encoded frame is longer.
constexpr std::int64_t kMostDuration = 10'000'000'000;
// A sender's wall clock is not believed to be further from ours.
constexpr std::int64_t kMostAge = 3'600'000'000;  // us
// Further off than this, playing jumps; nearer, it is stretched: within two seconds it is less than
// 15 ms off.
constexpr double kHardError = 30e6;
// A jump is put off for so long at most, until a pause between words; no longer than that it has
// to be back within two seconds with what stretching takes.
constexpr double kPatience = 600e6;
// A pause is looked for in pieces of this length, and is of some at least. Quiet is what is so much
// below the loudest of them, or below anything that is heard.
constexpr double kPiece = 5e6;
constexpr double kPause = 20e6;
// How far ahead: longer than a syllable. Everybody waits for the mix meanwhile.
constexpr double kLook = 400e6;
constexpr double kQuiet = 0.1;
// No codec takes longer than another by more.
constexpr double kMostLater = 500e6;
// Our clock never goes back by so much: it is another one.
constexpr std::int64_t kClockBack = 1'000'000'000;
// How much of the position's error one second of stretching takes away: gently near its place,
// where only noise is left, and faster further off.
constexpr double kPull = 0.25;
constexpr double kNear = 5e6;
constexpr double kMaxStretch = 1500e-6;
constexpr double kFarStretch = 8000e-6;
// How fast the stretching itself may change, in a second: heard as vibrato beyond.
constexpr double kSlew = 1000e-6;
constexpr double kFarSlew = 8000e-6;
// Blocks that follow each other may be so far apart.
constexpr double kRounding = 1e6;
// The resampler counts in hundredths of a hertz, so that a fifth of a part per million is a step it
// has; in thousandths its 32 bits overflow.
constexpr int kRateScale = 100;
// Times on a clock are within this, also where a sender's aren't.
constexpr double kMostTime = 4e18;

}  // namespace

void PlayoutTimeline::Run::drop(std::size_t n) {
  n = std::min(n, frames());
  head += n;
  media_ns += n * 1e9 / rate;
  // Moving what is left costs; once a second's worth is gone it is worth it. Half a second is
  // kept, for unlike().
  if (head >= static_cast<std::size_t>(rate)) {
    const std::size_t gone = head - static_cast<std::size_t>(rate) / 2;
    samples.erase(samples.begin(), samples.begin() + gone * channels);
    head -= gone;
  }
}

std::size_t PlayoutTimeline::Run::made_up_of(std::size_t n) const {
  const std::size_t left = frames() - std::min(n, frames());
  return std::min(made_up, frames()) - std::min(made_up, left);
}

PlayoutTimeline::PlayoutTimeline(int out_rate, std::int64_t delay_ns)
    : out_rate_(out_rate), delay_ns_(delay_ns), in_force_ns_(static_cast<double>(delay_ns)) {
}

void PlayoutTimeline::set_delay(std::int64_t delay_ns, std::optional<std::int64_t> first_ns) {
  std::lock_guard lock(mutex_);
  const bool changed = std::exchange(delay_ns_, delay_ns) != delay_ns;
  const bool untouched = !playing_ && !heard_ && growth_ != Growth::begun;
  if (untouched && first_ns.value_or(delay_ns) < delay_ns) {
    growth_ = Growth::waiting;
    in_force_ns_ = static_cast<double>(*first_ns);
    return;
  }
  // The pipeline says again what its latency is.
  if (growth_ == Growth::begun && !changed)
    return;
  growth_ = Growth::none;
  if (adaptive_)
    return;
  jump_ = jump_ || std::fabs(in_force_ns_ - static_cast<double>(delay_ns)) > kNear;
  in_force_ns_ = static_cast<double>(delay_ns);
}

void PlayoutTimeline::set_out_rate(int out_rate) {
  std::lock_guard lock(mutex_);
  if (out_rate == out_rate_)
    return;
  out_rate_ = out_rate;
  stop_playing();
  resampler_.reset();
}

void PlayoutTimeline::discontinuity() {
  std::lock_guard lock(mutex_);
  counter_.discontinuity();
  decoding_.clear();
  heard_ = false;
}

void PlayoutTimeline::set_codec_delay(std::int64_t delay_ns) {
  std::lock_guard lock(mutex_);
  stats_.codec_delay_ms = static_cast<double>(delay_ns) / 1e6;
}

void PlayoutTimeline::path_changed(std::int64_t later_ns) {
  std::lock_guard lock(mutex_);
  decoding_.clear();
  if (!arrivals_.known())
    return;
  const auto later = std::clamp(static_cast<double>(later_ns), -kMostLater, kMostLater);
  arrivals_.shift(later);
  brace_ns_ = 0;
  in_force_ns_ = std::max(in_force_ns_ - later, 0.0);
  growth_ = Growth::begun;
}

// A pipeline that resumes may have another clock, a sound card's for example, which counts from
// elsewhere. One that is behind shows; one that is ahead looks like a path that got longer.
void PlayoutTimeline::watch_clock(std::int64_t now_ns) {
  if (now_ns + kClockBack < last_now_ns_)
    begin_anew();
  last_now_ns_ = now_ns;
}

void PlayoutTimeline::another_clock() {
  std::lock_guard lock(mutex_);
  begin_anew();
}

void PlayoutTimeline::begin_anew() {
  arrivals_.restart();
  runs_.clear();
  stop_playing();
  end_concealment();
  heard_ = false;
  stats_.stamp_age_ms = -1;
}

SampleCounter::Frame PlayoutTimeline::frame(std::int64_t media_ns, std::int64_t now_ns,
                                            double duration_ns) const {
  return {.stamp_ns = media_ns,
          .duration_ns = duration_ns,
          .now_ns = now_ns,
          .bears_ns = std::max(in_force_ns_ + kMissed, kLeastMissed)};
}

// Notes the arrival; where the counter puts the frame.
double PlayoutTimeline::arrive(const SampleCounter::Frame &frame,
                               const SampleCounter::Unlike &unlike) {
  watch_clock(frame.now_ns);
  const double media = counter_.place(frame, arrivals_, unlike);
  arrivals_.arrived(media, frame.now_ns);
  return media;
}

std::int64_t PlayoutTimeline::place(std::int64_t media_ns, std::int64_t now_ns,
                                    std::int64_t duration_ns, bool played) {
  std::lock_guard lock(mutex_);
  const bool known = duration_ns > 0 && duration_ns <= kMostDuration;
  const auto next = frame(media_ns, now_ns, known ? static_cast<double>(duration_ns) : -1.0);
  double media = 0;
  if (!played) {
    media = arrive(next);
  } else if (decoding_.empty()) {
    media = counter_.peek(next, arrivals_);
  } else {
    // After those that the decoder still has.
    media = counter_.next();
    for (const Decoding &frame : decoding_)
      media += frame.duration_ns;
  }
  if (played) {
    // The first of all arrives here, not once it is decoded.
    if (!arrivals_.known())
      arrivals_.arrived(media, now_ns);
    decoding_.push_back({media_ns, std::max(0.0, next.duration_ns), media});
    if (decoding_.size() > kMostDecoding)
      decoding_.pop_front();
  }
  const double due = media + arrivals_.offset_at(now_ns);
  return std::llround(std::clamp(due + static_cast<double>(delay_ns_), -kMostTime, kMostTime));
}

void PlayoutTimeline::stamped(std::int64_t media_ns, std::int64_t now_ns, std::int64_t captured_us,
                              std::int64_t wall_us) {
  std::lock_guard lock(mutex_);
  if (!arrivals_.known())
    return;
  std::int64_t age_us = 0;
  if (__builtin_sub_overflow(wall_us, captured_us, &age_us) || age_us > kMostAge ||
      age_us < -kMostAge) {
    stats_.stamp_age_ms = -1;
    return;
  }
  const double due = counter_.peek(frame(media_ns, now_ns, 0), arrivals_) +
                     arrivals_.offset_at(now_ns) + in_force_ns_ + behind_ns_;
  stats_.stamp_age_ms =
      static_cast<double>(age_us) / 1e3 + (due - static_cast<double>(now_ns)) / 1e6;
}

// The media time that is due at `at_ns`.
double PlayoutTimeline::due_media(std::int64_t at_ns) const {
  return static_cast<double>(at_ns) - in_force_ns_ - arrivals_.offset_at(at_ns);
}

void PlayoutTimeline::stop_playing() {
  playing_ = false;
  gain_ = 0;
  behind_ns_ = 0;
}

// The next `frames` of it come too late. What was made up is no loss.
void PlayoutTimeline::missed(const Run &run, std::size_t frames) {
  const std::size_t lost = frames - run.made_up_of(frames);
  const auto ns = static_cast<std::uint64_t>(static_cast<double>(lost) * 1e9 / run.rate);
  stats_.late_ns += ns;
  stats_.dropped_ns += ns;
}

// What ended before `media_ns` has missed its moment.
void PlayoutTimeline::drop_passed(double media_ns) {
  while (!runs_.empty()) {
    Run &run = runs_.front();
    if (run.end_ns() <= media_ns && (runs_.size() > 1 || run.frames() > 0)) {
      missed(run, run.frames());
      runs_.pop_front();
      continue;
    }
    if (run.frames() == 0) {
      // Used up; its end is kept by nobody, the next sound begins a run of its own.
      runs_.pop_front();
      continue;
    }
    if (run.media_ns < media_ns) {
      const std::size_t passed =
          std::min(to_frames(media_ns - run.media_ns, run.rate), run.frames());
      missed(run, passed);
      run.drop(passed);
    }
    return;
  }
}

// How long what is played next is a pause, up to `most_ns`.
double PlayoutTimeline::pause_ns(double most_ns) {
  const Run &run = runs_.front();
  const std::size_t piece = to_frames(kPiece, run.rate);
  const std::size_t end = run.head + std::min(run.frames(), to_frames(kLook, run.rate));
  const auto channels = static_cast<std::size_t>(run.channels);
  levels_.clear();
  for (std::size_t at = run.head; at + piece <= end; at += piece) {
    double squares = 0;
    for (std::size_t i = at * channels; i < (at + piece) * channels; i++)
      squares += static_cast<double>(run.samples[i]) * run.samples[i];
    levels_.push_back(std::sqrt(squares / static_cast<double>(piece * channels)));
  }
  const double loudest = levels_.empty() ? 0 : *std::max_element(levels_.begin(), levels_.end());
  const double quiet = std::max(kInaudible, loudest * kQuiet);
  const auto over = std::find_if(levels_.begin(), levels_.end(),
                                 [quiet] (double level) { return level > quiet; });
  return std::min(most_ns, static_cast<double>(over - levels_.begin()) * kPiece);
}

// Playing is to jump. Whether it does so with this block: in a pause, of which no more is left out
// than there is, or wherever it is once it has been put off for too long.
bool PlayoutTimeline::time_to_move(double error_ns, double block_ns) {
  put_off_ns_ += block_ns;
  go_on_at_.reset();
  if (put_off_ns_ > kPatience)
    return true;
  // The block itself is faded out, and still of the pause.
  const double pause = pause_ns(std::max(error_ns, 0.0) + block_ns + kPause);
  if (pause < block_ns + kPause)
    return false;
  if (error_ns > 0)
    go_on_at_ = runs_.front().media_ns + pause - kPause / 2;
  return true;
}

// Begins to play where `media_ns` falls into what is there; `lead` frames of the block are before
// its beginning.
bool PlayoutTimeline::start_playing(double media_ns, std::size_t frames, std::size_t *lead) {
  if (go_on_at_ && !runs_.empty() && *go_on_at_ < media_ns) {
    // The rest of what is too much goes in the next pause.
    media_ns = *go_on_at_;
    Run &run = runs_.front();
    const double before = run.media_ns;
    run.drop(to_frames(media_ns - run.media_ns, run.rate));
    stats_.dropped_ns += static_cast<std::uint64_t>(run.media_ns - before);
  }
  go_on_at_.reset();
  drop_passed(media_ns);
  if (runs_.empty())
    return false;
  Run &run = runs_.front();
  const double ahead = run.media_ns - media_ns;
  if (ahead >= frames * 1e9 / out_rate_)
    return false;
  // Too little to fade in and out again is no sound.
  if (run.frames() * 1e9 / run.rate < 2 * fade_ns() && runs_.size() == 1)
    return false;
  *lead = std::min(frames, to_frames(std::max(0.0, ahead), out_rate_));

  if (!resampler_ || resampler_rate_ != run.rate || resampler_channels_ != run.channels) {
    GstStructure *options = gst_structure_new_empty("options");
    gst_audio_resampler_options_set_quality(GST_AUDIO_RESAMPLER_METHOD_KAISER, 2,
                                            run.rate * kRateScale, out_rate_ * kRateScale, options);
    gst_structure_set(
        options, GST_AUDIO_RESAMPLER_OPT_FILTER_MODE, GST_TYPE_AUDIO_RESAMPLER_FILTER_MODE,
        GST_AUDIO_RESAMPLER_FILTER_MODE_INTERPOLATED,
        // Half the work of cubic interpolation, and as exact: it has more phases.
        GST_AUDIO_RESAMPLER_OPT_FILTER_INTERPOLATION, GST_TYPE_AUDIO_RESAMPLER_FILTER_INTERPOLATION,
        GST_AUDIO_RESAMPLER_FILTER_INTERPOLATION_LINEAR,
        // Its default lets the phase jump by a tenth of a sample at each update.
        GST_AUDIO_RESAMPLER_OPT_MAX_PHASE_ERROR, G_TYPE_DOUBLE, 0.0, nullptr);
    resampler_.reset(gst_audio_resampler_new(
        GST_AUDIO_RESAMPLER_METHOD_KAISER, GST_AUDIO_RESAMPLER_FLAG_VARIABLE_RATE,
        GST_AUDIO_FORMAT_F32, run.channels, run.rate * kRateScale + 1, out_rate_ * kRateScale,
        options));
    gst_structure_free(options);
    resampler_rate_ = run.rate;
    resampler_channels_ = run.channels;
  } else {
    gst_audio_resampler_reset(resampler_.get());
  }
  if (!resampler_)
    return false;
  ratio_ = 1.0 + arrivals_.drift_ppm() * 1e-6;
  set_ratio(ratio_);
  playing_ = true;
  jump_ = false;
  gain_ = 0;
  return true;
}

// in/out is never exactly 1: at 1:1 the resampler forgets its phase and clicks.
void PlayoutTimeline::set_ratio(double ratio) {
  const int out = out_rate_ * kRateScale;
  int in = static_cast<int>(std::lround(static_cast<double>(resampler_rate_) * kRateScale * ratio));
  if (in == out)
    in += ratio < 1.0 ? -1 : 1;
  gst_audio_resampler_update(resampler_.get(), in, out, nullptr);
}

// The next ratio of input to output: the drift, and what leads the position back to where it is
// due.
double PlayoutTimeline::correction(double error_ns, std::size_t frames) {
  const bool far = std::fabs(error_ns) > kNear;
  const double most = far ? kFarStretch : kMaxStretch;
  const double wanted =
      1.0 + arrivals_.drift_ppm() * 1e-6 + std::clamp(error_ns / 1e9 * kPull, -most, most);
  const double step = (far ? kFarSlew : kSlew) * static_cast<double>(frames) / out_rate_;
  return std::clamp(wanted, ratio_ - step, ratio_ + step);
}

// Up to `frames` frames of the front run. `ends_at` is where it ends, maybe beyond them, and
// `fade_at` where that begins to come too near.
std::size_t PlayoutTimeline::render(float *out, std::size_t frames, std::size_t *fade_at,
                                    std::size_t *ends_at) {
  Run &run = runs_.front();
  GstAudioResampler *r = resampler_.get();
  const std::size_t fade = to_frames(fade_ns(), out_rate_);
  const std::size_t held = gst_audio_resampler_get_out_frames(r, run.frames());
  const std::size_t done = std::min(frames, held);

  *ends_at = held;
  *fade_at = held >= frames + fade ? frames : (held > fade ? held - fade : 0);
  if (done == 0)
    return 0;
  // get_in_frames() leaves out what fills the window after a reset; too little in would be read
  // past its end.
  std::size_t in = std::min(gst_audio_resampler_get_in_frames(r, done), run.frames());
  while (gst_audio_resampler_get_out_frames(r, in) < done)
    in++;
  gpointer src[] = {run.samples.data() + run.head * run.channels};
  gpointer dst[] = {out};
  gst_audio_resampler_resample(r, src, in, dst, done);
  count_made_up(run, in);
  run.drop(in);
  return done;
}

int PlayoutTimeline::pull(std::int64_t at_ns, std::size_t frames, const float **samples) {
  std::lock_guard lock(mutex_);
  *samples = nullptr;
  const double block_ns = static_cast<double>(frames) * 1e9 / out_rate_;
  const bool hole = std::fabs(static_cast<double>(at_ns - next_at_ns_)) > kRounding;
  next_at_ns_ = at_ns + std::llround(block_ns);
  if (!arrivals_.known())
    return 0;

  const double faster = adapt(frames);
  double due = due_media(at_ns);
  if (growth_ == Growth::waiting && !runs_.empty()) {
    const double begin = runs_.front().media_ns;
    due = begin + absorb(due - begin);
  }
  std::size_t lead = 0;
  bool ending = false;

  if (playing_) {
    // The resampler holds half its window back; what it plays is that much behind the run's head.
    const double latency =
        gst_audio_resampler_get_max_latency(resampler_.get()) * 1e9 / resampler_rate_;
    const double error = absorb(due - (runs_.front().media_ns - latency));
    behind_ns_ = error;
    // While the first guess is corrected, at the beginning, one jump is heard less than seconds of
    // stretching.
    const bool far = jump_ || std::fabs(error) > (arrivals_.settled() ? kHardError : kNear);
    // Where there is a hole in what was played anyway nothing is spared by waiting.
    ending = far && (hole || time_to_move(error, block_ns));
    if (!far)
      put_off_ns_ = 0;
    if (!ending)
      set_ratio((ratio_ = correction(error, frames)) + faster);
  } else if (!start_playing(due, frames, &lead)) {
    if (heard_ && !rests_)
      stats_.concealed_ns += static_cast<std::uint64_t>(block_ns);
    return 0;
  } else if (growth_ == Growth::waiting) {
    growth_ = Growth::begun;
  }

  const bool goes_on = !ending && conceal(frames - lead);
  const int channels = runs_.front().channels;
  out_.assign(frames * channels, 0.f);
  std::size_t fade_at = 0, ends_at = 0;
  const std::size_t done = render(out_.data() + lead * channels, frames - lead, &fade_at, &ends_at);
  const std::size_t left = runs_.front().frames();
  if (goes_on)
    fade_at = done;
  if (ending) {
    fade_at = 0;
    ends_at = done;
  }

  // The gain moves towards 1, or from `fade_at` on towards 0, as fast as it must to get there. What
  // comes before the end turns it around.
  const float up = 1.f / static_cast<float>(to_frames(fade_ns(), out_rate_));
  const float down =
      fade_at < ends_at ? std::max(up, 1.f / static_cast<float>(ends_at - fade_at)) : up;
  float *p = out_.data() + lead * channels;
  // Mostly it is there.
  for (std::size_t i = gain_ == 1.f ? std::min(fade_at, done) : 0; i < done; i++) {
    gain_ = i < fade_at ? std::min(1.f, gain_ + up) : std::max(0.f, gain_ - down);
    if (gain_ < 1.f)
      for (int c = 0; c < channels; c++)
        p[i * channels + c] *= gain_;
  }
  heard_ = true;
  if (ending || done < frames - lead) {
    const std::size_t missing = frames - lead - done;
    if (!ending && left == 0) {
      // One that was concealed at first is counted.
      stats_.underruns += runs_.size() == 1 && runs_.front().made_up == 0 && !rests_;
      runs_.pop_front();
    }
    if (!rests_)
      stats_.concealed_ns += static_cast<std::uint64_t>(missing * 1e9 / out_rate_);
    stop_playing();
  }
  *samples = out_.data();
  return channels;
}

bool PlayoutTimeline::drained() const {
  std::lock_guard lock(mutex_);
  return empty();
}

bool PlayoutTimeline::empty() const {
  return std::all_of(runs_.begin(), runs_.end(), [] (const Run &run) { return run.frames() == 0; });
}

std::int64_t PlayoutTimeline::time_left_ns(std::int64_t now_ns) const {
  std::lock_guard lock(mutex_);
  if (empty())
    return 0;
  const double end = runs_.back().end_ns() + in_force_ns_ + arrivals_.offset_at(now_ns);
  // What has missed its moment is dropped with the next block.
  return std::max<std::int64_t>(1, std::llround(end - static_cast<double>(now_ns)));
}

PlayoutStats PlayoutTimeline::stats() const {
  std::lock_guard lock(mutex_);
  PlayoutStats s = stats_;
  s.drift_ppm = arrivals_.drift_ppm();
  s.jitter_ms = arrivals_.jitter_ns() / 1e6;
  s.delay_ms = in_force_ns_ / 1e6;
  for (const Run &run : runs_)
    s.queued_ms += run.frames() * 1e3 / run.rate;
  return s;
}

}  // namespace agora
