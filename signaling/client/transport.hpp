// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The client's way to a gateway: choose a server where one must be chosen, open a socket, carry
// frames. A seam: the tests have another one than libsoup's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "signaling/client/errors.hpp"
#include "signaling/protocol/codec.hpp"

typedef struct _GMainContext GMainContext;

namespace agora::client {

struct Destination {
  std::string gateway;  // ws:// or wss://
  std::string ap_url;   // where not empty: ask there, instead of gateway
  std::string ca_file;  // the authorities that count for wss:// and https://; empty: the system's
  unsigned connect_timeout_ms = 10'000;  // each peer
  unsigned server_timeout_ms = 5'000;    // each of the chosen servers
  protocol::ChooseRequest choose;
};

class Transport {
 public:
  // Called on the transport's context, never from within a method of the transport.
  class Events {
   public:
    // `since`: when the connection was begun, in ms of the monotonic clock.
    virtual void opened (const std::string &vid, std::int64_t since) = 0;
    virtual void open_failed (const Trouble &trouble) = 0;
    virtual void frame (std::string_view text) = 0;
    virtual void garbled (const std::string &why) = 0;
    virtual void closed (const std::string &why) = 0;

   protected:
    ~Events() = default;
  };

  // Closes; no event comes from then on.
  virtual ~Transport() = default;
  // One opened() or open_failed() follows.
  virtual void open (const Destination &destination) = 0;
  virtual void send (const std::string &text) = 0;
  // Frames that were sent are still delivered, in the background. No event comes until the next
  // open().
  virtual void close () = 0;
};

// All of its work is done on `context`, which its methods are called on.
std::unique_ptr<Transport> make_soup_transport (GMainContext *context, Transport::Events *events);

}  // namespace agora::client
