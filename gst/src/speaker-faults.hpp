// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whose sound is lost and back, and what of it is to be announced: a short break isn't, nor are the
// speakers one by one that are lost with the whole membership. Pure: time and what was seen come as
// arguments, of gst_util_get_timestamp(). Thread-safe.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace agora {

class SpeakerFaults {
 public:
  // A speaker as it is at a check.
  struct Seen {
    std::uint32_t uid = 0;
    GstClockTime last_frame = GST_CLOCK_TIME_NONE;   // NONE: nothing came yet
    GstClockTime broke_since = GST_CLOCK_TIME_NONE;  // NONE: a session plays, or is being made
  };
  struct Notice {
    enum What { speaker_lost, speaker_back, membership_back };
    What what;
    std::uint32_t uid = 0;      // of a speaker
    GstClockTime duration = 0;  // of what is over
  };
  using Notices = std::vector<Notice>;

  // To be called several times a second, with all speakers that are to be heard.
  Notices check (GstClockTime now, const std::vector<Seen> &speakers);
  // This speaker is no longer to be heard. It isn't back: that it stopped is told elsewhere.
  Notices gone (std::uint32_t uid, GstClockTime now);
  // Whether that is news.
  bool membership_lost (GstClockTime now);
  Notices membership_back (GstClockTime now);

  bool lost (std::uint32_t uid) const;
  // Those that have been lost for longer than this.
  std::set<std::uint32_t> lost_for (GstClockTime now, GstClockTime longer) const;

 private:
  struct Fault {
    GstClockTime since;
    bool announced = false;
  };
  enum class Member { joined, lost, returning };

  void forget (std::map<std::uint32_t, Fault>::iterator it, GstClockTime now, Notices *notices);
  void end_return (GstClockTime now, Notices *notices);

  mutable std::mutex mutex_;  // guards what follows; a leaf
  std::map<std::uint32_t, Fault> faults_;
  // After the membership is back its speakers belong to the same fault until they are, too.
  Member member_ = Member::joined;
  GstClockTime lost_at_ = 0;
  GstClockTime back_at_ = 0;
};

}  // namespace agora
