// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src-listener.hpp"

#include <algorithm>
#include <utility>

#include "gst/events.hpp"
#include "gst/mix-src.hpp"

GST_DEBUG_CATEGORY_EXTERN(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace agora {

Listener::Listener(GstBin *element, std::shared_ptr<Mixer> mixer, GstClockTime latency)
    : element_(element), mixer_(std::move(mixer)), latency_(latency), pipeline_latency_(kMixBlock) {
}

Listener::~Listener() = default;

bool Listener::start(const Settings &settings, GError **error) {
  session_ = Session::join(GST_ELEMENT(element_), settings, Part::listener, this, error);
  if (session_)
    session_->enter(this);
  return session_ != nullptr;
}

void Listener::stop(GstClockTime budget) {
  if (session_)
    session_->leave(this, budget);
  std::map<std::uint32_t, std::shared_ptr<Speaker>> speakers;
  {
    std::lock_guard lock(mutex_);
    speakers.swap(speakers_);
  }
  for (auto &[uid, speaker] : speakers)
    mixer_->remove(uid);
}

// A sample's way: it arrives, waits `delay` until its block is stamped, and the sink plays the
// block the pipeline's latency after its stamp. Together that is `latency`.
std::int64_t Listener::delay() const {
  const GstClockTime latency = latency_, pipeline = pipeline_latency_;
  return latency > pipeline ? static_cast<std::int64_t>(latency - pipeline) : 0;
}

void Listener::set_latency(GstClockTime latency) {
  latency_ = latency;
  mixer_->set_delay(delay());
}

void Listener::pipeline_latency(GstClockTime latency) {
  pipeline_latency_ = latency;
  mixer_->set_delay(delay());
}

std::shared_ptr<Speaker> Listener::find(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  auto it = speakers_.find(uid);
  return it == speakers_.end() ? nullptr : it->second;
}

void Listener::joined(std::uint32_t uid) {
  GST_INFO_OBJECT(element_, "in the channel as %u", uid);
  g_object_notify(G_OBJECT(element_), "uid");
}

void Listener::speaker_url(std::uint32_t uid, const std::string &url) {
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    auto &slot = speakers_[uid];
    if (!slot)
      slot = std::make_shared<Speaker>(element_, uid, mixer_->add(uid, delay()), this);
    speaker = slot;
  }
  speaker->play(url);
}

void Listener::speaker_removed(std::uint32_t uid) {
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    auto it = speakers_.find(uid);
    if (it == speakers_.end())
      return;
    speaker = std::move(it->second);
    speakers_.erase(it);
    broken_since_.erase(uid);
  }
  mixer_->remove(uid);
}

void Listener::speaker_broke(std::uint32_t uid) {
  {
    std::lock_guard lock(mutex_);
    broken_since_.emplace(uid, gst_util_get_timestamp());
  }
  GST_INFO_OBJECT(element_, "lost the sound of %u", uid);
  session_->play_broke(this, uid);
}

void Listener::speaker_heard(std::uint32_t uid) {
  GstClockTime since = GST_CLOCK_TIME_NONE;
  {
    std::lock_guard lock(mutex_);
    auto it = broken_since_.find(uid);
    if (it != broken_since_.end()) {
      since = it->second;
      broken_since_.erase(it);
    }
  }
  if (GST_CLOCK_TIME_IS_VALID(since))
    GST_INFO_OBJECT(element_, "the sound of %u is back after %" GST_TIME_FORMAT, uid,
                    GST_TIME_ARGS(gst_util_get_timestamp() - since));
  session_->run(this, [this, uid] {
    if (auto speaker = find(uid))
      speaker->tidy();
  });
}

void Listener::channel_event(const char *name, std::uint32_t uid) {
  announce_event(GST_ELEMENT(element_), name, uid);
}

void Listener::reconnecting(const GError &cause) {
  announce_reconnecting(GST_ELEMENT(element_), cause);
}

void Listener::reconnected(GstClockTime after) {
  announce_reconnected(GST_ELEMENT(element_), after);
}

void Listener::failed(const GError &error) {
  post_failure(GST_ELEMENT(element_), error);
}

bool Listener::take_message(GstMessage *message) {
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, candidate] : speakers_)
      if (candidate->owns(GST_MESSAGE_SRC(message)))
        speaker = candidate;
  }
  if (!speaker)
    return false;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: {
      g_autoptr(GError) error = nullptr;
      g_autofree char *debug = nullptr;
      gst_message_parse_error(message, &error, &debug);
      GST_INFO_OBJECT(element_, "%s: %s (%s)", GST_MESSAGE_SRC_NAME(message), error->message,
                      debug);
      speaker->failed(GST_MESSAGE_SRC(message));
      return true;
    }
    case GST_MESSAGE_WARNING:
    case GST_MESSAGE_EOS:
    case GST_MESSAGE_LATENCY:
    case GST_MESSAGE_TAG:
      // What happens to a session is repaired, and never changes the pipeline's latency.
      return true;
    default:
      return false;
  }
}

std::uint32_t Listener::uid() const {
  return session_ ? session_->uid() : 0;
}

const char *Listener::state() const {
  return session_ ? session_->state() : "idle";
}

// One structure per speaker in the list "speakers"; times are in milliseconds.
GstStructure *Listener::stats() const {
  GstStructure *stats = gst_structure_new_empty("agorasrc-stats");
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_LIST);
  for (std::uint32_t uid : mixer_->uids()) {
    auto timeline = mixer_->find(uid);
    if (!timeline)
      continue;
    const TimelineStats s = timeline->stats();
    GValue item = G_VALUE_INIT;
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(
        &item, gst_structure_new(
                   "speaker", "uid", G_TYPE_UINT, uid, "late-ms", G_TYPE_UINT64,
                   s.late_ns / GST_MSECOND, "dropped-ms", G_TYPE_UINT64, s.dropped_ns / GST_MSECOND,
                   "concealed-ms", G_TYPE_UINT64, s.concealed_ns / GST_MSECOND, "underruns",
                   G_TYPE_UINT64, s.underruns, "drift-ppm", G_TYPE_DOUBLE, s.drift_ppm, "jitter-ms",
                   G_TYPE_DOUBLE, s.jitter_ms, "queued-ms", G_TYPE_DOUBLE, s.queued_ms, nullptr));
    gst_value_list_append_and_take_value(&list, &item);
  }
  gst_structure_take_value(stats, "speakers", &list);
  return stats;
}

}  // namespace agora
