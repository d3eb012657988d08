// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/channel-settings.hpp"

#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/object-lock.hpp"
#include "signaling/agora-client.h"
#include "signaling/agora-error.h"

namespace agora {
namespace {

// Holds a codec's name, which lives for ever.
constexpr const char *kHearsKey = "agora-hears";

const char *default_gateway () {
  const char *env = g_getenv("AGORA_GATEWAY");
  return env && *env ? env : "ws://127.0.0.1:8080/api";
}

const char *default_ca_file () {
  const char *env = g_getenv("AGORA_CA_FILE");
  return env ? env : "";
}

std::string text (const GValue *value) {
  const char *s = g_value_get_string(value);
  return s ? s : "";
}

std::string escaped (const std::string &s) {
  g_autofree char *e = g_uri_escape_string(s.c_str(), nullptr, FALSE);
  return e;
}

}  // namespace

ChannelSettingsStore::ChannelSettingsStore() = default;

ChannelSettingsStore::~ChannelSettingsStore() {
  g_clear_object(&settings_.client);
}

bool ChannelSettingsStore::set(GObject *element, guint id, const GValue *value) {
  // Freed outside of the lock.
  ObjectPtr<AgoraClient> dropped;
  ObjectLock lock(element);
  switch (id) {
    case kGateway:
      settings_.gateway = text(value);
      return true;
    case kApUrl:
      settings_.ap_url = text(value);
      return true;
    case kCaFile:
      settings_.ca_file = text(value);
      return true;
    case kAppId:
      settings_.app_id = text(value);
      return true;
    case kChannel:
      settings_.channel = text(value);
      return true;
    case kToken:
      settings_.token = text(value);
      return true;
    case kUid:
      settings_.uid = g_value_get_uint(value);
      return true;
    case kClient:
      dropped.reset(settings_.client);
      settings_.client = AGORA_CLIENT(g_value_dup_object(value));
      return true;
    case kConnectTimeout:
      settings_.connect_timeout_ms = g_value_get_uint(value);
      return true;
    case kReconnectTimeout:
      settings_.reconnect_timeout_s = g_value_get_int(value);
      return true;
    case kDisplayName: {
      const char *name = g_value_get_string(value);
      settings_.display_name = name ? name : "";
      return true;
    }
    case kListMembers:
      settings_.list_members = g_value_get_boolean(value);
      return true;
    case kRetryFirstJoin:
      settings_.retry_first_join = g_value_get_boolean(value);
      return true;
    default:
      return false;
  }
}

bool ChannelSettingsStore::get(GObject *element, guint id, GValue *value) const {
  ObjectLock lock(element);
  switch (id) {
    case kGateway:
      g_value_set_string(value,
                         settings_.gateway.empty() ? default_gateway() : settings_.gateway.c_str());
      return true;
    case kApUrl:
      g_value_set_string(value, settings_.ap_url.c_str());
      return true;
    case kCaFile:
      g_value_set_string(value,
                         settings_.ca_file.empty() ? default_ca_file() : settings_.ca_file.c_str());
      return true;
    case kAppId:
      g_value_set_string(value, settings_.app_id.c_str());
      return true;
    case kChannel:
      g_value_set_string(value, settings_.channel.c_str());
      return true;
    case kUid:
      g_value_set_uint(value, settings_.uid);
      return true;
    case kClient:
      g_value_set_object(value, settings_.client);
      return true;
    case kConnectTimeout:
      g_value_set_uint(value, settings_.connect_timeout_ms);
      return true;
    case kReconnectTimeout:
      g_value_set_int(value, settings_.reconnect_timeout_s);
      return true;
    case kDisplayName:
      g_value_set_string(value,
                         settings_.display_name.empty() ? nullptr : settings_.display_name.c_str());
      return true;
    case kListMembers:
      g_value_set_boolean(value, settings_.list_members);
      return true;
    case kRetryFirstJoin:
      g_value_set_boolean(value, settings_.retry_first_join);
      return true;
    default:
      return false;
  }
}

ChannelSettings ChannelSettingsStore::copy(GObject *element) const {
  ObjectLock lock(element);
  ChannelSettings settings = settings_;
  if (settings.gateway.empty())
    settings.gateway = default_gateway();
  // The application's client has its own.
  if (settings.ca_file.empty() && !settings.client)
    settings.ca_file = default_ca_file();
  if (const auto *name = static_cast<const char *>(g_object_get_data(G_OBJECT(element), kHearsKey)))
    settings.hears = {*voice_codec(name)};
  if (settings.client)
    g_object_ref(settings.client);
  return settings;
}

void hear_in (GObject *element, VoiceCodec codec) {
  g_object_set_data(element, kHearsKey, const_cast<char *>(name_of(codec)));
}

bool ChannelSettingsStore::set_uri(GObject *element, const char *uri, GError **error) {
  g_autoptr(GError) parse_error = nullptr;
  g_autoptr(GUri) parsed =
      g_uri_parse(uri, static_cast<GUriFlags>(G_URI_FLAGS_ENCODED_PATH | G_URI_FLAGS_ENCODED_QUERY),
                  &parse_error);
  const char *why = nullptr;
  g_auto(GStrv) parts = nullptr;
  g_autoptr(GHashTable) query = nullptr;
  if (!parsed)
    why = parse_error->message;
  else if (g_strcmp0(g_uri_get_scheme(parsed), "agora") != 0)
    why = "the scheme is not agora";
  else if (!g_uri_get_host(parsed) || !*g_uri_get_host(parsed))
    why = "it names no host";
  if (!why) {
    parts = g_strsplit(g_uri_get_path(parsed), "/", -1);
    if (g_strv_length(parts) != 3 || !*parts[1] || !*parts[2])
      why = "its path is not /APP-ID/CHANNEL";
  }
  if (!why && g_uri_get_query(parsed)) {
    query = g_uri_parse_params(g_uri_get_query(parsed), -1, "&", G_URI_PARAMS_NONE, &parse_error);
    if (!query)
      why = parse_error->message;
  }
  auto argument = [&query] (const char *name) {
    return query ? static_cast<const char *>(g_hash_table_lookup(query, name)) : nullptr;
  };
  guint64 uid = 0;
  if (!why && argument("uid") &&
      !g_ascii_string_to_unsigned(argument("uid"), 10, 0, G_MAXUINT32, &uid, nullptr))
    why = "uid is not an unsigned 32-bit integer";
  if (why) {
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                "“%s” is not agora://HOST[:PORT]/APP-ID/CHANNEL[?uid=…&token=…&tls=1]: %s", uri,
                why);
    return false;
  }

  const bool tls = g_strcmp0(argument("tls"), "1") == 0;
  const int port = g_uri_get_port(parsed);
  g_autofree char *gateway =
      g_uri_join(G_URI_FLAGS_NONE, tls ? "wss" : "ws", nullptr, g_uri_get_host(parsed),
                 port > 0 ? port : (tls ? 443 : 8080), "/api", nullptr, nullptr);
  g_autofree char *app_id = g_uri_unescape_string(parts[1], nullptr);
  g_autofree char *channel = g_uri_unescape_string(parts[2], nullptr);
  ObjectLock lock(element);
  if (GST_STATE(element) > GST_STATE_READY || GST_STATE_NEXT(element) > GST_STATE_READY) {
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                "%s is in a channel: set its state to READY before it gets another URI",
                GST_OBJECT_NAME(element));
    return false;
  }
  settings_.gateway = gateway;
  settings_.app_id = app_id ? app_id : "";
  settings_.channel = channel ? channel : "";
  settings_.uid = static_cast<std::uint32_t>(uid);
  // What the URI leaves out, too: another's secret is not for this host.
  settings_.token = argument("token") ? argument("token") : "";
  settings_.ap_url.clear();
  // Not ca-file: whom this machine trusts is not for a URI to say, which may come from anywhere.
  return true;
}

// Without the token: a secret is never read back.
char *ChannelSettingsStore::uri(GObject *element) const {
  const ChannelSettings s = [&] {
    ObjectLock lock(element);
    ChannelSettings copy = settings_;
    copy.client = nullptr;
    return copy;
  }();
  g_autoptr(GUri) gateway = g_uri_parse(s.gateway.empty() ? default_gateway() : s.gateway.c_str(),
                                        G_URI_FLAGS_NONE, nullptr);
  if (!gateway || !g_uri_get_host(gateway) || s.app_id.empty() || s.channel.empty())
    return nullptr;
  const bool tls = g_strcmp0(g_uri_get_scheme(gateway), "wss") == 0;
  std::string query = tls ? "tls=1" : "";
  if (s.uid)
    query += (query.empty() ? "uid=" : "&uid=") + std::to_string(s.uid);
  return g_uri_join(G_URI_FLAGS_ENCODED, "agora", nullptr, g_uri_get_host(gateway),
                    g_uri_get_port(gateway),
                    ("/" + escaped(s.app_id) + "/" + escaped(s.channel)).c_str(),
                    query.empty() ? nullptr : query.c_str(), nullptr);
}

// The blocks below are named after agorasrc; the properties are agorasink's, too.
void install_settings (GObjectClass *klass) {
  const auto readwrite = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  const auto write = static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_PLAYING);
  const auto read = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GstAgoraSrc:gateway:
   *
   * The `ws://` or `wss://` URL of the gateway. Unset: that of the environment variable
   * `AGORA_GATEWAY`, or else `ws://127.0.0.1:8080/api`.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kGateway,
      g_param_spec_string("gateway", "Gateway",
                          "ws:// or wss:// URL of the gateway, such as "
                          "wss://voice.example.org/api (unset: that of the environment variable "
                          "AGORA_GATEWAY, or else ws://127.0.0.1:8080/api)",
                          nullptr, readwrite));
  /**
   * GstAgoraSrc:ap-url:
   *
   * The `http://` or `https://` URL of a server that names a gateway. It is used instead of
   * #GstAgoraSrc:gateway.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kApUrl,
      g_param_spec_string("ap-url", "Access point URL",
                          "http:// or https:// URL that is asked for a gateway, such as "
                          "https://voice.example.org/api/v1 (unset: the property gateway is used)",
                          nullptr, readwrite));
  /**
   * GstAgoraSrc:ca-file:
   *
   * A PEM file: the only authorities whose certificates are trusted, of gateways (`wss://`,
   * `https://`) and of media servers (`rtmps://`). Unset: that of the environment variable
   * `AGORA_CA_FILE`, or else the system's authorities; with #GstAgoraSrc:client, the client's.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kCaFile,
      g_param_spec_string("ca-file", "CA file",
                          "PEM file of the only authorities that are trusted for wss://, https:// "
                          "and rtmps://, such as /etc/agora/ca.pem (unset: that of the environment "
                          "variable AGORA_CA_FILE, or else the system's; with client, the "
                          "client's)",
                          nullptr, readwrite));
  /**
   * GstAgoraSrc:app-id:
   *
   * The app that the channel belongs to. The gateway serves one or more of them.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kAppId,
      g_param_spec_string("app-id", "App ID",
                          "Id of the app that the channel belongs to, as the gateway was started "
                          "with, such as demo (needed, unless client is set)",
                          nullptr, readwrite));
  /**
   * GstAgoraSrc:channel:
   *
   * The name of the channel, 1 to 128 bytes.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kChannel,
      g_param_spec_string("channel", "Channel",
                          "Name of the channel, 1 to 128 bytes of UTF-8, such as room (needed, "
                          "unless client is set)",
                          nullptr, readwrite));
  /**
   * GstAgoraSrc:token:
   *
   * The token or Channel Key that lets this member in, where the app has a certificate. Another one
   * may be set while the element plays, before the old one ends or while the gateway is away. It
   * can't be read back.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kToken,
      g_param_spec_string("token", "Token",
                          "Token or Channel Key, for an app that has a certificate. May be "
                          "replaced while playing, before it ends. Cannot be read back",
                          nullptr, write));
  /**
   * GstAgoraSrc:uid:
   *
   * The numeric id of this member. 0: the gateway assigns one. The id in use reads back, and
   * `notify::uid` tells of it.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kUid,
      g_param_spec_uint("uid", "Uid",
                        "Numeric id of this member, such as 8 (0: the gateway assigns one); the id "
                        "in use reads back",
                        0, G_MAXUINT32, 0, readwrite));
  /**
   * GstAgoraSrc:client:
   *
   * An #AgoraClient of the application to use, instead of a membership that the element makes. The
   * application joins and leaves; the element publishes or subscribes.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kClient,
      g_param_spec_object("client", "Client",
                          "AgoraClient of the application to use, instead of a membership that "
                          "the element makes. The application joins and leaves",
                          AGORA_TYPE_CLIENT, readwrite));
  /**
   * GstAgoraSrc:connect-timeout:
   *
   * The time in milliseconds that the gateway has to answer before the first join. Then it is an
   * ERROR.
   *
   * Since: 0.1
   */
  g_object_class_install_property(klass, kConnectTimeout,
                                  g_param_spec_uint("connect-timeout", "Connect timeout",
                                                    "Milliseconds that the gateway has to answer "
                                                    "before the first join, such as 3000; then it "
                                                    "is an error",
                                                    1, G_MAXINT, 10000, readwrite));
  /**
   * GstAgoraSrc:reconnect-timeout:
   *
   * The time in seconds for which the element tries to come back to a channel that it has lost,
   * before that is an ERROR. 0: the loss is an ERROR. -1: for ever.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kReconnectTimeout,
      g_param_spec_int("reconnect-timeout", "Reconnect timeout",
                       "Seconds in which the element tries to come back to the channel after it "
                       "was lost, before it is an error, such as 60 (0: the first loss is one, -1: "
                       "for ever)",
                       -1, G_MAXINT, 20 * 60, readwrite));
  /**
   * GstAgoraSrc:display-name:
   *
   * This member's name, for people: up to 64 characters, none of them a control character, or the
   * start fails. Those who hear this member are told it (#GstAgoraSrc::member-named); where the
   * gateway shows an app's members, so is everybody in the channel who asks
   * (#GstAgoraSrc:list-members), also of one who only listens. The operator sees it; nobody
   * vouches for it. Unset: none.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kDisplayName,
      g_param_spec_string("display-name", "Display name",
                          "This member's name, for people, such as Studio 2: up to 64 characters "
                          "(unset: none)",
                          nullptr,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY)));
  /**
   * GstAgoraSrc:list-members:
   *
   * Whether the element asks who else is in the channel, those who only listen included, and tells
   * of them by #GstAgoraSrc::member-joined and #GstAgoraSrc::member-left. Where the gateway doesn't
   * show an app's members, which is the usual, that is a WARNING: once, and again where a gateway
   * that showed them shows them no more, and #GstAgoraSrc::member-left has come for all. As soon as
   * it shows them (again) the element tells of them without being asked.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kListMembers,
      g_param_spec_boolean("list-members", "List members",
                           "Ask who else is in the channel, where the gateway shows it, and tell "
                           "of them by signals and messages",
                           FALSE, readwrite));
  /**
   * GstAgoraSrc:retry-first-join:
   *
   * Whether the first join, too, is tried again until #GstAgoraSrc:reconnect-timeout is over. For
   * machines that may be up before their gateway is. %FALSE: a gateway that isn't there is an ERROR
   * at once.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kRetryFirstJoin,
      g_param_spec_boolean("retry-first-join", "Retry first join",
                           "Try the first join again, too, until reconnect-timeout is over, "
                           "instead of failing at once",
                           FALSE, readwrite));
  /**
   * GstAgoraSrc:connection-state:
   *
   * `idle`, `connecting`, `joined`, `reconnecting`, `leaving` or `failed`, as of now.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kConnectionState,
      g_param_spec_string(
          "connection-state", "Connection state",
          "State of the membership: idle, connecting, joined, reconnecting, leaving or failed",
          "idle", read));
  /**
   * GstAgoraSrc:stats:
   *
   * What the element has counted since it started: a #GstStructure `agorasrc-stats` (or
   * `agorasink-stats`), whose fields docs/elements.md lists.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kStats,
      g_param_spec_boxed("stats", "Statistics",
                         "Counters and measurements since the start, times in milliseconds; "
                         "agorasrc also has them per speaker",
                         GST_TYPE_STRUCTURE, read));
}

bool are_complete (const ChannelSettings &settings, GError **error) {
  const char *missing = settings.client            ? nullptr
                        : settings.app_id.empty()  ? "app-id"
                        : settings.channel.empty() ? "channel"
                                                   : nullptr;
  if (missing)
    g_set_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT, "%s is not set", missing);
  return !missing;
}

}  // namespace agora
