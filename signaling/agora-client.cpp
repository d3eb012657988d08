// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/agora-client.h"

#include <algorithm>
#include <memory>

#include "signaling/client/class.hpp"
#include "signaling/client/codec-names.hpp"
#include "signaling/client/object.hpp"
#include "signaling/client/thread-default.hpp"
#include "signaling/support/guarded.hpp"

namespace agora::client {

class Impl final : private Core::Observer {
 public:
  explicit Impl(AgoraClient *self) : self_(self), core(G_OBJECT(self), this) {}

 private:
  void event (const protocol::Event &event) override;
  void error (const GError *error) override { emit(signal_error, error); }
  void reconnecting (const GError *cause) override { emit(signal_reconnecting, cause); }
  void reconnected (Millis took) override { emit(signal_reconnected, static_cast<guint>(took)); }
  void changed (const char *property) override { g_object_notify(G_OBJECT(self_), property); }

  template <typename... Arguments>
  void emit (Signal signal, Arguments... arguments) {
    g_signal_emit(self_, signals[signal], 0, arguments...);
  }

  AgoraClient *self_;

 public:
  Core core;
};

void Impl::event(const protocol::Event &event) {
  using protocol::EventKind;
  switch (event.kind) {
    case EventKind::stream_added:
      emit(signal_stream_added, event.uid);
      return;
    case EventKind::stream_removed:
      emit(signal_stream_removed, event.uid);
      return;
    case EventKind::update_url:
      emit(signal_update_url, event.uid, event.url.c_str());
      return;
    case EventKind::video_rotation:
      emit(signal_video_rotation, event.uid, event.rotation);
      return;
    case EventKind::audio_mute:
      emit(event.mute ? signal_mute_audio : signal_unmute_audio, event.uid);
      return;
    case EventKind::video_mute:
      emit(event.mute ? signal_mute_video : signal_unmute_video, event.uid);
      return;
    case EventKind::key_will_expire:
      emit(signal_token_privilege_will_expire);
      return;
    case EventKind::key_expired:
      emit(signal_token_privilege_did_expire);
      return;
    case EventKind::banned:
      emit(signal_client_banned);
      return;
    case EventKind::silenced:
      emit(signal_silenced);
      return;
    case EventKind::unsilenced:
      emit(signal_unsilenced);
      return;
    case EventKind::codecs_wanted: {
      g_auto(GStrv) names = names_of(event.codecs);
      emit(signal_codecs_wanted, names);
      return;
    }
    // What becomes of the list tells it.
    case EventKind::members_hidden:
    case EventKind::members_shown:
      return;
    case EventKind::member_named:
      emit(signal_member_named, event.uid, event.text.c_str());
      return;
    case EventKind::member_joined:
      emit(signal_member_joined, event.uid, event.text.c_str());
      return;
    case EventKind::member_left:
      emit(signal_member_left, event.uid);
      return;
    case EventKind::data:
      emit(signal_data, event.uid, event.text.c_str());
      return;
  }
}

}  // namespace agora::client

// No digit separators in this file: g-ir-scanner takes them for quotation marks.
using agora::client::Impl;

/**
 * AgoraClient:
 *
 * One member of one channel of a gateway.
 *
 * Call [method@AgoraSignaling.Client.init_async], then
 * [method@AgoraSignaling.Client.join_async]. Who may publish
 * ([method@AgoraSignaling.Client.set_role_async]) asks for a URL to push to with
 * [method@AgoraSignaling.Client.publish_async]; for each
 * [signal@AgoraSignaling.Client::stream-added], ask for a URL to play with
 * [method@AgoraSignaling.Client.subscribe_async]. The media themselves are RTMP, and not this
 * library's business.
 *
 * Connect to the signals before joining: the first ones may come before the callback of join.
 *
 * When the gateway is lost after a first join, the client comes back by itself: after 1 second,
 * then every two seconds or so, and at growing intervals of up to 30 seconds where the gateway is
 * there but takes nobody for now, until
 * [property@AgoraSignaling.Client:reconnect-timeout] is over. Publication, subscriptions and mutes
 * are made again, and where a URL is another one,
 * [signal@AgoraSignaling.Client::update-url] tells it.
 *
 * A client is thread-bound: it works on the main context that was the thread's default when it was
 * made, its signals and callbacks come from there, and all of its methods must be called from
 * there. The last [method@GObject.Object.unref] alone may come from any thread: no handler is
 * called from then on that isn't running already, and where another thread runs the context, the
 * connection is closed there, the next time round. A call that is under way keeps the client alive.
 *
 * Since: 0.1
 */

struct _AgoraClient {
  GObject parent_instance;
  Impl *impl;
};

G_DEFINE_FINAL_TYPE(AgoraClient, agora_client, G_TYPE_OBJECT)

agora::client::Core &agora::client::core_of(AgoraClient *self) {
  return self->impl->core;
}

static void agora_client_init (AgoraClient *self) {
  // The macro that declares this function knows no noexcept.
  self->impl = agora::guarded("making an AgoraClient", [self] { return new Impl(self); });
}

// The last reference may be dropped in a thread that doesn't run the client's context, while the
// one that does is in the middle of a callback of the socket. The client is then kept for its
// context, which closes it; the chaining up, here already, takes the application's handlers away.
static void agora_client_dispose (GObject *object) noexcept {
  agora::client::Core &core = AGORA_CLIENT(object)->impl->core;
  if (!agora::client::do_alone(core.context(), [&core] { core.quiet(); }))
    agora::client::do_there(core.context(),
                            [kept = agora::share(object)] { g_object_run_dispose(kept.get()); });
  G_OBJECT_CLASS(agora_client_parent_class)->dispose(object);
}

// It is quiet by now: nothing calls it any more. Yet what it holds is still its context's.
static void agora_client_finalize (GObject *object) noexcept {
  std::unique_ptr<Impl> impl(AGORA_CLIENT(object)->impl);
  const agora::ContextPtr context(g_main_context_ref(impl->core.context()));
  if (!agora::client::do_alone(context.get(), [&impl] { impl.reset(); }))
    agora::client::do_there(context.get(), [kept = std::move(impl)] {});
  G_OBJECT_CLASS(agora_client_parent_class)->finalize(object);
}

static std::string text_of (const GValue *value) {
  const char *text = g_value_get_string(value);
  return text == nullptr ? std::string() : std::string(text);
}

static std::string default_ca_file () {
  const char *set = g_getenv("AGORA_CA_FILE");
  return set != nullptr ? set : "";
}

static std::string default_gateway () {
  const char *set = g_getenv("AGORA_GATEWAY");
  return set != nullptr && *set != '\0' ? set : "ws://127.0.0.1:8080/api";
}

static void agora_client_set_property (GObject *object, guint id, const GValue *value,
                                       GParamSpec *spec) noexcept {
  agora::client::Core &core = AGORA_CLIENT(object)->impl->core;
  switch (id) {
    case agora::client::prop_gateway:
      core.destination.gateway = text_of(value);
      if (core.destination.gateway.empty())
        core.destination.gateway = default_gateway();
      break;
    case agora::client::prop_ap_url:
      core.destination.ap_url = text_of(value);
      break;
    case agora::client::prop_connect_timeout:
      core.limits().connect = g_value_get_uint(value);
      break;
    case agora::client::prop_reconnect_timeout:
      core.limits().reconnect = agora::client::Millis{g_value_get_int(value)} * 1000;
      break;
    case agora::client::prop_retry_first_join:
      core.limits().retry_first_join = g_value_get_boolean(value) != FALSE;
      break;
    case agora::client::prop_ca_file:
    case agora::client::prop_tls_ca_file:
      core.destination.ca_file = text_of(value);
      if (core.destination.ca_file.empty())
        core.destination.ca_file = default_ca_file();
      break;
    case agora::client::prop_display_name:
      core.name() = text_of(value);
      break;
    case agora::client::prop_hears:
      core.hears().reset();
      if (const auto *names = static_cast<const char *const *>(g_value_get_boxed(value)))
        core.hears() = agora::client::codecs_of(names);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void agora_client_get_property (GObject *object, guint id, GValue *value,
                                       GParamSpec *spec) noexcept {
  AgoraClient *self = AGORA_CLIENT(object);
  agora::client::Core &core = self->impl->core;
  auto set_text = [value] (const std::string &text) {
    g_value_set_string(value, text.empty() ? nullptr : text.c_str());
  };
  switch (id) {
    case agora::client::prop_gateway:
      set_text(core.destination.gateway);
      break;
    case agora::client::prop_ap_url:
      set_text(core.destination.ap_url);
      break;
    case agora::client::prop_connect_timeout:
      g_value_set_uint(value, static_cast<guint>(core.limits().connect));
      break;
    case agora::client::prop_reconnect_timeout:
      g_value_set_int(value, static_cast<gint>(core.limits().reconnect / 1000));
      break;
    case agora::client::prop_retry_first_join:
      g_value_set_boolean(value, core.limits().retry_first_join);
      break;
    case agora::client::prop_ca_file:
    case agora::client::prop_tls_ca_file:
      set_text(core.destination.ca_file);
      break;
    case agora::client::prop_state:
      g_value_set_enum(value, agora_client_get_state(self));
      break;
    case agora::client::prop_uid:
      g_value_set_uint(value, agora_client_get_uid(self));
      break;
    case agora::client::prop_channel:
      g_value_set_string(value, agora_client_get_channel(self));
      break;
    case agora::client::prop_role:
      g_value_set_enum(value, agora_client_get_role(self));
      break;
    case agora::client::prop_app_id:
      set_text(core.machine().app_id());
      break;
    case agora::client::prop_lists_members:
      g_value_set_boolean(value, core.machine().lists_members());
      break;
    case agora::client::prop_silenced:
      g_value_set_boolean(value, core.machine().silenced());
      break;
    case agora::client::prop_display_name:
      set_text(core.name());
      break;
    case agora::client::prop_hears:
      if (core.hears())
        g_value_take_boxed(value, agora::client::names_of(*core.hears()));
      break;
    case agora::client::prop_codecs_wanted:
      if (const auto &codecs = core.machine().codecs_wanted(); !codecs.empty())
        g_value_take_boxed(value, agora::client::names_of(codecs));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void agora_client_class_init (AgoraClientClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->dispose = agora_client_dispose;
  object_class->finalize = agora_client_finalize;
  object_class->set_property = agora_client_set_property;
  object_class->get_property = agora_client_get_property;
  agora::client::install_properties(object_class);
  agora::client::install_signals();
}

/**
 * agora_client_new:
 * @gateway: (nullable): see [property@AgoraSignaling.Client:gateway].
 *
 * Makes a client, on the main context that is this thread's default. Nothing is connected yet.
 *
 * Returns: (transfer full): a client.
 *
 * Since: 0.1
 */
AgoraClient *agora_client_new (const char *gateway) noexcept {
  return AGORA_CLIENT(g_object_new(AGORA_TYPE_CLIENT, "gateway", gateway, nullptr));
}

/**
 * agora_client_get_state:
 * @self: a client.
 *
 * Tells where the client is.
 *
 * Returns: the state.
 *
 * Since: 0.1
 */
AgoraState agora_client_get_state (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), AGORA_STATE_IDLE);
  return agora::client::state_of(self->impl->core.machine().phase());
}

/**
 * agora_client_get_uid:
 * @self: a client.
 *
 * Tells the member's own uid.
 *
 * Returns: the uid; 0 outside of a channel.
 *
 * Since: 0.1
 */
guint agora_client_get_uid (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), 0);
  return self->impl->core.machine().uid();
}

/**
 * agora_client_get_role:
 * @self: a client.
 *
 * Tells what the member may do in its channel.
 *
 * Returns: the role.
 *
 * Since: 0.1
 */
AgoraRole agora_client_get_role (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), AGORA_ROLE_AUDIENCE);
  return agora::client::role_of(self->impl->core.machine().role());
}

/**
 * agora_client_get_channel:
 * @self: a client.
 *
 * Tells the channel. It is valid until the client is used again.
 *
 * Returns: (nullable): the channel; %NULL outside of one.
 *
 * Since: 0.1
 */
const char *agora_client_get_channel (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  const std::string &channel = self->impl->core.machine().channel();
  return channel.empty() ? nullptr : channel.c_str();
}

/**
 * agora_client_dup_speakers:
 * @self: a client.
 * @n_speakers: (out): how many there are.
 *
 * Tells who has something to hear in the channel, for those who come to a client that has joined
 * already: every uid of which [signal@AgoraSignaling.Client::stream-added] has told and
 * [signal@AgoraSignaling.Client::stream-removed] has not. A signal that is due in the same moment
 * may be emitted after the list shows it. While the client is reconnecting, and after it has
 * failed, the list is the last one that was known: what
 * [method@AgoraSignaling.Client.rejoin_async] wants.
 *
 * Returns: (transfer full) (nullable) (array length=n_speakers): the uids, in rising order; %NULL
 *   where there are none.
 *
 * Since: 0.1
 */
guint *agora_client_dup_speakers (AgoraClient *self, gsize *n_speakers) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  g_return_val_if_fail(n_speakers != nullptr, nullptr);
  const auto &speakers = self->impl->core.machine().speakers();
  *n_speakers = speakers.size();
  if (speakers.empty())
    return nullptr;
  guint *uids = g_new(guint, speakers.size());
  std::copy(speakers.begin(), speakers.end(), uids);
  return uids;
}

/**
 * agora_client_get_main_context:
 * @self: a client.
 *
 * Tells the context on which the client runs: the one that was the thread's default when it was
 * made. Whoever calls the client must do so from there. This function alone may be called from any
 * thread.
 *
 * Returns: (transfer none): the context, for as long as the client lives.
 *
 * Since: 0.1
 */
GMainContext *agora_client_get_main_context (AgoraClient *self) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), nullptr);
  return self->impl->core.context();
}

/**
 * agora_client_destroy:
 * @self: a client.
 *
 * Closes the connection without a goodbye, as dropping the last reference does: for the others in
 * the channel, the member is away for a while, and a
 * [method@AgoraSignaling.Client.rejoin_async] within 10 seconds takes its streams over. Calls that
 * are under way fail with %AGORA_ERROR_SOCKET_GONE. The client can be used again.
 *
 * Since: 0.1
 */
void agora_client_destroy (AgoraClient *self) noexcept {
  g_return_if_fail(AGORA_IS_CLIENT(self));
  self->impl->core.happen(agora::client::Destroy{});
}
