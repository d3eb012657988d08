// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/secret.hpp"

#include <glib.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

#include "signaling/support/hex.hpp"

namespace agora {

void kernel_random (std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got > 0)
      out = out.subspan(static_cast<std::size_t>(got));
    else if (errno != EINTR)
      g_error("the kernel's random generator failed: %s", g_strerror(errno));
  }
}

std::string draw_secret () {
  std::array<std::uint8_t, 32> bytes{};
  kernel_random(bytes);
  return to_hex(bytes);
}

}  // namespace agora
