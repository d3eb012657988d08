// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/listener.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/handoff.hpp"
#include "gst/common/messages.hpp"
#include "gst/src/mix-src.hpp"
#include "gst/src/src-stats.hpp"

GST_DEBUG_CATEGORY_EXTERN(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace agora {
namespace {

// More than two AAC frames, and what a local network's jitter adds.
constexpr GstClockTime kLeastDelay = 50 * GST_MSECOND;
// Whoever asks for so little gets what is possible, and what it costs: frames of an encoder that is
// fed by a microphone are up to 10 ms late by turns. The mix waits for them; where it can't, they
// are held back.
constexpr GstClockTime kTightLatency = 20 * GST_MSECOND;
constexpr GstClockTime kTightDelay = 10 * GST_MSECOND;

// The gateway says that a speaker has left before the last of its sound is here. It is when the
// session ends, or is silent for so long, or at the latest after the limit.
constexpr GstClockTime kLastWords = 500 * GST_MSECOND;
constexpr GstClockTime kLastWordsLimit = 2 * GST_SECOND;
// What is queued then is played, but not for longer than this and the latency after it left.
constexpr GstClockTime kPlayOut = 2 * GST_SECOND;

// How often it is looked whether what comes is heard.
constexpr GstClockTime kLook = 500 * GST_MSECOND;

// Faults are told after 300 ms at the earliest: no need to look for them at each block.
constexpr GstClockTime kWatch = 50 * GST_MSECOND;

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
  if (session_)
    speakers_ = Speakers::of(session_);
  return session_ != nullptr;
}

void Listener::enter() {
  session_->enter(this);
}

void Listener::stop(GstClockTime budget) {
  const bool quiet = !session_ || session_->leave(this, budget);
  std::map<std::uint32_t, Heard> heard;
  {
    std::lock_guard lock(mutex_);
    over_ = true;
    heard.swap(heard_);
  }
  std::vector<std::shared_ptr<Speaker>> unheard;
  for (auto &[uid, each] : heard)
    if (auto speaker = speakers_->leave(uid, each.branch))
      unheard.push_back(std::move(speaker));
  for (const auto &speaker : unheard)
    speaker->cut();
  const Deadline until = told_by();
  for (const auto &speaker : unheard)
    speaker->stop(until);
  for (std::uint32_t uid : mixer_->uids())
    mixer_->remove(uid);
  for (auto &[uid, each] : heard)
    if (const auto pad = each.branch->pad())
      pad->close();
  ending_pads_->clear();
  options_.on_gone();
  if (!quiet)
    session_->hold(this, shared_from_this());
}

// A sample's way: it arrives, waits `delay` until its block is stamped, and the sink plays the
// block the pipeline's latency after its stamp. Together that is `latency`.
//
// Where the pipeline alone takes that long (a sound card's sink mostly wants 200 ms), jitter still
// needs room: it becomes later than `latency`, not chopped.
std::int64_t Listener::delay(GstClockTime latency) const {
  const GstClockTime pipeline = pipeline_latency_;
  const GstClockTime spare = latency > kTightLatency ? (latency - kTightLatency) / 2 : 0;
  const GstClockTime least = std::clamp(spare, patient_ ? 0 : kTightDelay, kLeastDelay);
  return static_cast<std::int64_t>(std::max(latency, pipeline + least) - pipeline);
}

std::int64_t Listener::delay() const {
  return delay(latency_);
}

// With which a speaker begins.
std::optional<std::int64_t> Listener::first_delay() const {
  if (!options_.fast_start)
    return std::nullopt;
  return delay(std::min<GstClockTime>(latency_, kTightLatency));
}

void Listener::set_latency(GstClockTime latency) {
  latency_ = latency;
  mixer_->set_delay(delay(), first_delay());
}

void Listener::pipeline_latency(GstClockTime latency, bool patient) {
  pipeline_latency_ = latency;
  patient_ = patient;
  mixer_->set_delay(delay(), first_delay());
}

std::optional<Listener::Heard> Listener::find(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  auto it = heard_.find(uid);
  return it == heard_.end() ? std::nullopt : std::make_optional(it->second);
}

std::vector<std::uint32_t> Listener::uids() const {
  std::vector<std::uint32_t> uids;
  std::lock_guard lock(mutex_);
  for (const auto &[uid, heard] : heard_)
    uids.push_back(uid);
  return uids;
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
  return !over_ && (wanted_.empty() || wanted_.contains(uid));
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
    for (std::uint32_t uid : this->uids())
      if (!wanted(uid))
        drop(uid);
    for (const auto &[uid, url] : urls)
      if (wanted(uid) && !find(uid))
        play(uid, url);
  });
}

void Listener::speaker_named(std::uint32_t uid, const std::string &name) {
  std::lock_guard lock(mutex_);
  if (name.empty())
    names_.erase(uid);
  else
    names_[uid] = name;
}

void Listener::speaker_talks(std::uint32_t uid, bool talks) {
  {
    std::lock_guard lock(mutex_);
    if (talks)
      talkbacks_.insert(uid);
    else
      talkbacks_.erase(uid);
  }
  mixer_->set_talkback(uid, talks);
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
  options_.on_speaker(uid);
  std::shared_ptr<Speaker> speaker;
  {
    std::lock_guard lock(mutex_);
    if (over_)
      return;
    Heard &heard = heard_[uid];
    // Back before it was taken out: it goes on.
    heard.left_at = GST_CLOCK_TIME_NONE;
    heard.ending = false;
    if (!heard.branch) {
      heard.branch = std::make_shared<SpeakerBranch>(
          GST_ELEMENT(element_), src_, options_.expose, mixer_->add(uid, delay(), first_delay()),
          [this, uid] (const Unplayable &what) { unplayable(uid, what); });
      heard.speaker = speakers_->listen(uid, heard.branch);
    }
    mixer_->set_talkback(uid, talkbacks_.contains(uid));
    speaker = heard.speaker;
  }
  if (options_.expose)
    expose(uid);
  speaker->play(url);
}

// Its last words are still to be heard: tick() goes on with it.
void Listener::speaker_removed(std::uint32_t uid) {
  const GstClockTime now = gst_util_get_timestamp();
  {
    std::lock_guard lock(mutex_);
    urls_.erase(uid);
    talkbacks_.erase(uid);
    names_.erase(uid);
    auto it = heard_.find(uid);
    if (it == heard_.end())
      return;
    it->second.left_at = now;
  }
  announce(faults_.gone(uid, now));
}

bool Listener::last_words_are_here(const Heard &heard, GstClockTime monotonic) const {
  const GstClockTime last = heard.speaker->last_frame();
  const GstClockTime silent_since = GST_CLOCK_TIME_IS_VALID(last) ? last : heard.left_at;
  return !heard.speaker->busy() || monotonic > silent_since + kLastWords ||
         monotonic > heard.left_at + kLastWordsLimit;
}

// Takes a speaker out that has left; the mix keeps what is queued until it is played.
void Listener::finish(std::uint32_t uid) {
  const auto heard = find(uid);
  if (!heard || !heard->ending)
    return;
  leave(uid);
  g_autoptr(GstClock) clock = gst_element_get_clock(GST_ELEMENT(element_));
  if (clock) {
    const auto now = static_cast<std::int64_t>(gst_clock_get_time(clock));
    const GstClockTime gone = gst_util_get_timestamp() - heard->left_at;
    const auto most = static_cast<std::int64_t>(latency_ + kPlayOut);
    if (mixer_->finish(uid, now, now + most - static_cast<std::int64_t>(gone)) > 0)
      return;
  }
  mixer_->remove(uid);
  options_.on_gone();
}

// Takes a speaker out at once.
void Listener::drop(std::uint32_t uid) {
  leave(uid);
  mixer_->remove(uid);
  options_.on_gone();
}

void Listener::leave(std::uint32_t uid) {
  Heard heard;
  {
    std::lock_guard lock(mutex_);
    auto it = heard_.find(uid);
    if (it == heard_.end())
      return;
    heard = std::move(it->second);
    heard_.erase(it);
  }
  if (auto unheard = speakers_->leave(uid, heard.branch)) {
    unheard->cut();
    unheard->stop(told_by());
  }
  announce(faults_.gone(uid, gst_util_get_timestamp()));
  unexpose(heard.branch);
}

// Adding a pad calls the application: not under the lock. While a former pad of that speaker still
// ends its name is taken: tick() comes back to it.
void Listener::expose(std::uint32_t uid) {
  const auto heard = find(uid);
  if (!heard || heard->branch->pad() || ending_pads_->contains(uid))
    return;
  auto pad = std::make_shared<SpeakerPad>(element_, uid);
  {
    std::lock_guard lock(mutex_);
    auto it = heard_.find(uid);
    if (it != heard_.end() && it->second.branch == heard->branch) {
      heard->branch->set_pad(std::move(pad));
      return;
    }
  }
  pad->close();
}

void Listener::unexpose(const std::shared_ptr<SpeakerBranch> &branch) {
  const std::shared_ptr<SpeakerPad> pad = branch->pad();
  if (!pad)
    return;
  branch->set_pad(nullptr);
  ending_pads_->add(pad);
  // The pad goes once its EOS has gone out; not on the thread that brought it there, and on none
  // that may not wait for what is downstream.
  pad->end([element = GST_ELEMENT(element_), ending = ending_pads_, uid = pad->uid()] {
    run_async(element, [ending, uid] { ending->remove(uid); });
  });
}

void Listener::end() {
  session_->run(this, [this] {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    for (std::uint32_t uid : uids())
      drop(uid);
  });
}

void Listener::tick(GstClockTime now) {
  if (options_.expose)
    for (std::uint32_t uid : uids())
      if (const auto heard = find(uid); heard && !GST_CLOCK_TIME_IS_VALID(heard->left_at))
        if (const auto pad = heard->branch->pad())
          pad->tick(now);
  const GstClockTime monotonic = gst_util_get_timestamp();
  if (monotonic < next_watch_)
    return;
  next_watch_ = monotonic + kWatch;
  watch(monotonic);
}

// Who is lost, back, or gone.
void Listener::watch(GstClockTime monotonic) {
  std::vector<SpeakerFaults::Seen> seen;
  std::vector<std::pair<std::uint32_t, bool>> exposed;  // and whether it has its pad
  std::vector<std::uint32_t> finished;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, heard] : heard_) {
      const bool left = GST_CLOCK_TIME_IS_VALID(heard.left_at);
      if (!left)
        seen.push_back({uid, heard.speaker->last_frame(), heard.speaker->broke_since()});
      else if (!heard.ending && last_words_are_here(heard, monotonic))
        finished.push_back(uid);
      heard.ending = heard.ending || (!finished.empty() && finished.back() == uid);
      if (options_.expose && !left)
        exposed.emplace_back(uid, heard.branch->pad() != nullptr);
    }
  }
  announce(faults_.check(monotonic, seen));
  for (std::uint32_t uid : finished)
    session_->run(this, [this, uid] { finish(uid); });
  const auto away = faults_.lost_for(monotonic, options_.speaker_timeout);
  for (const auto &[uid, has_pad] : exposed) {
    if (has_pad && away.contains(uid))
      session_->run(this, [this, uid = uid] {
        if (const auto heard = find(uid))
          unexpose(heard->branch);
      });
    else if (!has_pad && !faults_.lost(uid) && !ending_pads_->contains(uid))
      session_->run(this, [this, uid = uid] { expose(uid); });
  }
  if (!mixer_->take_finished().empty())
    session_->run(this, options_.on_gone);
  look_whether_played(monotonic);
}

// Data that comes and isn't heard is told of: once, and again after each time that sound came.
void Listener::look_whether_played(GstClockTime monotonic) {
  if (!gst_pad_is_linked(src_))
    return;
  std::vector<std::pair<std::uint32_t, std::string>> unheard;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, heard] : heard_) {
      if (monotonic < heard.next_look)
        continue;
      heard.next_look = monotonic + kLook;
      const GstClockTime given = heard.branch->given();
      std::string why;
      if (heard.mute_watch.look(monotonic, heard.speaker->came(), given))
        why = heard.speaker->why_mute();
      if (!why.empty())
        heard.mute_watch.tell();
      if (given > MuteWatch::kUnheard && !std::exchange(heard.looked_at_time, true) &&
          heard.branch->timeline().stats().dropped_ns > given / 10 * 9)
        why =
            "its timestamps don't go with the time at which its sound comes, so that all of "
            "it is dropped";
      if (!why.empty())
        unheard.emplace_back(uid, std::move(why));
    }
  }
  for (const auto &[uid, why] : unheard)
    GST_ELEMENT_WARNING(element_, STREAM, DECODE,
                        ("Speaker %u is not heard: %s.", uid, why.c_str()), (nullptr));
}

void Listener::announce(const SpeakerFaults::Notices &notices) {
  using Notice = SpeakerFaults::Notice;
  GstElement *element = GST_ELEMENT(element_);
  for (const Notice &notice : notices) {
    const std::string text = "lost the sound of " + std::to_string(notice.uid);
    switch (notice.what) {
      case Notice::speaker_lost:
        GST_INFO_OBJECT(element, "%s", text.c_str());
        announce_lost(element, notice.uid, text.c_str());
        break;
      case Notice::speaker_back:
        announce_found(element, notice.uid, notice.duration);
        break;
      case Notice::membership_back:
        announce_reconnected(element, notice.duration);
        break;
    }
  }
}

void Listener::named(std::uint32_t uid, const std::string &name) {
  announce_name(GST_ELEMENT(element_), uid, name);
}

void Listener::member_joined(std::uint32_t uid, const std::string &name) {
  announce_member(GST_ELEMENT(element_), uid, name);
}

void Listener::list_refused(const GError &error) {
  post_list_refused(GST_ELEMENT(element_), error);
}

void Listener::data(std::uint32_t uid, const std::string &text) {
  announce_data(GST_ELEMENT(element_), uid, text);
}

void Listener::data_refused(const GError &error) {
  post_data_refused(GST_ELEMENT(element_), error);
}

void Listener::channel_event(const char *name, std::uint32_t uid) {
  announce_event(GST_ELEMENT(element_), name, uid);
}

void Listener::reconnecting(const GError &cause) {
  if (faults_.membership_lost(gst_util_get_timestamp()))
    announce_reconnecting(GST_ELEMENT(element_), cause);
}

void Listener::reconnected(GstClockTime) {
  announce(faults_.membership_back(gst_util_get_timestamp()));
}

// From a streaming thread: what is posted may call anybody, and those that stop us wait for it.
void Listener::unplayable(std::uint32_t uid, const Unplayable &what) {
  session_->run(this, [this, uid, why = what.why, held = std::shared_ptr(share(what.caps))] {
    GstElement *element = GST_ELEMENT(element_);
    GstCaps *caps = held.get();
    g_autofree char *text = gst_caps_to_string(caps);
    if (why == Unplayable::no_conversion) {
      GST_ELEMENT_WARNING(element, STREAM, FORMAT,
                          ("Speaker %u is not heard: nothing mixes down %s.", uid, text),
                          (nullptr));
      return;
    }
    if (!gst_pad_is_linked(src_))
      return;
    const GstStructure *structure = gst_caps_get_structure(caps, 0);
    int version = 0;
    gst_structure_get_int(structure, "mpegversion", &version);
    // AAC is what everybody sends. Whoever sends something else must not end what the others say.
    if (gst_structure_has_name(structure, "audio/mpeg") && version == 4) {
      post_missing_decoder(element, caps);
      return;
    }
    gst_element_post_message(element, gst_missing_decoder_message_new(element, caps));
    GST_ELEMENT_WARNING(
        element, STREAM, CODEC_NOT_FOUND,
        ("Speaker %u is not heard: nothing that is installed decodes %s.", uid, text), (nullptr));
  });
}

// Once: a media server that isn't trusted is that of every speaker.
void Listener::failed(const GError &error) {
  if (std::exchange(failed_, true))
    return;
  post_late_failure(GST_ELEMENT(element_), error);
}

std::uint32_t Listener::uid() const {
  return session_ ? session_->uid() : 0;
}

const char *Listener::state() const {
  return session_ ? session_->state() : "idle";
}

void Listener::report(MemberReport &report) {
  if (!report.heard)
    report.heard.emplace();
  add_figures(*mixer_, pipeline_latency_, *report.heard);
}

GstStructure *Listener::stats() const {
  return make_src_stats(*mixer_, pipeline_latency_, names());
}

SpeakerNames Listener::names() const {
  std::lock_guard lock(mutex_);
  return names_;
}

}  // namespace agora
