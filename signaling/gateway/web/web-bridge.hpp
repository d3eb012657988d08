// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Browsers, from their HTTP to the workers: what they ask goes to agora-web, and what that tells
// goes back. Main loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/web/web-routes.hpp"
#include "signaling/gateway/web/web-sessions.hpp"
#include "signaling/gateway/web/web-workers.hpp"

namespace agora::gateway {

class WebBridge : private WebSurroundings, private WebHandler {
 public:
  struct Asks {
    std::function<bool(std::string_view app)> serves;
    std::function<bool()> draining;
  };

  WebBridge(const Options &options, WebWorkers &workers, Asks asks);
  ~WebBridge() override;
  WebBridge(const WebBridge &) = delete;
  WebBridge &operator=(const WebBridge &) = delete;

  void set_rules (const Options &options);
  WebRoutes &routes () { return routes_; }
  const WebRoutes &routes () const { return routes_; }

 private:
  bool serves (std::string_view app) const override { return asks_.serves(app); }
  bool draining () const override { return asks_.draining(); }
  std::uint64_t next_session () override { return workers_.next_session(); }
  std::optional<web_line::Refuse> offer (const web_line::Offer &offer) override {
    return workers_.offer(offer);
  }
  unsigned trickle (const web_line::Trickle &trickle) override { return workers_.trickle(trickle); }
  unsigned call (const web_line::Call &call) override { return workers_.call(call); }
  void listen (const web_line::Listen &listen) override { workers_.listen(listen); }
  void end (std::uint64_t session) override { workers_.end(session); }
  unsigned pause_ms () const override { return workers_.pause_ms(); }

  void told (const web_line::Answer &message) override { routes_.told(message); }
  void told (const web_line::Refuse &message) override { routes_.told(message); }
  void told (const web_line::Trickled &message) override { routes_.told(message); }
  void told (const web_line::Called &message) override { routes_.told(message); }
  void told (const web_line::Event &message) override { routes_.told(message); }
  void told (const web_line::Ended &message) override { routes_.told(message); }

  WebWorkers &workers_;
  const Asks asks_;
  WebRoutes routes_;
};

}  // namespace agora::gateway
