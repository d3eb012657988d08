// SPDX-License-Identifier: LGPL-2.1-or-later
// A member of a channel by libagorasignaling alone, for tests: says what happens, a line each, and
// says goodbye at SIGTERM or SIGINT.
//
//   member [--uid=N] [--publish] [--subscribe] GATEWAY APP-ID CHANNEL
//   joined UID / push URL / play UID URL / added UID / removed UID / updated UID URL / error TEXT
#include <glib-unix.h>
#include <signaling/agora-signaling.h>

#include <cstdio>

namespace {

struct Member {
  AgoraClient *client = nullptr;
  GMainLoop *loop = nullptr;
  int status = 0;
  int uid = 0;
  gboolean publish = FALSE;
  gboolean subscribe = FALSE;
  char **words = nullptr;
};

void fail (Member *self, const char *what, GError *error) {
  std::printf("error %s: %s\n", what, error->message);
  g_error_free(error);
  self->status = 1;
  g_main_loop_quit(self->loop);
}

void on_published (GObject *, GAsyncResult *result, gpointer data) {
  auto *self = static_cast<Member *>(data);
  GError *error = nullptr;
  g_autofree char *url = agora_client_publish_finish(self->client, result, &error);
  if (!url)
    fail(self, "publish", error);
  else
    std::printf("push %s\n", url);
}

void on_joined (GObject *, GAsyncResult *result, gpointer data) {
  auto *self = static_cast<Member *>(data);
  GError *error = nullptr;
  guint uid = agora_client_join_finish(self->client, result, &error);
  if (uid == 0)
    return fail(self, "join", error);
  std::printf("joined %u\n", uid);
  if (self->publish)
    agora_client_publish_async(self->client, nullptr, on_published, self);
}

void on_role (GObject *, GAsyncResult *result, gpointer data) {
  auto *self = static_cast<Member *>(data);
  GError *error = nullptr;
  if (!agora_client_set_role_finish(self->client, result, &error))
    return fail(self, "set_role", error);
  agora_client_join_async(self->client, nullptr, self->words[2], static_cast<guint>(self->uid),
                          nullptr, on_joined, self);
}

void on_init (GObject *, GAsyncResult *result, gpointer data) {
  auto *self = static_cast<Member *>(data);
  GError *error = nullptr;
  if (!agora_client_init_finish(self->client, result, &error))
    return fail(self, "init", error);
  agora_client_set_role_async(self->client,
                              self->publish ? AGORA_ROLE_BROADCASTER : AGORA_ROLE_AUDIENCE, nullptr,
                              on_role, self);
}

struct Subscription {
  Member *member;
  guint uid;
};

void on_subscribed (GObject *, GAsyncResult *result, gpointer data) {
  auto *asked = static_cast<Subscription *>(data);
  GError *error = nullptr;
  int rotation = 0;
  g_autofree char *url =
      agora_client_subscribe_finish(asked->member->client, result, &rotation, &error);
  if (url)
    std::printf("play %u %s\n", asked->uid, url);
  else
    fail(asked->member, "subscribe", error);
  delete asked;
}

void on_added (AgoraClient *, guint uid, Member *self) {
  std::printf("added %u\n", uid);
  if (self->subscribe)
    agora_client_subscribe_async(self->client, uid, nullptr, on_subscribed,
                                 new Subscription{self, uid});
}

void on_removed (AgoraClient *, guint uid, Member *) {
  std::printf("removed %u\n", uid);
}

void on_updated (AgoraClient *, guint uid, const char *url, Member *) {
  std::printf("updated %u %s\n", uid, url);
}

void on_error (AgoraClient *, GError *error, Member *) {
  std::printf("error %s\n", error->message);
}

void on_left (GObject *, GAsyncResult *result, gpointer data) {
  auto *self = static_cast<Member *>(data);
  GError *error = nullptr;
  if (!agora_client_leave_finish(self->client, result, &error))
    return fail(self, "leave", error);
  g_main_loop_quit(self->loop);
}

gboolean on_signal (gpointer data) {
  auto *self = static_cast<Member *>(data);
  agora_client_leave_async(self->client, nullptr, on_left, self);
  return G_SOURCE_CONTINUE;
}

}  // namespace

int main (int argc, char **argv) {
  // The test waits for these lines.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Member self;
  const GOptionEntry entries[] = {
      {"uid", 0, 0, G_OPTION_ARG_INT, &self.uid, nullptr, nullptr},
      {"publish", 0, 0, G_OPTION_ARG_NONE, &self.publish, nullptr, nullptr},
      {"subscribe", 0, 0, G_OPTION_ARG_NONE, &self.subscribe, nullptr, nullptr},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &self.words, nullptr, nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  g_autoptr(GOptionContext) context = g_option_context_new("GATEWAY APP-ID CHANNEL");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_autoptr(GError) error = nullptr;
  if (!g_option_context_parse(context, &argc, &argv, &error) || !self.words ||
      g_strv_length(self.words) != 3) {
    std::fprintf(stderr, "member: %s\n", error ? error->message : "three words are expected");
    return 2;
  }
  self.loop = g_main_loop_new(nullptr, FALSE);
  self.client = agora_client_new(self.words[0]);
  g_signal_connect(self.client, "stream-added", G_CALLBACK(on_added), &self);
  g_signal_connect(self.client, "stream-removed", G_CALLBACK(on_removed), &self);
  g_signal_connect(self.client, "update-url", G_CALLBACK(on_updated), &self);
  g_signal_connect(self.client, "error", G_CALLBACK(on_error), &self);
  agora_client_init_async(self.client, self.words[1], nullptr, on_init, &self);
  guint sources[] = {g_unix_signal_add(SIGTERM, on_signal, &self),
                     g_unix_signal_add(SIGINT, on_signal, &self)};
  g_main_loop_run(self.loop);
  for (guint source : sources)
    g_source_remove(source);
  g_object_unref(self.client);
  g_main_loop_unref(self.loop);
  g_strfreev(self.words);
  return self.status;
}
