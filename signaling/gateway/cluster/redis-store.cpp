// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"

#include "signaling/gateway/cluster/redis-store.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/cluster/redis-scripts.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr RedisLink::Limits kStoreLimits;
// Between two tries; random, so that not all gateways come at once. Short: members wait for it.
constexpr unsigned kFirstPause_ms = 50;
constexpr unsigned kLongestPause_ms = 800;
// What was up for that long starts with the first pause again.
constexpr std::int64_t kSteady_us = 5'000'000;
constexpr std::size_t kTopicsAtOnce = 500;
// While it is away, another reason is told this often at most.
constexpr std::int64_t kTellAgain_us = 10'000'000;

// The server's own state, which the next operation meets as well; else it is the operation's.
bool of_the_server (const std::string &error) {
  return !error.starts_with("ERR ") && !error.starts_with("WRONGTYPE ");
}

std::string with_hint (const std::string &error) {
  if (error.starts_with("NOAUTH"))
    return error + " See --store-password-file.";
  if (error.starts_with("NOPERM"))
    return error + ": docs/cluster.md has the rights that a user needs";
  if (error.starts_with("MOVED") || error.starts_with("CLUSTERDOWN"))
    return error + ": Redis Cluster isn't supported";
  return error;
}

}  // namespace

RedisStore::RedisStore(RedisUrl url, RedisTls tls)
    : url_(std::move(url)),
      tls_(std::move(tls)),
      again_([this] { try_again(); }),
      tell_away_([this] {
        for (const auto ticket : std::exchange(away_, {}))
          if (started_)
            callbacks_.answered(ticket, {});
      }) {
  if (url_.master.empty())
    return;
  RedisSentinels::Callbacks callbacks;
  callbacks.found = [this] (const RedisAddress &server) { master_is(server); };
  callbacks.nobody = [this] (const std::string &reason) {
    fail("no sentinel tells the master: " + reason);
  };
  sentinels_ = std::make_unique<RedisSentinels>(url_, tls_, std::move(callbacks));
}

RedisStore::~RedisStore() {
  stop();
}

void RedisStore::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  started_ = true;
  again_.at(0);
}

void RedisStore::stop() {
  started_ = false;
  up_ = false;
  again_.stop();
  tell_away_.stop();
  if (sentinels_)
    sentinels_->stop();
  close_links();
  asked_.clear();
  unknown_.clear();
  away_.clear();
}

StoreStatus RedisStore::status() const {
  auto status = counts_;
  status.up = up_;
  status.server = server_.host.empty() ? "" : server_.text();
  status.reason = reason_;
  status.waiting = asked_.size() + unknown_.size();
  return status;
}

// --- connecting

void RedisStore::try_again() {
  if (sentinels_)
    sentinels_->find();
  else
    connect(url_.servers.front());
}

void RedisStore::master_is(const RedisAddress &server) {
  if (!started_ || (commands_ && server == server_))
    return;
  if (up_)
    fail("the sentinels say that " + server.text() + " is the master now");
  if (started_)
    connect(server);
}

void RedisStore::connect(const RedisAddress &server) {
  again_.stop();
  close_links();
  server_ = server;
  steps_ = 2;
  commands_ =
      RedisLink::open(server, tls_, kStoreLimits, {[this] { commands_open(); }, {}, closed()});
}

std::function<void(const std::string &)> RedisStore::closed() {
  return [this] (const std::string &reason) { fail(server_.text() + ": " + reason); };
}

void RedisStore::authenticate(const std::shared_ptr<RedisLink> &link) {
  if (url_.password.empty())
    return;
  steps_++;
  const auto answered = [this] (RedisReply &&reply) { must_succeed(reply); };
  if (url_.user.empty())
    link->send({"AUTH", url_.password}, answered);
  else
    link->send({"AUTH", url_.user, url_.password}, answered);
}

void RedisStore::commands_open() {
  // Not before: a server that is away is tried once at a time, and so is a name that nobody knows.
  topics_ = RedisLink::open(server_, tls_, kStoreLimits,
                            {[this] { topics_open(); },
                             [this] (std::string &&topic, std::string &&message) {
                               // Before it is up everything is read anew anyway.
                               const auto found = watched_.find(topic);
                               if (up_ && found != watched_.end() && found->second.wanted)
                                 callbacks_.heard(topic, message);
                             },
                             closed()});
  authenticate(commands_);
  const auto answered = [this] (RedisReply &&reply) { must_succeed(reply); };
  if (url_.database > 0) {
    steps_++;
    commands_->send({"SELECT", std::to_string(url_.database)}, answered);
  }
  commands_->send({"ROLE"}, [this] (RedisReply &&reply) { check_role(reply); });
  // One that takes no writes is no store: it lacks replicas, memory or a disk. Nobody reads this
  // key.
  steps_++;
  commands_->send({"SET", "ag:probe", "", "PX", "1000"}, answered);
  for (const auto &script : redis_scripts()) {
    steps_++;
    commands_->send({"SCRIPT", "LOAD", script.text}, answered);
  }
}

void RedisStore::check_role(const RedisReply &reply) {
  const std::string role = reply.items.empty() ? std::string() : reply.items[0].text;
  if (reply.is_error() || role == "master")
    return must_succeed(reply);
  if (role == "slave" && reply.items.size() >= 3)
    return fail(server_.text() + ": it is a replica of " + reply.items[1].text + ":" +
                reply.items[2].flat() + ", not the master");
  fail(server_.text() + ": it is no Redis server" +
       (role.empty() ? "" : " but a " + role + ": see redis+sentinel://"));
}

void RedisStore::topics_open() {
  authenticate(topics_);
  std::vector<std::string_view> topics;
  for (auto &[topic, state] : watched_) {
    state.unconfirmed++;
    topics.emplace_back(topic);
  }
  send_topics("SUBSCRIBE", topics);
  // Its answer comes after all of theirs.
  topics_->send({"PING"}, [this] (RedisReply &&reply) { must_succeed(reply); });
}

void RedisStore::must_succeed(const RedisReply &reply) {
  if (reply.is_error())
    fail(server_.text() + ": " + with_hint(reply.text));
  else
    step_done();
}

void RedisStore::step_done() {
  if (--steps_ > 0)
    return;
  up_ = true;
  told_down_ = false;
  reason_.clear();
  up_since_us_ = g_get_monotonic_time();
  std::vector<std::string> topics;
  for (const auto &[topic, state] : watched_)
    topics.push_back(topic);
  callbacks_.up();
  for (const auto &topic : topics) {
    if (!up_)
      return;
    // What was asked for anew meanwhile is confirmed by an answer of its own.
    const auto found = watched_.find(topic);
    if (found != watched_.end() && found->second.wanted && found->second.unconfirmed == 0)
      callbacks_.subscribed(topic);
  }
}

void RedisStore::close_links() {
  for (auto *link : {&commands_, &topics_})
    if (const auto old = std::exchange(*link, nullptr))
      old->close();
  for (auto each = watched_.begin(); each != watched_.end();) {
    each->second.unconfirmed = 0;
    each = each->second.wanted ? std::next(each) : watched_.erase(each);
  }
}

void RedisStore::fail(const std::string &reason) {
  if (!started_)
    return;
  close_links();
  const auto now = g_get_monotonic_time();
  if (std::exchange(up_, false)) {
    counts_.losses++;
    if (now - up_since_us_ >= kSteady_us)
      pause_ms_ = 0;
  } else if (sentinels_) {
    sentinels_->doubt();
  }
  pause_ms_ = std::clamp(pause_ms_ * 2, kFirstPause_ms, kLongestPause_ms);
  again_.at(now + std::int64_t{1'000} * g_random_int_range(static_cast<int>(pause_ms_ / 2),
                                                           static_cast<int>(pause_ms_) + 1));
  const auto lost = std::exchange(asked_, {});
  const auto unsent = std::exchange(unknown_, {});
  reason_ = reason;
  const bool first = !std::exchange(told_down_, true);
  if (first || (reason != told_reason_ && now - told_us_ >= kTellAgain_us)) {
    told_reason_ = reason;
    told_us_ = now;
    if (first)
      callbacks_.down(reason);
    else
      g_message("The store is still away: %s", reason.c_str());
  }
  for (const auto *queue : {&lost, &unsent})
    for (const auto &asked : *queue)
      if (started_)
        callbacks_.answered(asked.ticket, {});
}

// --- operations

void RedisStore::ask(Ticket ticket, Operation operation) {
  counts_.sent++;
  if (!up_) {
    away_.push_back(ticket);
    tell_away_.at(0);
  } else if (!unknown_.empty()) {
    unknown_.push_back({ticket, std::move(operation)});
  } else {
    send({ticket, std::move(operation)}, false);
  }
}

void RedisStore::hurry() {
  if (up_)
    commands_->hurry();
}

void RedisStore::send(Asked asked, bool by_text) {
  commands_->send(command_of(asked.operation, by_text),
                  [this] (RedisReply &&reply) { answered(reply); });
  asked_.push_back(std::move(asked));
}

void RedisStore::answered(const RedisReply &reply) {
  auto asked = std::move(asked_.front());
  asked_.pop_front();
  if (reply.is_error() && reply.text.starts_with("NOSCRIPT")) {
    unknown_.push_back(std::move(asked));
  } else if (reply.is_error() && of_the_server(reply.text)) {
    asked_.push_front(std::move(asked));
    return fail(server_.text() + ": " + with_hint(reply.text));
  } else {
    if (reply.is_error())
      g_warning("Redis refuses %s: %s", std::string(to_string(asked.operation.kind)).c_str(),
                reply.text.c_str());
    else
      counts_.answered++;
    callbacks_.answered(asked.ticket, answer_of_reply(reply));
  }
  if (up_ && asked_.empty() && !unknown_.empty())
    for (auto &each : std::exchange(unknown_, {}))
      send(std::move(each), true);
}

// --- topics

void RedisStore::send_topics(const char *command, const std::vector<std::string_view> &topics) {
  const bool on = std::string_view(command) == "SUBSCRIBE";
  for (std::size_t from = 0; from < topics.size(); from += kTopicsAtOnce) {
    const auto count = std::min(kTopicsAtOnce, topics.size() - from);
    std::vector<std::string_view> words{command};
    words.insert(words.end(), topics.begin() + static_cast<std::ptrdiff_t>(from),
                 topics.begin() + static_cast<std::ptrdiff_t>(from + count));
    topics_->send(
        words, [this, on] (RedisReply &&reply) { topic_confirmed(on, reply); },
        static_cast<unsigned>(count));
  }
}

void RedisStore::topic_confirmed(bool on, const RedisReply &reply) {
  if (reply.is_error())
    return fail(server_.text() + ": " + with_hint(reply.text));
  const auto found =
      on && reply.items.size() == 3 ? watched_.find(reply.items[1].text) : watched_.end();
  if (found == watched_.end() || found->second.unconfirmed == 0)
    return;
  if (--found->second.unconfirmed > 0)
    return;
  if (!found->second.wanted)
    watched_.erase(found);
  else if (up_)
    callbacks_.subscribed(reply.items[1].text);
}

void RedisStore::subscribe(const std::string &topic) {
  auto &state = watched_[topic];
  state.wanted = true;
  // Else it is done once there is a connection.
  if (!topics_ || !topics_->is_open())
    return;
  state.unconfirmed++;
  send_topics("SUBSCRIBE", {topic});
}

void RedisStore::unsubscribe(const std::string &topic) {
  const auto found = watched_.find(topic);
  if (found == watched_.end())
    return;
  found->second.wanted = false;
  if (topics_ && topics_->is_open())
    send_topics("UNSUBSCRIBE", {topic});
  if (found->second.unconfirmed == 0)
    watched_.erase(found);
}

std::variant<std::unique_ptr<Store>, std::string> make_redis_store (const StoreOptions &options) {
  auto parsed = parse_redis_url(options.url);
  if (const auto *error = std::get_if<RedisUrlError>(&parsed))
    return error->reason;
  auto &url = std::get<RedisUrl>(parsed);
  if (!options.password.empty())
    url.password = options.password;
  if (!url.user.empty() && url.password.empty())
    return "user \"" + url.user + "\" has no password: give it by --store-password-file";
  RedisTls tls{url.tls, options.ca_file, {}};
  if (!tls.on && !tls.ca_file.empty())
    return "a CA file is for rediss:// only";
  if (!tls.ca_file.empty()) {
    GError *error = nullptr;
    tls.authorities = {g_tls_file_database_new(tls.ca_file.c_str(), &error), ObjectUnref()};
    const ErrorPtr owned(error);
    if (error)
      return "CA file \"" + tls.ca_file + "\": " + error->message;
  }
  return std::make_unique<RedisStore>(std::move(url), std::move(tls));
}

}  // namespace agora::gateway::cluster
