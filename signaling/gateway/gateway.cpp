// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/gateway.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/media/external-server.hpp"
#include "signaling/gateway/media/relay-server.hpp"
#include "signaling/gateway/operator/deed.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

// Time for members to read the close frame.
constexpr unsigned farewell_ms = 500;
constexpr std::int64_t pulse_us = G_USEC_PER_SEC;
// If a deadline is this late, the gateway stood still, and members' pings may still be unread.
constexpr std::int64_t stall_us = 2 * G_USEC_PER_SEC;
constexpr std::int64_t catch_up_us = G_USEC_PER_SEC / 2;

}  // namespace

Now now () {
  return {g_get_monotonic_time() / 1000, g_get_real_time() / G_USEC_PER_SEC};
}

std::map<std::string, std::string, std::less<>> apps_of (const Options &options) {
  std::map<std::string, std::string, std::less<>> apps;
  for (const auto &app : options.apps)
    apps[app.id] = app.certificate;
  return apps;
}

Gateway::Gateway(const Options &options, Callbacks callbacks)
    : options_(options),
      callbacks_(std::move(callbacks)),
      deadline_([this] { on_deadline(); }),
      pulse_([this] { pulse(); }),
      hurry_([this] {
        sockets_.clear();
        hurried_ = true;
        maybe_stopped();
      }),
      drained_([this] { stop(); }) {
}

Gateway::~Gateway() = default;

std::variant<std::unique_ptr<Gateway>, std::string> Gateway::make(const Options &options,
                                                                  Callbacks callbacks) {
  auto gateway = std::unique_ptr<Gateway>(new Gateway(options, std::move(callbacks)));
  auto problem = gateway->open(options);
  if (!problem.empty())
    return problem;
  return gateway;
}

std::string Gateway::open(const Options &options) {
  auto secrets = read_secrets(options);
  if (auto *problem = std::get_if<std::string>(&secrets))
    return *problem;
  auto &read = std::get<Secrets>(secrets);
  if (!options.webhook_url.empty())
    webhooks_ = std::make_unique<Webhooks>(options.webhook_url, std::move(read.webhook),
                                           [this] { maybe_stopped(); });
  auto certificate = Front::read_certificate(options);
  if (auto *problem = std::get_if<std::string>(&certificate))
    return *problem;
  const auto &pem = std::get<Front::Certificate>(certificate);
  auto front = Front::make(options, pem.identity, *this);
  if (auto *problem = std::get_if<std::string>(&front))
    return *problem;
  front_ = std::move(std::get<0>(front));
  auto media = options.rtmp.empty() ? RelayServer::make(options) : ExternalServer::make(options);
  if (auto *problem = std::get_if<std::string>(&media))
    return *problem;
  media_ = std::move(std::get<0>(media));
  media_->set_certificate(pem.certificate, pem.key);
  if (options.web.on)
    if (auto problem = open_web(options, pem.identity); !problem.empty())
      return problem;

  Config config;
  config.apps = apps_of(options);
  config.show_members = options.show_members;
  auto address = media_->address();
  config.rtmp_scheme = address.scheme;
  config.rtmp_host = address.host;
  config.rtmp_port = address.port;
  config.rtmp_app = address.app;
  const auto near = media_->near_address();
  config.near_scheme = near.scheme;
  config.near_host = near.host;
  config.near_port = near.port;
  config.makes_mixes = options.web.on;
  config.limits = options.limits;
  config.token_kinds = options.token_kinds;
  config.times.join_ms = std::int64_t{1000} * options.join_seconds;
  config.secret = draw_secret();
  if (!options.store.empty())
    if (auto problem = open_store(options, config); !problem.empty())
      return problem;
  book_ = std::make_unique<ChannelBook>(std::move(config));
  if (pem.identity)
    certificate_ends_ = pem.identity->expires_at();
  live_ = std::make_unique<LiveWatch>(*book_, !options.store.empty(), [this] { return look(); });
  admin_ = std::make_unique<Admin>(*book_, std::move(read.admin), options.admin_requests,
                                   options.console, [this] { return live_->all(); });
  forbid_stream_keys(options);
  return options.state_dir.empty() ? "" : open_state(options);
}

void Gateway::start() {
  pulse();
  MediaServer::Callbacks callbacks;
  callbacks.admit = [this] (const HookRequest &request, MediaServer::Reply reply) {
    admit(request, std::move(reply));
  };
  callbacks.ended = [this] (const HookRequest &request) { ended(request); };
  callbacks.pulled = [this] (const std::string &stream) {
    run(book_->stream_pulled(stream, now()));
  };
  callbacks.cut = [this] (const std::string &stream) { run(book_->listeners_cut(stream, now())); };
  callbacks.traffic = [this] (const relay_line::Traffic &traffic) {
    const auto find = [this] (const std::string &stream) {
      return book_->channel_of_stream(stream);
    };
    traffic_.add(traffic, find, now().mono_ms);
  };
  callbacks.ready = [this] {
    media_ready_ = true;
    maybe_ready();
  };
  callbacks.failed = [this] (const std::string &reason) { callbacks_.failed(reason); };
  callbacks.lost = [this] { run(book_->media_server_lost(now())); };
  callbacks.sessions = [this] (const std::vector<std::uint64_t> &ids, std::int64_t asked) {
    run(book_->media_sessions(ids, asked / 1000, now()));
  };
  callbacks.away = [this] { run(book_->service_lost(now())); };
  callbacks.back = [this] { book_->service_back(); };
  callbacks.stopped = [this] {
    media_stopped_ = true;
    maybe_stopped();
  };
  media_->start(std::move(callbacks));
  if (kept_)
    start_state();
  if (store_)
    start_store();
  if (web_)
    start_web();
}

// Once: whoever is lost later comes back by itself.
void Gateway::maybe_ready() {
  if (state_ != State::starting || !media_ready_ || (web_ && !web_ready_) ||
      (store_ && !store_told_))
    return;
  front_->start();
  if (web_)
    web_->open();
  state_ = State::serving;
  auto media = media_->address();
  const bool by_tls = options_.public_rtmp == "rtmps";
  auto url = [&] (const std::string &scheme, const Endpoint &listen, std::uint16_t port) {
    return scheme + "://" + own_host(listen, media.host) + ":" + std::to_string(port) + "/" +
           media.app;
  };
  std::string text =
      "ready ws=" + front_->ws_url() + " http=" + front_->http_url() + " rtmp=" +
      url(media.scheme, by_tls ? *options_.rtmps_listen : options_.rtmp_listen, media.port);
  if (options_.rtmps_listen)
    text += " rtmps=" + url("rtmps", *options_.rtmps_listen, media_->rtmps_port());
  if (web_)
    text += " web=" + web_->url();
  callbacks_.ready(text);
}

void Gateway::pulse() {
  auto at = g_get_monotonic_time();
  if (pulse_due_ != 0)
    metrics_.lag(static_cast<double>(at - pulse_due_) / G_USEC_PER_SEC);
  pulse_due_ = at + pulse_us;
  pulse_.at(pulse_due_);
}

void Gateway::drain() {
  if (state_ != State::serving || options_.drain_seconds == 0) {
    stop();
    return;
  }
  state_ = State::draining;
  record({.action = "drain"}, "signal", "");
  g_message("Draining: members have %u s to move", options_.drain_seconds);
  drained_.in(1000 * options_.drain_seconds);
  leave_rendezvous();
  run(book_->drain(std::int64_t{1000} * options_.drain_seconds, now()));
}

void Gateway::stop() {
  if (std::exchange(state_, State::stopping) == State::stopping)
    return;
  drained_.stop();
  record({.action = "stop"}, "signal", "");
  if (web_) {
    web_->stop();
    door_->stop();
  }
  front_->stop();
  live_->end();
  run(book_->close_all(now()));
  hurry_.in(farewell_ms);
  media_->stop();
}

void Gateway::maybe_stopped() {
  if (state_ != State::stopping || !media_stopped_ || (web_ && !web_->stopped()) ||
      !sockets_.empty() || (webhooks_ && !webhooks_->idle() && !hurried_) ||
      (store_ && store_->status().waiting > 0 && !hurried_) ||
      (stream_keys_ && !stream_keys_->idle() && !hurried_) ||
      (kept_ && !kept_->idle() && !hurried_))
    return;
  if (store_)
    store_->stop();
  hurry_.stop();
  pulse_.stop();
  deadline_.stop();
  if (auto stopped = std::exchange(callbacks_.stopped, nullptr))
    stopped();
}

void Gateway::opened(SoupWebsocketConnection *connection, GSocket *socket, std::string address,
                     std::string host) {
  enter(connection, socket, address, host, Entrance::front);
}

void Gateway::enter(SoupWebsocketConnection *connection, GSocket *socket,
                    const std::string &address, const std::string &host, Entrance entrance) {
  auto id = ++last_id_;
  MemberSocket::Callbacks callbacks{[this, id] (std::string_view text) { received(id, text); },
                                    [this, id] { closed(id); }};
  sockets_[id] =
      std::make_unique<MemberSocket>(connection, socket, options_.frames, std::move(callbacks));
  run(book_->connected(id, address, host, now(), entrance));
}

void Gateway::received(SessionId id, std::string_view text) {
  metrics_.received(text.size());
  if (!book_->affords(id, text.size(), now())) {
    run(book_->refuse_frame(id, protocol::request_id_of(text), now()));
    return;
  }
  auto message = protocol::decode_client(
      text, protocol::DecodeLimits{options_.frames.bytes, options_.frames.depth});
  if (auto *error = std::get_if<protocol::DecodeError>(&message)) {
    run(book_->malformed(id, *error, now()));
    return;
  }
  run(book_->received(id, std::get<protocol::ClientMessage>(message), now()));
}

void Gateway::closed(SessionId id) {
  sockets_.erase(id);
  run(book_->disconnected(id, now()));
  maybe_stopped();
}

FrontHandler::Health Gateway::health() const {
  auto totals = book_->totals();
  Health health{media_->alive(), totals.members,     totals.channels,
                totals.streams,  media_->restarts(), media_->pause_ms()};
  if (web_) {
    const auto web = web_->workers();
    health.web = {web.workers, web.sessions, web.restarts};
  }
  if (store_)
    health.store = store_->status().up;
  return health;
}

namespace {

// Which encoder or player it is, in the words of the operator's deeds. The key itself is in no log.
void log_refusal (const char *what, const HookRequest &request, const HookAnswer &answer) {
  const HookOwner &owner = answer.owner;
  const std::string key = owner.key != 0 ? " key=" + std::to_string(owner.key) : "";
  const std::string whose = deed_text({"", owner.app_id, owner.channel, owner.uid, key}, "", "");
  const std::string uid = std::to_string(owner.uid);
  g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "AGORA_APP", owner.app_id.c_str(),
                   "AGORA_CHANNEL", owner.channel.c_str(), "AGORA_UID", uid.c_str(), "MESSAGE",
                   "Refused a %s from %s%s: %s", what, request.address.c_str(), whose.c_str(),
                   answer.reason.c_str());
}

}  // namespace

void Gateway::admit(const HookRequest &request, MediaServer::Reply reply) {
  bool push = request.call == HookCall::publish;
  auto answer = push ? book_->on_publish(request, now()) : book_->on_play(request, now());
  metrics_.hook(request.call, answer.allow);
  if (!answer.allow)
    log_refusal(push ? "push" : "play", request, answer);
  const std::string &named = answer.stream.empty() ? request.stream : answer.stream;
  if (auto channel = answer.allow ? book_->channel_of_stream(named) : std::nullopt)
    traffic_.met(named, *std::move(channel), now().mono_ms);
  run(answer.commands, [reply = std::move(reply), refusal = answer.reason,
                        relay_from = answer.relay_from, stream = answer.stream] {
    reply({refusal, relay_from, stream});
  });
}

void Gateway::ended(const HookRequest &request) {
  metrics_.hook(request.call, true);
  run(request.call == HookCall::publish_done ? book_->on_publish_done(request, now())
                                             : book_->on_play_done(request, now()));
}

// `done` is called when all sessions to be dropped have ended.
void Gateway::run(const Commands &commands, std::function<void()> done) {
  struct Pending {
    std::function<void()> done;
    Pending() = default;
    Pending(const Pending &) = delete;
    Pending &operator=(const Pending &) = delete;
    ~Pending() {
      if (done)
        done();
    }
  };
  // The last drop to end holds the last reference.
  auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  ask_first(commands);
  for (const auto &command : commands) {
    if (const auto *drop = std::get_if<DropMedia>(&command))
      media_->drop(*drop, [pending] {});
    else
      std::visit(
          [this] (const auto &each) {
            using Kind = std::decay_t<decltype(each)>;
            if constexpr (!std::is_same_v<Kind, DropMedia> && !std::is_same_v<Kind, Ask>)
              perform(each);
          },
          command);
  }
  arm();
}

void Gateway::run(const Commands &commands) {
  run(commands, nullptr);
}

void Gateway::arm() {
  auto next = book_->next_deadline();
  deadline_due_ = next.value_or(0) * 1000;
  if (next)
    deadline_.at(std::max(deadline_due_, caught_up_));
  else
    deadline_.stop();
  // Later, not from within this call: the caller still uses the gateway.
  if (state_ == State::draining && book_->drained())
    drained_.in(0);
}

void Gateway::on_deadline() {
  auto at = g_get_monotonic_time();
  // Once for each stall, so that members that are really silent are closed in the end.
  if (caught_up_ == 0 && at - deadline_due_ > stall_us) {
    caught_up_ = at + catch_up_us;
    deadline_.at(caught_up_);
    return;
  }
  caught_up_ = 0;
  run(book_->tick(now()));
}

void Gateway::perform(const Send &send) {
  const TextFrame frame(protocol::encode(send.message));
  for (auto id : send.to)
    if (auto found = sockets_.find(id); found != sockets_.end()) {
      metrics_.sent(frame.text().size());
      found->second->send(frame);
    }
}

// It makes room for nobody any more.
void Gateway::perform(const Joined &joined) {
  if (const auto found = sockets_.find(joined.session); found != sockets_.end())
    Acceptor::admit(found->second->socket());
}

void Gateway::perform(const Close &close) {
  if (auto found = sockets_.find(close.session); found != sockets_.end())
    found->second->close(static_cast<unsigned short>(close.code), close.reason);
}

namespace {

// A switch, so that the compiler asks for each.
const char *words_of (NoticeKind kind) {
  switch (kind) {
    case NoticeKind::channel_created:
      return "channel created";
    case NoticeKind::channel_destroyed:
      return "channel destroyed";
    case NoticeKind::member_in:
      return "member in";
    case NoticeKind::member_out:
      return "member out";
    case NoticeKind::role_changed:
      return "role changed";
    case NoticeKind::stream_added:
      return "stream added";
    case NoticeKind::stream_removed:
      return "stream removed";
    case NoticeKind::member_silenced:
      return "member silenced";
    case NoticeKind::member_unsilenced:
      return "member unsilenced";
  }
  return "";
}

}  // namespace

void Gateway::perform(const OldToken &token) {
  const std::string version(protocol::version_of(token.kind));
  g_message(
      "App %s is still used with tokens of version %s, which bind less than those of 007: see "
      "--token-versions",
      protocol::quoted(token.app_id).c_str(), version.c_str());
}

void Gateway::perform(const Notice &notice) {
  if (webhooks_)
    webhooks_->tell(notice);
  auto uid = std::to_string(notice.uid);
  g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "AGORA_APP", notice.app_id.c_str(),
                   "AGORA_CHANNEL", notice.channel.c_str(), "AGORA_UID", uid.c_str(), "MESSAGE",
                   "%s: channel %s, uid %s", words_of(notice.kind), notice.channel.c_str(),
                   uid.c_str());
}

}  // namespace agora::gateway
