// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an event stream that opens is told first: how things stand for its session. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/http/event-sink.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

class SessionState {
 public:
  // Of more speakers in a channel, some are told of only as they come.
  static constexpr std::size_t most_speakers = 1024;

  void took_place (const StreamEvent &event);
  // The events that lead to how things stand.
  std::vector<StreamEvent> events () const;

 private:
  struct Speaker {
    std::string added;  // data of the events; "" where they don't hold
    std::string muted;
    std::string named;
  };
  Speaker *speaker (std::optional<protocol::Uid> uid, bool make);
  void keep_name (const std::string &data);
  void forget_if_nothing (protocol::Uid uid);

  std::string joined_;
  std::map<protocol::Uid, Speaker> speakers_;
  // Each by its event's name: data of what holds.
  std::map<std::string, std::string, std::less<>> holds_;
};

}  // namespace agora::gateway
