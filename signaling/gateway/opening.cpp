// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/opening.hpp"

#include <array>

#include "signaling/gateway/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t key_bytes = 16;

// RFC 6455, 4.2.2; "" for a key that is none.
std::string accept_for (const char *key) {
  gsize size = 0;
  std::unique_ptr<guchar, FreeDeleter> random(g_base64_decode(key, &size));
  if (size != key_bytes)
    return "";
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
  g_checksum_update(sum, reinterpret_cast<const guchar *>(key), -1);
  constexpr std::string_view everyones = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  g_checksum_update(sum, reinterpret_cast<const guchar *>(everyones.data()), everyones.size());
  std::array<guint8, 20> digest{};
  size = digest.size();
  g_checksum_get_digest(sum, digest.data(), &size);
  return CharPtr(g_base64_encode(digest.data(), size)).get();
}

}  // namespace

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
  if (key == nullptr || !has("Host") || has("Expect") ||
      !soup_message_headers_header_contains(headers, "Upgrade", "websocket") ||
      !soup_message_headers_header_contains(headers, "Connection", "Upgrade") ||
      !soup_message_headers_header_equals(headers, "Sec-WebSocket-Version", "13") ||
      soup_message_headers_get_encoding(headers) != SOUP_ENCODING_NONE)
    return {};
  auto accept = accept_for(key);
  if (accept.empty())
    return {};
  opening.answer =
      "HTTP/1.1 101 Switching Protocols\r\nServer: agora-gateway\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept + "\r\n\r\n";
  return opening;
}

}  // namespace agora::gateway
