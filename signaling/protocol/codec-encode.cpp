// SPDX-License-Identifier: LGPL-2.1-or-later
#include <type_traits>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/protocol/json-writer.hpp"

namespace agora::protocol {
namespace {

using Writer = JsonWriter;

void write (Writer &to, const Features &features) {
  to.begin_list("features");
  for (const std::string &name : features)
    to.item(name);
  to.end_list();
}

void write (Writer &to, const char *name, const Codecs &codecs) {
  to.begin_list(name);
  for (const Codec codec : codecs)
    to.item(to_string(codec));
  to.end_list();
}

void write (Writer &to, const char *name, const std::vector<Uid> &uids) {
  to.begin_list(name);
  for (const Uid uid : uids)
    to.item(uid);
  to.end_list();
}

void write (Writer &to, const Join &join) {
  to.text("action", "join").text("role", to_string(join.role)).text("appId", join.app_id);
  if (join.custom_audio_codec)
    to.text("customAudioCodec", *join.custom_audio_codec);
  else
    to.null("customAudioCodec");
  to.text("key_vocs", join.token).text("key_vos", join.token);
  to.text("channel_name", join.channel).text("uid", join.uid);
  if (join.known_speakers) {
    to.begin_list("known_speakers");
    for (Uid uid : *join.known_speakers)
      to.item(std::to_string(uid));
    to.end_list();
  }
  // The vendor's client leaves these out of a rejoin.
  const std::pair<const char *, const std::string &> of_a_first_join[] = {
      {"vid", join.vid}, {"device", join.device}, {"os", join.os}, {"version", join.version}};
  for (const auto &[name, value] : of_a_first_join)
    if (!join.known_speakers || !value.empty())
      to.text(name, value);
  to.text("clientType", join.client_type).boolean("audio_only", join.audio_only);
  to.integer("uidType", join.uid_type);
  if (join.features)
    write(to, *join.features);
  if (join.hears)
    write(to, "hears", *join.hears);
  if (!join.name.empty())
    to.text("name", join.name);
}

void write (Writer &to, const SetRole &request) {
  to.text("action", "set_role").text("role", to_string(request.role));
}
void write (Writer &to, const Publish &request) {
  to.text("action", "publish").integer("uid", request.uid);
  if (request.codecs)
    write(to, "codecs", *request.codecs);
  if (!request.to.empty())
    write(to, "to", request.to);
}
void write (Writer &to, const Unpublish &request) {
  to.text("action", "unpublish").integer("uid", request.uid);
}
void write (Writer &to, const Subscribe &request) {
  to.text("action", "subscribe").integer("uid", request.uid);
  to.begin("options").boolean("audio", request.audio).boolean("video", request.video).end();
}
void write (Writer &to, const Unsubscribe &request) {
  to.text("action", "unsubscribe");
  write(to, "uid", request.uids);
}
void write (Writer &to, const Mute &request) {
  to.text("action", request.mute ? "mute" : "unmute").integer("uid", request.uid);
  to.text("target", to_string(request.target));
}
void write (Writer &to, const MuteLocal &request) {
  to.text("action", "mute_local").integer("uid", request.uid);
  to.text("target", to_string(request.target)).boolean("mute", request.mute);
}
void write (Writer &to, const SetRemoteStreamType &request) {
  to.text("action", "set_remote_stream_type").integer("uid", request.uid);
  to.integer("type", request.type);
}
void write (Writer &to, const UpdateKey &request) {
  to.text("action", "update_key").text("key_vos", request.token);
}
void write (Writer &to, const UpdateUrl &request) {
  to.text("action", "update_url").text("role", "publish").integer("uid", request.uid);
}
void write (Writer &to, const Leave &request) {
  to.text("action", "leave").integer("uid", request.uid);
}
void write (Writer &to, const std::optional<Loudness> &level) {
  if (level)
    to.integer("peak", level->peak).integer("rms", level->rms);
}
void write (Writer &to, const Report &report) {
  to.text("action", "report").integer("reconnects", report.reconnects);
  if (report.sent) {
    to.begin("sent");
    write(to, report.sent->level);
    to.integer("dropped", report.sent->dropped_ms).integer("outages", report.sent->outages).end();
  }
  if (report.heard.empty())
    return;
  to.begin_list("heard");
  for (const HeardReport &heard : report.heard) {
    to.item().integer("uid", heard.uid);
    write(to, heard.level);
    to.integer("delay", heard.delay_ms);
    if (heard.latency_ms)
      to.integer("latency", *heard.latency_ms);
    to.integer("jitter", heard.jitter_ms).integer("dropped", heard.dropped_ms);
    to.integer("concealed", heard.concealed_ms).end();
  }
  to.end_list();
}
void write (Writer &to, const Data &data) {
  to.text("action", "data");
  if (!data.to.empty())
    write(to, "to", data.to);
  to.text("text", data.text);
}
void write (Writer &to, const Members &) {
  to.text("action", "members");
}
void write (Writer &to, const MemberList &list) {
  to.begin_list("members");
  for (const ListedMember &member : list.members) {
    to.item().integer("uid", member.uid);
    if (!member.name.empty())
      to.text("name", member.name);
    to.end();
  }
  to.end_list();
  if (list.more)
    to.integer("more", list.more);
}
void write (Writer &to, const Unknown &request) {
  to.text("action", request.action);
}

void write (Writer &to, const Answer &answer) {
  to.text("command", "serverResponse").integer("requestId", answer.request_id);
  to.integer("code", static_cast<int>(answer.code));
  if (answer.code != Code::ok) {
    to.text("reason", answer.reason);
    return;
  }
  to.begin("serverResponse");
  if (answer.uid)
    to.integer("uid", *answer.uid);
  if (answer.url)
    to.text("url", *answer.url);
  if (answer.codec)
    to.text("codec", to_string(*answer.codec));
  if (answer.talk)
    to.boolean("talk", true);
  if (!answer.urls.empty()) {
    to.begin("urls");
    for (const auto &[codec, url] : answer.urls)
      to.text(to_string(codec), url);
    to.end();
  }
  if (answer.rotation)
    to.integer("rotation", *answer.rotation);
  if (answer.update_url)
    to.text("update-url", *answer.update_url);
  if (answer.features)
    write(to, *answer.features);
  if (answer.list)
    write(to, *answer.list);
  to.end();
}

void write (Writer &to, const Pong &pong) {
  to.text("command", "pong").integer("requestId", pong.request_id);
}

void write (Writer &to, const Event &event) {
  to.text("command", "serverStatus").begin("serverStatus");
  to.text("action", to_string(event.kind));
  switch (event.kind) {
    case EventKind::stream_added:
      to.integer("uid", event.uid);
      if (event.talk)
        to.boolean("talk", true);
      break;
    case EventKind::stream_removed:
      to.integer("uid", event.uid);
      break;
    case EventKind::update_url:
      to.integer("uid", event.uid).text("url", event.url);
      if (event.codec)
        to.text("codec", to_string(*event.codec));
      if (event.talk)
        to.boolean("talk", true);
      break;
    case EventKind::video_rotation:
      to.integer("uid", event.uid).integer("rotation", event.rotation);
      break;
    case EventKind::audio_mute:
    case EventKind::video_mute:
      to.integer("uid", event.uid).boolean("mute", event.mute);
      break;
    case EventKind::key_will_expire:
    case EventKind::key_expired:
    case EventKind::banned:
    case EventKind::silenced:
    case EventKind::unsilenced:
    case EventKind::members_hidden:
    case EventKind::members_shown:
      break;
    case EventKind::codecs_wanted:
      write(to, "codecs", event.codecs);
      break;
    case EventKind::member_named:
      to.integer("uid", event.uid).text("name", event.text);
      break;
    case EventKind::member_joined:
      to.integer("uid", event.uid);
      if (!event.text.empty())
        to.text("name", event.text);
      break;
    case EventKind::member_left:
      to.integer("uid", event.uid);
      break;
    case EventKind::data:
      to.integer("uid", event.uid).text("text", event.text);
      break;
  }
  to.end();
}

void write (Writer &to, const ErrorEvent &event) {
  to.text("command", "serverStatus").integer("code", static_cast<int>(event.code));
  to.text("reason", event.reason);
}

}  // namespace

std::string encode (const ClientMessage &message) {
  const Envelope &envelope = message.envelope;
  Writer to;
  if (std::holds_alternative<Ping>(message.request)) {
    to.text("command", "ping").integer("requestId", envelope.request_id);
    to.text("appId", envelope.app_id).text("cname", envelope.channel);
    to.text("uid", envelope.uid).text("sid", envelope.sid).integer("ts", envelope.ts);
    return to.finish();
  }
  to.text("appId", envelope.app_id).text("cname", envelope.channel);
  to.text("uid", envelope.uid).text("sid", envelope.sid);
  to.text("sdkVersion", envelope.sdk_version).integer("seq", envelope.seq);
  to.integer("requestId", envelope.request_id).integer("ts", envelope.ts);
  to.begin("clientRequest");
  std::visit(
      [&] (const auto &request) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(request)>, Ping>)
          write(to, request);
      },
      message.request);
  return to.end().finish();
}

std::string encode (const ServerMessage &message) {
  Writer to;
  std::visit([&] (const auto &what) { write(to, what); }, message);
  return to.finish();
}

std::string encode (const ChooseRequest &request) {
  std::string inner = Writer()
                          .text("command", "convergeAllocateEdge")
                          .text("sid", request.sid)
                          .text("appId", request.app_id)
                          .text("token", request.app_id)
                          .text("uid", request.uid)
                          .text("cname", request.channel)
                          .integer("ts", request.ts)
                          .text("version", "1.1.0")
                          .integer("seq", 0)
                          .integer("requestId", 1)
                          .finish();
  return Writer().text("service_name", "miniapp").text("json_body", inner).finish();
}

std::string encode (const ChooseAnswer &answer) {
  Writer inner;
  inner.integer("code", static_cast<int>(answer.code));
  if (answer.code == Code::ok) {
    inner.integer("vid", answer.vid).begin_list("servers");
    for (const ChosenServer &server : answer.servers) {
      inner.item().text("address", server.address);
      if (!server.url.empty())
        inner.text("url", server.url);
      inner.end();
    }
    inner.end_list();
  }
  return Writer().integer("code", 0).text("json_body", inner.finish()).finish();
}

}  // namespace agora::protocol
