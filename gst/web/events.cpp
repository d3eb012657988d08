// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/events.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "signaling/protocol/json-writer.hpp"

namespace agora::web::events {

namespace {

constexpr double silence_dbfs = -100;

// Tenths, whatever the locale's decimal point is.
std::string one_decimal (double value) {
  const long tenths = std::lround(value * 10);
  const long whole = std::labs(tenths);
  return (tenths < 0 ? "-" : "") + std::to_string(whole / 10) + "." + std::to_string(whole % 10);
}

}  // namespace

std::string about (std::uint32_t uid) {
  return protocol::JsonWriter().integer("uid", uid).finish();
}

std::string named (std::uint32_t uid, std::string_view name) {
  return protocol::JsonWriter().integer("uid", uid).text("name", name).finish();
}

std::string data (std::uint32_t uid, std::string_view text) {
  return protocol::JsonWriter().integer("uid", uid).text("text", text).finish();
}

std::vector<std::string> lists (const std::vector<std::pair<std::uint32_t, std::string>> &members,
                                std::size_t most) {
  constexpr std::string_view more = "],\"more\":true}", end = "],\"more\":false}";
  const auto begin = [] (std::size_t at) {
    return "{\"at\":" + std::to_string(at) + ",\"members\":[";
  };
  std::vector<std::string> texts;
  std::string text = begin(0);
  std::size_t at = 0, count = 0;
  for (const auto &[uid, name] : members) {
    const std::string one = name.empty() ? about(uid) : named(uid, name);
    if (count > 0 && text.size() + 1 + one.size() + end.size() > most) {
      texts.push_back(text.append(more));
      at += std::exchange(count, 0);
      text = begin(at);
    }
    text += (count++ > 0 ? "," : "") + one;
  }
  texts.push_back(text.append(end));
  return texts;
}

std::string levels (const std::vector<Loudness> &speakers) {
  std::string text = "{";
  for (const Loudness &each : speakers) {
    if (text.size() > 1)
      text += ',';
    text += '"' + std::to_string(each.uid) + "\":";
    text += one_decimal(std::isfinite(each.dbfs) ? std::clamp(each.dbfs, silence_dbfs, 100.0)
                                                 : silence_dbfs);
  }
  return text + "}";
}

std::string trouble (int code, std::string_view reason) {
  return protocol::JsonWriter().integer("code", code).text("reason", reason).finish();
}

std::string cause (std::string_view text) {
  return protocol::JsonWriter().text("cause", text).finish();
}

std::string after (std::uint64_t ms) {
  return protocol::JsonWriter().integer("after", static_cast<std::int64_t>(ms)).finish();
}

}  // namespace agora::web::events
