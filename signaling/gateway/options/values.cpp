// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/values.hpp"

#include <algorithm>
#include <charconv>
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

Problem set_file (std::string &file, std::string_view text) {
  if (text.empty())
    return "the path of a file";
  file = text;
  return {};
}

}  // namespace agora::gateway
