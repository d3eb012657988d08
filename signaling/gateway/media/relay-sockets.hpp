// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The sockets that agora-relay listens on. They are the gateway's, so that the port stays.
#pragma once

#include <gio/gio.h>

#include <cstddef>
#include <string>
#include <vector>

#include "signaling/gateway/options/values.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

// As many as there are workers, all on one port: the kernel spreads connections over them. An error
// is a sentence that begins with --NAME.
std::string listen_for_relay (const char *name, const Endpoint &endpoint, std::size_t workers,
                              std::vector<ObjectPtr<GSocket>> &sockets);

}  // namespace agora::gateway
