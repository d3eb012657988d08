// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/network.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace agora::gateway {

std::string network_of (const std::string &address) {
  in6_addr whole{};
  // A scope, as in fe80::1%eth0, is no part of the number.
  if (inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &whole) != 1)
    return address;
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&whole)) {
    inet_ntop(AF_INET, whole.s6_addr + 12, text, sizeof text);
    return text;
  }
  std::fill(whole.s6_addr + 8, whole.s6_addr + 16, 0);
  inet_ntop(AF_INET6, &whole, text, sizeof text);
  return std::string(text) + "/64";
}

}  // namespace agora::gateway
