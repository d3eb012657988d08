// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/app/gstappsink.h>

#include "gst/sink/input-chain.hpp"
#include "gst/sink/silence.hpp"

namespace agora {

namespace {

// 48 kHz frames of AAC for ten minutes: a jingle, not an archive.
constexpr std::size_t most_frames = 10 * 60 * 48'000 / 1024;
constexpr GstClockTime patience = 100 * GST_MSECOND;

// What the pipeline has to say about why nothing comes.
bool take_error (GstElement *pipeline, GError **error) {
  ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR);
  if (!message)
    return false;
  gst_message_parse_error(message, error, nullptr);
  return true;
}

bool pull_all (GstElement *pipeline, const std::atomic<bool> &stop, GapClip &clip, GError **error) {
  ObjectPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline), "out"));
  GstAppSink *sink = GST_APP_SINK(out.get());
  while (!stop && clip.frames.size() < most_frames) {
    g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(sink, patience);
    if (sample) {
      clip.frames.push_back(share(gst_sample_get_buffer(sample)));
      if (!clip.caps)
        clip.caps = share(gst_sample_get_caps(sample));
      continue;
    }
    if (take_error(pipeline, error))
      return false;
    if (gst_app_sink_is_eos(sink))
      break;
  }
  return !stop && !clip.frames.empty();
}

}  // namespace

bool GapClip::load(const std::string &path, const std::atomic<bool> &stop, GapClip &clip,
                   GError **error) {
  const InputChain::Encoder *best = InputChain::best_encoder();
  const char *encoder = best ? best->name : nullptr;
  if (!encoder) {
    g_set_error_literal(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                        "no AAC encoder is installed");
    return false;
  }
  const std::string launch =
      std::string(
          "filesrc name=file ! decodebin ! audioconvert ! audioresample ! audio/x-raw, "
          "rate=48000, channels=[1,2] ! ") +
      encoder + " ! audio/mpeg, stream-format=raw ! appsink name=out sync=false";
  ObjectPtr<GstElement> pipeline(gst_parse_launch(launch.c_str(), error));
  if (!pipeline || *error)
    return false;
  gst_object_ref_sink(pipeline.get());
  ObjectPtr<GstElement> file(gst_bin_get_by_name(GST_BIN(pipeline.get()), "file"));
  g_object_set(file.get(), "location", path.c_str(), nullptr);
  bool loaded =
      gst_element_set_state(pipeline.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  if (loaded)
    loaded = pull_all(pipeline.get(), stop, clip, error);
  else
    take_error(pipeline.get(), error);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return loaded;
}

}  // namespace agora
