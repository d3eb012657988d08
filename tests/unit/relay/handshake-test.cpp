// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/handshake.hpp"

#include <glib.h>

#include <algorithm>

#include "signaling/relay/rtmp/bytes.hpp"
#include "tests/suite.hpp"

namespace handshake_test {

using namespace agora::relay::rtmp;

namespace {

using Hello = std::array<std::uint8_t, kHandshakeBytes>;

Hello make_hello (std::uint32_t version) {
  Hello hello = {};
  for (std::size_t i = 8; i < hello.size(); ++i)
    hello[i] = static_cast<std::uint8_t>(i * 7 + 3);
  for (std::size_t i = 0; i < 4; ++i)
    hello[4 + i] = static_cast<std::uint8_t>(version >> (24 - 8 * i));
  return hello;
}

std::string client_bytes (const Hello &c1, char version = 3) {
  std::string bytes(1, version);
  append_bytes(bytes, c1);
  return bytes + std::string(kHandshakeBytes, 'c');
}

// In pieces of `piece` bytes; the answer.
std::string shake (const std::string &bytes, std::size_t piece, Handshake::Step expected,
                   std::size_t left = 0) {
  Handshake handshake;
  std::string out;
  Handshake::Step step = Handshake::Step::more;
  std::size_t at = 0;
  while (step == Handshake::Step::more && at < bytes.size()) {
    Bytes input = as_bytes(bytes).subspan(at, std::min(piece, bytes.size() - at));
    const std::size_t before = input.size();
    step = handshake.feed(input, out, 42, 0x01020304);
    at += before - input.size();
    // Nothing is kept for the peer once it has its answer.
    g_assert_true(out.empty() || handshake.memory() == 0);
  }
  g_assert_true(step == expected);
  g_assert_cmpuint(bytes.size() - at, ==, left);
  return out;
}

const std::size_t pieces[] = {1, 2, 7, 1536, 1537, 1538, 3072, 3073, 5000};

void simple () {
  const Hello c1 = make_hello(0);
  const std::string bytes = client_bytes(c1);
  for (std::size_t piece : pieces) {
    const std::string out = shake(bytes, piece, Handshake::Step::done);
    g_assert_cmpuint(out.size(), ==, 1 + 2 * kHandshakeBytes);
    g_assert_true(out[0] == 3);
    g_assert_true(out.substr(1, 8) == std::string("\1\2\3\4\0\0\0\0", 8));
    g_assert_true(std::ranges::equal(as_bytes(out).subspan(1 + kHandshakeBytes), c1));
  }
}

void what_follows_is_left () {
  const std::string bytes = client_bytes(make_hello(0)) + "chunks";
  shake(bytes, bytes.size(), Handshake::Step::done, 6);
}

void unfinished () {
  const std::string bytes = client_bytes(make_hello(0));
  for (std::size_t size : {std::size_t{1}, std::size_t{1536}}) {
    g_assert_true(shake(bytes.substr(0, size), 100, Handshake::Step::more).empty());
  }
  g_assert_false(shake(bytes.substr(0, 3072), 100, Handshake::Step::more).empty());
}

void other_versions () {
  for (int version : {0, 2, 4, 6, 8, int{'G'}, 22, 255}) {
    const std::string out = shake(client_bytes(make_hello(0), static_cast<char>(version)), 1,
                                  Handshake::Step::broken, 2 * kHandshakeBytes);
    g_assert_true(out.empty());
  }
}

void random_differs () {
  const std::string bytes = client_bytes(make_hello(0));
  std::string outs[2];
  for (std::uint64_t seed : {0, 1}) {
    Handshake handshake;
    Bytes input = as_bytes(bytes);
    handshake.feed(input, outs[seed], seed, 0);
  }
  g_assert_true(outs[0] != outs[1]);
}

void digest () {
  for (DigestScheme scheme : {DigestScheme::first, DigestScheme::second}) {
    for (unsigned start : {0U, 200U, 255U}) {
      Hello c1 = make_hello(0x80000702);
      c1[scheme == DigestScheme::first ? 8 : 772] = static_cast<std::uint8_t>(start);
      const std::size_t offset = digest_offset(c1, scheme);
      const Digest digest = hello_digest(c1, offset, player_key());
      std::ranges::copy(digest, c1.begin() + static_cast<std::ptrdiff_t>(offset));
      for (std::size_t piece : pieces) {
        const std::string out = shake(client_bytes(c1), piece, Handshake::Step::done);
        g_assert_cmpuint(out.size(), ==, 1 + 2 * kHandshakeBytes);
        const Bytes s1 = as_bytes(out).subspan(1, kHandshakeBytes);
        const Bytes s2 = as_bytes(out).subspan(1 + kHandshakeBytes);
        g_assert_cmpuint(read_u32(&s1[4]), !=, 0);
        // Where the player looks for it, and under the key that it asks for.
        const std::size_t at = digest_offset(s1, scheme);
        const Digest own = hello_digest(s1, at, server_key().substr(0, kServerKeyText));
        g_assert_true(std::ranges::equal(s1.subspan(at, own.size()), own));
        const Digest reply = reply_digest(s2, digest, server_key());
        g_assert_true(std::ranges::equal(s2.last(reply.size()), reply));
      }
      // One bit of it, and it is no digest: the simple answer.
      c1[offset] ^= 1;
      const std::string out = shake(client_bytes(c1), 5000, Handshake::Step::done);
      g_assert_true(std::ranges::equal(as_bytes(out).subspan(1 + kHandshakeBytes), c1));
    }
  }
}

void offsets_stay_inside () {
  for (DigestScheme scheme : {DigestScheme::first, DigestScheme::second}) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Hello hello = {};
      std::ranges::fill(hello, static_cast<std::uint8_t>(byte));
      const std::size_t offset = digest_offset(hello, scheme);
      const std::size_t from = scheme == DigestScheme::first ? 12 : 776;
      g_assert_cmpuint(offset, >=, from);
      g_assert_cmpuint(offset + sizeof(Digest), <=, from + 728 + sizeof(Digest) - 1);
      g_assert_cmpuint(offset + sizeof(Digest), <=, kHandshakeBytes);
    }
  }
}

// Against HMAC of all bytes at once.
void known_digest () {
  Hello hello = {};
  const Digest digest = hello_digest(hello, 12, player_key());
  g_autofree char *text =
      g_compute_hmac_for_data(G_CHECKSUM_SHA256, as_bytes(player_key()).data(), player_key().size(),
                              hello.data(), hello.size() - sizeof(Digest));
  for (std::size_t i = 0; i < digest.size(); ++i) {
    g_assert_cmpint(digest[i], ==,
                    g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
  }
  g_assert_cmpuint(server_key().size(), ==, 68);
  g_assert_cmpuint(player_key().size(), ==, 30);
}

}  // namespace

static const agora::Suite suite("handshake", [] {
  g_test_add_func("/relay/handshake/simple", simple);
  g_test_add_func("/relay/handshake/what-follows-is-left", what_follows_is_left);
  g_test_add_func("/relay/handshake/unfinished", unfinished);
  g_test_add_func("/relay/handshake/other-versions", other_versions);
  g_test_add_func("/relay/handshake/random-differs", random_differs);
  g_test_add_func("/relay/handshake/digest", digest);
  g_test_add_func("/relay/handshake/offsets-stay-inside", offsets_stay_inside);
  g_test_add_func("/relay/handshake/known-digest", known_digest);
});

}  // namespace handshake_test
