// SPDX-License-Identifier: LGPL-2.1-or-later
// AccessToken 007: base64 of zlib of (signature, app id, issued, lifetime, salt, services). Times
// are seconds from issue; 0 is none.
#include <vector>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token-kinds.hpp"
#include "signaling/support/secret.hpp"

namespace agora::protocol {

namespace {

// Tokens that the vendor's generators make are under 1 KiB and have at most seven services. A
// stranger's token costs no more than that to look at.
constexpr std::size_t max_unpacked = 4 * 1024;
constexpr unsigned max_services = 32;

constexpr char damaged[] = "the token is damaged: expected 007 and base64 of a zlib stream";

enum Service : std::uint16_t {
  service_rtc = 1,
  service_rtm = 2,
  service_streaming = 3,
  service_fpa = 4,
  service_chat = 5,
  service_cdn = 6,
  service_education = 7,
};

using Privileges = std::map<std::uint16_t, std::uint32_t>;

struct Rtc {
  Privileges privileges;
  std::string_view channel;
  std::string_view uid;
};

struct Parsed {
  std::string unpacked;  // what the views below look into
  std::string_view signature;
  std::string_view signed_part;
  std::string_view app_id;
  std::uint32_t issued_at = 0;
  std::uint32_t lifetime = 0;
  std::uint32_t salt = 0;
  TokenReader rest{{}};  // at the services, which are read once the signature is known to be good
  std::vector<Rtc> services;
};

// Reads over a service that isn't about a channel. False: its size is not known, so that nothing
// behind it can be read; what came before still counts.
bool skip_service (TokenReader &reader, std::uint16_t type) {
  switch (type) {
    case service_fpa:
      break;
    case service_rtm:
    case service_chat:
      reader.string();
      break;
    case service_streaming:
    case service_cdn:
      reader.string();
      reader.string();
      break;
    case service_education:
      reader.string();
      reader.string();
      reader.u16();
      break;
    default:
      return false;
  }
  return true;
}

// Up to where the services begin: what the signature needs.
bool open (std::string_view body, Parsed &parsed) {
  auto packed = token_unbase64(body);
  if (!packed)
    return false;
  auto unpacked = token_inflate(*packed, max_unpacked);
  if (!unpacked)
    return false;
  parsed.unpacked = std::move(*unpacked);

  TokenReader reader(parsed.unpacked);
  parsed.signature = reader.string();
  parsed.signed_part = reader.rest();
  parsed.app_id = reader.string();
  parsed.issued_at = reader.u32();
  parsed.lifetime = reader.u32();
  parsed.salt = reader.u32();
  parsed.rest = reader;
  return reader.ok();
}

bool read_services (Parsed &parsed) {
  TokenReader &reader = parsed.rest;
  unsigned left = reader.u16();
  if (left > max_services)
    return false;
  for (; left > 0 && reader.ok(); left--) {
    std::uint16_t type = reader.u16();
    Privileges privileges = reader.numbers();
    if (type == service_rtc) {
      std::string_view channel = reader.string();
      std::string_view uid = reader.string();
      parsed.services.push_back({std::move(privileges), channel, uid});
    } else if (!skip_service(reader, type)) {
      return reader.ok();
    }
  }
  return reader.ok() && reader.at_end();
}

std::string sign (std::string_view certificate, std::uint32_t issued_at, std::uint32_t salt,
                  std::string_view signed_part) {
  std::string key =
      token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(issued_at).bytes(), certificate);
  key = token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(salt).bytes(), key);
  return token_hmac(G_CHECKSUM_SHA256, key, signed_part);
}

std::int64_t ends_at (std::uint32_t issued_at, std::uint32_t lifetime) {
  return lifetime == 0 ? 0 : std::int64_t{issued_at} + lifetime;
}

Grant grant_of (const Parsed &parsed, const Privileges &privileges) {
  Grant grant;
  grant.token_ends_at = ends_at(parsed.issued_at, parsed.lifetime);
  for (const auto &[which, lifetime] : privileges) {
    if (which >= 1 && which < grant.privileges.size())
      grant.privileges[which] = {true, ends_at(parsed.issued_at, lifetime)};
  }
  return grant;
}

}  // namespace

TokenVerdict verify_007 (std::string_view body, const TokenRequest &request, std::int64_t now) {
  Parsed parsed;
  if (!open(body, parsed))
    return token_invalid(damaged);
  if (parsed.app_id != request.app_id)
    return token_invalid("the token is for another app id");
  if (!same_secret(parsed.signature,
                   sign(request.certificate, parsed.issued_at, parsed.salt, parsed.signed_part)))
    return token_invalid("the token's signature doesn't match the app's certificate");
  if (!read_services(parsed))
    return token_invalid(damaged);

  bool channel_fits = false;
  for (const Rtc &rtc : parsed.services) {
    if (rtc.channel != request.channel)
      continue;
    channel_fits = true;
    if (!binds_any_uid(rtc.uid) && rtc.uid != request.uid)
      continue;
    Grant grant = grant_of(parsed, rtc.privileges);
    grant.binds_uid = !binds_any_uid(rtc.uid);
    return checked_grant(grant, now);
  }
  if (parsed.services.empty())
    return token_invalid("the token is for another service: expected one for a channel");
  return token_invalid(channel_fits ? "the token is for another uid"
                                    : "the token is for another channel");
}

TokenReading read_007 (std::string_view body) {
  Parsed parsed;
  if (!open(body, parsed) || !read_services(parsed))
    return token_invalid(damaged);
  TokenContent content{.kind = TokenKind::access_token_007,
                       .app_id = std::string(parsed.app_id),
                       .channel = {},
                       .uid = {},
                       .issued_at = parsed.issued_at,
                       .salt = parsed.salt,
                       .grant = {}};
  Privileges none;
  if (!parsed.services.empty()) {
    const Rtc &rtc = parsed.services.front();
    content.channel = rtc.channel;
    content.uid = binds_any_uid(rtc.uid) ? "" : rtc.uid;
  }
  content.grant =
      grant_of(parsed, parsed.services.empty() ? none : parsed.services.front().privileges);
  return content;
}

std::string build_007 (const TokenSpec &spec, std::uint32_t salt) {
  auto issued_at = static_cast<std::uint32_t>(spec.issued_at);
  auto lifetime = static_cast<std::uint32_t>(spec.expires_in);
  Privileges privileges{{static_cast<std::uint16_t>(Privilege::join_channel), lifetime}};
  if (spec.role == Role::broadcaster) {
    for (auto which : {Privilege::publish_audio, Privilege::publish_video, Privilege::publish_data})
      privileges[static_cast<std::uint16_t>(which)] = lifetime;
  }
  TokenWriter writer;
  writer.string(spec.app_id).u32(issued_at).u32(lifetime).u32(salt);
  writer.u16(1).u16(service_rtc).numbers(privileges);
  writer.string(spec.channel).string(binds_any_uid(spec.uid) ? "" : spec.uid);
  std::string signature = sign(spec.certificate, issued_at, salt, writer.bytes());
  return "007" +
         token_base64(token_deflate(TokenWriter().string(signature).raw(writer.bytes()).bytes()));
}

}  // namespace agora::protocol
