// SPDX-License-Identifier: LGPL-2.1-or-later
// Tokens: who gets in, who may publish, and what happens while a token runs out.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace token_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

struct Ask {
  TokenKind kind = TokenKind::access_token_007;
  std::string uid = "10";
  std::string channel = "room";
  Role role = Role::broadcaster;
  std::int64_t expires_in = 3600;
  std::string certificate = agora::gateway::certificate;
};

std::string make_token (const Scene &scene, const Ask &ask) {
  TokenSpec spec;
  spec.kind = ask.kind;
  spec.app_id = closed_app;
  spec.certificate = ask.certificate;
  spec.channel = ask.channel;
  spec.uid = ask.uid;
  spec.role = ask.role;
  spec.issued_at = scene.now.wall_s;
  spec.expires_in = ask.expires_in;
  const auto built = build_token(spec);
  if (const auto *error = std::get_if<TokenError>(&built))
    g_error("%s", error->reason.c_str());
  return std::get<std::string>(built);
}

Join join_by (const std::string &token, const std::string &uid, Role role = Role::audience) {
  Join join = join_as(uid, role);
  join.app_id = closed_app;
  join.token = token;
  return join;
}

void only_good_tokens_get_in () {
  const struct {
    const char *name;
    std::function<std::string(const Scene &)> token;
    std::string uid;
    int code;
  } rows[] = {
      {"007", [] (const Scene &s) { return make_token(s, {}); }, "10", 200},
      {"006", [] (const Scene &s) { return make_token(s, {TokenKind::access_token_006}); }, "10",
       200},
      {"005", [] (const Scene &s) { return make_token(s, {TokenKind::channel_key_005}); }, "10",
       200},
      {"any uid", [] (const Scene &s) { return make_token(s, {.uid = "0"}); }, "77", 200},
      {"any uid, assigned", [] (const Scene &s) { return make_token(s, {.uid = ""}); }, "", 200},
      {"leading zeros", [] (const Scene &s) { return make_token(s, {}); }, "0010", 200},
      {"none", [] (const Scene &) { return ""; }, "10", 120},
      {"app id", [] (const Scene &) { return closed_app; }, "10", 120},
      {"garbage", [] (const Scene &) { return "007garbage"; }, "10", 110},
      {"other uid", [] (const Scene &s) { return make_token(s, {}); }, "11", 110},
      {"its uid, assigned", [] (const Scene &s) { return make_token(s, {}); }, "0", 110},
      {"other channel", [] (const Scene &s) { return make_token(s, {.channel = "hall"}); }, "10",
       110},
      {"other certificate",
       [] (const Scene &s) {
         return make_token(s, {.certificate = "00000000000000000000000000000000"});
       },
       "10", 110},
      {"expired",
       [] (const Scene &s) {
         Scene past;
         past.now = s.now;
         past.now.wall_s -= 100;
         return make_token(past, {.expires_in = 50});
       },
       "10", 109},
      {"uid no number", [] (const Scene &s) { return make_token(s, {.uid = ""}); }, "ten", 431},
  };
  for (const auto &row : rows) {
    Scene scene;
    scene.connect(1);
    const Answer answer = scene.ask(1, join_by(row.token(scene), row.uid));
    if (static_cast<int>(answer.code) != row.code)
      g_error("%s: %d, expected %d (%s)", row.name, static_cast<int>(answer.code), row.code,
              answer.reason.c_str());
    g_assert_cmpuint(scene.book.totals().joins.at(row.code), ==, 1);
  }
}

void accounts_have_tokens_too () {
  Scene scene;
  const std::string token = make_token(scene, {.uid = "alice"});
  Join join = join_by(token, "alice");
  join.uid_type = 1;
  scene.connect(1);
  g_assert_true(scene.code(1, join) == Code::ok);
  g_assert_true(scene.code(1, UpdateKey{token}) == Code::ok);
  join.uid = "bob";
  scene.connect(2);
  g_assert_true(scene.code(2, join) == Code::token_invalid);
}

// What a token binds is one person: not the uid and an account that is spelled the same.
void an_account_of_digits_needs_a_token_for_any () {
  for (TokenKind kind : token_kinds) {
    Scene scene;
    Join join = join_by(make_token(scene, {kind}), "10");
    join.uid_type = 1;
    for (const char *account : {"10", "010"}) {
      join.uid = account;
      scene.connect(1);
      const Code code = scene.code(1, join);
      g_assert_true(code == Code::bad_role_or_uid || code == Code::token_invalid);
      scene.disconnect(1);
    }
    join.token = make_token(scene, {.kind = kind, .uid = ""});
    scene.connect(2);
    const Uid uid = scene.ask(2, join).uid.value();
    g_assert_cmpuint(uid, !=, 10);
    // Nor by a later token.
    g_assert_true(scene.code(2, UpdateKey{make_token(scene, {kind, "010"})}) != Code::ok);
    g_assert_true(scene.code(2, UpdateKey{join.token}) == Code::ok);
    if (kind == TokenKind::channel_key_005)
      continue;
    join.token = make_token(scene, {kind, "10b"});
    join.uid = "10b";
    scene.connect(3);
    g_assert_true(scene.code(3, join) == Code::ok);
  }
}

void kinds_are_narrowed () {
  Config config = plain_config();
  config.token_kinds = {TokenKind::access_token_007};
  Scene scene(config);
  SessionId id = 0;
  for (TokenKind kind : token_kinds) {
    scene.connect(++id);
    const Answer answer = scene.ask(id, join_by(make_token(scene, {kind}), "10"));
    const bool good = kind == TokenKind::access_token_007;
    g_assert_true(answer.code == (good ? Code::ok : Code::token_invalid));
    if (!good)
      g_assert_true(answer.reason.find(version_of(kind)) != std::string::npos);
  }
}

// Once for each app and kind, and only by who was let in.
void old_kinds_are_noted () {
  Scene scene;
  std::vector<TokenKind> noted;
  for (SessionId id = 1; id <= 9; id++) {
    const TokenKind kind = token_kinds[id % 3];
    scene.connect(id);
    const std::string wrong = make_token(scene, {.kind = kind, .certificate = "another"});
    scene.ask(id, join_by(wrong, "10"));
    for (const Command &command : scene.last)
      g_assert_false(std::holds_alternative<OldToken>(command));
    scene.ask(id, join_by(make_token(scene, {kind}), "10"));
    for (const Command &command : scene.last)
      if (const auto *old = std::get_if<OldToken>(&command)) {
        g_assert_true(old->app_id == closed_app);
        noted.push_back(old->kind);
      }
  }
  std::sort(noted.begin(), noted.end());
  g_assert_true((noted == std::vector{TokenKind::access_token_006, TokenKind::channel_key_005}));
}

// Grants as no builder makes them, by name.
struct Granted {
  Grant::Item join{true, 0};
  Grant::Item audio{true, 0};
  Grant::Item video{false, 0};
  std::int64_t token_ends_at = 0;
};

class TokenScene : public Scene {
 public:
  explicit TokenScene(const std::map<std::string, Granted> &tokens) : Scene(config_for(tokens)) {}

  Code enter (SessionId id, const std::string &token, Uid uid, Role role = Role::broadcaster) {
    connect(id);
    return code(id, join_by(token, std::to_string(uid), role));
  }

 private:
  static Config config_for (const std::map<std::string, Granted> &tokens) {
    Config config = plain_config();
    config.verify_token = [tokens] (std::string_view token, const TokenRequest &,
                                    std::int64_t wall_s) -> std::variant<Grant, TokenError> {
      const auto found = tokens.find(std::string(token));
      if (found == tokens.end())
        return TokenError{Code::token_invalid, "unknown"};
      Grant grant;
      grant[Privilege::join_channel] = found->second.join;
      grant[Privilege::publish_audio] = found->second.audio;
      grant[Privilege::publish_video] = found->second.video;
      grant.token_ends_at = found->second.token_ends_at;
      if (grant.token_ends_at && grant.token_ends_at <= wall_s)
        return TokenError{Code::token_expired, "over"};
      return grant;
    };
    return config;
  }
};

constexpr std::int64_t start = 1'800'000'000;

void privileges_are_asked_for () {
  TokenScene scene({{"all", {}},
                    {"listen", {.audio = {false, 0}}},
                    {"no join", {.join = {false, 0}}},
                    {"join over", {.join = {true, start - 1}}},
                    {"audio over", {.audio = {true, start}}},
                    {"video only", {.audio = {false, 0}, .video = {true, 0}}}});
  g_assert_true(scene.enter(1, "no join", 10) == Code::token_invalid);
  g_assert_true(scene.code(1, join_by("join over", "10")) == Code::token_expired);
  SessionId id = 2;
  for (const char *token : {"listen", "audio over", "video only"}) {
    g_assert_true(scene.enter(id, token, static_cast<Uid>(id)) == Code::ok);
    const Uid uid = static_cast<Uid>(id);
    g_assert_true(scene.code(id, Publish{uid}) == Code::not_permitted);
    g_assert_true(scene.code(id, UpdateUrl{uid}) == Code::not_permitted);
    g_assert_true(scene.code(id, SetRole{Role::audience}) == Code::ok);
    g_assert_true(scene.code(id, SetRole{Role::broadcaster}) == Code::not_permitted);
    // A better token changes that in the channel.
    g_assert_true(scene.code(id, UpdateKey{"all"}) == Code::ok);
    g_assert_true(scene.code(id, SetRole{Role::broadcaster}) == Code::ok);
    g_assert_true(scene.code(id, Publish{uid}) == Code::ok);
    id++;
  }
}

void renewal_is_checked () {
  TokenScene scene({{"all", {}}, {"listen", {.audio = {false, 0}}}, {"no join", {{false, 0}}}});
  g_assert_true(scene.enter(1, "all", 10) == Code::ok);
  g_assert_true(scene.enter(2, "listen", 20) == Code::ok);
  const std::string url = scene.publish(1, 10);
  g_assert_true(scene.push(url, 100));
  g_assert_true(scene.code(1, UpdateKey{"rubbish"}) == Code::token_invalid);
  g_assert_true(scene.code(1, UpdateKey{""}) == Code::token_missing);
  g_assert_true(scene.code(1, UpdateKey{"no join"}) == Code::token_invalid);
  g_assert_true(scene.told(2).empty());
  // A token that gives less takes off the air.
  g_assert_true(scene.code(1, UpdateKey{"listen"}) == Code::ok);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.push(url, 101));
}

void tokens_end () {
  TokenScene scene({{"minute", {.token_ends_at = start + 60}}, {"all", {}}});
  g_assert_true(scene.enter(1, "minute", 10) == Code::ok);
  g_assert_true(scene.told(1).empty());
  g_assert_true(scene.enter(2, "all", 20) == Code::ok);
  const std::string url = scene.publish(1, 10);
  g_assert_true(scene.push(url, 100));
  scene.pass(29'500);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(500);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(29'500);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(500);
  g_assert_true(scene.told(1) == "expired");
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.push(url, 101));
  // Out, but the socket lives: not to be renewed, only joined again.
  g_assert_true(scene.code(1, UpdateKey{"all"}) == Code::not_joined);
  g_assert_true(scene.code(1, join_by("minute", "10")) == Code::token_expired);
  g_assert_true(scene.code(1, join_by("all", "10")) == Code::ok);
}

void join_privilege_ends () {
  TokenScene scene({{"minute", {.join = {true, start + 60}, .token_ends_at = start + 90}}});
  g_assert_true(scene.enter(1, "minute", 10) == Code::ok);
  scene.pass(30'000);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(30'000);
  g_assert_true(scene.told(1) == "expired");
  g_assert_cmpuint(scene.book.totals().members, ==, 0);
}

void publish_privilege_ends () {
  TokenScene scene({{"talk", {.audio = {true, start + 100}}}, {"all", {}}});
  g_assert_true(scene.enter(1, "talk", 10) == Code::ok);
  g_assert_true(scene.enter(2, "all", 20) == Code::ok);
  const std::string url = scene.publish(1, 10);
  g_assert_true(scene.push(url, 100));
  scene.pass(70'000);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(30'000);
  g_assert_true(scene.told(1).empty());
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_cmpuint(scene.book.totals().members, ==, 2);
  g_assert_false(scene.push(url, 101));
  g_assert_true(scene.code(1, Publish{10}) == Code::not_permitted);
  g_assert_true(scene.code(1, Unpublish{10}) == Code::ok);
  g_assert_true(scene.code(1, UpdateKey{"all"}) == Code::ok);
  g_assert_true(scene.code(1, Publish{10}) == Code::ok);
}

void each_end_is_announced () {
  TokenScene scene({{"steps",
                     {.audio = {true, start + 100},
                      .video = {true, start + 100},
                      .token_ends_at = start + 200}}});
  g_assert_true(scene.enter(1, "steps", 10) == Code::ok);
  scene.pass(70'000);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(99'500);
  g_assert_true(scene.told(1).empty());
  scene.pass(500);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(30'000);
  g_assert_true(scene.told(1) == "expired");
}

void short_tokens_warn_at_once () {
  TokenScene scene(
      {{"short", {.token_ends_at = start + 20}}, {"long", {.token_ends_at = start + 900}}});
  g_assert_true(scene.enter(1, "short", 10) == Code::ok);
  g_assert_true(scene.told(1) == "will-expire");
  scene.pass(15'000);
  g_assert_true(scene.told(1).empty());
  // Renewed in time, nothing ends.
  g_assert_true(scene.code(1, UpdateKey{"long"}) == Code::ok);
  g_assert_true(scene.told(1).empty());
  scene.pass(800'000);
  g_assert_true(scene.told(1).empty());
  scene.pass(60'000);
  g_assert_true(scene.told(1) == "will-expire");
}

void grace_doesnt_outlast_a_token () {
  TokenScene scene({{"short", {.token_ends_at = start + 5}}, {"all", {}}});
  g_assert_true(scene.enter(1, "short", 10) == Code::ok);
  scene.disconnect(1);
  scene.pass(5'000);
  g_assert_true(scene.noticed() == "out 0, destroyed");
  scene.connect(2);
  Join rejoin = join_by("short", "10");
  rejoin.known_speakers.emplace();
  g_assert_true(scene.code(2, rejoin) == Code::token_expired);
  // A rejoin brings its own token.
  TokenScene other({{"short", {.token_ends_at = start + 5}}, {"all", {}}});
  g_assert_true(other.enter(1, "short", 10) == Code::ok);
  other.disconnect(1);
  other.connect(2);
  rejoin.token = "all";
  g_assert_true(other.code(2, rejoin) == Code::ok);
  other.pass(60'000);
  g_assert_cmpuint(other.last.size(), ==, 0);
}

// The wall clock was behind and is put right: tokens must not live longer for it.
void clocks_are_set () {
  TokenScene scene({{"hour", {.token_ends_at = start + 3600}}});
  g_assert_true(scene.enter(1, "hour", 10) == Code::ok);
  scene.now.wall_s += 7200;
  scene.pass(60'000);
  g_assert_true(scene.told(1) == "expired");
}

}  // namespace

static const agora::Suite suite("token", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"digits", an_account_of_digits_needs_a_token_for_any},
      {"kinds", kinds_are_narrowed},
      {"old-kinds", old_kinds_are_noted},
      {"join", only_good_tokens_get_in},
      {"accounts", accounts_have_tokens_too},
      {"privileges", privileges_are_asked_for},
      {"renewal", renewal_is_checked},
      {"token-ends", tokens_end},
      {"join-ends", join_privilege_ends},
      {"publish-ends", publish_privilege_ends},
      {"each-end", each_end_is_announced},
      {"short", short_tokens_warn_at_once},
      {"grace", grace_doesnt_outlast_a_token},
      {"clock", clocks_are_set},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/token/") + test.name).c_str(), test.test);
});

}  // namespace token_test
