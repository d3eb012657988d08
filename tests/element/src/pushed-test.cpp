// SPDX-License-Identifier: LGPL-2.1-or-later
// What is pushed without agorasink, as any encoder may: stamps that pass 2^31 and wrap at 2^32, as
// of those who have been on the air for weeks, and sound that nothing can decode. Real sessions,
// whose FLV tags are changed on their way.
#include <signaling/agora-signaling.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/element/src/ear.hpp"

namespace {

using namespace agora::test;

constexpr guint uid = 21;
constexpr double hertz = 440, sent = 0.1;

// The push URL of a member that publishes without the elements.
class Host {
 public:
  explicit Host(const GatewayProcess &gateway) : client_(agora_client_new(gateway.ws().c_str())) {
    agora_client_init_async(client_, "demo", nullptr, nullptr, nullptr);
    agora_client_set_role_async(client_, AGORA_ROLE_BROADCASTER, nullptr, nullptr, nullptr);
    agora_client_join_async(client_, nullptr, "room", uid, nullptr, nullptr, nullptr);
    WAIT_UNTIL(agora_client_get_state(client_) == AGORA_STATE_JOINED);
    agora_client_publish_async(
        client_, nullptr,
        [] (GObject *source, GAsyncResult *result, gpointer self) {
          g_autoptr(GError) error = nullptr;
          g_autofree char *url = agora_client_publish_finish(AGORA_CLIENT(source), result, &error);
          g_assert_no_error(error);
          static_cast<Host *>(self)->url_ = url;
        },
        this);
    WAIT_UNTIL(!url_.empty());
  }
  ~Host() {
    agora_client_leave_async(client_, nullptr, nullptr, nullptr);
    WAIT_UNTIL(agora_client_get_state(client_) == AGORA_STATE_IDLE);
    g_object_unref(client_);
  }
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;
  const std::string &url () const { return url_; }

 private:
  AgoraClient *client_;
  std::string url_;
};

// Adds `base` to the stamp of each FLV tag of sound. rtmp2sink takes a first stamp beyond 2^31 for
// one below zero, and makes it 0: the first frame leads it half of the way.
struct Stamper {
  std::uint32_t base;
  std::atomic<unsigned> tags = 0;

  static GstPadProbeReturn stamp (GstPad *, GstPadProbeInfo *info, gpointer data) {
    constexpr gsize at = 4, head = 11;
    auto *self = static_cast<Stamper *>(data);
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    std::uint8_t tag[head + 2];
    if (gst_buffer_extract(buffer, 0, tag, sizeof(tag)) != sizeof(tag) || tag[0] == 'F')
      return GST_PAD_PROBE_OK;
    // The AAC configuration is sent from the caps, with the stamp 0.
    if (tag[0] != 8 || tag[head + 1] == 0)
      return GST_PAD_PROBE_OK;
    std::uint32_t ms = GST_READ_UINT24_BE(tag + at) | static_cast<std::uint32_t>(tag[at + 3]) << 24;
    ms += self->base;
    if (self->tags++ == 0)
      ms = std::min<std::uint32_t>(ms, G_MAXINT32);
    std::uint8_t bytes[4] = {0, 0, 0, static_cast<std::uint8_t>(ms >> 24)};
    GST_WRITE_UINT24_BE(bytes, ms & 0xffffff);
    gst_buffer_fill(buffer, at, bytes, sizeof(bytes));
    return GST_PAD_PROBE_OK;
  }
};

void test_across (gconstpointer data) {
  Stamper stamper = {static_cast<std::uint32_t>(*static_cast<const std::uint64_t *>(data) - 4000),
                     {}};
  GatewayProcess gateway;
  Host host(gateway);
  Pipeline speaker(
      "audiotestsrc is-live=true samplesperbuffer=480 volume=0.1 freq=440 ! "
      "audio/x-raw,rate=48000,channels=1 ! audioconvert ! avenc_aac ! "
      "flvmux streamable=true ! rtmp2sink name=push location=\"" +
      host.url() + "\"");
  g_autoptr(GstElement) push = speaker.get("push");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(push, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, Stamper::stamp, &stamper, nullptr);
  Pipeline pipeline("agorasrc name=listener " + in_room(gateway) + " !" + Ear::kHeard +
                    "! fakesink name=end sync=true");
  Ear ear(pipeline, "end");
  speaker.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(stamper.tags > 20);
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(ear.tone(hertz, 0) > sent / 2);
  // At the beginning playing may still jump to its place.
  let_pass(1000);
  const double from = ear.until();
  // Beyond the moment at which the counter passes, and on.
  WAIT_UNTIL(ear.until() > from + 5);
  for (double at = from; at + 0.1 < ear.until(); at += 0.05)
    g_assert_cmpfloat(ear.tone(hertz, 0, 100, at), >, sent / 2);
  g_assert_cmpuint(pipeline.told("agora-reconnecting"), ==, 0);
  g_assert_cmpuint(pipeline.warnings(), ==, 0);
}

// rtmp2sink sends the configuration from the caps, or where it comes.
GstPadProbeReturn without_configuration (GstPad *, GstPadProbeInfo *info, gpointer) {
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER)
    return GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_HEADER)
               ? GST_PAD_PROBE_DROP
               : GST_PAD_PROBE_OK;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  GstCaps *caps = nullptr;
  gst_event_parse_caps(event, &caps);
  g_autoptr(GstCaps) bare = gst_caps_copy(caps);
  gst_structure_remove_field(gst_caps_get_structure(bare, 0), "streamheader");
  GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_caps(bare);
  gst_event_unref(event);
  return GST_PAD_PROBE_OK;
}

// AAC whose configuration never comes: one WARNING says so, once.
void test_no_configuration () {
  GatewayProcess gateway;
  Host host(gateway);
  Pipeline speaker(
      "audiotestsrc is-live=true ! audioconvert ! avenc_aac ! flvmux streamable=true ! "
      "rtmp2sink name=push location=\"" +
      host.url() + "\"");
  g_autoptr(GstElement) push = speaker.get("push");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(push, "sink");
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      without_configuration, nullptr, nullptr);
  Pipeline pipeline("agorasrc name=listener " + in_room(gateway) + " ! fakesink sync=true");
  pipeline.set_state(GST_STATE_PLAYING);
  speaker.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.warnings() > 0);
  g_assert_nonnull(strstr(pipeline.complaint().c_str(), "without the configuration"));
  let_pass(6000);
  g_assert_cmpuint(pipeline.warnings(), ==, 1);
}

// Opus packets of an appsink as tags of an appsrc, as an encoder of Enhanced RTMP makes them.
class OpusPush {
 public:
  struct Way {
    const char *name;
    unsigned head_each;   // packets from head to head; 0: none
    unsigned leave_each;  // of so many packets two are lost; 0: none
    bool odd;             // with tags that say nothing of the sound, and heads of several tracks
  };

  OpusPush(Pipeline &pipeline, const Way &way) : way_(way), tags_(pipeline.get("tags")) {
    g_autoptr(GstElement) packets = pipeline.get("packets");
    g_object_set(packets, "emit-signals", TRUE, nullptr);
    g_signal_connect(packets, "new-sample", G_CALLBACK(on_packet), this);
  }
  ~OpusPush() { gst_object_unref(tags_); }
  OpusPush(const OpusPush &) = delete;
  OpusPush &operator=(const OpusPush &) = delete;

  static std::string launch (const std::string &url) {
    return "audiotestsrc is-live=true samplesperbuffer=480 volume=0.1 freq=440 ! "
           "audio/x-raw,rate=48000,channels=1 ! opusenc name=encoder ! "
           "appsink name=packets sync=false async=false "
           "appsrc name=tags is-live=true format=time caps=video/x-flv ! "
           "rtmp2sink async=false location=\"" +
           url + "\"";
  }

 private:
  void push (const std::string &body, GstClockTime pts) {
    constexpr gsize head = 11, trailer = 4;
    const gsize all = head + body.size();
    GstBuffer *tag = gst_buffer_new_allocate(nullptr, all + trailer, nullptr);
    GstMapInfo map;
    gst_buffer_map(tag, &map, GST_MAP_WRITE);
    std::fill_n(map.data, map.size, 0);
    map.data[0] = 8;
    GST_WRITE_UINT24_BE(map.data + 1, body.size());
    const auto ms = static_cast<guint32>(pts / GST_MSECOND);
    GST_WRITE_UINT24_BE(map.data + 4, ms & 0xffffff);
    map.data[7] = static_cast<guint8>(ms >> 24);
    std::copy(body.begin(), body.end(), map.data + head);
    GST_WRITE_UINT32_BE(map.data + all, all);
    gst_buffer_unmap(tag, &map);
    GST_BUFFER_PTS(tag) = pts;
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(tags_, "push-buffer", tag, &flow);
    gst_buffer_unref(tag);
  }

  void packet (GstBuffer *buffer) {
    static const std::string head("\x90OpusOpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0", 24);
    const unsigned n = count_++;
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (way_.head_each && n % way_.head_each == 0)
      push(head, pts);
    if (way_.odd && n % 5 == 0)
      push(std::string("\x94Opus\x01\x01\0\0\0\x04", 11), pts);
    if (way_.odd && n % 7 == 0)
      push("\x91Opus", pts);
    if (way_.leave_each && n % way_.leave_each < 2 && n > way_.leave_each)
      return;
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    const std::string sound(map.data, map.data + map.size);
    gst_buffer_unmap(buffer, &map);
    push((way_.odd && n % 2 ? std::string("\x95\x01Opus\0", 7) : "\x91Opus") + sound, pts);
  }

  static GstFlowReturn on_packet (GstElement *sink, OpusPush *self) {
    GstSample *sample = nullptr;
    g_signal_emit_by_name(sink, "pull-sample", &sample);
    if (sample)
      self->packet(gst_sample_get_buffer(sample));
    g_clear_pointer(&sample, gst_sample_unref);
    return GST_FLOW_OK;
  }

  const Way way_;
  GstElement *tags_;
  unsigned count_ = 0;
};

// Without a gap, whoever comes late, with the header or without; where packets are lost, the
// decoder makes up for them.
void test_opus (gconstpointer data) {
  const auto &way = *static_cast<const OpusPush::Way *>(data);
  GatewayProcess gateway;
  Host host(gateway);
  Pipeline speaker(OpusPush::launch(host.url()));
  OpusPush push(speaker, way);
  speaker.set_state(GST_STATE_PLAYING);
  Pipeline pipeline("agorasrc name=listener expose-speakers=true " + in_room(gateway) + " !" +
                    Ear::kHeard + "! fakesink name=end sync=true");
  Ear ear(pipeline, "end");
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(ear.tone(hertz, 0) > sent / 2);
  let_pass(1000);
  const double from = ear.until();
  WAIT_UNTIL(ear.until() > from + 3);
  for (double at = from; at + 0.03 < ear.until(); at += 0.01)
    g_assert_cmpfloat(ear.tone(hertz, 0, 25, at), >, sent / 4);
  g_assert_cmpuint(pipeline.warnings(), ==, 0);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  static const std::uint64_t beyond_signed = std::uint64_t{1} << 31, wrap = std::uint64_t{1} << 32;
  g_test_add_data_func("/pushed/across-2^31", &beyond_signed, test_across);
  g_test_add_data_func("/pushed/across-2^32", &wrap, test_across);
  g_test_add_func("/pushed/no-configuration", test_no_configuration);
  static const OpusPush::Way ways[] = {{"opus-head-each-second", 50, 0, false},
                                       {"opus-without-a-head", 0, 0, false},
                                       {"opus-odd-tags", 10, 0, true},
                                       {"opus-with-losses", 50, 40, false}};
  for (const OpusPush::Way &way : ways)
    g_test_add_data_func((std::string("/pushed/") + way.name).c_str(), &way, test_opus);
  return g_test_run();
}
