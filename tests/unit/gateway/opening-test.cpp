// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/front/opening.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace opening_test {

using agora::gateway::read_opening;

namespace {

constexpr const char *path = "/api";

std::string request (const std::string &first, const std::string &version,
                     const std::string &others) {
  return first + "\r\nHost: voice.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
         "Sec-WebSocket-Version: " + version + "\r\n" + others + "\r\n";
}

std::string with (const std::string &host, const std::string &upgrade) {
  return "GET /api HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: " + upgrade +
         "\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

const std::string first = "GET /api HTTP/1.1";
const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

void good_ones () {
  const std::string plain = request(first, "13", key);
  const std::string good[] = {
      plain,
      request(first, "13", key + "Origin: https://page.example\r\nSec-WebSocket-Protocol: x\r\n"),
      request(first, "13", key + "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
      "GET /api HTTP/1.1\r\nhost: x\r\nupgrade: WebSocket\r\nconnection: keep-alive, "
      "upgrade\r\n"
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      with("[::1]:65535", "websocket"),
      with("h:", "websocket"),
  };
  for (const auto &text : good) {
    // What comes after it is no part of it.
    const auto opening = read_opening(text + "\x81\x80more", path);
    if (!opening)
      g_error("refused: %s", text.c_str());
    g_assert_cmpuint(opening->size, ==, text.size());
    // The example of RFC 6455, 1.3.
    g_assert_true(opening->answer.starts_with("HTTP/1.1 101 "));
    g_assert_true(opening->answer.ends_with("\r\n\r\n"));
    g_assert_true(
        opening->answer.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") !=
        std::string::npos);
    g_assert_true(opening->answer.find("Extensions") == std::string::npos);
  }
  const auto opening = read_opening(plain, path);
  g_assert_cmpstr(soup_message_headers_get_one(opening->headers.get(), "Host"), ==,
                  "voice.example:8080");
}

void others_are_left_to_libsoup () {
  const std::string no_host =
      "GET /api HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\n" +
      key + "\r\n";
  const std::string bad[] = {
      "",
      "\r\n\r\n",
      "GET ",
      "GET \r\n\r\n",
      request("POST /api HTTP/1.1", "13", key),
      request("GET /api HTTP/1.0", "13", key),
      request("GET /api/ HTTP/1.1", "13", key),
      request("GET /api?a=b HTTP/1.1", "13", key),
      request("GET /%61pi HTTP/1.1", "13", key),
      request("GET http://voice.example/api HTTP/1.1", "13", key),
      request("GET /other HTTP/1.1", "13", key),
      request(first, "8", key),
      request(first, "13", ""),
      request(first, "13", "Sec-WebSocket-Key: c2hvcnQ=\r\n"),
      request(first, "13", "Sec-WebSocket-Key: \r\n"),
      // What a lenient decoder skips, and what libsoup takes for another length.
      request(first, "13", "Sec-WebSocket-Key: !!dGhlIHNhbXBsZSBub25jZQ==\r\n"),
      request(first, "13", "Sec-WebSocket-Key: dGhlI HNhbXBsZSBub25jZQ==\r\n"),
      request(first, "13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==\r\n"),
      request(first, "13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"),
      request(first, "13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"),
      with("h:99999999", "websocket"),
      with("h:65536", "websocket"),
      with("h:-1", "websocket"),
      with("a b", "websocket"),
      with("a@b", "websocket"),
      with("[::1", "websocket"),
      with("[1.2.3]", "websocket"),
      with("[:::::]", "websocket"),
      with("[::1%lo]", "websocket"),
      with("", "websocket"),
      with("h", "h2c, websocket"),
      request(first, "13", key + "Content-Length: 5\r\n"),
      request(first, "13", key + "Transfer-Encoding: chunked\r\n"),
      request(first, "13", key + "Expect: 100-continue\r\n"),
      "GET /api HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" + key +
          "\r\n",
      "GET /api HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + key +
          "\r\n",
      no_host,
  };
  for (const auto &text : bad)
    if (read_opening(text, path))
      g_error("taken: %s", text.c_str());
  const std::string whole = request(first, "13", key);
  for (std::size_t size = 0; size < whole.size(); size++)
    g_assert_false(read_opening(whole.substr(0, size), path).has_value());
  g_assert_true(read_opening(whole, path).has_value());
}

}  // namespace

static const agora::Suite suite("opening", [] {
  g_test_add_func("/gateway/opening/good-ones", good_ones);
  g_test_add_func("/gateway/opening/others-are-left-to-libsoup", others_are_left_to_libsoup);
});

}  // namespace opening_test
