// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's parts that need no pipeline: the backlog, the timeline, silence and stamps.
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include <thread>
#include <vector>

#include "gst/common/capture-stamp.hpp"
#include "gst/sink/adts-frame.hpp"
#include "gst/sink/far-frames.hpp"
#include "gst/sink/frame-queue.hpp"
#include "gst/sink/send-timeline.hpp"
#include "gst/sink/silence.hpp"

namespace {

using agora::BufferPtr;
using agora::CapsPtr;
using agora::Clock;
using agora::Frame;
using agora::FrameQueue;
using agora::ObjectPtr;
using agora::SendTimeline;

constexpr GstClockTime length = 20 * GST_MSECOND;

Frame frame (GstClockTime time, bool fresh = false) {
  Frame made;
  made.time = time;
  made.duration = length;
  made.fresh = fresh;
  return made;
}

FrameQueue::Event take (FrameQueue &backlog, Frame &frame, const Clock::time_point *deadline) {
  const FrameQueue::Event event = backlog.wait(deadline);
  g_assert_true(backlog.take(frame) == (event == FrameQueue::Event::frame));
  return event;
}

void test_backlog_drops_oldest () {
  FrameQueue backlog;
  backlog.start();
  backlog.set_limit(5 * length);
  for (unsigned i = 0; i < 20; i++)
    backlog.put(frame(i * length, i == 0));
  g_assert_cmpuint(backlog.totals().queued, ==, 5 * length);
  g_assert_cmpuint(backlog.totals().dropped, ==, 15 * length);
  g_assert_cmpuint(backlog.totals().dropped_frames, ==, 15);
  Frame first;
  g_assert_true(take(backlog, first, nullptr) == FrameQueue::Event::frame);
  g_assert_cmpuint(first.time, ==, 15 * length);
  // What the dropped frame said about the timeline is still true.
  g_assert_true(first.fresh);
  backlog.set_limit(0);
  g_assert_cmpuint(backlog.totals().queued, ==, length);
}

void test_backlog_ends () {
  FrameQueue backlog;
  backlog.start();
  Frame taken;
  const Clock::time_point past = Clock::now();
  g_assert_true(take(backlog, taken, &past) == FrameQueue::Event::timeout);
  backlog.put(frame(0));
  backlog.end();
  backlog.put(frame(length));
  g_assert_true(take(backlog, taken, nullptr) == FrameQueue::Event::frame);
  g_assert_true(take(backlog, taken, nullptr) == FrameQueue::Event::end);
  // A seek makes it live again.
  backlog.clear();
  backlog.wake();
  g_assert_true(take(backlog, taken, nullptr) == FrameQueue::Event::woken);
  std::thread taker(
      [&] { g_assert_true(take(backlog, taken, nullptr) == FrameQueue::Event::stopped); });
  backlog.stop();
  taker.join();
}

void test_timeline_goes_on () {
  SendTimeline timeline;
  g_assert_cmpuint(timeline.place(GST_SECOND, length, true, 0).value(), ==, GST_SECOND);
  g_assert_cmpuint(timeline.place(GST_SECOND + length, length, false, length).value(), ==,
                   GST_SECOND + length);
  // Dropped frames leave a gap.
  g_assert_cmpuint(timeline.place(2 * GST_SECOND, length, false, length).value(), ==,
                   2 * GST_SECOND);
  // A seek back to the start goes on after it.
  GstClockTime end = 2 * GST_SECOND + length;
  g_assert_cmpuint(timeline.place(0, length, true, length).value(), ==, end);
  g_assert_cmpuint(timeline.place(length, length, false, length).value(), ==, end + length);
  // So does a timeline that begins hours later, and the time that passed counts.
  end += 2 * length;
  g_assert_cmpuint(timeline.place(7200 * GST_SECOND, length, true, GST_SECOND).value(), ==,
                   end + GST_SECOND - length);
}

void test_timeline_fills () {
  SendTimeline timeline;
  timeline.place(0, length, true, 0);
  const GstClockTime first = timeline.fill(length, GST_SECOND);
  g_assert_cmpuint(first, >, 700 * GST_MSECOND);
  g_assert_cmpuint(first, <=, GST_SECOND);
  g_assert_cmpuint(timeline.fill(length, length), ==, first + length);
  // Upstream is back: what it has that is older than the fillers is of no use.
  g_assert_false(timeline.place(500 * GST_MSECOND, length, false, length).has_value());
  g_assert_cmpuint(timeline.place(first + 2 * length, length, false, length).value(), ==,
                   first + 2 * length);
}

// A source that paused for two seconds, of which its timestamps know nothing; and one that was held
// up, and hands over what it has at once.
void test_timeline_late () {
  for (const bool held_up : {false, true}) {
    SendTimeline timeline;
    timeline.place(0, length, true, 0);
    GstClockTime filled = timeline.fill(length, GST_SECOND);
    for (int i = 0; i < 50; i++)
      filled = timeline.fill(length, length);
    int left_out = 0;
    std::optional<GstClockTime> place;
    for (GstClockTime time = length; !place; time += length) {
      place = timeline.place(time, length, false, held_up ? 0 : length);
      left_out += place ? 0 : 1;
      g_assert_cmpint(left_out, <, 200);
      // Fillers go on as time does.
      if (!place && !held_up)
        filled = timeline.fill(length, length);
    }
    // What was held up comes where it belongs; what paused goes on behind the fillers, soon.
    g_assert_cmpuint(*place + 25 * GST_MSECOND, >=, filled + length);
    g_assert_cmpuint(*place, <=, filled + 2 * length);
    if (held_up)
      g_assert_cmpint(left_out, >, 80);
    else
      g_assert_cmpint(left_out, <, 16);
  }
}

void test_timeline_pauses () {
  SendTimeline timeline;
  timeline.place(0, length, true, 0);
  timeline.fill(length, GST_SECOND);
  GstClockTime last = 0;
  for (int i = 0; i < 10; i++)
    last = timeline.fill(length, length);
  timeline.paused();
  // The running time stood still: its next frame is no late one.
  g_assert_cmpuint(timeline.place(length, length, false, length).value(), ==, last + length);
  g_assert_cmpuint(timeline.place(2 * length, length, false, length).value(), ==,
                   last + 2 * length);
}

// Frames behind a jump of their timestamps: of a file, which come as they are asked for; of
// something that plays right now, a part of which waits already; and such as come when they are
// due.
void test_far () {
  using agora::FarFrames;
  using Verdict = FarFrames::Verdict;
  using std::chrono::milliseconds;
  struct Row {
    milliseconds each;  // between two bursts
    int burst;          // of so many frames
    int waiting;        // frames that are there at once
    Verdict verdict;
    int after_ms;
    std::size_t frames;
  };
  const Row rows[] = {
      {milliseconds(0), 1, 1, Verdict::hole, 0, 200},
      {milliseconds(2), 1, 1, Verdict::hole, 398, 200},
      {milliseconds(15), 8, 1, Verdict::hole, 360, 200},
      {milliseconds(20), 1, 1, Verdict::jump, 80, 5},
      {milliseconds(20), 1, 100, Verdict::jump, 80, 104},
      {milliseconds(160), 8, 8, Verdict::jump, 640, 33},
      {milliseconds(400), 1, 1, Verdict::hole, 800, 3},
      {milliseconds(9000), 1, 1, Verdict::hole, 9000, 2},
  };
  for (const Row &row : rows) {
    FarFrames far;
    FarFrames::Time now{};
    const FarFrames::Time began = now;
    Verdict verdict = Verdict::open;
    for (int n = 1; verdict == Verdict::open; n++) {
      g_assert_cmpint(n, <=, 200);
      if (n > row.waiting && (n - 1) % row.burst == 0)
        now += row.each;
      verdict = far.hold(BufferPtr(gst_buffer_new()), length, now);
    }
    g_assert_true(verdict == row.verdict);
    g_assert_cmpint((now - began) / milliseconds(1), ==, row.after_ms);
    g_assert_cmpuint(far.release().size(), ==, row.frames);
    g_assert_true(far.empty());
  }
}

BufferPtr silent (int channels, int object_type = agora::AacFormat::kLc) {
  agora::AacFormat format;
  format.core_channels = channels;
  format.object_type = object_type;
  return agora::silent_frame(format);
}

// Decodes one AAC frame over and over; gives the loudest sample.
int loudest (const char *decoder, int channels, bool stamped) {
  g_autofree char *launch = g_strdup_printf(
      "appsrc name=in format=time ! %s ! audioconvert ! audio/x-raw,format=S16LE ! appsink "
      "name=out sync=false",
      decoder);
  g_autoptr(GError) error = nullptr;
  ObjectPtr<GstElement> pipeline(gst_parse_launch(launch, &error));
  g_assert_no_error(error);
  gst_object_ref_sink(pipeline.get());
  ObjectPtr<GstElement> in(gst_bin_get_by_name(GST_BIN(pipeline.get()), "in"));
  ObjectPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline.get()), "out"));
  // AAC-LC, 48 kHz.
  const guint8 config[2] = {0x11, static_cast<guint8>(0x80 | channels << 3)};
  BufferPtr codec_data(gst_buffer_new_memdup(config, sizeof(config)));
  CapsPtr caps(gst_caps_new_simple("audio/mpeg", "mpegversion", G_TYPE_INT, 4, "stream-format",
                                   G_TYPE_STRING, "raw", "framed", G_TYPE_BOOLEAN, TRUE, "rate",
                                   G_TYPE_INT, 48'000, "channels", G_TYPE_INT, channels,
                                   "codec_data", GST_TYPE_BUFFER, codec_data.get(), nullptr));
  gst_app_src_set_caps(GST_APP_SRC(in.get()), caps.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  for (int i = 0; i < 10; i++) {
    BufferPtr silence = silent(channels);
    g_assert_nonnull(silence.get());
    if (stamped)
      silence = agora::stamp_frame(silence.get(), caps.get(), 1'700'000'000'000'000 + i);
    GST_BUFFER_PTS(silence.get()) = static_cast<GstClockTime>(i) * 1024 * GST_SECOND / 48'000;
    gst_app_src_push_buffer(GST_APP_SRC(in.get()), silence.release());
  }
  gst_app_src_end_of_stream(GST_APP_SRC(in.get()));
  int peak = 0;
  gsize samples = 0;
  for (;;) {
    g_autoptr(GstSample) sample =
        gst_app_sink_try_pull_sample(GST_APP_SINK(out.get()), 10 * GST_SECOND);
    if (!sample)
      break;
    GstMapInfo map;
    gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);
    const auto *values = reinterpret_cast<const gint16 *>(map.data);
    for (gsize i = 0; i < map.size / sizeof(gint16); i++)
      peak = MAX(peak, ABS(values[i]));
    samples += map.size / sizeof(gint16) / static_cast<gsize>(channels);
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  // A decoder may keep its first frame to itself.
  g_assert_cmpuint(samples, >=, 8 * 1024);
  return peak;
}

void test_silence () {
  ObjectPtr<GstElementFactory> decoder(gst_element_factory_find("avdec_aac"));
  if (!decoder) {
    g_test_skip("avdec_aac is not installed");
    return;
  }
  for (const int channels : {1, 2, 3, 4, 5, 6})
    g_assert_cmpint(loudest("avdec_aac", channels, false), <=, 1);
  g_assert_cmpint(loudest("avdec_aac", 1, true), <=, 1);
  g_assert_cmpint(loudest("avdec_aac", 2, true), <=, 1);
  g_assert_null(silent(11).get());
  g_assert_null(silent(0).get());
  g_assert_null(silent(1, agora::AacFormat::kEld).get());
}

void test_stamp () {
  CapsPtr opus(gst_caps_new_empty_simple("audio/x-opus"));
  const CapsPtr aac = agora::default_aac_caps();
  // 20 ms of Opus that nothing is in.
  constexpr guint8 packet[] = {0xf8, 0xff, 0xfe};
  for (const GstCaps *caps : {aac.get(), opus.get()}) {
    BufferPtr plain =
        caps == aac.get() ? silent(2) : BufferPtr(gst_buffer_new_memdup(packet, sizeof(packet)));
    GST_BUFFER_PTS(plain.get()) = GST_SECOND;
    g_assert_false(agora::read_stamp(plain.get(), caps).has_value());
    constexpr gint64 wall = 1'763'840'000'123'456;
    BufferPtr stamped = agora::stamp_frame(plain.get(), caps, wall);
    g_assert_cmpint(agora::read_stamp(stamped.get(), caps).value(), ==, wall);
    g_assert_cmpuint(GST_BUFFER_PTS(stamped.get()), ==, GST_SECOND);
    BufferPtr shorter(gst_buffer_copy_region(stamped.get(), GST_BUFFER_COPY_ALL, 0, 10));
    g_assert_false(agora::read_stamp(shorter.get(), caps).has_value());
    // What takes no stamp stays as it is.
    if (caps == opus.get()) {
      const BufferPtr again = agora::stamp_frame(stamped.get(), caps, 1);
      g_assert_cmpint(agora::read_stamp(again.get(), caps).value(), ==, wall);
    }
  }
}

// A header that fits goes; one that doesn't stays, and nothing comes before it.
void test_adts () {
  const agora::AacFormat mono;  // LC, 48 kHz
  BufferPtr raw(gst_buffer_new_memdup("\x01\x40\x22", 3));
  BufferPtr stays = agora::without_adts(raw.get(), mono);
  g_assert_true(stays.get() == raw.get());
  struct Row {
    guint8 bytes[12];
    gsize size;
    gsize left;
  };
  const Row rows[] = {
      {{0xff, 0xf1, 0x4c, 0x40, 0x01, 0x5f, 0xfc, 1, 0x40, 0x22}, 10, 3},
      // With a checksum.
      {{0xff, 0xf0, 0x4c, 0x40, 0x01, 0x9f, 0xfc, 9, 9, 1, 0x40, 0x22}, 12, 3},
      // 44.1 kHz; stereo; of another length; two frames; cut off.
      {{0xff, 0xf1, 0x50, 0x40, 0x01, 0x5f, 0xfc, 1, 0x40, 0x22}, 10, 10},
      {{0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 1, 0x40, 0x22}, 10, 10},
      {{0xff, 0xf1, 0x4c, 0x40, 0x01, 0x7f, 0xfc, 1, 0x40, 0x22}, 10, 10},
      {{0xff, 0xf1, 0x4c, 0x40, 0x01, 0x5f, 0xfd, 1, 0x40, 0x22}, 10, 10},
      {{0xff, 0xf1, 0x4c, 0x40, 0x00, 0xff, 0xfc}, 7, 7},
      {{0xff, 0xf1}, 2, 2},
  };
  CapsPtr caps = agora::default_aac_caps();
  for (const Row &row : rows) {
    BufferPtr frame(gst_buffer_new_memdup(row.bytes, row.size));
    GST_BUFFER_PTS(frame.get()) = GST_SECOND;
    BufferPtr bare = agora::without_adts(frame.get(), mono);
    g_assert_cmpuint(gst_buffer_get_size(bare.get()), ==, row.left);
    g_assert_cmpuint(GST_BUFFER_PTS(bare.get()), ==, GST_SECOND);
    const bool is_bare = row.left != row.size;
    g_assert_true(!is_bare || gst_buffer_memcmp(bare.get(), 0, "\x01\x40\x22", 3) == 0);
    const BufferPtr stamped = agora::stamp_frame(bare.get(), caps.get(), 1);
    g_assert_true(agora::read_stamp(stamped.get(), caps.get()).has_value() == is_bare);
  }
}

// All that comes out of `launch`'s appsink `out`, one after another.
std::vector<BufferPtr> pulled (GstElement *pipeline, CapsPtr *caps) {
  ObjectPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline), "out"));
  std::vector<BufferPtr> all;
  for (;;) {
    g_autoptr(GstSample) sample =
        gst_app_sink_try_pull_sample(GST_APP_SINK(out.get()), 10 * GST_SECOND);
    if (!sample)
      return all;
    if (caps)
      *caps = agora::share(gst_sample_get_caps(sample));
    all.push_back(agora::share(gst_sample_get_buffer(sample)));
  }
}

std::vector<guint8> decoded (const char *decoder, const std::vector<BufferPtr> &packets,
                             GstCaps *caps) {
  g_autofree char *launch =
      g_strdup_printf("appsrc name=in format=time ! %s ! appsink name=out sync=false", decoder);
  ObjectPtr<GstElement> pipeline(
      GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(launch, nullptr))));
  ObjectPtr<GstElement> in(gst_bin_get_by_name(GST_BIN(pipeline.get()), "in"));
  gst_app_src_set_caps(GST_APP_SRC(in.get()), caps);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  for (const BufferPtr &each : packets)
    gst_app_src_push_buffer(GST_APP_SRC(in.get()), gst_buffer_ref(each.get()));
  gst_app_src_end_of_stream(GST_APP_SRC(in.get()));
  std::vector<guint8> sound;
  for (const BufferPtr &each : pulled(pipeline.get(), nullptr)) {
    GstMapInfo map;
    gst_buffer_map(each.get(), &map, GST_MAP_READ);
    sound.insert(sound.end(), map.data, map.data + map.size);
    gst_buffer_unmap(each.get(), &map);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return sound;
}

// A stamp in each packet changes no sample of what is heard.
void test_opus_stamp () {
  for (const char *encoder :
       {"opusenc", "opusenc frame-size=10", "opusenc frame-size=60 bitrate=16000",
        "opusenc audio-type=restricted-lowdelay bitrate-type=vbr"}) {
    g_autofree char *launch = g_strdup_printf(
        "audiotestsrc wave=pink-noise num-buffers=50 ! audio/x-raw,rate=48000,channels=2 ! %s ! "
        "appsink name=out sync=false",
        encoder);
    ObjectPtr<GstElement> pipeline(
        GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(launch, nullptr))));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    CapsPtr caps;
    const std::vector<BufferPtr> packets = pulled(pipeline.get(), &caps);
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    g_assert_cmpuint(packets.size(), >, 10);
    std::vector<BufferPtr> stamped;
    for (const BufferPtr &each : packets) {
      stamped.push_back(agora::stamp_frame(each.get(), caps.get(), 1'763'840'000'123'456));
      g_assert_true(agora::read_stamp(stamped.back().get(), caps.get()).has_value());
    }
    for (const char *decoder : {"opusdec", "avdec_opus"}) {
      ObjectPtr<GstElementFactory> there(gst_element_factory_find(decoder));
      if (!there)
        continue;
      const std::vector<guint8> plain = decoded(decoder, packets, caps.get());
      g_assert_cmpuint(plain.size(), >, 48'000);
      g_assert_true(plain == decoded(decoder, stamped, caps.get()));
    }
  }
}

void test_format () {
  CapsPtr caps = agora::default_aac_caps();
  const agora::AacFormat format = agora::AacFormat::of(caps.get());
  g_assert_cmpint(format.object_type, ==, 2);
  g_assert_cmpint(format.channels, ==, 1);
  g_assert_cmpuint(format.frame_duration(), ==, 1024 * GST_SECOND / 48'000);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/sink/backlog/drops-oldest", test_backlog_drops_oldest);
  g_test_add_func("/sink/backlog/ends", test_backlog_ends);
  g_test_add_func("/sink/timeline/goes-on", test_timeline_goes_on);
  g_test_add_func("/sink/timeline/fills", test_timeline_fills);
  g_test_add_func("/sink/timeline/late", test_timeline_late);
  g_test_add_func("/sink/timeline/pauses", test_timeline_pauses);
  g_test_add_func("/sink/far", test_far);
  g_test_add_func("/sink/silence", test_silence);
  g_test_add_func("/sink/stamp", test_stamp);
  g_test_add_func("/sink/adts", test_adts);
  g_test_add_func("/sink/opus-stamp", test_opus_stamp);
  g_test_add_func("/sink/format", test_format);
  return g_test_run();
}
