// SPDX-License-Identifier: LGPL-2.1-or-later
// Tags as FlvAudioFilter gives them, and of no filter at all.
#include "gst/common/opus-tag-reader.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/opus-tag.hpp"

namespace opus_tag_reader_test {

namespace {

using agora::FlvAudioFilter;
using agora::OpusTagReader;
using Bytes = std::vector<std::uint8_t>;
using Kind = agora::OpusTag::Kind;

// 20 ms in stereo, in mono, and one that no decoder takes.
const Bytes stereo = {0xfc, 1, 2};
const Bytes mono = {0xf8, 3};
const Bytes broken = {0xff, 0xff, 0xff};

void append (Bytes &to, const Bytes &body, std::uint32_t stamp, std::size_t said) {
  const auto byte = [] (std::size_t v) { return static_cast<std::uint8_t>(v); };
  for (const std::uint8_t each :
       {byte(8), byte(said >> 16), byte(said >> 8), byte(said), byte(stamp >> 16), byte(stamp >> 8),
        byte(stamp), byte(stamp >> 24), byte(0), byte(0), byte(0)})
    to.push_back(each);
  to.insert(to.end(), body.begin(), body.end());
  to.insert(to.end(), 4, 0);
}

void append (Bytes &to, const Bytes &body, std::uint32_t stamp) {
  append(to, body, stamp, body.size());
}

Bytes tag (Kind kind, std::span<const std::uint8_t> data) {
  return agora::write_opus_tag(kind, data);
}

struct Found {
  bool is_head;
  Bytes data;
  std::int64_t ms;
  bool operator==(const Found &) const = default;
};

std::vector<Found> read (OpusTagReader &reader, const Bytes &tags) {
  std::vector<Found> found;
  OpusTagReader::Bytes left(tags);
  while (const auto next = reader.next(left))
    found.push_back({!next->packet, Bytes(next->data.begin(), next->data.end()), next->ms});
  return found;
}

void test_heads_and_packets () {
  const auto head = agora::opus_head(2, 312);
  Bytes in = {'F', 'L', 'V', 1, 4, 0, 0, 0, 9, 0, 0, 0, 0};
  append(in, tag(Kind::head, head), 7);
  append(in, tag(Kind::packet, stereo), 1000);
  append(in, tag(Kind::packet, broken), 1020);
  append(in, {0xaf, 1, 2, 3}, 1020);
  append(in, {}, 1020);
  append(in, tag(Kind::packet, mono), 1040);
  OpusTagReader reader;
  const Bytes whole_head(head.begin(), head.end());
  g_assert_true(
      (read(reader, in) ==
       std::vector<Found>{{true, whole_head, 0}, {false, stereo, 1000}, {false, mono, 1040}}));
  // What comes next begins with a tag.
  Bytes more;
  append(more, tag(Kind::packet, stereo), 1060);
  OpusTagReader::Bytes left(more);
  const auto next = reader.next(left);
  g_assert_true(next && next->packet && next->ms == 1060 && left.empty());
  g_assert_cmpuint(next->packet->samples, ==, 960);
  g_assert_cmpint(next->packet->channels, ==, 2);
}

// Each packet of 5.1 has streams that tell where they end: as one stream this one is none.
void test_streams () {
  const auto plain = agora::opus_head(6, 0);
  Bytes surround(plain.begin(), plain.end());
  surround.back() = 1;
  surround.insert(surround.end(), {4, 2, 0, 4, 1, 2, 3, 5});
  Bytes broken_head = surround;
  broken_head.resize(plain.size());
  // Two of 252 bytes, whose length takes two.
  Bytes packet = {0xfd, 252, 0};
  packet.insert(packet.end(), std::size_t{2} * 252, 7);
  packet.insert(packet.end(), {0xfd, 1, 2, 2, 0xf9, 1, 3, 3, 0xf9, 4, 4});
  Bytes in;
  append(in, tag(Kind::head, surround), 0);
  append(in, tag(Kind::packet, packet), 0);
  append(in, tag(Kind::packet, mono), 40);
  append(in, tag(Kind::head, broken_head), 40);
  append(in, tag(Kind::packet, packet), 80);
  append(in, tag(Kind::head, agora::opus_head(1, 0)), 80);
  append(in, tag(Kind::packet, packet), 120);
  append(in, tag(Kind::packet, mono), 120);
  OpusTagReader reader;
  std::vector<Found> packets;
  for (const Found &each : read(reader, in))
    if (!each.is_head)
      packets.push_back(each);
  g_assert_true(
      (packets == std::vector<Found>{{false, packet, 0}, {false, packet, 80}, {false, mono, 120}}));
}

// Below zero, around the filter's wrap, back, and all of the way at once.
void test_times () {
  constexpr auto period = static_cast<std::uint32_t>(FlvAudioFilter::kRewind);
  const struct {
    std::vector<std::uint32_t> in;
    std::vector<std::int64_t> out;
  } rows[] = {
      {{0, 20, 40}, {0, 20, 40}},
      {{period - 20, 0, 20}, {period - 20, period, std::int64_t{period} + 20}},
      {{5000, 4000, 4020}, {5000, 4000, 4020}},
      {{10, period - 10, 10}, {10, -10, 10}},
      {{0, period / 2 - 1}, {0, period / 2 - 1}},
  };
  for (const auto &row : rows) {
    Bytes in;
    for (const std::uint32_t stamp : row.in)
      append(in, tag(Kind::packet, mono), stamp);
    OpusTagReader reader;
    std::vector<std::int64_t> out;
    for (const Found &each : read(reader, in))
      out.push_back(each.ms);
    g_assert_true(out == row.out);
  }
}

// However it is cut, and whatever length it says, nothing is read that isn't there.
void test_cut () {
  Bytes in;
  append(in, tag(Kind::packet, stereo), 0);
  append(in, tag(Kind::packet, mono), 20, 0xffffff);
  for (std::size_t size = 0; size <= in.size(); size++) {
    const Bytes cut(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(size));
    OpusTagReader reader;
    OpusTagReader::Bytes left(cut);
    while (const auto next = reader.next(left)) {
      g_assert_true(next->data.data() >= cut.data());
      g_assert_true(next->data.data() + next->data.size() <= cut.data() + cut.size());
    }
  }
}

}  // namespace

static const agora::Suite suite("opus-tag-reader", [] {
  g_test_add_func("/opus-tag-reader/heads-and-packets", test_heads_and_packets);
  g_test_add_func("/opus-tag-reader/streams", test_streams);
  g_test_add_func("/opus-tag-reader/times", test_times);
  g_test_add_func("/opus-tag-reader/cut", test_cut);
});

}  // namespace opus_tag_reader_test
