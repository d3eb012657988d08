// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From a connection whose upgrade was answered to a WebSocket with bounds. Main loop only.
#pragma once

#include <libsoup/soup.h>

#include <memory>

#include "signaling/gateway/front/readiness.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class SocketOpener {
 public:
  // `plain`: nothing stands between `stream` and `socket`. The socket has no deadline from now on.
  ObjectPtr<SoupWebsocketConnection> open (GSocket *socket, GIOStream *stream, bool plain,
                                           const FrameLimits &limits);

 private:
  struct UriUnref {
    void operator()(GUri *uri) const { g_uri_unref(uri); }
  };
  // libsoup wants a URI for each connection, which is never looked at.
  std::unique_ptr<GUri, UriUnref> uri_{
      g_uri_build(G_URI_FLAGS_NONE, "ws", nullptr, "localhost", -1, "/", nullptr, nullptr)};
  std::shared_ptr<Readiness> readiness_ = std::make_shared<Readiness>();
};

}  // namespace agora::gateway
