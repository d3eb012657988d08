// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/candidate.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "gst/web/sdp-lines.hpp"

namespace agora::web {

namespace {

constexpr std::size_t kMaxAddress = 253;

struct Network {
  std::uint32_t address;
  unsigned bits;
};
constexpr Network kSites[] = {
    {0x0a000000, 8},  {0x64400000, 10}, {0xa9fe0000, 16}, {0xac100000, 12},
    {0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
};

bool is_site (std::uint32_t address) {
  return std::any_of(std::begin(kSites), std::end(kSites), [address] (const Network &site) {
    return address >> (32 - site.bits) == site.address >> (32 - site.bits);
  });
}

// Somebody's, one host's.
bool is_hosts_address (const std::string &text) {
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const std::uint32_t address = ntohl(v4.s_addr);
    return address >> 24 != 0 && address >> 28 < 0xe;  // neither multicast nor reserved nor all
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1)
    return false;
  // Addresses of a link need its name as well; those of IPv4 in disguise are told as such.
  return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) &&
         !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_V4MAPPED(&v6) && !IN6_IS_ADDR_V4COMPAT(&v6);
}

}  // namespace

Reach reach_of (std::string_view address) {
  const std::string text(address);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const std::uint32_t value = ntohl(v4.s_addr);
    return value >> 24 == 127 ? Reach::kLoopback : is_site(value) ? Reach::kSite : Reach::kWorld;
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1)
    return Reach::kWorld;
  if (IN6_IS_ADDR_LOOPBACK(&v6))
    return Reach::kLoopback;
  const std::uint8_t *byte = v6.s6_addr;
  const bool translated = byte[0] == 0 && byte[1] == 0x64 && byte[2] == 0xff && byte[3] == 0x9b;
  const bool tunnelled = byte[0] == 0x20 && byte[1] == 0x02;
  const bool site = (byte[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(&v6) ||
                    IN6_IS_ADDR_SITELOCAL(&v6) || translated || tunnelled;
  return site ? Reach::kSite : Reach::kWorld;
}

bool may_send_to (const Candidate &candidate, Reach peer) {
  const Reach reach = reach_of(candidate.address);
  return reach == Reach::kWorld || peer == Reach::kLoopback || reach == peer;
}

std::variant<Candidate, UselessCandidate, BadCandidate> read_candidate (std::string_view value) {
  const std::vector<std::string_view> word = words(value);
  if (word.size() < 8 || word[6] != "typ")
    return BadCandidate();
  const auto component = number(word[1], 256), priority = number(word[3], 0xffffffff),
             port = number(word[5], 0xffff);
  if (!is_ice_text(word[0], 1, 32) || !component || !priority || !port || !is_token(word[2]) ||
      word[4].size() > kMaxAddress || !is_token(word[7]))
    return BadCandidate();
  constexpr std::array<std::string_view, 4> kTypes = {"host", "srflx", "prflx", "relay"};
  Candidate read;
  read.address = word[4];
  const bool useful = *component == 1 && *port != 0 && *priority != 0 &&
                      same_letters(word[2], "udp") &&
                      std::find(kTypes.begin(), kTypes.end(), word[7]) != kTypes.end() &&
                      is_hosts_address(read.address);
  if (!useful)
    return UselessCandidate();
  read.loopback = reach_of(read.address) == Reach::kLoopback;
  read.text = "candidate:" + std::string(word[0]) + " 1 UDP " + std::to_string(*priority) + " " +
              read.address + " " + std::to_string(*port) + " typ " + std::string(word[7]);
  return read;
}

}  // namespace agora::web
