/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listen GATEWAY APP CHANNEL: joins, subscribes to each speaker, prints what happens.
 *
 *   cc listen.c -o listen $(pkg-config --cflags --libs agora-signaling-1.0)
 */
#include <glib-unix.h>
#include <signaling/agora-signaling.h>
#include <stdio.h>

static GMainLoop *loop;
static int status = 0;

static void give_up (AgoraClient *client, const GError *error) {
  fprintf(stderr, "listen: %s\n", error->message);
  status = 1;
  g_main_loop_quit(loop);
}
static void on_subscribed (GObject *object, GAsyncResult *result, gpointer uid) {
  g_autoptr(GError) error = NULL;
  g_autofree char *url = agora_client_subscribe_finish(AGORA_CLIENT(object), result, NULL, &error);
  printf("%u: %s\n", GPOINTER_TO_UINT(uid), url != NULL ? url : error->message);
}
static void on_stream_added (AgoraClient *client, guint uid) {
  agora_client_subscribe_async(client, uid, NULL, on_subscribed, GUINT_TO_POINTER(uid));
}
static void on_stream_removed (AgoraClient *client, guint uid) {
  printf("%u: silent\n", uid);
}
static void on_update_url (AgoraClient *client, guint uid, const char *url) {
  printf("%u: moved to %s\n", uid, url);
}
static void on_joined (GObject *object, GAsyncResult *result, gpointer data) {
  g_autoptr(GError) error = NULL;
  guint uid = agora_client_join_finish(AGORA_CLIENT(object), result, &error);
  if (uid == 0)
    give_up(AGORA_CLIENT(object), error);
  else
    printf("joined as %u\n", uid);
}
static void on_left (GObject *object, GAsyncResult *result, gpointer data) {
  g_main_loop_quit(loop);
}
static gboolean on_signal (gpointer client) {
  agora_client_leave_async(client, NULL, on_left, NULL);
  return G_SOURCE_CONTINUE;
}
int main (int argc, char **argv) {
  if (argc != 4)
    return fprintf(stderr, "usage: listen GATEWAY APP CHANNEL\n"), 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  loop = g_main_loop_new(NULL, FALSE);
  g_autoptr(AgoraClient) client = agora_client_new(argv[1]);
  g_signal_connect(client, "stream-added", G_CALLBACK(on_stream_added), NULL);
  g_signal_connect(client, "stream-removed", G_CALLBACK(on_stream_removed), NULL);
  g_signal_connect(client, "update-url", G_CALLBACK(on_update_url), NULL);
  g_signal_connect(client, "error", G_CALLBACK(give_up), NULL);
  g_unix_signal_add(SIGTERM, on_signal, client);
  agora_client_init_async(client, argv[2], NULL, NULL, NULL);
  agora_client_join_async(client, NULL, argv[3], 0, NULL, on_joined, NULL);
  g_main_loop_run(loop);
  return status;
}
