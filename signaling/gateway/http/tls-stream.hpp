// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The server's end of a TLS connection, as a stream for libsoup. Why it exists: GIO's own makes
// each handshake in a thread of a bounded pool, where a peer that says nothing holds a thread until
// its deadline, and others wait for it. Here nothing waits: a handshake costs a socket and its
// memory.
#pragma once

#include <gio/gio.h>

#include <string>

#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/tls.hpp"

namespace agora::gateway {

// Main thread only; reads and writes never block.
ObjectPtr<GIOStream> tls_stream_new (GSocket *socket, const TlsIdentity::Ptr &identity);

enum class TlsStep { more, established, failed };
// Takes what has come of the handshake. `more`: to be called again when the socket is readable.
TlsStep tls_stream_handshake (GIOStream *stream);
// Why it failed; "" where the peer only went away.
std::string tls_stream_reason (GIOStream *stream);

}  // namespace agora::gateway
