// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/poller.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace agora::relay {

std::int64_t monotonic_ms () {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return std::int64_t{at.tv_sec} * 1000 + at.tv_nsec / 1'000'000;
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), now_(monotonic_ms()) {
  if (fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Poller::~Poller() {
  close(fd_);
}

bool Poller::add(int fd, std::uint32_t events, Ready &who) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &who;
  return epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, std::uint32_t events, Ready &who) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &who;
  epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) {
  epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void Poller::turn(int timeout_ms) {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(fd_, events.data(), static_cast<int>(events.size()), timeout_ms);
  now_ = monotonic_ms();
  for (int i = 0; i < count; i++)
    static_cast<Ready *>(events[static_cast<std::size_t>(i)].data.ptr)
        ->on_ready(events[static_cast<std::size_t>(i)].events);
}

}  // namespace agora::relay
