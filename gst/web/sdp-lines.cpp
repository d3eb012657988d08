// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/sdp-lines.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace agora::web {

namespace {

constexpr std::size_t kMaxLines = 4096;
constexpr std::size_t kMaxCited = 40;
constexpr std::string_view kTokenSigns = "!#$%&'*+-.^_`{|}~";
// '-', '_' and '=' are no ice-char, and senders of the field use them.
constexpr std::string_view kIceSigns = "+/-_=";

bool is_alnum (char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower (char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// What is wrong with a line; nothing when it is good.
std::string_view read_line (std::string_view text, SdpLine &line) {
  if (text.size() < 2 || text[1] != '=' || text[0] < 'a' || text[0] > 'z')
    return "expected a letter and \"=\"";
  const bool bad = std::any_of(text.begin(), text.end(), [] (char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
  if (bad)
    return "holds a control character";
  line.type = text[0];
  std::string_view rest = text.substr(2);
  if (line.type != 'a') {
    line.name = rest;
    return {};
  }
  line.name = take_until(rest, ':');
  line.value = rest;
  return is_token(line.name) ? std::string_view() : "expected the name of an attribute";
}

}  // namespace

Refusal unreadable (std::size_t line, std::string_view what) {
  return {400, "line " + std::to_string(line) + " of the SDP: " + std::string(what)};
}

std::variant<std::vector<SdpLine>, Refusal> split_lines (std::string_view sdp) {
  if (sdp.size() > kMaxSdp)
    return Refusal{400, "the SDP has " + std::to_string(sdp.size()) + " bytes: at most " +
                            std::to_string(kMaxSdp) + " are read"};
  // Some end it with an empty line.
  while (!sdp.empty() && (sdp.back() == '\n' || sdp.back() == '\r'))
    sdp.remove_suffix(1);
  if (sdp.empty())
    return Refusal{400, "the SDP is empty"};
  std::vector<SdpLine> lines;
  while (!sdp.empty()) {
    SdpLine line;
    line.number = lines.size() + 1;
    if (line.number > kMaxLines)
      return unreadable(line.number, "more lines than are read");
    std::string_view text = take_until(sdp, '\n');
    if (!text.empty() && text.back() == '\r')
      text.remove_suffix(1);
    if (const std::string_view wrong = read_line(text, line); !wrong.empty())
      return unreadable(line.number, std::string(wrong) + ", not " + cited(text));
    lines.push_back(line);
  }
  return lines;
}

std::string_view take_until (std::string_view &text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return head;
}

std::vector<std::string_view> words (std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::string_view word = take_until(text, ' ');
    if (!word.empty())
      found.push_back(word);
  }
  return found;
}

std::optional<std::uint32_t> number (std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || value > most)
    return std::nullopt;
  return value;
}

bool is_token (std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [] (char c) {
    return is_alnum(c) || kTokenSigns.find(c) != kTokenSigns.npos;
  });
}

bool is_ice_text (std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most &&
         std::all_of(text.begin(), text.end(),
                     [] (char c) { return is_alnum(c) || kIceSigns.find(c) != kIceSigns.npos; });
}

bool same_letters (std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [] (char x, char y) { return lower(x) == lower(y); });
}

std::string cited (std::string_view value) {
  std::string text = "\"";
  for (const char c : value.substr(0, kMaxCited))
    text += c < 0x20 || c > 0x7e || c == '"' ? '?' : c;
  return text + (value.size() > kMaxCited ? "…\"" : "\"");
}

}  // namespace agora::web
