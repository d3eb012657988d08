// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/network.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace agora {

namespace {

bool to_v6 (const std::string &address, in6_addr &whole) {
  // A scope, as in fe80::1%eth0, is no part of the number.
  return inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &whole) == 1;
}

}  // namespace

std::string plain_address (const std::string &address) {
  in6_addr whole{};
  if (!to_v6(address, whole) || !IN6_IS_ADDR_V4MAPPED(&whole))
    return address;
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, whole.s6_addr + 12, text, sizeof text);
  return text;
}

std::string network_of (const std::string &address) {
  in6_addr whole{};
  if (!to_v6(address, whole) || IN6_IS_ADDR_V4MAPPED(&whole))
    return plain_address(address);
  std::fill(whole.s6_addr + 8, whole.s6_addr + 16, 0);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &whole, text, sizeof text);
  return std::string(text) + "/64";
}

}  // namespace agora
