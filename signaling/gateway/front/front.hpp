// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The HTTP server of members and operators: WebSocket, choosing a server, health.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "signaling/gateway/front/guesses.hpp"
#include "signaling/gateway/front/socket-opener.hpp"
#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/operator/admin-request.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

// What stands behind it.
class FrontHandler {
 public:
  virtual ~FrontHandler() = default;
  virtual bool serves (std::string_view app_id) const = 0;
  // Nobody is let in any more.
  virtual bool draining () const = 0;
  // `host`: by which the client reached us, without port.
  virtual void opened (SoupWebsocketConnection *connection, GSocket *socket, std::string address,
                       std::string host) = 0;
  struct Health {
    bool media = false;
    std::size_t members = 0;
    std::size_t channels = 0;
    std::size_t streams = 0;
    unsigned media_restarts = 0;
    unsigned media_pause_ms = 0;
    struct Web {
      std::size_t workers = 0;  // of agora-web, that serve
      std::size_t sessions = 0;
      std::size_t restarts = 0;
    };
    std::optional<Web> web;     // nothing: without --web
    std::optional<bool> store;  // whether it answers; nothing: without --store
  };
  virtual Health health () const = 0;
  // WebSockets' URLs, without a path, of the gateways for a channel, best first; none: this one.
  virtual std::vector<std::string> servers (std::string_view app_id,
                                            std::string_view channel) const = 0;
  // For Prometheus; with the admin token, of channels as well. Nothing: it is a wrong one.
  virtual std::optional<std::string> metrics (std::string_view authorization) = 0;
  // `reply` is called once, maybe later.
  using AdminReply = std::function<void(const AdminAnswer &answer)>;
  virtual void administer (const AdminRequest &request, AdminReply reply) = 0;
  // Somebody who may watches live, on a connection whose answer begins with `head`.
  virtual void watch (GIOStream *stream, GSocket *socket, const std::string &head) = 0;
};

class Front {
 public:
  // Listens, but serves only after start(); an error is a sentence for the operator. `identity`:
  // that of read_certificate().
  static std::variant<std::unique_ptr<Front>, std::string> make (const Options &options,
                                                                 TlsIdentity::Ptr identity,
                                                                 FrontHandler &handler);
  // The certificate in use and its key, in PEM; all empty without TLS.
  struct Certificate {
    TlsIdentity::Ptr identity;
    std::string certificate;
    std::string key;
  };
  // Or a sentence that says what is wrong.
  static std::variant<Certificate, std::string> read_certificate (const Options &options);
  ~Front();
  Front(const Front &) = delete;
  Front &operator=(const Front &) = delete;

  // For more paths on this server, with bodies that are bounded so; before start().
  SoupServer *share_server (BodyLimit limit) {
    body_limit_ = limit;
    return server_.get();
  }
  std::uint16_t port () const { return endpoint_.port; }
  void start ();
  void stop ();
  // In place of those from the start.
  void set_allow_origins (std::vector<std::string> origins) {
    options_.allow_origins = std::move(origins);
  }
  // Another certificate, for connections from now on.
  void set_identity (TlsIdentity::Ptr identity) { acceptor_->set_identity(std::move(identity)); }
  // As operators reach it, without a path: for the ready line.
  std::string http_url () const;
  std::string ws_url () const;

 private:
  Front(const Options &options, FrontHandler &handler) : options_(options), handler_(handler) {}
  // HOST:PORT and HOST by which the client reached us; "" where the headers don't tell.
  struct Authority {
    std::string host;
    std::string host_port;
  };
  Authority authority (SoupMessageHeaders *headers) const;
  Authority authority (SoupServerMessage *message) const;
  bool lets_in (SoupMessageHeaders *headers) const;
  bool tls () const { return !options_.tls_certificate.empty(); }
  static void on_upgraded (SoupServerMessage *message, gpointer self) noexcept;
  bool take (GSocket *socket, std::string_view begin);
  void open (GSocket *socket, GIOStream *stream, std::string host);
  void choose (SoupServerMessage *message);
  void healthz (SoupServerMessage *message);
  // front-operator.cpp
  static std::string peer_of (SoupServerMessage *message);
  void metrics (SoupServerMessage *message);
  void administer (SoupServerMessage *message, const char *path, GHashTable *query);
  void answer_operator (SoupServerMessage *message, const AdminRequest &request,
                        const AdminAnswer &answer);
  void open_stream_soon (SoupServerMessage *message);
  void open_stream (SoupServerMessage *message);

  template <void (Front::*method)(SoupServerMessage *)>
  void route (const char *path, const char *http_method);

  Options options_;
  FrontHandler &handler_;
  Endpoint endpoint_;
  ObjectPtr<SoupServer> server_;
  std::unique_ptr<Acceptor> acceptor_;
  BodyLimit body_limit_ = [] (std::string_view) { return std::size_t{16} * 1024; };
  Guesses guesses_;  // of the admin token
  SocketOpener opener_;
  // For those that come back to it later: whether it still is.
  std::shared_ptr<Front *> alive_ = std::make_shared<Front *>(this);
};

}  // namespace agora::gateway
