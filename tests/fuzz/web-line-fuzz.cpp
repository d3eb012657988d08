// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a packet of the line between gateway and agora-web, in both directions: what was
// understood survives encoding. And any bytes as an SDP: it travels unchanged, or is refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/protocol/web-line.hpp"
#include "tests/fuzz/line-check.hpp"

using namespace agora::web_line;
using agora::fuzz::check;
using agora::fuzz::require;

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
