// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The temporary addresses of media: rtmp://host:port/app/<stream>?m=…&g=…&e=…&s=…
//
// <stream> is random. The arguments name the member that got the URL, the one grant it got (so that
// a later URL for the same thing kills the earlier one), the end of the URL's life, and a signature
// that binds all of it to the app, the stream and the direction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "signaling/gateway/channel/commands.hpp"

namespace agora::gateway {

using Random = std::function<void(std::span<std::uint8_t>)>;

std::uint64_t random_id (const Random &random);  // never 0
std::string random_stream (const Random &random);

struct UrlArgs {
  std::uint64_t member = 0;
  std::uint64_t grant = 0;
  std::int64_t expires_at = 0;  // wall clock, seconds
  std::string signature;
};

// Only the one form that UrlSigner writes; anything added, repeated or spelled otherwise is
// nothing.
std::optional<UrlArgs> parse_url_args (std::string_view text);

class UrlSigner {
 public:
  UrlSigner(std::string secret, std::string app);

  std::string write (Direction direction, std::string_view stream, std::uint64_t member,
                     std::uint64_t grant, std::int64_t expires_at) const;
  // In constant time. Says nothing about expires_at being over.
  bool verify (Direction direction, std::string_view stream, const UrlArgs &args) const;

 private:
  std::string sign (Direction direction, std::string_view stream, std::uint64_t member,
                    std::uint64_t grant, std::int64_t expires_at) const;

  std::string secret_;
  std::string app_;
};

// A host as a URL needs it (IPv6 in brackets); "" when the text is none, as a client may have sent
// anything in its Host header.
std::string url_host (std::string_view text);

}  // namespace agora::gateway
