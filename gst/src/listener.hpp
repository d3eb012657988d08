// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasrc at work, from start to stop: a member of the channel that plays every remote speaker
// into the mix. The element around it owns the mixer, which outlives this.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "gst/membership/membership.hpp"
#include "gst/mix/mixer.hpp"
#include "gst/src/speaker-pads.hpp"
#include "gst/src/speaker.hpp"

namespace agora {

// Pads whose EOS is on its way out; their names are taken until they are gone. Thread-safe.
class EndingPads {
 public:
  bool contains (std::uint32_t uid) const;
  void add (std::shared_ptr<SpeakerPad> pad);
  // Takes the pad away; waits for what is downstream.
  void remove (std::uint32_t uid);
  void clear ();

 private:
  mutable std::mutex mutex_;  // a leaf
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads_;
};

class Listener final : public Member,
                       public Speaker::Watcher,
                       public std::enable_shared_from_this<Listener> {
 public:
  struct Options {
    GstClockTime latency;
    GstClockTime speaker_timeout;
    bool expose;
    std::set<std::uint32_t> wanted;                 // empty: everybody
    std::function<void(std::uint32_t)> on_speaker;  // somebody new; signalling thread
    std::function<void()> on_gone;                  // somebody no longer is in the mix
  };
  Listener(GstBin *element, std::shared_ptr<Mixer> mixer, Options options);
  ~Listener() override;

  // Finds its membership; nothing happens before enter().
  bool join (const ChannelSettings &settings, GError **error);
  void enter ();
  // Leaves the channel and ends every session; waits at most `budget` for the goodbye. After it,
  // nothing of this runs any more, but for a callback that the application holds up: this lives
  // until that returns.
  void stop (GstClockTime budget);

  // A message of a speaker's element: whether it ends here.
  bool take_message (GstMessage *message);
  void set_latency (GstClockTime latency);
  void pipeline_latency (GstClockTime latency);

  // Which speakers to play; empty: all.
  void set_wanted (std::set<std::uint32_t> uids);
  // Ends the speakers' pads for good: an EOS was sent to the element.
  void end_pads ();
  // The mix has come to running time `now`. Its streaming thread.
  void tick (GstClockTime now);

  std::uint32_t uid () const;
  const char *state () const;
  GstStructure *stats () const;

  void renew_token (const std::string &token) { session_->renew_token(this, token); }

  void joined (std::uint32_t uid) override;
  void token_refused (const GError &error) override;
  void speaker_url (std::uint32_t uid, const std::string &url) override;
  void speaker_removed (std::uint32_t uid) override;
  void channel_event (const char *name, std::uint32_t uid) override;
  void reconnecting (const GError &cause) override;
  void reconnected (GstClockTime after) override;
  void failed (const GError &error) override;
  void speaker_broke (std::uint32_t uid, GstClockTime since) override;
  void speaker_heard (std::uint32_t uid) override;
  void speaker_encoded (std::uint32_t uid, GstBuffer *frame, GstCaps *caps,
                        std::int64_t at_ns) override;
  bool wants_encoded () const override { return options_.expose; }
  bool wants_mix () const override;
  void speaker_unplayable (std::uint32_t uid, const GstCaps *caps) override;

 private:
  std::int64_t delay () const;
  std::shared_ptr<Speaker> find (std::uint32_t uid) const;
  bool wanted (std::uint32_t uid) const;
  void play (std::uint32_t uid, const std::string &url);
  void drop (std::uint32_t uid);
  void watch_arrivals (GstClockTime monotonic);
  void forget_broken (std::uint32_t uid);
  void say_returned ();
  std::shared_ptr<SpeakerPad> exposed (std::uint32_t uid) const;
  void expose (std::uint32_t uid);
  void unexpose (std::uint32_t uid);

  GstBin *element_;
  GstPad *src_;  // the mix
  std::shared_ptr<Mixer> mixer_;
  std::shared_ptr<Membership> session_;
  const Options options_;
  std::atomic<GstClockTime> latency_;
  std::atomic<GstClockTime> pipeline_latency_;

  mutable std::mutex mutex_;  // guards the maps, not the speakers; taken before a speaker's
  std::map<std::uint32_t, std::shared_ptr<Speaker>> speakers_;
  struct Broken {
    GstClockTime since;
    bool stands = false;  // the session is there, but nothing comes
    bool announced = false;
  };
  std::map<std::uint32_t, Broken> broken_;
  // The membership is lost, and since when: speakers that are lost with it are not told of one by
  // one, and it is not over before they are back.
  bool down_ = false;
  bool returning_ = false;
  GstClockTime down_since_ = 0;
  GstClockTime returned_at_ = 0;
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> exposed_;
  const std::shared_ptr<EndingPads> ending_ = std::make_shared<EndingPads>();
  bool pads_over_ = false;
  bool told_taken_ = false;  // signalling thread
  std::map<std::uint32_t, std::string> urls_;
  std::set<std::uint32_t> wanted_;
};

}  // namespace agora
