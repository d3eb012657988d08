// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls about what is said to a few.
#include <algorithm>

#include "signaling/client/calls.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

/**
 * agora_client_set_talk_to:
 * @self: a client.
 * @uids: (array length=n_uids) (nullable): the members that what is published is for; in any order.
 * @n_uids: how many there are, 16 at most; 0: everybody.
 * @error: what went wrong.
 *
 * Makes talkback of what is published from now on: these members alone are told of the stream, and
 * can play it; for all others, those who join later included, there is none. Who isn't in the
 * channel yet hears it from then on. Heeded by the next
 * [method@AgoraSignaling.Client.publish_async] or
 * [method@AgoraSignaling.Client.publish_codecs_async], which may be called again while something is
 * published: those for whom it is still meant go over to the new URL, as with any that moves, and
 * the others lose the stream as soon as something is pushed there. What was said before that was
 * heard by those who heard it.
 *
 * The client keeps it when it has lost the gateway and comes back. Where the gateway knows no
 * talkback, publishing fails with %AGORA_ERROR_NOT_PERMITTED, rather than that all hear it.
 *
 * Returns: whether it is as asked for. Fails with %AGORA_ERROR_INVALID_ARGUMENT for a uid of 0, and
 *   for more than 16.
 *
 * Since: 0.2
 */
gboolean agora_client_set_talk_to (AgoraClient *self, const guint *uids, gsize n_uids,
                                   GError **error) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), FALSE);
  g_return_val_if_fail(uids != nullptr || n_uids == 0, FALSE);
  return agora::guarded("AgoraClient's talkback", [&] () -> gboolean {
    protocol::Addressees to(uids, uids + n_uids);
    std::sort(to.begin(), to.end());
    to.erase(std::unique(to.begin(), to.end()), to.end());
    if (to.size() > protocol::max_addressees || (!to.empty() && to.front() == 0)) {
      g_set_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT,
                  "talk-to: expected at most %zu uids, none of them 0", protocol::max_addressees);
      return FALSE;
    }
    core_of(self).talk_to() = std::move(to);
    return TRUE;
  });
}

/**
 * agora_client_dup_talk_to:
 * @self: a client.
 * @n_uids: (out): how many there are.
 *
 * Tells what [method@AgoraSignaling.Client.set_talk_to] has set.
 *
 * Returns: (transfer full) (nullable) (array length=n_uids): the uids, in rising order; %NULL:
 *   everybody.
 *
 * Since: 0.2
 */
guint *agora_client_dup_talk_to (AgoraClient *self, gsize *n_uids) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  g_return_val_if_fail(n_uids != nullptr, nullptr);
  const protocol::Addressees &to = core_of(self).talk_to();
  *n_uids = to.size();
  return to.empty() ? nullptr
                    : static_cast<guint *>(g_memdup2(to.data(), to.size() * sizeof to[0]));
}

/**
 * agora_client_is_talkback:
 * @self: a client.
 * @uid: the speaker.
 *
 * Tells whether what a speaker says is for a few, this member among them, as
 * [signal@AgoraSignaling.Client::stream-added], [signal@AgoraSignaling.Client::update-url] or
 * [method@AgoraSignaling.Client.subscribe_async] brought it last.
 *
 * Returns: whether it is.
 *
 * Since: 0.2
 */
gboolean agora_client_is_talkback (AgoraClient *self, guint uid) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), FALSE);
  return core_of(self).machine().is_talkback(uid) ? TRUE : FALSE;
}
