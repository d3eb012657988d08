// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From whatever comes in at the sink pad to frames of the codecs that are wanted: plugs standard
// elements between the pad and `exit` when the caps are known, and plugs anew when they turn into
// another kind. What is AAC or Opus already goes out as it is in that codec.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/voice-codec.hpp"
#include "gst/sink/codec-lanes.hpp"
#include "gst/sink/far-frames.hpp"
#include "gst/sink/frame-count.hpp"
#include "gst/sink/input-level.hpp"
#include "gst/sink/starvation.hpp"

namespace agora {

// All of it runs on the streaming thread, under the pad's stream lock, but for reset().
class InputChain {
 public:
  // `bin` owns this; `pad` is its ghost pad; `exit` takes AAC and Opus.
  InputChain(GstBin *bin, GstPad *pad, GstElement *exit);
  ~InputChain();
  InputChain(const InputChain &) = delete;
  InputChain &operator=(const InputChain &) = delete;

  static bool can_encode_opus ();
  // At which AAC is encoded, where what comes in has no rate that is kept.
  static int aac_rate (bool low_delay);
  // Reads those that may be needed from the disk: a lane that comes while sound plays is not to
  // hold it up.
  static void load_encoders ();

  // The caps that the pad takes.
  static GstCaps *template_caps ();

  void set_bitrate (unsigned bits_per_second) { bitrate_ = bits_per_second; }
  // Whether to encode in frames that last half as long.
  void set_low_delay (bool low_delay) { low_delay_ = low_delay; }
  // Which codecs to encode: one at least. Heeded with the next buffer that comes in; any thread.
  void set_wanted (const VoiceCodecs &wanted);
  // Before the pad's caps go on. False: refused, and an ERROR is on the bus.
  bool accept (GstCaps *caps);
  // Before a buffer goes on: finds out what it is if no caps told.
  bool prepare ();
  // A frame that came out is on its way to the channel: it was not left out for its time.
  void taken () { starvation_.passed(); }
  // After EOS went in. Where nothing of what came before it could be sent, an ERROR says so.
  void ended ();
  // Whether `message` is an ERROR of an element in here; one of the sink's own says it instead.
  bool explain (GstMessage *message);
  // How loud what comes in is, where it is raw or decoded here; any thread.
  std::optional<VoiceLevel> take_level () { return level_->take(); }
  // By how much that codec's frames are later than their timestamps say, where they are encoded
  // here at `rate`.
  GstClockTime lookahead (VoiceCodec codec, int rate) const;
  // The exit is in the bin, and nothing plays: the pad leads to it.
  void rest ();
  // Nothing plays yet, and caps will come.
  void begin ();
  // Everything out again, for the next start; the elements are stopped.
  void reset ();

 private:
  static constexpr const char *kExpected =
      "Expected raw audio, AAC, Opus or FLV. Decode other formats "
      "first, for example with decodebin.";

  enum class Kind { none, unknown, raw, aac, framed, opus, coded, flv };

  static Kind kind_of (const GstCaps *caps);
  bool plug (Kind kind, GstCaps *caps);
  void unplug ();
  void clear ();
  bool fit (const GstCaps *caps);
  bool fit_decoded (const GstCaps *caps);
  GstElement *make (const char *factory, const char *package);
  GstElement *make_encoder (VoiceCodec codec);
  GstElement *make_aac_encoder ();
  GstElement *make_opus_encoder ();
  void set_bitrate (VoiceCodec codec);
  GstElement *keep (ObjectPtr<GstElement> element);
  void unmake (GstElement *element);
  bool begin_lanes (Kind kind, const GstCaps *caps);
  bool build_lane (VoiceCodec codec, std::vector<GstElement *> &chain);
  bool heed_wanted ();
  bool build (Kind kind, GstCaps *caps, std::vector<GstElement *> &chain);
  static void tell_in_time (GstPad *pad);
  static void place_channels (GstElement *converter);
  bool add_decoder (GstCaps *caps, std::vector<GstElement *> &chain);
  bool link (const std::vector<GstElement *> &chain);
  // Where a chain that ends at the lanes begins.
  ObjectPtr<GstPad> head (const std::vector<GstElement *> &chain) const;
  void refuse (const GstCaps *caps);
  void refuse (const std::string &why, const char *more);
  void tell_if_refused (GstPad *before);
  std::string why_silent () const;
  GstPadProbeReturn frame_comes (GstPadProbeInfo *info);
  void reset_counts ();
  static GstBuffer *placed (GstBuffer *frame, GstClockTime duration, FrameCount &count);
  GstClockTime early_by (GstBuffer *frame) const;
  void tell_if_late (GstBuffer *first) const;
  bool is_live () const;
  GstFlowReturn go_on ();
  GstFlowReturn release_far (GstClockTime earlier);
  GstEvent *with_tail (GstEvent *segment) const;

  static GstPadProbeReturn on_decoded (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  static GstPadProbeReturn on_exit (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  static void on_type_found (GstElement *typefind, guint probability, GstCaps *caps,
                             InputChain *self) noexcept;
  static void on_demuxer_pad (GstElement *demuxer, GstPad *pad, InputChain *self) noexcept;
  static void on_refused (GstElement *intake, const char *why, InputChain *self) noexcept;
  void demuxed (GstPad *pad);

  GstBin *bin_;
  GstPad *pad_;
  GstElement *exit_;
  gulong exit_probe_ = 0;
  Kind kind_ = Kind::none;
  // Guards elements_ against other threads, whose messages are compared with them; the streaming
  // thread alone changes them. No call leaves the object under it.
  std::mutex mutex_;
  std::vector<ObjectPtr<GstElement>> elements_;
  const std::shared_ptr<InputLevel> level_ = std::make_shared<InputLevel>();
  GstElement *format_ = nullptr;  // the capsfilter before the lanes, one of elements_
  // What leads from there to the exit. Streaming thread, but for its beginning and its end.
  std::shared_ptr<CodecLanes> lanes_;
  // What comes to the lanes, and its caps.
  Kind at_lanes_ = Kind::none;
  CapsPtr lanes_caps_;
  std::atomic<unsigned> wanted_;  // a bit for each codec
  unsigned heeded_ = 0;
  // What encodes here; nullptr where nothing does.
  std::array<GstElement *, kVoiceCodecs.size()> encoders_ = {};
  std::array<unsigned, kVoiceCodecs.size()> priming_ = {};  // of those, in samples
  // The EOS that drains an old chain is under way: it is not the stream's.
  bool draining_ = false;
  // There is an ERROR about this stream already.
  std::atomic<bool> refused_ = false;
  GstElement *intake_ = nullptr;  // of FLV, one of elements_
  Starvation starvation_;         // streaming thread
  bool came_out_ = false;         // a frame, at the exit; streaming thread
  // Of the frames at the exit; streaming thread.
  FrameCount count_;
  FrameCount side_count_;  // of the other codec's frames
  GstClockTime frame_duration_ = 0;
  GstSegment segment_;
  bool counts_ = false;  // it runs forwards, in time
  FarFrames far_;
  GstClockTime far_hole_ = 0;  // before the first of them
  bool far_known_ = false;     // that it is none
  bool releasing_ = false;     // what comes there is of them
  bool jumped_ = false;        // timestamps of this stream did, and its data comes as time goes on
  unsigned bitrate_ = 0;
  bool low_delay_ = false;
  int channels_ = 1;
};

}  // namespace agora
