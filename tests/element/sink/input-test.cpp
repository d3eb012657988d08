// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's input: every kind of sound to a real media server; the channel is a fake.
#include <glib/gstdio.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/element/sink/rig.hpp"

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
    {"flv", "audiotestsrc is-live=true ! voaacenc ! flvmux streamable=true"},
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
};

// What the first ERROR of such a line says.
void test_refusal (gconstpointer data) {
  const auto *refusal = static_cast<const Refusal *>(data);
  Script script;
  set_script(&script);
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "agora-sink-empty", nullptr);
  g_assert_true(g_file_set_contents(path, "", 0, nullptr));
  std::string launch = refusal->launch;
  if (const auto at = launch.find("EMPTY"); at != std::string::npos)
    launch.replace(at, 5, path);
  Run run(launch + sink(refusal->more));
  run.play();
  const std::string text = run.await_error();
  g_test_message("%s", text.c_str());
  g_assert_nonnull(strstr(text.c_str(), refusal->expected));
  g_unlink(path);
}

const Refusal refusals[] = {
    {"empty", "filesrc location=EMPTY", "", "no sound in it"},
    {"noise", "fakesrc num-buffers=20 sizetype=fixed sizemax=4096 filltype=pattern", "",
     "Expected raw audio, AAC, Opus or FLV"},
    {"flv-without-sound",
     "videotestsrc num-buffers=30 ! video/x-raw,width=64,height=64 ! avenc_flv ! flvmux", "",
     "no sound in it"},
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
  for (const char *name : {"fdkaacenc", "voaacenc", "avenc_aac", "faac"}) {
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

int main (int argc, char **argv) {
  return run_tests(argc, argv, [] {
    for (const Input &input : inputs)
      g_test_add_data_func((std::string("/sink/input/") + input.name).c_str(), &input, test_input);
    for (const Refusal &refusal : refusals)
      g_test_add_data_func((std::string("/sink/bad/") + refusal.name).c_str(), &refusal,
                           test_refusal);
    for (const Input &input : changes)
      g_test_add_data_func((std::string("/sink/change/") + input.name).c_str(), &input,
                           test_change);
    g_test_add_func("/sink/eos", test_eos);
    g_test_add_func("/sink/file/aac", test_file_aac);
    g_test_add_func("/sink/file/flv", test_file_flv);
    g_test_add_func("/sink/file/flv-with-video", test_file_flv_with_video);
    g_test_add_func("/sink/file/flv-mp3", test_file_flv_mp3);
    g_test_add_func("/sink/file/loas", test_file_loas);
    g_test_add_func("/sink/bad/caps", test_bad_caps);
    g_test_add_func("/sink/bad/bytes", test_bad_bytes);
    g_test_add_func("/sink/bad/no-encoder", test_no_encoder);
    g_test_add_func("/sink/uri", test_uri);
    g_test_add_func("/sink/refused", test_refused);
  });
}
