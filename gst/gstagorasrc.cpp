// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-agorasrc
 * @title: agorasrc
 *
 * Listens to a voice channel: joins it, subscribes to every speaker, and gives their mix as one
 * continuous live raw stream, silence when no one speaks, whoever comes and goes.
 *
 * ```
 * gst-launch-1.0 agorasrc app-id=demo channel=room ! audioconvert ! autoaudiosink
 * ```
 */
#include "gst/gstagorasrc.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gst/common/channel-settings.hpp"
#include "gst/common/messages.hpp"
#include "gst/common/private-part.hpp"
#include "gst/src/listener.hpp"
#include "gst/src/mix-src.hpp"
#include "gst/src/speaker-faders.hpp"
#include "gst/src/src-stats.hpp"
#include "signaling/agora-error.h"

GST_DEBUG_CATEGORY(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace {

enum : guint {
  kLatency = agora::kSettingsEnd,
  kAdaptiveLatency,
  kExposeSpeakers,
  kSpeakerTimeout,
  kSpeakers,
  kLevelInterval,
};

constexpr guint kDefaultLatency = 100;
constexpr guint kDefaultSpeakerTimeout = 20;

struct State {
  explicit State(GstElement *element) : children(element, mixer) {}

  agora::ChannelSettingsStore settings;  // OBJECT_LOCK, as are the properties that follow
  guint latency = kDefaultLatency;
  bool adaptive = false;
  bool expose = false;
  guint speaker_timeout = kDefaultSpeakerTimeout;
  std::set<std::uint32_t> speakers;
  std::string bad_speakers;  // what was set instead, before the start
  std::atomic<GstClockTime> level_interval = 0;
  GstClockTime next_level = 0;  // streaming thread of the mix
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

static void gst_agora_src_uri_handler_init (gpointer iface, gpointer data);
static void gst_agora_src_child_proxy_init (gpointer iface, gpointer data);

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

constexpr const char *kNoUids =
    "speakers “%s” is not a list of uids, which are numbers from 1 to 4294967295, like “8,9”";

// "8, 9": the uids; nothing for what is no list of uids.
static std::optional<std::set<std::uint32_t>> parse_uids (const char *text) {
  std::set<std::uint32_t> uids;
  g_auto(GStrv) parts = g_strsplit(text ? text : "", ",", -1);
  for (char **part = parts; *part; part++) {
    guint64 uid;
    if (!*g_strstrip(*part))
      continue;
    if (!g_ascii_string_to_unsigned(*part, 10, 1, G_MAXUINT32, &uid, nullptr))
      return std::nullopt;
    uids.insert(static_cast<std::uint32_t>(uid));
  }
  return uids;
}

// What is no list makes the next start fail; what plays already goes on as it is.
static void gst_agora_src_set_speakers (GstAgoraSrc *src, const char *text) {
  State &self = *src->state;
  const auto uids = parse_uids(text);
  const auto listener = self.get();
  GST_OBJECT_LOCK(src);
  if (uids)
    self.speakers = *uids;
  self.bad_speakers = uids || listener ? "" : text;
  GST_OBJECT_UNLOCK(src);
  if (!listener)
    return;
  if (uids)
    listener->set_wanted(*uids);
  else
    GST_ELEMENT_WARNING(src, RESOURCE, SETTINGS, (kNoUids, text),
                        ("The last list is still the one that counts."));
}

static void gst_agora_src_set_property (GObject *object, guint id, const GValue *value,
                                        GParamSpec *pspec) {
  State &self = *GST_AGORA_SRC(object)->state;
  if (self.settings.set(object, id, value)) {
    const char *token = id == agora::kToken ? g_value_get_string(value) : nullptr;
    auto listener = token && *token ? self.get() : nullptr;
    if (listener)
      listener->renew_token(token);
    return;
  }
  switch (id) {
    case kLatency: {
      GST_OBJECT_LOCK(object);
      self.latency = g_value_get_uint(value);
      GST_OBJECT_UNLOCK(object);
      if (auto listener = self.get())
        listener->set_latency(g_value_get_uint(value) * GST_MSECOND);
      break;
    }
    case kAdaptiveLatency:
      GST_OBJECT_LOCK(object);
      self.adaptive = g_value_get_boolean(value);
      GST_OBJECT_UNLOCK(object);
      self.mixer->set_adaptive(g_value_get_boolean(value));
      break;
    case kExposeSpeakers:
      GST_OBJECT_LOCK(object);
      self.expose = g_value_get_boolean(value);
      GST_OBJECT_UNLOCK(object);
      break;
    case kSpeakerTimeout:
      GST_OBJECT_LOCK(object);
      self.speaker_timeout = g_value_get_uint(value);
      GST_OBJECT_UNLOCK(object);
      break;
    case kSpeakers:
      gst_agora_src_set_speakers(GST_AGORA_SRC(object), g_value_get_string(value));
      break;
    case kLevelInterval:
      self.level_interval = g_value_get_uint64(value);
      self.mixer->set_measuring(self.level_interval > 0);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_agora_src_get_property (GObject *object, guint id, GValue *value,
                                        GParamSpec *pspec) {
  State &self = *GST_AGORA_SRC(object)->state;
  auto listener = self.get();
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
    case agora::kStats:
      if (GstStructure *stats =
              listener ? listener->stats() : gst_structure_new_empty("agorasrc-stats")) {
        gst_structure_set(stats, "skipped-ms", G_TYPE_UINT64,
                          agora::mix_src_skipped(self.mix) / GST_MSECOND, nullptr);
        g_value_take_boxed(value, stats);
      }
      break;
    case kLatency:
      GST_OBJECT_LOCK(object);
      g_value_set_uint(value, self.latency);
      GST_OBJECT_UNLOCK(object);
      break;
    case kAdaptiveLatency:
      GST_OBJECT_LOCK(object);
      g_value_set_boolean(value, self.adaptive);
      GST_OBJECT_UNLOCK(object);
      break;
    case kExposeSpeakers:
      GST_OBJECT_LOCK(object);
      g_value_set_boolean(value, self.expose);
      GST_OBJECT_UNLOCK(object);
      break;
    case kSpeakerTimeout:
      GST_OBJECT_LOCK(object);
      g_value_set_uint(value, self.speaker_timeout);
      GST_OBJECT_UNLOCK(object);
      break;
    case kSpeakers: {
      std::string text;
      GST_OBJECT_LOCK(object);
      for (std::uint32_t uid : self.speakers)
        text += (text.empty() ? "" : ",") + std::to_string(uid);
      GST_OBJECT_UNLOCK(object);
      g_value_set_string(value, text.c_str());
      break;
    }
    case kLevelInterval:
      g_value_set_uint64(value, self.level_interval);
      break;
    default:
      if (!self.settings.get(object, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_agora_src_on_block (GstAgoraSrc *src, GstClockTime now) {
  State &self = *src->state;
  if (auto listener = self.get())
    listener->tick(now);
  const GstClockTime interval = self.level_interval;
  if (interval == 0 || now < self.next_level)
    return;
  self.next_level = std::max(self.next_level + interval, now);
  gst_element_post_message(
      GST_ELEMENT(src),
      gst_message_new_element(GST_OBJECT(src), agora::make_level(*self.mixer, now)));
}

static bool gst_agora_src_start (GstAgoraSrc *src) {
  State &self = *src->state;
  if (!agora::require_element(GST_ELEMENT(src), "rtmp2src", "gstreamer1.0-plugins-bad") ||
      !agora::require_element(GST_ELEMENT(src), "flvdemux", "gstreamer1.0-plugins-good"))
    return false;
  g_autoptr(GError) error = nullptr;
  agora::Listener::Options options;
  GST_OBJECT_LOCK(src);
  if (!self.bad_speakers.empty())
    error =
        g_error_new(AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT, kNoUids, self.bad_speakers.c_str());
  options.latency = self.latency * GST_MSECOND;
  options.speaker_timeout = self.speaker_timeout * GST_SECOND;
  options.expose = self.expose;
  options.wanted = self.speakers;
  GST_OBJECT_UNLOCK(src);
  if (error) {
    agora::post_failure(GST_ELEMENT(src), *error);
    return false;
  }
  options.on_speaker = [&self] (std::uint32_t uid) { self.children.ensure(uid); };
  options.on_gone = [&self] { self.children.tidy(); };
  self.next_level = 0;

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
                                                        GstStateChange transition) {
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

// What the application sends downstream is for the mix. A bin would give it to all of its sources,
// and those that receive speakers would end their sessions at an EOS, as gst-launch-1.0 -e sends
// it.
static gboolean gst_agora_src_send_event (GstElement *element, GstEvent *event) {
  State &self = *GST_AGORA_SRC(element)->state;
  if (!GST_EVENT_IS_DOWNSTREAM(event))
    return GST_ELEMENT_CLASS(gst_agora_src_parent_class)->send_event(element, event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
    if (auto listener = self.get())
      listener->end_pads();
  return gst_element_send_event(self.mix, event);
}

// A bin asks its sinks, and has none.
static gboolean gst_agora_src_query (GstElement *element, GstQuery *query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
    return GST_ELEMENT_CLASS(gst_agora_src_parent_class)->query(element, query);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "src");
  return gst_pad_query(pad, query);
}

// The bin's own elements are the mix and its converter; all others belong to one speaker.
static bool gst_agora_src_is_about_a_speaker (GstBin *bin, GstMessage *message) {
  GstObject *source = GST_MESSAGE_SRC(message);
  if (!source || source == GST_OBJECT(bin))
    return false;
  for (const char *name : {"mix", "convert"}) {
    g_autoptr(GstElement) own = gst_bin_get_by_name(bin, name);
    if (own && (source == GST_OBJECT(own) || gst_object_has_as_ancestor(source, GST_OBJECT(own))))
      return false;
  }
  return true;
}

static void gst_agora_src_handle_message (GstBin *bin, GstMessage *message) {
  auto listener = GST_AGORA_SRC(bin)->state->get();
  if ((listener && listener->take_message(message)) || agora::is_private_trouble(message)) {
    gst_message_unref(message);
    return;
  }
  // A session that is being taken down may still complain: nobody needs to know, least of all by an
  // ERROR.
  const bool complains = GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR ||
                         GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING;
  if (complains && gst_agora_src_is_about_a_speaker(bin, message)) {
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_agora_src_parent_class)->handle_message(bin, message);
}

// From here on nobody who still holds one of its parts reaches the element through it.
static void gst_agora_src_dispose (GObject *object) {
  State &self = *GST_AGORA_SRC(object)->state;
  gst_agora_src_stop(GST_AGORA_SRC(object));
  agora::release_mix_src(self.mix);
  self.children.clear();
  G_OBJECT_CLASS(gst_agora_src_parent_class)->dispose(object);
}

static void gst_agora_src_finalize (GObject *object) {
  State *self = GST_AGORA_SRC(object)->state;
  gst_object_unref(self->mix);
  delete self;
  G_OBJECT_CLASS(gst_agora_src_parent_class)->finalize(object);
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
  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  const auto ready = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, kLatency,
      g_param_spec_uint("latency", "Latency",
                        "Playout delay: from the jitter-free arrival of a sample to the moment at "
                        "which a synchronising sink plays it (ms)",
                        0, 10000, kDefaultLatency, live));
  g_object_class_install_property(
      object_class, kAdaptiveLatency,
      g_param_spec_boolean("adaptive-latency", "Adaptive latency",
                           "Play as early as the network's jitter allows, with latency as the "
                           "ceiling, by playing a per cent faster or slower at most",
                           FALSE, live));
  g_object_class_install_property(
      object_class, kExposeSpeakers,
      g_param_spec_boolean("expose-speakers", "Expose speakers",
                           "Give every speaker a pad speaker_UID with the encoded sound", FALSE,
                           ready));
  g_object_class_install_property(
      object_class, kSpeakerTimeout,
      g_param_spec_uint("speaker-timeout", "Speaker timeout",
                        "How long the pad of a speaker whose sound is lost waits for it (s)", 0,
                        G_MAXUINT / 1000, kDefaultSpeakerTimeout, ready));
  g_object_class_install_property(
      object_class, kSpeakers,
      g_param_spec_string("speakers", "Speakers",
                          "Whom to listen to, as a list of uids like 8,9; empty: everybody", "",
                          live));
  g_object_class_install_property(
      object_class, kLevelInterval,
      g_param_spec_uint64("level-interval", "Level interval",
                          "Post a message agora-level with each speaker's peak and RMS this often "
                          "(ns); 0: never",
                          0, G_MAXINT64, 0, live));

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &speaker_template);
  gst_element_class_set_static_metadata(element_class, "Agora channel source", "Source/Network",
                                        "Listens to every speaker of a voice channel",
                                        "The agora developers");
  element_class->change_state = gst_agora_src_change_state;
  element_class->query = gst_agora_src_query;
  element_class->send_event = gst_agora_src_send_event;
  GST_BIN_CLASS(klass)->handle_message = gst_agora_src_handle_message;
}

static void gst_agora_src_init (GstAgoraSrc *self) {
  State &state = *(self->state = new State(GST_ELEMENT(self)));
  agora::MixSrcHooks hooks;
  hooks.latency = [self] (GstClockTime latency) {
    if (auto listener = self->state->get())
      listener->pipeline_latency(latency);
  };
  // Gains slide to what they are at a block's end.
  hooks.before_block = [&state] (GstClockTime end) { state.children.sync(end); };
  hooks.after_block = [self] (GstClockTime now) { gst_agora_src_on_block(self, now); };
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
  // Where nobody takes the mix, it goes nowhere, and that is no error.
  g_autoptr(GstPad) inner = gst_ghost_pad_get_target(GST_GHOST_PAD(ghost));
  gst_pad_add_probe(
      inner,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      [] (GstPad *, GstPadProbeInfo *, gpointer pad) {
        return gst_pad_is_linked(GST_PAD(pad)) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
      },
      ghost, nullptr);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
}

static GstURIType gst_agora_src_uri_get_type (GType) {
  return GST_URI_SRC;
}

static const gchar *const *gst_agora_src_uri_get_protocols (GType) {
  static const gchar *protocols[] = {"agora", nullptr};
  return protocols;
}

static gchar *gst_agora_src_uri_get_uri (GstURIHandler *handler) {
  return GST_AGORA_SRC(handler)->state->settings.uri(G_OBJECT(handler));
}

static gboolean gst_agora_src_uri_set_uri (GstURIHandler *handler, const gchar *uri,
                                           GError **error) {
  return GST_AGORA_SRC(handler)->state->settings.set_uri(G_OBJECT(handler), uri, error);
}

static void gst_agora_src_uri_handler_init (gpointer iface, gpointer) {
  auto *handler = static_cast<GstURIHandlerInterface *>(iface);
  handler->get_type = gst_agora_src_uri_get_type;
  handler->get_protocols = gst_agora_src_uri_get_protocols;
  handler->get_uri = gst_agora_src_uri_get_uri;
  handler->set_uri = gst_agora_src_uri_set_uri;
}

static GObject *gst_agora_src_get_child_by_name (GstChildProxy *proxy, const gchar *name) {
  return GST_AGORA_SRC(proxy)->state->children.by_name(name);
}

static GObject *gst_agora_src_get_child_by_index (GstChildProxy *proxy, guint index) {
  return GST_AGORA_SRC(proxy)->state->children.by_index(index);
}

static guint gst_agora_src_get_children_count (GstChildProxy *proxy) {
  return GST_AGORA_SRC(proxy)->state->children.count();
}

// A bin tells of the elements inside, too, which aren't children here.
template <const char *signal>
static void gst_agora_src_speakers_alone (GstChildProxy *proxy, GObject *child, const gchar *) {
  if (!GST_IS_AGORA_SPEAKER(child))
    g_signal_stop_emission_by_name(proxy, signal);
}

static constexpr char kChildAdded[] = "child-added", kChildRemoved[] = "child-removed";

// The speakers, not the elements inside: those are nobody's business.
static void gst_agora_src_child_proxy_init (gpointer iface, gpointer) {
  auto *proxy = static_cast<GstChildProxyInterface *>(iface);
  proxy->get_child_by_name = gst_agora_src_get_child_by_name;
  proxy->get_child_by_index = gst_agora_src_get_child_by_index;
  proxy->get_children_count = gst_agora_src_get_children_count;
  proxy->child_added = gst_agora_src_speakers_alone<kChildAdded>;
  proxy->child_removed = gst_agora_src_speakers_alone<kChildRemoved>;
}
