// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/publisher.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "gst/common/handoff.hpp"
#include "gst/common/messages.hpp"
#include "signaling/agora-client.h"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// At the end what is queued is still to be sent: as long as it moves, but for a network that stands
// still nobody waits.
constexpr milliseconds drain_quiet(450);
constexpr milliseconds drain_most(5000);

// What every AAC encoder still does, in bits per second.
constexpr unsigned least_bitrate = 8'000;

}  // namespace

Publisher::Publisher(GstBin *bin, GstPad *pad)
    : bin_(bin),
      pace_(sink_ref(gst_element_factory_make("clocksync", "pace"))),
      tail_(sink_ref(gst_pad_new("tail", GST_PAD_SINK))),
      front_(bin, pad, pace_.get()),
      uplink_(bin, backlog_, *this) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  gst_pad_set_element_private(tail_.get(), this);
  gst_pad_set_chain_function(tail_.get(), on_frame);
  gst_pad_set_event_function(tail_.get(), on_event);
  gst_pad_set_query_function(tail_.get(), on_query);
  gst_bin_add(bin_, pace_.get());
  ObjectPtr<GstPad> out(gst_element_get_static_pad(pace_.get(), "src"));
  gst_pad_link(out.get(), tail_.get());
}

// Whose reference was the last one is settled by GObject's counter, which ThreadSanitizer doesn't
// see on Debian: it sees what the locks settle.
Publisher::~Publisher() {
  std::scoped_lock lock(feed_mutex_, mutex_);
}

bool Publisher::start(const ChannelSettings &channel, const SinkSettings &settings) {
  const auto clip_over = std::make_shared<std::atomic<bool>>(false);
  {
    std::lock_guard lock(mutex_);
    // From here on stop() gives it back.
    client_ = channel.client;
    settings_ = settings;
    reconnect_timeout_s_ = channel.reconnect_timeout_s;
    media_down_ = signalling_down_ = false;
    reconnects_ = 0;
    clip_ = {};
    clip_over_ = clip_over;
  }
  if (settings.on_gap == OnGap::file && settings.gap_location.empty()) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, SETTINGS,
                      ("on-gap=file needs gap-location: the path of a sound file."), (nullptr));
    return false;
  }
  if (settings.bitrate != 0 && settings.bitrate < least_bitrate) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, SETTINGS,
                      ("bitrate=%u is too little for AAC: expected 0, or %u to 320000.",
                       settings.bitrate, least_bitrate),
                      (nullptr));
    return false;
  }
  stopping_ = false;
  ended_ = playing_ = resumed_ = false;
  muted_ = settings.muted;
  filled_ = 0;
  uid_ = 0;
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  caps_.reset();
  fresh_ = true;
  in_end_ = 0;
  front_.set_bitrate(settings.bitrate);
  g_object_set(pace_.get(), "sync", static_cast<gboolean>(settings.sync), nullptr);
  backlog_.set_limit(settings.max_backlog_ms * GST_MSECOND);
  if (!begin_feeding())
    return false;
  gst_pad_set_active(tail_.get(), TRUE);

  g_autoptr(GError) error = nullptr;
  std::shared_ptr<Membership> session =
      Membership::join(GST_ELEMENT(bin_), channel, Part::host, this, &error);
  if (!session) {
    post_failure(GST_ELEMENT(bin_), *error);
    return false;
  }
  {
    std::lock_guard lock(mutex_);
    session_ = session;
  }
  if (settings.on_gap == OnGap::file)
    run_async(GST_ELEMENT(bin_), [this, clip_over] { load_clip(clip_over); });
  session->mute_local(this, settings.muted);
  session->enter(this);
  return true;
}

bool Publisher::begin_feeding() {
  {
    std::lock_guard lock(mutex_);
    end_over_ = std::make_shared<std::atomic<bool>>(false);
  }
  backlog_.start();
  if (!uplink_.start())
    return false;
  {
    std::lock_guard lock(feed_mutex_);
    timeline_.reset();
    sent_caps_.reset();
    filling_until_.reset();
    last_sent_ = last_stamp_ = {};
  }
  failed_ = false;
  feeder_ = g_thread_new(
      "agorasink:feed",
      [] (gpointer self) -> gpointer {
        static_cast<Publisher *>(self)->feed();
        return nullptr;
      },
      this);
  return true;
}

void Publisher::end_feeding() {
  {
    std::lock_guard lock(mutex_);
    if (end_over_)
      *end_over_ = true;
  }
  uplink_.stop();
  backlog_.stop();
  if (feeder_)
    g_thread_join(std::exchange(feeder_, nullptr));
}

// Sound goes on after its end (a seek, another stream): as another publication, for the last one is
// over. The streaming thread.
void Publisher::revive() {
  if (!ended_ || stopping_)
    return;
  end_feeding();
  ended_ = false;
  if (!begin_feeding())
    return;
  if (const std::shared_ptr<Membership> channel = session())
    channel->republish(this);
}

void Publisher::load_clip(const Token &over) {
  std::string path;
  {
    std::lock_guard lock(mutex_);
    path = settings_.gap_location;
  }
  GapClip clip;
  g_autoptr(GError) error = nullptr;
  const bool loaded = GapClip::load(path, *over, clip, &error);
  {
    std::lock_guard lock(mutex_);
    if (*over)
      return;
    if (loaded)
      clip_ = std::move(clip);
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
    resumed_ = true;
  playing_ = playing;
  // The feeder counts the time without sound from here.
  backlog_.wake();
}

void Publisher::stop() {
  stopping_ = true;
  // After it no streaming thread of ours begins anything.
  gst_pad_set_active(tail_.get(), FALSE);
  std::shared_ptr<Membership> session;
  AgoraClient *client = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (clip_over_)
      *clip_over_ = true;
    session = std::exchange(session_, nullptr);
    client = std::exchange(client_, nullptr);
  }
  end_feeding();
  if (session)
    session->leave(this, kLeaveBudget);
  g_clear_object(&client);
}

void Publisher::stopped() {
  front_.reset();
}

std::shared_ptr<Membership> Publisher::session() const {
  std::lock_guard lock(mutex_);
  return session_;
}

// --- What comes in

GstFlowReturn Publisher::on_frame(GstPad *pad, GstObject *, GstBuffer *buffer) {
  return static_cast<Publisher *>(gst_pad_get_element_private(pad))->take_in(BufferPtr(buffer));
}

GstFlowReturn Publisher::take_in(BufferPtr buffer) {
  if (ended_)
    return GST_FLOW_EOS;
  if (failed_)
    return GST_FLOW_ERROR;
  Frame frame;
  frame.format = format_;
  frame.duration = format_.frame_duration();
  guint64 running = in_end_;
  if (GST_BUFFER_PTS_IS_VALID(buffer.get())) {
    const int sign = gst_segment_to_running_time_full(&segment_, GST_FORMAT_TIME,
                                                      GST_BUFFER_PTS(buffer.get()), &running);
    // An encoder's first frames may begin before the segment does.
    if (sign < 0 && running >= frame.duration)
      return GST_FLOW_OK;
    if (sign <= 0)
      running = 0;
  }
  in_end_ = running + frame.duration;
  frame.buffer = std::move(buffer);
  frame.caps = share(caps_.get());
  frame.time = running;
  frame.lookahead = gst_util_uint64_scale_int(front_.priming(), GST_SECOND, format_.rate);
  frame.fresh = std::exchange(fresh_, false);
  frame.arrival = Clock::now();
  const bool dropped = !feed_now(frame) && !backlog_.put(std::move(frame));
  if ((uplink_.stands_still() || dropped) && uplink_.stalled())
    leg_stalled();
  return GST_FLOW_OK;
}

gboolean Publisher::on_event(GstPad *pad, GstObject *, GstEvent *event) {
  auto *self = static_cast<Publisher *>(gst_pad_get_element_private(pad));
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      self->fresh_ = true;
      self->revive();
      break;
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      self->caps_ = share(caps);
      self->format_ = AacFormat::of(caps);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &self->segment_);
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_segment_init(&self->segment_, GST_FORMAT_TIME);
      self->backlog_.clear();
      self->fresh_ = true;
      self->revive();
      break;
    case GST_EVENT_EOS:
      self->end_of_stream(gst_event_get_seqnum(event));
      break;
    default:
      break;
  }
  gst_event_unref(event);
  return TRUE;
}

gboolean Publisher::on_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  // What the encoder and the parser choose from.
  static GstStaticCaps raw_aac =
      GST_STATIC_CAPS("audio/mpeg, mpegversion = (int) { 2, 4 }, stream-format = (string) raw");
  CapsPtr ours(gst_static_caps_get(&raw_aac));
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS: {
      GstCaps *filter = nullptr;
      gst_query_parse_caps(query, &filter);
      CapsPtr answer(filter ? gst_caps_intersect_full(filter, ours.get(), GST_CAPS_INTERSECT_FIRST)
                            : gst_caps_ref(ours.get()));
      gst_query_set_caps_result(query, answer.get());
      return TRUE;
    }
    case GST_QUERY_ACCEPT_CAPS: {
      GstCaps *caps = nullptr;
      gst_query_parse_accept_caps(query, &caps);
      gst_query_set_accept_caps_result(query, gst_caps_can_intersect(caps, ours.get()));
      return TRUE;
    }
    default:
      return gst_pad_query_default(pad, parent, query);
  }
}

bool Publisher::query(GstQuery *query) {
  // Latency as it is where the pacing is: behind the encoder.
  return gst_pad_peer_query(tail_.get(), query);
}

void Publisher::end_of_stream(guint32 seqnum) {
  if (ended_.exchange(true))
    return;
  backlog_.end();
  Token over;
  {
    std::lock_guard lock(mutex_);
    over = end_over_;
  }
  run_async(GST_ELEMENT(bin_), [this, seqnum, over] { finish(seqnum, over); });
}

void Publisher::finish(guint32 seqnum, const Token &over) {
  if (!uplink_.drain(drain_quiet, drain_most))
    GST_INFO_OBJECT(bin_, "not all that was queued could be sent");
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    if (*over)
      return;
    channel = session_;
  }
  if (channel)
    channel->unpublish(this);
  GstMessage *message = gst_message_new_eos(GST_OBJECT(bin_));
  gst_message_set_seqnum(message, seqnum);
  gst_element_post_message(GST_ELEMENT(bin_), message);
}

// --- The channel

void Publisher::joined(std::uint32_t uid) {
  uid_ = uid;
  uplink_.moved();
  g_object_notify(G_OBJECT(bin_), "uid");
}

void Publisher::push_url(const std::string &url) {
  uplink_.connect(url);
  uplink_.moved();
}

void Publisher::channel_event(const char *name, std::uint32_t uid) {
  announce_event(GST_ELEMENT(bin_), name, uid);
}

void Publisher::failed(const GError &error) {
  if (!g_error_matches(&error, AGORA_ERROR, AGORA_ERROR_REPLACED)) {
    post_late_failure(GST_ELEMENT(bin_), error);
    return;
  }
  g_autoptr(GError) named =
      g_error_new(AGORA_ERROR, AGORA_ERROR_REPLACED, "uid %u is on the air elsewhere: %s",
                  uid_.load(), error.message);
  post_late_failure(GST_ELEMENT(bin_), *named);
}

void Publisher::set_muted(bool muted) {
  if (muted_.exchange(muted) == muted)
    return;
  if (const std::shared_ptr<Membership> channel = session())
    channel->mute_local(this, muted);
}

void Publisher::renew_token(const std::string &token) {
  if (const std::shared_ptr<Membership> channel = session())
    channel->renew_token(this, token);
}

void Publisher::update_push_url() {
  if (const std::shared_ptr<Membership> channel = session())
    channel->update_push_url(this);
}

void Publisher::token_refused(const GError &error) {
  post_token_refused(GST_ELEMENT(bin_), error);
}

void Publisher::set_max_backlog(unsigned ms) {
  backlog_.set_limit(ms * GST_MSECOND);
}

// --- Trouble

void Publisher::reconnecting(const GError &error) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(signalling_down_, true) || media_down_)
      return;
    down_since_ = Clock::now();
    reconnects_++;
  }
  announce_reconnecting(GST_ELEMENT(bin_), error);
}

void Publisher::reconnected(GstClockTime) {
  GstClockTime duration = 0;
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(signalling_down_, false) || media_down_)
      return;
    duration = static_cast<GstClockTime>((Clock::now() - down_since_).count());
  }
  announce_reconnected(GST_ELEMENT(bin_), duration);
}

void Publisher::leg_taken() {
  g_object_notify(G_OBJECT(bin_), "push-url");
}

void Publisher::leg_works() {
  GstClockTime duration = 0;
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(media_down_, false) || signalling_down_)
      return;
    duration = static_cast<GstClockTime>((Clock::now() - down_since_).count());
  }
  announce_reconnected(GST_ELEMENT(bin_), duration);
}

// Under the lock. True when the application doesn't know of any trouble yet.
bool Publisher::media_down() {
  const bool news = !media_down_ && !signalling_down_;
  media_down_ = true;
  if (news) {
    down_since_ = Clock::now();
    reconnects_++;
  }
  return news;
}

// The streaming thread: the session is up, but has taken nothing for longer than the backlog lasts.
void Publisher::leg_stalled() {
  {
    std::lock_guard lock(mutex_);
    if (!media_down())
      return;
  }
  g_autoptr(GError) cause = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
                                                "The media server takes no more sound");
  announce_reconnecting(GST_ELEMENT(bin_), *cause);
}

void Publisher::leg_broke(const GError &cause) {
  bool tell = false;
  bool give_up = false;
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    if (stopping_)
      return;
    tell = media_down();
    give_up = reconnect_timeout_s_ >= 0 &&
              Clock::now() - down_since_ >= std::chrono::seconds(reconnect_timeout_s_);
    channel = session_;
  }
  if (give_up) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, WRITE,
                      ("The media server could not be reached again within %d s: %s. Check the "
                       "gateway's RTMP server and the way to it, or raise reconnect-timeout.",
                       reconnect_timeout_s_, cause.message),
                      (nullptr));
    return;
  }
  if (tell)
    announce_reconnecting(GST_ELEMENT(bin_), cause);
  // The gateway's answer decides between another try and the end.
  if (channel)
    channel->push_broke(this);
}

bool Publisher::swallow(GstMessage *message) {
  return uplink_.swallow(message) || front_.explain(message);
}

// --- Telling

GstStructure *Publisher::stats() const {
  const FrameQueue::Totals totals = backlog_.totals();
  guint reconnects = 0;
  {
    std::lock_guard lock(mutex_);
    reconnects = reconnects_;
  }
  return gst_structure_new(
      "agorasink-stats", "sent-bytes", G_TYPE_UINT64, uplink_.sent_bytes(), "queued-ms",
      G_TYPE_UINT64, static_cast<guint64>(totals.queued / GST_MSECOND), "dropped-ms", G_TYPE_UINT64,
      static_cast<guint64>(totals.dropped / GST_MSECOND), "dropped-frames", G_TYPE_UINT64,
      static_cast<guint64>(totals.dropped_frames), "filled-ms", G_TYPE_UINT64,
      static_cast<guint64>(filled_ / GST_MSECOND), "sessions", G_TYPE_UINT, uplink_.sessions(),
      "reconnects", G_TYPE_UINT, reconnects, nullptr);
}

std::string Publisher::push_url() const {
  return uplink_.url();
}

const char *Publisher::connection_state() const {
  const std::shared_ptr<Membership> channel = session();
  return channel ? channel->state() : "idle";
}

}  // namespace agora
