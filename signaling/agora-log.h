/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* How much the library logs, and where to. */
#pragma once

#include <glib.h>

#include <signaling/agora-macros.h>

G_BEGIN_DECLS

/**
 * AgoraLogLevel:
 * @AGORA_LOG_LEVEL_ALL: everything.
 * @AGORA_LOG_LEVEL_DEBUG: what helps who develops the library.
 * @AGORA_LOG_LEVEL_INFO: connections and retries as well.
 * @AGORA_LOG_LEVEL_WARNING: what went wrong or seems odd, and reconnections. The default.
 * @AGORA_LOG_LEVEL_ERROR: what can't be mended alone.
 * @AGORA_LOG_LEVEL_NONE: nothing.
 *
 * How much is logged: lines of this level and above. The numbers are those of the vendor's SDK.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_LOG_LEVEL_ALL = -1,
  AGORA_LOG_LEVEL_DEBUG = 0,
  AGORA_LOG_LEVEL_INFO = 1,
  AGORA_LOG_LEVEL_WARNING = 2,
  AGORA_LOG_LEVEL_ERROR = 3,
  AGORA_LOG_LEVEL_NONE = 4,
} AgoraLogLevel;

/**
 * AgoraLogFunc:
 * @level: how grave it is.
 * @message: one line, without a line break.
 * @user_data: as given to [func@AgoraSignaling.log_set_handler].
 *
 * Gets the lines of the library's log, on whichever thread they are written, one at a time. It must
 * not call back into the library.
 *
 * Since: 0.1
 */
typedef void (*AgoraLogFunc)(AgoraLogLevel level, const char *message, gpointer user_data);

AGORA_API
void agora_log_set_level (AgoraLogLevel level) AGORA_NOEXCEPT;
AGORA_API
AgoraLogLevel agora_log_get_level (void) AGORA_NOEXCEPT;
AGORA_API
void agora_log_set_handler (AgoraLogFunc handler, gpointer user_data,
                            GDestroyNotify destroy) AGORA_NOEXCEPT;

G_END_DECLS
