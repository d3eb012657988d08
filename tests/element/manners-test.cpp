// SPDX-License-Identifier: LGPL-2.1-or-later
// What every element of GStreamer's does, and ours do as well: URIs only while nothing runs, an EOS
// from the application, a place among the others.
#include <string>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

constexpr const char *kAnother = "agora://127.0.0.1:1/other/place?uid=5";

std::string uri_of (GstElement *element) {
  g_autofree char *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(element));
  return uri ? uri : "";
}

void refuses_uri (GstElement *element) {
  const std::string before = uri_of(element);
  g_autoptr(GError) error = nullptr;
  g_assert_false(gst_uri_handler_set_uri(GST_URI_HANDLER(element), kAnother, &error));
  g_assert_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE);
  g_assert_nonnull(strstr(error->message, GST_OBJECT_NAME(element)));
  g_assert_nonnull(strstr(error->message, "READY"));
  g_assert_true(uri_of(element) == before);
}

// An element that is in a channel goes on with that one, whatever its properties say.
void test_uri () {
  GatewayProcess gateway;
  Pipeline pipeline("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7") +
                    "agorasrc name=listener" + in_room(gateway) + "! fakesink");
  for (const char *name : {"host", "listener"}) {
    g_autoptr(GstElement) element = pipeline.get(name);
    for (const GstState state : {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED}) {
      pipeline.set_state(state);
      refuses_uri(element);
    }
    pipeline.set_state(GST_STATE_READY);
    g_autoptr(GError) error = nullptr;
    gst_uri_handler_set_uri(GST_URI_HANDLER(element), kAnother, &error);
    g_assert_no_error(error);
    g_assert_true(uri_of(element) == "agora://127.0.0.1:1/other/place?uid=5");
    g_object_set(element, "gateway", gateway.ws().c_str(), "app-id", "demo", "channel", "room",
                 nullptr);
  }
}

// Time limits as programs set them: the same number, of either sign, and what it is by default.
void test_time_limits () {
  for (const char *name : {"agorasink", "agorasrc"}) {
    g_autoptr(GstElement) element =
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(name, nullptr)));
    gint seconds = 0;
    gboolean first = TRUE;
    g_object_get(element, "reconnect-timeout", &seconds, "retry-first-join", &first, nullptr);
    g_assert_cmpint(seconds, ==, 1200);
    g_assert_false(first);
    // As a program does that knows it as the unsigned number that it was.
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_UINT);
    g_value_set_uint(&value, 60);
    g_object_set_property(G_OBJECT(element), "reconnect-timeout", &value);
    guint same = 0;
    g_object_get(element, "reconnect-timeout", &same, nullptr);
    g_assert_cmpuint(same, ==, 60);
    gst_util_set_object_arg(G_OBJECT(element), "reconnect-timeout", "-1");
    g_object_get(element, "reconnect-timeout", &seconds, nullptr);
    g_assert_cmpint(seconds, ==, -1);
    g_value_unset(&value);
  }
}

// For ever takes part in a channel like any other limit does.
void test_for_ever () {
  GatewayProcess gateway;
  Pipeline pipeline("audiotestsrc is-live=true ! agorasink name=host reconnect-timeout=-1" +
                    in_room(gateway, "uid=7"));
  Pipeline listening("agorasrc name=listener reconnect-timeout=-1 level-interval=50000000" +
                     in_room(gateway) + "! fakesink sync=true");
  pipeline.set_state(GST_STATE_PLAYING);
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(listening.heard(7));
  gateway.kill();
  WAIT_UNTIL(pipeline.told("agora-reconnecting") == 1);
  WAIT_UNTIL(listening.told("agora-reconnecting") == 1);
  gateway.start();
  WAIT_UNTIL(pipeline.told("agora-reconnected") == 1);
  listening.heard(7);
  WAIT_UNTIL(listening.heard(7));
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/manners/uri", test_uri);
  g_test_add_func("/manners/time-limits", test_time_limits);
  g_test_add_func("/manners/for-ever", test_for_ever);
  return g_test_run();
}
