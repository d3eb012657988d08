// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/web-line.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace web_line_test {

using namespace agora::web_line;

namespace {

// Each kind, as it stands on the line.
void each_kind_has_its_text () {
  const Offer offer{5,  Kind::speak, 4,     "demo", "room", "006…",
                    17, "",          "Ann", 60,     "::1",  "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"};
  const std::pair<ToWorker, std::string> to_worker[] = {
      {Configure{"ws://127.0.0.1:1/worker/ab",
                 {{"turn:h:3478?transport=tcp", "user", "pass"}},
                 40000,
                 40100,
                 "192.0.2.1",
                 {1, 2, 3}},
       R"({"op":"configure","gateway":"ws://127.0.0.1:1/worker/ab","ice_servers":[)"
       R"({"url":"turn:h:3478?transport=tcp","username":"user","credential":"pass"}],)"
       R"("rtp_low":40000,"rtp_high":40100,"public_ip":"192.0.2.1",)"
       R"("limits":{"sessions":1,"opening_ms":2,"silence_ms":3}})"},
      {offer,
       R"({"op":"offer","session":5,"kind":"speak","member":4,"app":"demo","channel":"room",)"
       R"("token":"006…","uid":17,"account":"","name":"Ann","latency_ms":60,"address":"::1",)"
       R"("sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"})"},
      {Trickle{5, 1, "a=candidate:1\n"},
       R"({"op":"trickle","session":5,"number":1,"fragment":"a=candidate:1\n"})"},
      {Call{5, 2, R"({"call":"stats"})"},
       R"({"op":"call","session":5,"number":2,"text":"{\"call\":\"stats\"}"})"},
      {End{5}, R"({"op":"end","session":5})"},
      {Listen{5, true}, R"({"op":"listen","session":5,"on":true})"},
      {Feed{3, "demo", "room", "rtmp://127.0.0.1:1935/live/ab?m=1"},
       R"({"op":"feed","feed":3,"app":"demo","channel":"room",)"
       R"("url":"rtmp://127.0.0.1:1935/live/ab?m=1"})"},
      {Ping{max_number}, R"({"op":"ping","n":999999999999999999})"},
  };
  for (const auto &[message, text] : to_worker) {
    const std::string written = encode(message).value();
    g_assert_cmpstr(written.c_str(), ==, text.c_str());
    g_assert_true(std::get<ToWorker>(decode_to_worker(text)) == message);
    g_assert_true(std::holds_alternative<std::string>(decode_to_gateway(text)));
  }
  const std::pair<ToGateway, std::string> to_gateway[] = {
      {Ready{"0.2"}, R"({"op":"ready","version":"0.2"})"},
      {Unable{"no webrtcbin"}, R"({"op":"unable","reason":"no webrtcbin"})"},
      {Answer{5, 4294967295, "v=0\r\n"},
       R"({"op":"answer","session":5,"uid":4294967295,"sdp":"v=0\r\n"})"},
      {Refuse{5, 422, 0, "no audio"},
       R"({"op":"refuse","session":5,"status":422,"code":0,"reason":"no audio"})"},
      {Trickled{5, 1, 204, ""},
       R"({"op":"trickled","session":5,"number":1,"status":204,"reason":""})"},
      {Called{5, 2, 200, "{}"},
       R"({"op":"called","session":5,"number":2,"status":200,"text":"{}"})"},
      {Event{5, "stream-added", R"({"uid":7})"},
       R"({"op":"event","session":5,"name":"stream-added","text":"{\"uid\":7}"})"},
      {Ended{5, 501, "lost"}, R"({"op":"ended","session":5,"code":501,"reason":"lost"})"},
      {Pong{9, 1, 2, 3, 4}, R"({"op":"pong","n":9,"members":1,"sessions":2,"threads":3,"fds":4})"},
  };
  for (const auto &[message, text] : to_gateway) {
    const std::string written = encode(message).value();
    g_assert_cmpstr(written.c_str(), ==, text.c_str());
    g_assert_true(std::get<ToGateway>(decode_to_gateway(text)) == message);
    g_assert_true(std::holds_alternative<std::string>(decode_to_worker(text)));
  }
}

void sdp_holds_lines_alone () {
  g_assert_true(is_sdp_text("v=0\r\ns=ä\ta\n"));
  g_assert_true(is_sdp_text(""));
  g_assert_true(is_sdp_text(std::string(max_sdp, 'a')));
  g_assert_false(is_sdp_text(std::string(max_sdp + 1, 'a')));
  for (const char bad : {'\0', '\1', '\x0b', '\x1b', '\x1f', '\x7f', '\xff'}) {
    const std::string text = std::string("v=0") + bad;
    g_assert_false(is_sdp_text(text));
    Offer offer;
    offer.session = 1;
    offer.sdp = text;
    g_assert_false(encode(ToWorker(offer)));
    g_assert_false(encode(ToWorker(Trickle{1, 1, text})));
    g_assert_false(encode(ToGateway(Answer{1, 1, text})));
  }
  // By whoever wrote the packet, too.
  for (const char *bad : {R"({"op":"answer","session":1,"uid":1,"sdp":"v=0\u0001"})",
                          R"({"op":"answer","session":1,"uid":1,"sdp":"v=0\u0000"})",
                          R"({"op":"answer","session":0,"uid":1,"sdp":""})",
                          R"({"op":"answer","session":1,"uid":4294967296,"sdp":""})",
                          R"({"op":"event","session":1,"name":"a\nb","text":"{}"})",
                          R"({"op":"event","session":1,"name":"","text":"{}"})",
                          R"({"op":"refuse","session":1,"status":600,"code":0,"reason":""})",
                          R"({"op":"refuse","session":1,"status":-1,"code":0,"reason":""})"})
    g_assert_true(std::holds_alternative<std::string>(decode_to_gateway(bad)));
}

// What strangers may ask for at most fits, whatever it consists of.
void the_longest_fit () {
  Offer offer;
  offer.session = offer.member = max_number;
  offer.app = std::string(max_app, 'a');
  offer.channel = std::string(max_channel, 'c');
  offer.token = std::string(max_token, 't');
  offer.account = std::string(max_account, 'u');
  offer.name = std::string(max_display_name, '"');
  offer.address = std::string(max_address, '1');
  for (const char filler : {'a', '\n', '"'}) {
    offer.sdp = std::string(max_sdp - 8 * 1024, filler);
    const auto text = encode(ToWorker(offer));
    g_assert_true(text.has_value());
    g_assert_true(std::get<ToWorker>(decode_to_worker(*text)) == ToWorker(offer));
  }
  offer.name += 'n';
  g_assert_false(encode(ToWorker(offer)));
  g_assert_true(encode(ToWorker(Trickle{1, 1, std::string(max_fragment, '\n')})));
  g_assert_false(encode(ToWorker(Trickle{1, 1, std::string(max_fragment + 1, 'a')})));
  g_assert_true(encode(ToWorker(Call{1, 1, std::string(max_call, '\x01')})));
  g_assert_false(encode(ToWorker(Call{1, 1, std::string(max_call + 1, 'a')})));
  g_assert_true(encode(ToGateway(Called{1, 1, 200, std::string(max_called, '"')})));
  g_assert_false(encode(ToGateway(Called{1, 1, 200, std::string(max_called + 1, 'a')})));
  g_assert_true(encode(ToGateway(Event{1, "levels", std::string(max_event, '"')})));
  g_assert_false(encode(ToGateway(Event{1, "levels", std::string(max_event + 1, 'a')})));
  // Reasons are made to fit.
  const Ended ended{1, 500, std::string(2000, '\xff')};
  g_assert_true(encode(ToGateway(ended)).has_value());
  Configure configure{"ws://x", {}, 0, 0, "", {}};
  configure.ice_servers.resize(max_ice_servers);
  g_assert_true(std::get<ToWorker>(decode_to_worker(encode(ToWorker(configure)).value())) ==
                ToWorker(configure));
  configure.ice_servers.resize(max_ice_servers + 1);
  g_assert_false(encode(ToWorker(configure)));
}

void ports_are_a_range () {
  auto good = [] (std::uint32_t low, std::uint32_t high) {
    const auto text = encode(ToWorker(Configure{"ws://x", {}, low, high, "", {}})).value();
    return std::holds_alternative<ToWorker>(decode_to_worker(text));
  };
  g_assert_true(good(0, 0));
  g_assert_true(good(1, 1));
  g_assert_true(good(40000, 65535));
  g_assert_false(good(2, 1));
  g_assert_false(good(0, 1));
  g_assert_false(good(1, 65536));
}

}  // namespace

static const agora::Suite suite("web-line", [] {
  g_test_add_func("/web-line/text", each_kind_has_its_text);
  g_test_add_func("/web-line/sdp", sdp_holds_lines_alone);
  g_test_add_func("/web-line/longest", the_longest_fit);
  g_test_add_func("/web-line/ports", ports_are_a_range);
});

}  // namespace web_line_test
