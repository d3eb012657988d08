// SPDX-License-Identifier: LGPL-2.1-or-later
// The muxer by itself: each tag is known by its timestamp, whatever the muxer leaves out or adds.
#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "gst/sink/flv-muxer.hpp"
#include "gst/sink/silence.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);

namespace {

using agora::BufferPtr;
using agora::CapsPtr;
using agora::FlvMuxer;
using agora::FlvTag;
using agora::ObjectPtr;

constexpr GstClockTime length = 20 * GST_MSECOND;

class Tags final : public FlvMuxer::Taker {
 public:
  GstFlowReturn take_tag (const FlvTag &tag) override {
    std::lock_guard lock(mutex_);
    ms_.push_back(tag.ms);
    return GST_FLOW_OK;
  }
  void tags_end () override {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::vector<std::uint64_t> await_all () {
    std::unique_lock lock(mutex_);
    g_assert_true(changed_.wait_for(lock, std::chrono::seconds(10), [this] { return ended_; }));
    return ms_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> ms_;
  bool ended_ = false;
};

// What comes out of the muxer is changed: nothing; the third tag is missing; it comes twice; one is
// there that nobody sent.
enum class Fault { none, missing, twice, foreign };

struct Meddler {
  Fault fault;
  int frames = 0;
};

GstPadProbeReturn meddle (GstPad *pad, GstPadProbeInfo *info, gpointer data) {
  auto *meddler = static_cast<Meddler *>(data);
  GstBuffer *tag = GST_PAD_PROBE_INFO_BUFFER(info);
  if (GST_BUFFER_FLAG_IS_SET(tag, GST_BUFFER_FLAG_HEADER) || !GST_BUFFER_PTS_IS_VALID(tag) ||
      ++meddler->frames != 3)
    return GST_PAD_PROBE_OK;
  const ObjectPtr<GstPad> peer(gst_pad_get_peer(pad));
  GstBuffer *copy = nullptr;
  switch (meddler->fault) {
    case Fault::missing:
      return GST_PAD_PROBE_DROP;
    case Fault::twice:
      gst_pad_chain(peer.get(), gst_buffer_ref(tag));
      break;
    case Fault::foreign:
      copy = gst_buffer_copy(tag);
      GST_BUFFER_PTS(copy) += GST_MSECOND;
      gst_pad_chain(peer.get(), copy);
      break;
    case Fault::none:
      break;
  }
  return GST_PAD_PROBE_OK;
}

void test_tags (gconstpointer data) {
  const ObjectPtr<GstElement> bin = agora::sink_ref(gst_bin_new(nullptr));
  Tags tags;
  FlvMuxer muxer(GST_BIN(bin.get()), tags);
  g_assert_true(muxer.start());
  Meddler meddler{static_cast<Fault>(GPOINTER_TO_INT(data))};
  const ObjectPtr<GstElement> element(
      GST_ELEMENT(gst_object_ref(GST_BIN_CHILDREN(bin.get())->data)));
  const ObjectPtr<GstPad> out(gst_element_get_static_pad(element.get(), "src"));
  gst_pad_add_probe(out.get(), GST_PAD_PROBE_TYPE_BUFFER, meddle, &meddler, nullptr);

  const CapsPtr caps = agora::default_aac_caps();
  constexpr std::uint64_t frames = 6;
  for (std::uint64_t i = 0; i < frames; i++) {
    const BufferPtr frame = agora::silent_frame(agora::AacFormat());
    GST_BUFFER_PTS(frame.get()) = GST_BUFFER_DTS(frame.get()) = GST_SECOND + i * length;
    GST_BUFFER_DURATION(frame.get()) = length;
    g_assert_cmpint(muxer.send(frame.get(), caps.get(),
                               std::chrono::steady_clock::now() + std::chrono::seconds(10)),
                    ==, GST_FLOW_OK);
  }
  muxer.send_end();
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < frames; i++)
    if (meddler.fault != Fault::missing || i != 2)
      expected.push_back(i * 20);
  const std::vector<std::uint64_t> seen = tags.await_all();
  for (const std::uint64_t ms : seen)
    g_test_message("a tag of %u ms", static_cast<unsigned>(ms));
  g_assert_true(seen == expected);
  // Nothing is thought to be under way any more.
  g_assert_true(muxer.idle());
  muxer.stop();
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  GST_DEBUG_CATEGORY_INIT(agora_sink_debug, "agorasink", 0, "agorasink");
  g_test_init(&argc, &argv, nullptr);
  const auto add = [] (const char *path, Fault fault) {
    g_test_add_data_func(path, GINT_TO_POINTER(static_cast<int>(fault)), test_tags);
  };
  add("/sink/muxer/all", Fault::none);
  add("/sink/muxer/one-missing", Fault::missing);
  add("/sink/muxer/one-twice", Fault::twice);
  add("/sink/muxer/one-of-nobody", Fault::foreign);
  return g_test_run();
}
