// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's input: every kind of sound to a real media server; the channel is a fake.
#include <glib/gstdio.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_input_test {

namespace {

using namespace agora::test;
using agora::ObjectPtr;

struct Input {
  const char *name;
  const char *launch;
};

const Input inputs[] = {
    {"raw-48k-mono",
     "audiotestsrc is-live=true samplesperbuffer=480 ! audio/x-raw,rate=48000,channels=1"},
    {"raw-44k-5.1",
     "audiotestsrc is-live=true ! audio/x-raw,rate=44100,channels=6,channel-mask=(bitmask)0x3f"},
    {"raw-96k-f64-planar",
     "audiotestsrc is-live=true ! audioconvert ! "
     "audio/x-raw,format=F64LE,rate=96000,channels=2,layout=non-interleaved"},
    {"raw-8k", "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1"},
    {"aac-raw", "audiotestsrc is-live=true ! voaacenc ! audio/mpeg,stream-format=raw"},
    {"aac-adts", "audiotestsrc is-live=true ! voaacenc ! audio/mpeg,stream-format=adts"},
    {"opus", "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1 ! opusenc"},
    {"opus-without-positions",
     "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=4,channel-mask=(bitmask)0 ! "
     "opusenc"},
    {"flv", "audiotestsrc is-live=true ! voaacenc ! flvmux streamable=true"},
    {"flv-pcm",
     "audiotestsrc is-live=true ! audio/x-raw,format=S16LE,rate=44100,channels=1 ! flvmux "
     "streamable=true"},
    {"flv-alaw",
     "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! flvmux "
     "streamable=true"},
};

void test_input (gconstpointer data) {
  if (!have_server())
    return;
  const auto *input = static_cast<const Input *>(data);
  Script script;
  script.url = server_url(input->name);
  set_script(&script);
  Run run(input->launch + sink());
  run.play();
  Ear ear(script.url);
  ear.hear(GST_SECOND);
  run.stop();
  g_assert_true(script.left);
}

void test_eos () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("eos");
  set_script(&script);
  Ear ear(script.url);
  Run run("audiotestsrc num-buffers=200 samplesperbuffer=480 ! audio/x-raw,rate=48000" + sink());
  run.play();
  run.await_eos();
  g_assert_true(script.unpublished);
  ear.hear(800 * GST_MSECOND);
}

void test_file (const char *name, const std::string &launch) {
  if (!have_server())
    return;
  const std::string path = make_file(name, launch);
  Script script;
  script.url = server_url(name);
  set_script(&script);
  Ear ear(script.url);
  const gint64 before = g_get_monotonic_time();
  Run run("filesrc blocksize=333 location=" + path + sink());
  run.play();
  run.await_eos();
  // Three seconds of sound take three seconds.
  g_assert_cmpint(g_get_monotonic_time() - before, >, 2'800'000);
  ear.hear(1700 * GST_MSECOND);
  g_unlink(path.c_str());
}

void test_file_aac () {
  test_file("agora-sink-test.aac",
            "audiotestsrc num-buffers=141 ! audio/x-raw,rate=48000 ! voaacenc "
            "! audio/mpeg,stream-format=adts");
}

void test_file_flv () {
  test_file("agora-sink-test.flv",
            "audiotestsrc num-buffers=141 ! audio/x-raw,rate=48000 ! voaacenc ! flvmux");
}

void test_file_flv_with_video () {
  ObjectPtr<GstElementFactory> encoder(gst_element_factory_find("avenc_flv"));
  if (!encoder) {
    g_test_skip("avenc_flv is not installed");
    return;
  }
  test_file(
      "agora-sink-test-video.flv",
      "videotestsrc num-buffers=90 ! video/x-raw,width=64,height=64 ! avenc_flv ! flvmux "
      "name=mux audiotestsrc num-buffers=141 ! audio/x-raw,rate=48000 ! voaacenc ! mux. mux.");
}

// A file of three seconds of AAC in FLV, each of whose tags is replaced by what `edit` makes of it.
using Bytes = std::vector<guint8>;
std::string make_edited_flv (const char *name, const std::function<Bytes(const Bytes &)> &edit) {
  constexpr gsize begin = 13, head = 11, trailer = 4;
  std::string path =
      make_file(name, "audiotestsrc num-buffers=141 ! audio/x-raw,rate=48000 ! voaacenc ! flvmux");
  g_autofree char *text = nullptr;
  gsize size = 0;
  g_assert_true(g_file_get_contents(path.c_str(), &text, &size, nullptr));
  const auto *bytes = reinterpret_cast<const guint8 *>(text);
  Bytes out(bytes, bytes + begin);
  for (gsize at = begin; at + head < size;) {
    const gsize whole = head + GST_READ_UINT24_BE(bytes + at + 1) + trailer;
    const Bytes tag = edit(Bytes(bytes + at, bytes + at + whole));
    out.insert(out.end(), tag.begin(), tag.end());
    at += whole;
  }
  g_assert_true(g_file_set_contents(path.c_str(), reinterpret_cast<const char *>(out.data()),
                                    static_cast<gssize>(out.size()), nullptr));
  return path;
}

bool is_audio (const Bytes &tag) {
  return tag[0] == 8;
}
bool is_configuration (const Bytes &tag) {
  return is_audio(tag) && tag[12] == 0;
}

void test_edited_flv (const char *name, const std::function<Bytes(const Bytes &)> &edit) {
  if (!have_server())
    return;
  const std::string path = make_edited_flv(name, edit);
  Script script;
  script.url = server_url(name);
  set_script(&script);
  Ear ear(script.url);
  Run run("filesrc blocksize=333 location=" + path + sink());
  run.play();
  run.await_eos();
  ear.hear(1700 * GST_MSECOND);
  g_unlink(path.c_str());
}

void test_flv_newer_video () {
  test_edited_flv("agora-sink-hevc.flv", [] (const Bytes &tag) {
    // H.265 as some phones write it, in Enhanced RTMP's way, and a second track of sound.
    static const Bytes strange = {
        9, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x1c, 1,   0,   0,   0,   0, 0, 0, 16,
        9, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x90, 'h', 'v', 'c', '1', 0, 0, 0, 16,
        8, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x94, 'O', 'p', 'u', 's', 0, 0, 0, 16};
    Bytes both = strange;
    both.insert(both.end(), tag.begin(), tag.end());
    return both;
  });
}

void test_flv_below_zero () {
  test_edited_flv("agora-sink-below.flv", [] (Bytes tag) {
    const guint32 stamp = (GST_READ_UINT24_BE(&tag[4]) | guint32{tag[7]} << 24) - 64;
    GST_WRITE_UINT24_BE(&tag[4], stamp & 0xffffff);
    tag[7] = static_cast<guint8>(stamp >> 24);
    return tag;
  });
}

// Nobody could decode it: said once, and not by an exit without a word.
void test_flv_without_configuration () {
  Script script;
  set_script(&script);
  const std::string path = make_edited_flv("agora-sink-no-config.flv", [] (const Bytes &tag) {
    return is_configuration(tag) ? Bytes() : tag;
  });
  Run run("filesrc location=" + path + sink());
  run.play();
  const std::string text = run.await_error();
  g_test_message("%s", text.c_str());
  g_assert_nonnull(strstr(text.c_str(), "without the configuration"));
  g_unlink(path.c_str());
}

// Data comes on and on, and nothing of it can be sent.
void test_starved () {
  Script script;
  set_script(&script);
  Run run(
      "audiotestsrc is-live=true samplesperbuffer=480 ! audio/x-raw,rate=48000 ! voaacenc ! "
      "audio/mpeg,stream-format=raw ! identity name=late" +
      sink());
  const ObjectPtr<GstElement> late = run.get("late");
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(late.get(), "src"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      [] (GstPad *, GstPadProbeInfo *info, gpointer) {
        GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
        if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
          return GST_PAD_PROBE_OK;
        // All that comes is before its beginning.
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        segment.start = segment.time = 3600 * GST_SECOND;
        GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_segment(&segment);
        gst_event_unref(event);
        return GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
  const gint64 before = g_get_monotonic_time();
  run.play();
  g_autoptr(GstMessage) message = run.await(GST_MESSAGE_WARNING);
  g_assert_nonnull(message);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  g_test_message("%s", error->message);
  g_assert_cmpint(g_get_monotonic_time() - before, >, 4'500'000);
  g_assert_nonnull(strstr(error->message, "outside its segment"));
}

// What only a decoder can take apart, made by ffmpeg.
void test_foreign_file (const char *name, const char *format, const char *codec) {
  g_autofree char *program = g_find_program_in_path("ffmpeg");
  if (!program || !have_server()) {
    g_test_skip("ffmpeg or a media server is not installed");
    return;
  }
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, nullptr);
  g_autoptr(GError) error = nullptr;
  g_autoptr(GSubprocess) ffmpeg = g_subprocess_new(
      G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error, program, "-v", "error", "-y", "-f", "lavfi", "-i",
      "sine=frequency=440:duration=3:sample_rate=44100,volume=4", "-c:a", codec, "-f", format, path,
      nullptr);
  g_assert_no_error(error);
  g_subprocess_wait_check(ffmpeg, nullptr, &error);
  g_assert_no_error(error);
  Script script;
  script.url = server_url(name);
  set_script(&script);
  Ear ear(script.url);
  Run run(std::string("filesrc location=") + path + sink());
  run.play();
  run.await_eos();
  // Until a parser believes what it sees, it takes some of the two seconds.
  ear.hear(1300 * GST_MSECOND);
  g_unlink(path);
}

void test_file_flv_mp3 () {
  test_foreign_file("agora-sink-mp3.flv", "flv", "libmp3lame");
}

void test_file_loas () {
  test_foreign_file("agora-sink.loas", "latm", "aac");
}

void test_bad_caps () {
  Script script;
  set_script(&script);
  // The link is made while the caps are open; what comes then is no sound.
  Run run("appsrc name=source format=time" + sink());
  const ObjectPtr<GstElement> source = run.get("source");
  run.play();
  agora::CapsPtr caps(gst_caps_from_string("image/png, width=3"));
  g_object_set(source.get(), "caps", caps.get(), nullptr);
  GstFlowReturn flow;
  g_autoptr(GstBuffer) buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
  g_signal_emit_by_name(source.get(), "push-buffer", buffer, &flow);
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "image/png"));
  g_assert_nonnull(strstr(text.c_str(), "Expected raw audio"));
}

void test_bad_bytes () {
  Script script;
  set_script(&script);
  const std::string path = make_file("agora-sink-test.wav", "audiotestsrc num-buffers=10 ! wavenc");
  Run run("filesrc location=" + path + sink());
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "audio/x-wav"));
  g_unlink(path.c_str());
}

struct Refusal {
  const char *name;
  std::string launch;
  const char *more;  // properties of the sink
  const char *expected;
  std::string content = {};  // of the file
};

// What the first ERROR of such a line says.
void test_refusal (gconstpointer data) {
  const auto *refusal = static_cast<const Refusal *>(data);
  Script script;
  set_script(&script);
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "agora-sink-refused", nullptr);
  g_assert_true(g_file_set_contents(path, refusal->content.data(),
                                    static_cast<gssize>(refusal->content.size()), nullptr));
  std::string launch = refusal->launch;
  if (const auto at = launch.find("FILE"); at != std::string::npos)
    launch.replace(at, 4, path);
  Run run(launch + sink(refusal->more));
  run.play();
  const std::string text = run.await_error();
  g_test_message("%s", text.c_str());
  g_assert_nonnull(strstr(text.c_str(), refusal->expected));
  g_unlink(path);
}

const Refusal refusals[] = {
    {"empty", "filesrc location=FILE", "", "no sound in it"},
    {"noise", "fakesrc num-buffers=20 sizetype=fixed sizemax=4096 filltype=pattern", "",
     "Expected raw audio, AAC, Opus or FLV"},
    {"flv-without-sound",
     "videotestsrc num-buffers=30 ! video/x-raw,width=64,height=64 ! avenc_flv ! flvmux", "",
     "no sound in it"},
    {"flv-header-of-4-gib", "filesrc location=FILE", "",
     "its FLV header says it is 4278190089 bytes",
     std::string("FLV\1\5\xff\0\0\x9", 9) + std::string(4096, 'x')},
    {"channels-without-positions", "audiotestsrc ! audio/x-raw,channels=10,channel-mask=(bitmask)0",
     "", "mix-matrix"},
    {"bitrate", "audiotestsrc", "bitrate=1", "bitrate=1"},
};

// Hides the encoders that are installed.
void test_no_encoder () {
  Script script;
  set_script(&script);
  GstRegistry *registry = gst_registry_get();
  std::vector<GstPluginFeature *> hidden;
  for (const char *name : {"fdkaacenc", "voaacenc", "avenc_aac"}) {
    GstPluginFeature *feature = gst_registry_lookup_feature(registry, name);
    if (!feature)
      continue;
    hidden.push_back(feature);
    gst_registry_remove_feature(registry, feature);
  }
  Run run(tone + sink());
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "gstreamer1.0-plugins-bad"));
  for (GstPluginFeature *feature : hidden) {
    gst_registry_add_feature(registry, feature);
    gst_object_unref(feature);
  }
}

void test_uri () {
  g_autoptr(GError) error = nullptr;
  ObjectPtr<GstElement> element = agora::sink_ref(gst_element_make_from_uri(
      GST_URI_SINK, "agora://127.0.0.1:9/demo/my%20room?uid=5", "sink", &error));
  g_assert_no_error(error);
  g_autofree char *channel = nullptr;
  guint uid = 0;
  g_object_get(element.get(), "channel", &channel, "uid", &uid, nullptr);
  g_assert_cmpstr(channel, ==, "my room");
  g_assert_cmpuint(uid, ==, 5);
  g_assert_false(gst_uri_handler_set_uri(GST_URI_HANDLER(element.get()), "agora://host", &error));
  g_assert_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI);
}

void test_refused () {
  {
    Script script;
    script.refuse_at_once = "channel “” is not allowed";
    set_script(&script);
    Run run(tone + sink());
    run.play();
    g_assert_true(run.await_error() == script.refuse_at_once);
  }
  Script script;
  script.refuse_later = "unknown app id";
  set_script(&script);
  Run run(tone + sink());
  run.play();
  // And what to do.
  g_assert_true(run.await_error() ==
                script.refuse_later +
                    ". Set app-id to one that the gateway was started with (--app).");
}

}  // namespace

static const agora::Suite suite("input", [] {
  for (const Input &input : inputs)
    g_test_add_data_func((std::string("/sink/input/") + input.name).c_str(), &input, test_input);
  for (const Refusal &refusal : refusals)
    g_test_add_data_func((std::string("/sink/bad/") + refusal.name).c_str(), &refusal,
                         test_refusal);
  g_test_add_func("/sink/eos", test_eos);
  g_test_add_func("/sink/file/aac", test_file_aac);
  g_test_add_func("/sink/file/flv", test_file_flv);
  g_test_add_func("/sink/file/flv-with-video", test_file_flv_with_video);
  g_test_add_func("/sink/file/flv-mp3", test_file_flv_mp3);
  g_test_add_func("/sink/file/loas", test_file_loas);
  g_test_add_func("/sink/file/flv-newer-video", test_flv_newer_video);
  g_test_add_func("/sink/file/flv-below-zero", test_flv_below_zero);
  g_test_add_func("/sink/bad/flv-without-configuration", test_flv_without_configuration);
  g_test_add_func("/sink/bad/starved", test_starved);
  g_test_add_func("/sink/bad/caps", test_bad_caps);
  g_test_add_func("/sink/bad/bytes", test_bad_bytes);
  g_test_add_func("/sink/bad/no-encoder", test_no_encoder);
  g_test_add_func("/sink/uri", test_uri);
  g_test_add_func("/sink/refused", test_refused);
});

}  // namespace sink_input_test
