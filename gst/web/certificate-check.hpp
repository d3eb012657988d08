// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whether the certificate that DTLS got is the one whose fingerprint the offer has. webrtcbin
// doesn't look: without this, whoever is on the way of the packets could be the peer.
#pragma once

#include <string>

#include "gst/web/offer.hpp"

namespace agora::web {

// `pem`: one certificate. "AB:CD:…", or nothing where there is none.
std::string fingerprint_of (const std::string &pem, const std::string &hash);
bool has_fingerprint (const std::string &pem, const Fingerprint &fingerprint);

}  // namespace agora::web
