// SPDX-License-Identifier: LGPL-2.1-or-later
// Stream keys and play keys: made, listed and ended by the operator.
#include <algorithm>

#include "signaling/gateway/operator/admin-routes.hpp"
#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

using protocol::Need;

namespace {

// The host by which the operator reached us; "": it can't be told.
std::string origin_host (const std::string &origin) {
  CharPtr host;
  char *found = nullptr;
  if (g_uri_split_network(origin.c_str(), G_URI_FLAGS_NONE, nullptr, &found, nullptr, nullptr))
    host.reset(found);
  return host ? host.get() : "";
}

const char *name_of (KeyUse use) {
  return use == KeyUse::play ? "play key" : "stream key";
}

AdminAnswer no_key (std::uint64_t id, KeyUse use) {
  return admin_failure(
      404, std::string("id: expected the id of a ") + name_of(use) + ", not " + std::to_string(id),
      "id");
}

const char *made_word (KeyUse use) {
  return use == KeyUse::play ? "play-key-make" : "stream-key-make";
}

// Of what is made and ended.
Deed deed_of (const char *action, const std::string &app_id, std::uint64_t key,
              const std::string &channel, protocol::Uid uid) {
  Deed deed = key_deed(action, app_id, key, channel, uid);
  if (uid == 0)
    deed.more += " plays=mix";
  return deed;
}

// Whose sound a key is for; 0: the mix of all.
protocol::Uid uid_of (AdminFields &asked, KeyUse use) {
  constexpr const char *either = "a speaker's uid, or \"mix\": true in its place";
  const bool is_mix = use == KeyUse::play && asked.flag("mix");
  if (use == KeyUse::play && asked.has("uid") == is_mix)
    asked.fail("uid", either);
  return is_mix ? 0 : static_cast<protocol::Uid>(asked.whole("uid", 1, G_MAXUINT32));
}

const char *ended_word (KeyUse use) {
  return use == KeyUse::play ? "play-key-end" : "stream-key-end";
}

}  // namespace

AdminAnswer Admin::stream_key(const AdminRequest &request, KeyUse use) {
  if (!no_stream_keys_.empty())
    return admin_failure(501, no_stream_keys_);
  if (request.method == "POST")
    return make_stream_key(request, use);
  if (request.method == "GET")
    return list_stream_keys(request, use);
  if (request.method == "DELETE")
    return end_stream_key(request, use);
  return admin_not_allowed("GET, POST, DELETE");
}

AdminAnswer Admin::make_stream_key(const AdminRequest &request, KeyUse use) {
  AdminFields asked(request, false);
  const std::string app_id = asked.app();
  const std::string channel = asked.text("cname", Need::required);
  if (asked.good() && protocol::check_channel(channel))
    asked.fail("cname", "a channel's name");
  const protocol::Uid uid = uid_of(asked, use);
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  if (uid == 0 && !book_.makes_mixes())
    return admin_failure(501, "mix: it is made by agora-web: start the gateway with --web", "mix");
  const auto made = book_.make_stream_key(app_id, channel, uid, request.now, use);
  if (!made)
    return admin_failure(
        429, "too many keys: end some, expected at most " + std::to_string(StreamKeys::most_keys));
  const std::string server = book_.media_server(origin_host(request.own_origin), uid == 0);
  AdminAnswer answer = admin_success(JsonText()
                                         .text("status", "success")
                                         .integer("id", static_cast<std::int64_t>(made->id))
                                         .text("server", server)
                                         .text("key", made->key)
                                         .text("url", server + "/" + made->key)
                                         .finish());
  answer.saves = AdminAnswer::Saves::stream_keys;
  answer.deed = deed_of(made_word(use), app_id, made->id, channel, uid);
  // A key that nobody was told is of no use.
  answer.unsaved = [this, id = made->id] { book_.end_stream_key(id, {}); };
  return answer;
}

AdminAnswer Admin::list_stream_keys(const AdminRequest &request, KeyUse use) {
  AdminFields asked(request, true);
  const std::string app_id = asked.app();
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  JsonText text;
  text.text("status", "success").begin_list("keys");
  for (const StreamKeyInfo &key : book_.stream_keys(app_id, use)) {
    text.item()
        .integer("id", static_cast<std::int64_t>(key.id))
        .text("appid", app_id)
        .text("cname", key.channel);
    if (key.uid != 0)
      text.integer("uid", key.uid);
    if (use == KeyUse::play)
      text.boolean("mix", key.uid == 0);
    text.text("ts", iso_time(key.made_at)).boolean("in_use", key.in_use || key.players > 0);
    if (use == KeyUse::play)
      text.integer("players", static_cast<std::int64_t>(key.players));
    text.end();
  }
  return admin_success(text.end_list().finish());
}

AdminAnswer Admin::end_stream_key(const AdminRequest &request, KeyUse use) {
  AdminFields asked(request, true);
  const std::string app_id = asked.app();
  const auto id = asked.whole("id", 1, G_MAXINT64);
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  const auto keys = book_.stream_keys(app_id, use);
  const auto ended = std::find_if(keys.begin(), keys.end(),
                                  [&] (const StreamKeyInfo &key) { return key.id == id; });
  if (ended == keys.end())
    return no_key(id, use);
  auto commands = book_.end_stream_key(id, request.now);
  AdminAnswer answer = admin_success(
      JsonText().text("status", "success").integer("id", static_cast<std::int64_t>(id)).finish());
  answer.commands = std::move(*commands);
  answer.saves = AdminAnswer::Saves::stream_keys;
  answer.deed = deed_of(ended_word(use), app_id, id, ended->channel, ended->uid);
  return answer;
}

}  // namespace agora::gateway
