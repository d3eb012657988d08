// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/relay-line.hpp"

#include <glib.h>

#include "signaling/protocol/relay-url.hpp"
#include "tests/suite.hpp"

namespace relay_line_test {

using namespace agora::relay_line;

namespace {

const std::string limits_text =
    R"("limits":{"listener_lag_ms":1000,"push_kbps":4096,"sessions":16384,)"
    R"("sessions_per_address":4096,"strangers_per_address":256,"opening_ms":10000,"idle_push_ms":4000,)"
    R"("opening_pulls":128})";

// Each kind, as it stands on the line.
void each_kind_has_its_text () {
  const std::pair<ToRelay, std::string> to_relay[] = {
      {Configure{"live", {}, "", ""},
       R"({"op":"configure","app":"live",)" + limits_text + R"(,"certificate":"","key":""})"},
      {Configure{"live", {}, "", "", 2000}, R"({"op":"configure","app":"live",)" + limits_text +
                                                R"(,"certificate":"","key":"","report_ms":2000})"},
      {Trust{"-----BEGIN"}, R"({"op":"trust","authorities":"-----BEGIN"})"},
      {Answer{7, true, "", "", "b"},
       R"({"op":"answer","id":7,"allow":true,"reason":"","stream":"b"})"},
      {Answer{7, true, "", ""}, R"({"op":"answer","id":7,"allow":true,"reason":""})"},
      {Answer{7, true, "", "rtmp://10.0.0.2:1935/live/a?e=1"},
       R"({"op":"answer","id":7,"allow":true,"reason":"","relay_from":"rtmp://10.0.0.2:1935/live/a?e=1"})"},
      {Drop{3, Side::play, "abc", 0},
       R"({"op":"drop","ticket":3,"side":"play","stream":"abc","id":0})"},
      {Ping{max_number}, R"({"op":"ping","n":999999999999999999})"},
      {ListSessions{2}, R"({"op":"sessions","n":2})"},
      {Link{3, "abc", ""}, R"({"op":"link","n":3,"stream":"abc","reason":""})"},
      {Link{0, "abc", "no"}, R"({"op":"link","n":0,"stream":"abc","reason":"no"})"},
      {Move{7, "abc"}, R"({"op":"move","id":7,"stream":"abc"})"},
      {Guest{}, R"({"op":"guest"})"},
  };
  for (const auto &[message, text] : to_relay) {
    const std::string written = encode(message).value();
    g_assert_cmpstr(written.c_str(), ==, text.c_str());
    g_assert_true(std::get<ToRelay>(decode_to_relay(text)) == message);
    g_assert_true(std::holds_alternative<std::string>(decode_to_gateway(text)) ||
                  std::holds_alternative<ListSessions>(message));
  }
  Counters counters{1, 2, 3, 16, 4, 5, 6, 7, 8, 17, 18, {9, 10, 11, 12, 13, 14, 15}};
  const std::pair<ToGateway, std::string> to_gateway[] = {
      {Ready{"0.2"}, R"({"op":"ready","version":"0.2"})"},
      {Ask{1, Side::push, "live", "abc", "m=1&e=2", "::1"},
       R"({"op":"ask","id":1,"side":"push","app":"live","stream":"abc","args":"m=1&e=2","address":"::1"})"},
      {Done{1, Side::push, "abc"}, R"({"op":"done","id":1,"side":"push","stream":"abc"})"},
      {Pong{4, counters},
       R"({"op":"pong","n":4,"connections":1,"pushes":2,"listeners":3,"bytes_in":4,"bytes_out":5,)"
       R"("lag_ms":7,"dropped_frames":6,"fds":8,"pulls":16,"pulls_ended":17,"pulls_failed":18,)"
       R"("refused":{"full":9,"address":10,"deadline":11,"protocol":12,"denied":13,"rate":14,"tls":15}})"},
      {Sessions{4, {1, 5}, true}, R"({"op":"sessions","n":4,"last":true,"ids":[1,5]})"},
      {Dropped{3}, R"({"op":"dropped","ticket":3})"},
      {Dial{3, "abc", "10.0.0.2:1935"},
       R"({"op":"dial","n":3,"stream":"abc","address":"10.0.0.2:1935"})"},
      {Pulled{"abc"}, R"({"op":"pulled","stream":"abc"})"},
      {PullFailed{"abc", "no"}, R"({"op":"pull-failed","stream":"abc","reason":"no"})"},
      {Traffic{{{"abc", 1, 2, 3, 4, 5}, {"d", 0, 0, 0, 0, 6}}},
       R"({"op":"traffic","streams":[{"stream":"abc","received":1,"sent":2,"dropped":3,"cut":4,"lag_ms":5},)"
       R"({"stream":"d","lag_ms":6}]})"},
      {Traffic{}, R"({"op":"traffic","streams":[]})"},
      {Log{Level::warning, "a \"word\""}, R"({"op":"log","level":"warning","text":"a \"word\""})"},
  };
  for (const auto &[message, text] : to_gateway) {
    const std::string written = encode(message).value();
    g_assert_cmpstr(written.c_str(), ==, text.c_str());
    g_assert_true(std::get<ToGateway>(decode_to_gateway(text)) == message);
  }
}

void what_strangers_wrote_is_bounded () {
  auto ask = [] (const std::string &app, const std::string &stream, const std::string &args) {
    return encode(ToGateway(Ask{1, Side::play, app, stream, args, "127.0.0.1"}));
  };
  g_assert_true(
      ask(std::string(max_app, 'a'), std::string(max_stream, 'b'), std::string(max_args, 'c')));
  g_assert_false(ask(std::string(max_app + 1, 'a'), "b", "c"));
  g_assert_false(ask("a", std::string(max_stream + 1, 'b'), "c"));
  g_assert_false(ask("a", "b", std::string(max_args + 1, 'c')));
  g_assert_false(ask("a", "b\xff", "c"));
  g_assert_false(ask("a", std::string("b\0", 2), "c"));
  // Escaped, they don't fit the packet.
  g_assert_false(ask("a", "b", std::string(max_args, '\x01')));
  g_assert_true(ask("a", "\xc3\xa4\n\"", "c"));
}

void long_lists_and_numbers_fit () {
  const Sessions full{max_number, std::vector<std::uint64_t>(max_ids, max_number), false};
  g_assert_true(std::get<ToGateway>(decode_to_gateway(encode(ToGateway(full)).value())) ==
                ToGateway(full));
  Sessions more = full;
  more.ids.push_back(1);
  g_assert_false(encode(ToGateway(more)));

  Pong pong{UINT64_MAX, {}};
  pong.counters.bytes_in = UINT64_MAX;
  const auto read = decode_to_gateway(encode(ToGateway(pong)).value());
  g_assert_cmpuint(std::get<Pong>(std::get<ToGateway>(read)).n, ==, max_number);
  g_assert_cmpuint(std::get<Pong>(std::get<ToGateway>(read)).counters.bytes_in, ==, max_number);

  const std::string chain(40'000, 'x');
  const ToRelay secure = Configure{"live", {}, chain, chain};
  g_assert_false(encode(secure));  // both together don't fit
  const ToRelay fits = Configure{"live", {}, chain, "key\n"};
  g_assert_true(std::get<ToRelay>(decode_to_relay(encode(fits).value())) == fits);
}

// A log line is cut and mended, between characters.
void logs_always_travel () {
  for (const std::string &text :
       {std::string(max_text * 3, 'a'), std::string(max_text, '\xff'), std::string("a\0b", 3),
        std::string(max_text - 1, 'a') + "\xc3\xa4", std::string(max_text, '\x01')}) {
    const auto packet = encode(ToGateway(Log{Level::info, text}));
    g_assert_true(packet);
    const auto read = decode_to_gateway(packet.value());
    g_assert_cmpuint(std::get<Log>(std::get<ToGateway>(read)).text.size(), <=, max_text);
    g_assert_cmpuint(std::get<Log>(std::get<ToGateway>(read)).text.size(), >, 0);
  }
}

template <typename Read>
void refused (Read read, const std::string &packet, const char *reason) {
  const auto result = read(packet);
  const auto *why = std::get_if<std::string>(&result);
  if (why == nullptr)
    g_error("taken: %.300s", packet.c_str());
  if (why->find(reason) == std::string::npos)
    g_error("%.300s: \"%s\" doesn't tell of \"%s\"", packet.c_str(), why->c_str(), reason);
}

void packets_that_say_nothing () {
  const std::pair<std::string, const char *> of_a_relay[] = {
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"{}", "op: expected a text, but it is absent"},
      {R"({"op":7})", "op: expected a text"},
      {R"({"op":"ping","n":1})", "op: \"ping\" is none of this side's"},
      {R"({"op":"dropped"})", "dropped: ticket: expected a whole number, but it is absent"},
      {R"({"op":"dropped","ticket":-1})", "ticket: expected a whole number from 0"},
      {R"({"op":"dropped","ticket":1.5})", "ticket: expected a whole number from 0"},
      {R"({"op":"dropped","ticket":1,"ticket":2})", "ticket"},
      {R"({"op":"dropped","ticket":9999999999999999999})", "at most 18 digits"},
      {R"({"op":"done","id":0,"side":"push","stream":"a"})", "id: expected a whole number from 1"},
      {R"({"op":"done","id":1,"side":"both","stream":"a"})", "side: expected push or play"},
      {R"({"op":"done","id":1,"side":"push"})", "stream: expected a text, but it is absent"},
      {R"({"op":"done","id":1,"side":"push","stream":")" + std::string(max_stream + 1, 'a') + "\"}",
       "stream: expected at most 256 bytes"},
      {R"({"op":"done","id":1,"side":"push","stream":"a\u0000"})", "expected a character"},
      {R"({"op":"sessions","n":1,"ids":[0],"last":true})", "ids: expected"},
      {R"({"op":"sessions","n":1,"ids":["1"],"last":true})", "ids: expected"},
      {R"({"op":"sessions","n":1,"ids":[1]})", "last: expected true or false, but it is absent"},
      {R"({"op":"dial","n":0,"stream":"a","address":"b"})", "n: expected a whole number from 1"},
      {R"({"op":"dial","n":1,"stream":"a","address":")" + std::string(max_address + 1, 'a') + "\"}",
       "address: expected at most 64 bytes"},
      {R"({"op":"traffic"})", "streams: expected"},
      {R"({"op":"traffic","streams":[1]})", "streams: expected at most 24 objects"},
      {R"({"op":"traffic","streams":[{}]})", "streams.stream: expected a text, but it is absent"},
      {R"({"op":"traffic","streams":[{"stream":"a","sent":-1}]})", "streams.sent: expected"},
      {R"({"op":"log","level":"debug","text":""})", "level: expected info or warning"},
      {R"({"op":"pong","n":1})", "connections: expected a whole number"},
      {R"({"op":"dropped","ticket":1,"x":[[[]]]})", "nested too deep"},
      {R"({"op":"dropped","ticket":1})" + std::string(max_to_gateway, ' '),
       "expected at most 4096"},
  };
  for (const auto &[packet, reason] : of_a_relay)
    refused(decode_to_gateway, packet, reason);

  std::string zero = limits_text;
  zero.replace(zero.find("1000"), 4, "0");
  const std::pair<std::string, const char *> of_a_gateway[] = {
      {R"({"op":"pong","n":1})", "none of this side's"},
      {R"({"op":"answer","id":1,"reason":""})", "allow: expected true or false, but it is absent"},
      {R"({"op":"answer","id":1,"allow":1,"reason":""})", "allow: expected true or false"},
      {R"({"op":"answer","id":1,"allow":true,"reason":"","relay_from":")" +
           std::string(max_url + 1, 'a') + "\"}",
       "relay_from: expected at most 1920 bytes"},
      {R"({"op":"configure","app":"live","certificate":"","key":""})",
       "limits: expected an object"},
      {R"({"op":"configure","app":"live",)" + zero + R"(,"certificate":"","key":""})",
       "limits.listener_lag_ms: expected a whole number from 1 to 3600000"},
  };
  for (const auto &[packet, reason] : of_a_gateway)
    refused(decode_to_relay, packet, reason);

  // Cut anywhere, none is taken.
  const std::string whole = encode(ToGateway(Ask{1, Side::push, "a", "b", "c", "d"})).value();
  for (std::size_t size = 0; size < whole.size(); size++)
    refused(decode_to_gateway, whole.substr(0, size), "");
}

void urls_name_a_numeric_address () {
  const std::pair<const char *, RelayUrl> good[] = {
      {"rtmp://10.0.0.2:1935/live/a?e=1&s=x/y@z",
       {false, "", "10.0.0.2", 1935, "live", "a", "e=1&s=x/y@z"}},
      {"rtmps://[2001:db8::2]:1/app/s", {true, "", "2001:db8::2", 1, "app", "s", ""}},
      {"rtmps://one.example-1.org@[2001:db8::2]:1/app/s",
       {true, "one.example-1.org", "2001:db8::2", 1, "app", "s", ""}},
      {"rtmp://127.0.0.1:65535/live/a?", {false, "", "127.0.0.1", 65535, "live", "a", ""}},
  };
  for (const auto &[text, url] : good) {
    const auto read = parse_relay_url(text);
    if (const auto *reason = std::get_if<std::string>(&read))
      g_error("%s: %s", text, reason->c_str());
    g_assert_true(std::get<RelayUrl>(read) == url);
  }
  g_assert_true(address_of(good[0].second) == "10.0.0.2:1935");
  g_assert_true(address_of(good[1].second) == "[2001:db8::2]:1");
  const std::pair<std::string, const char *> bad[] = {
      {"", "rtmp://"},
      {"http://10.0.0.2:80/live/a", "rtmp://"},
      {"rtmp://origin:1935/live/a", "numeric"},
      {"rtmp://one@10.0.0.2:1935/live/a", "numeric"},
      {"rtmps://@10.0.0.2:1935/live/a", "name"},
      {"rtmps://a_b@10.0.0.2:1935/live/a", "name"},
      {"rtmps://" + std::string(254, 'a') + "@10.0.0.2:1935/live/a", "name"},
      {"rtmps://one@two@10.0.0.2:1935/live/a", "numeric"},
      {"rtmp://10.0.0.2/live/a", "port"},
      {"rtmp://10.0.0.2:0/live/a", "port"},
      {"rtmp://10.0.0.2:65536/live/a", "port"},
      {"rtmp://10.0.0.2:1935x/live/a", "port"},
      {"rtmp://10.0.0.256:1935/live/a", "numeric"},
      {"rtmp://2001:db8::2:1935/live/a", "numeric"},
      {"rtmp://[10.0.0.2]:1935/live/a", "numeric"},
      {"rtmp://[2001:db8::2]1935/live/a", "numeric"},
      {"rtmp://[2001:db8::2/live/a", "numeric"},
      {"rtmp://10.0.0.2:1935", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935//a", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/a/b", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/a b", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/a\n", "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/" + std::string(max_stream + 1, 'a'), "/APP/STREAM"},
      {"rtmp://10.0.0.2:1935/live/a?b c", "arguments"},
      {"rtmp://10.0.0.2:1935/live/a?" + std::string(max_args + 1, 'a'), "arguments"},
  };
  for (const auto &[text, reason] : bad)
    refused([] (const std::string &url) { return parse_relay_url(url); }, text, reason);
}

}  // namespace

static const agora::Suite suite("relay-line", [] {
  g_test_add_func("/relay-line/each-kind", each_kind_has_its_text);
  g_test_add_func("/relay-line/bounded", what_strangers_wrote_is_bounded);
  g_test_add_func("/relay-line/long-lists", long_lists_and_numbers_fit);
  g_test_add_func("/relay-line/logs", logs_always_travel);
  g_test_add_func("/relay-line/urls", urls_name_a_numeric_address);
  g_test_add_func("/relay-line/refused", packets_that_say_nothing);
});

}  // namespace relay_line_test
