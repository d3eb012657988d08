// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink while things go wrong around it: a real media server; the channel is a fake.
#include <glib/gstdio.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_fault_test {

namespace {

using namespace agora::test;
using agora::ObjectPtr;

// Upstream flows on, the oldest sound is dropped, and nothing hangs.
void test_mute_peer () {
  MutePeer peer;
  Script script;
  script.url = peer.url();
  set_script(&script);
  Run run("audiotestsrc is-live=true samplesperbuffer=480 num-buffers=300 ! identity name=count" +
          sink("max-backlog=500"));
  const gint64 before = g_get_monotonic_time();
  run.play();
  run.await_eos();
  const gint64 took = g_get_monotonic_time() - before;
  // 300 buffers of 480 samples at 44.1 kHz; nobody waits for what can't be sent.
  g_assert_cmpint(took, <, 3'266'000 + 1'000'000 * time_scale());
  g_assert_cmpuint(run.stat("dropped-ms"), >, 2000);
  g_assert_cmpuint(run.stat("queued-ms"), <=, 520);
}

void test_stop_anytime () {
  MutePeer peer;
  Script script;
  script.url = peer.url();
  set_script(&script);
  for (const GstState state : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING}) {
    Run run(tone + sink());
    run.set_state(state);
    run.stop();
  }
  for (const GstClockTime moment : {1, 20, 100, 1500}) {
    Run run(tone + sink());
    run.play();
    g_autoptr(GstMessage) none = run.await(GST_MESSAGE_EOS, moment * GST_MSECOND);
    g_assert_null(none);
    run.stop();
    g_assert_true(script.left);
    // And once more with the same element.
    script.left = false;
    run.play();
    run.stop();
    g_assert_true(script.left);
  }
}

void test_reconnect () {
  if (!have_server())
    return;
  Script script;
  // Nothing listens there.
  script.url = "rtmp://127.0.0.1:9/live/nobody";
  script.next_url = server_url("reconnect");
  set_script(&script);
  Ear ear(script.next_url);
  Run run(tone + sink());
  run.play();
  run.await_element_message("agora-reconnecting");
  run.await_element_message("agora-reconnected");
  ear.hear(GST_SECOND);
  g_assert_cmpint(script.broke, ==, 1);
}

void test_server_dies () {
  auto first = std::make_unique<MediaServer>();
  if (!have_server())
    return;
  Script script;
  script.url = first->url("first");
  script.next_url = server_url("second");
  set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear before(script.url);
  before.hear(500 * GST_MSECOND);
  Ear after(script.next_url);
  first.reset();
  run.await_element_message("agora-reconnecting");
  run.await_element_message("agora-reconnected");
  after.hear(GST_SECOND);
  // The timeline went on.
  g_assert_cmpuint(after.last(), >, before.last());
}

// The end of its session comes by another way than the word of it, and may come first: to the
// application that is no fault.
void test_silenced_before_it_is_told () {
  auto first = std::make_unique<MediaServer>();
  if (!have_server())
    return;
  Script script;
  script.url = first->url("first");
  script.silences = true;
  set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear before(script.url);
  before.hear(300 * GST_MSECOND);
  first.reset();
  {
    std::unique_lock lock(script.mutex);
    script.changed.wait(lock, [&] { return script.broke == 1; });
  }
  Ear after(server_url("unsilenced"));
  end_silence(server_url("unsilenced"));
  after.hear(300 * GST_MSECOND);
  g_assert_cmpuint(run.stat("reconnects"), ==, 0);
  for (;;) {
    g_autoptr(GstMessage) message = run.await(GST_MESSAGE_ELEMENT, 0);
    if (!message)
      break;
    g_assert_false(gst_message_has_name(message, "agora-reconnecting"));
    g_assert_false(gst_message_has_name(message, "agora-reconnected"));
  }
}

// The oldest sound is dropped while the server stands still, and what comes out then is the newest.
void test_frozen () {
  MediaServer other;
  if (!have_server())
    return;
  Script script;
  script.url = other.url("frozen");
  set_script(&script);
  Run run(tone + sink("max-backlog=500"));
  run.play();
  Ear ear(script.url);
  ear.hear(300 * GST_MSECOND);
  const GstClockTime before = ear.last();
  other.freeze();
  const gint64 frozen = g_get_monotonic_time();
  run.await_element_message("agora-reconnecting");
  const gint64 noticed = g_get_monotonic_time() - frozen;
  g_test_message("noticed after %d ms", static_cast<int>(noticed / 1000));
  g_assert_cmpint(noticed, <, 4 * G_USEC_PER_SEC * time_scale());
  const gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  while (run.stat("dropped-ms") < 1000) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_autoptr(GstMessage) none = run.await(GST_MESSAGE_EOS, 50 * GST_MSECOND);
    g_assert_null(none);
  }
  g_assert_cmpuint(run.stat("queued-ms"), <=, 520);
  other.thaw();
  run.await_element_message("agora-reconnected");
  while (ear.last() < before + 6 * GST_SECOND)
    ear.hear(100 * GST_MSECOND);
  const guint64 dropped = run.stat("dropped-ms");
  ear.hear(GST_SECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, dropped);
  g_assert_cmpint(script.broke, ==, 0);
  other.freeze();
  run.stop();
  g_assert_true(script.left);
  other.thaw();
}

// Half a second of sound, over before the far server has even admitted it.
void test_short_prompt () {
  if (!have_server())
    return;
  FarPeer far(server_port(), 150);
  Script script;
  script.url = far.url("prompt");
  set_script(&script);
  Ear ear(server_url("prompt"));
  // Half a second; a sanitised ear needs longer to be there.
  const int buffers = time_scale() > 1 ? 150 : 50;
  Run run("audiotestsrc num-buffers=" + std::to_string(buffers) +
          " samplesperbuffer=480 ! audio/x-raw,rate=48000 ! identity sync=true" +
          sink("max-backlog=10000"));
  const gint64 begin = g_get_monotonic_time();
  run.play();
  run.await_eos();
  g_test_message("ended after %d ms",
                 static_cast<int>((g_get_monotonic_time() - begin) / G_TIME_SPAN_MILLISECOND));
  g_assert_true(script.unpublished);
  ear.hear(400 * GST_MSECOND);
}

// A seek after the end: the same sound once more, as another publication.
void test_again_after_end () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("again-1");
  script.next_url = server_url("again-2");
  set_script(&script);
  Ear first(script.url);
  Ear second(script.next_url);
  const std::string path = make_file(
      "agora-sink-again.wav", "audiotestsrc num-buffers=47 ! audio/x-raw,rate=48000 ! wavenc");
  Run run("filesrc location=" + path + " ! wavparse" + sink());
  run.play();
  run.await_eos();
  first.hear(700 * GST_MSECOND);
  g_assert_true(script.unpublished);
  const ObjectPtr<GstElement> element = run.get("sink");
  g_assert_true(gst_element_seek_simple(element.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
  second.hear(700 * GST_MSECOND);
  g_assert_cmpint(script.republished, ==, 1);
  run.await_eos();
  // And stopped in the middle of it.
  g_assert_true(gst_element_seek_simple(element.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
  run.stop();
  g_unlink(path.c_str());
}

void test_make_before_break () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("old");
  set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear old(script.url);
  old.hear(500 * GST_MSECOND);
  Ear young(server_url("young"));
  give_url(server_url("young"));
  young.hear(GST_SECOND);
  old.hear_out();
  // One timeline: for a while the same sound is in both, so that who goes over misses nothing.
  const auto gap = GST_CLOCK_DIFF(old.last(), young.first()) / GST_MSECOND;
  g_test_message("the new one begins %d ms after the last of the old one", static_cast<int>(gap));
  g_assert_cmpint(gap, <, 30);
  g_assert_cmpint(script.broke, ==, 0);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  g_assert_cmpuint(run.stat("reconnects"), ==, 0);
  // A new one that doesn't come up changes nothing, and another one is asked for.
  MutePeer peer;
  script.next_url = server_url("third");
  Ear third(script.next_url);
  give_url(peer.url());
  young.hear(5 * GST_SECOND);
  third.hear(GST_SECOND);
  {
    std::lock_guard lock(script.mutex);
    g_assert_cmpint(script.broke, ==, 1);
  }
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  g_assert_cmpuint(run.stat("reconnects"), ==, 0);
}

void test_muted () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("muted");
  set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  const ObjectPtr<GstElement> element = run.get("sink");
  g_object_set(element.get(), "muted", TRUE, nullptr);
  ear.hear(500 * GST_MSECOND, false);
  g_assert_cmpint(script.muted, ==, 1);
  g_object_set(element.get(), "muted", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpint(script.muted, ==, 0);
}

void test_gap_silence () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("gap-silence");
  set_script(&script);
  Run run(std::string(tone) + " ! valve name=valve drop-mode=drop-all" + sink("gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  ear.hear(GST_SECOND, false);
  g_object_set(valve.get(), "drop", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpuint(run.stat("filled-ms"), >=, 900);
  g_assert_cmpuint(run.stat("dropped-ms"), <, 60);
}

void test_gap_end () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("gap-end");
  set_script(&script);
  Run run(std::string(tone) + " ! valve name=valve drop-mode=drop-all" +
          sink("on-gap=end gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(300 * GST_MSECOND);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  run.await_eos();
  g_assert_true(script.unpublished);
}

void test_gap_file () {
  if (!have_server())
    return;
  const std::string path = make_file(
      "agora-sink-gap.wav", "audiotestsrc num-buffers=40 ! audio/x-raw,rate=16000 ! wavenc");
  Script script;
  script.url = server_url("gap-file");
  set_script(&script);
  Run run(
      "audiotestsrc wave=silence is-live=true samplesperbuffer=480 ! valve name=valve "
      "drop-mode=drop-all" +
      sink("on-gap=file gap-timeout=300 gap-location=") + path);
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND, false);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  // More than the file is long.
  ear.hear(4 * GST_SECOND);
  g_object_set(valve.get(), "drop", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND, false);
  g_unlink(path.c_str());
}

void test_gap_no_file () {
  Script script;
  set_script(&script);
  Run run(tone + sink("on-gap=file gap-location=/nowhere/jingle.wav"));
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "/nowhere/jingle.wav"));
}

void test_pause () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("pause");
  set_script(&script);
  Run run("audiotestsrc samplesperbuffer=480" + sink("gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  run.set_state(GST_STATE_PAUSED);
  ear.hear(GST_SECOND, false);
  const GstClockTime paused = ear.last();
  run.play();
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpuint(ear.last(), <, paused + 2 * GST_SECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

}  // namespace

static const agora::Suite suite("fault", [] {
  g_test_add_func("/sink/mute-peer", test_mute_peer);
  g_test_add_func("/sink/stop-anytime", test_stop_anytime);
  g_test_add_func("/sink/reconnect", test_reconnect);
  g_test_add_func("/sink/server-dies", test_server_dies);
  g_test_add_func("/sink/silenced-before-it-is-told", test_silenced_before_it_is_told);
  g_test_add_func("/sink/frozen", test_frozen);
  g_test_add_func("/sink/short-prompt", test_short_prompt);
  g_test_add_func("/sink/again-after-end", test_again_after_end);
  g_test_add_func("/sink/make-before-break", test_make_before_break);
  g_test_add_func("/sink/muted", test_muted);
  g_test_add_func("/sink/gap/silence", test_gap_silence);
  g_test_add_func("/sink/gap/end", test_gap_end);
  g_test_add_func("/sink/gap/file", test_gap_file);
  g_test_add_func("/sink/gap/no-file", test_gap_no_file);
  g_test_add_func("/sink/pause", test_pause);
});

}  // namespace sink_fault_test
