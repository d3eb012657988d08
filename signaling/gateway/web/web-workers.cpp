// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/web/web-workers.hpp"

#include <algorithm>
#include <climits>
#include <functional>
#include <utility>

#include "signaling/gateway/process/child-program.hpp"
#include "signaling/gateway/web/http-message.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

constexpr unsigned most_workers_by_default = 4;
// Trickles and calls of one session that wait for their answers.
constexpr unsigned most_asked = 32;
constexpr const char *needs =
    ". It needs GStreamer's WebRTC: in Debian the packages gstreamer1.0-plugins-bad, "
    "gstreamer1.0-plugins-good and gstreamer1.0-nice. Without --web the gateway does without it";

web_line::Refuse refusal (std::uint64_t session, Code code, std::string reason) {
  return {session, 0, static_cast<std::int32_t>(code), std::move(reason)};
}

}  // namespace

std::variant<std::unique_ptr<WebWorkers>, std::string> WebWorkers::make(const Options &options,
                                                                        WorkerEntrance &entrance) {
  auto program =
      find_program({"agora-web", "web-program", "../../gst/web/agora-web",
                    "it is built and installed with the plugin, where GStreamer's WebRTC is there",
                    options.web.program});
  if (auto *problem = std::get_if<ProgramMissing>(&program))
    return "--web: " + problem->reason;
  return std::unique_ptr<WebWorkers>(
      new WebWorkers(options, entrance, std::get<std::string>(program)));
}

WebWorkers::WebWorkers(const Options &options, WorkerEntrance &entrance, const std::string &program)
    : most_sessions_(options.web.sessions), most_per_network_(options.web.sessions_per_address) {
  web_line::Configure configuration;
  configuration.ice_servers = options.web.ice_servers;
  configuration.rtp_low = options.web.rtp_low;
  configuration.rtp_high = options.web.rtp_high;
  configuration.public_ip = options.web.public_ip;
  configuration.limits.sessions = options.web.sessions;
  const unsigned count = options.web.workers != 0
                             ? options.web.workers
                             : std::min(g_get_num_processors(), most_workers_by_default);
  for (std::size_t i = 0; i < count; i++) {
    WebWorker::Callbacks callbacks;
    callbacks.ready = [this] { on_ready(); };
    callbacks.message = [this, i] (const web_line::ToGateway &message) {
      return on_message(i, message);
    };
    callbacks.lost = [this, i] { on_lost(i); };
    callbacks.failed = [this] (const std::string &reason, bool explained) {
      // The others have the same reason.
      if (!std::exchange(failed_, true) && callbacks_.failed)
        callbacks_.failed("--web: agora-web can't serve: " + reason + (explained ? "" : needs));
    };
    callbacks.stopped = [this] { on_stopped(); };
    const std::string name = count > 1 ? "agora-web " + std::to_string(i + 1) : "agora-web";
    workers_.push_back(
        std::make_unique<WebWorker>(name, program, configuration, entrance, std::move(callbacks)));
  }
}

void WebWorkers::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  for (const auto &worker : workers_)
    if (!stopping_)
      worker->start();
}

void WebWorkers::set_ice_servers(const std::vector<web_line::IceServer> &servers) {
  for (const auto &worker : workers_)
    worker->set_ice_servers(servers);
}

void WebWorkers::on_ready() {
  const bool all = std::all_of(workers_.begin(), workers_.end(),
                               [] (const auto &worker) { return worker->serves(); });
  feed_on();
  if (!was_ready_ && all && !stopping_) {
    was_ready_ = true;
    callbacks_.ready();
  }
}

void WebWorkers::stop() {
  if (std::exchange(stopping_, true))
    return;
  sessions_.clear();
  networks_.clear();
  feeds_.clear();
  for (const auto &worker : workers_)
    worker->stop();
  on_stopped();
}

void WebWorkers::on_stopped() {
  const bool all = std::all_of(workers_.begin(), workers_.end(),
                               [] (const auto &worker) { return worker->stopped(); });
  if (all && stopping_)
    if (auto stopped = std::exchange(callbacks_.stopped, nullptr))
      stopped();
}

std::optional<std::size_t> WebWorkers::choose(const web_line::Offer &offer) const {
  if (offer.member != 0) {
    const auto found = sessions_.find(offer.member);
    return found == sessions_.end() ? std::nullopt : std::optional(found->second.worker);
  }
  return choose(offer.app, offer.channel);
}

// The channel's own worker; while that one doesn't serve, the next that does: whoever comes again
// after a loss needn't wait for a new one.
std::optional<std::size_t> WebWorkers::choose(const std::string &app,
                                              const std::string &channel) const {
  const std::size_t home = std::hash<std::string>()(app + '\n' + channel);
  for (std::size_t i = 0; i < workers_.size(); i++) {
    const std::size_t which = (home + i) % workers_.size();
    if (workers_[which]->serves())
      return which;
  }
  return std::nullopt;
}

std::optional<web_line::Refuse> WebWorkers::offer(const web_line::Offer &offer) {
  if (stopping_)
    return refusal(offer.session, Code::drain, "the gateway is shutting down");
  const std::string network = network_of(offer.address);
  const auto here = networks_.find(network);
  if (sessions_.size() >= most_sessions_)
    return refusal(offer.session, Code::overloaded, "too many browsers are connected");
  if (here != networks_.end() && here->second >= most_per_network_)
    return refusal(offer.session, Code::too_many, "too many sessions from one address");
  const auto worker = choose(offer);
  if (!worker && offer.member != 0)
    return web_line::Refuse{offer.session, status::not_found, 0,
                            "member: there is no such session"};
  if (!worker)
    return refusal(offer.session, Code::service_lost, "agora-web is starting: try again");
  if (!workers_[*worker]->send(offer))
    return web_line::Refuse{offer.session, 400, 0, "the offer is too long, or no text"};
  sessions_[offer.session] = {*worker, network};
  networks_[network]++;
  return std::nullopt;
}

unsigned WebWorkers::ask(std::uint64_t session, const web_line::ToWorker &message) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end())
    return status::not_found;
  if (found->second.asked >= most_asked)
    return status::too_many;
  if (!workers_[found->second.worker]->send(message))
    return status::too_large;
  found->second.asked++;
  return 0;
}

unsigned WebWorkers::trickle(const web_line::Trickle &trickle) {
  return ask(trickle.session, trickle);
}

unsigned WebWorkers::call(const web_line::Call &call) {
  return ask(call.session, call);
}

void WebWorkers::listen(const web_line::Listen &listen) {
  const auto found = sessions_.find(listen.session);
  if (found != sessions_.end())
    workers_[found->second.worker]->send(listen);
}

void WebWorkers::end(std::uint64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end())
    return;
  workers_[found->second.worker]->send(web_line::End{session});
  forget(session);
}

void WebWorkers::forget(std::uint64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end())
    return;
  const auto network = networks_.find(found->second.network);
  if (--network->second == 0)
    networks_.erase(network);
  sessions_.erase(found);
}

void WebWorkers::feed(const web_line::Feed &order) {
  if (stopping_)
    return;
  if (!order.url.empty()) {
    feeds_[order.feed] = {order, {}};
    feed_on();
  } else if (const auto over = feeds_.extract(order.feed); !over.empty() && over.mapped().worker) {
    workers_[*over.mapped().worker]->send(order);
  }
}

// Those that nobody has.
void WebWorkers::feed_on() {
  for (auto &[number, feeding] : feeds_)
    if (!feeding.worker) {
      feeding.worker = choose(feeding.order.app, feeding.order.channel);
      if (feeding.worker)
        workers_[*feeding.worker]->send(feeding.order);
    }
}

void WebWorkers::on_lost(std::size_t worker) {
  for (auto &[number, feeding] : feeds_)
    if (feeding.worker == worker)
      feeding.worker.reset();
  feed_on();
  std::vector<std::pair<std::uint64_t, bool>> lost;
  for (const auto &[number, session] : sessions_)
    if (session.worker == worker)
      lost.emplace_back(number, session.answered);
  constexpr const char *reason = "agora-web was lost: come again";
  for (const auto &[number, answered] : lost) {
    forget(number);
    if (handler_ != nullptr && answered)
      handler_->told(
          web_line::Ended{number, static_cast<std::int32_t>(Code::service_lost), reason});
    else if (handler_ != nullptr)
      handler_->told(refusal(number, Code::service_lost, reason));
  }
}

std::string WebWorkers::on_message(std::size_t worker, const web_line::ToGateway &message) {
  return std::visit(
      [&] (const auto &each) -> std::string {
        if constexpr (requires { each.session; })
          return tell(worker, each);
        else
          return "";
      },
      message);
}

template <typename Message>
std::string WebWorkers::tell(std::size_t worker, const Message &message) {
  const auto found = sessions_.find(message.session);
  // It may have ended a moment ago. Another worker's is none of its business.
  if (found == sessions_.end() || found->second.worker != worker)
    return "";
  Session &session = found->second;
  constexpr bool refuses = std::is_same_v<Message, web_line::Refuse>;
  constexpr bool answers = refuses || std::is_same_v<Message, web_line::Answer>;
  constexpr bool ends = std::is_same_v<Message, web_line::Ended>;
  constexpr bool replies =
      std::is_same_v<Message, web_line::Trickled> || std::is_same_v<Message, web_line::Called>;
  if (answers && session.answered)
    return "a session was answered twice";
  if (replies && session.asked == 0)
    return "an answer that nobody asked for";
  session.asked -= replies ? 1 : 0;
  const bool answered = std::exchange(session.answered, session.answered || answers);
  if (refuses || ends)
    forget(message.session);
  if (handler_ == nullptr)
    return "";
  if constexpr (ends)
    if (!answered) {
      handler_->told(web_line::Refuse{message.session, 0, message.code, message.reason});
      return "";
    }
  handler_->told(message);
  return "";
}

unsigned WebWorkers::pause_ms() const {
  unsigned shortest = UINT_MAX;
  for (const auto &worker : workers_)
    shortest = std::min(shortest, worker->pause_ms());
  return shortest == UINT_MAX ? 0 : shortest;
}

WebWorkers::Counts WebWorkers::counts() const {
  Counts counts;
  counts.sessions = sessions_.size();
  counts.feeds = feeds_.size();
  for (const auto &worker : workers_) {
    counts.workers += worker->serves() ? 1 : 0;
    counts.members += worker->figures().members;
    counts.restarts += worker->restarts();
  }
  return counts;
}

}  // namespace agora::gateway
