// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The form body of a media server's hook. nginx-rtmp appends the client's own URL arguments raw to
// its fields, so nothing that repeats a key or comes in another form than the server's own is let
// through. Pure: bytes in, a request or a refusal out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace agora::gateway {

enum class HookCall { publish, play, publish_done, play_done };

struct HookRequest {
  HookCall call = HookCall::publish;
  std::string app;
  std::string stream;
  std::string args;  // the client's URL arguments, as they came
  std::string address;
  std::uint64_t client_id = 0;
};

struct HookRefusal {
  std::string reason;  // for the log; names the field, never its value
};

std::variant<HookRequest, HookRefusal> parse_hook_form (std::string_view body);

// What is wrong with a client's own arguments, if anything: plain characters are expected, a key to
// each field, none twice, and no key of the server's.
std::optional<std::string> refuse_hook_args (std::string_view args);

}  // namespace agora::gateway
