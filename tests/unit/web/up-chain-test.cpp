// SPDX-License-Identifier: LGPL-2.1-or-later
// Pads of webrtcbin's, each with a thread of its own: one takes the place of another that goes on
// sending.
#include "gst/web/up-chain.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gst/common/gst-ptr.hpp"

using namespace agora;
using namespace agora::web;

namespace {

// In the place of webrtcbin's: RTP, as fast as it goes.
class Source {
 public:
  Source(GstElement *element, unsigned number)
      : pad_(sink_ref(gst_pad_new(("src_" + std::to_string(number)).c_str(), GST_PAD_SRC))) {
    gst_pad_set_active(pad_.get(), TRUE);
    gst_element_add_pad(element, pad_.get());
    gst_pad_push_event(pad_.get(), gst_event_new_stream_start("peer"));
    const CapsPtr caps(gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, "audio",
                                           "encoding-name", G_TYPE_STRING, "OPUS", "clock-rate",
                                           G_TYPE_INT, 48000, "payload", G_TYPE_INT, 111, nullptr));
    gst_pad_push_event(pad_.get(), gst_event_new_caps(caps.get()));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad_.get(), gst_event_new_segment(&segment));
  }
  ~Source() { stop(); }
  Source(const Source &) = delete;
  Source &operator=(const Source &) = delete;

  GstPad *pad () { return pad_.get(); }
  void begin () {
    thread_ = std::thread([this] {
      for (; !over_; sent_++) {
        // A header of RTP, and less than a packet of Opus.
        BufferPtr packet(gst_buffer_new_memdup("\x80\x6f\0\0\0\0\0\0\0\0\0\1", 12));
        const GstFlowReturn flow = gst_pad_push(pad_.get(), packet.release());
        if (flow != GST_FLOW_OK)
          worst_ = flow;
      }
    });
  }
  void await_more () {
    for (const auto before = sent_.load(); sent_ < before + 20;)
      std::this_thread::yield();
  }
  void stop () {
    over_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  GstFlowReturn worst () const { return worst_; }

 private:
  ObjectPtr<GstPad> pad_;
  std::thread thread_;
  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<GstFlowReturn> worst_ = GST_FLOW_OK;
};

// An unlinked pad's next packet would end the whole session.
void test_begins_anew_while_the_old_one_sends () {
  for (int round = 0; round < 2; round++) {
    const auto bin = sink_ref(gst_bin_new(nullptr));
    const char *missing = nullptr;
    const auto chain = UpChain::make(GST_BIN(bin.get()), missing);
    g_assert_nonnull(chain.get());
    auto *webrtcbin = gst_bin_new(nullptr);
    auto *end = gst_element_factory_make("fakesink", nullptr);
    const auto pipeline = sink_ref(gst_pipeline_new(nullptr));
    g_object_set(end, "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add(GST_BIN(bin.get()), webrtcbin);
    gst_bin_add_many(GST_BIN(pipeline.get()), bin.get(), end, nullptr);
    g_assert_true(gst_element_link(bin.get(), end));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);

    std::vector<std::unique_ptr<Source>> sources;
    for (unsigned number = 0; number < 8; number++) {
      sources.push_back(std::make_unique<Source>(webrtcbin, number));
      g_assert_true(chain->take(sources.back()->pad()));
      sources.back()->begin();
      sources.back()->await_more();
      if (number == 0)
        continue;
      Source &old = *sources[number - 1];
      old.await_more();
      old.stop();
      g_assert_cmpint(old.worst(), ==, GST_FLOW_OK);
    }
    Source one_more(webrtcbin, 8);
    g_assert_false(chain->take(one_more.pad()));
    // The last one's, and nobody else's, goes on.
    const ObjectPtr<GstPad> peer(gst_pad_get_peer(sources.back()->pad()));
    g_assert_nonnull(peer.get());
    sources.back()->stop();
    g_assert_cmpint(sources.back()->worst(), ==, GST_FLOW_OK);
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

}  // namespace

int main (int count, char **words) {
  gst_init(nullptr, nullptr);
  g_test_init(&count, &words, nullptr);
  g_test_add_func("/web/up-chain/begins-anew", test_begins_anew_while_the_old_one_sends);
  const int status = g_test_run();
  gst_deinit();
  return status;
}
