// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls about words that members send each other, their names, and who is there.
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
 * @uid: the member.
 *
 * Tells a member's name: a speaker's, as [signal@AgoraSignaling.Client::member-named] brought it
 * last, else that of one of [method@AgoraSignaling.Client.dup_members].
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

namespace {

guint *copy_members (const std::map<Uid, std::string> &members, gsize *n_members) {
  *n_members = members.size();
  if (members.empty())
    return nullptr;
  guint *uids = g_new(guint, members.size());
  std::transform(members.begin(), members.end(), uids,
                 [] (const auto &member) { return member.first; });
  return uids;
}

}  // namespace

/**
 * agora_client_get_members_async:
 * @self: a client.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Asks who else is in the channel: those who only listen, too. From then on
 * [signal@AgoraSignaling.Client::member-joined] and [signal@AgoraSignaling.Client::member-left]
 * tell of each change, until the client leaves the channel: nothing stops them before. When it has
 * lost the gateway and comes back, it asks again by itself, and those signals tell what has changed
 * meanwhile; where it is refused then, or the operator takes the list back,
 * [property@AgoraSignaling.Client:lists-members] tells. However this call ends, the client has
 * asked: it does so again by itself at each return, and as soon as the gateway shows the list. Once
 * that property is %TRUE there is no need to call this again: those signals tell what another
 * answer brings.
 * It may be called once a second, and five times at once.
 *
 * Fails with %AGORA_ERROR_NOT_PERMITTED where the operator doesn't show an app's members, which is
 * the usual; with %AGORA_ERROR_TOO_MANY where it is asked too often, or the channel has too much to
 * tell; with %AGORA_ERROR_BAD_REQUEST where the gateway doesn't know it; with
 * %AGORA_ERROR_NOT_JOINED outside of a channel; with %AGORA_ERROR_SOCKET_GONE at once while the
 * client is reconnecting.
 *
 * Since: 0.2
 */
void agora_client_get_members_async (AgoraClient *self, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  start_request(self, reinterpret_cast<gpointer>(agora_client_get_members_async),
                protocol::Members{}, cancellable, callback, user_data);
}

/**
 * agora_client_get_members_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @n_members: (out): how many are in the list.
 * @more: (out) (optional): how many there are beside those.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.get_members_async]. The list is that of this moment, as
 * [method@AgoraSignaling.Client.dup_members] tells it; @more is what the answer said. It has up to
 * 1000 members, and fewer where their names are long; who goes from it makes room for another one,
 * of whom [signal@AgoraSignaling.Client::member-joined] tells.
 * [method@AgoraSignaling.Client.dup_name] has their names.
 *
 * Returns: (transfer full) (nullable) (array length=n_members): the uids, in rising order; %NULL
 *   where there are none, or it has failed.
 *
 * Since: 0.2
 */
guint *agora_client_get_members_finish (AgoraClient *self, GAsyncResult *result, gsize *n_members,
                                        guint64 *more, GError **error) noexcept {
  g_return_val_if_fail(n_members != nullptr, nullptr);
  *n_members = 0;
  if (more != nullptr)
    *more = 0;
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_get_members_async)), nullptr);
  std::unique_ptr<Reply> reply = finish(result, error);
  if (!reply)
    return nullptr;
  if (more != nullptr)
    *more = static_cast<guint64>(reply->more);
  return copy_members(core_of(self).machine().members(), n_members);
}

/**
 * agora_client_dup_members:
 * @self: a client.
 * @n_members: (out): how many there are.
 *
 * Tells who else is in the channel, as [method@AgoraSignaling.Client.get_members_async] and the
 * signals since have told. While the client is reconnecting, and once it is in
 * %AGORA_STATE_FAILED, that is what was known when the gateway was lost; after leave there are
 * none.
 *
 * Returns: (transfer full) (nullable) (array length=n_members): the uids, in rising order; %NULL
 *   where there are none, or nobody has asked.
 *
 * Since: 0.2
 */
guint *agora_client_dup_members (AgoraClient *self, gsize *n_members) noexcept {
  g_return_val_if_fail(n_members != nullptr, nullptr);
  *n_members = 0;
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  return copy_members(core_of(self).machine().members(), n_members);
}
