// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/encoder-tail.hpp"

#include <gst/audio/audio.h>

#include "gst/common/gst-ptr.hpp"

namespace agora {

namespace {

constexpr unsigned frame = 1024;

// Both pad probes' state. The encoder's sink pad owns it; streaming thread only.
struct Tail {
  unsigned samples;
  bool fed = false;  // there was sound since the last EOS or flush
};

// The last sample comes out with the frame that is full after it.
unsigned tail_of (unsigned lookahead) {
  return lookahead + frame;
}

bool format_of (GstPad *pad, GstAudioInfo &format) {
  CapsPtr caps(gst_pad_get_current_caps(pad));
  return caps && gst_audio_info_from_caps(&format, caps.get());
}

// Without a timestamp it follows what the encoder had last, and isn't clipped to the segment.
void push_silence (GstPad *pad, unsigned samples) {
  GstAudioInfo format;
  if (!format_of(pad, format))
    return;
  const gsize size = static_cast<gsize>(samples) * GST_AUDIO_INFO_BPF(&format);
  GstBuffer *silence = gst_buffer_new_allocate(nullptr, size, nullptr);
  GstMapInfo map;
  if (!gst_buffer_map(silence, &map, GST_MAP_WRITE)) {
    gst_buffer_unref(silence);
    return;
  }
  gst_audio_format_info_fill_silence(format.finfo, map.data, map.size);
  gst_buffer_unmap(silence, &map);
  // What becomes of it the stream hears at its EOS, which goes on in any case.
  gst_pad_chain(pad, silence);
}

bool is_another_format (GstPad *pad, GstEvent *event) {
  const CapsPtr now(gst_pad_get_current_caps(pad));
  GstCaps *next = nullptr;
  gst_event_parse_caps(event, &next);
  return now && !gst_caps_is_equal(now.get(), next);
}

GstPadProbeReturn on_input (GstPad *pad, GstPadProbeInfo *info, gpointer data) noexcept {
  auto *tail = static_cast<Tail *>(data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    tail->fed = true;
    return GST_PAD_PROBE_OK;
  }
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
      // Another rate, or other channels: the encoder begins anew, and takes what it
      // holds for sound of the new kind.
      if (tail->fed && is_another_format(pad, event)) {
        push_silence(pad, tail->samples);
        tail->fed = false;
      }
      break;
    case GST_EVENT_EOS:
      if (tail->fed)
        push_silence(pad, tail->samples);
      tail->fed = false;
      break;
    case GST_EVENT_FLUSH_STOP:
      tail->fed = false;
      break;
    default:
      break;
  }
  return GST_PAD_PROBE_OK;
}

}  // namespace

void push_silence_before_ends (GstElement *encoder, unsigned lookahead) {
  ObjectPtr<GstPad> pad(gst_element_get_static_pad(encoder, "sink"));
  gst_pad_add_probe(
      pad.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                                   GST_PAD_PROBE_TYPE_EVENT_FLUSH),
      on_input, new Tail{.samples = tail_of(lookahead)},
      [] (gpointer tail) noexcept { delete static_cast<Tail *>(tail); });
}

GstClockTime tail_of (GstElement *encoder, unsigned lookahead) {
  ObjectPtr<GstPad> pad(gst_element_get_static_pad(encoder, "sink"));
  GstAudioInfo format;
  if (!format_of(pad.get(), format))
    return 0;
  return gst_util_uint64_scale_int_ceil(tail_of(lookahead) + frame, GST_SECOND,
                                        GST_AUDIO_INFO_RATE(&format));
}

GstEvent *segment_with_tail (GstEvent *event, GstClockTime tail) {
  GstSegment segment;
  gst_event_copy_segment(event, &segment);
  if (segment.format != GST_FORMAT_TIME || segment.rate < 0 ||
      !GST_CLOCK_TIME_IS_VALID(segment.stop))
    return event;
  segment.stop += tail;
  GstEvent *longer = gst_event_new_segment(&segment);
  gst_event_set_seqnum(longer, gst_event_get_seqnum(event));
  gst_event_set_running_time_offset(longer, gst_event_get_running_time_offset(event));
  gst_event_unref(event);
  return longer;
}

}  // namespace agora
