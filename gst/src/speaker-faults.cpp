// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker-faults.hpp"

#include <algorithm>
#include <utility>

namespace agora {
namespace {

// A speaker that stops loses its session before it is told to have gone: that is no fault.
constexpr GstClockTime kSayLost = 300 * GST_MSECOND;
// No frame from a session for so long: something on the way is frozen. Members send silence, too.
constexpr GstClockTime kStallTimeout = 1500 * GST_MSECOND;
// How long after the membership is back its speakers still belong to the same fault.
constexpr GstClockTime kReturnTime = 3 * GST_SECOND;

}  // namespace

SpeakerFaults::Notices SpeakerFaults::check(GstClockTime now, const std::vector<Seen> &speakers) {
  Notices notices;
  std::lock_guard lock(mutex_);
  for (const Seen &seen : speakers) {
    const bool came = GST_CLOCK_TIME_IS_VALID(seen.last_frame);
    const auto it = faults_.find(seen.uid);
    if (it != faults_.end()) {
      if (came && seen.last_frame > it->second.since) {
        if (it->second.announced)
          notices.push_back({Notice::speaker_back, seen.uid, now - it->second.since});
        forget(it, now, &notices);
      }
    } else if (GST_CLOCK_TIME_IS_VALID(seen.broke_since)) {
      if (!came || seen.last_frame <= seen.broke_since)
        faults_.emplace(seen.uid, Fault{seen.broke_since});
    } else if (came && now > seen.last_frame + kStallTimeout) {
      faults_.emplace(seen.uid, Fault{seen.last_frame});
    }
  }
  if (member_ == Member::joined)
    for (auto &[uid, fault] : faults_)
      if (!fault.announced && now > fault.since + kSayLost) {
        fault.announced = true;
        notices.push_back({Notice::speaker_lost, uid});
      }
  if (now > back_at_ + kReturnTime)
    end_return(now, &notices);
  return notices;
}

SpeakerFaults::Notices SpeakerFaults::gone(std::uint32_t uid, GstClockTime now) {
  Notices notices;
  std::lock_guard lock(mutex_);
  const auto it = faults_.find(uid);
  if (it != faults_.end())
    forget(it, now, &notices);
  return notices;
}

// With the last of them the membership's return is over, too.
void SpeakerFaults::forget(std::map<std::uint32_t, Fault>::iterator it, GstClockTime now,
                           Notices *notices) {
  faults_.erase(it);
  if (faults_.empty())
    end_return(now, notices);
}

void SpeakerFaults::end_return(GstClockTime now, Notices *notices) {
  if (member_ != Member::returning)
    return;
  member_ = Member::joined;
  notices->push_back({Notice::membership_back, 0, now - lost_at_});
}

bool SpeakerFaults::membership_lost(GstClockTime now) {
  std::lock_guard lock(mutex_);
  // Lost again while returning: the same fault goes on.
  if (std::exchange(member_, Member::lost) == Member::returning)
    return false;
  lost_at_ = now;
  return true;
}

SpeakerFaults::Notices SpeakerFaults::membership_back(GstClockTime now) {
  Notices notices;
  std::lock_guard lock(mutex_);
  if (member_ != Member::lost)
    return notices;
  member_ = Member::returning;
  back_at_ = now;
  // Those that were told of already have an end of their own.
  if (std::all_of(faults_.begin(), faults_.end(),
                  [] (const auto &each) { return each.second.announced; }))
    end_return(now, &notices);
  return notices;
}

bool SpeakerFaults::lost(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  return faults_.contains(uid);
}

std::set<std::uint32_t> SpeakerFaults::lost_for(GstClockTime now, GstClockTime longer) const {
  std::set<std::uint32_t> uids;
  std::lock_guard lock(mutex_);
  for (const auto &[uid, fault] : faults_)
    if (now > fault.since + longer)
      uids.insert(uid);
  return uids;
}

}  // namespace agora
