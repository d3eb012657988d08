// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Server-sent events, taken out of a stream as it comes. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace agora::gateway {

class EventReader {
 public:
  // Of one event: several times what a gateway tells of as many members as it shows.
  static constexpr std::size_t most_bytes = 16 * 1024 * 1024;

  explicit EventReader(std::function<void(const std::string &name, const std::string &data)> event)
      : event_(std::move(event)) {}

  // False: an event is too long, and nothing more can be taken.
  bool take (std::string_view bytes) {
    rest_ += bytes;
    std::size_t from = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', seen_)) != std::string::npos;) {
      line(std::string_view(rest_).substr(from, end - from));
      from = seen_ = end + 1;
    }
    rest_.erase(0, from);
    seen_ = rest_.size();
    return rest_.size() + data_.size() <= most_bytes;
  }

 private:
  void line (std::string_view text) {
    if (text.ends_with('\r'))
      text.remove_suffix(1);
    const auto value = [&] (std::string_view field) {
      text.remove_prefix(field.size());
      return text.starts_with(' ') ? text.substr(1) : text;
    };
    if (text.empty()) {
      if (!data_.empty())
        event_(name_, data_);
      name_.clear();
      data_.clear();
    } else if (text.starts_with("event:")) {
      name_ = value("event:");
    } else if (text.starts_with("data:")) {
      if (!data_.empty())
        data_ += '\n';
      data_ += value("data:");
    }
  }

  const std::function<void(const std::string &name, const std::string &data)> event_;
  std::string rest_;      // from the beginning of a line
  std::size_t seen_ = 0;  // of it, without an end of a line
  std::string name_;
  std::string data_;
};

}  // namespace agora::gateway
