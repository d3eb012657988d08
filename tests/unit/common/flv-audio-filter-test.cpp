// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-audio-filter.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <string>
#include <vector>

namespace flv_audio_filter_test {

namespace {

using agora::FlvAudioFilter;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t config[] = {0xaf, 0, 0x11, 0x88};
constexpr std::uint8_t frame[] = {0xaf, 1, 1, 2, 3};

struct Tag {
  unsigned type = 8;
  std::uint32_t stamp = 0;
  Bytes body;
};

Bytes bytes_of (const Tag &tag) {
  const auto n = static_cast<std::uint32_t>(tag.body.size());
  const auto byte = [] (std::uint32_t v) { return static_cast<std::uint8_t>(v); };
  Bytes out = {byte(tag.type),
               byte(n >> 16),
               byte(n >> 8),
               byte(n),
               byte(tag.stamp >> 16),
               byte(tag.stamp >> 8),
               byte(tag.stamp),
               byte(tag.stamp >> 24),
               0,
               0,
               0};
  out.insert(out.end(), tag.body.begin(), tag.body.end());
  const std::uint32_t all = n + 11;
  for (const int shift : {24, 16, 8, 0})
    out.push_back(byte(all >> shift));
  return out;
}

Bytes stream_of (const std::vector<Tag> &tags) {
  Bytes out = {'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0};
  for (const Tag &tag : tags) {
    const Bytes one = bytes_of(tag);
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

Tag config_at (std::uint32_t stamp) {
  return {8, stamp, Bytes(std::begin(config), std::end(config))};
}
Tag frame_at (std::uint32_t stamp) {
  return {8, stamp, Bytes(std::begin(frame), std::end(frame))};
}

// What came out, read anew; the header is looked at, too.
std::vector<Tag> tags_of (const Bytes &bytes) {
  std::vector<Tag> tags;
  if (bytes.empty())
    return tags;
  const Bytes header = {'F', 'L', 'V', 1, 4, 0, 0, 0, 9, 0, 0, 0, 0};
  g_assert_cmpmem(bytes.data(), std::min(bytes.size(), header.size()), header.data(),
                  header.size());
  for (std::size_t at = header.size(); at < bytes.size();) {
    g_assert_cmpuint(bytes.size() - at, >=, 15);
    const std::uint8_t *p = bytes.data() + at;
    const std::size_t size = p[1] << 16 | p[2] << 8 | p[3];
    const std::uint32_t stamp =
        static_cast<std::uint32_t>(p[7]) << 24 | p[4] << 16 | p[5] << 8 | p[6];
    g_assert_cmpuint(bytes.size() - at, >=, size + 15);
    const std::uint8_t *t = p + 11 + size;
    g_assert_cmpuint(static_cast<std::uint32_t>(t[0]) << 24 | t[1] << 16 | t[2] << 8 | t[3], ==,
                     size + 11);
    tags.push_back({p[0], stamp, Bytes(p + 11, p + 11 + size)});
    at += size + 15;
  }
  return tags;
}

std::vector<Tag> filtered (FlvAudioFilter &filter, const Bytes &in, std::size_t piece) {
  Bytes out;
  for (std::size_t at = 0; at < in.size(); at += piece)
    filter.push(std::span(in).subspan(at, std::min(piece, in.size() - at)), out);
  return tags_of(out);
}

std::vector<std::uint32_t> stamps_of (const std::vector<Tag> &tags) {
  std::vector<std::uint32_t> stamps;
  for (const Tag &tag : tags)
    if (tag.body.size() < 2 || tag.body[1] != 0)
      stamps.push_back(tag.stamp);
  return stamps;
}

// However TCP or a file's reader cuts it.
void test_audio_alone () {
  const Bytes in = stream_of({{18, 0, Bytes(300, 2)},
                              {9, 0, {0x1c, 0, 0, 0, 0}},          // H.265 as codec id 12
                              {9, 0, {0x90, 'h', 'v', 'c', '1'}},  // Enhanced RTMP
                              config_at(0),
                              {9, 5, Bytes(200'000, 0x27)},
                              frame_at(0),
                              {8, 3, {0x95, 'O', 'p', 'u', 's'}},  // a second track
                              {8, 4, {0x2f, 1, 2, 3}},             // MP3 beside AAC
                              {8, 5, {}},
                              {8 | 0x20, 6, {0xaf, 1, 2}},  // encrypted
                              {8, 7, Bytes(FlvAudioFilter::kMostBody + 1, 0xaf)},
                              {8, 8, {0xaf, 7, 1}},  // a packet type of no AAC
                              {15, 8, {1, 2, 3}},
                              frame_at(21)});
  for (const std::size_t piece : {in.size(), std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    FlvAudioFilter filter;
    const std::vector<Tag> tags = filtered(filter, in, piece);
    g_assert_cmpuint(tags.size(), ==, 3);
    g_assert_true(tags[0].body == config_at(0).body);
    g_assert_true(tags[1].body == frame_at(0).body);
    g_assert_cmpuint(tags[2].stamp, ==, 21);
    const FlvAudioFilter::Counts &counts = filter.counts();
    g_assert_cmpuint(counts.passed, ==, 2);
    g_assert_cmpuint(counts.video, ==, 3);
    g_assert_cmpuint(counts.script, ==, 1);
    g_assert_cmpuint(counts.configs, ==, 1);
    g_assert_cmpuint(counts.unknown_codec, ==, 0);
    g_assert_cmpuint(counts.other_codec, ==, 1);
    g_assert_cmpuint(counts.too_long, ==, 1);
    g_assert_cmpuint(counts.encrypted, ==, 1);
    g_assert_cmpuint(counts.no_sound, ==, 1);
    g_assert_cmpuint(counts.refused, ==, 3);
    g_assert_cmpuint(counts.tags(), ==, 14);
    g_assert_cmpuint(*filter.codec(), ==, 10);
    const FlvAudioFilter::Arrivals arrivals = filter.arrivals();
    g_assert_true(arrivals.left_out.name() == "MP3");
    g_assert_true(arrivals.chosen.name() == "AAC");
    g_assert_cmpuint(arrivals.longest, ==, FlvAudioFilter::kMostBody + 1);
  }
}

// AAC as Enhanced RTMP has it comes out in the old way, whatever is around it; which came first is
// the one that goes on.
void test_enhanced () {
  const std::vector<Tag> enhanced = {
      {8, 0, {0x90, 'm', 'p', '4', 'a', 0x11, 0x88}},
      {8, 0, {0x91, 'm', 'p', '4', 'a', 1, 2, 3}},
      {8, 5, {0x95, 1, 'm', 'p', '4', 'a', 0, 1, 2, 3}},        // one track of several
      {8, 6, {0x95, 1, 'm', 'p', '4', 'a', 1, 4, 5, 6}},        // the next one
      {8, 7, {0x97, 0, 0, 1, 'm', 'p', '4', 'a', 1, 2, 3}},     // behind a modifier
      {8, 9, {0x92, 'm', 'p', '4', 'a'}},                       // its end
      {8, 9, {0x94, 'm', 'p', '4', 'a', 0, 1, 0, 0, 0, 1, 0}},  // where channels belong
      {8, 9, {0x91, 'm', 'p', '4', 'a'}},                       // empty
      {8, 9, {0x91, 'm', 'p', '4'}},
      {8, 9, {0x91}},
      {8, 9, {0x91, 'f', 'L', 'a', 'C', 1}}};
  const std::vector<Tag> old = {config_at(0), frame_at(0)};
  for (const bool first : {true, false}) {
    std::vector<Tag> in = first ? enhanced : old;
    const std::vector<Tag> &second = first ? old : enhanced;
    in.insert(in.end(), second.begin(), second.end());
    FlvAudioFilter filter;
    const auto tags = filtered(filter, stream_of(in), 3);
    g_assert_cmpuint(tags.size(), ==, first ? 4 : 2);
    g_assert_true(tags[0].body == config_at(0).body);
    for (std::size_t i = 1; i < tags.size(); i++)
      g_assert_true(tags[i].body == frame_at(0).body);
    g_assert_cmpuint(*filter.codec(), ==, 10);
    g_assert_cmpuint(filter.counts().unknown_codec, ==, 1);
    g_assert_true(first || filter.arrivals().left_out.name() == "codec fLaC");
    g_assert_cmpuint(filter.counts().other_codec, ==, first ? 2 : 5);
    g_assert_cmpuint(filter.counts().refused, ==, first ? 3 : 2);
    g_assert_cmpuint(filter.counts().no_sound, ==, 3);
  }
}

// MP3 as well, whose kind its frames tell.
void test_enhanced_mp3 () {
  FlvAudioFilter filter;
  const Tag packet = {8, 0, {0x91, '.', 'm', 'p', '3', 0xff, 0xfb, 1}};
  const auto tags = filtered(filter, stream_of({packet, packet}), 3);
  g_assert_cmpuint(tags.size(), ==, 2);
  g_assert_true((tags[0].body == Bytes{0x2f, 0xff, 0xfb, 1}));
  g_assert_cmpuint(*filter.codec(), ==, 2);
}

// One odd tag at the beginning doesn't decide; two of a codec do, a configuration does, and what is
// long, which may be a second of sound.
void test_odd_first () {
  const Tag mp3 = {8, 0, {0x2f, 1, 2, 3}};
  const Tag pcm = {8, 10, {0x3f, 1, 2, 3, 4}};
  const Tag long_pcm = {8, 10, Bytes(20'000, 0x3f)};
  const Tag opus = {8, 10, {0x91, 'O', 'p', 'u', 's', 0xfc, 1, 2}};
  const Tag end = {8, 10, {0x92, 'O', 'p', 'u', 's'}};
  const Tag video = {9, 5, Bytes(20, 0x27)};
  const struct {
    const char *name;
    std::vector<Tag> in;
    std::vector<std::size_t> out;  // which of them
    std::optional<unsigned> codec;
  } rows[] = {
      {"MP3 before AAC", {mp3, config_at(0), frame_at(0), frame_at(21)}, {1, 2, 3}, 10},
      {"AAC without its configuration", {frame_at(0), mp3, mp3, mp3}, {1, 2, 3}, 2},
      {"MP3", {mp3, video, mp3, pcm, mp3}, {0, 2, 4}, 2},
      {"odd ones by turns", {mp3, pcm, mp3, pcm, pcm}, {3, 4}, 3},
      {"a long one", {long_pcm, mp3, mp3}, {0}, 3},
      {"one alone", {mp3, video}, {}, std::nullopt},
      {"Opus without a head", {mp3, opus, end, opus}, {1, 3}, 9},
  };
  for (const auto &row : rows) {
    g_test_message("%s", row.name);
    FlvAudioFilter filter;
    const auto tags = filtered(filter, stream_of(row.in), 7);
    g_assert_cmpuint(tags.size(), ==, row.out.size());
    for (std::size_t i = 0; i < tags.size(); i++) {
      g_assert_true(tags[i].body == row.in[row.out[i]].body);
      g_assert_cmpuint(tags[i].stamp, ==, row.in[row.out[i]].stamp);
    }
    g_assert_true(filter.codec() == row.codec);
    g_assert_cmpuint(filter.counts().passed + filter.counts().configs, ==, tags.size());
  }
}

// Where nothing else was first: in its plainest form, however it came.
void test_opus () {
  const Bytes head = {0x90, 'O', 'p', 'u',  's', 'O',  'p',  'u', 's', 'H', 'e', 'a',
                      'd',  1,   1,   0x38, 1,   0x80, 0xbb, 0,   0,   0,   0,   0};
  const Bytes packet = {0x91, 'O', 'p', 'u', 's', 0xfc, 1, 2};
  const std::vector<Tag> in = {
      {8, 0, {0x91, 'O', 'p', 'u', 's'}},  // empty
      {8, 0, head},
      {8, 0, packet},
      {8, 20, {0x94, 'O', 'p', 'u', 's', 1, 1, 0, 0, 0, 1}},
      {8, 20, {0x95, 1, 'O', 'p', 'u', 's', 0, 0xfc, 1, 2}},
      {8, 30, {0x91, 'm', 'p', '4', 'a', 1, 2}},  // beside it
      {8, 40, {0x97, 0, 0, 1, 'O', 'p', 'u', 's', 0xfc, 1, 2}},
      {8, 60, head},
      {8, 60, {0x92, 'O', 'p', 'u', 's'}},
  };
  FlvAudioFilter filter;
  const auto tags = filtered(filter, stream_of(in), 7);
  std::vector<std::uint32_t> stamps;
  for (const Tag &tag : tags) {
    g_assert_true(tag.body == head || tag.body == packet);
    stamps.push_back(tag.stamp);
  }
  g_assert_true((stamps == std::vector<std::uint32_t>{0, 0, 20, 40, 40}));
  g_assert_cmpuint(*filter.codec(), ==, 9);
  g_assert_cmpuint(filter.counts().passed, ==, 3);
  g_assert_cmpuint(filter.counts().configs, ==, 2);
  g_assert_cmpuint(filter.counts().refused, ==, 1);
  g_assert_cmpuint(filter.counts().no_sound, ==, 2);
  g_assert_cmpuint(filter.counts().other_codec, ==, 1);

  FlvAudioFilter other;
  std::vector<Tag> after = {config_at(0), frame_at(0)};
  after.insert(after.end(), in.begin(), in.end());
  g_assert_cmpuint(filtered(other, stream_of(after), 7).size(), ==, 2);
  other.reset();
  g_assert_cmpuint(filtered(other, stream_of(in), 7).size(), ==, 5);
}

void test_without_config () {
  FlvAudioFilter filter;
  const auto tags = filtered(
      filter,
      stream_of({frame_at(0), frame_at(21), {8, 0, {0xaf, 0, 1}}, config_at(0), frame_at(42)}), 5);
  g_assert_cmpuint(tags.size(), ==, 2);
  g_assert_cmpuint(filter.counts().without_config, ==, 2);
  g_assert_cmpuint(filter.counts().refused, ==, 1);
  g_assert_true(filter.has_config());
}

void test_stamps () {
  constexpr auto k = static_cast<std::uint32_t>(FlvAudioFilter::kRewind);
  const struct {
    const char *name;
    std::vector<std::uint32_t> in, out;
  } rows[] = {
      {"from 0", {0, 21, 43}, {0, 21, 43}},
      {"from anywhere", {5000, 5021, 5043}, {5000, 5021, 5043}},
      {"below zero",
       {static_cast<std::uint32_t>(-64), static_cast<std::uint32_t>(-43), 0, 21},
       {k - 64, k - 43, 0, 21}},
      {"over 2^31", {0x7ffffff0U, 0x80000005U, 0x8000001aU}, {k - 16, 5, 26}},
      {"over 2^32", {0xfffffff0U, 5, 26}, {k - 16, 5, 26}},
      {"all the same", {7, 7, 7}, {7, 7, 7}},
      {"a wobble below the first", {100, 60, 121, 142}, {100, 100, 121, 142}},
      {"a wobble later", {0, 100, 60, 121}, {0, 100, 60, 121}},
      {"a counter that begins anew", {90'000, 95'000, 0, 21}, {90'000, 95'000, 0, 21}},
      {"a session that comes later", {95'000, 95'021}, {95'000, 95'021}},
      {"rewound", {0, k - 10, k + 11, k + 32}, {0, k - 10, 11, 32}},
      {"the longest way", {0, 0x7fffffffU}, {0, k - 1}},
  };
  for (const auto &row : rows) {
    FlvAudioFilter filter;
    std::vector<Tag> in = {config_at(0)};
    for (const std::uint32_t stamp : row.in)
      in.push_back(frame_at(stamp));
    // In the middle, as some senders repeat it.
    in.insert(in.begin() + 2, config_at(0));
    const auto out = stamps_of(filtered(filter, stream_of(in), 1000));
    g_test_message("%s", row.name);
    g_assert_true(out == row.out);
  }
}

// A year of stamps, ten minutes apart: never beyond the bound, and only steps back that flvdemux
// takes for a new base.
void test_a_year () {
  FlvAudioFilter filter;
  Bytes out;
  filter.push(stream_of({config_at(0)}), out);
  std::uint32_t stamp = 4'000'000'000U;
  std::uint32_t last = 0;
  for (int i = 0; i < 365 * 24 * 6; i++, stamp += 600'000) {
    out = {'F', 'L', 'V', 1, 4, 0, 0, 0, 9, 0, 0, 0, 0};
    filter.push(bytes_of(frame_at(stamp)), out);
    const auto stamps = stamps_of(tags_of(out));
    g_assert_cmpuint(stamps.size(), ==, 1);
    g_assert_cmpuint(stamps[0], <, FlvAudioFilter::kRewind);
    g_assert_true(i == 0 || stamps[0] == last + 600'000 ||
                  stamps[0] + FlvAudioFilter::kRewind == last + 600'000);
    last = stamps[0];
  }
}

void test_not_flv () {
  for (const std::string &text :
       {std::string("RIFF....WAVEfmt"), std::string("FLV\1\5\0\0\0\4....", 13)}) {
    FlvAudioFilter filter;
    Bytes out;
    filter.push(Bytes(text.begin(), text.end()), out);
    filter.push(stream_of({config_at(0), frame_at(0)}), out);
    g_assert_false(filter.is_flv());
    g_assert_cmpuint(out.size(), ==, 0);
  }
}

void test_reserved_bits () {
  FlvAudioFilter filter;
  const auto tags = filtered(filter, stream_of({{8 | 0xc0, 0, config_at(0).body}, frame_at(0)}), 9);
  g_assert_cmpuint(tags.size(), ==, 2);
  g_assert_cmpuint(tags[0].type, ==, 8);
}

// In one buffer, as a file that is mapped comes: the time for each tag is the same in any number.
void test_many_at_once () {
  std::vector<Tag> tags = {config_at(0)};
  for (std::uint32_t i = 0; i < 300'000; i++)
    tags.push_back(frame_at(i));
  const Bytes in = stream_of(tags);
  FlvAudioFilter filter;
  Bytes out;
  const gint64 begin = g_get_monotonic_time();
  filter.push(in, out);
  g_assert_cmpuint(out.size(), ==, in.size());
  // Where each tag moved all that is behind it, it would take hours; instrumented and beside others
  // it takes seconds.
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 60 * G_USEC_PER_SEC);
}

// A longer header is skipped; one of a length that nobody has is no header.
void test_long_header () {
  FlvAudioFilter filter;
  Bytes in = stream_of({config_at(0), frame_at(0)});
  in[8] = 20;
  in.insert(in.begin() + 9, 11, 0xee);
  g_assert_cmpuint(filtered(filter, in, 3).size(), ==, 2);
  g_assert_cmpuint(filter.header_size(), ==, 20);
  for (const std::size_t byte : {5, 6}) {
    filter.reset();
    Bytes far = in;
    far[byte] = 0xff;
    Bytes out;
    filter.push(far, out);
    g_assert_cmpuint(out.size(), ==, 0);
    g_assert_false(filter.is_flv());
    g_assert_cmpuint(filter.header_size(), >, FlvAudioFilter::kMostHeader);
  }
  // The longest that is believed.
  in[6] = 1;
  in[7] = in[8] = 0;
  in.insert(in.begin() + 20, FlvAudioFilter::kMostHeader - 20, 0xee);
  filter.reset();
  g_assert_cmpuint(filtered(filter, in, 4096).size(), ==, 2);
}

}  // namespace

static const agora::Suite suite("flv-audio-filter", [] {
  g_test_add_func("/flv-audio-filter/audio-alone", test_audio_alone);
  g_test_add_func("/flv-audio-filter/enhanced", test_enhanced);
  g_test_add_func("/flv-audio-filter/enhanced-mp3", test_enhanced_mp3);
  g_test_add_func("/flv-audio-filter/odd-first", test_odd_first);
  g_test_add_func("/flv-audio-filter/opus", test_opus);
  g_test_add_func("/flv-audio-filter/without-config", test_without_config);
  g_test_add_func("/flv-audio-filter/stamps", test_stamps);
  g_test_add_func("/flv-audio-filter/a-year", test_a_year);
  g_test_add_func("/flv-audio-filter/not-flv", test_not_flv);
  g_test_add_func("/flv-audio-filter/reserved-bits", test_reserved_bits);
  g_test_add_func("/flv-audio-filter/many-at-once", test_many_at_once);
  g_test_add_func("/flv-audio-filter/long-header", test_long_header);
});

}  // namespace flv_audio_filter_test
