// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker-branch.hpp"

#include <utility>

#include "gst/common/capture-stamp.hpp"
#include "gst/common/codec-delay.hpp"

namespace agora {

class SpeakerBranch::Delivery {
 public:
  explicit Delivery(SpeakerBranch *branch) : branch_(branch) {
    std::lock_guard lock(branch->mutex_);
    open_ = !branch->closed_;
    branch->deliveries_++;
  }
  ~Delivery() {
    // Under the lock: the branch may go as soon as close() sees none.
    std::lock_guard lock(branch_->mutex_);
    if (--branch_->deliveries_ == 0)
      branch_->idle_.notify_all();
  }
  Delivery(const Delivery &) = delete;
  Delivery &operator=(const Delivery &) = delete;

  explicit operator bool() const { return open_; }

 private:
  SpeakerBranch *branch_;
  bool open_;
};

SpeakerBranch::SpeakerBranch(GstElement *element, GstPad *mix, bool expose,
                             std::shared_ptr<PlayoutTimeline> timeline, OnUnplayable unplayable)
    : element_(element),
      mix_(mix),
      expose_(expose),
      timeline_(std::move(timeline)),
      on_unplayable_(std::move(unplayable)) {
}

void SpeakerBranch::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  idle_.wait(lock, [this] { return deliveries_ == 0; });
}

void SpeakerBranch::set_pad(std::shared_ptr<SpeakerPad> pad) {
  std::lock_guard lock(mutex_);
  pad_.swap(pad);
}

std::shared_ptr<SpeakerPad> SpeakerBranch::pad() const {
  std::lock_guard lock(mutex_);
  return pad_;
}

void SpeakerBranch::note_codec(GstCaps *caps, std::int64_t duration) {
  if (!caps || (caps_.get() == caps && duration_ == duration))
    return;
  caps_ = share(caps);
  duration_ = duration;
  timeline_->set_codec_delay(
      static_cast<std::int64_t>(codec_delay(caps, static_cast<GstClockTime>(duration))));
}

// By the pipeline's clock. Nothing before it has one: nobody listens then.
std::optional<std::int64_t> SpeakerBranch::clock_time() {
  ObjectPtr<GstClock> clock(gst_element_get_clock(element_));
  if (!clock)
    return std::nullopt;
  if (clock != clock_) {
    if (clock_)
      timeline_->another_clock();
    clock_ = std::move(clock);
  }
  return static_cast<std::int64_t>(gst_clock_get_time(clock_.get()));
}

bool SpeakerBranch::frame(GstBuffer *frame, GstCaps *caps) {
  const Delivery delivery(this);
  if (!delivery)
    return false;
  const bool decode = wants_sound();
  const std::optional<std::int64_t> time = clock_time();
  if (!time)
    return false;
  const std::int64_t now = *time;
  const auto media = static_cast<std::int64_t>(GST_BUFFER_PTS(frame));
  const std::int64_t duration = GST_BUFFER_DURATION_IS_VALID(frame)
                                    ? static_cast<std::int64_t>(GST_BUFFER_DURATION(frame))
                                    : 0;
  note_codec(caps, duration);
  if (const auto wall = read_stamp(frame, caps))
    timeline_->stamped(media, now, *wall, g_get_real_time());
  if (const auto to = expose_ ? pad() : nullptr) {
    const std::int64_t at = timeline_->place(media, now, duration, decode);
    const auto base = static_cast<std::int64_t>(gst_element_get_base_time(element_));
    if (at >= base)
      to->push(frame, caps, static_cast<GstClockTime>(at - base));
  }
  return decode;
}

void SpeakerBranch::sound(const DecodedSound &sound) {
  const Delivery delivery(this);
  if (!delivery || !wants_sound())
    return;
  const std::optional<std::int64_t> now = clock_time();
  if (!now)
    return;
  given_ += gst_util_uint64_scale_int(sound.frames, GST_SECOND, sound.rate);
  timeline_->push(static_cast<std::int64_t>(sound.media), *now, sound.samples, sound.frames,
                  sound.rate, sound.channels, sound.context);
}

void SpeakerBranch::moved() {
  timeline_->discontinuity();
}

// Who doesn't listen waits for nothing.
bool SpeakerBranch::brace(GstClockTimeDiff later) {
  return timeline_->brace(later) || !wants_sound();
}

void SpeakerBranch::crossed(GstClockTimeDiff later) {
  timeline_->path_changed(later);
}

void SpeakerBranch::unplayable(const Unplayable &what) {
  const Delivery delivery(this);
  if (delivery)
    on_unplayable_(what);
}

}  // namespace agora
