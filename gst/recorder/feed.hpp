// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a file's pipeline is fed with, in order: buffers, and stretches of silence, which are made
// when they are asked for. Hours of them cost no memory, and keep nobody waiting but this file.
#pragma once

#include <gst/app/gstappsrc.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "gst/common/gst-ptr.hpp"

namespace agora::recorder {

class Feed {
 public:
  // The next piece of silence of `room` ns or less that begins at `at`, with its time, and null
  // where there is none as short.
  using MakeSilence = std::function<BufferPtr(std::int64_t at, std::int64_t room)>;
  // All that was given has come to the pipeline's end. Its streaming thread.
  using Drained = std::function<void()>;

  Feed(GstAppSrc *source, std::size_t most_bytes, MakeSilence make_silence, Drained drained);
  // The pipeline has stopped.
  ~Feed() = default;
  Feed(const Feed &) = delete;
  Feed &operator=(const Feed &) = delete;

  // Any thread. False: so much waits that this has no room.
  bool put (BufferPtr buffer);
  // Running time, in ns.
  void silence (std::int64_t from, std::int64_t to);
  // What was put in goes to a pipeline that waits: at once, so that it wakes once for all of it.
  void serve ();
  void end ();
  // How many of what was put in there are, and how many of them are through the pipeline.
  std::uint64_t added () {
    std::lock_guard lock(mutex_);
    return taken_ + items_.size();
  }
  std::uint64_t through () {
    std::lock_guard lock(mutex_);
    return through_;
  }
  // Grows for as long as something is taken.
  std::uint64_t given () const { return given_; }

 private:
  struct Item {
    BufferPtr buffer;  // null: silence
    std::int64_t from = 0;
    std::int64_t to = 0;
  };
  // With the lock held.
  void pump ();
  static void need_data (GstAppSrc *source, guint length, gpointer self) noexcept;

  GstAppSrc *source_;
  const std::size_t most_bytes_;
  const MakeSilence make_silence_;
  const Drained drained_;
  std::atomic<std::uint64_t> given_ = 0;
  std::mutex mutex_;  // guards what follows; before the source's own
  std::deque<Item> items_;
  std::uint64_t taken_ = 0;  // of items
  std::uint64_t through_ = 0;
  std::size_t bytes_ = 0;
  bool hungry_ = false;  // asked for something, and there was nothing
  bool ending_ = false;
};

}  // namespace agora::recorder
