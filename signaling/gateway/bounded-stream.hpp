// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream that ends when too much is read from it between two renewals. libsoup bounds a WebSocket
// frame, but neither a message in endless pieces nor the pongs that pings without end pile up.
#pragma once

#include <gio/gio.h>

#include <cstddef>

#include "signaling/gateway/glib-ptr.hpp"

namespace agora::gateway {

ObjectPtr<GIOStream> bounded_stream_new (GIOStream *base, std::size_t bound);
// A whole message has come: the count starts over.
void bounded_stream_renew (GIOStream *stream);

}  // namespace agora::gateway
