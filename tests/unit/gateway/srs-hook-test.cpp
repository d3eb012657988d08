// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/srs-hook.hpp"

#include <glib.h>

#include <utility>

#include "signaling/gateway/media/srs-control.hpp"
#include "tests/suite.hpp"

namespace srs_hook_test {

using namespace agora::gateway;

namespace {

// As SRS 6.0.157 sent them.
const std::string publish =
    R"({"server_id":"vid-3p9z9k6","service_id":"73ky68y9","action":"on_publish","client_id":"q886788l",)"
    R"("ip":"10.0.0.7","vhost":"__defaultVhost__","app":"live","tcUrl":"rtmp://127.0.0.1:19350/live",)"
    R"("stream":"c679fdce","param":"?m=1&g=2&e=3&s=x-_Y","stream_url":"/live/c679fdce",)"
    R"("stream_id":"vid-0g02z7x"})";
const std::string play =
    R"({"server_id":"vid-3p9z9k6","service_id":"73ky68y9","action":"on_play","client_id":"10935547",)"
    R"("ip":"127.0.0.1","vhost":"__defaultVhost__","app":"live","stream":"c679fdce",)"
    R"("tcUrl":"rtmp://127.0.0.1:19350/live","param":"?m=9&g=8&e=7&s=z","pageUrl":"",)"
    R"("stream_url":"/live/c679fdce","stream_id":"vid-0g02z7x"})";
const std::string clients =
    R"({"code":0,"server":"vid-3p9z9k6","service":"71go745w","pid":"3707","clients":[{"id":"0k23r8k4",)"
    R"("vhost":"vid-7i9r2om","stream":"vid-dvlr0u1","ip":"127.0.0.1","pageUrl":"","swfUrl":"",)"
    R"("tcUrl":"rtmp://127.0.0.1:19350/live","url":"/live/a2d9","name":"a2d9","type":"rtmp-play",)"
    R"("publish":false,"alive":1.53,"send_bytes":7704,"recv_bytes":3723,)"
    R"("kbps":{"recv_30s":0,"send_30s":0}},{"id":"8t1t932i","vhost":"vid-7i9r2om",)"
    R"("stream":"vid-dvlr0u1","ip":"127.0.0.1","pageUrl":"","swfUrl":"",)"
    R"("tcUrl":"rtmp://127.0.0.1:19350/live","url":"/live/a2d9","name":"a2d9",)"
    R"("type":"fmle-publish","publish":true,"alive":3.44,"send_bytes":4386,"recv_bytes":19251,)"
    R"("kbps":{"recv_30s":0,"send_30s":0}}]})";

std::string with (std::string text, const std::string &from, const std::string &to) {
  const std::size_t at = text.find(from);
  g_assert_cmpuint(at, !=, std::string::npos);
  return text.replace(at, from.size(), to);
}

void hooks_of_srs () {
  const auto push = std::get<HookRequest>(parse_srs_hook(publish));
  g_assert_true(push.call == HookCall::publish);
  g_assert_cmpstr(push.app.c_str(), ==, "live");
  g_assert_cmpstr(push.stream.c_str(), ==, "c679fdce");
  g_assert_cmpstr(push.args.c_str(), ==, "m=1&g=2&e=3&s=x-_Y");
  g_assert_cmpstr(push.address.c_str(), ==, "10.0.0.7");
  g_assert_cmpuint(push.client_id, ==, 0x7138'3836'3738'386cU);

  const auto pull = std::get<HookRequest>(parse_srs_hook(play));
  g_assert_true(pull.call == HookCall::play);
  g_assert_cmpstr(pull.args.c_str(), ==, "m=9&g=8&e=7&s=z");

  const std::pair<const char *, HookCall> ends[] = {{"on_unpublish", HookCall::publish_done},
                                                    {"on_stop", HookCall::play_done}};
  for (const auto &[action, call] : ends) {
    // Whatever its arguments are.
    const auto done = std::get<HookRequest>(
        parse_srs_hook(with(with(publish, "on_publish", action), "?m=1", "?m=1&m=1")));
    g_assert_true(done.call == call);
    g_assert_cmpuint(done.client_id, ==, push.client_id);
  }
}

void hooks_that_are_refused () {
  const std::string refused[] = {
      "",
      "{}",
      "0",
      "app=live&call=publish",
      publish.substr(0, publish.size() - 1),
      publish + "x",
      with(publish, R"("action":"on_publish",)", ""),
      with(publish, "on_publish", "on_connect"),
      with(publish, R"("action":"on_publish")", R"("action":"on_publish","action":"on_play")"),
      with(publish, R"("stream":"c679fdce",)", ""),
      with(publish, R"("stream":"c679fdce")", R"("stream":7)"),
      with(publish, R"("app":"live",)", ""),
      // What no session of SRS is called.
      with(publish, "q886788l", ""),
      with(publish, "q886788l", "q886788l9"),
      with(publish, "q886788l", "q88 788l"),
      with(publish, R"("q886788l")", "886788"),
      // What no URL of ours has behind its question mark.
      with(publish, "?m=1", "?m=1&m=1"),
      with(publish, "?m=1", "?m=%31"),
      with(publish, "?m=1", "??m=1"),
      with(publish, "?m=1", "?m=" + std::string(300, '1')),
      with(publish, "10.0.0.7", std::string(20'000, '1')),
      with(publish, R"("10.0.0.7")", "[[[[[[[[[[]]]]]]]]]]"),
  };
  for (const std::string &body : refused) {
    const auto result = parse_srs_hook(body);
    if (std::holds_alternative<HookRequest>(result))
      g_error("taken: %.400s", body.c_str());
    g_assert_cmpuint(std::get<HookRefusal>(result).reason.size(), >, 0);
  }
}

void names_of_sessions () {
  for (const char *name : {"a", "q886788l", "ZZZZZZZZ", "10935547"})
    g_assert_true(srs_session_name(srs_session_of(name).value()) == name);
  // Those of different lengths stay apart.
  g_assert_cmpuint(srs_session_of("0").value(), !=, srs_session_of("00").value());
}

void lists_of_sessions () {
  const auto list = parse_srs_clients(clients).value();
  g_assert_cmpuint(list.size(), ==, 2);
  g_assert_true(srs_session_name(list[0].session) == "0k23r8k4");
  g_assert_cmpstr(list[0].stream.c_str(), ==, "a2d9");
  g_assert_false(list[0].pushes);
  g_assert_true(srs_session_name(list[1].session) == "8t1t932i");
  g_assert_true(list[1].pushes);
  g_assert_true(parse_srs_clients(R"({"code":0,"clients":[]})").value().empty());
  // What isn't one of ours is left out.
  g_assert_cmpuint(parse_srs_clients(with(clients, "0k23r8k4", "no/session"))->size(), ==, 1);
  g_assert_cmpuint(
      parse_srs_clients(R"({"clients":[1,{},{"id":7},[],{"id":"a","name":"b"}]})")->size(), ==, 0);
  for (const char *none : {"", "{}", "[]", R"({"code":2049})", R"({"clients":7})", "<html>"})
    g_assert_false(parse_srs_clients(none).has_value());
}

}  // namespace

static const agora::Suite suite("srs-hook", [] {
  g_test_add_func("/gateway/srs-hook/of-srs", hooks_of_srs);
  g_test_add_func("/gateway/srs-hook/refused", hooks_that_are_refused);
  g_test_add_func("/gateway/srs-hook/names", names_of_sessions);
  g_test_add_func("/gateway/srs-hook/lists", lists_of_sessions);
});

}  // namespace srs_hook_test
