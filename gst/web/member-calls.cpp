// SPDX-License-Identifier: LGPL-2.1-or-later
// What the page asks of its member.
#include <utility>

#include "gst/web/events.hpp"
#include "gst/web/member.hpp"
#include "gst/web/stats-text.hpp"
#include "signaling/protocol/json-writer.hpp"

namespace agora::web {

namespace {

using protocol::Code;
using protocol::JsonWriter;

// Faders that a member may set: others stay as they are.
constexpr std::size_t most_faders = 1024;

void refuse (const Member::Answer &answer, const Trouble &trouble) {
  answer(status_of(trouble.code), events::trouble(static_cast<int>(trouble.code), trouble.reason));
}

void write_peer (JsonWriter &json, Session &session) {
  const PeerStats stats = session.peer_stats();
  const auto number = [&] (const char *name, std::uint64_t value) {
    json.integer(name, static_cast<std::int64_t>(value));
  };
  json.boolean("connected", stats.connected);
  number("packets-received", stats.packets_received);
  number("bytes-received", stats.bytes_received);
  if (stats.packets_lost)
    number("packets-lost", *stats.packets_lost);
  number("packets-sent", stats.packets_sent);
  number("packets-dropped", stats.packets_dropped);
  number("silent-ms", stats.silent_ms);
}

struct FreeStructure {
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, FreeStructure>;

}  // namespace

void Member::call(Session &session, const calls::Call &call, Answer answer) {
  if (phase_ != Phase::joined) {
    refuse(answer, {Code::not_joined, "this member isn't in its channel yet"});
    return;
  }
  std::visit([&] (const auto &what) { do_call(session, what, answer); }, call);
}

bool Member::can_hear(const Answer &answer) const {
  if (hearing_)
    return true;
  refuse(answer, {Code::not_joined, "this member has no session that hears"});
  return false;
}

// agorasink sends silence and tells the others; without a voice there is nobody to tell.
void Member::do_call(Session &, const calls::Mute &call, Answer &answer) {
  own_muted_ = call.audio;
  if (speaking_)
    speaking_->set_muted(own_muted_);
  answer(200, events::nothing());
}

void Member::do_call(Session &, const calls::SetRole &call, Answer &answer) {
  broadcaster_ = call.broadcaster;
  if (!call.broadcaster && speaking_)
    around_.over(*speaking_, {Code::not_permitted, "this member is audience now"});
  if (phase_ != Phase::joined) {
    answer(200, events::nothing());
    return;
  }
  agora_client_set_role_async(client(),
                              call.broadcaster ? AGORA_ROLE_BROADCASTER : AGORA_ROLE_AUDIENCE,
                              nullptr, finished, later([this, answer] (GAsyncResult *result) {
                                g_autoptr(GError) error = nullptr;
                                if (agora_client_set_role_finish(client(), result, &error)) {
                                  answer(200, events::nothing());
                                  return;
                                }
                                broadcaster_ = false;
                                refuse(answer, trouble_of(*error));
                              }));
}

void Member::do_call(Session &, const calls::Speaker &call, Answer &answer) {
  if (!can_hear(answer))
    return;
  if (!taste_.faders.contains(call.uid) && taste_.faders.size() >= most_faders) {
    refuse(answer, {Code::too_many, "no more than 1024 speakers can be set"});
    return;
  }
  Taste::Fader &fader = taste_.faders[call.uid];
  fader.volume = call.volume.value_or(fader.volume);
  fader.mute = call.mute.value_or(fader.mute);
  if (fader == Taste::Fader())
    taste_.faders.erase(call.uid);
  hearing_->adapt(call.uid);
  choose_mix();
  answer(200, events::nothing());
}

void Member::do_call(Session &, const calls::Subscribe &call, Answer &answer) {
  if (!can_hear(answer))
    return;
  if (call.on)
    taste_.unsubscribed.erase(call.uid);
  else if (taste_.unsubscribed.size() < most_faders)
    taste_.unsubscribed.insert(call.uid);
  else {
    refuse(answer, {Code::too_many, "no more than 1024 speakers can be left out"});
    return;
  }
  hearing_->adapt();
  choose_mix();
  answer(200, events::nothing());
}

void Member::do_call(Session &, const calls::Latency &call, Answer &answer) {
  if (!can_hear(answer))
    return;
  taste_.latency_ms = call.ms;
  hearing_->adapt();
  choose_mix();
  answer(200, events::nothing());
}

void Member::do_call(Session &, const calls::RenewToken &call, Answer &answer) {
  agora_client_renew_token_async(client(), call.token.c_str(), nullptr, finished,
                                 later([this, answer] (GAsyncResult *result) {
                                   g_autoptr(GError) error = nullptr;
                                   if (agora_client_renew_token_finish(client(), result, &error))
                                     answer(200, events::nothing());
                                   else
                                     refuse(answer, trouble_of(*error));
                                 }));
}

// How many it may say is the gateway's to judge, as of any member.
void Member::do_call(Session &, const calls::Data &call, Answer &answer) {
  agora_client_send_data_async(client(), call.text.c_str(), call.to.data(), call.to.size(), nullptr,
                               finished, later([this, answer] (GAsyncResult *result) {
                                 g_autoptr(GError) error = nullptr;
                                 if (agora_client_send_data_finish(client(), result, &error))
                                   answer(200, events::nothing());
                                 else
                                   refuse(answer, trouble_of(*error));
                               }));
}

// The list itself goes by the events: there it has its place among those that tell of changes,
// while an answer may overtake them. However it ends, the client has asked, and may have a list
// later.
void Member::do_call(Session &session, const calls::Members &, Answer &answer) {
  session.list();
  agora_client_get_members_async(
      client(), nullptr, finished,
      later([this, answer, asker = session.number()] (GAsyncResult *result) {
        g_autoptr(GError) error = nullptr;
        gsize count = 0;
        g_autofree guint *uids =
            agora_client_get_members_finish(client(), result, &count, nullptr, &error);
        if (error) {
          refuse(answer, trouble_of(*error));
          return;
        }
        for (const auto &each : sessions()) {
          if (each->number() == asker && !tell_list(*each)) {
            refuse(answer, {Code::too_many, "the gateway is far behind, ask again in a second"});
            return;
          }
        }
        answer(200, events::nothing());
      }));
}

void Member::do_call(Session &, const calls::Stats &, Answer &answer) {
  JsonWriter json;
  json.integer("uid", agora_client_get_uid(client()));
  json.text("role",
            agora_client_get_role(client()) == AGORA_ROLE_BROADCASTER ? "broadcaster" : "audience");
  json.boolean("muted", own_muted_);
  if (hearing_) {
    json.begin("hear").text("mix", hearing_->is_own() ? "own" : "shared");
    write_peer(json, *hearing_);
    const StructurePtr mix(hearing_->mix_stats());
    write_numbers(json, mix.get());
    write_speakers(json, mix.get());
    json.end();
  }
  if (speaking_) {
    json.begin("speak").boolean("on-air", speaking_->has_begun());
    write_peer(json, *speaking_);
    const StructurePtr sink(speaking_->stats());
    write_numbers(json, sink.get());
    json.end();
  }
  answer(200, json.finish());
}

}  // namespace agora::web
