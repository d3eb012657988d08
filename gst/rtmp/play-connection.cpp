// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/play-connection.hpp"

#include <gst/audio/audio.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "gst/common/aac-format.hpp"
#include "gst/common/codecs.hpp"
#include "gst/common/flv-audio-buffer.hpp"
#include "gst/common/flv-silence.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/to-floats.hpp"
#include "gst/common/voice-codec.hpp"
#include "gst/rtmp/media-url.hpp"
#include "gst/rtmp/opus-feed.hpp"
#include "gst/rtmp/rtmp-connection.hpp"
#include "signaling/agora-error.h"

GST_DEBUG_CATEGORY_STATIC(agora_rtmp_debug);
#define GST_CAT_DEFAULT agora_rtmp_debug

namespace agora {
namespace {

GstStaticPadTemplate end_template =
    GST_STATIC_PAD_TEMPLATE("sound", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("audio/x-raw"));

// Until the first message; then RtmpSocket watches, which is cheaper. A look-up of a name is the
// element's alone.
constexpr guint kIdleSeconds = RtmpSocket::idle_us / G_USEC_PER_SEC;

// rtmp2src makes no tags of messages that are too short for one. They are seen by their bytes, of
// which this is more than a session is kept open with.
constexpr std::uint64_t kPiece = 256;

// Whether a decoder would find nothing to do for a parser.
bool is_framed (const GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gboolean framed = FALSE;
  return gst_structure_get_boolean(structure, "framed", &framed) && framed &&
         g_strcmp0(gst_structure_get_string(structure, "stream-format"), "raw") == 0;
}

bool is_raw (const GstCaps *caps) {
  return gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-raw");
}

// As a reader knows it.
std::string kind_of (const GstCaps *caps) {
  if (is_aac(caps))
    return describe_aac(caps);
  g_autofree char *text = gst_caps_to_string(caps);
  return text;
}

// What flvdemux makes of an AudioSpecificConfig is wrong for object types beyond 30, such as
// AAC-ELD, and a decoder believes it. Where SBR extends it, the rate is the extended one.
CapsPtr corrected (GstCaps *caps, const AacFormat &format) {
  CapsPtr right(gst_caps_copy(caps));
  if (!format.sbr && format.core_rate > 0)
    gst_caps_set_simple(right.get(), "rate", G_TYPE_INT, format.core_rate, nullptr);
  if (!format.sbr && format.core_channels > 0)
    gst_caps_set_simple(right.get(), "channels", G_TYPE_INT, format.core_channels, nullptr);
  return right;
}

// Whether each buffer is a whole frame already, which a parser couldn't improve.
bool needs_no_parser (const GstCaps *caps) {
  return is_framed(caps) || is_raw(caps) || is_opus(caps);
}

void send_sticky (GstPad *from, GstPad *to, GstEventType type) {
  if (GstEvent *event = gst_pad_get_sticky_event(from, type, 0))
    gst_pad_send_event(to, event);
}

// A decoder that refused caps is closed, and stays so at those that it took before: it takes them
// for what it knows already.
void begin_anew (GstPad *from, GstPad *to) {
  ObjectPtr<GstElement> decoder(gst_pad_get_parent_element(to));
  if (!decoder)
    return;
  gst_element_set_state(decoder.get(), GST_STATE_READY);
  gst_element_sync_state_with_parent(decoder.get());
  send_sticky(from, to, GST_EVENT_STREAM_START);
}

GstElement *make_nowhere () {
  GstElement *nowhere = gst_element_factory_make("fakesink", nullptr);
  if (nowhere)
    g_object_set(nowhere, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  return nowhere;
}

class ElementConnection final : public PlayConnection {
 public:
  ElementConnection(const std::string &url, Watcher *watcher, AuthoritiesPtr authorities);
  ~ElementConnection() override { close(told_by()); }

  void open () override;
  void cut () override { connection_->cut(); }
  bool ending () const override { return connection_->ending(); }
  void close (Deadline until) override;
  std::uint64_t came () const override { return tags_ + connection_->received() / kPiece; }
  std::string why_mute () const override;

 private:
  static void pad_added (GstElement *demuxer, GstPad *pad, gpointer self) noexcept;
  static GstPadProbeReturn received (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  static GstPadProbeReturn demuxed (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  static GstPadProbeReturn frame (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  bool is_asked_for (GstBuffer *frame, GstCaps *caps);
  void give (const DecodedSound &sound);
  static GstFlowReturn chain (GstPad *pad, GstObject *parent, GstBuffer *buffer) noexcept;
  static gboolean event (GstPad *pad, GstObject *parent, GstEvent *event) noexcept;
  GstElement *add (GstElement *element);
  void link (GstPad *pad);
  void link_audio (GstPad *pad, GstCaps *caps);
  static GstPadProbeReturn handed (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;

  Watcher *const watcher_;
  const AuthoritiesPtr authorities_;
  ObjectPtr<GstElement> bin_;
  ObjectPtr<GstPad> end_;
  std::unique_ptr<RtmpConnection> connection_;
  bool complete_ = false;  // all of its elements are installed
  std::atomic<std::uint64_t> tags_ = 0;
  LastMedia last_media_ = 0;
  // What came since the beginning.
  struct Came {
    FlvAudioFilter::Arrivals arrivals;
    std::uint64_t frames = 0;  // whole ones
    std::uint64_t asked = 0;   // those of them that somebody wants to hear
    std::string kind;          // of what is to be decoded, as a reader knows it
    std::string refused;       // why nothing decodes that, where it is known
    bool is_told = false;      // unplayable() has said it
  };
  mutable std::mutex mutex_;  // guards what follows; a leaf
  Came came_;
  Came heard_;  // the same, when the last sound was made of it

  // Streaming thread.
  bool linked_ = false;
  bool decoded_ = false;                               // what comes reaches the end
  bool closed_ = false;                                // it has refused the last ones
  bool accepted_ = false;                              // the decoder has taken the caps
  GstClockTime frame_duration_ = GST_CLOCK_TIME_NONE;  // of AAC
  FlvAudioFilter filter_;
  OpusFeed opus_{{
      .packet = [this] (GstBuffer *packet, GstCaps *caps) { return is_asked_for(packet, caps); },
      .sound =
          [this] (GstClockTime media, const OpusVoice::Sound &sound, int channels) {
            give({media, sound.samples, sound.frames, OpusVoice::kRate, channels, sound.context});
          },
      .link = [this] (GstPad *pad, GstCaps *caps) { link_audio(pad, caps); },
      .refused =
          [this] (const std::string &why) {
            std::lock_guard lock(mutex_);
            came_.refused = why;
          },
  }};
  ToFloats floats_;
};

ElementConnection::ElementConnection(const std::string &url, Watcher *watcher,
                                     AuthoritiesPtr authorities)
    : PlayConnection(url),
      watcher_(watcher),
      authorities_(std::move(authorities)),
      bin_(sink_ref(gst_bin_new(nullptr))) {
  end_ = sink_ref(gst_pad_new_from_static_template(&end_template, "sound"));
  gst_pad_set_element_private(end_.get(), this);
  gst_pad_set_chain_function(end_.get(), chain);
  gst_pad_set_event_function(end_.get(), event);

  ObjectPtr<GstElement> session = sink_ref(gst_element_factory_make("rtmp2src", "session"));
  ObjectPtr<GstElement> demuxer = sink_ref(gst_element_factory_make("flvdemux", "demuxer"));
  GST_DEBUG_CATEGORY_GET(agora_rtmp_debug, "agorartmp");
  g_autoptr(GError) fault = nullptr;
  if (!check_media_url(url, &fault))
    GST_WARNING("%s", fault->message);
  complete_ = session && demuxer && !fault;
  if (complete_) {
    g_object_set(session.get(), "location", url.c_str(), "idle-timeout", kIdleSeconds, nullptr);
    gst_bin_add_many(GST_BIN(bin_.get()), session.get(), demuxer.get(), nullptr);
    gst_element_link(session.get(), demuxer.get());
    g_signal_connect(demuxer.get(), "pad-added", G_CALLBACK(pad_added), this);
    ObjectPtr<GstPad> src(gst_element_get_static_pad(session.get(), "src"));
    gst_pad_add_probe(src.get(),
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      received, this, nullptr);
  }
  connection_ = std::make_unique<RtmpConnection>(
      complete_ ? session.get() : bin_.get(), bin_.get(), [this] (const GError &error) {
        if (g_error_matches(&error, AGORA_ERROR, AGORA_ERROR_UNTRUSTED))
          watcher_->untrusted(*this, error);
        else
          watcher_->ended(*this);
      });
}

void ElementConnection::open() {
  gst_pad_set_active(end_.get(), TRUE);
  if (!complete_ || !connection_->open(authorities_, &last_media_))
    watcher_->ended(*this);
}

void ElementConnection::close(Deadline until) {
  gst_pad_set_active(end_.get(), FALSE);
  connection_->close(until);
}

std::string ElementConnection::why_mute() const {
  FlvAudioFilter::Arrivals since;
  std::uint64_t asked = 0;
  std::string kind;
  {
    std::lock_guard lock(mutex_);
    const std::uint64_t frames = came_.frames - heard_.frames;
    asked = came_.asked - heard_.asked;
    since = came_.arrivals;
    since.counts = since.counts - heard_.arrivals.counts;
    // Most of what came are whole frames.
    if (frames > 0 && frames >= (since.counts.tags() - since.counts.video) / 2) {
      if (came_.is_told || asked == 0)
        return {};
      if (!came_.refused.empty())
        return came_.refused;
      return "no frame of its sound can be decoded: " + came_.kind;
    }
    if (!came_.refused.empty() && since.counts.passed + since.counts.configs > 0)
      return came_.refused;
  }
  return why_silent(since);
}

// What a parser or a decoder says is wrong with the sound: the session goes on, and may bring
// better.
GstElement *ElementConnection::add(GstElement *element) {
  gst_bin_add(GST_BIN(bin_.get()), element);
  gst_element_set_bus(element, nullptr);
  gst_element_sync_state_with_parent(element);
  return element;
}

// What rtmp2src gives, a tag at a time: what nobody asked for would end what they did.
GstPadProbeReturn ElementConnection::received(GstPad *pad, GstPadProbeInfo *info,
                                              gpointer data) noexcept {
  auto *self = static_cast<ElementConnection *>(data);
  const bool is_opus = self->filter_.is_opus();
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
    // Where sound comes the decoder has some yet: its end is the session's.
    if (!self->decoded_)
      self->watcher_->ended(*self);
    if (!is_opus)
      return GST_PAD_PROBE_OK;
    self->opus_.end();
    return GST_PAD_PROBE_DROP;
  }
  if (self->last_media_.exchange(g_get_monotonic_time()) == 0)
    g_object_set(GST_PAD_PARENT(pad), "idle-timeout", 0U, nullptr);
  GstBuffer *came = GST_PAD_PROBE_INFO_BUFFER(info);
  BufferPtr tags = filter_flv_audio(came, self->filter_);
  {
    std::lock_guard lock(self->mutex_);
    self->came_.arrivals = self->filter_.arrivals();
    self->tags_ = self->came_.arrivals.counts.tags();
  }
  if (!tags)
    return GST_PAD_PROBE_DROP;
  gst_buffer_unref(came);
  if (!self->filter_.is_opus()) {
    GST_PAD_PROBE_INFO_DATA(info) = tags.release();
    return GST_PAD_PROBE_OK;
  }
  // Opus goes past the demuxer, which would fail at it.
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = self->opus_.push(tags.get());
  return GST_PAD_PROBE_HANDLED;
}

void ElementConnection::pad_added(GstElement *, GstPad *pad, gpointer self) noexcept {
  static_cast<ElementConnection *>(self)->link(pad);
}

// Video of other members is let fall where it comes out.
void ElementConnection::link(GstPad *pad) {
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  const char *type = caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
  if (g_str_has_prefix(type, "audio/") && !linked_) {
    linked_ = true;
    link_audio(pad, caps);
    return;
  }
  if (GstElement *nowhere = make_nowhere()) {
    add(nowhere);
    ObjectPtr<GstPad> sink(gst_element_get_static_pad(nowhere, "sink"));
    gst_pad_link(pad, sink.get());
  }
}

// Where nothing decodes them, frames can be recorded as they are.
void ElementConnection::link_audio(GstPad *pad, GstCaps *caps) {
  if (is_aac(caps))
    gst_pad_add_probe(pad,
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      demuxed, this, nullptr);
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      handed, this, nullptr);
  ObjectPtr<GstPad> entry;  // where whole frames go
  if (is_raw(caps)) {
    decoded_ = true;
    entry.reset(GST_PAD(gst_object_ref(end_.get())));
  } else {
    GstElement *last = make_decoder(caps);
    if (last) {
      add(last);
      ObjectPtr<GstPad> src(gst_element_get_static_pad(last, "src"));
      gst_pad_link(src.get(), end_.get());
      decoded_ = true;
    } else {
      {
        std::lock_guard lock(mutex_);
        came_.is_told = true;
      }
      watcher_->unplayable(*this, {Unplayable::no_decoder, caps});
      last = make_nowhere();
      if (!last)
        return;
      add(last);
    }
    entry.reset(gst_element_get_static_pad(last, "sink"));
  }
  gst_pad_add_probe(entry.get(), GST_PAD_PROBE_TYPE_BUFFER, frame, this, nullptr);
  GstElement *parser = needs_no_parser(caps) ? nullptr : make_parser(caps);
  if (!parser) {
    gst_pad_link(pad, entry.get());
    return;
  }
  add(parser);
  ObjectPtr<GstPad> sink(gst_element_get_static_pad(parser, "sink"));
  ObjectPtr<GstPad> src(gst_element_get_static_pad(parser, "src"));
  gst_pad_link(src.get(), entry.get());
  gst_pad_link(pad, sink.get());
}

// What the demuxer says of AAC is put right, and each frame gets the duration that it has.
GstPadProbeReturn ElementConnection::demuxed(GstPad *, GstPadProbeInfo *info,
                                             gpointer data) noexcept {
  auto *self = static_cast<ElementConnection *>(data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer *frame = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    if (!GST_BUFFER_DURATION_IS_VALID(frame))
      GST_BUFFER_DURATION(frame) = self->frame_duration_;
    GST_PAD_PROBE_INFO_DATA(info) = frame;
    return GST_PAD_PROBE_OK;
  }
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  GstCaps *caps = nullptr;
  gst_event_parse_caps(event, &caps);
  const AacFormat format = AacFormat::of(caps);
  self->frame_duration_ = format.frame_duration();
  const CapsPtr right = corrected(caps, format);
  GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_caps(right.get());
  gst_event_unref(event);
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn ElementConnection::frame(GstPad *pad, GstPadProbeInfo *info,
                                           gpointer data) noexcept {
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  return static_cast<ElementConnection *>(data)->is_asked_for(GST_PAD_PROBE_INFO_BUFFER(info), caps)
             ? GST_PAD_PROBE_OK
             : GST_PAD_PROBE_DROP;
}

// A whole frame: whether to decode it.
bool ElementConnection::is_asked_for(GstBuffer *frame, GstCaps *caps) {
  {
    std::lock_guard lock(mutex_);
    came_.frames++;
  }
  if (!caps || !GST_BUFFER_PTS_IS_VALID(frame) || !watcher_->frame(*this, frame, caps))
    return false;
  std::lock_guard lock(mutex_);
  came_.asked++;
  return true;
}

void ElementConnection::give(const DecodedSound &sound) {
  {
    std::lock_guard lock(mutex_);
    heard_.arrivals.counts = came_.arrivals.counts;
    heard_.frames = came_.frames;
    heard_.asked = came_.asked;
  }
  watcher_->sound(*this, sound);
}

GstFlowReturn ElementConnection::chain(GstPad *pad, GstObject *, GstBuffer *buffer) noexcept {
  auto *self = static_cast<ElementConnection *>(gst_pad_get_element_private(pad));
  BufferPtr owned(buffer);
  if (!GST_BUFFER_PTS_IS_VALID(buffer) || !self->floats_.valid())
    return GST_FLOW_OK;
  GstAudioBuffer mapped;
  if (!gst_audio_buffer_map(&mapped, self->floats_.in(), buffer, GST_MAP_READ))
    return GST_FLOW_OK;
  const float *samples = self->floats_.convert(&mapped);
  self->give({GST_BUFFER_PTS(buffer), samples, mapped.n_samples, self->floats_.rate(),
              self->floats_.channels()});
  gst_audio_buffer_unmap(&mapped);
  return GST_FLOW_OK;
}

gboolean ElementConnection::event(GstPad *pad, GstObject *parent, GstEvent *event) noexcept {
  auto *self = static_cast<ElementConnection *>(gst_pad_get_element_private(pad));
  GstCaps *caps;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps(event, &caps);
      if (!self->floats_.set_caps(caps)) {
        {
          std::lock_guard lock(self->mutex_);
          self->came_.is_told = true;
        }
        self->watcher_->unplayable(*self, {Unplayable::no_conversion, caps});
      }
      break;
    case GST_EVENT_EOS:
      self->watcher_->ended(*self);
      break;
    default:
      break;
  }
  return gst_pad_event_default(pad, parent, event);
}

// Hands things on by itself, for what doesn't take them would end the session: the flow's error
// goes up to its source. Other caps may come, and be taken.
GstPadProbeReturn ElementConnection::handed(GstPad *pad, GstPadProbeInfo *info,
                                            gpointer data) noexcept {
  auto *self = static_cast<ElementConnection *>(data);
  ObjectPtr<GstPad> peer(gst_pad_get_peer(pad));
  if (!peer)
    return GST_PAD_PROBE_OK;
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstFlowReturn flow = GST_FLOW_OK;
    if (self->accepted_) {
      flow = gst_pad_chain(peer.get(), buffer);
    } else {
      // It can still be recorded.
      g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
      self->is_asked_for(buffer, caps);
      gst_buffer_unref(buffer);
    }
    const bool is_over = flow == GST_FLOW_FLUSHING || flow == GST_FLOW_EOS;
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = is_over ? flow : GST_FLOW_OK;
    return GST_PAD_PROBE_HANDLED;
  }
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  GstCaps *caps = nullptr;
  gst_event_parse_caps(event, &caps);
  const std::string kind = kind_of(caps);
  std::string refused = is_aac(caps) ? aac_fault(caps) : "";
  const bool anew = std::exchange(self->closed_, false);
  if (anew)
    begin_anew(pad, peer.get());
  self->accepted_ = gst_pad_send_event(peer.get(), event);
  self->closed_ = !self->accepted_;
  if (anew)
    send_sticky(pad, peer.get(), GST_EVENT_SEGMENT);
  if (refused.empty() && !self->accepted_)
    refused = "nothing that is installed decodes it: " + kind;
  std::lock_guard lock(self->mutex_);
  self->came_.kind = kind;
  self->came_.refused = refused;
  return GST_PAD_PROBE_HANDLED;
}

}  // namespace

std::shared_ptr<PlayConnection> make_play_connection (const std::string &url,
                                                      PlayConnection::Watcher *watcher,
                                                      AuthoritiesPtr authorities) {
  return std::make_shared<ElementConnection>(url, watcher, std::move(authorities));
}

}  // namespace agora
