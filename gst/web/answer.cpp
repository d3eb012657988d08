// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/answer.hpp"

#include <algorithm>

#include "gst/web/candidate.hpp"
#include "gst/web/sdp-lines.hpp"

namespace agora::web {

namespace {

void line (std::string &sdp, const std::string &text) {
  sdp += text + "\r\n";
}

std::string opus_lines (const Offer &offer, const char *fmtp) {
  const std::string type = std::to_string(offer.payload_type);
  return "a=rtpmap:" + type + " opus/48000/2\r\na=fmtp:" + type + " " + fmtp + "\r\n";
}

// As browsers do, in their place and with their mid: RFC 9429, section 5.3.1.
void refuse_section (std::string &sdp, const Section &section) {
  line(sdp, "m=" + section.media + " 0 " + section.protocol + " " + section.format);
  line(sdp, "c=IN IP4 0.0.0.0");
  line(sdp, "a=inactive");
  if (!section.mid.empty())
    line(sdp, "a=mid:" + section.mid);
}

void accept_section (std::string &sdp, const Offer &offer, const LocalEnd &local) {
  const Section &section = offer.sections[offer.audio];
  line(sdp, "m=audio 9 " + section.protocol + " " + std::to_string(offer.payload_type));
  line(sdp, "c=IN IP4 0.0.0.0");
  line(sdp, "a=rtcp:9 IN IP4 0.0.0.0");
  line(sdp, "a=ice-ufrag:" + local.ufrag);
  line(sdp, "a=ice-pwd:" + local.pwd);
  line(sdp, "a=fingerprint:" + local.fingerprint);
  line(sdp, std::string("a=setup:") + to_string(our_setup(offer)));
  if (!section.mid.empty())
    line(sdp, "a=mid:" + section.mid);
  line(sdp, offer.kind == Kind::kSpeak ? "a=recvonly" : "a=sendonly");
  line(sdp, "a=rtcp-mux");
  line(sdp, "a=rtcp-mux-only");
  if (offer.rtcp_rsize)
    line(sdp, "a=rtcp-rsize");
  sdp += opus_lines(offer, "minptime=10;useinbandfec=1");
  line(sdp, "a=ptime:20");
  if (offer.kind == Kind::kHear) {
    line(sdp, "a=msid:agora audio");
    line(sdp, "a=ssrc:" + std::to_string(local.ssrc) + " cname:" + local.cname);
  }
  for (const std::string &candidate : local.candidates)
    line(sdp, "a=" + candidate);
  line(sdp, "a=end-of-candidates");
}

bool is_v6 (std::string_view address) {
  return address.find(':') != address.npos;
}

}  // namespace

const char *to_string (Setup setup) {
  switch (setup) {
    case Setup::kActive:
      return "active";
    case Setup::kPassive:
      return "passive";
    case Setup::kActpass:
      break;
  }
  return "actpass";
}

Setup our_setup (const Offer &offer) {
  return offer.setup == Setup::kPassive ? Setup::kActive : Setup::kPassive;
}

std::string offer_for_webrtcbin (const Offer &offer) {
  std::string sdp;
  line(sdp, "v=0");
  line(sdp, "o=- 1 1 IN IP4 0.0.0.0");
  line(sdp, "s=-");
  line(sdp, "t=0 0");
  line(sdp, "a=group:BUNDLE audio");
  line(sdp, "a=ice-options:trickle");
  if (offer.ice_lite)
    line(sdp, "a=ice-lite");
  line(sdp, "m=audio 9 UDP/TLS/RTP/SAVPF " + std::to_string(offer.payload_type));
  line(sdp, "c=IN IP4 0.0.0.0");
  line(sdp, "a=mid:audio");
  line(sdp, "a=ice-ufrag:" + offer.ufrag);
  line(sdp, "a=ice-pwd:" + offer.pwd);
  line(sdp, "a=fingerprint:" + offer.fingerprint.hash + " " + offer.fingerprint.digits);
  line(sdp, std::string("a=setup:") + to_string(offer.setup));
  line(sdp, offer.kind == Kind::kSpeak ? "a=sendonly" : "a=recvonly");
  line(sdp, "a=rtcp-mux");
  if (offer.rtcp_rsize)
    line(sdp, "a=rtcp-rsize");
  // No word about stereo: of one that differs from ours webrtcbin makes "inactive".
  sdp += "a=rtpmap:" + std::to_string(offer.payload_type) + " OPUS/48000/2\r\n";
  return sdp;
}

std::string write_answer (const Offer &offer, const LocalEnd &local) {
  std::string sdp;
  line(sdp, "v=0");
  line(sdp, "o=- " + std::to_string(local.session_id) + " 1 IN IP4 0.0.0.0");
  line(sdp, "s=-");
  line(sdp, "t=0 0");
  if (!offer.bundle.empty())
    line(sdp, "a=group:BUNDLE " + offer.sections[offer.audio].mid);
  line(sdp, "a=ice-options:trickle ice2");
  for (std::size_t at = 0; at < offer.sections.size(); ++at)
    if (at == offer.audio)
      accept_section(sdp, offer, local);
    else
      refuse_section(sdp, offer.sections[at]);
  return sdp;
}

std::string told_candidate (const std::string &candidate, const std::string &public_ip,
                            bool loopback) {
  constexpr std::string_view kPrefix = "candidate:";
  if (candidate.compare(0, kPrefix.size(), kPrefix) != 0)
    return {};
  auto read = read_candidate(std::string_view(candidate).substr(kPrefix.size()));
  auto *ours = std::get_if<Candidate>(&read);
  if (!ours || (ours->loopback && !loopback))
    return {};
  const std::vector<std::string_view> word = words(candidate);
  const bool host = word[7] == "host";
  const bool replaced = host && !public_ip.empty() && !ours->loopback;
  const bool rewritten = replaced && is_v6(ours->address) == is_v6(public_ip);
  if (replaced && !rewritten && reach_of(ours->address) != Reach::kWorld)
    return {};
  std::string told;
  for (std::size_t at = 0; at < 8; ++at) {
    told += at ? " " : "";
    told += at == 2 ? "udp" : at == 4 && rewritten ? std::string_view(public_ip) : word[at];
  }
  // RFC 8839 wants a related address of all but a host's; which one it is concerns nobody.
  if (!host)
    told += " raddr 0.0.0.0 rport 9";
  return told;
}

std::string tell_candidates (LocalEnd &local, const std::vector<std::string> &candidates,
                             const std::string &public_ip, bool loopback) {
  auto &known = local.candidates;
  for (const std::string &candidate : candidates) {
    std::string told = told_candidate(candidate, public_ip, loopback);
    if (!told.empty() && std::find(known.begin(), known.end(), told) == known.end())
      known.push_back(std::move(told));
  }
  if (!known.empty())
    return "";
  if (candidates.empty() || public_ip.empty())
    return "this machine has no address that it could be reached at";
  return "--public-ip=" + public_ip + ": this machine has no address of IPv" +
         (is_v6(public_ip) ? "6" : "4") + " that it could stand for";
}

}  // namespace agora::web
