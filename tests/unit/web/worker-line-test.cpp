// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker's end of its line: what a gateway may send, and what ends it.
#include "gst/web/line.hpp"

#include "gst/web/late-names.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace agora::web;
namespace web_line = agora::web_line;

namespace {

// A line, with the gateway's end in the test's hand.
struct Rig {
  int ends[2] = {-1, -1};
  std::vector<std::uint64_t> pings;
  unsigned over = 0;
  std::unique_ptr<Line> line;

  Rig() {
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
    line = std::make_unique<Line>(
        ends[0],
        [this] (const web_line::ToWorker &message) {
          if (const auto *ping = std::get_if<web_line::Ping>(&message))
            pings.push_back(ping->n);
        },
        [this] { over++; });
  }
  ~Rig() { close(ends[1]); }

  bool say (std::string_view packet) const {
    return send(ends[1], packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  }
  static void turn () {
    while (g_main_context_iteration(nullptr, FALSE)) {
    }
  }
};

std::string ping (std::uint64_t number) {
  return *web_line::encode(web_line::ToWorker(web_line::Ping{number}));
}

void test_what_ends_it () {
  const std::string longest(web_line::max_packet, ' ');
  for (const std::string &bad : {
           std::string(" "),
           std::string("{}"),
           std::string("{\"op\":\"ping\"}"),
           std::string("{\"op\":\"ping\",\"n\":-1}"),
           std::string("{\"op\":\"ping\",\"n\":\"1\"}"),
           std::string("{\"op\":\"other\",\"n\":1}"),
           std::string("{\"op\":\"ping\",\"n\":1,\"n\":2}"),
           std::string("\xff\xfe"),
           "{\"op\":\"ping\",\"n\":1}" + longest,
       }) {
    Rig rig;
    g_assert_true(rig.say(ping(1)));
    g_assert_true(rig.say(bad));
    g_assert_true(rig.say(ping(2)));
    Rig::turn();
    // Nothing after it is taken.
    g_assert_cmpuint(rig.pings.size(), ==, 1);
    g_assert_cmpuint(rig.over, ==, 1);
  }
}

// One of another build has more to say.
void test_an_unknown_field () {
  Rig rig;
  g_assert_true(rig.say("{\"op\":\"ping\",\"n\":5,\"more\":[{\"x\":null}]}"));
  Rig::turn();
  g_assert_cmpuint(rig.pings.size(), ==, 1);
  g_assert_cmpuint(rig.pings[0], ==, 5);
  g_assert_cmpuint(rig.over, ==, 0);
}

void test_the_end_of_the_gateway () {
  Rig rig;
  g_assert_cmpint(shutdown(rig.ends[1], SHUT_RDWR), ==, 0);
  Rig::turn();
  g_assert_cmpuint(rig.over, ==, 1);
}

// Other work of the loop has its turn between.
void test_a_flood () {
  Rig rig;
  std::uint64_t said = 0;
  while (rig.say(ping(said)))
    said++;
  g_assert_cmpint(errno, ==, EAGAIN);
  g_assert_cmpuint(said, >, 64);
  unsigned turns = 0;
  while (rig.pings.size() < said) {
    const std::size_t before = rig.pings.size();
    g_assert_true(g_main_context_iteration(nullptr, FALSE));
    g_assert_cmpuint(rig.pings.size() - before, <=, 64);
    turns++;
  }
  g_assert_cmpuint(turns, >=, said / 64);
  for (std::size_t i = 0; i < said; i++)
    g_assert_cmpuint(rig.pings[i], ==, i);
  g_assert_cmpuint(rig.over, ==, 0);
}

// What is kept for one that doesn't read has a bound, and levels are left out long before.
void test_a_gateway_that_does_not_read () {
  Rig rig;
  const web_line::ToGateway event =
      web_line::Event{1, "levels", "[" + std::string(30'000, '1') + "]"};
  for (unsigned i = 0; i < 1000; i++)
    rig.line->send_if_prompt(event);
  g_assert_cmpuint(rig.over, ==, 0);
  unsigned sent = 0;
  for (; rig.over == 0 && sent < 3000; sent++) {
    rig.line->send(event);
    Rig::turn();
  }
  g_assert_cmpuint(rig.over, ==, 1);
  g_assert_cmpuint(sent, >, 1000);
  g_assert_cmpuint(sent, <, 1300);
}

// A speaker that takes one name after another doesn't end the line either, and its last one
// arrives.
void test_names_for_a_gateway_that_does_not_read () {
  Rig rig;
  std::map<std::uint32_t, unsigned> latest;
  LateNames names([&] (std::uint32_t uid) {
    return rig.line->send_if_room(web_line::Event{1, "member-named",
                                                  "{\"uid\":" + std::to_string(uid) +
                                                      ",\"name\":\"" + std::to_string(latest[uid]) +
                                                      std::string(200, 'x') + "\"}"});
  });
  for (unsigned i = 0; i < 200'000; i++)
    for (const std::uint32_t uid : {7U, 8U, 9U}) {
      latest[uid] = 3 * i + uid;
      names.changed(uid);
    }
  // Of one that has gone nothing more is told.
  names.forget(9);
  Rig::turn();
  g_assert_cmpuint(rig.over, ==, 0);
  const auto is_last = [&] (const std::string &packet, std::uint32_t uid) {
    return packet.find("uid\\\":" + std::to_string(uid) + ",\\\"name\\\":\\\"" +
                       std::to_string(latest[uid]) + "x") != std::string::npos;
  };
  unsigned came = 0;
  std::set<std::uint32_t> last;
  std::vector<char> packet(web_line::max_packet);
  while (last.size() < 2) {
    g_main_context_iteration(nullptr, TRUE);
    for (ssize_t size; (size = recv(rig.ends[1], packet.data(), packet.size(), MSG_DONTWAIT)) > 0;
         came++)
      for (const std::uint32_t uid : {7U, 8U, 9U})
        if (is_last({packet.data(), static_cast<std::size_t>(size)}, uid))
          last.insert(uid);
  }
  g_assert_false(last.contains(9));
  g_assert_cmpuint(came, >, 5'000);
  g_assert_cmpuint(came, <, 30'000);
}

// Nor does the line end by what strangers say, however much it is; and what has to arrive does.
void test_words_for_a_gateway_that_does_not_read () {
  Rig rig;
  const web_line::ToGateway words =
      web_line::Event{1, "data", "{\"uid\":7,\"text\":\"" + std::string(256, 'x') + "\"}"};
  for (unsigned i = 0; i < 200'000; i++)
    rig.line->send_if_room(words);
  rig.line->send(web_line::Ended{1, 501, "the last"});
  Rig::turn();
  g_assert_cmpuint(rig.over, ==, 0);
  unsigned came = 0;
  std::vector<char> packet(web_line::max_packet);
  for (bool last = false; !last; Rig::turn())
    for (ssize_t size;
         !last && (size = recv(rig.ends[1], packet.data(), packet.size(), MSG_DONTWAIT)) > 0;
         came++) {
      const auto message =
          web_line::decode_to_gateway({packet.data(), static_cast<std::size_t>(size)});
      last = std::holds_alternative<web_line::Ended>(std::get<web_line::ToGateway>(message));
    }
  // A word to each of a thousand members is no flood.
  g_assert_cmpuint(came, >, 5'000);
  g_assert_cmpuint(came, <, 20'000);
  rig.line->send_if_room(words);
  g_assert_cmpint(recv(rig.ends[1], packet.data(), packet.size(), MSG_DONTWAIT), >, 0);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/worker-line/what-ends-it", test_what_ends_it);
  g_test_add_func("/web/worker-line/an-unknown-field", test_an_unknown_field);
  g_test_add_func("/web/worker-line/the-end-of-the-gateway", test_the_end_of_the_gateway);
  g_test_add_func("/web/worker-line/a-flood", test_a_flood);
  g_test_add_func("/web/worker-line/a-gateway-that-does-not-read",
                  test_a_gateway_that_does_not_read);
  g_test_add_func("/web/worker-line/words-for-a-gateway-that-does-not-read",
                  test_words_for_a_gateway_that_does_not_read);
  g_test_add_func("/web/worker-line/names-for-a-gateway-that-does-not-read",
                  test_names_for_a_gateway_that_does_not_read);
  return g_test_run();
}
