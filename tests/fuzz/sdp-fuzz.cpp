// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as the offer of a browser, and as a fragment with candidates. What is taken of an offer
// gives an answer with as many sections, and an offer for webrtcbin that is read as the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <glib.h>

#include "gst/web/answer.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/offer-reader.hpp"

namespace {

using namespace agora::web;

void require (bool good, const char *what, std::string_view text) {
  if (!good)
    g_error("%s: %s", what, std::string(text).c_str());
}

void check_refusal (const Refusal &refusal, std::string_view text) {
  require(refusal.status == 400 || refusal.status == 422, "refused with another status", text);
  require(!refusal.reason.empty() && refusal.reason.size() < 400, "refused without a reason", text);
  require(g_utf8_validate(refusal.reason.c_str(), -1, nullptr), "a reason that can't travel", text);
}

void check_candidates (const std::vector<Candidate> &candidates) {
  require(candidates.size() <= kMaxCandidates, "too many candidates", "");
  for (const Candidate &candidate : candidates) {
    const auto again = read_candidate(candidate.text.substr(std::string_view("candidate:").size()));
    const auto *read = std::get_if<Candidate>(&again);
    require(read && read->text == candidate.text, "another candidate", candidate.text);
  }
}

void check_answer (const Offer &offer) {
  LocalEnd local;
  local.ufrag = "ours";
  local.pwd = "ourpasswordourpassword";
  local.fingerprint = offer.fingerprint.hash + " " + offer.fingerprint.digits;
  for (const Candidate &candidate : offer.candidates)
    local.candidates.push_back(candidate.text);
  const std::string text = write_answer(offer, local);
  const auto read = read_lines(text);
  const auto *answer = std::get_if<OfferLines>(&read);
  require(answer && answer->media.size() == offer.sections.size(), "an unreadable answer", text);
  for (std::size_t at = 0; at < answer->media.size(); ++at) {
    const MediaLines &media = answer->media[at];
    require(media.section.mid == offer.sections[at].mid, "another mid", text);
    require((media.port != 0) == (at == offer.audio), "another section", text);
  }
  const MediaLines &audio = answer->media[offer.audio];
  require(audio.direction == (offer.kind == Kind::kSpeak ? "recvonly" : "sendonly") &&
              audio.opus.size() == 1 && audio.opus[0] == offer.payload_type &&
              audio.candidates.size() == offer.candidates.size() && audio.end_of_candidates,
          "another answer", text);
}

void check_offer (std::string_view text, Kind kind) {
  const auto read = read_offer(text, kind);
  if (const auto *refusal = std::get_if<Refusal>(&read))
    return check_refusal(*refusal, text);
  const auto &offer = std::get<Offer>(read);
  check_candidates(offer.candidates);
  check_answer(offer);
  const std::string rewritten = offer_for_webrtcbin(offer);
  const auto again = read_offer(rewritten, kind);
  const auto *same = std::get_if<Offer>(&again);
  require(same && same->ufrag == offer.ufrag && same->pwd == offer.pwd &&
              same->fingerprint.digits == offer.fingerprint.digits && same->setup == offer.setup &&
              same->payload_type == offer.payload_type,
          "another offer", rewritten);
}

void check_fragment (std::string_view text) {
  static const Offer offer = [] {
    Offer made;
    made.sections = {{"audio", "UDP/TLS/RTP/SAVPF", "111", "0"}};
    made.ufrag = "8hhY";
    made.pwd = "asd88fgpdd777uzjYhagZgAA";
    return made;
  }();
  const auto read = read_fragment(text, offer);
  if (const auto *refusal = std::get_if<Refusal>(&read))
    return check_refusal(*refusal, text);
  check_candidates(std::get<Fragment>(read).candidates);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  check_offer(text, Kind::kSpeak);
  check_offer(text, Kind::kHear);
  check_fragment(text);
  // As libnice would say it.
  const std::string told = told_candidate(std::string(text), "203.0.113.7", size % 2);
  require(told.empty() || told.find_first_of("\r\n") == told.npos, "a candidate of two lines",
          told);
  return 0;
}
