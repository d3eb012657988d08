// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One publish or play of a connection. Its number is what the gateway knows it by.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "signaling/protocol/relay-line.hpp"
#include "signaling/relay/hub.hpp"

namespace agora::relay {

class Connection;

// How much a push may send: a rate of bytes and one of messages, and what it may save up of each.
// Each message costs every listener: a read may hold 30,000 of one byte.
class PushRate {
 public:
  // `factor`: so many times as much.
  explicit PushRate(std::int64_t now, std::uint32_t factor = 1)
      : at_ms_(now),
        factor_(factor),
        messages_((window_ms - saved_at_first_ms) * messages_a_second * factor) {}

  // False: more than `kbps`, or more messages a second, over the window.
  bool charge (std::size_t bytes, std::uint32_t kbps, std::int64_t now) {
    const std::int64_t elapsed = std::clamp<std::int64_t>(now - at_ms_, 0, window_ms);
    at_ms_ = now;
    const std::int64_t rate = std::int64_t{kbps} * factor_;
    const std::int64_t message_rate = messages_a_second * factor_;
    // 1 kbit/s is 1/8 byte a millisecond; counted in eighths.
    used_ = std::max<std::int64_t>(used_ - elapsed * rate, 0);
    used_ += 8 * static_cast<std::int64_t>(bytes + message_cost);
    // In thousandths of a message.
    messages_ = std::max<std::int64_t>(messages_ - elapsed * message_rate, 0) + 1000;
    return used_ <= window_ms * rate && messages_ <= window_ms * message_rate;
  }

  static constexpr std::int64_t window_ms = 5000;
  static constexpr std::size_t message_cost = 64;
  // Sound in frames of 2.5 ms, and video beside it.
  static constexpr std::int64_t messages_a_second = 500;
  // A push that is new has saved up less, so that nobody gains by beginning anew.
  static constexpr std::int64_t saved_at_first_ms = 2000;

 private:
  std::int64_t at_ms_;
  const std::uint32_t factor_;
  std::int64_t used_ = 0;
  std::int64_t messages_;
};

struct MediaSession {
  MediaSession(Connection &of, std::uint64_t with_number, relay_line::Side which,
               std::uint32_t on_stream, std::string called)
      : connection(of),
        number(with_number),
        side(which),
        stream(on_stream),
        name(std::move(called)) {}
  virtual ~MediaSession() = default;

  Connection &connection;
  const std::uint64_t number;
  const relay_line::Side side;
  const std::uint32_t stream;  // message stream id
  std::string name;            // the gateway's answer may give it another one
  bool admitted = false;
};

struct PushSession final : MediaSession, Publisher {
  PushSession(Connection &of, std::uint64_t with_number, std::uint32_t on_stream,
              std::string called, std::int64_t now)
      : MediaSession(of, with_number, relay_line::Side::push, on_stream, std::move(called)),
        rate(now),
        heard_ms(now) {}

  PushRate rate;
  std::int64_t heard_ms;  // its last message, or when it was admitted
  std::size_t index = 0;  // among all pushes
};

// What a frame needs of it comes first.
struct PlaySession final : Subscriber, MediaSession {
  PlaySession(Connection &of, std::uint64_t with_number, std::uint32_t on_stream,
              std::string called)
      : Subscriber(on_stream, &of),
        MediaSession(of, with_number, relay_line::Side::play, on_stream, std::move(called)) {}

  void send (std::span<const PacketRef> packets) override;
  void push_began () override;
  void push_ended (bool discard) override;
  std::optional<std::uint32_t> own_time () const override;

  // The gateway moves it from push to push, of which its peer notices nothing: it hears one time,
  // in which what is silent passes.
  bool steady = false;
  std::int64_t began_ms = 0;    // to hear; 0: it heard nothing so far
  std::uint32_t last_time = 0;  // of what it heard
  bool paused = false;
  bool no_audio = false;
  bool no_video = false;
};

}  // namespace agora::relay
