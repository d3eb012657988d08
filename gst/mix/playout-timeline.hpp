// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The live timeline of one remote speaker: sound comes in with the sender's media time at the
// moment it arrives, and goes out on the clock of the pipeline, `delay` after the moment at which
// it would have arrived without jitter. Its place is found by counting its samples; media times
// only tell holes (SampleCounter). The sender's drift is taken out by resampling; what misses its
// moment is dropped. What is missing its decoder makes up, where it does that, for a while; beyond
// it is faded out and in again. Latency so never grows.
//
// No GstElement, no thread, no clock of its own: time comes in as an argument, in nanoseconds of
// whatever clock the caller uses throughout. Thread-safe: one thread pushes, another pulls.
#pragma once

#include <gst/audio/audio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "gst/common/concealment.hpp"
#include "gst/mix/arrival-clock.hpp"
#include "gst/mix/sample-counter.hpp"

namespace agora {

struct PlayoutStats {
  std::uint64_t late_ns = 0;       // arrived after its moment
  std::uint64_t dropped_ns = 0;    // left out, late or surplus
  std::uint64_t concealed_ns = 0;  // silence, or what was made up, played where sound was due
  std::uint64_t underruns = 0;
  double drift_ppm = 0;  // of the sender against the pipeline's clock; > 0: the sender is fast
  double jitter_ms = 0;  // spread of the arrivals over the last second
  double queued_ms = 0;
  double delay_ms = 0;  // the playout delay in force
  // From the sender's sink pad to the stamp of the mix; negative: the sender doesn't say.
  double stamp_age_ms = -1;
  double codec_delay_ms = 0;  // set_codec_delay()
};

class PlayoutTimeline {
 public:
  PlayoutTimeline(int out_rate, std::int64_t delay_ns);

  // `frames` interleaved frames, the next of this sender, whose timestamp is `media_ns`, here at
  // `now_ns`. What can't be sound (a rate or a number of channels out of all reason) is ignored.
  void push (std::int64_t media_ns, std::int64_t now_ns, const float *samples, std::size_t frames,
             int rate, int channels, const SoundContext &context = {});
  // When an encoded frame that arrives now is due, on the caller's clock; `duration_ns` 0: unknown.
  // `played`: it is about to be decoded and pushed, which counts it; otherwise this does. An
  // adaptive delay plays no part: what is placed stays in step.
  std::int64_t place (std::int64_t media_ns, std::int64_t now_ns, std::int64_t duration_ns,
                      bool played);
  // The sender says that it captured the next frame, of `media_ns`, at `captured_us`; it arrived
  // at `now_ns`, which is `wall_us` here. Both in microseconds of a wall clock, of two machines.
  // Any value may come: what is not within an hour is not believed.
  void stamped (std::int64_t media_ns, std::int64_t now_ns, std::int64_t captured_us,
                std::int64_t wall_us);
  // How old what comes is at least when it arrives, by its codec. For stats() alone.
  void set_codec_delay (std::int64_t delay_ns);
  // What comes next need not go on from what came before: another connection, another sender.
  void discontinuity ();
  // Times are of another clock from here on: what is held, and where it belonged, counts no more.
  void another_clock ();
  // Nothing follows: where what is held ends, nothing is made up.
  void end ();
  // Everything is to come so much later than until now: holds back more, inaudibly, so that it is
  // waited for. Whether it is by now. 0: it comes as ever.
  bool brace (std::int64_t later_ns);
  // What comes next goes on from it, but comes so much later (below 0: sooner) than what came
  // before: what is heard stays where it is, and the delay gets back to what it is to be from
  // there, inaudibly.
  void path_changed (std::int64_t later_ns);

  // The next `frames` frames, due from `at_ns` on, as interleaved frames of the returned number of
  // channels, valid until the next pull; 0 channels: nothing but silence.
  int pull (std::int64_t at_ns, std::size_t frames, const float **samples);

  // How long from `now_ns` until all that is held has been pulled; 0: nothing is held. An estimate,
  // which moves with the delay and the sender's drift. The caller bounds it: sound may go on
  // coming.
  std::int64_t time_left_ns (std::int64_t now_ns) const;
  bool drained () const;

  // `first_ns`, where it is less: nothing was played yet, so play the first sound after so much
  // already, and grow to the delay from there, inaudibly. Sound that runs out, and a delay that is
  // set later, end that.
  void set_delay (std::int64_t delay_ns, std::optional<std::int64_t> first_ns = std::nullopt);
  // The delay in force where it still has to grow.
  std::optional<std::int64_t> growing_ns () const;
  // Plays as early as the jitter allows, with the delay as its ceiling.
  void set_adaptive (bool adaptive);
  void set_out_rate (int out_rate);
  PlayoutStats stats () const;

 private:
  // A run of sound without a hole.
  struct Run {
    double media_ns = 0;  // where the counter put the first frame still held
    int rate = 0;
    int channels = 0;
    std::vector<float> samples;
    std::size_t head = 0;     // frames of `samples` that are gone
    std::size_t made_up = 0;  // the last ones of `samples`, gone or not: made up, until others come

    std::size_t all () const { return samples.size() / channels; }
    std::size_t frames () const { return all() - head; }
    double end_ns () const { return media_ns + frames() * 1e9 / rate; }
    // Of what came.
    double told_end_ns () const { return end_ns() - made_up * 1e9 / rate; }
    // How many of the next `n` frames are made up.
    std::size_t made_up_of (std::size_t n) const;
    void drop (std::size_t n);
  };
  struct FreeResampler {
    void operator()(GstAudioResampler *r) const { gst_audio_resampler_free(r); }
  };

  void watch_clock (std::int64_t now_ns);
  void begin_anew ();
  SampleCounter::Frame frame (std::int64_t media_ns, std::int64_t now_ns, double duration_ns) const;
  double arrive (const SampleCounter::Frame &frame, const SampleCounter::Unlike &unlike = nullptr);
  std::optional<double> unlike (double at, const float *samples, std::size_t frames, int rate,
                                int channels) const;
  double due_media (std::int64_t at_ns) const;
  double fade_ns () const;
  double least_delay_ns () const;
  double adapt (std::size_t frames);
  double absorb (double error_ns);
  bool start_playing (double media_ns, std::size_t frames, std::size_t *lead);
  void stop_playing ();
  double pause_ns (double most_ns);
  bool time_to_move (double error_ns, double block_ns);
  double correction (double error_ns, std::size_t frames);
  void set_ratio (double ratio);
  std::size_t render (float *out, std::size_t frames, std::size_t *fade_at, std::size_t *ends_at);
  void drop_passed (double media_ns);
  bool empty () const;
  void bound ();
  Run &run_for (double media_ns, int rate, int channels, bool *seam);
  bool bridge (Run &run, double media_ns);
  void append (Run &run, const float *samples, std::size_t frames, bool seam);
  bool make_up (Run &run, std::size_t frames);
  bool conceal (std::size_t frames);
  void count_made_up (const Run &run, std::size_t played);
  void missed (const Run &run, std::size_t frames);
  void end_concealment ();

  mutable std::mutex mutex_;  // guards all below; a leaf: nothing else is locked under it
  int out_rate_;
  std::int64_t delay_ns_;
  bool adaptive_ = false;
  double in_force_ns_;   // the delay: delay_ns_, or less where it adapts
  double brace_ns_ = 0;  // so much more is held back for a moment
  double moving_ = 0;    // how fast it changes, seconds per second
  enum class Growth { none, waiting, begun } growth_ = Growth::none;
  ArrivalClock arrivals_;
  std::int64_t last_now_ns_ = 0;
  // Encoded frames that were placed, and are not pushed yet.
  struct Decoding {
    std::int64_t stamp_ns;
    double duration_ns;
    double at_ns;
  };
  std::deque<Decoding> decoding_;
  SampleCounter counter_;
  std::deque<Run> runs_;
  double told_until_ns_ = 0;  // where the last sound that was pushed ended
  // How that, the end of runs_.back(), would go on; and what goes on there.
  std::shared_ptr<const Continuation> after_;
  std::unique_ptr<Concealment> concealment_;
  std::size_t concealment_frames_ = 0;  // that it has made
  bool rests_ = false;                  // the sender said so with what it sent last

  bool playing_ = false;  // inside runs_.front()
  bool jump_ = false;     // the delay was set to something else
  double behind_ns_ = 0;  // how much later than due it plays, which stretching takes away
  // While playing is further from its place than stretching leads back: for how long that has been
  // put off in search of a pause, and where in one it goes on.
  double put_off_ns_ = 0;
  std::optional<double> go_on_at_;
  std::vector<double> levels_;   // of what comes next, for pause_ns()
  std::int64_t next_at_ns_ = 0;  // where the last block ended
  std::unique_ptr<GstAudioResampler, FreeResampler> resampler_;
  int resampler_rate_ = 0;
  int resampler_channels_ = 0;
  double ratio_ = 1.0;
  float gain_ = 0;
  std::vector<float> out_;
  bool heard_ = false;  // something was played since the last discontinuity
  PlayoutStats stats_;
};

}  // namespace agora
