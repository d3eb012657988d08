// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One member of a channel: an AgoraClient, and one session at most that speaks and one that hears.
// It sees to it that who speaks never hears itself. Main loop, whose context is the client's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gst/web/calls.hpp"
#include "gst/web/codes.hpp"
#include "gst/web/hearing.hpp"
#include "gst/web/late-names.hpp"
#include "gst/web/session.hpp"
#include "gst/web/speaking.hpp"
#include "signaling/agora-client.h"
#include "signaling/support/glib-ptr.hpp"

namespace agora::web {

class Member : public std::enable_shared_from_this<Member> {
 public:
  // Who it is, as the page said.
  struct Identity {
    std::string app;
    std::string channel;
    std::string token;      // "": none
    std::uint32_t uid = 0;  // 0: assigned
    std::string account;    // "": none
    std::string name;       // for people; "": none
    std::string address;
  };
  Member(Surroundings &around, Identity identity);
  ~Member();
  Member(const Member &) = delete;
  Member &operator=(const Member &) = delete;

  const std::string &app () const { return identity_.app; }
  const std::string &channel () const { return identity_.channel; }
  AgoraClient *client () const { return client_.get(); }
  const Taste &taste () const { return taste_; }
  // Who is on the air but this one; of them, whom it wants to hear; that, or itself where there is
  // nobody: as agorasrc's `speakers`, which takes an empty list for everybody.
  const std::set<std::uint32_t> &on_air () const { return on_air_; }
  std::set<std::uint32_t> audible () const;
  std::set<std::uint32_t> wanted () const;

  // Before its first session hears; 0: the default.
  void set_latency (unsigned ms) { taste_.latency_ms = ms; }
  // Joins the channel, with the first one. A session of the same kind is over, replaced by this.
  void add (const std::shared_ptr<Session> &session);
  // After the session was closed with closed(): the last one leaves the channel.
  void remove (Session &session);
  // For Session::close().
  std::function<void()> closed (const Session &session);

  // Of its sessions.
  void answered (Session &session);
  void connected (Session &session);
  void moved () { try_to_speak(); }

  // The status of HTTP, and the answer's text.
  using Answer = std::function<void(unsigned status, std::string text)>;
  void call (Session &session, const calls::Call &call, Answer answer);

  // Leaves the channel; nothing follows.
  void leave ();

 private:
  using Done = std::function<void(GAsyncResult *)>;
  enum class Phase { outside, joining, joined, over };

  gpointer later (Done done);
  static void finished (GObject *, GAsyncResult *result, gpointer done);
  void join ();
  void joined ();
  void admit (Session &session);
  // Tells a session what there is.
  void present (Session &session) const;
  void become_broadcaster (const std::shared_ptr<Session> &session);
  void over (const Trouble &trouble);
  void tell (const char *name, const std::string &text);
  bool tell_name (std::uint32_t uid) const;
  void tell_added (Session &session, std::uint32_t uid) const;
  std::vector<std::shared_ptr<Session>> sessions () const;
  void try_to_speak ();
  void choose_mix ();
  void voice_stopped ();
  void settle_role ();

  void do_call (Session &, const calls::Mute &call, Answer &answer);
  void do_call (Session &, const calls::SetRole &call, Answer &answer);
  void do_call (Session &, const calls::Speaker &call, Answer &answer);
  void do_call (Session &, const calls::Subscribe &call, Answer &answer);
  void do_call (Session &, const calls::Latency &call, Answer &answer);
  void do_call (Session &, const calls::RenewToken &call, Answer &answer);
  void do_call (Session &, const calls::Data &call, Answer &answer);
  void do_call (Session &session, const calls::Members &, Answer &answer);
  void do_call (Session &session, const calls::Stats &, Answer &answer);
  bool can_hear (const Answer &answer) const;
  // Whether there was room for it.
  bool tell_list (Session &session) const;
  void tell_lists (const char *name, const std::string &text) const;

  void connect_signals ();
  static void on_stream_added (AgoraClient *, guint uid, Member *self) noexcept;
  static void on_stream_removed (AgoraClient *, guint uid, Member *self) noexcept;
  static void on_mute_audio (AgoraClient *, guint uid, Member *self) noexcept;
  static void on_unmute_audio (AgoraClient *, guint uid, Member *self) noexcept;
  static void on_member_named (AgoraClient *, guint uid, const char *name, Member *self) noexcept;
  static void on_member_joined (AgoraClient *, guint uid, const char *name, Member *self) noexcept;
  static void on_member_left (AgoraClient *, guint uid, Member *self) noexcept;
  static void on_data (AgoraClient *, guint uid, const char *text, Member *self) noexcept;
  static void on_error (AgoraClient *, GError *error, Member *self) noexcept;
  static void on_reconnecting (AgoraClient *, GError *cause, Member *self) noexcept;
  static void on_reconnected (AgoraClient *, guint ms, Member *self) noexcept;

  Surroundings &around_;
  const Identity identity_;
  ObjectPtr<AgoraClient> client_;
  std::vector<gulong> handlers_;
  Phase phase_ = Phase::outside;
  std::set<std::uint32_t> on_air_;
  std::set<std::uint32_t> muted_;
  Taste taste_;
  bool own_muted_ = false;
  bool broadcaster_ = false;  // by the page's call, beyond a voice's end

  std::shared_ptr<Hearing> hearing_;
  std::shared_ptr<Speaking> speaking_;
  unsigned stopping_ = 0;  // voices that are being stopped
  LateNames late_names_{[this] (std::uint32_t uid) { return tell_name(uid); }};
  SourcePtr last_words_;  // runs while the shared mix may hold its voice
};

}  // namespace agora::web
