// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Why a peer's TLS certificate is refused, as a sentence: GIO itself says that it is unacceptable.
#pragma once

#include <gio/gio.h>

#include <string>

namespace agora {

// `flags`: what the check found, at least one. `host`: the name or address that was connected to;
// `ca_file`: the authorities that were given for it by `setting`, or empty where the system's
// count.
std::string why_untrusted (GTlsCertificate *certificate, GTlsCertificateFlags flags,
                           const std::string &host, const std::string &ca_file,
                           const std::string &setting = "ca-file");

}  // namespace agora
