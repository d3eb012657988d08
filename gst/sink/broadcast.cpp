// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/broadcast.hpp"

#include <algorithm>
#include <utility>

namespace agora {

namespace {

// For so long both are sent where listeners go over from one codec to another: they are told of the
// other one once it is on the air, make a session for it and wait until they have it in step. Those
// who hold back next to nothing stretch time for it.
constexpr std::chrono::milliseconds overlap(5000);

}  // namespace

Broadcast::Broadcast(GstBin *bin, Publication::Owner &owner, OnAir &air, const VoiceCodecs &wanted)
    : bin_(bin), owner_(owner), air_(air), wanted_(wanted) {
}

Broadcast::PublicationPtr Broadcast::find(VoiceCodec codec) const {
  std::lock_guard lock(mutex_);
  return of_codec_[static_cast<std::size_t>(codec)];
}

std::vector<Broadcast::PublicationPtr> Broadcast::all() const {
  std::vector<PublicationPtr> all;
  std::lock_guard lock(mutex_);
  std::copy_if(of_codec_.begin(), of_codec_.end(), std::back_inserter(all),
               [] (const PublicationPtr &each) { return each != nullptr; });
  return all;
}

// nullptr: an element is missing, which is on the bus, or it has been stopped.
Broadcast::PublicationPtr Broadcast::make(VoiceCodec codec) {
  if (PublicationPtr there = find(codec))
    return there;
  auto young = std::make_shared<Publication>(bin_, owner_, air_, codec);
  if (!young->start()) {
    // There are no threads to wait for.
    young->stop();
    return nullptr;
  }
  PublicationPtr first;
  {
    std::lock_guard lock(mutex_);
    PublicationPtr &place = of_codec_[static_cast<std::size_t>(codec)];
    if (!place && !stopped_)
      place = young;
    first = place;
  }
  // Another thread was faster, or it is over.
  if (first != young)
    young->stop();
  else if (ended_)
    young->end();
  return first;
}

bool Broadcast::start() {
  VoiceCodecs wanted;
  {
    std::lock_guard lock(mutex_);
    wanted = wanted_;
  }
  return std::all_of(wanted.begin(), wanted.end(),
                     [this] (VoiceCodec each) { return make(each) != nullptr; });
}

void Broadcast::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  for (const PublicationPtr &each : all())
    each->stop();
}

bool Broadcast::has(const Publication &one) const {
  const auto all = this->all();
  return std::any_of(all.begin(), all.end(),
                     [&] (const PublicationPtr &each) { return each.get() == &one; });
}

void Broadcast::set_wanted(const VoiceCodecs &wanted, Leaving leaving) {
  {
    std::lock_guard lock(mutex_);
    wanted_ = wanted;
    how_ = leaving;
    for (const VoiceCodec each : wanted)
      leaves_at_[static_cast<std::size_t>(each)].reset();
  }
  for (const VoiceCodec each : wanted)
    if (const PublicationPtr to = make(each))
      to->set_wanted(true);
  leave_unwanted();
}

bool Broadcast::wants(VoiceCodec codec) const {
  std::lock_guard lock(mutex_);
  return wanted_.contains(codec);
}

VoiceCodecs Broadcast::on_air() const {
  VoiceCodecs codecs;
  for (const PublicationPtr &each : all())
    if (each->wanted())
      codecs.insert(each->codec());
  std::lock_guard lock(mutex_);
  codecs.insert(wanted_.begin(), wanted_.end());
  return codecs;
}

bool Broadcast::all_work() const {
  VoiceCodecs wanted;
  {
    std::lock_guard lock(mutex_);
    wanted = wanted_;
  }
  return std::all_of(wanted.begin(), wanted.end(), [this] (VoiceCodec each) {
    const PublicationPtr of = find(each);
    return of && of->works();
  });
}

// Whether this one, which may be on the air, is to go off it now.
bool Broadcast::is_due(VoiceCodec codec, bool is_on_air) {
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  std::optional<Clock::time_point> &at = leaves_at_[static_cast<std::size_t>(codec)];
  if (wanted_.contains(codec) || !is_on_air) {
    at.reset();
    return false;
  }
  if (!at)
    at = how_ == Leaving::moves ? now + overlap : now;
  if (*at > now) {
    leaving_ = true;
    return false;
  }
  at.reset();
  return true;
}

// Whether one went.
bool Broadcast::leave_unwanted() {
  if (!all_work())
    return false;
  bool left = false;
  leaving_ = false;
  for (const PublicationPtr &each : all())
    if (is_due(each->codec(), each->wanted())) {
      each->set_wanted(false);
      left = true;
    }
  return left;
}

bool Broadcast::left() {
  return leaving_ && leave_unwanted();
}

bool Broadcast::session_works() {
  leave_unwanted();
  return all_work();
}

void Broadcast::connect(VoiceCodec codec, const std::string &url, AuthoritiesPtr authorities) {
  if (const PublicationPtr to = make(codec))
    to->connect(url, std::move(authorities));
}

void Broadcast::disconnect() {
  for (const PublicationPtr &each : all())
    each->disconnect();
}

bool Broadcast::take(VoiceCodec codec, Frame frame) {
  const PublicationPtr to = find(codec);
  return to && to->take(std::move(frame));
}

void Broadcast::clear() {
  for (const PublicationPtr &each : all())
    each->clear();
}

bool Broadcast::end() {
  if (ended_.exchange(true))
    return false;
  for (const PublicationPtr &each : all())
    each->end();
  return true;
}

bool Broadcast::failed() const {
  const auto all = this->all();
  return std::any_of(all.begin(), all.end(),
                     [] (const PublicationPtr &each) { return each->failed(); });
}

// Those that aren't wanted have nothing to send.
bool Broadcast::drain() {
  bool drained = true;
  for (const PublicationPtr &each : all())
    drained = (!each->wanted() || each->drain()) && drained;
  return drained;
}

void Broadcast::moved() {
  for (const PublicationPtr &each : all())
    each->moved();
}

void Broadcast::wake() {
  for (const PublicationPtr &each : all())
    each->wake();
}

void Broadcast::limit_changed() {
  for (const PublicationPtr &each : all())
    each->limit_changed();
}

FrameQueue::Totals Broadcast::totals() const {
  FrameQueue::Totals sum;
  for (const PublicationPtr &each : all()) {
    const FrameQueue::Totals one = each->totals();
    // Of the same sound.
    sum.queued = std::max(sum.queued, one.queued);
    sum.dropped += one.dropped;
    sum.dropped_frames += one.dropped_frames;
  }
  return sum;
}

std::string Broadcast::url() const {
  for (const PublicationPtr &each : all())
    if (std::string url = each->url(); !url.empty())
      return url;
  return {};
}

guint64 Broadcast::sent_bytes() const {
  guint64 sum = 0;
  for (const PublicationPtr &each : all())
    sum += each->sent_bytes();
  return sum;
}

guint Broadcast::sessions() const {
  guint sum = 0;
  for (const PublicationPtr &each : all())
    sum += each->sessions();
  return sum;
}

}  // namespace agora
