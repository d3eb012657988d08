// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-agorasink
 * @title: agorasink
 *
 * Publishes what it is fed as this member's voice in a channel. Takes raw audio, AAC, Opus or FLV,
 * with or without caps, and sends AAC or Opus, by what its listeners play. Clock, preroll, PAUSED,
 * seeks, EOS, position and latency are those of a #GstBaseSink. The network never blocks it: what
 * the network doesn't take in #GstAgoraSink:max-backlog is dropped, the oldest first.
 *
 * ```
 * gst-launch-1.0 autoaudiosrc ! agorasink gateway=ws://127.0.0.1:8080/api app-id=demo channel=room
 * ```
 *
 * ## Pads
 *
 * - `sink` (always): the voice, raw or encoded.
 *
 * ## Element messages
 *
 * Beside an EOS, once all that was queued has gone out, and an ERROR for a failure:
 *
 * - `agora-reconnecting`, with `cause` (string): the connection is lost, and is being repaired. The
 *   pipeline stays PLAYING. From any thread.
 * - `agora-reconnected`, with `duration` (#guint64, nanoseconds since it was lost).
 * - one for each signal of the channel, such as `agora-stream-added`, with `uid` (#guint) where the
 *   signal has it. From the signalling thread.
 *
 * Since: 0.1
 */
#include "gst/gstagorasink.h"

#include <memory>

#include "gst/common/channel-settings.hpp"
#include "gst/common/messages.hpp"
#include "gst/common/private-part.hpp"
#include "gst/common/uri-handler.hpp"
#include "gst/sink/publisher.hpp"
#include "gst/sink/sink-settings.hpp"

GST_DEBUG_CATEGORY(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

struct _GstAgoraSink {
  GstBin parent;

  GstPad *pad;  // a reference of its own: the element lets go of its pads in dispose
  agora::ChannelSettingsStore *channel;
  agora::SinkSettingsStore *settings;
  agora::Publisher *core;
};

static agora::ChannelSettingsStore &gst_agora_sink_settings (gpointer self) {
  return *GST_AGORA_SINK(self)->channel;
}

constexpr auto gst_agora_sink_uri_handler_init =
    agora::implement_uri_handler<GST_URI_SINK, gst_agora_sink_settings>;

G_DEFINE_TYPE_WITH_CODE(GstAgoraSink, gst_agora_sink, GST_TYPE_BIN,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER,
                                              gst_agora_sink_uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(agorasink, "agorasink", GST_RANK_NONE, GST_TYPE_AGORA_SINK)

// The caps are looked at before the pad judges them: a refusal is to say why.
static GstPadProbeReturn on_sink_data (GstPad *, GstPadProbeInfo *info,
                                       gpointer user_data) noexcept {
  auto *self = static_cast<GstAgoraSink *>(user_data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      self->core->accept_caps(caps);
    }
    return GST_PAD_PROBE_OK;
  }
  if (self->core->prepare())
    return GST_PAD_PROBE_OK;
  gst_mini_object_unref(GST_MINI_OBJECT(GST_PAD_PROBE_INFO_DATA(info)));
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_NOT_NEGOTIATED;
  return GST_PAD_PROBE_HANDLED;
}

static gboolean on_sink_event (GstPad *pad, GstObject *parent, GstEvent *event) noexcept {
  const bool ends = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
  const gboolean done = gst_pad_event_default(pad, parent, event);
  if (ends)
    GST_AGORA_SINK(parent)->core->pad_ended();
  return done;
}

static gboolean on_sink_query (GstPad *pad, GstObject *parent, GstQuery *query) noexcept {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS: {
      // Not what is plugged now: that changes with the caps.
      GstCaps *filter = nullptr;
      gst_query_parse_caps(query, &filter);
      agora::CapsPtr ours(agora::InputChain::template_caps());
      if (filter)
        ours.reset(gst_caps_intersect_full(filter, ours.get(), GST_CAPS_INTERSECT_FIRST));
      gst_query_set_caps_result(query, ours.get());
      return TRUE;
    }
    case GST_QUERY_ACCEPT_CAPS: {
      GstCaps *caps = nullptr;
      gst_query_parse_accept_caps(query, &caps);
      agora::CapsPtr ours(agora::InputChain::template_caps());
      gst_query_set_accept_caps_result(query, gst_caps_is_subset(caps, ours.get()));
      return TRUE;
    }
    default:
      return gst_pad_query_default(pad, parent, query);
  }
}

// Parsers and demuxers would pull a file through the pad at their own pace.
static gboolean on_inner_query (GstPad *pad, GstObject *parent, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) != GST_QUERY_SCHEDULING)
    return gst_pad_query_default(pad, parent, query);
  gst_query_set_scheduling(query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1, 0);
  gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
  return TRUE;
}

static void gst_agora_sink_init_parts (GstAgoraSink *self) noexcept {
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
  gst_bin_set_suppressed_flags(
      GST_BIN(self), static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE |
                                                  GST_ELEMENT_FLAG_PROVIDE_CLOCK));

  GstPadTemplate *pad_template =
      gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self), "sink");
  self->pad =
      GST_PAD(gst_object_ref_sink(gst_ghost_pad_new_no_target_from_template("sink", pad_template)));
  gst_pad_add_probe(
      self->pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_BUFFER |
                                   GST_PAD_PROBE_TYPE_BUFFER_LIST),
      on_sink_data, self, nullptr);
  gst_pad_set_event_function(self->pad, on_sink_event);
  gst_pad_set_query_function(self->pad, on_sink_query);
  agora::ObjectPtr<GstProxyPad> inner(gst_proxy_pad_get_internal(GST_PROXY_PAD(self->pad)));
  gst_pad_set_query_function(GST_PAD(inner.get()), on_inner_query);
  gst_element_add_pad(GST_ELEMENT(self), self->pad);

  self->channel = std::make_unique<agora::ChannelSettingsStore>().release();
  self->settings = std::make_unique<agora::SinkSettingsStore>().release();
  self->core = std::make_unique<agora::Publisher>(GST_BIN(self), self->pad).release();
}

static void gst_agora_sink_init (GstAgoraSink *self) {
  gst_agora_sink_init_parts(self);
}

// Nothing of it runs any more, also where the last reference went before the element was stopped.
// It may run twice.
static void gst_agora_sink_dispose (GObject *object) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(object);
  self->core->stop();
  self->core->stopped();
  gst_element_set_state(self->core->frame_sink(), GST_STATE_NULL);
  G_OBJECT_CLASS(gst_agora_sink_parent_class)->dispose(object);
}

static void gst_agora_sink_finalize (GObject *object) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(object);
  delete self->core;
  gst_object_unref(self->pad);
  delete self->settings;
  delete self->channel;
  G_OBJECT_CLASS(gst_agora_sink_parent_class)->finalize(object);
}

static void gst_agora_sink_set_talk_to (GstAgoraSink *self, const char *text) noexcept {
  const auto uids = self->settings->set_talk_to(G_OBJECT(self), text, self->core->started());
  if (uids)
    self->core->set_talk_to(*uids);
  else if (self->core->started())
    GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS, (agora::kNotAddressees, text),
                        ("The list that was set before stays."));
}

static void gst_agora_sink_set_property (GObject *object, guint id, const GValue *value,
                                         GParamSpec *pspec) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(object);
  if (self->channel->set(object, id, value)) {
    if (id == agora::kToken) {
      const char *token = g_value_get_string(value);
      self->core->renew_token(token ? token : "");
    }
    return;
  }
  if (agora::is_base_property(id)) {
    g_object_set_property(G_OBJECT(self->core->frame_sink()), pspec->name, value);
    return;
  }
  if (id == agora::kMuted) {
    self->core->set_muted(g_value_get_boolean(value));
    return;
  }
  if (id == agora::kMaxBacklog) {
    self->core->set_max_backlog(g_value_get_uint(value));
    return;
  }
  if (id == agora::kTalkTo) {
    gst_agora_sink_set_talk_to(self, g_value_get_string(value));
    return;
  }
  const bool is_set = self->settings->set(object, id, value);
  if (id == agora::kCodec)
    self->core->set_codec(static_cast<agora::CodecChoice>(g_value_get_enum(value)));
  if (!is_set)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_agora_sink_get_property (GObject *object, guint id, GValue *value,
                                         GParamSpec *pspec) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(object);
  if (agora::is_base_property(id)) {
    g_object_get_property(G_OBJECT(self->core->frame_sink()), pspec->name, value);
    return;
  }
  switch (id) {
    case agora::kMuted:
      g_value_set_boolean(value, self->core->muted());
      return;
    case agora::kMaxBacklog:
      g_value_set_uint(value, self->core->max_backlog());
      return;
    case agora::kPushUrl: {
      const std::string url = self->core->push_url();
      g_value_set_string(value, url.empty() ? nullptr : url.c_str());
      return;
    }
    case agora::kStats:
      g_value_take_boxed(value, self->core->stats());
      return;
    case agora::kConnectionState:
      g_value_set_string(value, self->core->connection_state());
      return;
    case agora::kUid:
      if (self->core->uid()) {
        g_value_set_uint(value, self->core->uid());
        return;
      }
      break;
    default:
      break;
  }
  if (!self->channel->get(object, id, value) && !self->settings->get(object, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static GstStateChangeReturn gst_agora_sink_change_state (GstElement *element,
                                                         GstStateChange transition) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    const agora::SinkSettings settings = self->settings->copy(G_OBJECT(self));
    if (!self->core->start(self->channel->copy(G_OBJECT(self)), settings)) {
      self->core->stop();
      self->core->stopped();
      return GST_STATE_CHANGE_FAILURE;
    }
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
    self->core->set_playing(true);
  } else if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) {
    self->core->set_playing(false);
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    self->core->stop();
  }

  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_agora_sink_parent_class)->change_state(element, transition);

  const bool refused =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (refused)
    self->core->stop();
  if (refused || transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    self->core->stopped();
  return result;
}

// A sink's upstream events and queries begin at its end. Before the first sound nothing is plugged
// in between: then at its pad.
static gboolean gst_agora_sink_send_event (GstElement *element, GstEvent *event) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(element);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
    return self->core->send_end(event);
  if (!GST_EVENT_IS_UPSTREAM(event))
    return GST_ELEMENT_CLASS(gst_agora_sink_parent_class)->send_event(element, event);
  agora::ObjectPtr<GstPad> end(gst_element_get_static_pad(self->core->frame_sink(), "sink"));
  if (gst_pad_is_linked(end.get()) || GST_EVENT_TYPE(event) == GST_EVENT_STEP)
    return self->core->send_event(event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY)
    self->core->send_event(gst_event_ref(event));
  return gst_pad_push_event(self->pad, event);
}

static gboolean gst_agora_sink_query (GstElement *element, GstQuery *query) noexcept {
  GstAgoraSink *self = GST_AGORA_SINK(element);
  return self->core->query(query) || gst_pad_peer_query(self->pad, query);
}

// Whatever else is in here is no sink of the pipeline: EOS and the like are the frame sink's alone.
static gboolean gst_agora_sink_add_element (GstBin *bin, GstElement *element) noexcept {
  const GstAgoraSink *self = GST_AGORA_SINK(bin);
  // While it is being made, it has no core yet: the frame sink comes first.
  if (self->core)
    GST_OBJECT_FLAG_UNSET(element, GST_ELEMENT_FLAG_SINK);
  return GST_BIN_CLASS(gst_agora_sink_parent_class)->add_element(bin, element);
}

static void gst_agora_sink_handle_message (GstBin *bin, GstMessage *message) noexcept {
  // While it is being made, it has no core yet, and adds children.
  const GstAgoraSink *self = GST_AGORA_SINK(bin);
  if ((self->core && self->core->swallow(message)) || agora::is_private_trouble(message)) {
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_agora_sink_parent_class)->handle_message(bin, message);
}

static void gst_agora_sink_update_push_url (GstAgoraSink *self) noexcept {
  self->core->update_push_url();
}

static gboolean gst_agora_sink_send_data (GstElement *element, const char *text,
                                          const agora::UidList &to) noexcept {
  return GST_AGORA_SINK(element)->core->send_data(text, to);
}

static void gst_agora_sink_class_init (GstAgoraSinkClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(agora_sink_debug, "agorasink", 0, "agorasink");

  object_class->dispose = gst_agora_sink_dispose;
  object_class->finalize = gst_agora_sink_finalize;
  object_class->set_property = gst_agora_sink_set_property;
  object_class->get_property = gst_agora_sink_get_property;
  element_class->change_state = gst_agora_sink_change_state;
  element_class->send_event = gst_agora_sink_send_event;
  element_class->query = gst_agora_sink_query;
  GST_BIN_CLASS(klass)->add_element = gst_agora_sink_add_element;
  GST_BIN_CLASS(klass)->handle_message = gst_agora_sink_handle_message;

  agora::install_settings(object_class);
  agora::install_sink_settings(object_class);
  agora::install_event_signals(object_class);
  agora::install_data_signals(object_class, gst_agora_sink_send_data);
  /**
   * GstAgoraSink::update-push-url:
   * @sink: the element
   *
   * Action signal: asks the gateway for a new push URL. The session to it opens beside the old one,
   * and the listeners miss nothing. Returns at once; does nothing while the element isn't in a
   * channel. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler("update-push-url", GST_TYPE_AGORA_SINK,
                             static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                             G_CALLBACK(gst_agora_sink_update_push_url), nullptr, nullptr, nullptr,
                             G_TYPE_NONE, 0);

  // The pad `sink`: raw audio, AAC, Opus or FLV, which may change while it plays; with no caps at
  // all, bytes of AAC or FLV, which are found out.
  agora::CapsPtr caps(agora::InputChain::template_caps());
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps.get()));
  // Not "Audio": autoaudiosink is to leave it alone.
  gst_element_class_set_static_metadata(
      element_class, "Agora channel sink", "Sink/Network",
      "Publishes a voice in a channel: takes raw audio, AAC, Opus or FLV", "The agora developers");
  gst_type_mark_as_plugin_api(agora::on_gap_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(agora::codec_choice_type(), static_cast<GstPluginAPIFlags>(0));
}
