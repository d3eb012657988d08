// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-agorasrc
 * @title: agorasrc
 * @see_also: agorasink, #GstAgoraSpeaker
 *
 * Listens to a voice channel: joins it, subscribes to every speaker, and gives their mix as one
 * live raw stream without an end, silence while nobody speaks.
 *
 * ```
 * gst-launch-1.0 agorasrc app-id=demo channel=room ! audioconvert ! autoaudiosink
 * ```
 *
 * ## Pads
 *
 * - `src` (always): the mix, in the format that downstream asks for.
 * - `speaker_%u` (sometimes, with #GstAgoraSrc:expose-speakers): one speaker's sound as it was
 *   sent, AAC or Opus, stamped with the running time at which the mix has it. It comes and goes
 *   with the speaker, by `pad-added` and `pad-removed`; it ends with EOS.
 *
 * ## Children
 *
 * Each speaker is a child of the element (#GstChildProxy) by the name `speaker-UID`: a
 * #GstAgoraSpeaker with its volume and place in the mix.
 *
 * ## Element messages
 *
 * - `agora-level`, each #GstAgoraSrc:level-interval: `running-time` (#guint64, ns) and `speakers`,
 *   a #GValueArray of #GstStructure with `uid` (#guint), `peak` and `rms` (#gdouble, dB of full
 *   scale, since the last message, before the volume), and where it has one `name` (string).
 * - `agora-silence`, with #GstAgoraSrc:silence-time: `silent` (#gboolean), `duration` (#guint64,
 *   ns) of the silence so far, `running-time` (#guint64, ns); with `uid` (#guint) of that speaker,
 *   and where it has one its `name` (string); without, of the mix. The silence of a speaker that
 *   goes is over, and so is each that isn't watched any more.
 * - `agora-loudness`, each #GstAgoraSrc:loudness-interval: `running-time`; `momentary`,
 * `short-term` and `integrated` (#gdouble, LUFS) of the mix; `speakers`, a #GValueArray of
 * #GstStructure with `uid` and the same three, and where it has one `name`.
 * - `agora-reconnecting`: the channel is lost and is tried again; `cause` (string) is for people.
 *   With `uid` (#guint) only that speaker's sound is lost.
 * - `agora-reconnected`: it is back after `duration` (#guint64, ns); with `uid` where that was
 *   about a speaker. One that never comes back gets none: `agora-stream-removed` ends its trouble,
 *   as does taking it out of #GstAgoraSrc:speakers.
 * - `agora-member-named`: `uid` (#guint) and `name` (string, empty: none any more) of a speaker.
 * - `agora-member-joined`, with #GstAgoraSrc:list-members: `uid` (#guint), and where it has one
 *   `name` (string); `agora-member-left`: `uid`.
 * - `agora-data`: `uid` (#guint) of who says it, and `text` (string).
 * - `agora-` and the name of each other signal about the channel, with `uid` where the signal has
 *   one.
 *
 * Messages may be posted from any thread.
 *
 * Since: 0.1
 */
#include "gst/gstagorasrc.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "gst/common/failures.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/messages.hpp"
#include "gst/common/private-part.hpp"
#include "gst/common/uri-handler.hpp"
#include "gst/src/listener.hpp"
#include "gst/src/mix-src.hpp"
#include "gst/src/speaker-faders.hpp"
#include "gst/src/src-monitor.hpp"
#include "gst/src/src-settings.hpp"
#include "gst/src/src-stats.hpp"
#include "signaling/agora-error.h"

GST_DEBUG_CATEGORY(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace {

struct State {
  explicit State(GstElement *element) : children(element, mixer) {}

  agora::ChannelSettingsStore settings;
  agora::SrcSettingsStore own;
  GstClockTime next_level = 0;  // streaming thread of the mix
  agora::MonitorNews monitor;   // likewise
  std::shared_ptr<agora::Mixer> mixer = std::make_shared<agora::Mixer>();
  agora::SpeakerFaders children;
  GstElement *mix = nullptr;  // a reference of its own: the bin lets go of its children in dispose

  std::mutex mutex;                           // guards the pointer; a leaf
  std::shared_ptr<agora::Listener> listener;  // while started

  std::shared_ptr<agora::Listener> get () {
    std::lock_guard lock(mutex);
    return listener;
  }
};

}  // namespace

struct _GstAgoraSrc {
  GstBin parent;
  State *state;
};

static agora::ChannelSettingsStore &gst_agora_src_settings (gpointer self) {
  return GST_AGORA_SRC(self)->state->settings;
}

constexpr auto gst_agora_src_uri_handler_init =
    agora::implement_uri_handler<GST_URI_SRC, gst_agora_src_settings>;

static void gst_agora_src_child_proxy_init (gpointer iface, gpointer data) noexcept;

G_DEFINE_TYPE_WITH_CODE(GstAgoraSrc, gst_agora_src, GST_TYPE_BIN,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, gst_agora_src_uri_handler_init)
                            G_IMPLEMENT_INTERFACE(GST_TYPE_CHILD_PROXY,
                                                  gst_agora_src_child_proxy_init))
GST_ELEMENT_REGISTER_DEFINE(agorasrc, "agorasrc", GST_RANK_PRIMARY, GST_TYPE_AGORA_SRC)

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("audio/x-raw, rate = (int) [ 8000, 192000 ]"));

static GstStaticPadTemplate speaker_template = GST_STATIC_PAD_TEMPLATE(
    "speaker_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS("audio/mpeg; audio/x-opus"));

/* What GLib and GStreamer call is noexcept: what is thrown ends the process there, instead of
 * unwinding through their frames. */

static void gst_agora_src_set_speakers (GstAgoraSrc *src, const char *text) {
  State &self = *src->state;
  const auto listener = self.get();
  const auto uids = self.own.set_speakers(G_OBJECT(src), text, listener != nullptr);
  if (!listener)
    return;
  if (uids)
    listener->set_wanted(*uids);
  else
    GST_ELEMENT_WARNING(src, RESOURCE, SETTINGS, (agora::kNotUids, text),
                        ("The list that was set before stays."));
}

// Elements inside take it over at once.
static void gst_agora_src_changed (GstAgoraSrc *src, guint id, const GValue *value) {
  State &self = *src->state;
  const auto listener = self.get();
  switch (id) {
    case agora::kToken: {
      const char *token = g_value_get_string(value);
      if (listener && token && *token)
        listener->renew_token(token);
      break;
    }
    case agora::kLatency:
      if (listener)
        listener->set_latency(g_value_get_uint(value) * GST_MSECOND);
      break;
    case agora::kAdaptiveLatency:
      self.mixer->set_adaptive(g_value_get_boolean(value));
      break;
    case agora::kLevelInterval:
      self.mixer->set_measuring(g_value_get_uint64(value) > 0);
      if (listener)
        agora::look_at_times(GST_ELEMENT(src), self.own);
      break;
    case agora::kLimiter:
      self.mixer->set_limiting(g_value_get_boolean(value));
      break;
    case agora::kDuck:
      self.mixer->set_duck(g_value_get_double(value));
      break;
    case agora::kSilenceThreshold:
    case agora::kSilenceTime:
    case agora::kLoudnessInterval:
    case agora::kLoudnessTarget:
      self.mixer->set_monitoring(
          agora::monitor_settings(self.own.copy(G_OBJECT(src)), self.own.loudness_interval()));
      if (listener)
        agora::look_at_times(GST_ELEMENT(src), self.own);
      break;
    default:
      break;
  }
}

static void gst_agora_src_set_property (GObject *object, guint id, const GValue *value,
                                        GParamSpec *pspec) noexcept {
  State &self = *GST_AGORA_SRC(object)->state;
  if (id == agora::kSpeakers)
    gst_agora_src_set_speakers(GST_AGORA_SRC(object), g_value_get_string(value));
  else if (self.settings.set(object, id, value) || self.own.set(object, id, value))
    gst_agora_src_changed(GST_AGORA_SRC(object), id, value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_agora_src_get_property (GObject *object, guint id, GValue *value,
                                        GParamSpec *pspec) noexcept {
  State &self = *GST_AGORA_SRC(object)->state;
  const auto listener = self.get();
  switch (id) {
    case agora::kUid:
      if (listener && listener->uid())
        g_value_set_uint(value, listener->uid());
      else
        self.settings.get(object, id, value);
      break;
    case agora::kConnectionState:
      g_value_set_string(value, listener ? listener->state() : "idle");
      break;
    case agora::kStats: {
      GstStructure *stats =
          listener ? listener->stats() : gst_structure_new_empty("agorasrc-stats");
      gst_structure_set(stats, "skipped-ms", G_TYPE_UINT64,
                        agora::mix_src_skipped(self.mix) / GST_MSECOND, nullptr);
      g_value_take_boxed(value, stats);
      break;
    }
    default:
      if (!self.settings.get(object, id, value) && !self.own.get(object, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_agora_src_on_block (GstAgoraSrc *src, GstClockTime now) {
  State &self = *src->state;
  const auto listener = self.get();
  if (listener)
    listener->tick(now);
  const auto names = [&] { return listener ? listener->names() : agora::SpeakerNames(); };
  self.monitor.post(GST_ELEMENT(src), self.own, *self.mixer, now, names);
  const GstClockTime interval = self.own.level_interval();
  // Running time that began anew, and a shorter interval, are not waited for.
  if (interval == 0 || (now < self.next_level && self.next_level <= now + interval))
    return;
  self.next_level = std::clamp(self.next_level + interval, now, now + interval);
  gst_element_post_message(
      GST_ELEMENT(src),
      gst_message_new_element(GST_OBJECT(src), agora::make_level(*self.mixer, now, names())));
}

static bool gst_agora_src_start (GstAgoraSrc *src) {
  State &self = *src->state;
  if (!agora::require_element(GST_ELEMENT(src), "rtmp2src", "gstreamer1.0-plugins-bad") ||
      !agora::require_element(GST_ELEMENT(src), "flvdemux", "gstreamer1.0-plugins-good"))
    return false;
  g_autoptr(GError) error = nullptr;
  const agora::SrcSettings own = self.own.copy(G_OBJECT(src));
  if (!own.bad_speakers.empty()) {
    error = g_error_new(AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT, agora::kNotUids,
                        own.bad_speakers.c_str());
    agora::post_failure(GST_ELEMENT(src), *error);
    return false;
  }
  agora::Listener::Options options;
  options.latency = own.latency_ms * GST_MSECOND;
  options.speaker_timeout = own.speaker_timeout_s * GST_SECOND;
  options.expose = own.expose;
  options.fast_start = own.fast_start;
  options.wanted = own.speakers;
  options.on_speaker = [&self] (std::uint32_t uid) { self.children.ensure(uid); };
  options.on_gone = [&self] { self.children.tidy(); };
  self.next_level = 0;
  self.monitor.reset();
  agora::look_at_times(GST_ELEMENT(src), self.own);

  agora::ChannelSettings settings = self.settings.copy(G_OBJECT(src));
  auto listener = std::make_shared<agora::Listener>(GST_BIN(src), self.mixer, options);
  const bool joined = listener->join(settings, &error);
  g_clear_object(&settings.client);
  if (!joined) {
    agora::post_failure(GST_ELEMENT(src), *error);
    return false;
  }
  {
    std::lock_guard lock(self.mutex);
    self.listener = listener;
  }
  listener->enter();
  return true;
}

static void gst_agora_src_stop (GstAgoraSrc *src) {
  State &self = *src->state;
  std::shared_ptr<agora::Listener> listener;
  {
    std::lock_guard lock(self.mutex);
    listener.swap(self.listener);
  }
  if (listener)
    listener->stop(agora::kLeaveBudget);
}

static GstStateChangeReturn gst_agora_src_change_state (GstElement *element,
                                                        GstStateChange transition) noexcept {
  GstAgoraSrc *src = GST_AGORA_SRC(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !gst_agora_src_start(src))
    return GST_STATE_CHANGE_FAILURE;
  const GstStateChangeReturn ret =
      GST_ELEMENT_CLASS(gst_agora_src_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret == GST_STATE_CHANGE_FAILURE))
    gst_agora_src_stop(src);
  return ret;
}

// What the application sends downstream is for the mix. An EOS, as gst-launch-1.0 -e sends it, is
// the end of every pad and session.
static gboolean gst_agora_src_send_event (GstElement *element, GstEvent *event) noexcept {
  State &self = *GST_AGORA_SRC(element)->state;
  if (!GST_EVENT_IS_DOWNSTREAM(event))
    return GST_ELEMENT_CLASS(gst_agora_src_parent_class)->send_event(element, event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    const auto listener = self.get();
    if (!listener) {
      // What hasn't begun has no end: a GstBaseSrc would keep the event, and never let it go.
      gst_event_unref(event);
      return FALSE;
    }
    listener->end();
  }
  return gst_element_send_event(self.mix, event);
}

// A bin asks its sinks, and has none.
static gboolean gst_agora_src_query (GstElement *element, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
    return GST_ELEMENT_CLASS(gst_agora_src_parent_class)->query(element, query);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "src");
  // None once it was disposed of.
  return pad && gst_pad_query(pad, query);
}

static void gst_agora_src_handle_message (GstBin *bin, GstMessage *message) noexcept {
  // A speaker's pad has a queue.
  if (agora::is_private_trouble(message)) {
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_agora_src_parent_class)->handle_message(bin, message);
}

// From here on nobody who still holds one of its parts reaches the element through it.
static void gst_agora_src_dispose (GObject *object) noexcept {
  State &self = *GST_AGORA_SRC(object)->state;
  gst_agora_src_stop(GST_AGORA_SRC(object));
  agora::release_mix_src(self.mix);
  self.children.clear();
  G_OBJECT_CLASS(gst_agora_src_parent_class)->dispose(object);
}

static void gst_agora_src_finalize (GObject *object) noexcept {
  State *self = GST_AGORA_SRC(object)->state;
  gst_object_unref(self->mix);
  delete self;
  G_OBJECT_CLASS(gst_agora_src_parent_class)->finalize(object);
}

static gboolean gst_agora_src_send_data (GstElement *element, const char *text,
                                         const agora::UidList &to) noexcept {
  const auto listener = GST_AGORA_SRC(element)->state->get();
  if (listener)
    listener->send_data(text, to);
  return listener != nullptr;
}

static void gst_agora_src_class_init (GstAgoraSrcClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(gst_agora_src_debug, "agorasrc", 0, "listens to a voice channel");

  object_class->set_property = gst_agora_src_set_property;
  object_class->get_property = gst_agora_src_get_property;
  object_class->dispose = gst_agora_src_dispose;
  object_class->finalize = gst_agora_src_finalize;
  agora::install_settings(object_class);
  agora::install_event_signals(object_class);
  agora::install_data_signals(object_class, gst_agora_src_send_data);
  agora::install_src_settings(object_class);
  gst_type_mark_as_plugin_api(GST_TYPE_AGORA_SPEAKER, static_cast<GstPluginAPIFlags>(0));

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &speaker_template);
  gst_element_class_set_static_metadata(element_class, "Agora channel source", "Source/Network",
                                        "Plays the mix of all speakers of a voice channel, live",
                                        "The agora developers");
  element_class->change_state = gst_agora_src_change_state;
  element_class->query = gst_agora_src_query;
  element_class->send_event = gst_agora_src_send_event;
  GST_BIN_CLASS(klass)->handle_message = gst_agora_src_handle_message;
}

// Where nobody takes the mix, it goes nowhere, and that is no error.
static GstPadProbeReturn gst_agora_src_on_mix (GstPad *inside, GstPadProbeInfo *,
                                               gpointer) noexcept {
  const agora::ObjectPtr<GstProxyPad> ghost(gst_proxy_pad_get_internal(GST_PROXY_PAD(inside)));
  return ghost && gst_pad_is_linked(GST_PAD(ghost.get())) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

static void gst_agora_src_init_parts (GstAgoraSrc *self) noexcept {
  State &state = *(self->state = new State(GST_ELEMENT(self)));
  agora::MixSrcHooks hooks;
  hooks.latency = [self] (GstClockTime latency, bool patient) noexcept {
    if (auto listener = self->state->get())
      listener->pipeline_latency(latency, patient);
  };
  // Gains slide to what they are at a block's end.
  hooks.before_block = [&state] (GstClockTime end) noexcept { state.children.sync(end); };
  hooks.after_block = [self] (GstClockTime now) noexcept { gst_agora_src_on_block(self, now); };
  state.mix = GST_ELEMENT(gst_object_ref_sink(agora::make_mix_src(state.mixer, std::move(hooks))));
  // Makes any format, rate and layout that downstream asks for out of what the mix can't be itself.
  GstElement *convert = gst_element_factory_make("audioconvert", "convert");
  GstPad *ghost = nullptr;
  GstPadTemplate *pad_template =
      gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self), "src");
  if (convert) {
    gst_bin_add_many(GST_BIN(self), state.mix, convert, nullptr);
    gst_element_link(state.mix, convert);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(convert, "src");
    ghost = gst_ghost_pad_new_from_template("src", pad, pad_template);
  } else {
    gst_bin_add(GST_BIN(self), state.mix);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(state.mix, "src");
    ghost = gst_ghost_pad_new_from_template("src", pad, pad_template);
  }
  gst_element_add_pad(GST_ELEMENT(self), ghost);
  // On the ghost pad's own inside: the parts may outlive the element, and that doesn't.
  const agora::ObjectPtr<GstProxyPad> inside(gst_proxy_pad_get_internal(GST_PROXY_PAD(ghost)));
  gst_pad_add_probe(
      GST_PAD(inside.get()),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      gst_agora_src_on_mix, nullptr, nullptr);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
}

static void gst_agora_src_init (GstAgoraSrc *self) {
  gst_agora_src_init_parts(self);
}

static GObject *gst_agora_src_get_child_by_name (GstChildProxy *proxy, const gchar *name) noexcept {
  return GST_AGORA_SRC(proxy)->state->children.by_name(name);
}

static GObject *gst_agora_src_get_child_by_index (GstChildProxy *proxy, guint index) noexcept {
  return GST_AGORA_SRC(proxy)->state->children.by_index(index);
}

static guint gst_agora_src_get_children_count (GstChildProxy *proxy) noexcept {
  return GST_AGORA_SRC(proxy)->state->children.count();
}

// A bin tells of the elements inside, too, which aren't children here.
template <const char *signal>
static void gst_agora_src_speakers_alone (GstChildProxy *proxy, GObject *child,
                                          const gchar *) noexcept {
  if (!GST_IS_AGORA_SPEAKER(child))
    g_signal_stop_emission_by_name(proxy, signal);
}

static constexpr char kChildAdded[] = "child-added", kChildRemoved[] = "child-removed";

// The speakers, not the elements inside: those are nobody's business.
static void gst_agora_src_child_proxy_init (gpointer iface, gpointer) noexcept {
  auto *proxy = static_cast<GstChildProxyInterface *>(iface);
  proxy->get_child_by_name = gst_agora_src_get_child_by_name;
  proxy->get_child_by_index = gst_agora_src_get_child_by_index;
  proxy->get_children_count = gst_agora_src_get_children_count;
  proxy->child_added = gst_agora_src_speakers_alone<kChildAdded>;
  proxy->child_removed = gst_agora_src_speakers_alone<kChildRemoved>;
}
