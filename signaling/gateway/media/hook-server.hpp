// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The HTTP server for the media server's hooks, apart from the one for members. A request without
// the secret in its path is answered with 404, whatever the path.
#pragma once

#include <libsoup/soup.h>

#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class HookServer {
 public:
  // Listens when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<HookServer>, std::string> make (const Endpoint &endpoint,
                                                                      std::string secret,
                                                                      RtmpKind kind);
  ~HookServer();
  HookServer(const HookServer &) = delete;
  HookServer &operator=(const HookServer &) = delete;

  // By admit and ended; until then every hook is refused.
  void answer_by (MediaServer::Callbacks callbacks) { callbacks_ = std::move(callbacks); }
  void set_secret (std::string secret) { secret_ = std::move(secret); }
  // Ends in the secret.
  std::string url () const { return "http://" + to_string(endpoint_) + "/" + secret_; }
  const Endpoint &endpoint () const { return endpoint_; }

 private:
  HookServer() = default;
  static void on_request (SoupServer *server, SoupServerMessage *message, const char *path,
                          GHashTable *query, gpointer self) noexcept;
  void answer (SoupServerMessage *message, std::string_view path);
  void reply (SoupServerMessage *message, bool allowed) const;

  Endpoint endpoint_;
  std::string secret_;
  RtmpKind kind_ = RtmpKind::nginx;
  MediaServer::Callbacks callbacks_;
  ObjectPtr<SoupServer> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace agora::gateway
