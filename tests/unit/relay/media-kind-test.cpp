// SPDX-License-Identifier: LGPL-2.1-or-later
// What a media message is to the relay: of legacy FLV, and of enhanced RTMP with any FourCC.
#include <glib.h>

#include <vector>

#include "signaling/relay/media-kind.hpp"
#include "tests/suite.hpp"

namespace media_kind_test {

using namespace agora::relay;

namespace {

using rtmp::Type;
using Octets = std::vector<std::uint8_t>;

struct Row {
  const char *what;
  Type type;
  Octets payload;
  MediaKind kind;
  std::uint8_t track;
};

Octets modified (std::size_t size, Octets rest) {
  // An enhanced audio message of a modifier of `size` bytes, then `rest`.
  Octets all = {0x97};
  if (size < 256) {
    all.push_back(static_cast<std::uint8_t>(size - 1));
  } else {
    all.insert(all.end(), {0xff, static_cast<std::uint8_t>((size - 1) >> 8U),
                           static_cast<std::uint8_t>((size - 1) & 0xffU)});
  }
  all.insert(all.end(), size, 0x55);
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

const Row rows[] = {
    {"AAC configuration", Type::audio, {0xaf, 0, 0x11, 0x90}, MediaKind::audio_header, 0},
    {"AAC frame", Type::audio, {0xaf, 1, 0x21}, MediaKind::audio, 0},
    {"AAC cut short", Type::audio, {0xaf}, MediaKind::audio, 0},
    {"MP3 whose data is 0", Type::audio, {0x2f, 0}, MediaKind::audio, 0},
    {"Speex", Type::audio, {0xb2, 0}, MediaKind::audio, 0},
    {"no byte of audio", Type::audio, {}, MediaKind::audio, 0},
    {"Opus header", Type::audio, {0x90, 'O', 'p', 'u', 's', 1}, MediaKind::audio_header, 0},
    {"Opus frame", Type::audio, {0x91, 'O', 'p', 'u', 's', 1}, MediaKind::audio, 0},
    {"end of Opus", Type::audio, {0x92, 'O', 'p', 'u', 's'}, MediaKind::audio, 0},
    {"channel layout", Type::audio, {0x94, 'f', 'L', 'a', 'C', 1}, MediaKind::audio_header, 1},
    {"unknown FourCC's header",
     Type::audio,
     {0x90, 'z', 'z', 'z', 'z'},
     MediaKind::audio_header,
     0},
    {"header of track 3",
     Type::audio,
     {0x95, 0x00, 'O', 'p', 'u', 's', 3},
     MediaKind::audio_header,
     6},
    {"frame of track 3", Type::audio, {0x95, 0x01, 'O', 'p', 'u', 's', 3}, MediaKind::audio, 0},
    {"multitrack cut short", Type::audio, {0x95, 0x00, 'O', 'p', 'u', 's'}, MediaKind::audio, 0},
    {"modified header", Type::audio, modified(3, {0x00, 'O', 'p', 'u', 's'}),
     MediaKind::audio_header, 0},
    {"long modified header", Type::audio, modified(300, {0x10, 'O', 'p', 'u', 's'}),
     MediaKind::audio_header, 0},
    {"modified frame", Type::audio, modified(1, {0x01, 'O', 'p', 'u', 's'}), MediaKind::audio, 0},
    {"modifier cut short", Type::audio, modified(9, {}), MediaKind::audio, 0},
    {"modifier's size cut short", Type::audio, {0x97, 0xff, 0xff}, MediaKind::audio, 0},
    {"AVC configuration", Type::video, {0x17, 0, 0, 0, 0}, MediaKind::video_header, 0},
    {"AVC key frame", Type::video, {0x17, 1, 0, 0, 0}, MediaKind::video_key, 0},
    {"AVC frame", Type::video, {0x27, 1, 0, 0, 0}, MediaKind::video, 0},
    {"HEVC configuration of old", Type::video, {0x1c, 0}, MediaKind::video_header, 0},
    {"H.263 key frame", Type::video, {0x12, 0}, MediaKind::video_key, 0},
    {"no byte of video", Type::video, {}, MediaKind::video, 0},
    {"hvc1 header", Type::video, {0x90, 'h', 'v', 'c', '1'}, MediaKind::video_header, 0},
    {"av01 key frame", Type::video, {0x91, 'a', 'v', '0', '1'}, MediaKind::video_key, 0},
    {"av01 frame", Type::video, {0xa1, 'a', 'v', '0', '1'}, MediaKind::video, 0},
    {"hvc1 frame without a time", Type::video, {0xa3, 'h', 'v', 'c', '1'}, MediaKind::video, 0},
    {"colours", Type::video, {0x94, 'h', 'v', 'c', '1'}, MediaKind::video_header, 1},
    {"MPEG-2 TS start", Type::video, {0x95, 'a', 'v', '0', '1'}, MediaKind::video_header, 0},
    {"video header of track 2",
     Type::video,
     {0x96, 0x00, 'a', 'v', '0', '1', 2},
     MediaKind::video_header,
     4},
    {"onMetaData",
     Type::data,
     {2, 0, 10, 'o', 'n', 'M', 'e', 't', 'a', 'D', 'a', 't', 'a'},
     MediaKind::metadata,
     0},
    {"onTextData",
     Type::data,
     {2, 0, 10, 'o', 'n', 'T', 'e', 'x', 't', 'D', 'a', 't', 'a'},
     MediaKind::data,
     0},
    {"no byte of data", Type::data, {}, MediaKind::data, 0},
};

void test_table () {
  for (const Row &row : rows) {
    const MediaClass found = classify({row.type, 0, row.payload});
    if (found.kind != row.kind || found.track != row.track)
      g_error("%s: kind %d, track %d", row.what, static_cast<int>(found.kind), found.track);
    // Nothing is read beyond the end, wherever it is cut.
    for (std::size_t size = 0; size < row.payload.size(); size++) {
      const Octets part(row.payload.begin(),
                        row.payload.begin() + static_cast<std::ptrdiff_t>(size));
      classify({row.type, 0, part});
    }
  }
}

void test_left_out () {
  g_assert_true(may_be_left_out(MediaKind::audio));
  g_assert_true(may_be_left_out(MediaKind::video));
  g_assert_true(may_be_left_out(MediaKind::video_key));
  g_assert_true(may_be_left_out(MediaKind::data));
  g_assert_false(may_be_left_out(MediaKind::audio_header));
  g_assert_false(may_be_left_out(MediaKind::video_header));
  g_assert_false(may_be_left_out(MediaKind::metadata));
  g_assert_false(may_be_left_out(MediaKind::control));
}

}  // namespace

static const agora::Suite suite("media-kind", [] {
  g_test_add_func("/media-kind/table", test_table);
  g_test_add_func("/media-kind/left-out", test_left_out);
});

}  // namespace media_kind_test
