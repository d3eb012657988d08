// SPDX-License-Identifier: LGPL-2.1-or-later
// What --web adds: pages, WHIP and WHEP in front, agora-web's workers behind them, and the door by
// which those bring members in.
#include <utility>

#include "signaling/gateway/gateway.hpp"

namespace agora::gateway {

namespace {

class DoorEntrance : public WorkerEntrance {
 public:
  explicit DoorEntrance(WorkerDoor &door) : door_(door) {}
  std::string open_to_worker () override { return door_.open(); }
  void shut_to_worker (const std::string &url) override { door_.shut(url); }

 private:
  WorkerDoor &door_;
};

}  // namespace

std::string Gateway::open_web(const Options &options, const TlsIdentity::Ptr &identity) {
  auto door = WorkerDoor::make(
      options,
      [this] (SoupWebsocketConnection *connection, GSocket *socket, const std::string &address,
              Entrance entrance) { enter(connection, socket, address, "", entrance); });
  if (auto *problem = std::get_if<std::string>(&door))
    return *problem;
  door_ = std::move(std::get<0>(door));
  entrance_ = std::make_unique<DoorEntrance>(*door_);
  auto web = WebSide::make(
      options, identity, *entrance_,
      {[this] (std::string_view app) { return serves(app); }, [this] { return draining(); }},
      front_->share_server(web_body_limit), front_->port());
  if (auto *problem = std::get_if<std::string>(&web))
    return *problem;
  web_ = std::move(std::get<0>(web));
  return "";
}

void Gateway::start_web() {
  web_->start({[this] {
                 web_ready_ = true;
                 maybe_ready();
               },
               [this] (const std::string &reason) { callbacks_.failed(reason); },
               [this] { maybe_stopped(); }});
}

void Gateway::perform(const OrderFeed &order) {
  if (web_)
    web_->feed({order.feed, order.app_id, order.channel, order.url});
}

std::optional<Metrics::Web> Gateway::web_figures() const {
  if (!web_)
    return {};
  auto counts = web_->counts();
  const auto workers = web_->workers();
  return Metrics::Web{counts.speak,    counts.hear,      counts.streams, std::move(counts.offers),
                      workers.workers, workers.restarts, workers.feeds};
}

}  // namespace agora::gateway
