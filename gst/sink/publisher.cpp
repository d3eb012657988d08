// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/publisher.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/handoff.hpp"
#include "gst/common/messages.hpp"
#include "gst/sink/adts-frame.hpp"
#include "gst/sink/packet.hpp"
#include "signaling/agora-client.h"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

// What every AAC encoder still does, in bits per second.
constexpr unsigned least_bitrate = 8'000;

constexpr GstClockTime usual_packet = 20 * GST_MSECOND;

// All that may go out sooner or later.
VoiceCodecs codecs_of (CodecChoice choice) {
  if (choice == CodecChoice::aac || !InputChain::can_encode_opus())
    return {VoiceCodec::aac};
  return {VoiceCodec::aac, VoiceCodec::opus};
}

}  // namespace

Publisher::Publisher(GstBin *bin, GstPad *pad)
    : bin_(bin),
      pad_(pad),
      frame_sink_(sink_ref(make_frame_sink(this))),
      front_(bin, pad, frame_sink_.get()) {
  gst_bin_add(bin_, frame_sink_.get());
  front_.rest();
}

// Whose reference was the last one is settled by GObject's counter, which ThreadSanitizer doesn't
// see on Debian: it sees what the locks settle.
Publisher::~Publisher() {
  abandon_frame_sink(frame_sink_.get());
  std::lock_guard lock(mutex_);
}

bool Publisher::start(const ChannelSettings &channel, const SinkSettings &settings) {
  const auto clip_cancelled = std::make_shared<std::atomic<bool>>(false);
  CodecChoice choice;
  {
    std::lock_guard lock(mutex_);
    // From here on stop() gives it back.
    client_ = channel.client;
    settings_ = settings;
    choice = codec_;
    reconnect_timeout_s_ = channel.reconnect_timeout_s;
    clip_.reset();
    clip_cancelled_ = clip_cancelled;
  }
  if (settings.on_gap == OnGap::file && settings.gap_location.empty()) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, SETTINGS,
                      ("on-gap=file needs gap-location: the path of a sound file."), (nullptr));
    return false;
  }
  if (!settings.bad_talk_to.empty()) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, SETTINGS, (kNotAddressees, settings.bad_talk_to.c_str()),
                      (nullptr));
    return false;
  }
  if (settings.bitrate != 0 && settings.bitrate < least_bitrate) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, SETTINGS,
                      ("bitrate=%u is too little for AAC: expected 0, or %u to 320000.",
                       settings.bitrate, least_bitrate),
                      (nullptr));
    return false;
  }
  outage_.reset();
  air_.silenced = air_.playing = air_.resumed = false;
  air_.filled = 0;
  uid_ = 0;
  coming_ = {};
  front_.begin();
  front_.set_bitrate(settings.bitrate);
  front_.set_low_delay(settings.low_delay);
  const VoiceCodecs wanted = {choice == CodecChoice::opus && InputChain::can_encode_opus()
                                  ? VoiceCodec::opus
                                  : VoiceCodec::aac};
  {
    std::lock_guard lock(mutex_);
    wanted_codecs_ = wanted;
    urls_.clear();
  }
  front_.set_wanted(wanted);
  if (choice != CodecChoice::aac)
    InputChain::load_encoders();
  const auto first = make_broadcast();
  {
    std::lock_guard lock(mutex_);
    broadcast_ = first;
    finished_ = end_posted_ = false;
    // enter() is the first publication's.
    wanted_ = told_ = revived_ = 1;
  }
  stopping_ = false;
  if (!first->start())
    return false;

  g_autoptr(GError) error = nullptr;
  std::shared_ptr<Membership> session =
      Membership::join(GST_ELEMENT(bin_), channel, Part::host, this, &error);
  if (!session) {
    post_failure(GST_ELEMENT(bin_), *error);
    return false;
  }
  // What was set since the settings were copied had no session to go to.
  std::string token;
  {
    std::lock_guard lock(mutex_);
    session_ = session;
    token = std::exchange(early_token_, {});
  }
  if (settings.on_gap == OnGap::file)
    run_async(GST_ELEMENT(bin_), [this, clip_cancelled] { load_clip(clip_cancelled); });
  tell_muted(*session);
  session->enter(this);
  if (!token.empty() && token != channel.token)
    session->renew_token(this, token);
  return true;
}

// Sound goes on after its end (a seek, another stream): as another publication. The streaming
// thread, which waits for nothing: the old one is ended elsewhere.
void Publisher::revive() {
  const BroadcastPtr old = broadcast();
  if (!old || !old->ended() || stopping_)
    return;
  const auto young = make_broadcast();
  if (!young->start()) {
    // Where even its elements are missing there are no threads to wait for.
    young->stop();
    return;
  }
  {
    std::lock_guard lock(mutex_);
    retired_.push_back(old);
    broadcast_ = young;
    finished_ = end_posted_ = false;
  }
  // What was set meanwhile went to the old one.
  young->limit_changed();
  run_async(GST_ELEMENT(bin_), [this, old] { retire(old); });
}

// The new one is told of when the old one's session is gone: a server may refuse a second one.
void Publisher::retire(const BroadcastPtr &old) {
  old->stop();
  {
    std::lock_guard lock(mutex_);
    // Otherwise the element was stopped meanwhile.
    if (std::erase(retired_, old) == 0)
      return;
    if (!finished_)
      wanted_ = ++revived_;
  }
  tell_published();
}

void Publisher::load_clip(const Cancelled &cancelled) {
  SinkSettings settings;
  CodecChoice choice;
  {
    std::lock_guard lock(mutex_);
    settings = settings_;
    choice = codec_;
  }
  const std::string &path = settings.gap_location;
  const auto clip = std::make_shared<GapClip>();
  g_autoptr(GError) error = nullptr;
  const bool loaded = clip->load(path, codecs_of(choice), InputChain::aac_rate(settings.low_delay),
                                 *cancelled, &error);
  {
    std::lock_guard lock(mutex_);
    if (*cancelled)
      return;
    if (loaded)
      clip_ = clip;
  }
  if (loaded)
    return;
  GST_ELEMENT_ERROR(bin_, RESOURCE, OPEN_READ,
                    ("gap-location=%s can't be played: %s. Expected a sound file that GStreamer "
                     "can decode.",
                     path.c_str(), error ? error->message : "there is no sound in it"),
                    (nullptr));
}

void Publisher::set_playing(bool playing) {
  if (playing)
    air_.resumed = true;
  air_.playing = playing;
  // The feeder counts the time without sound from here.
  if (const BroadcastPtr to = broadcast())
    to->wake();
}

void Publisher::stop() {
  stopping_ = true;
  // After it no streaming thread of ours begins anything.
  quiet_frame_sink(frame_sink_.get());
  // Nor is one linking elements: on its way to READY a GstBin forgets which pads are at that, and
  // finds a loop in what it sees half done.
  gst_pad_set_active(pad_, FALSE);
  std::shared_ptr<Membership> session;
  AgoraClient *client = nullptr;
  std::vector<BroadcastPtr> all;
  {
    std::lock_guard lock(mutex_);
    if (clip_cancelled_)
      *clip_cancelled_ = true;
    session = std::exchange(session_, nullptr);
    client = std::exchange(client_, nullptr);
    all.swap(retired_);
    // It stays for its statistics.
    if (broadcast_)
      all.push_back(broadcast_);
  }
  for (const BroadcastPtr &each : all)
    each->stop();
  if (session)
    session->leave(this, kLeaveBudget);
  g_clear_object(&client);
}

void Publisher::stopped() {
  front_.reset();
}

void Publisher::set_codec(CodecChoice codec) {
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(codec_, codec) != codec)
      channel = session_;
  }
  if (!channel)
    return;
  InputChain::load_encoders();
  channel->offers_changed(this);
}

void Publisher::set_talk_to(const UidList &uids) {
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    if (talk_to_ != uids)
      channel = session_;
    talk_to_ = uids;
  }
  if (channel)
    channel->offers_changed(this);
}

std::shared_ptr<Membership> Publisher::session() const {
  std::lock_guard lock(mutex_);
  return session_;
}

Publisher::BroadcastPtr Publisher::make_broadcast() {
  Publication::Owner &owner = *this;
  VoiceCodecs wanted;
  {
    std::lock_guard lock(mutex_);
    wanted = wanted_codecs_;
  }
  return std::make_shared<Broadcast>(bin_, owner, air_, wanted);
}

Publisher::BroadcastPtr Publisher::broadcast() const {
  std::lock_guard lock(mutex_);
  return broadcast_;
}

bool Publisher::is_current(const Publication &one) const {
  const BroadcastPtr now = broadcast();
  return !stopping_ && now && now->has(one);
}

bool Publisher::is_current(const Broadcast &one) const {
  std::lock_guard lock(mutex_);
  return !stopping_ && broadcast_.get() == &one;
}

// --- What comes in

void Publisher::stream_started() {
  for (Coming &each : coming_)
    each.fresh = true;
  revive();
}

Publisher::Coming &Publisher::coming(VoiceCodec codec, GstCaps *caps) {
  Coming &coming = coming_[static_cast<std::size_t>(codec)];
  if (coming.caps.get() != caps) {
    coming.caps = share(caps);
    coming.format = AacFormat::of(caps);
  }
  return coming;
}

GstClockTime Publisher::duration_of(GstBuffer *buffer, GstCaps *caps) {
  if (!is_opus(caps))
    return coming(VoiceCodec::aac, caps).format.frame_duration();
  // Packets of Opus say each how long they last.
  const auto packet = read_packet(buffer);
  return packet ? agora::duration_of(*packet) : usual_packet;
}

GstFlowReturn Publisher::take_frame(GstBuffer *buffer, GstCaps *caps, GstClockTime time) {
  const BroadcastPtr to = broadcast();
  if (!to || stopping_)
    return GST_FLOW_FLUSHING;
  if (to->ended())
    return GST_FLOW_EOS;
  if (to->failed())
    return GST_FLOW_ERROR;
  front_.taken();
  const VoiceCodec codec = is_opus(caps) ? VoiceCodec::opus : VoiceCodec::aac;
  Coming &coming = this->coming(codec, caps);
  Frame frame;
  frame.buffer = share(buffer);
  frame.caps = share(caps);
  frame.time = time;
  if (codec == VoiceCodec::opus) {
    const auto packet = read_packet(buffer);
    if (!packet)
      return GST_FLOW_OK;
    frame.duration = agora::duration_of(*packet);
    frame.takes_stamp = true;
    frame.rests = packet->rests;
  } else {
    frame.buffer = without_adts(buffer, coming.format);
    frame.duration = coming.format.frame_duration();
    frame.takes_stamp = coming.format.object_type == AacFormat::kLc;
  }
  frame.lookahead = front_.lookahead(codec, coming.format.rate);
  frame.fresh = std::exchange(coming.fresh, false);
  frame.arrival = Clock::now();
  if (to->take(codec, std::move(frame))) {
    g_autoptr(GError) cause = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
                                                  "The media server takes no more sound");
    announce_outage(Outage::Of::media, *cause);
  }
  if (to->left())
    front_.set_wanted(to->on_air());
  return GST_FLOW_OK;
}

void Publisher::flushed() {
  for (Coming &each : coming_)
    each.fresh = true;
  if (const BroadcastPtr to = broadcast(); to && !to->ended())
    to->clear();
  revive();
}

bool Publisher::query(GstQuery *query) {
  return gst_element_query(frame_sink_.get(), query);
}

bool Publisher::send_event(GstEvent *event) {
  return gst_element_send_event(frame_sink_.get(), event);
}

// It goes the way of upstream's, so that the encoder gives what it holds. There it may have to
// wait, in PAUSED for as long as that lasts: so a thread of GStreamer's pool takes it there.
bool Publisher::send_end(GstEvent *event) {
  const std::shared_ptr<GstEvent> end(event, gst_event_unref);
  const BroadcastPtr of = broadcast();
  if (!of || stopping_)
    return false;
  run_async(GST_ELEMENT(bin_), [this, end, of] {
    // Held from here on, so that no other start comes between: stopping the pad takes it.
    GST_PAD_STREAM_LOCK(pad_);
    if (is_current(*of))
      gst_pad_send_event(pad_, gst_event_ref(end.get()));
    GST_PAD_STREAM_UNLOCK(pad_);
  });
  return true;
}

void Publisher::gap_is_the_end() {
  end_of_stream(gst_util_seqnum_next());
}

void Publisher::end_of_stream(guint32 seqnum) {
  const BroadcastPtr ending = broadcast();
  if (!ending || stopping_)
    return;
  if (ending->end()) {
    run_async(GST_ELEMENT(bin_), [this, seqnum, ending] { finish(seqnum, ending); });
    return;
  }
  // A sink that has ended says so again when it goes from PAUSED to PLAYING.
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    again = end_posted_ && broadcast_ == ending;
  }
  if (again)
    post_end(seqnum);
}

// A thread of GStreamer's pool.
void Publisher::finish(guint32 seqnum, const BroadcastPtr &ended) {
  if (!ended->drain())
    GST_INFO_OBJECT(bin_, "not all that was queued could be sent");
  {
    std::lock_guard lock(mutex_);
    // Stopped or revived meanwhile: then this is no end.
    if (stopping_ || broadcast_ != ended)
      return;
    finished_ = true;
    wanted_ = 0;
  }
  tell_published();
  // As a GstBaseSink posts it: under the lock that a flush or another stream takes, so that neither
  // comes between the look and the message.
  GST_PAD_STREAM_LOCK(pad_);
  bool ends = false;
  {
    std::lock_guard lock(mutex_);
    // Where a flush has begun, the stream isn't at its end any more: its EOS would be held back,
    // and come after it.
    ends = !stopping_ && broadcast_ == ended && !GST_PAD_IS_FLUSHING(pad_);
    end_posted_ |= ends;
  }
  if (ends)
    post_end(seqnum);
  GST_PAD_STREAM_UNLOCK(pad_);
}

void Publisher::post_end(guint32 seqnum) {
  GstMessage *message = gst_message_new_eos(GST_OBJECT(bin_));
  gst_message_set_seqnum(message, seqnum);
  gst_element_post_message(GST_ELEMENT(bin_), message);
}

void Publisher::set_max_backlog(unsigned ms) {
  air_.max_backlog = ms * GST_MSECOND;
  if (const BroadcastPtr to = broadcast())
    to->limit_changed();
}

unsigned Publisher::max_backlog() const {
  return static_cast<unsigned>(air_.max_backlog / GST_MSECOND);
}

GapFilling Publisher::gap_filling() const {
  std::lock_guard lock(mutex_);
  return {.on_gap = settings_.on_gap,
          .timeout = std::chrono::milliseconds(settings_.gap_timeout_ms),
          .clip = clip_};
}

bool Publisher::swallow(GstMessage *message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS &&
      GST_MESSAGE_SRC(message) == GST_OBJECT(frame_sink_.get())) {
    // Not yet the element's: what is queued goes out first.
    end_of_stream(gst_message_get_seqnum(message));
    return true;
  }
  return front_.explain(message);
}

// --- Telling

GstStructure *Publisher::stats() const {
  const BroadcastPtr of = broadcast();
  const FrameQueue::Totals totals = of ? of->totals() : FrameQueue::Totals();
  return gst_structure_new(
      "agorasink-stats", "sent-bytes", G_TYPE_UINT64, of ? of->sent_bytes() : guint64{0},
      "queued-ms", G_TYPE_UINT64, static_cast<guint64>(totals.queued / GST_MSECOND), "dropped-ms",
      G_TYPE_UINT64, static_cast<guint64>(totals.dropped / GST_MSECOND), "dropped-frames",
      G_TYPE_UINT64, static_cast<guint64>(totals.dropped_frames), "filled-ms", G_TYPE_UINT64,
      static_cast<guint64>(air_.filled / GST_MSECOND), "sessions", G_TYPE_UINT,
      of ? of->sessions() : 0U, "reconnects", G_TYPE_UINT, outage_.times(), nullptr);
}

void Publisher::report(MemberReport &report) {
  const BroadcastPtr of = broadcast();
  const GstClockTime dropped = of ? of->totals().dropped : 0;
  report.sent = SentFigures{front_.take_level(), dropped / GST_MSECOND, outage_.times()};
}

std::string Publisher::push_url() const {
  const BroadcastPtr of = broadcast();
  return of ? of->url() : std::string();
}

const char *Publisher::connection_state() const {
  const std::shared_ptr<Membership> channel = session();
  return channel ? channel->state() : "idle";
}

}  // namespace agora
