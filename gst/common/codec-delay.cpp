// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/codec-delay.hpp"

#include "gst/common/aac-format.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora {

namespace {

// libopus's look-ahead. Of a file, not of a microphone, agorasink sends Opus sooner by that:
// opusenc has taken it off the stamps by which a file's sound goes out.
constexpr int opus_ahead = 312;
constexpr int opus_rate = 48'000;
// Of voaacenc, which agorasink takes first: 1600 samples of a frame's 1024. Others have 1024 to
// 2112, which no stream tells: 12 ms less, or 11 more.
constexpr int aac_ahead = 1600;
constexpr int aac_frame = 1024;

}  // namespace

GstClockTime codec_delay (const GstCaps *caps, GstClockTime duration) {
  if (is_opus(caps))
    return duration + gst_util_uint64_scale_int(opus_ahead, GST_SECOND, opus_rate);
  return gst_util_uint64_scale_int(AacFormat::of(caps).frame_duration(), aac_frame + aac_ahead,
                                   aac_frame);
}

}  // namespace agora
