// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/class.hpp"

#include "signaling/agora-client.h"
#include "signaling/agora-enum-types.h"

namespace agora::client {

guint signals[n_signals];

void install_properties (GObjectClass *klass) {
  static GParamSpec *properties[n_properties];
  const auto settable =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS);
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * AgoraClient:gateway:
   *
   * The gateway's WebSocket, a ws:// or wss:// URL. Unset: the environment variable AGORA_GATEWAY,
   * then ws://127.0.0.1:8080/api. Heeded at the next connecting.
   *
   * Since: 0.1
   */
  properties[prop_gateway] = g_param_spec_string(
      "gateway", "Gateway", "URL of the gateway (ws:// or wss://)", nullptr, settable);
  /**
   * AgoraClient:ap-url:
   *
   * An http:// or https:// URL that is asked for a gateway; where it is set,
   * [property@AgoraSignaling.Client:gateway] is not looked at. The gateways that it answers are
   * tried in their order, each for 5 seconds.
   *
   * Since: 0.1
   */
  properties[prop_ap_url] = g_param_spec_string(
      "ap-url", "AP URL", "URL that chooses a gateway, instead of gateway", nullptr, settable);
  /**
   * AgoraClient:connect-timeout:
   *
   * The time that a gateway has to reply to a first join, in milliseconds. Later tries have 4
   * seconds, or this where it is less.
   *
   * Since: 0.1
   */
  properties[prop_connect_timeout] = g_param_spec_uint(
      "connect-timeout", "Connect timeout", "Time allowed for the gateway to reply, in ms", 1,
      G_MAXINT32, 10000, settable);
  /**
   * AgoraClient:reconnect-timeout:
   *
   * How long the client tries to come back after it has lost the gateway, in seconds. With 0 it
   * does not try at all; with -1 it tries for ever (since 0.2).
   *
   * Since: 0.1
   */
  properties[prop_reconnect_timeout] =
      g_param_spec_int("reconnect-timeout", "Reconnect timeout",
                       "How long to try to come back, in s (0: not at all, -1: for ever)", -1,
                       G_MAXINT32, 1200, settable);
  /**
   * AgoraClient:retry-first-join:
   *
   * Whether a first join, too, is tried again while no gateway is there or takes members, until
   * [property@AgoraSignaling.Client:reconnect-timeout] is over. The client is then in
   * %AGORA_STATE_CONNECTING all the while; [signal@AgoraSignaling.Client::reconnecting] tells that
   * the first try has failed, and why. What is refused for good is not tried twice.
   *
   * Since: 0.2
   */
  properties[prop_retry_first_join] = g_param_spec_boolean(
      "retry-first-join", "Retry first join",
      "Whether a first join, too, is tried until reconnect-timeout is over", FALSE, settable);
  /**
   * AgoraClient:ca-file:
   *
   * A file of PEM certificates: the only authorities that are trusted for wss:// and https://, and,
   * by elements that use this client, for rtmps://. Unset: the environment variable AGORA_CA_FILE,
   * then the system's. Heeded at the next connecting.
   *
   * Since: 0.2
   */
  properties[prop_ca_file] =
      g_param_spec_string("ca-file", "CA file",
                          "PEM file of the authorities that are trusted for wss://, https:// and "
                          "rtmps:// (unset: AGORA_CA_FILE, or else the system's)",
                          nullptr, settable);
  /**
   * AgoraClient:tls-ca-file:
   *
   * The former name of [property@AgoraSignaling.Client:ca-file].
   *
   * Since: 0.1
   *
   * Deprecated: 0.2: use [property@AgoraSignaling.Client:ca-file].
   */
  properties[prop_tls_ca_file] = g_param_spec_string(
      "tls-ca-file", "TLS CA file", "The former name of ca-file", nullptr,
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_DEPRECATED));
  /**
   * AgoraClient:state:
   *
   * Where the client is.
   *
   * Since: 0.1
   */
  properties[prop_state] = g_param_spec_enum("state", "State", "Where the client is",
                                             AGORA_TYPE_STATE, AGORA_STATE_IDLE, readable);
  /**
   * AgoraClient:uid:
   *
   * The member's own uid: the one that was asked for, from the answer to join on the real one; 0
   * outside of a channel.
   *
   * Since: 0.1
   */
  properties[prop_uid] =
      g_param_spec_uint("uid", "Uid", "The member's own uid", 0, G_MAXUINT32, 0, readable);
  /**
   * AgoraClient:channel:
   *
   * The channel; %NULL outside of one.
   *
   * Since: 0.1
   */
  properties[prop_channel] =
      g_param_spec_string("channel", "Channel", "The channel", nullptr, readable);
  /**
   * AgoraClient:role:
   *
   * What the member may do in its channel.
   *
   * Since: 0.1
   */
  properties[prop_role] = g_param_spec_enum("role", "Role", "What the member may do",
                                            AGORA_TYPE_ROLE, AGORA_ROLE_AUDIENCE, readable);
  /**
   * AgoraClient:app-id:
   *
   * The app, as given to [method@AgoraSignaling.Client.init_async].
   *
   * Since: 0.1
   */
  properties[prop_app_id] = g_param_spec_string("app-id", "App id", "The app", nullptr, readable);
  /**
   * AgoraClient:silenced:
   *
   * Whether a rule of the channel's operator keeps this member off the air. The membership stays,
   * the push URL is void. When the rule ends, what was published is published again by itself, and
   * [signal@AgoraSignaling.Client::update-url] tells the new push URL.
   *
   * Since: 0.2
   */
  properties[prop_silenced] =
      g_param_spec_boolean("silenced", "Silenced",
                           "Whether the operator keeps this member off the air", FALSE, readable);
  /**
   * AgoraClient:hears:
   *
   * The codecs that this member can hear, best first, by their names: "opus", "aac". %NULL, and
   * what isn't in it: "aac", which everybody hears. Names that aren't known are passed over. Of
   * each speaker the first one is heard that it offers:
   * [method@AgoraSignaling.Client.get_subscription_codec]. Heeded at the next join.
   *
   * Since: 0.2
   */
  properties[prop_hears] = g_param_spec_boxed(
      "hears", "Hears", "Codecs that this member can hear, best first", G_TYPE_STRV,
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  /**
   * AgoraClient:codecs-wanted:
   *
   * Of what [method@AgoraSignaling.Client.publish_codecs_async] offered: the codecs that somebody
   * hears, as [signal@AgoraSignaling.Client::codecs-wanted] told last. %NULL before it did, and
   * with a gateway that doesn't tell: push "aac" then.
   *
   * Since: 0.2
   */
  properties[prop_codecs_wanted] =
      g_param_spec_boxed("codecs-wanted", "Codecs wanted",
                         "Codecs of this member's that somebody hears", G_TYPE_STRV, readable);
  /**
   * AgoraClient:display-name:
   *
   * This member's name, for people: up to 64 characters of UTF-8, without control characters; a
   * join with another one fails with %AGORA_ERROR_INVALID_ARGUMENT. Those who hear this member are
   * told it; where the gateway shows an app's members, so is everybody in the channel who asks
   * ([method@AgoraSignaling.Client.get_members_async]), also of one who only listens. The operator
   * sees it; nobody vouches for it. %NULL: none. Heeded at the next join.
   *
   * Since: 0.2
   */
  properties[prop_display_name] =
      g_param_spec_string("display-name", "Display name", "This member's name, for people", nullptr,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  /**
   * AgoraClient:lists-members:
   *
   * Whether the gateway has answered [method@AgoraSignaling.Client.get_members_async], so that
   * [signal@AgoraSignaling.Client::member-joined] and [signal@AgoraSignaling.Client::member-left]
   * tell of changes. It stays so while the client is reconnecting; where the gateway that it comes
   * back to doesn't show an app's members, or its operator takes that back, it is %FALSE from then
   * on, and [signal@AgoraSignaling.Client::member-left] tells of all that were listed. Where that
   * is given again, or for the first time since the application has asked, it is %TRUE without
   * another call, and [signal@AgoraSignaling.Client::member-joined] tells of all.
   *
   * Since: 0.2
   */
  properties[prop_lists_members] =
      g_param_spec_boolean("lists-members", "Lists members",
                           "Whether the gateway tells who else is in the channel", FALSE, readable);
  g_object_class_install_properties(klass, n_properties, properties);
}

template <typename... Types>
static guint new_signal (const char *name, Types... types) {
  return g_signal_new(name, AGORA_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                      G_TYPE_NONE, sizeof...(types), types...);
}

void install_signals () {
  /**
   * AgoraClient::stream-added:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member has something to hear: subscribe to it. After a join there is one for each that was
   * there before.
   *
   * Since: 0.1
   */
  signals[signal_stream_added] = new_signal("stream-added", G_TYPE_UINT);
  /**
   * AgoraClient::stream-removed:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member has unpublished, or left. Its URL and the subscription are void.
   *
   * Since: 0.1
   */
  signals[signal_stream_removed] = new_signal("stream-removed", G_TYPE_UINT);
  /**
   * AgoraClient::update-url:
   * @self: the client.
   * @uid: whose stream has moved.
   * @url: the new URL; with one's own @uid it is the one to push to.
   *
   * A URL in use is of no use any more: go on with this one.
   *
   * Since: 0.1
   */
  signals[signal_update_url] = new_signal("update-url", G_TYPE_UINT, G_TYPE_STRING);
  /**
   * AgoraClient::video-rotation:
   * @self: the client.
   * @uid: the speaker.
   * @rotation: by how many degrees its picture is turned.
   *
   * The picture of a member is turned.
   *
   * Since: 0.1
   */
  signals[signal_video_rotation] = new_signal("video-rotation", G_TYPE_UINT, G_TYPE_INT);
  /**
   * AgoraClient::mute-audio:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member is silent on purpose. Its stream goes on.
   *
   * A stream that is added isn't muted, unless this follows at once.
   *
   * Since: 0.1
   */
  signals[signal_mute_audio] = new_signal("mute-audio", G_TYPE_UINT);
  /**
   * AgoraClient::unmute-audio:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member speaks again; also told after [signal@AgoraSignaling.Client::reconnected], if that
   * was meanwhile.
   *
   * Since: 0.1
   */
  signals[signal_unmute_audio] = new_signal("unmute-audio", G_TYPE_UINT);
  /**
   * AgoraClient::mute-video:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member has covered its camera.
   *
   * Since: 0.1
   */
  signals[signal_mute_video] = new_signal("mute-video", G_TYPE_UINT);
  /**
   * AgoraClient::unmute-video:
   * @self: the client.
   * @uid: the speaker.
   *
   * A member shows its picture again.
   *
   * Since: 0.1
   */
  signals[signal_unmute_video] = new_signal("unmute-video", G_TYPE_UINT);
  /**
   * AgoraClient::token-privilege-will-expire:
   * @self: the client.
   *
   * The token, or a privilege of it, ends within 30 seconds:
   * [method@AgoraSignaling.Client.renew_token_async] in time.
   *
   * Since: 0.1
   */
  signals[signal_token_privilege_will_expire] = new_signal("token-privilege-will-expire");
  /**
   * AgoraClient::token-privilege-did-expire:
   * @self: the client.
   *
   * The token has ended, and with it the membership: join again with another token.
   *
   * Since: 0.1
   */
  signals[signal_token_privilege_did_expire] = new_signal("token-privilege-did-expire");
  /**
   * AgoraClient::client-banned:
   * @self: the client.
   *
   * The operator of the channel has removed this member. It does not come back by itself.
   *
   * Since: 0.1
   */
  signals[signal_client_banned] = new_signal("client-banned");
  /**
   * AgoraClient::silenced:
   * @self: the client.
   *
   * A rule of the channel's operator takes this member off the air: see
   * [property@AgoraSignaling.Client:silenced].
   *
   * Since: 0.2
   */
  signals[signal_silenced] = new_signal("silenced");
  /**
   * AgoraClient::unsilenced:
   * @self: the client.
   *
   * The rule has ended.
   *
   * Since: 0.2
   */
  signals[signal_unsilenced] = new_signal("unsilenced");
  /**
   * AgoraClient::codecs-wanted:
   * @self: the client.
   * @codecs: (array zero-terminated=1): their names, never none, in the order in which they were
   *   offered.
   *
   * Of a member that has published with [method@AgoraSignaling.Client.publish_codecs_async]: which
   * codecs somebody hears. Those are to be pushed, each to its own URL; a push of another one may
   * end, once each of these has begun. It comes after each publishing, before anybody listens: then
   * with the first codec that was offered. A codec that has lost its last listener stays for some
   * seconds.
   *
   * Since: 0.2
   */
  signals[signal_codecs_wanted] = new_signal("codecs-wanted", G_TYPE_STRV);
  /**
   * AgoraClient::data:
   * @self: the client.
   * @uid: who says it.
   * @text: what: up to 256 bytes.
   *
   * Another member has sent a few words to this one, or to all, with
   * [method@AgoraSignaling.Client.send_data_async].
   *
   * Since: 0.2
   */
  signals[signal_data] = new_signal("data", G_TYPE_UINT, G_TYPE_STRING);
  /**
   * AgoraClient::member-named:
   * @self: the client.
   * @uid: the speaker.
   * @name: its name, by its own word; "": it has none any more.
   *
   * A speaker has a name: before its [signal@AgoraSignaling.Client::stream-added], and whenever it
   * comes back with another one. [method@AgoraSignaling.Client.dup_name] tells it from then on.
   *
   * Since: 0.2
   */
  signals[signal_member_named] = new_signal("member-named", G_TYPE_UINT, G_TYPE_STRING);
  /**
   * AgoraClient::member-joined:
   * @self: the client.
   * @uid: the member.
   * @name: its name, by its own word; "": it has none.
   *
   * Of a client that has asked with [method@AgoraSignaling.Client.get_members_async]: another
   * member has come into the channel, or has another name than it had. Not each one of a crowd:
   * who comes and goes within half a second may be told of once, or not at all.
   *
   * Since: 0.2
   */
  signals[signal_member_joined] = new_signal("member-joined", G_TYPE_UINT, G_TYPE_STRING);
  /**
   * AgoraClient::member-left:
   * @self: the client.
   * @uid: the member.
   *
   * Of a client that has asked with [method@AgoraSignaling.Client.get_members_async]: a member of
   * that list, or one of whom [signal@AgoraSignaling.Client::member-joined] has told, is in the
   * channel no more: it has left, was removed, or has been lost for longer than the gateway waits
   * for it, 10 seconds. It also comes of one that is there and isn't told of any more, such as of
   * all where [property@AgoraSignaling.Client:lists-members] ends.
   *
   * Since: 0.2
   */
  signals[signal_member_left] = new_signal("member-left", G_TYPE_UINT);
  /**
   * AgoraClient::error:
   * @self: the client.
   * @error: what went wrong, in the domain of this library.
   *
   * Something went wrong that no call waits for. Where the client is then in
   * %AGORA_STATE_FAILED it is out of the channel for good.
   *
   * Since: 0.1
   */
  signals[signal_error] = new_signal("error", G_TYPE_ERROR);
  /**
   * AgoraClient::reconnecting:
   * @self: the client.
   * @cause: why.
   *
   * The gateway is lost; the client tries to come back. Until then all calls but leave fail with
   * %AGORA_ERROR_SOCKET_GONE. With [property@AgoraSignaling.Client:retry-first-join] also when the
   * first try of a join has failed, once.
   *
   * Since: 0.1
   */
  signals[signal_reconnecting] = new_signal("reconnecting", G_TYPE_ERROR);
  /**
   * AgoraClient::reconnected:
   * @self: the client.
   * @ms: how long it was away, in milliseconds; of a first join: how long that took.
   *
   * The client is in the channel after [signal@AgoraSignaling.Client::reconnecting]. What it
   * published and subscribed to is being made again.
   *
   * Since: 0.1
   */
  signals[signal_reconnected] = new_signal("reconnected", G_TYPE_UINT);
}

}  // namespace agora::client
