// SPDX-License-Identifier: LGPL-2.1-or-later
// Channel Key 005: base64 of (service, signature, app id, issued, salt, end, extra). Channel and
// uid are signed, but not in it. Times are absolute; 0 is none.
#include <array>
#include <charconv>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token-kinds.hpp"
#include "signaling/support/secret.hpp"

namespace agora::protocol {

namespace {

enum Service : std::uint16_t {
  service_media_channel = 1,
  service_in_channel_permission = 4,
};

constexpr std::uint16_t extra_allow_upload = 1;
constexpr char upload_none[] = "0";
constexpr char upload_audio_and_video[] = "3";

constexpr char damaged[] = "the token is damaged: expected 005 and base64 of a Channel Key";

struct Parsed {
  std::string unpacked;  // what the views below look into
  std::uint16_t service = 0;
  std::string_view signature;  // 40 upper-case hex digits
  std::string_view app_id;     // 16 bytes, where the app id is 32 hex digits
  std::uint32_t issued_at = 0;
  std::uint32_t salt = 0;
  std::uint32_t token_ends_at = 0;
  std::string_view raw_extra;
  std::map<std::uint16_t, std::string> extra;
};

// What the signature needs; what else is granted is read once that is known to be good.
bool open (std::string_view body, Parsed &parsed) {
  auto unpacked = token_unbase64(body);
  if (!unpacked)
    return false;
  parsed.unpacked = std::move(*unpacked);
  TokenReader reader(parsed.unpacked);
  parsed.service = reader.u16();
  parsed.signature = reader.string();
  parsed.app_id = reader.string();
  parsed.issued_at = reader.u32();
  parsed.salt = reader.u32();
  parsed.token_ends_at = reader.u32();
  parsed.raw_extra = reader.rest();
  return reader.ok();
}

bool read_extra (Parsed &parsed) {
  TokenReader reader(parsed.raw_extra);
  parsed.extra = reader.texts();
  return reader.ok() && reader.at_end();
}

std::string sign (std::string_view certificate, const Parsed &parsed, std::string_view channel,
                  std::uint32_t uid) {
  TokenWriter message;
  message.u16(parsed.service).string(parsed.app_id).u32(parsed.issued_at).u32(parsed.salt);
  message.string(channel).u32(uid).u32(parsed.token_ends_at).raw(parsed.raw_extra);
  return token_hex(token_hmac(G_CHECKSUM_SHA1, token_unhex(certificate), message.bytes()));
}

Grant grant_of (const Parsed &parsed) {
  auto upload = parsed.extra.find(extra_allow_upload);
  bool publishes = parsed.service == service_media_channel ||
                   (upload != parsed.extra.end() && upload->second == upload_audio_and_video);
  Grant grant;
  grant.token_ends_at = parsed.token_ends_at;
  grant[Privilege::join_channel].allowed = true;
  for (auto which : {Privilege::publish_audio, Privilege::publish_video, Privilege::publish_data})
    grant[which].allowed = publishes;
  return grant;
}

bool is_for_a_channel (const Parsed &parsed) {
  return parsed.service == service_media_channel || parsed.service == service_in_channel_permission;
}

}  // namespace

TokenVerdict verify_005 (std::string_view body, const TokenRequest &request, std::int64_t now) {
  Parsed parsed;
  if (!open(body, parsed))
    return token_invalid(damaged);
  if (parsed.app_id != token_unhex(request.app_id))
    return token_invalid("the token is for another app id");
  if (request.channel.size() > TokenWriter::max_string)
    return token_invalid("the token is for another channel");

  // A text account has no number to be signed: only a key for any uid fits it.
  std::uint32_t uid = 0;
  const char *end = request.uid.data() + request.uid.size();
  if (std::from_chars(request.uid.data(), end, uid).ptr != end)
    uid = 0;
  bool signature_fits = false;
  bool binds_uid = true;
  for (std::uint32_t candidate : std::array<std::uint32_t, 2>{uid, 0}) {
    std::string expected = sign(request.certificate, parsed, request.channel, candidate);
    const bool fits = same_secret(parsed.signature, expected);
    signature_fits = fits || signature_fits;
    binds_uid = binds_uid && !(fits && candidate == 0);
  }
  if (!signature_fits)
    return token_invalid(
        "the token's signature doesn't match the app's certificate, the channel and the uid");
  if (!read_extra(parsed))
    return token_invalid(damaged);
  if (!is_for_a_channel(parsed))
    return token_invalid("the token is for another service: expected a media channel key");
  Grant grant = grant_of(parsed);
  grant.binds_uid = binds_uid;
  return checked_grant(grant, now);
}

TokenReading read_005 (std::string_view body) {
  Parsed parsed;
  if (!open(body, parsed) || !read_extra(parsed))
    return token_invalid(damaged);
  TokenContent content{
      .kind = TokenKind::channel_key_005,
      .app_id = parsed.app_id.size() == 16 ? token_hex(parsed.app_id) : std::string(parsed.app_id),
      .channel = {},
      .uid = {},
      .issued_at = parsed.issued_at,
      .salt = parsed.salt,
      .grant = {}};
  if (is_for_a_channel(parsed))
    content.grant = grant_of(parsed);
  else
    content.grant.token_ends_at = parsed.token_ends_at;
  return content;
}

std::string build_005 (const TokenSpec &spec, std::uint32_t salt) {
  std::uint32_t uid = 0;
  std::from_chars(spec.uid.data(), spec.uid.data() + spec.uid.size(), uid);
  std::string app_id = token_unhex(spec.app_id);
  // An audience gets the one key of this format that lets in and forbids to publish.
  bool publishes = spec.role == Role::broadcaster;
  std::string extra = publishes ? TokenWriter().texts({}).bytes()
                                : TokenWriter().texts({{extra_allow_upload, upload_none}}).bytes();
  Parsed parsed;
  parsed.service = publishes ? service_media_channel : service_in_channel_permission;
  parsed.app_id = app_id;
  parsed.issued_at = static_cast<std::uint32_t>(spec.issued_at);
  parsed.salt = salt;
  parsed.token_ends_at =
      static_cast<std::uint32_t>(spec.expires_in == 0 ? 0 : spec.issued_at + spec.expires_in);
  parsed.raw_extra = extra;
  TokenWriter content;
  content.u16(parsed.service).string(sign(spec.certificate, parsed, spec.channel, uid));
  content.string(app_id).u32(parsed.issued_at).u32(salt).u32(parsed.token_ends_at).raw(extra);
  return "005" + token_base64(content.bytes());
}

}  // namespace agora::protocol
