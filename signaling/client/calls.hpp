// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the asynchronous calls of AgoraClient share. Each checks its arguments, asks the core once,
// and converts the reply.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "signaling/agora-client.h"
#include "signaling/client/object.hpp"
#include "signaling/support/guarded.hpp"

namespace agora::client {

// The finish function must be the one that belongs to the call: `tag` tells.
template <typename Make>
void start (AgoraClient *self, gpointer tag, GCancellable *cancellable,
            GAsyncReadyCallback callback, gpointer user_data, Make make) noexcept {
  agora::ObjectPtr<GTask> task(g_task_new(self, cancellable, callback, user_data));
  g_task_set_source_tag(task.get(), tag);
  guarded("a call of AgoraClient", [&] { core_of(self).call(std::move(task), make); });
}

template <typename Request>
void start_request (AgoraClient *self, gpointer tag, Request request, GCancellable *cancellable,
                    GAsyncReadyCallback callback, gpointer user_data) {
  start(self, tag, cancellable, callback, user_data, [&] (Ticket ticket) -> Happening {
    return CallRequest{ticket, std::move(request)};
  });
}

inline std::unique_ptr<Reply> finish (GAsyncResult *result, GError **error) noexcept {
  return std::unique_ptr<Reply>(
      static_cast<Reply *>(g_task_propagate_pointer(G_TASK(result), error)));
}

inline std::string text_of (const char *text) {
  return text == nullptr ? "" : text;
}

inline bool is_of (AgoraClient *self, GAsyncResult *result, gpointer tag) {
  return g_task_is_valid(result, self) && g_async_result_is_tagged(result, tag);
}

}  // namespace agora::client
