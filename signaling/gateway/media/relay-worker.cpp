// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/relay-worker.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/media/dial.hpp"

namespace agora::gateway {

namespace {

constexpr std::int64_t relay_ping_us = G_USEC_PER_SEC / 2;
constexpr std::int64_t relay_start_limit_us = 10 * G_USEC_PER_SEC;
// With the time until the next ping, three seconds at most.
constexpr std::int64_t relay_frozen_us = 2'300'000;
constexpr unsigned relay_stop_limit_ms = 1000;
// Gateways of a cluster. Beyond that, origins are forgotten, and named again by the next answer.
constexpr std::size_t most_origins = 4096;
// After an outage, a relay that lived this long counts as back.
constexpr std::int64_t settled_us = 3 * G_USEC_PER_SEC;

std::uint64_t relay_line::Counters::*const growing[] = {
    &relay_line::Counters::bytes_in, &relay_line::Counters::bytes_out,
    &relay_line::Counters::dropped_frames, &relay_line::Counters::pulls_ended,
    &relay_line::Counters::pulls_failed};

// What only grows, of both; the rest is `now`'s.
relay_line::Counters sum (const relay_line::Counters &before, relay_line::Counters now) {
  for (const auto member : growing)
    now.*member += before.*member;
  for (std::size_t i = 0; i < relay_line::refusals; i++)
    now.refused[i] += before.refused[i];
  return now;
}

void send_to (const std::shared_ptr<ChildProcess> &relay, const relay_line::ToRelay &message,
              Descriptor gift = {}) {
  if (!relay)
    return;
  auto packet = relay_line::encode(message);
  if (packet)
    relay->send(std::move(*packet), std::move(gift));
  else
    // What goes there was bounded before: options and what the relay itself asked for.
    g_critical("A message for agora-relay doesn't fit its line");
}

void name_origin (std::map<std::string, relay_line::RelayUrl> &origins, const std::string &url) {
  auto parsed = relay_line::parse_relay_url(url);
  auto *origin = std::get_if<relay_line::RelayUrl>(&parsed);
  // Of one that is wrong, the relay says why.
  if (origin == nullptr)
    return;
  if (origins.size() >= most_origins)
    origins.clear();
  std::string address = relay_line::address_of(*origin);
  origins.insert_or_assign(std::move(address), std::move(*origin));
}

}  // namespace

RelayWorker::RelayWorker(Setup setup)
    : setup_(std::move(setup)),
      timer_([this] { on_timer(); }),
      heartbeat_(relay_ping_us, relay_frozen_us),
      force_([this] {
        if (relay_)
          relay_->kill();
      }) {
}

RelayWorker::~RelayWorker() {
  if (relay_) {
    relay_->forget();
    relay_->kill();
  }
}

void RelayWorker::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  spawn();
}

void RelayWorker::spawn() {
  state_ = State::starting;
  started_ = g_get_monotonic_time();
  heartbeat_.begin(started_);
  counters_ = {};
  g_autoptr(GError) error = nullptr;
  reserve_.release();
  ChildSetup setup{
      "agora-relay", setup_.program, {{"rtmp", setup_.socket.get()}}, relay_line::max_to_gateway};
  if (setup_.tls_socket)
    setup.sockets.push_back({"rtmps", setup_.tls_socket.get()});
  relay_ = ChildProcess::spawn(setup, &error);
  reserve_.fill();
  if (!relay_) {
    on_gone(error->message);
    return;
  }
  ChildProcess::Callbacks callbacks;
  callbacks.packet = [this] (std::string_view packet) -> std::string {
    auto decoded = relay_line::decode_to_gateway(packet);
    if (const auto *reason = std::get_if<std::string>(&decoded))
      return *reason;
    std::visit([this] (const auto &each) { told(each); }, std::get<relay_line::ToGateway>(decoded));
    return "";
  };
  callbacks.gone = [this] (const std::string &last_words) { on_gone(last_words); };
  relay_->watch(std::move(callbacks));
  send(setup_.configuration);
  if (!setup_.authorities.empty())
    send(relay_line::Trust{setup_.authorities});
  ping();
}

void RelayWorker::send(const relay_line::ToRelay &message, Descriptor gift) {
  send_to(relay_, message, std::move(gift));
}

void RelayWorker::ping() {
  send(relay_line::Ping{++pings_});
  timer_.at(heartbeat_.next(g_get_monotonic_time()));
}

void RelayWorker::watch() {
  const auto now = g_get_monotonic_time();
  if (heartbeat_.late(now))
    list_sessions();
  // A pong that lies unread is no silence.
  relay_->read();
  if (state_ != State::starting && state_ != State::serving)
    return;
  if (state_ == State::starting ? heartbeat_.silent(now, relay_start_limit_us)
                                : heartbeat_.silent(now)) {
    g_warning("agora-relay doesn't answer; ending it");
    relay_->kill(state_ == State::starting ? "it did not serve within 10 s" : "frozen");
    return;
  }
  reserve_.fill();
  ping();
}

// Nothing is lost on the line; this finds what a fault of either side has made differ.
void RelayWorker::list_sessions() {
  if (state_ != State::serving)
    return;
  asked_[++lists_].at = g_get_monotonic_time();
  send(relay_line::ListSessions{lists_});
}

void RelayWorker::told(const relay_line::Ready &message) {
  if (state_ != State::starting)
    return;
  g_info("agora-relay %s serves", message.version.c_str());
  state_ = State::serving;
  if (!std::exchange(was_ready_, true))
    callbacks_.ready();
  else
    g_message("agora-relay serves again");
}

void RelayWorker::told(const relay_line::Ask &message) {
  // A later relay numbers its sessions anew.
  std::weak_ptr<ChildProcess> asking = relay_;
  callbacks_.ask(
      message, [asking, origins = origins_, id = message.id] (const MediaServer::Answer &answer) {
        name_origin(*origins, answer.relay_from);
        send_to(asking.lock(), relay_line::Answer{id, answer.refusal.empty(), answer.refusal,
                                                  answer.relay_from, answer.stream});
      });
}

void RelayWorker::told(const relay_line::Done &message) {
  callbacks_.done(message);
}

void RelayWorker::told(const relay_line::Dial &message) {
  relay_line::Link link{message.n, message.stream, ""};
  Descriptor socket;
  const auto origin = origins_->find(message.address);
  if (origin == origins_->end())
    link.reason = "no answer named this origin";
  else
    socket = dial(origin->second.host, origin->second.port, link.reason);
  send(link, std::move(socket));
}

void RelayWorker::told(const relay_line::Pulled &message) {
  g_info("agora-relay pulls %s", message.stream.c_str());
  callbacks_.pulled(message);
}

void RelayWorker::told(const relay_line::PullFailed &message) {
  g_message("agora-relay could not pull %s: %s", message.stream.c_str(), message.reason.c_str());
  callbacks_.pull_failed(message);
}

void RelayWorker::told(const relay_line::Pong &message) {
  const auto now = g_get_monotonic_time();
  heartbeat_.heard(now);
  counters_ = message.counters;
  if (state_ == State::serving && now - started_ > settled_us)
    lasted();
}

void RelayWorker::told(const relay_line::Sessions &message) {
  const auto found = asked_.find(message.n);
  if (found == asked_.end())
    return;
  auto &ids = found->second.ids;
  ids.insert(ids.end(), message.ids.begin(), message.ids.end());
  if (!message.last && ids.size() <= setup_.configuration.limits.sessions)
    return;
  const Asked whole = std::move(found->second);
  asked_.erase(found);
  callbacks_.sessions(whole.ids, whole.at);
}

void RelayWorker::told(const relay_line::Log &message) {
  if (message.level == relay_line::Level::warning) {
    g_warning("agora-relay: %s", message.text.c_str());
    relay_->set_last_words(message.text);
  } else {
    g_info("agora-relay: %s", message.text.c_str());
  }
}

void RelayWorker::told(const relay_line::Dropped &message) {
  const auto found = drops_.find(message.ticket);
  if (found == drops_.end())
    return;
  const auto done = std::move(found->second);
  drops_.erase(found);
  done();
}

// Only when it has served for a while: one that keeps dying is not back.
void RelayWorker::lasted() {
  away_since_ = 0;
  if (std::exchange(told_away_, false))
    callbacks_.back();
}

void RelayWorker::look_at_outage() {
  if (away_since_ == 0 || told_away_ || state_ == State::serving ||
      g_get_monotonic_time() - away_since_ < setup_.longest_outage_us)
    return;
  told_away_ = true;
  g_warning("agora-relay is away for %" G_GINT64_FORMAT " s: sending members elsewhere",
            (g_get_monotonic_time() - away_since_) / G_USEC_PER_SEC);
  callbacks_.away();
}

void RelayWorker::on_gone(const std::string &last_words) {
  relay_.reset();
  timer_.stop();
  force_.stop();
  asked_.clear();
  origins_ = std::make_shared<Origins>();
  before_ = sum(before_, std::exchange(counters_, {}));
  if (state_ == State::stopping) {
    state_ = State::stopped;
    forget_drops();
    callbacks_.stopped();
    return;
  }
  if (!was_ready_) {
    failed("agora-relay did not start: " + (last_words.empty() ? "it gave no reason" : last_words));
    return;
  }
  state_ = State::pausing;
  if (away_since_ == 0)
    away_since_ = g_get_monotonic_time();
  const unsigned pause_ms = pause_.after(g_get_monotonic_time() - started_);
  g_warning("agora-relay ended%s%s; starting it again in %u ms", last_words.empty() ? "" : ": ",
            last_words.c_str(), pause_ms);
  timer_.in(pause_ms);
  // Before the next one runs: it numbers its sessions anew.
  callbacks_.lost();
  forget_drops();
}

// Their sessions have ended with the relay.
void RelayWorker::forget_drops() {
  for (const auto &[ticket, done] : std::exchange(drops_, {}))
    done();
}

void RelayWorker::on_timer() {
  look_at_outage();
  if (state_ == State::pausing) {
    restarts_++;
    spawn();
  } else {
    watch();
  }
}

void RelayWorker::failed(const std::string &reason) {
  state_ = State::stopped;
  callbacks_.failed(reason);
}

void RelayWorker::stop() {
  timer_.stop();
  if (!relay_) {
    state_ = State::stopped;
    callbacks_.stopped();
    return;
  }
  state_ = State::stopping;
  relay_->terminate();
  force_.in(relay_stop_limit_ms);
}

void RelayWorker::drop(relay_line::Side side, const std::string &stream, std::uint64_t id,
                       std::function<void()> done) {
  if (!relay_ || state_ != State::serving) {
    done();
    return;
  }
  drops_[++tickets_] = std::move(done);
  send(relay_line::Drop{tickets_, side, stream, id});
}

void RelayWorker::configure(const relay_line::Configure &configuration) {
  setup_.configuration = configuration;
  send(configuration);
}

void RelayWorker::set_authorities(const std::string &authorities) {
  setup_.authorities = authorities;
  send(relay_line::Trust{authorities});
}

void RelayWorker::move(std::uint64_t id, const std::string &stream) {
  send(relay_line::Move{id, stream});
}

void RelayWorker::link(const std::string &stream, Descriptor socket) {
  send(relay_line::Link{0, stream, ""}, std::move(socket));
}

void RelayWorker::take_guest(Descriptor socket) {
  send(relay_line::Guest{}, std::move(socket));
}

relay_line::Counters RelayWorker::counters() const {
  return sum(before_, counters_);
}

}  // namespace agora::gateway
