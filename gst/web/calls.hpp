// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the page may ask of its session, as plain values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agora::web::calls {

// One's own microphone; the others are told.
struct Mute {
  bool audio = true;  // false: it is unmuted
  bool operator==(const Mute &) const = default;
};
struct SetRole {
  bool broadcaster = false;
  bool operator==(const SetRole &) const = default;
};
// How this listener hears a speaker; what isn't named stays.
struct Speaker {
  std::uint32_t uid = 0;
  std::optional<double> volume;  // linear, 0 to 10
  std::optional<bool> mute;
  bool operator==(const Speaker &) const = default;
};
struct Subscribe {
  std::uint32_t uid = 0;
  bool on = true;  // false: unsubscribe
  bool operator==(const Subscribe &) const = default;
};
struct Latency {
  std::uint32_t ms = 0;  // 0: the default
  bool operator==(const Latency &) const = default;
};
struct RenewToken {
  std::string token;
  bool operator==(const RenewToken &) const = default;
};
// A few words to other members, who forget them.
struct Data {
  std::string text;
  std::vector<std::uint32_t> to;  // rising; none: everybody else
  bool operator==(const Data &) const = default;
};
// Who else is in the channel; from then on this session is told of changes.
struct Members {
  bool operator==(const Members &) const = default;
};
struct Stats {
  bool operator==(const Stats &) const = default;
};
using Call =
    std::variant<Mute, SetRole, Speaker, Subscribe, Latency, RenewToken, Data, Members, Stats>;

// A sentence where the text is no call: which field, and what was expected.
std::variant<Call, std::string> parse (std::string_view text);

}  // namespace agora::web::calls
