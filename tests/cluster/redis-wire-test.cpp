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

// It reads nothing, sends the beginning of an answer, and resets while much is still to be written.
void test_reset_in_mid_write () {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int little = 4'096;
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  g_assert_cmpint(bind(listener, reinterpret_cast<sockaddr *>(&where), size), ==, 0);
  g_assert_cmpint(listen(listener, 1), ==, 0);
  g_assert_cmpint(getsockname(listener, reinterpret_cast<sockaddr *>(&where), &size), ==, 0);
  for (int n = 0; n < 20; n++) {
    bool open = false;
    std::vector<std::string> reasons;
    const auto link = RedisLink::open(
        {"127.0.0.1", ntohs(where.sin_port)}, {}, {},
        {[&] { open = true; }, {}, [&] (const std::string &reason) { reasons.push_back(reason); }});
    until([&] { return open; }, "the connection");
    const std::string much(100'000, 'x');
    for (int m = 0; m < 200; m++)
      link->send({"SET", "a", much}, [] (RedisReply &&) { g_error("an answer"); });
    const int peer = accept(listener, nullptr, nullptr);
    g_assert_cmpint(peer, >=, 0);
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
  close(listener);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/wire/urls", test_urls);
  g_test_add_func("/wire/bounds", test_bounds);
  g_test_add_func("/wire/reset-in-mid-write", test_reset_in_mid_write);
  return g_test_run();
}
