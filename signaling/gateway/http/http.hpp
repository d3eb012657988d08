// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the HTTP servers share: sockets with a backlog of their own, and requests with bounds.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <string>
#include <string_view>

#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

// Listens with a long queue: libsoup's own is too short for a storm of reconnecting members.
// `shared`: others may listen on the same port, if theirs are shared, too.
ObjectPtr<GSocket> listen_tcp (const Endpoint &endpoint, GError **error, bool shared = false);
std::uint16_t port_of (GSocket *socket);

// Without a port; "" where there is none.
std::string peer_address (GSocket *socket);

// Bounds what requests cost. A body over the `limit` of its path, or in very many pieces, is
// answered with 413 and not read on: no handler sees it. Range is ignored.
using BodyLimit = std::size_t (*)(std::string_view path);
void bound_requests (SoupServer *server, BodyLimit limit);
// Lines of the header, each with its end, for such a refusal by `server`: it is written past
// libsoup.
using RefusalHeaders = std::function<std::string(SoupServerMessage *message)>;
void set_refusal_headers (SoupServer *server, RefusalHeaders headers);
std::string_view body_of (SoupServerMessage *message);

void respond (SoupServerMessage *message, guint status, const char *type, std::string_view body);

// The host in URLs for a server of ours: the public one, or one that works on this machine.
std::string own_host (const Endpoint &endpoint, const std::string &public_host);

}  // namespace agora::gateway
