// SPDX-License-Identifier: LGPL-2.1-or-later
// When a packet was at a socket, by the kernel's stamp (SO_TIMESTAMPNS): how long a load takes to
// read a crowd's sockets is not what it measures. And the value at a share of many.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <vector>

namespace bench {

inline std::uint64_t in_nanoseconds (const timespec &at) {
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(at.tv_nsec);
}

// The clock of the kernel's stamps on packets.
inline std::uint64_t wall_clock () {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return in_nanoseconds(at);
}

inline void ask_for_stamps (int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

// As recv() that doesn't wait; `came`: when the last packet of it was there.
inline ssize_t receive_stamped (int fd, char *data, std::size_t size, std::uint64_t &came) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  iovec into{data, size};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  for (cmsghdr *each = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; each != nullptr;
       each = CMSG_NXTHDR(&message, each))
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
      timespec at{};
      std::memcpy(&at, CMSG_DATA(each), sizeof at);
      came = in_nanoseconds(at);
    }
  return got;
}

// Of values in order; 0: there are none.
template <typename Number>
Number at_share (const std::vector<Number> &sorted, double share) {
  return sorted.empty()
             ? Number{}
             : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace bench
