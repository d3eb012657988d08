// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/media-url.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "signaling/support/hex.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t id_digits = 16;
constexpr std::size_t signature_chars = 43;  // 32 bytes in base64url without padding

struct HmacUnref {
  void operator()(GHmac *hmac) const { g_hmac_unref(hmac); }
};

std::string hex (std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); i++)
    bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  return to_hex(bytes);
}

std::string base64url (std::span<const std::uint8_t> bytes) {
  g_autofree char *padded = g_base64_encode(bytes.data(), bytes.size());
  std::string text(padded);
  while (text.ends_with('='))
    text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

bool lower_hex (std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [] (char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool digits (std::string_view text) {
  return std::all_of(text.begin(), text.end(), [] (char c) { return c >= '0' && c <= '9'; });
}

// Takes "key=value" off the front of `rest`, with the '&' that follows.
std::optional<std::string_view> take (std::string_view &rest, std::string_view key) {
  if (!rest.starts_with(key) || rest.size() <= key.size() || rest[key.size()] != '=')
    return {};
  rest.remove_prefix(key.size() + 1);
  const std::size_t end = rest.find('&');
  const std::string_view value = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return value;
}

std::optional<std::uint64_t> parse_id (std::string_view text) {
  if (text.size() != id_digits || !lower_hex(text))
    return {};
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

std::optional<std::int64_t> parse_time (std::string_view text) {
  if (text.empty() || text.size() > 15 || !digits(text) || (text.size() > 1 && text[0] == '0'))
    return {};
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::uint64_t random_id (const Random &random) {
  std::uint64_t id = 0;
  while (id == 0) {
    std::array<std::uint8_t, 8> bytes;
    random(bytes);
    for (std::uint8_t byte : bytes)
      id = id << 8 | byte;
  }
  return id;
}

std::string random_stream (const Random &random) {
  std::array<std::uint8_t, 16> bytes;
  random(bytes);
  return to_hex(bytes);
}

std::optional<UrlArgs> parse_url_args (std::string_view text) {
  // take() swallows one separator, so that a trailing one would pass unseen.
  if (text.ends_with('&'))
    return {};
  const auto member = take(text, "m");
  const auto grant = take(text, "g");
  const auto expires = take(text, "e");
  const auto signature = take(text, "s");
  if (!member || !grant || !expires || !signature || !text.empty())
    return {};
  const auto member_id = parse_id(*member);
  const auto grant_id = parse_id(*grant);
  const auto expires_at = parse_time(*expires);
  if (!member_id || !grant_id || !expires_at || signature->size() != signature_chars)
    return {};
  return UrlArgs{*member_id, *grant_id, *expires_at, std::string(*signature)};
}

UrlSigner::UrlSigner(std::string secret, std::string app)
    : secret_(std::move(secret)), app_(std::move(app)) {
}

std::string UrlSigner::sign(Direction direction, std::string_view stream, std::uint64_t member,
                            std::uint64_t grant, std::int64_t expires_at) const {
  // Lengths go with the free texts, so that no two sets of fields make the same bytes.
  std::string bound = "agora media url 1\n";
  bound += direction == Direction::push   ? "push\n"
           : direction == Direction::play ? "play\n"
                                          : "relay\n";
  bound += std::to_string(app_.size()) + '\n' + app_ + '\n';
  bound += std::to_string(stream.size()) + '\n';
  bound += stream;
  bound += '\n' + hex(member) + '\n' + hex(grant) + '\n' + std::to_string(expires_at);

  std::unique_ptr<GHmac, HmacUnref> hmac(g_hmac_new(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar *>(secret_.data()), secret_.size()));
  g_hmac_update(hmac.get(), reinterpret_cast<const guchar *>(bound.data()),
                static_cast<gssize>(bound.size()));
  std::array<std::uint8_t, 32> digest;
  gsize length = digest.size();
  g_hmac_get_digest(hmac.get(), digest.data(), &length);
  return base64url(digest);
}

std::string UrlSigner::write(Direction direction, std::string_view stream, std::uint64_t member,
                             std::uint64_t grant, std::int64_t expires_at) const {
  return "m=" + hex(member) + "&g=" + hex(grant) + "&e=" + std::to_string(expires_at) +
         "&s=" + sign(direction, stream, member, grant, expires_at);
}

bool UrlSigner::verify(Direction direction, std::string_view stream, const UrlArgs &args) const {
  return same_secret(args.signature,
                     sign(direction, stream, args.member, args.grant, args.expires_at));
}

std::string url_host (std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']'))
    text = text.substr(1, text.size() - 2);
  if (text.empty() || text.size() > 253)
    return {};
  const std::string host(text);
  if (host.find(':') != std::string::npos) {
    // A zone belongs to the gateway's machine and means nothing to the client.
    const std::string bare = host.substr(0, host.find('%'));
    const bool fits = bare.size() > 1 && std::all_of(bare.begin(), bare.end(), [] (char c) {
                        return g_ascii_isxdigit(c) || c == ':' || c == '.';
                      });
    return fits ? "[" + bare + "]" : std::string();
  }
  const bool fits = std::all_of(host.begin(), host.end(), [] (char c) {
    return g_ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  });
  return fits ? host : std::string();
}

}  // namespace agora::gateway
