/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* What the public headers share. */
#pragma once

#if defined(__GNUC__)
#define AGORA_API __attribute__((visibility("default"))) extern
#else
#define AGORA_API extern
#endif
