// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The membership itself: what session.hpp promises, over an AgoraClient.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/signal-thread.hpp"
#include "gst/membership/membership.hpp"
#include "gst/membership/retry-pace.hpp"
#include "signaling/agora-client.h"

namespace agora {

class SharedMembership final : public Membership,
                               public std::enable_shared_from_this<SharedMembership> {
 public:
  explicit SharedMembership(const ChannelSettings &settings);
  ~SharedMembership() override;

  // Whether an element with these settings belongs here.
  bool fits (const ChannelSettings &settings) const;
  // `lists`: it is to be told who else is in the channel.
  bool add (GstElement *element, Member *member, Part part, bool lists, GError **error);

  void enter (Member *member) override;
  bool leave (Member *member, GstClockTime budget) override;
  void hold (Member *member, std::shared_ptr<void> what) override;
  void push_broke (Member *member) override;
  void update_push_url (Member *member) override;
  void play_broke (std::uint32_t uid, const std::string &url) override;
  void play_untrusted (const GError &error) override;
  void push_untrusted (Member *member, const GError &error) override;
  AuthoritiesPtr authorities () const override;
  void speaker_is_heard (std::uint32_t uid, bool is_heard) override;
  std::shared_ptr<SharedByListeners> shared_by_listeners (
      const std::function<std::shared_ptr<SharedByListeners>()> &make) override;
  void unpublish (Member *member) override;
  void republish (Member *member) override;
  void offers_changed (Member *member) override;
  void mute_local (Member *member, bool mute) override;
  void renew_token (Member *member, const std::string &token) override;
  void send_data (Member *member, const std::string &text, const UidList &to) override;
  void run (Member *member, std::function<void()> what) override;
  void run (std::function<void()> what) override;
  std::uint32_t uid () const override;
  const char *state () const override;

 private:
  struct Entry {
    GstElement *element;  // borrowed: it leaves before it goes
    Member *member;
    Part part;
    bool lists = false;
    bool list_refused = false;  // and was told so
    bool entered = false;
  };
  struct Pace {
    RetryPace pace;
    SourcePtr timer;
    unsigned next_ms () { return pace.next_ms(std::chrono::steady_clock::now()); }
  };
  struct Remote {
    std::string url;
    bool asking = false;
    bool wanted = false;  // its URL broke while the gateway couldn't be asked
    Pace pace;
    SourcePtr missing;  // runs while the gateway that we came to doesn't know it, and it plays on
  };
  using Done = std::function<void(GAsyncResult *)>;

  // All below: the context's thread alone.
  void begin ();
  bool read_ca_file ();
  void join ();
  void welcome (Member *member);
  void on_joined ();
  void on_out ();
  void adopt_speakers ();
  void removed (std::uint32_t uid);
  bool can_ask () const;
  void ask_again ();
  void pursue ();
  void pursued (bool ok, GError *error);
  void ask_push_url ();
  void push_url_is_late ();
  std::vector<VoiceCodec> offers ();
  void address ();
  void publish ();
  void pushes_to (const char *aac_url);
  static void on_codecs_wanted (AgoraClient *client, const char *const *names,
                                SharedMembership *self);
  void tell_mute ();
  void tell_url (std::uint32_t uid, const std::string &url, Member *alone = nullptr);
  void subscribe (std::uint32_t uid);
  void subscribed (std::uint32_t uid, GAsyncResult *result);
  static void on_named (AgoraClient *, guint uid, const char *name,
                        SharedMembership *self) noexcept;
  static void on_data (AgoraClient *, guint uid, const char *text, SharedMembership *self) noexcept;
  void goodbye ();
  void drop_client ();
  // membership-list.cpp
  void list_members ();
  void members_listed (GAsyncResult *result);
  bool wants_list () const;
  void tell_list ();
  void welcome_to_list (Member *member);
  void end_list ();
  void tell_lists (const std::function<void(Member &)> &what, Member *alone = nullptr,
                   const std::function<bool()> &holds = {});
  void tell_listed (std::uint32_t uid, const std::string &name, Member *alone = nullptr);
  void tell_list_refused (const GError &error);
  void forget_refusals ();
  static void on_lists_members (AgoraClient *client, GParamSpec *, SharedMembership *self);
  static void on_member_joined (AgoraClient *, guint uid, const char *name, SharedMembership *self);
  static void on_member_left (AgoraClient *, guint uid, SharedMembership *self);
  // membership-reports.cpp
  void report_soon ();
  void report ();
  void fail (const GError &error);
  void fail_host (const GError &error);
  bool has (Part part) const;
  bool calls (const Member *member) const;
  bool hears (std::uint32_t uid) const;
  gpointer call (Done done);
  static void finished (GObject *client, GAsyncResult *result, gpointer call);
  void connect_signals ();
  void tell (const std::function<void(Member &)> &what, const Part *only = nullptr,
             Member *alone = nullptr);

  struct Forward;
  static void free_forward (gpointer data, GClosure *) noexcept;
  static void forward (AgoraClient *, gpointer data) noexcept;
  static void forward_about (AgoraClient *, guint uid, gpointer data) noexcept;
  static void on_stream_added (AgoraClient *, guint uid, SharedMembership *self);
  static void on_stream_removed (AgoraClient *, guint uid, SharedMembership *self);
  static void on_update_url (AgoraClient *, guint uid, const char *url, SharedMembership *self);
  static void on_error (AgoraClient *, GError *error, SharedMembership *self);
  static void on_reconnecting (AgoraClient *, GError *cause, SharedMembership *self);
  static void on_reconnected (AgoraClient *, guint ms, SharedMembership *self);
  static void on_silenced (AgoraClient *, GParamSpec *, SharedMembership *self);
  static void on_state (AgoraClient *, GParamSpec *, SharedMembership *self);

  const ChannelSettings settings_;   // but for the borrowed client
  const AgoraClient *const shared_;  // the application's, only to compare
  const bool own_client_;            // ours to join and leave, not the application's
  GMainContext *const context_;

  // The context's thread alone.
  AgoraClient *client_ = nullptr;
  std::vector<gulong> handlers_;
  GCancellable *cancellable_ = nullptr;
  bool began_ = false;
  bool gone_ = false;  // said goodbye, or is saying it
  bool joined_ = false;
  GError *cause_ = nullptr;  // why the client is trying again, while it is
  bool busy_ = false;
  bool published_ = false;
  bool push_asked_ = false;
  bool push_wanted_ = false;  // its URL broke while the gateway couldn't be asked
  bool muted_ = false;        // what the host is
  // What the gateway knows of it, as far as that is known.
  std::optional<bool> told_muted_ = false;
  bool mute_asked_ = false;
  bool silenced_ = false;  // by the operator
  unsigned stay_ = 0;      // counts the times that the application's client was in the channel
  PushUrls push_urls_;
  bool reoffer_ = false;    // it is to be published anew, since it has others to offer
  bool addressed_ = false;  // the client was told by us whom that is for
  bool offered_ = false;    // with what was published: the gateway may tell which codecs are wanted
  Pace push_pace_;
  SourcePtr push_late_;  // runs while the gateway is asked for another one
  SourcePtr retry_;
  SourcePtr report_timer_;
  bool listing_ = false;  // asked who else is there, or told so
  SourcePtr list_retry_;
  std::map<std::uint32_t, std::string> listed_;
  std::map<std::uint32_t, Remote> remotes_;
  gint64 came_back_ = 0;  // when the client last reconnected

  mutable std::mutex mutex_;  // guards all below; a leaf
  std::condition_variable idle_;
  std::vector<Entry> entries_;
  std::map<std::uint32_t, int> heard_;  // sessions that sound comes from
  std::weak_ptr<SharedByListeners> shared_by_listeners_;
  AuthoritiesPtr authorities_;
  bool host_ended_ = false;  // it said goodbye before it left
  bool dead_ = false;
  bool left_ = false;
  std::uint32_t uid_ = 0;
  AgoraState state_ = AGORA_STATE_IDLE;
  // Whose methods run; more than one where a method runs the context's loop itself.
  std::vector<Member *> calling_;
  std::vector<std::pair<Member *, std::shared_ptr<void>>> held_;  // until their methods return
  std::thread::id caller_;
};

}  // namespace agora
