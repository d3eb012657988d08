// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/agora-log.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "signaling/client/log.hpp"

namespace {

struct Handler {
  AgoraLogFunc function;
  gpointer user_data;
  GDestroyNotify destroy;
  ~Handler() {
    if (destroy != nullptr)
      destroy(user_data);
  }
};

std::atomic<int> log_level{AGORA_LOG_LEVEL_WARNING};
// Guards the handler, and its calls: they come one at a time.
std::mutex handler_lock;
std::unique_ptr<Handler> log_handler;

// No warning of GLib's: a network that fails is no fault of the program, and some abort on those.
GLogLevelFlags glib_level (AgoraLogLevel level) {
  if (level >= AGORA_LOG_LEVEL_WARNING)
    return G_LOG_LEVEL_MESSAGE;
  return level == AGORA_LOG_LEVEL_INFO ? G_LOG_LEVEL_INFO : G_LOG_LEVEL_DEBUG;
}

}  // namespace

namespace agora::client {

void log_line (AgoraLogLevel level, const std::string &channel, protocol::Uid uid,
               const std::string &text) {
  if (level < log_level.load(std::memory_order_relaxed))
    return;
  {
    std::lock_guard<std::mutex> lock(handler_lock);
    if (log_handler != nullptr) {
      log_handler->function(level, text.c_str(), log_handler->user_data);
      return;
    }
  }
  std::string number = std::to_string(uid);
  g_log_structured(G_LOG_DOMAIN, glib_level(level), "AGORA_CHANNEL", channel.c_str(), "AGORA_UID",
                   number.c_str(), "MESSAGE", "%s", text.c_str());
}

}  // namespace agora::client

/**
 * agora_log_set_level:
 * @level: the least level that is logged.
 *
 * Sets how much the library logs, in the whole process. Tokens are in no line of any level. May be
 * called from any thread.
 *
 * Since: 0.1
 */
void agora_log_set_level (AgoraLogLevel level) noexcept {
  log_level = level;
}

/**
 * agora_log_get_level:
 *
 * Tells how much the library logs. May be called from any thread.
 *
 * Returns: the level.
 *
 * Since: 0.1
 */
AgoraLogLevel agora_log_get_level () noexcept {
  return static_cast<AgoraLogLevel>(log_level.load());
}

/**
 * agora_log_set_handler:
 * @handler: (nullable) (scope notified) (closure user_data) (destroy destroy): gets every line of
 *   the level or above; %NULL: back to the default.
 * @user_data: for @handler.
 * @destroy: frees @user_data when it is of no use any more.
 *
 * Takes the library's lines away from GLib's structured log, where they go by default, in the
 * domain "agora", with the fields AGORA_CHANNEL and AGORA_UID. Must not be called from within a
 * handler. May be called from any thread.
 *
 * Since: 0.1
 */
void agora_log_set_handler (AgoraLogFunc handler, gpointer user_data,
                            GDestroyNotify destroy) noexcept {
  std::unique_ptr<Handler> next;
  if (handler != nullptr)
    next = std::make_unique<Handler>(Handler{handler, user_data, destroy});
  std::unique_ptr<Handler> before;
  {
    std::lock_guard<std::mutex> lock(handler_lock);
    before = std::exchange(log_handler, std::move(next));
  }
}
