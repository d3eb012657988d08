// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// All of an offer that is looked at, section by section, before it is known what of it is used.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gst/web/offer.hpp"
#include "gst/web/sdp-lines.hpp"

namespace agora::web {

// What may stand in a section, or before the first one for all of them.
struct TransportLines {
  std::string ufrag, pwd;
  std::optional<Fingerprint> fingerprint;  // the strongest that we know
  std::optional<Setup> setup;
  std::string direction;  // "sendrecv", …; "": not said
};

struct MediaLines : TransportLines {
  std::size_t line = 0;
  Section section;
  std::uint32_t port = 0;
  bool rtp = false;  // its formats are payload types
  std::vector<std::uint8_t> formats;
  std::vector<std::uint8_t> opus;  // payload types of `opus/48000/2`, in the order of the lines
  bool bundle_only = false, rtcp_mux = false, rtcp_rsize = false;
  std::vector<Candidate> candidates;
  bool end_of_candidates = false;
};

struct OfferLines {
  TransportLines session;
  bool ice_lite = false;
  std::vector<std::vector<std::string>> bundles;  // mids
  std::vector<MediaLines> media;
};

std::variant<OfferLines, Refusal> read_lines (std::string_view sdp);

}  // namespace agora::web
