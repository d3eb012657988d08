// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/play-switch.hpp"

#include <algorithm>
#include <utility>

#include "gst/common/capture-stamp.hpp"
#include "gst/common/gst-ptr.hpp"

namespace agora {
namespace {

// Frames after which an AAC decoder has all of its overlap.
constexpr unsigned kSettled = 3;
// A move to another codec takes as long as two stamps of the sender's are apart and what is
// compared lasts, and where `latency` is short as long as it takes to stretch time by what the
// other codec is later, 33 ms of AAC. The speaker sends both for longer than this.
constexpr GstClockTime kMostCrossing = 4500 * GST_MSECOND;
// What comes later by less is no later.
constexpr GstClockTimeDiff kNoLater = 2 * GST_MSECOND;
// What has brought nothing for so long doesn't play: there is nothing to cross from.
constexpr GstClockTime kStalled = 500 * GST_MSECOND;

}  // namespace

PlaySwitch::PlaySwitch(Output *output, MakePlayConnection make)
    : output_(output), make_(std::move(make)) {
}

PlaySwitch::~PlaySwitch() = default;

std::vector<PlaySwitch::Connection> PlaySwitch::all() const {
  std::lock_guard lock(mutex_);
  std::vector<Connection> all = replaced_;
  for (const Connection &each : {current_, next_})
    if (each)
      all.push_back(each);
  return all;
}

void PlaySwitch::play(const std::string &url) {
  tidy();
  Connection connection = make_(url, this);
  Connection replaced;
  {
    std::lock_guard lock(mutex_);
    if (stopped_)
      return;
    replaced = std::exchange(next_, connection);
    next_frames_ = 0;
    run_++;
  }
  if (replaced)
    replaced->close(told_by());
  connection->open();
  bool late = false;
  {
    std::lock_guard lock(mutex_);
    late = stopped_;
  }
  // stop() came while it opened, and may have closed what was not open yet.
  if (late)
    connection->close(told_by());
}

void PlaySwitch::tidy() {
  std::vector<Connection> replaced;
  {
    std::lock_guard lock(mutex_);
    replaced.swap(replaced_);
  }
  for (const Connection &each : replaced)
    each->close(told_by());
}

void PlaySwitch::cut() {
  for (const Connection &each : all())
    each->cut();
}

// Its own threads look things up here while they are stopped, so that it is found until they are.
void PlaySwitch::stop(Deadline until) {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  for (const Connection &each : all())
    each->close(until);
}

bool PlaySwitch::busy() const {
  std::lock_guard lock(mutex_);
  return next_ || (current_ && !over_);
}

PlaySwitch::Connection PlaySwitch::first() const {
  std::lock_guard lock(mutex_);
  return current_ && !over_ ? current_ : next_ ? next_ : current_;
}

std::uint64_t PlaySwitch::came() const {
  const Connection connection = first();
  const std::uint64_t came = connection ? connection->came() : 0;
  std::lock_guard lock(mutex_);
  // What as many sessions brought is as many times as much.
  return came > 0 ? (std::uint64_t{run_} << 32) + came : 0;
}

std::string PlaySwitch::why_mute() const {
  const Connection connection = first();
  return connection ? connection->why_mute() : "";
}

PlaySwitch::Place PlaySwitch::place_of(const PlayConnection &from) const {
  std::lock_guard lock(mutex_);
  return current_.get() == &from ? Place::current
         : next_.get() == &from  ? Place::next
                                 : Place::none;
}

bool PlaySwitch::crosses_to_next() const {
  std::lock_guard lock(mutex_);
  return crossing_ && next_ && crossing_run_ == run_;
}

// The session that play() made in this run is the one in use, unless it has been replaced. What was
// in use ends later, on a thread that may wait for it.
bool PlaySwitch::promote(unsigned run) {
  std::lock_guard lock(mutex_);
  if (!next_ || run_ != run)
    return false;
  if (current_)
    replaced_.push_back(std::move(current_));
  current_ = std::exchange(next_, nullptr);
  over_ = false;
  return true;
}

// Whether the next session, which brings this frame, is the one in use from here on: at its first
// frame; where another one still plays, not before its decoder has settled, so that the move is not
// heard. What is of another codec is crossed to.
bool PlaySwitch::take_over(const PlayConnection &from, GstBuffer *frame, GstCaps *caps) {
  bool plays = false;
  unsigned frames = 0;
  unsigned run = 0;
  {
    std::lock_guard lock(mutex_);
    if (next_.get() != &from)
      return false;
    plays = current_ && !over_;
    frames = ++next_frames_;
    run = run_;
  }
  const bool is_other = caps && codec_ && (*codec_ == VoiceCodec::opus) != is_opus(caps);
  if (plays && is_other && decoded_ && crosses(run, frame, caps))
    return false;
  if (frames < kSettled && plays)
    return false;
  // The one that played is over, or it couldn't be found where both are equal.
  if (crosses_to_next() && crossing_->end())
    return look_whether_crossed();
  drop_crossing();
  if (!promote(run))
    return false;
  // In the same codec it is the same count of time.
  if (is_other)
    shift_ = 0;
  output_->moved();
  output_->heard();
  return true;
}

// Whether the next session is still crossed to.
bool PlaySwitch::crosses(unsigned run, GstBuffer *frame, GstCaps *caps) {
  const GstClockTime now = gst_util_get_timestamp();
  if (now > last_frame_ + kStalled)
    return false;
  if (!crosses_to_next()) {
    drop_crossing();
    crossing_ =
        std::make_unique<Crossing>([this] (const DecodedSound &sound) { output_->sound(sound); });
    crossing_since_ = now;
    crossing_run_ = run;
  }
  if (const auto wall = read_stamp(frame, caps))
    crossing_->stamped(Crossing::kNext, GST_BUFFER_PTS(frame), *wall);
  return now < crossing_since_ + kMostCrossing;
}

void PlaySwitch::drop_crossing() {
  if (!crossing_)
    return;
  crossing_->release();
  crossing_.reset();
  if (std::exchange(braced_, false))
    output_->brace(0);
}

// What is compared first may be what is heard next: those who hear it have to be able to wait.
void PlaySwitch::brace() {
  if (!crossing_ || crossing_->done() || !crossing_->aligned())
    return;
  const GstClockTimeDiff later = crossing_->later();
  braced_ = later > kNoLater;
  if (!braced_ || output_->brace(later))
    crossing_->allow_later();
}

bool PlaySwitch::look_whether_crossed() {
  if (!crossing_ || !crossing_->done())
    return false;
  const std::unique_ptr<Crossing> done = std::move(crossing_);
  braced_ = false;
  if (!promote(crossing_run_)) {
    output_->brace(0);
    return false;
  }
  shift_ = done->shift();
  output_->crossed(done->later());
  output_->heard();
  return true;
}

// A frame of the session in use.
bool PlaySwitch::give(GstBuffer *frame, GstCaps *caps) {
  last_frame_ = gst_util_get_timestamp();
  if (caps)
    codec_ = is_opus(caps) ? VoiceCodec::opus : VoiceCodec::aac;
  if (shift_ == 0) {
    decoded_ = output_->frame(frame, caps);
    return decoded_;
  }
  const BufferPtr shifted(gst_buffer_copy(frame));
  GST_BUFFER_PTS(shifted.get()) = static_cast<GstClockTime>(
      std::max<GstClockTimeDiff>(0, static_cast<GstClockTimeDiff>(GST_BUFFER_PTS(frame)) + shift_));
  decoded_ = output_->frame(shifted.get(), caps);
  return decoded_;
}

bool PlaySwitch::frame(PlayConnection &from, GstBuffer *frame, GstCaps *caps) {
  std::lock_guard order(order_);
  const Place place = place_of(from);
  // One that is yet to take over has to settle meanwhile.
  if (place == Place::none || (place == Place::next && !take_over(from, frame, caps)))
    return true;
  if (crossing_ && !crosses_to_next())
    drop_crossing();
  if (crossing_)
    if (const auto wall = read_stamp(frame, caps))
      crossing_->stamped(Crossing::kFormer,
                         GST_BUFFER_PTS(frame) + static_cast<GstClockTime>(shift_), *wall);
  return give(frame, caps);
}

void PlaySwitch::sound(PlayConnection &from, const DecodedSound &sound) {
  std::lock_guard order(order_);
  const Place place = place_of(from);
  DecodedSound shifted = sound;
  if (place == Place::current)
    shifted.media = static_cast<GstClockTime>(
        std::max<GstClockTimeDiff>(0, static_cast<GstClockTimeDiff>(sound.media) + shift_));
  if (!crossing_) {
    if (place == Place::current)
      output_->sound(shifted);
    return;
  }
  const auto now = static_cast<std::int64_t>(gst_util_get_timestamp());
  if (place == Place::current)
    crossing_->sound(Crossing::kFormer, shifted, now);
  else if (place == Place::next && crosses_to_next())
    crossing_->sound(Crossing::kNext, shifted, now);
  brace();
  look_whether_crossed();
}

void PlaySwitch::unplayable(PlayConnection &, const Unplayable &what) {
  output_->unplayable(what);
}

// Whether the end of this connection is news. While another one is on its way it isn't.
bool PlaySwitch::take_end(const PlayConnection &from) {
  std::lock_guard lock(mutex_);
  if (from.ending())
    return false;
  if (current_.get() == &from) {
    over_ = true;
    return !next_;
  }
  if (next_.get() != &from)
    return false;
  replaced_.push_back(std::move(next_));
  return true;
}

void PlaySwitch::untrusted(PlayConnection &from, const GError &error) {
  if (take_end(from))
    output_->untrusted(error);
}

void PlaySwitch::ended(PlayConnection &from) {
  if (!take_end(from))
    return;
  // Mostly it had been silent for a while before that showed.
  output_->broke(from.url(), std::min(gst_util_get_timestamp(), last_frame_.load()));
}

}  // namespace agora
