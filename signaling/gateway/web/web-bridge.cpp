// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/web-bridge.hpp"

#include <utility>

namespace agora::gateway {

namespace {

WebRules rules_of (const Options &options) {
  WebRules rules;
  rules.allow_origins = options.allow_origins;
  rules.ice_servers = options.web.ice_servers;
  return rules;
}

}  // namespace

WebBridge::WebBridge(const Options &options, WebWorkers &workers, Asks asks)
    : workers_(workers), asks_(std::move(asks)), routes_(rules_of(options), *this) {
  workers_.set_handler(this);
}

void WebBridge::set_rules(const Options &options) {
  routes_.set_rules(rules_of(options));
}

WebBridge::~WebBridge() {
  // Ends sessions, while there are workers to be told.
  routes_.stop();
  workers_.set_handler(nullptr);
}

}  // namespace agora::gateway
