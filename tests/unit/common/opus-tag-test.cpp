// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-tag.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace opus_tag_test {

namespace {

using agora::OpusTag;
using Kind = OpusTag::Kind;
using Bytes = std::vector<std::uint8_t>;

constexpr const char *head = "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
constexpr std::size_t head_size = 19;

Bytes bytes (const std::string &text) {
  return {text.begin(), text.end()};
}
std::string whole_head () {
  return {head, head_size};
}
// With zeros in it, up to its end.
template <std::size_t n>
std::string text (const char (&literal)[n]) {
  return {literal, n - 1};
}

struct Case {
  const char *what;
  std::string body;
  Kind kind;
  std::string data;
};

std::vector<Case> cases () {
  return {
      {"nothing", "", Kind::foreign, ""},
      {"AAC in the old way", "\xaf\x01pq", Kind::foreign, ""},
      {"a head", "\x90Opus" + whole_head(), Kind::head, whole_head()},
      {"a head with a table", "\x90Opus" + whole_head() + "\x04\x02xxxx", Kind::head,
       whole_head() + "\x04\x02xxxx"},
      {"a head that is cut off", "\x90Opus" + whole_head().substr(1), Kind::refused, ""},
      {"an empty head", "\x90Opus", Kind::refused, ""},
      {"a head of another version", "\x90OpusOpusHead\x11" + whole_head().substr(9), Kind::refused,
       ""},
      {"a head without channels", text("\x90OpusOpusHead\x01\x00") + whole_head().substr(10),
       Kind::refused, ""},
      {"a packet", "\x91Opus\xfcxyz", Kind::packet, "\xfcxyz"},
      {"a packet of one byte", "\x91Opus\xfc", Kind::packet, "\xfc"},
      {"no packet", "\x91Opus", Kind::refused, ""},
      {"cut off in the letters", "\x91Opu", Kind::refused, ""},
      {"nothing but its type", "\x91", Kind::refused, ""},
      {"other letters", "\x91mp4axyz", Kind::foreign, ""},
      {"the end", "\x92Opus", Kind::end, ""},
      {"the end, with something", "\x92Opusx", Kind::end, ""},
      {"a type that is reserved", "\x93Opusx", Kind::ignored, ""},
      {"where channels belong", text("\x94Opus\x01\x02\x00\x00\x00\x03"), Kind::layout, ""},
      {"channels, cut off", "\x94Opus", Kind::refused, ""},
      {"one track", text("\x95\x01Opus\x00\xfcxy"), Kind::packet, "\xfcxy"},
      {"one track, its head", text("\x95\x00Opus\x00") + whole_head(), Kind::head, whole_head()},
      {"one track, another one", "\x95\x01Opus\x01\xfcxy", Kind::ignored, ""},
      {"one track, empty", text("\x95\x01Opus\x00"), Kind::refused, ""},
      {"one track, of AAC", text("\x95\x01mp4a\x00\x01"), Kind::foreign, ""},
      {"tracks, the first of them", text("\x95\x11Opus\x00\x00\x00\x02\xfcx\x01\x00\x00\x01y"),
       Kind::packet, "\xfcx"},
      {"tracks, the first one last", text("\x95\x11Opus\x01\x00\x00\x01y\x00\x00\x00\x02\xfcx"),
       Kind::packet, "\xfcx"},
      {"tracks, none of them ours", text("\x95\x11Opus\x01\x00\x00\x01y"), Kind::ignored, ""},
      {"tracks, cut off", text("\x95\x11Opus\x00\x00\x00\x03\xfcx"), Kind::refused, ""},
      {"tracks, nothing but their kind", "\x95\x11", Kind::refused, ""},
      {"tracks and no kind", "\x95", Kind::refused, ""},
      {"tracks of many codecs", text("\x95\x21mp4a\x01\x00\x00\x01yOpus\x00\x00\x00\x02\xfcx"),
       Kind::packet, "\xfcx"},
      {"tracks of many codecs, ours of another", text("\x95\x21mp4a\x00\x00\x00\x01y"),
       Kind::foreign, ""},
      {"tracks of a kind to come", "\x95\x31Opus", Kind::ignored, ""},
      {"a modifier", text("\x97\x02\x00\x00\x01\x01Opus\xfcx"), Kind::packet, "\xfcx"},
      {"two modifiers", text("\x97\x00y\x07\x00y\x01Opus\xfcx"), Kind::packet, "\xfcx"},
      {"a long modifier", text("\x97\xff\x01\x2b") + std::string(300, 'm') + "\x01Opus\xfcx",
       Kind::packet, "\xfcx"},
      {"a modifier before tracks", text("\x97\x00y\x05\x01Opus\x00\xfcx"), Kind::packet, "\xfcx"},
      {"a modifier, cut off", "\x97\x05\x01", Kind::refused, ""},
      {"a modifier and no more", text("\x97\x00y"), Kind::refused, ""},
      {"a modifier of no size", "\x97", Kind::refused, ""},
      {"modifiers without end", text("\x97\x00y\x07\x00y\x07"), Kind::refused, ""},
      {"a type to come", "\x9fOpusxyz", Kind::ignored, ""},
  };
}

void test_read () {
  for (const Case &each : cases()) {
    const Bytes body = bytes(each.body);
    const OpusTag tag = agora::read_opus_tag(body);
    const bool good = tag.kind == each.kind && std::ranges::equal(tag.data, bytes(each.data));
    if (!good)
      g_test_message("%s: kind %d, %zu bytes", each.what, static_cast<int>(tag.kind),
                     tag.data.size());
    g_assert_true(good);
  }
}

// However it is cut, what is read lies within it, and nothing is made up.
void test_cut () {
  for (const Case &each : cases()) {
    const Bytes body = bytes(each.body);
    for (std::size_t size = 0; size < body.size(); size++) {
      const std::span<const std::uint8_t> cut = std::span(body).first(size);
      const OpusTag tag = agora::read_opus_tag(cut);
      if (tag.data.empty())
        continue;
      g_assert_true(tag.data.data() >= cut.data());
      g_assert_true(tag.data.data() + tag.data.size() <= cut.data() + cut.size());
    }
  }
}

void test_write () {
  const Bytes packet = bytes("\xfcxyz");
  g_assert_true(agora::write_opus_tag(Kind::packet, packet) == bytes("\x91Opus\xfcxyz"));
  const auto mono = agora::opus_head(1, 312);
  const Bytes body = agora::write_opus_tag(Kind::head, mono);
  const OpusTag read = agora::read_opus_tag(body);
  g_assert_true(read.kind == Kind::head);
  g_assert_true(std::ranges::equal(read.data, mono));
  g_assert_cmpint(agora::opus_head_channels(read.data), ==, 1);
  const auto stereo = agora::opus_head(2, 312);
  g_assert_cmpmem(stereo.data(), stereo.size(), head, head_size);
  g_assert_cmpint(agora::opus_head_channels({}), ==, 0);
}

// As loud as it says, but no louder than is bearable.
void test_gain () {
  for (const auto &[said, used] : {std::pair(0, 0),
                                   {1, 1},
                                   {-1, -1},
                                   {6144, 6144},
                                   {6145, 6144},
                                   {32767, 6144},
                                   {-32768, -32768}}) {
    const auto with = agora::opus_head(1, 312, said);
    g_assert_cmpint(agora::opus_head_gain(with), ==, used);
    g_assert_cmpint(agora::opus_head_gain(std::span(with).first(with.size() - 1)), ==, 0);
  }
}

// What of a head a decoder and a mixer can't take, and the value that they can't.
void test_faults () {
  const struct {
    const char *what;
    unsigned channels, family;
    std::string table;
    const char *fault;
  } rows[] = {
      {"mono", 1, 0, "", ""},
      {"stereo", 2, 0, "", ""},
      {"with a table that it needs not", 2, 0, text("\0\0"), ""},
      {"8 channels for a voice", 8, 0, "",
       "its Opus header says 8 channels of mapping family 0, where 2 are the most"},
      {"5.1", 6, 1, text("\4\2\0\4\1\2\3\5"), ""},
      {"7.1", 8, 1, text("\5\3\0\6\1\2\3\4\5\7"), ""},
      {"9 channels", 9, 1, text("\5\4\0\1\2\3\4\5\6\7\x8"),
       "its Opus header says 9 channels of mapping family 1, where 8 are the most"},
      {"in no order", 4, 255, text("\4\0\0\1\2\3"), ""},
      {"silent channels", 3, 1, text("\1\0\0\xff\xff"), ""},
      {"ambisonics", 4, 2, text("\4\0\0\1\2\3"),
       "its Opus header says channel mapping family 2, where 0, 1 and 255 are known"},
      {"without a table", 6, 1, "",
       "its Opus header has 19 bytes, where 6 channels of mapping family 1 take 27"},
      {"a table cut off", 6, 1, text("\4\2\0\4\1\2\3"),
       "its Opus header has 26 bytes, where 6 channels of mapping family 1 take 27"},
      {"no streams", 1, 1, text("\0\0\0"), "its Opus header says 0 streams, of which 0 are stereo"},
      {"more stereo than there is", 2, 1, text("\1\2\0\1"),
       "its Opus header says 1 streams, of which 2 are stereo"},
      {"more than can be numbered", 1, 255, text("\xff\x1\0"),
       "its Opus header says 255 streams, of which 1 are stereo"},
      {"a channel of none", 3, 1, text("\2\1\0\1\3"),
       "its Opus header says that a channel is number 3 of those coded, where 3 are"},
  };
  for (const auto &row : rows) {
    Bytes data = bytes(whole_head());
    data[9] = static_cast<std::uint8_t>(row.channels);
    data[18] = static_cast<std::uint8_t>(row.family);
    const Bytes table = bytes(row.table);
    data.insert(data.end(), table.begin(), table.end());
    const Bytes body = agora::write_opus_tag(Kind::head, data);
    const OpusTag tag = agora::read_opus_tag(body);
    g_assert_true(tag.kind == Kind::head);
    const std::string fault = agora::opus_head_fault(tag.data);
    if (fault != row.fault)
      g_test_message("%s: %s", row.what, fault.c_str());
    g_assert_true(fault == row.fault);
    g_assert_cmpint(agora::opus_head_family(tag.data), ==, row.family);
    g_assert_true(agora::opus_head_is_plain(tag.data) == (row.family == 0 && row.channels <= 2));
  }
}

}  // namespace

static const agora::Suite suite("opus-tag", [] {
  g_test_add_func("/opus-tag/read", test_read);
  g_test_add_func("/opus-tag/cut", test_cut);
  g_test_add_func("/opus-tag/write", test_write);
  g_test_add_func("/opus-tag/gain", test_gain);
  g_test_add_func("/opus-tag/faults", test_faults);
});

}  // namespace opus_tag_test
