/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* desk GATEWAY APP CHANNEL [VOICE [EAR]]: a mixing desk. It talks and hears as one member, shows
 * how loud each speaker is, and has a fader for each: the line "8 0.5" on standard input sets that
 * of 8. It says when the way to the gateway is lost and found, and when the operator keeps it off
 * the air.
 *
 *   cc desk.c -o desk $(pkg-config --cflags --libs gstreamer-1.0)
 *
 * VOICE and EAR are pieces of a pipeline, as gst-launch-1.0 has them; desk.py and desk.js are the
 * same. */
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *mouth, *ears;
  int status;
} Desk;

static void show_levels (const GstStructure *news) {
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS /* GValueArray, which every language binding reads */
      GValueArray *speakers = g_value_get_boxed(gst_structure_get_value(news, "speakers"));
  for (guint i = 0; i < speakers->n_values; i++) {
    const GstStructure *speaker = g_value_get_boxed(g_value_array_get_nth(speakers, i));
    guint uid = 0;
    double peak = 0;
    gst_structure_get(speaker, "uid", G_TYPE_UINT, &uid, "peak", G_TYPE_DOUBLE, &peak, NULL);
    g_print("level %u %.1f dB\n", uid, peak);
  }
  G_GNUC_END_IGNORE_DEPRECATIONS
}

/* What the channel tells. Both elements are one member: both hear who comes and goes. */
static void on_news (Desk *self, GstObject *from, const GstStructure *news) {
  const char *name = gst_structure_get_name(news);
  guint uid = 0; /* of one speaker; there is none where all of the element is meant */
  gst_structure_get_uint(news, "uid", &uid);
  g_autofree char *who = uid != 0 ? g_strdup_printf("%u", uid) : gst_object_get_name(from);

  if (g_str_equal(name, "agora-level")) {
    show_levels(news);
  } else if (g_str_equal(name, "agora-stream-added") && from == GST_OBJECT(self->ears)) {
    g_print("%s speaks\n", who);
  } else if (g_str_equal(name, "agora-stream-removed") && from == GST_OBJECT(self->ears)) {
    g_print("%s has stopped\n", who);
  } else if (g_str_equal(name, "agora-reconnecting")) {
    g_print("%s: reconnecting: %s\n", who, gst_structure_get_string(news, "cause"));
  } else if (g_str_equal(name, "agora-reconnected")) {
    guint64 duration = 0;
    gst_structure_get_uint64(news, "duration", &duration);
    g_print("%s: back after %.1f s\n", who, duration / 1e9);
  } else if (g_str_equal(name, "agora-silenced")) {
    g_print("%s: kept off the air by the operator\n", who);
  } else if (g_str_equal(name, "agora-unsilenced")) {
    g_print("%s: may speak again\n", who);
  }
}

static gboolean on_message (GstBus *bus, GstMessage *message, gpointer data) {
  Desk *self = data;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT) {
    on_news(self, GST_MESSAGE_SRC(message), gst_message_get_structure(message));
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = NULL;
    g_autofree char *details = NULL;
    gst_message_parse_error(message, &error, &details);
    g_printerr("desk: %s\n%s\n", error->message, details != NULL ? details : "");
    self->status = 1;
    g_main_loop_quit(self->loop);
  }
  return G_SOURCE_CONTINUE;
}

/* A speaker's own sound, as it was sent. A recorder would put a file in place of fakesink; without
 * async=false the pipeline would wait for each speaker's first word. On a streaming thread. */
static void on_pad_added (GstElement *ears, GstPad *pad, Desk *self) {
  GstElement *track =
      gst_parse_bin_from_description("queue ! fakesink name=end async=false", TRUE, NULL);
  gst_bin_add(GST_BIN(self->pipeline), track);
  gst_element_sync_state_with_parent(track);
  g_autoptr(GstPad) sink = gst_element_get_static_pad(track, "sink");
  gst_pad_link(pad, sink);
  g_object_set_data(G_OBJECT(pad), "track", track);
  g_print("pad %s\n", GST_PAD_NAME(pad));
}

/* A streaming thread can't stop what it streams into: the main loop does. */
static gboolean take_away (gpointer track) {
  gst_element_set_state(track, GST_STATE_NULL);
  gst_bin_remove(GST_BIN(GST_OBJECT_PARENT(track)), track);
  return G_SOURCE_REMOVE;
}

static gpointer tell_frames (GstPad *pad) {
  gpointer track = g_object_steal_data(G_OBJECT(pad), "track");
  if (track == NULL)
    return NULL;
  g_autoptr(GstElement) end = gst_bin_get_by_name(GST_BIN(track), "end");
  g_autoptr(GstStructure) stats = NULL;
  g_object_get(end, "stats", &stats, NULL);
  guint64 frames = 0;
  gst_structure_get_uint64(stats, "rendered", &frames);
  g_print("pad %s is gone, %" G_GUINT64_FORMAT " frames\n", GST_PAD_NAME(pad), frames);
  return track;
}

static void on_pad_removed (GstElement *ears, GstPad *pad, Desk *self) {
  gpointer track = tell_frames(pad);
  if (track != NULL)
    g_idle_add(take_away, track);
}

static gboolean on_last_look (GstElement *ears, GstPad *pad, gpointer data) {
  tell_frames(pad);
  return TRUE;
}

/* A fader may be set before its speaker comes, and stays when it goes. */
static gboolean on_line (GIOChannel *input, GIOCondition condition, gpointer data) {
  Desk *self = data;
  g_autofree char *line = NULL;
  guint uid = 0;
  double volume = 0;
  if (g_io_channel_read_line(input, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
    return G_SOURCE_REMOVE;
  if (sscanf(line, "%u %lf", &uid, &volume) == 2 && volume >= 0 && volume <= 10) {
    g_autofree char *fader = g_strdup_printf("speaker-%u::volume", uid);
    gst_child_proxy_set(GST_CHILD_PROXY(self->ears), fader, volume, NULL);
    g_print("fader %u %.2f\n", uid, volume);
  } else {
    g_printerr("desk: expected UID VOLUME, a volume of 0 to 10\n");
  }
  return G_SOURCE_CONTINUE;
}

static gboolean on_signal (gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_CONTINUE;
}

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc < 4 || argc > 6) {
    g_printerr("usage: desk GATEWAY APP CHANNEL [VOICE [EAR]]\n");
    return 2;
  }
  g_autoptr(GError) error = NULL;
  g_autofree char *text = g_strdup_printf(
      "%s ! agorasink name=mouth  "
      "agorasrc name=ears expose-speakers=true level-interval=500000000 ! audioconvert ! "
      "audioresample ! %s",
      argc > 4 ? argv[4] : "autoaudiosrc", argc > 5 ? argv[5] : "autoaudiosink");
  Desk self = {.loop = g_main_loop_new(NULL, FALSE), .pipeline = gst_parse_launch(text, &error)};
  if (error != NULL) {
    g_printerr("desk: %s\n", error->message);
    return 1;
  }
  self.mouth = gst_bin_get_by_name(GST_BIN(self.pipeline), "mouth");
  self.ears = gst_bin_get_by_name(GST_BIN(self.pipeline), "ears");
  GstElement *both[] = {self.mouth, self.ears};
  for (guint i = 0; i < G_N_ELEMENTS(both); i++)
    g_object_set(both[i], "gateway", argv[1], "app-id", argv[2], "channel", argv[3], NULL);
  g_signal_connect(self.ears, "pad-added", G_CALLBACK(on_pad_added), &self);
  g_signal_connect(self.ears, "pad-removed", G_CALLBACK(on_pad_removed), &self);

  g_autoptr(GstBus) bus = gst_element_get_bus(self.pipeline);
  gst_bus_add_watch(bus, on_message, &self);
  g_autoptr(GIOChannel) input = g_io_channel_unix_new(STDIN_FILENO);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, &self);
  g_unix_signal_add(SIGINT, on_signal, self.loop);
  g_unix_signal_add(SIGTERM, on_signal, self.loop);

  gst_element_set_state(self.pipeline, GST_STATE_PLAYING);
  g_main_loop_run(self.loop);
  /* What a sink has counted is forgotten when it stops. The ears don't stop before the rest: they
   * would wait for a sink that didn't come to play. */
  gst_element_foreach_src_pad(self.ears, on_last_look, NULL);
  gst_element_set_state(self.pipeline, GST_STATE_NULL); /* leaves the channel */
  gst_object_unref(self.mouth);
  gst_object_unref(self.ears);
  gst_object_unref(self.pipeline);
  g_main_loop_unref(self.loop);
  return self.status;
}
