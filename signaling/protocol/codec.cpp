// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/codec.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::protocol {
namespace {

constexpr std::int64_t max_integer = G_MAXINT64;
// Names in a gateway's frame: the longest list of members, and what is around it.
constexpr unsigned max_answer_members = 2 * max_listed + max_json_members;

// An action's name beside what reads it. The envelope's uid has been read already.
using Reader = Request (*)(Fields &);

std::string expected_role () {
  return "\"broadcaster\" or \"audience\"";
}

Role read_role (Fields &fields, Need need) {
  std::string text = fields.text("role", need, Code::bad_role_or_uid);
  if (text.empty() && !fields.has("role"))
    return Role::audience;
  std::optional<Role> role = parse_role(text);
  if (!role)
    fields.fail("role", expected_role() + ", not " + quoted(text), Code::bad_role_or_uid);
  return role.value_or(Role::audience);
}

Target read_target (Fields &fields) {
  std::string text = fields.text("target", Need::required);
  std::optional<Target> target = parse_target(text);
  if (!target)
    fields.fail("target", "\"audio\", \"video\" or \"all\", not " + quoted(text));
  return target.value_or(Target::all);
}

Uid read_uid (Fields &fields) {
  return fields.uid("uid", Need::required).value_or(0);
}

// The known ones of a list of names; the others are of a later version.
std::optional<Features> read_features (Fields &fields) {
  if (!fields.has("features"))
    return std::nullopt;
  Features features;
  const JsonNode *list = fields.array("features", Need::required);
  std::size_t count = 0;
  for (const auto *item = list ? list->begin() : nullptr; list && item != list->end();
       item = item->next()) {
    if (item->kind != JsonKind::text || ++count > max_features) {
      fields.fail("features", "a list of at most " + std::to_string(max_features) + " texts");
      break;
    }
    const bool known = item->text == feature_silence || item->text == feature_codecs ||
                       item->text == feature_quality || item->text == feature_talk ||
                       item->text == feature_data || item->text == feature_names;
    if (known && std::find(features.begin(), features.end(), item->text) == features.end())
      features.emplace_back(item->text);
  }
  return features;
}

// The known ones, each once.
Codecs read_codecs (Fields &fields, const char *name) {
  Codecs codecs;
  const JsonNode *list = fields.array(name, Need::required);
  std::size_t count = 0;
  for (const auto *item = list ? list->begin() : nullptr; list && item != list->end();
       item = item->next()) {
    if (item->kind != JsonKind::text || item->text.size() > max_codec_name ||
        ++count > max_codecs) {
      fields.fail(name, "a list of at most " + std::to_string(max_codecs) +
                            " texts, each of at most " + std::to_string(max_codec_name) + " bytes");
      break;
    }
    const std::optional<Codec> codec = parse_codec(item->text);
    if (codec && std::find(codecs.begin(), codecs.end(), *codec) == codecs.end())
      codecs.push_back(*codec);
  }
  return codecs;
}

std::optional<Codec> read_codec (Fields &fields) {
  return fields.has("codec") ? parse_codec(fields.text("codec", Need::required)) : std::nullopt;
}

// Each once, rising. An empty list is no word for everybody: what is meant for none is a mistake.
Addressees read_addressees (Fields &fields) {
  Addressees to = fields.uids("to");
  std::sort(to.begin(), to.end());
  to.erase(std::unique(to.begin(), to.end()), to.end());
  if (to.empty() || to.size() > max_addressees || to.front() == 0)
    fields.fail("to", "1 to " + std::to_string(max_addressees) + " uids, none of them 0");
  return to;
}

Request read_publish (Fields &fields) {
  Publish publish;
  publish.uid = read_uid(fields);
  if (fields.has("to"))
    publish.to = read_addressees(fields);
  if (!fields.has("codecs"))
    return publish;
  publish.codecs = read_codecs(fields, "codecs");
  if (std::find(publish.codecs->begin(), publish.codecs->end(), Codec::aac) ==
      publish.codecs->end())
    fields.fail("codecs", "\"aac\" among them, which everybody hears");
  return publish;
}

std::string read_name (Fields &fields, Need need) {
  std::string name = fields.text("name", need);
  if (check_name(name))
    fields.fail("name", "at most " + std::to_string(max_name) +
                            " characters of UTF-8, none of them a control character");
  return name;
}

Request read_join (Fields &fields) {
  Join join;
  join.role = read_role(fields, Need::optional);
  join.app_id = fields.text("appId", Need::required);
  join.channel = fields.text("channel_name", Need::required);
  join.token = fields.text("key_vos", Need::optional);
  join.uid_type = static_cast<int>(fields.integer("uidType", Need::optional, 0, 1));
  join.uid = fields.text_or_number("uid", Need::optional, Code::bad_role_or_uid);
  if (join.uid_type == 0 && !parse_uid(join.uid))
    fields.fail("uid", "an unsigned 32-bit integer, not " + quoted(join.uid),
                Code::bad_role_or_uid);
  join.vid = fields.text_or_number("vid", Need::optional);
  join.device = fields.text("device", Need::optional);
  join.os = fields.text("os", Need::optional);
  join.version = fields.text("version", Need::optional);
  join.client_type = fields.text("clientType", Need::optional);
  join.audio_only = fields.boolean("audio_only", Need::optional, false);
  if (fields.has("customAudioCodec"))
    join.custom_audio_codec = fields.text("customAudioCodec", Need::required);
  if (fields.has("known_speakers"))
    join.known_speakers = fields.uids("known_speakers");
  join.features = read_features(fields);
  if (fields.has("hears"))
    join.hears = read_codecs(fields, "hears");
  // To others it is a field that isn't known.
  if (join.features && std::find(join.features->begin(), join.features->end(), feature_names) !=
                           join.features->end())
    join.name = read_name(fields, Need::optional);
  return join;
}

Request read_subscribe (Fields &fields) {
  Subscribe subscribe;
  subscribe.uid = read_uid(fields);
  if (std::optional<Fields> options = fields.object("options", Need::optional)) {
    subscribe.audio = options->boolean("audio", Need::optional, true);
    subscribe.video = options->boolean("video", Need::optional, true);
  }
  return subscribe;
}

Request read_mute_local (Fields &fields) {
  return MuteLocal{read_uid(fields), read_target(fields),
                   fields.boolean("mute", Need::required, true)};
}

Request read_stream_type (Fields &fields) {
  return SetRemoteStreamType{read_uid(fields),
                             static_cast<int>(fields.integer("type", Need::required, 0, 1))};
}

Request read_update_url (Fields &fields) {
  std::string role = fields.text("role", Need::optional);
  if (!role.empty() && role != "publish")
    fields.fail("role", "\"publish\", not " + quoted(role));
  return UpdateUrl{read_uid(fields)};
}

std::optional<Loudness> read_loudness (Fields &fields) {
  if (!fields.has("peak") && !fields.has("rms"))
    return std::nullopt;
  const auto level = [&] (const char *name) {
    return static_cast<std::int8_t>(
        fields.integer(name, Need::required, min_report_level, max_report_level));
  };
  return Loudness{level("peak"), level("rms")};
}

std::int64_t read_count (Fields &fields, const char *name) {
  return fields.integer(name, Need::optional, 0, max_report_count);
}

HeardReport read_heard (Fields &fields) {
  HeardReport heard;
  heard.uid = read_uid(fields);
  heard.level = read_loudness(fields);
  heard.delay_ms = fields.integer("delay", Need::optional, 0, max_report_ms);
  if (fields.has("latency"))
    heard.latency_ms = fields.integer("latency", Need::required, 0, max_report_ms);
  heard.jitter_ms = fields.integer("jitter", Need::optional, 0, max_report_ms);
  heard.dropped_ms = read_count(fields, "dropped");
  heard.concealed_ms = read_count(fields, "concealed");
  return heard;
}

Request read_report (Fields &fields) {
  Report report;
  report.reconnects = read_count(fields, "reconnects");
  if (std::optional<Fields> sent = fields.object("sent", Need::optional))
    report.sent = SentReport{read_loudness(*sent), read_count(*sent, "dropped"),
                             read_count(*sent, "outages")};
  const JsonNode *list = fields.array("heard", Need::optional);
  for (const auto *item = list ? list->begin() : nullptr; list && item != list->end();
       item = item->next()) {
    if (item->kind != JsonKind::object || report.heard.size() == max_report_speakers) {
      fields.fail("heard", "a list of at most " + std::to_string(max_report_speakers) + " objects");
      break;
    }
    Fields speaker(item, "heard.", fields.failure());
    report.heard.push_back(read_heard(speaker));
    if (fields.failure())
      break;
  }
  return report;
}

std::optional<MemberList> read_list (Fields &fields) {
  if (!fields.has("members"))
    return std::nullopt;
  MemberList list;
  const JsonNode *items = fields.array("members", Need::required);
  for (const auto *item = items ? items->begin() : nullptr; items && item != items->end();
       item = item->next()) {
    if (item->kind != JsonKind::object || list.members.size() == max_listed) {
      fields.fail("members", "a list of at most " + std::to_string(max_listed) + " objects");
      break;
    }
    Fields member(item, "members.", fields.failure());
    const Uid uid = read_uid(member);
    list.members.push_back({uid, read_name(member, Need::optional)});
    if (fields.failure())
      break;
  }
  list.more = fields.integer("more", Need::optional, 0, max_report_count);
  return list;
}

std::string read_words (Fields &fields) {
  std::string text = fields.text("text", Need::required);
  if (text.empty() || text.size() > max_data)
    fields.fail("text", "1 to " + std::to_string(max_data) + " bytes of UTF-8");
  return text;
}

Request read_data (Fields &fields) {
  Data data;
  if (fields.has("to"))
    data.to = read_addressees(fields);
  data.text = read_words(fields);
  return data;
}

constexpr std::array<std::pair<std::string_view, Reader>, 16> actions{{
    {"join", read_join},
    {"set_role", [] (Fields &f) -> Request { return SetRole{read_role(f, Need::required)}; }},
    {"publish", read_publish},
    {"unpublish", [] (Fields &f) -> Request { return Unpublish{read_uid(f)}; }},
    {"subscribe", read_subscribe},
    {"unsubscribe", [] (Fields &f) -> Request { return Unsubscribe{f.uids("uid")}; }},
    {"mute",
     [] (Fields &f) -> Request {
       return Mute{read_uid(f), read_target(f), true};
     }},
    {"unmute",
     [] (Fields &f) -> Request {
       return Mute{read_uid(f), read_target(f), false};
     }},
    {"mute_local", read_mute_local},
    {"set_remote_stream_type", read_stream_type},
    {"update_key",
     [] (Fields &f) -> Request { return UpdateKey{f.text("key_vos", Need::required)}; }},
    {"update_url", read_update_url},
    {"leave", [] (Fields &f) -> Request { return Leave{read_uid(f)}; }},
    {"report", read_report},
    {"data", read_data},
    {"members", [] (Fields &) -> Request { return Members{}; }},
}};

constexpr std::array<std::pair<EventKind, std::string_view>, 18> event_names{{
    {EventKind::stream_added, "stream-added"},
    {EventKind::stream_removed, "stream-removed"},
    {EventKind::update_url, "update-url"},
    {EventKind::video_rotation, "video-rotation"},
    {EventKind::audio_mute, "audio-mute"},
    {EventKind::video_mute, "video-mute"},
    {EventKind::key_will_expire, "key-will-expire"},
    {EventKind::key_expired, "key-expired"},
    {EventKind::banned, "client-is-banned-by-server"},
    {EventKind::silenced, "silenced"},
    {EventKind::unsilenced, "unsilenced"},
    {EventKind::codecs_wanted, "codecs-wanted"},
    {EventKind::members_hidden, "members-hidden"},
    {EventKind::members_shown, "members-shown"},
    {EventKind::data, "data"},
    {EventKind::member_named, "member-named"},
    {EventKind::member_joined, "member-joined"},
    {EventKind::member_left, "member-left"},
}};

bool is_about_a_uid (EventKind kind) {
  return kind < EventKind::key_will_expire || kind >= EventKind::data;
}

DecodeError to_error (const Failure &failure, std::int64_t request_id = 0, bool is_join = false) {
  return DecodeError{failure.code, failure.reason, request_id, is_join};
}

Envelope read_envelope (Fields &fields) {
  Envelope envelope;
  envelope.request_id = fields.integer("requestId", Need::required, 1, max_integer);
  envelope.app_id = fields.text("appId", Need::optional);
  envelope.channel = fields.text("cname", Need::optional);
  envelope.uid = fields.text_or_number("uid", Need::optional);
  envelope.sid = fields.text("sid", Need::optional);
  envelope.sdk_version = fields.text("sdkVersion", Need::optional);
  envelope.seq = fields.integer("seq", Need::optional, 0, max_integer);
  envelope.ts = fields.integer("ts", Need::optional, 0, max_integer);
  return envelope;
}

// The ids of a frame that is no JSON (a text with \u0000, a stray byte, a name that stands twice),
// so that whoever sent it is answered all the same: the numbers behind the name "requestId" in the
// outermost object. `found` is told each of them.
template <typename Found>
void find_request_ids (std::string_view text, Found found) {
  constexpr std::string_view name = "\"requestId\"";
  constexpr std::size_t most_digits = 18;
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); at++) {
    const char c = text[at];
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    // What comes behind the object is another one.
    if (depth == 0 && c == '}')
      return;
    if (c != '"')
      continue;
    const bool named = depth == 1 && text.substr(at, name.size()) == name;
    while (++at < text.size() && text[at] != '"')
      at += text[at] == '\\' ? 1 : 0;
    if (!named)
      continue;
    const std::size_t colon = text.find_first_not_of(" \t\r\n", at + 1);
    if (colon == std::string_view::npos || text[colon] != ':')
      continue;
    const std::size_t begin = text.find_first_not_of(" \t\r\n", colon + 1);
    const std::size_t end = text.find_first_not_of("0123456789", begin);
    // A number that goes on otherwise (1.5, 1e9) is no id.
    if (begin == std::string_view::npos || end == std::string_view::npos || end == begin ||
        end - begin > most_digits || !std::strchr(",} \t\r\n", text[end]) || text[end] == '\0')
      continue;
    std::int64_t id = 0;
    std::from_chars(text.data() + begin, text.data() + end, id);
    if (id > 0)
      found(id);
  }
}

// For a frame that could not be parsed.
DecodeError unreadable (const Failure &failure, std::string_view text, const DecodeLimits &limits) {
  DecodeError error = to_error(failure);
  if (text.size() > limits.max_bytes)
    return error;
  find_request_ids(text, [&] (std::int64_t id) {
    if (error.request_id == 0)
      error.request_id = id;
    else if (id != error.request_id)
      error.last_request_id = id;
  });
  return error;
}

Decoded<ServerMessage> read_answer (Fields &frame, Failure &failure) {
  Answer answer;
  answer.request_id = frame.integer("requestId", Need::required, 1, max_integer);
  answer.code = static_cast<Code>(frame.integer("code", Need::required, G_MININT32, G_MAXINT32));
  // A failure is told by its code and reason alone, a success by its fields alone.
  if (answer.code != Code::ok) {
    answer.reason = frame.text("reason", Need::optional);
  } else if (std::optional<Fields> fields = frame.object("serverResponse", Need::optional)) {
    answer.uid = fields->uid("uid", Need::optional);
    if (fields->has("url"))
      answer.url = fields->text("url", Need::required);
    if (fields->has("rotation"))
      answer.rotation =
          static_cast<int>(fields->integer("rotation", Need::required, G_MININT32, G_MAXINT32));
    if (fields->has("update-url"))
      answer.update_url = fields->text("update-url", Need::required);
    answer.features = read_features(*fields);
    answer.codec = read_codec(*fields);
    answer.talk = fields->boolean("talk", Need::optional, false);
    answer.list = read_list(*fields);
    if (std::optional<Fields> urls = fields->object("urls", Need::optional))
      for (std::size_t n = 0; n < codec_count; n++)
        if (const char *name = to_string(static_cast<Codec>(n)); urls->has(name))
          answer.urls.emplace_back(static_cast<Codec>(n), urls->text(name, Need::required));
  }
  if (failure)
    return to_error(failure, answer.request_id);
  return ServerMessage(std::move(answer));
}

Decoded<ServerMessage> read_status (Fields &frame, Failure &failure, std::int64_t request_id) {
  if (frame.has("code")) {
    ErrorEvent event;
    event.code = static_cast<Code>(frame.integer("code", Need::required, G_MININT32, G_MAXINT32));
    event.reason = frame.text("reason", Need::optional);
    if (failure)
      return to_error(failure, request_id);
    return ServerMessage(std::move(event));
  }
  std::optional<Fields> fields = frame.object("serverStatus", Need::required);
  if (!fields)
    return to_error(failure, request_id);
  std::string action = fields->text("action", Need::required);
  const auto *known = std::find_if(event_names.begin(), event_names.end(),
                                   [&] (const auto &row) { return row.second == action; });
  if (known == event_names.end())
    fields->fail("action", "a known event, not " + quoted(action));
  if (failure)
    return to_error(failure, request_id);

  Event event;
  event.kind = known->first;
  if (is_about_a_uid(event.kind))
    event.uid = fields->uid("uid", Need::required).value_or(0);
  if (event.kind == EventKind::stream_added || event.kind == EventKind::update_url)
    event.talk = fields->boolean("talk", Need::optional, false);
  if (event.kind == EventKind::update_url) {
    event.url = fields->text("url", Need::required);
    event.codec = read_codec(*fields);
  }
  if (event.kind == EventKind::member_named)
    event.text = read_name(*fields, Need::required);
  if (event.kind == EventKind::member_joined)
    event.text = read_name(*fields, Need::optional);
  if (event.kind == EventKind::data)
    event.text = read_words(*fields);
  if (event.kind == EventKind::codecs_wanted)
    event.codecs = read_codecs(*fields, "codecs");
  if (event.kind == EventKind::video_rotation)
    event.rotation =
        static_cast<int>(fields->integer("rotation", Need::required, G_MININT32, G_MAXINT32));
  if (event.kind == EventKind::audio_mute || event.kind == EventKind::video_mute)
    event.mute = fields->boolean("mute", Need::required, true);
  if (failure)
    return to_error(failure, request_id);
  return ServerMessage(std::move(event));
}

}  // namespace

Decoded<ClientMessage> decode_client (std::string_view text, const DecodeLimits &limits) {
  Failure failure;
  JsonDocumentPtr root = parse_object(text, limits.max_bytes, limits.max_depth, failure.reason);
  if (!root)
    return unreadable(failure, text, limits);
  Fields frame(root->root(), "", failure);

  // Before anything can fail: the id, so that the refusal can be an answer.
  Failure without_id;
  std::int64_t request_id =
      Fields(root->root(), "", without_id).integer("requestId", Need::required, 1, max_integer);
  ClientMessage message;
  if (frame.has("command")) {
    std::string command = frame.text("command", Need::required);
    if (command != "ping")
      frame.fail("command", "\"ping\", or a clientRequest in its place, not " + quoted(command));
    message.envelope = read_envelope(frame);
    // No client's ping has these two, and none of ours could say them again.
    message.envelope.sdk_version.clear();
    message.envelope.seq = 0;
    message.request = Ping{};
    if (failure)
      return to_error(failure, request_id);
    return message;
  }

  std::optional<Fields> request = frame.object("clientRequest", Need::required);
  if (!request)
    return to_error(failure, request_id);
  std::string action = request->text("action", Need::required);
  bool is_join = action == "join";
  message.envelope = read_envelope(frame);
  if (failure)
    return to_error(failure, request_id, is_join);
  const auto *known = std::find_if(actions.begin(), actions.end(),
                                   [&] (const auto &row) { return row.first == action; });
  message.request = known == actions.end() ? Request(Unknown{action}) : known->second(*request);
  if (failure)
    return to_error(failure, request_id, is_join);
  return message;
}

Decoded<ServerMessage> decode_server (std::string_view text, const DecodeLimits &limits) {
  Failure failure;
  JsonDocumentPtr root =
      parse_object(text, limits.max_bytes, limits.max_depth, failure.reason, max_answer_members);
  if (!root)
    return unreadable(failure, text, limits);
  Fields frame(root->root(), "", failure);
  // As above: whoever waits for the answer is told at once that it makes no sense.
  Failure without_id;
  const std::int64_t request_id =
      Fields(root->root(), "", without_id).integer("requestId", Need::optional, 1, max_integer);
  std::string command = frame.text("command", Need::required);
  if (failure)
    return to_error(failure, request_id);
  if (command == "serverResponse")
    return read_answer(frame, failure);
  if (command == "serverStatus")
    return read_status(frame, failure, request_id);
  if (command == "pong") {
    Pong pong{frame.integer("requestId", Need::required, 1, max_integer)};
    if (failure)
      return to_error(failure, request_id);
    return ServerMessage(pong);
  }
  frame.fail("command", "\"serverResponse\", \"serverStatus\" or \"pong\", not " + quoted(command));
  return to_error(failure, request_id);
}

std::int64_t request_id_of (std::string_view text) {
  std::int64_t first = 0;
  find_request_ids(text, [&] (std::int64_t id) { first = first == 0 ? id : first; });
  return first;
}

std::string_view to_string (EventKind kind) {
  return event_names[static_cast<std::size_t>(kind)].second;
}

}  // namespace agora::protocol
