/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* AgoraToken: what a token says, and the making of one. */
#pragma once

#include <glib-object.h>

#include <signaling/agora-client.h>
#include <signaling/agora-error.h>
#include <signaling/agora-macros.h>

G_BEGIN_DECLS

/**
 * AgoraTokenKind:
 * @AGORA_TOKEN_KIND_ACCESS_TOKEN_007: AccessToken 007, today's format.
 * @AGORA_TOKEN_KIND_ACCESS_TOKEN_006: AccessToken 006. A parser has to know the app id, or to guess
 *   where it ends: 32 hex digits are what the vendor's own parsers expect.
 * @AGORA_TOKEN_KIND_CHANNEL_KEY_005: Channel Key (dynamic key 005), the oldest. Has one end for all
 *   privileges, and takes uids in numbers only.
 *
 * The public formats of a token.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_TOKEN_KIND_ACCESS_TOKEN_007,
  AGORA_TOKEN_KIND_ACCESS_TOKEN_006,
  AGORA_TOKEN_KIND_CHANNEL_KEY_005,
} AgoraTokenKind;

/**
 * AgoraPrivilege:
 * @AGORA_PRIVILEGE_JOIN_CHANNEL: enter the channel and stay in it.
 * @AGORA_PRIVILEGE_PUBLISH_AUDIO: send a voice.
 * @AGORA_PRIVILEGE_PUBLISH_VIDEO: send a picture.
 * @AGORA_PRIVILEGE_PUBLISH_DATA: send data.
 *
 * What a token may allow. The numbers are those of the formats.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_PRIVILEGE_JOIN_CHANNEL = 1,
  AGORA_PRIVILEGE_PUBLISH_AUDIO = 2,
  AGORA_PRIVILEGE_PUBLISH_VIDEO = 3,
  AGORA_PRIVILEGE_PUBLISH_DATA = 4,
} AgoraPrivilege;

#define AGORA_TYPE_TOKEN (agora_token_get_type())
AGORA_API
G_DECLARE_FINAL_TYPE(AgoraToken, agora_token, AGORA, TOKEN, GObject)

AGORA_API
char *agora_token_build (AgoraTokenKind kind, const char *app_id, const char *certificate,
                         const char *channel, const char *account, AgoraRole role,
                         gint64 expires_in, GError **error) AGORA_NOEXCEPT;

AGORA_API
AgoraToken *agora_token_parse (const char *text, GError **error) AGORA_NOEXCEPT;

AGORA_API
AgoraTokenKind agora_token_get_kind (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
const char *agora_token_get_app_id (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
const char *agora_token_get_channel (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
const char *agora_token_get_account (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
gint64 agora_token_get_issued_at (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
gint64 agora_token_get_ends_at (AgoraToken *self) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_token_has_privilege (AgoraToken *self, AgoraPrivilege privilege,
                                    gint64 *ends_at) AGORA_NOEXCEPT;

AGORA_API
gboolean agora_token_verify (AgoraToken *self, const char *app_id, const char *certificate,
                             const char *channel, const char *account, gint64 now,
                             GError **error) AGORA_NOEXCEPT;

G_END_DECLS
