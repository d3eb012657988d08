// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a packet of the line between gateway and relay, in both directions: what was
// understood survives encoding. And any bytes as what strangers named: it travels unchanged, or is
// refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/protocol/relay-line.hpp"
#include "signaling/protocol/relay-url.hpp"
#include "tests/fuzz/line-check.hpp"

using namespace agora::relay_line;
using agora::fuzz::check;
using agora::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  check<ToRelay>(bytes, decode_to_relay);
  check<ToGateway>(bytes, decode_to_gateway);
  // What was understood of a URL is what it says.
  const auto url = parse_relay_url(bytes);
  if (const auto *read = std::get_if<RelayUrl>(&url)) {
    const std::string again = (read->tls ? "rtmps://" : "rtmp://") +
                              (read->name.empty() ? "" : read->name + "@") + address_of(*read) +
                              "/" + read->app + "/" + read->stream + "?" + read->args;
    const auto same = parse_relay_url(again);
    require(std::holds_alternative<RelayUrl>(same) && std::get<RelayUrl>(same) == *read,
            "a URL that means something else", again);
  }
  const std::string text(bytes.substr(0, 2 * max_stream));
  const ToGateway ask = Ask{1, Side::push, "live", text, text, "127.0.0.1"};
  if (auto packet = encode(ask))
    require(std::get<ToGateway>(decode_to_gateway(*packet)) == ask, "decoded differently", *packet);
  require(encode(ToGateway(Log{Level::info, text})).has_value(), "a log line that can't travel",
          text);
  return 0;
}
