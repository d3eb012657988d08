// SPDX-License-Identifier: LGPL-2.1-or-later
// What outlasts the gateway: the operator's rules and stream keys, and a record of what was done.
#define G_LOG_DOMAIN "agora-gateway"
#include <utility>

#include "signaling/gateway/gateway.hpp"

namespace agora::gateway {

std::string Gateway::open_state(const Options &options) {
  auto opened = StateDir::open(options.state_dir);
  if (auto *problem = std::get_if<std::string>(&opened))
    return *problem;
  kept_ = std::move(std::get<0>(opened));
  // Of several gateways the store has the rules, and a lifted one must not come back out of a file.
  if (!store_)
    book_->restore_rules(kept_->read_rules(), now());
  return options.rtmp.empty() && !store_ ? open_stream_keys(options.state_dir) : "";
}

void Gateway::start_state() {
  StateDir::Callbacks callbacks;
  callbacks.rules = [this] { return book_->kept_rules(now()); };
  callbacks.idle = [this] { maybe_stopped(); };
  kept_->start(std::move(callbacks));
  if (!store_)
    kept_->rules_changed();
  record({.action = "start"}, "", "");
}

// In the log as well: of those that nobody keeps, and of those that a full disk doesn't take.
void Gateway::record(const Deed &deed, const std::string &by, const std::string &from) {
  const std::string text = deed_text(deed, by, from);
  const bool asked = !from.empty();
  if (asked) {
    const std::string uid = std::to_string(deed.uid);
    g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "AGORA_APP", deed.app_id.c_str(),
                     "AGORA_CHANNEL", deed.channel.c_str(), "AGORA_UID", uid.c_str(), "MESSAGE",
                     "Operator: %s", text.c_str());
  }
  if (!kept_)
    return;
  kept_->note(deed_line(g_get_real_time(), text));
  if (asked && !store_)
    kept_->rules_changed();
}

}  // namespace agora::gateway
