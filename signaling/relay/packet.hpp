// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One RTMP message as the bytes that go over a connection. Encoded once, shared by all listeners.
// One thread: the count is no atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "signaling/relay/media-kind.hpp"
#include "signaling/relay/stream-counts.hpp"

namespace agora::relay {

struct Packet {
  std::string bytes;
  std::uint32_t timestamp = 0;  // ms, as the push counts; it wraps
  std::uint32_t stream = 0;     // message stream id of the player's connection
  MediaKind kind = MediaKind::control;
  std::uint32_t references = 0;
  std::uint32_t payload = 0;  // bytes of the message, without what RTMP adds
  CountsRef counts;           // of its stream; nothing: no media
};

class PacketRef {
 public:
  PacketRef() = default;
  static PacketRef make (std::string bytes, MediaKind kind, std::uint32_t timestamp = 0,
                         std::uint32_t stream = 0, std::size_t payload = 0, CountsRef counts = {}) {
    return PacketRef(new Packet{std::move(bytes), timestamp, stream, kind, 0,
                                static_cast<std::uint32_t>(payload), std::move(counts)});
  }
  PacketRef(const PacketRef &other) : PacketRef(other.packet_) {}
  PacketRef(PacketRef &&other) noexcept : packet_(std::exchange(other.packet_, nullptr)) {}
  PacketRef &operator=(PacketRef other) noexcept {
    std::swap(packet_, other.packet_);
    return *this;
  }
  ~PacketRef() {
    if (packet_ != nullptr && --packet_->references == 0)
      delete packet_;
  }

  const Packet *operator->() const { return packet_; }
  const Packet &operator*() const { return *packet_; }
  explicit operator bool() const { return packet_ != nullptr; }

 private:
  explicit PacketRef(Packet *packet) : packet_(packet) {
    if (packet_ != nullptr)
      packet_->references++;
  }
  Packet *packet_ = nullptr;
};

}  // namespace agora::relay
