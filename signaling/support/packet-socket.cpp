// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/packet-socket.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace agora {

namespace {

// Of more than one descriptor, the kernel closes the others.
ssize_t receive_from (int fd, std::vector<char> &packet, Descriptor &came) {
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const cmsghdr *header = size >= 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    came = Descriptor(number);
  }
  return size;
}

}  // namespace

PacketSocket::~PacketSocket() {
  close(fd_);
}

std::optional<std::string_view> PacketSocket::receive() {
  came_ = Descriptor();
  const ssize_t size = receive_from(fd_, packet_, came_);
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
