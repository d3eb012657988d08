// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The words of RTMP's specification (Adobe, 1.0) that reader, writer and session share. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace agora::relay::rtmp {

// A timestamp of this or more is written in four bytes after the header (5.3.1.3).
inline constexpr std::uint32_t kExtended = 0xffffff;

using Bytes = std::span<const std::uint8_t>;

// Message type ids, 5.4 and 7.1.
enum class Type : std::uint8_t {
  set_chunk_size = 1,
  abort = 2,
  acknowledgement = 3,
  user_control = 4,
  window_acknowledgement_size = 5,
  set_peer_bandwidth = 6,
  audio = 8,
  video = 9,
  data_amf3 = 15,
  shared_object_amf3 = 16,
  command_amf3 = 17,
  data = 18,
  shared_object = 19,
  command = 20,
  aggregate = 22,
};

// User control events, 7.1.7.
enum class UserControl : std::uint16_t {
  stream_begin = 0,
  stream_eof = 1,
  stream_dry = 2,
  set_buffer_length = 3,
  stream_is_recorded = 4,
  ping_request = 6,
  ping_response = 7,
};

// What travels between a push and its players: audio, video, or data (always AMF0).
struct MediaMessage {
  Type type = Type::audio;
  std::uint32_t timestamp = 0;  // ms, absolute; wraps
  Bytes payload;
};

// How much a peer may make us hold. Nothing is reserved for what a header claims: memory grows with
// the bytes that came, up to these.
struct Limits {
  // One audio, video or aggregate message of an accepted push. A keyframe of 4 Mbit/s fits.
  std::size_t media_bytes = 1024 * 1024;
  // One data message (onMetaData) of an accepted push.
  std::size_t data_bytes = 64 * 1024;
  // One message of any other kind, and of every kind until a push is accepted.
  std::size_t message_bytes = 16 * 1024;
  // All unfinished messages of one connection until a push is accepted; after that media_bytes
  // more.
  std::size_t unfinished_bytes = 32 * 1024;
  // What feed() keeps while a publish or play waits for its answer.
  std::size_t held_bytes = 64 * 1024;
  // Answers that nobody has taken.
  std::size_t output_bytes = 64 * 1024;
  unsigned chunk_streams = 32;
  unsigned streams = 4;  // message streams at a time, made by createStream
  std::size_t app_bytes = 128;
  std::size_t name_bytes = 256;
  std::size_t args_bytes = 1024;
};

}  // namespace agora::relay::rtmp
