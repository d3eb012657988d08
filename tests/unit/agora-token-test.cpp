// SPDX-License-Identifier: LGPL-2.1-or-later
// The public face of the tokens; what they are made of is token-test.cpp's.
#include <initializer_list>

#include <signaling/agora-signaling.h>

namespace {

constexpr AgoraTokenKind kinds[] = {AGORA_TOKEN_KIND_ACCESS_TOKEN_007,
                                    AGORA_TOKEN_KIND_ACCESS_TOKEN_006,
                                    AGORA_TOKEN_KIND_CHANNEL_KEY_005};

char *make (AgoraTokenKind kind, AgoraRole role, const char *account, gint64 expires_in) {
  g_autoptr(GError) error = nullptr;
  char *text = agora_token_build(kind, "demo", "secret", "hall", account, role, expires_in, &error);
  g_assert_no_error(error);
  return text;
}

void test_round_trip () {
  for (AgoraTokenKind kind : kinds) {
    for (AgoraRole role : {AGORA_ROLE_AUDIENCE, AGORA_ROLE_BROADCASTER}) {
      const gint64 before = g_get_real_time() / G_USEC_PER_SEC;
      g_autofree char *text = make(kind, role, "8", 600);
      const gint64 after = g_get_real_time() / G_USEC_PER_SEC;
      g_autoptr(GError) error = nullptr;
      g_autoptr(AgoraToken) token = agora_token_parse(text, &error);
      g_assert_no_error(error);
      g_assert_cmpint(agora_token_get_kind(token), ==, kind);
      g_assert_cmpstr(agora_token_get_app_id(token), ==, "demo");
      const gint64 ends_at = agora_token_get_ends_at(token);
      g_assert_cmpint(ends_at, >=, before + 600);
      g_assert_cmpint(ends_at, <=, after + 600);
      const bool tells = kind == AGORA_TOKEN_KIND_ACCESS_TOKEN_007;
      g_assert_cmpstr(agora_token_get_channel(token), ==, tells ? "hall" : nullptr);
      g_assert_cmpstr(agora_token_get_account(token), ==, tells ? "8" : nullptr);
      if (kind == AGORA_TOKEN_KIND_ACCESS_TOKEN_006)
        g_assert_cmpint(agora_token_get_issued_at(token), ==, 0);
      else
        g_assert_cmpint(agora_token_get_issued_at(token), ==, ends_at - 600);

      gint64 join_ends_at = -1;
      g_assert_true(agora_token_has_privilege(token, AGORA_PRIVILEGE_JOIN_CHANNEL, &join_ends_at));
      g_assert_true(join_ends_at == 0 || join_ends_at == ends_at);
      for (AgoraPrivilege privilege : {AGORA_PRIVILEGE_PUBLISH_AUDIO, AGORA_PRIVILEGE_PUBLISH_VIDEO,
                                       AGORA_PRIVILEGE_PUBLISH_DATA})
        g_assert_cmpint(agora_token_has_privilege(token, privilege, nullptr), ==,
                        role == AGORA_ROLE_BROADCASTER);

      g_assert_true(agora_token_verify(token, "demo", "secret", "hall", "8", 0, &error));
      g_assert_no_error(error);
      g_assert_true(agora_token_verify(token, "demo", "secret", "hall", "8", ends_at - 1, &error));
      g_assert_no_error(error);
      g_assert_false(agora_token_verify(token, "demo", "secret", "hall", "8", ends_at, &error));
      g_assert_error(error, AGORA_ERROR, AGORA_ERROR_TOKEN_EXPIRED);
      g_assert_true(agora_error_is_final(error));
    }
  }
}

void test_for_another () {
  for (AgoraTokenKind kind : kinds) {
    g_autofree char *text = make(kind, AGORA_ROLE_AUDIENCE, "8", 0);
    g_autoptr(AgoraToken) token = agora_token_parse(text, nullptr);
    static const struct {
      const char *app_id;
      const char *certificate;
      const char *channel;
      const char *account;
    } table[] = {
        {"other", "secret", "hall", "8"}, {"demo", "other", "hall", "8"},
        {"demo", "", "hall", "8"},        {"demo", "secret", "other", "8"},
        {"demo", "secret", "hall", "9"},  {"demo", "secret", "hall", nullptr},
    };
    for (const auto &row : table) {
      g_autoptr(GError) error = nullptr;
      g_assert_false(agora_token_verify(token, row.app_id, row.certificate, row.channel,
                                        row.account, 0, &error));
      g_assert_error(error, AGORA_ERROR, AGORA_ERROR_TOKEN_INVALID);
    }
    g_assert_true(agora_token_verify(token, "demo", "secret", "hall", "8", G_MAXINT32, nullptr));
  }
}

void test_for_any () {
  for (AgoraTokenKind kind : kinds) {
    for (const char *account : {static_cast<const char *>(nullptr), "", "0"}) {
      g_autofree char *text = make(kind, AGORA_ROLE_AUDIENCE, account, 60);
      g_autoptr(AgoraToken) token = agora_token_parse(text, nullptr);
      for (const char *who : {static_cast<const char *>(nullptr), "", "0", "8", "alice"})
        g_assert_true(agora_token_verify(token, "demo", "secret", "hall", who, 0, nullptr));
      if (kind != AGORA_TOKEN_KIND_CHANNEL_KEY_005)
        g_assert_cmpstr(agora_token_get_account(token), ==, "");
    }
  }
}

void test_wrong_values () {
  g_autoptr(GError) error = nullptr;
  g_assert_null(agora_token_build(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, "", "secret", "hall", "8",
                                  AGORA_ROLE_AUDIENCE, 60, &error));
  g_assert_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT);
  g_clear_error(&error);
  g_assert_null(agora_token_build(AGORA_TOKEN_KIND_CHANNEL_KEY_005, "demo", "secret", "hall",
                                  "alice", AGORA_ROLE_AUDIENCE, 60, &error));
  g_assert_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull(strstr(error->message, "alice"));
  g_clear_error(&error);
  g_assert_null(agora_token_build(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, "demo", "secret", "hall", "8",
                                  AGORA_ROLE_AUDIENCE, -1, &error));
  g_assert_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT);
  g_clear_error(&error);
  g_assert_null(agora_token_parse("no token", &error));
  g_assert_error(error, AGORA_ERROR, AGORA_ERROR_TOKEN_INVALID);
}

void test_finalized () {
  g_autofree char *text = make(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, AGORA_ROLE_AUDIENCE, "8", 60);
  AgoraToken *token = agora_token_parse(text, nullptr);
  gpointer weak = token;
  g_object_add_weak_pointer(G_OBJECT(token), &weak);
  g_object_unref(token);
  g_assert_null(weak);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/agora-token/round-trip", test_round_trip);
  g_test_add_func("/agora-token/for-another", test_for_another);
  g_test_add_func("/agora-token/for-any", test_for_any);
  g_test_add_func("/agora-token/wrong-values", test_wrong_values);
  g_test_add_func("/agora-token/finalized", test_finalized);
  return g_test_run();
}
