// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/external-server.hpp"

#include <utility>

#include "signaling/gateway/options/secrets.hpp"

namespace agora::gateway {

std::variant<std::unique_ptr<MediaServer>, std::string> ExternalServer::make(
    const Options &options) {
  auto secret = read_secret("hook-secret-file", options.hook_secret_file, SecretKind::plain);
  if (auto *error = std::get_if<SecretFileError>(&secret))
    return error->reason;
  auto hooks =
      HookServer::make(options.hook_listen, std::get<std::string>(secret), options.rtmp_kind);
  if (auto *problem = std::get_if<std::string>(&hooks))
    return *problem;
  auto server = std::unique_ptr<ExternalServer>(new ExternalServer(options));
  server->hooks_ = std::move(std::get<0>(hooks));
  g_message("Hooks of %s are answered at http://%s/SECRET/on_publish and so on",
            options.rtmp.c_str(), to_string(server->hooks_->endpoint()).c_str());
  return server;
}

ExternalServer::ExternalServer(const Options &options)
    : address_(parse_media_url(options.public_rtmp.empty() ? options.rtmp : options.public_rtmp)),
      near_(parse_media_url(options.rtmp)),
      control_(MediaControl::make(options)) {
}

void ExternalServer::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  hooks_->answer_by(callbacks_);
  if (control_)
    control_->start(callbacks_);
  callbacks_.ready();
}

void ExternalServer::drop(const DropMedia &what, std::function<void()> done) {
  if (control_)
    control_->drop(what, std::move(done));
  else
    done();
}

}  // namespace agora::gateway
