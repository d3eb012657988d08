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

#include <memory>
#include <mutex>

#include "gst/events.hpp"
#include "gst/mix-src.hpp"
#include "gst/settings.hpp"
#include "gst/src-listener.hpp"

GST_DEBUG_CATEGORY(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace {

enum : guint { kLatency = agora::kSettingsEnd };

constexpr guint kDefaultLatency = 100;
// What of the 500 ms that a stop may take the goodbye can have.
constexpr GstClockTime kGoodbye = 350 * GST_MSECOND;

struct State {
  agora::SettingsStore settings;    // OBJECT_LOCK
  guint latency = kDefaultLatency;  // OBJECT_LOCK
  std::shared_ptr<agora::Mixer> mixer = std::make_shared<agora::Mixer>();
  GstElement *mix = nullptr;  // owned by the bin

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

G_DEFINE_TYPE_WITH_CODE(GstAgoraSrc, gst_agora_src, GST_TYPE_BIN,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, gst_agora_src_uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(agorasrc, "agorasrc", GST_RANK_PRIMARY, GST_TYPE_AGORA_SRC)

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("audio/x-raw"));

static void gst_agora_src_set_property (GObject *object, guint id, const GValue *value,
                                        GParamSpec *pspec) {
  State &self = *GST_AGORA_SRC(object)->state;
  if (self.settings.set(object, id, value))
    return;
  switch (id) {
    case kLatency: {
      GST_OBJECT_LOCK(object);
      self.latency = g_value_get_uint(value);
      GST_OBJECT_UNLOCK(object);
      if (auto listener = self.get())
        listener->set_latency(g_value_get_uint(value) * GST_MSECOND);
      break;
    }
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
      g_value_take_boxed(value,
                         listener ? listener->stats() : gst_structure_new_empty("agorasrc-stats"));
      break;
    case kLatency:
      GST_OBJECT_LOCK(object);
      g_value_set_uint(value, self.latency);
      GST_OBJECT_UNLOCK(object);
      break;
    default:
      if (!self.settings.get(object, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static bool gst_agora_src_start (GstAgoraSrc *src) {
  State &self = *src->state;
  agora::Settings settings = self.settings.copy(G_OBJECT(src));
  GST_OBJECT_LOCK(src);
  const GstClockTime latency = self.latency * GST_MSECOND;
  GST_OBJECT_UNLOCK(src);

  auto listener = std::make_shared<agora::Listener>(GST_BIN(src), self.mixer, latency);
  {
    std::lock_guard lock(self.mutex);
    self.listener = listener;
  }
  g_autoptr(GError) error = nullptr;
  const bool started = listener->start(settings, &error);
  g_clear_object(&settings.client);
  if (!started) {
    agora::post_failure(GST_ELEMENT(src), *error);
    std::lock_guard lock(self.mutex);
    self.listener.reset();
  }
  return started;
}

static void gst_agora_src_stop (GstAgoraSrc *src) {
  State &self = *src->state;
  std::shared_ptr<agora::Listener> listener;
  {
    std::lock_guard lock(self.mutex);
    listener.swap(self.listener);
  }
  if (listener)
    listener->stop(kGoodbye);
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

static void gst_agora_src_handle_message (GstBin *bin, GstMessage *message) {
  auto listener = GST_AGORA_SRC(bin)->state->get();
  if (listener && listener->take_message(message)) {
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_agora_src_parent_class)->handle_message(bin, message);
}

static void gst_agora_src_finalize (GObject *object) {
  delete GST_AGORA_SRC(object)->state;
  G_OBJECT_CLASS(gst_agora_src_parent_class)->finalize(object);
}

static void gst_agora_src_class_init (GstAgoraSrcClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(gst_agora_src_debug, "agorasrc", 0, "listens to a voice channel");

  object_class->set_property = gst_agora_src_set_property;
  object_class->get_property = gst_agora_src_get_property;
  object_class->finalize = gst_agora_src_finalize;
  agora::install_settings(object_class);
  agora::install_event_signals(object_class);
  g_object_class_install_property(
      object_class, kLatency,
      g_param_spec_uint("latency", "Latency",
                        "Playout delay: from the jitter-free arrival of a sample to the moment at "
                        "which a synchronising sink plays it (ms)",
                        0, 10000, kDefaultLatency,
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_PLAYING)));

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Voice channel listener", "Source/Network/Audio",
      "Listens to every speaker of a voice channel", "The agora developers");
  element_class->change_state = gst_agora_src_change_state;
  GST_BIN_CLASS(klass)->handle_message = gst_agora_src_handle_message;
}

static void gst_agora_src_init (GstAgoraSrc *self) {
  State &state = *(self->state = new State());
  state.mix = agora::make_mix_src(state.mixer, [self] (GstClockTime latency) {
    if (auto listener = self->state->get())
      listener->pipeline_latency(latency);
  });
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
