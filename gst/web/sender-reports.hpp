// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// RTCP's reports of a sender (RFC 3550, section 6.4.1): which moment of the wall clock a timestamp
// of RTP stands for, and how much was sent. By them a browser knows this end's clock from its own,
// and what belongs together. Pure: time is an argument.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "gst/common/gst-ptr.hpp"

namespace agora::web {

class SenderReports {
 public:
  SenderReports(std::uint32_t ssrc, std::string cname) : ssrc_(ssrc), cname_(std::move(cname)) {}

  // A packet with so many bytes of sound went out.
  void sent (std::size_t bytes);
  // The first is, as soon as anything was sent.
  bool is_due (std::int64_t mono_us) const;
  // The next one, whose RTP timestamp `rtp` stands for this moment.
  BufferPtr make (std::int64_t mono_us, std::int64_t wall_us, std::uint32_t rtp);

 private:
  const std::uint32_t ssrc_;
  const std::string cname_;
  std::uint32_t packets_ = 0, octets_ = 0;  // they wrap, as in the report
  std::int64_t due_us_ = 0;
};

// The wall clock as it was when this was first asked, and evenly on from there: a clock that is set
// must not look like one that drifts.
std::int64_t steady_wall_us (std::int64_t mono_us);

}  // namespace agora::web
