// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a frame, in both directions, and as the choosing of a server: a message that was
// understood survives encoding, and an error can be sent back to whoever caused it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <glib.h>

#include "signaling/protocol/codec.hpp"

namespace {

using namespace agora::protocol;

void require (bool good, const char *what, const std::string &text) {
  if (!good)
    g_error("%s: %s", what, text.c_str());
}

void require_text (const std::string &text) {
  require(g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr), "not UTF-8",
          text);
}

void check_error (const DecodeError &error) {
  require(!error.reason.empty(), "an error without a reason", "");
  // Without a request's number there is only the event to say it with.
  ServerMessage answer = ErrorEvent{error.code, error.reason};
  if (error.request_id != 0)
    answer = Answer{.request_id = error.request_id, .code = error.code, .reason = error.reason};
  std::string text = encode(answer);
  require_text(text);
  auto again = decode_server(text);
  auto *message = std::get_if<ServerMessage>(&again);
  require(message != nullptr && *message == answer, "an error that can't be told", text);
}

template <typename Message, typename Decode>
void check_frame (std::string_view text, Decode decode) {
  auto decoded = decode(text, DecodeLimits{});
  if (auto *error = std::get_if<DecodeError>(&decoded)) {
    check_error(*error);
    return;
  }
  std::string encoded = encode(std::get<Message>(decoded));
  require_text(encoded);
  auto again = decode(encoded, DecodeLimits{});
  if (auto *error = std::get_if<DecodeError>(&again))
    g_error("its own text is refused (%s): %s", error->reason.c_str(), encoded.c_str());
  require(encode(std::get<Message>(again)) == encoded, "encoded differently", encoded);
  if constexpr (requires(Message a, Message b) { a == b; })
    require(std::get<Message>(again) == std::get<Message>(decoded), "decoded differently", encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  check_frame<ClientMessage>(text, decode_client);
  check_frame<ServerMessage>(text, decode_server);
  check_frame<ChooseRequest>(text, decode_choose_request);
  check_frame<ChooseAnswer>(text, decode_choose_answer);
  socket_url({std::string(text), ""});
  socket_url({"", std::string(text)});
  return 0;
}
