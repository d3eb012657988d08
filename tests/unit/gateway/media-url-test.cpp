// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/media-url.hpp"

#include <glib.h>

#include <set>

#include "signaling/support/secret.hpp"
#include "tests/suite.hpp"

namespace media_url_test {

using namespace agora::gateway;

namespace {

const std::string secret = "0123456789abcdef0123456789abcdef";
const std::string stream = "00112233445566778899aabbccddeeff";

void what_is_written_is_read () {
  const UrlSigner signer(secret, "live");
  const std::string text = signer.write(Direction::push, stream, 0x1234, UINT64_MAX, 1'900'000'000);
  g_assert_cmpuint(text.size(), <, 200);
  g_assert_cmpuint(text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_=&"),
                   ==, std::string::npos);
  const auto args = parse_url_args(text);
  g_assert_true(args.has_value());
  g_assert_cmpuint(args->member, ==, 0x1234);
  g_assert_cmpuint(args->grant, ==, UINT64_MAX);
  g_assert_cmpint(args->expires_at, ==, 1'900'000'000);
  g_assert_true(signer.verify(Direction::push, stream, *args));
}

void everything_is_bound () {
  const UrlSigner signer(secret, "live");
  const UrlArgs good = *parse_url_args(signer.write(Direction::play, stream, 5, 6, 1'900'000'000));
  g_assert_true(signer.verify(Direction::play, stream, good));

  g_assert_false(signer.verify(Direction::push, stream, good));
  g_assert_false(signer.verify(Direction::play, stream + "0", good));
  g_assert_false(UrlSigner(secret, "other").verify(Direction::play, stream, good));
  g_assert_false(UrlSigner(secret + "x", "live").verify(Direction::play, stream, good));
  // Bytes that wander from one field to its neighbour don't sign the same.
  g_assert_false(UrlSigner(secret, "liv").verify(Direction::play, "e" + stream, good));
  UrlArgs bad = good;
  bad.member++;
  g_assert_false(signer.verify(Direction::play, stream, bad));
  bad = good;
  bad.grant++;
  g_assert_false(signer.verify(Direction::play, stream, bad));
  bad = good;
  bad.expires_at++;
  g_assert_false(signer.verify(Direction::play, stream, bad));
  for (std::size_t i = 0; i < good.signature.size(); i++) {
    bad = good;
    bad.signature[i] = bad.signature[i] == 'A' ? 'B' : 'A';
    g_assert_false(signer.verify(Direction::play, stream, bad));
  }
  bad = good;
  bad.signature.clear();
  g_assert_false(signer.verify(Direction::play, stream, bad));
}

void other_forms_are_refused () {
  const std::string good = UrlSigner(secret, "live").write(Direction::push, stream, 5, 6, 7);
  g_assert_true(parse_url_args(good).has_value());
  const std::string m = "m=0000000000000005", g = "g=0000000000000006", e = "e=7";
  const std::string s = good.substr(good.find("s="));
  g_assert_true(m + "&" + g + "&" + e + "&" + s == good);
  const std::string refused[] = {
      "",
      "&",
      good + "&",
      "&" + good,
      good + "&x=1",
      good + "&" + m,
      m + "&" + good,
      m + "&&" + g + "&" + e + "&" + s,
      g + "&" + m + "&" + e + "&" + s,
      m + "&" + g + "&" + e,
      m + "&" + g + "&" + s,
      "M" + good.substr(1),
      "m=5&" + g + "&" + e + "&" + s,
      "m=000000000000000A&" + g + "&" + e + "&" + s,
      "m=-000000000000005&" + g + "&" + e + "&" + s,
      m + "&" + g + "&e=&" + s,
      m + "&" + g + "&e=07&" + s,
      m + "&" + g + "&e=-7&" + s,
      m + "&" + g + "&e=7x&" + s,
      m + "&" + g + "&e=9999999999999999999999&" + s,
      m + "&" + g + "&" + e + "&s=",
      m + "&" + g + "&" + e + "&" + s + "A",
      m + "&" + g + "&" + e + "&" + s.substr(0, s.size() - 1),
  };
  for (const std::string &text : refused)
    if (parse_url_args(text))
      g_error("taken: %s", text.c_str());
}

void names_are_random () {
  std::set<std::string> names;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 1000; i++) {
    names.insert(random_stream(agora::kernel_random));
    ids.insert(random_id(agora::kernel_random));
  }
  g_assert_cmpuint(names.size(), ==, 1000);
  g_assert_cmpuint(ids.size(), ==, 1000);
  g_assert_cmpuint(names.begin()->size(), ==, 32);
  // 0 means none, so it is never drawn.
  int draws = 0;
  const Random zero_first = [&draws] (std::span<std::uint8_t> out) {
    for (std::uint8_t &byte : out)
      byte = draws ? 1 : 0;
    draws++;
  };
  g_assert_cmpuint(random_id(zero_first), ==, 0x0101010101010101);
}

void hosts () {
  const struct {
    const char *text;
    const char *host;
  } rows[] = {
      {"gw.example", "gw.example"},
      {"127.0.0.1", "127.0.0.1"},
      {"my_host-1", "my_host-1"},
      {"::1", "[::1]"},
      {"[::1]", "[::1]"},
      {"fe80::1%eth0", "[fe80::1]"},
      {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]"},
      {"", ""},
      {"[]", ""},
      {":", ""},
      {"a b", ""},
      {"a/b", ""},
      {"a@b", ""},
      {"a?b", ""},
      {"evil\r\nx", ""},
      {"host:80", ""},
  };
  for (const auto &row : rows)
    g_assert_true(url_host(row.text) == row.host);
  g_assert_true(url_host(std::string(254, 'a')).empty());
}

}  // namespace

static const agora::Suite suite("media-url", [] {
  g_test_add_func("/gateway/media-url/round-trip", what_is_written_is_read);
  g_test_add_func("/gateway/media-url/bound", everything_is_bound);
  g_test_add_func("/gateway/media-url/other-forms", other_forms_are_refused);
  g_test_add_func("/gateway/media-url/random", names_are_random);
  g_test_add_func("/gateway/media-url/hosts", hosts);
});

}  // namespace media_url_test
