// SPDX-License-Identifier: LGPL-2.1-or-later
// What the worker reads of calls and writes of events.
#include <gio/gio.h>

#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "gst/web/calls.hpp"
#include "gst/web/codes.hpp"
#include "gst/web/events.hpp"
#include "same.hpp"
#include "signaling/agora-error.h"

using namespace agora::web;

namespace {

void assert_call (const char *text, const calls::Call &expected) {
  const auto read = calls::parse(text);
  if (const auto *reason = std::get_if<std::string>(&read))
    g_error("%s: %s", text, reason->c_str());
  g_assert_true(std::get<calls::Call>(read) == expected);
}

// [1,2,…]
std::string uids (unsigned count) {
  std::string text = "[1";
  for (unsigned uid = 2; uid <= count; uid++)
    text += ',' + std::to_string(uid);
  return text + ']';
}

void test_calls () {
  assert_call(R"({"call":"mute","audio":false})", calls::Mute{false});
  assert_call(R"({"call":"set-role","role":"broadcaster"})", calls::SetRole{true});
  assert_call(R"({"call":"set-role","role":"audience"})", calls::SetRole{false});
  assert_call(R"({"call":"speaker","uid":7,"volume":0.5,"mute":true})",
              calls::Speaker{7, 0.5, true});
  assert_call(R"({"call":"speaker","uid":7,"volume":10})", calls::Speaker{7, 10.0, {}});
  assert_call(R"({"call":"speaker","uid":4294967295,"volume":null,"mute":false})",
              calls::Speaker{4294967295, {}, false});
  assert_call(R"({"call":"subscribe","uid":7})", calls::Subscribe{7, true});
  assert_call(R"({"call":"unsubscribe","uid":7})", calls::Subscribe{7, false});
  assert_call(R"({"call":"latency","ms":200})", calls::Latency{200});
  assert_call(R"({"call":"renew-token","token":"006…"})", calls::RenewToken{"006…"});
  assert_call(R"({"call":"data","text":"on air in 10"})", calls::Data{"on air in 10", {}});
  assert_call(R"({"call":"data","text":"\n","to":[9,8,9]})", calls::Data{"\n", {8, 9}});
  assert_call(
      ("{\"call\":\"data\",\"text\":\"" + std::string(256, 'x') + "\",\"to\":" + uids(16) + "}")
          .c_str(),
      calls::Data{std::string(256, 'x'), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}});
  assert_call(R"({"call":"members"})", calls::Members{});
  assert_call(R"({"call":"stats","later":[1]})", calls::Stats{});
}

// Each names the field, and what was expected.
void test_no_calls () {
  const std::pair<std::string, const char *> wrong[] = {
      {"", ""},
      {"[]", ""},
      {"{}", "call"},
      {R"({"call":"dance"})", "call"},
      {R"({"call":7})", "call"},
      {R"({"call":"mute"})", "audio"},
      {R"({"call":"mute","audio":"yes"})", "audio"},
      {R"({"call":"set-role","role":"king"})", "role"},
      {R"({"call":"speaker","volume":1})", "uid"},
      {R"({"call":"speaker","uid":0})", "uid"},
      {R"({"call":"speaker","uid":-1})", "uid"},
      {R"({"call":"speaker","uid":7,"volume":10.1})", "volume"},
      {R"({"call":"speaker","uid":7,"volume":-0.1})", "volume"},
      {R"({"call":"speaker","uid":7,"volume":"1"})", "volume"},
      {R"({"call":"speaker","uid":7,"volume":1e400})", ""},
      {R"({"call":"speaker","uid":7,"mute":1})", "mute"},
      {R"({"call":"latency"})", "ms"},
      {R"({"call":"latency","ms":10001})", "ms"},
      {R"({"call":"latency","ms":1.5})", "ms"},
      {R"({"call":"renew-token","token":""})", "token"},
      {R"({"call":"renew-token","token":")" + std::string(8193, 'x') + R"("})", "token"},
      {R"({"call":"data"})", "text"},
      {R"({"call":"data","text":""})", "text"},
      {R"({"call":"data","text":7})", "text"},
      {R"({"call":"data","text":"a\u0000b"})", ""},
      {R"({"call":"data","text":"\ud800"})", ""},
      {"{\"call\":\"data\",\"text\":\"" + std::string(257, 'x') + "\"}", "text"},
      {R"({"call":"data","text":"x","to":[]})", "to"},
      {R"({"call":"data","text":"x","to":[0]})", "to"},
      {R"({"call":"data","text":"x","to":[-1]})", "to"},
      {R"({"call":"data","text":"x","to":{}})", "to"},
      {"{\"call\":\"data\",\"text\":\"x\",\"to\":" + uids(17) + "}", "to"},
      {R"({"call":"stats","a":[[[[[[1]]]]]]})", ""},
  };
  for (const auto &[text, field] : wrong) {
    const auto read = calls::parse(text);
    const auto *reason = std::get_if<std::string>(&read);
    if (!reason || reason->find(field) == std::string::npos)
      g_error("%s: %s", text.c_str(), reason ? reason->c_str() : "it was taken");
    g_assert_false(reason->empty());
  }
}

void test_events () {
  assert_same(events::about(4294967295), R"({"uid":4294967295})");
  assert_same(events::named(7, "\"Ann\""), R"({"uid":7,"name":"\"Ann\""})");
  assert_same(events::data(7, "two\nlines"), R"({"uid":7,"text":"two\nlines"})");
  assert_same(events::levels({}), "{}");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  assert_same(events::levels({{7, -23.46}, {8, -200}, {9, -infinity}, {10, 0.04}, {11, -0.05}}),
              R"({"7":-23.5,"8":-100.0,"9":-100.0,"10":0.0,"11":-0.1})");
  assert_same(events::trouble(110, "a \"wrong\" token"),
              R"({"code":110,"reason":"a \"wrong\" token"})");
}

// In as many texts as it takes, each of them whole.
void test_lists () {
  const auto joined = [] (const std::vector<std::string> &texts) {
    std::string all;
    for (const std::string &text : texts)
      all += text + '\n';
    return all;
  };
  assert_same(joined(events::lists({}, 100)), "{\"at\":0,\"members\":[],\"more\":false}\n");
  assert_same(joined(events::lists({{7, "Ann"}, {9, ""}}, 100)),
              R"({"at":0,"members":[{"uid":7,"name":"Ann"},{"uid":9}],"more":false})"
              "\n");
  const std::vector<std::pair<std::uint32_t, std::string>> crowd(1000, {7, std::string(256, 'x')});
  std::size_t count = 0;
  for (const std::string &text : events::lists(crowd, 1000)) {
    g_assert_cmpuint(text.size(), <=, 1000);
    g_assert_true(text.starts_with("{\"at\":" + std::to_string(count) + ","));
    for (auto at = text.find("\"uid\""); at != std::string::npos; at = text.find("\"uid\"", at + 1))
      count++;
    g_assert_true(text.ends_with(count < crowd.size() ? "],\"more\":true}" : "],\"more\":false}"));
  }
  g_assert_cmpuint(count, ==, crowd.size());
  // One that doesn't fit goes alone.
  g_assert_cmpuint(events::lists({{7, "Ann"}, {9, "Bo"}}, 10).size(), ==, 2);
}

// The codes of the wire come back as they went through the library.
void test_codes () {
  const std::tuple<AgoraError, int, unsigned> all[] = {
      {AGORA_ERROR_INVALID_APP, 101, 404},      {AGORA_ERROR_TOKEN_EXPIRED, 109, 401},
      {AGORA_ERROR_TOKEN_INVALID, 110, 401},    {AGORA_ERROR_TOKEN_UNEXPECTED, 119, 401},
      {AGORA_ERROR_TOKEN_MISSING, 120, 401},    {AGORA_ERROR_BAD_REQUEST, 401, 400},
      {AGORA_ERROR_INVALID_ARGUMENT, 401, 400}, {AGORA_ERROR_INVALID_ORDER, 430, 400},
      {AGORA_ERROR_TOO_MANY, 429, 503},         {AGORA_ERROR_BAD_ROLE_OR_UID, 431, 409},
      {AGORA_ERROR_REPLACED, 431, 409},         {AGORA_ERROR_NOT_PERMITTED, 433, 403},
      {AGORA_ERROR_BANNED, 433, 403},           {AGORA_ERROR_SERVICE_LOST, 501, 503},
      {AGORA_ERROR_TIMEOUT, 903, 504},          {AGORA_ERROR_INTERNAL, 500, 500},
  };
  for (const auto &[error, code, status] : all) {
    g_autoptr(GError) given = g_error_new(AGORA_ERROR, error, "because");
    const Trouble trouble = trouble_of(*given);
    g_assert_cmpint(static_cast<int>(trouble.code), ==, code);
    g_assert_cmpstr(trouble.reason.c_str(), ==, "because");
    g_assert_cmpuint(status_of(trouble.code), ==, status);
  }
  g_autoptr(GError) foreign = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "because");
  g_assert_cmpint(static_cast<int>(trouble_of(*foreign).code), ==, 500);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/worker-texts/calls", test_calls);
  g_test_add_func("/worker-texts/no-calls", test_no_calls);
  g_test_add_func("/worker-texts/events", test_events);
  g_test_add_func("/worker-texts/lists", test_lists);
  g_test_add_func("/worker-texts/codes", test_codes);
  return g_test_run();
}
