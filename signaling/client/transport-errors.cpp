// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/transport-errors.hpp"

#include <libsoup/soup.h>

#include "signaling/protocol/argument-checks.hpp"

namespace agora::client {

bool is_url_of (const std::string &url, std::initializer_list<const char *> schemes) {
  g_autoptr(GUri) uri =
      g_uri_parse(url.c_str(), static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS), nullptr);
  if (uri == nullptr || g_uri_get_host(uri) == nullptr || *g_uri_get_host(uri) == '\0')
    return false;
  for (const char *scheme : schemes)
    if (g_ascii_strcasecmp(g_uri_get_scheme(uri), scheme) == 0)
      return true;
  return false;
}

Trouble bad_url (const char *name, const std::string &url, const char *expected) {
  return {AGORA_ERROR_INVALID_ARGUMENT,
          std::string(name) + " " + protocol::quoted(url) + ": expected " + expected};
}

Trouble connect_trouble (const std::string &url, const char *what, const GError &error,
                         unsigned status, const std::string &untrusted) {
  auto say = [&] (const std::string &text) {
    return Trouble{AGORA_ERROR_UNREACHABLE, url + ": " + text + " (" + error.message + ")"};
  };
  std::string it(what);
  const char *speaks_tls = is_url_of(url, {"wss", "https"}) ? ": does it speak TLS?" : "";
  if (error.domain == SOUP_WEBSOCKET_ERROR) {
    if (status == SOUP_STATUS_NOT_FOUND)
      return say("no gateway at this path, HTTP 404: expected one like /api");
    if (status == SOUP_STATUS_SWITCHING_PROTOCOLS)
      return say("it answers, but its WebSocket handshake is wrong");
    return say("it answers, but is not a gateway: HTTP " + std::to_string(status) +
               " in place of a WebSocket");
  }
  if (error.domain == G_RESOLVER_ERROR)
    return say("the host name cannot be resolved");
  if (g_error_matches(&error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
    return {AGORA_ERROR_UNTRUSTED,
            url + ": the certificate of " + it + " is not trusted here" +
                (untrusted.empty() ? " (" + std::string(error.message) + ")" : ": " + untrusted)};
  if (error.domain == G_TLS_ERROR)
    return say("no secure connection to " + it + speaks_tls);
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return say("connection refused: is " + it + " running there?");
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE) ||
      g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE))
    return say("the network has no way to " + it);
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return say(it + " does not answer");
  if (error.domain == SOUP_SESSION_ERROR)
    return say("what answers there is not a gateway");
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) ||
      g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    return say(*speaks_tls ? std::string("the connection was closed before an answer") + speaks_tls
                           : "the connection was closed before an answer: is this a gateway?");
  return say(it + " could not be reached");
}

std::string describe_close (unsigned code, const char *data) {
  if (code == 0)
    return "it was cut without a goodbye";
  std::string text = "closed with code " + std::to_string(code);
  if (data != nullptr && *data != '\0')
    text += ", " + protocol::quoted(data);
  return text;
}

}  // namespace agora::client
