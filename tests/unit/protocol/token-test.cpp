// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>
#include <vector>

#include "signaling/protocol/token-bytes.hpp"
#include "signaling/protocol/token.hpp"
#include "tests/suite.hpp"

namespace token_test {

namespace {

using namespace agora::protocol;

constexpr std::string_view app_id = "0123456789abcdefABCDEF9876543210";
constexpr std::string_view certificate = "fedcba98765432100123456789ABCDEF";
constexpr std::string_view channel = "la chambre bleue";
constexpr std::int64_t issued = 1700000000;
constexpr std::int64_t publish_end = issued + 1800;
constexpr std::int64_t end = issued + 3600;

// Made by the vendor's generators (npm agora-token 2.0.6 and agora-access-token 2.0.4) with the
// values above and salt 4242.
constexpr std::string_view vendor_007_uid_8 =
    "007eJxTYAiNm5s2aRvftLjJBkF62fc9vEqlvvimNzJd2zltZyNP7mcFBgNDI2MTUzNzC8vEpOSU1DRHJ2cXVzdLC3MzUxN"
    "j"
    "I0MDho/BqQJ8DAyTBBgYGBkYGVgYGBlAfCYGDnYGBmYwmwVMCjDkJCokZyTmJhWlKiTlpJamMjJYAADyNiAA";
constexpr std::string_view vendor_007_any_uid =
    "007eJxTYJC6tP7EuzMi13YYmu6+dMcg5JJk+/"
    "oQ1ZjYv3K377WLM3UqMBgYGhmbmJqZW1gmJiWnpKY5Ojm7uLpZWpibmZoY"
    "GxkaMHwMThXgY2CYJMDAwAiFIL4AQ06iQnJGYm5SUapCUk5qaSoDAwDCjyEu";
constexpr std::string_view vendor_007_account_and_rtm =
    "007eJxTYHixKf9ipZGu+"
    "kemY6cNzGdPe7AwJtiypn7TvKDEd7GPt9UpMBgYGhmbmJqZW1gmJiWnpKY5Ojm7uLpZWpibmZoY"
    "GxkaMHwMThXgY2CYJMDAwMTACMYgPhMDBzsDgwBDTqJCckZiblJRqkJSTmppKitDYk5mcipIGSODDQMDAztDcX5uan5eKg"
    "DW"
    "ASbd";
constexpr std::string_view vendor_007_rtm_only =
    "007eJwBZQCa/yAAWrQF0GisP7oXBejrkqEC/"
    "WtUhdS7ZXkWqWjtbLKtYPIgADAxMjM0NTY3ODlhYmNkZWZBQkNERUY5ODc2"
    "NTQzMjEwAPFTZRAOAACSEAAAAQACAAEAAQA8AAAABwBzb21lb25lcv8e3w==";
constexpr std::string_view vendor_006_uid_8 =
    "0060123456789abcdefABCDEF9876543210IADN7Q7BHn7jES92iQ25fk4pprChs6Bxo/"
    "5Pm0DymKLSDhW9EZ0TVwD6FgCSEAAAEP9TZQIAAQAQ/1NlAgAI+FNl";
constexpr std::string_view vendor_006_any_uid =
    "0060123456789abcdefABCDEF9876543210IAA+pHoZf19jTli/CpS/"
    "gxiWTnpYDD9euna6wXEojZX02hW9EZ0AAAAAFgCSEA"
    "AAEP9TZQIAAQAQ/1NlAgAI+FNl";
constexpr std::string_view vendor_006_account =
    "0060123456789abcdefABCDEF9876543210IADzjy4G9WZQO1vsP9EsIcmcHD1VcO44wVg4KKxTui0wPRW9EZ1HvI4nFgC"
    "SEA"
    "AAEP9TZQIAAQAQ/1NlAgAI+FNl";
constexpr std::string_view vendor_005_uid_8 =
    "005AQAoADUyRjYzOEMxQzE5MjhEQ0Q2RDdFRkY3Q0VCMjI4MzBFRTNENTRFQUIQAAEjRWeJq83vq83vmHZUMhAA8VNlkhA"
    "AAB"
    "D/U2UAAA==";
constexpr std::string_view vendor_005_any_uid =
    "005AQAoADdCQTBGMTMyOTI5QzRCNDg1M0E4OTM0NUY3QTI5M0RCNURBNDQ1ODYQAAEjRWeJq83vq83vmHZUMhAA8VNlkhA"
    "AAB"
    "D/U2UAAA==";
constexpr std::string_view vendor_005_no_upload =
    "005BAAoADYwOTFFQjMzREFBMDExRUNBRjYyMzY1NTVDQjFGRUFGMzIyRDk4QzkQAAEjRWeJq83vq83vmHZUMhAA8VNlkhA"
    "AAB"
    "D/U2UBAAEAAQAw";
constexpr std::string_view vendor_005_upload =
    "005BAAoADlBQkVBNUFGRDg4MkY3N0QzMTcxQzg0QUMzM0RBMDI0QkVDMEQ4MTAQAAEjRWeJq83vq83vmHZUMhAA8VNlkhA"
    "AAB"
    "D/U2UBAAEAAQAz";
constexpr std::string_view vendor_005_recording =
    "005AgAoAEU4M0FGQjkwMUY0OTI3NzREODY2MkJDRTZBQjU3OTdDN0NFMkFFRDMQAAEjRWeJq83vq83vmHZUMhAA8VNlkhA"
    "AAB"
    "D/U2UAAA==";

constexpr TokenKind kinds[] = {TokenKind::access_token_007, TokenKind::access_token_006,
                               TokenKind::channel_key_005};

TokenSpec spec_of (TokenKind kind, Role role = Role::broadcaster) {
  TokenSpec spec;
  spec.kind = kind;
  spec.app_id = app_id;
  spec.certificate = certificate;
  spec.channel = channel;
  spec.uid = "8";
  spec.role = role;
  spec.issued_at = issued;
  spec.expires_in = end - issued;
  spec.salt = 4242;
  return spec;
}

std::string built (const TokenSpec &spec) {
  auto result = build_token(spec);
  if (auto *error = std::get_if<TokenError>(&result))
    g_error("not built: %s", error->reason.c_str());
  return std::get<std::string>(result);
}

TokenRequest request_of (std::string_view uid = "8") {
  return {app_id, certificate, channel, uid};
}

void assert_refused (std::string_view token, const TokenRequest &request, Code code,
                     const char *reason = "", std::int64_t now = issued) {
  auto verdict = verify_token(token, request, now);
  auto *error = std::get_if<TokenError>(&verdict);
  g_assert_nonnull(error);
  g_assert_cmpint(static_cast<int>(error->code), ==, static_cast<int>(code));
  if (!strstr(error->reason.c_str(), reason))
    g_error("\"%s\" doesn't say \"%s\"", error->reason.c_str(), reason);
  g_assert_false(error->reason.empty());
  g_assert_null(strstr(error->reason.c_str(), std::string(certificate).c_str()));
}

Grant granted (std::string_view token, const TokenRequest &request, std::int64_t now = issued) {
  auto verdict = verify_token(token, request, now);
  if (auto *error = std::get_if<TokenError>(&verdict))
    g_error("refused: %s", error->reason.c_str());
  return std::get<Grant>(verdict);
}

std::string allowed (const Grant &grant, std::int64_t now = issued) {
  std::string text;
  for (int which = 1; which <= 4; which++)
    text += grant.allows(static_cast<Privilege>(which), now) ? '+' : '-';
  return text;
}

// A function, as g_assert_cmpstr() outlives the temporaries in its arguments.
void assert_text (const std::string &is, std::string_view expected) {
  std::string copy(expected);
  g_assert_cmpstr(is.c_str(), ==, copy.c_str());
}

void test_vendor_tokens () {
  static const struct {
    std::string_view token;
    const char *uid;
    const char *at_first;
    const char *at_publish_end;
  } table[] = {
      {vendor_007_uid_8, "8", "++++", "+-++"},
      {vendor_007_any_uid, "8", "+---", "+---"},
      {vendor_007_any_uid, "0", "+---", "+---"},
      {vendor_007_any_uid, "", "+---", "+---"},
      {vendor_007_any_uid, "alice", "+---", "+---"},
      {vendor_007_account_and_rtm, "alice", "++--", "+---"},
      {vendor_006_uid_8, "8", "++--", "+---"},
      {vendor_006_any_uid, "8", "++--", "+---"},
      {vendor_006_any_uid, "", "++--", "+---"},
      {vendor_006_account, "alice", "++--", "+---"},
      {vendor_005_uid_8, "8", "++++", "++++"},
      {vendor_005_any_uid, "8", "++++", "++++"},
      {vendor_005_any_uid, "4294967295", "++++", "++++"},
      {vendor_005_any_uid, "alice", "++++", "++++"},
      {vendor_005_no_upload, "8", "+---", "+---"},
      {vendor_005_upload, "8", "++++", "++++"},
  };
  for (const auto &row : table) {
    Grant grant = granted(row.token, request_of(row.uid));
    assert_text(allowed(grant), row.at_first);
    assert_text(allowed(grant, publish_end - 1), row.at_first);
    assert_text(allowed(grant, publish_end), row.at_publish_end);
    g_assert_cmpint(grant.token_ends_at, ==, end);
    g_assert_cmpint(grant.membership_ends_at(), ==, end);
  }
}

void test_vendor_spelling () {
  // 007 depends on the zlib at hand, the other two are the same to the byte.
  assert_text(built(spec_of(TokenKind::channel_key_005)), std::string(vendor_005_uid_8));
  assert_text(built(spec_of(TokenKind::channel_key_005, Role::audience)),
              std::string(vendor_005_no_upload));
  TokenSpec spec = spec_of(TokenKind::access_token_006);
  g_assert_true(built(spec).starts_with("006" + std::string(app_id) + "IA"));
}

void test_wrong_request () {
  static const std::string_view tokens[] = {vendor_007_uid_8, vendor_006_uid_8, vendor_005_uid_8};
  for (std::string_view token : tokens) {
    static const struct {
      TokenRequest request;
      const char *reason;
    } table[] = {
        {{"0123456789abcdefABCDEF987654321", certificate, channel, "8"}, ""},
        {{"ffff456789abcdefABCDEF9876543210", certificate, channel, "8"}, "app id"},
        {{"", certificate, channel, "8"}, ""},
        {{app_id, "fedcba98765432100123456789ABCDEE", channel, "8"}, "certificate"},
        {{app_id, "f", channel, "8"}, "certificate"},
        {{app_id, "", channel, "8"}, "no certificate"},
        {{app_id, certificate, "la chambre verte", "8"}, "channel"},
        {{app_id, certificate, "la chambre bleue ", "8"}, "channel"},
        {{app_id, certificate, "", "8"}, "channel"},
        {{app_id, certificate, channel, "9"}, "uid"},
        {{app_id, certificate, channel, "88"}, "uid"},
        {{app_id, certificate, channel, "0"}, "uid"},
        {{app_id, certificate, channel, ""}, "uid"},
        {{app_id, certificate, channel, "alice"}, "uid"},
    };
    for (const auto &row : table)
      assert_refused(token, row.request, Code::token_invalid, row.reason);
  }
  std::string long_channel(70000, 'c');
  for (std::string_view token : tokens)
    assert_refused(token, {app_id, certificate, long_channel, "8"}, Code::token_invalid, "channel");
  assert_refused(vendor_007_rtm_only, request_of(), Code::token_invalid, "another service");
  assert_refused(vendor_005_recording, request_of(), Code::token_invalid, "another service");
  assert_refused(vendor_007_account_and_rtm, request_of("bob"), Code::token_invalid, "uid");
  assert_refused(vendor_006_account, request_of("bob"), Code::token_invalid, "uid");
}

void test_expiry () {
  for (TokenKind kind : kinds) {
    for (Role role : {Role::audience, Role::broadcaster}) {
      std::string token = built(spec_of(kind, role));
      const char *rights = role == Role::audience ? "+---" : "++++";
      for (std::int64_t now : {std::int64_t{0}, issued - 1, issued, end - 1})
        assert_text(allowed(granted(token, request_of(), now), now), rights);
      for (std::int64_t now : {end, end + 1, std::int64_t{1} << 40})
        assert_refused(token, request_of(), Code::token_expired, "expired", now);
      // An expired token that was never good tells nothing about itself.
      TokenRequest forged = request_of();
      forged.certificate = "another";
      assert_refused(token, forged, Code::token_invalid, "certificate", end);
    }
    TokenSpec spec = spec_of(kind);
    spec.expires_in = 0;
    Grant grant = granted(built(spec), request_of(), std::int64_t{1} << 40);
    g_assert_cmpint(grant.membership_ends_at(), ==, 0);
    spec.expires_in = G_MAXUINT32 - issued;
    grant = granted(built(spec), request_of());
    g_assert_cmpint(grant.membership_ends_at(), ==, G_MAXUINT32);
  }
}

void test_grant () {
  Grant grant;
  assert_text(allowed(grant), "----");
  grant[Privilege::join_channel] = {true, 0};
  g_assert_cmpint(grant.membership_ends_at(), ==, 0);
  grant.token_ends_at = 200;
  g_assert_cmpint(grant.membership_ends_at(), ==, 200);
  grant[Privilege::join_channel].ends_at = 100;
  g_assert_cmpint(grant.membership_ends_at(), ==, 100);
  g_assert_true(grant.allows(Privilege::join_channel, 99));
  g_assert_false(grant.allows(Privilege::join_channel, 100));
  grant[Privilege::join_channel].ends_at = 300;
  g_assert_cmpint(grant.membership_ends_at(), ==, 200);
  g_assert_false(grant.allows(Privilege::join_channel, 200));
  grant.token_ends_at = 0;
  g_assert_cmpint(grant.membership_ends_at(), ==, 300);
}

void test_truncated () {
  for (TokenKind kind : kinds) {
    std::string token = built(spec_of(kind));
    for (std::size_t size = 0; size < token.size(); size++) {
      std::string_view cut = std::string_view(token).substr(0, size);
      assert_refused(cut, request_of(), Code::token_invalid);
      auto reading = read_token(cut);
      g_assert_true(std::holds_alternative<TokenError>(reading));
    }
    assert_refused(token + "A", request_of(), Code::token_invalid);
    assert_refused(token + "AAAA", request_of(), Code::token_invalid);
    assert_refused(token + "=", request_of(), Code::token_invalid);
    assert_refused(token + std::string(1, '\0'), request_of(), Code::token_invalid);
    assert_refused(" " + token, request_of(), Code::token_invalid, "begins with");
  }
}

// Whatever a flipped bit spells, it is no other token: refused, or (deflate's padding) the same.
void test_flipped () {
  for (TokenKind kind : kinds) {
    TokenSpec spec = spec_of(kind);
    std::string token = built(spec);
    Grant original = granted(token, request_of());
    unsigned same = 0;
    for (std::size_t at = 0; at < token.size() * 8; at++) {
      std::string flipped = token;
      flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
      auto verdict = verify_token(flipped, request_of(), issued);
      if (auto *grant = std::get_if<Grant>(&verdict)) {
        same++;
        g_assert_cmpint(static_cast<int>(kind), ==, static_cast<int>(TokenKind::access_token_007));
        assert_text(allowed(*grant), allowed(original));
        g_assert_cmpint(grant->membership_ends_at(), ==, original.membership_ends_at());
      }
    }
    g_assert_cmpuint(same, <=, 8);
  }
}

// Each byte of what lies under base64 and zlib is signed, or is the signature.
void test_flipped_inside () {
  std::string token = built(spec_of(TokenKind::access_token_007));
  auto packed = token_unbase64(std::string_view(token).substr(3));
  g_assert_true(packed.has_value());
  auto content = token_inflate(*packed, 4096);
  g_assert_true(content.has_value());
  for (std::size_t at = 0; at < content->size() * 8; at++) {
    std::string flipped = *content;
    flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
    assert_refused("007" + token_base64(token_deflate(flipped)), request_of(), Code::token_invalid);
  }
}

void test_bombs () {
  std::string zeros(8 << 20, '\0');
  std::string bomb = token_deflate(zeros);
  g_assert_cmpuint(bomb.size(), <, 12 << 10);
  g_assert_false(token_inflate(bomb, 64 << 10).has_value());
  assert_refused("007" + token_base64(bomb), request_of(), Code::token_invalid, "at most 8192");
  bomb = token_deflate(std::string(4 << 20, '\0'));
  assert_refused("007" + token_base64(bomb), request_of(), Code::token_invalid, "damaged");
  assert_refused("007" + std::string(1 << 20, 'A'), request_of(), Code::token_invalid,
                 "expected at most");

  // The bound is exact.
  std::string edge = token_deflate(std::string(1000, 'x'));
  g_assert_true(token_inflate(edge, 1000).has_value());
  g_assert_false(token_inflate(edge, 999).has_value());
  g_assert_false(token_inflate(edge + "x", 1000).has_value());
  g_assert_false(token_inflate("", 1000).has_value());

  // Counts that promise more than is there.
  TokenWriter writer;
  writer.string(std::string(32, 's')).string(app_id).u32(1).u32(1).u32(1).u16(0xffff);
  for (int i = 0; i < 100; i++)
    writer.u16(1).u16(0xffff);
  const std::string greedy_007 = "007" + token_base64(token_deflate(writer.bytes()));
  writer = TokenWriter();
  writer.u16(1).string("x").string(token_unhex(app_id)).u32(1).u32(1).u32(1).u16(0xffff).u16(1);
  const std::string greedy_005 = "005" + token_base64(writer.bytes());
  // The signature is looked at before what it signs is read.
  for (const std::string &greedy : {greedy_007, greedy_005}) {
    assert_refused(greedy, request_of(), Code::token_invalid, "signature");
    g_assert_true(std::holds_alternative<TokenError>(read_token(greedy)));
  }
}

// A token of so many services, each for the channel and the uid, signed as it should be.
std::string many_services (unsigned count) {
  TokenWriter body;
  body.string(app_id).u32(issued).u32(600).u32(1).u16(static_cast<std::uint16_t>(count));
  for (unsigned i = 0; i < count; i++)
    body.u16(1).numbers({{1, 600}}).string(channel).string("8");
  std::string key = token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(issued).bytes(), certificate);
  key = token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(1).bytes(), key);
  const std::string signature = token_hmac(G_CHECKSUM_SHA256, key, body.bytes());
  return "007" +
         token_base64(token_deflate(TokenWriter().string(signature).raw(body.bytes()).bytes()));
}

void test_services () {
  granted(many_services(1), request_of());
  granted(many_services(32), request_of());
  assert_refused(many_services(33), request_of(), Code::token_invalid, "damaged");
  assert_refused(many_services(8100), request_of(), Code::token_invalid, "damaged");
}

// Whether a token is for one, who then can't choose what to be.
void test_binds_uid () {
  for (TokenKind kind : kinds) {
    TokenSpec spec = spec_of(kind);
    g_assert_true(granted(built(spec), request_of()).binds_uid);
    for (const char *any : {"", "0"}) {
      spec.uid = any;
      for (const char *who : {"8", "", "0"})
        g_assert_false(granted(built(spec), request_of(who)).binds_uid);
    }
  }
}

void test_versions () {
  for (TokenKind kind : kinds) {
    g_assert_true(kind_of(built(spec_of(kind))) == kind);
    g_assert_true(kind_of(version_of(kind)) == kind);
  }
  for (const char *text : {"", "00", "008", "07", "demo"})
    g_assert_false(kind_of(text).has_value());
}

void test_garbage () {
  for (const char *text : {"", "0", "00", "007", "006", "005", "004", "007=", "007====", "007!",
                           "007eJw=", "006IA==", "005AA==", "null", "007\n", "\xff\xfe"}) {
    assert_refused(text, request_of(), Code::token_invalid);
    g_assert_true(std::holds_alternative<TokenError>(read_token(text)));
  }
}

void test_odd_ids () {
  // App ids and certificates that are no hex, short, long, or that look like base64.
  for (const char *id :
       {"demo", "x", "IA", "006", "an app with spaces", "ünïcode",
        "0123456789abcdef0123456789abcdefff", "zzzz456789abcdefABCDEF9876543210"}) {
    for (const char *secret : {"s", "secret",
                               "a certificate that is longer than one block of sha1, "
                               "which has 64 bytes"}) {
      for (TokenKind kind : kinds) {
        TokenSpec spec = spec_of(kind);
        spec.app_id = id;
        spec.certificate = secret;
        std::string token = built(spec);
        TokenRequest request{id, secret, channel, "8"};
        assert_text(allowed(granted(token, request)), "++++");
        request.certificate = "other";
        assert_refused(token, request, Code::token_invalid, "certificate");
        auto reading = read_token(token);
        auto *content = std::get_if<TokenContent>(&reading);
        g_assert_nonnull(content);
        assert_text(content->app_id, id);
      }
    }
  }
}

void test_any_uid () {
  for (TokenKind kind : kinds) {
    for (const char *uid : {"", "0"}) {
      TokenSpec spec = spec_of(kind, Role::audience);
      spec.uid = uid;
      std::string token = built(spec);
      for (const char *who : {"", "0", "1", "4294967295", "alice"})
        assert_text(allowed(granted(token, request_of(who))), "+---");
    }
  }
}

void test_read () {
  auto reading = read_token(vendor_007_uid_8);
  auto &content = std::get<TokenContent>(reading);
  g_assert_true(content.kind == TokenKind::access_token_007);
  g_assert_true(content.app_id == app_id);
  g_assert_true(content.channel == channel);
  g_assert_true(content.uid == "8");
  g_assert_cmpint(content.issued_at, ==, issued);
  g_assert_cmpuint(content.salt, ==, 4242);
  g_assert_cmpint(content.grant[Privilege::publish_audio].ends_at, ==, publish_end);

  reading = read_token(vendor_006_uid_8);
  content = std::get<TokenContent>(reading);
  g_assert_true(content.kind == TokenKind::access_token_006);
  g_assert_true(content.app_id == app_id);
  g_assert_false(content.channel.has_value());
  g_assert_false(content.uid.has_value());
  g_assert_cmpint(content.grant.token_ends_at, ==, end);
  reading = read_token(vendor_006_any_uid);
  g_assert_true(std::get<TokenContent>(reading).uid == "");

  reading = read_token(vendor_005_uid_8);
  content = std::get<TokenContent>(reading);
  g_assert_true(content.kind == TokenKind::channel_key_005);
  assert_text(content.app_id, "0123456789ABCDEFABCDEF9876543210");
  g_assert_cmpint(content.issued_at, ==, issued);
  reading = read_token(vendor_005_recording);
  assert_text(allowed(std::get<TokenContent>(reading).grant), "----");
  reading = read_token(vendor_007_rtm_only);
  assert_text(allowed(std::get<TokenContent>(reading).grant), "----");
}

void test_wrong_spec () {
  static const struct {
    void (*spoil)(TokenSpec &);
    const char *reason;
  } table[] = {
      {[] (TokenSpec &spec) { spec.app_id = ""; }, "no app id"},
      {[] (TokenSpec &spec) { spec.certificate = ""; }, "no certificate"},
      {[] (TokenSpec &spec) { spec.channel = ""; }, "no channel"},
      {[] (TokenSpec &spec) { spec.app_id = std::string(70000, 'x'); }, "70000 bytes"},
      {[] (TokenSpec &spec) { spec.channel = std::string(1025, 'x'); }, "1025 bytes"},
      {[] (TokenSpec &spec) { spec.uid = std::string(1025, '1'); }, "1025 bytes"},
      {[] (TokenSpec &spec) { spec.issued_at = -1; }, "-1"},
      {[] (TokenSpec &spec) { spec.issued_at = std::int64_t{1} << 32; }, "4294967296"},
      {[] (TokenSpec &spec) { spec.expires_in = -5; }, "-5 s"},
      {[] (TokenSpec &spec) { spec.expires_in = std::int64_t{1} << 32; }, "2106"},
      {[] (TokenSpec &spec) { spec.expires_in = G_MAXINT64; }, "2106"},
  };
  for (TokenKind kind : kinds) {
    for (const auto &row : table) {
      TokenSpec spec = spec_of(kind);
      row.spoil(spec);
      auto result = build_token(spec);
      auto *error = std::get_if<TokenError>(&result);
      g_assert_nonnull(error);
      if (!strstr(error->reason.c_str(), row.reason))
        g_error("\"%s\" doesn't say \"%s\"", error->reason.c_str(), row.reason);
    }
  }
  for (const char *uid : {"alice", "-1", "4294967296", "1 ", " 1", "1.0"}) {
    TokenSpec spec = spec_of(TokenKind::channel_key_005);
    spec.uid = uid;
    g_assert_true(std::holds_alternative<TokenError>(build_token(spec)));
    spec.kind = TokenKind::access_token_007;
    assert_text(allowed(granted(built(spec), request_of(uid))), "++++");
  }
}

void test_longest () {
  for (TokenKind kind : kinds) {
    TokenSpec spec = spec_of(kind);
    spec.app_id = std::string(1024, 'a');
    spec.channel = std::string(1024, 'c');
    assert_text(allowed(granted(built(spec), {spec.app_id, certificate, spec.channel, "8"})),
                "++++");
  }
}

void test_salt () {
  TokenSpec spec = spec_of(TokenKind::access_token_007);
  spec.salt.reset();
  std::string first = built(spec);
  std::string second = built(spec);
  g_assert_cmpstr(first.c_str(), !=, second.c_str());
  granted(first, request_of());
  granted(second, request_of());
}

// A service behind one of unknown size can't be found, one before it can.
void test_other_services () {
  auto token_with = [] (bool channel_first) {
    TokenWriter writer;
    writer.string(app_id).u32(issued).u32(3600).u32(7).u16(2);
    auto channel_service = [&writer] {
      writer.u16(1).numbers({{1, 0}, {9, 3}}).string(channel).string("8");
    };
    if (channel_first)
      channel_service();
    writer.u16(99).numbers({{1, 0}}).string("?");
    if (!channel_first)
      channel_service();
    std::string key = token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(issued).bytes(), certificate);
    key = token_hmac(G_CHECKSUM_SHA256, TokenWriter().u32(7).bytes(), key);
    std::string signature = token_hmac(G_CHECKSUM_SHA256, key, writer.bytes());
    return "007" +
           token_base64(token_deflate(TokenWriter().string(signature).raw(writer.bytes()).bytes()));
  };
  Grant grant = granted(token_with(true), request_of());
  assert_text(allowed(grant), "+---");
  assert_refused(token_with(false), request_of(), Code::token_invalid, "another service");
}

}  // namespace

static const agora::Suite suite("token", [] {
  g_test_add_func("/token/vendor-tokens", test_vendor_tokens);
  g_test_add_func("/token/vendor-spelling", test_vendor_spelling);
  g_test_add_func("/token/wrong-request", test_wrong_request);
  g_test_add_func("/token/expiry", test_expiry);
  g_test_add_func("/token/grant", test_grant);
  g_test_add_func("/token/truncated", test_truncated);
  g_test_add_func("/token/flipped", test_flipped);
  g_test_add_func("/token/flipped-inside", test_flipped_inside);
  g_test_add_func("/token/bombs", test_bombs);
  g_test_add_func("/token/services", test_services);
  g_test_add_func("/token/binds-uid", test_binds_uid);
  g_test_add_func("/token/versions", test_versions);
  g_test_add_func("/token/garbage", test_garbage);
  g_test_add_func("/token/odd-ids", test_odd_ids);
  g_test_add_func("/token/any-uid", test_any_uid);
  g_test_add_func("/token/read", test_read);
  g_test_add_func("/token/wrong-spec", test_wrong_spec);
  g_test_add_func("/token/longest", test_longest);
  g_test_add_func("/token/salt", test_salt);
  g_test_add_func("/token/other-services", test_other_services);
});

}  // namespace token_test
