// SPDX-License-Identifier: LGPL-2.1-or-later
// Listens to what comes to an element, so that tests can say what was heard, how loud, and when.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <mutex>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace agora::test {

// At the sink pad of an element that is given F32LE, interleaved, 48 kHz, two channels: kHeard.
class Ear {
 public:
  static constexpr int kRate = 48000;
  static constexpr const char *kHeard =
      " audio/x-raw,format=F32LE,rate=48000,channels=2,layout=interleaved ";

  Ear(Pipeline &pipeline, const char *element);
  ~Ear();
  Ear(const Ear &) = delete;
  Ear &operator=(const Ear &) = delete;

  // The amplitude of a tone in `channel` (0 left, 1 right) over the last 100 ms, or over `ms` from
  // running time `from` on. 0 where there is not so much sound yet.
  double tone (double hertz, int channel, double ms = 100, double from = -1) const;
  // Running time up to which it has heard, in seconds; on the clock with `absolute`.
  double until (bool absolute = false) const;
  // When bursts of sound were in their middle, seconds on the clock. By the stamps of the buffers:
  // what is at a speaker's pad is put right there within its first seconds.
  std::vector<double> bursts () const;
  // By how much the sound so far is shorter than its time stamps say, in seconds.
  double missing () const;

 private:
  // Where stamps went on from elsewhere than where the sound before ended.
  struct Move {
    std::size_t frame;
    double at;  // running time
  };
  // It lasts for as long as the probe that fills it: that may be at it while this goes.
  struct Heard {
    std::mutex mutex;  // guards all below
    std::vector<float> sound;
    std::vector<Move> moves;
    double begin = -1;  // running time of the first sample
    double end = 0;
  };

  static GstPadProbeReturn hear (GstPad *, GstPadProbeInfo *info, gpointer heard);

  GstPad *pad_;
  gulong probe_;
  GstElement *element_;
  const std::shared_ptr<Heard> heard_ = std::make_shared<Heard>();
};

}  // namespace agora::test
