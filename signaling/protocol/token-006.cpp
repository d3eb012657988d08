// SPDX-License-Identifier: LGPL-2.1-or-later
// AccessToken 006: app id as text, then base64 of (signature, CRC of the channel, CRC of the uid,
// message), the message being (salt, end, privileges). Times are absolute; 0 is none.
#include <array>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token-kinds.hpp"
#include "signaling/support/secret.hpp"

namespace agora::protocol {

namespace {

using Privileges = std::map<std::uint16_t, std::uint32_t>;

constexpr std::size_t signature_size = 32;
constexpr std::size_t vendor_app_id_size = 32;

constexpr char damaged[] = "the token is damaged: expected 006, the app id and base64";

struct Parsed {
  std::string unpacked;  // what the views below look into
  std::string_view signature;
  std::uint32_t channel_crc = 0;
  std::uint32_t uid_crc = 0;
  std::string_view message;
  std::uint32_t salt = 0;
  std::uint32_t token_ends_at = 0;
  Privileges privileges;
};

// What the signature needs; the message is read once that is known to be good.
bool open (std::string_view base64, Parsed &parsed) {
  auto unpacked = token_unbase64(base64);
  if (!unpacked)
    return false;
  parsed.unpacked = std::move(*unpacked);
  TokenReader reader(parsed.unpacked);
  parsed.signature = reader.string();
  parsed.channel_crc = reader.u32();
  parsed.uid_crc = reader.u32();
  parsed.message = reader.string();
  return reader.ok() && reader.at_end() && parsed.signature.size() == signature_size;
}

bool read_message (Parsed &parsed) {
  TokenReader message(parsed.message);
  parsed.salt = message.u32();
  parsed.token_ends_at = message.u32();
  parsed.privileges = message.numbers();
  return message.ok() && message.at_end();
}

std::string sign (std::string_view certificate, std::string_view app_id, std::string_view channel,
                  std::string_view uid, std::string_view message) {
  TokenWriter text;
  text.raw(app_id).raw(channel).raw(uid).raw(message);
  return token_hmac(G_CHECKSUM_SHA256, certificate, text.bytes());
}

Grant grant_of (const Parsed &parsed) {
  Grant grant;
  grant.token_ends_at = parsed.token_ends_at;
  for (const auto &[which, end] : parsed.privileges) {
    if (which >= 1 && which < grant.privileges.size())
      grant.privileges[which] = {true, end};
  }
  return grant;
}

}  // namespace

TokenVerdict verify_006 (std::string_view body, const TokenRequest &request, std::int64_t now) {
  if (!body.starts_with(request.app_id))
    return token_invalid("the token is for another app id");
  Parsed parsed;
  if (!open(body.substr(request.app_id.size()), parsed))
    return token_invalid(damaged);
  if (parsed.channel_crc != token_crc32(request.channel))
    return token_invalid("the token is for another channel");

  // The uid that was signed is not in the token: it is the caller's own, or one of the two that
  // stand for any.
  bool uid_fits = false;
  bool signature_fits = false;
  bool binds_uid = true;
  for (std::string_view uid : std::array<std::string_view, 3>{request.uid, "", "0"}) {
    if (parsed.uid_crc != token_crc32(uid))
      continue;
    uid_fits = true;
    std::string expected =
        sign(request.certificate, request.app_id, request.channel, uid, parsed.message);
    const bool fits = same_secret(parsed.signature, expected);
    signature_fits = fits || signature_fits;
    binds_uid = binds_uid && !(fits && binds_any_uid(uid));
  }
  if (!uid_fits)
    return token_invalid("the token is for another uid");
  if (!signature_fits)
    return token_invalid("the token's signature doesn't match the app's certificate");
  if (!read_message(parsed))
    return token_invalid(damaged);
  Grant grant = grant_of(parsed);
  grant.binds_uid = binds_uid;
  return checked_grant(grant, now);
}

TokenReading read_006 (std::string_view body) {
  // Where the app id ends is not marked. The vendor's have 32 digits; ours may have any length, so
  // the first split behind which everything fits is taken.
  Parsed parsed;
  std::size_t split = vendor_app_id_size;
  const auto parse = [&] (std::string_view base64) {
    return open(base64, parsed) && read_message(parsed);
  };
  bool found = body.size() > split && parse(body.substr(split));
  for (std::size_t at = 1; !found && at < body.size() && at <= 256; at++) {
    split = at;
    found = parse(body.substr(at));
  }
  if (!found)
    return token_invalid(damaged);
  TokenContent content{.kind = TokenKind::access_token_006,
                       .app_id = std::string(body.substr(0, split)),
                       .channel = {},
                       .uid = {},
                       .issued_at = 0,
                       .salt = parsed.salt,
                       .grant = grant_of(parsed)};
  if (parsed.uid_crc == token_crc32("") || parsed.uid_crc == token_crc32("0"))
    content.uid = "";
  return content;
}

std::string build_006 (const TokenSpec &spec, std::uint32_t salt) {
  auto end =
      static_cast<std::uint32_t>(spec.expires_in == 0 ? 0 : spec.issued_at + spec.expires_in);
  Privileges privileges{{static_cast<std::uint16_t>(Privilege::join_channel), end}};
  if (spec.role == Role::broadcaster) {
    for (auto which : {Privilege::publish_audio, Privilege::publish_video, Privilege::publish_data})
      privileges[static_cast<std::uint16_t>(which)] = end;
  }
  std::string_view uid = binds_any_uid(spec.uid) ? std::string_view() : spec.uid;
  std::string message = TokenWriter().u32(salt).u32(end).numbers(privileges).bytes();
  TokenWriter content;
  content.string(sign(spec.certificate, spec.app_id, spec.channel, uid, message));
  content.u32(token_crc32(spec.channel)).u32(token_crc32(uid)).string(message);
  return "006" + spec.app_id + token_base64(content.bytes());
}

}  // namespace agora::protocol
