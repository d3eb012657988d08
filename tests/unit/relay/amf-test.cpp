// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/amf.hpp"

#include <cmath>
#include <limits>

#include "rtmp-text.hpp"
#include "tests/suite.hpp"

namespace amf_test {

using namespace agora::relay::rtmp;

namespace {

struct Case {
  const char *what;
  const char *bytes;
  const char *text;
};

const Case cases[] = {
    {"number", "00 3ff0000000000000", "1"},
    {"negative number", "00 c000000000000000", "-2"},
    {"true", "01 01", "true"},
    {"any byte but 0 is true", "01 7f", "true"},
    {"false", "01 00", "false"},
    {"string", "02 0003 616263", "'abc'"},
    {"empty string", "02 0000", "''"},
    {"null", "05", "null"},
    {"undefined", "06", "undefined"},
    {"long string", "0c 00000003 616263", "'abc'"},
    {"object", "03 0001 61 05 0001 62 0101 000009", "{a: null, b: true}"},
    {"empty object", "03 000009", "{}"},
    {"a property without a name", "03 0000 0101 000009", "{: true}"},
    {"ECMA array, whose count is a hint", "08 00000000 0001 61 05 000009", "[a: null]"},
    {"ECMA array, whose count says too much", "08 ffffffff 0001 61 05 000009", "[a: null]"},
    {"object within an object", "03 0001 61 03 0001 62 05 000009 000009", "{a: {b: null}}"},
    {"strict array", "0a 00000002 05 06", "(type 10)"},
    {"empty strict array", "0a 00000000 05", "(type 10) null"},
    {"date", "0b 0000000000000000 0000", "(type 11)"},
    {"reference", "07 0001", "(type 7)"},
    {"unsupported", "0d", "(type 13)"},
    {"XML", "0f 00000003 616263", "(type 15)"},
    {"object with a class", "10 0001 41 0001 61 05 000009", "(type 16)"},
    {"several", "02 0001 61 00 3ff0000000000000 05", "'a' 1 null"},
    {"nothing", "", ""},

    {"number, cut off", "00 3ff00000000000", "!"},
    {"boolean, cut off", "01", "!"},
    {"string, cut off in its size", "02 00", "!"},
    {"string, cut off", "02 0004 616263", "!"},
    {"long string, cut off in its size", "0c 000000", "!"},
    {"long string that claims 4 GB", "0c ffffffff 616263", "!"},
    {"object without an end", "03 0001 61 05", "!"},
    {"object, cut off in a name", "03 0004 61", "!"},
    {"object without a value", "03 0001 61", "!"},
    {"ECMA array, cut off in its count", "08 0000", "!"},
    {"strict array of 4,294,967,295 values", "0a ffffffff 05*100", "!"},
    {"strict array, cut off in its count", "0a 0000", "!"},
    {"date, cut off", "0b 00000000", "!"},
    {"XML that claims 4 GB", "0f ffffffff 61", "!"},
    {"object with a class, cut off", "10 0004 41", "!"},
    {"an end without a beginning", "09", "!"},
    {"movie clip, which is reserved", "04", "!"},
    {"record set, which is reserved", "0e", "!"},
    {"AMF3", "11 04 01", "!"},
    {"no type of AMF's", "12", "!"},
};

void table () {
  for (const Case &each : cases) {
    const std::string bytes = unhex(each.bytes);
    const std::string text = amf_text(as_bytes(bytes));
    if (text != each.text)
      g_error("%s: %s, not %s", each.what, text.c_str(), each.text);
  }
}

// skip() ends where reading does, and says so of every shorter piece.
void pieces () {
  for (const Case &each : cases) {
    const std::string bytes = unhex(each.bytes);
    AmfReader whole(as_bytes(bytes));
    bool good = true;
    while (good && !whole.at_end())
      good = whole.skip();
    g_assert_true(good == !std::string_view(each.text).ends_with('!'));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // In memory of its own, so that a byte too far is seen by the sanitiser.
      const std::vector<std::uint8_t> piece(bytes.begin(),
                                            bytes.begin() + static_cast<std::ptrdiff_t>(size));
      AmfReader reader(piece);
      while (!reader.at_end() && reader.skip()) {
      }
      amf_text(piece);
    }
  }
}

std::string nested (unsigned depth, const std::string &begin, const std::string &end) {
  std::string bytes;
  for (unsigned i = 0; i < depth; ++i)
    bytes += begin;
  bytes += '\x05';
  for (unsigned i = 0; i < depth; ++i)
    bytes += end;
  return bytes;
}

void depth () {
  const struct {
    const char *begin;
    const char *end;
  } kinds[] = {
      {"03 0001 61", "000009"},
      {"08 00000001 0001 61", "000009"},
      {"0a 00000001", ""},
      {"10 0001 41 0001 61", "000009"},
  };
  for (const auto &kind : kinds) {
    const std::string begin = unhex(kind.begin);
    const std::string end = unhex(kind.end);
    for (unsigned levels : {1U, kAmfDepth, kAmfDepth + 1, 30'000U}) {
      const std::string bytes = nested(levels, begin, end);
      AmfReader reader(as_bytes(bytes));
      g_assert_true(reader.skip() == (levels <= kAmfDepth));
      AmfReader again(as_bytes(bytes));
      const bool object = again.object([] (std::string_view, AmfReader) {});
      const bool properties = kind.begin[1] == '3' || kind.begin[1] == '8';
      g_assert_true(object == (properties && levels <= kAmfDepth));
      // What couldn't be read is still there.
      g_assert_cmpuint(again.rest().size(), ==, object ? 0 : bytes.size());
    }
  }
}

void written () {
  std::string out;
  AmfWriter(out)
      .string("connect")
      .number(1)
      .begin_object()
      .property("app")
      .string("live")
      .property("fpad")
      .boolean(false)
      .end_object()
      .null()
      .undefined();
  assert_same(hex(as_bytes(out), 100),
              "020007636f6e6e656374003ff000000000000003000361707002"
              "00046c697665000466706164010000000905"
              "06");
  for (double value : {0.0, -0.5, 1e300, std::numeric_limits<double>::infinity()}) {
    std::string bytes;
    AmfWriter(bytes).number(value);
    g_assert_true(AmfReader(as_bytes(bytes)).number() == value);
  }
  for (std::size_t size : {std::size_t{0}, std::size_t{65535}, std::size_t{65536}}) {
    const std::string text(size, 'x');
    std::string bytes;
    AmfWriter(bytes).string(text);
    g_assert_true(bytes[0] == (size > 65535 ? 12 : 2));
    g_assert_true(AmfReader(as_bytes(bytes)).string() == text);
  }
}

// A value of another type is not taken.
void other_types () {
  const std::string bytes = unhex("05 02 0001 61");
  AmfReader reader(as_bytes(bytes));
  g_assert_false(reader.number().has_value());
  g_assert_false(reader.boolean().has_value());
  g_assert_false(reader.string().has_value());
  g_assert_false(reader.object([] (std::string_view, AmfReader) {}));
  g_assert_true(reader.skip());
  g_assert_true(reader.string() == "a");
}

}  // namespace

static const agora::Suite suite("amf", [] {
  g_test_add_func("/relay/amf/table", table);
  g_test_add_func("/relay/amf/pieces", pieces);
  g_test_add_func("/relay/amf/depth", depth);
  g_test_add_func("/relay/amf/written", written);
  g_test_add_func("/relay/amf/other-types", other_types);
});

}  // namespace amf_test
