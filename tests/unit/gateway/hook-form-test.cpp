// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/hook-form.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace hook_form_test {

using namespace agora::gateway;

namespace {

const std::string session =
    "app=live&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl="
    "&addr=127.0.0.1&clientid=7";
const std::string publish = session + "&call=publish&name=abc&type=live";
const std::string play = session + "&call=play&name=abc&start=4294965296&duration=0&reset=0";
const std::string good_args = "m=1&g=2&e=3&s=x-_Y";

std::string with (std::string text, const std::string &from, const std::string &to) {
  const std::size_t at = text.find(from);
  g_assert_cmpuint(at, !=, std::string::npos);
  return text.replace(at, from.size(), to);
}

void forms_of_the_media_server () {
  const auto push = std::get<HookRequest>(parse_hook_form(publish + "&" + good_args));
  g_assert_true(push.call == HookCall::publish);
  g_assert_cmpstr(push.app.c_str(), ==, "live");
  g_assert_cmpstr(push.stream.c_str(), ==, "abc");
  g_assert_cmpstr(push.args.c_str(), ==, good_args.c_str());
  g_assert_cmpstr(push.address.c_str(), ==, "127.0.0.1");
  g_assert_cmpuint(push.client_id, ==, 7);

  const auto pull = std::get<HookRequest>(parse_hook_form(play + "&" + good_args));
  g_assert_true(pull.call == HookCall::play);
  g_assert_cmpstr(pull.args.c_str(), ==, good_args.c_str());

  g_assert_true(std::get<HookRequest>(parse_hook_form(publish)).args.empty());
  const auto encoder = std::get<HookRequest>(
      parse_hook_form("app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp:/"
                      "/127.0.0.1:47017/"
                      "live&pageurl=&addr=127.0.0.1&clientid=4&call=publish&name=abc&type=live&" +
                      good_args));
  g_assert_cmpuint(encoder.client_id, ==, 4);
  // What the server escaped is the client's text, whatever it looks like.
  const auto odd =
      std::get<HookRequest>(parse_hook_form(with(publish, "name=abc", "name=a%26name=b%3F%25")));
  g_assert_cmpstr(odd.stream.c_str(), ==, "a&name=b?%");
}

// The end of a session must be seen whatever its client asked for later on the same session.
void ends_count_by_client_id_alone () {
  for (const char *tail :
       {"", "&name=abc", "&name=abc&m=1&clientid=9", "&name=%zz&%00", "&&&==", "&call=publish"}) {
    const auto done = std::get<HookRequest>(parse_hook_form(session + "&call=publish_done" + tail));
    g_assert_true(done.call == HookCall::publish_done);
    g_assert_cmpuint(done.client_id, ==, 7);
  }
  const auto done = std::get<HookRequest>(parse_hook_form(session + "&call=play_done&name=abc"));
  g_assert_true(done.call == HookCall::play_done);
}

void forms_that_are_refused () {
  const std::string refused[] = {
      "",
      "&",
      "app",
      "app=live",
      session,
      session + "&call=connect",
      session + "&call=publish",
      session + "&call=update_publish&name=abc",
      session + "&call=publish&name=abc",
      session + "&call=play&name=abc",
      // The server's fields, but out of place, missing, or doubled before their place.
      "clientid=7&" + publish,
      "app=other&" + publish,
      with(publish, "app=live&", ""),
      with(publish, "&clientid=7", ""),
      with(publish, "&name=abc&type=live", "&type=live&name=abc"),
      with(publish, "flashver=", "flashver=x&app=other&flashver="),
      with(play, "&reset=0", ""),
      // What an id can't be.
      with(publish, "clientid=7", "clientid="),
      with(publish, "clientid=7", "clientid=0"),
      with(publish, "clientid=7", "clientid=-1"),
      with(publish, "clientid=7", "clientid=7x"),
      with(publish, "clientid=7", "clientid=0x7"),
      with(publish, "clientid=7", "clientid=99999999999999999999999"),
      // Escapes that the server doesn't write.
      with(publish, "name=abc", "name=a%"),
      with(publish, "name=abc", "name=a%4"),
      with(publish, "name=abc", "name=a%zz"),
      with(publish, "name=abc", "name=a%00b"),
      with(publish, "name=abc", "name=a+b"),
      with(publish, "name=abc", "name=a b"),
      with(publish, "name=abc", "name=a\xff"),
      with(publish, "name=abc", std::string("name=a\0b", 8)),
      // What a client adds to its URL comes in raw behind the server's fields.
      publish + "&name=mine",
      publish + "&clientid=99",
      publish + "&app=live",
      publish + "&call=play",
      publish + "&addr=10.0.0.1&" + good_args,
      publish + "&" + good_args + "&name=mine",
      publish + "&" + good_args + "&m=2",
      publish + "&m=1&m=1",
      publish + "&name",
      publish + "&=1&=2",
      publish + "&n%61me=mine",
      publish + "&m=%31",
      publish + "&m=1;name=mine",
      publish + "&m=1+2",
      publish + "&m=1 2",
      publish + "&m=1\r\nX: y",
      publish + "&m=\xc3\xa4",
      publish + std::string("&m=1\0name=x", 11),
      publish + "&a=&b=&c=&d=&e=&f=&g=&h=&i=",
      publish + "&m=" + std::string(300, '1'),
      publish + "&m=1&&m2=1&",
      play + "&reset=1",
      play + "&duration=0&" + good_args,
      std::string(1 << 20, 'a'),
  };
  for (const std::string &body : refused) {
    const auto result = parse_hook_form(body);
    if (std::holds_alternative<HookRequest>(result))
      g_error("taken: %.300s", body.c_str());
    g_assert_cmpuint(std::get<HookRefusal>(result).reason.size(), >, 0);
  }
}

}  // namespace

static const agora::Suite suite("hook-form", [] {
  g_test_add_func("/gateway/hook-form/of-the-media-server", forms_of_the_media_server);
  g_test_add_func("/gateway/hook-form/ends-by-client-id", ends_count_by_client_id_alone);
  g_test_add_func("/gateway/hook-form/refused", forms_that_are_refused);
});

}  // namespace hook_form_test
