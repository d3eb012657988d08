// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/whip-request.hpp"

#include <glib.h>

#include "same.hpp"
#include "tests/suite.hpp"

namespace whip_request_test {

using namespace agora::gateway;
using agora::web_line::Kind;
using What = WebTarget::What;

namespace {

const std::string id(web_id_digits, 'a');

void test_targets () {
  const auto endpoint = read_target("/whip/demo/room%2Fone+%e6%88%bf");
  g_assert_true(endpoint && endpoint->what == What::endpoint && endpoint->kind == Kind::speak);
  assert_same(endpoint->app, "demo");
  assert_same(endpoint->channel, "room/one+\xe6\x88\xbf");
  g_assert_true(read_target("/whep/demo/room")->kind == Kind::hear);
  g_assert_true(read_target("/whep/session/" + id)->what == What::session);
  g_assert_true(read_target("/whip/session/" + id)->kind == Kind::speak);
  g_assert_true(read_target("/whep/session/" + id + "/events")->what == What::events);
  g_assert_true(read_target("/whep/session/" + id + "/call")->what == What::call);
  const auto stream = read_target("/whep/session/" + id + "/events/12");
  g_assert_true(stream && stream->what == What::stream && stream->stream == 12);
  assert_same(stream->id, id);
}

void test_no_targets () {
  std::string upper = id;
  upper[3] = 'A';
  const std::string paths[] = {"",
                               "/",
                               "/whip",
                               "/whip/",
                               "/whip/demo",
                               "/whip/demo/room/more",
                               "/whip//room",
                               "//whip/demo/room",
                               "whip/demo/room",
                               "/whap/demo/room",
                               "/WHIP/demo/room",
                               "/whip/%zz/room",
                               "/whip/de%00mo/room",
                               "/whip/demo/roo%",
                               "/whip/demo/roo%4",
                               "/whip/session/" + id.substr(1),
                               "/whip/session/" + id + "0",
                               "/whip/session/" + upper,
                               "/whip/session/" + id + "/",
                               "/whip/session/" + id + "/call/1",
                               "/whip/session/" + id + "/events/",
                               "/whip/session/" + id + "/events/-1",
                               "/whip/session/" + id + "/events/99999999999",
                               "/whip/session/" + id + "/events/1/2",
                               "/whip/session/" + id + "/nothing"};
  for (const auto &path : paths)
    if (read_target(path))
      g_error("%s is a path", path.c_str());
}

OfferQuery good (std::string_view query) {
  auto read = read_offer_query(query);
  if (const auto *problem = std::get_if<std::string>(&read))
    g_error("%s", problem->c_str());
  return std::get<OfferQuery>(read);
}

void test_queries () {
  g_assert_cmpuint(good("").uid, ==, 0);
  g_assert_cmpuint(good("uid=4294967295").uid, ==, 4294967295U);
  g_assert_cmpuint(good("uid=&future").uid, ==, 0);
  g_assert_cmpuint(good("latency=200&future=thing").latency_ms, ==, 200);
  assert_same(good("account=a+b%2Bc%C3%A9").account, "a b+c\xc3\xa9");
  assert_same(good("uid=0&account=x").account, "x");
  assert_same(good("member=" + id).member, id);
  std::string longest;
  for (int i = 0; i < 64; i++)
    longest += "%F0%9F%8E%99";
  assert_same(good("name=Ann+%26+co&uid=7").name, "Ann & co");
  assert_same(good("name=").name, "");
  g_assert_cmpuint(good("name=" + longest).name.size(), ==, 256);
  const std::string bad[] = {"uid=-1",
                             "uid=4294967296",
                             "uid=1x",
                             "uid=1&uid=1",
                             "uid=1&account=x",
                             "account=",
                             "account=%0d%0aX-Evil:%201",
                             "account=%00",
                             "account=%ff",
                             "account=%",
                             "name=a%0Ab",
                             "name=%C2%85",
                             "name=%ff",
                             "name=%00",
                             "name=" + std::string(65, 'x'),
                             "name=a&name=b",
                             "%zz=1",
                             "latency=10001",
                             "latency=-5",
                             "latency=1e3",
                             "latency=99999999999",
                             "member=",
                             "member=" + id.substr(1),
                             "member=" + id.substr(1) + "g"};
  for (const auto &query : bad)
    if (!std::holds_alternative<std::string>(read_offer_query(query)))
      g_error("%s is good", query.c_str());
}

void test_types () {
  g_assert_true(says_type("application/sdp", "application/sdp"));
  g_assert_true(says_type(" Application/SDP ; charset=utf-8", "application/sdp"));
  for (const char *type : {"", "application/sdp2", "text/plain", "application/sdp, text/plain"})
    g_assert_false(says_type(type, "application/sdp"));
}

void test_bearers () {
  g_assert_false(read_bearer("")->shown);
  assert_same(read_bearer("Bearer abc.def")->token, "abc.def");
  assert_same(read_bearer("bearer   abc ")->token, "abc");
  for (const char *header : {"Bearer", "Bearer ", "Basic YTpi", "abc", "Bearerabc"})
    g_assert_false(read_bearer(header).has_value());
}

void test_etags () {
  g_assert_true(lists_etag("\"a\"", "\"a\""));
  g_assert_true(lists_etag("\"b\", \"a\"", "\"a\""));
  g_assert_true(lists_etag("*", "\"a\""));
  // Weak ones never match for If-Match.
  for (const char *header : {"", "a", "W/\"a\"", "\"b\"", "\"A\""})
    g_assert_false(lists_etag(header, "\"a\""));
}

void test_offers () {
  g_assert_false(check_offer("v=0\r\ns=-\r\nm=audio 9 X 1\r\n").has_value());
  g_assert_false(check_offer("v=0\nm=audio 9 X 1\n").has_value());
  const std::string bad[] = {"",
                             "v=0",
                             "v=1\r\nm=audio",
                             "{}",
                             "v=0\r\ns=-\r\n",
                             std::string("v=0\r\nm=\0", 8),
                             "v=0\r\nm=\x01",
                             "v=0\r\nm=\xff",
                             " v=0\r\nm=audio\r\n"};
  for (const auto &sdp : bad)
    g_assert_true(check_offer(sdp).has_value());
}

void test_ufrags () {
  const auto found = ice_ufrags("v=0\r\na=ice-ufrag:one\r\na=ice-ufrag:one\r\na=ice-ufrag:two\nx");
  g_assert_cmpuint(found.size(), ==, 2);
  assert_same(found[0], "one");
  assert_same(found[1], "two");
  g_assert_true(ice_ufrags("a=ice-pwd:x\r\n").empty());
}

void test_event_names () {
  g_assert_cmpuint(read_event_names("")->size(), ==, 0);
  g_assert_cmpuint(read_event_names(" [] ")->size(), ==, 0);
  const auto names = read_event_names(R"(["levels", "joined"])");
  g_assert_cmpuint(names->size(), ==, 2);
  assert_same(names->at(1), "joined");
  std::string many = "[\"x\"";
  for (int i = 0; i < 100; i++)
    many += ",\"x\"";
  const std::string bad[] = {"{}",
                             "\"levels\"",
                             "[1]",
                             "[\"a\"",
                             "[[\"a\"]]",
                             "[null]",
                             "[],\"more\":[]",
                             "[]]",
                             "[]}",
                             "[]} {",
                             many + "]",
                             std::string(100000, '[')};
  for (const auto &body : bad)
    g_assert_false(read_event_names(body).has_value());
}

}  // namespace

static const agora::Suite suite("whip-request", [] {
  g_test_add_func("/web/request/targets", test_targets);
  g_test_add_func("/web/request/no-targets", test_no_targets);
  g_test_add_func("/web/request/queries", test_queries);
  g_test_add_func("/web/request/types", test_types);
  g_test_add_func("/web/request/bearers", test_bearers);
  g_test_add_func("/web/request/etags", test_etags);
  g_test_add_func("/web/request/offers", test_offers);
  g_test_add_func("/web/request/ufrags", test_ufrags);
  g_test_add_func("/web/request/event-names", test_event_names);
});

}  // namespace whip_request_test
