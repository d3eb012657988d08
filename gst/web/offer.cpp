// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/offer.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "gst/web/candidate.hpp"
#include "gst/web/offer-reader.hpp"

namespace agora::web {

namespace {

constexpr std::array<std::string_view, 3> kProtocols = {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP",
                                                        "RTP/SAVPF"};

Refusal useless (std::string reason) {
  return {422, std::move(reason)};
}

// The group that holds the section, as the indices of its sections; its first one has the transport
// of all.
std::vector<std::size_t> bundle_of (const OfferLines &offer, std::size_t index) {
  const std::string &mid = offer.media[index].section.mid;
  for (const auto &group : offer.bundles) {
    if (mid.empty() || std::find(group.begin(), group.end(), mid) == group.end())
      continue;
    std::vector<std::size_t> found;
    for (const std::string &name : group)
      for (std::size_t at = 0; at < offer.media.size(); ++at)
        if (offer.media[at].section.mid == name &&
            std::find(found.begin(), found.end(), at) == found.end())
          found.push_back(at);
    return found;
  }
  return {};
}

std::string direction_of (const OfferLines &offer, const MediaLines &media) {
  if (!media.direction.empty())
    return media.direction;
  return offer.session.direction.empty() ? "sendrecv" : offer.session.direction;
}

// Why this section can't be used; nothing where it can.
std::string why_not (const OfferLines &offer, const MediaLines &media, Kind kind) {
  const std::string where = "the audio section of line " + std::to_string(media.line);
  if (media.port == 0 && !media.bundle_only)
    return where + " is off: its port is 0";
  if (std::find(kProtocols.begin(), kProtocols.end(), media.section.protocol) == kProtocols.end())
    return where + " has protocol " + cited(media.section.protocol) +
           ": expected UDP/TLS/RTP/SAVPF";
  if (media.opus.empty())
    return where + " has no Opus: expected a=rtpmap:… opus/48000/2";
  const std::string direction = direction_of(offer, media);
  const std::string_view wanted = kind == Kind::kSpeak ? "sendonly" : "recvonly";
  if (direction != wanted && direction != "sendrecv")
    return where + " is " + direction + ": expected " + std::string(wanted) +
           (kind == Kind::kSpeak ? " to speak" : " to hear");
  if (!media.rtcp_mux)
    return where + " has no a=rtcp-mux";
  return {};
}

// Of the section, else of the one that its bundle names first, else of all.
struct Transport {
  std::string ufrag, pwd;
  std::optional<Fingerprint> fingerprint;
  std::optional<Setup> setup;

  void take (const TransportLines &lines) {
    if (ufrag.empty() && pwd.empty()) {
      ufrag = lines.ufrag;
      pwd = lines.pwd;
    }
    if (!fingerprint)
      fingerprint = lines.fingerprint;
    if (!setup)
      setup = lines.setup;
  }
};

void take_candidates (Offer &offer, const MediaLines &media) {
  for (const Candidate &candidate : media.candidates) {
    const bool known =
        std::any_of(offer.candidates.begin(), offer.candidates.end(),
                    [&candidate] (const Candidate &other) { return other.text == candidate.text; });
    if (!known && offer.candidates.size() < kMaxCandidates)
      offer.candidates.push_back(candidate);
  }
  offer.end_of_candidates |= media.end_of_candidates;
}

std::variant<Offer, Refusal> use (const OfferLines &lines, std::size_t index, Kind kind) {
  const MediaLines &media = lines.media[index];
  const std::vector<std::size_t> bundle = bundle_of(lines, index);
  Transport transport;
  transport.take(media);
  if (!bundle.empty())
    transport.take(lines.media[bundle.front()]);
  transport.take(lines.session);
  if (transport.ufrag.empty() || transport.pwd.empty())
    return useless(std::string("the offer has no ") +
                   (transport.ufrag.empty() ? "a=ice-ufrag" : "a=ice-pwd") + " for its audio");
  if (!transport.fingerprint)
    return useless("the offer has no a=fingerprint of sha-256, sha-384 or sha-512 for its audio");

  Offer offer;
  offer.kind = kind;
  for (const MediaLines &each : lines.media)
    offer.sections.push_back(each.section);
  offer.audio = index;
  for (const std::size_t each : bundle)
    offer.bundle.push_back(lines.media[each].section.mid);
  offer.rtcp_rsize = media.rtcp_rsize;
  offer.ice_lite = lines.ice_lite;
  offer.payload_type = media.opus.front();
  offer.ufrag = std::move(transport.ufrag);
  offer.pwd = std::move(transport.pwd);
  offer.fingerprint = *transport.fingerprint;
  offer.setup = transport.setup.value_or(Setup::kActpass);
  take_candidates(offer, media);
  if (!bundle.empty() && bundle.front() != index)
    take_candidates(offer, lines.media[bundle.front()]);
  return offer;
}

}  // namespace

std::variant<Offer, Refusal> read_offer (std::string_view sdp, Kind kind) {
  auto read = read_lines(sdp);
  if (auto *refusal = std::get_if<Refusal>(&read))
    return std::move(*refusal);
  const auto &lines = std::get<OfferLines>(read);
  std::string why = "the offer has no section \"m=audio\"";
  bool first = true;
  for (std::size_t index = 0; index < lines.media.size(); ++index) {
    const MediaLines &media = lines.media[index];
    if (media.section.media != "audio")
      continue;
    std::string reason = why_not(lines, media, kind);
    if (reason.empty())
      return use(lines, index, kind);
    if (first)
      why = std::move(reason);
    first = false;
  }
  return useless(std::move(why));
}

std::variant<Fragment, Refusal> read_fragment (std::string_view text, const Offer &offer) {
  auto split = split_lines(text);
  if (auto *refusal = std::get_if<Refusal>(&split))
    return std::move(*refusal);
  Fragment fragment;
  // Before the first section it is of all of them, or of the one that there is.
  bool ours = true;
  for (const SdpLine &line : std::get<std::vector<SdpLine>>(split)) {
    if (line.type == 'm') {
      ours = true;  // until its mid says otherwise
    } else if (line.type != 'a') {
      continue;
    } else if (line.name == "mid") {
      // A bundle's candidates come under the mid of its first section.
      const bool known =
          std::any_of(offer.sections.begin(), offer.sections.end(),
                      [&line] (const Section &section) { return section.mid == line.value; });
      if (!known)
        return unreadable(line.number, "mid " + cited(line.value) + " isn't one of the offer's");
      ours = line.value == offer.sections[offer.audio].mid ||
             std::find(offer.bundle.begin(), offer.bundle.end(), line.value) != offer.bundle.end();
    } else if (line.name == "ice-ufrag" || line.name == "ice-pwd") {
      const std::string &expected = line.name == "ice-ufrag" ? offer.ufrag : offer.pwd;
      if (ours && line.value != expected)
        return useless("ICE isn't restarted here: send a new offer by POST");
    } else if (line.name == "candidate") {
      auto read = read_candidate(line.value);
      if (std::holds_alternative<BadCandidate>(read))
        return unreadable(line.number, "candidate " + cited(line.value) + " can't be read");
      auto *candidate = std::get_if<Candidate>(&read);
      if (candidate && ours && fragment.candidates.size() < kMaxCandidates)
        fragment.candidates.push_back(std::move(*candidate));
    } else if (line.name == "end-of-candidates") {
      fragment.end_of_candidates |= ours;
    }
  }
  return fragment;
}

}  // namespace agora::web
