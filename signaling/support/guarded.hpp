// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The one place where a C++ exception ends that would otherwise get into C.
#pragma once

#include <glib.h>

#include <exception>

namespace agora {

// Does `what`. There is no way to go on from an exception here, which in this code means that
// memory has run out: it ends the process, as GLib does then, and says what it was doing.
template <typename What>
auto guarded (const char *doing, const What &what) noexcept {
  try {
    return what();
  } catch (const std::exception &exception) {
    g_error("%s: %s", doing, exception.what());
  } catch (...) {
    g_error("%s: an unknown exception", doing);
  }
}

}  // namespace agora
