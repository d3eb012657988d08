// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Cue sheets: who spoke when, what broke, which files there are. One sheet for each segment, so
// that none grows for ever. The main loop tells what happens, the disk's thread what was written;
// times are seconds since the recording's zero.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace agora::recorder {

struct FileCue {
  std::string name;
  double seconds = 0;
  double lost = 0;             // seconds that found no room
  std::optional<double> peak;  // linear; none: it wasn't decoded
  double rms = 0;
};

class CueBook {
 public:
  struct Head {
    std::string app_id;
    std::string channel;
    std::string format;
    std::int64_t zero_us = 0;  // of the wall clock
    double segment = 0;        // seconds; 0: there is only one
  };
  struct Sheet {
    std::int64_t segment = 0;
    std::string text;
    bool last = false;  // of its segment
  };

  explicit CueBook(Head head) : head_(std::move(head)) {}

  void speaks (std::uint32_t uid, double at);
  void stops (std::uint32_t uid, double at);
  // With uid 0 it is about the whole.
  void note (const std::string &what, double at, std::uint32_t uid = 0,
             const std::string &text = {});
  // Replaces what was told of the file before.
  void file (std::int64_t segment, std::uint32_t uid, const FileCue &cue);

  // Sheets with news, and those that progress alone has changed where `progress`; those of segments
  // that ended before `done` are told for the last time.
  std::vector<Sheet> take (double at, std::int64_t done, bool progress, bool finished);

 private:
  struct Stay {
    double from = 0;
    double to = -1;  // below 0: still there
  };
  struct Speaker {
    std::vector<Stay> stays;
    std::uint64_t reconnects = 0;
    std::vector<FileCue> files;
  };
  struct Event {
    double at;
    std::string what;
    std::uint32_t uid;
    std::string text;
  };
  struct Page {
    std::map<std::uint32_t, Speaker> speakers;
    std::vector<Event> events;
    std::uint64_t left_out = 0;
    bool news = true;
  };

  // With the lock held.
  std::int64_t segment_of (double at) const;
  double begin_of (std::int64_t segment) const;
  Page &page (std::int64_t segment);
  std::string write (std::int64_t segment, const Page &page, double at, bool last) const;

  const Head head_;
  std::mutex mutex_;  // guards what follows; a leaf
  std::map<std::int64_t, Page> pages_;
  std::map<std::uint32_t, double> there_;  // who speaks, since when
};

}  // namespace agora::recorder
