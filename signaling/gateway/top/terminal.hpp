// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The terminal: shows lines over the whole of it, tells of keys, and is as it was afterwards. Main
// loop only.
#pragma once

#include <termios.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "signaling/gateway/top/picture.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class Terminal {
 public:
  enum class Key { quit, up, down, page_up, page_down, top };
  struct Size {
    std::size_t columns, rows;
  };

  // Whether standard output is one that can be drawn on.
  static bool there ();
  explicit Terminal(std::function<void(Key key)> pressed);
  ~Terminal();
  Terminal(const Terminal &) = delete;
  Terminal &operator=(const Terminal &) = delete;

  Size size () const;
  // As many lines as there are rows, at most.
  void draw (const std::vector<ShownLine> &lines);

 private:
  static gboolean on_input (gint fd, GIOCondition condition, gpointer self) noexcept;
  void take_keys (std::string_view rest);

  const std::function<void(Key key)> pressed_;
  std::optional<termios> before_;  // of standard input, where that is the terminal
  guint input_ = 0;
};

}  // namespace agora::gateway
