// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/failures.hpp"

#include <gst/pbutils/pbutils.h>

#include <memory>
#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/object-lock.hpp"
#include "gst/common/signal-thread.hpp"
#include "signaling/agora-error.h"

namespace agora {
namespace {

// How often, and how many times, an element is looked at that doesn't play yet: for half a second,
// since an application may want no more than PAUSED.
constexpr unsigned kLookMs = 20;
constexpr int kLooks = 25;

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
      return {GST_RESOURCE_ERROR_SETTINGS,
              "The text above names the property and what it takes; gst-inspect-1.0 lists all of "
              "them."};
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
      return {GST_RESOURCE_ERROR_NOT_AUTHORIZED,
              "The token must grant publishing audio, and the operator of the channel allow it."};
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
    case AGORA_ERROR_UNTRUSTED:
      return {GST_RESOURCE_ERROR_NOT_AUTHORIZED,
              "Whoever runs the server has to renew its certificate, or ca-file has to name its "
              "authority."};
    case AGORA_ERROR_TOO_MANY:
      return {GST_RESOURCE_ERROR_NO_SPACE_LEFT, "Try again later."};
    case AGORA_ERROR_INVALID_ORDER:
      return {GST_RESOURCE_ERROR_BUSY, ""};
    case AGORA_ERROR_NO_SERVER:
      return {GST_RESOURCE_ERROR_OPEN_READ_WRITE,
              "Check the property ap-url, and whether gateways run behind it."};
    case AGORA_ERROR_INTERNAL:
    case AGORA_ERROR_SERVICE_LOST:
      return {GST_RESOURCE_ERROR_OPEN_READ_WRITE,
              "Try again later. The log of the gateway says more."};
    default:
      return {GST_RESOURCE_ERROR_OPEN_READ_WRITE,
              "Check the property gateway, and the server that it names."};
  }
}

}  // namespace

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

void post_data_refused (GstElement *element, const GError &error) {
  GST_ELEMENT_WARNING(element, RESOURCE, WRITE, ("Data is not sent: %s", error.message), (nullptr));
}

void post_list_refused (GstElement *element, const GError &error) {
  GST_ELEMENT_WARNING(element, RESOURCE, READ,
                      ("Who else is in the channel isn't known: %s", error.message), (nullptr));
}

void post_failure (GstElement *element, const GError &error) {
  const Advice advice = advice_for(error);
  std::string text = error.message;
  if (advice.is_final)
    text += std::string(". ") + advice.text;
  const bool beside = !advice.is_final && *advice.text;
  gst_element_message_full(element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, advice.code,
                           g_strdup(text.c_str()), beside ? g_strdup(advice.text) : nullptr,
                           __FILE__, GST_FUNCTION, __LINE__);
}

namespace {

bool is_playing (GstElement *element) {
  const ObjectLock lock(element);
  return GST_STATE(element) == GST_STATE_PLAYING;
}

bool is_stopped (GstElement *element) {
  const ObjectLock lock(element);
  return GST_STATE(element) <= GST_STATE_READY && GST_STATE_NEXT(element) <= GST_STATE_READY;
}

// A failure that waits for its element to play. Signalling thread.
class Pending {
 public:
  Pending(GstElement *element, const GError &error) : error_(g_error_copy(&error)) {
    g_weak_ref_init(&element_, element);
  }
  ~Pending() { g_weak_ref_clear(&element_); }
  Pending(const Pending &) = delete;
  Pending &operator=(const Pending &) = delete;

  static gboolean look (gpointer self) noexcept { return static_cast<Pending *>(self)->look(); }
  static void discard (gpointer self) noexcept { delete static_cast<Pending *>(self); }

 private:
  gboolean look () noexcept {
    const ObjectPtr<GstElement> element(static_cast<GstElement *>(g_weak_ref_get(&element_)));
    if (!element || is_stopped(element.get()))
      return G_SOURCE_REMOVE;
    if (!is_playing(element.get()) && --looks_left_ > 0)
      return G_SOURCE_CONTINUE;
    post_failure(element.get(), *error_);
    return G_SOURCE_REMOVE;
  }

  GWeakRef element_;
  std::unique_ptr<GError, ErrorFree> error_;
  int looks_left_ = kLooks;
};

}  // namespace

void post_late_failure (GstElement *element, const GError &error) {
  if (is_playing(element)) {
    post_failure(element, error);
    return;
  }
  GSource *timer = g_timeout_source_new(kLookMs);
  g_source_set_callback(timer, Pending::look, new Pending(element, error), Pending::discard);
  g_source_attach(timer, signal_context());
  g_source_unref(timer);
}

}  // namespace agora
