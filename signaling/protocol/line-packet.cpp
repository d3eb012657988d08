// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/line-packet.hpp"

#include <glib.h>

#include <algorithm>
#include <utility>

namespace agora::line {

using protocol::Fields;
using protocol::Need;

bool is_text (std::string_view value, std::size_t max) {
  // g_utf8_validate() with a length refuses NUL, too.
  return value.size() <= max &&
         g_utf8_validate(value.data(), static_cast<gssize>(value.size()), nullptr);
}

std::string fitting (std::string_view text, std::size_t max) {
  const std::string_view start = text.substr(0, max);
  g_autofree char *valid = g_utf8_make_valid(start.data(), static_cast<gssize>(start.size()));
  // What is made valid may be longer: three bytes for each that is none.
  std::string_view cut = valid;
  if (cut.size() > max) {
    const char *end = g_utf8_find_prev_char(valid, valid + max);
    cut = cut.substr(0, static_cast<std::size_t>(end - valid));
  }
  return std::string(cut);
}

Writer &Writer::text(const char *name, std::string_view value, std::size_t max) {
  good_ = good_ && is_text(value, max);
  if (good_)
    json_.text(name, value);
  return *this;
}

Writer &Writer::number(const char *name, std::uint64_t value) {
  json_.integer(name, static_cast<std::int64_t>(std::min(value, max_number)));
  return *this;
}

std::optional<std::string> Writer::finish(std::size_t max) {
  std::string text = json_.finish();
  if (!good_ || text.size() > max)
    return {};
  return text;
}

Reader::Reader(std::string_view packet, std::size_t max_bytes, unsigned max_depth) {
  std::string reason;
  document_ = protocol::parse_object(packet, max_bytes, max_depth, reason);
  if (document_ == nullptr)
    failure_.set(protocol::Code::bad_request, std::move(reason));
  else
    fields_.emplace(document_->root(), "", failure_);
}

std::string Reader::text_of(Fields &fields, const char *name, std::size_t max) {
  std::string value = fields.text(name, Need::required);
  if (value.size() > max)
    fields.fail(name, "at most " + std::to_string(max) + " bytes");
  return value;
}

std::uint64_t Reader::number_of(Fields &fields, const char *name, std::uint64_t min,
                                std::uint64_t max) {
  return static_cast<std::uint64_t>(fields.integer(
      name, Need::required, static_cast<std::int64_t>(min), static_cast<std::int64_t>(max)));
}

bool Reader::boolean(const char *name) {
  if (!fields_->has(name))
    fail(name, "true or false, but it is absent");
  return fields_->boolean(name, Need::required, false);
}

}  // namespace agora::line
