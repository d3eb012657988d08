// SPDX-License-Identifier: LGPL-2.1-or-later
// The store that several gateways share: what the channel book asks of it, and how this gateway is
// known to the others.
#define G_LOG_DOMAIN "agora-gateway"
#include <algorithm>
#include <array>
#include <utility>

#include "signaling/gateway/gateway.hpp"
#include "signaling/gateway/options/secrets.hpp"
#include "signaling/support/hex.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

// So many that telling them takes longer than a system call is worth.
constexpr std::size_t a_crowd = 32;

// What a gateway tells the others of itself: URL|flags. The URL is escaped.
struct Info {
  std::string url;  // WebSocket, without a path; "": clients can't be sent there
  bool draining = false;
};

std::string to_text (const Info &info) {
  return cluster::escape(info.url) + "|" + (info.draining ? "d" : "");
}

Info parse_info (std::string_view text) {
  const std::size_t bar = text.find('|');
  const auto url = cluster::unescape(text.substr(0, bar));
  const bool draining = bar != std::string_view::npos && text.substr(bar + 1) == "d";
  return {url && (url->starts_with("ws://") || url->starts_with("wss://")) ? *url : "", draining};
}

// https://HOST as wss://HOST.
std::string socket_url (const std::string &http) {
  return http.empty() ? http : "ws" + http.substr(4);
}

// Of one channel and one gateway; the same at every gateway, and after an update.
std::uint64_t weight (std::string_view gateway, std::string_view channel) {
  std::uint64_t sum = 14'695'981'039'346'656'037u;  // FNV-1a
  for (std::string_view part : {gateway, std::string_view("/"), channel})
    for (const char each : part)
      sum = (sum ^ static_cast<std::uint8_t>(each)) * 1'099'511'628'211u;
  // Its high bits hardly change with the last letters.
  sum ^= sum >> 33;
  sum *= 0xff51afd7ed558ccdu;
  return sum ^ sum >> 33;
}

}  // namespace

std::string Gateway::open_store(const Options &options, Config &config) {
  cluster::StoreOptions store{options.store, "", options.store_ca_file};
  std::array<std::uint8_t, 4> name{};
  kernel_random(name);
  ClusterConfig shared;
  for (const auto &[option, file, secret] :
       {std::tuple{"cluster-secret-file", &options.cluster_secret_file, &shared.secret},
        std::tuple{"store-password-file", &options.store_password_file, &store.password}}) {
    if (file->empty())
      continue;
    auto read = read_secret(option, *file, SecretKind::printable);
    if (auto *error = std::get_if<SecretFileError>(&read))
      return error->reason;
    *secret = std::get<std::string>(std::move(read));
    warn_if_others_read(option, *file);
  }
  auto made = cluster::make_redis_store(store);
  if (auto *problem = std::get_if<std::string>(&made))
    return "--store: " + *problem;
  store_ = std::move(std::get<0>(made));
  Endpoint relay = *options.relay_address;
  if (relay.port == 0)
    relay.port = options.relay_tls ? media_->rtmps_port() : config.near_port;
  shared.gateway = to_hex(name);
  shared.origin = (options.relay_tls ? "rtmps://" : "") +
                  (options.relay_name.empty() ? "" : options.relay_name + "@") + to_string(relay);
  shared.info = to_text({socket_url(options.public_url), false});
  config.cluster = std::move(shared);
  return "";
}

void Gateway::start_store() {
  cluster::Store::Callbacks callbacks;
  callbacks.answered = [this] (cluster::Ticket ticket, const cluster::Answer &answer) {
    run(book_->stored(ticket, answer, now()));
    maybe_stopped();
  };
  callbacks.heard = [this] (const std::string &topic, const std::string &message) {
    run(book_->heard(topic, message, now()));
  };
  callbacks.subscribed = [this] (const std::string &topic) {
    run(book_->subscribed(topic, now()));
  };
  callbacks.up = [this] {
    g_message("The store answers: this gateway is one of several");
    run(book_->store_up(now()));
    store_told_ = true;
    maybe_ready();
  };
  callbacks.down = [this] (const std::string &reason) {
    g_warning("The store is away, members of other gateways aren't seen to come and go: %s",
              reason.c_str());
    run(book_->store_down(now()));
    store_told_ = true;
    maybe_ready();
  };
  store_->start(std::move(callbacks));
  run(book_->start_cluster(now()));
}

void Gateway::leave_rendezvous() {
  if (store_)
    run(book_->set_cluster_info(to_text({socket_url(options_.public_url), true}), now()));
}

// By the weight that each has for the channel: all gateways name the same, so that a small channel
// is at one of them, and needs no relay.
std::vector<std::string> Gateway::servers(std::string_view app_id, std::string_view channel) const {
  const auto *cluster = book_->cluster();
  if (!cluster || cluster->away())
    return {};
  const std::string key = cluster::channel_key(app_id, channel);
  std::vector<std::pair<std::uint64_t, std::string>> there;
  for (const auto &[name, text] : cluster->gateways())
    if (const Info info = parse_info(text); !info.url.empty() && !info.draining)
      there.emplace_back(weight(name, key), info.url);
  std::sort(there.rbegin(), there.rend());
  std::vector<std::string> urls;
  urls.reserve(there.size());
  for (auto &[unused, url] : there)
    urls.push_back(std::move(url));
  return urls;
}

// Until nothing more is to be asked of the store.
void Gateway::answer_operator(AdminAnswer answer, AdminReply reply) {
  if (!answer.query) {
    run(answer.commands);
    return save_first(answer, std::move(reply));
  }
  auto [ticket, commands] = book_->query(std::move(*answer.query), now());
  asked_[ticket] = [this, then = std::move(answer.then), reply = std::move(reply)] (
                       const cluster::Answer &stored) { answer_operator(then(stored), reply); };
  run(commands);
}

// The store hears of it before a crowd here does: that takes a while, in which other gateways can
// tell theirs.
void Gateway::ask_first(const Commands &commands) {
  if (!store_)
    return;
  bool asked = false, crowd = false;
  for (const auto &command : commands)
    if (const auto *ask = std::get_if<Ask>(&command)) {
      store_->ask(ask->ticket, ask->operation);
      asked = true;
    } else if (const auto *send = std::get_if<Send>(&command)) {
      crowd = crowd || send->to.size() >= a_crowd;
    }
  if (asked && crowd)
    store_->hurry();
}

void Gateway::perform(const Watch &watch) {
  if (!store_)
    return;
  if (watch.on)
    store_->subscribe(watch.topic);
  else
    store_->unsubscribe(watch.topic);
}

void Gateway::perform(const Answered &answered) {
  if (const auto found = asked_.extract(answered.ticket))
    found.mapped()(answered.answer);
}

void Gateway::perform(const Odd &odd) {
  g_warning("The store holds what no gateway has written: %s", odd.what.c_str());
}

}  // namespace agora::gateway
