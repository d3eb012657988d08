// SPDX-License-Identifier: LGPL-2.1-or-later
// What goes over the wire to Redis, without one: its URLs, the bounds of its answers, and a server
// that resets the connection.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "signaling/gateway/cluster/redis-link.hpp"
#include "signaling/gateway/cluster/redis-reply.hpp"
#include "signaling/gateway/cluster/redis-url.hpp"
#include "tests/cluster/turns.hpp"

using namespace agora;
using namespace agora::gateway::cluster;

namespace {

constexpr unsigned kAnswer_ms = 400;

void test_urls () {
  for (const char *url :
       {"", "http://a", "redis://", "redis://a:0", "redis://a:70000", "redis://a:b", "redis://[::1",
        "redis://a/x", "redis://a?b", "redis+sentinel://a:1,b:2", "redis+sentinel://a,,b/m",
        "redis://%zz@a", "redis://a,b"})
    if (std::holds_alternative<RedisUrl>(parse_redis_url(url)))
      g_error("%s was taken", url);
  const auto one = std::get<RedisUrl>(parse_redis_url("rediss://ann:p%40ss@[::1]:7000/2"));
  g_assert_true(one.tls && one.user == "ann" && one.password == "p@ss" && one.database == 2);
  g_assert_true(one.servers == (std::vector<RedisAddress>{{"::1", 7000}}));
  const auto many = std::get<RedisUrl>(parse_redis_url("redis+sentinel://a:1,b/name"));
  g_assert_true(many.master == "name" && !many.tls);
  g_assert_true(many.servers == (std::vector<RedisAddress>{{"a", 1}, {"b", 26379}}));
}

void test_bounds () {
  RedisParser depth;
  for (int n = 0; n < 20; n++)
    depth.feed("*1\r\n");
  g_assert_true(std::holds_alternative<RedisParser::Broken>(depth.next()));
  // As deep as it may be, and no deeper, whichever hiredis it is.
  RedisParser deep;
  deep.feed("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n");
  g_assert_true(std::holds_alternative<RedisReply>(deep.next()));
  deep.feed("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n");
  g_assert_true(std::holds_alternative<RedisParser::Broken>(deep.next()));
  RedisParser items({.bytes = 1'000'000, .items = 100});
  items.feed("*2000000000\r\n");
  g_assert_true(std::holds_alternative<RedisParser::Broken>(items.next()));
  RedisParser size({.bytes = 1'000, .items = 100});
  size.feed("$5000\r\n" + std::string(2'000, 'x'));
  g_assert_true(std::holds_alternative<RedisParser::Broken>(size.next()));
  RedisParser good;
  good.feed("*3\r\n:7\r\n$-1\r\n+OK\r\n-ERR no\r\n");
  const auto first = std::get<RedisReply>(good.next());
  g_assert_true(first.items.size() == 3 && first.items[0].flat() == "7" &&
                first.items[2].text == "OK");
  g_assert_true(std::get<RedisReply>(good.next()).is_error());
  g_assert_true(std::holds_alternative<std::monostate>(good.next()));
}

// What nobody has asked for is no answer, whether hiredis knows it (from 1.0 on) or not; nor is
// it inside of an array.
void test_types_of_resp3 () {
  for (const std::string reply : {",1.5\r\n", "#t\r\n", "%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n",
                                  ">1\r\n+a\r\n", "(12345\r\n", "=8\r\ntxt:some\r\n"})
    for (const char *before : {"", "*2\r\n:1\r\n"}) {
      RedisParser parser;
      parser.feed(before + reply);
      if (!std::holds_alternative<RedisParser::Broken>(parser.next()))
        g_error("%s%s was taken", before, reply.c_str());
    }
}

// A server on a free port, with little room for what it doesn't read.
class NarrowServer {
 public:
  NarrowServer() {
    const int little = 4'096;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    g_assert_cmpint(bind(socket_, reinterpret_cast<sockaddr *>(&where), size), ==, 0);
    g_assert_cmpint(listen(socket_, 1), ==, 0);
    g_assert_cmpint(getsockname(socket_, reinterpret_cast<sockaddr *>(&where), &size), ==, 0);
    port_ = ntohs(where.sin_port);
  }
  ~NarrowServer() { close(socket_); }
  NarrowServer(const NarrowServer &) = delete;
  NarrowServer &operator=(const NarrowServer &) = delete;

  std::uint16_t port () const { return port_; }
  int accept () const {
    const int peer = ::accept(socket_, nullptr, nullptr);
    g_assert_cmpint(peer, >=, 0);
    return peer;
  }

 private:
  int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

// It reads nothing, sends the beginning of an answer, and resets while much is still to be written.
void test_reset_in_mid_write () {
  const NarrowServer server;
  for (int n = 0; n < 20; n++) {
    bool open = false;
    std::vector<std::string> reasons;
    const auto link = RedisLink::open(
        {"127.0.0.1", server.port()}, {}, {},
        {[&] { open = true; }, {}, [&] (const std::string &reason) { reasons.push_back(reason); }});
    until([&] { return open; }, "the connection");
    const std::string much(100'000, 'x');
    for (int m = 0; m < 200; m++)
      link->send({"SET", "a", much}, [] (RedisReply &&) { g_error("an answer"); });
    const int peer = server.accept();
    for (int turns = 0; turns < n; turns++)
      g_main_context_iteration(nullptr, FALSE);
    g_assert_cmpint(::send(peer, "$5\r\n", 4, MSG_NOSIGNAL), ==, 4);
    const linger at_once{1, 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(peer);
    until([&] { return !reasons.empty(); }, "the end", 1'000);
    while (g_main_context_iteration(nullptr, FALSE)) {
    }
    g_assert_cmpuint(reasons.size(), ==, 1);
    g_assert_false(link->is_open());
  }
}

// Many commands wait, and each is answered in its turn: that is no server that is away. One that
// answers no more is.
void test_slow_is_not_away () {
  const NarrowServer server;
  bool open = false;
  std::string reason;
  const auto link = RedisLink::open(
      {"127.0.0.1", server.port()}, {}, {.answer_ms = kAnswer_ms, .ping_ms = kAnswer_ms / 4},
      {[&] { open = true; }, {}, [&] (const std::string &why) { reason = why; }});
  until([&] { return open; }, "the connection");
  const int peer = server.accept();
  int answers = 0;
  const auto begin = g_get_monotonic_time();
  for (int n = 0; n < 9; n++)
    link->send({"PING"}, [&] (RedisReply &&) { answers++; });
  // The first may be that of its own question. Each in good time after the one before, the last
  // ones far beyond the limit after they were sent.
  for (int n = 1; n <= 6; n++) {
    bool due = false;
    Timer turn([&] { due = true; });
    turn.at(begin + std::int64_t{n} * 1'000 * kAnswer_ms / 2);
    until([&] { return due; }, "the next answer");
    g_assert_cmpint(::send(peer, "+PONG\r\n", 7, MSG_NOSIGNAL), ==, 7);
    until([&] { return answers >= n - 1 || !reason.empty(); }, "an answer");
    g_assert_cmpstr(reason.c_str(), ==, "");
  }
  until([&] { return !reason.empty(); }, "the end", 10 * kAnswer_ms);
  g_assert_cmpstr(reason.c_str(), ==, "no answer within 400 ms");
  close(peer);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/wire/urls", test_urls);
  g_test_add_func("/wire/bounds", test_bounds);
  g_test_add_func("/wire/types-of-resp3", test_types_of_resp3);
  g_test_add_func("/wire/reset-in-mid-write", test_reset_in_mid_write);
  g_test_add_func("/wire/slow-is-not-away", test_slow_is_not_away);
  return g_test_run();
}
