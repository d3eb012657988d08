// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Why a peer could not be reached, as a sentence that names it and tells the cases apart.
#pragma once

#include <gio/gio.h>

#include <initializer_list>
#include <string>

#include "signaling/client/errors.hpp"

namespace agora::client {

bool is_url_of (const std::string &url, std::initializer_list<const char *> schemes);
Trouble bad_url (const char *name, const std::string &url, const char *expected);
// `status`: of the HTTP answer; 0: there was none. `untrusted`: what is wrong with the peer's
// certificate; empty: nothing.
Trouble connect_trouble (const std::string &url, const char *what, const GError &error,
                         unsigned status, const std::string &untrusted);
std::string describe_close (unsigned code, const char *data);

}  // namespace agora::client
