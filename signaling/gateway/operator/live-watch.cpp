// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/live-watch.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace agora::gateway {

namespace {

constexpr std::int64_t live_pulse_us = G_USEC_PER_SEC;
// Of one watcher: as many members as are shown, and a few seconds.
constexpr std::size_t most_live_bytes = 4 * 1024 * 1024;
// After it a reader has to show again that it may.
constexpr std::int64_t longest_watch_us = std::int64_t{15} * 60 * G_USEC_PER_SEC;

Now live_now () {
  return {g_get_monotonic_time() / 1000, g_get_real_time() / G_USEC_PER_SEC};
}

}  // namespace

LiveWatch::LiveWatch(const ChannelBook &book, bool shared, std::function<LiveGateway()> look)
    : view_(book, shared),
      look_(std::move(look)),
      streams_(watch_, most_live_bytes,
               [this] (EventSink &sink) {
                 since_.erase(&sink);
                 arm();
               }),
      pulse_([this] { tick(); }) {
}

const std::string &LiveWatch::all() {
  const auto at = g_get_monotonic_time();
  if (all_at_ == 0 || at - all_at_ >= live_pulse_us) {
    all_ = view_.all(look_(), live_now());
    all_at_ = at;
    first_.reset();
  }
  return all_;
}

void LiveWatch::open(GIOStream *stream, GSocket *socket, const std::string &head) {
  // What changes from here on is told of.
  if (since_.empty())
    view_.begin();
  all();
  if (!first_)
    first_ = std::make_shared<const std::string>(text_of({"all", all_}));
  auto &sink = streams_.open(stream, socket, head);
  since_[&sink] = g_get_monotonic_time();
  sink.tell(first_);
  arm();
}

void LiveWatch::end() {
  for (const auto &[sink, since] : std::exchange(since_, {}))
    sink->end();
  arm();
}

void LiveWatch::arm() {
  if (since_.empty()) {
    due_ = 0;
    pulse_.stop();
  } else if (due_ == 0) {
    due_ = g_get_monotonic_time() + live_pulse_us;
    pulse_.at(due_);
  }
}

void LiveWatch::tick() {
  const auto at = g_get_monotonic_time();
  // Of a loop that was held up, no turn is made up for.
  due_ = std::max(due_ + live_pulse_us, at + live_pulse_us / 2);
  pulse_.at(due_);
  const auto changes =
      std::make_shared<const std::string>(text_of({"changes", view_.changes(look_(), live_now())}));
  // Whoever comes now has to see what was told just before.
  all_at_ = 0;
  std::vector<EventSink *> over;
  for (const auto &[sink, since] : since_) {
    sink->tell(changes);
    if (at - since > longest_watch_us)
      over.push_back(sink);
  }
  for (auto *sink : over) {
    since_.erase(sink);
    sink->end();
  }
  arm();
}

}  // namespace agora::gateway
