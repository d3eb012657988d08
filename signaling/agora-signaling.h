/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* Everything of the library. */
#pragma once

#include <signaling/agora-client.h>
#include <signaling/agora-enum-types.h>
#include <signaling/agora-error.h>
#include <signaling/agora-log.h>
#include <signaling/agora-macros.h>
#include <signaling/agora-token.h>
