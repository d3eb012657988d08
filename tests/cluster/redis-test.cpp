// SPDX-License-Identifier: LGPL-2.1-or-later
// RedisStore against a redis-server of its own: the scripts give Directory's answers and messages,
// and what is asked is answered whatever becomes of the server.
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "signaling/gateway/cluster/directory.hpp"
#include "signaling/gateway/cluster/redis-link.hpp"
#include "signaling/gateway/cluster/redis-scripts.hpp"
#include "signaling/gateway/cluster/redis-store.hpp"
#include "tests/cluster/turns.hpp"
#include "tests/freeze.hpp"

using namespace agora;
using namespace agora::gateway::cluster;

namespace {

guint16 free_port () {
  const ObjectPtr<GSocketListener> listener(g_socket_listener_new());
  const guint16 port = g_socket_listener_add_any_inet_port(listener.get(), nullptr, nullptr);
  g_assert_cmpuint(port, >, 0);
  g_socket_listener_close(listener.get());
  return port;
}

// Tries until somebody takes the connection.
std::shared_ptr<RedisLink> connect (
    guint16 port, const std::function<void(std::string &&, std::string &&)> &message) {
  std::shared_ptr<RedisLink> link;
  for (bool open = false; !open;) {
    bool ended = false;
    link = RedisLink::open(
        {"127.0.0.1", port}, {}, {},
        {[&] { open = true; }, message, [&] (const std::string &) { ended = true; }});
    until([&] { return open || ended; }, "the connection");
  }
  return link;
}

// A redis-server on loopback that keeps nothing on disk, and ends with the test.
class Server {
 public:
  explicit Server(guint16 port = free_port(), std::vector<std::string> options = {}) : port_(port) {
    std::vector<std::string> words{"redis-server",
                                   "--port",
                                   std::to_string(port),
                                   "--bind",
                                   "127.0.0.1",
                                   "--save",
                                   "",
                                   "--appendonly",
                                   "no",
                                   "--dir",
                                   g_get_tmp_dir(),
                                   "--daemonize",
                                   "no"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<const char *> argv;
    argv.reserve(words.size() + 1);
    for (const auto &word : words)
      argv.push_back(word.c_str());
    argv.push_back(nullptr);
    GError *error = nullptr;
    const ObjectPtr<GSubprocessLauncher> launcher(g_subprocess_launcher_new(
        GSubprocessFlags(G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE)));
    // A test that aborts runs no destructor.
    g_subprocess_launcher_set_child_setup(
        launcher.get(), [] (gpointer) { prctl(PR_SET_PDEATHSIG, SIGKILL); }, nullptr, nullptr);
    process_.reset(g_subprocess_launcher_spawnv(launcher.get(), argv.data(), &error));
    g_assert_no_error(error);
    connect(port, {})->close();
  }
  ~Server() { kill(); }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;
  void kill () {
    if (!process_)
      return;
    signal(SIGCONT);
    g_subprocess_force_exit(process_.get());
    g_subprocess_wait(process_.get(), nullptr, nullptr);
    process_.reset();
  }
  void signal (int number) {
    test::send_signal(std::stoi(g_subprocess_get_identifier(process_.get())), number);
  }
  guint16 port () const { return port_; }
  std::string url () const { return "redis://127.0.0.1:" + std::to_string(port_); }

 private:
  const guint16 port_;
  ObjectPtr<GSubprocess> process_;
};

// What a store told.
struct Told {
  std::map<Ticket, Answer> answers;
  std::vector<std::pair<std::string, std::string>> heard;
  std::vector<std::string> subscribed;
  unsigned ups = 0;
  std::vector<std::string> downs;
  Store::Callbacks callbacks () {
    return {[this] (Ticket ticket, Answer answer) {
              g_assert_true(answers.emplace(ticket, std::move(answer)).second);
            },
            [this] (const std::string &topic, const std::string &message) {
              heard.emplace_back(topic, message);
            },
            [this] (const std::string &topic) { subscribed.push_back(topic); }, [this] { ups++; },
            [this] (const std::string &reason) { downs.push_back(reason); }};
  }
};

std::unique_ptr<Store> make (const StoreOptions &options) {
  auto made = make_redis_store(options);
  if (const auto *error = std::get_if<std::string>(&made))
    g_error("%s", error->c_str());
  return std::get<std::unique_ptr<Store>>(std::move(made));
}

Operation lease_of (const std::string &gateway) {
  return lease(gateway, "info", 4'000);
}

// --- the scripts

// A command of the test's own, and its answer.
RedisReply call (RedisLink &link, const std::vector<std::string_view> &command) {
  std::optional<RedisReply> reply;
  link.send(command, [&] (RedisReply &&got) { reply = std::move(got); });
  until([&] { return reply.has_value(); }, "an answer");
  return *reply;
}

// Lists have no order: groups of so many texts after the first ones are sorted.
std::vector<std::string> sorted (const Operation &operation, std::vector<std::string> values) {
  std::size_t first = values.size(), size = 1;
  switch (operation.kind) {
    case OperationKind::mine:
      first = 1, size = 3;
      break;
    case OperationKind::snapshot:
      first = 1, size = 2;
      break;
    case OperationKind::members:
      first = 0, size = 2;
      break;
    case OperationKind::lease:
      first = 4, size = 2;
      break;
    case OperationKind::rules_read:
      first = 1, size = 4;
      break;
    default:
      break;
  }
  if (first >= values.size())
    return values;
  std::vector<std::vector<std::string>> groups;
  for (auto at = first; at + size <= values.size(); at += size)
    groups.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(at),
                        values.begin() + static_cast<std::ptrdiff_t>(at + size));
  std::sort(groups.begin(), groups.end());
  values.resize(first);
  for (auto &group : groups)
    values.insert(values.end(), group.begin(), group.end());
  return values;
}

// Random operations on few channels, uids and gateways, so that they meet.
class Operations {
 public:
  explicit Operations(unsigned seed) : random_(seed) {}
  unsigned below (unsigned n) { return static_cast<unsigned>(random_() % n); }

  Operation next (std::int64_t now_ms, const std::string &rules_version) {
    const auto key = keys.at(below(keys.size()));
    const auto app = std::string(app_of_key(key));
    const auto uid = std::to_string(1 + below(6));
    const auto gateway = gateways.at(below(gateways.size()));
    const auto mid = mids.at(below(mids.size()));
    const auto account = accounts.at(below(accounts.size()));
    const auto rest = (below(2) ? "b|" : "a|") + account + "|linux|192.0.2.1|1700000000|" +
                      (uid == "1" ? "|" : "a|7,8av") + (uid == "2" ? "|Ann%20B." : "");
    const auto stream = "s" + std::to_string(below(4));
    const auto at = std::to_string(now_ms - below(3'000));
    const std::string flag = below(2) ? "1" : "0";
    switch (below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return {OperationKind::claim,
                {key, app, below(3) ? uid : "0", account, gateway, mid, flag, rest,
                 std::to_string(below(3) ? 0 : 4), std::to_string(below(3) ? 0 : 2),
                 below(20) ? rules_version : "7", "3,1,5"}};
      case 5:
      case 6:
        return {OperationKind::assert_member, {key, app, uid, gateway, mid, at, flag, rest}};
      case 7:
      case 8:
        return {OperationKind::release, {key, app, uid, gateway, mid}};
      case 9:
      case 10:
      case 11:
      case 12:
        return {OperationKind::speak,
                {key, uid, gateway, mid, gateway + '|' + stream + '|' + at + ".1|192.0.2.9:1935|"}};
      case 13:
        if (below(2))
          return {OperationKind::say,
                  {key, uid, gateway, mid, "said " + gateway + ' ' + uid + " * x"}};
        return {OperationKind::hush, {key, uid, stream}};
      case 14:
        return {OperationKind::reap_speakers, {key, gateway, std::to_string(1 + below(3))}};
      case 15:
        return {OperationKind::reap_members, {key, app, gateway, std::to_string(1 + below(3))}};
      case 16:
        return {OperationKind::lease,
                {gateway, "info " + uid, std::to_string(1'000 + below(4'000)),
                 std::to_string(1 + below(3))}};
      case 17:
        return {OperationKind::mine, {gateway, below(2) ? "" : key, std::to_string(1 + below(5))}};
      case 18:
        return {OperationKind::snapshot, {key}};
      case 19:
        return {OperationKind::members, {key}};
      case 20:
        return {OperationKind::channels, {app, below(2) ? "" : key, std::to_string(1 + below(3))}};
      case 21:
        return {OperationKind::who_is, {key, uid}};
      case 22:
        return below(2) ? Operation{OperationKind::rules_read, {}}
                        : Operation{OperationKind::rule_once, {app, "kick%20" + uid}};
      default:
        if (below(4) == 0)
          return {OperationKind::rules_restore, {app, "3", std::to_string(now_ms + 9'000), "ban"}};
        return {OperationKind::rule_write,
                {app, std::to_string(below(2) ? 0 : below(30)),
                 below(5) ? std::to_string(now_ms + 1 + below(9'000)) : "0",
                 below(3) ? "ban%20" + uid : "", "8"}};
    }
  }
  const std::vector<std::string> gateways{"0a0a0a0a", "B.gw", "b-gw", "ffff0000"};

 private:
  const std::vector<std::string> keys{"app/one", "app/two", "app/Three", "other/one"};
  const std::vector<std::string> mids{"0000000000000001", "00000000000000ff", "aaaaaaaaaaaaaaaa"};
  const std::vector<std::string> accounts{"", "ann", "bob%20b"};
  std::mt19937 random_;
};

void test_differential () {
  constexpr unsigned kOperations = 10'000;
  const Server server;
  std::vector<std::pair<std::string, std::string>> heard;
  const auto hearing = connect(server.port(), [&] (std::string &&topic, std::string &&message) {
    heard.emplace_back(std::move(topic), std::move(message));
  });
  Operations operations(20'261'129);
  std::vector<std::string_view> topics{
      "SUBSCRIBE", "ag:app/one",   "ag:app/two",   "ag:app/Three",   "ag:other/one",
      "ag:rules",  "ag:m:app/one", "ag:m:app/two", "ag:m:app/Three", "ag:m:other/one"};
  std::vector<std::string> inboxes;
  for (const auto &gateway : operations.gateways)
    inboxes.push_back(inbox_topic(gateway));
  topics.insert(topics.end(), inboxes.begin(), inboxes.end());
  unsigned confirmed = 0;
  hearing->send(
      topics, [&] (RedisReply &&) { confirmed++; }, static_cast<unsigned>(topics.size()) - 1);
  until([&] { return confirmed + 1 == topics.size(); }, "the subscriptions");
  const auto link = connect(server.port(), {});

  Directory directory;
  std::vector<std::pair<std::string, std::string>> expected;
  std::map<std::string, std::int64_t> leases;
  std::int64_t now_ms = 1'700'000'000'000;
  std::string rules = "0";
  std::set<std::pair<OperationKind, Verdict>> seen;
  for (unsigned n = 0; n < kOperations; n++) {
    // Both run on the test's clock: a lease ends when that says so.
    now_ms += operations.below(20) ? operations.below(3) : operations.below(4'000);
    for (auto each = leases.begin(); each != leases.end();) {
      if (each->second > now_ms) {
        ++each;
        continue;
      }
      call(*link, {"DEL", "ag:gw:" + each->first});
      each = leases.erase(each);
    }
    const auto operation = operations.next(now_ms, rules);
    auto script = redis_scripts().at(static_cast<std::size_t>(operation.kind)).text;
    const std::string clock = "redis.call('TIME')", lease_time = "'PX', ttl_ms";
    const auto at = script.find(clock);
    g_assert_true(at != script.npos && script.find(clock, at + 1) == script.npos);
    script.replace(
        at, clock.size(),
        "{" + std::to_string(now_ms / 1'000) + ", " + std::to_string(now_ms % 1'000 * 1'000) + "}");
    if (operation.kind == OperationKind::lease) {
      const auto place = script.find(lease_time);
      g_assert_true(place != script.npos);
      script.replace(place, lease_time.size(), "'PX', 3600000");
      leases[operation.args[0]] = now_ms + g_ascii_strtoll(operation.args[2].c_str(), nullptr, 10);
    }
    std::vector<std::string_view> command{"EVAL", script, "0"};
    command.insert(command.end(), operation.args.begin(), operation.args.end());
    const auto reply = call(*link, command);
    const auto theirs = answer_of_reply(reply);
    const auto ours = directory.apply(operation, now_ms, [&] (const auto &topic, const auto &text) {
      expected.emplace_back(topic, text);
    });
    if (theirs.verdict != ours.verdict ||
        sorted(operation, theirs.values) != sorted(operation, ours.values)) {
      std::string text;
      for (const auto &arg : operation.args)
        text += " [" + arg + "]";
      text += "\n# Redis: " + std::string(to_string(theirs.verdict)) + " " + reply.text;
      for (const auto &value : theirs.values)
        text += " [" + value + "]";
      text += "\n# Directory: " + std::string(to_string(ours.verdict));
      for (const auto &value : ours.values)
        text += " [" + value + "]";
      g_error("operation %u, %s%s", n, std::string(to_string(operation.kind)).c_str(),
              text.c_str());
    }
    seen.emplace(operation.kind, ours.verdict);
    if (ours.verdict == Verdict::ok && (operation.kind == OperationKind::rule_write ||
                                        operation.kind == OperationKind::rules_restore))
      rules = ours.values[0];
    if (ours.verdict == Verdict::rules)
      rules = ours.values[0];
  }
  until([&] { return heard.size() >= expected.size(); }, "the messages");
  g_assert_cmpuint(heard.size(), ==, expected.size());
  for (std::size_t n = 0; n < heard.size(); n++) {
    g_assert_cmpstr(heard[n].first.c_str(), ==, expected[n].first.c_str());
    g_assert_cmpstr(heard[n].second.c_str(), ==, expected[n].second.c_str());
  }
  // Each way of answering was met, or the test says nothing about it.
  for (const auto &[kind, verdict] : std::initializer_list<std::pair<OperationKind, Verdict>>{
           {OperationKind::claim, Verdict::ok},
           {OperationKind::claim, Verdict::again},
           {OperationKind::claim, Verdict::rules},
           {OperationKind::claim, Verdict::full},
           {OperationKind::claim, Verdict::too_many_channels},
           {OperationKind::assert_member, Verdict::ok},
           {OperationKind::assert_member, Verdict::lost},
           {OperationKind::release, Verdict::ok},
           {OperationKind::speak, Verdict::ok},
           {OperationKind::hush, Verdict::ok},
           {OperationKind::reap_speakers, Verdict::ok},
           {OperationKind::reap_speakers, Verdict::alive},
           {OperationKind::reap_members, Verdict::ok},
           {OperationKind::reap_members, Verdict::alive},
           {OperationKind::rule_write, Verdict::ok},
           {OperationKind::rule_write, Verdict::lost},
           {OperationKind::who_is, Verdict::ok}})
    if (!seen.contains({kind, verdict}))
      g_error("%s was never answered with %s", std::string(to_string(kind)).c_str(),
              std::string(to_string(verdict)).c_str());
  g_test_message("%zu messages", heard.size());
}

// --- the store

void test_answers_in_order () {
  const Server server;
  Told told;
  const auto store = make({.url = server.url()});
  store->ask(1, lease_of("one"));
  store->start(told.callbacks());
  g_assert_true(told.answers.empty());
  until([&] { return told.ups == 1; }, "up");
  until([&] { return told.answers.contains(1); }, "the answer");
  g_assert_true(told.answers[1].verdict == Verdict::away);
  for (Ticket ticket = 2; ticket < 1'002; ticket++)
    store->ask(ticket, lease_of("one"));
  g_assert_cmpuint(told.answers.size(), ==, 1);
  until([&] { return told.answers.size() == 1'001; }, "the answers");
  g_assert_cmpstr(told.answers[2].values[0].c_str(), ==, "new");
  for (Ticket ticket = 3; ticket < 1'002; ticket++)
    g_assert_cmpstr(told.answers[ticket].values.at(0).c_str(), ==, "kept");
}

// By a connection of its own that waits for the reply, and turns no loop.
std::string reply_to (guint16 port, const std::string &command) {
  const ObjectPtr<GSocketClient> client(g_socket_client_new());
  GError *error = nullptr;
  const ObjectPtr<GSocketConnection> link(
      g_socket_client_connect_to_host(client.get(), "127.0.0.1", port, nullptr, &error));
  g_assert_no_error(error);
  GSocket *const socket = g_socket_connection_get_socket(link.get());
  g_socket_send(socket, (command + "\r\n").data(), command.size() + 2, nullptr, &error);
  g_assert_no_error(error);
  char reply[64];
  const auto size = g_socket_receive(socket, reply, sizeof reply, nullptr, &error);
  g_assert_no_error(error);
  return {reply, static_cast<std::size_t>(size)};
}

// Who is busy for long asks first.
void test_hurry () {
  const Server server;
  Told told;
  const auto store = make({.url = server.url()});
  store->start(told.callbacks());
  until([&] { return told.ups == 1; }, "the store");
  store->ask(1, lease_of("one"));
  until([&] { return told.answers.size() == 1; }, "the answer");
  store->ask(2, lease_of("two"));
  store->hurry();
  const auto end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
  while (reply_to(server.port(), "EXISTS ag:gw:two") != ":1\r\n")
    g_assert_cmpint(g_get_monotonic_time(), <, end);
  g_assert_cmpuint(told.answers.size(), ==, 1);
  until([&] { return told.answers.size() == 2; }, "the answer");
  // While there is nothing to be sent, or nobody to send it to, it does nothing.
  store->hurry();
  store->stop();
  store->hurry();
}

void test_forgotten_scripts () {
  const Server server;
  Told told;
  const auto store = make({.url = server.url()});
  store->start(told.callbacks());
  until([&] { return told.ups == 1; }, "up");
  const auto link = connect(server.port(), {});
  call(*link, {"SCRIPT", "FLUSH"});
  for (Ticket ticket = 1; ticket <= 10; ticket++)
    store->ask(ticket, lease_of("one"));
  until([&] { return told.answers.size() == 10; }, "the answers");
  for (Ticket ticket = 1; ticket <= 10; ticket++)
    g_assert_cmpstr(told.answers[ticket].values.at(0).c_str(), ==, ticket == 1 ? "new" : "kept");
  g_assert_cmpuint(told.ups, ==, 1);
}

// Killed and back, empty: what was asked meanwhile is answered, and subscriptions are there again.
void test_killed () {
  std::optional<Server> server(std::in_place);
  const auto port = server->port();
  Told told;
  const auto store = make({.url = server->url()});
  store->subscribe("ag:app/one");
  store->start(told.callbacks());
  until([&] { return told.ups == 1 && told.subscribed.size() == 1; }, "up");
  store->ask(1, {OperationKind::rule_once, {"app", "text"}});
  server->kill();
  store->ask(2, lease_of("one"));
  until([&] { return told.downs.size() == 1 && told.answers.size() == 2; }, "down");
  store->ask(3, lease_of("one"));
  until([&] { return told.answers.contains(3); }, "an answer while it is away", 1'000);
  g_assert_true(told.answers[3].verdict == Verdict::away);
  store->subscribe("ag:app/two");
  server.emplace(port);
  until([&] { return told.ups == 2 && told.subscribed.size() == 3; }, "up again");
  const auto link = connect(server->port(), {});
  call(*link, {"PUBLISH", "ag:app/one", "1"});
  call(*link, {"PUBLISH", "ag:app/two", "2"});
  until([&] { return told.heard.size() == 2; }, "both topics");
  store->unsubscribe("ag:app/one");
  store->ask(4, lease_of("one"));
  until([&] { return told.answers.contains(4); }, "an answer");
  g_assert_true(told.answers[4].verdict == Verdict::ok);
  g_assert_cmpuint(told.downs.size(), ==, 1);
}

// Frozen: answered by `away` after two seconds, while the loop turns all the time.
void test_frozen () {
  Server server;
  Told told;
  const auto store = make({.url = server.url()});
  store->start(told.callbacks());
  until([&] { return told.ups == 1; }, "up");
  server.signal(SIGSTOP);
  const auto from = g_get_monotonic_time();
  store->ask(1, lease_of("one"));
  auto last = from;
  std::int64_t lag = 0;
  std::function<void()> turn;
  Timer timer([&] { turn(); });
  turn = [&] {
    const auto now = g_get_monotonic_time();
    lag = std::max(lag, now - last - 10'000);
    last = now;
    timer.in(10);
  };
  timer.in(10);
  until([&] { return told.answers.contains(1); }, "the answer");
  const auto after = (g_get_monotonic_time() - from) / 1'000;
  g_assert_true(told.answers[1].verdict == Verdict::away);
  g_assert_cmpint(after, >=, 1'900);
  g_assert_cmpint(after, <=, 3'000);
  g_test_message("away after %d ms, the loop late by %d ms at most", static_cast<int>(after),
                 static_cast<int>(lag / 1'000));
  server.signal(SIGCONT);
  until([&] { return told.ups == 2; }, "up again");
}

void test_password () {
  const Server server(free_port(), {"--requirepass", "right"});
  const std::vector<std::pair<std::string, const char *>> wrong{{"", "NOAUTH"},
                                                                {"wrong", "WRONGPASS"}};
  for (const auto &[password, reason] : wrong) {
    Told told;
    const auto store = make({.url = server.url(), .password = password});
    store->start(told.callbacks());
    until([&] { return told.downs.size() == 1; }, "down");
    g_assert_nonnull(strstr(told.downs[0].c_str(), reason));
    g_assert_cmpuint(told.ups, ==, 0);
  }
  Told told;
  const auto store = make({.url = server.url() + "/3", .password = "right"});
  store->start(told.callbacks());
  until([&] { return told.ups == 1; }, "up");
}

// A server that takes no writes is none: it is away until it has its replicas, and that is said
// once.
void test_no_replicas () {
  const Server server(free_port(), {"--min-replicas-to-write", "1"});
  Told told;
  const auto store = make({.url = server.url()});
  store->start(told.callbacks());
  until([&] { return told.downs.size() == 1; }, "down");
  g_assert_nonnull(strstr(told.downs[0].c_str(), "NOREPLICAS"));
  bool tried = false;
  Timer tries([&] { tried = true; });
  tries.in(500);
  until([&] { return tried; }, "some tries");
  g_assert_cmpuint(told.downs.size(), ==, 1);
  g_assert_cmpuint(told.ups, ==, 0);
  const auto link = connect(server.port(), {});
  call(*link, {"CONFIG", "SET", "min-replicas-to-write", "0"});
  until([&] { return told.ups == 1; }, "up");
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/redis/differential", test_differential);
  g_test_add_func("/redis/answers-in-order", test_answers_in_order);
  g_test_add_func("/redis/hurry", test_hurry);
  g_test_add_func("/redis/forgotten-scripts", test_forgotten_scripts);
  g_test_add_func("/redis/killed", test_killed);
  g_test_add_func("/redis/frozen", test_frozen);
  g_test_add_func("/redis/password", test_password);
  g_test_add_func("/redis/no-replicas", test_no_replicas);
  return g_test_run();
}
