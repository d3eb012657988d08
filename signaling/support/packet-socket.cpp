// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/packet-socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace agora {

PacketSocket::~PacketSocket() {
  close(fd_);
}

std::optional<std::string_view> PacketSocket::receive() {
  const ssize_t size = recv(fd_, packet_.data(), packet_.size(), MSG_DONTWAIT);
  if (size > 0)
    return std::string_view(packet_.data(), static_cast<std::size_t>(size));
  if (size == 0 || (errno != EAGAIN && errno != EINTR))
    ended_ = true;
  return {};
}

void PacketSocket::send(std::string packet) {
  unsent_bytes_ += packet.size();
  unsent_.push_back(std::move(packet));
  // Else it is known that there is no room.
  if (unsent_.size() == 1)
    flush();
}

void PacketSocket::flush() {
  while (!unsent_.empty()) {
    const std::string &packet = unsent_.front();
    if (::send(fd_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EINTR)
        continue;
      // The end of the other one is told by receive().
      return;
    }
    unsent_bytes_ -= packet.size();
    unsent_.pop_front();
  }
}

}  // namespace agora
