// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/offer-reader.hpp"

#include <algorithm>
#include <array>

#include "gst/web/candidate.hpp"

namespace agora::web {

namespace {

constexpr std::size_t kMaxSections = 64;
constexpr std::size_t kMaxMid = 64;
constexpr std::uint32_t kMaxClockRate = 10'000'000;
constexpr std::uint32_t kOpusClock = 48000;

struct Hash {
  std::string_view name;
  std::size_t bytes;
};
// The strongest last. SHA-1 and MD5 can be forged.
constexpr std::array<Hash, 3> kHashes = {{{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}}};

constexpr std::array<std::string_view, 4> kDirections = {"sendrecv", "sendonly", "recvonly",
                                                         "inactive"};

// "AB:CD:…" in capital letters; nothing where it isn't `bytes` of hexadecimal digits.
std::optional<std::string> read_digest (std::string_view text, std::size_t bytes) {
  if (text.size() != bytes * 3 - 1)
    return std::nullopt;
  std::string digest;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c >= 'a' && c <= 'f')
      c = static_cast<char>(c - 'a' + 'A');
    const bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
    if (at % 3 == 2 ? c != ':' : !digit)
      return std::nullopt;
    digest += c;
  }
  return digest;
}

class Reader {
 public:
  std::variant<OfferLines, Refusal> read (std::string_view sdp) {
    auto split = split_lines(sdp);
    if (auto *refusal = std::get_if<Refusal>(&split))
      return std::move(*refusal);
    const auto &lines = std::get<std::vector<SdpLine>>(split);
    if (lines.front().type != 'v' || lines.front().name != "0")
      return unreadable(1, "expected \"v=0\"");
    for (const SdpLine &line : lines)
      if (!take(line))
        return unreadable(line.number, wrong_);
    return std::move(offer_);
  }

 private:
  bool fail (std::string what) {
    wrong_ = std::move(what);
    return false;
  }
  MediaLines *media () { return offer_.media.empty() ? nullptr : &offer_.media.back(); }
  TransportLines &transport () { return media() ? *media() : offer_.session; }

  bool take (const SdpLine &line) {
    if (line.type == 'm')
      return take_media(line);
    if (line.type != 'a')
      return true;
    if (!take_transport(line))
      return false;
    return media() ? take_attribute(line, *media()) : take_session(line);
  }

  bool take_media (const SdpLine &line) {
    const std::vector<std::string_view> word = words(line.name);
    if (offer_.media.size() == kMaxSections)
      return fail("more sections than the " + std::to_string(kMaxSections) + " that are read");
    if (word.size() < 4)
      return fail("expected \"m=MEDIA PORT PROTOCOL FORMAT…\"");
    MediaLines read;
    read.line = line.number;
    std::string_view ports = word[1];
    const std::string_view first = take_until(ports, '/');
    const auto port = number(first, 0xffff);
    if (!port)
      return fail("port " + cited(word[1]) + ": expected 0 to 65535");
    read.port = *port;
    read.section.media = word[0];
    read.section.protocol = word[2];
    read.section.format = word[3];
    // A protocol is words with slashes between.
    std::string protocol = read.section.protocol;
    std::replace(protocol.begin(), protocol.end(), '/', '.');
    if (!is_token(word[0]) || !is_token(protocol) || !is_token(word[3]))
      return fail("expected \"m=MEDIA PORT PROTOCOL FORMAT…\", each a word");
    read.rtp = read.section.protocol.find("RTP/") != std::string::npos;
    for (std::size_t at = 3; read.rtp && at < word.size(); ++at) {
      const auto format = number(word[at], 127);
      if (!format)
        return fail("payload type " + cited(word[at]) + ": expected 0 to 127");
      read.formats.push_back(static_cast<std::uint8_t>(*format));
    }
    offer_.media.push_back(std::move(read));
    return true;
  }

  bool take_transport (const SdpLine &line) {
    TransportLines &to = transport();
    if (line.name == "ice-ufrag") {
      if (!is_ice_text(line.value, 4, 256))
        return fail("ice-ufrag: expected 4 to 256 letters and digits");
      to.ufrag = line.value;
    } else if (line.name == "ice-pwd") {
      if (!is_ice_text(line.value, 22, 256))
        return fail("ice-pwd: expected 22 to 256 letters and digits");
      to.pwd = line.value;
    } else if (line.name == "fingerprint") {
      return take_fingerprint(line, to);
    } else if (line.name == "setup") {
      if (line.value == "active")
        to.setup = Setup::kActive;
      else if (line.value == "passive")
        to.setup = Setup::kPassive;
      else if (line.value == "actpass")
        to.setup = Setup::kActpass;
      else
        return fail("setup " + cited(line.value) + ": expected actpass, active or passive");
    } else if (line.value.empty() &&
               std::find(kDirections.begin(), kDirections.end(), line.name) != kDirections.end()) {
      to.direction = line.name;
    }
    return true;
  }

  bool take_fingerprint (const SdpLine &line, TransportLines &to) {
    const std::vector<std::string_view> word = words(line.value);
    if (word.size() != 2 || !is_token(word[0]))
      return fail("fingerprint: expected a hash function and its digits");
    for (const Hash &hash : kHashes) {
      if (!same_letters(word[0], hash.name))
        continue;
      const auto digest = read_digest(word[1], hash.bytes);
      if (!digest)
        return fail("fingerprint: expected " + std::to_string(hash.bytes) +
                    " bytes of hexadecimal digits with colons between");
      if (!to.fingerprint || to.fingerprint->hash < hash.name)
        to.fingerprint = Fingerprint{std::string(hash.name), *digest};
    }
    return true;
  }

  bool take_session (const SdpLine &line) {
    if (line.name == "ice-lite")
      offer_.ice_lite = true;
    if (line.name != "group")
      return true;
    const std::vector<std::string_view> word = words(line.value);
    if (!word.empty() && word[0] == "BUNDLE")
      offer_.bundles.emplace_back(word.begin() + 1, word.end());
    return true;
  }

  bool take_attribute (const SdpLine &line, MediaLines &to) {
    if (line.name == "mid")
      return take_mid(line.value, to);
    if (line.name == "rtpmap")
      return take_rtpmap(line.value, to);
    if (line.name == "candidate")
      return take_candidate(line.value, to);
    if (line.name == "end-of-candidates")
      to.end_of_candidates = true;
    else if (line.name == "rtcp-mux")
      to.rtcp_mux = true;
    else if (line.name == "rtcp-rsize")
      to.rtcp_rsize = true;
    else if (line.name == "bundle-only")
      to.bundle_only = true;
    return true;
  }

  bool take_mid (std::string_view mid, MediaLines &to) {
    if (!is_token(mid) || mid.size() > kMaxMid)
      return fail("mid " + cited(mid) + ": expected a word of at most " + std::to_string(kMaxMid) +
                  " bytes");
    for (const MediaLines &other : offer_.media)
      if (other.section.mid == mid)
        return fail("mid " + cited(mid) + " stands twice");
    to.section.mid = mid;
    return true;
  }

  // Those that don't belong to RTP have numbers of their own kind.
  bool take_rtpmap (std::string_view value, MediaLines &to) {
    if (!to.rtp)
      return true;
    const std::vector<std::string_view> word = words(value);
    const auto type = word.empty() ? std::nullopt : number(word[0], 127);
    if (!type)
      return fail("rtpmap " + cited(value) + ": expected a payload type of 0 to 127");
    if (word.size() < 2)
      return fail("rtpmap " + cited(value) + ": expected a codec and its clock rate");
    std::string_view rest = word[1];
    const std::string_view codec = take_until(rest, '/'), clock = take_until(rest, '/');
    const auto rate = number(clock, kMaxClockRate);
    if (!is_token(codec) || !rate || *rate == 0)
      return fail("rtpmap " + cited(value) + ": expected a codec and its clock rate");
    // RFC 7587: always 2 channels, whatever is sent.
    if (same_letters(codec, "opus") && *rate == kOpusClock && rest == "2" &&
        std::find(to.formats.begin(), to.formats.end(), *type) != to.formats.end())
      to.opus.push_back(static_cast<std::uint8_t>(*type));
    return true;
  }

  bool take_candidate (std::string_view value, MediaLines &to) {
    auto read = read_candidate(value);
    if (std::holds_alternative<BadCandidate>(read))
      return fail("candidate " + cited(value) + " can't be read");
    auto *candidate = std::get_if<Candidate>(&read);
    if (candidate && to.candidates.size() < kMaxCandidates)
      to.candidates.push_back(std::move(*candidate));
    return true;
  }

  OfferLines offer_;
  std::string wrong_;
};

}  // namespace

std::variant<OfferLines, Refusal> read_lines (std::string_view sdp) {
  return Reader().read(sdp);
}

}  // namespace agora::web
