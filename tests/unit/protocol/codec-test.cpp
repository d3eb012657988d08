// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/codec.hpp"
#include "tests/suite.hpp"

#include <json-glib/json-glib.h>

#include <cstring>

namespace codec_test {
using namespace agora::protocol;
namespace {

std::string around (const std::string &request) {
  return R"({"appId":"app","cname":"hall","uid":"7","sid":"0123456789ABCDEF0123456789ABCDEF",)"
         R"("sdkVersion":"1.1.0","seq":2,"requestId":3,"ts":1700000000,"clientRequest":)" +
         request + "}";
}

std::string join (const std::string &fields) {
  return around(R"({"action":"join","appId":"app","channel_name":"hall","key_vos":"app")" +
                (fields.empty() ? "" : "," + fields) + "}");
}

bool same_json (const std::string &a, const std::string &b) {
  g_autoptr(JsonNode) left = json_from_string(a.c_str(), nullptr);
  g_autoptr(JsonNode) right = json_from_string(b.c_str(), nullptr);
  return left != nullptr && right != nullptr && json_node_equal(left, right);
}

template <typename Message>
Message good (const Decoded<Message> &decoded) {
  if (const auto *error = std::get_if<DecodeError>(&decoded))
    g_error("refused: %s", error->reason.c_str());
  return std::get<Message>(decoded);
}

template <typename Request>
Request request_of (const std::string &text) {
  ClientMessage message = good(decode_client(text));
  g_assert_true(std::holds_alternative<Request>(message.request));
  return std::get<Request>(message.request);
}

// What an unmodified client of the vendor sends in the course of a call, in its own order; and a
// rejoin of another one, which tells more.
void client_frames_survive () {
  const std::string frames[] = {
      around(R"({"action":"join","role":"broadcaster","appId":"app","customAudioCodec":null,)"
             R"("key_vocs":"app","key_vos":"app","channel_name":"hall","uid":"7","vid":"815",)"
             R"("device":"phone","os":"linux","version":"2.6.4","clientType":"wechat",)"
             R"("audio_only":false,"uidType":0})"),
      around(R"({"action":"join","role":"audience","appId":"app","customAudioCodec":"opus",)"
             R"("key_vocs":"007t","key_vos":"007t","channel_name":"hall","uid":"7",)"
             R"("known_speakers":["8","9"],"clientType":"wechat","audio_only":true,"uidType":0})"),
      around(R"({"action":"join","role":"audience","appId":"app","customAudioCodec":null,)"
             R"("key_vocs":"app","key_vos":"app","channel_name":"hall","uid":"carol","vid":"815",)"
             R"("device":"phone","os":"linux","version":"2.6.4","clientType":"wechat",)"
             R"("audio_only":true,"uidType":1})"),
      around(R"({"action":"join","role":"audience","appId":"app","customAudioCodec":null,)"
             R"("key_vocs":"app","key_vos":"app","channel_name":"hall","uid":"7",)"
             R"("known_speakers":["8"],"vid":"815","os":"linux","clientType":"",)"
             R"("audio_only":true,"uidType":0})"),
      around(R"({"action":"join","role":"audience","appId":"app","customAudioCodec":null,)"
             R"("key_vocs":"app","key_vos":"app","channel_name":"hall","uid":"7",)"
             R"("known_speakers":[],"clientType":"gstreamer","audio_only":true,"uidType":0,)"
             R"("features":["silence","codecs"],"hears":["opus","aac"]})"),
      around(R"({"action":"publish","uid":7})"),
      around(R"({"action":"publish","uid":7,"codecs":["opus","aac"]})"),
      around(R"({"action":"publish","uid":7,"to":[8,9]})"),
      around(R"({"action":"data","to":[8],"text":"go"})"),
      around(R"({"action":"join","role":"audience","appId":"app","customAudioCodec":null,)"
             R"("key_vocs":"app","key_vos":"app","channel_name":"hall","uid":"7",)"
             R"("known_speakers":[],"clientType":"gstreamer","audio_only":true,"uidType":0,)"
             R"("features":["names"],"name":"Ann"})"),
      around(R"({"action":"data","text":"\u20ac \"\n"})"),
      around(R"({"action":"report","reconnects":2,"sent":{"peak":-3,"rms":-20,"dropped":40,)"
             R"("outages":1},"heard":[{"uid":8,"peak":0,"rms":-18,"delay":100,"latency":181,)"
             R"("jitter":3,"dropped":0,"concealed":9007199254740992},)"
             R"({"uid":9,"delay":0,"jitter":0,"dropped":0,"concealed":0}]})"),
      around(R"({"action":"report","reconnects":0,"sent":{"dropped":0,"outages":0}})"),
      around(R"({"action":"report","reconnects":0})"),
      around(R"({"action":"subscribe","uid":8,"options":{"audio":true,"video":false}})"),
      around(R"({"action":"mute","uid":8,"target":"audio"})"),
      around(R"({"action":"unmute","uid":8,"target":"all"})"),
      around(R"({"action":"mute_local","uid":7,"target":"video","mute":true})"),
      around(R"({"action":"set_remote_stream_type","uid":8,"type":1})"),
      around(R"({"action":"update_key","key_vos":"007new"})"),
      around(R"({"action":"update_url","role":"publish","uid":7})"),
      around(R"({"action":"unsubscribe","uid":[8]})"),
      around(R"({"action":"unpublish","uid":7})"),
      around(R"({"action":"set_role","role":"audience"})"),
      R"({"command":"ping","requestId":17,"appId":"app","cname":"hall","uid":"7","sid":"AB","ts":5})",
      around(R"({"action":"leave","uid":7})"),
  };
  for (const std::string &frame : frames) {
    ClientMessage message = good(decode_client(frame));
    g_assert_cmpint(message.envelope.request_id, >, 0);
    std::string again = encode(message);
    if (!same_json(again, frame))
      g_error("%s\nbecame\n%s", frame.c_str(), again.c_str());
    g_assert_true(good(decode_client(again)) == message);
  }
}

void server_frames_survive () {
  const std::string frames[] = {
      R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"uid":7}})",
      R"({"command":"serverResponse","requestId":4,"code":200,"serverResponse":{"url":"rtmp://h/a"}})",
      R"({"command":"serverResponse","requestId":5,"code":200,)"
      R"("serverResponse":{"url":"rtmp://h/b","rotation":0}})",
      R"({"command":"serverResponse","requestId":5,"code":200,)"
      R"("serverResponse":{"update-url":"rtmp://h/c"}})",
      R"({"command":"serverResponse","requestId":5,"code":200,)"
      R"("serverResponse":{"url":"rtmp://h/b","codec":"opus","rotation":0}})",
      R"({"command":"serverResponse","requestId":5,"code":200,)"
      R"("serverResponse":{"url":"rtmp://h/b","urls":{"aac":"rtmp://h/b","opus":"rtmp://h/o"}}})",
      R"({"command":"serverResponse","requestId":3,"code":200,)"
      R"("serverResponse":{"uid":7,"features":["silence","codecs"]}})",
      R"({"command":"serverStatus","serverStatus":{"action":"codecs-wanted","codecs":["opus","aac"]}})",
      R"({"command":"serverStatus","serverStatus":)"
      R"({"action":"update-url","uid":8,"url":"rtmp://x","codec":"aac"}})",
      R"({"command":"serverStatus","serverStatus":)"
      R"({"action":"update-url","uid":8,"url":"rtmp://x","talk":true}})",
      R"({"command":"serverResponse","requestId":5,"code":200,)"
      R"("serverResponse":{"url":"rtmp://h/b","talk":true,"rotation":0}})",
      R"({"command":"serverResponse","requestId":6,"code":432,"reason":"no such voice"})",
      R"({"command":"serverResponse","requestId":7,"code":200,"serverResponse":{}})",
      R"({"command":"serverStatus","serverStatus":{"action":"stream-added","uid":8}})",
      R"({"command":"serverStatus","serverStatus":{"action":"stream-added","uid":8,"talk":true}})",
      R"({"command":"serverStatus","serverStatus":{"action":"data","uid":8,"text":"go\n"}})",
      R"({"command":"serverStatus","serverStatus":{"action":"member-named","uid":8,"name":"Ann"}})",
      R"({"command":"serverStatus","serverStatus":{"action":"stream-removed","uid":8}})",
      R"({"command":"serverStatus","serverStatus":{"action":"update-url","uid":8,"url":"rtmp://x"}})",
      R"({"command":"serverStatus","serverStatus":{"action":"video-rotation","uid":8,"rotation":90}})",
      R"({"command":"serverStatus","serverStatus":{"action":"audio-mute","uid":8,"mute":true}})",
      R"({"command":"serverStatus","serverStatus":{"action":"video-mute","uid":8,"mute":false}})",
      R"({"command":"serverStatus","serverStatus":{"action":"key-will-expire"}})",
      R"({"command":"serverStatus","serverStatus":{"action":"key-expired"}})",
      R"({"command":"serverStatus","serverStatus":{"action":"client-is-banned-by-server"}})",
      R"({"command":"serverStatus","code":501,"reason":"lost"})",
      R"({"command":"pong","requestId":17})",
  };
  for (const std::string &frame : frames) {
    ServerMessage message = good(decode_server(frame));
    std::string again = encode(message);
    if (!same_json(again, frame))
      g_error("%s\nbecame\n%s", frame.c_str(), again.c_str());
    g_assert_true(good(decode_server(again)) == message);
  }
}

void lenient_where_the_protocol_is () {
  auto speakers = [] (const std::string &list) {
    return *request_of<Join>(join(R"("known_speakers":)" + list)).known_speakers;
  };
  g_assert_true(speakers(R"(["8",9,"4294967295"])") == (std::vector<Uid>{8, 9, 4294967295u}));
  g_assert_true(speakers("[]").empty());
  std::string many = "[1";
  for (int i = 1; i < 1024; ++i)
    many += ",1";
  g_assert_cmpuint(speakers(many + "]").size(), ==, 1024);
  auto error = std::get<DecodeError>(decode_client(join(R"("known_speakers":)" + many + ",1]")));
  g_assert_nonnull(strstr(error.reason.c_str(), "1024"));
  g_assert_false(request_of<Join>(join("")).known_speakers.has_value());
  g_assert_false(request_of<Join>(join(R"("known_speakers":null)")).known_speakers.has_value());
  g_assert_true(request_of<Join>(join("")).role == Role::audience);
  g_assert_true(request_of<Join>(join(R"("role":null)")).role == Role::audience);
  g_assert_true(request_of<Join>(join(R"("uid":7)")).uid == "7");
  g_assert_true(request_of<Join>(join(R"("uid":null)")).uid == "");
  g_assert_true(request_of<Join>(join(R"("vid":815)")).vid == "815");
  g_assert_cmpint(request_of<Publish>(around(R"({"action":"publish","uid":"7"})")).uid, ==, 7);
  g_assert_true(request_of<Unsubscribe>(around(R"({"action":"unsubscribe","uid":8})")).uids ==
                std::vector<Uid>{8});
  Subscribe whole = request_of<Subscribe>(around(R"({"action":"subscribe","uid":8})"));
  g_assert_true(whole.audio && whole.video);
  // What is unknown is ignored, whatever it holds.
  request_of<Publish>(around(R"({"action":"publish","uid":7,"new":[{"a":1.5e3},"x",null]})"));
  g_assert_true(request_of<Unknown>(around(R"({"action":"dance"})")).action == "dance");
  // Escapes, and letters beyond the first plane.
  Join far = request_of<Join>(join(R"("device":"\ud83d\ude00\u00e9\n")"));
  g_assert_true(far.device == "\xf0\x9f\x98\x80\xc3\xa9\n");
}

// Whatever a text holds: ours, and what another one's reader makes of it.
void texts_survive () {
  std::string text;
  for (int byte = 1; byte < 0x80; ++byte)
    text += static_cast<char>(byte);
  text += "\xc3\xa9\xf0\x9f\x98\x80";
  const Answer answer{.request_id = 3, .code = Code::internal, .reason = text};
  const std::string frame = encode(answer);
  g_autoptr(JsonNode) root = json_from_string(frame.c_str(), nullptr);
  g_assert_nonnull(root);
  g_assert_cmpstr(json_object_get_string_member(json_node_get_object(root), "reason"), ==,
                  text.c_str());
  g_assert_true(good(decode_server(frame)) == ServerMessage(answer));
  Join escaped = request_of<Join>(
      join(R"("device":"\"\\\/\b\f\n\r\t\u0001\u007F\uffff","os":"a\u00E9b","version":"plain")"));
  g_assert_cmpstr(escaped.device.c_str(), ==, "\"\\/\b\f\n\r\t\x01\x7f\xef\xbf\xbf");
  g_assert_cmpstr(escaped.os.c_str(), ==,
                  "a\xc3\xa9"
                  "b");
  g_assert_cmpstr(escaped.version.c_str(), ==, "plain");
}

struct Refusal {
  std::string text;
  int code;
  const char *names;  // what the sentence must name
  int request_id;
};

void check_refusal (const Refusal &row) {
  Decoded<ClientMessage> decoded = decode_client(row.text);
  if (!std::holds_alternative<DecodeError>(decoded))
    g_error("taken: %s", row.text.c_str());
  const auto &error = std::get<DecodeError>(decoded);
  g_test_message("%s", error.reason.c_str());
  g_assert_cmpint(static_cast<int>(error.code), ==, row.code);
  if (strstr(error.reason.c_str(), row.names) == nullptr)
    g_error("%s: does not name %s", error.reason.c_str(), row.names);
  g_assert_nonnull(strstr(error.reason.c_str(), "expected"));
  g_assert_true(g_utf8_validate(error.reason.c_str(), -1, nullptr));
  g_assert_cmpint(error.request_id, ==, row.request_id);
}

std::string list_of (int names) {
  std::string list = "[";
  for (int n = 0; n < names; n++)
    list += std::string(n ? "," : "") + "\"aac\"";
  return list + "]";
}

std::string speakers (int count) {
  std::string list = "[";
  for (int n = 0; n < count; n++)
    list += (n ? ",{\"uid\":" : "{\"uid\":") + std::to_string(n) + "}";
  return list + "]";
}

void wrong_fields () {
  const Refusal rows[] = {
      {join(R"("role":"king")"), 431, "clientRequest.role", 3},
      {join(R"("role":1)"), 431, "clientRequest.role", 3},
      {join(R"("role":"")"), 431, "clientRequest.role", 3},
      {join(R"("uid":"alice")"), 431, "clientRequest.uid", 3},
      {join(R"("uid":4294967296)"), 431, "clientRequest.uid", 3},
      {join(R"("uid":-1)"), 431, "clientRequest.uid", 3},
      {join(R"("uid":1.5)"), 431, "clientRequest.uid", 3},
      {join(R"("uid":[7])"), 431, "clientRequest.uid", 3},
      {join(R"("uidType":2)"), 401, "clientRequest.uidType", 3},
      {join(R"("uidType":"1")"), 401, "clientRequest.uidType", 3},
      {join(R"("audio_only":1)"), 401, "clientRequest.audio_only", 3},
      {join(R"("customAudioCodec":{})"), 401, "clientRequest.customAudioCodec", 3},
      {join(R"("known_speakers":{})"), 401, "clientRequest.known_speakers", 3},
      {join(R"("known_speakers":["x"])"), 401, "clientRequest.known_speakers", 3},
      {join(R"("known_speakers":[1,-2])"), 401, "clientRequest.known_speakers", 3},
      {join(R"("device":5)"), 401, "clientRequest.device", 3},
      {around(R"({"action":"join","appId":"app","key_vos":"a"})"), 401, "channel_name", 3},
      {around(R"({"action":"join","channel_name":"hall","key_vos":"a"})"), 401, "appId", 3},
      {around(R"({"action":"set_role"})"), 431, "clientRequest.role", 3},
      {around(R"({"action":"set_role","role":"admin"})"), 431, "\"admin\"", 3},
      {around(R"({"action":"publish"})"), 401, "clientRequest.uid", 3},
      {around(R"({"action":"publish","uid":4294967296})"), 401, "clientRequest.uid", 3},
      {around(R"({"action":"publish","uid":true})"), 401, "clientRequest.uid", 3},
      {around(R"({"action":"publish","uid":7,"codecs":"opus"})"), 401, "clientRequest.codecs", 3},
      {around(R"({"action":"publish","uid":7,"codecs":{"aac":1}})"), 401, "codecs", 3},
      {around(R"({"action":"publish","uid":7,"codecs":["aac",1]})"), 401, "codecs", 3},
      {around(R"({"action":"publish","uid":7,"codecs":[]})"), 401, "\"aac\"", 3},
      {around(R"({"action":"publish","uid":7,"codecs":["opus"]})"), 401, "codecs", 3},
      {around(R"({"action":"publish","uid":7,"codecs":)" + list_of(9) + "}"), 401, "codecs", 3},
      {around(R"({"action":"publish","uid":7,"to":[]})"), 401, "clientRequest.to", 3},
      {around(R"({"action":"publish","uid":7,"to":[8,0]})"), 401, "none of them 0", 3},
      {around(R"({"action":"publish","uid":7,"to":["x"]})"), 401, "clientRequest.to", 3},
      {around(R"({"action":"publish","uid":7,"to":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]})"),
       401, "1 to 16", 3},
      {join(R"("features":["names"],"name":"a\tb")"), 401, "control character", 3},
      {join(R"("features":["names"],"name":"\u0085")"), 401, "control character", 3},
      {join(R"("features":["names"],"name":5)"), 401, "clientRequest.name", 3},
      {join(R"("features":["names"],"name":")" + std::string(65, 'x') + "\""), 401,
       "at most 64 characters", 3},
      {around(R"({"action":"data"})"), 401, "clientRequest.text", 3},
      {around(R"({"action":"data","text":""})"), 401, "1 to 256 bytes", 3},
      {around(R"({"action":"data","text":")" + std::string(257, 'x') + "\"}"), 401, "256", 3},
      {around(R"({"action":"data","to":[],"text":"x"})"), 401, "clientRequest.to", 3},
      {join(R"("hears":"opus")"), 401, "clientRequest.hears", 3},
      {join(R"("hears":[["opus"]])"), 401, "clientRequest.hears", 3},
      {join(R"("hears":["aac",null])"), 401, "clientRequest.hears", 3},
      {join(R"("hears":)" + list_of(9)), 401, "at most 8", 3},
      {join(R"("hears":[")" + std::string(33, 'o') + "\"]"), 401, "32 bytes", 3},
      {around(R"({"action":"report","reconnects":-1})"), 401, "clientRequest.reconnects", 3},
      {around(R"({"action":"report","sent":{"peak":1e9,"rms":0}})"), 401, "sent.peak", 3},
      {around(R"({"action":"report","sent":{"peak":21,"rms":0}})"), 401, "sent.peak", 3},
      {around(R"({"action":"report","sent":{"peak":-6}})"), 401, "sent.rms", 3},
      {around(R"({"action":"report","sent":{"dropped":9007199254740993}})"), 401, "dropped", 3},
      {around(R"({"action":"report","heard":{"uid":8}})"), 401, "clientRequest.heard", 3},
      {around(R"({"action":"report","heard":[8]})"), 401, "at most 16", 3},
      {around(R"({"action":"report","heard":[{"peak":0,"rms":0}]})"), 401, "heard.uid", 3},
      {around(R"({"action":"report","heard":[{"uid":8,"latency":600001}]})"), 401, "latency", 3},
      {around(R"({"action":"report","heard":[{"uid":8,"jitter":0.5}]})"), 401, "jitter", 3},
      {around(R"({"action":"report","heard":)" + speakers(17) + "}"), 401, "at most 16", 3},
      {around(R"({"action":"subscribe","uid":8,"options":[]})"), 401, "options", 3},
      {around(R"({"action":"subscribe","uid":8,"options":{"audio":1}})"), 401, "options.audio", 3},
      {around(R"({"action":"unsubscribe","uid":[8,{}]})"), 401, "clientRequest.uid", 3},
      {around(R"({"action":"mute","uid":8,"target":"both"})"), 401, "target", 3},
      {around(R"({"action":"unmute","uid":8})"), 401, "target", 3},
      {around(R"({"action":"mute_local","uid":7,"target":"all"})"), 401, "mute", 3},
      {around(R"({"action":"set_remote_stream_type","uid":8,"type":7})"), 401, "type", 3},
      {around(R"({"action":"update_key","key_vos":5})"), 401, "key_vos", 3},
      {around(R"({"action":"update_key"})"), 401, "key_vos", 3},
      {around(R"({"action":"update_url","role":"play","uid":7})"), 401, "role", 3},
      {around(R"({"action":9})"), 401, "clientRequest.action", 3},
      {around("{}"), 401, "clientRequest.action", 3},
      {around("[]"), 401, "clientRequest", 3},
      {around("null"), 401, "clientRequest", 3},
      {R"({"requestId":9})", 401, "clientRequest", 9},
      {R"({"requestId":9,"command":"pong"})", 401, "command", 9},
      {R"({"requestId":9,"command":7})", 401, "command", 9},
      {R"({"command":"ping"})", 401, "requestId", 0},
      {R"({"command":"ping","requestId":0})", 401, "requestId", 0},
      {R"({"command":"ping","requestId":-4})", 401, "requestId", 0},
      {R"({"command":"ping","requestId":"4"})", 401, "requestId", 0},
      {R"({"command":"ping","requestId":4,"ts":1.5})", 401, "ts", 4},
      {R"({"requestId":4,"appId":5,"clientRequest":{"action":"leave","uid":1}})", 401, "appId", 4},
  };
  for (const Refusal &row : rows)
    check_refusal(row);
  auto error = std::get<DecodeError>(decode_client(join(R"("uid":"x")")));
  g_assert_true(error.is_join);
  const auto features = [] (const std::string &list) {
    return std::get<Join>(
               std::get<ClientMessage>(decode_client(join(R"("features":)" + list))).request)
        .features;
  };
  g_assert_true(features("[]") == Features{});
  g_assert_true(features(R"(["later","silence","silence"])") == Features{"silence"});
  error = std::get<DecodeError>(decode_client(join(R"("features":[1])")));
  g_assert_true(error.reason.find("features") != std::string::npos);
  g_assert_true(
      std::holds_alternative<DecodeError>(decode_client(join(R"("features":"silence")"))));
  error = std::get<DecodeError>(decode_client(around(R"({"action":"publish"})")));
  g_assert_false(error.is_join);
}

void codecs () {
  const auto hears = [] (const std::string &list) {
    return request_of<Join>(join(R"("hears":)" + list)).hears;
  };
  g_assert_false(request_of<Join>(join("")).hears.has_value());
  g_assert_false(hears("null").has_value());
  g_assert_true(hears("[]") == Codecs{});
  // What a later version has is passed over, and twice is once.
  g_assert_true(hears(R"(["lc3","opus","","opus","aac"])") == (Codecs{Codec::opus, Codec::aac}));
  g_assert_true(hears(R"(["Opus"])") == Codecs{});
  g_assert_true(hears(list_of(8)) == Codecs{Codec::aac});
  g_assert_true(hears("[\"" + std::string(32, 'o') + "\"]") == Codecs{});
  const auto offers = [] (const std::string &list) {
    return request_of<Publish>(around(R"({"action":"publish","uid":7,"codecs":)" + list + "}"))
        .codecs;
  };
  g_assert_false(offers("null").has_value());
  g_assert_true(offers(R"(["aac","lc3"])") == Codecs{Codec::aac});

  const auto answered = [] (const std::string &fields) {
    return std::get<Answer>(good(
        decode_server(R"({"command":"serverResponse","requestId":5,"code":200,"serverResponse":{)" +
                      fields + "}}")));
  };
  g_assert_false(answered(R"("url":"rtmp://h","codec":"lc3")").codec.has_value());
  g_assert_true(answered(R"("urls":{"lc3":5,"opus":"rtmp://o"})").urls ==
                (std::vector<std::pair<Codec, std::string>>{{Codec::opus, "rtmp://o"}}));
  for (const char *fields : {R"("urls":[])", R"("urls":{"opus":5})", R"("codec":5)"}) {
    const auto decoded =
        decode_server(R"({"command":"serverResponse","requestId":5,"code":200,"serverResponse":{)" +
                      std::string(fields) + "}}");
    g_assert_true(std::holds_alternative<DecodeError>(decoded));
  }
  // In its order, and as it was, for those who ask for nothing.
  Answer answer{.request_id = 5, .url = "rtmp://h", .rotation = 0};
  g_assert_true(encode(answer) == R"({"command":"serverResponse","requestId":5,"code":200,)"
                                  R"("serverResponse":{"url":"rtmp://h","rotation":0}})");
  g_assert_true(encode(Event{EventKind::update_url, 8, "rtmp://h"}) ==
                R"({"command":"serverStatus","serverStatus":)"
                R"({"action":"update-url","uid":8,"url":"rtmp://h"}})");
}

std::string nested (unsigned depth) {
  return R"({"requestId":3,"x":)" + std::string(depth, '[') + std::string(depth, ']') +
         R"(,"command":"ping"})";
}

std::string crowded (unsigned members) {
  std::string text = R"({"command":"ping","requestId":3)";
  for (unsigned i = 2; i < members; ++i)
    text += ",\"a" + std::to_string(i) + "\":\"::\"";
  return text + "}";
}

void broken_text () {
  const std::string ping = R"({"command":"ping","requestId":3})";
  const Refusal rows[] = {
      {"", 401, "object", 0},
      {"   ", 401, "object", 0},
      {"null", 401, "object", 0},
      {"[]", 401, "object", 0},
      {"\"text\"", 401, "object", 0},
      {"var a = {}", 401, "object", 0},
      {ping + ping, 401, "expected", 3},
      {ping + "}", 401, "more after the end", 3},
      {ping.substr(0, ping.size() - 1), 401, "cut", 0},
      {ping.substr(0, 8), 401, "cut", 0},
      {R"({"command":"ping","requestId":3,"a":"\)", 401, "escape", 3},
      {R"({"a":1,})" + std::string(), 401, "expected", 0},
      {"{'a':1}", 401, "stray byte", 0},
      {"{/*x*/}", 401, "stray byte", 0},
      {R"({"a":0x10})", 401, "stray byte", 0},
      {R"({"a":010})", 401, "leading zero", 0},
      {R"({"requestId":9223372036854775808})", 401, "18 digits", 0},
      {R"({"requestId":-18446744073709551615})", 401, "18 digits", 0},
      {R"({"a":)" + std::string(400, '9') + "}", 401, "18 digits", 0},
      {R"({"a":1e400})", 401, "1e308", 0},
      {R"({"a":-1e309})", 401, "1e308", 0},
      {R"({"a":9e308})", 401, "9e308", 0},
      {R"({"a":-010})", 401, "leading zero", 0},
      {R"({"a":NaN})", 401, "stray byte", 0},
      {R"({"a":tru})", 401, "expected", 0},
      {R"({"a":falsy})", 401, "stray byte", 0},
      {R"({"a":1.})", 401, "stray byte", 0},
      {R"({"a":.5})", 401, "stray byte", 0},
      {R"({"a":1e})", 401, "stray byte", 0},
      {R"({"a":-})", 401, "stray byte", 0},
      {R"({"a":+1})", 401, "stray byte", 0},
      {R"({"a":1 "b":2})", 401, "stray byte", 0},
      {R"({"a" 1})", 401, "stray byte", 0},
      {R"({"a":1,,"b":2})", 401, "stray byte", 0},
      {R"({"a":[1,]})", 401, "stray byte", 0},
      {R"({"a":[1})", 401, "stray byte", 0},
      {R"({a:1})", 401, "stray byte", 0},
      {R"({"a":1,"requestId":3,"command":"ping","\u0061":1})", 401, "\"a\" stands twice", 3},
      {R"({"a":"\ud800"})", 401, "escape", 0},
      {R"({"a":"\ud800\u0041"})", 401, "escape", 0},
      {R"({"a":"\udc00\ud800"})", 401, "escape", 0},
      {R"({"a":"\udc00"})", 401, "escape", 0},
      {R"({"\udfff":1})", 401, "escape", 0},
      {R"({"a":"\u00"})", 401, "escape", 0},
      {R"({"a":"\x41"})", 401, "escape", 0},
      {R"({"a":"\udbff)", 401, "escape", 0},
      {R"({"a":"\ud83d\ude0)", 401, "escape", 0},
      {R"({"a":"\u0000"})", 401, "NUL", 0},
      // What can be read of the id is read, so that whoever waits for an answer gets one.
      {R"({"a":"\u0000","requestId" : 17 ,"b":1})", 401, "NUL", 17},
      {R"({"clientRequest":{"action":"\u0000","requestId":5},"requestId":18})", 401, "NUL", 18},
      {R"({"a":"\"requestId\":4\u0000","requestId":19})", 401, "NUL", 19},
      {R"({"requestId":"20","a":"\u0000"})", 401, "NUL", 0},
      {R"({"requestId":1234567890123456789,"a":"\u0000"})", 401, "", 0},
      {R"({"requestId":21)", 401, "cut", 0},
      {R"({"requestId":1e999})", 401, "1e308", 0},
      {R"({"requestId":2.5,"a":"\u0000"})", 401, "NUL", 0},
      {R"({"a":{"requestId":22},"b":"\u0000"})", 401, "NUL", 0},
      {R"({"a\u0000b":1})", 401, "NUL", 0},
      {ping + std::string(1, '\0'), 401, "NUL", 3},
      {std::string(1, '\0') + ping, 401, "object", 3},
      {"\xef\xbb\xbf" + ping, 401, "object", 3},
      {"{\"\xed\xb0\x80\":1}", 401, "UTF-8", 0},
      {"{\"a\":\"\xc0\xaf\"}", 401, "UTF-8", 0},
      {"{\"a\":\"\xf4\x90\x80\x80\"}", 401, "UTF-8", 0},
      {std::string("{\"a\":\"\0\"}", 9), 401, "NUL", 0},
      {"{\"a\":\"\xff\"}", 401, "UTF-8", 0},
      {"{\"a\":\"\xc3\"}", 401, "UTF-8", 0},
      {"{\"a\":\"\xeb", 401, "UTF-8", 0},
      {"{\"a\":\"line\nline\"}", 401, "control character", 0},
      {R"({"requestId":3,"requestId":4,"command":"ping"})", 401, "\"requestId\"", 3},
      {R"({"requestId":3,"command":"ping","a":{"b":1,"b":1}})", 401, "\"b\"", 3},
      {nested(16), 401, "deep", 3},
      {crowded(513), 401, "512", 3},
      {nested(60000), 401, "bytes", 0},
      {R"({"a":")" + std::string(70000, 'x') + "\"}", 401, "65536", 0},
  };
  for (const Refusal &row : rows)
    check_refusal(row);
  good(decode_client(nested(15)));
  good(decode_client(crowded(512)));
  good(decode_client(
      " \t\r\n{ \"requestId\" : 3 ,\n\"command\":\t\"ping\", \"a\" : [ ] , \"b\" : { } } \n"));
  good(decode_client(
      R"({"requestId":3,"command":"ping","a":[-0,-1.5,2E+10,0.25e-3,null,true,"",1e308,)"
      R"(0.00000000001e-2147483647,1e-99999999999]})"));
  // One name in two objects is no repetition.
  good(decode_client(R"({"requestId":3,"command":"ping","a":{"requestId":1},"b":[{"a":1}]})"));
  // Depth is bounded before anything recurses, even where the size is not.
  DecodeLimits wide{16 * 1024 * 1024, 16};
  auto error = std::get<DecodeError>(decode_client(nested(1000000), wide));
  g_assert_nonnull(strstr(error.reason.c_str(), "deep"));
}

void cut_anywhere () {
  const std::string frame = join(R"("uid":"7","known_speakers":["8",9],"device":"\u00e9")");
  good(decode_client(frame));
  for (std::size_t length = 0; length < frame.size(); ++length) {
    g_assert_true(std::holds_alternative<DecodeError>(decode_client(frame.substr(0, length))));
    g_assert_true(std::holds_alternative<DecodeError>(decode_server(frame.substr(0, length))));
  }
}

void lying_servers () {
  struct Row {
    const char *text;
    const char *names;
    int request_id;
  };
  const Row rows[] = {
      {R"({"command":"serverResponse","code":200})", "requestId", 0},
      {R"({"command":"serverResponse","requestId":3})", "code", 3},
      {R"({"command":"serverResponse","requestId":3,"code":"200"})", "code", 3},
      {R"({"command":"serverResponse","requestId":3,"code":4294967496})", "code", 3},
      {R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":[]})",
       "serverResponse", 3},
      {R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"uid":-1}})",
       "serverResponse.uid", 3},
      {R"({"command":"serverResponse","requestId":3,"code":200,"serverResponse":{"url":5}})",
       "serverResponse.url", 3},
      {R"({"command":"serverStatus"})", "serverStatus", 0},
      {R"({"command":"serverStatus","serverStatus":{"action":"stream-added"}})", "uid", 0},
      {R"({"command":"serverStatus","serverStatus":{"action":"audio-mute","uid":1}})", "mute", 0},
      {R"({"command":"serverStatus","serverStatus":{"action":"update-url","uid":1}})", "url", 0},
      {R"({"command":"serverStatus","serverStatus":{"action":"rain"}})", "\"rain\"", 0},
      {R"({"command":"serverStatus","code":true})", "code", 0},
      {R"({"command":"pong"})", "requestId", 0},
      {R"({"command":"hello"})", "\"hello\"", 0},
      {R"({"command":"hello","requestId":4})", "\"hello\"", 4},
      {R"({"requestId":5,"code":200})", "command", 5},
      {R"({"command":"serverResponse","requestId":6,"code":200,"reason":"\u0000"})", "NUL", 6},
      {R"({"command":"serverResponse","requestId":7,"code":200,)", "cut", 7},
      {R"({"command":"serverResponse","code":200,"code":200,"requestId":8})", "twice", 8},
      {R"({"command":"serverStatus","serverStatus":{"action":"rain"},"requestId":9})", "\"rain\"",
       9},
      {R"({"hello":1})", "command", 0},
      {"HTTP/1.1 200 OK", "object", 0},
  };
  for (const Row &row : rows) {
    Decoded<ServerMessage> decoded = decode_server(row.text);
    if (!std::holds_alternative<DecodeError>(decoded))
      g_error("taken: %s", row.text);
    const auto &error = std::get<DecodeError>(decoded);
    g_test_message("%s", error.reason.c_str());
    g_assert_nonnull(strstr(error.reason.c_str(), row.names));
    g_assert_cmpint(error.request_id, ==, row.request_id);
  }
}

void choosing_a_server () {
  ChooseRequest request{"app", "hall", "7", "ABCD", 1700000000};
  ChooseRequest again = good(decode_choose_request(encode(request)));
  g_assert_true(again.app_id == "app");
  g_assert_true(again.channel == "hall");
  g_assert_true(again.uid == "7");
  g_assert_true(again.sid == "ABCD");
  g_assert_cmpint(again.ts, ==, 1700000000);

  ChooseAnswer answer{Code::ok, 815, {{"edge.1.2.3.4", ""}, {"x", "ws://h:1/api"}}};
  ChooseAnswer heard = good(decode_choose_answer(encode(answer)));
  g_assert_true(heard.code == Code::ok);
  g_assert_cmpint(heard.vid, ==, 815);
  g_assert_cmpint(heard.servers.size(), ==, 2);
  g_assert_true(socket_url(heard.servers[0]) == "wss://miniapp.agoraio.cn/1-2-3-4/api");
  g_assert_true(socket_url(heard.servers[1]) == "ws://h:1/api");
  g_assert_true(socket_url({"1.2.3", ""}) == "");
  g_assert_true(socket_url({"a/b.2.3.4", ""}) == "");
  g_assert_true(socket_url({"1..3.4", ""}) == "");

  ChooseAnswer unknown = good(decode_choose_answer(encode(ChooseAnswer{Code::app_invalid})));
  g_assert_true(unknown.code == Code::app_invalid);
  g_assert_true(unknown.servers.empty());

  for (const char *bad : {"{}", R"({"json_body":5})", R"({"json_body":"{"})",
                          R"({"json_body":"{\"command\":\"other\",\"appId\":\"a\"}"})",
                          R"({"json_body":"{\"command\":\"convergeAllocateEdge\"}"})"})
    g_assert_true(std::holds_alternative<DecodeError>(decode_choose_request(bad)));
  for (const char *bad : {"{}", R"({"json_body":"{}"})", R"({"json_body":"{\"code\":200}"})",
                          R"({"json_body":"{\"code\":200,\"servers\":[5]}"})",
                          R"({"json_body":"{\"code\":200,\"servers\":[{\"url\":5}]}"})"})
    g_assert_true(std::holds_alternative<DecodeError>(decode_choose_answer(bad)));
}

}  // namespace

static const agora::Suite suite("codec", [] {
  g_test_add_func("/codec/client-frames-survive", client_frames_survive);
  g_test_add_func("/codec/server-frames-survive", server_frames_survive);
  g_test_add_func("/codec/lenient-where-the-protocol-is", lenient_where_the_protocol_is);
  g_test_add_func("/codec/texts-survive", texts_survive);
  g_test_add_func("/codec/wrong-fields", wrong_fields);
  g_test_add_func("/codec/codecs", codecs);
  g_test_add_func("/codec/broken-text", broken_text);
  g_test_add_func("/codec/cut-anywhere", cut_anywhere);
  g_test_add_func("/codec/lying-servers", lying_servers);
  g_test_add_func("/codec/choosing-a-server", choosing_a_server);
});
}  // namespace codec_test
