// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the three token formats share: little-endian packing, base64, zlib, HMAC. Internal to
// token*.cpp. Readers never throw: once something was out of bounds they stay failed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <glib.h>

namespace agora::protocol {

class TokenReader {
 public:
  explicit TokenReader(std::string_view bytes) : rest_(bytes) {}

  std::uint16_t u16 ();
  std::uint32_t u32 ();
  std::string_view string ();  // 16 bits of length, then that many bytes
  std::map<std::uint16_t, std::uint32_t> numbers ();
  std::map<std::uint16_t, std::string> texts ();

  bool ok () const { return ok_; }
  bool at_end () const { return rest_.empty(); }
  std::string_view rest () const { return rest_; }

 private:
  std::string_view take (std::size_t size);

  std::string_view rest_;
  bool ok_ = true;
};

class TokenWriter {
 public:
  TokenWriter &u16 (std::uint16_t value);
  TokenWriter &u32 (std::uint32_t value);
  TokenWriter &string (std::string_view text);  // at most max_string bytes
  TokenWriter &numbers (const std::map<std::uint16_t, std::uint32_t> &map);
  TokenWriter &texts (const std::map<std::uint16_t, std::string> &map);
  TokenWriter &raw (std::string_view bytes);

  const std::string &bytes () const { return bytes_; }

  static constexpr std::size_t max_string = 0xffff;

 private:
  std::string bytes_;
};

std::string token_base64 (std::string_view bytes);
// Nothing unless `text` is exactly what token_base64() makes of the result: one token, one
// spelling.
std::optional<std::string> token_unbase64 (std::string_view text);

std::string token_deflate (std::string_view bytes);
// Nothing when the stream is damaged, has a tail, or is longer than `max_size` unpacked.
std::optional<std::string> token_inflate (std::string_view bytes, std::size_t max_size);

std::string token_hmac (GChecksumType type, std::string_view key, std::string_view message);
std::uint32_t token_crc32 (std::string_view text);
std::string token_hex (std::string_view bytes);  // upper case
// An id of 32 hex digits as its 16 bytes, as the oldest format packs it; any other text as it is.
std::string token_unhex (std::string_view id);

}  // namespace agora::protocol
