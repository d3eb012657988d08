// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/late-names.hpp"

namespace agora::web {

namespace {

constexpr unsigned pause_ms = 250;

}  // namespace

void LateNames::changed(std::uint32_t uid) {
  if (late_.contains(uid) || tell_(uid))
    return;
  late_.insert(uid);
  wait();
}

void LateNames::clear() {
  late_.clear();
  again_.reset();
}

void LateNames::wait() {
  if (again_)
    return;
  again_.reset(g_timeout_source_new(pause_ms));
  const GSourceFunc callback = [] (gpointer self) noexcept -> gboolean {
    static_cast<LateNames *>(self)->try_again();
    return G_SOURCE_REMOVE;
  };
  g_source_set_callback(again_.get(), callback, this, nullptr);
  g_source_attach(again_.get(), nullptr);
}

void LateNames::try_again() {
  again_.reset();
  while (!late_.empty() && tell_(*late_.begin()))
    late_.erase(late_.begin());
  if (!late_.empty())
    wait();
}

}  // namespace agora::web
