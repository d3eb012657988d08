// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/token.hpp"

#include <charconv>
#include <limits>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token-kinds.hpp"

namespace agora::protocol {

namespace {

constexpr std::size_t version_size = 3;
// Above what any generator makes, below what is worth unpacking for a stranger.
constexpr std::size_t max_token = 8 * 1024;
constexpr std::int64_t max_time = std::numeric_limits<std::uint32_t>::max();

constexpr char expected_kinds[] = "expected a token that begins with 007, 006 or 005";

bool is_number (std::string_view text) {
  std::uint32_t value = 0;
  const char *end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end;
}

bool over (std::int64_t ends_at, std::int64_t now) {
  return ends_at != 0 && now >= ends_at;
}

std::optional<TokenError> check_size (std::string_view token) {
  if (token.size() > max_token)
    return token_invalid("the token has " + std::to_string(token.size()) +
                         " bytes: expected at most " + std::to_string(max_token));
  return std::nullopt;
}

std::optional<std::string> wrong_spec (const TokenSpec &spec) {
  if (spec.app_id.empty())
    return "no app id was given";
  if (spec.certificate.empty())
    return "no certificate was given: an app without one takes no token";
  if (spec.channel.empty())
    return "no channel was given";
  // Far above any channel or account of the wire, and every format can carry it.
  constexpr std::size_t max_text = 1024;
  if (spec.app_id.size() > max_text)
    return "an app id of " + std::to_string(spec.app_id.size()) + " bytes: expected at most " +
           std::to_string(max_text);
  if (spec.channel.size() > max_text)
    return "a channel of " + std::to_string(spec.channel.size()) + " bytes: expected at most " +
           std::to_string(max_text);
  if (spec.uid.size() > max_text)
    return "a uid of " + std::to_string(spec.uid.size()) + " bytes: expected at most " +
           std::to_string(max_text);
  if (spec.kind == TokenKind::channel_key_005 && !spec.uid.empty() && !is_number(spec.uid))
    return "uid \"" + spec.uid + "\": a Channel Key takes numbers from 0 to 4294967295 only";
  if (spec.issued_at < 0 || spec.issued_at > max_time)
    return "issue time " + std::to_string(spec.issued_at) + ": expected 0 to 4294967295";
  if (spec.expires_in < 0 || spec.expires_in > max_time - spec.issued_at)
    return "a lifetime of " + std::to_string(spec.expires_in) +
           " s: expected 0 (none) or more, ending before the year 2106";
  return std::nullopt;
}

}  // namespace

bool Grant::allows(Privilege which, std::int64_t now) const {
  const Item &item = (*this)[which];
  return item.allowed && !over(item.ends_at, now) && !over(token_ends_at, now);
}

std::int64_t Grant::membership_ends_at() const {
  std::int64_t join = (*this)[Privilege::join_channel].ends_at;
  if (join == 0 || token_ends_at == 0)
    return join + token_ends_at;
  return std::min(join, token_ends_at);
}

std::string_view version_of (TokenKind kind) {
  switch (kind) {
    case TokenKind::access_token_007:
      return "007";
    case TokenKind::access_token_006:
      return "006";
    case TokenKind::channel_key_005:
      break;
  }
  return "005";
}

std::optional<TokenKind> kind_of (std::string_view token) {
  for (TokenKind kind : token_kinds)
    if (token.substr(0, version_size) == version_of(kind))
      return kind;
  return std::nullopt;
}

TokenError token_invalid (std::string reason) {
  return {Code::token_invalid, std::move(reason)};
}

TokenVerdict checked_grant (Grant grant, std::int64_t now) {
  if (over(grant.token_ends_at, now))
    return TokenError{Code::token_expired, "the token has expired"};
  const Grant::Item &join = grant[Privilege::join_channel];
  if (!join.allowed)
    return token_invalid("the token doesn't grant joining a channel");
  if (over(join.ends_at, now))
    return TokenError{Code::token_expired, "the token's privilege to join has expired"};
  return grant;
}

std::variant<Grant, TokenError> verify_token (std::string_view token, const TokenRequest &request,
                                              std::int64_t now) {
  if (auto error = check_size(token))
    return *error;
  // An HMAC with an empty key would be anybody's.
  if (request.certificate.empty())
    return token_invalid("the app has no certificate to check a token with");
  const auto kind = kind_of(token);
  if (!kind)
    return token_invalid(expected_kinds);
  const std::string_view body = token.substr(version_size);
  switch (*kind) {
    case TokenKind::access_token_007:
      return verify_007(body, request, now);
    case TokenKind::access_token_006:
      return verify_006(body, request, now);
    case TokenKind::channel_key_005:
      break;
  }
  return verify_005(body, request, now);
}

std::variant<TokenContent, TokenError> read_token (std::string_view token) {
  if (auto error = check_size(token))
    return *error;
  const auto kind = kind_of(token);
  if (!kind)
    return token_invalid(expected_kinds);
  const std::string_view body = token.substr(version_size);
  switch (*kind) {
    case TokenKind::access_token_007:
      return read_007(body);
    case TokenKind::access_token_006:
      return read_006(body);
    case TokenKind::channel_key_005:
      break;
  }
  return read_005(body);
}

std::variant<std::string, TokenError> build_token (const TokenSpec &spec) {
  if (auto reason = wrong_spec(spec))
    return token_invalid(std::move(*reason));
  std::uint32_t salt =
      spec.salt.value_or(static_cast<std::uint32_t>(g_random_int_range(1, 99999999)));
  switch (spec.kind) {
    case TokenKind::access_token_007:
      return build_007(spec, salt);
    case TokenKind::access_token_006:
      return build_006(spec, salt);
    case TokenKind::channel_key_005:
      return build_005(spec, salt);
  }
  return token_invalid("no such kind of token");
}

}  // namespace agora::protocol
