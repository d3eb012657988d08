// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink whose stream goes on after its end: what is over is ended behind the streaming thread's
// back, and no EOS of the old stream is taken for the new one's.
#include <gio/gio.h>
#include <glib/gstdio.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_revive_test {

using namespace agora::test;
using agora::ObjectPtr;

// A name server that doesn't answer, and can't be cancelled: nothing ends a session's connecting.
#define TEST_TYPE_MUTE_RESOLVER (test_mute_resolver_get_type())
G_DECLARE_FINAL_TYPE(TestMuteResolver, test_mute_resolver, TEST, MUTE_RESOLVER, GResolver)
struct _TestMuteResolver {
  GResolver parent;
};
G_DEFINE_TYPE(TestMuteResolver, test_mute_resolver, G_TYPE_RESOLVER)

static void lookup_async (GResolver *resolver, const char *, GResolverNameLookupFlags,
                          GCancellable *, GAsyncReadyCallback callback, gpointer data) {
  GTask *task = g_task_new(resolver, nullptr, callback, data);
  GSource *timer = g_timeout_source_new(300);
  g_source_set_callback(
      timer,
      [] (gpointer waiting) -> gboolean {
        g_task_return_new_error(G_TASK(waiting), G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                                "no answer");
        return G_SOURCE_REMOVE;
      },
      // A session that ends takes its main context with it, and what was to come there.
      task, g_object_unref);
  g_source_attach(timer, g_main_context_get_thread_default());
  g_source_unref(timer);
}

static GList *lookup_finish (GResolver *, GAsyncResult *result, GError **error) {
  return static_cast<GList *>(g_task_propagate_pointer(G_TASK(result), error));
}

static void test_mute_resolver_class_init (TestMuteResolverClass *klass) {
  GResolverClass *resolver = G_RESOLVER_CLASS(klass);
  resolver->lookup_by_name_with_flags_async = lookup_async;
  resolver->lookup_by_name_with_flags_finish = lookup_finish;
  resolver->lookup_by_name_async = [] (GResolver *self, const char *name, GCancellable *cancellable,
                                       GAsyncReadyCallback callback, gpointer data) {
    lookup_async(self, name, G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT, cancellable, callback, data);
  };
  resolver->lookup_by_name_finish = lookup_finish;
}

static void test_mute_resolver_init (TestMuteResolver *) {
}

#if defined(__SANITIZE_ADDRESS__)
// A session that is ended before its connecting is waits 50 ms for GIO to be told, and this name
// server takes 300: what GIO holds for the connection then goes with its main context, and is lost.
extern "C" const char *__lsan_default_suppressions ();

const char *__lsan_default_suppressions () {
  return "leak:libgstrtmp2\n";
}
#endif

namespace {

// A tenth of a second of sound.
std::string short_file (const char *name) {
  return make_file(name,
                   "audiotestsrc num-buffers=10 samplesperbuffer=480 ! audio/x-raw,rate=48000 ! "
                   "wavenc");
}

bool back_to_0 (const Run &run) {
  return gst_element_seek_simple(run.get("sink").get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0);
}

// A flush ends the old publication, whose session is still connecting: that waits for its thread,
// the seek doesn't.
void test_never_waits () {
  g_autoptr(GResolver) before = g_resolver_get_default();
  g_autoptr(GResolver) mute = G_RESOLVER(g_object_new(TEST_TYPE_MUTE_RESOLVER, nullptr));
  g_resolver_set_default(mute);
  Script script;
  script.url = script.next_url = "rtmp://nobody.invalid/live/mute";
  set_script(&script);
  const std::string path = short_file("agora-sink-revive.wav");
  gint64 least = G_MAXINT64;
  {
    Run run("filesrc location=" + path + " ! wavparse" + sink());
    run.play();
    for (int i = 0; i < 4; i++) {
      run.await_eos();
      // Connecting anew, whatever became of the try before.
      give_url("rtmp://nobody.invalid/live/" + std::to_string(i));
      let_pass(20 * GST_MSECOND);
      const gint64 begin = g_get_monotonic_time();
      g_assert_true(back_to_0(run));
      least = std::min(least, g_get_monotonic_time() - begin);
    }
  }
  g_test_message("a seek took %d us", static_cast<int>(least));
  g_assert_cmpint(least, <, 40'000 * time_scale());
  g_resolver_set_default(before);
  g_unlink(path.c_str());
}

// The ends of a pipeline's streams: the first one's seqnum, and the messages as they are posted.
class Ends {
 public:
  explicit Ends(const Run &run) : bus_(gst_element_get_bus(run.pipeline())) {
    gst_bus_set_sync_handler(bus_.get(), posted, this, nullptr);
    const ObjectPtr<GstElement> sink = run.get("sink");
    const ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, came, this, nullptr);
  }
  ~Ends() { gst_bus_set_sync_handler(bus_.get(), nullptr, nullptr, nullptr); }

  guint32 first () const { return first_; }
  // How many messages say the first stream's end that were posted after `since`.
  int late (gint64 since) {
    std::lock_guard lock(mutex_);
    return static_cast<int>(std::count_if(all_.begin(), all_.end(), [&] (const auto &each) {
      return each.first == first_ && each.second > since;
    }));
  }

 private:
  static GstPadProbeReturn came (GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Ends *>(data);
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    if (GST_EVENT_TYPE(event) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
    self->first_ = gst_event_get_seqnum(event);
    return GST_PAD_PROBE_REMOVE;
  }
  static GstBusSyncReply posted (GstBus *, GstMessage *message, gpointer data) {
    auto *self = static_cast<Ends *>(data);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
      std::lock_guard lock(self->mutex_);
      self->all_.emplace_back(gst_message_get_seqnum(message), g_get_monotonic_time());
    }
    return GST_BUS_PASS;
  }

  ObjectPtr<GstBus> bus_;
  std::atomic<guint32> first_ = 0;
  std::mutex mutex_;
  std::vector<std::pair<guint32, gint64>> all_;
};

// Whatever EOS comes after a seek has returned is that of what follows it.
void test_end_of_a_revived_stream () {
  const std::string path = short_file("agora-sink-revived.wav");
  for (int i = 0; i < 12; i++) {
    Script script;
    const Run *playing = nullptr;
    std::thread seeking;
    std::atomic<gint64> done = 0;
    // The old stream is being ended right now, with its EOS to come.
    script.while_unpublishing = [&] {
      if (seeking.joinable())
        return;
      seeking = std::thread([&] {
        g_assert_true(back_to_0(*playing));
        done = g_get_monotonic_time();
      });
      const gint64 until = g_get_monotonic_time() + i % 4 * 200;
      while (!done && g_get_monotonic_time() < until)
        std::this_thread::yield();
    };
    set_script(&script);
    Run run("filesrc location=" + path + " ! wavparse" + sink());
    playing = &run;
    Ends ends(run);
    run.play();
    for (;;) {
      g_autoptr(GstMessage) end = run.await(GST_MESSAGE_EOS);
      g_assert_nonnull(end);
      if (gst_message_get_seqnum(end) != ends.first())
        break;
    }
    seeking.join();
    g_assert_cmpint(ends.late(done), ==, 0);
    run.stop();
  }
  g_unlink(path.c_str());
}

// One stream after another, faster than any of them can be ended.
void test_again_and_again () {
  MutePeer peer;
  Script script;
  script.url = script.next_url = peer.url();
  set_script(&script);
  const std::string path = short_file("agora-sink-again-and-again.wav");
  Run run("filesrc location=" + path + " ! wavparse" + sink("sync=false"));
  run.play();
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  for (int i = 0; i < 30; i++) {
    let_pass(static_cast<GstClockTime>(i % 5) * 4 * GST_MSECOND);
    g_assert_true(back_to_0(run));
  }
  run.await_eos();
  g_assert_true(back_to_0(run));
  run.stop();
  g_assert_true(script.left);
  g_unlink(path.c_str());
}

}  // namespace

static const agora::Suite suite("revive", [] {
  g_test_add_func("/sink/revive/never-waits", test_never_waits);
  g_test_add_func("/sink/revive/eos", test_end_of_a_revived_stream);
  g_test_add_func("/sink/revive/again-and-again", test_again_and_again);
});

}  // namespace sink_revive_test
