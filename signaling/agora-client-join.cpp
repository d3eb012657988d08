// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls that enter a channel, act on the membership, and leave it.
#include <utility>

#include "signaling/client/calls.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

/**
 * agora_client_init_async:
 * @self: a client.
 * @app_id: the app, as the operator of the gateway gave it out.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Names the app. This comes before the first join; nothing is sent for it.
 *
 * Fails with %AGORA_ERROR_INVALID_ARGUMENT where @app_id is empty, blank at an end or "null", and
 * with %AGORA_ERROR_INVALID_ORDER in a channel.
 *
 * Since: 0.1
 */
void agora_client_init_async (AgoraClient *self, const char *app_id, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start(self, reinterpret_cast<gpointer>(agora_client_init_async), cancellable, callback, user_data,
        [&] (Ticket ticket) -> Happening {
          return CallInit{ticket, text_of(app_id)};
        });
}

/**
 * agora_client_init_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.init_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_init_finish (AgoraClient *self, GAsyncResult *result,
                                   GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_init_async)),
                       FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_join_async:
 * @self: a client.
 * @token: (nullable): %NULL where the app has no certificate.
 * @channel: its name, 1 to 128 bytes.
 * @uid: the member's own; 0: one is assigned.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Enters a channel, with the role that was set before.
 *
 * Fails with %AGORA_ERROR_INVALID_ARGUMENT where a value is refused before anything is sent,
 * %AGORA_ERROR_INVALID_ORDER before init and in a channel, %AGORA_ERROR_UNREACHABLE or
 * %AGORA_ERROR_NO_SERVER where no gateway answers, %AGORA_ERROR_TIMEOUT where it does not answer to
 * this, and with what the gateway says: see [error@AgoraSignaling.Error]. Nothing is
 * tried twice, unless [property@AgoraSignaling.Client:retry-first-join] is set: the client is in
 * %AGORA_STATE_FAILED then, and may join again. Where it is cancelled the client is idle.
 *
 * Since: 0.1
 */
void agora_client_join_async (AgoraClient *self, const char *token, const char *channel, guint uid,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start(self, reinterpret_cast<gpointer>(agora_client_join_async), cancellable, callback, user_data,
        [&] (Ticket ticket) -> Happening {
          return CallJoin{ticket, text_of(token), text_of(channel), std::to_string(uid),
                          0,      std::nullopt};
        });
}

/**
 * agora_client_join_account_async:
 * @self: a client.
 * @token: (nullable): %NULL where the app has no certificate.
 * @channel: its name, 1 to 128 bytes.
 * @account: the member's own name, 1 to 255 bytes, to which the gateway finds a uid.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Enters a channel as [method@AgoraSignaling.Client.join_async] does, under a name in place of a
 * uid. To be ended by [method@AgoraSignaling.Client.join_account_finish], or by
 * [method@AgoraSignaling.Client.join_finish], which takes either.
 *
 * Since: 0.1
 */
void agora_client_join_account_async (AgoraClient *self, const char *token, const char *channel,
                                      const char *account, GCancellable *cancellable,
                                      GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start(self, reinterpret_cast<gpointer>(agora_client_join_account_async), cancellable, callback,
        user_data, [&] (Ticket ticket) -> Happening {
          return CallJoin{ticket, text_of(token), text_of(channel), text_of(account),
                          1,      std::nullopt};
        });
}

/**
 * agora_client_join_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.join_async] and
 * [method@AgoraSignaling.Client.join_account_async].
 *
 * Returns: the member's uid; 0 where it failed.
 *
 * Since: 0.1
 */
guint agora_client_join_finish (AgoraClient *self, GAsyncResult *result, GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_join_async)) ||
          is_of(self, result, reinterpret_cast<gpointer>(agora_client_join_account_async)),
      0);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr ? reply->uid : 0;
}

/**
 * agora_client_join_account_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.join_account_async].
 *
 * Returns: the member's uid; 0 where it failed.
 *
 * Since: 0.1
 */
guint agora_client_join_account_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_join_account_async)), 0);
  return agora_client_join_finish(self, result, error);
}

/**
 * agora_client_rejoin_async:
 * @self: a client.
 * @token: (nullable): %NULL where the app has no certificate.
 * @channel: its name, 1 to 128 bytes.
 * @uid: the member's own.
 * @speakers: (array length=n_speakers) (nullable): the speakers that the application knows of.
 * @n_speakers: how many.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Enters a channel again that another client of this @uid was in until just now, and takes its
 * streams over. Who of @speakers is gone is told by [signal@AgoraSignaling.Client::stream-removed],
 * who is there by [signal@AgoraSignaling.Client::stream-added]. The client does this by itself when
 * it loses the gateway: a call is only of use to an application that starts anew. Fails as
 * [method@AgoraSignaling.Client.join_async] does.
 *
 * Since: 0.1
 */
void agora_client_rejoin_async (AgoraClient *self, const char *token, const char *channel,
                                guint uid, const guint *speakers, gsize n_speakers,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  std::vector<Uid> known;
  if (speakers != nullptr)
    known.assign(speakers, speakers + n_speakers);
  start(self, reinterpret_cast<gpointer>(agora_client_rejoin_async), cancellable, callback,
        user_data, [&] (Ticket ticket) -> Happening {
          return CallJoin{ticket, text_of(token),  text_of(channel), std::to_string(uid),
                          0,      std::move(known)};
        });
}

/**
 * agora_client_rejoin_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.rejoin_async].
 *
 * Returns: the member's uid; 0 where it failed.
 *
 * Since: 0.1
 */
guint agora_client_rejoin_finish (AgoraClient *self, GAsyncResult *result,
                                  GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_rejoin_async)),
                       0);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr ? reply->uid : 0;
}

/**
 * agora_client_set_role_async:
 * @self: a client.
 * @role: what the member wants to do.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Sets the role: before join for the join that follows, in a channel at once. A broadcaster that
 * becomes audience is unpublished.
 *
 * Since: 0.1
 */
void agora_client_set_role_async (AgoraClient *self, AgoraRole role, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  protocol::Role wanted =
      role == AGORA_ROLE_BROADCASTER ? protocol::Role::broadcaster : protocol::Role::audience;
  start_request(self, reinterpret_cast<gpointer>(agora_client_set_role_async),
                protocol::SetRole{wanted}, cancellable, callback, user_data);
}

/**
 * agora_client_set_role_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.set_role_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_set_role_finish (AgoraClient *self, GAsyncResult *result,
                                       GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_set_role_async)),
                       FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_renew_token_async:
 * @self: a client.
 * @token: the new one.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Gives the gateway another token before the old one has expired. While the client is reconnecting
 * the token is kept for the return, and the old one may have expired meanwhile.
 *
 * Since: 0.1
 */
void agora_client_renew_token_async (AgoraClient *self, const char *token,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_renew_token_async),
                protocol::UpdateKey{text_of(token)}, cancellable, callback, user_data);
}

/**
 * agora_client_renew_token_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.renew_token_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_renew_token_finish (AgoraClient *self, GAsyncResult *result,
                                          GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_renew_token_async)), FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_leave_async:
 * @self: a client.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Leaves the channel. It waits for the gateway's answer for 400 milliseconds at most, and succeeds
 * with it or without. While the client is joining or reconnecting, that is stopped. Calls that are
 * under way fail with %AGORA_ERROR_SOCKET_GONE.
 *
 * Fails with %AGORA_ERROR_NOT_JOINED where there is nothing to leave.
 *
 * Since: 0.1
 */
void agora_client_leave_async (AgoraClient *self, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start(self, reinterpret_cast<gpointer>(agora_client_leave_async), cancellable, callback,
        user_data, [] (Ticket ticket) -> Happening { return CallLeave{ticket}; });
}

/**
 * agora_client_leave_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.leave_async].
 *
 * Returns: whether it went well.
 *
 * Since: 0.1
 */
gboolean agora_client_leave_finish (AgoraClient *self, GAsyncResult *result,
                                    GError **error) noexcept {
  g_return_val_if_fail(is_of(self, result, reinterpret_cast<gpointer>(agora_client_leave_async)),
                       FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}
