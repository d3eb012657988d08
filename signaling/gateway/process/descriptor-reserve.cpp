// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/process/descriptor-reserve.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace agora::gateway {

DescriptorReserve::DescriptorReserve(std::size_t count) : count_(count) {
  fill();
}

DescriptorReserve::~DescriptorReserve() {
  release();
}

void DescriptorReserve::release() {
  for (const int fd : held_)
    close(fd);
  held_.clear();
}

void DescriptorReserve::fill() {
  while (held_.size() < count_) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return;
    held_.push_back(fd);
  }
}

}  // namespace agora::gateway
