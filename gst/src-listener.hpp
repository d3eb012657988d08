// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasrc at work, from start to stop: a member of the channel that plays every remote speaker
// into the mix. The element around it owns the mixer, which outlives this.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "gst/mixer.hpp"
#include "gst/session.hpp"
#include "gst/src-speaker.hpp"

namespace agora {

class Listener final : public Member, public Speaker::Watcher {
 public:
  Listener(GstBin *element, std::shared_ptr<Mixer> mixer, GstClockTime latency);
  ~Listener() override;

  bool start (const Settings &settings, GError **error);
  // Leaves the channel and ends every session; waits at most `budget` for the goodbye. After it,
  // nothing of this runs any more.
  void stop (GstClockTime budget);

  // A message of a speaker's element: whether it ends here.
  bool take_message (GstMessage *message);
  void set_latency (GstClockTime latency);
  void pipeline_latency (GstClockTime latency);

  std::uint32_t uid () const;
  const char *state () const;
  GstStructure *stats () const;

  void joined (std::uint32_t uid) override;
  void speaker_url (std::uint32_t uid, const std::string &url) override;
  void speaker_removed (std::uint32_t uid) override;
  void channel_event (const char *name, std::uint32_t uid) override;
  void reconnecting (const GError &cause) override;
  void reconnected (GstClockTime after) override;
  void failed (const GError &error) override;
  void speaker_broke (std::uint32_t uid) override;
  void speaker_heard (std::uint32_t uid) override;

 private:
  std::int64_t delay () const;
  std::shared_ptr<Speaker> find (std::uint32_t uid) const;

  GstBin *element_;
  std::shared_ptr<Mixer> mixer_;
  std::shared_ptr<Session> session_;
  std::atomic<GstClockTime> latency_;
  std::atomic<GstClockTime> pipeline_latency_;

  mutable std::mutex mutex_;  // guards the maps, not the speakers; taken before a speaker's
  std::map<std::uint32_t, std::shared_ptr<Speaker>> speakers_;
  std::map<std::uint32_t, GstClockTime> broken_since_;
};

}  // namespace agora
