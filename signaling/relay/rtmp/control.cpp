// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/control.hpp"

#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/chunk-writer.hpp"

namespace agora::relay::rtmp {

namespace {

// None of its messages is longer, whatever the size of chunks is.
constexpr std::uint32_t kLongest = 128;

}  // namespace

void append_user_control (std::string &output, UserControl event, std::uint32_t value) {
  std::string payload;
  append_u16(payload, static_cast<std::uint16_t>(event));
  append_u32(payload, value);
  append_message(output, Type::user_control, 0, 0, as_bytes(payload), kLongest);
}

bool Control::is_of(Type type) {
  switch (type) {
    case Type::set_chunk_size:
    case Type::abort:
    case Type::acknowledgement:
    case Type::user_control:
    case Type::window_acknowledgement_size:
    case Type::set_peer_bandwidth:
      return true;
    default:
      return false;
  }
}

const char *Control::take(const Message &message, ChunkReader &reader, std::string &output,
                          std::optional<UserEvent> &event) {
  if (message.payload.size() < 4)
    return "a protocol control message is too short";
  const std::uint32_t value = read_u32(message.payload.data());
  switch (message.type) {
    case Type::set_chunk_size:
      return reader.set_chunk_size(value) ? nullptr : "a chunk size of 0, or of 2^31 and more";
    case Type::abort:
      reader.abort(value);
      return nullptr;
    case Type::window_acknowledgement_size:
      window_ = value;
      return nullptr;
    case Type::user_control:
      break;
    default:
      // Acknowledgement: nothing waits for it here, TCP has windows of its own. Peer bandwidth: it
      // asks to hear of our window, if that changes by it (5.4.5). It never does.
      return nullptr;
  }
  // Events with less than four bytes of data are none of the specification's.
  if (message.payload.size() < 6)
    return nullptr;
  const UserEvent told{static_cast<UserControl>(read_u16(message.payload.data())),
                       read_u32(&message.payload[2])};
  if (told.kind == UserControl::ping_request)
    append_user_control(output, UserControl::ping_response, told.value);
  else
    event = told;
  return nullptr;
}

void Control::acknowledge(std::string &output) {
  if (window_ == 0 || bytes_in_ - acknowledged_ < window_)
    return;
  acknowledged_ = bytes_in_;
  std::string payload;
  append_u32(payload, static_cast<std::uint32_t>(bytes_in_));
  append_message(output, Type::acknowledgement, 0, 0, as_bytes(payload), kLongest);
}

}  // namespace agora::relay::rtmp
