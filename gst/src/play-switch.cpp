// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/play-switch.hpp"

#include <algorithm>
#include <utility>

namespace agora {
namespace {

// Frames after which an AAC decoder has all of its overlap.
constexpr unsigned kSettled = 3;

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

Mute PlaySwitch::mute() const {
  Connection last;
  {
    std::lock_guard lock(mutex_);
    last = current_ ? current_ : next_;
  }
  return last ? last->mute() : Mute::no;
}

bool PlaySwitch::in_use(const PlayConnection &from) const {
  std::lock_guard lock(mutex_);
  return current_.get() == &from;
}

// Whether this connection is the one in use. A new one takes over at its first frame; from one that
// still plays, not before its decoder has settled, so that the move is not heard.
bool PlaySwitch::take_over(PlayConnection &from) {
  {
    std::lock_guard lock(mutex_);
    if (current_.get() == &from)
      return true;
    if (next_.get() != &from)
      return false;
    const bool plays = current_ && !over_;
    if (++next_frames_ < kSettled && plays)
      return false;
    // What was in use ends later, on a thread that may wait for it.
    if (current_)
      replaced_.push_back(std::move(current_));
    current_ = std::exchange(next_, nullptr);
    over_ = false;
  }
  output_->moved();
  output_->heard();
  return true;
}

bool PlaySwitch::frame(PlayConnection &from, GstBuffer *frame, GstCaps *caps) {
  // One that is yet to take over has to settle meanwhile.
  if (!take_over(from))
    return true;
  last_frame_ = gst_util_get_timestamp();
  return output_->frame(frame, caps);
}

void PlaySwitch::sound(PlayConnection &from, const DecodedSound &sound) {
  if (in_use(from))
    output_->sound(sound);
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
