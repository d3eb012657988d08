// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The inside of an AgoraClient: feeds the machine, does what it says, and returns the tasks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "signaling/agora-client.h"
#include "signaling/agora-log.h"
#include "signaling/client/machine.hpp"
#include "signaling/client/transport.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::client {

// What a task returns where it succeeds.
struct Reply {
  Uid uid = 0;
  std::string url;
  int rotation = 0;
  Urls urls;
  std::int64_t more = 0;
};

// Everything happens on the context that was the thread's default when the core was made.
class Core final : private Transport::Events {
 public:
  class Observer {
   public:
    virtual void event (const protocol::Event &event) = 0;
    virtual void error (const GError *error) = 0;
    virtual void reconnecting (const GError *cause) = 0;
    virtual void reconnected (Millis took) = 0;
    // The property of this name has another value now.
    virtual void changed (const char *property) = 0;

   protected:
    ~Observer() = default;
  };

  // `owner` is kept alive while its observer is being called.
  Core(GObject *owner, Observer *observer);
  ~Core();

  // The task is returned once, sooner or later, from the context. `make` gets the task's ticket.
  void call (ObjectPtr<GTask> task, const std::function<Happening(Ticket)> &make);
  // What comes from the loop and from the socket comes through here, or through cancel().
  void happen (const Happening &happening) noexcept;
  // Nothing is told to the observer from now on; what waits is returned as closed.
  void quiet ();

  Destination destination;
  GMainContext *context () const { return context_.get(); }
  const Machine &machine () const { return machine_; }
  Limits &limits () { return machine_.limits; }
  std::string &name () { return machine_.name; }
  protocol::Addressees &talk_to () { return machine_.talk_to; }
  std::optional<protocol::Codecs> &hears () { return machine_.hears; }

 private:
  struct Call;

  void opened (const std::string &vid, std::int64_t since) override;
  void open_failed (const Trouble &trouble) override;
  void frame (std::string_view text) override;
  void garbled (const std::string &why) override;
  void closed (const std::string &why) override;

  void step (const Happening &happening);
  void cancel (Ticket ticket) noexcept;
  void drain ();
  void act (const Open &open);
  void act (const Send &send);
  void act (const Close &);
  void act (const Finish &finish);
  void act (const Emit &emit);
  void act (const EmitError &emit);
  void act (const EmitReconnecting &emit);
  void act (const EmitReconnected &emit);
  void act (const Note &note);
  void notify_changes ();
  void arm_timer ();
  void note (AgoraLogLevel level, const std::string &text) const;

  struct Seen {
    AgoraState state;
    Uid uid;
    protocol::Role role;
    std::string channel;
    std::string app_id;
    bool silenced;
    protocol::Codecs codecs_wanted;
    bool lists_members;
  };
  Seen look () const;

  GObject *owner_;
  Observer *observer_;
  ContextPtr context_;
  std::unique_ptr<Transport> transport_;
  Machine machine_;
  Seen seen_;
  std::vector<Action> to_do_;
  bool draining_ = false;
  std::string sid_;
  Ticket last_ticket_ = 0;
  std::map<Ticket, std::unique_ptr<Call>> calls_;
  Timer timer_;
};

AgoraState state_of (Phase phase);
AgoraRole role_of (protocol::Role role);

}  // namespace agora::client
