// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// File descriptors that are kept for a purpose. A process whose descriptors are all in use could
// start no child; what holds this can, whoever took the rest.
#pragma once

#include <cstddef>
#include <vector>

namespace agora::gateway {

class DescriptorReserve {
 public:
  explicit DescriptorReserve(std::size_t count = 16);
  ~DescriptorReserve();
  DescriptorReserve(const DescriptorReserve &) = delete;
  DescriptorReserve &operator=(const DescriptorReserve &) = delete;

  // Frees them, for what is done next.
  void release ();
  // As far as there are any; to be called again later if it wasn't far.
  void fill ();

 private:
  const std::size_t count_;
  std::vector<int> held_;
};

}  // namespace agora::gateway
