// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls about one's own voice and those of others.
#include <utility>

#include "signaling/client/calls.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

namespace {

protocol::Target target_of (AgoraTarget target) {
  switch (target) {
    case AGORA_TARGET_AUDIO:
      return protocol::Target::audio;
    case AGORA_TARGET_VIDEO:
      return protocol::Target::video;
    case AGORA_TARGET_ALL:
      break;
  }
  return protocol::Target::all;
}

}  // namespace

/**
 * agora_client_publish_async:
 * @self: a client.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Asks for a URL to push one's voice to. The others are told as soon as the push arrives there.
 *
 * Fails with %AGORA_ERROR_NOT_PERMITTED for an audience, and for a token without that privilege;
 * with %AGORA_ERROR_NOT_JOINED outside of a channel; with %AGORA_ERROR_SOCKET_GONE at once while
 * the client is reconnecting.
 *
 * Since: 0.1
 */
void agora_client_publish_async (AgoraClient *self, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_publish_async), protocol::Publish{},
                cancellable, callback, user_data);
}

/**
 * agora_client_publish_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.publish_async].
 *
 * Returns: (transfer full): an rtmp:// or rtmps:// URL for this member alone; %NULL where it
 * failed.
 *
 * Since: 0.1
 */
char *agora_client_publish_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_publish_async)),
                       nullptr);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr ? g_strdup(reply->url.c_str()) : nullptr;
}

/**
 * agora_client_unpublish_async:
 * @self: a client.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Takes one's voice out of the channel. The push URL is void then. Fails as
 * [method@AgoraSignaling.Client.publish_async] does.
 *
 * Since: 0.1
 */
void agora_client_unpublish_async (AgoraClient *self, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_unpublish_async),
                protocol::Unpublish{}, cancellable, callback, user_data);
}

/**
 * agora_client_unpublish_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.unpublish_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_unpublish_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_unpublish_async)), FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_update_push_url_async:
 * @self: a client.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Asks for a fresh push URL in place of the one that publish gave. Fails as
 * [method@AgoraSignaling.Client.publish_async] does.
 *
 * Since: 0.1
 */
void agora_client_update_push_url_async (AgoraClient *self, GCancellable *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_update_push_url_async),
                protocol::UpdateUrl{}, cancellable, callback, user_data);
}

/**
 * agora_client_update_push_url_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.update_push_url_async].
 *
 * Returns: (transfer full): an rtmp:// or rtmps:// URL for this member alone; %NULL where it
 * failed.
 *
 * Since: 0.1
 */
char *agora_client_update_push_url_finish (AgoraClient *self, GAsyncResult *result,
                                           GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_update_push_url_async)), nullptr);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr ? g_strdup(reply->url.c_str()) : nullptr;
}

/**
 * agora_client_subscribe_async:
 * @self: a client.
 * @uid: the speaker.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Asks for a URL to play a speaker from.
 *
 * Fails with %AGORA_ERROR_NOT_PUBLISHING where there is nothing to hear of @uid; wait for
 * [signal@AgoraSignaling.Client::stream-added]. With %AGORA_ERROR_SOCKET_GONE at once while the
 * client is reconnecting.
 *
 * Since: 0.1
 */
void agora_client_subscribe_async (AgoraClient *self, guint uid, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_subscribe_async),
                (protocol::Subscribe{uid, true, true}), cancellable, callback, user_data);
}

/**
 * agora_client_subscribe_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @rotation: (out) (optional): by how many degrees the picture is turned.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.subscribe_async].
 *
 * Returns: (transfer full): an rtmp:// or rtmps:// URL for this member alone; %NULL where it
 * failed.
 *
 * Since: 0.1
 */
char *agora_client_subscribe_finish (AgoraClient *self, GAsyncResult *result, int *rotation,
                                     GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_subscribe_async)), nullptr);
  std::unique_ptr<Reply> reply = finish(result, error);
  if (rotation != nullptr)
    *rotation = reply != nullptr ? reply->rotation : 0;
  return reply != nullptr ? g_strdup(reply->url.c_str()) : nullptr;
}

/**
 * agora_client_unsubscribe_async:
 * @self: a client.
 * @uid: the speaker.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Gives a play URL back.
 *
 * Since: 0.1
 */
void agora_client_unsubscribe_async (AgoraClient *self, guint uid, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_unsubscribe_async),
                protocol::Unsubscribe{{uid}}, cancellable, callback, user_data);
}

/**
 * agora_client_unsubscribe_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.unsubscribe_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_unsubscribe_finish (AgoraClient *self, GAsyncResult *result,
                                          GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_unsubscribe_async)), FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_mute_async:
 * @self: a client.
 * @uid: the speaker.
 * @target: what of it.
 * @mute: whether to stop receiving it; %FALSE: to resume.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Stops or resumes receiving a speaker that is subscribed to. Fails with %AGORA_ERROR_BAD_REQUEST
 * before subscribe.
 *
 * Since: 0.1
 */
void agora_client_mute_async (AgoraClient *self, guint uid, AgoraTarget target, gboolean mute,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_mute_async),
                (protocol::Mute{uid, target_of(target), mute != FALSE}), cancellable, callback,
                user_data);
}

/**
 * agora_client_mute_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.mute_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_mute_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_mute_async)),
                       FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_mute_local_async:
 * @self: a client.
 * @target: what of it.
 * @mute: whether one is silent; %FALSE: not any more.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Tells the others that one is silent on purpose. The publication and its URL stay.
 *
 * Since: 0.1
 */
void agora_client_mute_local_async (AgoraClient *self, AgoraTarget target, gboolean mute,
                                    GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_mute_local_async),
                (protocol::MuteLocal{0, target_of(target), mute != FALSE}), cancellable, callback,
                user_data);
}

/**
 * agora_client_mute_local_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.mute_local_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_mute_local_finish (AgoraClient *self, GAsyncResult *result,
                                         GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_mute_local_async)), FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_set_remote_stream_type_async:
 * @self: a client.
 * @uid: the speaker.
 * @type: 0 for the high stream, 1 for the low one.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Chooses between a speaker's streams. Of a voice there is only one.
 *
 * Since: 0.1
 */
void agora_client_set_remote_stream_type_async (AgoraClient *self, guint uid, int type,
                                                GCancellable *cancellable,
                                                GAsyncReadyCallback callback,
                                                gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_set_remote_stream_type_async),
                (protocol::SetRemoteStreamType{uid, type}), cancellable, callback, user_data);
}

/**
 * agora_client_set_remote_stream_type_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.set_remote_stream_type_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_set_remote_stream_type_finish (AgoraClient *self, GAsyncResult *result,
                                                     GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_set_remote_stream_type_async)),
      FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}
