// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What one track has for the disk: the streaming thread puts in and never waits, the disk's thread
// takes out.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "gst/common/gst-ptr.hpp"

namespace agora::recorder {

// A piece of sound. Its place is counted from the recording's zero: in frames where it is raw, in
// nanoseconds where it is as it was sent.
struct Piece {
  std::int64_t at = 0;
  std::int64_t length = 0;
  BufferPtr sound;
  CapsPtr caps;
};

class Lane {
 public:
  // Holds `most_bytes`, which a disk that stands still fills.
  explicit Lane(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // Any thread.
  void put (Piece piece) {
    const std::size_t size = gst_buffer_get_size(piece.sound.get());
    std::lock_guard lock(mutex_);
    if (pieces_.size() >= kMostPieces || bytes_ + size > most_bytes_) {
      if (lost_ == 0)
        lost_at_ = piece.at;
      lost_ += piece.length;
      return;
    }
    bytes_ += size;
    pieces_.push_back(std::move(piece));
  }

  struct Taken {
    std::vector<Piece> pieces;
    std::int64_t lost = 0;  // length of what there was no room for
    std::int64_t lost_at = 0;
  };
  Taken take () {
    Taken taken;
    std::lock_guard lock(mutex_);
    taken.pieces.swap(pieces_);
    taken.lost = std::exchange(lost_, 0);
    taken.lost_at = lost_at_;
    bytes_ = 0;
    return taken;
  }

 private:
  // 20 s of the shortest packets that Opus has.
  static constexpr std::size_t kMostPieces = 8000;

  const std::size_t most_bytes_;
  std::mutex mutex_;  // guards what follows; a leaf
  std::vector<Piece> pieces_;
  std::size_t bytes_ = 0;
  std::int64_t lost_ = 0;
  std::int64_t lost_at_ = 0;
};

}  // namespace agora::recorder
