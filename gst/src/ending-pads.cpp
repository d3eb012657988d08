// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/ending-pads.hpp"

#include <utility>

namespace agora {

bool EndingPads::contains(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  return pads_.contains(uid);
}

void EndingPads::add(std::shared_ptr<SpeakerPad> pad) {
  std::lock_guard lock(mutex_);
  const std::uint32_t uid = pad->uid();
  pads_[uid] = std::move(pad);
}

void EndingPads::remove(std::uint32_t uid) {
  std::shared_ptr<SpeakerPad> pad;
  {
    std::lock_guard lock(mutex_);
    auto it = pads_.find(uid);
    if (it == pads_.end())
      return;
    pad = it->second;
  }
  pad->close();
  std::lock_guard lock(mutex_);
  pads_.erase(uid);
}

void EndingPads::clear() {
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads;
  {
    std::lock_guard lock(mutex_);
    pads.swap(pads_);
  }
  for (auto &[uid, pad] : pads)
    pad->close();
}

}  // namespace agora
