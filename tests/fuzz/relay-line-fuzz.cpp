// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a packet of the line between gateway and relay, in both directions: what was
// understood survives encoding. And any bytes as what strangers named: it travels unchanged, or is
// refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <glib.h>

#include "signaling/protocol/relay-line.hpp"

namespace {

using namespace agora::relay_line;

void require (bool good, const char *what, std::string_view packet) {
  if (!good)
    g_error("%s: %s", what, std::string(packet).c_str());
}

template <typename Message, typename Decode>
void check (std::string_view packet, Decode decode) {
  auto decoded = decode(packet);
  if (auto *reason = std::get_if<std::string>(&decoded)) {
    require(!reason->empty(), "refused without a reason", packet);
    return;
  }
  auto &message = std::get<Message>(decoded);
  auto text = encode(message);
  // What came as few bytes may be longer escaped; that is refused, not cut.
  if (!text)
    return;
  auto again = decode(*text);
  require(std::holds_alternative<Message>(again), "its own text is refused", *text);
  require(std::get<Message>(again) == message, "decoded differently", *text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  check<ToRelay>(bytes, decode_to_relay);
  check<ToGateway>(bytes, decode_to_gateway);
  const std::string text(bytes.substr(0, 2 * max_stream));
  const ToGateway ask = Ask{1, Side::push, "live", text, text, "127.0.0.1"};
  if (auto packet = encode(ask))
    require(std::get<ToGateway>(decode_to_gateway(*packet)) == ask, "decoded differently", *packet);
  require(encode(ToGateway(Log{Level::info, text})).has_value(), "a log line that can't travel",
          text);
  return 0;
}
