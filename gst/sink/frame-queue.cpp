// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/frame-queue.hpp"

#include <utility>

namespace agora {

void FrameQueue::start() {
  std::lock_guard lock(mutex_);
  frames_.clear();
  totals_ = {};
  ended_ = woken_ = stopped_ = false;
}

void FrameQueue::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  frames_.clear();
  totals_.queued = 0;
  changed_.notify_all();
}

void FrameQueue::set_limit(GstClockTime limit) {
  std::lock_guard lock(mutex_);
  limit_ = limit;
  drop_surplus();
}

GstClockTime FrameQueue::limit() const {
  std::lock_guard lock(mutex_);
  return limit_;
}

bool FrameQueue::put(Frame frame) {
  std::lock_guard lock(mutex_);
  if (stopped_ || ended_)
    return true;
  totals_.queued += frame.duration;
  frames_.push_back(std::move(frame));
  const bool dropped = drop_surplus();
  changed_.notify_one();
  return !dropped;
}

bool FrameQueue::drop_surplus() {
  const std::uint64_t before = totals_.dropped_frames;
  // The newest frame stays, however small the limit.
  while (frames_.size() > 1 && totals_.queued > limit_) {
    const Frame &oldest = frames_.front();
    totals_.queued -= oldest.duration;
    totals_.dropped += oldest.duration;
    totals_.dropped_frames++;
    const bool fresh = oldest.fresh;
    frames_.pop_front();
    frames_.front().fresh |= fresh;
  }
  return totals_.dropped_frames != before;
}

void FrameQueue::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_one();
}

void FrameQueue::clear() {
  std::lock_guard lock(mutex_);
  frames_.clear();
  totals_.queued = 0;
  ended_ = false;
}

FrameQueue::Event FrameQueue::wait(const Clock::time_point *deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return stopped_ || woken_ || ended_ || !frames_.empty(); };
  if (!deadline)
    changed_.wait(lock, ready);
  else if (!changed_.wait_until(lock, *deadline, ready))
    return Event::timeout;
  if (stopped_)
    return Event::stopped;
  if (!frames_.empty())
    return Event::frame;
  return std::exchange(woken_, false) ? Event::woken : Event::end;
}

bool FrameQueue::take(Frame &frame) {
  std::lock_guard lock(mutex_);
  if (frames_.empty())
    return false;
  frame = std::move(frames_.front());
  frames_.pop_front();
  totals_.queued -= frame.duration;
  return true;
}

bool FrameQueue::idle() const {
  std::lock_guard lock(mutex_);
  return frames_.empty() && !ended_ && !stopped_;
}

void FrameQueue::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

void FrameQueue::add_dropped(GstClockTime duration, std::uint64_t frames) {
  std::lock_guard lock(mutex_);
  totals_.dropped += duration;
  totals_.dropped_frames += frames;
}

FrameQueue::Totals FrameQueue::totals() const {
  std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace agora
