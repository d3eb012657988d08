// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/media-address.hpp"

#include <glib.h>

#include <string_view>
#include <utility>

namespace agora::gateway {

MediaAddress parse_media_url (const std::string &url) {
  g_autoptr(GUri) uri = g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string host = g_uri_get_host(uri);
  if (host.find(':') != std::string::npos)
    host = "[" + host + "]";
  int port = g_uri_get_port(uri);
  std::string_view path = g_uri_get_path(uri);
  std::string scheme = g_uri_get_scheme(uri);
  const int usual = scheme == "rtmps" ? 443 : 1935;
  return {host, static_cast<std::uint16_t>(port > 0 ? port : usual),
          std::string(path.substr(path.find_first_not_of('/'))), std::move(scheme)};
}

}  // namespace agora::gateway
