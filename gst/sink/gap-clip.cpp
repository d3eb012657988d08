// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/app/gstappsink.h>

#include <algorithm>
#include <utility>

#include "gst/common/codecs.hpp"
#include "gst/sink/input-chain.hpp"
#include "gst/sink/packet.hpp"
#include "gst/sink/silence.hpp"

namespace agora {

namespace {

// A jingle, not an archive.
constexpr GstClockTime most_sound = 10 * 60 * GST_SECOND;
constexpr GstClockTime patience = 100 * GST_MSECOND;
constexpr int opus_rate = 48'000;

// What the pipeline has to say about why nothing comes.
bool take_error (GstElement *pipeline, GError **error) {
  ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR);
  if (!message)
    return false;
  gst_message_parse_error(message, error, nullptr);
  return true;
}

GstClockTime frame_duration (VoiceCodec codec, GstSample *sample) {
  if (codec != VoiceCodec::opus)
    return AacFormat::of(gst_sample_get_caps(sample)).frame_duration();
  const auto packet = read_packet(gst_sample_get_buffer(sample));
  return packet ? duration_of(*packet) : 0;
}

bool pull_all (GstElement *pipeline, VoiceCodec codec, const std::atomic<bool> &stop,
               GapClip::Encoded &encoded, GError **error) {
  ObjectPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline), "out"));
  GstAppSink *sink = GST_APP_SINK(out.get());
  GstClockTime sound = 0;
  while (!stop && sound < most_sound) {
    g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(sink, patience);
    if (sample) {
      const GstClockTime duration = frame_duration(codec, sample);
      // Without one it would be sent again and again at once.
      if (duration == 0)
        continue;
      sound += duration;
      encoded.frames.push_back({share(gst_sample_get_buffer(sample)), duration});
      if (!encoded.caps)
        encoded.caps = share(gst_sample_get_caps(sample));
      continue;
    }
    if (take_error(pipeline, error))
      return false;
    if (gst_app_sink_is_eos(sink))
      break;
  }
  return !stop && !encoded.frames.empty();
}

// nullptr: `error` says why.
const char *encoder_of (VoiceCodec codec, GError **error) {
  if (codec == VoiceCodec::opus)
    return "opusenc ! audio/x-opus";
  const AacEncoder *best = best_aac_encoder();
  if (best)
    return best->name;
  g_set_error_literal(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                      "no AAC encoder is installed");
  return nullptr;
}

bool encode (const std::string &path, VoiceCodec codec, int rate, const std::atomic<bool> &stop,
             GapClip::Encoded &encoded, GError **error) {
  const char *encoder = encoder_of(codec, error);
  if (!encoder)
    return false;
  const std::string launch =
      "filesrc name=file ! decodebin ! audioconvert ! audioresample ! audio/x-raw, rate=" +
      std::to_string(rate) + ", channels=[1,2] ! " + encoder +
      (codec == VoiceCodec::aac ? " ! audio/mpeg, stream-format=raw" : "") +
      " ! appsink name=out sync=false";
  ObjectPtr<GstElement> pipeline(gst_parse_launch(launch.c_str(), error));
  if (!pipeline || *error)
    return false;
  gst_object_ref_sink(pipeline.get());
  ObjectPtr<GstElement> file(gst_bin_get_by_name(GST_BIN(pipeline.get()), "file"));
  g_object_set(file.get(), "location", path.c_str(), nullptr);
  bool loaded =
      gst_element_set_state(pipeline.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  if (loaded)
    loaded = pull_all(pipeline.get(), codec, stop, encoded, error);
  else
    take_error(pipeline.get(), error);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return loaded;
}

}  // namespace

bool GapClip::load(const std::string &path, const VoiceCodecs &codecs, int aac_rate,
                   const std::atomic<bool> &stop, GError **error) {
  return std::all_of(codecs.begin(), codecs.end(), [&] (VoiceCodec codec) {
    return encode(path, codec, codec == VoiceCodec::opus ? opus_rate : aac_rate, stop,
                  of_codec_[static_cast<std::size_t>(codec)], error);
  });
}

}  // namespace agora
