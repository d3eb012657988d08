// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/adts-frame.hpp"

#include <gst/pbutils/codec-utils.h>

#include <array>

namespace agora {

namespace {
// ISO 14496-3, 1.A.2.2: the header, and the checksum that may follow it.
constexpr gsize header = 7;
constexpr gsize checksum = 2;
}  // namespace

// A raw frame can't begin with its twelve set bits: they would be its end.
BufferPtr without_adts (GstBuffer *frame, const AacFormat &format) {
  std::array<guint8, header> bytes;
  const gsize size = gst_buffer_get_size(frame);
  if (gst_buffer_extract(frame, 0, bytes.data(), header) != header || bytes[0] != 0xff ||
      (bytes[1] & 0xf6) != 0xf0)
    return share(frame);
  const int type = (bytes[2] >> 6) + 1;
  const guint rate = gst_codec_utils_aac_get_sample_rate_from_index(bytes[2] >> 2 & 15);
  const int channels = (bytes[2] & 1) << 2 | bytes[3] >> 6;
  const gsize length = static_cast<gsize>(bytes[3] & 3) << 11 | bytes[4] << 3 | bytes[5] >> 5;
  const bool several = (bytes[6] & 3) != 0;
  const gsize skipped = header + (bytes[1] & 1 ? 0 : checksum);
  if (length != size || size <= skipped || several || type != format.object_type ||
      rate != static_cast<guint>(format.core_rate) ||
      (channels == 7 ? 8 : channels) != format.core_channels)
    return share(frame);
  // In one go a part of a buffer loses its timestamp.
  BufferPtr bare(gst_buffer_new());
  gst_buffer_copy_into(bare.get(), frame, GST_BUFFER_COPY_METADATA, 0, -1);
  gst_buffer_copy_into(bare.get(), frame, GST_BUFFER_COPY_MEMORY, skipped, -1);
  return bare;
}

}  // namespace agora
