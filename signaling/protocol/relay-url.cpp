// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/relay-url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "signaling/protocol/relay-line.hpp"

namespace agora::relay_line {

namespace {

// As DNS has it.
constexpr std::size_t max_name = 253;

bool is_ip (const std::string &host, bool v6) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return inet_pton(v6 ? AF_INET6 : AF_INET, host.c_str(), bytes.data()) == 1;
}

bool take (std::string_view &text, std::string_view prefix) {
  if (!text.starts_with(prefix))
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

// What comes before `end`, which goes with it. Without one: all.
std::string_view take_until (std::string_view &text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

bool is_printable (std::string_view text, std::size_t most) {
  return text.size() <= most && std::ranges::none_of(text, [] (char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
         });
}

bool is_name (std::string_view text, std::size_t most) {
  return !text.empty() && is_printable(text, most) && text.find('/') == std::string_view::npos;
}

}  // namespace

bool is_host_name (std::string_view text) {
  const auto good = [] (char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
  };
  return !text.empty() && text.size() <= max_name && std::ranges::all_of(text, good);
}

std::variant<RelayUrl, std::string> parse_relay_url (std::string_view text) {
  RelayUrl url;
  url.tls = text.starts_with("rtmps://");
  if (!take(text, "rtmps://") && !take(text, "rtmp://"))
    return "expected rtmp:// or rtmps://";
  if (const auto at = text.substr(0, text.find('/')).find('@');
      url.tls && at != std::string_view::npos) {
    url.name = take_until(text, '@');
    if (!is_host_name(url.name))
      return "expected a host's name before the @";
  }
  const bool v6 = take(text, "[");
  std::string_view authority = take_until(text, '/');
  url.host = take_until(authority, v6 ? ']' : ':');
  if (!is_ip(url.host, v6) || (v6 && !take(authority, ":")))
    return "expected a numeric address and a port, an address of IPv6 in brackets";
  const char *end = authority.data() + authority.size();
  const auto [at, error] = std::from_chars(authority.data(), end, url.port);
  if (error != std::errc() || at != end || url.port == 0)
    return "expected a port from 1 to 65535";
  url.app = take_until(text, '/');
  url.stream = take_until(text, '?');
  url.args = text;
  if (!is_name(url.app, max_app) || !is_name(url.stream, max_stream))
    return "expected /APP/STREAM";
  if (!is_printable(url.args, max_args))
    return "expected arguments of at most " + std::to_string(max_args) + " bytes, without blanks";
  return url;
}

std::string address_of (const RelayUrl &url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  return (v6 ? "[" + url.host + "]:" : url.host + ":") + std::to_string(url.port);
}

}  // namespace agora::relay_line
