// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-packet.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <vector>

namespace opus_packet_test {

namespace {

using agora::OpusPacket;
using Bytes = std::vector<std::uint8_t>;

// A first byte.
constexpr std::uint8_t toc (unsigned configuration, bool stereo, unsigned code) {
  return static_cast<std::uint8_t>(configuration << 3 | (stereo ? 4U : 0U) | code);
}

Bytes joined (Bytes bytes, std::size_t more) {
  bytes.insert(bytes.end(), more, 7);
  return bytes;
}

struct Case {
  const char *what;
  Bytes packet;
  unsigned samples;  // 0: no packet at all
  unsigned frames;
  int channels;
};

// Configurations: 1 SILK of 20 ms, 15 hybrid of 20 ms, 28 CELT of 2.5 ms, 30 of 10, 31 of 20.
const std::vector<Case> &cases () {
  static const std::vector<Case> all = {
      {"nothing", {}, 0, 0, 0},
      {"20 ms", joined({toc(31, false, 0)}, 100), 960, 1, 1},
      {"20 ms in stereo", joined({toc(31, true, 0)}, 100), 960, 1, 2},
      {"10 ms", joined({toc(30, false, 0)}, 40), 480, 1, 1},
      {"2.5 ms", joined({toc(28, false, 0)}, 9), 120, 1, 1},
      {"hybrid", joined({toc(15, false, 0)}, 9), 960, 1, 1},
      {"SILK", joined({toc(1, false, 0)}, 9), 960, 1, 1},
      {"SILK of 60 ms", joined({toc(3, false, 0)}, 9), 2880, 1, 1},
      {"nothing to be sent", {toc(1, false, 0)}, 960, 1, 1},
      {"the longest frame", joined({toc(31, false, 0)}, 1275), 960, 1, 1},
      {"too long a frame", joined({toc(31, false, 0)}, 1276), 0, 0, 0},
      {"two alike", joined({toc(31, false, 1)}, 10), 1920, 2, 1},
      {"two alike that aren't", joined({toc(31, false, 1)}, 11), 0, 0, 0},
      {"two", joined({toc(31, false, 2), 3}, 10), 1920, 2, 1},
      {"two, the first long", joined({toc(31, false, 2), 252, 12}, 310), 1920, 2, 1},
      {"two, the first too long", joined({toc(31, false, 2), 11}, 10), 0, 0, 0},
      {"two, without a length", {toc(31, false, 2)}, 0, 0, 0},
      {"two, with half a length", {toc(31, false, 2), 252}, 0, 0, 0},
      {"three alike", joined({toc(31, false, 3), 3}, 9), 2880, 3, 1},
      {"three that aren't", joined({toc(31, false, 3), 3}, 10), 0, 0, 0},
      {"three", joined({toc(31, false, 3), 0x83, 1, 2}, 5), 2880, 3, 1},
      {"three and a length too few", {toc(31, false, 3), 0x83, 0}, 0, 0, 0},
      {"none", {toc(31, false, 3), 0}, 0, 0, 0},
      {"no number", {toc(31, false, 3)}, 0, 0, 0},
      {"48 of them", joined({toc(28, false, 3), 48}, 48), 5760, 48, 1},
      {"more than 120 ms", joined({toc(31, false, 3), 7}, 7), 0, 0, 0},
      {"padding", joined({toc(31, false, 3), 0x41, 2}, 12), 960, 1, 1},
      {"long padding", joined({toc(31, false, 3), 0x41, 255, 2}, 260), 960, 1, 1},
      {"more padding than there is", joined({toc(31, false, 3), 0x41, 13}, 12), 0, 0, 0},
      {"padding of no length", {toc(31, false, 3), 0x41}, 0, 0, 0},
  };
  return all;
}

void test_read () {
  for (const Case &each : cases()) {
    const auto packet = OpusPacket::of(each.packet);
    const bool good = each.samples == 0
                          ? !packet
                          : packet && packet->samples == each.samples &&
                                packet->frames == each.frames && packet->channels == each.channels;
    if (!good)
      g_test_message("%s: %u samples", each.what, packet ? packet->samples : 0U);
    g_assert_true(good);
  }
}

// Streams that tell where they end, and a last one that doesn't.
void test_streams () {
  const auto of = [] (std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes &part : parts)
      all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const Bytes one = joined({toc(31, false, 0), 5}, 5);
  const Bytes alike = joined({toc(31, false, 1), 4}, 8);
  const Bytes varying = joined({toc(31, true, 2), 1, 6}, 7);
  const Bytes three = joined({toc(31, false, 3), 3, 4}, 12);
  const Bytes three_varying = joined({toc(31, false, 3), 0x83, 1, 2, 3}, 6);
  const Bytes padded = joined({toc(31, false, 3), 0x41, 3, 5}, 8);
  const Bytes long_one = joined({toc(31, true, 0), 252, 10}, 292);
  const struct {
    const char *what;
    Bytes packet;
    unsigned streams, samples;
  } rows[] = {
      {"two", of({one, joined({toc(31, false, 0)}, 7)}), 2, 960},
      {"four", of({one, one, long_one, joined({toc(31, false, 0)}, 7)}), 4, 960},
      // As a whole it is an odd number of bytes for two alike.
      {"40 ms", of({alike, varying, joined({toc(31, false, 1)}, 6)}), 3, 1920},
      {"60 ms", of({three, three_varying, joined({toc(31, false, 3), 3}, 6)}), 3, 2880},
      {"padding", of({padded, joined({toc(31, false, 0)}, 7)}), 2, 960},
      {"nothing to be sent", of({{toc(31, false, 0), 0}, {toc(31, false, 0)}}), 2, 960},
      {"another length", of({one, joined({toc(30, false, 0)}, 7)}), 2, 0},
      {"another length before the last", of({one, alike, joined({toc(31, false, 1)}, 6)}), 3, 0},
      {"one too few", one, 2, 0},
      {"cut off", joined({toc(31, false, 0), 5}, 4), 2, 0},
      {"cut off in a length", {toc(31, false, 0), 252}, 2, 0},
      {"none", {toc(31, false, 3), 0, 0, toc(31, false, 0)}, 2, 0},
      {"more than 120 ms", joined({toc(31, false, 3), 7, 0, toc(31, false, 3), 7}, 0), 2, 0},
      {"more padding than there is", {toc(31, false, 3), 0x41, 9, 1, 7, toc(31, false, 0)}, 2, 0},
      {"nothing", {}, 255, 0},
  };
  for (const auto &row : rows) {
    const auto packet = OpusPacket::of(row.packet, row.streams);
    const unsigned samples = packet ? packet->samples : 0;
    if (samples != row.samples)
      g_test_message("%s: %u samples", row.what, samples);
    g_assert_cmpuint(samples, ==, row.samples);
    // However it is cut, it is read within its bounds.
    for (std::size_t size = 0; size < row.packet.size(); size++) {
      const Bytes cut(row.packet.begin(), row.packet.begin() + static_cast<std::ptrdiff_t>(size));
      OpusPacket::of(cut, row.streams);
    }
  }
}

// What can be read can be stamped once, and says of itself what it said before.
void test_stamp () {
  constexpr std::int64_t wall = 1'790'000'000'123'456;
  for (const Case &each : cases()) {
    const auto before = OpusPacket::of(each.packet);
    const auto stamped = agora::stamp_opus(each.packet, wall);
    g_assert_false(agora::opus_stamp(each.packet).has_value());
    g_assert_true(stamped.has_value() == (before && !before->padded));
    if (!stamped)
      continue;
    const auto after = OpusPacket::of(*stamped);
    g_assert_true(after.has_value());
    g_assert_cmpuint(after->samples, ==, before->samples);
    g_assert_cmpuint(after->frames, ==, before->frames);
    g_assert_cmpint(after->channels, ==, before->channels);
    g_assert_cmpint(agora::opus_stamp(*stamped).value_or(0), ==, wall);
    g_assert_cmpuint(stamped->size(), <=, each.packet.size() + 15);
    g_assert_false(agora::stamp_opus(*stamped, wall).has_value());
  }
  const Bytes packet = {toc(31, false, 0), 1};
  g_assert_cmpint(*agora::opus_stamp(*agora::stamp_opus(packet, -1)), ==, -1);
}

// Somebody else's padding is no stamp, nor is ours cut off.
void test_no_stamp () {
  const Bytes packet = {toc(31, false, 0), 1};
  Bytes stamped = *agora::stamp_opus(packet, 1);
  for (std::size_t i = 4; i < 9; i++) {
    Bytes other = stamped;
    other[i] ^= 1;
    g_assert_false(agora::opus_stamp(other).has_value());
  }
  stamped.pop_back();
  g_assert_false(agora::opus_stamp(stamped).has_value());
}

}  // namespace

static const agora::Suite suite("opus-packet", [] {
  g_test_add_func("/opus-packet/read", test_read);
  g_test_add_func("/opus-packet/streams", test_streams);
  g_test_add_func("/opus-packet/stamp", test_stamp);
  g_test_add_func("/opus-packet/no-stamp", test_no_stamp);
});

}  // namespace opus_packet_test
