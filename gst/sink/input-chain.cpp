// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/input-chain.hpp"

#include <gst/audio/audio.h>
#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gst/common/aac-format.hpp"
#include "gst/common/codecs.hpp"
#include "gst/common/failures.hpp"
#include "gst/sink/agora-frame-sink.hpp"
#include "gst/sink/encoder-tail.hpp"
#include "gst/sink/flv-intake.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

constexpr const char *accepted =
    "audio/x-raw; "
    "audio/mpeg, mpegversion = (int) { 2, 4 }; "
    "audio/x-opus; "
    "video/x-flv";

// Rates that stay as they are. Below them a frame of 1024 samples would last too long for a
// conversation, above them is more than a voice channel carries.
constexpr std::array<int, 3> kept_rates = {32'000, 44'100, 48'000};
constexpr int default_rate = 48'000;

// LOAS is a transport stream of its own: nothing but a decoder takes it apart. Of the object types,
// FLV's players know those up to 4, with or without SBR; AAC-LD and ELD they mostly don't.
bool needs_decoding (const GstCaps *caps, const GstStructure *structure) {
  return g_strcmp0(gst_structure_get_string(structure, "stream-format"), "loas") == 0 ||
         AacFormat::of(caps).object_type > 4;
}

// What comes out of an encoder or a demuxer: one frame a buffer, and all is said of it. A parser
// would find nothing to do.
bool structure_is_framed (const GstStructure *structure) {
  const auto says = [structure] (const char *field, const char *value) {
    return g_strcmp0(gst_structure_get_string(structure, field), value) == 0;
  };
  int number = 0;
  return says("stream-format", "raw") && says("base-profile", "lc") && says("profile", "lc") &&
         gst_structure_has_field(structure, "codec_data") &&
         gst_structure_get_int(structure, "rate", &number) &&
         gst_structure_get_int(structure, "channels", &number);
}

}  // namespace

InputChain::InputChain(GstBin *bin, GstPad *pad, GstElement *exit)
    : bin_(bin), pad_(pad), exit_(exit) {
  set_wanted({VoiceCodec::aac});
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  ObjectPtr<GstPad> entry(gst_element_get_static_pad(exit_, "sink"));
  exit_probe_ = gst_pad_add_probe(
      entry.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                                   GST_PAD_PROBE_TYPE_EVENT_FLUSH | GST_PAD_PROBE_TYPE_BUFFER),
      on_exit, this, nullptr);
}

// An application that asked for it may hold the exit for longer than that.
InputChain::~InputChain() {
  ObjectPtr<GstPad> entry(gst_element_get_static_pad(exit_, "sink"));
  gst_pad_remove_probe(entry.get(), exit_probe_);
}

// While it is stopped the pad leads to the exit, so that nothing in here is unlinked: whoever makes
// a bin of a description (gst_parse_bin_from_description()) takes any such pad for the bin's own.
void InputChain::rest() {
  ObjectPtr<GstPad> entry(gst_element_get_static_pad(exit_, "sink"));
  gst_ghost_pad_set_target(GST_GHOST_PAD(pad_), entry.get());
}

void InputChain::begin() {
  gst_ghost_pad_set_target(GST_GHOST_PAD(pad_), nullptr);
}

GstPadProbeReturn InputChain::on_exit(GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  auto *self = static_cast<InputChain *>(data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER)
    return self->frame_comes(info);
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
    self->far_.release();
  else if (GST_EVENT_IS_SERIALIZED(event))
    self->release_far(0);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      self->jumped_ = false;
      break;
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      // Packets of Opus say each how long they last.
      const bool was_opus = self->frame_duration_ == 0;
      self->frame_duration_ = is_opus(caps) ? 0 : AacFormat::of(caps).frame_duration();
      // Another lane paces, whose encoder has another look-ahead.
      if (was_opus != (self->frame_duration_ == 0))
        self->reset_counts();
      break;
    }
    case GST_EVENT_SEGMENT: {
      gst_event_copy_segment(event, &self->segment_);
      self->counts_ = self->segment_.format == GST_FORMAT_TIME && self->segment_.rate > 0;
      self->reset_counts();
      GST_PAD_PROBE_INFO_DATA(info) = self->with_tail(event);
      break;
    }
    case GST_EVENT_EOS:
      return self->draining_ ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
    default:
      break;
  }
  return GST_PAD_PROBE_OK;
}

// Room for what each of the encoders holds.
GstEvent *InputChain::with_tail(GstEvent *segment) const {
  GstClockTime tail = 0;
  for (std::size_t i = 0; i < encoders_.size(); i++)
    if (encoders_[i])
      tail = std::max(tail, tail_of(encoders_[i], priming_[i]));
  return tail > 0 ? segment_with_tail(segment, tail) : segment;
}

GstCaps *InputChain::template_caps() {
  return gst_caps_from_string(accepted);
}

InputChain::Kind InputChain::kind_of(const GstCaps *caps) {
  if (gst_caps_is_any(caps) || gst_caps_get_size(caps) == 0)
    return Kind::none;
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  if (gst_structure_has_name(structure, "audio/x-raw"))
    return Kind::raw;
  int family = 0;
  // More than two channels have to be mixed.
  if (gst_structure_has_name(structure, "audio/x-opus"))
    return gst_structure_get_int(structure, "channel-mapping-family", &family) && family == 0
               ? Kind::opus
               : Kind::coded;
  if (gst_structure_has_name(structure, "video/x-flv"))
    return Kind::flv;
  int version = 0;
  if (gst_structure_has_name(structure, "audio/mpeg") &&
      gst_structure_get_int(structure, "mpegversion", &version) && (version == 2 || version == 4))
    return !aac_fault(caps).empty()          ? Kind::none
           : needs_decoding(caps, structure) ? Kind::coded
           : structure_is_framed(structure)  ? Kind::framed
                                             : Kind::aac;
  return Kind::none;
}

bool InputChain::accept(GstCaps *caps) {
  const Kind kind = kind_of(caps);
  if (kind == Kind::none) {
    refuse(caps);
    return false;
  }
  if (kind != kind_) {
    unplug();
    if (!plug(kind, caps))
      return false;
  }
  return kind != Kind::raw || fit(caps);
}

bool InputChain::prepare() {
  if (starvation_.fed(std::chrono::steady_clock::now()))
    GST_ELEMENT_WARNING(bin_, STREAM, FORMAT,
                        ("Data has come in for %d s, but nothing could be sent: %s.",
                         static_cast<int>(Starvation::kLimit.count()), why_silent().c_str()),
                        ("%s", kExpected));
  return kind_ == Kind::none ? plug(Kind::unknown, nullptr) : heed_wanted();
}

bool InputChain::fit(const GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int rate = 0;
  int channels = 0;
  gst_structure_get_int(structure, "rate", &rate);
  gst_structure_get_int(structure, "channels", &channels);
  if (rate <= 0 || channels <= 0) {
    refuse(caps);
    return false;
  }
  guint64 positions = 0;
  gst_structure_get(structure, "channel-mask", GST_TYPE_BITMASK, &positions, nullptr);
  if (channels > 2 && positions == 0) {
    refused_ = true;
    GST_ELEMENT_ERROR(bin_, STREAM, FORMAT,
                      ("Can't mix %d channels without positions (channel-mask=0) into a voice. "
                       "Pick some with deinterleave, or mix them with audioconvert's mix-matrix.",
                       channels),
                      (nullptr));
    return false;
  }
  if (std::find(kept_rates.begin(), kept_rates.end(), rate) == kept_rates.end())
    rate = default_rate;
  channels_ = channels = std::min(channels, 2);
  for (const VoiceCodec each : kVoiceCodecs)
    set_bitrate(each);
  CapsPtr wanted(gst_caps_new_simple("audio/x-raw", "rate", G_TYPE_INT, rate, "channels",
                                     G_TYPE_INT, channels, nullptr));
  g_object_set(format_, "caps", wanted.get(), nullptr);
  return true;
}

// What it decodes to is known only then: 48 kHz, and stereo unless the caps say mono.
bool InputChain::fit_decoded(const GstCaps *caps) {
  int channels = 0;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);
  CapsPtr decoded(gst_caps_new_simple("audio/x-raw", "rate", G_TYPE_INT, default_rate, "channels",
                                      G_TYPE_INT, channels == 1 ? 1 : 2, nullptr));
  return fit(decoded.get());
}

// Some decoders don't know where channels belong: AAC with a program config element, Opus of
// mapping family 255. Then it is where as many channels usually do, which mixes all of them.
GstPadProbeReturn InputChain::on_decoded(GstPad *, GstPadProbeInfo *info, gpointer) noexcept {
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  GstCaps *caps = nullptr;
  gst_event_parse_caps(event, &caps);
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int channels = 0;
  guint64 positions = 0;
  gst_structure_get_int(structure, "channels", &channels);
  gst_structure_get(structure, "channel-mask", GST_TYPE_BITMASK, &positions, nullptr);
  if (channels <= 2 || positions != 0)
    return GST_PAD_PROBE_OK;
  CapsPtr placed(gst_caps_copy(caps));
  gst_caps_set_simple(placed.get(), "channel-mask", GST_TYPE_BITMASK,
                      gst_audio_channel_get_fallback_mask(channels), nullptr);
  GstEvent *other = gst_event_new_caps(placed.get());
  gst_event_set_seqnum(other, gst_event_get_seqnum(event));
  gst_event_unref(event);
  GST_PAD_PROBE_INFO_DATA(info) = other;
  return GST_PAD_PROBE_OK;
}

// Decoders and encoders take sound in time alone; a parser gives it so.
void InputChain::tell_in_time(GstPad *pad) {
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      [] (GstPad *, GstPadProbeInfo *info, gpointer) noexcept {
        GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
        if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
          GST_PAD_PROBE_INFO_DATA(info) = segment_in_time(event);
        return GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
}

void InputChain::place_channels(GstElement *converter) {
  ObjectPtr<GstPad> decoded(gst_element_get_static_pad(converter, "sink"));
  gst_pad_add_probe(decoded.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_decoded, nullptr,
                    nullptr);
}

bool InputChain::add_decoder(GstCaps *caps, std::vector<GstElement *> &chain) {
  GstElement *decoder = make_decoder(caps);
  if (!decoder) {
    post_missing_decoder(GST_ELEMENT(bin_), caps);
    return false;
  }
  GstElement *parser = make_parser(caps);
  if (parser) {
    chain.push_back(keep(sink_ref(parser)));
    ObjectPtr<GstPad> parsed(gst_element_get_static_pad(parser, "src"));
    tell_if_refused(parsed.get());
  }
  chain.push_back(keep(sink_ref(decoder)));
  if (!parser) {
    ObjectPtr<GstPad> coded(gst_element_get_static_pad(decoder, "sink"));
    tell_in_time(coded.get());
  }
  return true;
}

GstElement *InputChain::keep(ObjectPtr<GstElement> element) {
  gst_bin_add(bin_, element.get());
  std::lock_guard lock(mutex_);
  elements_.push_back(std::move(element));
  return elements_.back().get();
}

GstElement *InputChain::make(const char *factory, const char *package) {
  ObjectPtr<GstElement> element = sink_ref(gst_element_factory_make(factory, nullptr));
  if (!element) {
    post_missing_element(GST_ELEMENT(bin_), factory, package);
    return nullptr;
  }
  return keep(std::move(element));
}

bool InputChain::build(Kind kind, GstCaps *caps, std::vector<GstElement *> &chain) {
  const auto add = [&] (const char *factory, const char *package) {
    GstElement *element = make(factory, package);
    if (element)
      chain.push_back(element);
    return element != nullptr;
  };
  const char *base = "gstreamer1.0-plugins-base";
  const char *good = "gstreamer1.0-plugins-good";
  switch (kind) {
    case Kind::unknown:
      if (!add("typefind", "libgstreamer1.0-0"))
        return false;
      g_signal_connect(chain.back(), "have-type", G_CALLBACK(on_type_found), this);
      return true;
    case Kind::aac:
      return add("aacparse", good) && begin_lanes(Kind::aac, caps);
    case Kind::framed:
      return begin_lanes(Kind::aac, caps);
    case Kind::opus:
      return begin_lanes(Kind::opus, caps);
    case Kind::flv:
      // Whatever else is in the stream must not reach the demuxer.
      intake_ = keep(sink_ref(make_flv_intake()));
      chain.push_back(intake_);
      if (!add("flvdemux", good))
        return false;
      for (GstElement *each : chain)
        g_signal_connect(each, "pad-added", G_CALLBACK(on_demuxer_pad), this);
      g_signal_connect(intake_, "refused", G_CALLBACK(on_refused), this);
      return true;
    case Kind::coded:
      if (!add_decoder(caps, chain))
        return false;
      [[fallthrough]];
    case Kind::raw:
      if (!add("audioconvert", base))
        return false;
      if (kind == Kind::coded)
        place_channels(chain.back());
      if (!add("audioresample", base) || !add("capsfilter", "libgstreamer1.0-0"))
        return false;
      format_ = chain.back();
      return begin_lanes(Kind::raw, nullptr) && (kind == Kind::raw || fit_decoded(caps));
    case Kind::none:
      break;
  }
  return false;
}

ObjectPtr<GstPad> InputChain::head(const std::vector<GstElement *> &chain) const {
  return chain.empty() ? ObjectPtr<GstPad>(GST_PAD(gst_object_ref(lanes_->entry())))
                       : ObjectPtr<GstPad>(gst_element_get_static_pad(chain.front(), "sink"));
}

// To the lanes, where they are begun.
bool InputChain::link(const std::vector<GstElement *> &chain) {
  if (chain.empty())
    return lanes_ != nullptr;
  for (std::size_t i = 0; i + 1 < chain.size(); i++) {
    if (!gst_element_link(chain[i], chain[i + 1]))
      return false;
  }
  if (lanes_) {
    ObjectPtr<GstPad> last(gst_element_get_static_pad(chain.back(), "src"));
    if (gst_pad_link(last.get(), lanes_->entry()) != GST_PAD_LINK_OK)
      return false;
  }
  for (auto it = chain.rbegin(); it != chain.rend(); ++it)
    gst_element_sync_state_with_parent(*it);
  return true;
}

bool InputChain::plug(Kind kind, GstCaps *caps) {
  GST_DEBUG_OBJECT(bin_, "plugging for %" GST_PTR_FORMAT, caps);
  std::vector<GstElement *> chain;
  if (!build(kind, caps, chain))
    return false;
  if (!link(chain)) {
    GST_ELEMENT_ERROR(bin_, CORE, NEGOTIATION, ("Can't send this sound to the channel."),
                      ("elements for %" GST_PTR_FORMAT " don't link", caps));
    return false;
  }
  if (!gst_ghost_pad_set_target(GST_GHOST_PAD(pad_), head(chain).get()))
    return false;
  kind_ = kind;
  return true;
}

void InputChain::on_type_found(GstElement *typefind, guint, GstCaps *caps,
                               InputChain *self) noexcept {
  const Kind kind = kind_of(caps);
  // Raw sound can't be told from bytes alone; what claims to be it has no rate.
  if (kind == Kind::none || kind == Kind::raw) {
    self->refuse(caps);
    return;
  }
  std::vector<GstElement *> chain;
  if (!self->build(kind, caps, chain))
    return;
  ObjectPtr<GstPad> found(gst_element_get_static_pad(typefind, "src"));
  if (!self->link(chain) || gst_pad_link(found.get(), self->head(chain).get()) != GST_PAD_LINK_OK)
    GST_ELEMENT_ERROR(self->bin_, CORE, NEGOTIATION, ("Can't send this sound to the channel."),
                      ("elements for %" GST_PTR_FORMAT " don't link", caps));
}

void InputChain::on_demuxer_pad(GstElement *, GstPad *pad, InputChain *self) noexcept {
  self->demuxed(pad);
}

void InputChain::on_refused(GstElement *, const char *why, InputChain *self) noexcept {
  self->refuse(std::string(why), nullptr);
}

void InputChain::demuxed(GstPad *pad) {
  CapsPtr caps(gst_pad_get_current_caps(pad));
  if (!caps)
    caps.reset(gst_pad_query_caps(pad, nullptr));
  ObjectPtr<GstPad> taken(gst_element_get_static_pad(exit_, "sink"));
  const char *media = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  if (g_str_has_prefix(media, "audio/") && !gst_pad_is_linked(taken.get())) {
    Kind kind = kind_of(caps.get());
    if (kind == Kind::none && !aac_fault(caps.get()).empty()) {
      refuse(caps.get());
      return;
    }
    if (kind == Kind::none)
      kind = Kind::coded;
    std::vector<GstElement *> chain;
    if (!build(kind, caps.get(), chain) || (kind == Kind::raw && !fit(caps.get())) || !link(chain))
      return;
    gst_pad_link(pad, head(chain).get());
    if (kind == Kind::coded)
      tell_if_refused(pad);
    return;
  }
  // A demuxer with no linked pad at all gives up, and the video may come first.
  GstElement *drain = make("fakesink", "libgstreamer1.0-0");
  if (!drain)
    return;
  // In PAUSED too nobody waits in it: the sound that ends the preroll may be behind the video.
  g_object_set(drain, "sync", FALSE, "async", FALSE, nullptr);
  gst_element_set_locked_state(drain, TRUE);
  gst_element_set_state(drain, GST_STATE_PLAYING);
  ObjectPtr<GstPad> sink(gst_element_get_static_pad(drain, "sink"));
  gst_pad_link(pad, sink.get());
}

void InputChain::unplug() {
  if (kind_ == Kind::none)
    return;
  // What the old elements still hold comes out first.
  ObjectPtr<GstPad> target(gst_ghost_pad_get_target(GST_GHOST_PAD(pad_)));
  if (target) {
    draining_ = true;
    gst_pad_send_event(target.get(), gst_event_new_eos());
    draining_ = false;
  }
  clear();
}

void InputChain::reset() {
  clear();
  rest();
}

void InputChain::clear() {
  gst_ghost_pad_set_target(GST_GHOST_PAD(pad_), nullptr);
  std::vector<ObjectPtr<GstElement>> elements;
  {
    std::lock_guard lock(mutex_);
    elements.swap(elements_);
  }
  for (ObjectPtr<GstElement> &element : elements) {
    // Whoever holds it may use it again.
    g_signal_handlers_disconnect_by_data(element.get(), this);
    gst_element_set_locked_state(element.get(), TRUE);
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_bin_remove(bin_, element.get());
  }
  lanes_.reset();
  at_lanes_ = Kind::none;
  lanes_caps_.reset();
  format_ = nullptr;
  encoders_ = {};
  intake_ = nullptr;
  starvation_.reset();
  came_out_ = false;
  priming_ = {};
  counts_ = false;
  reset_counts();
  far_.release();
  jumped_ = false;
  kind_ = Kind::none;
  refused_ = false;
}

}  // namespace agora
