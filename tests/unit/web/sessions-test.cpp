// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/web-sessions.hpp"

#include <glib.h>

#include "same.hpp"

#include <set>

#include "signaling/protocol/messages.hpp"
#include "tests/suite.hpp"

namespace sessions_test {

using namespace agora;
using namespace agora::gateway;

namespace {

constexpr const char *sdp = "v=0\r\na=ice-ufrag:abcd\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

// The rest of the gateway, and a worker that the test plays.
class Scene : public WebSurroundings {
 public:
  bool serves (std::string_view app) const override { return app == "demo"; }
  bool draining () const override { return drains; }
  std::uint64_t next_session () override { return ++numbers; }
  std::optional<web_line::Refuse> offer (const web_line::Offer &offer) override {
    if (refuses)
      return web_line::Refuse{offer.session, 0, refuses, "why not"};
    sent.emplace_back(offer);
    return {};
  }
  unsigned trickle (const web_line::Trickle &trickle) override { return take(trickle); }
  unsigned call (const web_line::Call &call) override { return take(call); }
  void listen (const web_line::Listen &listen) override { sent.emplace_back(listen); }
  void end (std::uint64_t session) override { sent.emplace_back(web_line::End{session}); }
  unsigned pause_ms () const override { return pause; }

  bool drains = false;
  unsigned pause = 0;       // of agora-web, in ms
  int refuses = 0;          // each offer, with this code
  unsigned takes_none = 0;  // each trickle and call is refused with this status
  std::vector<web_line::ToWorker> sent;

 private:
  unsigned take (const web_line::ToWorker &message) {
    if (takes_none == 0)
      sent.push_back(message);
    return takes_none;
  }
  std::uint64_t numbers = 0;
};

class Sink : public EventSink {
 public:
  void tell (const StreamEvent &event) override { told += event.name + event.data + ' '; }
  void tell (std::shared_ptr<const std::string> text) override { told += *text; }
  void begin (const std::vector<StreamEvent> &events) override {
    for (const auto &event : events)
      tell(event);
  }
  void end () override { ended = true; }
  std::string told;
  bool ended = false;
};

struct Rig {
  explicit Rig(WebRules rules = {}) : sessions(std::move(rules), scene) {}

  WebRequest request (const char *method, std::string path) {
    WebRequest made;
    made.method = method;
    made.path = std::move(path);
    made.address = made.network = "10.0.0.1";
    made.mono_ms = now;
    return made;
  }
  WebRequest offer (std::string path = "/whep/demo/room") {
    auto made = request("POST", std::move(path));
    made.content_type = "application/sdp";
    made.body = sdp;
    return made;
  }
  WebSessions::Ticket ask (const WebRequest &asked) {
    answer = {};
    answer.status = 0;
    return sessions.ask(asked, [this, which = ++asks] (const WebAnswer &got) {
      // Those of before are answered late.
      if (which != asks)
        return;
      g_assert_cmpuint(answer.status, ==, 0);
      answer = got;
    });
  }
  unsigned status (const WebRequest &asked) {
    ask(asked);
    return answer.status;
  }
  std::string header (const std::string &name) const {
    for (const auto &[each, value] : answer.headers)
      if (each == name)
        return value;
    return "";
  }
  template <typename Message>
  const Message &last () const {
    return std::get<Message>(scene.sent.back());
  }
  // A session, up and running: its URL.
  std::string begin (std::string path = "/whep/demo/room") {
    ask(offer(std::move(path)));
    g_assert_cmpuint(answer.status, ==, 0);
    sessions.told(web_line::Answer{last<web_line::Offer>().session, 7, "v=0\r\nanswer"});
    g_assert_cmpuint(answer.status, ==, 201);
    return header("Location");
  }
  unsigned status (const char *method, const std::string &path) {
    return status(request(method, path));
  }

  Scene scene;
  std::int64_t now = 1'000'000;
  WebSessions sessions;
  WebAnswer answer;
  unsigned asks = 0;
};

void test_begins_and_ends () {
  WebRules rules;
  rules.ice_servers = {{"stun:stun.example", "", ""}, {"turn:turn.example", "me\"", "pw"}};
  Rig rig(rules);
  auto offer = rig.offer("/whip/demo/a%2Fb");
  offer.query = "uid=42&latency=200&name=Ann";
  offer.authorization = "Bearer secret";
  rig.ask(offer);
  const auto sent = rig.last<web_line::Offer>();
  g_assert_true(sent.kind == web_line::Kind::speak);
  assert_same(sent.channel, "a/b");
  assert_same(sent.token, "secret");
  g_assert_cmpuint(sent.uid, ==, 42);
  assert_same(sent.name, "Ann");
  g_assert_cmpuint(sent.latency_ms, ==, 200);
  assert_same(sent.address, "10.0.0.1");
  assert_same(sent.sdp, sdp);
  rig.sessions.told(web_line::Answer{sent.session, 42, "v=0\r\n"});
  g_assert_cmpuint(rig.answer.status, ==, 201);
  assert_same(rig.answer.type, "application/sdp");
  const auto url = rig.header("Location");
  g_assert_true(url.starts_with("/whip/session/"));
  g_assert_true(rig.header("ETag").starts_with("\""));
  std::set<std::string> links;
  for (const auto &[name, value] : rig.answer.headers)
    if (name == "Link")
      links.insert(value);
  g_assert_true(links.contains("<stun:stun.example>; rel=\"ice-server\""));
  g_assert_true(
      links.contains("<turn:turn.example>; rel=\"ice-server\"; username=\"me\\\"\"; "
                     "credential=\"pw\"; credential-type=\"password\""));
  g_assert_cmpuint(links.size(), ==, 3);

  g_assert_cmpuint(rig.status("GET", url), ==, 204);
  g_assert_cmpuint(rig.status("POST", url), ==, 405);
  assert_same(rig.header("Allow"), "DELETE, GET, HEAD, OPTIONS, PATCH");
  g_assert_cmpuint(rig.status("DELETE", url), ==, 200);
  g_assert_cmpuint(rig.last<web_line::End>().session, ==, sent.session);
  g_assert_cmpuint(rig.status("DELETE", url), ==, 404);
  g_assert_cmpuint(rig.sessions.counts().speak, ==, 0);
  g_assert_cmpuint(rig.sessions.counts().offers.at(201), ==, 1);
}

void test_refusals () {
  const struct {
    std::uint32_t status;
    protocol::Code code;
    unsigned expected;
  } cases[] = {
      {422, protocol::Code::ok, 422},          {0, protocol::Code::app_invalid, 404},
      {0, protocol::Code::token_expired, 401}, {0, protocol::Code::token_missing, 401},
      {0, protocol::Code::not_permitted, 403}, {0, protocol::Code::bad_role_or_uid, 409},
      {0, protocol::Code::bad_order, 400},     {0, protocol::Code::too_many, 503},
      {0, protocol::Code::drain, 503},         {0, protocol::Code::timeout, 504},
      {200, protocol::Code::ok, 500},          {0, static_cast<protocol::Code>(12345), 500}};
  for (const auto &each : cases) {
    Rig rig;
    rig.ask(rig.offer());
    rig.sessions.told(web_line::Refuse{1, each.status, static_cast<int>(each.code), "why\r\nX: 1"});
    g_assert_cmpuint(rig.answer.status, ==, each.expected);
    g_assert_true(rig.header("WWW-Authenticate").empty() == (each.expected != 401));
    g_assert_true(rig.header("Retry-After").empty() == (each.expected != 503));
    for (const auto &[name, value] : rig.answer.headers)
      g_assert_true(value.find_first_of("\r\n") == std::string::npos);
    g_assert_cmpuint(rig.sessions.counts().hear, ==, 0);
    g_assert_false(rig.sessions.next_deadline().has_value());
  }
}

// Nobody is to come before there is a worker again, nor long after.
void test_retry_after () {
  const std::pair<unsigned, const char *> rows[] = {{0, "1"},    {1, "1"},    {1000, "1"},
                                                    {1001, "2"}, {6400, "7"}, {10'000, "10"}};
  for (const auto &[pause, expected] : rows) {
    Rig rig;
    rig.scene.pause = pause;
    rig.ask(rig.offer());
    rig.sessions.told(web_line::Refuse{1, 0, 501, "lost"});
    g_assert_cmpuint(rig.answer.status, ==, 503);
    assert_same(rig.header("Retry-After"), expected);
    rig.scene.refuses = static_cast<int>(protocol::Code::service_lost);
    g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
    assert_same(rig.header("Retry-After"), expected);
    // Of room it is not known when there will be some.
    rig.scene.refuses = static_cast<int>(protocol::Code::overloaded);
    g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
    assert_same(rig.header("Retry-After"), "2");
  }
}

void test_bad_offers () {
  Rig rig;
  auto asked = rig.offer();
  asked.content_type = "text/plain";
  g_assert_cmpuint(rig.status(asked), ==, 415);
  assert_same(rig.header("Accept-Post"), "application/sdp");
  asked = rig.offer();
  asked.body = "{}";
  g_assert_cmpuint(rig.status(asked), ==, 400);
  g_assert_cmpuint(rig.status(rig.offer("/whep/other/room")), ==, 404);
  g_assert_cmpuint(rig.status(rig.offer("/whep/demo/null")), ==, 400);
  g_assert_cmpuint(rig.status(rig.offer("/whep/demo/a%0Ab")), ==, 400);
  asked = rig.offer();
  asked.query = "uid=x";
  g_assert_cmpuint(rig.status(asked), ==, 400);
  asked.query = "name=two%0Alines";
  g_assert_cmpuint(rig.status(asked), ==, 400);
  g_assert_nonnull(strstr(rig.answer.body.c_str(), "expected no control characters"));
  asked = rig.offer();
  asked.authorization = "Basic YTpi";
  g_assert_cmpuint(rig.status(asked), ==, 401);
  g_assert_true(rig.header("WWW-Authenticate").starts_with("Bearer"));
  asked = rig.offer();
  asked.origin = "https://evil.example";
  g_assert_cmpuint(rig.status(asked), ==, 403);
  assert_same(rig.header("Access-Control-Allow-Origin"), "");
  rig.scene.drains = true;
  g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
  rig.scene.drains = false;
  rig.scene.refuses = static_cast<int>(protocol::Code::service_lost);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
  g_assert_true(rig.header("Retry-After") != "");
  g_assert_true(rig.scene.sent.empty());
  g_assert_cmpuint(rig.status("PUT", "/whep/demo/room"), ==, 405);
  g_assert_cmpuint(rig.status("GET", "/whep/demo/room"), ==, 204);
  g_assert_cmpuint(rig.status("GET", "/whep/nothing"), ==, 404);
  g_assert_cmpuint(rig.status("OPTIONS", "/whep/demo/room"), ==, 200);
  assert_same(rig.header("Accept-Post"), "application/sdp");
}

void test_crowd () {
  WebRules rules;
  rules.offers_waiting = 2;
  Rig rig(rules);
  const auto gone = rig.ask(rig.offer());
  g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
  g_assert_true(rig.header("Retry-After") != "");
  rig.sessions.gone(gone);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
  rig.sessions.told(web_line::Refuse{2, 422, 0, "no"});
  g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  rig.sessions.told(web_line::Answer{3, 7, "v=0\r\n"});
  g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  rig.now += 8000;
  rig.sessions.tick(rig.now);
  for (int i = 0; i < 2; i++)
    g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 503);
}

void test_silent_worker () {
  Rig rig;
  rig.ask(rig.offer());
  g_assert_cmpint(*rig.sessions.next_deadline(), ==, rig.now + 8000);
  rig.now += 7999;
  rig.sessions.tick(rig.now);
  g_assert_cmpuint(rig.answer.status, ==, 0);
  rig.now++;
  rig.sessions.tick(rig.now);
  g_assert_cmpuint(rig.answer.status, ==, 504);
  g_assert_cmpuint(rig.last<web_line::End>().session, ==, 1);
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 0);
  // What it says afterwards is nothing.
  rig.sessions.told(web_line::Answer{1, 7, "v=0\r\n"});
  g_assert_cmpuint(rig.answer.status, ==, 504);
}

void test_impatient_client () {
  Rig rig;
  const auto ticket = rig.ask(rig.offer());
  rig.sessions.gone(ticket);
  g_assert_cmpuint(rig.last<web_line::End>().session, ==, 1);
  g_assert_cmpuint(rig.answer.status, ==, 0);
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 0);
  g_assert_false(rig.sessions.next_deadline().has_value());
  rig.sessions.gone(ticket);
}

void test_lost_worker () {
  Rig rig;
  const auto url = rig.begin();
  Sink sink;
  auto get = rig.request("GET", url + "/events");
  rig.sessions.stream_opened(*rig.sessions.wants_stream(get), sink);
  rig.ask(rig.offer());
  rig.sessions.told(web_line::Refuse{2, 0, 501, "lost"});
  g_assert_cmpuint(rig.answer.status, ==, 503);
  g_assert_false(sink.ended);
  rig.sessions.told(web_line::Ended{1, 501, "lost"});
  g_assert_true(sink.ended);
  g_assert_nonnull(strstr(sink.told.c_str(), "ended{\"code\":501,"));
  g_assert_cmpuint(rig.status("DELETE", url), ==, 404);
}

void test_trickle () {
  Rig rig;
  const auto url = rig.begin();
  const auto etag = rig.header("ETag");
  auto patch = rig.request("PATCH", url);
  patch.content_type = "application/trickle-ice-sdpfrag";
  patch.body = "a=ice-ufrag:abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
  g_assert_cmpuint(rig.status(patch), ==, 428);
  patch.if_match = "\"other\"";
  g_assert_cmpuint(rig.status(patch), ==, 412);
  patch.if_match = etag;
  rig.ask(patch);
  const auto sent = rig.last<web_line::Trickle>();
  assert_same(sent.fragment, std::string(patch.body));
  rig.sessions.told(web_line::Trickled{sent.session + 1, sent.number, 204, ""});
  g_assert_cmpuint(rig.answer.status, ==, 0);
  rig.sessions.told(web_line::Trickled{sent.session, sent.number, 204, ""});
  g_assert_cmpuint(rig.answer.status, ==, 204);
  // RFC 9725, 4.3.2.
  assert_same(rig.header("ETag"), "");
  rig.ask(patch);
  rig.sessions.told(web_line::Trickled{1, rig.last<web_line::Trickle>().number, 400, "broken"});
  g_assert_cmpuint(rig.answer.status, ==, 400);
  patch.if_match = "*";
  patch.body = "a=ice-ufrag:new\r\na=ice-pwd:x\r\n";
  g_assert_cmpuint(rig.status(patch), ==, 422);
  patch.content_type = "application/sdp";
  g_assert_cmpuint(rig.status(patch), ==, 415);
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 1);
  // A worker that doesn't answer costs the request, not the session.
  patch.content_type = "application/trickle-ice-sdpfrag";
  patch.body = "a=candidate:1\r\n";
  rig.ask(patch);
  rig.now += 8000;
  rig.sessions.tick(rig.now);
  g_assert_cmpuint(rig.answer.status, ==, 504);
  g_assert_cmpuint(rig.status("DELETE", url), ==, 200);
}

void test_calls () {
  Rig rig;
  const auto url = rig.begin();
  auto call = rig.request("POST", url + "/call");
  call.body = R"({"call":"stats"})";
  g_assert_cmpuint(rig.status(call), ==, 415);
  call.content_type = "application/json";
  call.body = "[]";
  g_assert_cmpuint(rig.status(call), ==, 400);
  call.body = R"({"call":"stats"})";
  rig.ask(call);
  const auto sent = rig.last<web_line::Call>();
  rig.sessions.told(web_line::Called{1, sent.number, 200, R"({"ok":true})"});
  g_assert_cmpuint(rig.answer.status, ==, 200);
  assert_same(rig.answer.body, "{\"ok\":true}\n");
  for (const unsigned status : {404U, 413U, 429U}) {
    rig.scene.takes_none = status;
    g_assert_cmpuint(rig.status(call), ==, status);
  }
  g_assert_true(rig.header("Retry-After") != "");
  g_assert_cmpuint(rig.status("GET", url + "/call"), ==, 405);
}

void test_events () {
  Rig rig;
  const auto url = rig.begin();
  rig.sessions.told(web_line::Event{1, "joined", R"({"uid":7})"});
  rig.sessions.told(web_line::Event{1, "stream-added", R"({"uid":9})"});
  auto post = rig.request("POST", url + "/events");
  post.content_type = "application/json";
  post.body = "{}";
  g_assert_cmpuint(rig.status(post), ==, 400);
  post.body = R"(["joined","levels"])";
  g_assert_cmpuint(rig.status(post), ==, 201);
  const auto some = rig.header("Location");
  post.body = "";
  g_assert_cmpuint(rig.status(post), ==, 201);
  const auto all = rig.header("Location");
  g_assert_true(some != all);

  Sink few;
  Sink many;
  rig.sessions.stream_opened(*rig.sessions.wants_stream(rig.request("GET", some)), few);
  g_assert_true(rig.last<web_line::Listen>().on);
  rig.sessions.stream_opened(*rig.sessions.wants_stream(rig.request("GET", all)), many);
  g_assert_cmpuint(rig.sessions.counts().streams, ==, 2);
  rig.sessions.told(web_line::Event{1, "levels", R"({"9":-20})"});
  rig.sessions.told(web_line::Event{1, "bad", "two\nlines"});
  rig.sessions.told(web_line::Event{2, "levels", "{}"});
  assert_same(few.told, "joined{\"uid\":7} levels{\"9\":-20} ");
  assert_same(many.told, "joined{\"uid\":7} stream-added{\"uid\":9} levels{\"9\":-20} ");
  // Destroyed by its reader: no other GET, and nothing ends with it.
  g_assert_cmpuint(rig.status("DELETE", some), ==, 200);
  g_assert_true(few.ended);
  g_assert_false(rig.sessions.wants_stream(rig.request("GET", some)).has_value());
  g_assert_cmpuint(rig.status("GET", some), ==, 404);
  // The same one, read anew: the older connection ends.
  Sink again;
  rig.sessions.stream_opened(*rig.sessions.wants_stream(rig.request("GET", all)), again);
  g_assert_true(many.ended);
  rig.sessions.told(web_line::Ended{1, 110, "banned"});
  g_assert_true(again.ended);
  g_assert_true(again.told.ends_with("ended{\"code\":110,\"reason\":\"banned\"} "));
  g_assert_cmpuint(rig.status("GET", all), ==, 404);
}

void test_stream_comes_back () {
  Rig rig;
  const auto url = rig.begin();
  const auto get = rig.request("GET", url + "/events");
  Sink first;
  rig.sessions.stream_opened(*rig.sessions.wants_stream(get), first);
  rig.sessions.stream_closed(first, rig.now);
  rig.now += 4999;
  rig.sessions.tick(rig.now);
  Sink second;
  rig.sessions.stream_opened(*rig.sessions.wants_stream(get), second);
  rig.now += 60'000;
  rig.sessions.tick(rig.now);
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 1);
  rig.sessions.stream_closed(second, rig.now);
  g_assert_false(rig.last<web_line::Listen>().on);
  rig.now += 5000;
  rig.sessions.tick(rig.now);
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 0);
  g_assert_cmpuint(rig.last<web_line::End>().session, ==, 1);
}

void test_one_member () {
  Rig rig;
  const auto hears = rig.begin();
  const auto id = hears.substr(hears.rfind('/') + 1);
  auto speak = rig.offer("/whip/demo/room");
  speak.query = "member=" + id;
  rig.ask(speak);
  g_assert_cmpuint(rig.last<web_line::Offer>().member, ==, 1);
  rig.sessions.told(web_line::Answer{2, 7, "v=0\r\n"});
  const auto first = rig.header("Location");
  // Anew: it replaces the one before.
  rig.ask(speak);
  g_assert_cmpuint(std::get<web_line::End>(rig.scene.sent[rig.scene.sent.size() - 2]).session, ==,
                   2);
  rig.sessions.told(web_line::Answer{3, 7, "v=0\r\n"});
  const auto second = rig.header("Location");
  g_assert_cmpuint(rig.status("DELETE", first), ==, 404);
  // Of another kind of URL, it is no session.
  auto wrong = second;
  g_assert_cmpuint(rig.status("DELETE", wrong.replace(1, 4, "whep")), ==, 404);
  for (const char *more : {"&uid=9", "&account=x", "&name=Ann"}) {
    speak.query = "member=" + id + more;
    g_assert_cmpuint(rig.status(speak), ==, 400);
  }
  speak.query = "member=" + std::string(web_id_digits, '0');
  g_assert_cmpuint(rig.status(speak), ==, 409);
  speak.query = "member=" + id;
  speak.path = "/whip/demo/elsewhere";
  g_assert_cmpuint(rig.status(speak), ==, 409);
  speak.path = "/whep/demo/room";
  g_assert_cmpuint(rig.status(speak), ==, 400);
  // Leaving ends both.
  g_assert_cmpuint(rig.status("DELETE", hears), ==, 200);
  g_assert_cmpuint(rig.status("DELETE", second), ==, 404);
  g_assert_cmpuint(rig.sessions.counts().speak, ==, 0);
}

void test_limits () {
  WebRules rules;
  rules.offers_per_second = 4;
  Rig rig(rules);
  for (int i = 0; i < 8; i++)
    g_assert_cmpuint(rig.status(rig.offer()), ==, 0);
  g_assert_cmpuint(rig.status(rig.offer()), ==, 429);
  assert_same(rig.header("Retry-After"), "1");
  auto elsewhere = rig.offer();
  elsewhere.network = "10.0.0.2";
  g_assert_cmpuint(rig.status(elsewhere), ==, 0);
  auto text = rig.offer();
  text.content_type = "text/plain";
  g_assert_cmpuint(rig.status(text), ==, 429);
  rig.now += 250;
  text.mono_ms = rig.now;
  g_assert_cmpuint(rig.status(text), ==, 415);
  rig.sessions.stop();
  g_assert_cmpuint(rig.sessions.counts().hear, ==, 0);
}

}  // namespace

static const agora::Suite suite("sessions", [] {
  g_test_add_func("/web/sessions/begins-and-ends", test_begins_and_ends);
  g_test_add_func("/web/sessions/refusals", test_refusals);
  g_test_add_func("/web/sessions/retry-after", test_retry_after);
  g_test_add_func("/web/sessions/bad-offers", test_bad_offers);
  g_test_add_func("/web/sessions/crowd", test_crowd);
  g_test_add_func("/web/sessions/silent-worker", test_silent_worker);
  g_test_add_func("/web/sessions/impatient-client", test_impatient_client);
  g_test_add_func("/web/sessions/lost-worker", test_lost_worker);
  g_test_add_func("/web/sessions/trickle", test_trickle);
  g_test_add_func("/web/sessions/calls", test_calls);
  g_test_add_func("/web/sessions/events", test_events);
  g_test_add_func("/web/sessions/stream-comes-back", test_stream_comes_back);
  g_test_add_func("/web/sessions/one-member", test_one_member);
  g_test_add_func("/web/sessions/limits", test_limits);
});

}  // namespace sessions_test
