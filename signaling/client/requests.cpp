// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/requests.hpp"

#include <algorithm>
#include <type_traits>

#include "agora-config.h"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::client {

using namespace protocol;

std::string_view name_of (const Request &request) {
  struct Names {
    std::string_view operator()(const Ping &) const { return "ping"; }
    std::string_view operator()(const Join &) const { return "join"; }
    std::string_view operator()(const SetRole &) const { return "set-role"; }
    std::string_view operator()(const Publish &) const { return "publish"; }
    std::string_view operator()(const Unpublish &) const { return "unpublish"; }
    std::string_view operator()(const Subscribe &) const { return "subscribe"; }
    std::string_view operator()(const Unsubscribe &) const { return "unsubscribe"; }
    std::string_view operator()(const Mute &mute) const { return mute.mute ? "mute" : "unmute"; }
    std::string_view operator()(const MuteLocal &) const { return "mute-local"; }
    std::string_view operator()(const SetRemoteStreamType &) const {
      return "set-remote-stream-type";
    }
    std::string_view operator()(const UpdateKey &) const { return "renew-token"; }
    std::string_view operator()(const UpdateUrl &) const { return "update-push-url"; }
    std::string_view operator()(const Leave &) const { return "leave"; }
    std::string_view operator()(const Report &) const { return "report"; }
    std::string_view operator()(const Data &) const { return "send-data"; }
    std::string_view operator()(const Members &) const { return "get-members"; }
    std::string_view operator()(const Unknown &) const { return "request"; }
  };
  return std::visit(Names(), request);
}

std::optional<std::string> check_join (const std::string &token, const std::string &channel,
                                       const std::string &uid, int uid_type) {
  if (auto why = check_channel(channel))
    return why;
  if (auto why = check_token(token))
    return why;
  if (uid_type == 1)
    return check_account(uid);
  if (!parse_uid(uid))
    return "uid " + quoted(uid) + ": expected an unsigned 32-bit integer";
  return std::nullopt;
}

std::optional<std::string> check_request (const Request &request) {
  auto check_remote = [] (Uid uid) -> std::optional<std::string> {
    if (uid == 0)
      return "uid 0: expected the uid of another member";
    return std::nullopt;
  };
  if (const auto *subscribe = std::get_if<Subscribe>(&request))
    return check_remote(subscribe->uid);
  if (const auto *publish = std::get_if<Publish>(&request);
      publish && publish->codecs &&
      std::find(publish->codecs->begin(), publish->codecs->end(), Codec::aac) ==
          publish->codecs->end())
    return "codecs: expected \"aac\" among them, which everybody hears";
  if (const auto *data = std::get_if<Data>(&request)) {
    if (data->text.empty() || data->text.size() > max_data || !is_utf8(data->text))
      return "text: expected 1 to " + std::to_string(max_data) + " bytes of UTF-8";
    if (data->to.size() > max_addressees)
      return "to: expected at most " + std::to_string(max_addressees) + " uids";
    return data->to.empty() ? std::nullopt : check_remote(data->to.front());
  }
  if (const auto *mute = std::get_if<Mute>(&request))
    return check_remote(mute->uid);
  if (const auto *type = std::get_if<SetRemoteStreamType>(&request)) {
    if (type->type != 0 && type->type != 1)
      return "stream type " + std::to_string(type->type) + ": expected 0 (high) or 1 (low)";
    return check_remote(type->uid);
  }
  if (const auto *unsubscribe = std::get_if<Unsubscribe>(&request)) {
    for (Uid uid : unsubscribe->uids)
      if (auto why = check_remote(uid))
        return why;
  }
  if (const auto *key = std::get_if<UpdateKey>(&request)) {
    if (key->token.empty())
      return "token: expected a text";
    return check_token(key->token);
  }
  return std::nullopt;
}

void set_own_uid (Request &request, Uid uid) {
  std::visit(
      [&] (auto &what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Publish> || std::is_same_v<What, Unpublish> ||
                      std::is_same_v<What, MuteLocal> || std::is_same_v<What, UpdateUrl> ||
                      std::is_same_v<What, Leave>)
          what.uid = uid;
      },
      request);
}

Trouble no_talk () {
  return {AGORA_ERROR_NOT_PERMITTED,
          "publish: the gateway knows no talkback, so that all would hear what is for a few"};
}

bool needs_url (const Request &request) {
  return std::holds_alternative<Publish>(request) || std::holds_alternative<Subscribe>(request) ||
         std::holds_alternative<UpdateUrl>(request);
}

void set_muted (Target target, bool mute, bool &audio, bool &video) {
  if (target != Target::video)
    audio = mute;
  if (target != Target::audio)
    video = mute;
}

void describe_client (Join &join) {
  // As with the vendor's client, a rejoin has less to say.
  if (!join.known_speakers) {
    join.device = "agora-signaling";
    join.os = "linux";
    join.version = AGORA_VERSION;
  }
  join.client_type = "gstreamer";
  join.audio_only = true;
}

}  // namespace agora::client
