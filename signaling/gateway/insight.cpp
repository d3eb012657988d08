// SPDX-License-Identifier: LGPL-2.1-or-later
// What the gateway tells its operator of itself.
#include <algorithm>
#include <utility>

#include "signaling/gateway/gateway.hpp"

namespace agora::gateway {

Metrics::Snapshot Gateway::count() {
  Metrics::Snapshot snapshot;
  snapshot.totals = book_->totals();
  snapshot.sockets = sockets_.size();
  snapshot.media_up = media_->alive();
  snapshot.media_restarts = media_->restarts();
  snapshot.relay = media_->counters();
  if (webhooks_)
    snapshot.webhooks = webhooks_->counts();
  snapshot.web = web_figures();
  if (store_)
    snapshot.store = {store_->status(), book_->cluster()->counts(),
                      book_->cluster()->gateways().size()};
  snapshot.certificate_ends = certificate_ends_;
  snapshot.process = process_.figures(now().mono_ms);
  snapshot.draining = draining();
  snapshot.watchers = live_->watchers();
  return snapshot;
}

std::optional<std::string> Gateway::metrics(std::string_view authorization) {
  if (!authorization.empty() && !admin_->lets_in(authorization))
    return {};
  auto snapshot = count();
  for (const auto &[id, socket] : sockets_) {
    auto queued = socket->queued_bytes();
    snapshot.queue_bytes += queued;
    snapshot.queue_bytes_max = std::max(snapshot.queue_bytes_max, queued);
  }
  // Names of channels are nobody's business but the operator's.
  if (!authorization.empty()) {
    snapshot.channels = book_->channel_figures(Metrics::most_channels, now());
    if (snapshot.relay)
      snapshot.traffic = traffic_.figures(snapshot.channels->named, now().mono_ms);
  }
  return metrics_.text(snapshot);
}

LiveGateway Gateway::look() {
  LiveGateway gateway{count(), metrics_.worst_lag(), {}};
  for (const auto &app : options_.apps)
    gateway.apps.push_back(app.id);
  return gateway;
}

void Gateway::administer(const AdminRequest &asked, AdminReply reply) {
  AdminRequest request = asked;
  request.now = now();
  auto answer = admin_->answer(request);
  if (answer.streams && live_->full())
    answer = admin_failure(503, "too many watch already: expected " +
                                    std::to_string(LiveWatch::most_watchers) + " at most");
  const std::string by =
      request.authorization.empty() ? "console" : credential_of(request.authorization);
  answer_operator(std::move(answer), [this, by, from = request.address,
                                      reply = std::move(reply)] (const AdminAnswer &done) {
    if (done.deed)
      record(*done.deed, by, from);
    reply(done);
  });
}

void Gateway::watch(GIOStream *stream, GSocket *socket, const std::string &head) {
  // Others may have come since it was let in.
  if (!live_->full() && state_ != State::stopping)
    live_->open(stream, socket, head);
}

}  // namespace agora::gateway
