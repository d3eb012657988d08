// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The thread that writes: all tracks a few times a second, so that a disk that stands still holds
// up nobody who hears.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/folder.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/sheet-pace.hpp"
#include "gst/recorder/track.hpp"

namespace agora::recorder {

// For the terminal.
struct Progress {
  struct One {
    std::uint32_t uid;
    std::optional<double> peak;  // linear, since the last time
  };
  std::int64_t at = 0;  // ns
  std::vector<One> tracks;
  std::uint64_t free = 0;
  bool full = false;
};

class Disk {
 public:
  // `now`: ns since the recording's zero. The callbacks come from the disk's thread.
  struct Hooks {
    std::function<std::int64_t()> now;
    std::function<void(const Progress &)> progress;
    std::function<void(const std::string &)> problem;
  };

  Disk(const Options &options, const Folder &folder, CueBook &cues, Hooks hooks);
  ~Disk();
  Disk(const Disk &) = delete;
  Disk &operator=(const Disk &) = delete;

  void start ();
  // Where a speaker's sound goes, the mix's with uid 0; null: there are too many already.
  std::shared_ptr<Lane> lane (std::uint32_t uid);
  // Sound after `end` isn't recorded. Any thread.
  void limit (std::int64_t end) { limit_ = end; }
  // All sound is in the lanes: writes it, fills up to `end`, and ends all files. Returns when that
  // is done, or the disk doesn't take it.
  void finish (std::int64_t end);
  // Whether each piece of sound found its place.
  bool whole () const { return whole_; }

 private:
  void run ();
  void write_all (bool last);
  void look_at_room (std::int64_t now);
  void write_sheets (std::int64_t now, bool last);
  void show (std::int64_t now);
  void refused (std::uint32_t uid, const std::string &codec, std::int64_t now);
  void trouble (std::uint32_t uid, const std::string &text, std::int64_t now);

  const Options &options_;
  const Folder &folder_;
  CueBook &cues_;
  const Hooks hooks_;

  std::mutex mutex_;  // guards what follows; a leaf
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Track>> tracks_;
  bool over_ = false;

  std::atomic<std::int64_t> limit_ = INT64_MAX;
  std::atomic<bool> whole_ = true;
  // The disk's thread alone.
  bool room_ = true;
  unsigned rounds_ = 0;
  SheetPace pace_;
  std::size_t sheet_size_ = 0;
  bool sheet_failed_ = false;
  std::int64_t told_at_ = -1;  // the last trouble
  std::thread thread_;
};

}  // namespace agora::recorder
