// SPDX-License-Identifier: LGPL-2.1-or-later
// The store that several gateways share: what the channel book asks of it.
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/gateway.hpp"

namespace agora::gateway {

void Gateway::perform(const Ask &ask) {
  if (store_)
    store_->ask(ask.ticket, ask.operation);
}

void Gateway::perform(const Watch &watch) {
  if (!store_)
    return;
  if (watch.on)
    store_->subscribe(watch.topic);
  else
    store_->unsubscribe(watch.topic);
}

// Operators' queries are waited for where they are asked.
void Gateway::perform(const Answered &) {
}

void Gateway::perform(const Odd &odd) {
  g_warning("The store holds what no gateway has written: %s", odd.what.c_str());
}

}  // namespace agora::gateway
