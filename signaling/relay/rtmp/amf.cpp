// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/amf.hpp"

#include <bit>

#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

bool AmfReader::take(std::size_t size) {
  if (rest_.size() < size)
    return false;
  rest_ = rest_.subspan(size);
  return true;
}

bool AmfReader::take_marker(Amf marker) {
  return type() == marker && take(1);
}

std::optional<Amf> AmfReader::type() const {
  if (rest_.empty())
    return std::nullopt;
  return static_cast<Amf>(rest_[0]);
}

std::optional<double> AmfReader::number() {
  if (type() != Amf::number || rest_.size() < 9)
    return std::nullopt;
  const std::uint64_t bits =
      static_cast<std::uint64_t>(read_u32(&rest_[1])) << 32 | read_u32(&rest_[5]);
  rest_ = rest_.subspan(9);
  return std::bit_cast<double>(bits);
}

std::optional<bool> AmfReader::boolean() {
  if (type() != Amf::boolean || rest_.size() < 2)
    return std::nullopt;
  const bool value = rest_[1] != 0;
  rest_ = rest_.subspan(2);
  return value;
}

std::optional<std::string_view> AmfReader::string() {
  std::size_t head = 0;
  std::size_t size = 0;
  if (type() == Amf::string && rest_.size() >= 3) {
    head = 3;
    size = read_u16(&rest_[1]);
  } else if (type() == Amf::long_string && rest_.size() >= 5) {
    head = 5;
    size = read_u32(&rest_[1]);
  } else {
    return std::nullopt;
  }
  if (rest_.size() - head < size)
    return std::nullopt;
  const std::string_view text = as_text(rest_.subspan(head, size));
  rest_ = rest_.subspan(head + size);
  return text;
}

std::optional<std::string_view> AmfReader::property_name() {
  if (rest_.size() < 2)
    return std::nullopt;
  const std::size_t size = read_u16(rest_.data());
  if (rest_.size() - 2 < size)
    return std::nullopt;
  const std::string_view name = as_text(rest_.subspan(2, size));
  rest_ = rest_.subspan(2 + size);
  return name;
}

bool AmfReader::object_end() {
  return take_marker(Amf::object_end);
}

bool AmfReader::enter_object() {
  // The number of an ECMA array's elements is a hint (2.10): its end is marked as an object's is.
  return take_marker(Amf::object) || (take_marker(Amf::ecma_array) && take(4));
}

bool AmfReader::skip_properties(unsigned depth) {
  for (;;) {
    if (!property_name())
      return false;
    if (object_end())
      return true;
    if (!skip_value(depth))
      return false;
  }
}

bool AmfReader::skip_value(unsigned depth) {
  const auto marker = type();
  if (!marker)
    return false;
  switch (*marker) {
    case Amf::number:
      return take(9);
    case Amf::boolean:
      return take(2);
    case Amf::string:
    case Amf::long_string:
      return string().has_value();
    case Amf::null:
    case Amf::undefined:
    case Amf::unsupported:
      return take(1);
    case Amf::reference:
      return take(3);
    case Amf::date:
      return take(11);
    case Amf::xml_document: {
      if (rest_.size() < 5)
        return false;
      const std::size_t size = read_u32(&rest_[1]);
      return take(5) && take(size);
    }
    case Amf::object:
    case Amf::ecma_array:
      return depth > 0 && enter_object() && skip_properties(depth - 1);
    case Amf::typed_object:
      return depth > 0 && take(1) && property_name() && skip_properties(depth - 1);
    case Amf::strict_array: {
      if (depth == 0 || rest_.size() < 5)
        return false;
      const std::uint32_t count = read_u32(&rest_[1]);
      take(5);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (!skip_value(depth - 1))
          return false;
      }
      return true;
    }
    case Amf::object_end:
    case Amf::amf3:
      break;
  }
  return false;
}

bool AmfReader::skip() {
  return skip_value(kAmfDepth);
}

AmfWriter &AmfWriter::number(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  append_u8(out_, static_cast<std::uint8_t>(Amf::number));
  append_u32(out_, static_cast<std::uint32_t>(bits >> 32));
  append_u32(out_, static_cast<std::uint32_t>(bits));
  return *this;
}

AmfWriter &AmfWriter::boolean(bool value) {
  append_u8(out_, static_cast<std::uint8_t>(Amf::boolean));
  append_u8(out_, value ? 1 : 0);
  return *this;
}

AmfWriter &AmfWriter::string(std::string_view value) {
  if (value.size() <= 0xffff) {
    append_u8(out_, static_cast<std::uint8_t>(Amf::string));
    append_u16(out_, static_cast<std::uint16_t>(value.size()));
  } else {
    append_u8(out_, static_cast<std::uint8_t>(Amf::long_string));
    append_u32(out_, static_cast<std::uint32_t>(value.size()));
  }
  out_.append(value);
  return *this;
}

AmfWriter &AmfWriter::null() {
  append_u8(out_, static_cast<std::uint8_t>(Amf::null));
  return *this;
}

AmfWriter &AmfWriter::undefined() {
  append_u8(out_, static_cast<std::uint8_t>(Amf::undefined));
  return *this;
}

AmfWriter &AmfWriter::begin_object() {
  append_u8(out_, static_cast<std::uint8_t>(Amf::object));
  return *this;
}

AmfWriter &AmfWriter::property(std::string_view name) {
  append_u16(out_, static_cast<std::uint16_t>(name.size()));
  out_.append(name);
  return *this;
}

AmfWriter &AmfWriter::end_object() {
  append_u16(out_, 0);
  append_u8(out_, static_cast<std::uint8_t>(Amf::object_end));
  return *this;
}

}  // namespace agora::relay::rtmp
