// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#pragma once

#include <gio/gio.h>

#include <string>

namespace agora {

// Whether an RTMP session can be opened to what a gateway gave as a media URL: rtmp:// or rtmps://,
// a host, a port of 1 to 65535 or none, an application and a stream. rtmp2sink and rtmp2src take
// more than that, and fail at it. The error names what is wrong, but not the URL, which is secret.
bool check_media_url (const std::string &url, GError **error);

}  // namespace agora
