/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* What the public headers share. */
#pragma once

#if defined(__GNUC__)
#define AGORA_API __attribute__((visibility("default"))) extern
#else
#define AGORA_API extern
#endif

/* No C++ exception comes out of these functions: what would throw ends the process, as GLib does
 * when memory runs out. */
#if defined(__cplusplus)
#define AGORA_NOEXCEPT noexcept
#else
#define AGORA_NOEXCEPT
#endif
