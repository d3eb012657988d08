// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/front/opening.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

// 16 bytes in base64. GLib's decoder would skip characters that are not base64.
bool is_key (std::string_view key) {
  constexpr std::string_view padding = "==";
  constexpr std::size_t digits = 22;
  return key.size() == digits + padding.size() && key.ends_with(padding) &&
         std::all_of(key.begin(), key.begin() + digits,
                     [] (char c) { return g_ascii_isalnum(c) || c == '+' || c == '/'; });
}

// RFC 6455, 4.2.2.
std::string accept_for (std::string_view key) {
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
  g_checksum_update(sum, reinterpret_cast<const guchar *>(key.data()),
                    static_cast<gssize>(key.size()));
  constexpr std::string_view everyones = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  g_checksum_update(sum, reinterpret_cast<const guchar *>(everyones.data()), everyones.size());
  std::array<guint8, 20> digest{};
  gsize size = digest.size();
  g_checksum_get_digest(sum, digest.data(), &size);
  return CharPtr(g_base64_encode(digest.data(), size)).get();
}

bool is_port (std::string_view text) {
  unsigned port = 0;
  if (text.empty())  // the scheme's default
    return true;
  const auto *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end && port <= std::numeric_limits<std::uint16_t>::max();
}

// In brackets: an IPv6 address without a zone.
bool is_host (std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::string address(authority.substr(1, authority.find(']') - 1));
    if (address.find('%') != std::string::npos || !g_hostname_is_ip_address(address.c_str()))
      return false;
  }
  return !host_of(authority).empty();
}

}  // namespace

std::string host_of (std::string_view authority) {
  const auto end = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
  if (end != std::string_view::npos && !is_port(authority.substr(end + 1)))
    return "";
  return url_host(authority.substr(0, end));
}

std::optional<Opening> read_opening (std::string_view begin, std::string_view path) {
  constexpr std::string_view line_end = "\r\n";
  constexpr std::string_view head_end = "\r\n\r\n";
  const auto end = begin.find(head_end);
  if (!begin.starts_with("GET ") || end == std::string_view::npos)
    return {};
  Opening opening;
  opening.size = end + head_end.size();
  opening.headers.reset(soup_message_headers_new(SOUP_MESSAGE_HEADERS_REQUEST));
  auto *headers = opening.headers.get();
  char *asked = nullptr;
  SoupHTTPVersion version = SOUP_HTTP_1_0;
  const auto status = soup_headers_parse_request(
      begin.data(), static_cast<int>(end + line_end.size()), headers, nullptr, &asked, &version);
  const CharPtr kept(asked);
  if (status != SOUP_STATUS_OK || asked != path || version != SOUP_HTTP_1_1)
    return {};
  auto has = [headers] (const char *name) {
    return soup_message_headers_get_list(headers, name) != nullptr;
  };
  const char *key = soup_message_headers_get_one(headers, "Sec-WebSocket-Key");
  const char *host = soup_message_headers_get_one(headers, "Host");
  // At least as strict as libsoup: a request must not be judged by how TCP cuts it.
  if (key == nullptr || !is_key(key) || host == nullptr || !is_host(host) || has("Expect") ||
      !soup_message_headers_header_equals(headers, "Upgrade", "websocket") ||
      !soup_message_headers_header_contains(headers, "Connection", "Upgrade") ||
      !soup_message_headers_header_equals(headers, "Sec-WebSocket-Version", "13") ||
      soup_message_headers_get_encoding(headers) != SOUP_ENCODING_NONE)
    return {};
  opening.answer =
      "HTTP/1.1 101 Switching Protocols\r\nServer: agora-gateway\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept_for(key) + "\r\n\r\n";
  return opening;
}

}  // namespace agora::gateway
