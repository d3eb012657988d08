// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/to-floats.hpp"

#include <algorithm>

namespace agora {
namespace {

// Sound of many channels that doesn't say where they are can't be mixed down: it gets the usual
// layout of so many. AAC with a program configuration element comes like that.
GstAudioInfo with_positions (const GstAudioInfo &info) {
  GstAudioInfo with = info;
  const int channels = GST_AUDIO_INFO_CHANNELS(&with);
  if (channels > 2 && GST_AUDIO_INFO_IS_UNPOSITIONED(&with) &&
      gst_audio_channel_positions_from_mask(channels, gst_audio_channel_get_fallback_mask(channels),
                                            with.position))
    with.flags = static_cast<GstAudioFlags>(with.flags & ~GST_AUDIO_FLAG_UNPOSITIONED);
  return with;
}

}  // namespace

bool ToFloats::set_caps(const GstCaps *caps) {
  converter_.reset();
  valid_ = false;
  if (!gst_audio_info_from_caps(&in_, caps))
    return false;
  const int channels = std::min(GST_AUDIO_INFO_CHANNELS(&in_), 2);
  gst_audio_info_set_format(&out_, GST_AUDIO_FORMAT_F32, GST_AUDIO_INFO_RATE(&in_), channels,
                            nullptr);
  // The planes of one channel are interleaved as they are.
  const bool same = GST_AUDIO_INFO_FORMAT(&in_) == GST_AUDIO_FORMAT_F32 &&
                    GST_AUDIO_INFO_CHANNELS(&in_) == channels &&
                    (channels == 1 || GST_AUDIO_INFO_LAYOUT(&in_) == GST_AUDIO_LAYOUT_INTERLEAVED);
  GstAudioInfo from = with_positions(in_);
  if (!same)
    converter_.reset(gst_audio_converter_new(GST_AUDIO_CONVERTER_FLAG_NONE, &from, &out_, nullptr));
  valid_ = same || converter_;
  return valid_;
}

const float *ToFloats::convert(GstAudioBuffer *buffer) {
  if (!converter_)
    return static_cast<const float *>(buffer->planes[0]);
  const auto frames = static_cast<gsize>(buffer->n_samples);
  samples_.resize(frames * static_cast<gsize>(channels()));
  gpointer out[] = {samples_.data()};
  gst_audio_converter_samples(converter_.get(), GST_AUDIO_CONVERTER_FLAG_NONE, buffer->planes,
                              frames, out, frames);
  return samples_.data();
}

}  // namespace agora
