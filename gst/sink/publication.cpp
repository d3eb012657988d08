// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/publication.hpp"

#include <utility>

#include "gst/sink/flv-muxer.hpp"
#include "gst/sink/opus-tagger.hpp"

namespace agora {

namespace {

using std::chrono::milliseconds;

// At the end what is queued is still to be sent: as long as it moves, but for a network that stands
// still nobody waits.
constexpr milliseconds drain_quiet(450);
constexpr milliseconds drain_most(5000);

std::unique_ptr<TagMaker> make_tag_maker (VoiceCodec codec, GstBin *bin, TagMaker::Taker &taker) {
  if (codec == VoiceCodec::opus)
    return std::make_unique<OpusTagger>(taker);
  return std::make_unique<FlvMuxer>(bin, taker);
}

}  // namespace

Publication::Publication(GstBin *bin, Owner &owner, OnAir &air, VoiceCodec codec)
    : bin_(bin),
      owner_(owner),
      air_(air),
      codec_(codec),
      muxer_(make_tag_maker(codec, bin, *this)),
      connections_(bin, *this) {
}

// Whose reference was the last one is settled by a counter, which ThreadSanitizer doesn't see where
// it is GLib's: it sees what the locks settle.
Publication::~Publication() {
  std::scoped_lock lock(feed_mutex_, stop_mutex_);
}

bool Publication::start() {
  backlog_.start();
  backlog_.set_limit(air_.max_backlog);
  {
    std::lock_guard lock(stop_mutex_);
    stopped_ = Stopped::no;
  }
  if (!connections_.start() || !muxer_->start())
    return false;
  feeder_ = g_thread_new(
      "agorasink:feed",
      [] (gpointer self) noexcept -> gpointer {
        static_cast<Publication *>(self)->feed();
        return nullptr;
      },
      this);
  return true;
}

void Publication::stop() {
  {
    std::unique_lock lock(stop_mutex_);
    if (stopped_ == Stopped::under_way)
      stopped_changed_.wait(lock, [this] { return stopped_ == Stopped::yes; });
    if (stopped_ == Stopped::yes)
      return;
    stopped_ = Stopped::under_way;
  }
  over_ = true;
  connections_.stop();
  muxer_->stop();
  backlog_.stop();
  if (feeder_)
    g_thread_join(std::exchange(feeder_, nullptr));
  std::lock_guard lock(stop_mutex_);
  stopped_ = Stopped::yes;
  // Under the lock: who waits may let go of this as soon as it is free.
  stopped_changed_.notify_all();
}

bool Publication::take(Frame frame) {
  const bool dropped = !feed_now(frame) && !backlog_.put(std::move(frame));
  return (connections_.stands_still() || dropped) && connections_.stalled();
}

void Publication::set_wanted(bool wanted) {
  if (wanted_.exchange(wanted) != wanted && !wanted)
    connections_.disconnect();
}

bool Publication::end() {
  if (ended_.exchange(true))
    return false;
  backlog_.end();
  return true;
}

bool Publication::drain() {
  return connections_.drain(drain_quiet, drain_most);
}

void Publication::connection_broke(const GError &cause) {
  if (!over_)
    owner_.connection_broke(*this, cause);
}

void Publication::connection_refused() {
  if (!over_)
    owner_.connection_refused(*this);
}

}  // namespace agora
