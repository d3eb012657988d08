// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The two descriptions that we write ourselves: the offer as webrtcbin gets it, with the one
// section that is used, and the answer as the peer gets it. Pure.
#pragma once

#include <string>
#include <vector>

#include "gst/web/offer.hpp"

namespace agora::web {

// Without candidates: those are given one by one.
std::string offer_for_webrtcbin (const Offer &offer);

// Passive where the peer leaves it to us: WHIP asks for it, and a peer behind a firewall begins.
Setup our_setup (const Offer &offer);
const char *to_string (Setup setup);

struct LocalEnd {
  std::string ufrag, pwd;
  std::string fingerprint;              // as behind "a=fingerprint:"
  std::vector<std::string> candidates;  // "candidate:…"
  std::uint64_t session_id = 0;
  std::uint32_t ssrc = 0;  // of what we send
  std::string cname;
};

std::string write_answer (const Offer &offer, const LocalEnd &local);

// `candidate` as libnice words it, in the standard's words, with the address that is to be told
// ("": its own). That one goes with a port of its own family alone: what listens at IPv6 isn't
// there by IPv4. Nothing ("") for one that no peer is told of: TCP, loopback unless `loopback`,
// and beside a public address private ones of the other family.
std::string told_candidate (const std::string &candidate, const std::string &public_ip,
                            bool loopback);
// Those of `candidates` that the peer is told, once each, into `local`. "": there are some; else
// why there is none.
std::string tell_candidates (LocalEnd &local, const std::vector<std::string> &candidates,
                             const std::string &public_ip, bool loopback);

}  // namespace agora::web
