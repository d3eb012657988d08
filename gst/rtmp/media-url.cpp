// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/media-url.hpp"

#include <cstring>

namespace agora {

namespace {

// Bytes. A signed one has a few hundred.
constexpr std::size_t longest = 4096;

// Nothing wrong: nullptr.
const char *fault_of (const std::string &url) {
  if (url.size() > longest)
    return "it is longer than 4096 bytes";
  if (url.find('\0') != std::string::npos)
    return "it holds U+0000";
  g_autofree char *scheme = nullptr;
  g_autofree char *host = nullptr;
  g_autofree char *path = nullptr;
  int port = -1;
  constexpr auto flags = static_cast<GUriFlags>(G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_ENCODED);
  if (!g_uri_split(url.c_str(), flags, &scheme, nullptr, &host, &port, &path, nullptr, nullptr,
                   nullptr))
    return "it is no URL with a port of 1 to 65535";
  if (!scheme || (strcmp(scheme, "rtmp") != 0 && strcmp(scheme, "rtmps") != 0))
    return "it doesn't begin with rtmp:// or rtmps://";
  if (!host || !*host)
    return "it has no host";
  if (port == 0)
    return "its port is 0";
  // "/application/stream"; the application may have slashes of its own.
  const char *stream = path ? strrchr(path, '/') : nullptr;
  if (!stream || stream - path < 2 || !stream[1])
    return "it has no application and stream";
  return nullptr;
}

}  // namespace

bool check_media_url (const std::string &url, GError **error) {
  const char *fault = fault_of(url);
  if (!fault)
    return true;
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
              "The gateway gave a media URL that can't be used: %s. Expected "
              "rtmp://HOST[:PORT]/APPLICATION/STREAM",
              fault);
  return false;
}

}  // namespace agora
