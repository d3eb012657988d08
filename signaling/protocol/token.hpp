// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The three public token formats (docs/protocol.md, section 7): parse, verify, build. Pure: time
// comes in as an argument. No secret is ever part of an error text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "signaling/protocol/messages.hpp"

namespace agora::protocol {

enum class Privilege { join_channel = 1, publish_audio = 2, publish_video = 3, publish_data = 4 };
enum class TokenKind { access_token_007, access_token_006, channel_key_005 };
inline constexpr std::array token_kinds{TokenKind::access_token_007, TokenKind::access_token_006,
                                        TokenKind::channel_key_005};
// The three digits that a token of that kind begins with.
std::string_view version_of (TokenKind kind);
// By its first three digits alone; nothing: no kind that is known.
std::optional<TokenKind> kind_of (std::string_view token);

// What a verified token allows. Times are seconds since the epoch; 0 means: never ends.
struct Grant {
  struct Item {
    bool allowed = false;
    std::int64_t ends_at = 0;
  };
  std::array<Item, 5> privileges{};  // indexed by Privilege
  std::int64_t token_ends_at = 0;
  bool binds_uid = false;  // it is for the one uid or account that was asked for, not for any

  const Item &operator[](Privilege which) const { return privileges[static_cast<int>(which)]; }
  Item &operator[](Privilege which) { return privileges[static_cast<int>(which)]; }
  // Whether the privilege is granted and neither it nor the token has ended at `now`.
  bool allows (Privilege which, std::int64_t now) const;
  // When the membership ends: the earlier of the token's and the join privilege's end; 0: never.
  std::int64_t membership_ends_at () const;
};

struct TokenRequest {
  std::string_view app_id;
  std::string_view certificate;
  std::string_view channel;
  // The decimal uid, or the text account. A token that binds a uid fits that one alone: "" and "0"
  // (assign one) fit only a token for any.
  std::string_view uid;
};

struct TokenError {
  Code code = Code::token_invalid;  // token_invalid or token_expired
  std::string reason;
};

// Checks form, signature (in constant time), app id, channel, uid and expiry at `now`.
std::variant<Grant, TokenError> verify_token (std::string_view token, const TokenRequest &request,
                                              std::int64_t now);

// What a token says about itself, unverified: for people and tools, never for a decision.
struct TokenContent {
  TokenKind kind = TokenKind::access_token_007;
  std::string app_id;  // 005: upper-case hex digits where it was packed as bytes
  // Nothing where the format has only its checksum (006) or signature (005).
  std::optional<std::string> channel;
  std::optional<std::string> uid;  // "": any
  std::int64_t issued_at = 0;      // 0: the format doesn't say
  std::uint32_t salt = 0;
  Grant grant;
};
std::variant<TokenContent, TokenError> read_token (std::string_view token);

struct TokenSpec {
  TokenKind kind = TokenKind::access_token_007;
  std::string app_id;  // 32 hex digits for the vendor's own parsers; any text for ours
  std::string certificate;
  std::string channel;
  std::string uid;             // "" or "0": any
  Role role = Role::audience;  // broadcaster: the publish privileges as well
  std::int64_t issued_at = 0;
  std::int64_t expires_in = 0;        // seconds; 0: never
  std::optional<std::uint32_t> salt;  // nothing: random
};
// The error names the value that doesn't fit the format and what was expected.
std::variant<std::string, TokenError> build_token (const TokenSpec &spec);

}  // namespace agora::protocol
