// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Decoded sound of any raw format as interleaved floats of one or two channels. What is that
// already isn't touched: an audioconvert element would cost as much as half of the decoder.
#pragma once

#include <gst/audio/audio.h>

#include <memory>
#include <vector>

namespace agora {

// For one thread.
class ToFloats {
 public:
  // False: nothing converts it, and valid() is so too.
  bool set_caps (const GstCaps *caps);
  bool valid () const { return valid_; }

  // What convert() takes.
  const GstAudioInfo *in () const { return &in_; }
  // What it gives: as many frames, more channels than two mixed down to them.
  int rate () const { return GST_AUDIO_INFO_RATE(&out_); }
  int channels () const { return GST_AUDIO_INFO_CHANNELS(&out_); }

  // Valid until the next call, and for as long as `buffer` is mapped.
  const float *convert (GstAudioBuffer *buffer);

 private:
  struct Free {
    void operator()(GstAudioConverter *converter) const { gst_audio_converter_free(converter); }
  };

  GstAudioInfo in_;
  GstAudioInfo out_;
  bool valid_ = false;
  std::unique_ptr<GstAudioConverter, Free> converter_;  // where something is to be done
  std::vector<float> samples_;
};

}  // namespace agora
