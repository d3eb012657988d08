// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One remote speaker as a membership hears it: played and decoded once, however many elements of
// the membership listen, and given to a branch of each.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gst/membership/membership.hpp"
#include "gst/src/play-switch.hpp"
#include "gst/src/speaker-branch.hpp"

namespace agora {

class Speaker final : private PlaySwitch::Output {
 public:
  // Told on the streaming threads of its sessions, with no lock of ours held.
  struct Events {
    // Asks for another URL in place of this one, which comes by play().
    std::function<void(const std::string &url)> broke;
    std::function<void()> heard;         // from another session than before: tidy() is to be called
    std::function<void(bool)> is_heard;  // whether a session plays, whenever that changes
    std::function<void(const GError &)> untrusted;  // its server isn't, so that no URL is of use
  };

  Speaker(Events events, MakePlayConnection make);
  // Only after stop().
  ~Speaker() override;

  void add (std::shared_ptr<SpeakerBranch> branch);
  // Whether none is left.
  bool remove (const std::shared_ptr<SpeakerBranch> &branch);

  // To be heard from `url`; every listener says so, the first one is taken at its word. Signalling
  // thread.
  void play (const std::string &url);
  // As of PlaySwitch.
  void tidy () { switch_.tidy(); }
  void cut () { switch_.cut(); }
  void stop (Deadline until);

  // Whether its sound still comes, or a session is being made for it.
  bool busy () const { return switch_.busy(); }
  // As gst_util_get_timestamp() counts; NONE: not yet. Any thread.
  GstClockTime last_frame () const { return switch_.last_frame(); }
  // Since when there is no session that plays; NONE: there is one.
  GstClockTime broke_since () const { return broke_since_; }
  // As of PlayConnection: how much came, and why nothing of it is heard.
  std::uint64_t came () const { return switch_.came(); }
  std::string why_mute () const { return switch_.why_mute(); }

 private:
  using Branches = std::vector<std::shared_ptr<SpeakerBranch>>;

  bool frame (GstBuffer *frame, GstCaps *caps) override;
  void sound (const DecodedSound &sound) override;
  void unplayable (const Unplayable &what) override;
  void moved () override;
  bool brace (GstClockTimeDiff later) override;
  void crossed (GstClockTimeDiff later) override;
  void heard () override;
  void broke (const std::string &url, GstClockTime since) override;
  void untrusted (const GError &error) override;
  std::shared_ptr<const Branches> branches () const;
  void set_heard (bool is_heard);

  const Events events_;
  std::string url_;  // signalling thread
  std::atomic<GstClockTime> broke_since_ = GST_CLOCK_TIME_NONE;
  std::atomic<bool> is_heard_ = false;

  mutable std::mutex mutex_;                  // guards the pointer; a leaf
  std::shared_ptr<const Branches> branches_;  // replaced, never changed: it is walked without lock
  PlaySwitch switch_;
};

// The speakers of one membership, each for as long as somebody listens. The listeners of the
// membership share it. Thread-safe.
class Speakers final : public SharedByListeners {
 public:
  explicit Speakers(std::weak_ptr<Membership> membership);
  // Those that `membership`'s listeners share; the first one makes them.
  static std::shared_ptr<Speakers> of (const std::shared_ptr<Membership> &membership);

  // This speaker, with one more branch.
  std::shared_ptr<Speaker> listen (std::uint32_t uid, std::shared_ptr<SpeakerBranch> branch);
  // Closes the branch and takes it away. Where it was the speaker's last, the speaker: whoever gets
  // it stops it.
  [[nodiscard]] std::shared_ptr<Speaker> leave (std::uint32_t uid,
                                                const std::shared_ptr<SpeakerBranch> &branch);

 private:
  std::shared_ptr<Speaker> make (std::uint32_t uid);

  const std::weak_ptr<Membership> membership_;
  std::mutex mutex_;  // guards the map; taken before a speaker's
  std::map<std::uint32_t, std::shared_ptr<Speaker>> speakers_;
};

}  // namespace agora
