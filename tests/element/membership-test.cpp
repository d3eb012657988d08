// SPDX-License-Identifier: LGPL-2.1-or-later
// How elements get into a channel: a first join that waits for its gateway, and the membership that
// elements of one pipeline share.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

std::string state_of (const Pipeline &pipeline, const char *name) {
  g_autoptr(GstElement) element = pipeline.get(name);
  g_autofree char *state = nullptr;
  g_object_get(element, "connection-state", &state, nullptr);
  return state ? state : "";
}

bool plays (const Pipeline &pipeline, const char *name) {
  g_autoptr(GstElement) element = pipeline.get(name);
  GstState now = GST_STATE_NULL;
  gst_element_get_state(element, &now, nullptr, 0);
  return now == GST_STATE_PLAYING;
}

// A machine that is up before its gateway is. Both elements, alone and in one pipeline.
void test_late_gateway () {
  GatewayProcess gateway;
  gateway.kill();  // its ports are free from now on
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host retry-first-join=true" +
                    in_room(gateway, "uid=7"));
  Pipeline listening(
      "agorasrc name=listener retry-first-join=true reconnect-timeout=-1 "
      "level-interval=50000000" +
      in_room(gateway) + "! fakesink sync=true");
  Pipeline both("audiotestsrc is-live=true ! agorasink name=host retry-first-join=true" +
                in_room(gateway, "uid=8") + "agorasrc name=listener" + in_room(gateway) +
                "! fakesink sync=true");
  Pipeline *all[] = {&speaking, &listening, &both};
  for (Pipeline *pipeline : all)
    pipeline->set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(speaking.told("agora-reconnecting") == 1);
  WAIT_UNTIL(listening.told("agora-reconnecting") == 1);
  // One of each element, whichever of the two came first.
  WAIT_UNTIL(both.told("agora-reconnecting") == 2);
  let_pass(3000);  // more tries
  for (Pipeline *pipeline : all) {
    const unsigned elements = pipeline == &both ? 2 : 1;
    pipeline->read();
    g_assert_cmpuint(pipeline->told("agora-reconnecting"), ==, elements);
    g_assert_cmpuint(pipeline->told("agora-reconnected"), ==, 0);
    g_assert_cmpuint(pipeline->warnings(), ==, 0);
    for (const char *name : {"host", "listener"}) {
      if (g_autoptr(GstElement) element = pipeline->find(name)) {
        g_assert_true(state_of(*pipeline, name) == "connecting");
        g_assert_true(plays(*pipeline, name));
      }
    }
  }

  gateway.start();
  WAIT_UNTIL(listening.heard(7));
  WAIT_UNTIL(listening.heard(8));
  WAIT_UNTIL(both.told("agora-reconnected") == 2);
  for (Pipeline *pipeline : all) {
    pipeline->read();
    const unsigned elements = pipeline == &both ? 2 : 1;
    g_assert_cmpuint(pipeline->told("agora-reconnecting"), ==, elements);
    g_assert_cmpuint(pipeline->told("agora-reconnected"), ==, elements);
  }
  g_assert_cmpuint(both.uid("listener"), ==, 8);
  g_assert_true(state_of(speaking, "host") == "joined");
}

// What is refused for good, the end of the time limit, and a stop while it waits.
void test_end_of_waiting (gconstpointer launch) {
  GatewayProcess gateway;
  gateway.kill();
  const auto start = [&] (const char *more) {
    g_autofree char *text =
        g_strdup_printf(static_cast<const char *>(launch), more, in_room(gateway, "uid=7").c_str());
    auto pipeline = std::make_unique<Pipeline>(text);
    pipeline->expect_errors();
    pipeline->set_state(GST_STATE_PLAYING);
    return pipeline;
  };
  auto limited = start("retry-first-join=true reconnect-timeout=2");
  auto stopped = start("retry-first-join=true");
  auto never = start("retry-first-join=true reconnect-timeout=0");
  auto refused = start("retry-first-join=true reconnect-timeout=-1");
  WAIT_UNTIL(never->errors() == 1);
  g_assert_cmpuint(never->told("agora-reconnecting"), ==, 0);
  WAIT_UNTIL(stopped->told("agora-reconnecting") == 1);
  stopped->set_state(GST_STATE_NULL);
  g_assert_cmpuint(stopped->errors(), ==, 0);
  WAIT_UNTIL(limited->errors() == 1);
  g_assert_nonnull(strstr(limited->complaint().c_str(), "gave up after 2 s"));
  g_assert_nonnull(strstr(limited->complaint().c_str(), "reconnect-timeout"));
  WAIT_UNTIL(refused->told("agora-reconnecting") == 1);
  g_assert_cmpuint(refused->errors(), ==, 0);
  gateway.start("another");
  WAIT_UNTIL(refused->errors() == 1);
  g_assert_nonnull(strstr(refused->complaint().c_str(), "unknown app id"));
}

// What is muted while the gateway is away, the others hear of when it is back.
void test_muted_meanwhile () {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7"));
  Pipeline listening("agorasrc name=listener level-interval=50000000" + in_room(gateway) +
                     "! fakesink sync=true");
  listening.set_state(GST_STATE_PLAYING);
  speaking.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(listening.heard(7));
  g_autoptr(GstElement) host = speaking.get("host");
  unsigned told = 0;
  for (const bool mute : {true, false}) {
    gateway.kill();
    WAIT_UNTIL(speaking.told("agora-reconnecting") > told);
    told++;
    g_object_set(host, "muted", mute, nullptr);
    gateway.start();
    WAIT_UNTIL(speaking.told("agora-reconnected") == told);
    // Whichever of the two was back first.
    WAIT_UNTIL(listening.has_stream(7) && listening.is_muted(7) == mute);
  }
  listening.heard(7);
  WAIT_UNTIL(listening.heard(7));
}

constexpr const char *kContextType = "agora.hub";

// A pipeline of a listener, or of two, in a channel of a gateway that nobody needs to run. What its
// elements ask for is told to `asked`, in the thread that starts them.
class Asking {
 public:
  Asking(const char *launch, std::function<void()> asked) : asked_(std::move(asked)) {
    g_autoptr(GError) error = nullptr;
    pipeline_ = gst_parse_launch(launch, &error);
    g_assert_no_error(error);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
    gst_bus_set_sync_handler(bus, on_message, this, nullptr);
  }
  ~Asking() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
    gst_bus_set_sync_handler(bus, nullptr, nullptr, nullptr);
    gst_object_unref(pipeline_);
  }
  Asking(const Asking &) = delete;
  Asking &operator=(const Asking &) = delete;

  GstElement *get (const char *name) { return gst_bin_get_by_name(GST_BIN(pipeline_), name); }
  void start () { gst_element_set_state(pipeline_, GST_STATE_PAUSED); }

 private:
  static GstBusSyncReply on_message (GstBus *, GstMessage *message, gpointer data) {
    const char *type = nullptr;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_NEED_CONTEXT &&
        gst_message_parse_context_type(message, &type) && g_str_equal(type, kContextType))
      static_cast<Asking *>(data)->asked_();
    gst_message_unref(message);
    return GST_BUS_DROP;
  }

  GstElement *pipeline_ = nullptr;
  std::function<void()> asked_;
};

constexpr const char *kOne =
    "agorasrc name=one app-id=demo channel=room gateway=ws://127.0.0.1:1/api ! fakesink";
constexpr const char *kTwo =
    "agorasrc name=one app-id=demo channel=room gateway=ws://127.0.0.1:1/api ! fakesink "
    "agorasrc name=two app-id=demo channel=room gateway=ws://127.0.0.1:1/api ! fakesink";

// Ends the test when it hangs, wherever that is.
class Watchdog {
 public:
  Watchdog()
      : thread_([this] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, std::chrono::seconds(10) * time_scale(),
                                 [this] { return over_; }))
            g_error("an element that starts waits for another one that starts");
        }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog &) = delete;
  Watchdog &operator=(const Watchdog &) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

// The application's handler, which an element that starts calls, starts another one: itself, or in
// a thread that it waits for.
void test_start_within_a_start (gconstpointer in_a_thread) {
  Watchdog watchdog;
  bool started = false;
  Asking inner(kOne, [] {});
  Asking outer(kOne, [&] {
    if (in_a_thread)
      std::thread([&] { inner.start(); }).join();
    else
      inner.start();
    started = true;
  });
  outer.start();
  g_assert_true(started);
}

// The hub that an element has, to be compared.
std::shared_ptr<void> hub_of (GstElement *element) {
  g_autoptr(GstContext) context = gst_element_get_context(element, kContextType);
  g_assert_nonnull(context);
  const GValue *value = gst_structure_get_value(gst_context_get_structure(context), "hub");
  return *static_cast<std::shared_ptr<void> *>(g_value_get_boxed(value));
}

// Two elements of a pipeline, neither of which finds a hub before the other has asked for one.
void test_start_at_once () {
  Watchdog watchdog;
  for (int i = 0; i < 50; i++) {
    std::mutex mutex;
    std::condition_variable changed;
    int asked = 0;
    Asking pipeline(kTwo, [&] {
      std::unique_lock lock(mutex);
      asked++;
      changed.notify_all();
      changed.wait(lock, [&] { return asked == 2; });
    });
    g_autoptr(GstElement) one = pipeline.get("one");
    g_autoptr(GstElement) two = pipeline.get("two");
    std::thread other([&two = two] { gst_element_set_state(two, GST_STATE_PAUSED); });
    gst_element_set_state(one, GST_STATE_PAUSED);
    other.join();
    g_assert_true(hub_of(one) == hub_of(two));
  }
  // Nobody else has it.
  Asking pipeline(kOne, [] {}), another(kOne, [] {});
  pipeline.start();
  another.start();
  g_autoptr(GstElement) one = pipeline.get("one");
  g_autoptr(GstElement) two = another.get("one");
  g_assert_true(hub_of(one) != hub_of(two));
}

std::string text_of (GstElement *element, const char *property) {
  g_autofree char *text = nullptr;
  g_object_get(element, property, &text, nullptr);
  return text ? text : "";
}

// Two streams in a row, the second right behind the end of the first: it is in the channel, too.
void test_stream_behind_another () {
  GatewayProcess gateway;
  Pipeline listening("agorasrc name=listener level-interval=50000000" + in_room(gateway) +
                     "! fakesink sync=true");
  Pipeline speaking("agorasink name=host" + in_room(gateway, "uid=7"));
  listening.set_state(GST_STATE_PLAYING);
  speaking.set_state(GST_STATE_PLAYING);
  g_autoptr(GstElement) host = speaking.get("host");
  WAIT_UNTIL(!text_of(host, "push-url").empty());
  const std::string first = text_of(host, "push-url");

  g_autoptr(GstPad) sink = gst_element_get_static_pad(host, "sink");
  std::atomic<bool> over = false;
  std::atomic<unsigned> ends = 0;
  // By its own pad: no element says EOS and goes on.
  std::thread upstream([&] {
    GstPad *pad = GST_PAD(gst_object_ref_sink(gst_pad_new("src", GST_PAD_SRC)));
    gst_pad_set_active(pad, TRUE);
    gst_pad_link(pad, sink);
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1");
    guint64 samples = 0;
    for (const char *stream : {"one", "two"}) {
      gst_pad_push_event(pad, gst_event_new_stream_start(stream));
      gst_pad_push_event(pad, gst_event_new_caps(caps));
      GstSegment segment;
      gst_segment_init(&segment, GST_FORMAT_TIME);
      gst_pad_push_event(pad, gst_event_new_segment(&segment));
      const guint64 stop = samples + 2 * 48000;
      while (!over && (ends == 1 || samples < stop)) {
        GstBuffer *buffer = gst_buffer_new_allocate(nullptr, 960 * sizeof(gint16), nullptr);
        GstMapInfo map;
        gst_buffer_map(buffer, &map, GST_MAP_WRITE);
        auto *out = reinterpret_cast<gint16 *>(map.data);
        for (unsigned i = 0; i < 960; i++)
          out[i] = static_cast<gint16>((samples + i) / 50 % 2 ? 9000 : -9000);
        gst_buffer_unmap(buffer, &map);
        GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_int(samples, GST_SECOND, 48000);
        GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
        samples += 960;
        gst_pad_push(pad, buffer);
      }
      if (ends == 0)
        gst_pad_push_event(pad, gst_event_new_eos());
      ends++;
    }
    gst_pad_set_active(pad, FALSE);
    gst_pad_unlink(pad, sink);
    gst_object_unref(pad);
  });
  WAIT_UNTIL(listening.heard(7));
  WAIT_UNTIL(ends == 1);
  // Elsewhere: what went to the first URL has ended.
  WAIT_UNTIL(!text_of(host, "push-url").empty() && text_of(host, "push-url") != first);
  listening.heard(7);
  let_pass(500);  // what was on its way of the first is over
  listening.heard(7);
  WAIT_UNTIL(listening.heard(7));
  over = true;
  upstream.join();
}

// The gateway dies, and with it a speaker. It comes back without that one: whoever knows of the
// speaker and doesn't play it is told so right away, not only once there might be nothing to play
// any more.
void test_speaker_gone_meanwhile () {
  GatewayProcess gateway;
  auto speaking = std::make_unique<Pipeline>("audiotestsrc is-live=true ! agorasink name=host" +
                                             in_room(gateway, "uid=7"));
  speaking->set_state(GST_STATE_PLAYING);
  // A speaker itself, and a listener to somebody else.
  Pipeline host("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=9"));
  Pipeline listening("agorasrc name=listener speakers=9 level-interval=50000000" +
                     in_room(gateway) + "! fakesink sync=true");
  host.set_state(GST_STATE_PLAYING);
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(host.has_stream(7));
  WAIT_UNTIL(listening.has_stream(7));
  WAIT_UNTIL(listening.heard(9));
  gateway.kill();
  WAIT_UNTIL(host.told("agora-reconnecting") == 1);
  WAIT_UNTIL(listening.told("agora-reconnecting") == 1);
  speaking.reset();
  gateway.start();
  WAIT_UNTIL(host.told("agora-reconnected") == 1);
  wait_until([&] { return !host.has_stream(7); }, "the sink is told", 5);
  WAIT_UNTIL(listening.told("agora-reconnected") == 1);
  wait_until([&] { return !listening.has_stream(7); }, "the source is told", 5);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/membership/late-gateway", test_late_gateway);
  g_test_add_data_func("/membership/end-of-waiting/host",
                       "audiotestsrc is-live=true ! agorasink %s %s", test_end_of_waiting);
  g_test_add_data_func("/membership/end-of-waiting/listener", "agorasrc %s %s ! fakesink sync=true",
                       test_end_of_waiting);
  g_test_add_data_func("/membership/start-within-a-start/same-thread", nullptr,
                       test_start_within_a_start);
  g_test_add_data_func("/membership/start-within-a-start/other-thread", "thread",
                       test_start_within_a_start);
  g_test_add_func("/membership/start-at-once", test_start_at_once);
  g_test_add_func("/membership/muted-meanwhile", test_muted_meanwhile);
  g_test_add_func("/membership/stream-behind-another", test_stream_behind_another);
  g_test_add_func("/membership/speaker-gone-meanwhile", test_speaker_gone_meanwhile);
  return g_test_run();
}
