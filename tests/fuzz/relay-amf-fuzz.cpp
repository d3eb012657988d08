// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as AMF, and as a data message of a push.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/data-message.hpp"
#include "signaling/relay/rtmp/server-session.hpp"
#include "tests/fuzz/rtmp-check.hpp"

namespace {

using namespace agora::relay::rtmp;
using namespace agora::relay::rtmp::fuzz;

bool inside (std::string_view text, Bytes whole) {
  const Bytes bytes = as_bytes(text);
  return bytes.empty() || (bytes.data() >= whole.data() &&
                           bytes.data() + bytes.size() <= whole.data() + whole.size());
}

// One value by its own call: as far as skip() goes, and the same once it is written.
void check_value (AmfReader reader, Bytes whole, unsigned depth) {
  AmfReader skipped = reader;
  const bool good = skipped.skip();
  std::string written;
  AmfWriter writer(written);
  if (const auto number = reader.number()) {
    writer.number(*number);
    const auto back = AmfReader(as_bytes(written)).number();
    require(back && (*back == *number || (*back != *back && *number != *number)), "another number");
  } else if (const auto boolean = reader.boolean()) {
    writer.boolean(*boolean);
    require(AmfReader(as_bytes(written)).boolean() == *boolean, "another boolean");
  } else if (const auto string = reader.string()) {
    require(inside(*string, whole), "a text from elsewhere");
    writer.string(*string);
    require(AmfReader(as_bytes(written)).string() == *string, "another text");
  } else {
    const bool object = reader.object([&] (std::string_view name, AmfReader value) {
      require(inside(name, whole), "a name from elsewhere");
      if (depth > 0)
        check_value(value, whole, depth - 1);
    });
    if (!object)
      return;
  }
  require(good, "skip() doesn't read what is read otherwise");
  require(reader.rest().data() == skipped.rest().data(), "skip() goes elsewhere");
}

void check_data (Bytes bytes, bool amf3) {
  const auto data = read_data(bytes, amf3);
  if (!data)
    return;
  require(AmfReader(*data).string().has_value(), "a data message without a name");
  require(data->data() + data->size() == bytes.data() + bytes.size(), "not the message's end");
  require(inside(data_name(*data), *data), "a name from elsewhere");
  AmfReader reader(*data);
  while (!reader.at_end())
    require(reader.skip(), "a data message that can't be read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const Bytes bytes(data, size);
  AmfReader reader(bytes);
  while (!reader.at_end()) {
    check_value(reader, bytes, kAmfDepth);
    const std::size_t before = reader.rest().size();
    if (!reader.skip())
      break;
    require(reader.rest().size() < before, "skip() stays where it is");
  }
  check_data(bytes, false);
  check_data(bytes, true);
  return 0;
}
