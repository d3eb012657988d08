// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/web-side.hpp"

#include <utility>

#include "signaling/gateway/http/http.hpp"

namespace agora::gateway {

std::variant<std::unique_ptr<WebSide>, std::string> WebSide::make(
    const Options &options, TlsIdentity::Ptr identity, WorkerEntrance &entrance,
    WebBridge::Asks asks, SoupServer *front, std::uint16_t front_port) {
  auto side = std::unique_ptr<WebSide>(new WebSide(options));
  auto workers = WebWorkers::make(options, entrance);
  if (auto *problem = std::get_if<std::string>(&workers))
    return *problem;
  side->workers_ = std::move(std::get<0>(workers));
  side->endpoint_ = {options.listen.address, front_port};
  if (options.web.listen) {
    auto server = WebServer::make(options, std::move(identity));
    if (auto *problem = std::get_if<std::string>(&server))
      return *problem;
    side->server_ = std::move(std::get<0>(server));
    side->endpoint_ = side->server_->endpoint();
    front = side->server_->server();
  }
  side->bridge_ = std::make_unique<WebBridge>(options, *side->workers_, std::move(asks));
  side->bridge_->routes().attach(
      front, {!options.tls_certificate.empty(), options.public_host, side->endpoint_.port});
  return side;
}

WebSide::~WebSide() = default;

void WebSide::start(Callbacks callbacks) {
  WebWorkers::Callbacks own;
  own.ready = std::move(callbacks.ready);
  own.failed = std::move(callbacks.failed);
  own.stopped = [this, stopped = std::move(callbacks.stopped)] {
    stopped_ = true;
    stopped();
  };
  workers_->start(std::move(own));
}

void WebSide::open() {
  if (server_)
    server_->start();
}

void WebSide::stop() {
  bridge_->routes().stop();
  if (server_)
    server_->stop();
  workers_->stop();
}

void WebSide::set_identity(const TlsIdentity::Ptr &identity) {
  if (server_)
    server_->set_identity(identity);
}

void WebSide::set_rules(const Options &options) {
  bridge_->set_rules(options);
  workers_->set_ice_servers(options.web.ice_servers);
}

std::string WebSide::url() const {
  return (options_.tls_certificate.empty() ? "http://" : "https://") +
         own_host(endpoint_, options_.public_host) + ":" + std::to_string(endpoint_.port) + "/web/";
}

}  // namespace agora::gateway
