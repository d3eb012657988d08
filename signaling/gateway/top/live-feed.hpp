// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The live events of a gateway, over HTTP: connects, and again whenever they end. Main loop only.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <string>

#include "signaling/gateway/top/event-reader.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class LiveFeed {
 public:
  struct Callbacks {
    // False: it can't be read.
    std::function<bool(const std::string &name, const std::string &data)> event;
    // `for_good`: another try would end the same. Else there is one each second.
    std::function<void(const std::string &why, bool for_good)> lost;
  };

  // `authorities`: those that have signed the gateway's certificate; null: the system's.
  LiveFeed(UriPtr base, const std::string &token, ObjectPtr<GTlsDatabase> authorities,
           Callbacks callbacks);
  ~LiveFeed();
  LiveFeed(const LiveFeed &) = delete;
  LiveFeed &operator=(const LiveFeed &) = delete;

  void start ();

 private:
  void answered (GInputStream *stream, SoupMessage *message, const GError *error);
  void refused (unsigned status, GInputStream *stream);
  void read_refusal ();
  void took_refusal (GBytes *bytes);
  void tell_refusal ();
  void read_on ();
  void took (GBytes *bytes, const GError *error);
  void again (const std::string &why);
  void give_up (const std::string &why);

  const UriPtr url_;
  const std::string authorization_;
  const Callbacks callbacks_;
  ObjectPtr<SoupSession> session_;
  ObjectPtr<GCancellable> cancellable_;
  ObjectPtr<GInputStream> stream_;  // null: there is none now
  std::unique_ptr<EventReader> reader_;
  bool heard_ = false;    // an event, by this stream
  bool readable_ = true;  // what came by it
  unsigned status_ = 0;   // of a refusal, and what its body has so far
  std::string refusal_;
  Timer next_;
  Timer patience_;  // with the rest of it
};

}  // namespace agora::gateway
