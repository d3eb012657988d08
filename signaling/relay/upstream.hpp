// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A connection by which a stream is pulled: from the relay that it is pushed to, or from another
// worker of this gateway. What comes goes to the Pull that it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "signaling/relay/poller.hpp"
#include "signaling/relay/rtmp/player.hpp"
#include "signaling/support/descriptor.hpp"
#include "signaling/support/tls.hpp"

namespace agora::relay {

class Server;

class Upstream final : public Ready, private rtmp::Player::Events {
 public:
  // Whom it tells. None of them may end the Upstream; where false is returned it ends after that
  // call.
  class Owner {
   public:
    virtual bool on_playing () = 0;
    virtual bool on_begin () = 0;
    virtual bool on_end () = 0;
    virtual bool on_media (const rtmp::MediaMessage &message) = 0;
    // All of one read has been told.
    virtual void on_read () = 0;
    // It has ended by itself. `reason`: in plain English; holds nothing that the origin wrote.
    virtual void on_ended (const std::string &reason) = 0;

   protected:
    ~Owner() = default;
  };

  // The socket may still be connecting. `tls`: a client's, or none.
  Upstream(Server &server, Owner &owner, Descriptor socket, rtmp::Target target,
           std::unique_ptr<Tls> tls);
  ~Upstream() override;

  bool start ();
  void on_ready (std::uint32_t events) override;
  // Asks whether the origin is there, from time to time; ends it where it is mute for too long.
  void tick ();
  // This process stood still: what came meanwhile is still to be read.
  void stood_still ();
  // Closes it; the owner isn't told.
  void end ();

 private:
  void on_playing () override { good_ = good_ && owner_.on_playing(); }
  void on_begin () override { good_ = good_ && owner_.on_begin(); }
  void on_end () override { good_ = good_ && owner_.on_end(); }
  void on_media (const rtmp::MediaMessage &message) override {
    good_ = good_ && owner_.on_media(message);
  }

  bool ended () const { return !socket_; }
  void read ();
  bool feed (rtmp::Bytes bytes);
  void write ();
  bool seal ();
  std::string_view outgoing () const { return tls_ ? tls_->output() : unsent_; }
  void fail (const std::string &reason);
  std::string socket_error () const;

  Server &server_;
  Owner &owner_;
  Descriptor socket_;
  const std::unique_ptr<Tls> tls_;
  rtmp::Player player_;
  bool good_ = true;  // the owner wants more
  bool watching_write_ = true;
  std::string unsent_;  // plaintext
  std::int64_t heard_;  // when something came last, or it began
  std::int64_t next_ping_ = 0;
};

}  // namespace agora::relay
