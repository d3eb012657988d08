// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// agorasrc at work, from start to stop: a member of the channel that plays every remote speaker
// into the mix. The element around it owns the mixer, which outlives this.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gst/membership/membership.hpp"
#include "gst/mix/mixer.hpp"
#include "gst/src/ending-pads.hpp"
#include "gst/src/mute-watch.hpp"
#include "gst/src/speaker-faults.hpp"
#include "gst/src/speaker.hpp"
#include "gst/src/src-stats.hpp"

namespace agora {

class Listener final : public Member, public std::enable_shared_from_this<Listener> {
 public:
  struct Options {
    GstClockTime latency;
    GstClockTime speaker_timeout;
    bool expose;
    bool fast_start;
    std::set<std::uint32_t> wanted;                 // empty: everybody
    std::function<void(std::uint32_t)> on_speaker;  // somebody new; signalling thread
    std::function<void()> on_gone;                  // somebody no longer is in the mix
  };
  Listener(GstBin *element, std::shared_ptr<Mixer> mixer, Options options);
  ~Listener() override;

  // Finds its membership; nothing happens before enter().
  bool join (const ChannelSettings &settings, GError **error);
  void enter ();
  // Leaves the channel and ends every session that nobody else listens to; waits at most `budget`
  // for the goodbye. After it, nothing of this runs any more, but for a callback that the
  // application holds up: this lives until that returns.
  void stop (GstClockTime budget);

  void set_latency (GstClockTime latency);
  // `patient`: as MixSrcHooks has it.
  void pipeline_latency (GstClockTime latency, bool patient);

  // Which speakers to play; empty: all.
  void set_wanted (std::set<std::uint32_t> uids);
  // Listens to nobody any more, for good: an EOS was sent to the element. Every speaker's pad ends.
  void end ();
  // The mix has come to running time `now`. Its streaming thread.
  void tick (GstClockTime now);

  std::uint32_t uid () const;
  const char *state () const;
  GstStructure *stats () const;
  SpeakerNames names () const;

  void send_data (const std::string &text, const UidList &to) {
    session_->send_data(this, text, to);
  }
  void renew_token (const std::string &token) { session_->renew_token(this, token); }

  void joined (std::uint32_t uid) override;
  void token_refused (const GError &error) override;
  void speaker_named (std::uint32_t uid, const std::string &name) override;
  void speaker_talks (std::uint32_t uid, bool talks) override;
  void speaker_url (std::uint32_t uid, const std::string &url) override;
  void speaker_removed (std::uint32_t uid) override;
  void named (std::uint32_t uid, const std::string &name) override;
  void member_joined (std::uint32_t uid, const std::string &name) override;
  void list_refused (const GError &error) override;
  void data (std::uint32_t uid, const std::string &text) override;
  void data_refused (const GError &error) override;
  void channel_event (const char *name, std::uint32_t uid) override;
  void reconnecting (const GError &cause) override;
  void reconnected (GstClockTime after) override;
  void report (MemberReport &report) override;
  void failed (const GError &error) override;

 private:
  // A speaker that is listened to.
  struct Heard {
    std::shared_ptr<Speaker> speaker;
    std::shared_ptr<SpeakerBranch> branch;
    // Since when it has left the channel, while its last words are on their way.
    GstClockTime left_at = GST_CLOCK_TIME_NONE;
    bool ending = false;  // they are all here, and it is being taken out
    GstClockTime next_look = 0;
    MuteWatch mute_watch;
    bool looked_at_time = false;  // whether its timestamps go with the time
  };

  std::int64_t delay (GstClockTime latency) const;
  std::int64_t delay () const;
  std::optional<std::int64_t> first_delay () const;
  bool wanted (std::uint32_t uid) const;
  std::optional<Heard> find (std::uint32_t uid) const;
  std::vector<std::uint32_t> uids () const;
  void play (std::uint32_t uid, const std::string &url);
  void drop (std::uint32_t uid);
  void finish (std::uint32_t uid);
  void leave (std::uint32_t uid);
  bool last_words_are_here (const Heard &heard, GstClockTime monotonic) const;
  void watch (GstClockTime monotonic);
  void look_whether_played (GstClockTime monotonic);
  void unplayable (std::uint32_t uid, const Unplayable &what);
  void announce (const SpeakerFaults::Notices &notices);
  void expose (std::uint32_t uid);
  void unexpose (const std::shared_ptr<SpeakerBranch> &branch);

  GstBin *element_;
  GstPad *src_;  // the mix
  std::shared_ptr<Mixer> mixer_;
  std::shared_ptr<Membership> session_;
  std::shared_ptr<Speakers> speakers_;
  const Options options_;
  std::atomic<GstClockTime> latency_;
  std::atomic<GstClockTime> pipeline_latency_;
  std::atomic<bool> patient_ = false;
  bool failed_ = false;  // signalling thread
  SpeakerFaults faults_;
  const std::shared_ptr<EndingPads> ending_pads_ = std::make_shared<EndingPads>();
  GstClockTime next_watch_ = 0;  // the mix's streaming thread

  mutable std::mutex mutex_;  // guards what follows, not the speakers; taken before a speaker's
  std::map<std::uint32_t, Heard> heard_;
  std::map<std::uint32_t, std::string> urls_;
  SpeakerNames names_;
  std::set<std::uint32_t> talkbacks_;  // speakers that talk to a few
  std::set<std::uint32_t> wanted_;
  bool over_ = false;  // listens to nobody any more
};

}  // namespace agora
