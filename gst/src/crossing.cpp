// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/crossing.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agora {
namespace {

// What is less is no sound.
constexpr int kLeastRate = 4000;
// So much of each session is kept to be compared.
constexpr double kKept = 1e9;
// Timestamps in whole milliseconds are this near to the count of the samples; further off it is
// another count.
constexpr double kRounding = 10e6;
// The piece of sound that is looked for. Half of a syllable is told from another.
constexpr double kPiece = 60e6;
// How far from where the sender's clock says: its stamps are written by a thread that may be
// interrupted. And from where the arrivals say, which know nothing of the codecs' delays.
constexpr double kByStamps = 10e6;
constexpr double kByArrival = 150e6;
// Stamps that say that one of them is later by more are not believed.
constexpr double kBelieved = 500e6;
// Alike enough. What two codecs make of one voice is 0.9 at least.
constexpr double kAlike = 0.7;
constexpr double kInaudible = 0.003;
// First the sound is compared in steps of so many samples.
constexpr std::size_t kCoarse = 4;
constexpr double kFade = 5e6;
// How much of the former one waits for the next one, which brings the same sound later: no codec's
// delay is longer than another's by more.
constexpr double kMostHeld = 150e6;
// What is new before it is looked again.
constexpr double kLook = 20e6;

std::int64_t frames_in (double ns, int rate) {
  return std::llround(ns * rate / 1e9);
}

double power_of (const float *samples, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; i++)
    sum += static_cast<double>(samples[i]) * samples[i];
  return sum;
}

// Where in `whole`, `first` samples from its beginning or up to `last`, the piece is, and how
// alike: 1 is the same.
std::pair<std::size_t, double> find_piece (const float *piece, std::size_t size,
                                           const std::vector<float> &whole, std::size_t first,
                                           std::size_t last) {
  const double mine = power_of(piece, size);
  std::pair<std::size_t, double> best = {first, -1};
  for (std::size_t at = first; at <= last && at + size <= whole.size(); at++) {
    double product = 0;
    for (std::size_t i = 0; i < size; i++)
      product += static_cast<double>(piece[i]) * whole[at + i];
    const double both = mine * power_of(&whole[at], size);
    const double alike = both > 0 ? product / std::sqrt(both) : 0;
    if (alike > best.second)
      best = {at, alike};
  }
  return best;
}

std::vector<float> thinned (const std::vector<float> &sound, std::size_t by) {
  std::vector<float> thin(sound.size() / by);
  for (std::size_t i = 0; i < thin.size(); i++)
    for (std::size_t j = 0; j < by; j++)
      thin[i] += sound[i * by + j] / static_cast<float>(by);
  return thin;
}

}  // namespace

void Crossing::stamped(Side side, GstClockTime media, std::int64_t wall_us) {
  // The sum of a year and of any timestamp is far within what a double counts exactly enough.
  tracks_[side].wall = static_cast<double>(wall_us) * 1e3 - static_cast<double>(media);
}

bool Crossing::continues(const Track &track, const DecodedSound &sound) {
  return track.rate == sound.rate && track.channels == sound.channels &&
         std::fabs(static_cast<double>(sound.media) - track.time_of(track.end())) < kRounding;
}

// Adds what came, or begins anew with it.
void Crossing::add(Track &track, const DecodedSound &sound, std::int64_t now_ns) {
  const auto media = static_cast<double>(sound.media);
  if (!continues(track, sound)) {
    track.rate = sound.rate;
    track.channels = sound.channels;
    track.anchor_ns = media;
    track.first = 0;
    track.samples.clear();
    track.comes.reset();
  }
  const double comes = static_cast<double>(now_ns) - media;
  track.comes = std::min(track.comes.value_or(comes), comes);
  track.samples.insert(track.samples.end(), sound.samples,
                       sound.samples + sound.frames * static_cast<std::size_t>(sound.channels));
}

void Crossing::sound(Side side, const DecodedSound &sound, std::int64_t now_ns) {
  if (done_ || sound.frames == 0 || sound.rate < kLeastRate || sound.channels <= 0)
    return;
  Track &track = tracks_[side];
  // What is held back goes first: nothing is lost where the former one goes on elsewhere.
  const bool goes_on = continues(track, sound);
  if (side == kFormer && !goes_on)
    release();
  add(track, sound, now_ns);
  if (!goes_on) {
    shift_.reset();
    looked_ = 0;
    if (side == kFormer)
      given_ = 0;
  }
  if (!shift_)
    align();
  advance();
  // Nothing that was not given yet goes.
  for (Track &each : tracks_) {
    const std::int64_t kept = frames_in(kKept, each.rate);
    if (each.frames() <= 2 * kept)
      continue;
    std::int64_t surplus = each.frames() - kept;
    if (&each == &tracks_[kFormer])
      surplus = std::min(surplus, given_ - each.first);
    each.samples.erase(each.samples.begin(), each.samples.begin() + surplus * each.channels);
    each.first += surplus;
  }
}

bool Crossing::same_format() const {
  return tracks_[kFormer].rate == tracks_[kNext].rate &&
         tracks_[kFormer].channels == tracks_[kNext].channels;
}

// All that is held, as one channel at another rate. Straight lines do: it is compared, not heard.
std::vector<float> Crossing::mono(const Track &track, int rate) {
  const auto frames = static_cast<std::size_t>(track.frames());
  const auto channels = static_cast<std::size_t>(track.channels);
  std::vector<float> mixed(frames);
  for (std::size_t i = 0; i < frames; i++)
    for (std::size_t c = 0; c < channels; c++)
      mixed[i] += track.samples[i * channels + c] / static_cast<float>(channels);
  if (rate == track.rate || frames < 2)
    return mixed;
  const double step = static_cast<double>(track.rate) / rate;
  std::vector<float> other(static_cast<std::size_t>(static_cast<double>(frames - 1) / step));
  for (std::size_t i = 0; i < other.size(); i++) {
    const double at = static_cast<double>(i) * step;
    const auto left = static_cast<std::size_t>(at);
    const auto part = static_cast<float>(at - static_cast<double>(left));
    other[i] = mixed[left] * (1 - part) + mixed[left + 1] * part;
  }
  return other;
}

// Looks for the newest piece of the next session that the former one surely has.
std::optional<double> Crossing::compare(double about_ns, double within_ns, bool *is_quiet) const {
  const Track &former = tracks_[kFormer];
  const Track &next = tracks_[kNext];
  const int rate = former.rate;
  const std::vector<float> whole = mono(former, rate);
  const std::vector<float> young = mono(next, rate);
  const double begin_ns = former.time_of(former.first);
  const double end_ns = begin_ns + static_cast<double>(whole.size()) * 1e9 / rate - within_ns;
  const double young_ns = next.time_of(next.first) + about_ns;
  const auto size = static_cast<std::size_t>(frames_in(kPiece, rate));
  if (young.size() < size)
    return std::nullopt;
  // From where in `young` the piece is taken: as late as possible.
  const std::int64_t latest =
      std::min(frames_in(end_ns - young_ns, rate), static_cast<std::int64_t>(young.size())) -
      static_cast<std::int64_t>(size);
  const std::int64_t least = std::max<std::int64_t>(
      0, static_cast<std::int64_t>(std::ceil((begin_ns + within_ns - young_ns) * rate / 1e9)));
  if (latest < least)
    return std::nullopt;
  const auto from = static_cast<std::size_t>(latest);
  *is_quiet = power_of(&young[from], size) < kInaudible * kInaudible * static_cast<double>(size);
  if (*is_quiet)
    return std::nullopt;

  const auto middle = frames_in(young_ns - begin_ns, rate) + latest;
  const std::int64_t reach = frames_in(within_ns, rate);
  const std::int64_t coarse = kCoarse;
  const std::vector<float> thin_piece = thinned(
      {young.begin() + latest, young.begin() + latest + static_cast<std::int64_t>(size)}, kCoarse);
  const std::vector<float> thin = thinned(whole, kCoarse);
  const auto rough =
      find_piece(thin_piece.data(), thin_piece.size(), thin,
                 static_cast<std::size_t>(std::max<std::int64_t>(0, middle - reach) / coarse),
                 static_cast<std::size_t>((middle + reach) / coarse));
  const auto about = static_cast<std::int64_t>(rough.first * kCoarse);
  const auto exact =
      find_piece(&young[from], size, whole,
                 static_cast<std::size_t>(std::max<std::int64_t>(0, about - 2 * coarse)),
                 static_cast<std::size_t>(about + 2 * coarse));
  if (exact.second < kAlike)
    return std::nullopt;
  const double found_ns = begin_ns + static_cast<double>(exact.first) * 1e9 / rate;
  return found_ns - (next.time_of(next.first) + static_cast<double>(latest) * 1e9 / rate);
}

void Crossing::align() {
  const Track &former = tracks_[kFormer];
  const Track &next = tracks_[kNext];
  if (former.rate == 0 || next.rate == 0 || next.end() < looked_ + frames_in(kLook, next.rate))
    return;
  looked_ = next.end();
  const double by_arrival = *next.comes - *former.comes;
  const double by_stamps =
      former.wall && next.wall ? *next.wall - *former.wall : by_arrival + 2 * kBelieved;
  bool is_quiet = false;
  if (std::fabs(by_stamps - by_arrival) > kBelieved) {
    shift_ = compare(by_arrival, kByArrival, &is_quiet);
    return;
  }
  shift_ = compare(by_stamps, kByStamps, &is_quiet);
  // In a pause nobody hears that it is not the very sample.
  if (!shift_ && is_quiet)
    shift_ = by_stamps;
}

// In the positions of the former one.
std::int64_t Crossing::next_begin() const {
  const Track &next = tracks_[kNext];
  return frames_in(next.time_of(next.first) + *shift_ - tracks_[kFormer].anchor_ns,
                   tracks_[kFormer].rate);
}

std::int64_t Crossing::next_end() const {
  const Track &next = tracks_[kNext];
  return frames_in(next.time_of(next.end()) + *shift_ - tracks_[kFormer].anchor_ns,
                   tracks_[kFormer].rate);
}

void Crossing::give(const Track &track, std::int64_t from, std::int64_t to, double time_ns) {
  if (to > from)
    take_({static_cast<GstClockTime>(std::max(0.0, time_ns)), track.at(from),
           static_cast<std::size_t>(to - from), track.rate, track.channels});
}

void Crossing::advance() {
  Track &former = tracks_[kFormer];
  if (former.rate == 0)
    return;
  if (shift_) {
    const std::int64_t fade = same_format() ? frames_in(kFade, former.rate) : 0;
    const std::int64_t begin = next_begin();
    if (begin > given_) {
      // It begins later: until there the former one is heard.
      const std::int64_t to = std::min(begin, former.end());
      give(former, given_, to, former.time_of(given_));
      given_ = to;
    }
    if (begin <= given_ && next_end() > given_ + fade && former.end() >= given_ + fade) {
      cross(static_cast<std::size_t>(fade));
      return;
    }
    const bool waits = may_hold_ && begin <= given_ && next_end() <= given_ + fade;
    if (waits && former.end() - given_ <= frames_in(kMostHeld, former.rate))
      return;
  }
  release();
}

// From `given_` on it is the next one, after `fade` frames in which both are heard.
void Crossing::cross(std::size_t fade) {
  const Track &former = tracks_[kFormer];
  const Track &next = tracks_[kNext];
  const double time_ns = former.time_of(given_);
  const std::int64_t from = std::clamp<std::int64_t>(
      frames_in(time_ns - *shift_ - next.anchor_ns, next.rate), next.first, next.end());
  // To the sample, so that the count of the next one goes on from here.
  shift_ns_ = std::llround(time_ns - next.time_of(from));
  std::vector<float> both(next.at(from), next.at(next.end()));
  const auto channels = static_cast<std::size_t>(next.channels);
  const float *before = fade > 0 ? former.at(given_) : nullptr;
  for (std::size_t i = 0; i < fade && i * channels < both.size(); i++) {
    const float gain = static_cast<float>(i + 1) / static_cast<float>(fade + 1);
    for (std::size_t c = i * channels; c < (i + 1) * channels; c++)
      both[c] = both[c] * gain + before[c] * (1 - gain);
  }
  done_ = true;
  if (!both.empty())
    take_({static_cast<GstClockTime>(std::max(0.0, time_ns)), both.data(), both.size() / channels,
           next.rate, next.channels});
}

void Crossing::release() {
  const Track &former = tracks_[kFormer];
  if (done_ || former.rate == 0)
    return;
  give(former, given_, former.end(), former.time_of(given_));
  given_ = former.end();
}

bool Crossing::end() {
  release();
  if (!done_ && shift_ && next_begin() <= given_ && next_end() > given_)
    cross(0);
  return done_;
}

GstClockTimeDiff Crossing::later() const {
  const auto &former = tracks_[kFormer].comes;
  const auto &next = tracks_[kNext].comes;
  if (!former || !next)
    return 0;
  const double shift = done_ ? static_cast<double>(shift_ns_) : shift_.value_or(0);
  return std::llround(*next - shift - *former);
}

}  // namespace agora
