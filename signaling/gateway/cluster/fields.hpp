// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The parts of a text, one after another. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace agora::gateway::cluster {

class Fields {
 public:
  Fields(std::string_view text, char separator) : rest_(text), separator_(separator) {}

  // "" past the end, which exact() then tells.
  std::string_view next () {
    if (ended_) {
      missed_ = true;
      return {};
    }
    const std::size_t at = rest_.find(separator_);
    const std::string_view field = rest_.substr(0, at);
    ended_ = at == std::string_view::npos;
    rest_ = ended_ ? std::string_view() : rest_.substr(at + 1);
    return field;
  }
  // As many were taken as there are.
  bool exact () const { return ended_ && !missed_; }
  bool ended () const { return ended_; }

 private:
  std::string_view rest_;
  char separator_;
  bool ended_ = false;
  bool missed_ = false;
};

// The one at `place`, from 0, of a text with '|' between them.
inline std::string_view part (std::string_view text, int place) {
  Fields fields(text, '|');
  for (int n = 0; n < place; n++)
    fields.next();
  return fields.next();
}

}  // namespace agora::gateway::cluster
