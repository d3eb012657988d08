// SPDX-License-Identifier: LGPL-2.1-or-later
// A speaker's pad by itself: several threads feed it, what comes out is in order, and none of its
// locks is held while it does.
#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/src/speaker-pads.hpp"

GST_DEBUG_CATEGORY(gst_agora_src_debug);

// What has such pads: agorasrc, as far as they see it.
#define TEST_TYPE_OWNER (test_owner_get_type())
G_DECLARE_FINAL_TYPE(TestOwner, test_owner, TEST, OWNER, GstBin)
struct _TestOwner {
  GstBin parent;
};
G_DEFINE_TYPE(TestOwner, test_owner, GST_TYPE_BIN)

static GstStaticPadTemplate speaker_template =
    GST_STATIC_PAD_TEMPLATE("speaker_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

static void test_owner_class_init (TestOwnerClass *klass) {
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &speaker_template);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Owner", "Source", "Owns pads",
                                        "The agora developers");
}

static void test_owner_init (TestOwner *) {
}

namespace {

using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;
using agora::SpeakerPad;

constexpr GstClockTime length = 20 * GST_MSECOND;

// The pad in a playing pipeline, with somebody who listens, and a look at what is fed to its queue.
class Rig {
 public:
  Rig() {
    pipeline_ = agora::sink_ref(gst_pipeline_new(nullptr));
    auto *owner = GST_BIN(g_object_new(TEST_TYPE_OWNER, nullptr));
    GstElement *sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add_many(GST_BIN(pipeline_.get()), GST_ELEMENT(owner), sink, nullptr);
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    pad_ = std::make_unique<SpeakerPad>(owner, 7);
    const ObjectPtr<GstPad> from(gst_element_get_static_pad(GST_ELEMENT(owner), "speaker_7"));
    const ObjectPtr<GstPad> to(gst_element_get_static_pad(sink, "sink"));
    g_assert_cmpint(gst_pad_link(from.get(), to.get()), ==, GST_PAD_LINK_OK);
    const ObjectPtr<GstPad> queue(
        gst_element_get_static_pad(GST_ELEMENT(GST_BIN_CHILDREN(owner)->data), "sink"));
    gst_pad_add_probe(queue.get(),
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      fed, this, nullptr);
  }
  ~Rig() {
    pad_->close();
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  SpeakerPad &pad () { return *pad_; }
  void push (GstClockTime time) {
    const BufferPtr buffer(gst_buffer_new_allocate(nullptr, 16, nullptr));
    GST_BUFFER_DURATION(buffer.get()) = length;
    pad_->push(buffer.get(), caps_.get(), time);
  }

  std::atomic<int> frames = 0;
  std::atomic<int> faults = 0;  // what came out of order
  std::atomic<bool> ended = false;

 private:
  // The pad is asked while it sends: under its lock that would never end.
  static GstPadProbeReturn fed (GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Rig *>(data);
    static_cast<void>(self->pad_->sent_until());
    if (self->inside_.fetch_add(1) != 0 || self->ended)
      self->faults++;
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
      GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
      self->frames++;
      if (GST_BUFFER_PTS(buffer) < self->last_)
        self->faults++;
      self->last_ = GST_BUFFER_PTS(buffer);
    } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP) {
      GstClockTime at = 0;
      gst_event_parse_gap(GST_PAD_PROBE_INFO_EVENT(info), &at, nullptr);
      if (at < self->last_)
        self->faults++;
      self->last_ = at;
    } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
      self->ended = true;
    }
    self->inside_--;
    return GST_PAD_PROBE_OK;
  }

  ObjectPtr<GstElement> pipeline_;
  std::unique_ptr<SpeakerPad> pad_;
  const CapsPtr caps_{gst_caps_new_empty_simple("audio/x-test")};
  std::atomic<int> inside_ = 0;
  GstClockTime last_ = 0;
};

void test_no_lock () {
  Rig rig;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::thread feeding([&] {
    rig.push(0);
    rig.pad().tick(GST_SECOND);
    std::lock_guard lock(mutex);
    over = true;
    changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    g_assert_true(changed.wait_for(lock, std::chrono::seconds(10), [&] { return over; }));
  }
  feeding.join();
  g_assert_cmpint(rig.frames, ==, 1);
}

void test_order () {
  Rig rig;
  constexpr int feeders = 3;
  std::vector<std::thread> feeding;
  feeding.reserve(feeders);
  std::atomic<GstClockTime> now = 0;
  constexpr int each = 1000;
  for (int i = 0; i < feeders; i++)
    feeding.emplace_back([&, i] {
      for (int n = 0; n < each; n++) {
        if (i < 2)
          rig.push(now.fetch_add(length));
        else
          rig.pad().tick(now);
      }
    });
  for (std::thread &thread : feeding)
    thread.join();
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  rig.pad().end([&] {
    std::lock_guard lock(mutex);
    over = true;
    changed.notify_all();
  });
  rig.push(now + GST_SECOND);
  std::unique_lock lock(mutex);
  g_assert_true(changed.wait_for(lock, std::chrono::seconds(10), [&] { return over; }));
  g_test_message("%d frames went out", rig.frames.load());
  g_assert_cmpint(rig.frames, >, each / 2);
  g_assert_cmpint(rig.faults, ==, 0);
  g_assert_true(rig.ended);
}

// Nobody took its EOS; and the application keeps the pad, which asks nothing of it any more.
void test_outlived () {
  const auto owner = agora::sink_ref(GST_BIN(g_object_new(TEST_TYPE_OWNER, nullptr)));
  gst_element_set_state(GST_ELEMENT(owner.get()), GST_STATE_PLAYING);
  SpeakerPad pad(owner.get(), 7);
  const ObjectPtr<GstPad> kept(gst_element_get_static_pad(GST_ELEMENT(owner.get()), "speaker_7"));
  const ObjectPtr<GstPad> nobody = agora::sink_ref(gst_pad_new("nobody", GST_PAD_SINK));
  g_assert_cmpint(gst_pad_link(kept.get(), nobody.get()), ==, GST_PAD_LINK_OK);
  const BufferPtr buffer(gst_buffer_new_allocate(nullptr, 16, nullptr));
  const CapsPtr caps(gst_caps_new_empty_simple("audio/x-test"));
  const int before = kept->num_probes;
  pad.push(buffer.get(), caps.get(), 0);
  pad.end([] {});
  g_assert_cmpint(kept->num_probes, >, before);
  pad.close();
  g_assert_cmpint(kept->num_probes, ==, before);
  gst_element_set_state(GST_ELEMENT(owner.get()), GST_STATE_NULL);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  GST_DEBUG_CATEGORY_INIT(gst_agora_src_debug, "agorasrc", 0, "agorasrc");
  g_test_add_func("/speaker-pad/no-lock", test_no_lock);
  g_test_add_func("/speaker-pad/order", test_order);
  g_test_add_func("/speaker-pad/outlived", test_outlived);
  return g_test_run();
}
