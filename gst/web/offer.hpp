// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What is taken from the SDP offer of a stranger. Pure: text in, checked values out. Nothing of the
// text goes on to webrtcbin but what is read here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agora::web {

// What the session is for, as its member sees it.
enum class Kind {
  kSpeak,  // WHIP: we receive
  kHear,   // WHEP: we send
};

// Why an offer or a fragment isn't taken: an HTTP status and a sentence for people.
struct Refusal {
  int status = 0;  // 400: can't be read; 422: read, and there is nothing in it that we can use
  std::string reason;
};

// Who takes the part of the DTLS client.
enum class Setup { kActive, kPassive, kActpass };

// A candidate of the peer that we may send to: UDP, component 1, an address in digits that is one
// host's.
struct Candidate {
  std::string text;  // as `candidate:…`, written anew from what was read
  std::string address;
  bool loopback = false;
};

// A media section in its place: the answer has as many, in the same order.
struct Section {
  std::string media;     // "audio", "video", …
  std::string protocol;  // "UDP/TLS/RTP/SAVPF", …
  std::string format;    // its first one, for the refusal by port 0
  std::string mid;       // "": it has none
};

struct Fingerprint {
  std::string hash;    // "sha-256", "sha-384" or "sha-512"
  std::string digits;  // "AB:CD:…", capital letters
};

struct Offer {
  Kind kind = Kind::kSpeak;
  std::vector<Section> sections;
  std::size_t audio = 0;  // the section that is used
  // The mids of the BUNDLE group that `audio` is in, if any: all have its transport.
  std::vector<std::string> bundle;
  bool rtcp_rsize = false;
  bool ice_lite = false;
  std::uint8_t payload_type = 0;  // Opus's
  std::string ufrag, pwd;         // ICE
  Fingerprint fingerprint;        // of the peer's certificate
  Setup setup = Setup::kActpass;
  std::vector<Candidate> candidates;
  bool end_of_candidates = false;
};

// At most this long is an offer, and a fragment.
constexpr std::size_t kMaxSdp = 64 * 1024;
// So many candidates of a peer are used, in all.
constexpr std::size_t kMaxCandidates = 32;

std::variant<Offer, Refusal> read_offer (std::string_view sdp, Kind kind);

// What a PATCH brings (application/trickle-ice-sdpfrag, RFC 8840).
struct Fragment {
  std::vector<Candidate> candidates;
  bool end_of_candidates = false;
};

// Checked against its offer: other credentials are an ICE restart, which is refused with 422.
std::variant<Fragment, Refusal> read_fragment (std::string_view fragment, const Offer &offer);

}  // namespace agora::web
