// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/silent-frames.hpp"

#include <cstring>
#include <iterator>

namespace agora::recorder {

namespace {

// Opus: CELT, full band (configurations 31 to 28: 20, 10, 5 and 2.5 ms), one frame that is nothing
// but the flag of silence. A mono packet, as every decoder takes it in a stereo stream (RFC 6716,
// 3.1).
constexpr std::uint8_t kOpus20[] = {31 << 3, 0xFF, 0xFE};
constexpr std::uint8_t kOpus10[] = {30 << 3, 0xFF, 0xFE};
constexpr std::uint8_t kOpus5[] = {29 << 3, 0xFF, 0xFE};
constexpr std::uint8_t kOpus2[] = {28 << 3, 0xFF, 0xFE};
constexpr SilentFrame kOpus[] = {{kOpus20, 20 * GST_MSECOND},
                                 {kOpus10, 10 * GST_MSECOND},
                                 {kOpus5, 5 * GST_MSECOND},
                                 {kOpus2, 5 * GST_MSECOND / 2}};

// AAC (ISO 14496-3, 4.4.2.1): one element without a scale factor band, so without a spectrum, and
// ID_END. Single channel element: all bits but the end's are 0.
constexpr std::uint8_t kMono[] = {0x00, 0x00, 0x00, 0x07};
// Channel pair element with a common window.
constexpr std::uint8_t kStereo[] = {0x21, 0x00, 0x00, 0x00, 0x00, 0x1C};

}  // namespace

SilentFrame silent_frame (const GstCaps *caps, std::int64_t frame_duration, std::int64_t room) {
  const GstStructure *s = gst_caps_get_structure(caps, 0);
  if (std::strcmp(gst_structure_get_name(s), "audio/x-opus") == 0) {
    for (const SilentFrame &each : kOpus)
      if (each.duration <= room)
        return each;
    return {};
  }
  int channels = 0;
  gst_structure_get_int(s, "channels", &channels);
  if (frame_duration <= 0 || frame_duration > room || channels < 1 || channels > 2)
    return {};
  return {
      channels == 1 ? std::span<const std::uint8_t>(kMono) : std::span<const std::uint8_t>(kStereo),
      frame_duration};
}

std::int64_t shortest_silence (const GstCaps *caps, std::int64_t frame_duration) {
  if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-opus"))
    return kOpus[std::size(kOpus) - 1].duration;
  return silent_frame(caps, frame_duration, frame_duration).duration;
}

}  // namespace agora::recorder
