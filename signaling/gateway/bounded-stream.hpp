// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream that ends when much more is read from it than its messages account for. libsoup bounds a
// WebSocket frame, but neither a message in endless pieces nor the pongs that pings without end
// pile up.
#pragma once

#include <gio/gio.h>

#include <cstddef>

#include "signaling/gateway/glib-ptr.hpp"

namespace agora::gateway {

ObjectPtr<GIOStream> bounded_stream_new (GIOStream *base, std::size_t bound);
// A whole message of `size` bytes has come: what it cost doesn't count any longer.
void bounded_stream_renew (GIOStream *stream, std::size_t size);

}  // namespace agora::gateway
