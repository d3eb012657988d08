// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/token-bytes.hpp"

#include <array>
#include <memory>

#include <zlib.h>

#include "signaling/support/hex.hpp"

namespace agora::protocol {

namespace {

const Bytef *bytef (std::string_view bytes) {
  return reinterpret_cast<const Bytef *>(bytes.data());
}

}  // namespace

std::string_view TokenReader::take(std::size_t size) {
  if (!ok_ || rest_.size() < size) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint16_t TokenReader::u16() {
  std::string_view raw = take(2);
  if (raw.empty())
    return 0;
  return static_cast<std::uint16_t>(static_cast<unsigned char>(raw[0]) |
                                    static_cast<unsigned char>(raw[1]) << 8);
}

std::uint32_t TokenReader::u32() {
  std::uint32_t low = u16();
  std::uint32_t high = u16();
  return ok_ ? low | high << 16 : 0;
}

std::string_view TokenReader::string() {
  std::size_t size = u16();
  return take(size);
}

std::map<std::uint16_t, std::uint32_t> TokenReader::numbers() {
  std::map<std::uint16_t, std::uint32_t> map;
  for (unsigned left = u16(); left > 0 && ok_; left--) {
    std::uint16_t key = u16();
    std::uint32_t value = u32();
    if (ok_)
      map.insert_or_assign(key, value);
  }
  return map;
}

std::map<std::uint16_t, std::string> TokenReader::texts() {
  std::map<std::uint16_t, std::string> map;
  for (unsigned left = u16(); left > 0 && ok_; left--) {
    std::uint16_t key = u16();
    std::string_view value = string();
    if (ok_)
      map.insert_or_assign(key, std::string(value));
  }
  return map;
}

TokenWriter &TokenWriter::u16(std::uint16_t value) {
  bytes_ += static_cast<char>(value & 0xff);
  bytes_ += static_cast<char>(value >> 8);
  return *this;
}

TokenWriter &TokenWriter::u32(std::uint32_t value) {
  return u16(value & 0xffff).u16(static_cast<std::uint16_t>(value >> 16));
}

TokenWriter &TokenWriter::string(std::string_view text) {
  g_assert(text.size() <= max_string);
  return u16(static_cast<std::uint16_t>(text.size())).raw(text);
}

TokenWriter &TokenWriter::numbers(const std::map<std::uint16_t, std::uint32_t> &map) {
  u16(static_cast<std::uint16_t>(map.size()));
  for (const auto &[key, value] : map)
    u16(key).u32(value);
  return *this;
}

TokenWriter &TokenWriter::texts(const std::map<std::uint16_t, std::string> &map) {
  u16(static_cast<std::uint16_t>(map.size()));
  for (const auto &[key, value] : map)
    u16(key).string(value);
  return *this;
}

TokenWriter &TokenWriter::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

std::string token_base64 (std::string_view bytes) {
  g_autofree char *text =
      g_base64_encode(reinterpret_cast<const guchar *>(bytes.data()), bytes.size());
  return text;
}

std::optional<std::string> token_unbase64 (std::string_view text) {
  std::string copy(text);
  gsize size = 0;
  g_autofree guchar *raw = g_base64_decode(copy.c_str(), &size);
  std::string bytes(reinterpret_cast<const char *>(raw), size);
  // GLib skips what isn't base64; the way back shows whether there was any of it.
  if (bytes.empty() || token_base64(bytes) != text)
    return std::nullopt;
  return bytes;
}

std::string token_deflate (std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string packed(size, '\0');
  int result = compress(reinterpret_cast<Bytef *>(packed.data()), &size, bytef(bytes),
                        static_cast<uLong>(bytes.size()));
  g_assert(result == Z_OK);  // the bound was asked for, and GLib aborts where memory is out
  packed.resize(size);
  return packed;
}

std::optional<std::string> token_inflate (std::string_view bytes, std::size_t max_size) {
  // One byte more than allowed tells "too long" from "just fits".
  std::string text(max_size + 1, '\0');
  uLongf size = text.size();
  uLong used = bytes.size();
  int result = uncompress2(reinterpret_cast<Bytef *>(text.data()), &size, bytef(bytes), &used);
  if (result != Z_OK || used != bytes.size() || size > max_size)
    return std::nullopt;
  text.resize(size);
  return text;
}

std::string token_hmac (GChecksumType type, std::string_view key, std::string_view message) {
  g_autoptr(GHmac) hmac =
      g_hmac_new(type, reinterpret_cast<const guchar *>(key.data()), key.size());
  g_hmac_update(hmac, reinterpret_cast<const guchar *>(message.data()),
                static_cast<gssize>(message.size()));
  std::array<guint8, 64> digest{};
  gsize size = digest.size();
  g_hmac_get_digest(hmac, digest.data(), &size);
  return {reinterpret_cast<const char *>(digest.data()), size};
}

std::uint32_t token_crc32 (std::string_view text) {
  return static_cast<std::uint32_t>(
      crc32(crc32(0, nullptr, 0), bytef(text), static_cast<uInt>(text.size())));
}

std::string token_hex (std::string_view bytes) {
  return to_hex({reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()},
                HexCase::upper);
}

std::string token_unhex (std::string_view id) {
  std::string bytes;
  if (id.size() != 32)
    return std::string(id);
  for (std::size_t i = 0; i < id.size(); i += 2) {
    int high = g_ascii_xdigit_value(id[i]);
    int low = g_ascii_xdigit_value(id[i + 1]);
    if (high < 0 || low < 0)
      return std::string(id);
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace agora::protocol
