// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/listener.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/handoff.hpp"
#include "gst/common/messages.hpp"
#include "gst/common/private-part.hpp"
#include "gst/src/mix-src.hpp"
#include "gst/src/src-stats.hpp"

GST_DEBUG_CATEGORY_EXTERN(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace agora {
namespace {

// A speaker that stops loses its session before it is told to have gone: that is no fault.
constexpr GstClockTime kSayLost = 300 * GST_MSECOND;
// Nothing from a session for so long: something on the way is frozen. Members send silence too.
constexpr GstClockTime kStands = 1500 * GST_MSECOND;
// How long after the membership is back its speakers still belong to the same fault.
constexpr GstClockTime kComeBack = 3 * GST_SECOND;
// More than two AAC frames, and what a local network's jitter adds.
constexpr GstClockTime kLeastDelay = 50 * GST_MSECOND;
// Whoever asks for so little gets what is possible, and what it costs: frames of an encoder that is
// fed by a microphone are up to 10 ms late by turns.
constexpr GstClockTime kTightLatency = 20 * GST_MSECOND;
constexpr GstClockTime kTightDelay = 5 * GST_MSECOND;

}  // namespace

Listener::Listener(GstBin *element, std::shared_ptr<Mixer> mixer, Options options)
    : element_(element),
      src_(gst_element_get_static_pad(GST_ELEMENT(element), "src")),
      mixer_(std::move(mixer)),
      options_(std::move(options)),
      latency_(options_.latency),
      pipeline_latency_(kMixLatency),
      wanted_(options_.wanted) {
}

Listener::~Listener() {
  gst_object_unref(src_);
}

bool Listener::join(const ChannelSettings &settings, GError **error) {
  session_ = Membership::join(GST_ELEMENT(element_), settings, Part::listener, this, error);
  return session_ != nullptr;
}

void Listener::enter() {
  session_->enter(this);
}

void Listener::stop(GstClockTime budget) {
  const bool quiet = !session_ || session_->leave(this, budget);
  std::map<std::uint32_t, std::shared_ptr<Speaker>> speakers;
  {
    std::lock_guard lock(mutex_);
    speakers.swap(speakers_);
  }
  for (auto &[uid, speaker] : speakers)
    speaker->cut();
  const Deadline until = told_by();
  for (auto &[uid, speaker] : speakers) {
    speaker->stop(until);
    mixer_->remove(uid);
  }
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads;
  {
    std::lock_guard lock(mutex_);
    pads.swap(exposed_);
  }
  for (auto &[uid, pad] : pads)
    pad->close();
  ending_->clear();
  options_.on_gone();
  if (!quiet)
    session_->hold(this, shared_from_this());
}

// A sample's way: it arrives, waits `delay` until its block is stamped, and the sink plays the
// block the pipeline's latency after its stamp. Together that is `latency`.
//
// Where the pipeline alone takes that long (a sound card's sink mostly wants 200 ms), jitter still
// needs room: it becomes later than `latency`, not chopped.
std::int64_t Listener::delay() const {
  const GstClockTime latency = latency_, pipeline = pipeline_latency_;
  const GstClockTime spare = latency > kTightLatency ? (latency - kTightLatency) / 2 : 0;
  const GstClockTime least = std::clamp(spare, kTightDelay, kLeastDelay);
  return static_cast<std::int64_t>(std::max(latency, pipeline + least) - pipeline);
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

void Listener::token_refused(const GError &error) {
  post_token_refused(GST_ELEMENT(element_), error);
}

bool Listener::wanted(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  return wanted_.empty() || wanted_.contains(uid);
}

void Listener::set_wanted(std::set<std::uint32_t> uids) {
  {
    std::lock_guard lock(mutex_);
    wanted_ = std::move(uids);
  }
  session_->run(this, [this] {
    std::map<std::uint32_t, std::string> urls;
    {
      std::lock_guard lock(mutex_);
      urls = urls_;
    }
    for (auto &[uid, url] : urls) {
      if (!wanted(uid))
        drop(uid);
      else if (!find(uid))
        play(uid, url);
    }
  });
}

void Listener::speaker_url(std::uint32_t uid, const std::string &url) {
  {
    std::lock_guard lock(mutex_);
    urls_[uid] = url;
  }
  if (wanted(uid))
    play(uid, url);
}

void Listener::play(std::uint32_t uid, const std::string &url) {
  if (!session_->take_speaker(this, uid)) {
    if (!std::exchange(told_taken_, true))
      GST_ELEMENT_WARNING(element_, RESOURCE, BUSY,
                          ("Speaker %u is played by another agorasrc of this membership. Give each "
                           "a uid or speakers of its own, or one of them a tee.",
                           uid),
                          ("It is played here once the other one lets it go."));
    return;
  }
  options_.on_speaker(uid);
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    auto &slot = speakers_[uid];
    if (!slot)
      slot = std::make_shared<Speaker>(element_, uid, mixer_->add(uid, delay()), this);
    speaker = slot;
  }
  if (options_.expose)
    expose(uid);
  speaker->play(url);
}

void Listener::speaker_removed(std::uint32_t uid) {
  {
    std::lock_guard lock(mutex_);
    urls_.erase(uid);
  }
  drop(uid);
}

void Listener::drop(std::uint32_t uid) {
  if (auto speaker = find(uid))
    speaker->stop();
  {
    std::lock_guard lock(mutex_);
    speakers_.erase(uid);
  }
  forget_broken(uid);
  mixer_->remove(uid);
  unexpose(uid);
  options_.on_gone();
  session_->let_speaker_go(this, uid);
}

std::shared_ptr<SpeakerPad> Listener::exposed(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  auto it = exposed_.find(uid);
  return it == exposed_.end() ? nullptr : it->second;
}

// Adding a pad calls the application: not under the lock. While a former pad of that speaker still
// ends its name is taken: tick() comes back to it.
void Listener::expose(std::uint32_t uid) {
  {
    std::lock_guard lock(mutex_);
    if (pads_over_ || exposed_.contains(uid) || !speakers_.contains(uid) || ending_->contains(uid))
      return;
  }
  auto pad = std::make_shared<SpeakerPad>(element_, uid);
  std::lock_guard lock(mutex_);
  exposed_[uid] = std::move(pad);
}

void Listener::end_pads() {
  session_->run(this, [this] {
    std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads;
    {
      std::lock_guard lock(mutex_);
      pads_over_ = true;
      pads = exposed_;
    }
    for (auto &[uid, pad] : pads)
      unexpose(uid);
  });
}

void Listener::unexpose(std::uint32_t uid) {
  std::shared_ptr<SpeakerPad> pad = exposed(uid);
  if (!pad)
    return;
  {
    std::lock_guard lock(mutex_);
    exposed_.erase(uid);
  }
  ending_->add(pad);
  // The pad goes once its EOS has gone out; not on the thread that brought it there, and on none
  // that may not wait for what is downstream.
  pad->end([element = GST_ELEMENT(element_), ending = ending_, uid] {
    run_async(element, [ending, uid] { ending->remove(uid); });
  });
}

bool EndingPads::contains(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  return pads_.contains(uid);
}

void EndingPads::add(std::shared_ptr<SpeakerPad> pad) {
  std::lock_guard lock(mutex_);
  const std::uint32_t uid = pad->uid();
  pads_[uid] = std::move(pad);
}

void EndingPads::remove(std::uint32_t uid) {
  std::shared_ptr<SpeakerPad> pad;
  {
    std::lock_guard lock(mutex_);
    auto it = pads_.find(uid);
    if (it == pads_.end())
      return;
    pad = it->second;
  }
  pad->close();
  std::lock_guard lock(mutex_);
  pads_.erase(uid);
}

void EndingPads::clear() {
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads;
  {
    std::lock_guard lock(mutex_);
    pads.swap(pads_);
  }
  for (auto &[uid, pad] : pads)
    pad->close();
}

void Listener::speaker_encoded(std::uint32_t uid, GstBuffer *frame, GstCaps *caps,
                               std::int64_t at_ns) {
  const auto base = static_cast<std::int64_t>(gst_element_get_base_time(GST_ELEMENT(element_)));
  if (at_ns < base)
    return;
  if (auto pad = exposed(uid))
    pad->push(frame, caps, static_cast<GstClockTime>(at_ns - base));
}

bool Listener::wants_mix() const {
  return gst_pad_is_linked(src_);
}

// Sessions that are up, but frozen somewhere on their way.
void Listener::watch_arrivals(GstClockTime monotonic) {
  std::set<std::uint32_t> found;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, speaker] : speakers_) {
      const GstClockTime last = speaker->last_frame();
      auto it = broken_.find(uid);
      if (it == broken_.end() && GST_CLOCK_TIME_IS_VALID(last) && monotonic > last + kStands)
        broken_.emplace(uid, Broken{last, true});
      else if (it != broken_.end() && it->second.stands && last > it->second.since)
        found.insert(uid);
    }
  }
  for (std::uint32_t uid : found)
    forget_broken(uid);
}

void Listener::tick(GstClockTime now) {
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads;
  std::set<std::uint32_t> lost, away, missing;
  const GstClockTime monotonic = gst_util_get_timestamp();
  watch_arrivals(monotonic);
  bool returned = false;
  {
    std::lock_guard lock(mutex_);
    pads = exposed_;
    returned = returning_ && monotonic > returned_at_ + kComeBack;
    for (auto &[uid, broken] : broken_) {
      if (!broken.announced && !down_ && !returning_ && monotonic > broken.since + kSayLost) {
        broken.announced = true;
        lost.insert(uid);
      }
      if (monotonic > broken.since + options_.speaker_timeout)
        away.insert(uid);
    }
    if (options_.expose)
      for (auto &[uid, speaker] : speakers_)
        if (!exposed_.contains(uid) && !broken_.contains(uid) && !ending_->contains(uid))
          missing.insert(uid);
  }
  if (returned)
    say_returned();
  for (std::uint32_t uid : lost) {
    const std::string text = "lost the sound of " + std::to_string(uid);
    announce_lost(GST_ELEMENT(element_), uid, text.c_str());
  }
  for (std::uint32_t uid : missing)
    session_->run(this, [this, uid] { expose(uid); });
  for (auto &[uid, pad] : pads) {
    pad->tick(now);
    if (away.contains(uid))
      session_->run(this, [this, uid = uid] { unexpose(uid); });
  }
}

void Listener::speaker_broke(std::uint32_t uid, GstClockTime since) {
  {
    std::lock_guard lock(mutex_);
    broken_.emplace(uid, Broken{since});
  }
  GST_INFO_OBJECT(element_, "lost the sound of %u", uid);
  session_->play_broke(this, uid);
}

// Its sound is back, or it has gone. What was told of it is over; so is the membership's return,
// with the last of them.
void Listener::forget_broken(std::uint32_t uid) {
  std::optional<Broken> broken;
  bool all = false;
  {
    std::lock_guard lock(mutex_);
    auto it = broken_.find(uid);
    if (it == broken_.end())
      return;
    broken = it->second;
    broken_.erase(it);
    all = returning_ && broken_.empty();
  }
  if (broken->announced)
    announce_found(GST_ELEMENT(element_), uid, gst_util_get_timestamp() - broken->since);
  if (all)
    say_returned();
}

void Listener::say_returned() {
  GstClockTime since = 0;
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(returning_, false))
      return;
    since = down_since_;
  }
  announce_reconnected(GST_ELEMENT(element_), gst_util_get_timestamp() - since);
}

void Listener::speaker_heard(std::uint32_t uid) {
  forget_broken(uid);
  session_->run(this, [this, uid] {
    if (auto speaker = find(uid)) {
      speaker->tidy();
      if (options_.expose)
        expose(uid);
    }
  });
}

void Listener::channel_event(const char *name, std::uint32_t uid) {
  announce_event(GST_ELEMENT(element_), name, uid);
}

void Listener::reconnecting(const GError &cause) {
  {
    std::lock_guard lock(mutex_);
    down_ = true;
    // The same fault goes on.
    if (std::exchange(returning_, false))
      return;
    down_since_ = gst_util_get_timestamp();
  }
  announce_reconnecting(GST_ELEMENT(element_), cause);
}

void Listener::reconnected(GstClockTime) {
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(down_, false))
      return;
    returning_ = true;
    returned_at_ = gst_util_get_timestamp();
    // Those that were told of already have an end of their own.
    if (std::any_of(broken_.begin(), broken_.end(),
                    [] (const auto &each) { return !each.second.announced; }))
      return;
  }
  say_returned();
}

void Listener::speaker_unplayable(std::uint32_t uid, const GstCaps *caps) {
  GstElement *element = GST_ELEMENT(element_);
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int version = 0;
  gst_structure_get_int(structure, "mpegversion", &version);
  // AAC is what everybody sends. Whoever sends something else must not end what the others say.
  if (gst_structure_has_name(structure, "audio/mpeg") && version == 4) {
    post_missing_decoder(element, caps);
    return;
  }
  gst_element_post_message(element, gst_missing_decoder_message_new(element, caps));
  g_autofree char *text = gst_caps_to_string(caps);
  GST_ELEMENT_WARNING(element, STREAM, CODEC_NOT_FOUND,
                      ("Speaker %u is not heard: nothing that is installed decodes %s.", uid, text),
                      (nullptr));
}

void Listener::failed(const GError &error) {
  post_late_failure(GST_ELEMENT(element_), error);
}

bool Listener::take_message(GstMessage *message) {
  // A session that is replaced or dropped may complain while it ends, when no speaker has it any
  // more.
  if (!is_private_part(GST_MESSAGE_SRC(message)))
    return false;
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, candidate] : speakers_)
      if (candidate->owns(GST_MESSAGE_SRC(message)))
        speaker = candidate;
  }
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: {
      g_autoptr(GError) error = nullptr;
      g_autofree char *debug = nullptr;
      gst_message_parse_error(message, &error, &debug);
      GST_INFO_OBJECT(element_, "%s: %s (%s)", GST_MESSAGE_SRC_NAME(message), error->message,
                      debug);
      if (speaker)
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

GstStructure *Listener::stats() const {
  return make_src_stats(*mixer_, pipeline_latency_);
}

}  // namespace agora
