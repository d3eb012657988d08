// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/messages.hpp"

#include <gst/pbutils/pbutils.h>

#include <string>

#include "gst/common/signal-thread.hpp"
#include "signaling/agora-error.h"

namespace agora {
namespace {

constexpr const char *kAboutSomebody[] = {"stream-added", "stream-removed", "mute-audio",
                                          "unmute-audio", "mute-video",     "unmute-video"};
constexpr const char *kAboutUs[] = {"token-privilege-will-expire", "token-privilege-did-expire",
                                    "client-banned"};

// What a person can do about it, and the code of GStreamer's that programs look at. What ends the
// membership for good says it in the text of its ERROR, the rest beside it.
struct Advice {
  GstResourceError code;
  const char *text;
  bool is_final = false;
};

Advice advice_for (const GError &error) {
  if (error.domain != AGORA_ERROR)
    return {GST_RESOURCE_ERROR_FAILED, ""};
  switch (error.code) {
    case AGORA_ERROR_INVALID_ARGUMENT:
    case AGORA_ERROR_BAD_ROLE_OR_UID:
    case AGORA_ERROR_BAD_REQUEST:
      return {GST_RESOURCE_ERROR_SETTINGS, "Set the property to a value that is allowed."};
    case AGORA_ERROR_INVALID_APP:
      return {GST_RESOURCE_ERROR_NOT_FOUND,
              "Set app-id to one that the gateway was started with (--app).", true};
    case AGORA_ERROR_TOKEN_EXPIRED:
    case AGORA_ERROR_TOKEN_INVALID:
    case AGORA_ERROR_TOKEN_MISSING:
      return {GST_RESOURCE_ERROR_NOT_AUTHORIZED,
              "Set token to a valid one, made for this app, channel and uid.", true};
    case AGORA_ERROR_TOKEN_UNEXPECTED:
      return {GST_RESOURCE_ERROR_NOT_AUTHORIZED, "Leave token unset: this app takes none.", true};
    case AGORA_ERROR_NOT_PERMITTED:
      return {GST_RESOURCE_ERROR_NOT_AUTHORIZED, "Set token to one that grants publishing audio."};
    case AGORA_ERROR_REPLACED:
      return {
          GST_RESOURCE_ERROR_BUSY,
          "That uid is in the channel by another process: choose another uid, or leave it unset.",
          true};
    case AGORA_ERROR_BANNED:
      return {
          GST_RESOURCE_ERROR_NOT_AUTHORIZED,
          "Ask the operator of the channel to let it in again, or wait until the ban is over; then "
          "start anew.",
          true};
    case AGORA_ERROR_TOO_MANY:
      return {GST_RESOURCE_ERROR_NO_SPACE_LEFT, "Try again later."};
    case AGORA_ERROR_INVALID_ORDER:
      return {GST_RESOURCE_ERROR_BUSY, ""};
    default:
      return {GST_RESOURCE_ERROR_OPEN_READ_WRITE,
              "Check the gateway property, and that agora-gateway is running there."};
  }
}

}  // namespace

void install_event_signals (GObjectClass *klass) {
  for (const char *name : kAboutSomebody)
    g_signal_new(name, G_OBJECT_CLASS_TYPE(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                 G_TYPE_NONE, 1, G_TYPE_UINT);
  for (const char *name : kAboutUs)
    g_signal_new(name, G_OBJECT_CLASS_TYPE(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                 G_TYPE_NONE, 0);
}

void announce_event (GstElement *element, const char *name, std::uint32_t uid) {
  const std::string message = std::string("agora-") + name;
  GstStructure *s = gst_structure_new_empty(message.c_str());
  GSignalQuery query;
  g_signal_query(g_signal_lookup(name, G_OBJECT_TYPE(element)), &query);
  if (query.signal_id == 0) {
    gst_structure_free(s);
    return;
  }
  if (query.n_params == 1) {
    gst_structure_set(s, "uid", G_TYPE_UINT, uid, nullptr);
    g_signal_emit(element, query.signal_id, 0, uid);
  } else {
    g_signal_emit(element, query.signal_id, 0);
  }
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), s));
}

static void post (GstElement *element, GstStructure *structure) {
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

void announce_reconnecting (GstElement *element, const GError &cause) {
  post(element,
       gst_structure_new("agora-reconnecting", "cause", G_TYPE_STRING, cause.message, nullptr));
}

void announce_reconnected (GstElement *element, GstClockTime duration) {
  post(element,
       gst_structure_new("agora-reconnected", "duration", G_TYPE_UINT64, duration, nullptr));
}

void announce_lost (GstElement *element, std::uint32_t uid, const char *cause) {
  post(element, gst_structure_new("agora-reconnecting", "cause", G_TYPE_STRING, cause, "uid",
                                  G_TYPE_UINT, uid, nullptr));
}

void announce_found (GstElement *element, std::uint32_t uid, GstClockTime duration) {
  post(element, gst_structure_new("agora-reconnected", "duration", G_TYPE_UINT64, duration, "uid",
                                  G_TYPE_UINT, uid, nullptr));
}

void post_missing_element (GstElement *element, const char *factory, const char *package) {
  gst_element_post_message(element, gst_missing_element_message_new(element, factory));
  GST_ELEMENT_ERROR(
      element, CORE, MISSING_PLUGIN,
      ("The GStreamer element %s is not installed: it comes with the Debian package %s.", factory,
       package),
      (nullptr));
}

void post_missing_decoder (GstElement *element, const GstCaps *caps) {
  gst_element_post_message(element, gst_missing_decoder_message_new(element, caps));
  g_autofree char *text = gst_caps_to_string(caps);
  GST_ELEMENT_ERROR(element, STREAM, CODEC_NOT_FOUND,
                    ("Nothing that is installed decodes %s. The Debian packages "
                     "gstreamer1.0-plugins-good and gstreamer1.0-libav have decoders.",
                     text),
                    (nullptr));
}

bool require_element (GstElement *element, const char *factory, const char *package) {
  g_autoptr(GstElementFactory) found = gst_element_factory_find(factory);
  if (!found)
    post_missing_element(element, factory, package);
  return found != nullptr;
}

void post_token_refused (GstElement *element, const GError &error) {
  GST_ELEMENT_WARNING(element, RESOURCE, NOT_AUTHORIZED,
                      ("The new token is not taken, the old one still counts: %s", error.message),
                      ("%s", advice_for(error).text));
}

namespace {

void post_now (GstElement *element, const GError &error) {
  const Advice advice = advice_for(error);
  std::string text = error.message;
  if (advice.is_final)
    text += std::string(". ") + advice.text;
  const bool beside = !advice.is_final && *advice.text;
  gst_element_message_full(element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, advice.code,
                           g_strdup(text.c_str()), beside ? g_strdup(advice.text) : nullptr,
                           __FILE__, GST_FUNCTION, __LINE__);
}

// A failure that waits until the application can hear it.
struct Pending {
  GWeakRef element;
  GError *error;
  int looks_left;
};

gboolean look_again (gpointer data) {
  auto *pending = static_cast<Pending *>(data);
  auto *element = static_cast<GstElement *>(g_weak_ref_get(&pending->element));
  if (!element)
    return G_SOURCE_REMOVE;
  gboolean more = G_SOURCE_REMOVE;
  if (GST_STATE(element) == GST_STATE_PLAYING || --pending->looks_left <= 0)
    post_now(element, *pending->error);
  else if (GST_STATE(element) > GST_STATE_READY || GST_STATE_NEXT(element) > GST_STATE_READY)
    more = G_SOURCE_CONTINUE;
  gst_object_unref(element);
  return more;
}

void free_pending (gpointer data) {
  auto *pending = static_cast<Pending *>(data);
  g_weak_ref_clear(&pending->element);
  g_error_free(pending->error);
  delete pending;
}

}  // namespace

void post_failure (GstElement *element, const GError &error) {
  // gst-launch-1.0 loses an ERROR that another thread posts while it still sets a live pipeline to
  // PAUSED: it quits a main loop that it then begins to run, and hangs. So one that comes before
  // PLAYING waits for it, but not for long: an application may want no more than PAUSED.
  constexpr unsigned kLookMs = 20;
  constexpr int kLooks = 25;
  const bool starting = GST_STATE(element) < GST_STATE_PLAYING;
  if (!starting || !g_main_context_is_owner(signal_context())) {
    post_now(element, error);
    return;
  }
  auto *pending = new Pending{{}, g_error_copy(&error), kLooks};
  g_weak_ref_init(&pending->element, element);
  GSource *timer = g_timeout_source_new(kLookMs);
  g_source_set_callback(timer, look_again, pending, free_pending);
  g_source_attach(timer, signal_context());
  g_source_unref(timer);
}

void post_late_failure (GstElement *element, const GError &error) {
  constexpr guint moment_ms = 100;
  struct Late {
    GstElement *element;
    GError *error;
  };
  GST_OBJECT_LOCK(element);
  const bool playing = GST_STATE(element) == GST_STATE_PLAYING;
  GST_OBJECT_UNLOCK(element);
  if (playing) {
    post_failure(element, error);
    return;
  }
  GSource *source = g_timeout_source_new(moment_ms);
  g_source_set_callback(
      source,
      [] (gpointer data) -> gboolean {
        const Late *late = static_cast<Late *>(data);
        GST_OBJECT_LOCK(late->element);
        const bool stopped = GST_STATE(late->element) < GST_STATE_PAUSED;
        GST_OBJECT_UNLOCK(late->element);
        if (!stopped)
          post_failure(late->element, *late->error);
        return G_SOURCE_REMOVE;
      },
      new Late{GST_ELEMENT(gst_object_ref(element)), g_error_copy(&error)},
      [] (gpointer data) {
        Late *late = static_cast<Late *>(data);
        gst_object_unref(late->element);
        g_error_free(late->error);
        delete late;
      });
  g_source_attach(source, signal_context());
  g_source_unref(source);
}

}  // namespace agora
