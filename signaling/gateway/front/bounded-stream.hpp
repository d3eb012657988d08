// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A member's stream, as libsoup's WebSocket has it. Why it exists:
// - A bound. libsoup limits the size of one frame, but neither the number of pieces of a message
// nor
//   the pongs that wait while a peer sends pings and reads nothing. The stream fails when much more
//   is read from it than its messages account for.
// - It waits by a Readiness, not by sources of its own: see there.
// - Frames to many. An event's frame is made once and written past libsoup, which would copy, frame
//   and queue it for each member: an event to 10000 members takes 103 ms of CPU so, 125 ms by
//   libsoup.
//
// Why there are two ways to write: a frame goes directly when nothing of libsoup's is half written,
// or waits. Else, and with TLS, libsoup writes it, so that frames, pongs and close frames keep
// their order. libsoup can't be left out, since pongs and close frames are its own.
#pragma once

#include <gio/gio.h>

#include <cstddef>

#include <memory>
#include <string_view>

#include "signaling/gateway/front/readiness.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

// `socket`: of `base`, when nothing stands between them; null with TLS.
ObjectPtr<GIOStream> bounded_stream_new (GIOStream *base, std::size_t bound,
                                         std::unique_ptr<Readiness::Socket> socket);
// A whole message of `size` bytes has come: its bytes no longer count.
void bounded_stream_renew (GIOStream *stream, std::size_t size);
// Sends `data` past libsoup. False: nothing was sent, libsoup has to.
bool bounded_stream_write (GIOStream *stream, std::string_view data);
// Whether that can be at all: not with TLS.
bool bounded_stream_is_direct (GIOStream *stream);

}  // namespace agora::gateway
