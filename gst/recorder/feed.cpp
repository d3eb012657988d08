// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/feed.hpp"

#include <utility>

namespace agora::recorder {

namespace {

// Buffers that are given at a time: silence of a second is large.
constexpr int kAtATime = 16;

}  // namespace

Feed::Feed(GstAppSrc *source, std::size_t most_bytes, MakeSilence make_silence, Drained drained)
    : source_(source),
      most_bytes_(most_bytes),
      make_silence_(std::move(make_silence)),
      drained_(std::move(drained)) {
  GstAppSrcCallbacks callbacks{};
  callbacks.need_data = need_data;
  gst_app_src_set_callbacks(source_, &callbacks, this, nullptr);
}

void Feed::need_data(GstAppSrc *, guint, gpointer data) noexcept {
  auto *self = static_cast<Feed *>(data);
  // It asks when it has nothing left.
  self->drained_();
  std::lock_guard lock(self->mutex_);
  self->through_ = self->taken_;
  self->hungry_ = true;
  self->pump();
}

void Feed::pump() {
  for (int count = 0; count < kAtATime && !items_.empty(); count++) {
    Item &item = items_.front();
    BufferPtr next;
    if (item.buffer) {
      next = std::move(item.buffer);
      bytes_ -= gst_buffer_get_size(next.get());
      items_.pop_front();
      taken_++;
    } else {
      next = make_silence_(item.from, item.to - item.from);
      if (!next) {
        items_.pop_front();
        taken_++;
        continue;
      }
      item.from =
          static_cast<std::int64_t>(GST_BUFFER_PTS(next.get()) + GST_BUFFER_DURATION(next.get()));
    }
    hungry_ = false;
    given_++;
    gst_app_src_push_buffer(source_, next.release());
  }
  // Once: what comes after it is refused.
  if (items_.empty() && std::exchange(ending_, false)) {
    hungry_ = false;
    gst_app_src_end_of_stream(source_);
  }
}

bool Feed::put(BufferPtr buffer) {
  const std::size_t size = gst_buffer_get_size(buffer.get());
  std::lock_guard lock(mutex_);
  if (bytes_ + size > most_bytes_)
    return false;
  bytes_ += size;
  items_.push_back({std::move(buffer)});
  return true;
}

void Feed::silence(std::int64_t from, std::int64_t to) {
  std::lock_guard lock(mutex_);
  items_.push_back({nullptr, from, to});
}

void Feed::serve() {
  std::lock_guard lock(mutex_);
  if (hungry_)
    pump();
}

void Feed::end() {
  std::lock_guard lock(mutex_);
  ending_ = true;
  if (hungry_)
    pump();
}

}  // namespace agora::recorder
