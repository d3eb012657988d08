// SPDX-License-Identifier: LGPL-2.1-or-later
// A member's stream, as libsoup has it. It ends when much more is read from it than its messages
// account for: libsoup bounds a WebSocket frame, but neither a message in endless pieces nor the
// pongs that pings without end pile up. And it waits by a Readiness, where it has one.
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
// A whole message of `size` bytes has come: what it cost doesn't count any longer.
void bounded_stream_renew (GIOStream *stream, std::size_t size);
// Sends `data` beside libsoup; false when that is not to be done now, and nothing was sent.
bool bounded_stream_write (GIOStream *stream, std::string_view data);

}  // namespace agora::gateway
