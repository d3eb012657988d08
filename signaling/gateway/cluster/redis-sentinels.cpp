// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-sentinels.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace agora::gateway::cluster {

namespace {

// Others are asked meanwhile: a sentinel that is away is the rule when a machine has died.
constexpr RedisLink::Limits kLimits{.connect_ms = 500, .answer_ms = 1'000};
constexpr unsigned kAgain_ms = 1'000;
// Sentinels tell each other of a new master every two seconds.
constexpr std::int64_t kAllHaveHeard_us = 3'000'000;

std::optional<RedisAddress> read_address (std::string_view host, std::string_view port) {
  RedisAddress address{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (host.empty() || error != std::errc{} || end != port.data() + port.size() || address.port == 0)
    return {};
  return address;
}

}  // namespace

RedisSentinels::RedisSentinels(RedisUrl url, RedisTls tls, Callbacks callbacks)
    : url_(std::move(url)),
      tls_(std::move(tls)),
      callbacks_(std::move(callbacks)),
      hearing_(url_.servers.size()),
      again_([this] { begin(); }) {
}

void RedisSentinels::find() {
  finding_ = true;
  begin();
}

void RedisSentinels::doubt() {
  // Whoever is asked now is another one already.
  if (!asking_)
    current_ = (current_ + 1) % url_.servers.size();
}

void RedisSentinels::stop() {
  finding_ = false;
  again_.stop();
  if (const auto old = std::exchange(asking_, nullptr))
    old->close();
  for (auto &link : hearing_)
    if (const auto old = std::exchange(link, nullptr))
      old->close();
}

void RedisSentinels::begin() {
  tried_ = 0;
  reasons_.clear();
  if (!asking_)
    ask();
}

void RedisSentinels::ask() {
  again_.stop();
  with_password_ = false;
  RedisLink::Callbacks callbacks;
  callbacks.open = [this] { send_question(); };
  callbacks.closed = [this, sentinel = current_, link = ++link_] (const std::string &reason) {
    closed(sentinel, link, reason);
  };
  callbacks.message = [this] (std::string && /*topic*/, std::string &&message) {
    switched(message);
  };
  asking_ = RedisLink::open(url_.servers[current_], tls_, kLimits, std::move(callbacks));
}

void RedisSentinels::send_question() {
  asking_->send({"SENTINEL", "get-master-addr-by-name", url_.master},
                [this] (RedisReply &&reply) { asked(std::move(reply)); });
  // In the same packet, so that no change falls between the two.
  asking_->send({"SUBSCRIBE", "+switch-master"}, {});
}

// The user is the servers'; a sentinel with `requirepass` knows none but its own.
void RedisSentinels::authenticate(bool by_user) {
  const auto answered = [this, by_user] (RedisReply &&reply) {
    if (!reply.is_error())
      send_question();
    else if (by_user)
      authenticate(false);
    else
      next(reply.text);
  };
  if (by_user)
    asking_->send({"AUTH", url_.user, url_.password}, answered);
  else
    asking_->send({"AUTH", url_.password}, answered);
}

void RedisSentinels::asked(RedisReply &&reply) {
  // Most sentinels have no password; those that have one are given the same as the servers.
  if (reply.is_error() && !with_password_ && reply.text.starts_with("NOAUTH") &&
      !url_.password.empty()) {
    with_password_ = true;
    return authenticate(!url_.user.empty());
  }
  if (reply.is_error())
    return next(reply.text);
  if (reply.items.size() != 2)
    return next("it knows no master \"" + url_.master + "\"");
  const auto address = read_address(reply.items[0].text, reply.items[1].text);
  if (!address)
    return next("its answer is no address");
  if (const auto old = std::exchange(hearing_[current_], std::exchange(asking_, nullptr)))
    old->close();
  if (!in_doubt(*address))
    return tell(*address);
  doubt();
  again_.in(kAgain_ms);
}

// Nobody misses the master, and this sentinel, asked in the place of one that was lost, names
// another: it may be the only one that hasn't heard of the last change. The others are asked.
bool RedisSentinels::in_doubt(const RedisAddress &master) {
  if (finding_ || master == told_)
    return false;
  const auto now = g_get_monotonic_time();
  if (!(master == other_)) {
    other_ = master;
    other_since_us_ = now;
  }
  return now - other_since_us_ < kAllHaveHeard_us;
}

void RedisSentinels::tell(const RedisAddress &master) {
  finding_ = false;
  told_ = master;
  other_ = {};
  callbacks_.found(master);
}

// MASTER OLD-HOST OLD-PORT HOST PORT
void RedisSentinels::switched(std::string_view message) {
  std::array<std::string_view, 5> words;
  for (auto &word : words) {
    const auto blank = message.find(' ');
    word = message.substr(0, blank);
    message = blank == message.npos ? std::string_view() : message.substr(blank + 1);
  }
  const auto address = read_address(words[3], words[4]);
  if (words[0] != url_.master || !address)
    return;
  // Whoever is asked meanwhile may not have heard of it yet.
  if (const auto old = std::exchange(asking_, nullptr))
    old->close();
  tell(*address);
}

// The one that is asked didn't help.
void RedisSentinels::next(const std::string &reason) {
  reasons_ += (reasons_.empty() ? "" : "; ") + url_.servers[current_].text() + ": " + reason;
  if (const auto old = std::exchange(asking_, nullptr))
    old->close();
  current_ = (current_ + 1) % url_.servers.size();
  if (++tried_ < url_.servers.size())
    return ask();
  if (std::exchange(finding_, false))
    callbacks_.nobody(reasons_);
  else
    again_.in(kAgain_ms);
}

void RedisSentinels::closed(std::size_t sentinel, unsigned link, const std::string &reason) {
  if (asking_ && link == link_)
    return next(reason);
  // One that was listened to: others may know of a change that it didn't tell.
  hearing_[sentinel].reset();
  if (!asking_)
    again_.in(kAgain_ms);
}

}  // namespace agora::gateway::cluster
