// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// All that --web adds to the gateway: agora-web's workers, WHIP and WHEP in front of them, and
// their server where they have one. Main loop only; made and started on the main thread.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/web/web-bridge.hpp"
#include "signaling/gateway/web/web-server.hpp"
#include "signaling/gateway/web/web-workers.hpp"
#include "signaling/support/tls.hpp"

namespace agora::gateway {

class WebSide {
 public:
  struct Callbacks {
    std::function<void()> ready;
    std::function<void(const std::string &reason)> failed;  // a sentence for the operator
    std::function<void()> stopped;
  };

  // Listens already when it returns; an error is a sentence for the operator. `front`: the server
  // of
  // --listen, whose bodies web_body_limit() bounds, and its port; used without --web-listen.
  static std::variant<std::unique_ptr<WebSide>, std::string> make (
      const Options &options, TlsIdentity::Ptr identity, WorkerEntrance &entrance,
      WebBridge::Asks asks, SoupServer *front, std::uint16_t front_port);
  ~WebSide();
  WebSide(const WebSide &) = delete;
  WebSide &operator=(const WebSide &) = delete;

  void start (Callbacks callbacks);
  // The whole gateway serves.
  void open ();
  // Ends all sessions; `stopped` follows.
  void stop ();
  bool stopped () const { return stopped_; }
  void set_identity (const TlsIdentity::Ptr &identity);
  // --allow-origin and --ice-server: from the next request, and the next session, on.
  void set_rules (const Options &options);
  // As of WebWorkers.
  void feed (const web_line::Feed &order) { workers_->feed(order); }
  // Of the page.
  std::string url () const;
  WebSessions::Counts counts () const { return bridge_->routes().counts(); }
  WebWorkers::Counts workers () const { return workers_->counts(); }

 private:
  explicit WebSide(const Options &options) : options_(options) {}

  const Options options_;
  Endpoint endpoint_;
  std::unique_ptr<WebWorkers> workers_;
  std::unique_ptr<WebServer> server_;  // null: on --listen
  std::unique_ptr<WebBridge> bridge_;
  bool stopped_ = false;
};

}  // namespace agora::gateway
