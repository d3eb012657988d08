// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The HTTP server for browsers alone: --web-listen.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/tls.hpp"

namespace agora::gateway {

class WebServer {
 public:
  // Listens, but serves only after start(); an error is a sentence for the operator. `identity`:
  // null without TLS.
  static std::variant<std::unique_ptr<WebServer>, std::string> make (const Options &options,
                                                                     TlsIdentity::Ptr identity);
  ~WebServer() { stop(); }
  WebServer(const WebServer &) = delete;
  WebServer &operator=(const WebServer &) = delete;

  SoupServer *server () const { return server_.get(); }
  std::uint16_t port () const { return endpoint_.port; }
  Endpoint endpoint () const { return endpoint_; }
  void start () { acceptor_->start(); }
  void stop ();
  void set_identity (TlsIdentity::Ptr identity) { acceptor_->set_identity(std::move(identity)); }

 private:
  WebServer() = default;

  Endpoint endpoint_;
  ObjectPtr<SoupServer> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace agora::gateway
