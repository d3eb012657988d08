// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream that goes on for weeks, and the RTMP sessions that carry it: what each frame's time is
// on its way, and that it is heard. Time is an argument: no day passes here.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gst/rtmp/flv-tag.hpp"
#include "gst/sink/flv-muxer.hpp"
#include "gst/sink/push-switch.hpp"
#include "gst/sink/silence.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_sessions_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::FlvMuxer;
using agora::FlvTag;
using agora::ObjectPtr;
using agora::PushSwitch;
using agora::RtmpConnection;

constexpr std::uint64_t half = std::uint64_t{1} << 31;
constexpr std::uint64_t whole = std::uint64_t{1} << 32;
constexpr std::uint64_t span = agora::kSessionSpan;

std::chrono::steady_clock::time_point never () {
  return std::chrono::steady_clock::now() + std::chrono::hours(1);
}

BufferPtr frame_at (GstClockTime time) {
  BufferPtr frame = agora::silent_frame(agora::AacFormat());
  GST_BUFFER_PTS(frame.get()) = GST_BUFFER_DTS(frame.get()) = time;
  GST_BUFFER_DURATION(frame.get()) = 1024 * GST_SECOND / 48'000;
  return frame;
}

// The muxer in a pipeline of its own, and what came out of it.
class Mux final : private FlvMuxer::Taker {
 public:
  Mux()
      : pipeline_(agora::sink_ref(GST_BIN(gst_pipeline_new(nullptr)))),
        muxer_(pipeline_.get(), *this) {
    gst_element_set_state(GST_ELEMENT(pipeline_.get()), GST_STATE_PLAYING);
    g_assert_true(muxer_.start());
  }
  ~Mux() override {
    muxer_.stop();
    gst_element_set_state(GST_ELEMENT(pipeline_.get()), GST_STATE_NULL);
  }

  // The tag of a frame at that time.
  FlvTag send (GstClockTime time, GstCaps *caps) {
    BufferPtr frame = frame_at(time);
    g_assert_cmpint(muxer_.send(frame.get(), caps, never()), ==, GST_FLOW_OK);
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [this] { return !tags_.empty(); });
    g_assert_true(came);
    FlvTag tag = std::move(tags_.back());
    tags_.pop_back();
    return tag;
  }
  void end () {
    muxer_.send_end();
    std::unique_lock lock(mutex_);
    g_assert_true(changed_.wait_for(lock, std::chrono::seconds(10), [this] { return ended_; }));
  }
  FlvMuxer &muxer () { return muxer_; }
  GstBin *bin () const { return pipeline_.get(); }

 private:
  GstFlowReturn take_tag (const FlvTag &tag) override {
    std::lock_guard lock(mutex_);
    caps_ = agora::share(tag.caps);
    tags_.push_back(
        {agora::share(tag.buffer.get()), caps_.get(), tag.ms, tag.duration, tag.expires});
    changed_.notify_all();
    return GST_FLOW_OK;
  }
  void tags_end () override {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  ObjectPtr<GstBin> pipeline_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<FlvTag> tags_;
  CapsPtr caps_;
  bool ended_ = false;
  FlvMuxer muxer_;
};

void test_stamps () {
  Mux mux;
  CapsPtr caps = agora::default_aac_caps();
  const FlvTag first = mux.send(5 * GST_SECOND, caps.get());
  g_assert_cmpuint(first.ms, ==, 0);
  g_assert_cmpuint(agora::flv_stamp(first.buffer.get()), ==, 0);
  for (const std::uint64_t ms :
       {std::uint64_t{21}, half - 1, half + 1, whole - 1, whole + 21, 10 * whole}) {
    const FlvTag tag = mux.send(5 * GST_SECOND + ms * GST_MSECOND + 333, caps.get());
    g_assert_cmpuint(tag.ms, ==, ms);
    g_assert_cmpuint(agora::flv_stamp(tag.buffer.get()), ==, ms % whole);
    g_assert_cmpuint(tag.duration, ==, 1024 * GST_SECOND / 48'000);
    g_assert_true(agora::is_flv_frame(tag.buffer.get()));
  }
  // Another format: other headers, and the count goes on.
  CapsPtr stereo(gst_caps_copy(caps.get()));
  const guint8 config[] = {0x11, 0x90};
  BufferPtr codec_data(gst_buffer_new_memdup(config, sizeof(config)));
  gst_caps_set_simple(stereo.get(), "channels", G_TYPE_INT, 2, "codec_data", GST_TYPE_BUFFER,
                      codec_data.get(), nullptr);
  const FlvTag other = mux.send(6 * GST_SECOND + 10 * whole * GST_MSECOND, stereo.get());
  g_assert_cmpuint(other.ms, ==, 10 * whole + 1000);
  const CapsPtr headers = agora::with_header_stamp(other.caps, 1234);
  const GValue *list =
      gst_structure_get_value(gst_caps_get_structure(headers.get(), 0), "streamheader");
  const guint count = gst_value_array_get_size(list);
  g_assert_cmpuint(count, >=, 3);
  for (guint i = 1; i < count; i++)
    g_assert_cmpuint(agora::flv_stamp(gst_value_get_buffer(gst_value_array_get_value(list, i))), ==,
                     1234);
  mux.end();
  g_assert_true(mux.muxer().idle());
}

// The same tag, whatever its time, but for the eight bits and the twenty-four.
void test_restamped () {
  Mux mux;
  CapsPtr caps = agora::default_aac_caps();
  const FlvTag tag = mux.send(0, caps.get());
  const BufferPtr later = agora::with_flv_stamp(tag.buffer.get(), 0x89abcdef);
  const gsize size = gst_buffer_get_size(tag.buffer.get());
  g_assert_cmpuint(gst_buffer_get_size(later.get()), ==, size);
  g_assert_cmpuint(agora::flv_stamp(later.get()), ==, 0x89abcdef);
  g_assert_cmpuint(agora::flv_stamp(tag.buffer.get()), ==, 0);
  std::vector<guint8> before(size), after(size);
  gst_buffer_extract(tag.buffer.get(), 0, before.data(), size);
  gst_buffer_extract(later.get(), 0, after.data(), size);
  for (gsize i = 0; i < size; i++) {
    if (i < 4 || i > 7)
      g_assert_cmpuint(before[i], ==, after[i]);
  }
  // Too short to be one: as it was.
  BufferPtr cut(gst_buffer_new_memdup(before.data(), 7));
  g_assert_true(agora::with_flv_stamp(cut.get(), 1).get() == cut.get());
}

void test_bases () {
  for (const std::uint64_t ms :
       {std::uint64_t{0}, span - 1, span, half, whole - 1, whole, 100 * whole + 7}) {
    g_assert_cmpuint(ms - agora::session_base(ms), <, half);
    g_assert_cmpuint(agora::session_base(ms) % span, ==, 0);
  }
}

class NoOwner final : public PushSwitch::Owner {
 public:
  // Nothing is left to other threads here.
  std::shared_ptr<void> hold () override { return nullptr; }
  void connection_broke (const GError &cause) override { g_error("broke: %s", cause.message); }
  void connection_refused () override {}
  void connection_taken () override {}
  void connection_works () override {}
};

// A session that begins while the stream has been on for so long, and is heard.
void test_heard () {
  if (!have_server())
    return;
  CapsPtr caps = agora::default_aac_caps();
  int number = 0;
  for (const std::uint64_t begin :
       {std::uint64_t{0}, half - 600, half + 5000, whole - 600, whole + 5000, 9 * whole + half}) {
    const std::string stream = "weeks-" + std::to_string(number++);
    Mux mux;
    NoOwner owner;
    PushSwitch connections(mux.bin(), owner);
    g_assert_true(connections.start());
    Ear ear(server_url(stream.c_str()));
    connections.connect(server_url(stream.c_str()));
    mux.send(0, caps.get());
    std::mutex mutex;  // guards `over`
    std::condition_variable ended;
    bool over = false;
    std::thread speaker([&] {
      // Twice as fast as it is played.
      constexpr std::chrono::microseconds pace(1024 * G_USEC_PER_SEC / 48'000 / 2);
      for (unsigned i = 0;; i++) {
        const FlvTag tag =
            mux.send(begin * GST_MSECOND + i * 1024 * GST_SECOND / 48'000, caps.get());
        g_assert_true(connections.push(tag) == PushSwitch::Outcome::sent);
        std::unique_lock lock(mutex);
        if (ended.wait_for(lock, pace, [&] { return over; }))
          return;
      }
    });
    ear.hear(1500 * GST_MSECOND, false);
    {
      std::lock_guard lock(mutex);
      over = true;
    }
    ended.notify_one();
    speaker.join();
    g_test_message("after %.1f days: heard from %.3f to %.3f s",
                   static_cast<double>(begin) / 86'400e3,
                   static_cast<double>(ear.first()) / GST_SECOND,
                   static_cast<double>(ear.last()) / GST_SECOND);
    g_assert_cmpuint(ear.last() - ear.first(), >=, GST_SECOND);
    g_assert_cmpuint(ear.last() - ear.first(), <, 3 * GST_SECOND);
    connections.stop();
  }
}

// Nobody waits for what came too late, nor for a session that never comes.
void test_outcomes () {
  Mux mux;
  NoOwner owner;
  PushSwitch connections(mux.bin(), owner);
  g_assert_true(connections.start());
  CapsPtr caps = agora::default_aac_caps();
  FlvTag tag = mux.send(0, caps.get());
  MutePeer peer;
  connections.connect(peer.url());
  tag.expires = {};
  g_assert_true(connections.push(tag) == PushSwitch::Outcome::expired);
  connections.stop();
  g_assert_true(connections.push(tag) == PushSwitch::Outcome::stopped);
}

// A session that is stopped before it opens, and while it does, is stopped.
void test_closed_while_opening () {
  MutePeer peer;
  for (const bool before : {true, false}) {
    ObjectPtr<GstElement> session = agora::sink_ref(gst_element_factory_make("rtmp2sink", nullptr));
    g_object_set(session.get(), "location", peer.url().c_str(), "async", FALSE, nullptr);
    RtmpConnection connection(session.get(), session.get(), [] (const GError &) {});
    if (before)
      connection.close(agora::told_by());
    else
      // The mark of its connection: the last thing before it starts.
      g_signal_connect_swapped(
          session.get(), "notify::timeout",
          G_CALLBACK(+[] (RtmpConnection *opening) { opening->close(agora::told_by()); }),
          &connection);
    g_assert_true(connection.open());
    g_assert_true(connection.ending());
    g_assert_cmpint(GST_STATE(session.get()), ==, GST_STATE_NULL);
    g_signal_handlers_disconnect_by_data(session.get(), &connection);
  }
}

}  // namespace

static const agora::Suite suite("sessions", [] {
  g_test_add_func("/sink/sessions/stamps", test_stamps);
  g_test_add_func("/sink/sessions/restamped", test_restamped);
  g_test_add_func("/sink/sessions/bases", test_bases);
  g_test_add_func("/sink/sessions/heard", test_heard);
  g_test_add_func("/sink/sessions/outcomes", test_outcomes);
  g_test_add_func("/sink/sessions/closed-while-opening", test_closed_while_opening);
});

}  // namespace sink_sessions_test
