// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// WHIP, WHEP and the page on a SoupServer. Main loop only.
#pragma once

#include <libsoup/soup.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "signaling/gateway/http/event-queue.hpp"
#include "signaling/gateway/http/event-streams.hpp"
#include "signaling/gateway/http/peer-watch.hpp"
#include "signaling/gateway/web/web-sessions.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class WebRoutes {
 public:
  struct Place {
    bool tls = false;
    std::string public_host;  // "": by the Host header
    unsigned port = 0;
  };

  WebRoutes(WebRules rules, WebSurroundings &around);
  ~WebRoutes();
  WebRoutes(const WebRoutes &) = delete;
  WebRoutes &operator=(const WebRoutes &) = delete;

  // Serves /whip, /whep and /web there. `server`'s requests are bounded by bound_requests() with
  // web_body_limit().
  void attach (SoupServer *server, Place place);
  // What the workers tell.
  template <typename Message>
  void told (const Message &message) {
    sessions_.told(message);
    arm();
  }
  // In place of those from the start.
  void set_rules (WebRules rules) { sessions_.set_rules(std::move(rules)); }
  // Ends all sessions, and answers what waits.
  void stop ();
  WebSessions::Counts counts () const { return sessions_.counts(); }

 private:
  // A request that waits for its answer.
  struct Pending {
    ObjectPtr<SoupServerMessage> message;
    WebSessions::Ticket ticket = 0;
    PeerWatch::Id watched = 0;
    gulong finished = 0;
  };
  static void on_request (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                          gpointer self) noexcept;
  static void on_page (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                       gpointer self) noexcept;
  static void on_finished (SoupServerMessage *message, gpointer self) noexcept;
  WebRequest read (SoupServer *server, SoupServerMessage *message) const;
  void ask (SoupServerMessage *message, const WebRequest &request);
  void wait (SoupServerMessage *message, WebSessions::Ticket ticket);
  void gone (SoupServerMessage *message);
  void forget (SoupServerMessage *message);
  void open_stream_soon (SoupServerMessage *message, WebSessions::StreamPlace place,
                         const std::string &origin);
  void open_stream (SoupServerMessage *message, WebSessions::StreamPlace place,
                    const std::string &origin);
  void arm ();
  std::string refusal_headers (SoupServer *server, SoupServerMessage *message) const;

  std::unordered_map<SoupServer *, Place> places_;
  PeerWatch watch_;
  WebSessions sessions_;
  EventStreams streams_;
  std::unordered_map<SoupServerMessage *, Pending> pending_;
  Timer deadline_;
  // What runs later finds out by it that we have gone.
  const std::shared_ptr<WebRoutes *> alive_ = std::make_shared<WebRoutes *>(this);
};

// The longest body of a request for `path`, in bytes.
std::size_t web_body_limit (std::string_view path);

}  // namespace agora::gateway
