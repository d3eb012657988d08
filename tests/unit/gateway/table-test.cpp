// SPDX-License-Identifier: LGPL-2.1-or-later
// Every request in every state of a member.
#include <array>
#include <functional>

#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace table_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

constexpr SessionId me = 1, speaker = 2, newcomer = 3;
constexpr Uid my_uid = 10, speaker_uid = 20, nobody = 99;
constexpr std::uint64_t my_push = 100, speaker_push = 200;

// In every state another member is on the air, and stays so.
struct State {
  const char *name;
  std::function<void(Scene &)> enter;
};

const std::array states = {
    State{"stranger", [] (Scene &scene) { scene.connect(me); }},
    State{"audience", [] (Scene &scene) { scene.join(me, "10"); }},
    State{"host", [] (Scene &scene) { scene.join(me, "10", Role::broadcaster); }},
    State{"promised",
          [] (Scene &scene) {
            scene.join(me, "10", Role::broadcaster);
            scene.publish(me, my_uid);
          }},
    State{"on air", [] (Scene &scene) { scene.on_air(me, my_uid, my_push); }},
    State{"held",
          [] (Scene &scene) {
            scene.on_air(me, my_uid, my_push);
            scene.push_ends(my_push);
          }},
    State{"listening",
          [] (Scene &scene) {
            scene.join(me, "10");
            g_assert_true(scene.play(scene.subscribe(me, speaker_uid), 101));
          }},
    State{"left",
          [] (Scene &scene) {
            scene.on_air(me, my_uid, my_push);
            scene.ask(me, Leave{my_uid});
          }},
    State{"grace",
          [] (Scene &scene) {
            scene.on_air(me, my_uid, my_push);
            scene.disconnect(me);
          }},
    State{"replaced",
          [] (Scene &scene) {
            scene.on_air(me, my_uid, my_push);
            scene.join(newcomer, "10");
          }},
    State{"banned",
          [] (Scene &scene) {
            scene.on_air(me, my_uid, my_push);
            Rule rule;
            rule.app_id = open_app;
            rule.uid = my_uid;
            rule.ends_at = scene.now.wall_s + 60;
            scene.last = scene.book.add_rule(rule, scene.now);
          }},
};

struct Row {
  const char *name;
  Request request;
  // By state, in the order above; 0: no answer, for there is no socket to answer on.
  std::array<int, states.size()> codes;
};

Join join_other_channel () {
  return join_as("10", Role::audience, "elsewhere");
}
Join join_bad_app () {
  Join join = join_as("10");
  join.app_id = join.token = "nosuch";
  return join;
}
Join join_with_token () {
  Join join = join_as("10");
  join.token = "007abc";
  return join;
}
Join join_channel (const std::string &channel) {
  return join_as("10", Role::audience, channel);
}
Join join_account (const std::string &account) {
  Join join = join_as(account);
  join.uid_type = 1;
  return join;
}

const Row rows[] = {
    // stranger audience host promised on-air held listening left | grace replaced banned
    {"ping", Ping{}, {200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0}},
    {"unknown", Unknown{"dance"}, {401, 401, 401, 401, 401, 401, 401, 401, 0, 0, 0}},
    {"join", join_as("10"), {200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0}},
    {"join, assigned", join_as(""), {200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0}},
    {"join as another", join_as("11"), {200, 431, 431, 431, 431, 431, 431, 200, 0, 0, 0}},
    {"join as account", join_account("eve"), {200, 431, 431, 431, 431, 431, 431, 200, 0, 0, 0}},
    {"join elsewhere", join_other_channel(), {200, 401, 401, 401, 401, 401, 401, 200, 0, 0, 0}},
    {"rejoin",
     rejoin_as("10", Role::broadcaster, {20, 99}),
     {200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0}},
    {"join, unknown app", join_bad_app(), {101, 101, 101, 101, 101, 101, 101, 101, 0, 0, 0}},
    {"join, needless token", join_with_token(), {119, 119, 119, 119, 119, 119, 119, 119, 0, 0, 0}},
    {"join, no channel", join_channel(""), {401, 401, 401, 401, 401, 401, 401, 401, 0, 0, 0}},
    {"join, channel null", join_channel("null"), {401, 401, 401, 401, 401, 401, 401, 401, 0, 0, 0}},
    {"join, long channel",
     join_channel(std::string(129, 'x')),
     {401, 401, 401, 401, 401, 401, 401, 401, 0, 0, 0}},
    {"join, bad uid", join_as("-1"), {431, 431, 431, 431, 431, 431, 431, 431, 0, 0, 0}},
    {"join, uid too large",
     join_as("4294967296"),
     {431, 431, 431, 431, 431, 431, 431, 431, 0, 0, 0}},
    {"join, no account", join_account(""), {431, 431, 431, 431, 431, 431, 431, 431, 0, 0, 0}},
    {"set_role broadcaster",
     SetRole{Role::broadcaster},
     {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"set_role audience",
     SetRole{Role::audience},
     {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"publish", Publish{my_uid}, {434, 433, 200, 200, 200, 200, 433, 434, 0, 0, 0}},
    {"publish for another",
     Publish{speaker_uid},
     {434, 433, 434, 434, 434, 434, 433, 434, 0, 0, 0}},
    {"publish for 0", Publish{0}, {434, 433, 434, 434, 434, 434, 433, 434, 0, 0, 0}},
    {"unpublish", Unpublish{my_uid}, {434, 433, 200, 200, 200, 200, 433, 434, 0, 0, 0}},
    {"unpublish another",
     Unpublish{speaker_uid},
     {434, 433, 434, 434, 434, 434, 433, 434, 0, 0, 0}},
    {"update_url", UpdateUrl{my_uid}, {434, 433, 401, 200, 200, 200, 433, 434, 0, 0, 0}},
    {"update_url for another",
     UpdateUrl{speaker_uid},
     {434, 433, 434, 434, 434, 434, 433, 434, 0, 0, 0}},
    {"subscribe", Subscribe{speaker_uid}, {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"subscribe to nobody", Subscribe{nobody}, {434, 432, 432, 432, 432, 432, 432, 434, 0, 0, 0}},
    {"unsubscribe",
     Unsubscribe{{speaker_uid, nobody}},
     {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"mute",
     Mute{speaker_uid, Target::audio, true},
     {434, 430, 430, 430, 430, 430, 200, 434, 0, 0, 0}},
    {"unmute",
     Mute{speaker_uid, Target::all, false},
     {434, 430, 430, 430, 430, 430, 200, 434, 0, 0, 0}},
    {"mute_local",
     MuteLocal{my_uid, Target::all, true},
     {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"mute_local another",
     MuteLocal{speaker_uid, Target::audio, true},
     {434, 434, 434, 434, 434, 434, 434, 434, 0, 0, 0}},
    {"set_remote_stream_type",
     SetRemoteStreamType{speaker_uid, 1},
     {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"update_key, none", UpdateKey{open_app}, {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"update_key, needless",
     UpdateKey{"007abc"},
     {434, 119, 119, 119, 119, 119, 119, 434, 0, 0, 0}},
    {"leave", Leave{my_uid}, {434, 200, 200, 200, 200, 200, 200, 434, 0, 0, 0}},
    {"leave for another", Leave{speaker_uid}, {434, 434, 434, 434, 434, 434, 434, 434, 0, 0, 0}},
};

int outcome (Scene &scene, const Request &request) {
  scene.say(me, request);
  int codes = 0;
  int answers = 0;
  for (const Send &send : scene.sends()) {
    if (const auto *answer = std::get_if<Answer>(&send.message))
      codes = static_cast<int>(answer->code);
    else if (std::holds_alternative<Pong>(send.message))
      codes = 200;
    else
      continue;
    g_assert_true(send.to == std::vector<SessionId>{me});
    answers++;
  }
  g_assert_cmpint(answers, <=, 1);
  return codes;
}

void one_cell (const Row &row, std::size_t column) {
  Scene scene;
  scene.on_air(speaker, speaker_uid, speaker_push);
  states[column].enter(scene);
  const int code = outcome(scene, row.request);
  if (code != row.codes[column])
    g_error("%s while %s: %d, expected %d", row.name, states[column].name, code, row.codes[column]);
  // Whatever one member does, another's stream goes on.
  g_assert_true(scene.book.member(open_app, "room", speaker_uid)->publishing);
  g_assert_true(scene.dropped().find("push 200") == std::string::npos);
  g_assert_true(scene.told(speaker).find(" 20") == std::string::npos);
  // And it all comes to an end: nobody stays behind, no timer, no entry.
  scene.silent = {me, speaker, newcomer};
  for (SessionId id : {me, speaker, newcomer})
    scene.last = scene.book.disconnected(id, scene.now);
  scene.now.mono_ms += 60'000;
  scene.now.wall_s += 60;
  scene.last = scene.book.tick(scene.now);
  const Totals totals = scene.book.totals();
  g_assert_cmpuint(totals.sessions + totals.members + totals.channels + totals.streams, ==, 0);
  g_assert_false(scene.book.next_deadline().has_value());
}

void one_row (gconstpointer data) {
  const auto &row = *static_cast<const Row *>(data);
  for (std::size_t column = 0; column < states.size(); column++)
    one_cell(row, column);
}

}  // namespace

static const agora::Suite suite("table", [] {
  for (const Row &row : rows)
    g_test_add_data_func((std::string("/gateway/table/") + row.name).c_str(), &row, one_row);
});

}  // namespace table_test
