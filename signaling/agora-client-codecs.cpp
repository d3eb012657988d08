// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's calls about how voices are encoded: one's own, offered in several codecs, and those
// of others.
#include <utility>

#include "signaling/client/calls.hpp"
#include "signaling/client/codec-names.hpp"
#include "signaling/protocol/argument-checks.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

namespace {

GHashTable *table_of (const Urls &urls) {
  GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (const auto &[codec, url] : urls)
    g_hash_table_insert(table, g_strdup(protocol::to_string(codec)), g_strdup(url.c_str()));
  return table;
}

}  // namespace

/**
 * agora_client_publish_codecs_async:
 * @self: a client.
 * @codecs: (array zero-terminated=1): the codecs that the member can send, its favourite first, by
 *   their names: "opus", "aac". "aac" must be among them, since everybody hears it; names that
 *   aren't known are passed over.
 * @cancellable: (nullable): stops the waiting.
 * @callback: (scope async): called when it is done.
 * @user_data: for @callback.
 *
 * Asks for URLs to push one's voice to, one for each codec. Those that somebody hears are to be
 * pushed: [signal@AgoraSignaling.Client::codecs-wanted] tells which, for the first time right after
 * this. The others are told of one stream, as soon as the first push arrives; it lasts until the
 * last push has ended.
 *
 * Fails as [method@AgoraSignaling.Client.publish_async] does, and with
 * %AGORA_ERROR_INVALID_ARGUMENT without "aac".
 *
 * Since: 0.2
 */
void agora_client_publish_codecs_async (AgoraClient *self, const char *const *codecs,
                                        GCancellable *cancellable, GAsyncReadyCallback callback,
                                        gpointer user_data) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  g_return_if_fail(codecs != nullptr);
  start_request(self, reinterpret_cast<gpointer>(agora_client_publish_codecs_async),
                (protocol::Publish{0, codecs_of(codecs)}), cancellable, callback, user_data);
}

/**
 * agora_client_publish_codecs_finish:
 * @self: a client.
 * @result: what the callback was given.
 * @error: what went wrong.
 *
 * Ends [method@AgoraSignaling.Client.publish_codecs_async].
 *
 * Returns: (transfer full) (element-type utf8 utf8): by the name of each codec an rtmp:// or
 * rtmps:// URL for this member alone; "aac" alone where the gateway doesn't know more. %NULL
 * where it failed.
 *
 * Since: 0.2
 */
GHashTable *agora_client_publish_codecs_finish (AgoraClient *self, GAsyncResult *result,
                                                GError **error) noexcept {
  g_return_val_if_fail(
      is_of(self, result, reinterpret_cast<gpointer>(agora_client_publish_codecs_async)), nullptr);
  std::unique_ptr<Reply> reply = finish(result, error);
  return reply != nullptr ? table_of(reply->urls) : nullptr;
}

/**
 * agora_client_dup_push_urls:
 * @self: a client.
 *
 * Tells the URLs to push one's voice to, as they are now: after
 * [signal@AgoraSignaling.Client::update-url] with one's own uid, and after
 * [method@AgoraSignaling.Client.update_push_url_finish], both of which bring the one of "aac".
 *
 * Returns: (transfer full) (nullable) (element-type utf8 utf8): as
 * [method@AgoraSignaling.Client.publish_codecs_finish] has them; %NULL where nothing is
 * published.
 *
 * Since: 0.2
 */
GHashTable *agora_client_dup_push_urls (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  const Urls &urls = core_of(self).machine().push_urls();
  return urls.empty() ? nullptr : table_of(urls);
}

/**
 * agora_client_get_subscription_codec:
 * @self: a client.
 * @uid: the speaker.
 *
 * Tells in which codec a speaker is heard by the URL that
 * [method@AgoraSignaling.Client.subscribe_async] or [signal@AgoraSignaling.Client::update-url]
 * brought last: of those that it offers the first in [property@AgoraSignaling.Client:hears].
 *
 * Returns: (nullable): its name, "aac" or "opus"; %NULL where the speaker isn't subscribed to.
 *
 * Since: 0.2
 */
const char *agora_client_get_subscription_codec (AgoraClient *self, guint uid) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  const auto codec = core_of(self).machine().codec_of(uid);
  return codec ? protocol::to_string(*codec) : nullptr;
}
