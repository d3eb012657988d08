// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// AMF0 ("Action Message Format", Adobe): what commands and data messages are written in. The reader
// keeps nothing and reserves nothing: texts are views of the bytes it was given. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// Type markers, 2.1.
enum class Amf : std::uint8_t {
  number = 0,
  boolean = 1,
  string = 2,
  object = 3,
  null = 5,
  undefined = 6,
  reference = 7,
  ecma_array = 8,
  object_end = 9,
  strict_array = 10,
  date = 11,
  long_string = 12,
  unsupported = 13,
  xml_document = 15,
  typed_object = 16,
  amf3 = 17,  // what follows is AMF3, which is not read here
};

// Objects within objects. Commands and onMetaData have three at most.
inline constexpr unsigned kAmfDepth = 8;

// Each call reads one value, or nothing if it is of another type or cut off.
class AmfReader {
 public:
  explicit AmfReader(Bytes bytes) : rest_(bytes) {}

  bool at_end () const { return rest_.empty(); }
  Bytes rest () const { return rest_; }
  std::optional<Amf> type () const;

  std::optional<double> number ();
  std::optional<bool> boolean ();
  std::optional<std::string_view> string ();  // a long one as well
  // Any value. False: cut off, of an unknown type, or deeper than kAmfDepth.
  bool skip ();

  // An object or an ECMA array, property by property: `each(name, reader)` reads the value, or
  // leaves it. False: no such value, or as skip() says; some properties may have been told by then.
  template <typename Each>
  bool object (Each each) {
    AmfReader inside = *this;
    if (!inside.enter_object())
      return false;
    for (;;) {
      const auto name = inside.property_name();
      if (!name)
        return false;
      if (inside.object_end())
        break;
      AmfReader value = inside;
      if (!inside.skip_value(kAmfDepth - 1))
        return false;
      each(*name, value);
    }
    *this = inside;
    return true;
  }

 private:
  bool take (std::size_t size);
  bool take_marker (Amf marker);
  bool enter_object ();
  bool object_end ();
  std::optional<std::string_view> property_name ();
  bool skip_properties (unsigned depth);
  bool skip_value (unsigned depth);

  Bytes rest_;
};

class AmfWriter {
 public:
  explicit AmfWriter(std::string &out) : out_(out) {}

  AmfWriter &number (double value);
  AmfWriter &boolean (bool value);
  AmfWriter &string (std::string_view value);
  AmfWriter &null ();
  AmfWriter &undefined ();
  AmfWriter &begin_object ();
  AmfWriter &property (std::string_view name);  // its value comes next
  AmfWriter &end_object ();

 private:
  std::string &out_;
};

}  // namespace agora::relay::rtmp
