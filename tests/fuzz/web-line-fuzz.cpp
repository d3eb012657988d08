// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a packet of the line between gateway and agora-web, in both directions: what was
// understood survives encoding. And any bytes as an SDP: it travels unchanged, or is refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <glib.h>

#include "signaling/protocol/web-line.hpp"

namespace {

using namespace agora::web_line;

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
  check<ToWorker>(bytes, decode_to_worker);
  check<ToGateway>(bytes, decode_to_gateway);
  const std::string text(bytes);
  const ToWorker trickle = Trickle{1, 1, text};
  const auto packet = encode(trickle);
  require(!packet || is_sdp_text(text, max_fragment), "a text travels that is none", text);
  if (packet)
    require(std::get<ToWorker>(decode_to_worker(*packet)) == trickle, "decoded differently",
            *packet);
  require(encode(ToGateway(Ended{1, 0, text})).has_value(), "a reason that can't travel", text);
  return 0;
}
