/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* AgoraError: what can go wrong, by what a caller can do about it. */
#pragma once

#include <glib.h>

#include <signaling/agora-macros.h>

G_BEGIN_DECLS

/**
 * AGORA_ERROR:
 *
 * The error domain of the library. Its codes are [error@AgoraSignaling.Error].
 *
 * Since: 0.1
 */
#define AGORA_ERROR (agora_error_quark())

/**
 * AgoraError:
 * @AGORA_ERROR_INVALID_ARGUMENT: an argument was refused before anything was sent; the message
 * names the value and what was expected.
 * @AGORA_ERROR_INVALID_ORDER: a call that this state of the client doesn't allow (join before init,
 *   a second join while joined, ...). Nothing was sent.
 * @AGORA_ERROR_INVALID_APP: the gateway doesn't serve this app id (wire code 101). Final.
 * @AGORA_ERROR_TOKEN_EXPIRED: get another token (109). Final for this token.
 * @AGORA_ERROR_TOKEN_INVALID: malformed, wrongly signed, or for another app, channel or uid (110).
 * Final.
 * @AGORA_ERROR_TOKEN_UNEXPECTED: a token was given, but the app has no certificate (119). Final.
 * @AGORA_ERROR_TOKEN_MISSING: the app has a certificate, but no token was given (120). Final.
 * @AGORA_ERROR_BAD_REQUEST: the gateway found the request malformed or out of order (401, 430).
 * @AGORA_ERROR_TOO_MANY: too many requests or members (429). Wait before the next try.
 * @AGORA_ERROR_BAD_ROLE_OR_UID: role or uid refused (431). Final.
 * @AGORA_ERROR_REPLACED: another device joined with the same uid; this one is out. Final.
 * @AGORA_ERROR_NOT_PUBLISHING: that uid isn't publishing (432).
 * @AGORA_ERROR_NOT_PERMITTED: an audience, or a token without that privilege (433).
 * @AGORA_ERROR_NOT_JOINED: not in a channel (434).
 * @AGORA_ERROR_BANNED: removed by the operator of the channel. Final.
 * @AGORA_ERROR_INTERNAL: a fault inside the gateway (500), or an answer that makes no sense.
 * @AGORA_ERROR_SERVICE_LOST: the service behind this member is lost, overloaded or draining (501,
 * 502, 503).
 * @AGORA_ERROR_NO_SERVER: no server could be chosen (901).
 * @AGORA_ERROR_TIMEOUT: no answer in time (903).
 * @AGORA_ERROR_SOCKET_GONE: the connection to the gateway was lost (904).
 * @AGORA_ERROR_UNREACHABLE: no server could be reached, or what answered is no gateway (905).
 * @AGORA_ERROR_UNTRUSTED: the TLS certificate of a gateway or a media server is refused; the
 * message says why. Final. Since: 0.2
 *
 * Errors of the library.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_ERROR_INVALID_ARGUMENT,
  AGORA_ERROR_INVALID_ORDER,
  AGORA_ERROR_INVALID_APP,
  AGORA_ERROR_TOKEN_EXPIRED,
  AGORA_ERROR_TOKEN_INVALID,
  AGORA_ERROR_TOKEN_UNEXPECTED,
  AGORA_ERROR_TOKEN_MISSING,
  AGORA_ERROR_BAD_REQUEST,
  AGORA_ERROR_TOO_MANY,
  AGORA_ERROR_BAD_ROLE_OR_UID,
  AGORA_ERROR_REPLACED,
  AGORA_ERROR_NOT_PUBLISHING,
  AGORA_ERROR_NOT_PERMITTED,
  AGORA_ERROR_NOT_JOINED,
  AGORA_ERROR_BANNED,
  AGORA_ERROR_INTERNAL,
  AGORA_ERROR_SERVICE_LOST,
  AGORA_ERROR_NO_SERVER,
  AGORA_ERROR_TIMEOUT,
  AGORA_ERROR_SOCKET_GONE,
  AGORA_ERROR_UNREACHABLE,
  AGORA_ERROR_UNTRUSTED,
} AgoraError;

AGORA_API
GQuark agora_error_quark (void) AGORA_NOEXCEPT;

AGORA_API
gboolean agora_error_is_final (const GError *error) AGORA_NOEXCEPT;

G_END_DECLS
