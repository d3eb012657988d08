// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/external-server.hpp"

#include <utility>

namespace agora::gateway {

namespace {

// Both were checked when the options were read.
MediaAddress parse (const std::string &url) {
  g_autoptr(GUri) uri = g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string host = g_uri_get_host(uri);
  if (host.find(':') != std::string::npos)
    host = "[" + host + "]";
  int port = g_uri_get_port(uri);
  std::string_view path = g_uri_get_path(uri);
  return {host, static_cast<std::uint16_t>(port > 0 ? port : 1935),
          std::string(path.substr(path.find_first_not_of('/')))};
}

}  // namespace

ExternalServer::ExternalServer(const Options &options)
    : address_(parse(options.public_rtmp.empty() ? options.rtmp : options.public_rtmp)) {
  if (!options.rtmp_control.empty())
    control_ = std::make_unique<MediaControl>(options.rtmp_control, parse(options.rtmp).app, "");
}

void ExternalServer::start(const std::string &, Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  callbacks_.ready();
}

void ExternalServer::drop(const DropMedia &what, std::function<void()> done) {
  if (control_)
    control_->drop(what, std::move(done));
  else
    done();
}

}  // namespace agora::gateway
