// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/argument-checks.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <functional>

namespace argument_checks_test {

using namespace agora::protocol;

namespace {

using Check = std::function<std::optional<std::string>(std::string_view)>;

void expect (const Check &check, std::string_view value, bool good, const char *names) {
  std::optional<std::string> refusal = check(value);
  g_test_message("%s -> %s", quoted(value).c_str(), refusal ? refusal->c_str() : "good");
  g_assert_cmpint(!refusal.has_value(), ==, good);
  if (refusal) {
    g_assert_nonnull(strstr(refusal->c_str(), names));
    g_assert_nonnull(strstr(refusal->c_str(), "expected"));
  }
}

void app_ids () {
  struct Row {
    std::string_view value;
    bool good;
  };
  const Row rows[] = {
      {"demo", true},     {"0123456789abcdef0123456789abcdef", true},
      {"", false},        {"null", false},
      {" demo", false},   {"demo\n", false},
      {"de\nmo", false},  {"d\xc3\xa9mo", true},
      {"d\xff", false},   {std::string_view("a\0b", 3), false},
      {"nullable", true},
  };
  for (const Row &row : rows)
    expect(check_app_id, row.value, row.good, "app id");
}

void channels () {
  const std::string longest(128, 'c');
  const std::string too_long(129, 'c');
  const std::string two_byte_letters = [] {
    std::string text;
    for (int i = 0; i < 65; ++i)
      text += "\xc3\xa9";
    return text;
  }();
  struct Row {
    std::string_view value;
    bool good;
  };
  const Row rows[] = {
      {"r", true},
      {longest, true},
      {"room with blanks", true},
      {"", false},
      {"null", false},
      {too_long, false},
      {two_byte_letters, false},
      {"a\xfe", false},
      {"a\tb", false},
      {std::string_view("\0", 1), false},
  };
  for (const Row &row : rows)
    expect(check_channel, row.value, row.good, "channel");
}

void accounts () {
  expect(check_account, "alice", true, "");
  expect(check_account, "", false, "account");
  expect(check_account, "null", false, "account");
  expect(check_account, std::string(256, 'a'), false, "account");
  expect(check_account, "a\x01", false, "account");
}

void tokens_stay_secret () {
  expect(check_token, "", true, "");
  expect(check_token, "007abc", true, "");
  expect(check_token, "null", false, "token");
  std::optional<std::string> refusal = check_token("secret\nsecret");
  g_assert_true(refusal.has_value());
  g_assert_null(strstr(refusal->c_str(), "secret"));
}

void uids () {
  struct Row {
    std::string_view text;
    std::optional<Uid> uid;
  };
  const Row rows[] = {
      {"", 0u},
      {"0", 0u},
      {"1", 1u},
      {"4294967295", 4294967295u},
      {"007", 7u},
      {"4294967296", std::nullopt},
      {"99999999999999999999", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"1.0", std::nullopt},
      {"0x10", std::nullopt},
      {"alice", std::nullopt},
      {std::string_view("1\0", 2), std::nullopt},
  };
  for (const Row &row : rows)
    g_assert_true(parse_uid(row.text) == row.uid);
}

void names () {
  for (Role role : {Role::audience, Role::broadcaster})
    g_assert_true(parse_role(to_string(role)) == role);
  for (Target target : {Target::audio, Target::video, Target::all})
    g_assert_true(parse_target(to_string(target)) == target);
  for (std::string_view bad : {"", "Audience", "host", "broadcaster "})
    g_assert_false(parse_role(bad).has_value());
  for (std::string_view bad : {"", "both", "AUDIO"})
    g_assert_false(parse_target(bad).has_value());
}

void quoting () {
  g_assert_true(quoted("room") == "\"room\"");
  g_assert_true(quoted("a\nb\x7f") == "\"a?b?\"");
  std::string cut = quoted(std::string(63, 'x') + "\xc3\xa9" + "tail");
  g_assert_true(g_utf8_validate(cut.c_str(), -1, nullptr));
  g_assert_true(cut == "\"" + std::string(63, 'x') + "...\"");
  g_assert_true(g_utf8_validate(quoted("\xff\xfe").c_str(), -1, nullptr));
}

}  // namespace

static void display_names () {
  std::string longest;
  for (int i = 0; i < 64; i++)
    longest += "\U0001F399";
  for (const std::string &good : {std::string(), std::string("Ann B. \u00e9"), longest})
    g_assert_false(agora::protocol::check_name(good).has_value());
  for (const std::string &bad :
       {longest + "x", std::string("a\nb"), std::string("\x7f"), std::string("\u009f"),
        std::string("\xff"), std::string(300, 'x'), std::string("a\0b", 3)})
    g_assert_true(agora::protocol::check_name(bad).has_value());
}

static const agora::Suite suite("argument-checks", [] {
  g_test_add_func("/rules/app-ids", app_ids);
  g_test_add_func("/rules/channels", channels);
  g_test_add_func("/rules/accounts", accounts);
  g_test_add_func("/rules/tokens-stay-secret", tokens_stay_secret);
  g_test_add_func("/rules/uids", uids);
  g_test_add_func("/rules/names", names);
  g_test_add_func("/rules/quoting", quoting);
  g_test_add_func("/argument-checks/display-names", display_names);
});

}  // namespace argument_checks_test
