// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/codes.hpp"

#include "signaling/agora-error.h"

namespace agora::web {

namespace {

using protocol::Code;

Code code_of (AgoraError code) {
  switch (code) {
    case AGORA_ERROR_INVALID_ARGUMENT:
    case AGORA_ERROR_BAD_REQUEST:
      return Code::bad_request;
    case AGORA_ERROR_INVALID_ORDER:
      return Code::bad_order;
    case AGORA_ERROR_INVALID_APP:
      return Code::app_invalid;
    case AGORA_ERROR_TOKEN_EXPIRED:
      return Code::token_expired;
    case AGORA_ERROR_TOKEN_INVALID:
      return Code::token_invalid;
    case AGORA_ERROR_TOKEN_UNEXPECTED:
      return Code::token_unexpected;
    case AGORA_ERROR_TOKEN_MISSING:
      return Code::token_missing;
    case AGORA_ERROR_TOO_MANY:
      return Code::too_many;
    case AGORA_ERROR_BAD_ROLE_OR_UID:
    case AGORA_ERROR_REPLACED:
      return Code::bad_role_or_uid;
    case AGORA_ERROR_NOT_PUBLISHING:
      return Code::not_publishing;
    case AGORA_ERROR_NOT_PERMITTED:
    case AGORA_ERROR_BANNED:
      return Code::not_permitted;
    case AGORA_ERROR_NOT_JOINED:
      return Code::not_joined;
    case AGORA_ERROR_SERVICE_LOST:
      return Code::service_lost;
    case AGORA_ERROR_NO_SERVER:
      return Code::no_server;
    case AGORA_ERROR_TIMEOUT:
      return Code::timeout;
    case AGORA_ERROR_SOCKET_GONE:
      return Code::socket_gone;
    case AGORA_ERROR_UNREACHABLE:
    case AGORA_ERROR_UNTRUSTED:
      return Code::unreachable;
    case AGORA_ERROR_INTERNAL:
      break;
  }
  return Code::internal;
}

}  // namespace

Trouble trouble_of (const GError &error) {
  const bool ours = error.domain == AGORA_ERROR;
  return {ours ? code_of(static_cast<AgoraError>(error.code)) : Code::internal, error.message};
}

unsigned status_of (Code code) {
  switch (code) {
    case Code::ok:
      return 200;
    case Code::app_invalid:
      return 404;
    case Code::token_expired:
    case Code::token_invalid:
    case Code::token_unexpected:
    case Code::token_missing:
      return 401;
    case Code::not_permitted:
      return 403;
    case Code::bad_role_or_uid:
    case Code::not_publishing:
    case Code::not_joined:
      return 409;
    case Code::bad_request:
    case Code::bad_order:
      return 400;
    case Code::too_many:
    case Code::service_lost:
    case Code::overloaded:
    case Code::drain:
    case Code::socket_gone:
    case Code::unreachable:
    case Code::no_server:
      return 503;
    case Code::timeout:
      return 504;
    case Code::internal:
    case Code::no_request_id:
      break;
  }
  return 500;
}

}  // namespace agora::web
