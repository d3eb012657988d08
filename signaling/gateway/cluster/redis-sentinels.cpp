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
      again_([this] { begin(); }) {
}

void RedisSentinels::find() {
  finding_ = true;
  begin();
}

void RedisSentinels::stop() {
  finding_ = false;
  again_.stop();
  for (auto *link : {&asking_, &hearing_})
    if (const auto old = std::exchange(*link, nullptr))
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
  callbacks.closed = [this, link = ++link_] (const std::string &reason) { closed(link, reason); };
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

void RedisSentinels::asked(RedisReply &&reply) {
  // Most sentinels have no password; those that have one are given the same as the servers.
  if (reply.is_error() && !with_password_ && reply.text.starts_with("NOAUTH") &&
      !url_.password.empty()) {
    with_password_ = true;
    const auto refused = [this] (RedisReply &&answer) {
      if (answer.is_error())
        next(answer.text);
    };
    if (url_.user.empty())
      asking_->send({"AUTH", url_.password}, refused);
    else
      asking_->send({"AUTH", url_.user, url_.password}, refused);
    return send_question();
  }
  if (reply.is_error())
    return next(reply.text);
  if (reply.items.size() != 2)
    return next("it knows no master \"" + url_.master + "\"");
  const auto address = read_address(reply.items[0].text, reply.items[1].text);
  if (!address)
    return next("its answer is no address");
  // From now on this one is listened to.
  if (const auto old = std::exchange(hearing_, std::exchange(asking_, nullptr)))
    old->close();
  finding_ = false;
  callbacks_.found(*address);
}

// MASTER OLD-HOST OLD-PORT HOST PORT
void RedisSentinels::switched(std::string_view message) {
  std::array<std::string_view, 5> words;
  for (auto &word : words) {
    const auto blank = message.find(' ');
    word = message.substr(0, blank);
    message = blank == message.npos ? std::string_view() : message.substr(blank + 1);
  }
  if (words[0] != url_.master)
    return;
  if (const auto address = read_address(words[3], words[4]))
    callbacks_.found(*address);
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

void RedisSentinels::closed(unsigned link, const std::string &reason) {
  if (asking_ && link == link_)
    return next(reason);
  // The one that was listened to: another one may know of a change that this one didn't tell.
  hearing_.reset();
  if (!asking_)
    again_.in(kAgain_ms);
}

}  // namespace agora::gateway::cluster
