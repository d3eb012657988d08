// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/web/web-worker.hpp"

#include <utility>

namespace agora::gateway {

namespace {

constexpr std::int64_t web_ping_us = G_USEC_PER_SEC / 2;
// Plugins are looked for when GStreamer's registry is stale.
constexpr std::int64_t web_start_limit_us = 30 * G_USEC_PER_SEC;
// With the time until the next ping, three seconds at most.
constexpr std::int64_t web_frozen_us = 2'300'000;
constexpr unsigned web_stop_limit_ms = 1000;
// For socket, pipe and spawning.
constexpr std::size_t own_descriptors = 8;

}  // namespace

WebWorker::WebWorker(std::string name, std::string program, web_line::Configure configuration,
                     WorkerEntrance &entrance, Callbacks callbacks)
    : name_(std::move(name)),
      program_(std::move(program)),
      configuration_(std::move(configuration)),
      entrance_(entrance),
      callbacks_(std::move(callbacks)),
      reserve_(own_descriptors),
      timer_([this] { on_timer(); }),
      force_([this] {
        if (process_)
          process_->kill();
      }),
      heartbeat_(web_ping_us, web_frozen_us) {
}

WebWorker::~WebWorker() {
  if (process_) {
    process_->forget();
    process_->kill();
  }
}

void WebWorker::start() {
  state_ = State::starting;
  started_ = g_get_monotonic_time();
  heartbeat_.begin(started_);
  figures_ = {};
  configuration_.gateway = entrance_.open_to_worker();
  g_autoptr(GError) error = nullptr;
  reserve_.release();
  process_ = ChildProcess::spawn({name_, program_, {}, web_line::max_packet}, &error);
  reserve_.fill();
  if (!process_) {
    on_gone(error->message);
    return;
  }
  process_->watch({[this] (std::string_view packet) { return take(packet); },
                   [this] (const std::string &last_words) { on_gone(last_words); }});
  send(configuration_);
  ping();
}

void WebWorker::set_ice_servers(const std::vector<web_line::IceServer> &servers) {
  if (configuration_.ice_servers == servers)
    return;
  configuration_.ice_servers = servers;
  if (state_ == State::starting || state_ == State::serving)
    send(configuration_);
}

bool WebWorker::send(const web_line::ToWorker &message) {
  auto packet = web_line::encode(message);
  if (packet && process_)
    process_->send(std::move(*packet));
  return packet.has_value();
}

void WebWorker::ping() {
  send(web_line::Ping{++pings_});
  timer_.at(heartbeat_.next(g_get_monotonic_time()));
}

void WebWorker::watch() {
  const auto now = g_get_monotonic_time();
  heartbeat_.late(now);
  // A pong that lies unread is no silence.
  process_->read();
  if (state_ != State::starting && state_ != State::serving)
    return;
  if (state_ == State::starting ? now - started_ > web_start_limit_us : heartbeat_.silent(now)) {
    g_warning("%s doesn't answer; ending it", name_.c_str());
    process_->kill(state_ == State::starting ? "it did not serve within 30 s" : "frozen");
    return;
  }
  reserve_.fill();
  ping();
}

void WebWorker::on_timer() {
  if (state_ == State::pausing) {
    restarts_++;
    start();
  } else if (process_) {
    watch();
  }
}

std::string WebWorker::take(std::string_view packet) {
  auto decoded = web_line::decode_to_gateway(packet);
  if (const auto *reason = std::get_if<std::string>(&decoded))
    return *reason;
  auto &message = std::get<web_line::ToGateway>(decoded);
  if (const auto *pong = std::get_if<web_line::Pong>(&message)) {
    heartbeat_.heard(g_get_monotonic_time());
    figures_ = *pong;
    return "";
  }
  if (const auto *unable = std::get_if<web_line::Unable>(&message)) {
    unable_ = true;
    process_->set_last_words(unable->reason);
    return "";
  }
  if (const auto *ready = std::get_if<web_line::Ready>(&message)) {
    if (state_ != State::starting)
      return state_ == State::serving ? "ready twice" : "";
    state_ = State::serving;
    heartbeat_.heard(g_get_monotonic_time());
    if (std::exchange(was_ready_, true))
      g_message("%s serves again", name_.c_str());
    else
      g_info("%s %s serves", name_.c_str(), ready->version.c_str());
    callbacks_.ready();
    return "";
  }
  // What is under way while it stops is of no use any more.
  if (state_ == State::starting)
    return "a session before it was ready";
  return state_ == State::serving ? callbacks_.message(message) : "";
}

void WebWorker::on_gone(const std::string &last_words) {
  process_.reset();
  timer_.stop();
  force_.stop();
  entrance_.shut_to_worker(configuration_.gateway);
  figures_ = {};
  if (state_ == State::stopping || !was_ready_) {
    const bool wanted = std::exchange(state_, State::stopped) == State::stopping;
    if (wanted)
      callbacks_.stopped();
    else
      callbacks_.failed(last_words.empty() ? "it gave no reason" : last_words, unable_);
    return;
  }
  state_ = State::pausing;
  const unsigned pause_ms = pause_.after(g_get_monotonic_time() - started_);
  g_warning("%s ended%s%s; starting it again in %u ms", name_.c_str(),
            last_words.empty() ? "" : ": ", last_words.c_str(), pause_ms);
  again_ = g_get_monotonic_time() + std::int64_t{1000} * pause_ms;
  timer_.at(again_);
  callbacks_.lost();
}

unsigned WebWorker::pause_ms() const {
  const std::int64_t left = state_ == State::pausing ? again_ - g_get_monotonic_time() : 0;
  return left > 0 ? static_cast<unsigned>((left + 999) / 1000) : 0;
}

void WebWorker::stop() {
  timer_.stop();
  if (state_ == State::stopped || state_ == State::stopping)
    return;
  if (!process_) {
    state_ = State::stopped;
    callbacks_.stopped();
    return;
  }
  state_ = State::stopping;
  process_->terminate();
  force_.in(web_stop_limit_ms);
}

}  // namespace agora::gateway
