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
  double lost = 0;             // seconds that found no room, until the next file begins
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
    double behind = 0;         // seconds by which heard() may be late
  };
  struct Sheet {
    std::int64_t segment = 0;
    std::string text;
    bool last = false;  // of its segment
  };

  explicit CueBook(Head head) : head_(std::move(head)) {}

  void speaks (std::uint32_t uid, double at);
  void stops (std::uint32_t uid, double at);
  // "": none any more. A speaker's first one comes before speaks().
  void named (std::uint32_t uid, double at, const std::string &name);
  // Where there is sound of theirs, one after another; and what of it is in no file.
  void heard (std::uint32_t uid, double from, double to);
  void lost (std::int64_t segment, std::uint32_t uid, double from, double to);
  // With uid 0 it is about the whole.
  void note (const std::string &what, double at, std::uint32_t uid = 0,
             const std::string &text = {});
  // Replaces what was told of the file before.
  void file (std::int64_t segment, std::uint32_t uid, const FileCue &cue);
  // It held nothing, and is gone.
  void forget (std::int64_t segment, std::uint32_t uid, const std::string &name);

  // Sheets with news, and those that progress alone has changed where `progress`; those of segments
  // that ended before `done` are told for the last time.
  std::vector<Sheet> take (double at, std::int64_t done, bool progress, bool finished);

 private:
  struct Stay {
    double from = 0;
    double to = -1;  // below 0: still there
  };
  struct Span {
    double from = 0;
    double to = 0;
  };
  struct Speaker {
    std::string name;
    std::vector<Stay> stays;
    std::vector<Span> pauses;  // in which nothing was heard
    std::uint64_t reconnects = 0;
    std::vector<double> broke;  // when, for each of them
    std::vector<Span> lost;
    double lost_seconds = 0;
    std::vector<FileCue> files;
  };
  // As a sheet has it.
  struct Heard {
    std::vector<Span> speaks;
    std::uint64_t reconnects = 0;
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
    std::uint64_t reconnects = 0;  // of the whole
    bool news = true;
  };

  // With the lock held.
  std::int64_t segment_of (double at) const;
  double begin_of (std::int64_t segment) const;
  Page &page (std::int64_t segment);
  void add_event (Event event);
  // `from` to `to` are the sheet's; sound is known up to `known`.
  Heard heard_of (std::uint32_t uid, const Speaker &speaker, Span sheet, double known) const;
  bool was_away (Span pause) const;
  std::string write (std::int64_t segment, const Page &page, double at, double known,
                     bool last) const;

  const Head head_;
  std::mutex mutex_;  // guards what follows; a leaf
  std::map<std::int64_t, Page> pages_;
  std::map<std::uint32_t, double> there_;  // who speaks, since when
  std::map<std::uint32_t, double> heard_;  // until when
  std::map<std::uint32_t, std::string> names_;
  std::vector<Stay> away_;  // the channel itself was lost
  std::int64_t done_ = 0;   // what is before was told for the last time
  double latest_ = 0;       // that something happened
};

}  // namespace agora::recorder
