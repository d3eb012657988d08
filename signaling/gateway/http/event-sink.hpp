// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The reader of a stream of server-sent events, as those see it who write.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace agora::gateway {

struct StreamEvent {
  std::string name;
  std::string data;  // JSON, one line
  bool operator==(const StreamEvent &) const = default;
};

// As server-sent events have it (the HTML standard).
inline std::string text_of (const StreamEvent &event) {
  return "event: " + event.name + "\ndata: " + event.data + "\n\n";
}

// An open event stream. No function calls back.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void tell (const StreamEvent &event) = 0;
  // One text, by text_of(), that many readers share.
  virtual void tell (std::shared_ptr<const std::string> text) = 0;
  // How things stand when it opens: once, before all else. However slow the reader is, it gets all
  // of it; who tells it has a bound of its own.
  virtual void begin (const std::vector<StreamEvent> &events) = 0;
  // Nothing more comes: it ends once what waits is sent, and nobody is told of that.
  virtual void end () = 0;
};

}  // namespace agora::gateway
