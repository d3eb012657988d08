// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/agora-error.h"

#include "signaling/client/errors.hpp"

namespace agora::client {

using protocol::Code;

AgoraError error_of (Code code, std::string_view reason) {
  switch (code) {
    case Code::app_invalid:
      return AGORA_ERROR_INVALID_APP;
    case Code::token_expired:
      return AGORA_ERROR_TOKEN_EXPIRED;
    case Code::token_invalid:
      return AGORA_ERROR_TOKEN_INVALID;
    case Code::token_unexpected:
      return AGORA_ERROR_TOKEN_UNEXPECTED;
    case Code::token_missing:
      return AGORA_ERROR_TOKEN_MISSING;
    case Code::bad_request:
      return reason == "banned from the channel by its operator" ? AGORA_ERROR_BANNED
                                                                 : AGORA_ERROR_BAD_REQUEST;
    case Code::bad_order:
      return AGORA_ERROR_BAD_REQUEST;
    case Code::too_many:
      return AGORA_ERROR_TOO_MANY;
    case Code::bad_role_or_uid:
      return reason == "replaced by another device" ? AGORA_ERROR_REPLACED
                                                    : AGORA_ERROR_BAD_ROLE_OR_UID;
    case Code::not_publishing:
      return AGORA_ERROR_NOT_PUBLISHING;
    case Code::not_permitted:
      return AGORA_ERROR_NOT_PERMITTED;
    case Code::not_joined:
      return AGORA_ERROR_NOT_JOINED;
    case Code::service_lost:
    case Code::overloaded:
    case Code::drain:
      return AGORA_ERROR_SERVICE_LOST;
    case Code::no_server:
      return AGORA_ERROR_NO_SERVER;
    case Code::timeout:
      return AGORA_ERROR_TIMEOUT;
    case Code::socket_gone:
      return AGORA_ERROR_SOCKET_GONE;
    case Code::unreachable:
      return AGORA_ERROR_UNREACHABLE;
    case Code::ok:
    case Code::internal:
    case Code::no_request_id:
      break;
  }
  return AGORA_ERROR_INTERNAL;
}

Trouble trouble_of (Code code, std::string_view reason, std::string_view what) {
  std::string text(what);
  text += ": ";
  text += reason.empty() ? std::string_view("refused without a reason") : reason;
  text += " (code " + std::to_string(static_cast<int>(code)) + ")";
  return {error_of(code, reason), std::move(text)};
}

bool is_final (AgoraError code) {
  switch (code) {
    case AGORA_ERROR_INVALID_APP:
    case AGORA_ERROR_TOKEN_EXPIRED:
    case AGORA_ERROR_TOKEN_INVALID:
    case AGORA_ERROR_TOKEN_UNEXPECTED:
    case AGORA_ERROR_TOKEN_MISSING:
    case AGORA_ERROR_BAD_ROLE_OR_UID:
    case AGORA_ERROR_REPLACED:
    case AGORA_ERROR_BANNED:
    case AGORA_ERROR_UNTRUSTED:
    // The same arguments in the same order will not do any better.
    case AGORA_ERROR_INVALID_ARGUMENT:
    case AGORA_ERROR_INVALID_ORDER:
      return true;
    case AGORA_ERROR_BAD_REQUEST:
    case AGORA_ERROR_TOO_MANY:
    case AGORA_ERROR_NOT_PUBLISHING:
    case AGORA_ERROR_NOT_PERMITTED:
    case AGORA_ERROR_NOT_JOINED:
    case AGORA_ERROR_INTERNAL:
    case AGORA_ERROR_SERVICE_LOST:
    case AGORA_ERROR_NO_SERVER:
    case AGORA_ERROR_TIMEOUT:
    case AGORA_ERROR_SOCKET_GONE:
    case AGORA_ERROR_UNREACHABLE:
      break;
  }
  return false;
}

}  // namespace agora::client

/**
 * agora_error_quark:
 *
 * The error domain of the library, behind the macro AGORA_ERROR.
 *
 * Returns: the quark.
 *
 * Since: 0.1
 */
GQuark agora_error_quark () noexcept {
  static const GQuark quark = g_quark_from_static_string("agora-error-quark");
  return quark;
}

/**
 * agora_error_is_final:
 * @error: an error of any domain.
 *
 * Tells whether doing the same again can only fail the same way: a refused app, token, uid, role or
 * argument, a ban, a certificate that isn't trusted, or another device that took this one's place.
 * What isn't final may pass: waiting and trying again is worth it.
 *
 * Returns: whether @error is of the domain of this library, and final.
 *
 * Since: 0.1
 */
gboolean agora_error_is_final (const GError *error) noexcept {
  return error != nullptr && error->domain == AGORA_ERROR &&
         agora::client::is_final(static_cast<AgoraError>(error->code));
}
