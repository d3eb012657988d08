// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/input-level.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agora {

namespace {

constexpr double full_scale_s32 = 2147483648.0;

double decibel (double linear) {
  return 20 * std::log10(std::max(linear, 1e-10));
}

}  // namespace

void InputLevel::watch(GstPad *pad, const std::shared_ptr<InputLevel> &level) {
  using Held = std::shared_ptr<InputLevel>;
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [] (GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
        InputLevel &self = **static_cast<Held *>(data);
        if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
          self.measure(GST_PAD_PROBE_INFO_BUFFER(info));
        } else if (GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
                   GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
          GstCaps *caps = nullptr;
          gst_event_parse_caps(event, &caps);
          self.caps(caps);
        }
        return GST_PAD_PROBE_OK;
      },
      new Held(level), [] (gpointer data) noexcept { delete static_cast<Held *>(data); });
}

void InputLevel::caps(const GstCaps *caps) {
  known_ = gst_audio_info_from_caps(&info_, caps);
}

void InputLevel::measure(GstBuffer *buffer) {
  {
    std::lock_guard lock(mutex_);
    if (!wanted_ || !known_)
      return;
  }
  GstAudioBuffer mapped;
  if (!gst_audio_buffer_map(&mapped, &info_, buffer, GST_MAP_READ))
    return;
  if (info_.finfo->unpack_format == GST_AUDIO_FORMAT_S32)
    add(mapped, whole_, full_scale_s32);
  else
    add(mapped, real_, 1.0);
  gst_audio_buffer_unmap(&mapped);
}

template <typename Sample>
void InputLevel::add(const GstAudioBuffer &mapped, std::vector<Sample> &samples,
                     double full_scale) {
  const GstAudioFormatInfo *format = info_.finfo;
  const bool planar = info_.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  const std::size_t each =
      mapped.n_samples * (planar ? 1 : static_cast<std::size_t>(GST_AUDIO_INFO_CHANNELS(&info_)));
  samples.resize(each);
  double peak = 0;
  double square_sum = 0;
  for (int plane = 0; plane < mapped.n_planes; plane++) {
    format->unpack_func(format, GST_AUDIO_PACK_FLAG_NONE, samples.data(), mapped.planes[plane],
                        static_cast<gint>(each));
    for (const Sample number : samples) {
      const double sample = number / full_scale;
      peak = std::max(peak, std::fabs(sample));
      square_sum += sample * sample;
    }
  }
  std::lock_guard lock(mutex_);
  peak_ = std::max(peak_, peak);
  square_sum_ += square_sum;
  count_ += each * static_cast<std::size_t>(mapped.n_planes);
}

std::optional<VoiceLevel> InputLevel::take() {
  std::lock_guard lock(mutex_);
  wanted_ = true;
  const std::size_t count = std::exchange(count_, 0);
  const double square_sum = std::exchange(square_sum_, 0);
  const double peak = std::exchange(peak_, 0);
  if (count == 0)
    return std::nullopt;
  return VoiceLevel{decibel(peak), decibel(std::sqrt(square_sum / static_cast<double>(count)))};
}

}  // namespace agora
