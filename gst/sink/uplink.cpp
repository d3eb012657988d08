// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/uplink.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/handoff.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds accept_poll(5);
constexpr milliseconds accept_limit(6000);
constexpr milliseconds drain_poll(10);
constexpr milliseconds retire_limit(200);
// How long a session that was replaced is sent the same sound as the new one: whoever listens to
// its name is told the other one by the gateway, and goes over by a session of its own.
constexpr milliseconds overlap(200);
// How often the kernel is asked how far the server has taken what was sent, and how long it may
// take nothing: longer than a lost packet on a slow network. Its buffers hide the first three
// seconds.
constexpr milliseconds look_interval(100);
constexpr milliseconds still_limit(450);
// Frames that sit in the muxer while the network stands are late by more than the backlog allows.
constexpr milliseconds stale_slack(200);

}  // namespace

Uplink::Uplink(GstBin *bin, FrameQueue &backlog, Owner &owner)
    : bin_(bin), backlog_(backlog), owner_(owner) {
  feed_ = sink_ref(gst_pad_new("feed", GST_PAD_SRC));
  gate_ = sink_ref(gst_pad_new("gate", GST_PAD_SINK));
  gst_pad_set_element_private(gate_.get(), this);
  gst_pad_set_chain_function(gate_.get(), on_buffer);
  gst_pad_set_event_function(gate_.get(), on_event);
  gst_pad_set_query_function(feed_.get(), on_feed_query);
  gst_pad_set_query_function(gate_.get(), on_gate_query);
}

Uplink::~Uplink() {
  stop();
}

bool Uplink::start() {
  if (!require_element(GST_ELEMENT(bin_), "flvmux", "gstreamer1.0-plugins-good") ||
      !require_element(GST_ELEMENT(bin_), "rtmp2sink", "gstreamer1.0-plugins-bad"))
    return false;
  muxer_ = sink_ref(gst_element_factory_make("flvmux", nullptr));
  g_object_set(muxer_.get(), "streamable", TRUE, nullptr);
  gst_bin_add(bin_, muxer_.get());
  gst_element_set_locked_state(muxer_.get(), TRUE);

  {
    std::lock_guard lock(mutex_);
    running_ = true;
    run_++;
    ended_ = works_ = standing_ = false;
    sent_bytes_ = 0;
    sessions_ = 0;
    in_flight_.clear();
  }
  gst_pad_set_active(gate_.get(), TRUE);
  gst_pad_set_active(feed_.get(), TRUE);
  ObjectPtr<GstPad> out(gst_element_get_static_pad(muxer_.get(), "src"));
  ObjectPtr<GstPad> in(gst_element_request_pad_simple(muxer_.get(), "audio"));
  gst_pad_link(out.get(), gate_.get());
  gst_pad_link(feed_.get(), in.get());
  gst_element_set_state(muxer_.get(), GST_STATE_PLAYING);

  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(feed_.get(), gst_event_new_stream_start("agorasink"));
  fed_.reset();
  return true;
}

void Uplink::stop() {
  std::vector<ConnectionPtr> legs;
  {
    std::lock_guard lock(mutex_);
    running_ = false;
    // Until they are closed what they say is known for theirs.
    legs = legs_;
    leg_.reset();
    next_.reset();
    former_.reset();
    changed_.notify_all();
  }
  for (const ConnectionPtr &leg : legs)
    leg->cut();
  const Deadline until = told_by();
  for (const ConnectionPtr &leg : legs)
    leg->close(until);
  {
    std::lock_guard lock(mutex_);
    for (const ConnectionPtr &leg : legs)
      std::erase(legs_, leg);
  }
  legs.clear();
  if (!muxer_)
    return;
  gst_pad_set_active(gate_.get(), FALSE);
  gst_pad_set_active(feed_.get(), FALSE);
  gst_element_set_state(muxer_.get(), GST_STATE_NULL);
  ObjectPtr<GstPad> out(gst_element_get_static_pad(muxer_.get(), "src"));
  gst_pad_unlink(out.get(), gate_.get());
  ObjectPtr<GstPad> in(gst_pad_get_peer(feed_.get()));
  if (in)
    gst_pad_unlink(feed_.get(), in.get());
  gst_bin_remove(bin_, muxer_.get());
  muxer_.reset();
  muxed_.reset();
}

// The muxer asks whether it is live, to wait for pads that are late. There is one pad alone.
gboolean Uplink::on_feed_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    gst_query_set_latency(query, FALSE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

// Whatever the muxer makes: its caps change with the sound's format.
gboolean Uplink::on_gate_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_set_accept_caps_result(query, TRUE);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

GstFlowReturn Uplink::send(GstBuffer *buffer, GstCaps *caps, Clock::time_point arrival) {
  const bool first = !fed_;
  if (first || (caps != fed_.get() && !gst_caps_is_equal(caps, fed_.get()))) {
    gst_pad_push_event(feed_.get(), gst_event_new_caps(caps));
    fed_ = share(caps);
  }
  if (first) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(feed_.get(), gst_event_new_segment(&segment));
  }
  {
    std::lock_guard lock(mutex_);
    in_flight_.push_back({GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer), arrival});
  }
  return gst_pad_push(feed_.get(), gst_buffer_ref(buffer));
}

void Uplink::send_end() {
  gst_pad_push_event(feed_.get(), gst_event_new_eos());
}

GstFlowReturn Uplink::on_buffer(GstPad *pad, GstObject *, GstBuffer *buffer) {
  auto *self = static_cast<Uplink *>(gst_pad_get_element_private(pad));
  BufferPtr owned(buffer);
  return self->render(buffer);
}

gboolean Uplink::on_event(GstPad *pad, GstObject *, GstEvent *event) {
  auto *self = static_cast<Uplink *>(gst_pad_get_element_private(pad));
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      self->muxed_ = share(caps);
      break;
    }
    case GST_EVENT_EOS:
      self->finish();
      break;
    default:
      break;
  }
  gst_event_unref(event);
  return TRUE;
}

Uplink::ConnectionPtr Uplink::await_leg() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !running_ || (leg_ && !leg_->broken()); });
  return running_ ? leg_ : nullptr;
}

bool Uplink::is_stale(GstBuffer *buffer) {
  const GstClockTime time = GST_BUFFER_PTS(buffer);
  GstClockTime lost = 0;
  bool stale = false;
  {
    const auto limit = milliseconds(backlog_.limit() / GST_MSECOND) + stale_slack;
    std::lock_guard lock(mutex_);
    while (GST_CLOCK_TIME_IS_VALID(time) && !in_flight_.empty() && in_flight_.front().time < time)
      in_flight_.pop_front();
    if (!in_flight_.empty() && in_flight_.front().time == time) {
      stale = Clock::now() - in_flight_.front().arrival > limit;
      lost = in_flight_.front().duration;
    }
  }
  if (stale)
    backlog_.add_dropped(lost, 1);
  return stale;
}

// The muxer is done with the frame in `buffer`, and with all before it.
void Uplink::left(GstBuffer *buffer) {
  const GstClockTime time = GST_BUFFER_PTS(buffer);
  std::lock_guard lock(mutex_);
  while (GST_CLOCK_TIME_IS_VALID(time) && !in_flight_.empty() && in_flight_.front().time <= time)
    in_flight_.pop_front();
}

bool Uplink::idle() const {
  std::lock_guard lock(mutex_);
  return running_ && in_flight_.empty();
}

GstFlowReturn Uplink::render(GstBuffer *buffer) {
  for (;;) {
    const ConnectionPtr leg = await_leg();
    if (!leg)
      return GST_FLOW_FLUSHING;
    // Headers come to every session with the caps.
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER))
      return GST_FLOW_OK;
    const bool stale = is_stale(buffer);
    if (stale || leg->push(buffer, muxed_.get()) == GST_FLOW_OK) {
      left(buffer);
      if (!stale) {
        rendered(leg, gst_buffer_get_size(buffer));
        send_to_former(buffer);
      }
      return GST_FLOW_OK;
    }
    // Its own message may be under way still, and tells the cause; a session that was replaced or
    // closed is no longer asked about.
    g_autoptr(GError) error = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
                                                  "The RTMP session to the media server ended");
    broke(leg, *error);
  }
}

// Waits where that one's network does, but no longer than it is kept.
void Uplink::send_to_former(GstBuffer *buffer) {
  ConnectionPtr former;
  {
    std::lock_guard lock(mutex_);
    if (!former_ || former_->broken())
      return;
    former = former_;
    in_former_ = former.get();
  }
  former->push(buffer, muxed_.get());
  std::lock_guard lock(mutex_);
  in_former_ = nullptr;
}

void Uplink::rendered(const ConnectionPtr &leg, gsize bytes) {
  bool tell = false;
  {
    std::lock_guard lock(mutex_);
    sent_bytes_ += bytes;
    tell = leg == leg_ && !standing_ && !std::exchange(works_, true);
  }
  if (tell)
    owner_.leg_works();
}

void Uplink::connect(const std::string &url) {
  ConnectionPtr old;
  bool wait = false;
  {
    std::lock_guard lock(mutex_);
    if (!running_)
      return;
    if (leg_ && !leg_->broken()) {
      if (leg_->url() == url)
        return;
      // Only a session that works is worth keeping until the new one does.
      wait = works_;
    }
    old = std::move(next_);
  }
  if (old)
    retire(std::move(old), false);

  g_autoptr(GError) error = nullptr;
  ConnectionPtr leg = PushConnection::make(bin_, url, &error);
  if (!leg) {
    owner_.leg_broke(*error);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (running_) {
      legs_.push_back(leg);
      sessions_++;
      if (wait)
        next_ = leg;
    }
  }
  leg->open();
  if (wait)
    run_async(GST_ELEMENT(bin_), [this, leg] { promote(leg); });
  else
    install(leg, false);
}

// Waits for the server's word, and takes the new session into use then.
void Uplink::promote(ConnectionPtr leg) {
  const auto deadline = Clock::now() + accept_limit;
  for (;;) {
    if (leg->accepted())
      break;
    std::unique_lock lock(mutex_);
    const bool over = changed_.wait_for(lock, accept_poll, [&] {
      return !running_ || next_ != leg || leg->broken() || Clock::now() > deadline;
    });
    if (!over)
      continue;
    const bool mine = running_ && next_ == leg;
    if (mine)
      next_.reset();
    lock.unlock();
    if (mine)
      retire(leg, false);
    return;
  }
  install(leg, true);
}

// `promoted`: unless another one has been asked for since.
void Uplink::install(const ConnectionPtr &leg, bool promoted) {
  ConnectionPtr old;
  bool graceful = false;
  {
    std::lock_guard lock(mutex_);
    if (!running_ || (promoted && next_ != leg))
      return;
    old = std::exchange(leg_, leg);
    standing_ = false;
    taken_ = 0;
    taken_at_ = Clock::now();
    graceful = old && !old->broken() && works_;
    if (next_ == leg)
      next_.reset();
    if (graceful)
      former_ = old;
    else
      works_ = false;
    changed_.notify_all();
  }
  if (old)
    retire(std::move(old), graceful);
  owner_.leg_taken();
  // It may have broken before anyone depended on it; nobody was told then.
  if (leg->broken())
    broke(leg, *leg->cause());
}

void Uplink::retire(ConnectionPtr leg, bool graceful) {
  run_async(GST_ELEMENT(bin_), [this, leg = std::move(leg), graceful] {
    if (graceful)
      outlast(leg);
    leg->close();
    std::lock_guard lock(mutex_);
    std::erase(legs_, leg);
  });
}

// Waits while the session is sent what the new one is, and until that is on its way.
void Uplink::outlast(const ConnectionPtr &leg) {
  std::unique_lock lock(mutex_);
  const auto gone = [&] { return !running_ || leg->broken(); };
  changed_.wait_for(lock, overlap, [&] { return gone() || former_ != leg; });
  if (former_ == leg)
    former_.reset();
  // Whoever waits in it is the one who serves the new session.
  if (in_former_ == leg.get())
    return;
  const auto deadline = Clock::now() + retire_limit;
  std::optional<guint64> sent;
  do {
    // Not under the lock: it is wanted by whoever tells of the session's end, with its own held.
    lock.unlock();
    const guint64 now = leg->sent_bytes();
    const bool over = std::exchange(sent, now) == now || Clock::now() > deadline;
    lock.lock();
    if (over)
      return;
  } while (!changed_.wait_for(lock, drain_poll, gone));
}

void Uplink::broke(const ConnectionPtr &leg, const GError &cause) {
  bool tell = false;
  {
    std::lock_guard lock(mutex_);
    leg->set_broken(cause);
    tell = running_ && leg == leg_;
    if (tell) {
      leg_.reset();
      works_ = false;
    }
    changed_.notify_all();
  }
  if (!tell)
    return;
  GST_INFO_OBJECT(bin_, "session broke: %s", cause.message);
  retire(leg, false);
  owner_.leg_broke(cause);
}

bool Uplink::stalled() {
  std::lock_guard lock(mutex_);
  return leg_ && std::exchange(works_, false);
}

bool Uplink::swallow(GstMessage *message) {
  ConnectionPtr leg;
  {
    std::lock_guard lock(mutex_);
    const auto it =
        std::find_if(legs_.begin(), legs_.end(), [message] (const ConnectionPtr &known) {
          return GST_MESSAGE_SRC(message) == GST_OBJECT(known->element());
        });
    if (it != legs_.end())
      leg = *it;
  }
  const GstMessageType type = GST_MESSAGE_TYPE(message);
  if (leg && type == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    g_autofree char *debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    GST_INFO_OBJECT(bin_, "%s (%s)", error->message, debug);
    broke(leg, *error);
    return true;
  }
  return leg && (type == GST_MESSAGE_EOS || type == GST_MESSAGE_WARNING);
}

void Uplink::finish() {
  const ConnectionPtr leg = await_leg();
  if (leg)
    leg->end();
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void Uplink::moved() {
  std::lock_guard lock(mutex_);
  moves_++;
}

bool Uplink::stands_still() {
  const auto now = Clock::now();
  ConnectionPtr leg;
  {
    std::lock_guard lock(mutex_);
    if (!leg_ || leg_->broken() || now - looked_ < look_interval)
      return standing_;
    looked_ = now;
    leg = leg_;
  }
  const std::optional<Sending> sending = leg->sending();
  std::lock_guard lock(mutex_);
  if (leg != leg_)
    return false;
  if (!sending || sending->waiting == 0 || sending->taken != taken_) {
    taken_ = sending ? sending->taken : 0;
    taken_at_ = now;
    standing_ = false;
  } else if (now - taken_at_ > still_limit) {
    standing_ = true;
  }
  return standing_;
}

bool Uplink::drain(milliseconds quiet, milliseconds most) {
  const auto begin = Clock::now();
  auto moved_at = begin;
  guint64 sent = 0;
  guint64 moved = 0;
  std::unique_lock lock(mutex_);
  const guint run = run_;
  const auto cancelled = [&] { return !running_ || run_ != run; };
  while (!changed_.wait_for(lock, drain_poll, cancelled)) {
    const ConnectionPtr leg = leg_ ? leg_ : next_;
    const bool ended = ended_;
    const guint moves = moves_;
    if (ended && (!leg || leg->broken()))
      return false;
    lock.unlock();
    const auto now = Clock::now();
    bool done = false;
    guint64 position = moves;
    if (leg) {
      const guint64 bytes = leg->sent_bytes();
      const bool same = std::exchange(sent, bytes) == bytes;
      const std::optional<Sending> sending = leg->sending();
      done = ended && bytes > 0 && same && (!sending || sending->waiting == 0);
      position += bytes + (sending ? sending->taken : 0);
    }
    if (std::exchange(moved, position) != position)
      moved_at = now;
    lock.lock();
    if (done)
      return true;
    if (now - moved_at > quiet || now - begin > most)
      return false;
  }
  return false;
}

std::string Uplink::url() const {
  std::lock_guard lock(mutex_);
  return leg_ ? leg_->url() : next_ ? next_->url() : std::string();
}

guint64 Uplink::sent_bytes() const {
  std::lock_guard lock(mutex_);
  return sent_bytes_;
}

guint Uplink::sessions() const {
  std::lock_guard lock(mutex_);
  return sessions_;
}

}  // namespace agora
