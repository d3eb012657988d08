// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/certificate-check.hpp"

#include <glib.h>

#include <cctype>

#include "signaling/support/glib-ptr.hpp"

namespace agora::web {

namespace {

GChecksumType type_of (const std::string &hash) {
  return hash == "sha-512"   ? G_CHECKSUM_SHA512
         : hash == "sha-384" ? G_CHECKSUM_SHA384
                             : G_CHECKSUM_SHA256;
}

}  // namespace

std::string fingerprint_of (const std::string &pem, const std::string &hash) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  const std::size_t begin = pem.find(kBegin);
  const std::size_t end = begin == pem.npos ? pem.npos : pem.find(kEnd, begin);
  if (end == pem.npos)
    return {};
  const std::size_t from = begin + kBegin.size();
  gsize size = 0;
  g_autofree guchar *der = g_base64_decode(pem.substr(from, end - from).c_str(), &size);
  const CharPtr digits(g_compute_checksum_for_data(type_of(hash), der, size));
  std::string text;
  for (const char *at = digits.get(); *at; at += 2) {
    text += text.empty() ? "" : ":";
    text += static_cast<char>(std::toupper(at[0]));
    text += static_cast<char>(std::toupper(at[1]));
  }
  return text;
}

bool has_fingerprint (const std::string &pem, const Fingerprint &fingerprint) {
  return !fingerprint.digits.empty() && fingerprint_of(pem, fingerprint.hash) == fingerprint.digits;
}

}  // namespace agora::web
