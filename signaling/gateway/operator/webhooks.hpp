// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Tells the operator's receiver what happens in the channels. Events are signed, are sent again
// when the receiver didn't take them, and delay nobody: see webhook-queue.hpp for who waits for
// whom. Main loop only.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/operator/webhook-queue.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

struct WebhookCounts {
  std::uint64_t delivered = 0;
  std::uint64_t retried = 0;
  std::uint64_t dropped = 0;  // refused too often, or the queue was full
  std::size_t queued = 0;
};

class Webhooks {
 public:
  // `idle`: nothing is under way or due.
  Webhooks(std::string url, std::string secret, std::function<void()> idle);
  ~Webhooks();
  Webhooks(const Webhooks &) = delete;
  Webhooks &operator=(const Webhooks &) = delete;

  void tell (const Notice &notice);
  // Signs what is sent from now on.
  void set_secret (std::string secret) { secret_ = std::move(secret); }
  bool idle () const { return !queue_.has_due() && under_way_ == 0; }
  WebhookCounts counts () const;

 private:
  using Event = WebhookQueue::Event;
  struct Try;

  void send_due ();
  void send (Event event);
  static void on_head (GObject *session, GAsyncResult *result, gpointer data) noexcept;
  static void on_body (GObject *stream, GAsyncResult *result, gpointer data) noexcept;
  void ended (Event event, bool taken, const std::string &why);
  void wake ();
  void complain_of_drops ();
  std::string sign (GChecksumType type, const std::string &body) const;

  const std::string url_;
  std::string secret_;
  const std::string prefix_;  // of the event ids: random, so that two runs share none
  std::function<void()> idle_;
  ObjectPtr<SoupSession> session_;
  ObjectPtr<GCancellable> cancellable_;
  WebhookQueue queue_;  // times are monotonic, in us
  unsigned under_way_ = 0;
  std::uint64_t last_id_ = 0;
  WebhookCounts counts_;
  bool complained_ = false;
  Timer timer_;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace agora::gateway
