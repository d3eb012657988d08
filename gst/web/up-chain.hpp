// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The voice that a peer sends: webrtcbin's pad to sound. Lost packets come back by what the next
// one holds of them (in-band FEC), else are made up.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <memory>

namespace agora::web {

class UpChain {
 public:
  // Into `bin`, with its pad "src". Nothing where an element is missing: `missing` names it.
  static std::unique_ptr<UpChain> make (GstBin *bin, const char *&missing);

  // A pad of webrtcbin's. A peer that begins anew with another SSRC gets another one, which takes
  // the place of the last. False: one too many. The new pad's streaming thread: webrtcbin has one
  // for each SSRC, and adds one pad at a time.
  bool take (GstPad *pad);
  // From now on sound is let through. Any thread.
  void open () { open_->store(true); }

 private:
  UpChain() = default;

  GstElement *depayloader_ = nullptr;  // the bin's
  unsigned pads_ = 0;                  // taken
  std::shared_ptr<std::atomic<bool>> open_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace agora::web
