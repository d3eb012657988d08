/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record GATEWAY APP CHANNEL FILE.ogg: records the mix of a channel until SIGINT or SIGTERM, and
 * says how each speaker comes over.
 *
 *   cc record.c -o record $(pkg-config --cflags --libs gstreamer-1.0)
 */
#include <glib-unix.h>
#include <gst/gst.h>

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *source;
  int status;
} Recorder;

/* The end of the file has to be written: EOS goes through it, and then comes as a message. */
static gboolean on_signal (gpointer data) {
  Recorder *self = data;
  gst_element_send_event(self->pipeline, gst_event_new_eos());
  return G_SOURCE_CONTINUE;
}

static gboolean on_message (GstBus *bus, GstMessage *message, gpointer data) {
  Recorder *self = data;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: {
      g_autoptr(GError) error = NULL;
      g_autofree char *details = NULL;
      gst_message_parse_error(message, &error, &details);
      g_printerr("record: %s\n%s\n", error->message, details != NULL ? details : "");
      self->status = 1;
      g_main_loop_quit(self->loop);
      break;
    }
    case GST_MESSAGE_EOS:
      g_main_loop_quit(self->loop);
      break;
    case GST_MESSAGE_ELEMENT: {
      const GstStructure *news = gst_message_get_structure(message);
      guint uid = 0;
      if (gst_structure_has_name(news, "agora-stream-added") &&
          gst_structure_get_uint(news, "uid", &uid))
        g_print("%u speaks\n", uid);
      else if (gst_structure_has_name(news, "agora-stream-removed") &&
               gst_structure_get_uint(news, "uid", &uid))
        g_print("%u has stopped\n", uid);
      break;
    }
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean print_statistics (gpointer data) {
  Recorder *self = data;
  GstStructure *stats = NULL;
  g_object_get(self->source, "stats", &stats, NULL);
  const GValue *value = stats != NULL ? gst_structure_get_value(stats, "speakers") : NULL;
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS /* GValueArray, which every language binding reads */
      GValueArray *speakers = value != NULL ? g_value_get_boxed(value) : NULL;
  for (guint i = 0; speakers != NULL && i < speakers->n_values; i++) {
    const GstStructure *speaker = g_value_get_boxed(g_value_array_get_nth(speakers, i));
    guint uid = 0;
    double queued = 0, jitter = 0;
    guint64 concealed = 0;
    gst_structure_get(speaker, "uid", G_TYPE_UINT, &uid, "queued-ms", G_TYPE_DOUBLE, &queued,
                      "jitter-ms", G_TYPE_DOUBLE, &jitter, "concealed-ms", G_TYPE_UINT64,
                      &concealed, NULL);
    g_print("%u: %.0f ms wait, jitter %.0f ms, %" G_GUINT64_FORMAT " ms concealed\n", uid, queued,
            jitter, concealed);
  }
  G_GNUC_END_IGNORE_DEPRECATIONS
  g_clear_pointer(&stats, gst_structure_free);
  return G_SOURCE_CONTINUE;
}

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc != 5) {
    g_printerr("usage: record GATEWAY APP CHANNEL FILE.ogg\n");
    return 2;
  }
  g_autoptr(GError) error = NULL;
  Recorder self = {.loop = g_main_loop_new(NULL, FALSE)};
  self.pipeline = gst_parse_launch(
      "agorasrc name=source ! audioconvert ! audioresample ! opusenc ! oggmux ! filesink name=file",
      &error);
  if (self.pipeline == NULL) {
    g_printerr("record: %s\n", error->message);
    return 1;
  }
  self.source = gst_bin_get_by_name(GST_BIN(self.pipeline), "source");
  g_object_set(self.source, "gateway", argv[1], "app-id", argv[2], "channel", argv[3], NULL);
  GstElement *file = gst_bin_get_by_name(GST_BIN(self.pipeline), "file");
  g_object_set(file, "location", argv[4], NULL);
  gst_object_unref(file);

  GstBus *bus = gst_element_get_bus(self.pipeline);
  guint sources[] = {
      gst_bus_add_watch(bus, on_message, &self), g_timeout_add_seconds(1, print_statistics, &self),
      g_unix_signal_add(SIGINT, on_signal, &self), g_unix_signal_add(SIGTERM, on_signal, &self)};
  gst_object_unref(bus);
  gst_element_set_state(self.pipeline, GST_STATE_PLAYING);
  g_main_loop_run(self.loop);

  gst_element_set_state(self.pipeline, GST_STATE_NULL);
  for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
    g_source_remove(sources[i]);
  gst_object_unref(self.source);
  gst_object_unref(self.pipeline);
  g_main_loop_unref(self.loop);
  return self.status;
}
