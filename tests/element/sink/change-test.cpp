// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's input that turns into another kind of sound while it plays.
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include <cmath>
#include <string>
#include <vector>

#include "gst/sink/encoder-tail.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_change_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;

struct Input {
  const char *name;
  const char *launch;
};

// One source after another at the same pad, each of another kind of sound.
void test_change (gconstpointer data) {
  if (!have_server())
    return;
  const auto *to = static_cast<const Input *>(data);
  Script script;
  script.url = server_url((std::string("change-") + to->name).c_str());
  set_script(&script);
  Run run(std::string("concat name=both") + sink() +
          " audiotestsrc num-buffers=100 samplesperbuffer=480 ! "
          "audio/x-raw,rate=48000,channels=1 ! both. " +
          to->launch + " ! both.");
  run.play();
  Ear ear(script.url);
  ear.hear(3 * GST_SECOND);
  g_assert_cmpuint(ear.last(), >, 2500 * GST_MSECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

const Input changes[] = {
    {"stereo-44k", "audiotestsrc samplesperbuffer=441 ! audio/x-raw,rate=44100,channels=2"},
    {"aac", "audiotestsrc ! voaacenc ! audio/mpeg,stream-format=adts"},
    {"opus", "audiotestsrc ! audio/x-raw,rate=48000 ! opusenc"},
    {"flv", "audiotestsrc ! voaacenc ! flvmux streamable=true"},
};

void push_sound (GstAppSrc *source, GstClockTime &time, int rate, int channels, int frames,
                 double amplitude) {
  const std::string layout = channels == 2 ? ",channel-mask=(bitmask)3" : "";
  const CapsPtr caps(gst_caps_from_string(
      ("audio/x-raw,format=S16LE,layout=interleaved,rate=" + std::to_string(rate) +
       ",channels=" + std::to_string(channels) + layout)
          .c_str()));
  gst_app_src_set_caps(source, caps.get());
  const gsize samples = static_cast<gsize>(frames) * static_cast<gsize>(channels);
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, samples * sizeof(gint16), nullptr));
  GstMapInfo map;
  gst_buffer_map(buffer.get(), &map, GST_MAP_WRITE);
  for (gsize i = 0; i < samples; i++)
    reinterpret_cast<gint16 *>(map.data)[i] =
        static_cast<gint16>(32'767 * amplitude * std::sin(static_cast<double>(i) * 0.06));
  gst_buffer_unmap(buffer.get(), &map);
  GST_BUFFER_PTS(buffer.get()) = time;
  time += gst_util_uint64_scale_int(static_cast<guint64>(frames), GST_SECOND, rate);
  g_assert_cmpint(gst_app_src_push_buffer(source, buffer.release()), ==, GST_FLOW_OK);
}

// Frames of one format.
struct Frames {
  CapsPtr caps;
  std::vector<BufferPtr> frames;
};

// How many samples of what they decode to are loud.
int loud_samples (const Frames &encoded) {
  Run run(
      "appsrc name=in format=time ! avdec_aac ! audioconvert ! audio/x-raw,format=S16LE ! appsink "
      "name=out sync=false");
  const ObjectPtr<GstElement> in = run.get("in");
  const ObjectPtr<GstElement> out = run.get("out");
  gst_app_src_set_caps(GST_APP_SRC(in.get()), encoded.caps.get());
  run.play();
  for (const BufferPtr &frame : encoded.frames)
    gst_app_src_push_buffer(GST_APP_SRC(in.get()), gst_buffer_ref(frame.get()));
  gst_app_src_end_of_stream(GST_APP_SRC(in.get()));
  int loud = 0;
  while (GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(out.get()))) {
    GstMapInfo map;
    gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);
    const auto *values = reinterpret_cast<const gint16 *>(map.data);
    for (gsize i = 0; i < map.size / sizeof(gint16); i++)
      loud += std::abs(values[i]) > 1000 ? 1 : 0;
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    gst_sample_unref(sample);
  }
  return loud;
}

// The end of sound before sound of another rate, or of other channels: the encoder holds it back,
// and forgets it when it begins anew.
void test_end_before_change (gconstpointer data) {
  const int rate = GPOINTER_TO_INT(data);
  ObjectPtr<GstElementFactory> decoder(gst_element_factory_find("avdec_aac"));
  ObjectPtr<GstElementFactory> factory(gst_element_factory_find("voaacenc"));
  if (!decoder || !factory) {
    g_test_skip("avdec_aac or voaacenc is not installed");
    return;
  }
  Run run("appsrc name=in format=time ! voaacenc name=encoder ! appsink name=out sync=false");
  agora::push_silence_before_ends(run.get("encoder").get(), 1600);
  const ObjectPtr<GstElement> in = run.get("in");
  const ObjectPtr<GstElement> out = run.get("out");
  run.play();
  GstClockTime time = 0;
  auto *source = GST_APP_SRC(in.get());
  constexpr int tone = 4800;
  push_sound(source, time, 48'000, 1, 24'000, 0);
  push_sound(source, time, 48'000, 1, tone, 0.5);
  push_sound(source, time, rate, 2, rate / 2, 0);
  gst_app_src_end_of_stream(source);
  std::vector<Frames> formats;
  while (GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(out.get()))) {
    GstCaps *caps = gst_sample_get_caps(sample);
    if (formats.empty() || !gst_caps_is_equal(formats.back().caps.get(), caps))
      formats.push_back({agora::share(caps), {}});
    formats.back().frames.push_back(agora::share(gst_sample_get_buffer(sample)));
    gst_sample_unref(sample);
  }
  g_assert_cmpuint(formats.size(), ==, 2);
  const int before = loud_samples(formats[0]);
  const int after = loud_samples(formats[1]);
  g_test_message("loud: %d samples before the change, %d after it", before, after);
  // A sine is near 0 for a while.
  g_assert_cmpint(before, >, tone * 9 / 10);
  g_assert_cmpint(after, ==, 0);
}

// One FLV stream after another: the second one has a header, too.
void test_flv_again () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("flv-again");
  set_script(&script);
  const std::string stream =
      " samplesperbuffer=480 ! audio/x-raw,rate=48000,channels=1 ! voaacenc ! "
      "flvmux streamable=true ! both. ";
  Run run("concat name=both" + sink() + " audiotestsrc num-buffers=100" + stream + "audiotestsrc" +
          stream);
  run.play();
  Ear ear(script.url);
  ear.hear(3 * GST_SECOND);
  g_assert_cmpuint(ear.last(), >, 2500 * GST_MSECOND);
}

}  // namespace

static const agora::Suite suite("change", [] {
  for (const Input &input : changes)
    g_test_add_data_func((std::string("/sink/change/") + input.name).c_str(), &input, test_change);
  g_test_add_data_func("/sink/change/end-before-stereo", GINT_TO_POINTER(48'000),
                       test_end_before_change);
  g_test_add_data_func("/sink/change/end-before-44k", GINT_TO_POINTER(44'100),
                       test_end_before_change);
  g_test_add_func("/sink/change/flv-again", test_flv_again);
});

}  // namespace sink_change_test
