// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a token, as the inside of one, and as the description of one to be made: nothing
// that isn't signed is granted, and what was made is accepted.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <glib.h>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token.hpp"

namespace {

using namespace agora::protocol;

// What the seeds were made with: tests/unit/protocol/token-test.cpp.
constexpr std::string_view app_id = "0123456789abcdefABCDEF9876543210";
constexpr std::string_view certificate = "fedcba98765432100123456789ABCDEF";
constexpr std::string_view channel = "la chambre bleue";
constexpr std::int64_t now = 1700000000;

bool same (const Grant &a, const Grant &b) {
  for (std::size_t i = 0; i < a.privileges.size(); i++)
    if (a.privileges[i].allowed != b.privileges[i].allowed ||
        a.privileges[i].ends_at != b.privileges[i].ends_at)
      return false;
  return a.token_ends_at == b.token_ends_at;
}

void require (bool good, const char *what) {
  if (!good)
    g_error("%s", what);
}

void check_token (std::string_view token) {
  TokenRequest request{app_id, certificate, channel, "8"};
  auto verdict = verify_token(token, request, now);
  auto reading = read_token(token);
  if (auto *error = std::get_if<TokenError>(&verdict)) {
    require(!error->reason.empty(), "refused without a reason");
    require(error->code == Code::token_invalid || error->code == Code::token_expired,
            "refused with another code");
    return;
  }
  auto *content = std::get_if<TokenContent>(&reading);
  require(content != nullptr, "granted, but not readable");
  const auto &grant = std::get<Grant>(verdict);
  require(grant.allows(Privilege::join_channel, now), "granted, but not to join");
  require(content->channel || same(grant, content->grant), "granted what it doesn't say");
  request.certificate = "another";
  require(std::holds_alternative<TokenError>(verify_token(token, request, now)),
          "granted whatever it was signed with");
}

void check_inside (std::string_view bytes) {
  if (bytes.empty())
    return;
  check_token("007" + token_base64(token_deflate(bytes)));
  check_token("007" + token_base64(bytes));
  check_token("006" + std::string(app_id) + token_base64(bytes));
  check_token("005" + token_base64(bytes));
}

void check_made (std::string_view bytes) {
  TokenReader reader(bytes);
  TokenSpec spec;
  spec.kind = static_cast<TokenKind>(reader.u16() % 3);
  spec.role = reader.u16() % 2 ? Role::broadcaster : Role::audience;
  spec.issued_at = reader.u32();
  spec.expires_in = reader.u32();
  spec.salt = reader.u32();
  spec.app_id = reader.string();
  spec.certificate = reader.string();
  spec.channel = reader.string();
  spec.uid = reader.string();
  if (!reader.ok())
    return;
  auto made = build_token(spec);
  if (auto *error = std::get_if<TokenError>(&made)) {
    require(!error->reason.empty(), "not made without a reason");
    return;
  }
  const std::string &token = std::get<std::string>(made);
  TokenRequest request{spec.app_id, spec.certificate, spec.channel, spec.uid};
  auto verdict = verify_token(token, request, spec.issued_at);
  auto *grant = std::get_if<Grant>(&verdict);
  require(grant != nullptr, "made, but not accepted");
  require(
      grant->allows(Privilege::publish_audio, spec.issued_at) == (spec.role == Role::broadcaster),
      "made for another role");
  require(grant->membership_ends_at() == (spec.expires_in ? spec.issued_at + spec.expires_in : 0),
          "made for another time");
  require(std::holds_alternative<TokenContent>(read_token(token)), "made, but not readable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  check_token(bytes);
  check_inside(bytes);
  check_made(bytes);
  return 0;
}
