// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-url.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr std::uint16_t kRedisPort = 6379;
constexpr std::uint16_t kSentinelPort = 26379;
constexpr std::size_t kMostSentinels = 16;
constexpr unsigned kLastDatabase = 9'999;

struct Scheme {
  std::string_view text;
  bool tls;
  bool sentinel;
};
constexpr std::array<Scheme, 4> kSchemes{{{"redis://", false, false},
                                          {"rediss://", true, false},
                                          {"redis+sentinel://", false, true},
                                          {"rediss+sentinel://", true, true}}};

template <typename T>
std::optional<T> number (std::string_view text, T most) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > most)
    return {};
  return value;
}

// Percent-decoded; nothing: no valid escape, or a zero byte.
std::optional<std::string> decoded (std::string_view text) {
  const CharPtr plain(g_uri_unescape_segment(text.data(), text.data() + text.size(), nullptr));
  if (!plain)
    return {};
  return std::string(plain.get());
}

bool host_character (char c) {
  return g_ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == ':' || c == '%';
}

std::variant<RedisAddress, RedisUrlError> parse_address (std::string_view text,
                                                         std::uint16_t default_port) {
  const auto wrong = [text] {
    return RedisUrlError{"\"" + std::string(text) +
                         "\" is no HOST:PORT; an IPv6 address stands in brackets"};
  };
  RedisAddress address{"", default_port};
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos)
      return wrong();
    host = text.substr(1, end - 1);
    if (host.find(':') == host.npos)
      return wrong();
    if (const auto rest = text.substr(end + 1); rest.starts_with(':'))
      port = rest.substr(1);
    else if (!rest.empty())
      return wrong();
    if (text.ends_with(':'))
      return wrong();
  } else if (const auto colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty())
      return wrong();
  }
  if (host.empty() || host.size() > 253 || !std::all_of(host.begin(), host.end(), host_character))
    return wrong();
  if (!port.empty()) {
    const auto value = number<std::uint16_t>(port, 65'535);
    if (!value || *value == 0)
      return RedisUrlError{"port \"" + std::string(port) + "\": expected 1 to 65535"};
    address.port = *value;
  }
  address.host = host;
  return address;
}

std::optional<RedisUrlError> take_user (std::string_view text, RedisUrl &url) {
  const auto colon = text.find(':');
  const auto user = decoded(text.substr(0, colon));
  const auto password = colon == text.npos ? std::string() : decoded(text.substr(colon + 1));
  // Neither is repeated in the error: one of them is a secret.
  if (!user || !password)
    return RedisUrlError{"user and password must be percent-encoded"};
  url.user = *user;
  url.password = *password;
  return {};
}

std::optional<RedisUrlError> take_path (std::string_view path, bool sentinel, RedisUrl &url) {
  if (sentinel) {
    const auto slash = path.find('/');
    const auto master = decoded(path.substr(0, slash));
    if (!master || master->empty())
      return RedisUrlError{
          "the name by which the sentinels know the master is missing: "
          "redis+sentinel://HOST:PORT,HOST:PORT/MASTER"};
    url.master = *master;
    path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
  }
  if (path.empty())
    return {};
  const auto database = number<unsigned>(path, kLastDatabase);
  if (!database)
    return RedisUrlError{"database \"" + std::string(path) + "\": expected 0 to " +
                         std::to_string(kLastDatabase)};
  url.database = *database;
  return {};
}

}  // namespace

std::string RedisAddress::text() const {
  const bool v6 = host.find(':') != host.npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::variant<RedisUrl, RedisUrlError> parse_redis_url (std::string_view text) {
  const auto *const scheme =
      std::find_if(kSchemes.begin(), kSchemes.end(),
                   [&] (const Scheme &each) { return text.starts_with(each.text); });
  if (scheme == kSchemes.end())
    return RedisUrlError{
        "expected redis://HOST:PORT, rediss://HOST:PORT or "
        "redis+sentinel://HOST:PORT,HOST:PORT/MASTER"};
  RedisUrl url{.tls = scheme->tls};
  auto rest = text.substr(scheme->text.size());
  // What follows the host is no part of it; a password's own `/` is percent-encoded.
  const auto slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  const auto path = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
  if (path.find_first_of("?#") != path.npos)
    return RedisUrlError{"nothing may follow the path: no \"?\" and no \"#\""};
  if (const auto at = authority.rfind('@'); at != authority.npos) {
    if (auto error = take_user(authority.substr(0, at), url))
      return *error;
    authority.remove_prefix(at + 1);
  }
  for (std::size_t from = 0;;) {
    const auto comma = scheme->sentinel ? authority.find(',', from) : authority.npos;
    auto address = parse_address(authority.substr(from, comma - from),
                                 scheme->sentinel ? kSentinelPort : kRedisPort);
    if (auto *error = std::get_if<RedisUrlError>(&address))
      return *error;
    url.servers.push_back(std::get<RedisAddress>(std::move(address)));
    if (comma == authority.npos)
      break;
    from = comma + 1;
  }
  if (url.servers.size() > kMostSentinels)
    return RedisUrlError{"expected " + std::to_string(kMostSentinels) + " sentinels at most"};
  if (auto error = take_path(path, scheme->sentinel, url))
    return *error;
  return url;
}

}  // namespace agora::gateway::cluster
