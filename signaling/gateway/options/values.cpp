// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/values.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

template <typename Number>
bool to_number (std::string_view text, Number &number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string to_string (const Endpoint &endpoint) {
  bool v6 = endpoint.address.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" +
         std::to_string(endpoint.port);
}

Problem set_endpoint (Endpoint &endpoint, std::string_view text) {
  constexpr auto expected = "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:0";
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return expected;
  std::string address(text.substr(0, colon));
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  else if (address.find(':') != std::string::npos)
    return expected;
  if (address == "localhost")
    address = "127.0.0.1";
  ObjectPtr<GInetAddress> parsed(g_inet_address_new_from_string(address.c_str()));
  std::uint16_t port = 0;
  if (!parsed || !to_number(text.substr(colon + 1), port))
    return expected;
  endpoint = {address, port};
  return {};
}

Problem add_app (std::vector<AppOption> &apps, std::string_view text) {
  auto colon = text.find(':');
  AppOption app{std::string(text.substr(0, colon)), ""};
  if (colon != std::string_view::npos) {
    app.certificate = text.substr(colon + 1);
    if (app.certificate.empty())
      return "ID or ID:CERTIFICATE; nothing follows the colon";
  }
  if (auto problem = protocol::check_app_id(app.id))
    return "ID or ID:CERTIFICATE; " + *problem;
  auto same =
      std::find_if(apps.begin(), apps.end(), [&] (auto &other) { return other.id == app.id; });
  if (same != apps.end())
    *same = std::move(app);
  else
    apps.push_back(std::move(app));
  return {};
}

Problem add_origin (std::vector<std::string> &origins, std::string_view text) {
  std::string origin(text);
  if (origin != "*" && origin != "null") {
    g_autoptr(GUri) uri = g_uri_parse(origin.c_str(), G_URI_FLAGS_NONE, nullptr);
    if (uri == nullptr || g_uri_get_host(uri) == nullptr || *g_uri_get_host(uri) == '\0' ||
        g_uri_get_userinfo(uri) != nullptr || *g_uri_get_path(uri) != '\0' ||
        g_uri_get_query(uri) != nullptr || g_uri_get_fragment(uri) != nullptr)
      return "SCHEME://HOST[:PORT] without a path, as browsers send it, or *";
  }
  origins.push_back(std::move(origin));
  return {};
}

Problem set_host (std::string &host, std::string_view text) {
  auto good = [] (char c) { return g_ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; };
  bool name = !text.empty() && std::all_of(text.begin(), text.end(), good);
  bool literal = text.size() > 2 && text.front() == '[' && text.back() == ']' &&
                 g_hostname_is_ip_address(std::string(text.substr(1, text.size() - 2)).c_str());
  if (!name && !literal)
    return "a host name or address without a port";
  host = text;
  return {};
}

Problem set_url (std::string &url, std::string_view text, const std::vector<std::string> &schemes,
                 bool needs_path) {
  std::string copy(text);
  g_autoptr(GUri) uri = g_uri_parse(copy.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string expected;
  for (const auto &scheme : schemes)
    expected += (expected.empty() ? "" : " or ") + scheme + "://HOST[:PORT]" +
                (needs_path ? "/APP" : "/PATH");
  if (uri == nullptr ||
      std::find(schemes.begin(), schemes.end(), g_uri_get_scheme(uri)) == schemes.end() ||
      g_uri_get_host(uri) == nullptr || *g_uri_get_host(uri) == '\0' ||
      g_uri_get_query(uri) != nullptr)
    return expected;
  while (!copy.empty() && copy.back() == '/')
    copy.pop_back();
  std::string_view path = g_uri_get_path(uri);
  if (needs_path && path.find_first_not_of('/') == std::string_view::npos)
    return expected;
  url = copy;
  return {};
}

// A query is allowed: it may hold something for the receiver.
Problem set_store (std::string &url, std::string_view text) {
  for (const char *scheme : {"redis://", "rediss://", "redis+sentinel://", "rediss+sentinel://"})
    if (text.starts_with(scheme) && text.size() > std::string_view(scheme).size()) {
      url = text;
      return {};
    }
  return "redis://, rediss://, redis+sentinel:// or rediss+sentinel://, and HOST:PORT";
}

Problem set_webhook (std::string &url, std::string_view text) {
  std::string copy(text);
  g_autoptr(GUri) uri = g_uri_parse(copy.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string_view scheme = uri != nullptr ? g_uri_get_scheme(uri) : "";
  if ((scheme != "http" && scheme != "https") || g_uri_get_host(uri) == nullptr ||
      *g_uri_get_host(uri) == '\0')
    return "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH";
  url = copy;
  return {};
}

Problem set_bound (unsigned &bound, std::string_view text, unsigned low, unsigned high) {
  unsigned value = 0;
  if (!to_number(text, value) || value < low || value > high)
    return "a number from " + std::to_string(low) + " to " + std::to_string(high);
  bound = value;
  return {};
}

// Their versions, separated by commas.
Problem set_token_kinds (std::vector<protocol::TokenKind> &kinds, std::string_view text) {
  constexpr std::size_t digits = 3;
  std::vector<protocol::TokenKind> named;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const auto kind = protocol::kind_of(text.substr(at, end - at));
    if (end - at != digits || !kind)
      return "some of 007, 006 and 005, separated by commas";
    named.push_back(*kind);
    at = end + 1;
  }
  kinds = std::move(named);
  return {};
}

Problem set_flag (bool &flag, std::string_view text) {
  if (text != "true" && text != "false")
    return "true or false";
  flag = text == "true";
  return {};
}

Problem set_ports (std::uint16_t &low, std::uint16_t &high, std::string_view text) {
  constexpr unsigned lowest = 1024;
  unsigned from = 0;
  unsigned to = 0;
  const auto dash = text.find('-');
  if (dash == std::string_view::npos || !to_number(text.substr(0, dash), from) ||
      !to_number(text.substr(dash + 1), to) || from < lowest || from > to ||
      to > std::numeric_limits<std::uint16_t>::max())
    return "LOW-HIGH, ports from 1024 to 65535, such as 40000-40999";
  low = static_cast<std::uint16_t>(from);
  high = static_cast<std::uint16_t>(to);
  return {};
}

Problem set_address (std::string &address, std::string_view text) {
  address = text;
  if (!g_hostname_is_ip_address(address.c_str()) || address.find('%') != std::string::npos)
    return "an IPv4 or IPv6 address, such as 192.0.2.1";
  return {};
}

Problem add_ice_server (std::vector<web_line::IceServer> &servers, std::string_view text) {
  constexpr auto expected =
      "stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp], also stuns and "
      "turns, with %-escapes in user and password";
  const std::string_view whole = text;
  const auto colon = text.find(':');
  const std::string scheme(text.substr(0, colon));
  const bool turn = scheme == "turn" || scheme == "turns";
  if (colon == std::string_view::npos || (!turn && scheme != "stun" && scheme != "stuns"))
    return expected;
  text.remove_prefix(colon + 1);
  web_line::IceServer server;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const auto between = text.substr(0, at).find(':');
    if (!turn || between == std::string_view::npos)
      return expected;
    auto unescape = [] (std::string_view part) {
      const CharPtr plain(g_uri_unescape_segment(part.data(), part.data() + part.size(), nullptr));
      return std::string(plain ? plain.get() : "");
    };
    server.username = unescape(text.substr(0, between));
    server.credential = unescape(text.substr(between + 1, at - between - 1));
    text.remove_prefix(at + 1);
  }
  // TURN serves nobody without.
  if (turn && (server.username.empty() || server.credential.empty()))
    return expected;
  for (const std::string &secret : {server.username, server.credential})
    if (!line::is_text(secret, line::max_text))
      return "a user and a password of UTF-8, of at most 512 bytes each";
  const auto query = text.find('?');
  if (query != std::string_view::npos &&
      (!turn || (text.substr(query) != "?transport=udp" && text.substr(query) != "?transport=tcp")))
    return expected;
  const std::string_view authority = text.substr(0, query);
  const auto host_end =
      authority.find(':', authority.starts_with('[') ? authority.find(']') : std::size_t{0});
  std::string host;
  std::uint16_t port = 1;
  if (whole.size() > web_line::max_url || set_host(host, authority.substr(0, host_end)) ||
      (host_end != std::string_view::npos && !to_number(authority.substr(host_end + 1), port)) ||
      port == 0)
    return expected;
  if (servers.size() == web_line::max_ice_servers)
    return "at most " + std::to_string(web_line::max_ice_servers) + " servers";
  server.url = scheme + ":" + std::string(text);
  servers.push_back(std::move(server));
  return {};
}

Problem set_file (std::string &file, std::string_view text) {
  if (text.empty())
    return "the path of a file";
  file = text;
  return {};
}

}  // namespace agora::gateway
