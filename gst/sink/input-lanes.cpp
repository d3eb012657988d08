// SPDX-License-Identifier: LGPL-2.1-or-later
// What encodes an agorasink's input, or hands it on where it is encoded already.
#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <utility>

#include "gst/common/codecs.hpp"
#include "gst/common/failures.hpp"
#include "gst/sink/encoder-tail.hpp"
#include "gst/sink/input-chain.hpp"

namespace agora {

namespace {

constexpr const char *base = "gstreamer1.0-plugins-base";
constexpr const char *core = "libgstreamer1.0-0";

constexpr unsigned aac_mono = 64'000;
constexpr unsigned aac_stereo = 96'000;
// Opus sounds as good with three quarters of that.
constexpr unsigned opus_mono = 48'000;
constexpr unsigned opus_stereo = 72'000;

constexpr int opus_rate = 48'000;
// A frame and an encoder's look-ahead are so many samples: here they take half the time. AAC-LC has
// no higher rate, and every decoder of it has this one.
constexpr int low_delay_rate = 96'000;

// By measure: beyond it nothing is heard. Of a minute of voice at 48 kbit/s the encoder alone takes
// 0.23 s at 3, 0.24 at 4, 0.31 at 5, 0.34 at 6 and 1.14 at 8, where libopus begins to tell speech
// from music; voaacenc takes 0.31 at 64 kbit/s. Below 5 it leaves out the filter for the pitch.
constexpr int opus_complexity = 5;
// libopus's look-ahead, at 48 kHz, and without its modes for speech at low rates.
constexpr unsigned opus_priming = 312;
constexpr unsigned opus_least_priming = 120;

constexpr unsigned bit_of (VoiceCodec codec) {
  return 1U << static_cast<unsigned>(codec);
}
constexpr std::size_t place_of (VoiceCodec codec) {
  return static_cast<std::size_t>(codec);
}

// At one rate, in as many channels as it has, up to two.
CapsPtr voice_at (int rate) {
  return CapsPtr(gst_caps_new_simple("audio/x-raw", "rate", G_TYPE_INT, rate, "channels",
                                     GST_TYPE_INT_RANGE, 1, 2, nullptr));
}

}  // namespace

bool InputChain::can_encode_opus() {
  ObjectPtr<GstElementFactory> factory(gst_element_factory_find("opusenc"));
  return factory != nullptr;
}

int InputChain::aac_rate(bool low_delay) {
  return low_delay ? low_delay_rate : opus_rate;
}

void InputChain::load_encoders() {
  const AacEncoder *aac = best_aac_encoder();
  for (const char *name :
       {"audioconvert", "audioresample", "opusenc", aac ? aac->name : "opusenc"}) {
    ObjectPtr<GstElement> once(gst_element_factory_make(name, nullptr));
    if (once)
      gst_object_ref_sink(once.get());
  }
}

void InputChain::set_wanted(const VoiceCodecs &wanted) {
  unsigned bits = 0;
  for (const VoiceCodec each : wanted)
    bits |= bit_of(each);
  wanted_ = bits;
}

bool InputChain::heed_wanted() {
  const unsigned wanted = wanted_;
  if (!lanes_ || std::exchange(heeded_, wanted) == wanted)
    return true;
  VoiceCodecs codecs;
  for (const VoiceCodec each : kVoiceCodecs)
    if (wanted & bit_of(each))
      codecs.insert(each);
  return lanes_->set_wanted(codecs);
}

GstClockTime InputChain::lookahead(VoiceCodec codec, int rate) const {
  // opusenc has taken it off its timestamps.
  if (codec == VoiceCodec::opus || !encoders_[place_of(codec)] || rate <= 0)
    return 0;
  return gst_util_uint64_scale_int(priming_[place_of(codec)], GST_SECOND, rate);
}

// `kind`: what comes to them.
bool InputChain::begin_lanes(Kind kind, const GstCaps *caps) {
  at_lanes_ = kind;
  lanes_caps_.reset(caps ? gst_caps_copy(caps) : nullptr);
  CodecLanes::Host host;
  host.build = [this] (VoiceCodec codec, std::vector<GstElement *> &chain) {
    return build_lane(codec, chain);
  };
  host.remove = [this] (GstElement *element) { unmake(element); };
  lanes_ = std::make_shared<CodecLanes>(std::move(host));
  for (GstElement *end : {lanes_->make_join(), lanes_->make_split()})
    gst_element_sync_state_with_parent(keep(sink_ref(end)));
  if (kind == Kind::raw) {
    InputLevel::watch(lanes_->entry(), level_);
    tell_in_time(lanes_->entry());
  }
  ObjectPtr<GstPad> exit(gst_element_get_static_pad(exit_, "sink"));
  heeded_ = 0;
  return gst_pad_link(lanes_->out(), exit.get()) == GST_PAD_LINK_OK && heed_wanted();
}

bool InputChain::build_lane(VoiceCodec codec, std::vector<GstElement *> &chain) {
  const bool is_coded = at_lanes_ != Kind::raw;
  if (is_coded && (at_lanes_ == Kind::opus) == (codec == VoiceCodec::opus))
    return true;
  const auto add = [&] (const char *factory, const char *package) {
    GstElement *element = make(factory, package);
    if (element)
      chain.push_back(element);
    return element != nullptr;
  };
  if (is_coded && !add_decoder(lanes_caps_.get(), chain))
    return false;
  if (!add("audioconvert", base))
    return false;
  if (is_coded)
    place_channels(chain.back());
  const bool is_opus = codec == VoiceCodec::opus;
  if (is_coded || is_opus || low_delay_) {
    if (!add("audioresample", base) || !add("capsfilter", core))
      return false;
    CapsPtr voice = voice_at(is_opus ? opus_rate : aac_rate(low_delay_));
    g_object_set(chain.back(), "caps", voice.get(), nullptr);
  }
  GstElement *encoder = make_encoder(codec);
  if (!encoder)
    return false;
  chain.push_back(encoder);
  push_silence_before_ends(encoder, priming_[place_of(codec)]);
  return true;
}

GstElement *InputChain::make_encoder(VoiceCodec codec) {
  GstElement *encoder = codec == VoiceCodec::opus ? make_opus_encoder() : make_aac_encoder();
  encoders_[place_of(codec)] = encoder;
  if (encoder)
    set_bitrate(codec);
  return encoder;
}

GstElement *InputChain::make_opus_encoder() {
  GstElement *encoder = make("opusenc", base);
  if (!encoder)
    return nullptr;
  g_object_set(encoder, "complexity", opus_complexity, nullptr);
  priming_[place_of(VoiceCodec::opus)] = opus_priming;
  if (low_delay_) {
    gst_util_set_object_arg(G_OBJECT(encoder), "frame-size", "10");
    gst_util_set_object_arg(G_OBJECT(encoder), "audio-type", "restricted-lowdelay");
    priming_[place_of(VoiceCodec::opus)] = opus_least_priming;
  }
  return encoder;
}

GstElement *InputChain::make_aac_encoder() {
  if (const AacEncoder *encoder = best_aac_encoder()) {
    priming_[place_of(VoiceCodec::aac)] = encoder->priming;
    return make(encoder->name, "gstreamer1.0-plugins-bad");
  }
  CapsPtr aac(gst_caps_new_simple("audio/mpeg", "mpegversion", G_TYPE_INT, 4, nullptr));
  gst_element_post_message(GST_ELEMENT(bin_),
                           gst_missing_encoder_message_new(GST_ELEMENT(bin_), aac.get()));
  GST_ELEMENT_ERROR(bin_, CORE, MISSING_PLUGIN,
                    ("No AAC encoder is installed. The Debian package gstreamer1.0-plugins-bad "
                     "has one (voaacenc), gstreamer1.0-libav another (avenc_aac)."),
                    (nullptr));
  return nullptr;
}

void InputChain::set_bitrate(VoiceCodec codec) {
  GstElement *encoder = encoders_[place_of(codec)];
  if (!encoder)
    return;
  const bool mono = channels_ == 1;
  const unsigned usual =
      codec == VoiceCodec::opus ? (mono ? opus_mono : opus_stereo) : (mono ? aac_mono : aac_stereo);
  g_object_set(encoder, "bitrate", static_cast<int>(bitrate_ ? bitrate_ : usual), nullptr);
}

void InputChain::unmake(GstElement *element) {
  ObjectPtr<GstElement> gone;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::find_if(elements_.begin(), elements_.end(),
                                    [&] (auto &each) { return each.get() == element; });
    if (found == elements_.end())
      return;
    gone = std::move(*found);
    elements_.erase(found);
  }
  std::replace(encoders_.begin(), encoders_.end(), element, static_cast<GstElement *>(nullptr));
  gst_element_set_locked_state(gone.get(), TRUE);
  gst_element_set_state(gone.get(), GST_STATE_NULL);
  gst_bin_remove(bin_, gone.get());
}

}  // namespace agora
