// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls about words that members send each other, and their names.
#include <algorithm>
#include <utility>

#include "signaling/client/calls.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

/**
 * agora_client_send_data_async:
 * @self: a client.
 * @text: 1 to 256 bytes of UTF-8.
 * @uids: (array length=n_uids) (nullable): the members that it is for.
 * @n_uids: how many there are, 16 at most; 0: everybody else in the channel.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Sends a few words to other members: a cue light, a line of chat. They get
 * [signal@AgoraSignaling.Client::data], in the order in which they were sent; who isn't in the
 * channel just then, or has lost the gateway, never gets them, and nobody is told of that. 5 a
 * second are taken, and 20 at once.
 *
 * Fails with %AGORA_ERROR_INVALID_ARGUMENT for another text or list; with %AGORA_ERROR_TOO_MANY
 * for more than that, or where the channel has too much to tell; with %AGORA_ERROR_NOT_PERMITTED
 * for a token without the privilege to publish data; with %AGORA_ERROR_BAD_REQUEST where the
 * gateway doesn't know it; with %AGORA_ERROR_NOT_JOINED outside of a channel; with
 * %AGORA_ERROR_SOCKET_GONE at once while the client is reconnecting.
 *
 * Since: 0.2
 */
void agora_client_send_data_async (AgoraClient *self, const char *text, const guint *uids,
                                   gsize n_uids, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  g_return_if_fail(text != nullptr);
  g_return_if_fail(uids != nullptr || n_uids == 0);
  agora::guarded("data of AgoraClient", [&] {
    protocol::Data data{protocol::Addressees(uids, uids + n_uids), text};
    std::sort(data.to.begin(), data.to.end());
    data.to.erase(std::unique(data.to.begin(), data.to.end()), data.to.end());
    start_request(self, reinterpret_cast<gpointer>(agora_client_send_data_async), std::move(data),
                  cancellable, callback, user_data);
  });
}

/**
 * agora_client_send_data_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.send_data_async].
 *
 * Returns: whether the gateway has passed it on.
 *
 * Since: 0.2
 */
gboolean agora_client_send_data_finish (AgoraClient *self, GAsyncResult *result,
                                        GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_send_data_async)), FALSE);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr;
}

/**
 * agora_client_dup_name:
 * @self: a client.
 * @uid: the speaker.
 *
 * Tells a speaker's name, as [signal@AgoraSignaling.Client::member-named] brought it last.
 *
 * Returns: (transfer full) (nullable): its name, by its own word; %NULL: it has none.
 *
 * Since: 0.2
 */
char *agora_client_dup_name (AgoraClient *self, guint uid) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  return agora::guarded("a name of AgoraClient", [&] () -> char * {
    const std::string name = core_of(self).machine().name_of(uid);
    return name.empty() ? nullptr : g_strdup(name.c_str());
  });
}
