// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/publisher.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "gst/common/failures.hpp"
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
      pad_(pad),
      frame_sink_(sink_ref(make_frame_sink(this))),
      front_(bin, pad, frame_sink_.get()),
      muxer_(bin, *this),
      connections_(bin, *this) {
  gst_bin_add(bin_, frame_sink_.get());
}

// Whose reference was the last one is settled by GObject's counter, which ThreadSanitizer doesn't
// see on Debian: it sees what the locks settle.
Publisher::~Publisher() {
  abandon_frame_sink(frame_sink_.get());
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
  stopping_ = silenced_ = false;
  ended_ = playing_ = resumed_ = false;
  filled_ = 0;
  uid_ = 0;
  caps_.reset();
  fresh_ = true;
  front_.set_bitrate(settings.bitrate);
  if (!begin_feeding())
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
    run_async(GST_ELEMENT(bin_), [this, clip_over] { load_clip(clip_over); });
  tell_muted(*session);
  session->enter(this);
  if (!token.empty() && token != channel.token)
    session->renew_token(this, token);
  return true;
}

bool Publisher::begin_feeding() {
  {
    std::lock_guard lock(mutex_);
    end_over_ = std::make_shared<std::atomic<bool>>(false);
    drained_ = false;
  }
  backlog_.start();
  if (!connections_.start() || !muxer_.start())
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
      [] (gpointer self) noexcept -> gpointer {
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
  connections_.stop();
  muxer_.stop();
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
  quiet_frame_sink(frame_sink_.get());
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

void Publisher::stream_started() {
  fresh_ = true;
  revive();
}

GstClockTime Publisher::frames_are(GstCaps *caps) {
  caps_ = share(caps);
  format_ = AacFormat::of(caps);
  return format_.frame_duration();
}

GstFlowReturn Publisher::take_frame(GstBuffer *buffer, GstClockTime time) {
  if (ended_)
    return GST_FLOW_EOS;
  if (failed_)
    return GST_FLOW_ERROR;
  front_.taken();
  Frame frame;
  frame.buffer = share(buffer);
  frame.caps = share(caps_.get());
  frame.format = format_;
  frame.time = time;
  frame.duration = format_.frame_duration();
  if (format_.rate > 0)
    frame.lookahead = gst_util_uint64_scale_int(front_.priming(), GST_SECOND, format_.rate);
  frame.fresh = std::exchange(fresh_, false);
  frame.arrival = Clock::now();
  const bool dropped = !feed_now(frame) && !backlog_.put(std::move(frame));
  if ((connections_.stands_still() || dropped) && connections_.stalled())
    connection_stalled();
  return GST_FLOW_OK;
}

void Publisher::flushed() {
  backlog_.clear();
  fresh_ = true;
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
  Token over;
  {
    std::lock_guard lock(mutex_);
    over = end_over_;
  }
  if (!over || *over)
    return false;
  run_async(GST_ELEMENT(bin_), [this, end, over] {
    // Held from here on, so that no other start comes between: stopping the pad takes it.
    GST_PAD_STREAM_LOCK(pad_);
    if (!*over)
      gst_pad_send_event(pad_, gst_event_ref(end.get()));
    GST_PAD_STREAM_UNLOCK(pad_);
  });
  return true;
}

void Publisher::end_of_stream(guint32 seqnum) {
  if (ended_.exchange(true)) {
    // A sink that has ended says so again when it goes from PAUSED to PLAYING.
    bool again = false;
    {
      std::lock_guard lock(mutex_);
      again = drained_;
    }
    if (again)
      post_end(seqnum);
    return;
  }
  backlog_.end();
  Token over;
  {
    std::lock_guard lock(mutex_);
    over = end_over_;
  }
  run_async(GST_ELEMENT(bin_), [this, seqnum, over] { finish(seqnum, over); });
}

void Publisher::finish(guint32 seqnum, const Token &over) {
  if (!connections_.drain(drain_quiet, drain_most))
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
  bool goes_on = false;
  {
    std::lock_guard lock(mutex_);
    drained_ = !*over;
    goes_on = *over && session_ && !ended_;
  }
  // It was revived meanwhile: that is the last word, whichever came first.
  if (goes_on)
    channel->republish(this);
  else if (!*over)
    post_end(seqnum);
}

void Publisher::post_end(guint32 seqnum) {
  GstMessage *message = gst_message_new_eos(GST_OBJECT(bin_));
  gst_message_set_seqnum(message, seqnum);
  gst_element_post_message(GST_ELEMENT(bin_), message);
}

// --- The channel

void Publisher::joined(std::uint32_t uid) {
  uid_ = uid;
  connections_.moved();
  g_object_notify(G_OBJECT(bin_), "uid");
}

void Publisher::push_url(const std::string &url) {
  const std::shared_ptr<Membership> channel = session();
  connections_.connect(url, channel ? channel->authorities() : nullptr);
  connections_.moved();
}

// A state, not an end: what comes in is let fall until the gateway gives another push URL.
void Publisher::silenced(bool silenced) {
  silenced_ = silenced;
  if (!silenced)
    return;
  connections_.disconnect();
  connections_.moved();
  connection_works();
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
    tell_muted(*channel);
}

// Whoever tells last tells what is so, whichever thread set it.
void Publisher::tell_muted(Membership &channel) {
  bool told = false;
  do {
    told = muted_;
    channel.mute_local(this, told);
  } while (told != muted_);
}

void Publisher::renew_token(const std::string &token) {
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    channel = session_;
    if (!channel)
      early_token_ = token;
  }
  if (channel && !token.empty())
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

unsigned Publisher::max_backlog() const {
  return static_cast<unsigned>(backlog_.limit() / GST_MSECOND);
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

void Publisher::connection_taken() {
  g_object_notify(G_OBJECT(bin_), "push-url");
}

void Publisher::connection_works() {
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
void Publisher::connection_stalled() {
  {
    std::lock_guard lock(mutex_);
    if (!media_down())
      return;
  }
  g_autoptr(GError) cause = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
                                                "The media server takes no more sound");
  announce_reconnecting(GST_ELEMENT(bin_), *cause);
}

void Publisher::connection_broke(const GError &cause) {
  bool tell = false;
  bool give_up = false;
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || silenced_)
      return;
    tell = media_down();
    give_up = reconnect_timeout_s_ >= 0 &&
              Clock::now() - down_since_ >= std::chrono::seconds(reconnect_timeout_s_);
    channel = session_;
  }
  if (g_error_matches(&cause, AGORA_ERROR, AGORA_ERROR_UNTRUSTED)) {
    if (channel)
      channel->push_untrusted(this, cause);
    return;
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
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS &&
      GST_MESSAGE_SRC(message) == GST_OBJECT(frame_sink_.get())) {
    // Not yet the element's: what is queued goes out first.
    end_of_stream(gst_message_get_seqnum(message));
    return true;
  }
  return connections_.swallow(message) || front_.explain(message);
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
      "agorasink-stats", "sent-bytes", G_TYPE_UINT64, connections_.sent_bytes(), "queued-ms",
      G_TYPE_UINT64, static_cast<guint64>(totals.queued / GST_MSECOND), "dropped-ms", G_TYPE_UINT64,
      static_cast<guint64>(totals.dropped / GST_MSECOND), "dropped-frames", G_TYPE_UINT64,
      static_cast<guint64>(totals.dropped_frames), "filled-ms", G_TYPE_UINT64,
      static_cast<guint64>(filled_ / GST_MSECOND), "sessions", G_TYPE_UINT, connections_.sessions(),
      "reconnects", G_TYPE_UINT, reconnects, nullptr);
}

std::string Publisher::push_url() const {
  return connections_.url();
}

const char *Publisher::connection_state() const {
  const std::shared_ptr<Membership> channel = session();
  return channel ? channel->state() : "idle";
}

}  // namespace agora
