// SPDX-License-Identifier: LGPL-2.1-or-later
// The digests of the handshake. They are no protection, everybody knows the keys: players use them
// to tell one kind of server from another.
#include <glib.h>

#include <algorithm>
#include <initializer_list>
#include <numeric>

#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/handshake.hpp"

namespace agora::relay::rtmp {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kDigestRange = 728;

Digest hmac (Bytes key, std::initializer_list<Bytes> parts) {
  g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, key.data(), key.size());
  for (Bytes part : parts)
    g_hmac_update(hmac, part.data(), static_cast<gssize>(part.size()));
  Digest digest = {};
  gsize size = digest.size();
  g_hmac_get_digest(hmac, digest.data(), &size);
  return digest;
}

}  // namespace

std::string_view player_key () {
  return "Genuine Adobe Flash Player 001"sv;
}

std::string_view server_key () {
  return "Genuine Adobe Flash Media Server 001"
         "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57"
         "\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae"sv;
}

std::size_t digest_offset (Bytes hello, DigestScheme scheme) {
  // Four bytes, whose sum tells the place; behind them, where it may be.
  const std::size_t base = scheme == DigestScheme::first ? 8 : 772;
  const Bytes told = hello.subspan(base, 4);
  return std::accumulate(told.begin(), told.end(), std::size_t{0}) % kDigestRange + base + 4;
}

Digest hello_digest (Bytes hello, std::size_t offset, std::string_view key) {
  return hmac(as_bytes(key), {hello.first(offset), hello.subspan(offset + sizeof(Digest))});
}

Digest reply_digest (Bytes reply, const Digest &answered, std::string_view key) {
  const Digest own = hmac(as_bytes(key), {answered});
  return hmac(own, {reply.first(reply.size() - sizeof(Digest))});
}

}  // namespace agora::relay::rtmp
