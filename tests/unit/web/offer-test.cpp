// SPDX-License-Identifier: LGPL-2.1-or-later
// Offers of browsers, of other clients, and broken ones: sdp/answers.txt has the right answer of
// each.
#include "gst/web/offer.hpp"

#define GST_USE_UNSTABLE_API
#include <gst/sdp/sdp.h>

#include <map>

#include "gst/web/answer.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/certificate-check.hpp"
#include "gst/web/offer-reader.hpp"
#include "signaling/support/glib-ptr.hpp"

using namespace agora;
using namespace agora::web;

namespace {

std::string file (const char *name) {
  const CharPtr path(g_test_build_filename(G_TEST_DIST, name, nullptr));
  char *text = nullptr;
  gsize size = 0;
  g_autoptr(GError) error = nullptr;
  g_file_get_contents(path.get(), &text, &size, &error);
  g_assert_no_error(error);
  const CharPtr owner(text);
  return {text, size};
}

std::string told (const Offer &offer) {
  return "takes " + std::to_string(offer.audio) + " of " + std::to_string(offer.sections.size()) +
         ", type " + std::to_string(offer.payload_type) + ", mid \"" +
         offer.sections[offer.audio].mid + "\", " + std::to_string(offer.candidates.size()) +
         " candidates, " + to_string(offer.setup);
}

std::string told (const std::variant<Offer, Refusal> &read) {
  if (const auto *offer = std::get_if<Offer>(&read))
    return told(*offer);
  const auto &refusal = std::get<Refusal>(read);
  return std::to_string(refusal.status) + " " + refusal.reason;
}

// The macro takes no text that lasts for a moment only.
void same (const std::string &is, const std::string &expected) {
  g_assert_cmpstr(is.c_str(), ==, expected.c_str());
}

LocalEnd local_end () {
  LocalEnd local;
  local.ufrag = "ours";
  local.pwd = "ourpasswordourpassword";
  std::string digits = "00";
  for (int at = 1; at < 32; ++at)
    digits += ":00";
  local.fingerprint = "sha-256 " + digits;
  local.candidates = {
      "candidate:1 1 udp 2130706431 192.0.2.9 50001 typ host",
      "candidate:2 1 udp 1694498815 198.51.100.9 50001 typ srflx raddr 0.0.0.0 rport 9"};
  local.session_id = 4711;
  local.ssrc = 12345;
  local.cname = "agora-1";
  return local;
}

// What every answer keeps to, whatever was offered.
void check_answer (const Offer &offer, const std::string &text) {
  GstSDPMessage *sdp = nullptr;
  g_assert_cmpint(gst_sdp_message_new_from_text(text.c_str(), &sdp), ==, GST_SDP_OK);
  g_assert_cmpuint(gst_sdp_message_medias_len(sdp), ==, offer.sections.size());
  for (guint at = 0; at < offer.sections.size(); ++at) {
    const GstSDPMedia *media = gst_sdp_message_get_media(sdp, at);
    const auto has = [media] (const char *name) {
      return gst_sdp_media_get_attribute_val(media, name) != nullptr;
    };
    g_assert_cmpstr(media->media, ==, offer.sections[at].media.c_str());
    g_assert_cmpstr(media->proto, ==, offer.sections[at].protocol.c_str());
    const char *mid = gst_sdp_media_get_attribute_val(media, "mid");
    g_assert_cmpstr(mid ? mid : "", ==, offer.sections[at].mid.c_str());
    if (at != offer.audio) {
      g_assert_cmpuint(media->port, ==, 0);
      g_assert_false(has("candidate") || has("ice-ufrag") || has("sendonly") || has("recvonly"));
      continue;
    }
    g_assert_cmpuint(media->port, ==, 9);
    g_assert_true(has(offer.kind == Kind::kSpeak ? "recvonly" : "sendonly"));
    g_assert_false(has("inactive") || has("sendrecv"));
    for (const char *name : {"rtcp-mux", "rtcp-mux-only", "end-of-candidates", "ice-ufrag",
                             "ice-pwd", "fingerprint", "setup", "rtpmap", "fmtp"})
      g_assert_true(has(name));
    g_assert_nonnull(gst_sdp_media_get_attribute_val_n(media, "candidate", 1));
    g_assert_null(gst_sdp_media_get_attribute_val_n(media, "candidate", 2));
    g_assert_cmpstr(gst_sdp_media_get_attribute_val(media, "setup"), ==,
                    offer.setup == Setup::kPassive ? "active" : "passive");
    g_assert_true(has("ssrc") == (offer.kind == Kind::kHear));
  }
  gst_sdp_message_free(sdp);
}

// webrtcbin gets what we read of it, and nothing else.
void check_rewritten (const Offer &offer) {
  const std::string text = offer_for_webrtcbin(offer);
  const auto read = read_offer(text, offer.kind);
  g_assert_true(std::holds_alternative<Offer>(read));
  const auto &again = std::get<Offer>(read);
  g_assert_cmpuint(again.sections.size(), ==, 1);
  g_assert_cmpuint(again.payload_type, ==, offer.payload_type);
  g_assert_cmpstr(again.ufrag.c_str(), ==, offer.ufrag.c_str());
  g_assert_cmpstr(again.pwd.c_str(), ==, offer.pwd.c_str());
  g_assert_cmpstr(again.fingerprint.digits.c_str(), ==, offer.fingerprint.digits.c_str());
  g_assert_true(again.setup == offer.setup && again.ice_lite == offer.ice_lite);
  g_assert_null(strstr(text.c_str(), "stereo"));
  GstSDPMessage *sdp = nullptr;
  g_assert_cmpint(gst_sdp_message_new_from_text(text.c_str(), &sdp), ==, GST_SDP_OK);
  gst_sdp_message_free(sdp);
}

void test_suite () {
  unsigned rows = 0, wrong = 0;
  const std::string table = file("answers.txt");
  g_auto(GStrv) lines = g_strsplit(table.c_str(), "\n", -1);
  for (char **line = lines; *line; ++line) {
    g_auto(GStrv) part = g_strsplit(*line, " ", 3);
    if (**line == '#' || g_strv_length(part) != 3)
      continue;
    ++rows;
    const bool hear = g_str_equal(part[1], "hear");
    const auto read = read_offer(file((std::string(part[0]) + ".sdp").c_str()),
                                 hear ? Kind::kHear : Kind::kSpeak);
    const std::string answer = told(read);
    const auto *offer = std::get_if<Offer>(&read);
    const bool refused_well = !offer && answer.rfind(std::string(part[2]).substr(0, 4), 0) == 0 &&
                              answer.find(part[2] + 4) != std::string::npos;
    if (offer ? answer != part[2] : !refused_well) {
      ++wrong;
      g_test_message("%s, to %s:\n  expected %s\n  got      %s", part[0], part[1], part[2],
                     answer.c_str());
    }
    if (offer) {
      check_answer(*offer, write_answer(*offer, local_end()));
      check_rewritten(*offer);
    }
  }
  g_assert_cmpuint(rows, >, 100);
  g_assert_cmpuint(wrong, ==, 0);
}

// No file of the suite is without an answer.
void test_all_have_answers () {
  const std::string table = "\n" + file("answers.txt");
  g_autoptr(GDir) folder = g_dir_open(g_test_get_dir(G_TEST_DIST), 0, nullptr);
  g_assert_nonnull(folder);
  while (const char *name = g_dir_read_name(folder)) {
    if (!g_str_has_suffix(name, ".sdp"))
      continue;
    const std::string stem(name, strlen(name) - 4);
    if (table.find("\n" + stem + " ") == std::string::npos)
      g_error("%s has no line in answers.txt", name);
  }
}

void test_sizes () {
  const std::string plain = file("plain.sdp");
  std::string large = plain;
  while (large.size() < 1 << 20)
    large += "a=x-filler:" + std::string(100, 'f') + "\r\n";
  same(told(read_offer(large, Kind::kSpeak)).substr(0, 30), "400 the SDP has 1048663 bytes:");
  std::string most = plain + "a=x-filler:";
  most += std::string(kMaxSdp - most.size() - 2, 'f') + "\r\n";
  g_assert_cmpuint(most.size(), ==, kMaxSdp);
  g_assert_true(std::holds_alternative<Offer>(read_offer(most, Kind::kSpeak)));
  same(told(read_offer(most + "\n", Kind::kSpeak)).substr(0, 28), "400 the SDP has 65537 bytes:");
  std::string lines = plain;
  for (int at = 0; at < 5000; ++at)
    lines += "a=x\r\n";
  same(told(read_offer(lines, Kind::kSpeak)), "400 line 4097 of the SDP: more lines than are read");
}

// Cut anywhere, it is read or refused; never read as another one.
void test_cut () {
  const std::string whole = file("firefox-153-hear-video.sdp");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = read_offer(std::string_view(whole).substr(0, size), Kind::kHear);
    if (const auto *offer = std::get_if<Offer>(&read))
      g_assert_cmpuint(offer->payload_type, ==, 109);
  }
}

Offer offer_of (const char *name, Kind kind) {
  return std::get<Offer>(read_offer(file(name), kind));
}

std::string told (const std::variant<Fragment, Refusal> &read) {
  if (const auto *refusal = std::get_if<Refusal>(&read))
    return std::to_string(refusal->status) + " " + refusal->reason;
  const auto &fragment = std::get<Fragment>(read);
  return std::to_string(fragment.candidates.size()) + (fragment.end_of_candidates ? " end" : "");
}

void test_fragments () {
  const Offer one = offer_of("chromium-90-trickle.sdp", Kind::kSpeak);
  const Offer two = offer_of("pion-whep.sdp", Kind::kHear);
  const Offer apart = offer_of("two-audio-not-bundled.sdp", Kind::kSpeak);
  const std::string ice = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZgAA\r\n";
  const std::string media = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";
  const std::string host = "a=candidate:1 1 UDP 2130706431 192.0.2.7 50000 typ host\r\n";
  const std::map<std::string, std::string> rows = {
      {ice + media + host, "1"},
      {ice + media + host + "a=end-of-candidates\r\n", "1 end"},
      {"a=end-of-candidates\r\n", "0 end"},
      {media + ice + host + host, "2"},
      {ice + media + "a=candidate:1 1 UDP 1 a1b2.local 50000 typ host\r\n", "0"},
      {"a=ice-ufrag:NEWu\r\na=ice-pwd:asd88fgpdd777uzjYhagZgAA\r\n" + media + host,
       "422 ICE isn't restarted here: send a new offer by POST"},
      {"a=ice-ufrag:8hhY\r\na=ice-pwd:anotherpasswordthanbefore\r\n" + media,
       "422 ICE isn't restarted here: send a new offer by POST"},
      {ice + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:7\r\n" + host,
       "400 line 4 of the SDP: mid \"7\" isn't one of the offer's"},
      {ice + media + "a=candidate:1 1 UDP 2130706431 192.0.2.7 70000 typ host\r\n",
       "400 line 5 of the SDP: candidate \"1 1 UDP 2130706431 192.0.2.7 70000 typ h…\" can't be "
       "read"},
      {"", "400 the SDP is empty"},
      {"candidate:1 1 UDP 1 192.0.2.7 5 typ host",
       "400 line 1 of the SDP: expected a letter and "
       "\"=\", not \"candidate:1 1 UDP 1 192.0.2.7 5 typ host\""},
  };
  for (const auto &[text, expected] : rows)
    same(told(read_fragment(text, one)), expected);
  same(told(read_fragment(std::string(kMaxSdp + 1, 'a'), one)).substr(0, 4), "400 ");
  std::string many = media;
  for (int at = 0; at < 200; ++at)
    many += host;
  same(told(read_fragment(many, one)), "32");
  // A bundle has one transport, whose candidates come under the mid of its first section.
  same(told(read_fragment("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" + host, two)), "1");
  same(told(read_fragment("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n" + host, apart)), "0");
}

void test_told_candidates () {
  const std::string host = "candidate:1 1 UDP 2015363327 192.168.1.5 50000 typ host";
  const std::string loopback = "candidate:4 1 UDP 2015364095 127.0.0.1 40866 typ host";
  same(told_candidate(host, "", false), "candidate:1 1 udp 2015363327 192.168.1.5 50000 typ host");
  same(told_candidate(host, "203.0.113.7", false),
       "candidate:1 1 udp 2015363327 203.0.113.7 50000 typ host");
  same(told_candidate(loopback, "203.0.113.7", true),
       "candidate:4 1 udp 2015364095 127.0.0.1 40866 typ host");
  same(told_candidate(loopback, "", false), "");
  same(told_candidate("candidate:7 1 UDP 5 198.51.100.2 6 typ srflx raddr 10.0.0.1 rport 7",
                      "203.0.113.7", false),
       "candidate:7 1 udp 5 198.51.100.2 6 typ srflx raddr 0.0.0.0 rport 9");
  same(told_candidate("candidate:2 1 TCP 1015022591 192.168.1.5 9 typ host tcptype active", "",
                      true),
       "");
}

// A port was opened at one family's address: by the other's nobody comes to it.
void test_families_of_candidates () {
  const std::string v4 = "candidate:1 1 UDP 5 192.168.1.5 50004 typ host";
  const std::string v6 = "candidate:2 1 UDP 6 2001:db8::5 50006 typ host";
  const std::string private_v6 = "candidate:3 1 UDP 7 fd00::5 50007 typ host";
  const std::string loopback_v6 = "candidate:4 1 UDP 8 ::1 50008 typ host";
  same(told_candidate(v6, "203.0.113.7", false), "candidate:2 1 udp 6 2001:db8::5 50006 typ host");
  same(told_candidate(private_v6, "203.0.113.7", false), "");
  same(told_candidate(private_v6, "", false), "candidate:3 1 udp 7 fd00::5 50007 typ host");
  same(told_candidate(loopback_v6, "203.0.113.7", true), "candidate:4 1 udp 8 ::1 50008 typ host");
  same(told_candidate(v6, "2001:db8::99", false),
       "candidate:2 1 udp 6 2001:db8::99 50006 typ host");
  same(told_candidate(v4, "2001:db8::99", false), "");

  LocalEnd local;
  same(tell_candidates(local, {v4, v4, private_v6}, "203.0.113.7", false), "");
  g_assert_cmpuint(local.candidates.size(), ==, 1);
  same(local.candidates[0], "candidate:1 1 udp 5 203.0.113.7 50004 typ host");
  local = {};
  same(tell_candidates(local, {private_v6}, "203.0.113.7", false),
       "--public-ip=203.0.113.7: this machine has no address of IPv4 that it could stand for");
  same(tell_candidates(local, {v4}, "2001:db8::99", false),
       "--public-ip=2001:db8::99: this machine has no address of IPv6 that it could stand for");
  same(tell_candidates(local, {}, "203.0.113.7", false),
       "this machine has no address that it could be reached at");
}

// RFC 4648's "foobar" stands for a certificate.
void test_fingerprints () {
  const std::string pem = "-----BEGIN CERTIFICATE-----\nZm9v\nYmFy\n-----END CERTIFICATE-----\n";
  Fingerprint right{
      "sha-256",
      "C3:AB:8F:F1:37:20:E8:AD:90:47:DD:39:46:6B:3C:89:74:E5:92:C2:FA:38:3D:4A:39:60:71:"
      "4C:AE:F0:C4:F2"};
  g_assert_true(has_fingerprint(pem, right));
  Fingerprint wrong = right;
  wrong.digits.back() = '3';
  g_assert_false(has_fingerprint(pem, wrong));
  g_assert_false(has_fingerprint(pem, {"sha-512", right.digits}));
  g_assert_false(has_fingerprint("", right));
  g_assert_false(has_fingerprint("-----BEGIN CERTIFICATE-----\nZm9v", right));
}

void test_who_may_be_sent_to () {
  struct Case {
    const char *address;
    Reach reach;
  };
  const Case cases[] = {{"127.0.0.1", Reach::kLoopback},
                        {"127.9.9.9", Reach::kLoopback},
                        {"::1", Reach::kLoopback},
                        {"10.1.2.3", Reach::kSite},
                        {"172.16.0.1", Reach::kSite},
                        {"172.31.255.1", Reach::kSite},
                        {"172.32.0.1", Reach::kWorld},
                        {"192.168.9.9", Reach::kSite},
                        {"169.254.169.254", Reach::kSite},
                        {"100.64.0.1", Reach::kSite},
                        {"100.128.0.1", Reach::kWorld},
                        {"198.18.0.1", Reach::kSite},
                        {"9.255.255.255", Reach::kWorld},
                        {"fd00::1", Reach::kSite},
                        {"fc00::1", Reach::kSite},
                        {"64:ff9b::a00:1", Reach::kSite},
                        {"2002:a00:1::", Reach::kSite},
                        {"2001:db8::1", Reach::kWorld},
                        {"203.0.113.9", Reach::kWorld},
                        {"somewhere", Reach::kWorld},
                        {"", Reach::kWorld}};
  for (const auto &[address, reach] : cases) {
    if (reach_of(address) != reach)
      g_error("%s", address);
    Candidate candidate;
    candidate.address = address;
    g_assert_true(may_send_to(candidate, Reach::kLoopback));
    g_assert_cmpint(may_send_to(candidate, Reach::kSite), ==, reach != Reach::kLoopback);
    g_assert_cmpint(may_send_to(candidate, Reach::kWorld), ==, reach == Reach::kWorld);
  }
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/offer/suite", test_suite);
  g_test_add_func("/web/offer/all-have-answers", test_all_have_answers);
  g_test_add_func("/web/offer/sizes", test_sizes);
  g_test_add_func("/web/offer/cut", test_cut);
  g_test_add_func("/web/offer/fragments", test_fragments);
  g_test_add_func("/web/offer/told-candidates", test_told_candidates);
  g_test_add_func("/web/offer/families-of-candidates", test_families_of_candidates);
  g_test_add_func("/web/offer/fingerprints", test_fingerprints);
  g_test_add_func("/web/offer/who-may-be-sent-to", test_who_may_be_sent_to);
  return g_test_run();
}
