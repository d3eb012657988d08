/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* AgoraClient: one member of one channel. */
#pragma once

#include <gio/gio.h>

#include <signaling/agora-error.h>
#include <signaling/agora-macros.h>

G_BEGIN_DECLS

/**
 * AgoraRole:
 * @AGORA_ROLE_AUDIENCE: listens only.
 * @AGORA_ROLE_BROADCASTER: may publish.
 *
 * What a member may do in its channel.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_ROLE_AUDIENCE,
  AGORA_ROLE_BROADCASTER,
} AgoraRole;

/**
 * AgoraTarget:
 * @AGORA_TARGET_AUDIO: the voice.
 * @AGORA_TARGET_VIDEO: the picture.
 * @AGORA_TARGET_ALL: both.
 *
 * What a mute is about.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_TARGET_AUDIO,
  AGORA_TARGET_VIDEO,
  AGORA_TARGET_ALL,
} AgoraTarget;

/**
 * AgoraState:
 * @AGORA_STATE_IDLE: in no channel.
 * @AGORA_STATE_CONNECTING: a first join is under way.
 * @AGORA_STATE_JOINED: in the channel.
 * @AGORA_STATE_RECONNECTING: was in the channel, lost the gateway, tries to come back.
 * @AGORA_STATE_LEAVING: says goodbye.
 * @AGORA_STATE_FAILED: out of the channel for good: join again, or drop the client.
 *
 * Where a client is.
 *
 * Since: 0.1
 */
typedef enum {
  AGORA_STATE_IDLE,
  AGORA_STATE_CONNECTING,
  AGORA_STATE_JOINED,
  AGORA_STATE_RECONNECTING,
  AGORA_STATE_LEAVING,
  AGORA_STATE_FAILED,
} AgoraState;

#define AGORA_TYPE_CLIENT (agora_client_get_type())
AGORA_API
G_DECLARE_FINAL_TYPE(AgoraClient, agora_client, AGORA, CLIENT, GObject)

AGORA_API
AgoraClient *agora_client_new (const char *gateway) AGORA_NOEXCEPT;

AGORA_API
AgoraState agora_client_get_state (AgoraClient *self) AGORA_NOEXCEPT;
AGORA_API
guint agora_client_get_uid (AgoraClient *self) AGORA_NOEXCEPT;
AGORA_API
AgoraRole agora_client_get_role (AgoraClient *self) AGORA_NOEXCEPT;
AGORA_API
const char *agora_client_get_channel (AgoraClient *self) AGORA_NOEXCEPT;

AGORA_API
guint *agora_client_dup_speakers (AgoraClient *self, gsize *n_speakers) AGORA_NOEXCEPT;

AGORA_API
GMainContext *agora_client_get_main_context (AgoraClient *self) AGORA_NOEXCEPT;

AGORA_API
void agora_client_init_async (AgoraClient *self, const char *app_id, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_init_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_join_async (AgoraClient *self, const char *token, const char *channel, guint uid,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
void agora_client_join_account_async (AgoraClient *self, const char *token, const char *channel,
                                      const char *account, GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
guint agora_client_join_finish (AgoraClient *self, GAsyncResult *result,
                                GError **error) AGORA_NOEXCEPT;

AGORA_API
guint agora_client_join_account_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_rejoin_async (AgoraClient *self, const char *token, const char *channel,
                                guint uid, const guint *speakers, gsize n_speakers,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
guint agora_client_rejoin_finish (AgoraClient *self, GAsyncResult *result,
                                  GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_set_role_async (AgoraClient *self, AgoraRole role, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_set_role_finish (AgoraClient *self, GAsyncResult *result,
                                       GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_publish_async (AgoraClient *self, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
char *agora_client_publish_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_publish_codecs_async (AgoraClient *self, const char *const *codecs,
                                        GCancellable *cancellable, GAsyncReadyCallback callback,
                                        gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
GHashTable *agora_client_publish_codecs_finish (AgoraClient *self, GAsyncResult *result,
                                                GError **error) AGORA_NOEXCEPT;
AGORA_API
GHashTable *agora_client_dup_push_urls (AgoraClient *self) AGORA_NOEXCEPT;

AGORA_API
gboolean agora_client_set_talk_to (AgoraClient *self, const guint *uids, gsize n_uids,
                                   GError **error) AGORA_NOEXCEPT;
AGORA_API
guint *agora_client_dup_talk_to (AgoraClient *self, gsize *n_uids) AGORA_NOEXCEPT;
AGORA_API
void agora_client_send_data_async (AgoraClient *self, const char *text, const guint *uids,
                                   gsize n_uids, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_send_data_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) AGORA_NOEXCEPT;
AGORA_API
char *agora_client_dup_name (AgoraClient *self, guint uid) AGORA_NOEXCEPT;
AGORA_API
void agora_client_get_members_async (AgoraClient *self, GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
guint *agora_client_get_members_finish (AgoraClient *self, GAsyncResult *result, gsize *n_members,
                                        guint64 *more, GError **error) AGORA_NOEXCEPT;
AGORA_API
guint *agora_client_dup_members (AgoraClient *self, gsize *n_members) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_is_talkback (AgoraClient *self, guint uid) AGORA_NOEXCEPT;

AGORA_API
void agora_client_unpublish_async (AgoraClient *self, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_unpublish_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_update_push_url_async (AgoraClient *self, GCancellable *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
char *agora_client_update_push_url_finish (AgoraClient *self, GAsyncResult *result,
                                           GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_subscribe_async (AgoraClient *self, guint uid, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
char *agora_client_subscribe_finish (AgoraClient *self, GAsyncResult *result, int *rotation,
                                     GError **error) AGORA_NOEXCEPT;

AGORA_API
const char *agora_client_get_subscription_codec (AgoraClient *self, guint uid) AGORA_NOEXCEPT;

AGORA_API
void agora_client_unsubscribe_async (AgoraClient *self, guint uid, GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_unsubscribe_finish (AgoraClient *self, GAsyncResult *result,
                                          GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_mute_async (AgoraClient *self, guint uid, AgoraTarget target, gboolean mute,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_mute_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_mute_local_async (AgoraClient *self, AgoraTarget target, gboolean mute,
                                    GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_mute_local_finish (AgoraClient *self, GAsyncResult *result,
                                         GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_set_remote_stream_type_async (AgoraClient *self, guint uid, int type,
                                                GCancellable *cancellable,
                                                GAsyncReadyCallback callback,
                                                gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_set_remote_stream_type_finish (AgoraClient *self, GAsyncResult *result,
                                                     GError **error) AGORA_NOEXCEPT;

AGORA_API
gboolean agora_client_report (AgoraClient *self, GVariant *figures) AGORA_NOEXCEPT;

AGORA_API
void agora_client_renew_token_async (AgoraClient *self, const char *token,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_renew_token_finish (AgoraClient *self, GAsyncResult *result,
                                          GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_leave_async (AgoraClient *self, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data) AGORA_NOEXCEPT;
AGORA_API
gboolean agora_client_leave_finish (AgoraClient *self, GAsyncResult *result,
                                    GError **error) AGORA_NOEXCEPT;

AGORA_API
void agora_client_destroy (AgoraClient *self) AGORA_NOEXCEPT;

G_END_DECLS
