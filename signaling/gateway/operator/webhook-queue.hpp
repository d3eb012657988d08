// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The events that wait for the operator's receiver. Channels take turns, so that a lively one
// delays no other; what changes again before it is told is told once; and there is a bound, which
// whoever has most waiting comes up for. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace agora::gateway {

class WebhookQueue {
 public:
  struct Event {
    std::string channel;  // whose turn it takes
    std::string state;  // what it tells the last of, such as a member's role; "": every one counts
    std::string id;
    std::string body;
    unsigned tries = 0;
  };

  // Of so many at most, and so many of one channel under way at once.
  WebhookQueue(std::size_t limit, unsigned at_once) : limit_(limit), at_once_(at_once) {}

  // False: the bound was reached, and an event dropped: this one, or one of the channel that has
  // most.
  bool push (Event event);
  // The next one to send. It is under way until done() or rest().
  std::optional<Event> pop ();
  void done (const Event &event);
  // It wasn't taken: again at that moment, unless there is a newer one by then.
  void rest (Event event, std::int64_t until);
  // Those that have rested enough are due.
  void wake (std::int64_t now);
  std::optional<std::int64_t> next_wake () const;

  bool has_due () const { return !turns_.empty(); }
  // Of all kinds.
  std::size_t size () const { return size_; }

 private:
  struct Line {
    std::list<Event> due;
    std::unordered_map<std::string, std::list<Event>::iterator> states;  // of those that are due
    unsigned under_way = 0;
    std::size_t size = 0;  // those that rest or are under way included
  };
  void append (Line &line, Event event);
  void leave (std::unordered_map<std::string, Line>::iterator line);
  bool make_room (const std::string &channel);

  const std::size_t limit_;
  const unsigned at_once_;
  std::unordered_map<std::string, Line> lines_;  // by channel
  std::list<std::string> turns_;                 // channels with something due; the first is next
  std::multimap<std::int64_t, Event> resting_;
  std::size_t size_ = 0;
};

}  // namespace agora::gateway
