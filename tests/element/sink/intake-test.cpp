// SPDX-License-Identifier: LGPL-2.1-or-later
// The element that FLV comes into agorasink by: tags go on to a demuxer, Opus as packets.
#include "gst/sink/flv-intake.hpp"

#include <gst/check/gstharness.h>

#include <algorithm>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/opus-tag.hpp"
#include "tests/suite.hpp"

namespace sink_intake_test {

namespace {

using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;
using Bytes = std::vector<guint8>;
using Kind = agora::OpusTag::Kind;

// 20 ms in mono and in stereo, 10 ms in mono, and one that no decoder takes.
const Bytes mono = {0xf8, 1, 2};
const Bytes stereo = {0xfc, 1, 2, 3};
const Bytes short_one = {0xf0, 1};
const Bytes broken = {0xff, 0xff, 0xff};
const Bytes aac_config = {0xaf, 0, 0x11, 0x88};
const Bytes aac_frame = {0xaf, 1, 1, 2, 3};

Bytes header () {
  return {'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0};
}

Bytes tag (guint32 stamp, const Bytes &body) {
  Bytes out(11);
  out[0] = 8;
  GST_WRITE_UINT24_BE(&out[1], static_cast<guint32>(body.size()));
  GST_WRITE_UINT24_BE(&out[4], stamp & 0xffffff);
  out[7] = static_cast<guint8>(stamp >> 24);
  out.insert(out.end(), body.begin(), body.end());
  out.insert(out.end(), 4, 0);
  return out;
}

Bytes packet (guint32 stamp, const Bytes &data) {
  return tag(stamp, agora::write_opus_tag(Kind::packet, data));
}

std::vector<Bytes> packets (guint32 first, unsigned count, const Bytes &data) {
  std::vector<Bytes> all;
  for (guint32 i = 0; i < count; i++)
    all.push_back(packet(first + 20 * i, data));
  return all;
}

std::vector<Bytes> joined (std::vector<Bytes> all, const std::vector<Bytes> &more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Bytes head (guint8 channels, guint8 family = 0, const Bytes &table = {}) {
  const auto plain = agora::opus_head(channels, 312);
  Bytes data(plain.begin(), plain.end());
  data.back() = family;
  data.insert(data.end(), table.begin(), table.end());
  return tag(0, agora::write_opus_tag(Kind::head, data));
}

struct Frame {
  GstClockTime at, duration;
  Bytes data;
  bool operator==(const Frame &) const = default;
};

// What goes in comes from a file, in pieces of an odd size.
class Rig {
 public:
  Rig() : element_(agora::sink_ref(agora::make_flv_intake())) {
    g_signal_connect(element_.get(), "pad-added", G_CALLBACK(on_pad), this);
    g_signal_connect(element_.get(), "refused", G_CALLBACK(on_refused), this);
    harness_ = gst_harness_new_with_element(element_.get(), "sink", nullptr);
    flv_ = gst_harness_new_with_element(element_.get(), nullptr, "flv");
    gst_harness_set_src_caps_str(harness_, "video/x-flv");
    begin_segment(GST_FORMAT_BYTES);
  }
  ~Rig() {
    g_signal_handlers_disconnect_by_data(element_.get(), this);
    gst_harness_teardown(flv_);
    gst_harness_teardown(harness_);
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  void begin_segment (GstFormat format, GstClockTime start = 0) {
    GstSegment segment;
    gst_segment_init(&segment, format);
    segment.start = segment.time = start;
    push(gst_event_new_segment(&segment));
  }
  // As of the next file.
  void begin_stream () {
    push(gst_event_new_stream_start("another"));
    begin_segment(GST_FORMAT_BYTES);
  }
  void push (GstEvent *event) { gst_harness_push_event(harness_, event); }
  GstFlowReturn push (const std::vector<Bytes> &tags) {
    Bytes all = header();
    for (const Bytes &each : tags)
      all.insert(all.end(), each.begin(), each.end());
    constexpr std::size_t most = 7;
    GstFlowReturn flow = GST_FLOW_OK;
    for (std::size_t at = 0; at < all.size() && flow == GST_FLOW_OK; at += most)
      flow = gst_harness_push(harness_,
                              gst_buffer_new_memdup(&all[at], std::min(most, all.size() - at)));
    return flow;
  }

  bool has_opus () const { return has_opus_; }
  std::vector<Frame> frames () {
    std::vector<Frame> frames;
    while (const BufferPtr buffer{has_opus_ ? gst_harness_try_pull(harness_) : nullptr}) {
      GstMapInfo map;
      g_assert_true(gst_buffer_map(buffer.get(), &map, GST_MAP_READ));
      frames.push_back({GST_BUFFER_PTS(buffer.get()) / GST_MSECOND,
                        GST_BUFFER_DURATION(buffer.get()) / GST_MSECOND,
                        Bytes(map.data, map.data + map.size)});
      gst_buffer_unmap(buffer.get(), &map);
    }
    return frames;
  }
  unsigned tags_on () { return gst_harness_buffers_received(flv_); }
  // What the way of Opus tells, in its order; of a segment or a gap where it begins, of caps the
  // channels.
  std::string told () {
    std::string text;
    while (GstEvent *event = has_opus_ ? gst_harness_try_pull_event(harness_) : nullptr) {
      text += std::string(text.empty() ? "" : " ") + GST_EVENT_TYPE_NAME(event);
      if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        const GstSegment *segment = nullptr;
        gst_event_parse_segment(event, &segment);
        g_assert_cmpint(segment->format, ==, GST_FORMAT_TIME);
        text += "=" + std::to_string(segment->start / GST_MSECOND);
      } else if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
        GstClockTime at = 0;
        gst_event_parse_gap(event, &at, nullptr);
        text += "=" + std::to_string(at / GST_MSECOND);
      } else if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        GstCaps *caps = nullptr;
        gst_event_parse_caps(event, &caps);
        int channels = 0;
        gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);
        text += "=" + std::to_string(channels);
      }
      gst_event_unref(event);
    }
    return text;
  }
  GstEvent *sticky (GstEventType type) {
    return gst_pad_get_sticky_event(harness_->sinkpad, type, 0);
  }
  // The streamheader of the caps.
  Bytes head_told () {
    const CapsPtr caps(gst_pad_get_current_caps(harness_->sinkpad));
    const GValue *headers =
        gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), "streamheader");
    GstBuffer *first = gst_value_get_buffer(gst_value_array_get_value(headers, 0));
    GstMapInfo map;
    g_assert_true(gst_buffer_map(first, &map, GST_MAP_READ));
    Bytes bytes(map.data, map.data + map.size);
    gst_buffer_unmap(first, &map);
    return bytes;
  }
  const std::string &refused () const { return refused_; }
  GstElement *element () const { return element_.get(); }
  bool demuxer_ended () {
    bool ended = false;
    while (GstEvent *event = gst_harness_try_pull_event(flv_)) {
      ended |= GST_EVENT_TYPE(event) == GST_EVENT_EOS;
      gst_event_unref(event);
    }
    return ended;
  }
  // Whether a seek from behind came out at the front.
  bool seeks () {
    GstEvent *seek = gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                                        0, GST_SEEK_TYPE_NONE, 0);
    g_assert_false(gst_harness_push_upstream_event(harness_, seek));
    bool sought = false;
    while (GstEvent *event = gst_harness_try_pull_upstream_event(harness_)) {
      sought |= GST_EVENT_TYPE(event) == GST_EVENT_SEEK;
      gst_event_unref(event);
    }
    return sought;
  }

 private:
  static void on_pad (GstElement *, GstPad *pad, gpointer self) {
    auto *rig = static_cast<Rig *>(self);
    const CapsPtr caps(gst_pad_get_current_caps(pad));
    g_assert_true(caps &&
                  gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "audio/x-opus"));
    gst_harness_add_element_src_pad(rig->harness_, pad);
    rig->has_opus_ = true;
  }
  static void on_refused (GstElement *, const char *why, gpointer self) {
    auto *rig = static_cast<Rig *>(self);
    g_assert_true(rig->refused_.empty());
    rig->refused_ = why;
  }

  ObjectPtr<GstElement> element_;
  GstHarness *harness_ = nullptr;
  GstHarness *flv_ = nullptr;
  bool has_opus_ = false;
  std::string refused_;
};

void assert_told (Rig &rig, const std::string &expected) {
  const std::string told = rig.told();
  g_assert_cmpstr(told.c_str(), ==, expected.c_str());
}

void test_packets () {
  Rig rig;
  g_assert_cmpint(rig.push({head(1), packet(5000, mono), packet(5020, broken),
                            packet(5040, short_one), head(1), packet(5050, mono)}),
                  ==, GST_FLOW_OK);
  g_assert_true((rig.frames() ==
                 std::vector<Frame>{{5000, 20, mono}, {5040, 10, short_one}, {5050, 20, mono}}));
  g_assert_cmpuint(rig.tags_on(), ==, 0);
  rig.push(gst_event_new_eos());
  assert_told(rig, "stream-start caps=1 segment=5000 eos");
  g_assert_cmpstr(rig.refused().c_str(), ==, "");
}

// A packet says itself what it is, where no head comes for 8 packets or 200 ms, or to the end.
void test_without_head () {
  const std::vector<Bytes> sparse = {packet(0, stereo), packet(100, stereo), packet(200, stereo)};
  for (const std::vector<Bytes> &first : {packets(0, 8, stereo), sparse}) {
    Rig rig;
    rig.push(first);
    g_assert_cmpuint(rig.frames().size(), ==, first.size());
    rig.begin_stream();
    rig.push({head(1), packet(1000, mono)});
    g_assert_cmpuint(rig.frames().size(), ==, 1);
    assert_told(rig, "stream-start caps=2 segment=0 stream-start caps=1 segment=1000");
  }
  Rig rig;
  rig.push({packet(0, mono), packet(20, mono)});
  g_assert_false(rig.has_opus());
  rig.push(gst_event_new_eos());
  g_assert_cmpuint(rig.frames().size(), ==, 2);
  assert_told(rig, "stream-start caps=1 segment=0 eos");
}

// Decoders read more of a head than what matters: a gain that hurts, a rate that they would decode
// at, and what is behind it.
void test_strange_head () {
  const auto with = agora::opus_head(1, 312, 32767);
  Bytes strange(with.begin(), with.end());
  strange[15] = 0x80;
  strange.insert(strange.end(), 1000, 7);
  Rig rig;
  rig.push({tag(0, agora::write_opus_tag(Kind::head, strange)), packet(0, mono)});
  const Bytes told = rig.head_told();
  const auto right = agora::opus_head(1, 0, 24 * 256);
  g_assert_cmpmem(told.data(), told.size(), right.data(), right.size());
  Rig many;
  many.push({head(3, 1, {2, 1, 0, 2, 1, 9, 9}), packet(0, {0xf8, 1, 7, 0xfc, 1, 2})});
  g_assert_cmpuint(many.head_told().size(), ==, agora::kOpusHead + 2 + 3);
}

// Come upon in its middle: what is before the head is what the head says.
void test_late_head () {
  const Bytes surround = {0xf8, 1, 7, 0xfc, 1, 2};
  const Bytes surround_head = head(3, 1, {2, 1, 0, 2, 1});
  const struct {
    std::vector<Bytes> tags;
    std::vector<Frame> frames;
    const char *told;
  } rows[] = {
      {{packet(0, surround), packet(20, surround), surround_head, packet(40, surround)},
       {{0, 20, surround}, {20, 20, surround}, {40, 20, surround}},
       "stream-start caps=3 segment=0"},
      {{packet(0, stereo), packet(20, stereo), head(1), packet(40, mono)},
       {{0, 20, stereo}, {20, 20, stereo}, {40, 20, mono}},
       "stream-start caps=1 segment=0"},
      // What it says is nothing of that.
      {{packet(0, mono), packet(20, mono), surround_head, packet(40, surround)},
       {{40, 20, surround}},
       "stream-start caps=3 segment=40"},
      {{head(1), surround_head, packet(40, surround)},
       {{40, 20, surround}},
       "stream-start caps=3 segment=40"},
  };
  for (const auto &row : rows) {
    Rig rig;
    g_assert_cmpint(rig.push(row.tags), ==, GST_FLOW_OK);
    g_assert_true(rig.frames() == row.frames);
    assert_told(rig, row.told);
  }
}

// Timestamps may begin anywhere, before the segment's start or hours behind it.
void test_segment_in_time () {
  for (const guint32 first : {1000U, 3'600'000U}) {
    Rig rig;
    rig.begin_segment(GST_FORMAT_TIME, 3 * GST_SECOND);
    rig.push({head(1), packet(first, mono), packet(first + 20, mono)});
    assert_told(rig, "stream-start caps=1 segment=" + std::to_string(first));
    // A later one says itself where it belongs.
    rig.push(gst_event_new_stream_start("another"));
    rig.begin_segment(GST_FORMAT_TIME, 2 * GST_SECOND);
    rig.push({head(1), packet(first + 40, mono)});
    assert_told(rig, "stream-start segment=2000");
  }
}

// Back by 2 s and more is on from the last one; less is left to whoever counts.
void test_begins_anew () {
  Rig rig;
  rig.push({head(1), packet(9000, mono), packet(9020, mono), packet(8000, mono), packet(9040, mono),
            packet(0, mono), packet(20, mono), packet(2020, mono)});
  std::vector<GstClockTime> times;
  for (const Frame &each : rig.frames())
    times.push_back(each.at);
  g_assert_true((times == std::vector<GstClockTime>{9000, 9020, 9000, 9040, 9060, 9080, 11'080}));
}

// Behind the segment that it is in, and at the time that packets have there.
void test_gap () {
  Rig rig;
  rig.begin_segment(GST_FORMAT_TIME);
  rig.push({head(1), packet(9000, mono), packet(9020, mono), packet(0, mono), packet(20, mono)});
  assert_told(rig, "stream-start caps=1 segment=9000");
  rig.push(gst_event_new_gap(40 * GST_MSECOND, 20 * GST_MSECOND));
  rig.begin_segment(GST_FORMAT_TIME);
  rig.push(gst_event_new_gap(60 * GST_MSECOND, 20 * GST_MSECOND));
  assert_told(rig, "gap=9080 segment=0 gap=9100");
}

// One file after another goes on behind it; after a flush it is at its own time.
void test_another_stream () {
  Rig rig;
  rig.push({head(2), packet(0, stereo), packet(3000, stereo)});
  rig.begin_stream();
  // It has no head, and is over before it is waited for no longer.
  rig.push({packet(0, mono), packet(20, mono)});
  rig.begin_stream();
  g_assert_true((
      rig.frames() ==
      std::vector<Frame>{{0, 20, stereo}, {3000, 20, stereo}, {3020, 20, mono}, {3040, 20, mono}}));
  assert_told(rig, "stream-start caps=2 segment=0 stream-start caps=1 segment=3020");
  rig.push(gst_event_new_flush_start());
  rig.push(gst_event_new_flush_stop(TRUE));
  rig.begin_segment(GST_FORMAT_BYTES);
  rig.push({head(1), packet(40, mono), packet(60, mono)});
  g_assert_true((rig.frames() == std::vector<Frame>{{40, 20, mono}, {60, 20, mono}}));
  assert_told(rig, "flush-start flush-stop stream-start segment=40");
  g_assert_cmpstr(rig.refused().c_str(), ==, "");
}

void test_demuxer () {
  Rig rig;
  rig.push({tag(0, aac_config), tag(0, aac_frame), packet(10, mono), tag(21, aac_frame)});
  g_assert_cmpuint(rig.tags_on(), ==, 3);
  g_assert_false(rig.has_opus());
  g_assert_cmpuint(agora::flv_filter_of(rig.element()).counts().other_codec, ==, 1);
}

// Each says of what it is a part.
void test_stream_id () {
  Rig rig;
  for (const guint group : {7U, 8U}) {
    const std::string id = "file-" + std::to_string(group), own = id + "/opus";
    GstEvent *start = gst_event_new_stream_start(id.c_str());
    gst_event_set_group_id(start, group);
    const guint32 number = gst_event_get_seqnum(start);
    rig.push(start);
    rig.begin_segment(GST_FORMAT_BYTES);
    rig.push({head(1), packet(0, mono)});
    const char *part = nullptr;
    guint of = 0;
    g_autoptr(GstEvent) told = rig.sticky(GST_EVENT_STREAM_START);
    gst_event_parse_stream_start(told, &part);
    g_assert_cmpstr(part, ==, own.c_str());
    g_assert_true(gst_event_parse_group_id(told, &of));
    g_assert_cmpuint(of, ==, group);
    g_assert_cmpuint(gst_event_get_seqnum(told), ==, number);
  }
}

// From an hour back to the start, as where an application seeks.
void test_flush_in_time () {
  Rig rig;
  rig.begin_segment(GST_FORMAT_TIME);
  rig.push({head(1), packet(3'600'000, mono), packet(3'601'000, mono)});
  g_assert_cmpuint(rig.frames().size(), ==, 2);
  assert_told(rig, "stream-start caps=1 segment=3600000");
  rig.push(gst_event_new_flush_start());
  rig.push(gst_event_new_flush_stop(TRUE));
  rig.begin_segment(GST_FORMAT_TIME);
  rig.push({head(1), packet(0, mono), packet(20, mono)});
  g_assert_true((rig.frames() == std::vector<Frame>{{0, 20, mono}, {20, 20, mono}}));
  assert_told(rig, "flush-start flush-stop segment=0");
}

// No pad, and no end that a demuxer would call an error.
void test_no_sound () {
  const std::vector<Bytes> rows[] = {{}, {head(1)}, {packet(0, broken), packet(20, broken)}};
  for (const std::vector<Bytes> &tags : rows) {
    Rig rig;
    g_assert_cmpint(rig.push(tags), ==, GST_FLOW_OK);
    rig.push(gst_event_new_eos());
    g_assert_false(rig.has_opus());
    g_assert_false(rig.demuxer_ended());
  }
}

void test_refused () {
  const struct {
    std::vector<Bytes> tags;
    const char *why;
  } rows[] = {
      {{head(8)}, "its Opus header says 8 channels of mapping family 0, where 2 are the most"},
      {{head(4, 3, {4, 0, 0, 1, 2, 3})},
       "its Opus header says channel mapping family 3, where 0, 1 and 255 are known"},
      {{head(6, 1)}, "its Opus header has 19 bytes, where 6 channels of mapping family 1 take 27"},
      {{head(1), packet(0, mono), head(3, 1, {2, 1, 0, 2, 1}), packet(20, mono)},
       "its Opus header says channel mapping family 1, and the one before it 0"},
      {joined(packets(0, 8, mono), {head(3, 1, {2, 1, 0, 2, 1})}),
       "its Opus header says channel mapping family 1, and the sound before it, which had none, "
       "was "
       "taken for family 0"},
  };
  for (const auto &row : rows) {
    Rig rig;
    g_assert_cmpint(rig.push(row.tags), ==, GST_FLOW_ERROR);
    g_assert_cmpstr(rig.refused().c_str(), ==, row.why);
    // No second time, which the rig would see.
    rig.begin_stream();
    g_assert_cmpint(rig.push(row.tags), ==, GST_FLOW_ERROR);
    rig.push(gst_event_new_flush_start());
    rig.push(gst_event_new_flush_stop(TRUE));
    rig.begin_segment(GST_FORMAT_BYTES);
    g_assert_cmpint(rig.push({head(1), packet(0, mono)}), ==, GST_FLOW_OK);
  }
  {
    Rig rig;
    rig.push({head(3, 1, {2, 1, 0, 2, 1}), packet(0, {0xf8, 1, 7, 0xfc, 1, 2})});
    rig.begin_stream();
    g_assert_cmpint(rig.push(packets(0, 8, mono)), ==, GST_FLOW_ERROR);
    g_assert_cmpstr(rig.refused().c_str(), ==,
                    "its Opus comes without a header, and that of the FLV before it said channel "
                    "mapping family 1");
  }
  const std::vector<Bytes> aac = {tag(0, aac_config), tag(0, aac_frame)};
  const std::vector<Bytes> opus = {head(1), packet(0, mono)};
  for (const bool opus_first : {false, true}) {
    Rig rig;
    g_assert_cmpint(rig.push(opus_first ? opus : aac), ==, GST_FLOW_OK);
    rig.begin_stream();
    // An AAC configuration alone is no sound yet.
    g_assert_cmpint(rig.push(opus_first ? aac : opus), ==, GST_FLOW_ERROR);
    g_assert_cmpstr(rig.refused().c_str(), ==,
                    opus_first ? "its audio is AAC, and that of the FLV before it was Opus"
                               : "its audio is Opus, and that of the FLV before it was AAC");
  }
}

void test_seek () {
  Rig rig;
  rig.push({head(1), packet(0, mono), packet(20, mono)});
  g_assert_true(rig.has_opus());
  g_assert_false(rig.seeks());
}

}  // namespace

static const agora::Suite suite("intake", [] {
  g_test_add_func("/sink/intake/packets", test_packets);
  g_test_add_func("/sink/intake/without-head", test_without_head);
  g_test_add_func("/sink/intake/strange-head", test_strange_head);
  g_test_add_func("/sink/intake/late-head", test_late_head);
  g_test_add_func("/sink/intake/segment-in-time", test_segment_in_time);
  g_test_add_func("/sink/intake/begins-anew", test_begins_anew);
  g_test_add_func("/sink/intake/another-stream", test_another_stream);
  g_test_add_func("/sink/intake/gap", test_gap);
  g_test_add_func("/sink/intake/stream-id", test_stream_id);
  g_test_add_func("/sink/intake/flush-in-time", test_flush_in_time);
  g_test_add_func("/sink/intake/demuxer", test_demuxer);
  g_test_add_func("/sink/intake/no-sound", test_no_sound);
  g_test_add_func("/sink/intake/refused", test_refused);
  g_test_add_func("/sink/intake/seek", test_seek);
});

}  // namespace sink_intake_test
