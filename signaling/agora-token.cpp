// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signaling/agora-token.h>

#include <memory>
#include <string>

#include "signaling/protocol/token.hpp"
#include "signaling/support/guarded.hpp"

namespace {

using namespace agora::protocol;

struct TokenPrivate {
  std::string text;
  TokenContent content;
};

std::int64_t present () {
  return g_get_real_time() / G_USEC_PER_SEC;
}

void set_token_error (GError **error, const TokenError &cause) {
  g_set_error_literal(
      error, AGORA_ERROR,
      cause.code == Code::token_expired ? AGORA_ERROR_TOKEN_EXPIRED : AGORA_ERROR_TOKEN_INVALID,
      cause.reason.c_str());
}

bool is_privilege (AgoraPrivilege privilege) {
  return privilege >= AGORA_PRIVILEGE_JOIN_CHANNEL && privilege <= AGORA_PRIVILEGE_PUBLISH_DATA;
}

}  // namespace

/**
 * AgoraToken:
 *
 * A token: who may enter which channel of which app, until when, and what it may do there. It is
 * signed with the app's certificate, which only the app's own server and the gateway know.
 *
 * [func@Token.build] makes one, [func@Token.parse] tells what one says of itself, and
 * [method@Token.verify] whether it is true. A client only passes tokens on: see
 * [method@Client.join_async]. Objects never change, and may be used from any thread.
 *
 * Since: 0.1
 */
struct _AgoraToken {
  GObject parent_instance;
  TokenPrivate *priv;
};

G_DEFINE_FINAL_TYPE(AgoraToken, agora_token, G_TYPE_OBJECT)

static void agora_token_finalize (GObject *object) noexcept {
  delete AGORA_TOKEN(object)->priv;
  G_OBJECT_CLASS(agora_token_parent_class)->finalize(object);
}

static void agora_token_class_init (AgoraTokenClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = agora_token_finalize;
}

static void agora_token_init (AgoraToken *self) {
  self->priv = agora::guarded("making an AgoraToken", [] { return new TokenPrivate; });
}

/**
 * agora_token_build:
 * @kind: the format
 * @app_id: the app id
 * @certificate: the app's certificate, its secret
 * @channel: the channel that the token lets in to
 * @account: (nullable): the uid in decimal digits, or the text account; %NULL, "" and "0" bind none
 * @role: %AGORA_ROLE_BROADCASTER adds the privileges to publish
 * @expires_in: seconds until the token and all its privileges end; 0: never
 * @error: return location for a #GError
 *
 * Makes a token. This belongs on a server of the application: whoever has the certificate can let
 * anybody in.
 *
 * Errors: %AGORA_ERROR_INVALID_ARGUMENT for a value that the format can't carry.
 *
 * Returns: (transfer full): the token, or %NULL on error
 *
 * Since: 0.1
 */
char *agora_token_build (AgoraTokenKind kind, const char *app_id, const char *certificate,
                         const char *channel, const char *account, AgoraRole role,
                         gint64 expires_in, GError **error) noexcept {
  g_return_val_if_fail(
      kind >= AGORA_TOKEN_KIND_ACCESS_TOKEN_007 && kind <= AGORA_TOKEN_KIND_CHANNEL_KEY_005,
      nullptr);
  g_return_val_if_fail(app_id != nullptr, nullptr);
  g_return_val_if_fail(certificate != nullptr, nullptr);
  g_return_val_if_fail(channel != nullptr, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);

  TokenSpec spec;
  spec.kind = static_cast<TokenKind>(kind);
  spec.app_id = app_id;
  spec.certificate = certificate;
  spec.channel = channel;
  spec.uid = account ? account : "";
  spec.role = role == AGORA_ROLE_BROADCASTER ? Role::broadcaster : Role::audience;
  spec.issued_at = present();
  spec.expires_in = expires_in;
  auto result = build_token(spec);
  if (auto *cause = std::get_if<TokenError>(&result)) {
    g_set_error_literal(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT, cause->reason.c_str());
    return nullptr;
  }
  return g_strdup(std::get<std::string>(result).c_str());
}

/**
 * agora_token_parse:
 * @text: the token
 * @error: return location for a #GError
 *
 * Reads what a token says of itself. Nothing of it is proven before [method@Token.verify].
 *
 * Errors: %AGORA_ERROR_TOKEN_INVALID when this is no token.
 *
 * Returns: (transfer full): the token, or %NULL on error
 *
 * Since: 0.1
 */
AgoraToken *agora_token_parse (const char *text, GError **error) noexcept {
  g_return_val_if_fail(text != nullptr, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);

  auto result = read_token(text);
  if (auto *cause = std::get_if<TokenError>(&result)) {
    set_token_error(error, *cause);
    return nullptr;
  }
  auto *self = AGORA_TOKEN(g_object_new(AGORA_TYPE_TOKEN, nullptr));
  self->priv->text = text;
  self->priv->content = std::move(std::get<TokenContent>(result));
  return self;
}

/**
 * agora_token_get_kind:
 * @self: a token
 *
 * Tells which of the formats the token has.
 *
 * Returns: its format
 *
 * Since: 0.1
 */
AgoraTokenKind agora_token_get_kind (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), AGORA_TOKEN_KIND_ACCESS_TOKEN_007);
  return static_cast<AgoraTokenKind>(self->priv->content.kind);
}

/**
 * agora_token_get_app_id:
 * @self: a token
 *
 * A Channel Key tells an app id of 32 hex digits in upper case, however it was spelt.
 *
 * Returns: (transfer none): the app that it is for
 *
 * Since: 0.1
 */
const char *agora_token_get_app_id (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), nullptr);
  return self->priv->content.app_id.c_str();
}

/**
 * agora_token_get_channel:
 * @self: a token
 *
 * Only AccessToken 007 carries its channel; the others are bound to one without telling it.
 *
 * Returns: (transfer none) (nullable): the channel that it is for, or %NULL where it doesn't say
 *
 * Since: 0.1
 */
const char *agora_token_get_channel (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), nullptr);
  const auto &channel = self->priv->content.channel;
  return channel ? channel->c_str() : nullptr;
}

/**
 * agora_token_get_account:
 * @self: a token
 *
 * Tells whom the token is for.
 *
 * Returns: (transfer none) (nullable): the uid in decimal digits or the text account that it is
 *   bound to, "" when it fits any, or %NULL where it doesn't say
 *
 * Since: 0.1
 */
const char *agora_token_get_account (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), nullptr);
  const auto &uid = self->priv->content.uid;
  return uid ? uid->c_str() : nullptr;
}

/**
 * agora_token_get_issued_at:
 * @self: a token
 *
 * Tells when the token was made.
 *
 * Returns: when it was made, in seconds since the epoch; 0 where it doesn't say (AccessToken 006)
 *
 * Since: 0.1
 */
gint64 agora_token_get_issued_at (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), 0);
  return self->priv->content.issued_at;
}

/**
 * agora_token_get_ends_at:
 * @self: a token
 *
 * Tells when the token ends as a whole.
 *
 * Returns: when the whole token ends, in seconds since the epoch; 0: never
 *
 * Since: 0.1
 */
gint64 agora_token_get_ends_at (AgoraToken *self) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), 0);
  return self->priv->content.grant.token_ends_at;
}

/**
 * agora_token_has_privilege:
 * @self: a token
 * @privilege: what to look for
 * @ends_at: (out) (optional): when this privilege ends, in seconds since the epoch; 0: with the
 *   token
 *
 * Says whether the token names the privilege, ended or not.
 *
 * Returns: whether the token names @privilege
 *
 * Since: 0.1
 */
gboolean agora_token_has_privilege (AgoraToken *self, AgoraPrivilege privilege,
                                    gint64 *ends_at) noexcept {
  if (ends_at)
    *ends_at = 0;
  g_return_val_if_fail(AGORA_IS_TOKEN(self), FALSE);
  g_return_val_if_fail(is_privilege(privilege), FALSE);
  const auto &item = self->priv->content.grant[static_cast<Privilege>(privilege)];
  if (ends_at)
    *ends_at = item.ends_at;
  return item.allowed;
}

/**
 * agora_token_verify:
 * @self: a token
 * @app_id: the app id that it has to be for
 * @certificate: the app's certificate
 * @channel: the channel that it has to be for
 * @account: (nullable): who comes with it: the uid in decimal digits, or the text account. %NULL,
 * "" and "0" fit only a token that binds none.
 * @now: seconds since the epoch; 0: the present
 * @error: return location for a #GError
 *
 * Checks the signature, and that the token lets this account into this channel now.
 *
 * Errors: %AGORA_ERROR_TOKEN_INVALID when it is forged or for something else,
 * %AGORA_ERROR_TOKEN_EXPIRED when it has been good.
 *
 * Returns: whether the token is good
 *
 * Since: 0.1
 */
gboolean agora_token_verify (AgoraToken *self, const char *app_id, const char *certificate,
                             const char *channel, const char *account, gint64 now,
                             GError **error) noexcept {
  g_return_val_if_fail(AGORA_IS_TOKEN(self), FALSE);
  g_return_val_if_fail(app_id != nullptr, FALSE);
  g_return_val_if_fail(certificate != nullptr, FALSE);
  g_return_val_if_fail(channel != nullptr, FALSE);
  g_return_val_if_fail(error == nullptr || *error == nullptr, FALSE);

  TokenRequest request{app_id, certificate, channel, account ? account : ""};
  auto verdict = verify_token(self->priv->text, request, now == 0 ? present() : now);
  if (auto *cause = std::get_if<TokenError>(&verdict)) {
    set_token_error(error, *cause);
    return FALSE;
  }
  return TRUE;
}
